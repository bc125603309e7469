//! Callers of Responses before vendors of other dialects.

use super::*;
use anthropic::{SIGNATURE, block, delta, end, finish, message_reply, start, text, usage};

/// The model `gpt` on a vendor that speaks Anthropic's dialect.
fn claude(upstream: &Upstream) -> Conf {
    Conf::of([Provider::anthropic("claude", upstream)]).model("gpt", &["claude/claude-sonnet-4-5"], &[])
}

fn weather() -> Value {
    json!({ "type": "function", "name": "get_weather", "description": "d", "strict": false,
            "parameters": { "type": "object", "properties": { "city": { "type": "string" } } } })
}

#[tokio::test]
async fn a_request_arrives_in_the_vendors_words() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let format =
        json!({ "type": "json_schema", "name": "city", "schema": { "type": "object" }, "strict": true });
    let request = ask(json!({
        "instructions": "Be brief.", "temperature": 0.5, "top_p": 0.9, "max_output_tokens": 50,
        "text": { "format": format, "verbosity": "low" }, "tools": [weather()], "parallel_tool_calls": false,
        "tool_choice": { "type": "function", "name": "get_weather" }, "safety_identifier": "someone",
        "store": false, "truncation": "disabled", "include": ["reasoning.encrypted_content"],
        "input": [
            { "role": "developer", "content": "In English." },
            { "role": "user", "content": [
                { "type": "input_text", "text": "What is this?" },
                { "type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "low" },
                { "type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk=" },
            ] },
            { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "Let me see.", "annotations": [] }] },
            { "type": "function_call", "id": "fc_1", "call_id": "c1", "name": "get_weather", "arguments": "{}" },
            { "type": "function_call", "call_id": "c2", "name": "get_weather", "arguments": "{\"city\":\"Bern\"}" },
            { "type": "function_call_output", "call_id": "c1", "output": "wet" },
            { "type": "function_call_output", "call_id": "c2", "output": [{ "type": "input_text", "text": "dry" }] },
            { "role": "user", "content": "So?" },
        ],
    }));
    let answer = hub.call(&request).await.expect(200);
    let sent = upstream.only().json();
    let messages = sent["messages"].as_array().unwrap();
    let roles: Vec<_> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "tool", "user"], "{sent}");
    assert_eq!(messages[0]["content"], "Be brief.\n\nIn English.");
    assert_eq!(messages[2]["content"], "Let me see.");
    assert_eq!(messages[2]["tool_calls"].as_array().unwrap().len(), 2);
    assert_eq!((&messages[3]["content"], &messages[4]["tool_call_id"]), (&json!("wet"), &json!("c2")));
    let url = &messages[1]["content"][1]["image_url"];
    assert_eq!(url, &json!({ "url": "data:image/png;base64,aGk=", "detail": "low" }));
    let choice = json!({ "type": "function", "function": { "name": "get_weather" } });
    assert_eq!((&sent["tool_choice"], &sent["parallel_tool_calls"]), (&choice, &json!(false)));
    assert_eq!(sent["response_format"]["json_schema"]["schema"], json!({ "type": "object" }));
    assert_eq!((&sent["user"], &sent["temperature"]), (&json!("someone"), &json!(0.5)));
    assert!(sent.get("store").is_none() && sent.get("include").is_none(), "{sent}");
    let adapted = answer.header("x-aigne-adapted").unwrap();
    assert!(adapted.contains("text.verbosity") && !adapted.contains("store"), "{adapted}");
    let said = answer.json();
    assert_eq!((&said["store"], &said["instructions"]), (&json!(false), &json!("Be brief.")));
    assert_eq!((&said["max_output_tokens"], &said["text"]["format"]), (&json!(50), &format));
    assert_eq!(said["output"][0]["type"], "function_call");
    let entry = entry(hub).await;
    assert_eq!((buckets(&entry), &entry["op"]), (json!({ "input": 9, "output": 3 }), &json!("chat")));
}

#[tokio::test]
async fn a_stream_arrives_in_the_callers_events_and_in_the_books() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let answer = hub.call(&ask(json!({ "stream": true }))).await.expect(200);
    assert_eq!(answer.header("content-type").map(|kind| kind.contains("text/event-stream")), Some(true));
    assert!(!String::from_utf8_lossy(&answer.body).contains("[DONE]"));
    let told = Told::read(&answer.body);
    assert_eq!(told.text, vendor::TEXT);
    let whole = told.expect_whole();
    assert_eq!((&whole["status"], &whole["usage"]["total_tokens"]), (&json!("completed"), &json!(12)));
    let sent = upstream.only().json();
    assert_eq!(sent["stream_options"], json!({ "include_usage": true }));
    let entry = entry(hub).await;
    assert_eq!(
        (buckets(&entry), &entry["usage_source"]),
        (json!({ "input": 9, "output": 3 }), &json!("provider"))
    );
}

#[tokio::test]
async fn thoughts_come_back_with_what_proves_them() {
    let thinking = json!({ "type": "thinking", "thinking": "Hm.", "signature": SIGNATURE });
    let hidden = json!({ "type": "redacted_thinking", "data": "b3BhcXVl" });
    let call =
        json!({ "type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": { "city": "Bern" } });
    let begun = block_of_thoughts(start(&usage()));
    let streamed = finish(block(begun, 1, &["Hel", "lo"]), "end_turn", &json!({ "output_tokens": 3 }));
    let first = message_reply(&json!([thinking, hidden, text("Let me see."), call]));
    let upstream = Upstream::anthropic_script([first, message_reply(&json!([text("wet")])), streamed]).await;
    let hub = Gateway::start(&claude(&upstream)).await;
    let answer =
        hub.call(&ask(json!({ "tools": [weather()], "reasoning": { "effort": "low" } }))).await.expect(200);
    let said = answer.json();
    let kinds: Vec<_> = said["output"].as_array().unwrap().iter().map(|item| item["type"].clone()).collect();
    assert_eq!(json!(kinds), json!(["reasoning", "reasoning", "message", "function_call"]));
    assert_eq!(said["output"][0]["summary"], json!([{ "type": "summary_text", "text": "Hm." }]));
    let mut turns = said["output"].as_array().unwrap().clone();
    turns.insert(0, json!({ "role": "user", "content": "hi" }));
    turns.push(json!({ "type": "function_call_output", "call_id": "toolu_1", "output": "rain" }));
    hub.call(&ask(json!({ "tools": [weather()], "input": turns, "reasoning": { "effort": "low" } })))
        .await
        .expect(200);
    let again = upstream.seen()[1].json();
    assert_eq!(again["messages"][1]["content"], json!([thinking, hidden, text("Let me see."), call]));
    let answer = hub.call(&ask(json!({ "stream": true }))).await.expect(200);
    let told = Told::read(&answer.body);
    assert_eq!(told.text, "Hello");
    assert!(told.kinds.contains(&"response.reasoning_summary_text.delta".to_owned()), "{:?}", told.kinds);
    let whole = told.expect_whole();
    assert_eq!(whole["output"][0]["summary"][0]["text"], "Hm.");
    assert_eq!(whole["output"][0]["encrypted_content"], said["output"][0]["encrypted_content"]);
}

fn block_of_thoughts(reply: Reply) -> Reply {
    let reply = anthropic::begin(reply, 0, &json!({ "type": "thinking", "thinking": "", "signature": "" }));
    let reply = delta(reply, 0, &json!({ "type": "thinking_delta", "thinking": "H" }));
    let reply = delta(reply, 0, &json!({ "type": "thinking_delta", "thinking": "m." }));
    end(delta(reply, 0, &json!({ "type": "signature_delta", "signature": SIGNATURE })), 0)
}

#[tokio::test]
async fn an_answer_that_was_cut_by_its_limit_is_incomplete() {
    let mut whole = vendor::chat(&json!({ "model": "gpt-4o" }));
    whole["choices"][0]["finish_reason"] = json!("length");
    let streamed = Reply::sse().text("Hel").event(&vendor::delta(json!({}), json!("length"))).done();
    let mut filtered = vendor::chat(&json!({ "model": "gpt-4o" }));
    filtered["choices"][0]["finish_reason"] = json!("content_filter");
    let upstream = Upstream::script([Reply::json(200, &whole), streamed, Reply::json(200, &filtered)]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let said = hub.call(&ask(json!({}))).await.expect(200).json();
    let reason = json!({ "reason": "max_output_tokens" });
    assert_eq!((&said["status"], &said["incomplete_details"]), (&json!("incomplete"), &reason));
    assert_eq!(said["output"][0]["status"], "incomplete");
    let told = Told::read(&hub.call(&ask(json!({ "stream": true }))).await.expect(200).body);
    assert_eq!(told.kinds.last().unwrap(), "response.incomplete");
    assert_eq!(told.expect_whole()["incomplete_details"], reason);
    let said = hub.call(&ask(json!({}))).await.expect(200).json();
    assert_eq!(said["incomplete_details"], json!({ "reason": "content_filter" }));
}

#[tokio::test]
async fn a_tool_that_takes_text_is_a_function_to_the_vendor() {
    let function = json!({ "name": "patch", "arguments": "{\"input\":\"*** a\\n\"}" });
    let call = json!({ "id": "call_1", "type": "function", "function": function });
    let mut whole = vendor::chat(&json!({ "model": "gpt-4o" }));
    whole["choices"][0]["message"] = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
    let mut first = call.clone();
    (first["index"], first["function"]["arguments"]) = (json!(0), json!("{\"inp"));
    let rest = json!({ "tool_calls": [{ "index": 0, "function": { "arguments": "ut\":\"*** a\\n\"}" } }] });
    let streamed = Reply::sse()
        .event(&vendor::delta(json!({ "tool_calls": [first] }), Value::Null))
        .event(&vendor::delta(rest, Value::Null))
        .event(&vendor::delta(json!({}), json!("tool_calls")))
        .done();
    let upstream = Upstream::script([Reply::json(200, &whole), streamed, vendor::answer_chat()]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let tools = json!([{ "type": "custom", "name": "patch", "description": "d",
                         "format": { "type": "grammar", "syntax": "lark", "definition": "start: A" } }]);
    let said = hub.call(&ask(json!({ "tools": tools }))).await.expect(200).json();
    let item = &said["output"][0];
    assert_eq!((&item["type"], &item["input"]), (&json!("custom_tool_call"), &json!("*** a\n")));
    let sent = &upstream.only().json()["tools"][0]["function"];
    assert_eq!(sent["parameters"]["required"], json!(["input"]));
    assert!(sent["description"].as_str().unwrap().contains("start: A"));
    let told = Told::read(&hub.call(&ask(json!({ "tools": tools, "stream": true }))).await.expect(200).body);
    assert!(told.kinds.contains(&"response.custom_tool_call_input.done".to_owned()), "{:?}", told.kinds);
    assert_eq!(told.expect_whole()["output"][0]["input"], "*** a\n");
    let result = json!({ "type": "custom_tool_call_output", "call_id": "call_1", "output": "done" });
    hub.call(&ask(json!({ "previous_response_id": said["id"], "input": [result] }))).await.expect(200);
    let messages = upstream.seen()[2].json()["messages"].clone();
    assert_eq!(messages[1]["tool_calls"][0]["function"]["arguments"], "{\"input\":\"*** a\\n\"}");
    assert_eq!(messages[2]["content"], "done");
}

#[tokio::test]
async fn only_allowed_tools_are_offered() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let other = json!({ "type": "function", "name": "other", "parameters": {}, "strict": false });
    let allowed = |name: &str| json!({ "type": "allowed_tools", "mode": "required", "tools": [{ "type": "function", "name": name }] });
    let request = |name: &str| ask(json!({ "tools": [weather(), other], "tool_choice": allowed(name) }));
    hub.call(&request("get_weather")).await.expect(200);
    let sent = upstream.only().json();
    assert_eq!((sent["tools"].as_array().unwrap().len(), &sent["tool_choice"]), (1, &json!("required")));
    hub.call(&request("nobody")).await.expect(400);
}

#[tokio::test]
async fn the_simulator_answers_too() {
    let hub = Gateway::start(&Conf::of([Provider::simulator("sim")]).model("gpt", &["sim/echo"], &[])).await;
    let said = hub.call(&ask(json!({}))).await.expect(200).json();
    assert_eq!(said["output"][0]["content"][0]["text"], "hi");
    let told = Told::read(&hub.call(&ask(json!({ "stream": true }))).await.expect(200).body);
    let whole = told.expect_whole();
    assert_eq!(whole["output"][0]["content"][0]["text"], "hi");
    hub.get(&format!("/v1/responses/{}", whole["id"].as_str().unwrap())).await.expect(200);
}

#[tokio::test]
async fn an_answer_from_the_cache_is_the_same_object() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).set("cache", "ttl = \"1h\"")).await;
    let request = |more: Value| ask(with(json!({ "temperature": 0 }), more));
    let first = hub.call(&request(json!({}))).await.expect(200);
    let second = hub.call(&request(json!({}))).await.expect(200);
    assert_eq!((second.header("x-cache"), &second.body), (Some("hit"), &first.body));
    // One that is not to be stored is another one.
    let third = hub.call(&request(json!({ "store": false }))).await.expect(200);
    assert_eq!(third.header("x-cache"), Some("miss"));
    assert_eq!(upstream.counts().requests, 2);
}

#[tokio::test]
async fn a_rule_caps_the_answer_by_the_dialects_own_name() {
    let upstream = Upstream::realistic().await;
    let rules = "[[rule]]\nname = \"cap\"\nwhen = \"true\"\nthen = { max_output_tokens = 7 }\n";
    let conf = Conf::one(&upstream).file("rules.toml", rules).set("rules", "files = [\"rules.toml\"]");
    let hub = Gateway::start(&conf).await;
    hub.call(&ask(json!({}))).await.expect(200);
    hub.call(&ask(json!({ "max_output_tokens": 100 }))).await.expect(200);
    for seen in upstream.seen() {
        let sent = seen.json();
        let limit = sent.get("max_tokens").or_else(|| sent.get("max_completion_tokens"));
        assert_eq!(limit, Some(&json!(7)), "{sent}");
    }
}
