use super::*;
use crate::chat::ToolCall;
use proptest::prelude::*;

const SIGNED: &str = "sig";

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

fn thought(text: &str) -> Part {
    let signature = Some(Signature::new(Origin::Anthropic, SIGNED));
    Part::Thinking(Thinking { text: text.into(), signature })
}

fn call(id: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "look".into(),
        arguments: "{}".into(),
        ..ToolCall::default()
    })
}

fn asks(parts: Vec<Part>) -> Request {
    let message = Message { role: Role::Assistant, name: None, parts };
    Request { messages: vec![message], ..Request::default() }
}

/// A memory with the calls of this answer in it.
fn with(parts: &[Part]) -> Recall {
    let recall = Recall::new(1 << 20);
    recall.keep(&tenant("a"), Thoughts::of(parts), Mono(0));
    recall
}

fn restored(recall: &Recall, by: &str, origin: Origin, parts: Vec<Part>, now: Mono) -> Vec<Part> {
    let mut request = asks(parts);
    recall.restore(&tenant(by), origin, &mut request, now);
    request.messages.remove(0).parts
}

#[test]
fn thoughts_come_back_in_front_and_those_between_calls_in_between() {
    let answer = [thought("first"), Part::text("so"), call("1"), call("2"), thought("then"), call("3")];
    let recall = with(&answer);
    let returned = vec![Part::text("so"), call("1"), call("2"), call("3")];
    assert_eq!(restored(&recall, "a", Origin::Anthropic, returned, Mono(1)), answer);
}

#[test]
fn another_tenant_another_vendor_and_another_tool_get_nothing() {
    let recall = with(&[thought("t"), call("1")]);
    let returned = vec![call("1")];
    assert_eq!(restored(&recall, "b", Origin::Anthropic, returned.clone(), Mono(1)), returned);
    assert_eq!(restored(&recall, "a", Origin::Gemini, returned.clone(), Mono(1)), returned);
    let Part::ToolCall(mut other) = call("1") else { panic!() };
    other.name = "listen".into();
    let other = vec![Part::ToolCall(other)];
    assert_eq!(restored(&recall, "a", Origin::Anthropic, other.clone(), Mono(1)), other);
}

#[test]
fn what_is_kept_expires() {
    let recall = with(&[thought("t"), call("1")]);
    let last = Mono(0).after(KEPT_FOR - Duration::from_nanos(1));
    assert_eq!(restored(&recall, "a", Origin::Anthropic, vec![call("1")], last).len(), 2);
    let late = Mono(0).after(KEPT_FOR);
    assert_eq!(restored(&recall, "a", Origin::Anthropic, vec![call("1")], late).len(), 1);
}

#[test]
fn a_caller_that_returns_its_thoughts_gets_no_second_ones() {
    let recall = with(&[thought("t"), call("1")]);
    let returned = vec![thought("own"), call("1")];
    assert_eq!(restored(&recall, "a", Origin::Anthropic, returned.clone(), Mono(1)), returned);
    let unsigned = Part::Thinking(Thinking { text: "t".into(), signature: None });
    let found = restored(&recall, "a", Origin::Anthropic, vec![unsigned, call("1")], Mono(1));
    assert_eq!(found, [thought("t"), call("1")]);
}

#[test]
fn a_signature_of_the_call_itself_comes_back_where_the_id_did_not_carry_it() {
    let signature = Some(Signature::new(Origin::Gemini, "g"));
    let Part::ToolCall(mut signed) = call("1") else { panic!() };
    signed.signature.clone_from(&signature);
    let recall = with(&[Part::ToolCall(signed.clone())]);
    assert_eq!(restored(&recall, "a", Origin::Gemini, vec![call("1")], Mono(1)), [Part::ToolCall(signed)]);
    assert_eq!(restored(&recall, "a", Origin::Anthropic, vec![call("1")], Mono(1)), [call("1")]);
}

#[test]
fn an_answer_that_thinks_too_much_is_not_kept_at_all() {
    let recall = with(&[thought(&"x".repeat(MAX_ANSWER_BYTES)), call("1"), thought("t"), call("2")]);
    let returned = vec![call("1"), call("2")];
    assert_eq!(restored(&recall, "a", Origin::Anthropic, returned.clone(), Mono(1)), returned);
}

#[test]
fn the_memory_keeps_its_bound() {
    let recall = Recall::new(100 * 1024);
    for number in 0..1_000 {
        let answer = [thought(&"x".repeat(1024)), call(&number.to_string())];
        recall.keep(&tenant("a"), Thoughts::of(&answer), Mono(0));
    }
    recall.calls.run_pending_tasks();
    let bytes = recall.calls.weighted_size();
    assert!(bytes <= 100 * 1024 && bytes > 50 * 1024, "{bytes}");
    let newest = restored(&recall, "a", Origin::Anthropic, vec![call("999")], Mono(1));
    assert_eq!(newest.len(), 2, "the oldest give way, not the newest");
}

proptest! {
    #[test]
    fn a_stream_is_remembered_as_its_whole_answer_is(said in prop::collection::vec((0..4_u8, "[a-z]{1,5}"), 0..12)) {
        let (mut parts, mut streamed) = (Vec::new(), Thoughts::default());
        for (number, (kind, text)) in said.into_iter().enumerate() {
            match kind {
                0 => {
                    parts.push(thought(&text));
                    streamed.take(&Event::PartStart(crate::chat::PartKind::Thinking));
                    let (a, b) = text.split_at(text.len() / 2);
                    streamed.more(a);
                    streamed.take(&Event::ThinkingDelta(b.into()));
                    streamed.take(&Event::SignatureDelta(Signature::new(Origin::Anthropic, SIGNED)));
                }
                1 => {
                    let part = Part::RedactedThinking { data: text, origin: Origin::Anthropic };
                    streamed.take(&Event::Part(part.clone()));
                    parts.push(part);
                }
                2 => {
                    streamed.take(&Event::TextDelta(text.clone()));
                    parts.push(Part::text(text));
                }
                _ => {
                    let id = number.to_string();
                    parts.push(call(&id));
                    let name = "look".to_owned();
                    streamed.take(&Event::ToolCallStart { index: number, id, name, signature: None });
                }
            }
        }
        let (one, other) = (Recall::new(1 << 20), Recall::new(1 << 20));
        one.keep(&tenant("a"), Thoughts::of(&parts), Mono(0));
        other.keep(&tenant("a"), streamed, Mono(0));
        let returned: Vec<Part> = parts.iter().filter(|part| matches!(part, Part::ToolCall(_))).cloned().collect();
        let restored = |recall: &Recall| restored(recall, "a", Origin::Anthropic, returned.clone(), Mono(1));
        prop_assert_eq!(restored(&one), restored(&other));
    }
}
