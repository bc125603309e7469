//! Who may come in, from where, to which models, and how much of it.

use super::support::conf::{KEY, SECOND_KEY};
use super::support::*;
use serde_json::json;

/// Nobody may reach this vendor.
async fn unreachable(conf: impl FnOnce(Conf) -> Conf) -> (Upstream, Gateway) {
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&conf(Conf::one(&upstream))).await;
    (upstream, hub)
}

async fn realistic(conf: impl FnOnce(Conf) -> Conf) -> (Upstream, Gateway) {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&conf(Conf::one(&upstream))).await;
    (upstream, hub)
}

fn number(answer: &Answer, header: &str) -> u64 {
    let text = answer.header(header).unwrap_or_else(|| panic!("no {header}: {answer:?}"));
    text.parse().unwrap_or_else(|_| panic!("{header}: {text}"))
}

#[tokio::test]
async fn without_a_known_key_nothing_is_answered() {
    let (_upstream, hub) = unreachable(|conf| conf).await;
    let body = json!({ "model": "gpt", "messages": [{ "role": "user", "content": "hi" }] });
    let plain = || Request::post("/v1/chat/completions", &body);
    for request in [
        plain(),
        plain().key(""),
        plain().key("nobody"),
        plain().key(&KEY[..KEY.len() - 1]),
        plain().key(&format!("{KEY}x")),
        plain().header("authorization", KEY),
        plain().header("authorization", &format!("Basic {KEY}")),
        Request::get("/v1/models"),
        Request::post("/v1/tokenize", &json!({ "model": "gpt", "text": "hi" })),
        Request::get("/v1/realtime?model=gpt").header("connection", "upgrade").header("upgrade", "websocket"),
        Request::get(&format!("/v1/models?key={KEY}")),
    ] {
        hub.call(&request).await.expect_error(401, "invalid_api_key");
    }
}

#[tokio::test]
async fn the_key_is_found_where_clients_put_it() {
    let (_upstream, hub) = realistic(|conf| conf).await;
    let body = json!({ "model": "gpt", "messages": [{ "role": "user", "content": "hi" }] });
    for (name, value) in [
        ("authorization", format!("Bearer {KEY}")),
        ("Authorization", format!("bearer {KEY}")),
        ("x-api-key", KEY.to_owned()),
    ] {
        hub.call(&Request::post("/v1/chat/completions", &body).header(name, &value)).await.expect(200);
    }
}

#[tokio::test]
async fn unknown_disabled_and_expired_keys_cannot_be_told_apart() {
    let mut told = Vec::new();
    for line in ["enabled = false", "expires_at = \"2020-01-01T00:00:00Z\""] {
        let (_upstream, hub) = unreachable(|conf| conf.key_line(line)).await;
        told.push(hub.chat("hi").await.expect_error(401, "invalid_api_key").json());
    }
    let (_upstream, hub) = unreachable(|conf| conf).await;
    let request = Request::post(
        "/v1/chat/completions",
        &json!({ "model": "gpt", "messages": [{ "role": "user", "content": "hi" }] }),
    );
    told.push(hub.call(&request.key("nobody")).await.json());
    assert_eq!((&told[0], &told[1]), (&told[1], &told[2]));
}

#[tokio::test]
async fn a_key_that_expires_in_the_future_works() {
    let (_upstream, hub) = realistic(|conf| conf.key_line("expires_at = \"2099-01-01T00:00:00Z\"")).await;
    hub.chat("hi").await.expect(200);
}

#[tokio::test]
async fn a_key_sees_and_uses_only_its_models() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::of([Provider::of("mock", &upstream).line("models = [\"gpt-4o\", \"gpt-4o-mini\"]")])
        .model("gpt", &["mock/gpt-4o"], &[])
        .model("secret", &["mock/gpt-4o"], &[])
        .key_line("models = [\"gpt\", \"mock/*-mini\"]");
    let hub = Gateway::start(&conf).await;
    let ask = async |model: &str| {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
        hub.post("/v1/chat/completions", &body).await
    };
    ask("gpt").await.expect(200);
    ask("mock/gpt-4o-mini").await.expect(200);
    let forbidden = ask("secret").await.expect_error(404, "model_not_found");
    let unknown = ask("nobody").await.expect_error(404, "model_not_found");
    let message =
        |answer: &Answer, name: &str| answer.json()["error"]["message"].to_string().replace(name, "");
    assert_eq!(message(&forbidden, "secret"), message(&unknown, "nobody"));
    ask("mock/gpt-4o").await.expect_error(404, "model_not_found");
    let list = hub.get("/v1/models").await.expect(200).json();
    let names: Vec<_> = list["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["gpt", "mock/gpt-4o-mini"]);
    hub.get("/v1/models/secret").await.expect_error(404, "model_not_found");
}

#[tokio::test]
async fn denied_addresses_and_those_not_allowed_stay_out() {
    for line in ["deny = [\"127.0.0.0/8\"]", "allow = [\"203.0.113.0/24\"]"] {
        let (_upstream, hub) = unreachable(|conf| conf.set("security", line)).await;
        hub.chat("hi").await.expect_error(403, "ip_not_allowed");
        let (_upstream, hub) = unreachable(|conf| conf.key_line(line)).await;
        hub.chat("hi").await.expect_error(403, "ip_not_allowed");
    }
    let (_upstream, hub) = realistic(|conf| conf.set("security", "allow = [\"127.0.0.1\"]")).await;
    hub.chat("hi").await.expect(200);
}

#[tokio::test]
async fn deny_wins_over_allow() {
    let lines = "allow = [\"127.0.0.0/8\"]\ndeny = [\"127.0.0.1\"]";
    let (_upstream, hub) = unreachable(|conf| conf.set("security", lines)).await;
    hub.chat("hi").await.expect_error(403, "ip_not_allowed");
}

#[tokio::test]
async fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
    let deny = "deny = [\"203.0.113.0/24\"]";
    let from = |addresses: &str| gateway::chat("hi").header("x-forwarded-for", addresses);
    let (_upstream, hub) = realistic(|conf| conf.set("security", deny)).await;
    hub.call(&from("203.0.113.9")).await.expect(200);

    let trusted = format!("{deny}\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]");
    let (_upstream, hub) = realistic(|conf| conf.set("security", &trusted)).await;
    for denied in ["203.0.113.9", "198.51.100.1, 203.0.113.9", "198.51.100.1, 203.0.113.9, 10.1.2.3"] {
        hub.call(&from(denied)).await.expect_error(403, "ip_not_allowed");
    }
    // What the caller itself wrote in front of its own address proves nothing.
    hub.call(&from("203.0.113.9, 198.51.100.1")).await.expect(200);
    hub.chat("hi").await.expect(200);
}

#[tokio::test]
async fn requests_a_minute_are_counted_exactly_and_said_in_the_headers() {
    let (upstream, hub) = realistic(|conf| conf.key_line("requests_per_minute = 3")).await;
    for left in [2, 1, 0] {
        let answer = hub.chat("hi").await.expect(200);
        assert_eq!(number(&answer, "x-ratelimit-limit-requests"), 3);
        assert_eq!(number(&answer, "x-ratelimit-remaining-requests"), left);
        assert!(answer.header("x-ratelimit-reset-requests").is_some(), "{answer:?}");
    }
    let refused = hub.chat("hi").await.expect_error(429, "rate_limit_exceeded");
    // A window is kept by the second, so room comes back up to one second late.
    assert!((1..=61).contains(&number(&refused, "retry-after")), "{refused:?}");
    assert_eq!(number(&refused, "x-ratelimit-remaining-requests"), 0);
    assert_eq!(upstream.counts().requests, 3);
    let limited = hub.metrics().await;
    assert_eq!(limited.sum("aigne_hub_limited_total", &[]), 1.0, "{}", limited.0);
}

#[tokio::test]
async fn a_crowd_gets_exactly_what_is_allowed() {
    let (upstream, hub) = realistic(|conf| conf.key_line("requests_per_minute = 10")).await;
    let mut open = Vec::new();
    for _ in 0..40 {
        open.push(hub.open(&gateway::chat("hi")).await);
    }
    let mut served = 0;
    for mut client in open {
        match client.answer().await {
            answer if answer.status() == 200 => served += 1,
            answer => drop(answer.expect_error(429, "rate_limit_exceeded")),
        }
    }
    assert_eq!((served, upstream.counts().requests), (10, 10));
}

#[tokio::test]
async fn tokens_a_minute_hold_the_worst_case_and_settle_what_was_used() {
    let (upstream, hub) = realistic(|conf| conf.key_line("tokens_per_minute = 1000")).await;
    let ask = async |output: u64| {
        let messages = json!([{ "role": "user", "content": "hi" }]);
        let body = json!({ "model": "gpt", "max_tokens": output, "messages": messages });
        hub.post("/v1/chat/completions", &body).await
    };
    for _ in 0..5 {
        // Together the worst cases are far over the limit; what is used is not.
        ask(900).await.expect(200);
    }
    let answer = ask(10).await.expect(200);
    assert_eq!(number(&answer, "x-ratelimit-limit-tokens"), 1_000);
    let used = 6 * (vendor::INPUT_TOKENS + vendor::OUTPUT_TOKENS);
    let left = number(&answer, "x-ratelimit-remaining-tokens");
    assert!((1_000 - used - 100..=1_000 - used + 12).contains(&left), "{left} left of 1000 after {used}");
    assert_eq!(upstream.counts().requests, 6);
}

#[tokio::test]
async fn what_is_held_counts_while_it_is_held() {
    let gate = Gate::new();
    let upstream = Upstream::always(vendor::answer_chat().after(&gate)).await;
    let hub = Gateway::start(&Conf::one(&upstream).key_line("tokens_per_minute = 1000")).await;
    let body =
        json!({ "model": "gpt", "max_tokens": 600, "messages": [{ "role": "user", "content": "hi" }] });
    let request = Request::post("/v1/chat/completions", &body).key(KEY);
    let mut first = hub.open(&request).await;
    gate.reached().await;
    hub.call(&request).await.expect_error(429, "rate_limit_exceeded");
    gate.open_for_good();
    first.answer().await.expect(200);
    hub.call(&request).await.expect(200);
}

#[tokio::test]
async fn only_so_many_at_once() {
    let gate = Gate::new();
    let upstream = Upstream::always(vendor::answer_chat().after(&gate)).await;
    let hub = Gateway::start(&Conf::one(&upstream).key_line("concurrency = 2")).await;
    let mut first = hub.open(&gateway::chat("a")).await;
    let second = hub.open(&gateway::chat("b")).await;
    upstream.until("both to be in flight", |counts| counts.requests == 2).await;
    hub.chat("c").await.expect_error(429, "concurrency_limit_exceeded");
    // Leaving gives the place back, too.
    drop(second);
    upstream.aborted().await;
    let mut third = None;
    hub.eventually("the place to be given back", async || {
        let mut client = hub.open(&gateway::chat("d")).await;
        let seen = upstream.counts().requests;
        let taken = tokio::select! {
            _ = upstream.until("the third", |counts| counts.requests > seen) => true,
            head = client.head() => { assert_eq!(head.status, 429); false }
        };
        third = taken.then_some(client);
        taken
    })
    .await;
    gate.open_for_good();
    first.answer().await.expect(200);
    third.unwrap().answer().await.expect(200);
}

#[tokio::test]
async fn a_token_budget_ends_and_survives_a_restart() {
    let upstream = Upstream::realistic().await;
    // The first request's worst case fits, and what it uses leaves too little for a second.
    let conf = Conf::one(&upstream).key_line("day_tokens = 40");
    let hub = Gateway::start(&conf).await;
    let body = json!({ "model": "gpt", "max_tokens": 20, "messages": [{ "role": "user", "content": "hi" }] });
    hub.post("/v1/chat/completions", &body).await.expect(200);
    let refused = |answer: Answer| drop(answer.expect_error(429, "budget_exceeded"));
    let large =
        json!({ "model": "gpt", "max_tokens": 35, "messages": [{ "role": "user", "content": "hi" }] });
    refused(hub.post("/v1/chat/completions", &large).await);
    let stopped = hub.stop().await;
    let hub = Gateway::start_in(stopped.home).await;
    refused(hub.post("/v1/chat/completions", &large).await);
    assert_eq!(upstream.counts().requests, 1);
}

#[tokio::test]
async fn a_money_budget_is_never_overspent() {
    // One answer costs 0.0000525; its worst case (with 3 tokens of output) a little more.
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream).priced().key_line("month_cost = \"0.0002\"");
    let hub = Gateway::start(&conf).await;
    let body = json!({ "model": "gpt", "max_tokens": 3, "messages": [{ "role": "user", "content": "hi there, you two" }] });
    let request = Request::post("/v1/chat/completions", &body).key(KEY);
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(hub.open(&request).await);
    }
    let mut served = 0_u64;
    for mut client in open {
        let answer = client.answer().await;
        match answer.status() {
            200 => served += 1,
            _ => drop(answer.expect_error(429, "budget_exceeded")),
        }
    }
    assert!((1..=3).contains(&served), "{served} answers of 0.0000525 out of 0.0002");
    assert_eq!(upstream.counts().requests as u64, served);
}

#[tokio::test]
async fn keys_do_not_share_their_limits() {
    let (_upstream, hub) =
        realistic(|conf| conf.key_line("requests_per_minute = 1").second_key("second", "acme")).await;
    hub.chat("hi").await.expect(200);
    hub.chat("hi").await.expect(429);
    let body = json!({ "model": "gpt", "messages": [{ "role": "user", "content": "hi" }] });
    for _ in 0..3 {
        hub.call(&Request::post("/v1/chat/completions", &body).key(SECOND_KEY)).await.expect(200);
    }
}

#[tokio::test]
async fn an_address_that_keeps_guessing_is_shed() {
    let (_upstream, hub) = unreachable(|conf| conf.set("security", "failures_per_minute = 3")).await;
    let guess = Request::get("/v1/models").key("nobody");
    for _ in 0..3 {
        hub.call(&guess).await.expect_error(401, "invalid_api_key");
    }
    let shed = hub.call(&guess).await.expect_error(429, "too_many_failures");
    assert!(number(&shed, "retry-after") > 0);
    // Health checks come from the same addresses, and are no guesses.
    hub.call(&Request::get("/healthz")).await.expect(200);
}
