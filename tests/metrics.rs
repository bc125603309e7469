//! Metrics with names that stay, labels that are bounded, and no secret in any
//! of the places where words come out.

use super::support::conf::{KEY, SECOND_KEY};
use super::support::*;
use serde_json::json;

#[tokio::test]
async fn the_names_that_dashboards_rely_on_are_there() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).priced()).await;
    hub.chat("hi").await.expect(200);
    hub.stream("hi").await.expect(200);
    let metrics = hub.metrics_after(2).await;
    let target = ["provider=\"mock\"", "model=\"gpt-4o\""];
    let ok =
        ["provider=\"mock\"", "model=\"gpt-4o\"", "outcome=\"ok\"", "status_class=\"2xx\"", "op=\"chat\""];
    assert_eq!(metrics.sum("aigne_hub_requests_total", &ok), 2.0, "{}", metrics.0);
    assert_eq!(metrics.sum("aigne_hub_upstream_attempts_total", &target), 2.0);
    let tokens = |kind: &str| metrics.sum("aigne_hub_tokens_total", &[&format!("kind=\"{kind}\"")]);
    assert_eq!((tokens("input"), tokens("output")), (18.0, 6.0), "{}", metrics.0);
    // Two answers of 0.0000525.
    assert_eq!(metrics.sum("aigne_hub_cost_nano_usd_total", &target), 105_000.0);
    assert_eq!(metrics.sum("gen_ai_server_request_duration_seconds_count", &[]), 2.0);
    assert_eq!(metrics.sum("gen_ai_server_time_to_first_token_seconds_count", &[]), 1.0);
    for phase in
        ["accept", "auth", "body", "parse", "decide", "connect", "send", "upstream_wait", "relay", "settle"]
    {
        let label = format!("phase=\"{phase}\"");
        let count = metrics.sum("aigne_hub_phase_duration_seconds_count", &[&label]);
        assert!(count > 0.0, "{phase}: {}", metrics.0);
    }
    for name in [
        "aigne_hub_in_flight_requests",
        "aigne_hub_ledger_open_intents",
        "aigne_hub_build_info",
        "process_open_fds",
    ] {
        assert!(metrics.0.contains(name), "{name}: {}", metrics.0);
    }
}

#[tokio::test]
async fn the_page_is_prometheus_text() {
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let answer = hub.admin(&Request::get("/metrics")).await.expect(200);
    let content_type = answer.header("content-type").unwrap().to_owned();
    assert!(content_type.starts_with("text/plain; version=0.0.4"), "{content_type}");
    for line in std::str::from_utf8(&answer.body).unwrap().lines() {
        let value = line.rsplit(' ').next().unwrap_or_default();
        assert!(line.is_empty() || line.starts_with('#') || value.parse::<f64>().is_ok(), "{line}");
    }
}

#[tokio::test]
async fn nothing_that_a_caller_writes_becomes_a_series() {
    let upstream =
        Upstream::lawful(Rules::lenient(), |_| Reply::error(404, "x", "model_not_found", "no")).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("retry", "max_attempts = 1")).await;
    let series = async || hub.metrics().await.0.lines().filter(|line| !line.starts_with('#')).count();
    let ask = async |name: &str| {
        let body = json!({ "model": name, "user": name, "messages": [{ "role": "user", "content": "hi" }] });
        hub.call(&Request::post("/v1/chat/completions", &body).key(KEY).header("user-agent", name)).await;
    };
    ask("mock/invented-0").await;
    ask("invented-0").await;
    hub.metrics_after(2).await;
    let before = series().await;
    for number in 1..50 {
        ask(&format!("mock/invented-{number}")).await;
        ask(&format!("invented-{number}")).await;
    }
    let metrics = hub.metrics_after(100).await.0;
    assert!(!metrics.contains("invented-49"), "{metrics}");
    assert!(series().await <= before + 5, "{before} series became {}", series().await);
}

#[tokio::test]
async fn failures_are_counted_by_kind_and_by_whose_they_are() {
    let upstream = Upstream::always(Reply::failed(500)).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("retry", "per_target = 2")).await;
    hub.chat("hi").await.expect(502);
    hub.call(&Request::get("/v1/models").key("nobody")).await.expect(401);
    hub.metrics_after(2).await;
    // An error is counted a moment after its request.
    let refused = async || hub.metrics().await.sum("aigne_hub_errors_total", &["kind=\"invalid_api_key\""]);
    hub.eventually("the refusal to be counted", async || refused().await == 1.0).await;
    let metrics = hub.metrics().await;
    let vendors = ["kind=\"upstream_error\"", "blame=\"vendor\""];
    assert_eq!(metrics.sum("aigne_hub_errors_total", &vendors), 1.0, "{}", metrics.0);
    assert_eq!(metrics.sum("aigne_hub_errors_total", &["kind=\"invalid_api_key\""]), 1.0);
    assert_eq!(metrics.sum("aigne_hub_retries_total", &[]), 1.0);
    assert_eq!(metrics.sum("aigne_hub_upstream_attempts_total", &["result=\"upstream_error\""]), 2.0);
}

#[tokio::test]
async fn when_all_is_quiet_nothing_is_in_flight() {
    let upstream = Upstream::always(Reply::sse().text("Hel").hang()).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let (_, mut client) = hub.open_stream("hi").await;
    client.until("Hel").await;
    let now = async || hub.metrics().await.sum("aigne_hub_in_flight_requests", &[]);
    assert_eq!(now().await, 1.0);
    drop(client);
    hub.eventually("the request to end", async || now().await == 0.0).await;
    let metrics = hub.metrics_after(1).await;
    assert_eq!(metrics.sum("aigne_hub_requests_total", &["outcome=\"client_gone\""]), 1.0, "{}", metrics.0);
}

/// Words that must never come out anywhere: planted in every place where a
/// secret or a person's words can be.
const PROMPT: &str = "canary-prompt-7d1f";
const COMPLETION: &str = "canary-completion-93ab";
const HEADER: &str = "canary-header-51ce";
const GUESS: &str = "canary-guess-e204";

#[tokio::test]
async fn no_secret_and_no_persons_word_ever_comes_out() {
    let leaking = format!("wrong key {}", vendor::CREDENTIALS[0]);
    let answer = {
        let mut body = vendor::chat(&json!({ "model": "gpt-4o" }));
        body["choices"][0]["message"]["content"] = json!(COMPLETION);
        Reply::json(200, &body)
    };
    let replies = [
        answer,
        Reply::sse().text(COMPLETION).cut(),
        // On a fresh connection: a used one that breaks is only tried again.
        Reply::cut_before_header(),
        Reply::error(401, "x", "invalid_api_key", &leaking),
        Reply::error(500, "x", "server_error", &leaking),
        Reply::body(502, "text/html", format!("<html>{leaking}</html>")),
        Reply::body(200, "application/json", format!("{{\"broken\": {leaking}")),
    ];
    let count = replies.len();
    let upstream = Upstream::script(replies).await;
    let conf = Conf::one(&upstream)
        .priced()
        .second_key("second", "globex")
        .set("retry", "max_attempts = 1")
        .set("health", "breaker_faults = 100")
        .set("health", "base_recheck = \"1ms\"")
        .variable("AIGNE_HUB_LOG", "trace");
    let hub = Gateway::start(&conf).await;
    let mut errors = String::new();
    for number in 0..count {
        let mut body = json!({ "model": "gpt", "messages": [{ "role": "user", "content": PROMPT }] });
        body["stream"] = json!(number == 1);
        let request = Request::post("/v1/chat/completions", &body).key(KEY).header("x-custom", HEADER);
        let answer = hub.call(&request).await;
        if answer.status() != 200 {
            errors.push_str(&format!("{answer:?}"));
        }
    }
    let broken = format!("{{\"model\": \"gpt\", \"messages\": \"{PROMPT}");
    let broken = Request::new("POST", "/v1/chat/completions").body(broken).key(KEY);
    errors.push_str(&format!("{:?}", hub.call(&broken).await.expect(400)));
    let guess = Request::get("/v1/models").key(GUESS);
    errors.push_str(&format!("{:?}", hub.call(&guess).await.expect(401)));
    let metrics = hub.metrics().await.0;
    let stopped = hub.stop().await;
    let journal = serde_json::Value::from(stopped.home.journal().await).to_string();
    let check = stopped.home.run(&["check"]).await;
    let places = [
        ("the log", stopped.said),
        ("an error", errors),
        ("the metrics", metrics),
        ("the books", journal),
        ("check", format!("{check:?}")),
    ];
    let secrets = [KEY, SECOND_KEY, vendor::CREDENTIALS[0], HEADER, GUESS];
    let words = [PROMPT, COMPLETION];
    for (place, text) in &places {
        // An error goes back to the one who wrote the prompt; all else is read by others.
        let others = if *place == "an error" { &words[1..] } else { &words[..] };
        for secret in secrets.iter().chain(others) {
            assert!(!text.contains(secret), "{secret} came out in {place}:\n{text}");
        }
    }
    assert!(!on_disk(&stopped.home.data(), &[&secrets[..], &words[..]].concat()), "a secret is on the disk");
}

/// Does any file below this folder contain one of the words?
fn on_disk(folder: &std::path::Path, words: &[&str]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return on_disk(&path, words);
        }
        let bytes = std::fs::read(&path).unwrap();
        words.iter().any(|word| memchr::memmem::find(&bytes, word.as_bytes()).is_some())
    })
}

#[tokio::test]
async fn each_request_is_one_line_in_the_log() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let ids: Vec<String> = {
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(hub.chat("hi").await.header("x-request-id").unwrap().to_owned());
        }
        ids
    };
    let said = hub.stop().await.said;
    for id in ids {
        assert_eq!(said.lines().filter(|line| line.contains(&id)).count(), 1, "{id}:\n{said}");
    }
}
