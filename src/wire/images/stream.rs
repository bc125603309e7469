//! Pictures as a stream of events: written for callers whose vendor draws them
//! whole, and looked at where a vendor streams them itself.

use super::refuse;
use crate::chat::{Json, Object, parse, write_object};
use crate::error::{Failure, Kind, Result};
use crate::types::{Op, Usage};
use crate::wire::openai::{Counting, usage};
use crate::wire::sse::{self, Cutter};
use bytes::Bytes;
use serde::Deserialize;

/// The largest event: a picture in base64.
const MAX_EVENT_BYTES: usize = 64 * 1024 * 1024;

#[derive(Deserialize)]
struct AnswerIn {
    created: Option<Json>,
    data: Vec<PictureIn>,
    usage: Option<Json>,
}

#[derive(Deserialize)]
struct PictureIn {
    b64_json: Option<String>,
}

/// The event that says that a picture is drawn.
fn name(op: Op) -> &'static str {
    match op {
        Op::ImageEdit => "image_edit.completed",
        _ => "image_generation.completed",
    }
}

/// A whole answer in OpenAI's words as the stream that its caller asked for: one event for each
/// picture, and none for pictures that are not done. What all used stands in the last one, and
/// the others used nothing, so that the sum is right.
///
/// # Errors
/// [`Kind::VendorMalformed`] when the answer cannot be read, or has a picture's address instead of it.
pub fn events(op: Op, body: &[u8]) -> Result<Vec<u8>> {
    let malformed = |detail: String| {
        Failure::new(Kind::VendorMalformed, "The vendor's answer cannot be read.").detail(detail)
    };
    let answer: AnswerIn = parse(body).map_err(|error| malformed(error.to_string()))?;
    let mut out = Vec::with_capacity(body.len() + 512);
    let count = answer.data.len();
    for (number, picture) in answer.data.iter().enumerate() {
        let data = picture.b64_json.as_deref();
        let data = data.ok_or_else(|| malformed("a streamed picture that is only an address".to_owned()))?;
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name(op).as_bytes());
        out.extend_from_slice(b"\ndata: ");
        write_object(&mut out, |object| {
            object.put("type", name(op));
            object.put("b64_json", data);
            object.put_some("created_at", answer.created.as_ref());
            for field in ["background", "quality", "size"] {
                object.put(field, "auto");
            }
            object.put("output_format", format(data));
            match (&answer.usage, number + 1 == count) {
                (Some(usage), true) => object.put("usage", usage),
                _ => object.object("usage", write_nothing),
            }
        });
        out.extend_from_slice(b"\n\n");
    }
    Ok(out)
}

fn write_nothing(usage: &mut Object<'_>) {
    for field in ["input_tokens", "output_tokens", "total_tokens"] {
        usage.put(field, &0);
    }
    usage.object("input_tokens_details", |details| {
        details.put("text_tokens", &0);
        details.put("image_tokens", &0);
    });
}

/// The kind of picture by the first bytes of its base64.
fn format(data: &str) -> &'static str {
    match data.as_bytes() {
        [b'/', b'9', b'j', ..] => "jpeg",
        [b'U', b'k', b'l', b'G', ..] => "webp",
        _ => "png",
    }
}

/// Refuses pictures that are wanted both as addresses and as events.
///
/// # Errors
/// [`Kind::InvalidRequest`].
pub(super) fn no_addresses() -> Failure {
    refuse("response_format", "Pictures that are streamed come as `b64_json`, and not as addresses.")
}

/// Looks on while a vendor streams pictures, for what they cost.
pub struct Watch {
    cutter: Cutter,
    counting: Counting,
    used: Option<Usage>,
    images: u64,
    /// Something came that cannot be understood, so nothing is any more.
    lost: bool,
}

impl Watch {
    /// At the beginning of a stream of a vendor that counts so.
    pub fn new(counting: Counting) -> Self {
        Self { cutter: Cutter::new(MAX_EVENT_BYTES), counting, used: None, images: 0, lost: false }
    }

    /// Takes one read of the vendor's.
    pub fn feed(&mut self, bytes: Bytes) {
        self.lost |= !self.lost && self.cutter.push(bytes).is_err();
        while !self.lost
            && let Some(event) = self.cutter.next_event()
        {
            self.event(&event);
        }
    }

    fn event(&mut self, event: &[u8]) {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct EventIn {
            r#type: String,
        }
        let Some(data) = sse::data(event) else { return };
        let kind = parse::<EventIn>(&data).unwrap_or_default().r#type;
        if kind == name(Op::ImageGeneration) || kind == name(Op::ImageEdit) {
            self.images += 1;
            let used = usage(Op::Chat, self.counting, &data);
            self.used = match (self.used, used) {
                (Some(sum), Some(more)) => Some(sum.plus(&more)),
                (sum, more) => sum.or(more),
            };
        }
    }

    /// What was drawn so far and what the vendor says it used; `None`: no picture was finished.
    pub fn usage(&self) -> Option<Usage> {
        let used = self.used.unwrap_or_default();
        (self.images > 0).then_some(Usage { images: self.images, requests: 1, ..used })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_one_event_and_the_last_one_says_what_was_used() {
        let body = br#"{"created":7,"data":[{"b64_json":"iVBO"},{"b64_json":"/9j/"}],"usage":{"input_tokens":3,"output_tokens":9,"total_tokens":12}}"#;
        let written = events(Op::ImageGeneration, body).unwrap();
        let text = String::from_utf8(written.clone()).unwrap();
        assert_eq!(text.matches("event: image_generation.completed\ndata: {").count(), 2);
        assert!(text.contains(r#""output_format":"jpeg""#) && text.contains(r#""created_at":7"#), "{text}");
        for at in [1, 7, written.len()] {
            let mut watch = Watch::new(Counting::Inclusive);
            assert_eq!(watch.usage(), None);
            written.chunks(at).for_each(|piece| watch.feed(Bytes::copy_from_slice(piece)));
            let expected = Usage { input: 3, output: 9, images: 2, requests: 1, ..Usage::default() };
            assert_eq!(watch.usage(), Some(expected));
        }
    }

    #[test]
    fn an_edit_has_its_own_name_and_an_address_is_no_picture() {
        let one = events(Op::ImageEdit, br#"{"data":[{"b64_json":"iVBO"}]}"#).unwrap();
        assert!(one.starts_with(b"event: image_edit.completed\n"));
        assert!(events(Op::ImageEdit, br#"{"data":[{"url":"https://a.example"}]}"#).is_err());
        assert!(events(Op::ImageEdit, b"[").is_err());
    }

    #[test]
    fn what_cannot_be_read_is_no_picture() {
        let mut watch = Watch::new(Counting::Inclusive);
        for piece in [
            "data: {\"type\":\"image_generation.partial_image\"}\n\n",
            "data: [DONE]\n\n",
            ": hi\n\n",
            "data: {\n\n",
        ] {
            watch.feed(Bytes::from(piece));
        }
        assert_eq!(watch.usage(), None);
    }
}
