//! Callers of OpenAI's dialect, and whole answers.

use super::*;

#[tokio::test]
async fn a_chat_arrives_in_the_vendors_words() {
    let (upstream, hub) = before(whole(&json!([text("Hello"), text(" there")]))).await;
    let request = chat(json!({
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "hi" },
            { "role": "assistant", "content": "Yes?" },
            { "role": "user", "content": "again" },
        ],
        "max_tokens": 50, "temperature": 1.5, "top_p": 0.5, "stop": "END", "seed": 7,
    }));
    let answer = hub.call(&request).await.expect(200);
    let seen = upstream.only();
    assert_eq!(seen.path, format!("/v1beta/models/{MODEL}:generateContent"));
    let turn = |role: &str, said: &str| json!({ "role": role, "parts": [text(said)] });
    let expected = json!({
        "systemInstruction": { "parts": [text("Be brief.")] },
        "contents": [turn("user", "hi"), turn("model", "Yes?"), turn("user", "again")],
        "generationConfig": {
            "maxOutputTokens": 50, "temperature": 1.5, "topP": 0.5, "stopSequences": ["END"], "seed": 7,
        },
    });
    assert_eq!(seen.json(), expected);
    assert_eq!(answer.header("x-aigne-adapted"), None);
    let said = answer.json();
    assert_eq!((answer.text().as_str(), &said["object"]), ("Hello there", &json!("chat.completion")));
    assert_eq!(said["choices"][0]["finish_reason"], "stop");
    assert_eq!((&said["usage"]["prompt_tokens"], &said["usage"]["total_tokens"]), (&json!(9), &json!(12)));
    assert!(said["created"].as_u64() > Some(0), "{said}");
}

#[tokio::test]
async fn what_was_dropped_is_said() {
    let (upstream, hub) = before(whole(&json!([text("ok")]))).await;
    let request = chat(
        json!({ "frequency_penalty": 0.5, "logit_bias": { "1": 1 }, "user": "someone", "made_up": true }),
    );
    let answer = hub.call(&request).await.expect(200);
    let adapted = answer.header("x-aigne-adapted").unwrap();
    for field in ["penalties", "logit_bias", "user", "made_up"] {
        assert!(adapted.contains(field), "{field} in {adapted}");
    }
    let sent = upstream.only().json();
    assert_eq!(sent.as_object().unwrap().keys().collect::<Vec<_>>(), ["contents"]);
}

#[tokio::test]
async fn parallel_calls_and_their_results_find_each_other() {
    let calls = json!([
        text("Let me see."),
        call("weather", json!({ "city": "Bern" })),
        call("weather", json!({ "city": "Basel" })),
        call("time", json!({})),
    ]);
    let (upstream, hub) = scripted(MODEL, [whole(&calls), whole(&json!([text("Rain")]))]).await;
    let ask = json!({ "tools": tools(), "tool_choice": "required" });
    let answer = hub.call(&chat(ask)).await.expect(200).json();
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    let said = &answer["choices"][0]["message"];
    assert_eq!(said["content"], "Let me see.");
    let made: Vec<_> = said["tool_calls"].as_array().unwrap().iter().collect();
    let arguments: Vec<Value> = made
        .iter()
        .map(|call| serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap())
        .collect();
    assert_eq!(arguments, [json!({ "city": "Bern" }), json!({ "city": "Basel" }), json!({})]);
    let ids: std::collections::BTreeSet<_> = made.iter().map(|call| call["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3, "the vendor gives none, the hub gives each its own: {said}");

    let result = |call: usize, text: &str| json!({ "role": "tool", "tool_call_id": made[call]["id"], "content": text });
    let assistant =
        json!({ "role": "assistant", "content": said["content"], "tool_calls": kept(&said["tool_calls"]) });
    let turns = json!([
        { "role": "user", "content": "hi" }, assistant,
        result(2, "noon"), result(1, "wet"), result(0, "{\"sky\":\"dry\"}"),
        { "role": "user", "content": "So?" },
    ]);
    let answer = hub.call(&chat(json!({ "messages": turns, "tools": tools() }))).await.expect(200);
    assert_eq!(answer.text(), "Rain");
    let seen = upstream.seen();
    let first = seen[0].json();
    assert_eq!(first["toolConfig"]["functionCallingConfig"], json!({ "mode": "ANY" }));
    let declared = &first["tools"][0]["functionDeclarations"];
    assert_eq!((declared.as_array().unwrap().len(), &declared[1]["name"]), (2, &json!("time")));
    assert_eq!(declared[0]["parametersJsonSchema"], tools()[0]["function"]["parameters"]);
    let second = seen[1].json();
    let named: Vec<_> = second["contents"][2]["parts"].as_array().unwrap().iter().collect();
    let of = |name: &str, text: &str| {
        let found = named.iter().filter(|part| part["functionResponse"]["name"] == name);
        let texts: Vec<_> = found.map(|part| part["functionResponse"]["response"].to_string()).collect();
        assert!(texts.iter().any(|said| said.contains(text)), "{text} of {name}: {named:?}");
    };
    of("weather", "wet");
    of("weather", "dry");
    of("time", "noon");
    assert_eq!(named[3], &text("So?"));
}

#[tokio::test]
async fn a_named_tool_is_the_only_one_allowed() {
    let (upstream, hub) = before(whole(&json!([call("time", json!({}))]))).await;
    let choice = json!({ "type": "function", "function": { "name": "time" } });
    hub.call(&chat(json!({ "tools": tools(), "tool_choice": choice }))).await.expect(200);
    let expected = json!({ "mode": "ANY", "allowedFunctionNames": ["time"] });
    assert_eq!(upstream.only().json()["toolConfig"]["functionCallingConfig"], expected);
}

#[tokio::test]
async fn schemas_and_images_are_said_as_the_vendor_says_them() {
    let (upstream, hub) = before(whole(&json!([text("{}")]))).await;
    let schema = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let image = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=" } });
    let request = chat(json!({
        "messages": [{ "role": "user", "content": [{ "type": "text", "text": "What is it?" }, image] }],
        "response_format": { "type": "json_schema", "json_schema": { "name": "it", "schema": schema } },
    }));
    assert_eq!(hub.call(&request).await.expect(200).text(), "{}");
    let sent = upstream.only().json();
    let expected = json!({ "responseMimeType": "application/json", "responseJsonSchema": schema });
    assert_eq!(sent["generationConfig"], expected);
    let blob = json!({ "inlineData": { "mimeType": "image/png", "data": "iVBORw0KGgo=" } });
    assert_eq!(sent["contents"][0]["parts"], json!([text("What is it?"), blob]));
}

#[tokio::test]
async fn each_generation_is_told_to_think_in_its_own_way() {
    let thought = json!({ "text": "Hm.", "thought": true });
    for (model, expected) in [(MODEL, "thinkingBudget"), (SIGNING, "thinkingLevel")] {
        let (upstream, hub) = scripted(model, [whole(&json!([thought, text("Yes")]))]).await;
        let answer = hub.call(&chat(json!({ "reasoning_effort": "low" }))).await.expect(200);
        let thinking = &upstream.only().json()["generationConfig"]["thinkingConfig"];
        let told: Vec<_> = thinking.as_object().unwrap().keys().collect();
        assert_eq!(told, ["includeThoughts", expected], "{thinking}");
        assert_eq!(answer.json()["choices"][0]["message"]["reasoning_content"], "Hm.");
        assert_eq!(answer.text(), "Yes");
    }
    let (upstream, hub) = before(whole(&json!([text("Yes")]))).await;
    hub.call(&chat(json!({ "reasoning_effort": "none" }))).await.expect(200);
    let sent = upstream.only().json();
    assert_eq!(sent["generationConfig"]["thinkingConfig"], json!({ "thinkingBudget": 0 }));
}

#[tokio::test]
async fn every_bucket_of_the_usage_is_in_the_books() {
    let parts = json!([text("ok")]);
    let replies = [
        (Reply::json(200, &gemini::said(&parts, Some("STOP"), &full_usage())), false),
        (gemini::last(gemini::more(Reply::sse(), &parts), &json!([]), "STOP", &full_usage()), true),
    ];
    for (reply, stream) in replies {
        let (_upstream, hub) = before(reply).await;
        let ask = match stream {
            true => json!({ "stream": true, "stream_options": { "include_usage": true } }),
            false => json!({}),
        };
        let answer = hub.call(&chat(ask)).await.expect(200);
        let shown = if stream { answer.stream().usage.unwrap() } else { answer.json()["usage"].clone() };
        assert_eq!((&shown["prompt_tokens"], &shown["completion_tokens"]), (&json!(100), &json!(50)));
        assert_eq!(shown["prompt_tokens_details"]["cached_tokens"], 40);
        assert_eq!(shown["completion_tokens_details"]["reasoning_tokens"], 30);
        let entry = entry(hub).await;
        let expected = json!({ "input": 60, "cache_read": 40, "output": 20, "reasoning": 30 });
        assert_eq!((buckets(&entry), &entry["usage_source"]), (expected, &json!("provider")));
    }
}

#[tokio::test]
async fn every_reason_to_stop_has_a_word() {
    let reasons = [
        ("STOP", json!("stop")),
        ("MAX_TOKENS", json!("length")),
        ("SAFETY", json!("content_filter")),
        ("RECITATION", json!("content_filter")),
        ("SPII", json!("content_filter")),
        ("BRAND_NEW", json!("stop")),
    ];
    let reply = |reason: &str| Reply::json(200, &gemini::said(&json!([text("ok")]), Some(reason), &usage()));
    let (_upstream, hub) = scripted(MODEL, reasons.each_ref().map(|(said, _)| reply(said))).await;
    for (said, expected) in reasons {
        let answer = hub.call(&chat(json!({}))).await.expect(200).json();
        assert_eq!(answer["choices"][0]["finish_reason"], expected, "{said}");
    }
}

#[tokio::test]
async fn an_answer_that_a_filter_or_the_limit_took_is_empty_and_says_why() {
    let without = |reason: &str| {
        let candidate = json!({ "finishReason": reason, "index": 0 });
        Reply::json(200, &json!({ "candidates": [candidate], "usageMetadata": { "promptTokenCount": 9 } }))
    };
    let blocked = Reply::json(200, &gemini::blocked());
    let replies = [without("SAFETY"), without("MAX_TOKENS"), blocked];
    for (reply, expected) in replies.into_iter().zip(["content_filter", "length", "content_filter"]) {
        let (_upstream, hub) = before(reply).await;
        let answer = hub.call(&chat(json!({}))).await.expect(200);
        assert_eq!(answer.json()["choices"][0]["finish_reason"], expected);
        assert_eq!((answer.text().as_str(), &answer.json()["usage"]["prompt_tokens"]), ("", &json!(9)));
        let entry = entry(hub).await;
        assert_eq!((buckets(&entry), &entry["outcome"]), (json!({ "input": 9 }), &json!("ok")));
    }
}

#[tokio::test]
async fn a_schema_beside_tools_is_asked_for_in_words_where_it_cannot_be_enforced() {
    let ask = json!({ "tools": tools(), "response_format": { "type": "json_object" } });
    for (model, enforced) in [(MODEL, false), (SIGNING, true)] {
        let (upstream, hub) = scripted(model, [whole(&json!([text("{}")]))]).await;
        let answer = hub.call(&chat(ask.clone())).await.expect(200);
        let sent = upstream.only().json();
        let told = [
            sent["generationConfig"]["responseMimeType"] == "application/json",
            sent.get("systemInstruction").is_none(),
            answer.header("x-aigne-adapted").is_none(),
        ];
        assert_eq!(told, [enforced; 3], "{sent}");
    }
}

#[tokio::test]
async fn an_answer_without_numbers_is_counted_whoever_asked() {
    let mut said =
        gemini::said(&json!([gemini::text("one two three four five")]), Some("STOP"), &gemini::usage());
    said.as_object_mut().unwrap().remove("usageMetadata");
    let body = json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] });
    let google =
        Request::post("/v1beta/models/gpt:generateContent", &body).header("x-goog-api-key", conf::KEY);
    for request in [google, chat(json!({})), messages(json!({}))] {
        let reply = Reply::json(200, &said);
        let upstream = Upstream::gemini(move |_| reply.clone()).await;
        let conf = Conf::of([Provider::gemini("google", &upstream)]);
        let hub = Gateway::start(&conf.model("gpt", &[&format!("google/{MODEL}")], &[])).await;
        hub.call(&request).await.expect(200);
        let entry = entry(hub).await;
        assert_eq!(entry["usage_source"], "estimated", "{entry}");
        assert!(
            entry["usage"]["output"].as_u64() >= Some(5) && entry["usage"]["input"].as_u64() > Some(0),
            "{entry}"
        );
    }
}
