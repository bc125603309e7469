use super::*;
use crate::chat::{
    Adapted, Dialect, Document, Event, Field, Finish, Image, Message, Origin, Part, Policy, Request, Role,
    Signature, Source, Stance, Text, Thinking, ToolCall, ToolResult,
};
use crate::error::Kind;
use crate::types::Usage;
use crate::wire::openai::vendor_error;
use crate::wire::openai_chat::tests::{asked_with, events, says, value, written};
use crate::wire::{anthropic, openai_chat};
use proptest::prelude::*;
use serde_json::{Value, json};

mod caller;
mod config;
mod embed;

const OPENAI_REQUEST: &str = include_str!("../openai_chat/fixtures/request.json");
const ANTHROPIC_REQUEST: &str = include_str!("../anthropic/fixtures/request.json");
const RESPONSE: &str = include_str!("fixtures/response.json");
const STREAM: &str = include_str!("fixtures/stream.sse");
const ODD: &str = include_str!("fixtures/stream_odd.sse");
const BROKEN: &str = include_str!("fixtures/stream_error.sse");

fn read(stream: &str) -> Vec<Event> {
    events(&mut StreamReader::new(), &[stream.as_bytes()]).unwrap()
}

fn sent(request: &Request, model: &str) -> (Value, Adapted) {
    let mut adapted = Adapted::default();
    let body = request_out(request, &model_traits(model), &mut adapted).unwrap();
    (value(&body), adapted)
}

/// What becomes of an OpenAI request with these fields.
fn from_openai(fields: Value, model: &str) -> (Value, Option<String>) {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "x" }] });
    let (out, adapted) = sent(&asked_with(body, fields), model);
    (out, adapted.header())
}

fn conversation(messages: Vec<Message>) -> Request {
    Request { messages, ..Request::default() }
}

fn call(id: &str, signature: Option<Signature>) -> Part {
    let arguments = r#"{"a":1}"#.to_owned();
    Part::ToolCall(ToolCall { id: id.into(), name: format!("tool_{id}"), arguments, signature, cache: None })
}

fn result(id: &str, parts: Vec<Part>, is_error: bool) -> Message {
    let result = ToolResult { call_id: id.into(), name: None, parts, is_error, cache: None };
    says(Role::Tool, vec![Part::ToolResult(result)])
}

fn gemini(text: &str) -> Signature {
    Signature::new(Origin::Gemini, text)
}

fn thought(text: &str, signature: Option<Signature>) -> Part {
    Part::Thinking(Thinking { text: text.into(), signature })
}

fn image(source: Source) -> Part {
    Part::Image(Image { source, detail: None, cache: None })
}

fn png() -> Part {
    image(Source::Base64 { mime: "image/png".into(), data: "aGk=".into() })
}

fn answer(body: Value) -> crate::chat::Response {
    response_in(body.to_string().as_bytes()).unwrap()
}

#[test]
fn a_request_of_openais_reaches_each_generation() {
    let request = openai_chat::request_in(OPENAI_REQUEST.as_bytes()).unwrap();
    for model in ["gemini-2.5-pro", "gemini-3-pro"] {
        let (out, adapted) = sent(&request, model);
        insta::assert_json_snapshot!(format!("from_openai_{model}"), out);
        insta::assert_snapshot!(format!("from_openai_{model}_adapted"), adapted.header().unwrap());
    }
}

#[test]
fn a_request_of_anthropics_reaches_the_newest_model() {
    let request = anthropic::request_in(ANTHROPIC_REQUEST.as_bytes()).unwrap();
    let policy = [Field::HostedTool, Field::Image, Field::Document].map(|field| (field, Stance::Adapt));
    let mut adapted = Adapted::new(Policy::new(policy));
    let body = request_out(&request, &model_traits("gemini-3-pro"), &mut adapted).unwrap();
    insta::assert_json_snapshot!("from_anthropic", value(&body));
    insta::assert_snapshot!("from_anthropic_adapted", adapted.header().unwrap());
}

#[test]
fn an_answer_reaches_callers_of_both_dialects() {
    let response = response_in(RESPONSE.as_bytes()).unwrap();
    let usage = Usage { input: 10, cache_read: 20, output: 12, reasoning: 8, ..Usage::default() };
    assert_eq!(response.usage, Some(usage));
    insta::assert_json_snapshot!("response_to_openai", value(&openai_chat::response_out(&response)));
    insta::assert_json_snapshot!("response_to_anthropic", value(&anthropic::response_out(&response)));
}

#[test]
fn an_answer_comes_back_to_the_vendor_as_it_was() {
    let response = response_in(RESPONSE.as_bytes()).unwrap();
    let mut history = vec![says(Role::User, vec![Part::text("x")])];
    history.push(says(Role::Assistant, response.first().parts.clone()));
    let (out, adapted) = sent(&conversation(history), "gemini-3-pro");
    let mut expected = value(RESPONSE.as_bytes())["candidates"][0]["content"].clone();
    expected["parts"][4]["functionCall"] = json!({ "id": "call_mAlKaP7_1", "name": "now", "args": {} });
    assert_eq!(out["contents"][1], expected);
    assert_eq!(adapted.header(), None);
}

#[test]
fn signatures_ride_through_callers_of_both_dialects() {
    let response = response_in(RESPONSE.as_bytes()).unwrap();
    let signatures = |request: &Request| {
        let (out, _) = sent(request, "gemini-3-pro");
        let parts = out["contents"][1]["parts"].as_array().unwrap().clone();
        let of = |part: &Value| part.get("thoughtSignature").map(|text| text.as_str().unwrap().to_owned());
        let calls = parts.iter().filter(|part| part.get("functionCall").is_some());
        (parts.iter().filter_map(of).count(), calls.map(of).collect::<Vec<_>>())
    };
    let message = value(&openai_chat::response_out(&response))["choices"][0]["message"].clone();
    let body = json!({ "messages": [{ "role": "user", "content": "x" }, message] });
    let (_, calls) = signatures(&openai_chat::request_in(body.to_string().as_bytes()).unwrap());
    assert_eq!(calls, [Some("Q2FsbA==".to_owned()), None]);
    let content = value(&anthropic::response_out(&response))["content"].clone();
    let body = json!({ "messages": [
        { "role": "user", "content": "x" }, { "role": "assistant", "content": content },
    ] });
    let (all, calls) = signatures(&anthropic::request_in(body.to_string().as_bytes()).unwrap());
    assert_eq!((all, calls), (3, vec![Some("Q2FsbA==".to_owned()), None]));
}

#[test]
fn a_call_that_must_be_signed_and_is_not_is_marked() {
    let history = |first: Option<Signature>| {
        conversation(vec![
            says(Role::User, vec![Part::text("x")]),
            says(Role::Assistant, vec![call("1", first), call("2", None)]),
            result("1", vec![], false),
            result("2", vec![], false),
        ])
    };
    let marks = |request: &Request, model: &str| {
        let (out, adapted) = sent(request, model);
        let parts = out["contents"][1]["parts"].clone();
        let of = |at: usize| parts[at].get("thoughtSignature").cloned();
        (of(0), of(1), adapted.header())
    };
    let (first, second, record) = marks(&history(None), "gemini-3-flash");
    assert_eq!((first, second), (Some(json!("skip_thought_signature_validator")), None));
    assert!(record.unwrap().contains("reasoning_history: call without a signature"));
    let foreign = Some(Signature::new(Origin::Anthropic, "a"));
    assert!(marks(&history(foreign), "gemini-3-flash").2.unwrap().contains("another vendor's signature"));
    assert_eq!(marks(&history(None), "gemini-2.5-flash"), (None, None, None));
    let own = marks(&history(Some(gemini("s"))), "gemini-3-flash");
    assert_eq!(own, (Some(json!("s")), None, None));
}

#[test]
fn a_result_is_an_object_under_the_name_of_its_tool() {
    let text = |text: &str| vec![Part::text(text)];
    for (parts, is_error, expected) in [
        (text("plain"), false, json!({ "output": "plain" })),
        (text(r#"{"a": 1}"#), false, json!({ "a": 1 })),
        (text("[1]"), false, json!({ "output": [1] })),
        (text("{broken"), false, json!({ "output": "{broken" })),
        (text("7"), false, json!({ "output": "7" })),
        (text("no"), true, json!({ "error": "no" })),
        (text(r#"{"a": 1}"#), true, json!({ "error": { "a": 1 } })),
        (vec![], false, json!({ "output": "" })),
    ] {
        let request = conversation(vec![
            says(Role::User, vec![Part::text("x")]),
            says(Role::Assistant, vec![call("1", None)]),
            result("1", parts, is_error),
        ]);
        let (out, _) = sent(&request, "gemini-2.5-flash");
        let expected = json!({ "id": "1", "name": "tool_1", "response": expected });
        assert_eq!(out["contents"][2]["parts"][0]["functionResponse"], expected);
        assert_eq!(out["contents"][2]["role"], "user");
    }
}

#[test]
fn a_result_of_an_unknown_call_is_recorded() {
    let (out, adapted) = sent(&conversation(vec![result("lost", vec![], false)]), "gemini-2.5-flash");
    assert_eq!(out["contents"][0]["parts"][0]["functionResponse"]["name"], "lost");
    assert!(adapted.header().unwrap().contains("unknown call"));
}

#[test]
fn a_picture_in_a_result_is_within_or_behind_the_results() {
    let request = conversation(vec![
        says(Role::User, vec![Part::text("x")]),
        says(Role::Assistant, vec![call("1", Some(gemini("s"))), call("2", None)]),
        result("1", vec![Part::text("see"), png()], false),
        result("2", vec![], false),
        says(Role::User, vec![Part::text("and?")]),
    ]);
    let blob = json!({ "inlineData": { "mimeType": "image/png", "data": "aGk=" } });
    let parts = |model: &str| sent(&request, model).0["contents"][2]["parts"].clone();
    let new = parts("gemini-3-pro");
    assert_eq!(new[0]["functionResponse"]["parts"], json!([blob]));
    assert_eq!((new.as_array().unwrap().len(), &new[2]["text"]), (3, &json!("and?")));
    let old = parts("gemini-2.5-pro");
    assert_eq!(old[0]["functionResponse"].get("parts"), None);
    assert_eq!((&old[1]["functionResponse"]["id"], &old[2]), (&json!("2"), &blob));
}

#[test]
fn media_are_bytes_or_addresses_that_the_model_loads() {
    let asked = |part: Part, model: &str| {
        let request = conversation(vec![says(Role::User, vec![part])]);
        let mut adapted = Adapted::default();
        let body = request_out(&request, &model_traits(model), &mut adapted)?;
        Ok::<_, crate::error::Failure>(value(&body)["contents"][0]["parts"].clone())
    };
    let url = |address: &str| image(Source::Url(address.into()));
    let cat = "https://example.com/cat.jpg";
    let file = json!([{ "fileData": { "mimeType": "image/jpeg", "fileUri": cat } }]);
    assert_eq!(asked(url(cat), "gemini-2.5-pro").unwrap(), file);
    let failure = asked(url(cat), "gemini-2.0-flash").unwrap_err();
    assert_eq!((failure.kind, failure.param.as_deref()), (Kind::InvalidRequest, Some("image")));
    let own = "https://generativelanguage.googleapis.com/v1beta/files/x";
    assert_eq!(asked(url(own), "gemini-2.0-flash").unwrap(), json!([{ "fileData": { "fileUri": own } }]));
    assert!(asked(image(Source::FileId("file-abc".into())), "gemini-2.5-pro").is_err());
    let document = |source: Source| {
        let context = Some("Of 1970.".to_owned());
        Part::Document(Document { source, name: None, context, cite: true, cache: None })
    };
    let text = asked(document(Source::Text("words".into())), "gemini-2.5-pro").unwrap();
    assert_eq!(text, json!([{ "text": "Of 1970." }, { "text": "words" }]));
}

#[test]
fn turns_alternate_and_nothing_is_empty() {
    let request = conversation(vec![
        says(Role::Assistant, vec![thought("Hm.", None)]),
        says(Role::User, vec![Part::text(""), Part::text("a")]),
        says(Role::System, vec![Part::text("rule")]),
        says(Role::User, vec![Part::text("b")]),
    ]);
    let (out, adapted) = sent(&request, "gemini-2.5-pro");
    let expected = json!([
        { "role": "user", "parts": [{ "text": "." }] },
        { "role": "model", "parts": [{ "text": "." }] },
        { "role": "user", "parts": [{ "text": "a" }, { "text": "b" }] },
    ]);
    assert_eq!(out["contents"], expected);
    assert_eq!(out["systemInstruction"], json!({ "parts": [{ "text": "rule" }] }));
    let record = adapted.header().unwrap();
    assert_eq!(record, "system: moved to the front; reasoning_history: unsigned left out");
    let system = vec![Text { text: "x".into(), ..Text::default() }];
    let (out, _) = sent(&Request { system, ..Request::default() }, "gemini-2.5-pro");
    assert_eq!(out, json!({ "contents": [{ "role": "user", "parts": [{ "text": "x" }] }] }));
}

#[test]
fn every_finish_reason_has_its_meaning() {
    let call = json!([{ "functionCall": { "name": "t", "args": {} } }]);
    let text = json!([{ "text": "x" }]);
    for (reason, parts, finish) in [
        ("STOP", &text, Finish::Stop),
        ("STOP", &call, Finish::ToolCalls),
        ("MAX_TOKENS", &text, Finish::Length),
        ("MAX_TOKENS", &call, Finish::Length),
        ("SAFETY", &text, Finish::ContentFilter),
        ("RECITATION", &text, Finish::ContentFilter),
        ("IMAGE_SAFETY", &text, Finish::ContentFilter),
        ("OTHER", &text, Finish::ContentFilter),
        ("MALFORMED_FUNCTION_CALL", &text, Finish::Error("MALFORMED_FUNCTION_CALL".into())),
        ("MISSING_THOUGHT_SIGNATURE", &call, Finish::Error("MISSING_THOUGHT_SIGNATURE".into())),
        ("SOMETHING_NEW", &text, Finish::Stop),
    ] {
        let candidate = json!({ "content": { "parts": parts }, "finishReason": reason });
        let response = answer(json!({ "candidates": [candidate] }));
        assert_eq!(response.first().finish, Some(finish.clone()), "{reason}");
        let stream = format!("data: {}\n\n", json!({ "candidates": [candidate] }));
        assert!(read(&stream).contains(&Event::Finish(finish)), "{reason}");
    }
    let silent = answer(json!({ "candidates": [{ "content": { "parts": [] } }] }));
    assert_eq!(silent.first().finish, None);
}

#[test]
fn a_prompt_that_is_held_back_is_filtered_and_no_failure() {
    let body =
        json!({ "promptFeedback": { "blockReason": "SAFETY" }, "usageMetadata": { "promptTokenCount": 9 } });
    let response = answer(body.clone());
    assert_eq!(response.first().finish, Some(Finish::ContentFilter));
    assert_eq!(response.usage.unwrap().input, 9);
    let events = read(&format!("data: {body}\n\n"));
    assert_eq!(
        events[1..],
        [
            Event::Usage(Usage { input: 9, ..Usage::default() }),
            Event::Finish(Finish::ContentFilter),
            Event::End,
        ]
    );
}

#[test]
fn a_candidate_without_content_is_an_empty_answer_and_none_is_malformed() {
    let response = answer(json!({ "candidates": [{ "finishReason": "MAX_TOKENS" }] }));
    assert_eq!((response.first().parts.len(), &response.first().finish), (0, &Some(Finish::Length)));
    let several = answer(json!({ "candidates": [{ "finishReason": "STOP" }, { "finishReason": "SAFETY" }] }));
    assert_eq!(several.choices.len(), 2);
    for bad in ["{}", "[]", "", "null", r#"{"candidates":[]}"#, r#"{"promptFeedback":{}}"#, "<html>"] {
        assert_eq!(response_in(bad.as_bytes()).unwrap_err().kind, Kind::VendorMalformed, "{bad}");
    }
}

#[test]
fn a_search_is_cited() {
    let grounding = json!({
        "groundingChunks": [{ "web": { "uri": "https://a", "title": "A" } }],
        "groundingSupports": [{ "segment": { "text": "blue" }, "groundingChunkIndices": [0] }],
    });
    let content = json!({ "parts": [{ "text": "It is blue." }] });
    let candidate = json!({ "content": content, "finishReason": "STOP", "groundingMetadata": grounding });
    let body = json!({ "candidates": [candidate] });
    let message = value(&openai_chat::response_out(&answer(body.clone())))["choices"][0]["message"].clone();
    let cited = &message["annotations"][0]["url_citation"];
    assert_eq!(
        (&cited["url"], &cited["start_index"], &cited["end_index"]),
        (&json!("https://a"), &json!(6), &json!(10))
    );
    let events = read(&format!("data: {body}\n\ndata: {body}\n\n"));
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Citation(_))).count(), 1);
}

#[test]
fn a_stream_reaches_callers_of_both_dialects() {
    let options = openai_chat::StreamOptions {
        include_usage: true,
        created: 7,
        ..openai_chat::StreamOptions::default()
    };
    let out = written(&mut openai_chat::StreamWriter::new(options), &read(STREAM));
    insta::assert_snapshot!("stream_to_openai", out);
    let out = written(&mut anthropic::StreamWriter::new(None), &read(STREAM));
    insta::assert_snapshot!("stream_to_anthropic", out);
}

#[test]
fn an_odd_stream_is_read() {
    let events = read(ODD);
    let text: String = events
        .iter()
        .filter_map(|event| match event {
            Event::TextDelta(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(text, "half \u{fffd}\u{fffd} line\u{2028}end");
    let finishes = events.iter().filter(|event| matches!(event, Event::Finish(_))).count();
    let usage = Event::Usage(Usage { input: 3, output: 7, ..Usage::default() });
    assert_eq!(finishes, 1);
    assert_eq!(events[events.len() - 3..], [usage, Event::Finish(Finish::Length), Event::End]);
}

#[test]
fn an_error_amid_the_stream_ends_it_and_a_cut_is_no_stop() {
    let seen = read(BROKEN);
    let Some(Event::Error(error)) = seen.last() else { panic!("{seen:?}") };
    let words = (error.kind.as_deref(), error.code.as_deref(), error.message.as_str());
    assert_eq!(words, (Some("UNAVAILABLE"), Some("503"), "The model is overloaded."));
    let list =
        BROKEN.replace(r#"data: {"error""#, r#"data: [{"error""#).replace(r#""7s"}]}}"#, r#""7s"}]}}]"#);
    assert_eq!(read(&list), seen);
    let early = &STREAM
        [..STREAM.find(r#"data: {"candidates":[{"content":{"role":"model","parts":[{"text":"","#).unwrap()];
    for cut in [early, "", ": hello\n\n"] {
        let failure = events(&mut StreamReader::new(), &[cut.as_bytes()]).unwrap_err();
        assert_eq!(failure.kind, Kind::VendorCut);
    }
    for bad in ["data: []\n\n", "data: 7\n\n", "data: <html>\n\n", "data: {\"candidates\":7}\n\n"] {
        let failure = events(&mut StreamReader::new(), &[bad.as_bytes()]).unwrap_err();
        assert_eq!(failure.kind, Kind::VendorMalformed, "{bad}");
    }
}

#[test]
fn errors_of_the_vendor_are_read_in_both_shapes() {
    let error = json!({ "error": { "code": 400, "message": "m", "status": "INVALID_ARGUMENT",
        "details": [{ "@type": "x", "reason": "API_KEY_INVALID", "message": "inner" }] } });
    for body in [error.clone(), json!([error])] {
        let read = vendor_error(body.to_string().as_bytes()).unwrap();
        assert_eq!((read.message.as_str(), read.kind.as_deref()), ("m", Some("INVALID_ARGUMENT")));
        assert_eq!(read.code.as_deref(), Some("400"));
    }
    assert_eq!(vendor_error(RESPONSE.as_bytes()), None);
    assert_eq!(vendor_error(br#"{"promptFeedback":{"blockReason":"OTHER"}}"#), None);
}

#[test]
fn a_stream_with_a_last_word_is_complete() {
    assert_eq!(read(&format!("{STREAM}data: [DONE]\n\ndata: {{\n\n")), read(STREAM));
}

#[test]
fn a_stream_means_the_same_wherever_it_is_cut() {
    for stream in [STREAM, ODD, BROKEN] {
        let whole = read(stream);
        for at in 0..stream.len() {
            let (a, b) = stream.as_bytes().split_at(at);
            assert_eq!(events(&mut StreamReader::new(), &[a, b]).unwrap(), whole, "cut at {at}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        _ = response_in(&bytes);
        _ = embed_in(&[&bytes], &EmbedPlan::default());
        _ = embed_out(&bytes, "m", &mut Adapted::default());
        _ = events(&mut StreamReader::new(), &[&bytes]);
    }

    #[test]
    fn a_damaged_fixture_is_read_without_a_panic(at in any::<usize>(), byte in any::<u8>()) {
        for fixture in [RESPONSE, STREAM, ODD] {
            let mut bytes = fixture.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(response) = response_in(&bytes) {
                let history = conversation(vec![says(Role::Assistant, response.first().parts.clone())]);
                _ = sent(&history, "gemini-3-pro");
                _ = openai_chat::response_out(&response);
            }
            _ = events(&mut StreamReader::new(), &[&bytes]);
        }
    }

    #[test]
    fn every_request_becomes_json_that_alternates(texts in proptest::collection::vec((0..4_u8, "[a-z]{0,3}"), 0..8)) {
        let messages = texts.into_iter().map(|(kind, text)| match kind {
            0 => says(Role::User, vec![Part::text(text)]),
            1 => says(Role::Assistant, vec![Part::text(text.clone()), call(&text, None)]),
            2 => result(&text, vec![Part::text(text.clone())], false),
            _ => says(Role::Assistant, vec![thought(&text, Some(gemini("s"))), Part::text(text)]),
        });
        let (out, _) = sent(&conversation(messages.collect()), "gemini-3-pro");
        let contents = out["contents"].as_array().unwrap().clone();
        let roles: Vec<&str> = contents.iter().map(|content| content["role"].as_str().unwrap()).collect();
        prop_assert!(roles.windows(2).all(|pair| pair[0] != pair[1]));
        prop_assert_eq!(roles.first().copied(), Some("user"));
    }
}
