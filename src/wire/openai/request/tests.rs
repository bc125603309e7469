use super::*;
use crate::error::Kind;
use crate::wire::openai::{IMAGE_TOKEN_BOUND, MEDIA_TOKEN_BOUND};
use bytes::Bytes;
use proptest::prelude::*;

fn chat(body: &str) -> Result<Request> {
    Request::read(Op::Chat, body.as_bytes())
}

/// A chat with one more field.
fn with(field: &str) -> Result<Request> {
    chat(&format!(r#"{{"model":"m",{field},"messages":[{{"role":"user","content":"hi"}}]}}"#))
}

#[test]
fn everything_is_read_in_one_pass() {
    let body = r#" { "model" : "gpt-4o", "stream": true, "stream_options": {"x":1,"include_usage": true},
        "max_tokens": 10, "n": 3, "user": "u-1", "tools": [{"type":"function"}],
        "messages":[{"role":"user","content":"hi"}] } "#;
    let request = chat(body).unwrap();
    assert_eq!(request.model, "gpt-4o");
    assert_eq!(&body[request.model_span.clone()], "\"gpt-4o\"");
    assert!(request.stream && request.include_usage && request.has_tools && !request.has_media);
    assert_eq!(request.max_output_tokens, Some(10));
    assert_eq!(request.choices, 3);
    assert_eq!(request.user.as_deref(), Some("u-1"));
    assert_eq!(request.input_bound, body.len() as u64);
}

#[test]
fn a_second_key_of_the_same_meaning_is_refused() {
    for field in [
        r#""model":"b""#,
        r#""m\u006fdel":"b""#,
        r#""Model":"b""#,
        r#""MODEL":"b""#,
        r#""messages":[]"#,
        r#""max_to\u212aens":5"#,
        r#""ſtream":true"#,
        r#""Stream":true"#,
        r#""x":1,"x":2"#,
        r#""x":1,"\u0078":2"#,
        r#""x":1,"X":2"#,
        r#""stream_options":{"include_usage":true,"include_usage":false}"#,
        r#""stream_options":{"Include_Usage":true}"#,
    ] {
        let failure = with(field).unwrap_err();
        assert_eq!(failure.kind, Kind::InvalidRequest, "{field}");
        assert!(failure.param.is_some(), "{field}");
    }
    assert!(with(r#""x":1,"y":{"x":2,"model":"inner"}"#).is_ok());
}

#[test]
fn a_key_written_with_escapes_means_the_same() {
    let body = r#"{"\u006dodel":"m","messages":[{}]}"#;
    let request = chat(body).unwrap();
    assert_eq!(request.model, "m");
    assert_eq!(&body[request.model_span], "\"m\"");
}

#[test]
fn wrong_types_name_the_field() {
    for (field, param) in [
        (r#""stream":"true""#, "stream"),
        (r#""stream":1"#, "stream"),
        (r#""stream_options":[]"#, "stream_options"),
        (r#""stream_options":{"include_usage":"yes"}"#, "stream_options.include_usage"),
        (r#""max_tokens":"10""#, "max_tokens"),
        (r#""max_tokens":-1"#, "max_tokens"),
        (r#""max_completion_tokens":1.5"#, "max_completion_tokens"),
        (r#""max_tokens":99999999999999999999"#, "max_tokens"),
        (r#""n":0"#, "n"),
        (r#""user":7"#, "user"),
        (r#""tools":{}"#, "tools"),
    ] {
        assert_eq!(with(field).unwrap_err().param.as_deref(), Some(param), "{field}");
    }
    for field in
        [r#""stream":null"#, r#""n":null"#, r#""user":null"#, r#""max_tokens":null"#, r#""tools":null"#]
    {
        assert!(with(field).is_ok(), "{field}");
    }
}

#[test]
fn what_is_required_depends_on_the_operation() {
    let param = |op, body: &str| {
        Request::read(op, body.as_bytes()).err().map(|failure| failure.param.unwrap_or_default().into_owned())
    };
    assert_eq!(param(Op::Chat, r#"{"messages":[{}]}"#).as_deref(), Some("model"));
    assert_eq!(param(Op::Chat, r#"{"model":"","messages":[{}]}"#).as_deref(), Some("model"));
    assert_eq!(param(Op::Chat, r#"{"model":null,"messages":[{}]}"#).as_deref(), Some("model"));
    assert_eq!(param(Op::Chat, r#"{"model":["m"],"messages":[{}]}"#).as_deref(), Some("model"));
    assert_eq!(param(Op::Chat, r#"{"model":"m"}"#).as_deref(), Some("messages"));
    // Whether nothing may be said is the vendor's business.
    assert_eq!(param(Op::Chat, r#"{"model":"m","messages":[]}"#), None);
    assert_eq!(param(Op::Chat, r#"{"model":"m","messages":"hi"}"#).as_deref(), Some("messages"));
    assert_eq!(param(Op::Chat, r#"{"model":"m","messages":[{},1]}"#).as_deref(), Some("messages[1]"));
    assert_eq!(param(Op::Embedding, r#"{"model":"m"}"#).as_deref(), Some("input"));
    assert_eq!(param(Op::Embedding, r#"{"model":"m","input":7}"#).as_deref(), Some("input"));
    for input in [r#""a""#, r#"["a","b"]"#, "[1,2,3]", "[[1,2],[3]]"] {
        assert_eq!(param(Op::Embedding, &format!(r#"{{"model":"m","input":{input}}}"#)), None);
    }
    assert_eq!(param(Op::Completion, r#"{"model":"m"}"#), None);
    assert_eq!(param(Op::Completion, r#"{"model":"m","prompt":{}}"#).as_deref(), Some("prompt"));
    assert_eq!(param(Op::ImageGeneration, r#"{"model":"m","n":2}"#).as_deref(), Some("prompt"));
    assert_eq!(param(Op::Speech, r#"{"model":"m","input":["a"]}"#).as_deref(), Some("input"));
    assert_eq!(param(Op::Moderation, r#"{"model":"m","input":["a"]}"#), None);
    assert_eq!(param(Op::Tokenize, r#"{"model":"m","messages":[]}"#), None);
}

#[test]
fn broken_json_is_told_with_line_and_column() {
    let failure = chat("{\n \"model\": \"m\",\n}").unwrap_err();
    assert!(failure.public.contains("line 3, column 1"), "{}", failure.public);
    for body in [
        "",
        " ",
        "[]",
        "\"x\"",
        "{",
        "{\"model\":\"m\"} x",
        "\u{feff}{}",
        "{'model':'m'}",
        "{\"model\":\"m\n\"}",
    ] {
        assert_eq!(chat(body).unwrap_err().kind, Kind::InvalidRequest, "{body}");
    }
}

#[test]
fn nesting_and_fields_are_bounded() {
    let deep = |depth: usize| with(&format!(r#""x":{}{}"#, "[".repeat(depth), "]".repeat(depth)));
    assert!(deep(127).is_ok());
    assert!(deep(128).unwrap_err().public.contains("too deep"));
    let many = |count: usize| {
        let fields: Vec<String> = (0..count).map(|index| format!(r#""f{index}":0"#)).collect();
        with(&fields.join(","))
    };
    assert!(many(MAX_FIELDS - 2).is_ok());
    assert!(many(MAX_FIELDS - 1).unwrap_err().public.contains("fields"));
}

#[test]
fn the_larger_of_two_output_bounds_counts() {
    let request = with(r#""max_tokens":100,"max_completion_tokens":7"#).unwrap();
    assert_eq!(request.max_output_tokens, Some(100));
    let body = br#"{"model":"m","prompt":"p","n":2,"best_of":5}"#;
    assert_eq!(Request::read(Op::Completion, body).unwrap().choices, 5);
}

#[test]
fn images_count_by_their_bound_and_not_by_their_bytes() {
    let payload = "A".repeat(100_000);
    let body = |url: &str| {
        format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"text","text":"hi"}},
            {{"type":"image_url","image_url":{{"url":"{url}"}}}}]}}]}}"#
        )
    };
    let inline = chat(&body(&format!("data:image/png;base64,{payload}"))).unwrap();
    let remote = chat(&body("https://example.com/a.png")).unwrap();
    assert!(inline.has_media && remote.has_media);
    assert_eq!((inline.images, remote.images), (1, 1));
    assert_eq!(inline.input_bound, remote.input_bound);
    assert!(remote.input_bound > IMAGE_TOKEN_BOUND && remote.input_bound < IMAGE_TOKEN_BOUND + 200);
    let audio = r#"{"model":"m","messages":[{"content":[{"input_audio":{"data":"AAAA"}}]}]}"#;
    assert_eq!(chat(audio).unwrap().input_bound, audio.len() as u64 + MEDIA_TOKEN_BOUND);
}

#[test]
fn sources_of_anthropics_blocks_are_media() {
    let payload = "A".repeat(100_000);
    let body = |kind: &str| {
        format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":[
            {{"source":{{"type":"base64","data":"{payload}"}},"type":"{kind}"}}]}}]}}"#
        )
    };
    let image = chat(&body("image")).unwrap();
    assert!(image.has_media && image.images == 1, "{image:?}");
    assert!(image.input_bound > IMAGE_TOKEN_BOUND && image.input_bound < IMAGE_TOKEN_BOUND + 200);
    let document = chat(&body("document")).unwrap();
    assert!(document.has_media && document.images == 0 && document.input_bound > 100_000 + MEDIA_TOKEN_BOUND);
}

#[test]
fn media_are_only_looked_for_in_contents() {
    let tools = with(r#""tools":[{"function":{"parameters":{"file":{},"image_url":{}}}}]"#).unwrap();
    assert!(!tools.has_media && tools.has_tools);
    assert!(!with(r#""tools":[]"#).unwrap().has_tools);
}

#[test]
fn a_conversation_keeps_its_hash_as_it_grows() {
    let turn = |more: &str, system: &str| {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"system","content":"{system}"}},{{"content":"hi","role":"user"}}{more}]}}"#
        );
        chat(&body).unwrap().conversation
    };
    let first = turn("", "s");
    assert_eq!(turn(r#",{"role":"assistant","content":"yo"},{"role":"user","content":"and?"}"#, "s"), first);
    assert_ne!(turn("", "other"), first);
    assert_ne!(first, 0);
    assert_eq!(Request::read(Op::Embedding, br#"{"model":"m","input":"a"}"#).unwrap().conversation, 0);
}

#[test]
fn a_long_user_is_cut_at_a_character() {
    let request = with(&format!(r#""user":"a{}""#, "é".repeat(200))).unwrap();
    assert_eq!(request.user.unwrap().len(), 255);
}

#[test]
fn speech_streams_when_it_is_to_be_events() {
    let read = |format: &str| {
        let body = format!(r#"{{"model":"m","input":"a","stream_format":"{format}"}}"#);
        Request::read(Op::Speech, body.as_bytes()).unwrap().stream
    };
    assert!(read("sse"));
    assert!(!read("audio"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for op in Op::ALL {
            let _ = Request::read(op, &bytes);
        }
    }

    #[test]
    fn a_damaged_body_never_panics(place in 0usize..200, byte in any::<u8>()) {
        let mut body = br#"{"model":"m","stream":true,"stream_options":{"include_usage":false},"n":2,"user":"x",
            "messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}}]}],"x":null}"#.to_vec();
        let place = place % body.len();
        body[place] = byte;
        let _ = Request::read(Op::Chat, &body);
        body.truncate(place);
        prop_assert!(Request::read(Op::Chat, &body).is_err());
    }
}

fn items(body: &str) -> Request {
    Request::read_in(Dialect::OpenAiResponses, Op::Chat, body.as_bytes()).unwrap()
}

#[test]
fn a_request_for_a_response_names_its_fields_otherwise() {
    let body = r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AAAA"},
        {"type":"input_file","file_data":"data:application/pdf;base64,AAAA"}]},{"type":"function_call_output","call_id":"c",
        "output":[{"type":"input_image","image_url":"https://a/b.png"}]}],"max_output_tokens":7,"safety_identifier":"u",
        "stream":true,"tools":[{"type":"web_search"}]}"#;
    let request = items(body);
    assert_eq!((request.max_output_tokens, request.images, request.has_media), (Some(7), 2, true));
    assert_eq!((request.user.as_deref(), request.has_tools, request.stream), (Some("u"), true, true));
    // Usage comes by itself, and `max_tokens` is somebody else's name.
    assert!(!request.usage_on_demand);
    assert_ne!(items(r#"{"model":"m","input":"hi"}"#).conversation, 0);
    assert!(Request::read_in(Dialect::OpenAiResponses, Op::Chat, br#"{"model":"m","Input":"hi"}"#).is_err());
    let body = Bytes::from_static(br#"{"model":"m","input":"hi"}"#);
    let request = Request::read_in(Dialect::OpenAiResponses, Op::Chat, &body).unwrap();
    let capped = request.cap_output(Op::Chat, &body, 9);
    assert_eq!(items(std::str::from_utf8(&capped).unwrap()).max_output_tokens, Some(9));
}
