//! What holds for every body and every answer.

use super::*;
use crate::chat::{Choice, Event, Finish, Part, Response, StreamOut, Thinking, ToolCall};
use crate::types::{Pico, Usage};
use crate::wire::openai::Request;
use crate::wire::openai_chat;
use crate::wire::received::{InPath, Tells};
use proptest::prelude::*;
use serde_json::{Value, json};

fn telling(json: bool) -> Telling {
    Telling {
        tells: Tells { json, by_accept: false },
        provider: "openai".into(),
        model: "gpt-4o-mini".into(),
        call_id: "call".to_owned(),
        cost_of: Some(Box::new(|usage| Pico(i128::from(usage.output_tokens()) * 1_000))),
    }
}

/// The client's way of merging a stream; `None` where it would throw.
fn merged(stream: &[u8]) -> Option<Value> {
    let mut whole = serde_json::Map::new();
    for event in std::str::from_utf8(stream).ok()?.split("\n\n").filter(|event| !event.is_empty()) {
        let data: Value = serde_json::from_str(event.strip_prefix("data: ")?).ok()?;
        for (field, value) in data["delta"]["json"].as_object().into_iter().flatten() {
            whole.insert(field.clone(), value.clone());
        }
        for (field, more) in data["delta"]["text"].as_object().into_iter().flatten() {
            let before = whole.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
            whole.insert(field.clone(), json!(before + more.as_str()?));
        }
    }
    Some(Value::Object(whole))
}

fn usage() -> Usage {
    Usage { input: 1, cache_read: 4, output: 3, ..Usage::default() }
}

/// The same answer as a vendor's parts and as its events.
fn both_ways(texts: &[String], thoughts: &[String], calls: &[(String, String)]) -> (Response, Vec<Event>) {
    let mut parts = Vec::new();
    let mut events = vec![Event::Start { id: "x".into(), model: "m".into(), created: None }];
    for thought in thoughts.iter().filter(|text| !text.is_empty()) {
        parts.push(Part::Thinking(Thinking { text: thought.clone(), signature: None }));
        events.push(Event::ThinkingDelta(thought.clone()));
    }
    for text in texts.iter().filter(|text| !text.is_empty()) {
        parts.push(Part::text(text.clone()));
        events.push(Event::TextDelta(text.clone()));
    }
    for (index, (name, word)) in calls.iter().enumerate() {
        let (id, arguments) = (format!("c{index}"), json!({ "word": word }).to_string());
        events.push(Event::ToolCallStart { index, id: id.clone(), name: name.clone(), signature: None });
        events.push(Event::ToolCallDelta { index, fragment: arguments.clone() });
        events.push(Event::ToolCallEnd { index });
        parts.push(Part::ToolCall(ToolCall { id, name: name.clone(), arguments, ..ToolCall::default() }));
    }
    events.extend([Event::Usage(usage()), Event::Finish(Finish::Stop), Event::End]);
    let choice = Choice { parts, finish: Some(Finish::Stop), logprobs: None };
    (Response { choices: vec![choice], usage: Some(usage()), ..Response::default() }, events)
}

proptest! {
    #[test]
    fn a_stream_comes_to_what_the_whole_answer_says(
        texts in prop::collection::vec(".{0,12}", 0..4),
        thoughts in prop::collection::vec(".{0,12}", 0..3),
        calls in prop::collection::vec(("[a-z]{1,8}", ".{0,12}"), 0..3),
    ) {
        let (response, events) = both_ways(&texts, &thoughts, &calls);
        let mut whole: Value = serde_json::from_slice(&response_out(&response, &telling(false)).unwrap()).unwrap();
        let mut writer = StreamWriter::new(telling(false));
        let mut stream = Vec::new();
        events.iter().for_each(|event| writer.emit(event, &mut stream));
        // An answer without a word has an empty text; a stream of no deltas has none.
        if whole["text"] == "" {
            whole.as_object_mut().unwrap().remove("text");
        }
        prop_assert_eq!(merged(&stream), Some(whole));
    }

    #[test]
    fn no_body_makes_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for op in [Op::Chat, Op::Embedding, Op::ImageGeneration] {
            _ = received(op, body.clone().into());
            _ = completions_received(op, &InPath { stream: true, ..InPath::default() }, body.clone().into());
        }
        _ = embedding_out(&body, None, &telling(false));
        _ = image_out(&body, None, &telling(false), true);
    }

    #[test]
    fn no_envelope_makes_a_panic(
        field in "(messages|tools|toolChoice|responseFormat|modelOptions|prompt|image|input)",
        value in "(null|1|\"x\"|\\[\\]|\\{\\}|\\[1\\]|\\[\\{\\}\\]|\\[\\{\"role\":\"user\",\"content\":[0-9]\\}\\]|\\{\"type\":\"json_schema\"\\})",
    ) {
        let body = format!(r#"{{"model":"m","input":{{"{field}":{value},"messages2":1}}}}"#);
        for op in [Op::Chat, Op::Embedding, Op::ImageGeneration] {
            _ = received(op, body.clone().into());
        }
    }

    #[test]
    fn what_is_unfolded_is_read_and_translated(
        text in ".{0,40}", streaming in any::<bool>(), hundredths in 0..200_u32, tokens in 1..100_000_u64,
    ) {
        let temperature = f64::from(hundredths) / 100.0;
        let body = json!({
            "input": {
                "messages": [{ "role": "user", "content": text }],
                "modelOptions": { "model": "m", "temperature": temperature, "reasoningEffort": tokens },
            },
            "options": { "streaming": streaming },
        });
        let received = received(Op::Chat, body.to_string().into()).unwrap();
        let request = Request::read(Op::Chat, &received.body).unwrap();
        prop_assert_eq!((request.model.as_str(), request.stream), ("m", streaming));
        let chat = openai_chat::request_in(&received.body).unwrap();
        prop_assert_eq!(chat.messages[0].parts.first(), Some(&Part::text(text)));
        prop_assert_eq!(chat.sampling.temperature, Some(temperature));
        prop_assert_eq!(chat.reasoning.budget_tokens, Some(tokens));
    }
}

#[test]
fn an_answer_without_a_word_still_has_its_text() {
    let (response, _) = both_ways(&[], &[], &[]);
    let whole: Value = serde_json::from_slice(&response_out(&response, &telling(false)).unwrap()).unwrap();
    assert_eq!(whole["text"], "");
}

#[test]
fn a_cost_is_written_digit_by_digit_and_only_with_a_prefix_that_the_client_takes() {
    let (response, _) = both_ways(&["hi".into()], &[], &[]);
    let text = String::from_utf8(response_out(&response, &telling(false)).unwrap()).unwrap();
    assert!(text.contains(r#""aigneHubCredits":0.000000003,"creditPrefix":"$""#), "{text}");
    let free = Telling { cost_of: None, ..telling(false) };
    let text = String::from_utf8(response_out(&response, &free).unwrap()).unwrap();
    assert!(!text.contains("credit"), "{text}");
}

#[test]
fn a_value_is_told_as_a_value_and_calls_come_before_it() {
    let (response, events) = both_ways(&["{\"a\":".into(), "1}".into()], &[], &[]);
    let whole: Value = serde_json::from_slice(&response_out(&response, &telling(true)).unwrap()).unwrap();
    assert_eq!((&whole["json"], whole.get("text")), (&json!({ "a": 1 }), None));
    let mut writer = StreamWriter::new(telling(true));
    let mut stream = Vec::new();
    events.iter().for_each(|event| writer.emit(event, &mut stream));
    assert_eq!(merged(&stream).unwrap()["json"], json!({ "a": 1 }));
    assert!(writer.refusal().is_none());

    let (response, _) = both_ways(&["Let me see.".into()], &[], &[("look".into(), "up".into())]);
    let whole: Value = serde_json::from_slice(&response_out(&response, &telling(true)).unwrap()).unwrap();
    assert_eq!((&whole["text"], whole.get("json")), (&json!("Let me see."), None));
}

#[test]
fn nothing_follows_an_error() {
    let (_, events) = both_ways(&["prose".into()], &[], &[]);
    let mut writer = StreamWriter::new(telling(true));
    let mut stream = Vec::new();
    events.iter().for_each(|event| writer.emit(event, &mut stream));
    let text = String::from_utf8(stream.clone()).unwrap();
    assert!(text.contains("event: error") && !text.contains("usage"), "{text}");
    assert!(writer.refusal().is_some());
    events.iter().for_each(|event| writer.emit(event, &mut stream));
    assert_eq!(stream.len(), text.len());
}

#[test]
fn a_body_in_openais_words_is_not_copied() {
    let body = Bytes::from_static(
        br#"{"model":"m","messages":[{"role":"user","content":"topP toolCalls"}],"top_p":1}"#,
    );
    let received = completions_received(Op::Chat, &InPath::default(), body.clone()).unwrap();
    assert_eq!((received.body.as_ptr(), received.body.len()), (body.as_ptr(), body.len()));
}

#[test]
fn the_header_that_asks_for_a_stream_wins_over_the_body() {
    let by_accept = InPath { stream: true, ..InPath::default() };
    for body in [r#"{"model":"m","stream":false}"#, r#"{"model":"m"}"#, r#"{ "stream" : null,"model":"m"}"#] {
        let received = completions_received(Op::Chat, &by_accept, Bytes::from(body)).unwrap();
        let value: Value = serde_json::from_slice(&received.body).unwrap();
        assert_eq!(value, json!({ "model": "m", "stream": true }), "{body}");
        assert!(received.tells.by_accept);
    }
}

#[test]
fn files_are_told_apart_by_what_they_are() {
    let parts = |part: Value| {
        let messages = json!([{ "role": "user", "content": [part] }]);
        let body = json!({ "input": { "messages": messages }, "model": "m" });
        let received = received(Op::Chat, body.to_string().into()).unwrap();
        openai_chat::request_in(&received.body).unwrap().messages.remove(0).parts
    };
    let file =
        |mime: &str, data: &str| json!({ "type": "file", "mimeType": mime, "data": data, "filename": "a" });
    assert!(matches!(parts(file("image/png", "aGk="))[..], [Part::Image(_)]));
    assert!(matches!(parts(file("audio/wav", "aGk="))[..], [Part::Audio(_)]));
    assert!(matches!(parts(file("application/pdf", "aGk="))[..], [Part::Document(_)]));
    assert_eq!(parts(file("text/plain", "aGk=")), [Part::text("a:\nhi")]);
    let by_name = json!({ "type": "file", "data": "aGk=", "filename": "b.PDF" });
    assert!(matches!(parts(by_name)[..], [Part::Document(_)]));
    for picture in [
        json!({ "type": "url", "url": "https://a.example/b" }),
        json!({ "type": "url", "url": "data:image/gif;base64,aGk=" }),
        json!({ "type": "image_url", "imageUrl": { "url": "https://a.example/b.webp" } }),
        json!({ "type": "file", "data": "data:image/gif;base64,aGk=" }),
    ] {
        assert!(matches!(parts(picture.clone())[..], [Part::Image(_)]), "{picture}");
    }
}

#[test]
fn names_become_snakes() {
    assert_eq!(
        ["topLogprobs", "n", "top_p", "serviceTier"].map(snake),
        ["top_logprobs", "n", "top_p", "service_tier"]
    );
}
