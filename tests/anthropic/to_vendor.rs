//! Callers of OpenAI's dialect before a vendor of Anthropic's.

use super::*;
use anthropic::{SIGNATURE, begin, block, delta, end, finish, message, start, text, usage};

fn tools() -> Value {
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    json!([{ "type": "function", "function": { "name": "weather", "description": "d", "parameters": schema } }])
}

#[tokio::test]
async fn a_chat_arrives_in_the_vendors_words() {
    let (upstream, hub) = before_claude(anthropic::message_reply(&json!([text("Hello there")]))).await;
    let request = chat(json!({
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "hi" },
            { "role": "user", "content": "again" },
        ],
        "max_completion_tokens": 50, "temperature": 1.5, "stop": "END", "user": "someone",
    }));
    let answer = hub.call(&request).await.expect(200);
    let expected = json!({
        "model": MODEL, "max_tokens": 50, "system": "Be brief.", "temperature": 1.0,
        "stop_sequences": ["END"], "metadata": { "user_id": "someone" },
    });
    let mut sent = upstream.only().json();
    let turns = sent.as_object_mut().unwrap().remove("messages").unwrap();
    assert_eq!(sent, expected);
    assert_eq!(turns, json!([{ "role": "user", "content": [text("hi"), text("again")] }]));
    let adapted = answer.header("x-aigne-adapted").unwrap();
    assert!(adapted.contains("temperature") && !adapted.contains("max_output_tokens"), "{adapted}");
    let said = answer.json();
    assert_eq!((answer.text().as_str(), &said["object"]), ("Hello there", &json!("chat.completion")));
    assert_eq!(said["choices"][0]["finish_reason"], "stop");
    assert_eq!((&said["usage"]["prompt_tokens"], &said["usage"]["total_tokens"]), (&json!(9), &json!(12)));
    assert_eq!(answer.header("x-upstream-request-id"), Some("req_mock"));
}

#[tokio::test]
async fn what_was_dropped_or_added_is_said() {
    let (upstream, hub) = before_claude(anthropic::message_reply(&json!([text("ok")]))).await;
    let request =
        chat(json!({ "seed": 7, "frequency_penalty": 0.5, "logit_bias": { "1": 1 }, "made_up": true }));
    let answer = hub.call(&request).await.expect(200);
    let adapted = answer.header("x-aigne-adapted").unwrap();
    for field in ["seed", "penalties", "logit_bias", "made_up", "max_output_tokens"] {
        assert!(adapted.contains(field), "{field} in {adapted}");
    }
    let sent = upstream.only().json();
    let fields: Vec<_> = sent.as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["max_tokens", "messages", "model"]);
}

#[tokio::test]
async fn parallel_calls_and_their_results_find_each_other() {
    let call = |id: &str, city: &str| json!({ "type": "tool_use", "id": id, "name": "weather", "input": { "city": city } });
    let content = json!([text("Let me see."), call("toolu_1", "Bern"), call("toolu_2", "Basel")]);
    let first = Reply::json(200, &message(&json!(MODEL), &content, "tool_use", &usage()));
    let second = anthropic::message_reply(&json!([text("Rain")]));
    let upstream = Upstream::anthropic_script([first, second]).await;
    let hub = Gateway::start(&claude(&upstream, MODEL)).await;
    let ask = json!({ "tools": tools(), "tool_choice": "required", "parallel_tool_calls": true });
    let answer = hub.call(&chat(ask)).await.expect(200).json();
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    let said = &answer["choices"][0]["message"];
    assert_eq!(said["content"], "Let me see.");
    let calls: Vec<_> = said["tool_calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| (&call["id"], &call["function"]["arguments"]))
        .collect();
    assert_eq!(
        calls,
        [
            (&json!("toolu_1"), &json!("{\"city\":\"Bern\"}")),
            (&json!("toolu_2"), &json!("{\"city\":\"Basel\"}"))
        ]
    );
    let turns = json!([
        { "role": "user", "content": "hi" }, said,
        { "role": "tool", "tool_call_id": "toolu_2", "content": "wet" },
        { "role": "tool", "tool_call_id": "toolu_1", "content": "dry" },
        { "role": "user", "content": "So?" },
    ]);
    hub.call(&chat(json!({ "messages": turns, "tools": tools() }))).await.expect(200);
    let seen = upstream.seen();
    assert_eq!(seen[0].json()["tool_choice"]["type"], "any");
    assert_eq!(seen[0].json()["tools"][0]["input_schema"]["properties"]["city"]["type"], "string");
    let sent = &seen[1].json()["messages"];
    assert_eq!(sent[1]["content"], content);
    let kinds: Vec<_> = sent[2]["content"].as_array().unwrap().iter().map(|block| &block["type"]).collect();
    assert_eq!(kinds, ["tool_result", "tool_result", "text"]);
}

#[tokio::test]
async fn a_stream_arrives_in_the_callers_events() {
    let upstream = Upstream::anthropic(anthropic::answer).await;
    let hub = Gateway::start(&claude(&upstream, MODEL)).await;
    for asked in [false, true] {
        let options = json!({ "stream": true, "stream_options": { "include_usage": asked } });
        let stream = hub.call(&chat(options)).await.expect(200).stream();
        stream.expect_whole(vendor::TEXT);
        assert_eq!(stream.finish.as_deref(), Some("stop"));
        assert_eq!(stream.usage.is_some(), asked);
        let ids: std::collections::BTreeSet<_> =
            stream.events.iter().map(|event| event["id"].to_string()).collect();
        assert_eq!(ids.len(), 1, "one id in all chunks");
        if let Some(usage) = stream.usage {
            assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(9), &json!(3)));
        }
    }
}

#[tokio::test]
async fn a_stream_in_pieces_of_every_small_size_means_the_same() {
    let upstream = Upstream::anthropic_script(
        [1, 2, 3, 5, 7, 64].map(|size| anthropic::stream(&json!({})).in_pieces(size)),
    )
    .await;
    let hub = Gateway::start(&claude(&upstream, MODEL)).await;
    for _ in 0..6 {
        hub.call(&chat(json!({ "stream": true }))).await.expect(200).stream().expect_whole(vendor::TEXT);
    }
}

#[tokio::test]
async fn calls_in_a_stream_are_numbered_from_zero() {
    let call = |id: &str| json!({ "type": "tool_use", "id": id, "name": "weather", "input": {} });
    let piece = |text: &str| json!({ "type": "input_json_delta", "partial_json": text });
    let reply = begin(block(start(&usage()), 0, &["Let me see."]), 1, &call("toolu_1"));
    let reply = end(delta(delta(reply, 1, &piece("{\"city\":")), 1, &piece("\"Bern\"}")), 1);
    // A call without arguments brings no pieces at all.
    let reply = end(begin(reply, 2, &call("toolu_2")), 2);
    let (_upstream, hub) = before_claude(finish(reply, "tool_use", &usage())).await;
    let stream = hub.call(&chat(json!({ "stream": true, "tools": tools() }))).await.expect(200).stream();
    assert_eq!((stream.finish.as_deref(), stream.done), (Some("tool_calls"), true));
    let mut calls = vec![(String::new(), String::new()); 2];
    for event in &stream.events {
        for call in event["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let place = &mut calls[usize::try_from(call["index"].as_u64().unwrap()).unwrap()];
            place.0.push_str(call["id"].as_str().unwrap_or_default());
            place.1.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
        }
    }
    let expected = [("toolu_1", "{\"city\":\"Bern\"}"), ("toolu_2", "{}")];
    assert_eq!(calls, expected.map(|(id, arguments)| (id.to_owned(), arguments.to_owned())));
}

#[tokio::test]
async fn signed_thoughts_come_back_to_their_vendor() {
    let thought = json!({ "type": "thinking", "thinking": "Bern, then.", "signature": SIGNATURE });
    let call = json!({ "type": "tool_use", "id": "toolu_1", "name": "weather", "input": { "city": "Bern" } });
    let content = json!([thought, call]);
    let first = Reply::json(200, &message(&json!(MODEL), &content, "tool_use", &usage()));
    let upstream =
        Upstream::anthropic_script([first, anthropic::message_reply(&json!([text("Rain")]))]).await;
    let hub = Gateway::start(&claude(&upstream, MODEL)).await;
    let ask = json!({ "tools": tools(), "reasoning_effort": "low" });
    let answer = hub.call(&chat(ask.clone())).await.expect(200).json();
    let said = &answer["choices"][0]["message"];
    assert_eq!(said["reasoning_content"], "Bern, then.");
    let result = json!({ "role": "tool", "tool_call_id": "toolu_1", "content": "wet" });
    let turns = json!({ "messages": [{ "role": "user", "content": "hi" }, said, result] });
    hub.call(&chat(with(ask, turns))).await.expect(200);
    let seen = upstream.seen();
    for request in &seen {
        assert_eq!(request.json()["thinking"]["type"], "enabled", "{:?}", request.json());
    }
    assert_eq!(seen[1].json()["messages"][1]["content"], content);
}

#[tokio::test]
async fn thoughts_in_a_stream_are_told_apart_from_the_answer() {
    let reply = begin(start(&usage()), 0, &json!({ "type": "thinking", "thinking": "", "signature": "" }));
    let reply = delta(reply, 0, &json!({ "type": "thinking_delta", "thinking": "Hm." }));
    let reply = end(delta(reply, 0, &json!({ "type": "signature_delta", "signature": SIGNATURE })), 0);
    let (_upstream, hub) = before_claude(finish(block(reply, 1, &["Yes"]), "end_turn", &usage())).await;
    let stream = hub.call(&chat(json!({ "stream": true }))).await.expect(200).stream();
    stream.expect_whole("Yes");
    let delta = |name: &str| {
        let deltas = stream.events.iter().map(|event| &event["choices"][0]["delta"][name]);
        deltas.filter(|value| !value.is_null()).cloned().collect::<Vec<_>>()
    };
    assert_eq!(delta("reasoning_content"), ["Hm."]);
    assert_eq!(delta("reasoning_details")[0][0]["signature"], SIGNATURE);
}

#[tokio::test]
async fn the_newest_models_think_adaptively_and_take_no_temperature() {
    let upstream = Upstream::anthropic(anthropic::answer).await;
    let hub = Gateway::start(&claude(&upstream, "claude-opus-4-8")).await;
    let ask = json!({ "reasoning_effort": "high", "temperature": 0.5, "top_p": 0.9 });
    let answer = hub.call(&chat(ask)).await.expect(200);
    let sent = upstream.only().json();
    assert_eq!(
        (&sent["thinking"]["type"], &sent["output_config"]["effort"]),
        (&json!("adaptive"), &json!("high"))
    );
    let adapted = answer.header("x-aigne-adapted").unwrap();
    assert!(adapted.contains("temperature") && adapted.contains("top_p"), "{adapted}");
}

fn cached_usage() -> Value {
    json!({
        "input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 7, "output_tokens": 9,
        "cache_creation": { "ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4 },
        "output_tokens_details": { "thinking_tokens": 6 },
    })
}

#[tokio::test]
async fn every_bucket_of_the_usage_is_in_the_books() {
    let whole = Reply::json(200, &message(&json!(MODEL), &json!([text("ok")]), "end_turn", &cached_usage()));
    let streamed = finish(block(start(&cached_usage()), 0, &["ok"]), "end_turn", &cached_usage());
    for (reply, stream) in [(whole, false), (streamed, true)] {
        let (_upstream, hub) = before_claude(reply).await;
        let ask = match stream {
            true => json!({ "stream": true, "stream_options": { "include_usage": true } }),
            false => json!({}),
        };
        let answer = hub.call(&chat(ask)).await.expect(200);
        let shown = if stream { answer.stream().usage.unwrap() } else { answer.json()["usage"].clone() };
        assert_eq!((&shown["prompt_tokens"], &shown["completion_tokens"]), (&json!(22), &json!(9)));
        assert_eq!(shown["prompt_tokens_details"]["cached_tokens"], 5);
        assert_eq!(shown["completion_tokens_details"]["reasoning_tokens"], 6);
        let entry = entry(hub).await;
        let expected = json!({ "input": 10, "cache_read": 5, "cache_write_5m": 3, "cache_write_1h": 4, "output": 3, "reasoning": 6 });
        assert_eq!((buckets(&entry), &entry["usage_source"]), (expected, &json!("provider")));
    }
}

#[tokio::test]
async fn every_reason_to_stop_has_a_word() {
    let reasons = [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
    ];
    let replies = reasons
        .map(|(said, _)| Reply::json(200, &message(&json!(MODEL), &json!([text("ok")]), said, &usage())));
    let upstream = Upstream::anthropic_script(replies).await;
    let hub = Gateway::start(&claude(&upstream, MODEL)).await;
    for (said, expected) in reasons {
        let answer = hub.call(&chat(json!({}))).await.expect(200).json();
        assert_eq!(answer["choices"][0]["finish_reason"], expected, "{said}");
    }
}

#[tokio::test]
async fn schemas_and_images_are_said_as_the_vendor_says_them() {
    let (upstream, hub) = before_claude(anthropic::message_reply(&json!([text("{}")]))).await;
    let schema = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let image = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=" } });
    let words = json!({ "type": "text", "text": "What is it?" });
    let request = chat(json!({
        "messages": [{ "role": "user", "content": [words, image] }],
        "response_format": { "type": "json_schema", "json_schema": { "name": "it", "schema": schema } },
    }));
    hub.call(&request).await.expect(200);
    let sent = upstream.only().json();
    assert_eq!(sent["output_config"]["format"], json!({ "type": "json_schema", "schema": schema }));
    let source = json!({ "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" });
    assert_eq!(
        sent["messages"][0]["content"],
        json!([text("What is it?"), { "type": "image", "source": source }])
    );
}

#[tokio::test]
async fn a_block_that_nobody_knows_yet_is_no_reason_to_fail() {
    let novelty = json!({ "type": "brand_new", "data": [1, 2], "text": { "a": 1 } });
    let whole = anthropic::message_reply(&json!([novelty, text("ok")]));
    let reply = end(begin(start(&usage()), 0, &novelty), 0);
    let streamed = finish(block(reply, 1, &["ok"]), "end_turn", &usage());
    let upstream = Upstream::anthropic_script([whole, streamed]).await;
    let hub = Gateway::start(&claude(&upstream, MODEL)).await;
    assert_eq!(hub.call(&chat(json!({}))).await.expect(200).text(), "ok");
    hub.call(&chat(json!({ "stream": true }))).await.expect(200).stream().expect_whole("ok");
}
