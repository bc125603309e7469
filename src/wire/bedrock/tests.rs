use super::frames::tests::{encode, event};
use super::*;
use crate::chat::{
    Adapted, CacheHint, Citation, Dialect, Effort, Event, Field, Finish, Origin, Output, Part, PartKind,
    Policy, Reasoning, Request, Response, Role, Sampling, Signature, Stance, StreamIn, Text, Thinking, Tool,
    ToolCall, ToolChoice, ToolResult,
};
use crate::error::{Kind, Result};
use crate::types::Usage;
use crate::wire::openai_chat::tests::says;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

const CLAUDE: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";
const OLD: &str = "anthropic.claude-3-5-sonnet-20240620-v1:0";
const NOVA: &str = "amazon.nova-lite-v1:0";

fn asks(model: &str) -> Request {
    let messages = vec![says(Role::User, vec![Part::text("hi")])];
    Request { model: model.to_owned(), messages, ..Request::default() }
}

fn sent(request: &Request) -> (Value, String) {
    let mut adapted = Adapted::default();
    let body = request_out(request, &model_traits(&request.model), &mut adapted).unwrap();
    (serde_json::from_slice(&body).unwrap(), adapted.header().unwrap_or_default())
}

fn called(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        ..ToolCall::default()
    })
}

#[test]
fn a_conversation_begins_with_the_user_and_has_no_blank_text() {
    let mut request = asks(NOVA);
    request.messages = vec![says(Role::Assistant, vec![Part::text(" "), Part::text("yes ")])];
    let turn = |role: &str, text: &str| json!({ "role": role, "content": [{ "text": text }] });
    assert_eq!(sent(&request).0["messages"], json!([turn("user", "."), turn("assistant", "yes")]));
    request.messages = vec![says(Role::User, vec![Part::text("\n")])];
    assert_eq!(sent(&request).0["messages"], json!([turn("user", ".")]));
    request.messages = Vec::new();
    request.system = vec![Text { text: "only this".into(), ..Text::default() }];
    assert_eq!(sent(&request).0, json!({ "messages": [turn("user", "only this")] }));
}

#[test]
fn marks_of_caches_stand_behind_what_they_mark() {
    let hint = Some(CacheHint::OneHour);
    let result = ToolResult {
        call_id: "1".into(),
        parts: vec![Part::Text(Text { text: "x".into(), cache: hint, ..Text::default() })],
        ..ToolResult::default()
    };
    let mut request = asks(CLAUDE);
    request.messages = vec![
        says(Role::User, vec![Part::text("hi")]),
        says(Role::Assistant, vec![called("1", "t", "{}")]),
        says(Role::Tool, vec![Part::ToolResult(result)]),
    ];
    request.tools = vec![Tool { name: "t".into(), cache: hint, ..Tool::default() }];
    request.cache = Some(CacheHint::FiveMinutes);
    let (body, adapted) = sent(&request);
    let hour = json!({ "cachePoint": { "type": "default", "ttl": "1h" } });
    assert_eq!((&body["messages"][2]["content"][1], &body["toolConfig"]["tools"][1]), (&hour, &hour));
    assert_eq!(body["messages"][2]["content"].as_array().unwrap().len(), 2, "one mark at one place: {body}");
    assert_eq!(adapted, "");
    // Amazon's own models keep texts for five minutes, and no tools.
    request.model = NOVA.into();
    let (body, _) = sent(&request);
    assert_eq!(body["messages"][2]["content"][1], json!({ "cachePoint": { "type": "default" } }));
    assert_eq!(body["toolConfig"]["tools"].as_array().unwrap().len(), 1);
    request.model = "meta.llama3-1-70b-instruct-v1:0".into();
    let (body, adapted) = sent(&request);
    assert!(!body.to_string().contains("cachePoint") && adapted == "cache: dropped", "{adapted}");
}

#[test]
fn each_maker_is_told_to_think_in_its_own_words() {
    let fields = |model: &str, effort: Effort| {
        let reasoning = Reasoning { effort: Some(effort), ..Reasoning::default() };
        let (body, adapted) = sent(&Request { reasoning, ..asks(model) });
        (body["additionalModelRequestFields"].clone(), body["outputConfig"].clone(), adapted)
    };
    let enabled = json!({ "thinking": { "type": "enabled", "budget_tokens": 8192 } });
    assert_eq!(fields(CLAUDE, Effort::Medium), (enabled, Value::Null, String::new()));
    let adaptive = json!({ "thinking": { "type": "adaptive" } });
    let expected = (adaptive, json!({ "effort": "high" }), String::new());
    assert_eq!(fields("us.anthropic.claude-opus-4-8-v1:0", Effort::High), expected);
    let nova = json!({ "reasoningConfig": { "type": "enabled", "maxReasoningEffort": "low" } });
    assert_eq!(fields("us.amazon.nova-2-lite-v1:0", Effort::Low), (nova, Value::Null, String::new()));
    let set = "reasoning: effort set to high".to_owned();
    let oss = json!({ "reasoning_effort": "high" });
    assert_eq!(fields("openai.gpt-oss-120b-1:0", Effort::Max), (oss, Value::Null, set));
    for model in [OLD, NOVA] {
        assert_eq!(fields(model, Effort::Low), (Value::Null, Value::Null, "reasoning: dropped".to_owned()));
    }
    assert_eq!(fields(NOVA, Effort::None).2, "");
}

#[test]
fn a_budget_stays_below_the_callers_limit_and_no_limit_is_made_up() {
    let reasoning = Reasoning { budget_tokens: Some(5_000), ..Reasoning::default() };
    let mut request = Request { reasoning, ..asks(CLAUDE) };
    let (body, adapted) = sent(&request);
    assert_eq!((&body["inferenceConfig"], adapted.as_str()), (&Value::Null, ""));
    assert_eq!(body["additionalModelRequestFields"]["thinking"]["budget_tokens"], 5_000);
    request.sampling.max_output_tokens = Some(4_000);
    let (body, _) = sent(&request);
    assert_eq!(body["inferenceConfig"]["maxTokens"], 4_000);
    assert_eq!(body["additionalModelRequestFields"]["thinking"]["budget_tokens"], 3_999);
}

#[test]
fn thoughts_of_others_are_left_out_and_those_of_claude_go_to_claude_only() {
    let thought = |origin: Origin| {
        Part::Thinking(Thinking { text: "hm".into(), signature: Some(Signature::new(origin, "c2ln")) })
    };
    let redacted = |data: &str| Part::RedactedThinking { data: data.into(), origin: Origin::Anthropic };
    let mut request = asks(CLAUDE);
    let parts = vec![
        thought(Origin::Anthropic),
        thought(Origin::Gemini),
        redacted("AAAA"),
        redacted("no base64!"),
        Part::text("b"),
    ];
    request.messages.push(says(Role::Assistant, parts));
    request.messages.push(says(Role::User, vec![Part::text("c")]));
    let (body, adapted) = sent(&request);
    let expected = json!([
        { "reasoningContent": { "reasoningText": { "text": "hm", "signature": "c2ln" } } },
        { "reasoningContent": { "redactedContent": "AAAA" } },
        { "text": "b" },
    ]);
    assert_eq!(
        (&body["messages"][1]["content"], adapted.as_str()),
        (&expected, "reasoning_history: left out")
    );
    request.model = NOVA.into();
    assert_eq!(sent(&request).0["messages"][1]["content"], json!([{ "text": "b" }]));
}

#[test]
fn a_choice_that_a_model_does_not_take_is_left_to_it() {
    let tool = Tool { name: "t".into(), description: Some(String::new()), ..Tool::default() };
    let mut request = Request { tools: vec![tool], tool_choice: Some(ToolChoice::Required), ..asks(NOVA) };
    let (body, _) = sent(&request);
    assert_eq!(body["toolConfig"]["toolChoice"], json!({ "any": {} }));
    let schema = json!({ "json": { "type": "object", "properties": {} } });
    assert_eq!(body["toolConfig"]["tools"][0]["toolSpec"], json!({ "name": "t", "inputSchema": schema }));
    request.model = "meta.llama3-1-70b-instruct-v1:0".into();
    let (body, adapted) = sent(&request);
    assert_eq!(
        (&body["toolConfig"]["toolChoice"], adapted.as_str()),
        (&Value::Null, "tool_choice: left to the model")
    );
    request.model = "meta.llama3-70b-instruct-v1:0".into();
    let mut adapted = Adapted::default();
    let failure = request_out(&request, &model_traits(&request.model), &mut adapted).unwrap_err();
    assert_eq!((failure.kind, failure.param.as_deref()), (Kind::InvalidRequest, Some("tools")));
}

#[test]
fn a_shape_beside_called_tools_is_asked_for_by_words() {
    let output = Output::JsonSchema {
        name: "n".into(),
        description: None,
        schema: crate::chat::Json::of(&json!({ "type": "object" })),
        strict: None,
    };
    let mut request = Request { output, ..asks(OLD) };
    assert_eq!(
        sent(&request).0["toolConfig"]["toolChoice"],
        json!({ "tool": { "name": output::ANSWER_TOOL } })
    );
    request.messages.push(says(Role::Assistant, vec![called("1", "t", "{}")]));
    let (body, adapted) = sent(&request);
    assert_eq!(body["toolConfig"]["tools"][0]["toolSpec"]["name"], "t");
    assert_eq!(adapted, "response_format: asked for by an instruction");
    let refuse = Policy::new([(Field::Output, Stance::Refuse)]);
    let failure = request_out(&request, &model_traits(OLD), &mut Adapted::new(refuse)).unwrap_err();
    assert_eq!(failure.param.as_deref(), Some("response_format"));
}

#[test]
fn sampling_stays_within_what_converse_says() {
    let sampling = Sampling {
        temperature: Some(2.0),
        top_p: Some(0.5),
        top_k: Some(5),
        stop: vec![" ".into(), "END".into()],
        ..Sampling::default()
    };
    let (body, adapted) = sent(&Request { sampling: sampling.clone(), ..asks(NOVA) });
    let expected = json!({ "temperature": 1.0, "topP": 0.5, "stopSequences": ["END"] });
    assert_eq!(body["inferenceConfig"], expected);
    assert_eq!(body["additionalModelRequestFields"], json!({ "inferenceConfig": { "topK": 5 } }));
    assert_eq!(adapted, "temperature: clamped to 1; stop: blank texts dropped");
    // Claude of the later kind takes one of the two.
    let (body, adapted) = sent(&Request { sampling, ..asks(CLAUDE) });
    assert_eq!(body["inferenceConfig"], json!({ "temperature": 1.0, "stopSequences": ["END"] }));
    assert!(
        adapted.contains("top_p: dropped") && body["additionalModelRequestFields"]["top_k"] == 5,
        "{adapted}"
    );
}

#[test]
fn an_answer_of_every_kind_of_block_is_read() {
    let content = json!([
        { "reasoningContent": { "reasoningText": { "text": "hm", "signature": "s" } } },
        { "reasoningContent": { "redactedContent": "AAAA" } },
        { "text": "a" },
        { "citationsContent": { "content": [{ "text": "b" }], "citations": [
            { "title": "T", "sourceContent": [{ "text": "q" }], "location": { "web": { "url": "https://x" } } }] } },
        { "image": { "format": "png", "source": { "bytes": "aGk=" } } },
        { "toolUse": { "toolUseId": "u", "name": "t", "input": { "x": 1 } } },
        { "toolUse": { "toolUseId": "v", "name": "search", "input": {}, "type": "server_tool_use" } },
        { "newThing": { "y": 2 } },
    ]);
    let body = json!({ "output": { "message": { "role": "assistant", "content": content } }, "stopReason": "tool_use",
                       "usage": { "inputTokens": 1, "outputTokens": 2 }, "metrics": { "latencyMs": 1 } });
    let read = response_in(body.to_string().as_bytes()).unwrap();
    let parts = &read.first().parts;
    assert!(
        matches!(&parts[0], Part::Thinking(t) if t.signature.as_ref().unwrap().origin == Origin::Anthropic)
    );
    assert!(matches!(&parts[1], Part::RedactedThinking { data, .. } if data == "AAAA"));
    let Part::Text(Text { text, citations, .. }) = &parts[3] else { panic!("{parts:?}") };
    let Citation { url, title, quote, .. } = &citations[0];
    let told = [url.as_deref(), title.as_deref(), quote.as_deref()];
    assert_eq!((text.as_str(), told), ("b", [Some("https://x"), Some("T"), Some("q")]));
    assert!(matches!(&parts[4], Part::Image(_)));
    assert_eq!(parts[5], called("u", "t", r#"{"x":1}"#));
    assert!(
        matches!(&parts[6], Part::Other(other) if other.kind == "toolUse" && other.dialect == Dialect::Bedrock)
    );
    assert!(matches!(&parts[7], Part::Other(other) if other.kind == "newThing"));
    assert_eq!(read.first().finish, Some(Finish::ToolCalls));
    for bad in ["", "{}", r#"{"output":{}}"#, r#"{"output":{"message":{"content":7}}}"#] {
        assert_eq!(response_in(bad.as_bytes()).unwrap_err().kind, Kind::VendorMalformed, "{bad}");
    }
}

/// What a stream of frames means, fed in these pieces.
fn events(pieces: &[&[u8]]) -> Result<Vec<Event>> {
    let (mut frames, mut reader, mut out) = (Frames::new(1 << 20), StreamReader::new(), Vec::new());
    for piece in pieces {
        frames.push(Bytes::copy_from_slice(piece));
        while let Some(frame) = frames.next_frame()? {
            reader.feed(Some(frame.name.as_bytes()), &frame.data, &mut out)?;
        }
    }
    reader.end(&mut out)?;
    Ok(out)
}

/// The whole answer that a stream's events come to.
fn gathered(events: &[Event]) -> Response {
    let (mut parts, mut usage, mut finish) = (Vec::new(), None, None);
    for event in events {
        match event {
            Event::PartStart(PartKind::Text) => parts.push(Part::text("")),
            Event::PartStart(PartKind::Thinking) => parts.push(Part::Thinking(Thinking::default())),
            Event::ToolCallStart { id, name, .. } => parts.push(called(id, name, "")),
            Event::Part(part) => parts.push(part.clone()),
            Event::Usage(counts) => usage = Some(*counts),
            Event::Finish(reason) => finish = Some(reason.clone()),
            _ => {}
        }
        match (event, parts.last_mut()) {
            (Event::TextDelta(more), Some(Part::Text(text))) => text.text.push_str(more),
            (Event::ThinkingDelta(more), Some(Part::Thinking(thinking))) => thinking.text.push_str(more),
            (Event::SignatureDelta(signature), Some(Part::Thinking(thinking))) => {
                thinking.signature = Some(signature.clone());
            }
            (Event::ToolCallDelta { fragment, .. }, Some(Part::ToolCall(call))) => {
                call.arguments.push_str(fragment)
            }
            (Event::ToolCallEnd { .. }, Some(Part::ToolCall(call))) if call.arguments.is_empty() => {
                call.arguments.push_str("{}");
            }
            _ => {}
        }
    }
    let choice = crate::chat::Choice { parts, finish, logprobs: None };
    Response { choices: vec![choice], usage, ..Response::default() }
}

/// A part in the vendor's words: whole, and as the frames of a stream.
fn spoken(index: usize, part: &Part) -> (Value, Vec<u8>) {
    let delta = |delta: Value| {
        event("contentBlockDelta", &json!({ "contentBlockIndex": index, "delta": delta }).to_string())
    };
    let stop = event("contentBlockStop", &json!({ "contentBlockIndex": index }).to_string());
    let halves = |text: &str| {
        let (a, b) = text.split_at(text.floor_char_boundary(text.len() / 2));
        [a.to_owned(), b.to_owned()]
    };
    let (whole, frames): (Value, Vec<Vec<u8>>) = match part {
        Part::Text(text) => (
            json!({ "text": text.text }),
            halves(&text.text).map(|half| delta(json!({ "text": half }))).into(),
        ),
        Part::Thinking(thinking) => {
            let signature = thinking.signature.as_ref().map(|signature| &signature.text);
            let told = json!({ "text": thinking.text, "signature": signature });
            let mut frames: Vec<_> = halves(&thinking.text)
                .map(|half| delta(json!({ "reasoningContent": { "text": half } })))
                .into();
            frames.push(delta(json!({ "reasoningContent": { "signature": signature } })));
            (json!({ "reasoningContent": { "reasoningText": told } }), frames)
        }
        Part::RedactedThinking { data, .. } => {
            let redacted = json!({ "reasoningContent": { "redactedContent": data } });
            (redacted.clone(), vec![delta(redacted)])
        }
        Part::ToolCall(call) => {
            let input: Value = serde_json::from_str(&call.arguments).unwrap();
            let start = json!({ "toolUse": { "toolUseId": call.id, "name": call.name } });
            let start = json!({ "contentBlockIndex": index, "start": start });
            let mut frames = vec![event("contentBlockStart", &start.to_string())];
            if call.arguments != "{}" {
                frames.extend(
                    halves(&call.arguments).map(|half| delta(json!({ "toolUse": { "input": half } }))),
                );
            }
            (json!({ "toolUse": { "toolUseId": call.id, "name": call.name, "input": input } }), frames)
        }
        other => panic!("{other:?}"),
    };
    (whole, [frames.concat(), stop].concat())
}

fn any_part() -> impl Strategy<Value = Part> {
    let signature = |text: String| Some(Signature::new(Origin::Anthropic, text));
    prop_oneof![
        ".{1,40}".prop_map(Part::text),
        (".{1,40}", "[a-zA-Z0-9+/]{1,20}")
            .prop_map(move |(text, signed)| Part::Thinking(Thinking { text, signature: signature(signed) })),
        "[a-zA-Z0-9+/]{4,20}".prop_map(|data| Part::RedactedThinking { data, origin: Origin::Anthropic }),
        ("[a-zA-Z0-9_.:-]{1,64}", "[a-zA-Z0-9_-]{1,30}", proptest::option::of(".{0,20}")).prop_map(
            |(id, name, value)| {
                let arguments =
                    value.map_or_else(|| "{}".to_owned(), |value| json!({ "k": value }).to_string());
                called(&id, &name, &arguments)
            }
        ),
    ]
}

proptest! {
    #[test]
    fn whole_and_streamed_an_answer_means_the_same(
        parts in proptest::collection::vec(any_part(), 1..6),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        counts in (0..9_999_u64, 0..9_999_u64, 0..9_999_u64),
    ) {
        let (input, output, cached) = counts;
        let usage = json!({ "inputTokens": input, "outputTokens": output, "cacheReadInputTokens": cached });
        let spoken: Vec<_> = parts.iter().enumerate().map(|(index, part)| spoken(index, part)).collect();
        let content: Vec<&Value> = spoken.iter().map(|(whole, _)| whole).collect();
        let body = json!({ "output": { "message": { "content": content } }, "stopReason": "max_tokens", "usage": usage });
        let whole = response_in(body.to_string().as_bytes()).unwrap();
        prop_assert_eq!(&whole.first().parts, &parts);

        let mut stream = event("messageStart", r#"{"role":"assistant"}"#);
        stream.extend(spoken.iter().flat_map(|(_, frames)| frames));
        stream.extend(event("messageStop", r#"{"stopReason":"max_tokens"}"#));
        stream.extend(event("metadata", &json!({ "usage": usage, "metrics": { "latencyMs": 1 } }).to_string()));
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|ends| &stream[ends[0]..ends[1]]).collect();
        let streamed = events(&pieces).unwrap();
        prop_assert_eq!(gathered(&streamed), whole);
        prop_assert_eq!(streamed.last(), Some(&Event::End));
    }

    #[test]
    fn any_payload_of_any_event_is_read_without_a_panic(name in "[a-zA-Z:]{0,24}", data in ".{0,80}") {
        let mut out = Vec::new();
        let mut reader = StreamReader::new();
        for name in [name.as_str(), "contentBlockDelta", "contentBlockStart", "messageStop", "metadata"] {
            _ = reader.feed(Some(name.as_bytes()), data.as_bytes(), &mut out);
        }
        _ = reader.end(&mut out);
        _ = response_in(data.as_bytes());
    }
}

#[test]
fn a_stream_without_a_reason_is_cut_and_one_without_numbers_is_not() {
    let text = event("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"a"}}"#);
    assert_eq!(events(&[&text]).unwrap_err().kind, Kind::VendorCut);
    let stop = event("messageStop", r#"{"stopReason":"end_turn"}"#);
    let read = events(&[&text, &stop]).unwrap();
    assert_eq!(read[read.len() - 2..], [Event::Finish(Finish::Stop), Event::End]);
}

#[test]
fn a_failure_ends_everything() {
    let exception = encode(
        &[(":message-type", "exception"), (":exception-type", "modelStreamErrorException")],
        br#"{"message":"it broke","originalStatusCode":500}"#,
    );
    let late = event("messageStop", r#"{"stopReason":"end_turn"}"#);
    let read = events(&[&exception, &late]).unwrap();
    let [Event::Error(error)] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!(
        (error.kind.as_deref(), error.message.as_str()),
        (Some("modelStreamErrorException"), "it broke")
    );
}

#[test]
fn the_numbers_of_a_stream_are_told_behind_the_reason() {
    let stop = event("messageStop", r#"{"stopReason":"guardrail_intervened"}"#);
    let numbers =
        event("metadata", r#"{"usage":{"inputTokens":3,"outputTokens":2},"trace":{"guardrail":{}}}"#);
    let read = events(&[&stop, &numbers]).unwrap();
    let usage = Usage { input: 3, output: 2, ..Usage::default() };
    assert_eq!(read, [Event::Finish(Finish::ContentFilter), Event::Usage(usage), Event::End]);
}
