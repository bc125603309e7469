//! What a request asks of the mock vendor. The model's name says it, because it
//! is the one thing every gateway passes on: `burst-64` is a stream of 64 events
//! in one write, `paced-20ms-40` one of 40 events, one each 20 ms; any other name
//! is a burst of 16. Without `"stream":true` the answer is whole.

use crate::http1::{Message, Sink};
use crate::prompt::LAST_WORDS;
use anyhow::Result;
use memchr::memmem;
use std::time::Duration;

/// How much of each end of a body is kept.
const KEPT_BYTES: usize = 4096;

/// The two ends of a body of any length: the fields stand in one of them, and
/// nothing has to hold a megabyte. The ends may overlap.
#[derive(Debug, Default)]
pub struct Ends {
    first: Vec<u8>,
    last: Vec<u8>,
}

impl Sink for Ends {
    fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        let room = KEPT_BYTES.saturating_sub(self.first.len()).min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        self.first.extend_from_slice(first);
        let rest = rest.get(rest.len().saturating_sub(KEPT_BYTES)..).unwrap_or_default();
        self.last.extend_from_slice(rest);
        let surplus = self.last.len().saturating_sub(KEPT_BYTES);
        self.last.drain(..surplus);
        Ok(())
    }
}

impl Ends {
    fn contains(&self, text: &[u8]) -> bool {
        memmem::find(&self.last, text).is_some()
            || memmem::find(&self.first, text).is_some()
            || memmem::find(&self.seam(text.len()), text).is_some()
    }

    /// The bytes around the place where the first end stops and the last one starts.
    fn seam(&self, length: usize) -> Vec<u8> {
        let left = self.first.get(self.first.len().saturating_sub(length)..).unwrap_or_default();
        let right = self.last.get(..length.min(self.last.len())).unwrap_or_default();
        [left, right].concat()
    }

    /// The text behind `"name":`, blanks skipped.
    fn value(&self, name: &str) -> Option<&[u8]> {
        let quoted = format!("\"{name}\"");
        [&self.first, &self.last].into_iter().find_map(|end| {
            let at = memmem::find(end, quoted.as_bytes())? + quoted.len();
            Some(end.get(at..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start())
        })
    }

    fn is_true(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value.starts_with(b"true"))
    }
}

/// When the events of a stream are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// All in one write.
    Burst {
        /// How many.
        events: u32,
    },
    /// One by one, on a fixed grid.
    Paced {
        /// From one event to the next.
        gap: Duration,
        /// How many.
        events: u32,
    },
}

impl Pace {
    /// Reads the pace out of a model's name, wherever it stands in it.
    pub fn of(model: &str) -> Option<Self> {
        if let Some((_, rest)) = model.split_once("burst-") {
            return Some(Self::Burst { events: rest.parse().ok()? });
        }
        let (gap, events) = model.split_once("paced-")?.1.split_once("ms-")?;
        Some(Self::Paced { gap: Duration::from_millis(gap.parse().ok()?), events: events.parse().ok()? })
    }
}

/// What to answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Not a POST: a short 200, for those who wait until the vendor is up.
    Alive,
    /// The end of the prompt is missing: something was lost on the way.
    Incomplete,
    /// One JSON answer.
    Whole,
    /// Server-sent events.
    Stream {
        /// When they are sent.
        pace: Pace,
        /// Whether an event with the usage is wanted at the end.
        usage: bool,
    },
}

impl Ask {
    /// Understands a request.
    pub fn read(message: &Message, body: &Ends) -> Self {
        if !message.start_line().starts_with(b"POST ") {
            return Self::Alive;
        }
        if !body.contains(LAST_WORDS.as_bytes()) {
            return Self::Incomplete;
        }
        if !body.is_true("stream") {
            return Self::Whole;
        }
        let model = body.value("model").and_then(|value| value.strip_prefix(b"\"")).unwrap_or_default();
        let model = model.split(|byte| *byte == b'"').next().unwrap_or_default();
        let pace = std::str::from_utf8(model).ok().and_then(Pace::of).unwrap_or(Pace::Burst { events: 16 });
        Self::Stream { pace, usage: body.is_true("include_usage") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::Kind;

    fn ask(body: &str, piece: usize) -> Ask {
        let request =
            format!("POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let (mut message, mut ends) = (Message::new(Kind::Request), Ends::default());
        for bytes in request.as_bytes().chunks(piece) {
            message.feed(bytes, &mut ends).unwrap();
        }
        assert!(message.is_done());
        Ask::read(&message, &ends)
    }

    #[test]
    fn model_name_sets_the_pace() {
        assert_eq!(Pace::of("mock/burst-64"), Some(Pace::Burst { events: 64 }));
        let gap = Duration::from_millis(20);
        assert_eq!(Pace::of("paced-20ms-40"), Some(Pace::Paced { gap, events: 40 }));
        assert_eq!(Pace::of("paced-20ms"), None);
        assert_eq!(Pace::of("fast"), None);
    }

    #[test]
    fn fields_are_found_at_both_ends_of_a_large_body() {
        let filler = "x".repeat(50_000);
        let body = format!(
            r#"{{"model": "burst-3","messages":"{filler} {LAST_WORDS}","stream" : true,"stream_options":{{"include_usage":true}}}}"#
        );
        let wanted = Ask::Stream { pace: Pace::Burst { events: 3 }, usage: true };
        for piece in [1, 1000, 4097, 100_000] {
            assert_eq!(ask(&body, piece), wanted, "in pieces of {piece}");
        }
    }

    #[test]
    fn last_words_are_found_wherever_the_ends_meet() {
        for filler in 4000..4200 {
            let body = format!(r#"{{"model":"fast","messages":"{} {LAST_WORDS}"}}"#, "x".repeat(filler));
            assert_eq!(ask(&body, 512), Ask::Whole, "filler of {filler}");
        }
    }

    #[test]
    fn body_that_lost_its_end_is_refused() {
        assert_eq!(ask(r#"{"model":"fast","messages":"hello"}"#, 100), Ask::Incomplete);
    }
}
