//! The hub's own end of a stream in Gemini's form.

use super::said_out::write_usage;
use crate::chat::write_object;
use crate::error::Failure;
use crate::wire::tail::Tail;

/// Ends a stream as an answer that is too long, and says why: a last chunk without content.
pub fn too_long(tail: &Tail<'_>, why: &Failure) -> Vec<u8> {
    let mut out = b"data: ".to_vec();
    write_object(&mut out, |chunk| {
        chunk.array("candidates", |array| {
            array.object(|candidate| {
                candidate.put("finishReason", "MAX_TOKENS");
                candidate.put("finishMessage", why.public.as_ref());
                candidate.put("index", &0);
            });
        });
        if let Some(usage) = tail.usage {
            write_usage(chunk, usage);
        }
        chunk.put("modelVersion", tail.model);
        chunk.put("responseId", tail.id);
    });
    out.extend_from_slice(b"\n\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Event, Finish, StreamIn};
    use crate::error::Kind;
    use crate::types::Usage;
    use crate::wire::gemini::StreamReader;

    #[test]
    fn it_ends_a_stream_as_too_long_and_says_why_and_what_was_used() {
        let usage = Usage { input: 3, output: 4, ..Usage::default() };
        let tail =
            Tail { id: "1", created: 0, model: "m", completion: false, choices: 1, usage: Some(&usage) };
        let out = too_long(&tail, &Failure::new(Kind::NoFunds, "no \"credits\""));
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(r#""finishMessage":"no \"credits\"""#) && text.ends_with("}\n\n"), "{text}");
        let (mut reader, mut events) = (StreamReader::new(), Vec::new());
        let data = text.trim_end().strip_prefix("data: ").unwrap();
        reader.feed(None, data.as_bytes(), &mut events).unwrap();
        reader.end(&mut events).unwrap();
        assert!(events.contains(&Event::Usage(usage)), "{events:?}");
        assert_eq!(events[events.len() - 2..], [Event::Finish(Finish::Length), Event::End]);
    }
}
