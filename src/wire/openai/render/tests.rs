use super::*;
use crate::types::Op;
use crate::wire::json::tests::any_json;
use proptest::prelude::*;
use serde_json::Value;

const PLAIN: Shape = Shape { drop: &[], rename: &[], stream_usage: false, set: &[] };
const ASKS: Shape = Shape { stream_usage: true, ..PLAIN };
const MESSAGES: &str = r#""messages":[{"role":"user","content":"hi"}]"#;

fn render(body: &str, model: &str, shape: &Shape) -> (String, Vec<String>) {
    let body = Bytes::from(body.to_owned());
    let request = Request::read(Op::Chat, &body).unwrap();
    let mut adapted = Vec::new();
    let out = request.render(&body, model, shape, &mut adapted);
    (String::from_utf8(out.concat()).unwrap(), adapted)
}

#[test]
fn nothing_to_change_gives_the_same_bytes_without_a_copy() {
    let body = Bytes::from(format!(r#"{{"model":"m","logprobs":true,{MESSAGES}}}"#));
    let request = Request::read(Op::Chat, &body).unwrap();
    let shape = Shape { drop: &[("logprobs", Some(&["grok"]))], ..ASKS };
    let out = request.render(&body, "m", &shape, &mut Vec::new());
    assert_eq!((out.len(), out[0].as_ptr()), (1, body.as_ptr()));
}

#[test]
fn a_cap_lowers_what_was_asked_and_adds_what_was_not() {
    let capped = |fields: &str| {
        let body = Bytes::from(format!(r#"{{"model":"m"{fields},{MESSAGES}}}"#));
        let request = Request::read(Op::Chat, &body).unwrap();
        let out = request.cap_output(Op::Chat, &body, 10);
        let value: Value = serde_json::from_slice(&out).unwrap();
        (value["max_completion_tokens"].as_u64(), value["max_tokens"].as_u64())
    };
    assert_eq!(capped(""), (Some(10), None));
    assert_eq!(capped(r#","max_tokens":11"#), (None, Some(10)));
    assert_eq!(capped(r#","max_completion_tokens":500"#), (Some(10), None));
    assert_eq!(capped(r#","max_tokens":9"#), (None, Some(9)));
}

#[test]
fn the_model_is_replaced_and_quoted() {
    let (out, adapted) = render(&format!(r#"{{ "model" : "a/b" , {MESSAGES}}}"#), "c\"d\\e", &PLAIN);
    assert_eq!(out, format!(r#"{{ "model" : "c\"d\\e" , {MESSAGES}}}"#));
    assert!(adapted.is_empty());
}

#[test]
fn usage_is_asked_for_only_where_it_must_be() {
    let body = |options: &str| format!(r#"{{"model":"m","stream":true{options},{MESSAGES}}}"#);
    let asked = |options: &str| render(&body(options), "m", &ASKS).0;
    assert_eq!(
        asked(""),
        format!(r#"{{"model":"m","stream_options":{{"include_usage":true}},"stream":true,{MESSAGES}}}"#)
    );
    for (before, after) in [
        (r#","stream_options":null"#, r#","stream_options":{"include_usage":true}"#),
        (r#","stream_options":{}"#, r#","stream_options":{"include_usage":true}"#),
        (r#","stream_options":{ }"#, r#","stream_options":{"include_usage":true}"#),
        (r#","stream_options": { "x" : 1 }"#, r#","stream_options": {"include_usage":true, "x" : 1 }"#),
        (r#","stream_options":{"include_usage":false}"#, r#","stream_options":{"include_usage":true}"#),
        (
            r#","stream_options":{"x":[],"include_usage" : null}"#,
            r#","stream_options":{"x":[],"include_usage" : true}"#,
        ),
        (r#","stream_options":{"include_usage":true}"#, r#","stream_options":{"include_usage":true}"#),
    ] {
        assert_eq!(asked(before), body(after));
    }
    let not_streaming = format!(r#"{{"model":"m",{MESSAGES}}}"#);
    assert_eq!(render(&not_streaming, "m", &ASKS).0, not_streaming);
    assert_eq!(render(&body(""), "m", &PLAIN).0, body(""));
}

#[test]
fn a_stream_of_images_is_not_asked_for_usage() {
    let body = Bytes::from_static(br#"{"model":"m","prompt":"p","stream":true}"#);
    let request = Request::read(Op::ImageGeneration, &body).unwrap();
    assert_eq!(request.render(&body, "m", &ASKS, &mut Vec::new()).concat(), body);
}

#[test]
fn fields_are_dropped_at_every_place() {
    const SHAPE: Shape = Shape { drop: &[("a", None), ("b", None), ("stream_options", None)], ..ASKS };
    let cases = [
        (r#"{"a":1,"model":"m",M}"#, r#"{"model":"m",M}"#),
        (r#"{ "a":1 , "b":[2] , "model":"m",M}"#, r#"{ "model":"m",M}"#),
        (r#"{"model":"m", "a":1, "b":2,M}"#, r#"{"model":"m",M}"#),
        (r#"{"model":"m",M, "a":1,"b":2 }"#, r#"{"model":"m",M }"#),
        (r#"{"a":1,"model":"m","b":2,M}"#, r#"{"model":"m",M}"#),
        (r#"{"a":1,M,"model":"m","b":2}"#, r#"{M,"model":"m"}"#),
        (r#"{"stream":true,"model":"m","stream_options":{"x":1},M}"#, r#"{"stream":true,"model":"m",M}"#),
    ];
    for (before, after) in cases {
        let (out, adapted) = render(&before.replace('M', MESSAGES), "m", &SHAPE);
        assert_eq!(out, after.replace('M', MESSAGES));
        assert!(!adapted.is_empty());
    }
}

#[test]
fn a_drop_may_depend_on_the_upstream_model() {
    const SHAPE: Shape = Shape { drop: &[("stop", Some(&["grok-4", "grok-code"]))], ..PLAIN };
    let body = format!(r#"{{"model":"x","stop":"a",{MESSAGES}}}"#);
    assert_eq!(render(&body, "grok-4-fast", &SHAPE).1, ["stop"]);
    assert_eq!(render(&body, "grok-3", &SHAPE).1, [""; 0]);
}

#[test]
fn a_rename_never_makes_a_second_field() {
    const SHAPE: Shape = Shape { rename: &[("max_completion_tokens", "max_tokens")], ..PLAIN };
    let (out, adapted) =
        render(&format!(r#"{{"model":"m","max_completion_tokens" : 5,{MESSAGES}}}"#), "m", &SHAPE);
    assert_eq!(out, format!(r#"{{"model":"m","max_tokens" : 5,{MESSAGES}}}"#));
    assert_eq!(adapted, ["max_completion_tokens"]);
    let both = format!(r#"{{"max_completion_tokens":5,"model":"m","max_tokens":6,{MESSAGES}}}"#);
    assert_eq!(render(&both, "m", &SHAPE).0, format!(r#"{{"model":"m","max_tokens":6,{MESSAGES}}}"#));
}

const SHAPE: Shape = Shape {
    drop: &[("drop_me", None), ("drop_me_too", None)],
    rename: &[("old_name", "new_name")],
    stream_usage: true,
    set: &[],
};

/// A body's fields in any order, each as it is written.
fn any_body() -> impl Strategy<Value = Vec<(String, String)>> {
    let names = ["drop_me", "drop_me_too", "old_name", "keep", "\\u006beep_2", "中文", "max_tokenz"];
    let extra = prop::collection::vec((prop::sample::select(names.to_vec()), any_json()), 0..6);
    let options = prop_oneof![
        Just(None),
        Just(Some("null")),
        Just(Some("{ }")),
        Just(Some(r#"{"include_usage":false , "x":1}"#)),
        Just(Some(r#"{ "x" : [] }"#)),
    ];
    (extra, options, any::<bool>()).prop_flat_map(|(extra, options, stream)| {
        let mut seen = std::collections::HashSet::new();
        let mut fields: Vec<(String, String)> = extra
            .into_iter()
            .filter(|(name, _)| seen.insert(*name))
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        fields.push(("model".to_owned(), r#""asked""#.to_owned()));
        fields.push(("messages".to_owned(), "[ {} ]".to_owned()));
        fields.push(("stream".to_owned(), stream.to_string()));
        fields.extend(options.map(|value| ("stream_options".to_owned(), value.to_owned())));
        Just(fields).prop_shuffle()
    })
}

proptest! {
    #[test]
    fn untouched_bytes_are_the_same_bytes(fields in any_body(), space in "[ \t\r\n]{0,3}") {
        let write = |fields: &[(String, String)]| {
            let all: Vec<String> =
                fields.iter().map(|(key, value)| format!("{space}\"{key}\"{space}:{space}{value}{space}")).collect();
            format!("{space}{{{}}}{space}", all.join(","))
        };
        let body = write(&fields);
        let (out, adapted) = render(&body, "upstream", &SHAPE);

        // Every field that stays stands there as it was written, in the old order.
        let mut from = 0;
        let mut dropped = 0;
        for (key, value) in &fields {
            let (key, value) = match key.as_str() {
                "drop_me" | "drop_me_too" => { dropped += 1; continue }
                "stream_options" => continue,
                "old_name" => { dropped += 1; ("new_name", value.as_str()) }
                "model" => ("model", "\"upstream\""),
                key => (key, value.as_str()),
            };
            let written = format!("\"{key}\"{space}:{space}{value}");
            let found = out[from..].find(&written);
            prop_assert!(found.is_some(), "{} not in {}", written, &out[from..]);
            from += found.unwrap() + written.len();
        }
        prop_assert_eq!(adapted.len(), dropped);

        // The outcome is JSON, and asks for usage exactly when it streams.
        let Ok(parsed) = serde_json::from_str::<Value>(&out) else {
            // Half surrogates are grammatical and yet no text; our own reader takes them.
            let reread = Request::read(Op::Chat, out.as_bytes());
            prop_assert!(reread.is_ok(), "{}", out);
            return Ok(());
        };
        prop_assert_eq!(&parsed["model"], "upstream");
        if parsed["stream"] == Value::Bool(true) {
            prop_assert_eq!(&parsed["stream_options"]["include_usage"], &Value::Bool(true));
        }
        prop_assert!(parsed.get("drop_me").is_none() && parsed.get("old_name").is_none());
    }
}

#[test]
fn a_field_that_is_set_is_replaced_or_added_and_not_told() {
    const KEEPS_NOTHING: Shape = Shape { set: &[("store", "false")], ..PLAIN };
    for (body, expected) in [
        (r#"{"store" : true,"model":"m","messages":[]}"#, r#"{"store" : false,"model":"m","messages":[]}"#),
        (r#"{"model":"m","messages":[]}"#, r#"{"model":"m","store":false,"messages":[]}"#),
    ] {
        let body = Bytes::from_static(body.as_bytes());
        let request = Request::read(Op::Chat, &body).unwrap();
        let mut adapted = Vec::new();
        let sent = request.render(&body, "m", &KEEPS_NOTHING, &mut adapted).concat();
        assert_eq!((std::str::from_utf8(&sent).unwrap(), adapted.len()), (expected, 0));
    }
}
