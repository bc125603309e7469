use super::*;
use proptest::prelude::*;

fn chat(counting: Counting, numbers: &str) -> Option<Usage> {
    usage(Op::Chat, counting, format!(r#"{{"choices":[],"usage":{numbers}}}"#).as_bytes())
}

#[test]
fn buckets_are_disjoint() {
    let all = r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
        "prompt_tokens_details":{"cached_tokens":30,"cache_write_tokens":20,"audio_tokens":10},
        "completion_tokens_details":{"reasoning_tokens":15,"audio_tokens":5}}"#;
    let used = chat(Counting::Inclusive, all).unwrap();
    let expected = Usage {
        input: 40,
        cache_read: 30,
        cache_write_5m: 20,
        audio_input: 10,
        output: 30,
        reasoning: 15,
        audio_output: 5,
        ..Usage::default()
    };
    assert_eq!(used, expected);
    assert_eq!((used.input_tokens(), used.output_tokens()), (100, 50));
}

#[test]
fn deepseeks_cache_hits_are_cache_reads() {
    let used = chat(
        Counting::Inclusive,
        r#"{"prompt_tokens":10,"completion_tokens":1,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":2}"#,
    );
    assert_eq!(used.unwrap(), Usage { input: 2, cache_read: 8, output: 1, ..Usage::default() });
}

#[test]
fn reasoning_beside_the_output_is_told_by_the_total() {
    let numbers = |total: &str| {
        format!(
            r#"{{"prompt_tokens":10,"completion_tokens":5{total},"completion_tokens_details":{{"reasoning_tokens":3}}}}"#
        )
    };
    let split = |total: &str| {
        let used = chat(Counting::ReasoningApart, &numbers(total)).unwrap();
        (used.output, used.reasoning)
    };
    assert_eq!(split(r#","total_tokens":18"#), (5, 3));
    assert_eq!(split(r#","total_tokens":15"#), (2, 3));
    assert_eq!(split(""), (5, 3));
    let unreported = r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":22}"#;
    assert_eq!(chat(Counting::ReasoningApart, unreported).unwrap().reasoning, 7);
    assert_eq!(chat(Counting::Inclusive, unreported).unwrap().reasoning, 0);
}

#[test]
fn numbers_that_contradict_each_other_are_clamped() {
    let used = chat(
        Counting::Inclusive,
        r#"{"prompt_tokens":5,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":9,"audio_tokens":9},
        "completion_tokens_details":{"reasoning_tokens":9}}"#,
    );
    assert_eq!(used.unwrap(), Usage { cache_read: 5, reasoning: 2, ..Usage::default() });
}

#[test]
fn no_numbers_are_no_usage() {
    for numbers in ["null", "{}", "[]", "7", r#"{"prompt_tokens":0,"completion_tokens":0}"#, r#"{"x":1}"#] {
        assert_eq!(chat(Counting::Inclusive, numbers), None, "{numbers}");
    }
    assert_eq!(usage(Op::Chat, Counting::Inclusive, b"{\"choices\":[]}"), None);
    assert_eq!(usage(Op::Chat, Counting::Inclusive, b"no json"), None);
}

#[test]
fn embeddings_have_only_input() {
    let body = br#"{"data":[{"embedding":[0.1]}],"usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    let used = usage(Op::Embedding, Counting::Inclusive, body).unwrap();
    assert_eq!(used, Usage { input: 8, ..Usage::default() });
    let only_total = br#"{"usage":{"total_tokens":8}}"#;
    assert_eq!(usage(Op::Embedding, Counting::Inclusive, only_total).unwrap().input, 8);
}

#[test]
fn images_are_counted_with_and_without_tokens() {
    let plain = br#"{"created":1,"data":[{"url":"a"},{"url":"b"}]}"#;
    for op in [Op::ImageGeneration, Op::ImageEdit] {
        assert_eq!(usage(op, Counting::Inclusive, plain).unwrap(), Usage { images: 2, ..Usage::default() });
    }
    let tokens = br#"{"data":[{"b64_json":"AA=="}],"usage":{"input_tokens":10,"output_tokens":20,
        "input_tokens_details":{"text_tokens":4,"image_tokens":6}}}"#;
    let used = usage(Op::ImageGeneration, Counting::Inclusive, tokens).unwrap();
    assert_eq!(used, Usage { input: 10, output: 20, images: 1, ..Usage::default() });
}

#[test]
fn transcriptions_are_billed_by_tokens_or_by_time() {
    let read = |body: &str| usage(Op::Transcription, Counting::Inclusive, body.as_bytes()).unwrap();
    let tokens = r#"{"text":"hi","usage":{"type":"tokens","input_tokens":14,"output_tokens":3,"total_tokens":17,
        "input_token_details":{"text_tokens":0,"audio_tokens":14}}}"#;
    assert_eq!(read(tokens), Usage { audio_input: 14, output: 3, ..Usage::default() });
    let duration = r#"{"text":"hi","usage":{"type":"duration","seconds":2.5}}"#;
    assert_eq!(read(duration), Usage { milliseconds: 2500, ..Usage::default() });
    assert_eq!(read(r#"{"text":"hi","duration":"1.25"}"#).milliseconds, 1250);
}

#[test]
fn a_later_zero_does_not_take_a_number_back() {
    let mut counts = Counts::default();
    for numbers in [r#"{"completion_tokens":3}"#, r#"{"completion_tokens":7}"#, r#"{"completion_tokens":0}"#]
    {
        counts.read(&mut Reader::new(numbers.as_bytes())).unwrap();
    }
    assert_eq!(counts.usage(Counting::Inclusive).unwrap().output, 7);
}

proptest! {
    #[test]
    fn the_sum_is_never_more_than_what_was_reported(
        numbers in prop::array::uniform8(prop_oneof![0u64..1000, Just(u64::MAX)]), apart in any::<bool>()
    ) {
        let [input, output, total, cached, written, audio_in, audio_out, reasoning] = numbers;
        let counts = Counts {
            input: Some(input), output: Some(output), total: Some(total), cached: Some(cached),
            cache_written: Some(written), audio_input: Some(audio_in), audio_output: Some(audio_out),
            reasoning: Some(reasoning), milliseconds: None,
        };
        let counting = if apart { Counting::ReasoningApart } else { Counting::Inclusive };
        let used = counts.usage(counting).unwrap_or_default();
        prop_assert_eq!(used.input_tokens(), input);
        let most = if apart { output.saturating_add(reasoning) } else { output };
        prop_assert!(used.output_tokens() <= most);
        prop_assert!(used.output_tokens() >= output);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = usage(Op::ImageEdit, Counting::ReasoningApart, &bytes);
    }
}
