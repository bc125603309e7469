//! Counting tokens: on demand, and where a vendor says nothing of its usage.

use super::support::conf::KEY;
use super::support::*;
use serde_json::{Value, json};

#[tokio::test]
async fn a_text_is_counted_as_the_model_counts_it() {
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    // Counts of o200k_base, the vocabulary of gpt-4o.
    for (text, tokens) in [("hello world", 2), ("", 0), ("The quick brown fox jumps over the lazy dog.", 10)]
    {
        let answer =
            hub.post("/v1/tokenize", &json!({ "model": "gpt", "text": text })).await.expect(200).json();
        assert_eq!(answer["tokens"], tokens, "{text:?}: {answer}");
        assert_eq!((&answer["encoding"], &answer["exact"]), (&json!("o200k_base"), &json!(true)), "{answer}");
    }
}

#[tokio::test]
async fn a_whole_request_can_be_counted_before_it_is_sent() {
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let count = async |body: Value| {
        hub.post("/v1/tokenize", &body).await.expect(200).json()["tokens"].as_u64().unwrap()
    };
    let messages = json!([{ "role": "user", "content": "hello world" }]);
    let bare = count(json!({ "model": "gpt", "messages": messages })).await;
    assert!((2..=20).contains(&bare), "{bare}");
    let tools = json!([{ "type": "function", "function": { "name": "f", "description": "one two three" } }]);
    assert!(count(json!({ "model": "gpt", "messages": messages, "tools": tools })).await > bare);
    assert_eq!(count(json!({ "model": "gpt", "input": ["hello", " world"] })).await, 2);
}

#[tokio::test]
async fn counting_needs_a_known_model_and_something_to_count() {
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let body = json!({ "model": "nobody", "text": "hi" });
    hub.post("/v1/tokenize", &body).await.expect_error(404, "model_not_found");
    hub.post("/v1/tokenize", &json!({ "model": "gpt" })).await.expect(400);
    hub.post("/v1/tokenize", &json!({ "text": "hi" })).await.expect(400);
    hub.get("/v1/tokenize").await.expect_error(405, "method_not_allowed");
}

/// One chat whose vendor reports no usage, and its entry in the books.
async fn estimated(reply: Reply, request: Request) -> Value {
    let upstream = Upstream::always(reply).await;
    let hub = Gateway::start(&Conf::one(&upstream).priced()).await;
    hub.call(&request).await.expect(200);
    hub.ledger().await.remove(0)
}

#[tokio::test]
async fn an_answer_without_usage_is_counted_and_marked() {
    let mut body = vendor::chat(&json!({ "model": "gpt-4o" }));
    body.as_object_mut().unwrap().remove("usage");
    let entry = estimated(Reply::json(200, &body), gateway::chat("hello world")).await;
    assert_eq!(entry["usage_source"], "estimated");
    assert_eq!(entry["usage"]["output"], 2, "Hello there: {entry}");
    assert!((2..=20).contains(&entry["usage"]["input"].as_u64().unwrap()), "{entry}");
    assert!(entry["charge"]["cost"].is_string(), "{entry}");
}

#[tokio::test]
async fn a_stream_without_usage_is_counted_however_it_was_cut_into_pieces() {
    let mut counts = Vec::new();
    for size in [1, 13, 4_096] {
        let reply = vendor::stream(&json!({})).in_pieces(size);
        let entry = estimated(reply, gateway::stream("hello world")).await;
        assert_eq!(entry["usage_source"], "estimated");
        counts.push(entry["usage"]["output"].as_u64().unwrap());
    }
    assert_eq!(counts, [2, 2, 2]);
}

#[tokio::test]
async fn a_very_long_stream_without_usage_is_counted_to_its_end() {
    let mut reply = Reply::sse();
    for _ in 0..200 {
        reply = reply.text(&"hello world ".repeat(100));
    }
    let entry = estimated(reply.stop(), gateway::stream("hi")).await;
    let counted = entry["usage"]["output"].as_u64().unwrap();
    assert!((39_000..=45_000).contains(&counted), "20,000 times `hello world `: {counted}");
}

#[tokio::test]
async fn reasoning_and_tool_calls_count_as_output() {
    let long = "one two three four five six seven eight nine ten";
    let pieces = [
        json!({ "reasoning_content": long }),
        json!({ "tool_calls": [{ "index": 0, "id": "c", "type": "function",
                                 "function": { "name": "f", "arguments": long } }] }),
    ];
    for piece in pieces {
        let reply = Reply::sse().event(&vendor::delta(piece.clone(), Value::Null)).stop();
        let entry = estimated(reply, gateway::stream("hi")).await;
        assert!(entry["usage"]["output"].as_u64() >= Some(10), "{piece}: {entry}");
    }
}

#[tokio::test]
async fn embeddings_without_usage_are_counted_by_their_input() {
    let body =
        json!({ "object": "list", "data": [{ "object": "embedding", "index": 0, "embedding": [0.5] }] });
    let request =
        Request::post("/v1/embeddings", &json!({ "model": "gpt", "input": "hello world" })).key(KEY);
    let entry = estimated(Reply::json(200, &body), request).await;
    assert_eq!((&entry["usage"]["input"], &entry["usage"]["output"]), (&json!(2), &json!(0)), "{entry}");
}
