//! Embeddings in OpenAI's words.

use super::*;
use base64::Engine;

fn embeddings(more: Value) -> Request {
    Request::post("/v1/embeddings", &with(json!({ "model": "gpt" }), more)).key(conf::KEY)
}

async fn hub(model: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::bedrock(bedrock::answer).await;
    let hub = Gateway::start(&aws(&upstream, model)).await;
    (upstream, hub)
}

#[tokio::test]
async fn several_texts_are_several_calls_of_titan_and_one_answer() {
    let (upstream, hub) = hub(bedrock::TITAN).await;
    let answer =
        hub.call(&embeddings(json!({ "input": ["a", "b", "c"], "dimensions": 256 }))).await.expect(200);
    let said = answer.json();
    assert_eq!(said["data"].as_array().unwrap().len(), 3);
    assert_eq!(said["data"][2]["embedding"], json!([0.25, -0.5, 1.0]));
    assert_eq!((&said["data"][2]["index"], &said["usage"]["prompt_tokens"]), (&json!(2), &json!(27)));
    let mut texts: Vec<_> = upstream.seen().iter().map(|seen| seen.json()["inputText"].to_string()).collect();
    texts.sort();
    assert_eq!(texts, [r#""a""#, r#""b""#, r#""c""#]);
    assert!(upstream.seen().iter().all(|seen| seen.path == "/model/amazon.titan-embed-text-v2%3A0/invoke"));
    let entry = entry(hub).await;
    assert_eq!(
        (buckets(&entry), &entry["usage"]["requests"]),
        (json!({ "input": 27 }), &json!(3)),
        "{entry}"
    );
    assert_eq!(entry["usage_source"], "provider");
}

#[tokio::test]
async fn cohere_gets_all_texts_in_one_call_and_numbers_go_in_either_encoding() {
    let (upstream, hub) = hub(bedrock::COHERE).await;
    let wish = json!({ "input": ["a", "b"], "encoding_format": "base64", "input_type": "search_query" });
    let said = hub.call(&embeddings(wish)).await.expect(200).json();
    let text = said["data"][1]["embedding"].as_str().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let numbers: Vec<f32> =
        bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    assert_eq!(numbers, [0.25, -0.5, 1.0]);
    let expected = json!({ "texts": ["a", "b"], "input_type": "search_query" });
    assert_eq!(upstream.only().json(), expected);
    // Cohere's answer does not say what it used; Bedrock's header does.
    assert_eq!(said["usage"]["prompt_tokens"], 9);
    let entry = entry(hub).await;
    assert_eq!(
        (buckets(&entry), &entry["usage_source"]),
        (json!({ "input": 9 }), &json!("provider")),
        "{entry}"
    );
}

#[tokio::test]
async fn what_cannot_be_embedded_is_refused_before_the_vendor_is_asked() {
    let (upstream, hub) = hub(bedrock::TITAN).await;
    let error = hub.call(&embeddings(json!({ "input": [[1, 2]] }))).await.expect(400).json()["error"].clone();
    assert_eq!(error["param"], "input", "{error}");
    let (other, hub) = (upstream, self::hub(NOVA).await);
    let error = hub.1.call(&embeddings(json!({ "input": "a" }))).await.expect(400).json()["error"].clone();
    assert_eq!(error["param"], "model", "{error}");
    assert_eq!((other.counts().requests, hub.0.counts().requests), (0, 0));
}
