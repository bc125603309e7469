//! The books: whatever happens, every request that reached a vendor ends in
//! exactly one entry, with the price that made its cost.

use super::support::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How each request of a journal began and ended.
fn by_request(journal: &[Value]) -> BTreeMap<String, (usize, usize)> {
    let mut requests: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for record in journal {
        let counts = requests.entry(record["id"].as_str().unwrap().to_owned()).or_default();
        match record["record"].as_str() {
            Some("intent") => counts.0 += 1,
            Some("settlement") => counts.1 += 1,
            other => panic!("{other:?}: {record}"),
        }
    }
    requests
}

fn every_request_ends_once(journal: &[Value]) {
    let requests = by_request(journal);
    assert!(requests.values().all(|counts| *counts == (1, 1)), "{requests:?}");
}

async fn sound(home: &gateway::Home) {
    let output = home.run(&["ledger", "verify"]).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn an_entry_says_who_what_where_how_much_and_why() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).priced()).await;
    let body =
        json!({ "model": "gpt", "user": "someone", "messages": [{ "role": "user", "content": "hi" }] });
    let answer = hub.post("/v1/chat/completions", &body).await.expect(200);
    let books = hub.ledger().await;
    let [entry] = books.as_slice() else { panic!("{books:?}") };
    let expected = json!({
        "tenant": "acme", "key": "test", "op": "chat", "stream": false, "model": "gpt", "provider": "mock",
        "upstream_model": "gpt-4o", "credential": "mock/a", "attempts": 1, "status": 200, "outcome": "ok",
        "error": "", "usage_source": "provider", "end_user": "someone", "intended": true,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&entry[name], value, "{name} of {entry}");
    }
    let id = answer.header("x-request-id").unwrap();
    assert_eq!(entry["id"], id, "one spelling everywhere");
    assert_eq!((&entry["usage"]["input"], &entry["usage"]["output"]), (&json!(9), &json!(3)));
    // 9 × 2.50 and 3 × 10, per million.
    assert_eq!(entry["charge"]["cost"], "0.0000525");
    assert!(entry["charge"]["price"].as_str().is_some_and(|price| !price.is_empty()), "{entry}");
}

#[tokio::test]
async fn cached_tokens_are_counted_apart_and_once() {
    let mut body = vendor::chat(&json!({ "model": "gpt-4o" }));
    body["usage"]["prompt_tokens_details"]["cached_tokens"] = json!(4);
    body["usage"]["completion_tokens_details"]["reasoning_tokens"] = json!(2);
    let upstream = Upstream::always(Reply::json(200, &body)).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    hub.chat("hi").await.expect(200);
    let usage = hub.ledger().await.remove(0)["usage"].clone();
    let numbers = ["input", "cache_read", "output", "reasoning"].map(|name| usage[name].as_u64().unwrap());
    assert_eq!(numbers, [5, 4, 1, 2], "{usage}");
}

#[tokio::test]
async fn every_way_to_end_is_one_entry() {
    let gate = Gate::new();
    let replies = [
        vendor::answer_chat(),
        vendor::stream(&json!({ "stream_options": { "include_usage": true } })),
        Reply::failed(500),
        Reply::error(400, "invalid_request_error", "bad", "no"),
        Reply::sse().text("Hel").cut(),
        Reply::cut_before_header(),
        Reply::sse().text("Hel").pause(&gate),
        Reply::hang_before_header(),
    ];
    let upstream = Upstream::script(replies).await;
    let conf = Conf::one(&upstream).priced().set("retry", "max_attempts = 1");
    let hub = Gateway::start(&conf.set("health", "breaker_faults = 100")).await;
    hub.chat("whole").await.expect(200);
    hub.stream("stream").await.expect(200);
    hub.chat("failed").await.expect(502);
    hub.chat("refused").await.expect(400);
    hub.stream("cut").await.expect(200);
    hub.stream("cut before").await.expect(502);
    let (_, mut leaving) = hub.open_stream("leaving").await;
    leaving.until("Hel").await;
    drop(leaving);
    upstream.until("the first abort", |counts| counts.aborted == 1).await;
    let leaving = hub.open(&gateway::chat("leaving early")).await;
    upstream.until("the last request", |counts| counts.requests == 8).await;
    drop(leaving);
    upstream.until("the second abort", |counts| counts.aborted == 2).await;
    // None of these reaches a vendor.
    hub.call(&Request::get("/v1/models").key("nobody")).await.expect(401);
    hub.post(
        "/v1/chat/completions",
        &json!({ "model": "nobody", "messages": [{ "role": "user", "content": "hi" }] }),
    )
    .await
    .expect(404);

    let home = hub.stop().await.home;
    let journal = home.journal().await;
    every_request_ends_once(&journal);
    let mut outcomes: Vec<String> = home.ledger().await.iter().map(|e| e["outcome"].to_string()).collect();
    outcomes.sort_unstable();
    let expected = [
        "client_gone",
        "client_gone",
        "ok",
        "ok",
        "truncated",
        "upstream_error",
        "upstream_error",
        "upstream_error",
    ];
    assert_eq!(outcomes, expected.map(|text| format!("\"{text}\"")));
    sound(&home).await;
}

#[tokio::test]
async fn a_request_that_took_three_attempts_is_one_entry() {
    let upstream = Upstream::script([Reply::failed(500), Reply::failed(503), vendor::answer_chat()]).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("retry", "per_target = 3")).await;
    hub.chat("hi").await.expect(200);
    let books = hub.ledger().await;
    assert_eq!((books.len(), &books[0]["attempts"], &books[0]["outcome"]), (1, &json!(3), &json!("ok")));
}

#[tokio::test]
async fn killed_in_the_middle_of_a_request_the_hub_still_knows_of_it() {
    let upstream = Upstream::always(Reply::hang_before_header()).await;
    let conf = Conf::one(&upstream).priced().set("ledger", "strict = true");
    let hub = Gateway::start(&conf).await;
    let open = [hub.open(&gateway::chat("one")).await, hub.open(&gateway::stream("two")).await];
    upstream.until("both requests", |counts| counts.requests == 2).await;
    let stopped = hub.kill9().await;
    drop(open);

    let hub = Gateway::start_in(stopped.home).await;
    let recovered = hub.metrics().await.sum("aigne_hub_ledger_recovered_total", &[]);
    assert_eq!(recovered, 2.0);
    let home = hub.stop().await.home;
    every_request_ends_once(&home.journal().await);
    for entry in home.ledger().await {
        assert_eq!((&entry["outcome"], &entry["usage_source"]), (&json!("recovered"), &json!("estimated")));
        assert!(entry["charge"]["cost"].is_string(), "{entry}");
    }
    sound(&home).await;
}

#[tokio::test]
async fn killed_after_an_answer_and_a_flush_the_books_are_complete() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).priced()).await;
    for _ in 0..20 {
        hub.chat("hi").await.expect(200);
    }
    hub.eventually("every settlement to be written", async || {
        hub.metrics().await.sum("aigne_hub_ledger_settled_total", &[]) >= 20.0
    })
    .await;
    let home = hub.kill9().await.home;
    let hub = Gateway::start_in(home).await;
    assert_eq!(hub.metrics().await.sum("aigne_hub_ledger_recovered_total", &[]), 0.0);
    let home = hub.stop().await.home;
    let journal = home.journal().await;
    every_request_ends_once(&journal);
    assert_eq!(by_request(&journal).len(), 20);
    sound(&home).await;
}

#[tokio::test]
async fn stopping_loses_nothing() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let mut client = hub.connect().await;
    for number in 0..300 {
        client.send(&gateway::chat(&number.to_string())).await;
        client.answer().await.expect(200);
    }
    let home = hub.stop().await.home;
    let journal = home.journal().await;
    every_request_ends_once(&journal);
    assert_eq!(by_request(&journal).len(), 300);
    assert_eq!(home.journal().await, journal, "exporting changes nothing");
}

#[tokio::test]
async fn a_model_without_a_price_is_refused_where_that_is_the_policy() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream).priced().set("ledger", "unpriced = \"refuse\"");
    let hub = Gateway::start(&conf).await;
    hub.chat("hi").await.expect(200);
    let body =
        json!({ "model": "mock/gpt-4o-mini-unheard-of", "messages": [{ "role": "user", "content": "hi" }] });
    hub.post("/v1/chat/completions", &body).await.expect_error(400, "model_not_priced");
    assert_eq!(upstream.counts().requests, 1);
}

#[tokio::test]
async fn a_model_without_a_price_is_marked_and_never_silently_free() {
    let upstream = Upstream::lawful(Rules::lenient(), vendor::answer).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let body = json!({ "model": "mock/unheard-of", "messages": [{ "role": "user", "content": "hi" }] });
    hub.post("/v1/chat/completions", &body).await.expect(200);
    let entry = hub.ledger().await.remove(0);
    assert_eq!((&entry["charge"], &entry["usage"]["input"]), (&Value::Null, &json!(9)), "{entry}");
}

#[tokio::test]
async fn only_one_hub_keeps_the_books() {
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let output = hub.home().run(&["serve"]).await;
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("in use"), "{said}");
}
