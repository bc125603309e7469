//! Callers of Gemini's own API: over its own vendor byte for byte, over any
//! other translated, errors in Google's form.

use super::anthropic::{buckets, entry};
use super::support::*;
use conf::KEY;
use serde_json::{Value, json};

const MODEL: &str = gemini::MODELS[0];

fn native(upstream: &Upstream) -> Conf {
    Conf::of([Provider::gemini("google", upstream)]).model("gpt", &[&format!("google/{MODEL}")], &[]).model(
        "embed",
        &[&format!("google/{}", gemini::EMBEDDER)],
        &[],
    )
}

fn body() -> Value {
    json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] })
}

/// A call of a method, with the key where Google's clients put it.
fn ask(path: &str, body: &str) -> Request {
    Request::new("POST", &format!("/v1beta/models/{path}"))
        .header("content-type", "application/json")
        .header("x-goog-api-key", KEY)
        .body(body.to_owned())
}

#[tokio::test]
async fn over_its_own_vendor_bodies_pass_byte_for_byte() {
    let upstream = Upstream::gemini(gemini::answer).await;
    let hub = Gateway::start(&native(&upstream)).await;
    let odd = "{ \"contents\" :\n [{\"role\":\"user\",\"parts\":[{\"text\":\"h\\u0069\"}]}],\"safetySettings\":[ ]}";
    let answer = hub.call(&ask("gpt:generateContent", odd)).await.expect(200);
    let seen = upstream.only();
    assert_eq!(seen.path, format!("/v1beta/models/{MODEL}:generateContent"));
    assert_eq!(std::str::from_utf8(&seen.body).unwrap(), odd);
    assert_eq!(seen.header("x-goog-api-key"), Some(vendor::CREDENTIALS[0]));
    let expected = gemini::whole(&json!([gemini::text(vendor::TEXT)])).data();
    assert_eq!(answer.body.to_vec(), expected);
    assert_eq!(answer.header("x-aigne-provider"), Some("google"));
    assert_eq!(buckets(&entry(hub).await), json!({ "input": 9, "output": 3 }));
}

#[tokio::test]
async fn a_stream_of_events_passes_byte_for_byte() {
    let upstream = Upstream::gemini(gemini::answer).await;
    let hub = Gateway::start(&native(&upstream)).await;
    let answer = hub.call(&ask("gpt:streamGenerateContent?alt=sse", &body().to_string())).await.expect(200);
    let seen = upstream.only();
    assert_eq!(seen.path, format!("/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"));
    assert_eq!(answer.body.to_vec(), gemini::answer(&seen).data());
    assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"));
    assert_eq!(buckets(&entry(hub).await), json!({ "input": 9, "output": 3 }));
}

#[tokio::test]
async fn a_stream_without_a_word_about_events_is_a_list() {
    let upstream = Upstream::gemini(gemini::answer).await;
    let openai = Upstream::realistic().await;
    let conf = Conf::of([Provider::gemini("google", &upstream), Provider::of("mock", &openai)])
        .model("gpt", &[&format!("google/{MODEL}")], &[])
        .model("other", &["mock/gpt-4o"], &[]);
    let hub = Gateway::start(&conf).await;
    for model in ["gpt", "other"] {
        let answer =
            hub.call(&ask(&format!("{model}:streamGenerateContent"), &body().to_string())).await.expect(200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let chunks = answer.json();
        let chunks = chunks.as_array().unwrap();
        let text: String = chunks
            .iter()
            .filter_map(|c| c["candidates"][0]["content"]["parts"][0]["text"].as_str())
            .collect();
        assert_eq!(text, vendor::TEXT, "{model}");
        let last = chunks.last().unwrap();
        assert_eq!(last["candidates"][0]["finishReason"], "STOP");
        assert_eq!(last["usageMetadata"]["candidatesTokenCount"], 3);
    }
}

#[tokio::test]
async fn over_another_vendor_requests_and_answers_are_translated() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let function = json!({ "name": "get_weather", "parameters": { "type": "OBJECT" } });
    let body = json!({
        "systemInstruction": { "parts": [{ "text": "Be brief." }] },
        "contents": [{ "role": "user", "parts": [{ "text": "weather?" }] }],
        "tools": [{ "functionDeclarations": [function] }],
        "generationConfig": { "maxOutputTokens": 20, "temperature": 0.5 },
    });
    let answer = hub.call(&ask("gpt:generateContent", &body.to_string())).await.expect(200).json();
    let sent = upstream.only().json();
    assert_eq!(sent["messages"][0], json!({ "role": "system", "content": "Be brief." }));
    assert_eq!((&sent["max_tokens"], &sent["temperature"]), (&json!(20), &json!(0.5)));
    let call = &answer["candidates"][0]["content"]["parts"][0]["functionCall"];
    assert_eq!((&call["name"], &call["args"]), (&json!("get_weather"), &json!({ "city": "Bern" })));
    assert_eq!(answer["usageMetadata"]["promptTokenCount"], 9);
    let events = hub.call(&ask("gpt:streamGenerateContent?alt=sse", &body.to_string())).await.expect(200);
    let text = String::from_utf8(events.body.to_vec()).unwrap();
    assert!(text.starts_with("data: {\"candidates\"") && text.contains("\"functionCall\""), "{text}");
    assert!(!text.contains("[DONE]"), "{text}");
}

#[tokio::test]
async fn failures_are_told_in_googles_form() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let failed = async |request: &Request, status: u16| {
        let error = hub.call(request).await.expect(status).json()["error"].clone();
        assert_eq!(error["code"], status, "{error}");
        error["status"].as_str().unwrap().to_owned()
    };
    let good = body().to_string();
    assert_eq!(
        failed(&ask("gpt:generateContent", &good).without("x-goog-api-key"), 401).await,
        "UNAUTHENTICATED"
    );
    assert_eq!(failed(&ask("nobody:generateContent", &good), 404).await, "NOT_FOUND");
    assert_eq!(failed(&ask("gpt:predict", &good), 404).await, "NOT_FOUND");
    for bad in [
        "",
        "[]",
        "{",
        "{}",
        r#"{"contents":1}"#,
        r#"{"model":"x","contents":[]}"#,
        r#"{"contents":[{"parts":[{"odd":1}]}]}"#,
    ] {
        assert_eq!(failed(&ask("gpt:generateContent", bad), 400).await, "INVALID_ARGUMENT", "{bad}");
    }
    assert_eq!(upstream.counts().requests, 0);
}

#[tokio::test]
async fn a_stream_that_breaks_ends_in_an_error_in_both_forms() {
    for (query, start) in [("?alt=sse", "data: {\"error\""), ("", "{\"error\"")] {
        let gate = Gate::new();
        let parts = json!([gemini::text("first")]);
        let broken = gemini::more(Reply::sse(), &parts).pause(&gate).cut();
        let upstream = Upstream::gemini(move |_| broken.clone()).await;
        let gate = gate.clone();
        let hub = Gateway::start(&native(&upstream)).await;
        let mut client =
            hub.open(&ask(&format!("gpt:streamGenerateContent{query}"), &body().to_string())).await;
        client.head().await;
        client.until("first").await;
        gate.open();
        let (rest, ended) = client.rest().await;
        let rest = String::from_utf8(rest.to_vec()).unwrap();
        assert!(rest.contains(start) && rest.contains("\"code\":502"), "{rest}");
        assert!(ended.is_ok() && (rest.ends_with(']') || !query.is_empty()), "{rest}");
        assert_eq!(entry(hub).await["outcome"], "truncated");
    }
}

#[tokio::test]
async fn a_key_in_the_address_is_as_good_and_is_never_written_down() {
    let upstream = Upstream::gemini(gemini::answer).await;
    let hub = Gateway::start(&native(&upstream)).await;
    let path = format!("gpt:streamGenerateContent?key={KEY}&alt=sse");
    let request = ask(&path, &body().to_string()).without("x-goog-api-key");
    let answer = hub.call(&request).await.expect(200);
    assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"));
    let wrong = ask("gpt:generateContent?key=aigne-wrong-secret", "{").without("x-goog-api-key");
    hub.call(&wrong).await.expect(401);
    let nowhere = ask(&format!("gpt:nothing?key={KEY}"), "{").without("x-goog-api-key");
    let told = hub.call(&nowhere).await.expect(404);
    assert!(!String::from_utf8_lossy(&told.body).contains(KEY));
    let seen = upstream.only();
    assert!(!seen.path.contains(KEY) && seen.headers.iter().all(|(_, value)| !value.contains(KEY)));
    let stopped = hub.stop().await;
    assert!(!stopped.said.contains(KEY) && !stopped.said.contains("aigne-wrong-secret"), "{}", stopped.said);
}

#[tokio::test]
async fn embeddings_are_asked_for_one_by_one_or_in_a_batch() {
    let upstream = Upstream::gemini(gemini::answer).await;
    let openai = Upstream::realistic().await;
    let conf = Conf::of([Provider::gemini("google", &upstream), Provider::of("mock", &openai)])
        .model("own", &[&format!("google/{}", gemini::EMBEDDER)], &[])
        .model("other", &["mock/text-embedding-3-small"], &[]);
    let hub = Gateway::start(&conf).await;
    let content = |text: &str| json!({ "parts": [{ "text": text }] });
    for model in ["own", "other"] {
        let one = json!({ "content": content("a"), "taskType": "RETRIEVAL_QUERY" });
        let one = if model == "own" { one } else { json!({ "content": content("a") }) };
        let answer =
            hub.call(&ask(&format!("{model}:embedContent"), &one.to_string())).await.expect(200).json();
        assert!(answer["embedding"]["values"].is_array(), "{answer}");
        let entry = |text: &str| {
            json!({ "model": format!("models/{model}"), "content": content(text),
                                         "outputDimensionality": 3 })
        };
        let batch = json!({ "requests": [entry("a"), entry("b")] }).to_string();
        let answer = hub.call(&ask(&format!("{model}:batchEmbedContents"), &batch)).await.expect(200).json();
        assert_eq!(answer["embeddings"].as_array().unwrap().len(), 2);
        assert_eq!(answer["usageMetadata"]["promptTokenCount"], 9);
    }
    assert_eq!(upstream.seen()[0].json()["requests"][0]["taskType"], "RETRIEVAL_QUERY");
    assert_eq!(openai.seen()[1].json()["dimensions"], 3);
    let mixed = json!({ "requests": [
        { "content": content("a"), "outputDimensionality": 3 }, { "content": content("b") }] });
    let error = hub.call(&ask("own:batchEmbedContents", &mixed.to_string())).await.expect(400).json();
    assert!(error["error"]["message"].as_str().unwrap().contains("ask for the same"), "{error}");
}

#[tokio::test]
async fn tokens_are_counted_and_models_are_listed() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let contents = json!({ "contents": [{ "parts": [{ "text": "hello world" }] }] });
    let whole = json!({ "generateContentRequest": contents });
    for body in [contents, whole] {
        let answer = hub.call(&ask("gpt:countTokens", &body.to_string())).await.expect(200).json();
        assert_eq!(answer, json!({ "totalTokens": 2 }));
    }
    for path in ["/v1beta/models", "/v1/models"] {
        let listed = hub.call(&Request::get(path).header("x-goog-api-key", KEY)).await.expect(200).json();
        let names: Vec<_> = listed["models"].as_array().unwrap().iter().map(|m| m["name"].clone()).collect();
        assert!(names.contains(&json!("models/gpt")), "{path}: {names:?}");
    }
    let one = hub.call(&Request::get("/v1beta/models/gpt").header("x-goog-api-key", KEY)).await.expect(200);
    assert_eq!(one.json()["displayName"], "gpt");
    assert_eq!(upstream.counts().requests, 0);
}

#[tokio::test]
async fn a_rule_caps_the_output_where_google_has_it() {
    let upstream = Upstream::gemini(gemini::answer).await;
    let rule = "[[rule]]\nname = \"short\"\nwhen = \"true\"\nthen = { max_output_tokens = 5 }\n";
    let conf = native(&upstream).file("rules.toml", rule).set("rules", "files = [\"rules.toml\"]");
    let hub = Gateway::start(&conf).await;
    let with = |config: Value| {
        let mut body = body();
        body["generationConfig"] = config;
        body
    };
    for body in
        [body(), with(json!({})), with(json!({ "temperature": 0.5 })), with(json!({ "maxOutputTokens": 50 }))]
    {
        hub.call(&ask("gpt:generateContent", &body.to_string())).await.expect(200);
    }
    hub.call(&ask("gpt:generateContent", &with(json!({ "maxOutputTokens": 3 })).to_string()))
        .await
        .expect(200);
    let sent: Vec<Value> =
        upstream.seen().iter().map(|s| s.json()["generationConfig"]["maxOutputTokens"].clone()).collect();
    assert_eq!(sent, [5, 5, 5, 5, 3]);
}
