//! AWS's own client library as the judge: it validates, writes and signs anew what the hub sent.

use super::super::sdk::installed;
use super::*;
use base64::Engine;
use std::io::Write;
use std::process::{Command, Stdio};

const PDF: &str = "data:application/pdf;base64,JVBERi0=";
const GIF: &str = "data:image/gif;base64,R0lGODlhAQABAAAAACw=";

/// Requests that use everything that the hub can say.
fn requests() -> Vec<Request> {
    let schema = json!({ "type": "object", "properties": { "a": { "type": "integer" } } });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "thing", "description": "d", "schema": schema } });
    let seeing = json!([
        { "type": "text", "text": "look" },
        { "type": "image_url", "image_url": { "url": GIF } },
        { "type": "file", "file": { "filename": "a report.pdf", "file_data": PDF } },
    ]);
    let called = json!([
        { "role": "user", "content": "hi" },
        { "role": "assistant", "content": "Wait.", "tool_calls": [
            { "id": "call_~/1", "type": "function", "function": { "name": "weather", "arguments": "{\"city\":\"Bern\"}" } }] },
        { "role": "tool", "tool_call_id": "call_~/1", "content": "wet" },
    ]);
    let hint = json!({ "type": "ephemeral", "ttl": "1h" });
    let thoughts = json!([
        { "role": "user", "content": [{ "type": "text", "text": "hi", "cache_control": hint }] },
        { "role": "assistant", "content": [
            { "type": "thinking", "thinking": "Hm.", "signature": SIGNATURE },
            { "type": "tool_use", "id": "tooluse_1", "name": "t", "input": {} }] },
        { "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": "tooluse_1", "is_error": true, "content": [
                { "type": "text", "text": "no" },
                { "type": "image", "source": { "type": "base64", "media_type": "image/gif", "data": "R0lGODlhAQABAAAAACw=" } }] }] },
    ]);
    let tool = json!([{ "name": "t", "input_schema": { "type": "object" }, "cache_control": hint }]);
    let thinking = json!({ "type": "enabled", "budget_tokens": 2000 });
    let sampled = json!({ "temperature": 0.5, "max_tokens": 9, "stop": ["a", "b"], "metadata": { "k": "v" },
                          "service_tier": "flex", "performanceConfig": { "latency": "optimized" } });
    let messages = |more: Value| messages(with(json!({ "max_tokens": 4000 }), more));
    vec![
        chat(json!({ "messages": [{ "role": "user", "content": seeing }] })),
        chat(json!({ "messages": called, "tools": tools(), "tool_choice": "required" })),
        chat(json!({ "messages": called, "stream": true })),
        chat(json!({ "response_format": format })),
        chat(json!({ "model": "nova", "response_format": format, "stream": true })),
        chat(with(sampled, json!({ "model": "nova", "top_k": 3 }))),
        chat(json!({ "model": "arn" })),
        messages(json!({ "system": [{ "type": "text", "text": "s", "cache_control": hint }] })),
        messages(json!({ "messages": thoughts, "tools": tool, "thinking": thinking, "stream": true })),
        messages(json!({ "cache_control": { "type": "ephemeral" }, "stop_sequences": ["x"] })),
    ]
}

#[tokio::test]
async fn botocore_finds_nothing_to_change() {
    let upstream = Upstream::bedrock(bedrock::answer).await;
    let conf = Conf::of([Provider::bedrock("aws", &upstream)])
        .model("gpt", &[&format!("aws/{CLAUDE}")], &[])
        .model("nova", &[&format!("aws/{NOVA}")], &[])
        .model("arn", &[&format!("aws/{}", bedrock::ARN)], &[]);
    let hub = Gateway::start(&conf).await;
    for request in requests() {
        hub.call(&request).await.expect(200);
    }
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let seen: Vec<Value> = upstream
        .seen()
        .iter()
        .map(|seen| {
            let headers: serde_json::Map<String, Value> =
                seen.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            json!({ "method": seen.method, "path": seen.path, "headers": headers, "body": encode(&seen.body) })
        })
        .collect();
    assert_eq!(seen.len(), requests().len());
    let thinking =
        json!({ "reasoningContent": { "reasoningText": { "text": "Hm.", "signature": SIGNATURE } } });
    let answer = whole_with(
        &json!([thinking, text("x"), call("tooluse_1", "t", json!({}))]),
        "tool_use",
        &full_usage(),
    );
    let delta = json!({ "reasoningContent": { "signature": SIGNATURE } });
    let start = json!({ "toolUse": { "toolUseId": "tooluse_1", "name": "t" } });
    let input = json!({ "toolUse": { "input": "{}" } });
    let stream = bedrock::block(bedrock::started(), 0, None, &[delta]);
    let stream = bedrock::block(bedrock::texts(stream, 1, &["x"]), 2, Some(&start), &[input]);
    let stream = bedrock::finish(stream, "tool_use", &full_usage());
    let given = json!({
        "requests": seen,
        "keys": { "id": format!("{}a", bedrock::KEY_ID), "secret": vendor::CREDENTIALS[0], "region": bedrock::REGION },
        "answers": [encode(&answer.data())],
        "streams": [encode(&stream.data())],
    });
    let judged = tokio::task::spawn_blocking(move || judge(&given));
    let said = patiently_for_a_program("botocore", judged).await.unwrap();
    assert!(said.contains("22 passed, 0 failed"), "{said}");
}

/// What the library says.
fn judge(given: &Value) -> String {
    let mut command = Command::new(installed("target/sdk-venv/bin/python"));
    command.arg(installed("tests/sdk/python/bedrock.py"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
