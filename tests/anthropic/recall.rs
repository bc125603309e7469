//! Signed thoughts behind clients that return of a call its id, name and arguments, and
//! nothing else: the vendor gets them back all the same.

use super::super::support::conf::SECOND_KEY;
use super::*;
use crate::sdk::python;
use anthropic::{SIGNATURE, begin, delta, end, finish, message, message_reply, start, text, usage};

fn tools() -> Value {
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    json!([{ "type": "function", "function": { "name": "weather", "parameters": schema } }])
}

/// What the vendor thinks, says and calls.
fn content() -> Value {
    json!([
        { "type": "thinking", "thinking": "Bern,\nthen \"Basel\".", "signature": SIGNATURE },
        { "type": "redacted_thinking", "data": "cmVkYWN0ZWQ=" },
        text("I look."),
        { "type": "tool_use", "id": "toolu_1", "name": "weather", "input": { "city": "Bern" } },
        { "type": "tool_use", "id": "toolu_2", "name": "weather", "input": { "city": "Basel" } },
    ])
}

fn whole() -> Reply {
    Reply::json(200, &message(&json!(MODEL), &content(), "tool_use", &usage()))
}

/// The same in pieces.
fn streamed() -> Reply {
    let mut reply =
        begin(start(&usage()), 0, &json!({ "type": "thinking", "thinking": "", "signature": "" }));
    for piece in ["Bern,\n", "then \"Basel\"."] {
        reply = delta(reply, 0, &json!({ "type": "thinking_delta", "thinking": piece }));
    }
    reply = end(delta(reply, 0, &json!({ "type": "signature_delta", "signature": SIGNATURE })), 0);
    reply = end(begin(reply, 1, &json!({ "type": "redacted_thinking", "data": "cmVkYWN0ZWQ=" })), 1);
    reply = anthropic::block(reply, 2, &["I ", "look."]);
    for (index, id, city) in [(3, "toolu_1", "Bern"), (4, "toolu_2", "Basel")] {
        reply = begin(reply, index, &json!({ "type": "tool_use", "id": id, "name": "weather", "input": {} }));
        for piece in [format!("{{\"city\":\"{city}"), "\"}".to_owned()] {
            reply = delta(reply, index, &json!({ "type": "input_json_delta", "partial_json": piece }));
        }
        reply = end(reply, index);
    }
    finish(reply, "tool_use", &usage())
}

fn ask(more: Value) -> Request {
    ask_as(KEY, more)
}

fn ask_as(key: &str, more: Value) -> Request {
    let body = json!({ "model": "gpt", "messages": [{ "role": "user", "content": "hi" }],
                       "tools": tools(), "reasoning_effort": "low" });
    Request::post("/v1/chat/completions", &with(body, more)).key(key)
}

/// What a client sends that kept the text and the calls.
fn next() -> Value {
    let call = |id: &str, city: &str| {
        let arguments = json!({ "city": city }).to_string();
        json!({ "id": id, "type": "function", "function": { "name": "weather", "arguments": arguments } })
    };
    let calls = [call("toolu_1", "Bern"), call("toolu_2", "Basel")];
    let result = |id: &str| json!({ "role": "tool", "tool_call_id": id, "content": "wet" });
    json!({ "messages": [
        { "role": "user", "content": "hi" },
        { "role": "assistant", "content": "I look.", "tool_calls": calls },
        result("toolu_1"),
        result("toolu_2"),
    ] })
}

async fn before(first: Reply) -> (Upstream, Gateway) {
    let last = message_reply(&json!([text("Rain")]));
    let upstream = Upstream::anthropic_script([first, last]).await;
    let hub = Gateway::start(&claude(&upstream, MODEL).second_key("other", "other")).await;
    (upstream, hub)
}

#[tokio::test]
async fn thoughts_come_back_through_a_client_that_keeps_ids_only() {
    for (first, stream) in [(whole(), false), (streamed(), true)] {
        let (upstream, hub) = before(first).await;
        hub.call(&ask(json!({ "stream": stream }))).await.expect(200);
        let answer = hub.call(&ask(next())).await.expect(200);
        assert_eq!(answer.text(), "Rain");
        assert!(!answer.header("x-aigne-adapted").unwrap_or_default().contains("reasoning"), "{answer:?}");
        let sent = upstream.seen()[1].json();
        assert_eq!(sent["thinking"]["type"], "enabled", "{sent}");
        assert_eq!(sent["messages"][1]["content"], content(), "{sent}");
    }
}

#[tokio::test]
async fn another_tenant_gets_no_thoughts_and_is_told_that_the_model_thinks_no_more() {
    let (upstream, hub) = before(whole()).await;
    hub.call(&ask(json!({}))).await.expect(200);
    let answer = hub.call(&ask_as(SECOND_KEY, next())).await.expect(200);
    assert!(answer.header("x-aigne-adapted").unwrap().contains("reasoning"), "{answer:?}");
    let sent = upstream.seen()[1].json();
    assert!(sent.get("thinking").is_none() && !sent.to_string().contains(SIGNATURE), "{sent}");
}

/// Answers calls when nothing was called yet, and the weather when its thoughts came back.
fn thinker(seen: &upstream::Seen) -> Reply {
    let body = seen.json();
    let turns = body["messages"].as_array().map_or(0, Vec::len);
    match (turns, body["stream"] == true) {
        (1, false) => whole(),
        (1, true) => streamed(),
        (_, false) => message_reply(&json!([text("Rain")])),
        (_, true) => finish(anthropic::block(start(&usage()), 0, &["Rain"]), "end_turn", &usage()),
    }
}

#[tokio::test]
async fn openais_own_client_thinks_on_amid_calls_of_tools() {
    let upstream = Upstream::anthropic(thinker).await;
    let conf = claude(&upstream, MODEL);
    crate::sdk::is_content(python("tests/sdk/python/thinking_client.py"), &conf).await;
    assert_eq!(upstream.take_violations(), [""; 0]);
    for request in upstream.seen() {
        assert_eq!(request.json()["thinking"]["type"], "enabled");
    }
}
