//! Callers of OpenAI's dialect, and whole answers.

use super::*;

const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=";

#[tokio::test]
async fn a_chat_arrives_in_the_vendors_words() {
    let (upstream, hub) = before(CLAUDE, whole(&json!([text("Hello"), text(" there")]))).await;
    let request = chat(json!({
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "hi" },
            { "role": "assistant", "content": "Yes?" },
            { "role": "user", "content": "again" },
        ],
        "max_tokens": 50, "temperature": 0.5, "stop": ["END"], "metadata": { "team": "red", "odd": "ünder" },
        "service_tier": "priority", "guardrailConfig": { "guardrailIdentifier": "abc", "guardrailVersion": "1" },
    }));
    let answer = hub.call(&request).await.expect(200);
    let seen = upstream.only();
    assert_eq!(seen.path, "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse");
    assert_eq!(
        (seen.header("accept"), seen.header("content-type")),
        (Some("application/json"), Some("application/json"))
    );
    let turn = |role: &str, said: &str| json!({ "role": role, "content": [text(said)] });
    let expected = json!({
        "system": [text("Be brief.")],
        "messages": [turn("user", "hi"), turn("assistant", "Yes?"), turn("user", "again")],
        "inferenceConfig": { "maxTokens": 50, "temperature": 0.5, "stopSequences": ["END"] },
        "requestMetadata": { "team": "red" }, "serviceTier": { "type": "priority" },
        "guardrailConfig": { "guardrailIdentifier": "abc", "guardrailVersion": "1" },
    });
    assert_eq!(seen.json(), expected);
    assert_eq!(answer.header("x-aigne-adapted"), Some("metadata: reduced to what the vendor takes"));
    assert_eq!(answer.header("x-upstream-request-id"), Some("req-mock"));
    let said = answer.json();
    assert_eq!((answer.text().as_str(), &said["object"]), ("Hello there", &json!("chat.completion")));
    assert_eq!((&said["model"], &said["choices"][0]["finish_reason"]), (&json!(CLAUDE), &json!("stop")));
    assert_eq!((&said["usage"]["prompt_tokens"], &said["usage"]["total_tokens"]), (&json!(9), &json!(12)));
    assert!(said["created"].as_u64() > Some(0) && said["id"].as_str().unwrap().len() > 10, "{said}");
    let entry = entry(hub).await;
    let expected = json!({ "input": 9, "output": 3 });
    assert_eq!((buckets(&entry), &entry["usage_source"]), (expected, &json!("provider")), "{entry}");
}

#[tokio::test]
async fn what_it_costs_is_known_and_counted_tokens_cost_nothing() {
    let (upstream, hub) = before(NOVA, whole(&json!([text("ok")]))).await;
    let count = json!({ "model": "gpt", "messages": [{ "role": "user", "content": "hi there" }] });
    let counted = Request::post("/v1/messages/count_tokens", &count).header("x-api-key", conf::KEY);
    assert!(hub.call(&counted).await.expect(200).json()["input_tokens"].as_u64() > Some(0));
    assert_eq!(upstream.counts().requests, 0);
    hub.call(&chat(json!({}))).await.expect(200);
    let books = hub.ledger().await;
    let charge = &books.iter().find(|entry| entry["usage_source"] == "provider").unwrap()["charge"];
    // 9 tokens in at 0.06 and 3 out at 0.24 per million.
    assert_eq!(charge["cost"], "0.00000126", "{books:?}");
}

#[tokio::test]
async fn an_arn_is_one_segment_of_the_path() {
    let (upstream, hub) = before(bedrock::ARN, whole(&json!([text("ok")]))).await;
    hub.call(&chat(json!({}))).await.expect(200);
    assert!(upstream.only().path.contains("%3Ainference-profile%2Fus.amazon"), "{}", upstream.only().path);
}

#[tokio::test]
async fn what_was_dropped_is_said() {
    let (upstream, hub) = before(NOVA, whole(&json!([text("ok")]))).await;
    let request = chat(json!({ "frequency_penalty": 0.5, "seed": 7, "user": "someone", "made_up": true,
                               "temperature": 1.5, "logprobs": true, "reasoning_effort": "high" }));
    let answer = hub.call(&request).await.expect(200);
    let adapted = answer.header("x-aigne-adapted").unwrap();
    for field in
        ["penalties", "seed", "user", "made_up", "temperature: clamped to 1", "logprobs", "reasoning"]
    {
        assert!(adapted.contains(field), "{field} in {adapted}");
    }
    let expected = json!({ "messages": [{ "role": "user", "content": [text("hi")] }],
                           "inferenceConfig": { "temperature": 1.0 } });
    assert_eq!(upstream.only().json(), expected);
}

#[tokio::test]
async fn parallel_calls_and_their_results_find_each_other() {
    let calls = json!([
        text("Let me see."),
        call("tooluse_1", "weather", json!({ "city": "Bern" })),
        call("tooluse_2", "time", json!({})),
    ]);
    let replies = [whole_with(&calls, "tool_use", &usage()), whole(&json!([text("Rain")]))];
    let (upstream, hub) = scripted(CLAUDE, replies).await;
    let choice = json!({ "type": "function", "function": { "name": "weather" } });
    let first = hub.call(&chat(json!({ "tools": tools(), "tool_choice": choice }))).await.expect(200).json();
    let message = &first["choices"][0]["message"];
    assert_eq!(first["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], r#"{"city":"Bern"}"#);
    assert_eq!(message["tool_calls"][1]["function"]["arguments"], "{}");
    let sent = upstream.only().json()["toolConfig"].clone();
    assert_eq!(sent["toolChoice"], json!({ "tool": { "name": "weather" } }));
    assert_eq!(sent["tools"][1]["toolSpec"]["name"], "time");
    let result = |index: usize, said: &str| json!({ "role": "tool", "tool_call_id": message["tool_calls"][index]["id"], "content": said });
    let turns = json!([{ "role": "user", "content": "hi" }, message, result(0, "wet"), result(1, "noon")]);
    hub.call(&chat(json!({ "tools": tools(), "messages": turns }))).await.expect(200);
    let sent = upstream.seen()[1].json();
    let result = |id: &str, said: &str| json!({ "toolResult": { "toolUseId": id, "content": [text(said)] } });
    assert_eq!(sent["messages"][1]["content"], calls);
    assert_eq!(
        sent["messages"][2]["content"],
        json!([result("tooluse_1", "wet"), result("tooluse_2", "noon")])
    );
}

#[tokio::test]
async fn ids_of_other_vendors_are_written_in_the_vendors_alphabet() {
    let (upstream, hub) = before(CLAUDE, whole(&json!([text("ok")]))).await;
    let id = format!("call_{}~sig_/é", "x".repeat(90));
    let turns = json!([
        { "role": "user", "content": "hi" },
        { "role": "assistant", "content": null, "tool_calls": [
            { "id": id, "type": "function", "function": { "name": "weather", "arguments": "no json" } }] },
        { "role": "tool", "tool_call_id": id, "content": "" },
    ]);
    // Without tools of its own, the conversation still has to name those that it called.
    hub.call(&chat(json!({ "messages": turns }))).await.expect(200);
    let sent = upstream.only().json();
    let call = &sent["messages"][1]["content"][0]["toolUse"];
    assert_eq!(call["input"], json!({ "arguments": "no json" }));
    assert_eq!(call["toolUseId"], sent["messages"][2]["content"][0]["toolResult"]["toolUseId"]);
    assert_eq!(sent["toolConfig"]["tools"][0]["toolSpec"]["name"], "weather");
}

#[tokio::test]
async fn tools_that_may_not_be_called_are_left_out_and_a_name_that_is_none_is_refused() {
    let (upstream, hub) = before(CLAUDE, whole(&json!([text("ok")]))).await;
    let answer = hub.call(&chat(json!({ "tools": tools(), "tool_choice": "none" }))).await.expect(200);
    assert_eq!(answer.header("x-aigne-adapted"), Some("tool_choice: the tools are left out"));
    assert_eq!(upstream.only().json().get("toolConfig"), None);
    let mut bad = tools();
    bad[0]["function"]["name"] = json!("a.b");
    let error = hub.call(&chat(json!({ "tools": bad }))).await.expect(400).json()["error"].clone();
    assert_eq!(error["param"], "tools");
    assert!(error["message"].as_str().unwrap().contains("`a.b`"), "{error}");
    assert_eq!(upstream.counts().requests, 1);
}

#[tokio::test]
async fn pictures_and_documents_go_as_bytes_and_addresses_are_refused() {
    let (upstream, hub) = before(CLAUDE, whole(&json!([text("ok")]))).await;
    let image = |url: String| json!({ "type": "image_url", "image_url": { "url": url } });
    let file = json!({ "type": "file", "file": { "filename": "Q3_final.pdf", "file_data": "data:application/pdf;base64,JVBERi0=" } });
    let content = json!([image(format!("data:image/png;base64,{PIXEL}")), file, file]);
    hub.call(&chat(json!({ "messages": [{ "role": "user", "content": content }] }))).await.expect(200);
    let document = |name: &str| json!({ "document": { "format": "pdf", "name": name, "source": { "bytes": "JVBERi0=" } } });
    let expected = json!([
        { "image": { "format": "png", "source": { "bytes": PIXEL } } },
        document("Q3 final"),
        document("Q3 final (2)"),
        text("."),
    ]);
    assert_eq!(upstream.only().json()["messages"][0]["content"], expected);
    for bad in ["https://example.com/a.png", "s3://bucket/a.png", "data:image/tiff;base64,aGk="] {
        let content = json!([image(bad.to_owned())]);
        let answer = hub.call(&chat(json!({ "messages": [{ "role": "user", "content": content }] }))).await;
        assert_eq!(answer.expect(400).json()["error"]["param"], "image", "{bad}");
    }
    let (upstream, hub) = before(NOVA, whole(&json!([text("ok")]))).await;
    let content = json!([image("s3://bucket/a.png".to_owned())]);
    hub.call(&chat(json!({ "messages": [{ "role": "user", "content": content }] }))).await.expect(200);
    let stored = json!({ "format": "png", "source": { "s3Location": { "uri": "s3://bucket/a.png" } } });
    assert_eq!(upstream.only().json()["messages"][0]["content"][0]["image"], stored);
}

#[tokio::test]
async fn a_schema_is_enforced_where_the_model_takes_one_and_asked_for_by_a_tool_elsewhere() {
    let schema = json!({ "type": "object", "properties": { "a": { "type": "integer" } }, "required": ["a"] });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "thing", "schema": schema, "strict": true } });
    let (upstream, hub) = before(CLAUDE, whole(&json!([text(r#"{"a":1}"#)]))).await;
    let answer = hub.call(&chat(json!({ "response_format": format }))).await.expect(200);
    assert_eq!((answer.text().as_str(), answer.header("x-aigne-adapted")), (r#"{"a":1}"#, None));
    let sent = upstream.only().json()["outputConfig"]["textFormat"].clone();
    let told: Value =
        serde_json::from_str(sent["structure"]["jsonSchema"]["schema"].as_str().unwrap()).unwrap();
    assert_eq!((&sent["type"], told), (&json!("json_schema"), schema.clone()));

    for model in [OLD_CLAUDE, NOVA] {
        let said = json!([call("tooluse_1", "aigne_hub_answer", json!({ "a": 1 }))]);
        let (upstream, hub) = before(model, whole_with(&said, "tool_use", &usage())).await;
        let answer = hub.call(&chat(json!({ "response_format": format }))).await.expect(200);
        assert_eq!(answer.header("x-aigne-adapted"), Some("response_format: asked for by a tool"));
        let choice = &answer.json()["choices"][0];
        assert_eq!(
            (answer.text().as_str(), &choice["finish_reason"]),
            (r#"{"a":1}"#, &json!("stop")),
            "{choice}"
        );
        assert_eq!(choice["message"].get("tool_calls"), None, "{choice}");
        let sent = upstream.only().json()["toolConfig"].clone();
        assert_eq!(sent["tools"][0]["toolSpec"]["inputSchema"]["json"], schema);
        assert_eq!(sent["toolChoice"]["tool"], json!({ "name": "aigne_hub_answer" }));
        // Beside tools of the caller's own there is no room for it.
        let both = json!({ "response_format": format, "tools": tools() });
        let answer = hub.call(&chat(both)).await.expect(200);
        assert_eq!(answer.header("x-aigne-adapted"), Some("response_format: asked for by an instruction"));
        assert!(upstream.seen()[1].json()["system"][0]["text"].as_str().unwrap().contains("JSON Schema"));
    }
}

#[tokio::test]
async fn a_model_thinks_as_its_maker_has_it() {
    let thoughts =
        json!({ "reasoningContent": { "reasoningText": { "text": "Hm.", "signature": SIGNATURE } } });
    let reply = whole_with(&json!([thoughts, text("Yes")]), "end_turn", &full_usage());
    let (upstream, hub) = before(CLAUDE, reply).await;
    let answer = hub
        .call(&chat(json!({ "reasoning_effort": "low", "temperature": 0.2, "top_k": 5 })))
        .await
        .expect(200);
    let message = answer.json()["choices"][0]["message"].clone();
    assert_eq!((&message["reasoning_content"], &message["content"]), (&json!("Hm."), &json!("Yes")));
    let sent = upstream.only().json();
    assert_eq!(
        sent["additionalModelRequestFields"]["thinking"],
        json!({ "type": "enabled", "budget_tokens": 2048 })
    );
    assert_eq!(sent.get("inferenceConfig"), None, "{sent}");
    let adapted = answer.header("x-aigne-adapted").unwrap();
    assert!(adapted.contains("temperature: dropped"), "{adapted}");
    let expected =
        json!({ "input": 10, "cache_read": 105, "cache_write_5m": 3, "cache_write_1h": 4, "output": 4 });
    let usage = &answer.json()["usage"];
    assert_eq!(
        (&usage["prompt_tokens"], &usage["prompt_tokens_details"]["cached_tokens"]),
        (&json!(122), &json!(105))
    );
    assert_eq!(buckets(&entry(hub).await), expected);
}

#[tokio::test]
async fn the_models_own_fields_pass_and_win() {
    let (upstream, hub) = before(CLAUDE, whole(&json!([text("ok")]))).await;
    let own = json!({ "top_k": 9, "anthropic_beta": ["a"] });
    let answer =
        hub.call(&chat(json!({ "additionalModelRequestFields": own, "top_k": 5 }))).await.expect(200);
    assert_eq!(upstream.only().json()["additionalModelRequestFields"], own);
    assert!(!answer.header("x-aigne-adapted").unwrap_or_default().contains("additional"), "{answer:?}");
}

#[tokio::test]
async fn every_reason_is_told_in_the_callers_words() {
    for (reason, expected) in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
    ] {
        let (_upstream, hub) = before(NOVA, whole_with(&json!([text("x")]), reason, &usage())).await;
        let answer = hub.call(&chat(json!({}))).await.expect(200).json();
        assert_eq!(answer["choices"][0]["finish_reason"], expected, "{reason}");
    }
    for reason in ["malformed_model_output", "malformed_tool_use"] {
        let (_upstream, hub) = before(NOVA, whole_with(&json!([text("x")]), reason, &usage())).await;
        hub.call(&chat(json!({}))).await.expect(502);
    }
}
