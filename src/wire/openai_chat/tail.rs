//! The hub's own end of a stream in OpenAI's form.

use super::response_out::write_usage;
use crate::chat::{Object, write_object};
use crate::error::Failure;
use crate::wire::tail::Tail;

/// Says in the stream why it ends: a chunk without content, with a member that
/// clients pass over. A comment would be seen by nobody, and an event of
/// another name would break clients that read each as a chunk.
pub fn notice(tail: &Tail<'_>, why: &Failure) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_chunk(&mut out, tail, |chunk| {
        chunk.array("choices", |array| array.object(|choice| write_choice(choice, tail, 0, None)));
        chunk.object("aigne_hub", |notice| {
            notice.put("code", why.openai().1);
            notice.put("message", why.public.as_ref());
        });
    });
    out
}

/// Ends every answer of the stream as one that is too long, and the stream.
pub fn too_long(tail: &Tail<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    for index in 0..tail.choices {
        write_chunk(&mut out, tail, |chunk| {
            chunk.array("choices", |array| {
                array.object(|choice| write_choice(choice, tail, index, Some("length")));
            });
        });
    }
    if let Some(usage) = tail.usage {
        write_chunk(&mut out, tail, |chunk| {
            chunk.array("choices", |_| ());
            chunk.object("usage", |object| write_usage(object, usage));
        });
    }
    out.extend_from_slice(b"data: [DONE]\n\n");
    out
}

fn write_chunk(out: &mut Vec<u8>, tail: &Tail<'_>, members: impl FnOnce(&mut Object<'_>)) {
    let (prefix, object) = match tail.completion {
        true => ("cmpl", "text_completion"),
        false => ("chatcmpl", "chat.completion.chunk"),
    };
    out.extend_from_slice(b"data: ");
    write_object(out, |chunk| {
        chunk.put("id", &format!("{prefix}-{}", tail.id));
        chunk.put("object", object);
        chunk.put("created", &tail.created);
        chunk.put("model", tail.model);
        members(chunk);
    });
    out.extend_from_slice(b"\n\n");
}

fn write_choice(choice: &mut Object<'_>, tail: &Tail<'_>, index: u64, finish_reason: Option<&str>) {
    choice.put("index", &index);
    match tail.completion {
        true => choice.put("text", ""),
        false => choice.object("delta", |_| ()),
    }
    choice.put("logprobs", &());
    choice.put("finish_reason", &finish_reason);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::types::Usage;
    use serde_json::Value;

    fn events(bytes: &[u8]) -> Vec<Value> {
        let text = std::str::from_utf8(bytes).unwrap();
        let data = text.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
        data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    #[test]
    fn every_choice_ends_for_length_and_the_reason_is_told_before() {
        let usage = Usage { input: 3, output: 4, requests: 1, ..Usage::default() };
        let tail =
            Tail { id: "1", created: 2, model: "m", completion: false, choices: 2, usage: Some(&usage) };
        let why = Failure::new(Kind::NoFunds, "No credits").detail("secret");
        let told = &events(&notice(&tail, &why))[0];
        assert_eq!(told["aigne_hub"]["code"], "insufficient_credits");
        assert_eq!(told["choices"][0]["finish_reason"], Value::Null);
        let end = too_long(&tail);
        assert!(end.ends_with(b"data: [DONE]\n\n"));
        let end = events(&end);
        assert_eq!([&end[0]["choices"][0]["index"], &end[1]["choices"][0]["index"]], [0, 1]);
        assert_eq!(end[1]["choices"][0]["finish_reason"], "length");
        assert_eq!(end[2]["usage"]["total_tokens"], 7);
    }
}
