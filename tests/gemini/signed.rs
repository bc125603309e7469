//! Signatures of thoughts: the newest models refuse calls that come back
//! without, and callers know nothing of them.

use super::*;
use gemini::SIGNATURE;

fn signed(call: Value) -> Value {
    with(call, json!({ "thoughtSignature": SIGNATURE }))
}

fn calls() -> [Value; 2] {
    let first = signed(call("weather", json!({ "city": "Bern" })));
    [first, call("weather", json!({ "city": "Basel" }))]
}

/// The next request of a client that kept these calls, and nothing else of the answer.
fn next(calls: &Value) -> Request {
    let calls = kept(calls);
    let result = |call: &Value| json!({ "role": "tool", "tool_call_id": call["id"], "content": "wet" });
    let mut turns = vec![json!({ "role": "user", "content": "hi" })];
    turns.push(json!({ "role": "assistant", "content": null, "tool_calls": calls }));
    turns.extend(calls.as_array().unwrap().iter().map(result));
    chat(json!({ "messages": turns, "tools": tools() }))
}

/// Fails unless the vendor got back what it said.
#[track_caller]
fn returned(upstream: &Upstream) {
    let sent = upstream.seen()[1].json();
    let parts = sent["contents"][1]["parts"].as_array().unwrap();
    let signatures: Vec<_> = parts.iter().map(|part| &part["thoughtSignature"]).collect();
    assert_eq!(signatures, [&json!(SIGNATURE), &Value::Null], "{sent}");
    let cities: Vec<_> = parts.iter().map(|part| &part["functionCall"]["args"]["city"]).collect();
    assert_eq!(cities, ["Bern", "Basel"]);
    for part in parts {
        let id = part["functionCall"]["id"].as_str().unwrap_or_default();
        assert!(!id.contains(SIGNATURE), "the id is the hub's own again: {id}");
    }
}

#[tokio::test]
async fn a_signature_comes_back_through_a_client_that_keeps_ids_only() {
    let replies = [whole(&json!(calls())), whole(&json!([text("Rain")]))];
    let (upstream, hub) = scripted(SIGNING, replies).await;
    let answer = hub.call(&chat(json!({ "tools": tools() }))).await.expect(200).json();
    let answer = hub.call(&next(&answer["choices"][0]["message"]["tool_calls"])).await.expect(200);
    assert_eq!(answer.text(), "Rain");
    returned(&upstream);
}

#[tokio::test]
async fn a_signature_in_a_stream_comes_back_too() {
    let [first, second] = calls();
    let stream =
        gemini::last(gemini::more(Reply::sse(), &json!([first])), &json!([second]), "STOP", &usage());
    let (upstream, hub) = scripted(SIGNING, [stream, whole(&json!([text("Rain")]))]).await;
    let answer = hub.call(&chat(json!({ "stream": true, "tools": tools() }))).await.expect(200);
    let made = streams::calls(&answer.stream());
    hub.call(&next(&made)).await.expect(200);
    returned(&upstream);
}

#[tokio::test]
async fn a_call_of_another_model_is_marked_as_one() {
    let (upstream, hub) = scripted(SIGNING, [whole(&json!([text("Rain")]))]).await;
    let function = json!({ "name": "weather", "arguments": "{\"city\":\"Bern\"}" });
    let foreign = json!([{ "id": "call_1", "type": "function", "function": function }]);
    let answer = hub.call(&next(&foreign)).await.expect(200);
    assert!(answer.header("x-aigne-adapted").is_some(), "{answer:?}");
    let sent = upstream.only().json();
    assert!(sent["contents"][1]["parts"][0]["thoughtSignature"].is_string(), "{sent}");
}

#[tokio::test]
async fn a_signed_text_comes_back_to_a_client_that_keeps_the_details() {
    let said = json!({ "text": "Bern it is.", "thoughtSignature": SIGNATURE });
    let (upstream, hub) = scripted(SIGNING, [whole(&json!([said])), whole(&json!([text("ok")]))]).await;
    let answer = hub.call(&chat(json!({}))).await.expect(200).json();
    let message = &answer["choices"][0]["message"];
    let user = json!({ "role": "user", "content": "hi" });
    hub.call(&chat(json!({ "messages": [user, message, user] }))).await.expect(200);
    let sent = upstream.seen()[1].json();
    let parts = sent["contents"][1]["parts"].as_array().unwrap();
    assert!(parts.iter().any(|part| part["thoughtSignature"] == SIGNATURE), "{sent}");
}
