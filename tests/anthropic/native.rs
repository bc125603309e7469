//! Anthropic's dialect on both sides: nothing is touched but the model's name.

use super::*;
use anthropic::{SIGNATURE, begin, block, delta, end, finish, message, start, text, usage};

/// A body as no serialiser would write it, with fields that the hub does not know.
const ODD: &str = "{ \"max_tokens\" : 1e2,\n\t\"messages\":[{\"content\":[{\"type\":\"text\",\"text\":\"h\\u0069\",\
                   \"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}],\"role\":\"user\"}],  \"model\":\"gpt\",\
                   \"context_management\":{\"edits\":[{\"type\":\"new_thing\"}]},\"container\":\"c\" , \
                   \"temperature\":0.10 }";

fn odd(body: &str) -> Request {
    Request::new("POST", "/v1/messages")
        .header("content-type", "application/json")
        .body(body.to_owned())
        .header("x-api-key", KEY)
        .header("anthropic-version", "2023-06-01")
}

#[tokio::test]
async fn a_body_goes_through_byte_for_byte_but_for_the_model() {
    // A block and a field that nobody knows yet.
    let content = json!([text("ok"), { "type": "brand_new", "data": [1, 2] }]);
    let mut body = message(&json!(MODEL), &content, "end_turn", &usage());
    body["novelty"] = json!({ "a": 1 });
    let written = format!(" {} \n", serde_json::to_string_pretty(&body).unwrap());
    let (upstream, hub) = before_claude(Reply::body(200, "application/json", written.clone())).await;
    // `max_tokens` as a whole number: the scripted vendor reads no other.
    let sent = ODD.replace("1e2", "100");
    let answer =
        hub.call(&odd(&sent).header("anthropic-beta", "context-management-2025-06-27")).await.expect(200);
    let seen = upstream.only();
    assert_eq!(String::from_utf8_lossy(&seen.body), sent.replace("\"gpt\"", &format!("\"{MODEL}\"")));
    assert_eq!(String::from_utf8_lossy(&answer.body), written);
    assert_eq!(answer.header("x-aigne-adapted"), None);
    assert_eq!(seen.header("anthropic-beta"), Some("context-management-2025-06-27"));
    assert_eq!(buckets(&entry(hub).await), json!({ "input": 9, "output": 3 }));
}

/// A stream of everything, with an event and a delta that nobody knows yet.
fn everything() -> Reply {
    let numbers = json!({ "input_tokens": 10, "output_tokens": 0, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 7 });
    let reply = begin(start(&numbers), 0, &json!({ "type": "thinking", "thinking": "", "signature": "" }));
    let reply =
        delta(reply.raw(": a comment\n\n"), 0, &json!({ "type": "thinking_delta", "thinking": "Hm." }));
    let reply = end(delta(reply, 0, &json!({ "type": "signature_delta", "signature": SIGNATURE })), 0);
    let reply = block(reply.anthropic(&json!({ "type": "ping" })), 1, &["Hel", "lo"]);
    let call = json!({ "type": "tool_use", "id": "toolu_1", "name": "weather", "input": {} });
    let reply =
        delta(begin(reply, 2, &call), 2, &json!({ "type": "input_json_delta", "partial_json": "{}" }));
    let reply = end(delta(reply, 2, &json!({ "type": "brand_new_delta", "x": 1 })), 2);
    finish(
        reply.anthropic(&json!({ "type": "brand_new_event", "y": 2 })),
        "tool_use",
        &json!({ "output_tokens": 9 }),
    )
}

#[tokio::test]
async fn a_stream_goes_through_byte_for_byte() {
    let bytes = everything().data();
    let sizes = [1, 3, 64, 100_000];
    let upstream = Upstream::anthropic_script(sizes.map(|size| everything().in_pieces(size))).await;
    let hub = Gateway::start(&claude(&upstream, MODEL)).await;
    for size in sizes {
        let answer = hub.call(&messages(json!({ "stream": true }))).await.expect(200);
        assert_eq!(
            String::from_utf8_lossy(&answer.body),
            String::from_utf8_lossy(&bytes),
            "pieces of {size}"
        );
    }
    for entry in hub.ledger().await {
        let expected = json!({ "input": 10, "cache_read": 5, "cache_write_5m": 7, "output": 9 });
        assert_eq!((buckets(&entry), &entry["usage_source"]), (expected, &json!("provider")));
    }
}

#[tokio::test]
async fn the_vendors_refusal_names_what_it_did_not_like() {
    let upstream = Upstream::anthropic(anthropic::answer).await;
    let hub = Gateway::start(&claude(&upstream, MODEL)).await;
    let answer = hub.call(&messages(json!({ "nonsense": 1 }))).await.expect(400);
    let said = answer.json();
    assert_eq!((&said["type"], &said["error"]["type"]), (&json!("error"), &json!("invalid_request_error")));
    assert_eq!(said["error"]["message"], "nonsense: Extra inputs are not permitted");
    assert_eq!(upstream.take_violations().len(), 1);
}
