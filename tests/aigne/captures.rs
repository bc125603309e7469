//! What the real client and the real command line send, byte for byte as it
//! was seen on the wire, and what they need to find in the answer.

use super::*;

/// One request as the client writes it.
fn sent(path: &str, body: &str) -> Request {
    Request::new("POST", path)
        .without("host")
        .header("host", "127.0.0.1:44199")
        .header("connection", "keep-alive")
        .header("Content-Type", "application/json")
        .header("x-aigne-hub-client-did", "@aigne/aigne-hub:vm")
        .header("Authorization", &format!("Bearer {KEY}"))
        .header("accept", "*/*")
        .header("accept-language", "*")
        .header("sec-fetch-mode", "cors")
        .header("user-agent", "node")
        .header("accept-encoding", "gzip, deflate")
        .body(body.to_owned())
}

fn asked(path: &str) -> Request {
    Request::new("GET", path)
        .without("host")
        .header("host", "127.0.0.1:44199")
        .header("connection", "keep-alive")
        .header("accept", "*/*")
        .header("accept-language", "*")
        .header("sec-fetch-mode", "cors")
        .header("user-agent", "node")
        .header("accept-encoding", "gzip, deflate")
}

const CHAT: &str = r#"{"input":{"messages":[{"role":"user","content":"hello"}],"modelOptions":{"cacheConfig":{"autoBreakpoints":{"lastMessage":true}},"model":"openai/gpt-4o-mini"},"outputFileType":"url"},"agent":"$CHAT_MODEL","options":{"userContext":{},"memories":[]}}"#;
const STREAM: &str = r#"{"input":{"messages":[{"role":"user","content":"hello"}],"modelOptions":{"cacheConfig":{"autoBreakpoints":{"lastMessage":true}},"model":"openai/gpt-4o-mini"},"outputFileType":"url"},"agent":"$CHAT_MODEL","options":{"streaming":true,"userContext":{},"memories":[]}}"#;
const TOOLS: &str = r#"{"input":{"messages":[{"role":"user","content":"hello"}],"tools":[{"type":"function","function":{"name":"get_weather","description":"w","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}],"toolChoice":"auto","modelOptions":{"cacheConfig":{"autoBreakpoints":{"lastMessage":true}},"model":"openai/gpt-4o-mini"},"outputFileType":"url"},"agent":"$CHAT_MODEL","options":{"userContext":{},"memories":[]}}"#;
const TOOLS_STREAM: &str = r#"{"input":{"messages":[{"role":"user","content":"hello"}],"tools":[{"type":"function","function":{"name":"get_weather","description":"w","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}],"toolChoice":"required","modelOptions":{"cacheConfig":{"autoBreakpoints":{"lastMessage":true}},"model":"openai/gpt-4o-mini"},"outputFileType":"url"},"agent":"$CHAT_MODEL","options":{"streaming":true,"userContext":{},"memories":[]}}"#;
const STRUCTURED: &str = r#"{"input":{"messages":[{"role":"user","content":"hello"}],"responseFormat":{"type":"json_schema","jsonSchema":{"name":"person","schema":{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"number"}},"required":["name","age"]},"strict":true}},"modelOptions":{"cacheConfig":{"autoBreakpoints":{"lastMessage":true}},"model":"openai/gpt-4o-mini"},"outputFileType":"url"},"agent":"$CHAT_MODEL","options":{"userContext":{},"memories":[]}}"#;
const STRUCTURED_STREAM: &str = r#"{"input":{"messages":[{"role":"user","content":"hello"}],"responseFormat":{"type":"json_schema","jsonSchema":{"name":"person","schema":{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"number"}},"required":["name","age"]},"strict":true}},"modelOptions":{"cacheConfig":{"autoBreakpoints":{"lastMessage":true}},"model":"openai/gpt-4o-mini"},"outputFileType":"url"},"agent":"$CHAT_MODEL","options":{"streaming":true,"userContext":{},"memories":[]}}"#;
const EVERYTHING: &str = r#"{"input":{"messages":[{"role":"system","content":"You are terse."},{"role":"user","content":[{"type":"text","text":"what is this?"},{"mimeType":"image/png","type":"file","data":"iVBORw0KGgo="}]},{"role":"agent","content":"prior","toolCalls":[{"id":"c1","type":"function","function":{"name":"f","arguments":{"a":1}}}]},{"role":"tool","content":"{\"r\":1}","toolCallId":"c1"}],"modelOptions":{"temperature":0.2,"topP":0.9,"frequencyPenalty":0.1,"presencePenalty":0.1,"parallelToolCalls":true,"reasoningEffort":"low","cacheConfig":{"autoBreakpoints":{"lastMessage":true}},"model":"openai/gpt-4o-mini"},"outputFileType":"url"},"agent":"$CHAT_MODEL","options":{"userContext":{},"memories":[]}}"#;
const IMAGE: &str = r#"{"input":{"prompt":"a cat","n":1,"modelOptions":{"model":"openai/gpt-image-1"},"size":"1024x1024","outputFileType":"url"},"agent":"$CHAT_MODEL","options":{"streaming":false,"userContext":{},"memories":[]}}"#;
const IMAGE_EDIT: &str = r#"{"input":{"prompt":"a cat","image":[{"mimeType":"image/png","type":"file","data":"iVBORw0KGgo="}],"outputFileType":"url","modelOptions":{"model":"openai/gpt-image-1"}},"agent":"$CHAT_MODEL","options":{"streaming":false,"userContext":{},"memories":[]}}"#;
const VIDEO: &str = r#"{"input":{"prompt":"a cat","size":"1280x720","seconds":"4","outputFileType":"url","modelOptions":{"model":"openai/sora-2"},"model":"openai/sora-2"},"agent":"$CHAT_MODEL","options":{"streaming":false,"userContext":{},"memories":[]}}"#;
const FRAMEWORK: &str = r#"{"input":{"messages":[{"role":"system","content":[{"type":"text","text":"be nice"}]},{"role":"user","content":[{"type":"text","text":"hi"}]}],"modelOptions":{"cacheConfig":{"autoBreakpoints":{"lastMessage":true}},"model":"openai/gpt-4o-mini"},"outputFileType":"url"},"agent":"$CHAT_MODEL","options":{"streaming":true,"userContext":{},"memories":[]}}"#;
const CONTEXT: &str = r#"{"input":{"messages":[{"role":"user","content":"hello"}],"modelOptions":{"cacheConfig":{"autoBreakpoints":{"lastMessage":true}},"model":"openai/gpt-4o-mini"},"outputFileType":"url"},"agent":"$CHAT_MODEL","options":{"userContext":{"userId":"u1","lang":"en"},"memories":[{"content":{"a":1}}],"returnProgressChunks":true}}"#;
const DIRECT: &str = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}],"stream_options":{"include_usage":true},"stream":true}"#;

/// A hub whose provider is called `openai`, as the client's default models want it.
async fn before_openai() -> (Upstream, Gateway) {
    let upstream = Upstream::realistic().await;
    let conf = Conf::of([Provider::of("openai", &upstream)])
        .model("gpt-4o-mini", &["openai/gpt-4o-mini"], &[])
        .set("aigne", "mount = \"/ai-kit\"")
        .file(
            "prices.toml",
            "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o-mini\"\nvalid_from = \"2020-01-01\"\n\
             input = \"0.15\"\noutput = \"0.60\"\n",
        )
        .set("prices", "files = [\"prices.toml\"]");
    let hub = Gateway::start(&conf).await;
    (upstream, hub)
}

#[tokio::test]
async fn discovery_says_where_the_hub_is() {
    let (_upstream, hub) = before_openai().await;
    let answer = hub.call(&asked("/__blocklet__.js?type=json")).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let component = &answer.json()["componentMountPoints"][0];
    assert_eq!(component["did"], "z8ia3xzq2tMq8CRHfaXj1BTYJyYnEcHbqP8cJ");
    assert_eq!((&component["mountPoint"], &component["status"]), (&json!("/ai-kit"), &json!("running")));
    let script = hub.call(&asked("/__blocklet__.js")).await.expect(200);
    assert_eq!(script.header("content-type"), Some("text/javascript"));
    assert!(raw(&script).starts_with("window.blocklet = {"), "{}", raw(&script));
}

#[tokio::test]
async fn a_chat_with_its_cost() {
    let (upstream, hub) = before_openai().await;
    let answer = hub.call(&sent("/api/v2/chat", CHAT)).await.expect(200);
    let said = answer.json();
    assert_eq!(said["text"], vendor::TEXT);
    assert_eq!(
        (&said["model"], &said["modelWithProvider"]),
        (&json!("gpt-4o-mini"), &json!("openai/gpt-4o-mini"))
    );
    // 9 × 0.15 + 3 × 0.60 millionths.
    assert!(raw(&answer).contains("\"aigneHubCredits\":0.00000315,\"creditPrefix\":\"$\""), "{said}");
    assert_eq!(tokens(&said), (9, 3));
    let sent = upstream.only().json();
    let expected = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "hello" }] });
    assert_eq!(sent, expected, "nothing of the envelope is left");
}

#[tokio::test]
async fn a_stream_is_deltas_without_a_word_for_the_end() {
    let (upstream, hub) = before_openai().await;
    for (path, body) in
        [("/api/v2/chat", STREAM), ("/ai-kit/api/v2/chat", STREAM), ("/ai-kit/api/v2/chat", FRAMEWORK)]
    {
        let answer = hub.call(&sent(path, body)).await.expect(200);
        let header = |name: &str| answer.header(name).unwrap_or_default();
        assert_eq!(header("content-type").split(';').next(), Some("text/event-stream"));
        assert_eq!((header("cache-control"), header("x-accel-buffering")), ("no-cache", "no"));
        assert!(!raw(&answer).contains("[DONE]"), "{}", raw(&answer));
        let merged = Merged::read(&answer.body);
        assert!(merged.deltas >= 5, "pieces arrive as they come: {merged:?}");
        let said = merged.expect_whole();
        assert_eq!((&said["text"], &said["model"]), (&json!(vendor::TEXT), &json!("gpt-4o-mini")));
        assert_eq!(tokens(&said), (9, 3));
        // The text goes out once, not again with the whole.
        assert_eq!(raw(&answer).matches("Hel").count(), 1);
    }
    assert_eq!(upstream.seen()[0].json()["stream_options"], json!({ "include_usage": true }));
}

#[tokio::test]
async fn calls_are_objects_and_come_once() {
    let (upstream, hub) = before_openai().await;
    let call = json!([{ "id": "call_mock", "type": "function",
                        "function": { "name": "get_weather", "arguments": { "city": "Bern" } } }]);
    let whole = hub.call(&sent("/api/v2/chat", TOOLS)).await.expect(200).json();
    assert_eq!((&whole["toolCalls"], whole.get("text")), (&call, None));
    let answer = hub.call(&sent("/api/v2/chat", TOOLS_STREAM)).await.expect(200);
    assert_eq!(raw(&answer).matches("toolCalls").count(), 1);
    assert_eq!(Merged::read(&answer.body).expect_whole()["toolCalls"], call);
    let choices: Vec<_> = upstream.seen().iter().map(|seen| seen.json()["tool_choice"].clone()).collect();
    assert_eq!(choices, ["auto", "required"]);
}

#[tokio::test]
async fn structured_output_is_a_value() {
    let person = r#"{"name":"Ada","age":36}"#;
    let mut body = vendor::chat(&json!({ "model": "gpt-4o-mini" }));
    body["choices"][0]["message"]["content"] = json!(person);
    let stream = Reply::sse().text("{\"name\":\"Ada\",").text("\"age\":36}").stop();
    let upstream = Upstream::script([Reply::json(200, &body), stream]).await;
    let hub = Gateway::start(&Conf::of([Provider::of("openai", &upstream)])).await;
    let whole = hub.call(&sent("/api/v2/chat", STRUCTURED)).await.expect(200).json();
    assert_eq!((&whole["json"], whole.get("text")), (&json!({ "name": "Ada", "age": 36 }), None));
    let answer = hub.call(&sent("/api/v2/chat", STRUCTURED_STREAM)).await.expect(200);
    let said = Merged::read(&answer.body).expect_whole();
    assert_eq!((&said["json"], said.get("text")), (&json!({ "name": "Ada", "age": 36 }), None));
    let format = upstream.seen()[0].json()["response_format"].clone();
    assert_eq!((&format["type"], &format["json_schema"]["strict"]), (&json!("json_schema"), &json!(true)));
}

#[tokio::test]
async fn pictures_options_and_earlier_calls_arrive_in_the_vendors_words() {
    let (upstream, hub) = before_openai().await;
    let answer = hub.call(&sent("/api/v2/chat", EVERYTHING)).await.expect(200);
    assert_eq!(answer.json()["text"], vendor::TEXT);
    let sent = upstream.only().json();
    let picture =
        json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=" } });
    let call =
        json!({ "id": "c1", "type": "function", "function": { "name": "f", "arguments": "{\"a\":1}" } });
    let messages = json!([
        { "role": "system", "content": "You are terse." },
        { "role": "user", "content": [{ "type": "text", "text": "what is this?" }, picture] },
        { "role": "assistant", "content": "prior", "tool_calls": [call] },
        { "role": "tool", "tool_call_id": "c1", "content": "{\"r\":1}" },
    ]);
    assert_eq!(sent["messages"], messages);
    let options = ["temperature", "top_p", "frequency_penalty", "presence_penalty"].map(|name| &sent[name]);
    assert_eq!(options, [&json!(0.2), &json!(0.9), &json!(0.1), &json!(0.1)]);
    let adapted = answer.header("x-aigne-adapted").unwrap();
    assert!(adapted.contains("reasoning") && adapted.contains("cache"), "{adapted}");
}

#[tokio::test]
async fn pictures_are_made_and_edited() {
    let (upstream, hub) = before_openai().await;
    for (path, body) in [("/api/v2/image", IMAGE), ("/ai-kit/api/v2/image", IMAGE_EDIT)] {
        let said = hub.call(&sent(path, body)).await.expect(200).json();
        let picture = json!({ "type": "file", "data": "iVBORw0KGgo=", "mimeType": "image/png" });
        assert_eq!((&said["images"], &said["model"]), (&json!([picture]), &json!("gpt-image-1")));
        assert_eq!(tokens(&said), (5, 100));
    }
    let seen = upstream.seen();
    let expected = json!({ "model": "gpt-image-1", "prompt": "a cat", "n": 1, "size": "1024x1024" });
    assert_eq!(seen[0].json(), expected);
    assert_eq!(seen[1].path, "/v1/images/edits");
    assert!(seen[1].header("content-type").unwrap().starts_with("multipart/form-data; boundary="));
    let form = &seen[1].body;
    let png = b"content-type: image/png\r\n\r\n\x89PNG\r\n\x1a\n\r\n";
    assert!(form.windows(png.len()).any(|window| window == png), "{form:?}");
}

#[tokio::test]
async fn a_video_is_waited_for() {
    let upstream = videos::studio(videos::Fate::Done(1)).await;
    let conf = Conf::of([Provider::of("openai", &upstream)]).set("timeouts", "video_poll = \"5ms\"");
    let hub = Gateway::start(&conf).await;
    let answer = hub.call(&sent("/api/v2/video", VIDEO)).await.expect(200).json();
    assert_eq!((&answer["videos"][0]["type"], &answer["seconds"]), (&json!("file"), &json!(4)));
    let expected = json!({ "model": "sora-2", "prompt": "a cat", "seconds": "4", "size": "1280x720" });
    assert_eq!(upstream.seen()[0].json(), expected);
}

#[tokio::test]
async fn context_and_memories_are_the_frameworks_and_go_nowhere() {
    let (upstream, hub) = before_openai().await;
    hub.call(&sent("/ai-kit/api/v2/chat", CONTEXT)).await.expect(200);
    let sent = upstream.only();
    assert!(!String::from_utf8_lossy(&sent.body).contains("u1"), "{:?}", sent.body);
}

#[tokio::test]
async fn the_model_list_needs_no_key_and_has_texts_for_rates() {
    let (_upstream, hub) = before_openai().await;
    for path in ["/api/ai/models?type=chat", "/api/ai-providers/models", "/ai-kit/api/ai/models?type=chat"] {
        let rows = hub.call(&asked(path)).await.expect(200).json();
        let row = &rows.as_array().unwrap()[0];
        assert_eq!(
            (&row["model"], &row["type"], &row["provider"]),
            (&json!("gpt-4o-mini"), &json!("chat"), &json!("openai"))
        );
        assert_eq!(row["input_credits_per_token"], "0.00000015");
        assert_eq!(row["output_credits_per_token"], "0.0000006");
        assert_eq!(row["status"], json!({ "available": true }));
        assert!(row["providerDisplayName"].is_string(), "{row}");
    }
    let none = hub.call(&asked("/api/ai/models?type=image")).await.expect(200).json();
    assert_eq!(none, json!([]));
}

#[tokio::test]
async fn the_command_line_asks_who_it_is() {
    let (_upstream, hub) = before_openai().await;
    let request = asked("/ai-kit/api/user/info").header("Authorization", &format!("Bearer {KEY}"));
    let said = hub.call(&request).await.expect(200).json();
    assert_eq!((&said["user"]["did"], &said["user"]["role"]), (&json!("test"), &json!("member")));
    assert_eq!((&said["enableCredit"], &said["creditBalance"]), (&json!(false), &Value::Null));
    hub.call(&asked("/ai-kit/api/user/info")).await.expect(401);
}

#[tokio::test]
async fn the_vendors_own_dialect_answers_at_the_same_base() {
    let (_upstream, hub) = before_openai().await;
    for path in ["/chat/completions", "/ai-kit/chat/completions"] {
        let answer = hub.call(&sent(path, DIRECT)).await.expect(200);
        answer.stream().expect_whole(vendor::TEXT);
    }
}
