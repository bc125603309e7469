//! The vendor's stream as bytes: binary frames with a length, headers, a JSON
//! payload and two check sums (`application/vnd.amazon.eventstream`).

use crate::chat::write_object;
use crate::error::{Failure, Kind, Result};
use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_types::event_stream::Message;
use bytes::{Buf, Bytes, BytesMut};

/// Length of the frame, length of its headers, check sum of both.
const PRELUDE_BYTES: usize = 12;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The kind of event, such as `contentBlockDelta`. That of a failure begins with
    /// [`Frame::FAILED`], which no event's does.
    pub name: String,
    /// The payload, which is JSON.
    pub data: Bytes,
}

impl Frame {
    /// What the name of a failure begins with; the kind of failure comes behind it.
    pub const FAILED: &'static str = "exception:";
}

/// Cuts a stream into frames, however its bytes were split.
#[derive(Debug)]
pub struct Frames {
    max_frame_bytes: usize,
    /// What is left of the bytes pushed last. Empty while anything is carried.
    chunk: Bytes,
    /// A frame that came in several pieces, and what came behind it.
    carried: BytesMut,
}

impl Frames {
    /// A reader at the beginning of a stream. A frame may have as many bytes as said, all included.
    pub fn new(max_frame_bytes: usize) -> Self {
        Self { max_frame_bytes, chunk: Bytes::new(), carried: BytesMut::new() }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        if self.carried.is_empty() && self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            self.carry();
            self.carried.extend_from_slice(&chunk);
        }
    }

    /// The next whole frame. `None`: more bytes are needed.
    ///
    /// # Errors
    /// [`Kind::VendorMalformed`] for a frame that is too long, whose check sums are wrong or that
    /// says nothing. The stream cannot go on then.
    pub fn next_frame(&mut self) -> Result<Option<Frame>> {
        let held: &[u8] = if self.carried.is_empty() { &self.chunk } else { &self.carried };
        let Some(mut prelude) = held.get(..PRELUDE_BYTES) else {
            self.carry();
            return Ok(None);
        };
        let length = prelude.get_u32() as usize;
        if length > self.max_frame_bytes {
            return Err(malformed(format_args!("a frame of {length} bytes")));
        }
        if held.len() < length {
            self.carry();
            return Ok(None);
        }
        let frame = match self.carried.is_empty() {
            true => self.chunk.split_to(length),
            false => self.carried.split_to(length).freeze(),
        };
        let message = read_message_from(frame).map_err(malformed)?;
        read(&message).map(Some)
    }

    /// Is there nothing of a frame that is not whole?
    pub fn is_empty(&self) -> bool {
        self.chunk.is_empty() && self.carried.is_empty()
    }

    /// Copies what is left, so that a read buffer does not stay alive for half a frame.
    fn carry(&mut self) {
        self.carried.extend_from_slice(&std::mem::take(&mut self.chunk));
    }
}

fn malformed(detail: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::VendorMalformed, "The vendor's answer cannot be read.").detail(detail)
}

/// What a frame says. The vendor has three kinds of messages: events, modelled
/// failures, and errors without a payload.
fn read(message: &Message) -> Result<Frame> {
    let header = |name: &str| {
        let found = message.headers().iter().find(|header| header.name().as_str() == name);
        found.and_then(|header| header.value().as_string().ok()).map(|text| text.as_str())
    };
    let failed = |kind: &str| format!("{}{kind}", Frame::FAILED);
    match header(":message-type") {
        Some("event") => {
            let name = header(":event-type").ok_or_else(|| malformed("an event without a type"))?;
            Ok(Frame { name: name.to_owned(), data: message.payload().clone() })
        }
        Some("exception") => {
            let kind = header(":exception-type").unwrap_or("unknown");
            Ok(Frame { name: failed(kind), data: message.payload().clone() })
        }
        Some("error") => {
            let mut data = Vec::new();
            let text = header(":error-message").unwrap_or("the vendor reported an error without a text");
            write_object(&mut data, |object| object.put("message", text));
            Ok(Frame { name: failed(header(":error-code").unwrap_or("unknown")), data: data.into() })
        }
        other => Err(malformed(format_args!("a message of type {other:?}"))),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use aws_smithy_eventstream::frame::write_message_to;
    use aws_smithy_types::event_stream::{Header, HeaderValue};
    use proptest::prelude::*;

    /// A frame as the vendor writes it.
    pub(in crate::wire::bedrock) fn encode(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
        let mut message = Message::new(payload.to_vec());
        for (name, value) in headers {
            let value = HeaderValue::String((*value).to_owned().into());
            message = message.add_header(Header::new((*name).to_owned(), value));
        }
        let mut out = Vec::new();
        write_message_to(&message, &mut out).unwrap();
        out
    }

    /// An event.
    pub(in crate::wire::bedrock) fn event(name: &str, payload: &str) -> Vec<u8> {
        let headers =
            [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
        encode(&headers, payload.as_bytes())
    }

    fn read_all(stream: &[u8], cuts: &[usize]) -> Result<Vec<Frame>> {
        let mut frames = Frames::new(1 << 20);
        let mut found = Vec::new();
        let mut start = 0;
        for end in cuts.iter().copied().chain([stream.len()]) {
            frames.push(Bytes::copy_from_slice(&stream[start..end]));
            while let Some(frame) = frames.next_frame()? {
                found.push(frame);
            }
            start = end;
        }
        assert!(frames.is_empty());
        Ok(found)
    }

    /// The example of AWS's own specification of the format: one header, and a payload.
    const PUBLISHED: &str = "0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e\
                             7b27666f6f273a27626172277d8d9c08b1";

    fn published() -> Vec<u8> {
        let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
        PUBLISHED.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    }

    #[test]
    fn the_published_example_is_written_as_aws_writes_it() {
        assert_eq!(encode(&[("content-type", "application/json")], b"{'foo':'bar'}"), published());
        // It is whole, and says of itself nothing that a stream of this vendor would.
        let failure = read_all(&published(), &[]).unwrap_err();
        assert!(failure.detail.contains("a message of type None"), "{}", failure.detail);
    }

    #[test]
    fn every_kind_of_message_is_told_by_its_name() {
        let mut stream = event("messageStart", r#"{"role":"assistant"}"#);
        let exception = [(":message-type", "exception"), (":exception-type", "throttlingException")];
        stream.extend(encode(&exception, br#"{"message":"slow down"}"#));
        let error =
            [(":message-type", "error"), (":error-code", "InternalFailure"), (":error-message", "a \"b\"")];
        stream.extend(encode(&error, b""));
        let frames = read_all(&stream, &[]).unwrap();
        let said: Vec<_> = frames.iter().map(|f| (f.name.as_str(), f.data.as_ref())).collect();
        let expected: [(&str, &[u8]); 3] = [
            ("messageStart", br#"{"role":"assistant"}"#),
            ("exception:throttlingException", br#"{"message":"slow down"}"#),
            ("exception:InternalFailure", br#"{"message":"a \"b\""}"#),
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn a_cut_at_any_byte_changes_nothing() {
        let stream = [event("a", "{}"), event("b", r#"{"x":1}"#), event("c", "")].concat();
        let whole = read_all(&stream, &[]).unwrap();
        assert_eq!(whole.len(), 3);
        for cut in 0..=stream.len() {
            assert_eq!(read_all(&stream, &[cut]).unwrap(), whole, "{cut}");
        }
        let every: Vec<usize> = (1..stream.len()).collect();
        assert_eq!(read_all(&stream, &every).unwrap(), whole);
    }

    #[test]
    fn a_wrong_check_sum_and_a_frame_that_is_too_long_are_refused() {
        let good = event("a", "{}");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            let mut frames = Frames::new(1 << 20);
            frames.push(bad.into());
            // A length that became larger waits for bytes that never come; everything else is noticed.
            assert!(!matches!(frames.next_frame(), Ok(Some(_))), "{at}");
        }
        let mut frames = Frames::new(good.len() - 1);
        frames.push(good.into());
        assert_eq!(frames.next_frame().unwrap_err().kind, Kind::VendorMalformed);
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        for length in [0_u32, 1, 11, 15] {
            let mut frames = Frames::new(1 << 20);
            frames.push([length.to_be_bytes(), [0; 4], [0; 4], [0; 4]].concat().into());
            assert!(frames.next_frame().is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn frames_survive_any_split(payloads in proptest::collection::vec(".{0,200}", 1..6), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
            let stream: Vec<u8> = payloads.iter().flat_map(|payload| event("e", payload)).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
            cuts.sort_unstable();
            let frames = read_all(&stream, &cuts).unwrap();
            prop_assert_eq!(frames.len(), payloads.len());
            for (frame, payload) in frames.iter().zip(&payloads) {
                prop_assert_eq!(frame.data.as_ref(), payload.as_bytes());
            }
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut frames = Frames::new(1 << 16);
            frames.push(bytes.into());
            while let Ok(Some(_)) = frames.next_frame() {}
        }
    }
}
