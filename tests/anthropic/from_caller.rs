//! Callers of Anthropic's dialect before a vendor of OpenAI's.

use super::*;

fn tools() -> Value {
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    json!([{ "name": "get_weather", "description": "d", "input_schema": schema }])
}

#[tokio::test]
async fn a_message_arrives_in_the_vendors_words() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let request = messages(json!({
        "system": [{ "type": "text", "text": "Be brief.", "cache_control": { "type": "ephemeral" } }],
        "temperature": 0.5, "top_k": 5, "stop_sequences": ["END"], "metadata": { "user_id": "someone" },
        "made_up": 1,
    }));
    let answer = hub.call(&request).await.expect(200);
    let sent = upstream.only().json();
    let turns = json!([{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "hi" }]);
    assert_eq!(
        (&sent["messages"], &sent["stop"], &sent["user"]),
        (&turns, &json!(["END"]), &json!("someone"))
    );
    let adapted = answer.header("x-aigne-adapted").unwrap();
    for field in ["top_k", "cache", "made_up"] {
        assert!(adapted.contains(field), "{field} in {adapted}");
    }
    let said = answer.json();
    assert_eq!(said["content"], json!([{ "type": "text", "text": vendor::TEXT }]));
    let shape = [&said["type"], &said["role"], &said["stop_reason"], &said["stop_sequence"]];
    assert_eq!(shape, [&json!("message"), &json!("assistant"), &json!("end_turn"), &Value::Null]);
    assert_eq!((&said["usage"]["input_tokens"], &said["usage"]["output_tokens"]), (&json!(9), &json!(3)));
}

#[tokio::test]
async fn calls_and_results_go_both_ways() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let choice = json!({ "type": "any", "disable_parallel_tool_use": true });
    let answer = hub.call(&messages(json!({ "tools": tools(), "tool_choice": choice }))).await.expect(200);
    let said = answer.json();
    assert_eq!(said["stop_reason"], "tool_use");
    let call =
        json!({ "type": "tool_use", "id": "call_mock", "name": "get_weather", "input": { "city": "Bern" } });
    assert_eq!(said["content"], json!([call]));
    let result = json!({ "type": "tool_result", "tool_use_id": "call_mock", "content": "wet" });
    let turns = json!([
        { "role": "user", "content": "hi" },
        { "role": "assistant", "content": said["content"] },
        { "role": "user", "content": [result, { "type": "text", "text": "So?" }] },
    ]);
    hub.call(&messages(json!({ "messages": turns }))).await.expect(200);
    let seen = upstream.seen();
    assert_eq!(
        (&seen[0].json()["tool_choice"], &seen[0].json()["parallel_tool_calls"]),
        (&json!("required"), &json!(false))
    );
    assert_eq!(seen[0].json()["tools"][0]["function"]["parameters"], tools()[0]["input_schema"]);
    let sent = &seen[1].json()["messages"];
    assert_eq!(sent[1]["tool_calls"][0]["function"]["arguments"], "{\"city\":\"Bern\"}");
    assert_eq!(sent[2], json!({ "role": "tool", "tool_call_id": "call_mock", "content": "wet" }));
    assert_eq!(sent[3], json!({ "role": "user", "content": "So?" }));
}

#[tokio::test]
async fn a_stream_arrives_in_the_callers_events() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let answer = hub.call(&messages(json!({ "stream": true }))).await.expect(200);
    assert!(!String::from_utf8_lossy(&answer.body).contains("[DONE]"), "{answer:?}");
    let spoken = Spoken::read(&answer.body).expect_whole();
    assert_eq!(spoken.content, [json!({ "type": "text", "text": vendor::TEXT })]);
    assert_eq!(spoken.stop_reason, "end_turn");
    assert_eq!((&spoken.usage["input_tokens"], &spoken.usage["output_tokens"]), (&json!(9), &json!(3)));
    let entry = entry(hub).await;
    assert_eq!(
        (buckets(&entry), &entry["usage_source"]),
        (json!({ "input": 9, "output": 3 }), &json!("provider"))
    );
}

#[tokio::test]
async fn calls_in_a_stream_are_blocks_with_their_input() {
    let piece = |index: usize, id: Option<&str>, arguments: &str| {
        let mut call = json!({ "index": index, "function": { "arguments": arguments } });
        if let Some(id) = id {
            call = json!({ "index": index, "id": id, "type": "function",
                           "function": { "name": "get_weather", "arguments": arguments } });
        }
        vendor::delta(json!({ "tool_calls": [call] }), Value::Null)
    };
    let reply = Reply::sse()
        .text("Let me see.")
        .event(&piece(0, Some("call_1"), ""))
        .event(&piece(0, None, "{\"city\":"))
        .event(&piece(0, None, "\"Bern\"}"))
        .event(&piece(1, Some("call_2"), ""))
        .event(&vendor::delta(json!({}), json!("tool_calls")))
        .event(&vendor::usage_chunk())
        .done();
    let (_upstream, hub) = before_gpt(reply).await;
    let answer = hub.call(&messages(json!({ "stream": true, "tools": tools() }))).await.expect(200);
    let spoken = Spoken::read(&answer.body).expect_whole();
    let call = |id: &str, input: Value| json!({ "type": "tool_use", "id": id, "name": "get_weather", "input": input });
    let words = json!({ "type": "text", "text": "Let me see." });
    assert_eq!(spoken.content, [words, call("call_1", json!({ "city": "Bern" })), call("call_2", json!({}))]);
    assert_eq!(spoken.stop_reason, "tool_use");
}

#[tokio::test]
async fn thoughts_of_a_vendor_are_blocks_of_their_own() {
    let reply = Reply::sse()
        .event(&vendor::delta(json!({ "role": "assistant", "reasoning_content": "Hm." }), Value::Null))
        .text("Yes")
        .event(&vendor::delta(json!({}), json!("stop")))
        .event(&vendor::usage_chunk())
        .done();
    let (_upstream, hub) = before_gpt(reply).await;
    let answer = hub.call(&messages(json!({ "stream": true }))).await.expect(200);
    let spoken = Spoken::read(&answer.body).expect_whole();
    let thought = json!({ "type": "thinking", "thinking": "Hm.", "signature": "" });
    assert_eq!(spoken.content, [thought, json!({ "type": "text", "text": "Yes" })]);
}

#[tokio::test]
async fn cached_tokens_are_told_apart_as_the_caller_knows_them() {
    let mut body = vendor::chat(&json!({ "model": "gpt-4o" }));
    body["usage"] = json!({
        "prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28,
        "prompt_tokens_details": { "cached_tokens": 12 }, "completion_tokens_details": { "reasoning_tokens": 5 },
    });
    let (_upstream, hub) = before_gpt(Reply::json(200, &body)).await;
    let usage = hub.call(&messages(json!({}))).await.expect(200).json()["usage"].clone();
    assert_eq!((&usage["input_tokens"], &usage["cache_read_input_tokens"]), (&json!(8), &json!(12)));
    assert_eq!(usage["output_tokens"], 8);
    let expected = json!({ "input": 8, "cache_read": 12, "output": 3, "reasoning": 5 });
    assert_eq!(buckets(&entry(hub).await), expected);
}

#[tokio::test]
async fn every_reason_to_stop_has_a_word() {
    for (said, expected) in [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal")] {
        let mut body = vendor::chat(&json!({ "model": "gpt-4o" }));
        body["choices"][0]["finish_reason"] = json!(said);
        let stream = Reply::sse().text("ok").event(&vendor::delta(json!({}), json!(said))).done();
        let upstream = Upstream::script([Reply::json(200, &body), stream]).await;
        let hub = Gateway::start(&Conf::one(&upstream)).await;
        let answer = hub.call(&messages(json!({}))).await.expect(200).json();
        assert_eq!(answer["stop_reason"], expected, "{said}");
        let answer = hub.call(&messages(json!({ "stream": true }))).await.expect(200);
        assert_eq!(Spoken::read(&answer.body).expect_whole().stop_reason, expected, "{said}");
    }
}

#[tokio::test]
async fn schemas_and_images_are_said_as_the_vendor_says_them() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let schema = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let source = json!({ "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" });
    let content = json!([{ "type": "text", "text": "What is it?" }, { "type": "image", "source": source }]);
    let request = messages(json!({
        "messages": [{ "role": "user", "content": content }],
        "output_config": { "format": { "type": "json_schema", "schema": schema } },
    }));
    hub.call(&request).await.expect(200);
    let sent = upstream.only().json();
    assert_eq!(sent["response_format"]["json_schema"]["schema"], schema);
    assert_eq!(sent["messages"][0]["content"][1]["image_url"]["url"], "data:image/png;base64,iVBORw0KGgo=");
}
