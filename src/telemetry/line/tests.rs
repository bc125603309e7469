use super::*;
use crate::telemetry::{CacheStatus, Phases};
use crate::types::{Op, RequestId, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

fn sample() -> Done {
    Done {
        id: RequestId(uuid::Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0001)),
        op: Op::Chat,
        dialect_in: "openai_chat",
        dialect_out: "anthropic",
        model: "fast".into(),
        provider: "anthropic".into(),
        upstream_model: "claude-haiku-4-5".into(),
        credential: "anthropic/main".into(),
        key: "key_1".into(),
        tenant: "acme".into(),
        address: Some("2001:db8::1".parse().unwrap()),
        status: 200,
        outcome: "ok",
        error: "",
        detail: String::new(),
        stream: true,
        usage: Usage { input: 100, cache_read: 20, output: 30, reasoning: 5, ..Usage::default() },
        usage_source: UsageSource::Provider,
        cost: Some(Pico(12_500_000)),
        first_token: Some(Duration::from_micros(123_456)),
        duration: Duration::from_micros(2_000_007),
        phases: Phases { auth: Duration::from_micros(40), ..Phases::default() },
        attempts: 2,
        retries: 1,
        fallbacks: 0,
        cache: CacheStatus::Miss,
        request_bytes: 1_200,
        response_bytes: 900,
        tags: vec!["beta".to_owned(), "a b".to_owned()],
    }
}

fn written(done: &Done, format: Format) -> String {
    let mut stamp = Stamp::default();
    stamp.set(1_767_225_600, 42);
    let mut out = Vec::new();
    request_line(done, format, &stamp, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn the_json_line_has_every_field_under_its_name() {
    let line: Value = serde_json::from_str(&written(&sample(), Format::Json)).unwrap();
    let expected = json!({
        "timestamp": "2026-01-01T00:00:00.000042Z", "level": "INFO", "target": "request",
        "request_id": "01980000000070008000000000000001", "op": "chat", "model": "fast",
        "provider": "anthropic", "upstream_model": "claude-haiku-4-5", "credential": "anthropic/main",
        "key": "key_1", "tenant": "acme", "address": "2001:db8::1", "dialect_in": "openai_chat",
        "dialect_out": "anthropic", "status": 200, "outcome": "ok", "stream": true, "input_tokens": 120,
        "cache_read_tokens": 20, "output_tokens": 35, "reasoning_tokens": 5, "usage_source": "provider",
        "cost_usd": "0.0000125", "first_token_ms": 123.456, "duration_ms": 2000.007, "overhead_us": 40,
        "attempts": 2, "retries": 1, "fallbacks": 0, "cache": "miss", "request_bytes": 1200,
        "response_bytes": 900, "tags": ["beta", "a b"],
    });
    assert_eq!(line, expected);
}

#[test]
fn the_text_line_quotes_only_what_needs_it() {
    let done = Done { error: "upstream_error", detail: "vendor said: \"no\"\n".to_owned(), ..sample() };
    let line = written(&done, Format::Text);
    assert!(line.starts_with("2026-01-01T00:00:00.000042Z  INFO request: request_id=0198"), "{line}");
    assert!(line.contains(" detail=\"vendor said: \\\"no\\\"\\n\" stream=true"), "{line}");
    assert!(line.ends_with(" tags=beta,\"a b\"\n"), "{line}");
    assert_eq!(line.lines().count(), 1);
}

#[test]
fn fields_that_do_not_apply_are_left_out() {
    let done = Done { cost: None, first_token: None, address: None, tags: Vec::new(), ..sample() };
    let line = written(&done, Format::Json);
    for absent in ["cost_usd", "first_token_ms", "address", "tags", "error", "detail"] {
        assert!(!line.contains(&format!("\"{absent}\"")), "{absent} in {line}");
    }
}

#[test]
fn canaries_in_texts_from_outside_do_not_reach_the_line() {
    let canary = "sk-proj-CANARY0123456789abcdef";
    let done = Done {
        model: canary.into(),
        upstream_model: canary.into(),
        error: "upstream_error",
        detail: format!(
            "401 from vendor: Incorrect API key {canary}, Authorization: Bearer CANARY0123456789 ?key=CANARY0123456789"
        ),
        ..sample()
    };
    for format in [Format::Json, Format::Text] {
        let line = written(&done, format);
        assert!(!line.contains("CANARY"), "{line}");
        assert!(line.contains("401 from vendor"), "{line}");
    }
}

#[test]
fn a_long_detail_is_cut_between_characters() {
    let done = Done { error: "upstream_error", detail: "模".repeat(10_000), ..sample() };
    let line: Value = serde_json::from_str(&written(&done, Format::Json)).unwrap();
    assert_eq!(line["detail"].as_str().unwrap().len(), 1_023);
}

#[test]
fn a_stamp_follows_the_seconds() {
    let mut stamp = Stamp::default();
    for (second, text) in [(0, "1970-01-01T00:00:00.000007Z"), (951_782_399, "2000-02-28T23:59:59.000007Z")] {
        stamp.set(second, 7);
        let mut out = Vec::new();
        stamp.write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}

proptest! {
    #[test]
    fn any_text_survives_json(detail in any::<String>(), tag in any::<String>()) {
        let done = Done { detail: detail.clone(), tags: vec![tag.clone()], ..sample() };
        let text = written(&done, Format::Json);
        prop_assert_eq!(text.matches('\n').count(), 1);
        let line: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(line["tags"][0].as_str().unwrap(), &tag);
        let cut = detail.get(..detail.floor_char_boundary(LONGEST_TEXT)).unwrap();
        let expected = redact(cut).into_owned();
        prop_assert_eq!(line["detail"].as_str().unwrap_or_default(), expected);
    }

    #[test]
    fn money_is_written_as_its_display(pico in any::<i128>(), small in -10_i128.pow(16)..10_i128.pow(16)) {
        for amount in [Pico(pico), Pico(small)] {
            let mut out = Vec::new();
            decimal(&mut out, amount);
            prop_assert_eq!(String::from_utf8(out).unwrap(), amount.to_string());
        }
    }

    #[test]
    fn integers_are_written_as_their_display(value in any::<u64>()) {
        let mut out = Vec::new();
        integer(&mut out, value);
        prop_assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
    }
}
