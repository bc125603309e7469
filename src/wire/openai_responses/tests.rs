use super::*;
use crate::chat::{
    Adapted, Choice, Citation, Dialect, Event, Field, Finish, Image, Message, Origin, Output, Part, PartKind,
    Policy, Request, Response, Role, Signature, Source, Stance, StreamIn, StreamOut, Text, Thinking,
    ToolCall, ToolChoice, ToolResult,
};
use crate::error::{Failure, Kind};
use crate::types::Usage;
use crate::wire::openai::Counting;
use crate::wire::openai_chat::tests::value;
use crate::wire::{anthropic, openai_chat, sse};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

const USAGE: Usage = Usage {
    input: 5,
    cache_read: 3,
    cache_write_5m: 1,
    output: 4,
    reasoning: 2,
    cache_write_1h: 0,
    audio_input: 0,
    audio_output: 0,
    images: 0,
    characters: 0,
    milliseconds: 0,
    requests: 0,
};

fn read(body: Value) -> Request {
    request_in(body.to_string().as_bytes()).unwrap()
}

fn asked(body: &Value) -> (String, String) {
    ("0123".to_owned(), body.to_string())
}

fn whole(response: &Response, body: &Value) -> Value {
    let (id, body) = asked(body);
    value(&response_out(response, Asked { id: &id, body: body.as_bytes() }))
}

fn answer(parts: Vec<Part>, finish: Option<Finish>) -> Response {
    Response {
        id: "vendors".into(),
        model: "m-1".into(),
        created: Some(7),
        choices: vec![Choice { parts, finish, logprobs: None }],
        usage: Some(USAGE),
        service_tier: None,
    }
}

/// The events of a stream, each with its name checked.
fn written(events: &[Event], body: &Value) -> Vec<Value> {
    let (id, body) = asked(body);
    let mut writer = StreamWriter::new(Asked { id: &id, body: body.as_bytes() }, 7);
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.emit(event, &mut out));
    parsed(&out)
}

fn parsed(out: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(out).unwrap();
    let events: Vec<Value> = text
        .split_terminator("\n\n")
        .map(|event| {
            let (name, data) = event.split_once('\n').unwrap();
            let data = value(data.strip_prefix("data: ").unwrap().as_bytes());
            assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
            data
        })
        .collect();
    let numbers: Vec<_> = events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..events.len() as u64).collect::<Vec<_>>());
    events
}

fn begun() -> Event {
    Event::Start { id: "vendors".into(), model: "m-1".into(), created: Some(7) }
}

/// What a stream of these parts is.
fn streamed(parts: &[Part], finish: Finish) -> Vec<Event> {
    let mut events = vec![begun()];
    let mut calls = 0;
    for part in parts {
        match part {
            Part::Text(text) => {
                events.push(Event::PartStart(PartKind::Text));
                events.extend(halves(&text.text).map(Event::TextDelta));
                events.extend(text.citations.iter().cloned().map(Event::Citation));
            }
            Part::Refusal(text) => {
                events.push(Event::PartStart(PartKind::Refusal));
                events.extend(halves(text).map(Event::RefusalDelta));
            }
            Part::Thinking(thinking) => {
                events.push(Event::PartStart(PartKind::Thinking));
                events.extend(halves(&thinking.text).map(Event::ThinkingDelta));
                events.extend(thinking.signature.clone().map(Event::SignatureDelta));
            }
            Part::ToolCall(call) => {
                let (id, name, signature) = (call.id.clone(), call.name.clone(), call.signature.clone());
                events.push(Event::ToolCallStart { index: calls, id, name, signature });
                let deltas = halves(&call.arguments);
                events.extend(deltas.map(|fragment| Event::ToolCallDelta { index: calls, fragment }));
                events.push(Event::ToolCallEnd { index: calls });
                calls += 1;
            }
            part => events.push(Event::Part(part.clone())),
        }
    }
    events.extend([Event::Finish(finish), Event::Usage(USAGE), Event::End]);
    events
}

fn halves(text: &str) -> impl Iterator<Item = String> {
    let (front, back) = text.split_at(text.floor_char_boundary(text.len() / 2));
    [front, back].map(str::to_owned).into_iter().filter(|half| !half.is_empty())
}

#[test]
fn a_text_and_a_list_mean_a_conversation() {
    let request = read(json!({ "model": "m", "input": "hi", "instructions": "s" }));
    assert_eq!(request.system[0].text, "s");
    assert_eq!(request.messages, [Message { role: Role::User, name: None, parts: vec![Part::text("hi")] }]);
    let request = read(json!({ "model": "m", "input": [
        { "role": "system", "content": "a" },
        { "role": "user", "content": "b" },
        { "role": "developer", "content": "c" },
        { "type": "web_search_call", "id": "ws_1", "status": "completed" },
        { "type": "message", "role": "assistant", "content": [
            { "type": "output_text", "text": "d", "annotations": [] }, { "type": "refusal", "refusal": "e" }] },
    ] }));
    assert_eq!(request.system[0].text, "a");
    let roles: Vec<_> = request.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::System, Role::Assistant]);
    let parts = &request.messages[2].parts;
    assert!(matches!(&parts[0], Part::Other(other) if other.kind == "web_search_call"));
    assert_eq!(parts[1..], [Part::text("d"), Part::Refusal("e".into())]);
}

#[test]
fn fields_say_what_they_say_elsewhere() {
    let request = read(json!({
        "model": "m", "input": "hi", "tool_choice": { "type": "custom", "name": "t" }, "store": true,
        "tools": [{ "type": "custom", "name": "t" }, { "type": "mcp", "server_label": "s" }],
        "text": { "format": { "type": "json_object" } }, "max_output_tokens": 9, "metadata": {},
        "reasoning": { "effort": "minimal", "summary": "detailed" }, "truncation": "auto", "stream": true,
        "previous_response_id": "r", "include": [], "safety_identifier": "u", "stream_options": {},
    }));
    assert_eq!((&request.output, request.sampling.max_output_tokens), (&Output::JsonObject, Some(9)));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("t".into())));
    assert_eq!((request.tools.len(), request.hosted_tools[0].kind.as_str()), (1, "mcp"));
    assert_eq!(
        (request.user.as_deref(), request.metadata.is_none(), request.stream),
        (Some("u"), true, true)
    );
    let extra: Vec<_> = request.extra.iter().map(|extra| extra.name.as_str()).collect();
    assert_eq!(extra, ["truncation"]);
    let mut adapted = Adapted::new(Policy::new([(Field::HostedTool, Stance::Refuse)]));
    let traits = anthropic::model_traits("claude-sonnet-4-5");
    let refused = anthropic::request_out(&request, &traits, &mut adapted).unwrap_err();
    assert_eq!((refused.kind, refused.param.as_deref()), (Kind::InvalidRequest, Some("mcp")));
}

#[test]
fn an_answer_has_every_field_and_repeats_the_request() {
    let body = json!({ "model": "gpt", "temperature": 0.2, "metadata": { "a": "b" }, "store": false,
                       "previous_response_id": "resp_0", "tools": [{ "type": "function", "name": "t" }] });
    let said = whole(&answer(vec![Part::text("hi")], Some(Finish::Stop)), &body);
    assert_eq!(
        (&said["id"], &said["status"], &said["model"]),
        (&json!("resp_0123"), &json!("completed"), &json!("m-1"))
    );
    for field in ["temperature", "metadata", "store", "previous_response_id", "tools"] {
        assert_eq!(said[field], body[field], "{field}");
    }
    assert_eq!((&said["tool_choice"], &said["parallel_tool_calls"]), (&json!("auto"), &json!(true)));
    let usage = json!({ "input_tokens": 9, "input_tokens_details": { "cached_tokens": 3, "cache_write_tokens": 1 },
        "output_tokens": 6, "output_tokens_details": { "reasoning_tokens": 2 }, "total_tokens": 15 });
    assert_eq!(said["usage"], usage);
    assert_eq!(usage_in(said.to_string().as_bytes(), Counting::Inclusive), Some(USAGE));
    let nameless = Response { model: String::new(), usage: None, ..answer(vec![], None) };
    let said = whole(&nameless, &body);
    // An end that nobody gave a reason for is not shown as a good one.
    assert_eq!(
        (&said["model"], &said["status"], &said["usage"]),
        (&json!("gpt"), &json!("incomplete"), &Value::Null)
    );
}

#[test]
fn pictures_and_citations_have_their_items() {
    let source = Source::Base64 { mime: "image/png".into(), data: "aGk=".into() };
    let picture = Part::Image(Image { source, detail: None, cache: None });
    let cited = Text {
        text: "see".into(),
        citations: vec![Citation { url: Some("https://a".into()), ..Citation::default() }],
        cache: None,
    };
    let parts = vec![Part::Text(cited), picture];
    let said = whole(&answer(parts.clone(), Some(Finish::Stop)), &json!({}));
    let annotation = &said["output"][0]["content"][0]["annotations"][0];
    assert_eq!((&annotation["url"], &annotation["end_index"]), (&json!("https://a"), &json!(3)));
    assert_eq!(
        (&said["output"][1]["type"], &said["output"][1]["result"]),
        (&json!("image_generation_call"), &json!("aGk="))
    );
    let events = written(&streamed(&parts, Finish::Stop), &json!({}));
    assert!(events.iter().any(|event| event["type"] == "response.output_text.annotation.added"));
    assert_eq!(events.last().unwrap()["response"]["output"], said["output"]);
}

#[test]
fn calls_side_by_side_keep_their_places_and_an_empty_one_is_an_object() {
    let start =
        |index, id: &str| Event::ToolCallStart { index, id: id.into(), name: "t".into(), signature: None };
    let delta = |index, text: &str| Event::ToolCallDelta { index, fragment: text.into() };
    let events = written(
        &[
            begun(),
            start(0, "a"),
            start(1, "b"),
            delta(1, "{\"x\""),
            delta(0, "{}"),
            delta(1, ":1}"),
            start(2, "c"),
            Event::Finish(Finish::ToolCalls),
            Event::End,
        ],
        &json!({}),
    );
    let output = &events.last().unwrap()["response"]["output"];
    let arguments: Vec<_> = output.as_array().unwrap().iter().map(|item| item["arguments"].clone()).collect();
    assert_eq!(json!(arguments), json!(["{}", "{\"x\":1}", "{}"]));
    let places: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "response.function_call_arguments.delta")
        .map(|event| event["output_index"].as_u64().unwrap())
        .collect();
    assert_eq!(places, [1, 0, 1]);
}

#[test]
fn a_failure_is_the_next_event_and_nothing_follows() {
    let (id, body) = asked(&json!({}));
    let mut writer = StreamWriter::new(Asked { id: &id, body: body.as_bytes() }, 7);
    let mut out = Vec::new();
    writer.emit(&begun(), &mut out);
    writer.emit(&Event::TextDelta("a".into()), &mut out);
    let failure = Failure::new(Kind::VendorCut, "cut").detail("secret");
    writer.fail(&failure, &mut out);
    writer.emit(&Event::End, &mut out);
    writer.fail(&failure, &mut out);
    let events = parsed(&out);
    let last = events.last().unwrap();
    assert_eq!(
        (&last["type"], &last["code"], &last["message"]),
        (&json!("error"), &json!("upstream_closed_early"), &json!("cut"))
    );
    assert!(!String::from_utf8_lossy(&out).contains("secret"));
}

#[test]
fn the_front_of_a_request_is_read_and_its_conversation_put_in() {
    let body = br#"{"model":"m", "previous_response_id":"resp_1","input" : "hi", "x":1.0e1}"#;
    let front = Front::read(body).unwrap();
    assert_eq!((front.previous.as_deref(), front.store, &front.native), (Some("resp_1"), true, &None));
    let own = front.items(|_| None).unwrap();
    let lists: [&[u8]; 4] = [b"[{\"a\": 1}]", b" [ ] ", b"[2,3]", &own];
    let expanded = expand(body, lists.into_iter()).unwrap();
    let text = String::from_utf8(expanded).unwrap();
    assert!(text.starts_with(r#"{"model":"m","x":1.0e1,"input":[{"a": 1},2,3,{"#), "{text}");
    assert!(!text.contains("previous_response_id"));
    let native =
        Front::read(br#"{"input":"x","tools":[{"type":"function"},{"type":"web_search"}]}"#).unwrap();
    assert_eq!(native.native.unwrap().0, "tools");
}

#[test]
fn references_are_replaced_or_refused() {
    let body =
        json!({ "input": [{ "type": "item_reference", "id": "msg_1" }, { "role": "user", "content": "x" }] });
    let body = body.to_string();
    let front = Front::read(body.as_bytes()).unwrap();
    let found = crate::chat::Json::parse(r#"{"type":"message","id":"msg_1"}"#).unwrap();
    let items = front.items(|id| (id == "msg_1").then(|| found.clone())).unwrap();
    assert_eq!(value(&items)[0]["type"], "message");
    assert_eq!(front.items(|_| None).unwrap_err().param.as_deref(), Some("input"));
}

#[test]
fn a_vendor_gets_no_thoughts_that_it_cannot_read() {
    let signature = Signature::new(Origin::Gemini, "sig");
    let call_id = crate::chat::sign_call_id("c1", Some(&signature));
    let foreign = Signature::new(Origin::Anthropic, "s").to_field(Origin::OpenAi);
    let body = json!({ "model": "m", "input": [
        { "type": "reasoning", "summary": [], "encrypted_content": foreign },
        { "type": "reasoning", "summary": [{ "type": "summary_text", "text": "hm" }] },
        { "type": "reasoning", "summary": [], "encrypted_content": "own" },
        { "type": "function_call", "call_id": call_id, "name": "t", "arguments": "{}" },
        { "type": "function_call_output", "call_id": call_id, "output": "x" },
        { "role": "user", "content": "hi" },
    ] });
    let sent = value(&for_vendor(body.to_string().as_bytes(), false, &|_| true).unwrap().body);
    let items = sent["input"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["encrypted_content"]), (4, &json!("own")));
    assert_eq!((&items[1]["call_id"], &items[2]["call_id"]), (&json!("c1"), &json!("c1")));
    let plain = json!({ "model": "m", "input": "a \"reasoning\" text" }).to_string();
    assert_eq!(for_vendor(plain.as_bytes(), false, &|_| true), None);
    let include = value(&for_vendor(plain.as_bytes(), true, &|_| true).unwrap().body);
    assert_eq!(include["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(for_vendor(include.to_string().as_bytes(), true, &|_| true), None);
}

#[test]
fn the_last_event_is_found_whatever_the_text_says() {
    let parts = [Part::text("\n\nevent: response.completed\ndata: {\"id\":\"x\"}\n\n")];
    let (id, body) = asked(&json!({}));
    let mut writer = StreamWriter::new(Asked { id: &id, body: body.as_bytes() }, 7);
    let mut out = Vec::new();
    for event in streamed(&parts, Finish::Stop) {
        assert_eq!(final_of(&out), None);
        writer.emit(&event, &mut out);
    }
    let found = final_of(&out).unwrap();
    assert_eq!(found.id, "resp_0123");
    let response = value(found.response);
    let span = output_of(found.response).unwrap();
    assert_eq!(value(&found.response[span.clone()]), response["output"]);
    assert_eq!(ids_of(&found.response[span]), [response["output"][0]["id"].as_str().unwrap()]);
}

#[test]
fn input_items_are_completed_and_paged() {
    let lists: [&[u8]; 2] = [
        br#"[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]"#,
        br#"[{"type":"function_call_output","call_id":"c","output":"d"}]"#,
    ];
    let page = Page::read("order=asc&limit=2&include=x").unwrap();
    let list = value(&input_items("resp_9", lists.into_iter(), &page));
    assert_eq!((&list["has_more"], &list["data"][0]["id"]), (&json!(true), &json!("msg_in90000")));
    assert_eq!(
        list["data"][1]["content"][0],
        json!({ "type": "output_text", "text": "b", "annotations": [] })
    );
    let after = Page { after: Some("msg_in90001".into()), ..page };
    let list = value(&input_items("resp_9", lists.into_iter(), &after));
    assert_eq!((&list["data"][0]["output"], &list["has_more"]), (&json!("d"), &json!(false)));
    assert_eq!((Page::read("limit=x"), Page::read("order=up")), (Err("limit"), Err("order")));
}

/// Reads a vendor's stream in pieces that end anywhere.
fn looked_at(stream: &[u8], size: usize) -> Vec<Event> {
    let mut cutter = sse::Cutter::new(1 << 20);
    let mut reader = StreamReader::new(Counting::Inclusive);
    let mut events = Vec::new();
    for piece in stream.chunks(size) {
        cutter.push(Bytes::copy_from_slice(piece)).unwrap();
        while let Some(event) = cutter.next_event() {
            if let Some(data) = sse::data(&event) {
                reader.feed(sse::name(&event), &data, &mut events).unwrap();
            }
        }
    }
    reader.end(&mut events).unwrap();
    events
}

#[test]
fn a_stream_is_understood_wherever_it_is_cut_and_a_cut_one_has_no_end() {
    let call =
        ToolCall { id: "c".into(), name: "t".into(), arguments: "{\"a\":1}".into(), ..ToolCall::default() };
    let thinking = Thinking { text: "hm".into(), signature: None };
    let parts = [Part::Thinking(thinking), Part::text("Hé there"), Part::ToolCall(call)];
    let (id, body) = asked(&json!({}));
    let mut writer = StreamWriter::new(Asked { id: &id, body: body.as_bytes() }, 7);
    let mut out = Vec::new();
    streamed(&parts, Finish::ToolCalls).iter().for_each(|event| writer.emit(event, &mut out));
    let once = looked_at(&out, out.len());
    assert!(once.contains(&Event::Usage(USAGE)) && once.contains(&Event::Finish(Finish::ToolCalls)));
    assert_eq!(once.last(), Some(&Event::End));
    for size in 1..80 {
        assert_eq!(looked_at(&out, size), once, "in pieces of {size}");
    }
    let mut reader = StreamReader::new(Counting::Inclusive);
    let first = sse::data(&out).map(|data| data.into_owned());
    reader.feed(None, first.unwrap().split(|byte| *byte == b'\n').next().unwrap(), &mut Vec::new()).unwrap();
    assert_eq!(reader.end(&mut Vec::new()).unwrap_err().kind, Kind::VendorCut);
    assert_eq!(reader.next_number(), 1);
}

#[test]
fn errors_of_a_vendors_stream_are_seen_in_each_form() {
    for (data, code) in [
        (
            json!({ "type": "error", "code": "rate_limit_exceeded", "message": "m", "param": null }),
            "rate_limit_exceeded",
        ),
        (json!({ "type": "error", "error": { "type": "t", "code": 7, "message": "m" } }), "7"),
        (
            json!({ "type": "response.failed", "response": { "error": { "code": "server_error", "message": "m" } } }),
            "server_error",
        ),
    ] {
        let mut events = Vec::new();
        let mut reader = StreamReader::new(Counting::Inclusive);
        reader.feed(None, data.to_string().as_bytes(), &mut events).unwrap();
        let [Event::Error(error)] = &events[..] else { panic!("{events:?}") };
        assert_eq!((error.code.as_deref(), error.message.as_str()), (Some(code), "m"));
    }
}

fn signature() -> impl Strategy<Value = Signature> {
    let origin =
        prop_oneof![Just(Origin::Anthropic), Just(Origin::Gemini), Just(Origin::OpenAi), Just(Origin::Other)];
    // Of its own vendor's texts none begins with the mark of others.
    (origin, "[a-zA-Z0-9+/=]{1,20}").prop_map(|(origin, text)| Signature::new(origin, text))
}

/// What a model may say, in an order that it may say it in.
fn part() -> impl Strategy<Value = Part> {
    let arguments = prop_oneof![Just("{}".to_owned()), Just("{\"a\": \"é\\\"\"}".to_owned())];
    prop_oneof![
        "\\PC{1,12}".prop_map(Part::text),
        "\\PC{1,12}".prop_map(Part::Refusal),
        ("\\PC{1,12}", proptest::option::of(signature()))
            .prop_map(|(text, signature)| Part::Thinking(Thinking { text, signature })),
        signature().prop_map(|s| Part::RedactedThinking { data: s.text, origin: s.origin }),
        ("[a-z0-9]{1,8}", "[a-z]{1,8}", arguments, proptest::option::of(signature())).prop_map(
            |(id, name, arguments, signature)| Part::ToolCall(ToolCall {
                id,
                name,
                arguments,
                signature,
                cache: None
            })
        ),
    ]
}

proptest! {
    /// The rounds of a conversation: what was answered comes back as what was said.
    #[test]
    fn an_answer_comes_back_as_it_was_given(parts in proptest::collection::vec(part(), 1..6)) {
        let said = whole(&answer(parts.clone(), Some(Finish::Stop)), &json!({}));
        let request = read(json!({ "model": "m", "input": said["output"] }));
        let back: Vec<Part> = request.messages.into_iter().flat_map(|message| message.parts).collect();
        prop_assert_eq!(back, parts);
    }

    #[test]
    fn a_stream_ends_with_the_answer_that_a_whole_one_is(parts in proptest::collection::vec(part(), 0..6)) {
        let body = json!({ "model": "gpt" });
        let events = written(&streamed(&parts, Finish::Length), &body);
        let last = events.last().unwrap();
        prop_assert_eq!(&last["type"], "response.incomplete");
        let expected = whole(&answer(parts, Some(Finish::Length)), &body);
        let without_status = |response: &Value| {
            let mut response = response.clone();
            for item in response["output"].as_array_mut().unwrap() {
                item.as_object_mut().unwrap().remove("status");
            }
            response
        };
        prop_assert_eq!(without_status(&last["response"]), without_status(&expected));
    }

    #[test]
    fn any_body_is_read_without_a_panic(body in "\\PC{0,80}", bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        for bytes in [body.as_bytes(), &bytes] {
            let _ = (request_in(bytes), Front::read(bytes).map(|front| front.store), for_vendor(bytes, true, &|_| true));
            let _ = (final_of(bytes), output_of(bytes), ids_of(bytes));
            let mut events = Vec::new();
            let _ = StreamReader::new(Counting::Inclusive).feed(None, bytes, &mut events);
        }
    }
}

#[test]
fn results_of_tools_with_pictures_reach_chat() {
    let request = read(json!({ "model": "m", "input": [
        { "type": "function_call", "call_id": "c", "name": "t", "arguments": "" },
        { "type": "function_call_output", "call_id": "c", "output": [
            { "type": "input_text", "text": "see" }, { "type": "input_image", "image_url": "https://a/b.png" }] },
    ] }));
    let Part::ToolResult(ToolResult { parts, .. }) = &request.messages[1].parts[0] else { panic!() };
    assert_eq!(parts.len(), 2);
    assert_eq!(request.dialect, Some(Dialect::OpenAiResponses));
    let mut adapted = Adapted::default();
    openai_chat::request_out(&request, &openai_chat::model_traits("gpt-4o"), &mut adapted).unwrap();
}
