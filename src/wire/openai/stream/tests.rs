use super::*;
use proptest::prelude::*;

const ROLE: &str = r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#;
const HELLO: &str =
    r#"data: {"choices":[{"index":0,"delta":{"content":"Hel\u006co"},"finish_reason":null}]}"#;
const STOP: &str = r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str =
    r#"data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;
const DONE: &str = "data: [DONE]";

fn stream(events: &[&str]) -> String {
    events.iter().map(|event| format!("{event}\n\n")).collect()
}

fn reader(strip_usage: bool) -> StreamReader {
    StreamReader::new(Op::Chat, Counting::Inclusive, strip_usage)
}

/// What a whole stream leads to.
#[derive(Debug, PartialEq)]
struct Outcome {
    out: String,
    error: Option<VendorError>,
    content: bool,
    complete: bool,
    usage: Option<Usage>,
    text: String,
}

fn run_with(mut reader: StreamReader, chunks: &[&[u8]]) -> Outcome {
    let mut out = Vec::new();
    let mut error = None;
    let mut take = |step: Step| {
        step.out.iter().for_each(|bytes| out.extend_from_slice(bytes));
        error = error.take().or(step.error);
    };
    for chunk in chunks {
        take(reader.feed(Bytes::copy_from_slice(chunk)).unwrap());
    }
    take(reader.end());
    Outcome {
        out: String::from_utf8_lossy(&out).into_owned(),
        error,
        content: reader.content_seen(),
        complete: reader.complete(),
        usage: reader.usage(),
        text: reader.take_text(),
    }
}

fn run(strip_usage: bool, input: &str) -> Outcome {
    run_with(reader(strip_usage), &[input.as_bytes()])
}

#[test]
fn an_unchanged_read_comes_out_as_the_chunk_that_came_in() {
    let chunk = Bytes::from(stream(&[": hi", ROLE, HELLO, STOP, USAGE, DONE]));
    let mut reader = reader(false);
    let step = reader.feed(chunk.clone()).unwrap();
    assert_eq!(step.out.len(), 1);
    assert_eq!(step.out[0].as_ptr(), chunk.as_ptr());
    assert_eq!(step.out[0].len(), chunk.len());
    assert!(step.content && reader.complete());
    assert_eq!(reader.usage().unwrap(), Usage { input: 9, output: 2, ..Usage::default() });
    assert_eq!(reader.take_text(), "Hello");
    assert_eq!(reader.output_bytes(), 5);
}

#[test]
fn preparations_wait_for_the_first_content_and_keep_their_order() {
    let mut reader = reader(true);
    for event in [": OPENROUTER PROCESSING", ROLE, "\n"] {
        let step = reader.feed(Bytes::from(stream(&[event]))).unwrap();
        assert!(step.out.is_empty() && !step.content);
    }
    let step = reader.feed(Bytes::from(stream(&[HELLO]))).unwrap();
    assert!(step.content);
    let out = step.out.concat();
    assert_eq!(out, stream(&[": OPENROUTER PROCESSING", ROLE, "\n", HELLO]).into_bytes());
}

#[test]
fn a_finish_reason_usage_or_the_end_let_go_as_well() {
    let released = |event: &str| {
        let mut reader = reader(true);
        reader.feed(Bytes::from(stream(&[ROLE]))).unwrap();
        let step = reader.feed(Bytes::from(stream(&[event]))).unwrap();
        assert!(!step.content);
        !step.out.is_empty()
    };
    assert!(released(STOP));
    assert!(released(USAGE));
    assert!(released(DONE));
    assert!(!released(ROLE));
    assert_eq!(run(true, &stream(&[ROLE])).out, stream(&[ROLE]));
}

#[test]
fn what_is_held_back_is_bounded() {
    let comment = Bytes::from(stream(&[": keep-alive"]));
    let mut reader = reader(true);
    let mut fed = 0;
    while fed + comment.len() <= MAX_HELD_BYTES {
        assert!(reader.feed(comment.clone()).unwrap().out.is_empty());
        fed += comment.len();
    }
    let step = reader.feed(comment.clone()).unwrap();
    assert!(!step.content);
    assert_eq!(step.out.iter().map(Bytes::len).sum::<usize>(), fed + comment.len());
    assert_eq!(reader.feed(comment.clone()).unwrap().out, [comment]);
}

#[test]
fn every_kind_of_content_counts_as_content() {
    for (delta, text) in [
        (r#"{"content":"a"}"#, "a"),
        (r#"{"content":[{"type":"text","text":"a"}]}"#, "a"),
        (r#"{"reasoning_content":"a"}"#, "a"),
        (r#"{"reasoning":"a","reasoning_content":"a"}"#, "a"),
        (r#"{"reasoning":"a","reasoning_details":[{"text":"a"}]}"#, "a"),
        (r#"{"refusal":"a"}"#, "a"),
        (r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}]}"#, "f{}"),
        (r#"{"function_call":{"name":"f","arguments":"{}"}}"#, "f{}"),
        (r#"{"audio":{"data":"AAAA","transcript":"a"}}"#, "a"),
        (r#"{"images":[{}]}"#, ""),
    ] {
        let event = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}");
        let outcome = run(true, &stream(&[&event]));
        assert!(outcome.content, "{delta}");
        assert_eq!(outcome.text, text, "{delta}");
    }
    for delta in [
        r#"{"role":"assistant"}"#,
        "{}",
        "null",
        r#"{"content":null,"tool_calls":[],"audio":null,"refusal":""}"#,
    ] {
        let event = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}");
        assert!(!run(true, &stream(&[&event])).content, "{delta}");
    }
    let completion = StreamReader::new(Op::Completion, Counting::Inclusive, true);
    let outcome = run_with(completion, &[stream(&[r#"data: {"choices":[{"text":"a"}]}"#]).as_bytes()]);
    assert!(outcome.content);
}

#[test]
fn the_usage_chunk_is_only_for_who_asked() {
    let input = stream(&[ROLE, HELLO, STOP, USAGE, DONE]);
    let stripped = run(true, &input);
    assert_eq!(stripped.out, stream(&[ROLE, HELLO, STOP, DONE]));
    assert!(stripped.usage.is_some() && stripped.complete);
    assert_eq!(run(false, &input).out, input);
}

#[test]
fn usage_that_rides_on_a_choice_is_read_and_passed_on() {
    let last = r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":4,"completion_tokens":3}}"#;
    let input = stream(&[HELLO, last]);
    let outcome = run(true, &input);
    assert_eq!(outcome.out, input);
    assert_eq!(outcome.usage.unwrap().output, 3);
    let inside =
        r#"data: {"choices":[{"index":0,"delta":{},"usage":{"prompt_tokens":4,"completion_tokens":3}}]}"#;
    assert_eq!(run(true, &stream(&[inside])).usage.unwrap().input, 4);
    let groq = r#"data: {"choices":[],"x_groq":{"usage":{"prompt_tokens":4,"completion_tokens":3}}}"#;
    assert_eq!(run(true, &stream(&[groq])).usage.unwrap().input, 4);
}

#[test]
fn the_last_numbers_of_a_counting_vendor_win() {
    let event = |output: u32| {
        format!(
            r#"data: {{"choices":[{{"delta":{{"content":"a"}}}}],"usage":{{"prompt_tokens":5,"completion_tokens":{output}}}}}"#
        )
    };
    let outcome = run(true, &stream(&[&event(1), &event(2), &event(3)]));
    assert_eq!(outcome.usage.unwrap(), Usage { input: 5, output: 3, ..Usage::default() });
}

#[test]
fn errors_in_every_shape_stop_the_stream() {
    for (event, message) in [
        (r#"data: {"error":{"message":"boom","type":"server_error"}}"#, "boom"),
        (r#"data: {"error":"boom"}"#, "boom"),
        (r#"data: {"code":"overloaded","error":"boom"}"#, "boom"),
        (
            r#"data: {"error":{"code":502,"message":"boom"},"choices":[{"delta":{},"finish_reason":"error"}]}"#,
            "boom",
        ),
        (r#"data: {"choices":[{"index":0,"error":{"message":"boom"},"finish_reason":"error"}]}"#, "boom"),
        (r#"data: {"object":"error","message":"boom","code":400}"#, "boom"),
        (r#"data: {"type":"error","error":{"type":"overloaded_error","message":"boom"}}"#, "boom"),
        ("event: error\ndata: {\"message\":\"boom\"}", "boom"),
        ("event: error\ndata: boom", "boom"),
        ("event: error", "the vendor reported an error without saying which"),
        (
            r#"data: {"choices":[{"delta":{},"finish_reason":"error"}]}"#,
            "the vendor ended the answer with an error",
        ),
        (
            r#"data: {"choices":[{"delta":{},"finish_reason":"insufficient_system_resource"}]}"#,
            "the vendor ended the answer with an error",
        ),
    ] {
        let outcome = run(true, &stream(&[ROLE, HELLO, event, HELLO, DONE]));
        assert_eq!(outcome.error.map(|error| error.message).as_deref(), Some(message), "{event}");
        assert_eq!(outcome.out, stream(&[ROLE, HELLO]), "{event}");
        assert!(!outcome.complete, "{event}");
    }
}

#[test]
fn an_error_before_content_lets_nothing_out() {
    let error = r#"data: {"error":{"message":"boom"}}"#;
    let together = run(true, &stream(&[ROLE, error]));
    assert_eq!((together.out.as_str(), together.content), ("", false));
    let mut reader = reader(true);
    assert!(reader.feed(Bytes::from(stream(&[ROLE]))).unwrap().out.is_empty());
    let step = reader.feed(Bytes::from(stream(&[error]))).unwrap();
    assert!(step.error.is_some() && step.out.is_empty());
    assert!(reader.feed(Bytes::from(stream(&[HELLO]))).unwrap().out.is_empty());
    assert!(reader.end().out.is_empty());
}

#[test]
fn an_error_that_is_null_is_none() {
    let event = r#"data: {"choices":[{"index":0,"delta":{"content":"a"},"error":null}],"error":null}"#;
    let outcome = run(true, &stream(&[event]));
    assert_eq!((outcome.error, outcome.content), (None, true));
}

#[test]
fn a_refusal_without_events_is_an_error() {
    let outcome = run(true, r#"{"code":"invalid","error":"no such model"}"#);
    assert_eq!(outcome.error.unwrap().message, "no such model");
    assert!(outcome.out.is_empty());
}

#[test]
fn what_cannot_be_read_is_passed_on_untouched() {
    let input = stream(&["data: {\"choices\":[{\"delta\":{\"content\":\"a", HELLO]);
    let outcome = run(true, &input);
    assert_eq!((outcome.out, outcome.error, outcome.content), (input, None, true));
    assert_eq!(outcome.text, "Hello");
}

#[test]
fn half_surrogates_do_not_lose_an_event() {
    let event = r#"data: {"choices":[{"delta":{"content":"a\ud83d"}}]}"#;
    let outcome = run(true, &stream(&[event]));
    assert_eq!((outcome.out, outcome.text.as_str()), (stream(&[event]), "a\u{fffd}"));
}

#[test]
fn complete_is_done_or_a_finish_for_every_choice() {
    let choice = |index: u32, finish: &str| {
        format!(
            r#"data: {{"choices":[{{"index":{index},"delta":{{"content":"a"}},"finish_reason":{finish}}}]}}"#
        )
    };
    let complete = |events: &[&str]| run(true, &stream(events)).complete;
    let (open, closed) = (choice(0, "null"), choice(0, "\"stop\""));
    let (open_1, closed_1) = (choice(1, "null"), choice(1, "\"length\""));
    assert!(!complete(&[]));
    assert!(!complete(&[&open]));
    assert!(complete(&[&open, &closed]));
    assert!(!complete(&[&open, &open_1, &closed]));
    assert!(complete(&[&open, &open_1, &closed, &closed_1]));
    assert!(complete(&[&open, DONE]));
    assert!(!complete(&[&choice(500, "null")]));
}

#[test]
fn an_unterminated_last_event_is_ended_if_it_is_whole() {
    assert_eq!(run(true, &format!("{HELLO}\n\n{DONE}")).out, stream(&[HELLO, DONE]));
    assert_eq!(run(true, &format!("{HELLO}\n\n{DONE}\n")).out, stream(&[HELLO, DONE]));
    assert_eq!(run(true, &format!("{HELLO}\n\n{STOP}\r")).out, format!("{HELLO}\n\n{STOP}\r\n\n"));
    assert_eq!(run(true, &format!("{HELLO}\r\r{STOP}\r\r")).out, format!("{HELLO}\r\r{STOP}\r\r"));
    assert!(run(true, STOP).complete);
    let half = run(true, &format!("{HELLO}\n\ndata: {{\"choices\":[{{\"finish_re"));
    assert_eq!((half.out, half.complete), (stream(&[HELLO]), false));
}

#[test]
fn an_event_past_the_bound_is_refused() {
    let mut reader = reader(true);
    let mut fed = 0;
    let chunk = Bytes::from(vec![b'x'; 1 << 20]);
    while fed < MAX_EVENT_BYTES {
        reader.feed(chunk.clone()).unwrap();
        fed += chunk.len();
    }
    assert_eq!(reader.feed(Bytes::from_static(b"x")).unwrap_err().kind, Kind::VendorMalformed);
}

#[test]
fn collected_text_is_bounded_and_its_bytes_are_all_counted() {
    let text = "é".repeat(10_000);
    let event = stream(&[&format!(r#"data: {{"choices":[{{"delta":{{"content":"{text}"}}}}]}}"#)]);
    let mut reader = reader(true);
    reader.feed(Bytes::from(event.clone())).unwrap();
    assert!(!reader.text_due());
    for _ in 0..4 {
        reader.feed(Bytes::from(event.clone())).unwrap();
    }
    assert!(reader.text_due());
    assert_eq!(reader.output_bytes(), 100_000);
    assert_eq!(reader.take_text().len(), MAX_TEXT_BYTES);
    assert!(!reader.text_due() && reader.take_text().is_empty());
}

#[test]
fn events_of_other_operations_are_understood() {
    let input = stream(&[
        "event: transcript.text.delta\ndata: {\"type\":\"transcript.text.delta\",\"delta\":\"hi\"}",
        r#"data: {"type":"transcript.text.done","text":"hi","usage":{"input_tokens":5,"output_tokens":1}}"#,
    ]);
    let transcription = StreamReader::new(Op::Transcription, Counting::Inclusive, true);
    let outcome = run_with(transcription, &[input.as_bytes()]);
    assert_eq!((outcome.out, outcome.text.as_str(), outcome.complete), (input, "hi", true));
    assert_eq!(outcome.usage.unwrap().input, 5);

    let input = stream(&[
        r#"data: {"type":"image_generation.partial_image","b64_json":"AA=="}"#,
        r#"data: {"type":"image_generation.completed","b64_json":"AA==","usage":{"input_tokens":5,"output_tokens":7}}"#,
    ]);
    let images = StreamReader::new(Op::ImageGeneration, Counting::Inclusive, true);
    let outcome = run_with(images, &[input.as_bytes()]);
    assert_eq!((outcome.out, outcome.complete), (input, true));
    assert_eq!(outcome.usage.unwrap(), Usage { input: 5, output: 7, images: 1, ..Usage::default() });
}

#[test]
fn every_split_leads_to_the_same_outcome() {
    let fixtures = [
        stream(&[": hi", ROLE, HELLO, STOP, USAGE, DONE]),
        stream(&[ROLE, HELLO, r#"data: {"error":{"message":"boom"}}"#, DONE]),
        stream(&[ROLE, HELLO, STOP, USAGE, DONE]).replace('\n', "\r\n"),
        format!("\u{feff}{}{DONE}", stream(&[ROLE, HELLO, "event: x\ndata: not json"])),
        format!("{HELLO}\r\r{STOP}\n\r\n{USAGE}"),
    ];
    for fixture in &fixtures {
        let bytes = fixture.as_bytes();
        for strip in [false, true] {
            let whole = run_with(reader(strip), &[bytes]);
            for at in 0..=bytes.len() {
                let (left, right) = bytes.split_at(at);
                assert_eq!(run_with(reader(strip), &[left, right]), whole, "{fixture:?} at {at}");
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(run_with(reader(strip), &single), whole, "{fixture:?} byte by byte");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_are_never_invented(
        bytes in prop::collection::vec(prop_oneof![
            Just("\n\n".to_owned()), Just("data: ".to_owned()), Just(HELLO.to_owned()), Just(DONE.to_owned()),
            Just("event: error\n".to_owned()), Just(USAGE.to_owned()), ".{0,8}", Just("\r".to_owned()),
        ], 0..20),
        strip in any::<bool>(),
    ) {
        let input = bytes.concat();
        let outcome = run(strip, &input);
        // What comes out is what came in, in order, less what was stripped or lost at the end.
        let mut rest = input.as_bytes();
        let ended = outcome.out.trim_end_matches('\n').bytes();
        for byte in ended {
            let at = rest.iter().position(|&b| b == byte);
            prop_assert!(at.is_some());
            rest = &rest[at.unwrap() + 1..];
        }
    }

    #[test]
    fn arbitrary_events_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let input = [b"data: ", bytes.as_slice(), b"\n\n"].concat();
        let _ = run_with(reader(true), &[&input]);
    }
}
