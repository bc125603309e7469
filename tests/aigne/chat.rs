//! The chat between the client's envelope and vendors of other dialects, and
//! the older endpoint beside it.

use super::*;

fn completions(more: Value) -> Request {
    let mut body = json!({ "model": "gpt", "messages": [{ "role": "user", "content": "hi" }] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Request::post("/api/v2/chat/completions", &body).key(KEY)
}

#[tokio::test]
async fn hints_for_the_prompt_cache_reach_the_vendor_that_has_one() {
    let upstream = Upstream::anthropic(anthropic::answer).await;
    let conf =
        Conf::of([Provider::anthropic("claude", &upstream)]).model("gpt", &["claude/claude-sonnet-4-5"], &[]);
    let hub = Gateway::start(&conf).await;
    let tool = json!({ "type": "function", "function": { "name": "f", "parameters": { "type": "object", "properties": {} } } });
    let messages = json!([
        { "role": "system", "content": "Be brief." },
        { "role": "user", "content": [{ "type": "text", "text": "long", "cacheControl": { "type": "ephemeral", "ttl": "1h" } }] },
        { "role": "agent", "content": "yes" },
        { "role": "user", "content": "hi" },
    ]);
    let options = json!({ "model": "gpt", "cacheConfig": { "autoBreakpoints": { "tools": false, "lastMessage": true } } });
    hub.call(&whole(json!({ "messages": messages, "tools": [tool], "modelOptions": options })))
        .await
        .expect(200);
    let sent = upstream.only().json();
    let five = json!({ "type": "ephemeral" });
    assert_eq!(sent["system"][0]["cache_control"], five);
    assert_eq!(
        sent["messages"][0]["content"][0]["cache_control"],
        json!({ "type": "ephemeral", "ttl": "1h" })
    );
    assert_eq!(sent["messages"][2]["content"][0]["cache_control"], five);
    assert!(sent["tools"][0].get("cache_control").is_none(), "{sent}");
}

#[tokio::test]
async fn no_hint_is_set_where_the_caller_wants_none() {
    let upstream = Upstream::anthropic(anthropic::answer).await;
    let conf =
        Conf::of([Provider::anthropic("claude", &upstream)]).model("gpt", &["claude/claude-sonnet-4-5"], &[]);
    let hub = Gateway::start(&conf).await;
    for config in [json!({ "enabled": false }), json!({ "strategy": "manual" })] {
        let options = json!({ "model": "gpt", "cacheConfig": config });
        let messages = json!([{ "role": "system", "content": "s" }, { "role": "user", "content": "hi" }]);
        hub.call(&whole(json!({ "messages": messages, "modelOptions": options }))).await.expect(200);
    }
    for seen in upstream.seen() {
        assert!(!String::from_utf8_lossy(&seen.body).contains("cache_control"));
    }
}

#[tokio::test]
async fn cached_tokens_are_part_of_the_input_and_paid_once() {
    let mut body = vendor::chat(&json!({ "model": "gpt-4o" }));
    body["usage"] = json!({ "prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6,
                            "prompt_tokens_details": { "cached_tokens": 4 } });
    let upstream = Upstream::script([Reply::json(200, &body)]).await;
    let hub = Gateway::start(&Conf::one(&upstream).priced()).await;
    let answer = hub.call(&whole(json!({}))).await.expect(200);
    let usage = answer.json()["usage"].clone();
    assert_eq!((&usage["inputTokens"], &usage["cacheReadInputTokens"]), (&json!(5), &json!(4)));
    let entry = hub.ledger().await.remove(0);
    assert_eq!((&entry["usage"]["input"], &entry["usage"]["cache_read"]), (&json!(1), &json!(4)));
    let told = raw(&answer);
    let cost = entry["charge"]["cost"].as_str().unwrap();
    assert!(told.contains(&format!("\"aigneHubCredits\":{cost},")), "{cost} in {told}");
}

#[tokio::test]
async fn thoughts_are_a_field_of_their_own() {
    let reply = Reply::sse()
        .event(&vendor::delta(json!({ "role": "assistant", "reasoning_content": "Hm" }), Value::Null))
        .event(&vendor::delta(json!({ "reasoning_content": "m." }), Value::Null))
        .text("Yes")
        .stop();
    let upstream = Upstream::script([reply]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let answer = hub.call(&streamed(json!({}))).await.expect(200);
    let said = Merged::read(&answer.body).expect_whole();
    assert_eq!((&said["thoughts"], &said["text"]), (&json!("Hmm."), &json!("Yes")));
}

#[tokio::test]
async fn an_answer_that_was_cut_short_says_why() {
    let mut body = vendor::chat(&json!({ "model": "gpt-4o" }));
    body["choices"][0]["finish_reason"] = json!("length");
    let stream = Reply::sse().text("ok").event(&vendor::delta(json!({}), json!("length"))).done();
    let upstream = Upstream::script([Reply::json(200, &body), stream]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    assert_eq!(hub.call(&whole(json!({}))).await.expect(200).json()["finishReason"], "length");
    let answer = hub.call(&streamed(json!({}))).await.expect(200);
    assert_eq!(Merged::read(&answer.body).expect_whole()["finishReason"], "length");
}

#[tokio::test]
async fn a_text_stands_for_a_conversation_and_the_model_may_stand_outside() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    for body in [
        json!({ "input": { "messages": "hi" }, "model": "gpt" }),
        json!({ "messages": "hi", "model": "gpt", "stream": false }),
    ] {
        let answer = hub.post("/api/v2/chat", &body).await.expect(200);
        assert_eq!(answer.json()["text"], vendor::TEXT);
    }
    for seen in upstream.seen() {
        assert_eq!(seen.json()["messages"], json!([{ "role": "user", "content": "hi" }]));
    }
}

#[tokio::test]
async fn what_the_options_hold_besides_goes_to_openai_by_its_own_names() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let options = json!({ "model": "gpt", "maxTokens": 50, "topLogprobs": 2, "logprobs": true, "seed": 7,
                          "preferInputFileType": "url", "serviceTier": "flex" });
    hub.call(&whole(json!({ "modelOptions": options }))).await.expect(200);
    let sent = upstream.only().json();
    let names = ["max_tokens", "top_logprobs", "logprobs", "seed", "service_tier"].map(|name| &sent[name]);
    assert_eq!(names, [&json!(50), &json!(2), &json!(true), &json!(7), &json!("flex")]);
}

#[tokio::test]
async fn the_older_endpoint_takes_both_spellings_and_answers_with_both() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let part = json!([{ "type": "text", "text": "look" }, { "type": "image_url", "imageUrl": { "url": "https://a.example/b.png" } }]);
    let call = json!({ "id": "c1", "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let messages = json!([
        { "role": "user", "content": part },
        { "role": "agent", "content": null, "toolCalls": [call] },
        { "role": "tool", "toolCallId": "c1", "content": "ok" },
    ]);
    let request =
        completions(json!({ "messages": messages, "topP": 0.5, "maxTokens": 9, "presence_penalty": 0.5 }));
    let said = hub.call(&request).await.expect(200).json();
    assert_eq!(said["choices"][0]["message"]["content"], vendor::TEXT);
    assert_eq!(
        (&said["role"], &said["text"], &said["content"]),
        (&json!("assistant"), &json!(vendor::TEXT), &json!(vendor::TEXT))
    );
    assert_eq!((&said["usage"]["prompt_tokens"], &said["usage"]["promptTokens"]), (&json!(9), &json!(9)));
    let sent = upstream.only().json();
    assert_eq!(
        (&sent["top_p"], &sent["max_tokens"], &sent["presence_penalty"]),
        (&json!(0.5), &json!(9), &json!(0.5))
    );
    assert_eq!(sent["messages"][0]["content"][1]["image_url"]["url"], "https://a.example/b.png");
    assert_eq!(
        (&sent["messages"][1]["role"], &sent["messages"][1]["tool_calls"]),
        (&json!("assistant"), &json!([call]))
    );
    assert_eq!(sent["messages"][2]["tool_call_id"], "c1");
    let both = hub.call(&completions(json!({ "topP": 0.5, "top_p": 0.6 }))).await.expect(400);
    assert!(raw(&both).contains("top_p"), "{}", raw(&both));
}

#[tokio::test]
async fn a_prompt_is_a_message() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    for path in ["/api/v2/completions", "/api/v1/sdk/completions", "/api/chat/completions"] {
        let body = json!({ "prompt": "say \"hi\"", "model": "gpt" });
        hub.post(path, &body).await.expect(200);
    }
    for seen in upstream.seen() {
        assert_eq!(seen.json()["messages"], json!([{ "role": "user", "content": "say \"hi\"" }]));
    }
}

#[tokio::test]
async fn an_openai_client_gets_an_openai_stream_there() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let answer = hub.call(&completions(json!({ "stream": true }))).await.expect(200);
    answer.stream().expect_whole(vendor::TEXT);
}

#[tokio::test]
async fn an_older_client_asks_for_a_stream_by_its_header() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let tool = json!({ "type": "function", "function": { "name": "get_weather", "parameters": { "type": "object" } } });
    for (more, tools) in [(json!({}), false), (json!({ "stream": false, "tools": [tool] }), true)] {
        let request = completions(more).header("accept", "text/event-stream");
        let answer = hub.call(&request).await.expect(200);
        assert!(!raw(&answer).contains("[DONE]"), "{}", raw(&answer));
        let text = raw(&answer);
        let events: Vec<Value> = text
            .split("\n\n")
            .filter_map(|event| event.strip_prefix("data: "))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect();
        let said: String = events.iter().filter_map(|event| event["delta"]["content"].as_str()).collect();
        let calls = events.iter().find_map(|event| event["delta"]["toolCalls"].as_array());
        match calls {
            Some(calls) if tools => assert_eq!(calls[0]["function"]["arguments"], "{\"city\":\"Bern\"}"),
            calls => assert_eq!((said.as_str(), calls), (vendor::TEXT, None)),
        }
        let usage = &events.last().unwrap()["usage"];
        assert_eq!(
            (&usage["promptTokens"], &usage["completionTokens"], &usage["totalTokens"]),
            (&json!(9), &json!(3), &json!(12))
        );
    }
}

#[tokio::test]
async fn limits_and_rules_see_an_envelope_like_any_request() {
    let upstream = Upstream::realistic().await;
    let rules = "[[rule]]\nname = \"short\"\nwhen = 'request.has_tools'\nthen = { deny = \"no tools\" }\n";
    let conf = Conf::one(&upstream).file("rules.toml", rules).set("rules", "files = [\"rules.toml\"]");
    let hub = Gateway::start(&conf).await;
    let tool = json!({ "type": "function", "function": { "name": "f", "parameters": {} } });
    let denied = hub.call(&whole(json!({ "tools": [tool] }))).await.expect(403).json();
    assert_eq!(
        (&denied["error"]["message"], &denied["error"]["type"]),
        (&json!("no tools"), &json!("permission_error"))
    );
    hub.call(&whole(json!({}))).await.expect(200);
}

#[tokio::test]
async fn the_older_endpoint_fails_over_before_it_says_a_word() {
    let bad = Upstream::always(Reply::failed(500)).await;
    let good = Upstream::realistic().await;
    let conf = Conf::of([Provider::of("bad", &bad), Provider::of("good", &good)]).model(
        "gpt",
        &["bad/gpt-4o"],
        &["good/gpt-4o"],
    );
    let hub = Gateway::start(&conf.priced()).await;
    let said = hub.call(&completions(json!({}))).await.expect(200).json();
    assert_eq!(said["text"], vendor::TEXT);
    let alone = Gateway::start(&Conf::of([Provider::of("bad", &bad)])).await;
    let failed = alone.call(&completions(json!({}))).await.expect(502).json();
    assert!(failed["error"]["message"].is_string(), "{failed}");
    assert_eq!(hub.ledger().await.len(), 1, "one request, one entry");
}
