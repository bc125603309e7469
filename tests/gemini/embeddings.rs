//! Embeddings in OpenAI's words, of a vendor that has its own.

use super::*;

async fn embedder(counted: bool) -> (Upstream, Gateway) {
    let answer = move |seen: &upstream::Seen| {
        gemini::embeddings(seen.json()["requests"].as_array().map_or(0, Vec::len), counted)
    };
    let upstream = Upstream::gemini(answer).await;
    let hub = Gateway::start(&google(&upstream, gemini::EMBEDDER)).await;
    (upstream, hub)
}

#[tokio::test]
async fn embeddings_are_asked_for_in_the_vendors_own_words() {
    let (upstream, hub) = embedder(true).await;
    let body =
        json!({ "model": "gpt", "input": ["one", "two"], "dimensions": 3, "task_type": "RETRIEVAL_QUERY" });
    let answer = hub.post("/v1/embeddings", &body).await.expect(200);
    assert_eq!(answer.header("x-aigne-adapted"), None);
    let answer = answer.json();
    let row = |index: u64| json!({ "object": "embedding", "index": index, "embedding": [0.25, -0.5, index] });
    assert_eq!(answer["data"], json!([row(0), row(1)]));
    assert_eq!(
        (&answer["model"], &answer["usage"]),
        (&json!("gpt"), &json!({ "prompt_tokens": 9, "total_tokens": 9 }))
    );
    let seen = upstream.only();
    assert_eq!(seen.path, "/v1beta/models/gemini-embedding-001:batchEmbedContents");
    let first = &seen.json()["requests"][0];
    assert_eq!((&first["outputDimensionality"], &first["taskType"]), (&json!(3), &json!("RETRIEVAL_QUERY")));
    let entry = entry(hub).await;
    assert_eq!((buckets(&entry), &entry["usage_source"]), (json!({ "input": 9 }), &json!("provider")));
}

#[tokio::test]
async fn what_the_vendor_does_not_count_is_counted_here() {
    let (_upstream, hub) = embedder(false).await;
    let body = json!({ "model": "gpt", "input": "hello world", "encoding_format": "base64", "user": "u" });
    let answer = hub.post("/v1/embeddings", &body).await.expect(200);
    assert_eq!(answer.header("x-aigne-adapted"), Some("user: dropped"));
    assert_eq!(answer.json()["data"][0]["embedding"], "AACAPgAAAL8AAAAA");
    assert_eq!(answer.json()["usage"]["prompt_tokens"], 2);
    let entry = entry(hub).await;
    assert_eq!((buckets(&entry), &entry["usage_source"]), (json!({ "input": 2 }), &json!("estimated")));
}

#[tokio::test]
async fn token_numbers_are_refused_before_the_vendor_hears_of_them() {
    let (upstream, hub) = embedder(true).await;
    let answer = hub.post("/v1/embeddings", &json!({ "model": "gpt", "input": [[1, 2], [3]] })).await;
    let error = answer.expect(400).json()["error"].clone();
    assert_eq!(error["param"], "input");
    assert!(error["message"].as_str().unwrap().contains("not token numbers"), "{error}");
    assert_eq!(upstream.counts().requests, 0);
}

#[tokio::test]
async fn an_answer_with_an_embedding_too_few_is_an_error_and_no_content() {
    let upstream = Upstream::gemini(|_| gemini::embeddings(1, true)).await;
    let hub = Gateway::start(&google(&upstream, gemini::EMBEDDER).set("retry", "max_attempts = 1")).await;
    let answer = hub.post("/v1/embeddings", &json!({ "model": "gpt", "input": ["a", "b"] })).await;
    assert_eq!(answer.expect(502).json()["error"]["code"], "upstream_malformed");
}

#[tokio::test]
async fn a_vendor_without_embeddings_is_named() {
    let upstream = Upstream::anthropic(anthropic::answer).await;
    let hub = Gateway::start(&Conf::of([Provider::anthropic("claude", &upstream)])).await;
    let answer = hub.post("/v1/embeddings", &json!({ "model": "gpt", "input": "a" })).await.expect(400);
    let error = answer.json()["error"].clone();
    assert_eq!(error["param"], "model");
    let text = "The model `gpt` is served by Anthropic, which does not offer embeddings";
    assert_eq!(error["message"], text);
}

#[tokio::test]
async fn more_texts_than_one_call_takes_are_several_calls_and_one_answer() {
    let (upstream, hub) = embedder(true).await;
    let texts: Vec<String> = (0..250).map(|number| format!("text {number}")).collect();
    let answer =
        hub.post("/v1/embeddings", &json!({ "model": "gpt", "input": texts })).await.expect(200).json();
    let data = answer["data"].as_array().unwrap();
    // The vendor numbers the rows of each call from 0, so the order shows in the vectors.
    let third: Vec<_> = data.iter().map(|row| row["embedding"][2].as_u64().unwrap()).collect();
    let expected: Vec<u64> = (0..100).chain(0..100).chain(0..50).collect();
    assert_eq!(third, expected);
    assert_eq!((&data[249]["index"], &answer["usage"]["prompt_tokens"]), (&json!(249), &json!(27)));
    assert_eq!(upstream.counts().requests, 3);
    let entry = entry(hub).await;
    assert_eq!((buckets(&entry), &entry["usage"]["requests"]), (json!({ "input": 27 }), &json!(3)));
}

#[tokio::test]
async fn calls_that_were_answered_are_booked_when_another_fails() {
    let answer = |seen: &upstream::Seen| match seen.json()["requests"].as_array().map_or(0, Vec::len) {
        100 => gemini::embeddings(100, true),
        _ => gemini::error(400, "INVALID_ARGUMENT", "too odd a text"),
    };
    let upstream = Upstream::gemini(answer).await;
    let hub = Gateway::start(&google(&upstream, gemini::EMBEDDER)).await;
    let body = json!({ "model": "gpt", "input": vec!["a"; 101] });
    let error = hub.post("/v1/embeddings", &body).await.expect(400).json()["error"].clone();
    assert_eq!(error["message"], "too odd a text");
    let entry = entry(hub).await;
    assert_eq!((buckets(&entry), &entry["usage"]["requests"]), (json!({ "input": 9 }), &json!(1)));
    assert_eq!(entry["outcome"], "upstream_error");
}

#[tokio::test]
async fn a_caller_that_leaves_stops_all_calls() {
    let gate = Gate::new();
    let hanging = gate.clone();
    let upstream = Upstream::gemini(move |_| Reply::hang_before_header().after(&hanging)).await;
    let hub = Gateway::start(&google(&upstream, gemini::EMBEDDER)).await;
    gate.open_for_good();
    let body = json!({ "model": "gpt", "input": vec!["a"; 150] });
    let client = hub.open(&Request::post("/v1/embeddings", &body).key(conf::KEY)).await;
    upstream.until("both calls", |counts| counts.requests == 2).await;
    drop(client);
    upstream.until("both calls to end", |counts| counts.aborted == 2).await;
}

#[tokio::test]
async fn a_call_that_fails_behind_paid_ones_is_tried_again() {
    let failed = std::sync::atomic::AtomicBool::new(false);
    // Four calls run at a time, so the fifth begins when one has been answered.
    let answer = move |seen: &upstream::Seen| match seen.json()["requests"].as_array().map_or(0, Vec::len) {
        1 if !failed.swap(true, std::sync::atomic::Ordering::SeqCst) => {
            gemini::error(503, "UNAVAILABLE", "The model is overloaded.")
        }
        count => gemini::embeddings(count, true),
    };
    let upstream = Upstream::gemini(answer).await;
    let hub = Gateway::start(&google(&upstream, gemini::EMBEDDER)).await;
    let body = json!({ "model": "gpt", "input": vec!["a"; 401] });
    let answer = hub.post("/v1/embeddings", &body).await.expect(200).json();
    assert_eq!(answer["data"].as_array().unwrap().len(), 401);
    assert_eq!(upstream.counts().requests, 6);
    assert_eq!(entry(hub).await["usage"]["requests"], 5);
}
