//! Callers of Anthropic's dialect.

use super::*;
use gemini::{SIGNATURE, last, more};

fn tools() -> Value {
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    json!([{ "name": "get_weather", "description": "d", "input_schema": schema }])
}

#[tokio::test]
async fn a_message_arrives_in_the_vendors_words() {
    let upstream = Upstream::gemini(gemini::answer).await;
    let hub = Gateway::start(&google(&upstream, MODEL)).await;
    let more = json!({ "system": "Be brief.", "temperature": 0.5, "top_k": 5, "stop_sequences": ["END"] });
    let answer = hub.call(&messages(more)).await.expect(200).json();
    let sent = upstream.only().json();
    assert_eq!(sent["systemInstruction"]["parts"], json!([text("Be brief.")]));
    assert_eq!(sent["contents"], json!([{ "role": "user", "parts": [text("hi")] }]));
    let expected = json!({ "maxOutputTokens": 100, "temperature": 0.5, "topK": 5, "stopSequences": ["END"] });
    assert_eq!(sent["generationConfig"], expected);
    assert_eq!(answer["content"], json!([{ "type": "text", "text": vendor::TEXT }]));
    assert_eq!((&answer["type"], &answer["stop_reason"]), (&json!("message"), &json!("end_turn")));
    assert_eq!((&answer["usage"]["input_tokens"], &answer["usage"]["output_tokens"]), (&json!(9), &json!(3)));
}

#[tokio::test]
async fn calls_and_results_go_both_ways() {
    let upstream = Upstream::gemini(gemini::answer).await;
    let hub = Gateway::start(&google(&upstream, MODEL)).await;
    let answer = hub.call(&messages(json!({ "tools": tools() }))).await.expect(200).json();
    assert_eq!(answer["stop_reason"], "tool_use");
    let block = &answer["content"][0];
    assert_eq!((&block["name"], &block["input"]), (&json!("get_weather"), &json!({ "city": "Bern" })));
    let result =
        json!({ "type": "tool_result", "tool_use_id": block["id"], "content": "wet", "is_error": true });
    let turns = json!([
        { "role": "user", "content": "hi" },
        { "role": "assistant", "content": answer["content"] },
        { "role": "user", "content": [result] },
    ]);
    hub.call(&messages(json!({ "messages": turns }))).await.expect(200);
    let sent = upstream.seen()[1].json();
    let result = &sent["contents"][2]["parts"][0]["functionResponse"];
    assert_eq!((&result["name"], &result["response"]), (&json!("get_weather"), &json!({ "error": "wet" })));
}

#[tokio::test]
async fn a_stream_arrives_in_the_callers_events() {
    let upstream = Upstream::gemini(gemini::answer).await;
    let hub = Gateway::start(&google(&upstream, MODEL)).await;
    let answer = hub.call(&messages(json!({ "stream": true }))).await.expect(200);
    assert!(!String::from_utf8_lossy(&answer.body).contains("[DONE]"), "{answer:?}");
    let spoken = Spoken::read(&answer.body).expect_whole();
    assert_eq!(spoken.content, [json!({ "type": "text", "text": vendor::TEXT })]);
    assert_eq!(spoken.stop_reason, "end_turn");
    assert_eq!((&spoken.usage["input_tokens"], &spoken.usage["output_tokens"]), (&json!(9), &json!(3)));
    assert_eq!(buckets(&entry(hub).await), json!({ "input": 9, "output": 3 }));
}

#[tokio::test]
async fn a_signed_call_in_a_stream_comes_back_whole() {
    let signed = json!({ "thoughtSignature": SIGNATURE });
    let signed = with(call("get_weather", json!({ "city": "Bern" })), signed);
    let thought = json!({ "text": "Hm.", "thought": true });
    let stream = last(more(Reply::sse(), &json!([thought])), &json!([signed]), "STOP", &usage());
    let (upstream, hub) = scripted(SIGNING, [stream, whole(&json!([text("Rain")]))]).await;
    let ask = json!({ "stream": true, "tools": tools() });
    let answer = hub.call(&messages(ask)).await.expect(200);
    let spoken = Spoken::read(&answer.body).expect_whole();
    assert_eq!(spoken.stop_reason, "tool_use");
    let block = spoken.content.iter().find(|block| block["type"] == "tool_use").unwrap();
    assert_eq!(block["input"], json!({ "city": "Bern" }));
    let result = json!({ "type": "tool_result", "tool_use_id": block["id"], "content": "wet" });
    let turns = json!([
        { "role": "user", "content": "hi" },
        { "role": "assistant", "content": spoken.content },
        { "role": "user", "content": [result] },
    ]);
    hub.call(&messages(json!({ "messages": turns, "tools": tools() }))).await.expect(200);
    let sent = upstream.seen()[1].json();
    let parts = sent["contents"][1]["parts"].as_array().unwrap();
    let call = parts.iter().find(|part| part.get("functionCall").is_some()).unwrap();
    assert_eq!(call["thoughtSignature"], SIGNATURE, "{sent}");
}

#[tokio::test]
async fn a_blocked_prompt_is_a_refusal() {
    let (_upstream, hub) = before(Reply::json(200, &gemini::blocked())).await;
    let answer = hub.call(&messages(json!({}))).await.expect(200).json();
    assert_eq!(answer["stop_reason"], "refusal", "{answer}");
}
