use super::*;
use crate::wire::openai::answer_text;
use proptest::prelude::*;

fn all(op: Op, body: &str) -> Vec<String> {
    let mut found = Vec::new();
    texts(op, body.as_bytes(), &mut |text| found.push(text.to_owned()));
    found
}

#[test]
fn a_chats_texts_come_in_order() {
    let body = r#"{"model":"no","messages":[
        {"role":"system","content":"a\nb"},
        {"role":"user","name":"n","content":[{"type":"text","text":"c"},{"type":"image_url","image_url":{"url":"no"}}]},
        {"role":"assistant","content":null,"tool_calls":[{"id":"no","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"no","content":"d"}],"tools":[{"x":1}]}"#;
    let expected = ["system", "a\nb", "user", "n", "c", "assistant", "f", "{}", "tool", "d", r#"[{"x":1}]"#];
    assert_eq!(all(Op::Chat, body), expected);
}

#[test]
fn texts_of_anthropics_blocks_are_texts() {
    let body = r#"{"system":[{"type":"text","text":"s"}],"messages":[
        {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"no"},
            {"type":"tool_use","id":"no","name":"f","input":{"a":1}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"no","content":[{"type":"text","text":"r"}]},
            {"type":"image","source":{"type":"base64","data":"no"}}]}]}"#;
    assert_eq!(all(Op::Chat, body), ["s", "assistant", "t", "f", r#"{"a":1}"#, "user", "r"]);
    assert_eq!(all(Op::Chat, r#"{"system":"s"}"#), ["s"]);
}

#[test]
fn inputs_are_a_text_or_a_list() {
    assert_eq!(all(Op::Embedding, r#"{"input":"a"}"#), ["a"]);
    assert_eq!(all(Op::Embedding, r#"{"input":["a","b"]}"#), ["a", "b"]);
    assert_eq!(all(Op::Embedding, r#"{"input":[1,2]}"#), [""; 0]);
    assert_eq!(all(Op::Completion, r#"{"prompt":["a"],"input":"no"}"#), ["a"]);
    assert_eq!(all(Op::ImageGeneration, r#"{"prompt":"a"}"#), ["a"]);
    assert_eq!(all(Op::Speech, r#"{"input":"a","voice":"no"}"#), ["a"]);
    assert_eq!(all(Op::Tokenize, r#"{"text":"a"}"#), ["a"]);
}

#[test]
fn the_text_of_an_answer_is_all_that_was_generated() {
    let body = r#"{"id":"no","choices":[{"message":{"role":"no","content":"a","reasoning_content":"r",
        "tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}},{"message":{"content":"b"}}]}"#;
    assert_eq!(answer_text(Op::Chat, body.as_bytes()), "arf{}b");
    assert_eq!(answer_text(Op::Completion, br#"{"choices":[{"text":"a"},{"text":"b"}]}"#), "ab");
    assert_eq!(answer_text(Op::Transcription, br#"{"text":"a"}"#), "a");
    assert_eq!(answer_text(Op::Chat, br#"{"text":"a"}"#), "");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for op in Op::ALL {
            texts(op, &bytes, &mut |_| {});
            let _ = answer_text(op, &bytes);
        }
    }
}
