//! Failures in the one form that AIGNE's client understands, and with the
//! status that they have: a stream that never began is no success.

use super::*;

async fn failing_with(reply: Reply) -> (Upstream, Gateway) {
    let upstream = Upstream::always(reply).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("retry", "max_attempts = 1")).await;
    (upstream, hub)
}

fn refused(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.status(), status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let error = &answer.json()["error"];
    assert_eq!(error["type"], kind, "{error}");
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
}

#[tokio::test]
async fn each_refusal_has_message_and_type() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream).section(
        "[[key]]\nid = \"poor\"\ntenant = \"acme\"\nsecret = { env = \"HUB_SECOND_KEY\" }\nmonth_tokens = 0",
    );
    let hub = Gateway::start(&conf).await;
    for ask in [whole, streamed] {
        let anonymous = ask(json!({})).without("authorization");
        refused(&hub.call(&anonymous).await, 401, "authentication_error");
        let poor = ask(json!({})).without("authorization").key(SECOND_KEY);
        refused(&hub.call(&poor).await, 402, "NOT_ENOUGH");
        let unknown = ask(json!({ "modelOptions": { "model": "nobody" } }));
        refused(&hub.call(&unknown).await, 404, "invalid_request_error");
    }
    for bad in ["", "[]", "{", "{\"input\":{}}", "{\"input\":{\"modelOptions\":{\"model\":\"gpt\"}}}"] {
        let request = whole(json!({})).body(bad.to_owned());
        refused(&hub.call(&request).await, 400, "invalid_request_error");
    }
    assert_eq!(upstream.counts().requests, 0);
}

#[tokio::test]
async fn what_cannot_be_read_is_told_by_name() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let message = |more: Value| json!({ "messages": [more] });
    for (input, word) in [
        (json!({ "messages": [] }), "messages"),
        (message(json!({ "role": "wizard", "content": "x" })), "wizard"),
        (message(json!({ "role": "tool", "content": "x" })), "toolCallId"),
        (
            message(json!({ "role": "user", "content": [{ "type": "local", "path": "/etc/passwd" }] })),
            "cannot read",
        ),
        (message(json!({ "role": "user", "content": [{ "type": "hologram" }] })), "hologram"),
        (json!({ "toolChoice": "maybe" }), "toolChoice"),
        (json!({ "responseFormat": { "type": "json_schema" } }), "responseFormat"),
        (json!({ "modelOptions": { "model": "gpt", "reasoningEffort": "heroic" } }), "reasoningEffort"),
        (json!({ "modelOptions": { "model": "gpt", "temperature": "hot" } }), "temperature"),
    ] {
        let answer = hub.call(&whole(input)).await.expect(400);
        let text = raw(&answer);
        assert!(text.contains(word), "{word} in {text}");
    }
    assert_eq!(upstream.counts().requests, 0);
}

#[tokio::test]
async fn a_vendors_failure_keeps_its_status_also_for_a_stream() {
    for (reply, status, kind) in [
        (Reply::throttled(Some(7)), 429, "rate_limit_error"),
        (Reply::failed(500), 502, "api_error"),
        (Reply::failed(503), 503, "api_error"),
        (Reply::cut_before_header(), 502, "api_error"),
    ] {
        let (_upstream, hub) = failing_with(reply).await;
        for ask in [whole, streamed] {
            let request = ask(json!({})).header("accept", "text/event-stream");
            refused(&hub.call(&request).await, status, kind);
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_ends_in_the_event_error() {
    let gate = Gate::new();
    let begun = || Reply::sse().text("par").pause(&gate);
    for reply in [begun().cut(), begun().event(&json!({ "error": { "message": "x" } }))] {
        let (_upstream, hub) = failing_with(reply).await;
        let mut caller = hub.open(&streamed(json!({}))).await;
        assert_eq!(caller.head().await.status, 200);
        let mut body = caller.until("par").await.to_vec();
        gate.open();
        let (rest, end) = caller.rest().await;
        end.expect("a stream that ends");
        body.extend_from_slice(&rest);
        let merged = Merged::read(&body);
        assert_eq!(merged.value["text"], "par");
        let error = merged.error.expect("an event that says it");
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
        assert!(merged.value.get("usage").is_none(), "an end was invented");
    }
}

#[tokio::test]
async fn a_failure_is_tried_elsewhere_rests_the_credential_and_is_in_the_books() {
    let bad = Upstream::always(Reply::error(401, "invalid_request_error", "invalid_api_key", "no")).await;
    let good = Upstream::realistic().await;
    let conf = Conf::of([Provider::of("bad", &bad), Provider::of("good", &good)]).model(
        "gpt",
        &["bad/gpt-4o"],
        &["good/gpt-4o"],
    );
    let hub = Gateway::start(&conf).await;
    for ask in [whole, streamed, whole] {
        let answer = hub.call(&ask(json!({}))).await.expect(200);
        assert_eq!(answer.header("x-aigne-provider"), Some("good"));
    }
    assert_eq!(bad.counts().requests, 1, "a rejected credential is not asked again");
    let status = Request::get("/api/v2/status?model=bad%2Fgpt-4o").key(KEY);
    assert_eq!(hub.call(&status).await.expect(200).json()["available"], false);
    let entries = hub.ledger().await;
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[0]["attempts"], 2);
}

#[tokio::test]
async fn prose_in_place_of_json_is_an_error_that_is_paid_for() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).priced()).await;
    let format =
        json!({ "type": "json_schema", "jsonSchema": { "name": "p", "schema": { "type": "object" } } });
    let answer = hub.call(&whole(json!({ "responseFormat": format }))).await;
    refused(&answer, 502, "api_error");
    let streamed = hub.call(&streamed(json!({ "responseFormat": format }))).await.expect(200);
    let merged = Merged::read(&streamed.body);
    assert!(merged.error.unwrap()["message"].as_str().unwrap().contains("JSON"));
    assert!(merged.value.get("text").is_none());
    for entry in hub.ledger().await {
        assert_eq!((&entry["error"], &entry["outcome"]), (&json!("upstream_malformed"), &json!("ok")));
        assert!(!entry["charge"].is_null(), "{entry}");
    }
}

#[tokio::test]
async fn a_wrong_method_or_path_is_told_as_any_other() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    hub.get("/api/v2/chat").await.expect_error(405, "method_not_allowed");
    hub.get("/api/ai-providers").await.expect_error(404, "unknown_url");
}
