//! Failures in the words of the dialect, and what they do to the books.

use super::*;

async fn before(reply: Reply) -> (Upstream, Gateway) {
    let upstream = Upstream::always(reply).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("retry", "max_attempts = 1")).await;
    (upstream, hub)
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named() {
    let (upstream, hub) = before(vendor::answer_chat()).await;
    let image = json!([{ "role": "user", "content": [{ "type": "input_image" }] }]);
    for (more, param) in [
        (json!({ "background": true }), "background"),
        (json!({ "conversation": "conv_1" }), "conversation"),
        (json!({ "input": null }), "input"),
        (json!({ "input": 7 }), "input"),
        (json!({ "input": {}, "previous_response_id": "resp_0" }), "input"),
        (json!({ "input": [7] }), "input[0]"),
        (json!({ "input": [{ "role": "nobody", "content": "x" }] }), "input[0]"),
        (
            json!({ "input": [{ "role": "user", "content": "x" }, { "type": "function_call_output" }] }),
            "input[1]",
        ),
        (json!({ "input": [{ "type": "item_reference", "id": "msg_0" }] }), "input"),
        (json!({ "input": image }), "input[0]"),
        (json!({ "max_output_tokens": "many" }), "max_output_tokens"),
        (json!({ "reasoning": { "effort": "enormous" } }), "reasoning.effort"),
        (json!({ "text": { "format": { "type": "poem" } } }), "text.format"),
        (json!({ "tools": [{ "type": "function" }] }), "tools"),
        (json!({ "tools": [{ "type": "computer_use_preview" }] }), "tools"),
        (json!({ "tool_choice": "perhaps" }), "tool_choice"),
        (json!({ "previous_response_id": "resp_0" }), "previous_response_id"),
        (json!({ "model": "nobody" }), "model"),
    ] {
        let refused = hub.call(&ask(more.clone())).await;
        let error = &refused.json()["error"];
        assert!([400, 404].contains(&refused.status()), "{more}: {refused:?}");
        assert_eq!(
            (&error["param"], &error["type"]),
            (&json!(param), &json!("invalid_request_error")),
            "{more}"
        );
    }
    let twice = "{\"model\":\"gpt\",\"input\":\"a\",\"input\":\"b\"}";
    let request = Request::new("POST", "/v1/responses").body(twice).key(KEY);
    hub.call(&request).await.expect_error(400, "invalid_request");
    assert_eq!(upstream.counts().requests, 0);
}

#[tokio::test]
async fn paths_and_methods_are_told_apart() {
    let (_upstream, hub) = before(vendor::answer_chat()).await;
    for (method, path, status, code) in [
        ("GET", "/v1/responses", 405, "method_not_allowed"),
        ("POST", "/v1/responses/resp_0", 405, "method_not_allowed"),
        ("POST", "/v1/responses/resp_0/input_items", 405, "method_not_allowed"),
        ("GET", "/v1/responses/", 404, "unknown_url"),
        ("GET", "/v1/responses/resp_0/nothing", 404, "unknown_url"),
        ("GET", "/v1/responses/resp_0", 404, "response_not_found"),
        ("GET", "/responses/resp_0", 404, "response_not_found"),
        ("DELETE", "/v1/responses/resp_0", 404, "response_not_found"),
        ("POST", "/v1/responses/resp_0/cancel", 404, "response_not_found"),
        ("GET", "/v1/responses/resp_0/input_items", 404, "response_not_found"),
    ] {
        let answer = hub.call(&Request::new(method, path).key(KEY)).await;
        answer.expect_error(status, code);
    }
    hub.call(&Request::get("/v1/responses/resp_0")).await.expect(401);
    hub.call(&Request::post("/responses", &json!({ "model": "gpt", "input": "hi" })).key(KEY))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_with_an_error_event() {
    let (_upstream, hub) = before(Reply::sse().text("Hel").cut()).await;
    let told = Told::read(&hub.call(&ask(json!({ "stream": true }))).await.expect(200).body);
    told.expect_broken("upstream_closed_early");
    let id = told.events[0]["response"]["id"].as_str().unwrap();
    let refused = hub.call(&ask(json!({ "previous_response_id": id }))).await;
    let refused = refused.expect_error(400, "previous_response_not_found");
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("failed"), "{refused:?}");
    hub.get(&format!("/v1/responses/{id}")).await.expect_error(404, "response_not_found");
    let entry = entry(hub).await;
    assert_eq!((&entry["outcome"], &entry["usage_source"]), (&json!("truncated"), &json!("estimated")));
}

#[tokio::test]
async fn another_vendor_is_tried_until_there_is_content() {
    let begun =
        Reply::sse().event(&vendor::delta(json!({ "role": "assistant", "content": "" }), Value::Null));
    let bad = Upstream::script([begun.cut()]).await;
    let good = Upstream::anthropic(anthropic::answer).await;
    let conf = Conf::of([Provider::of("bad", &bad), Provider::anthropic("good", &good)])
        .model("gpt", &["bad/gpt-4o"], &["good/claude-sonnet-4-5"])
        .set("retry", "per_target = 1");
    let hub = Gateway::start(&conf).await;
    let told = Told::read(&hub.call(&ask(json!({ "stream": true }))).await.expect(200).body);
    assert_eq!(told.text, vendor::TEXT);
    assert_eq!(told.kinds.iter().filter(|kind| *kind == "response.created").count(), 1);
    let whole = told.expect_whole();
    hub.get(&format!("/v1/responses/{}", whole["id"].as_str().unwrap())).await.expect(200);
}

#[tokio::test]
async fn a_silent_stream_shows_that_it_lives_and_fails_in_its_own_words() {
    let gate = Gate::new();
    let upstream = Upstream::script([Reply::failed(500).after(&gate)]).await;
    let conf = Conf::one(&upstream).set("retry", "max_attempts = 1").set("timeouts", "heartbeat = \"20ms\"");
    let hub = Gateway::start(&conf).await;
    let mut client = hub.open(&ask(json!({ "stream": true }))).await;
    assert_eq!(client.head().await.status, 200);
    client.until(": keep-alive").await;
    gate.open();
    let (rest, _) = client.rest().await;
    let rest = String::from_utf8_lossy(&rest);
    let events: String =
        rest.split_inclusive("\n\n").skip_while(|event| !event.starts_with("event:")).collect();
    Told::read(events.as_bytes()).expect_broken("upstream_error");
}

#[tokio::test]
async fn a_caller_who_leaves_stops_the_vendor_and_pays_for_what_came() {
    let (upstream, hub) = before(Reply::sse().text("first").hang()).await;
    let mut client = hub.open(&ask(json!({ "stream": true }))).await;
    client.head().await;
    client.until("first").await;
    drop(client);
    upstream.aborted().await;
    let entry = entry(hub).await;
    assert_eq!((&entry["outcome"], &entry["usage_source"]), (&json!("client_gone"), &json!("estimated")));
}

#[tokio::test]
async fn an_answer_without_usage_is_counted_here() {
    let mut whole = vendor::chat(&json!({ "model": "gpt-4o" }));
    whole.as_object_mut().unwrap().remove("usage");
    let (_upstream, hub) = before(Reply::json(200, &whole)).await;
    let said = hub.call(&ask(json!({ "input": "Say hello, please." }))).await.expect(200).json();
    assert_eq!(said["usage"], Value::Null);
    let entry = entry(hub).await;
    assert_eq!(entry["usage_source"], "estimated");
    let used = &entry["usage"];
    assert!(used["input"].as_u64().unwrap() >= 4 && used["output"].as_u64().unwrap() >= 2, "{used}");
}

#[tokio::test]
async fn what_a_key_may_spend_is_held_by_the_dialects_own_limit() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).key_line("day_tokens = 1000")).await;
    let refused = hub.call(&ask(json!({ "max_output_tokens": 5000 }))).await;
    refused.expect_error(429, "budget_exceeded");
    hub.call(&ask(json!({ "max_output_tokens": 50 }))).await.expect(200);
}
