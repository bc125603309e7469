//! Callers of Anthropic's dialect.

use super::*;
use bedrock::{block, finish, started, texts};

#[tokio::test]
async fn a_message_arrives_in_the_vendors_words() {
    let mut reply = whole_with(&json!([text("Hi")]), "stop_sequence", &full_usage());
    let mut body: Value = serde_json::from_slice(&reply.data()).unwrap();
    body["additionalModelResponseFields"] = json!({ "stop_sequence": "END" });
    reply = Reply::json(200, &body);
    let (upstream, hub) = before(CLAUDE, reply).await;
    let cached =
        json!({ "type": "text", "text": "Long.", "cache_control": { "type": "ephemeral", "ttl": "1h" } });
    let more = json!({
        "system": [cached], "top_k": 5, "stop_sequences": ["END"],
        "tools": [{ "name": "t", "input_schema": { "type": "object" }, "cache_control": { "type": "ephemeral" } }],
        "messages": [
            { "role": "user", "content": [{ "type": "text", "text": "a", "cache_control": { "type": "ephemeral" } }] },
            { "role": "assistant", "content": "b" },
            { "role": "user", "content": "c" },
        ],
    });
    let answer = hub.call(&messages(more)).await.expect(200);
    let sent = upstream.only().json();
    let point = json!({ "cachePoint": { "type": "default" } });
    assert_eq!(sent["system"], json!([text("Long."), { "cachePoint": { "type": "default", "ttl": "1h" } }]));
    assert_eq!(sent["messages"][0]["content"], json!([text("a"), point]));
    assert_eq!(sent["toolConfig"]["tools"][1], point);
    assert_eq!(sent["inferenceConfig"], json!({ "maxTokens": 100, "stopSequences": ["END"] }));
    assert_eq!(sent["additionalModelRequestFields"], json!({ "top_k": 5 }));
    let said = answer.json();
    assert_eq!((&said["stop_reason"], &said["stop_sequence"]), (&json!("stop_sequence"), &json!("END")));
    let expected = json!({ "input_tokens": 10, "cache_read_input_tokens": 105, "cache_creation_input_tokens": 7,
                           "cache_creation": { "ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4 },
                           "output_tokens": 4 });
    assert_eq!(said["usage"], expected);
    assert_eq!(answer.header("x-aigne-adapted"), None);
}

#[tokio::test]
async fn signed_thoughts_go_back_to_whom_they_came_from() {
    let thoughts = |text: &str| json!({ "reasoningContent": { "reasoningText": { "text": text, "signature": SIGNATURE } } });
    let called = json!([thoughts("Hm."), call("tooluse_1", "t", json!({ "x": 1 }))]);
    let replies = [whole_with(&called, "tool_use", &usage()), whole(&json!([text("ok")]))];
    let (upstream, hub) = scripted(CLAUDE, replies).await;
    let tools = json!([{ "name": "t", "input_schema": { "type": "object" } }]);
    let thinking = json!({ "type": "enabled", "budget_tokens": 1024 });
    let more = json!({ "tools": tools, "thinking": thinking, "max_tokens": 4000 });
    let answer = hub.call(&messages(more.clone())).await.expect(200).json();
    assert_eq!(
        answer["content"][0],
        json!({ "type": "thinking", "thinking": "Hm.", "signature": SIGNATURE })
    );
    let result =
        json!({ "type": "tool_result", "tool_use_id": "tooluse_1", "content": "bad", "is_error": true });
    let turns = json!([
        { "role": "user", "content": "hi" },
        { "role": "assistant", "content": answer["content"] },
        { "role": "user", "content": [result] },
    ]);
    hub.call(&messages(with(more, json!({ "messages": turns })))).await.expect(200);
    let sent = upstream.seen()[1].json();
    assert_eq!(sent["messages"][1]["content"], called);
    let result = json!({ "toolUseId": "tooluse_1", "content": [text("bad")], "status": "error" });
    assert_eq!(sent["messages"][2]["content"][0]["toolResult"], result);
    assert_eq!(sent["additionalModelRequestFields"]["thinking"], thinking);
}

#[tokio::test]
async fn a_stream_arrives_in_the_callers_events() {
    let pieces = ["Hm", "."].map(|piece| json!({ "reasoningContent": { "text": piece } }));
    let signed = json!({ "reasoningContent": { "signature": SIGNATURE } });
    let deltas = [&pieces[..], &[signed]].concat();
    let start = json!({ "toolUse": { "toolUseId": "tooluse_1", "name": "t" } });
    let input = ["{\"x\"", ":1}"].map(|piece| json!({ "toolUse": { "input": piece } }));
    let reply = texts(block(started(), 0, None, &deltas), 1, &["Wait", "."]);
    let reply = block(block(reply, 2, Some(&start), &input), 3, Some(&start), &[]);
    let (_upstream, hub) = before(CLAUDE, finish(reply, "tool_use", &full_usage())).await;
    let answer = hub.call(&messages(json!({ "stream": true }))).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let spoken = Spoken::read(&answer.body).expect_whole();
    let call = |input: Value| json!({ "type": "tool_use", "id": "tooluse_1", "name": "t", "input": input });
    let expected = [
        json!({ "type": "thinking", "thinking": "Hm.", "signature": SIGNATURE }),
        json!({ "type": "text", "text": "Wait." }),
        call(json!({ "x": 1 })),
        call(json!({})),
    ];
    assert_eq!(spoken.content, expected);
    assert_eq!(spoken.stop_reason, "tool_use");
    assert_eq!((&spoken.usage["input_tokens"], &spoken.usage["output_tokens"]), (&json!(10), &json!(4)));
    let expected =
        json!({ "input": 10, "cache_read": 105, "cache_write_5m": 3, "cache_write_1h": 4, "output": 4 });
    assert_eq!(buckets(&entry(hub).await), expected);
}
