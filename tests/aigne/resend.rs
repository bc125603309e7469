//! A request whose connection broke, and the same one again: the vendor is
//! asked once. And what tells it from two requests that are only alike.

use super::*;

fn picture() -> Request {
    let input = json!({ "prompt": "a cat", "modelOptions": { "model": "mock/gpt-image-1" } });
    Request::post("/api/v2/image", &json!({ "input": input, "options": {} })).key(KEY)
}

/// The hub has noticed that the caller is gone.
async fn missed(hub: &Gateway) {
    let waits = async || hub.metrics().await.sum("aigne_hub_waiting_answers", &[]) >= 1.0;
    hub.eventually("the caller to be missed", waits).await;
}

#[tokio::test]
async fn the_same_request_again_takes_the_running_answer_over() {
    let gate = Gate::new();
    let reply = vendor::answer_chat().after(&gate);
    let upstream = Upstream::script([reply]).await;
    let hub = Gateway::start(&Conf::one(&upstream).priced()).await;
    let lost = hub.open(&whole(json!({}))).await;
    gate.reached().await;
    drop(lost);
    missed(&hub).await;
    let mut again = hub.open(&whole(json!({}))).await;
    gate.open();
    let answer = again.answer().await.expect(200);
    assert_eq!(answer.json()["text"], vendor::TEXT);
    drop(again);
    assert_eq!(upstream.counts().requests, 1);
    let entries = hub.ledger().await;
    let outcomes: Vec<_> = entries.iter().map(|entry| entry["outcome"].as_str().unwrap()).collect();
    assert_eq!((entries.len(), outcomes.contains(&"ok"), outcomes.contains(&"coalesced")), (2, true, true));
    let charged = entries.iter().filter(|entry| !entry["charge"].is_null()).count();
    assert_eq!(charged, 1, "{entries:?}");
}

#[tokio::test]
async fn an_answer_that_nobody_waited_for_is_there_for_who_asks_again() {
    let gate = Gate::new();
    let upstream = Upstream::script([vendor_picture().after(&gate)]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let lost = hub.open(&picture()).await;
    gate.reached().await;
    drop(lost);
    missed(&hub).await;
    gate.open();
    upstream.until("the vendor to be done", |counts| counts.finished == 1).await;
    let answer = hub.call(&picture()).await.expect(200);
    assert_eq!(answer.json()["images"][0]["data"], "iVBORw0KGgo=");
    assert_eq!(upstream.counts().requests, 1);
}

fn vendor_picture() -> Reply {
    Reply::json(200, &json!({ "created": 1, "data": [{ "b64_json": "iVBORw0KGgo=" }] }))
}

#[tokio::test]
async fn alike_requests_that_both_wait_are_two() {
    let gate = Gate::new();
    let reply = || vendor::answer_chat().after(&gate);
    let upstream = Upstream::script([reply(), reply()]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let mut first = hub.open(&whole(json!({}))).await;
    let mut second = hub.open(&whole(json!({}))).await;
    gate.reached().await;
    gate.reached().await;
    gate.open_for_good();
    first.answer().await.expect(200);
    second.answer().await.expect(200);
    assert_eq!(upstream.counts().requests, 2);
}

#[tokio::test]
async fn an_answer_that_arrived_is_not_given_again() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    hub.call(&whole(json!({}))).await.expect(200);
    hub.call(&whole(json!({}))).await.expect(200);
    assert_eq!(upstream.counts().requests, 2);
}

#[tokio::test]
async fn another_key_takes_nothing_over() {
    let gate = Gate::new();
    let upstream = Upstream::script([vendor::answer_chat().after(&gate), vendor::answer_chat()]).await;
    let conf = Conf::one(&upstream).second_key("other", "acme");
    let hub = Gateway::start(&conf).await;
    let lost = hub.open(&whole(json!({}))).await;
    gate.reached().await;
    drop(lost);
    missed(&hub).await;
    let foreign = whole(json!({})).without("authorization").key(SECOND_KEY);
    hub.call(&foreign).await.expect(200);
    assert_eq!(upstream.counts().requests, 2);
    gate.open();
}

/// With so much patience the vendor of a lost request is stopped.
async fn stops_the_vendor(patience: &str) {
    let upstream = Upstream::script([Reply::hang_before_header()]).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("aigne", &format!("resend = {patience:?}"))).await;
    let lost = hub.open(&whole(json!({}))).await;
    upstream.until("the request to be there", |counts| counts.requests == 1).await;
    drop(lost);
    upstream.aborted().await;
}

#[tokio::test]
async fn without_patience_the_vendor_is_stopped_at_once() {
    stops_the_vendor("0s").await;
}

#[tokio::test]
async fn an_answer_that_nobody_asks_for_again_stops_the_vendor() {
    stops_the_vendor("1ms").await;
}

#[tokio::test]
async fn a_header_comes_before_the_answer_when_that_is_slow() {
    let gate = Gate::new();
    let upstream = Upstream::script([vendor::answer_chat().after(&gate)]).await;
    let conf = Conf::one(&upstream).set("timeouts", "heartbeat = \"20ms\"");
    let hub = Gateway::start(&conf).await;
    let mut caller = hub.open(&whole(json!({}))).await;
    let head = caller.head().await;
    assert_eq!((head.status, head.header("content-type")), (200, Some("application/json")));
    gate.open();
    let (body, end) = caller.rest().await;
    end.unwrap();
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["text"], vendor::TEXT);
    assert!(body.starts_with(b"\n"), "white space was there first");
}

#[tokio::test]
async fn a_failure_behind_that_header_is_a_broken_body_and_no_empty_success() {
    let gate = Gate::new();
    let upstream = Upstream::script([Reply::failed(500).after(&gate)]).await;
    let conf = Conf::one(&upstream).set("timeouts", "heartbeat = \"20ms\"").set("retry", "max_attempts = 1");
    let hub = Gateway::start(&conf).await;
    let mut caller = hub.open(&whole(json!({}))).await;
    assert_eq!(caller.head().await.status, 200);
    gate.open();
    let (body, end) = caller.rest().await;
    assert!(end.is_err(), "{body:?}");
    assert!(body.iter().all(u8::is_ascii_whitespace), "{body:?}");
}
