//! How a vendor's stream is cut into events: server-sent events, lines, or AWS's binary frames.

use super::bedrock::{Frame, Frames};
use super::sse;
use crate::error::{Failure, Kind, Result};
use bytes::{Bytes, BytesMut};
use std::borrow::Cow;

/// The media types of streams.
pub(super) const SSE: &str = "text/event-stream";
pub(super) const LINES: &str = "application/x-ndjson";
pub(super) const FRAMES: &str = "application/vnd.amazon.eventstream";

/// Is this content type a stream of events, however they are cut?
pub fn is_events(content_type: &str) -> bool {
    is_sse(content_type) || begins_with(content_type, FRAMES) || begins_with(content_type, LINES)
}

/// Is this content type a stream of server-sent events?
pub fn is_sse(content_type: &str) -> bool {
    begins_with(content_type, SSE)
}

fn begins_with(content_type: &str, name: &str) -> bool {
    content_type.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// Cuts one stream.
pub enum Transport {
    /// Server-sent events.
    Sse(sse::Cutter),
    /// Lines, each of which is an event.
    Lines(Lines),
    /// AWS's frames.
    Frames(Frames),
}

/// The name of an event, if it has one, and its payload.
pub type Fields<'a> = (Option<&'a [u8]>, Cow<'a, [u8]>);

/// One event of a transport.
#[derive(Debug)]
pub enum Message {
    /// A server-sent event, whole, with its terminator.
    Sse(Bytes),
    /// A line without its end; blank ones are none.
    Line(Bytes),
    /// A frame.
    Frame(Frame),
}

impl Transport {
    /// Server-sent events of at most so many bytes each.
    pub fn sse(max_event_bytes: usize) -> Self {
        Transport::Sse(sse::Cutter::new(max_event_bytes))
    }

    /// Lines of at most so many bytes each.
    pub fn lines(max_event_bytes: usize) -> Self {
        Transport::Lines(Lines { max_bytes: max_event_bytes, open: BytesMut::new() })
    }

    /// Frames of at most so many bytes each.
    pub fn frames(max_event_bytes: usize) -> Self {
        Transport::Frames(Frames::new(max_event_bytes))
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// [`Kind::VendorMalformed`] for an event that is too long.
    pub fn push(&mut self, chunk: Bytes) -> Result<()> {
        match self {
            Transport::Sse(cutter) => cutter.push(chunk).map_err(|error| {
                let public = "The model's vendor sent an unreadable answer";
                Failure::new(Kind::VendorMalformed, public).detail(error)
            }),
            Transport::Lines(lines) => lines.push(&chunk),
            Transport::Frames(frames) => {
                frames.push(chunk);
                Ok(())
            }
        }
    }

    /// The next whole event. `None`: more bytes are needed.
    ///
    /// # Errors
    /// [`Kind::VendorMalformed`] for a frame that cannot be read.
    pub fn next_message(&mut self) -> Result<Option<Message>> {
        match self {
            Transport::Sse(cutter) => Ok(cutter.next_event().map(Message::Sse)),
            Transport::Lines(lines) => Ok(lines.next_line().map(Message::Line)),
            Transport::Frames(frames) => Ok(frames.next_frame()?.map(Message::Frame)),
        }
    }

    /// What is left when the stream ends, if it means anything: an event that only lacks its
    /// blank line does, half a frame does not.
    pub fn rest(&mut self) -> Option<Message> {
        match self {
            Transport::Sse(cutter) => Some(cutter.rest()).filter(|rest| !rest.is_empty()).map(Message::Sse),
            Transport::Lines(lines) => lines.rest().map(Message::Line),
            Transport::Frames(_) => None,
        }
    }
}

/// Cuts at line ends, and passes blank lines over.
pub struct Lines {
    max_bytes: usize,
    /// What has come and is not cut yet.
    open: BytesMut,
}

impl Lines {
    fn push(&mut self, chunk: &[u8]) -> Result<()> {
        self.open.extend_from_slice(chunk);
        let unended = match memchr::memrchr(b'\n', &self.open) {
            Some(end) => self.open.len() - end,
            None => self.open.len(),
        };
        if unended <= self.max_bytes {
            return Ok(());
        }
        let public = "The model's vendor sent an unreadable answer";
        Err(Failure::new(Kind::VendorMalformed, public).detail("a line is longer than allowed"))
    }

    fn next_line(&mut self) -> Option<Bytes> {
        loop {
            let end = memchr::memchr(b'\n', &self.open)?;
            let line = self.open.split_to(end + 1).freeze();
            let line = line.slice_ref(line.trim_ascii());
            if !line.is_empty() {
                return Some(line);
            }
        }
    }

    /// The last line, which may lack its end.
    fn rest(&mut self) -> Option<Bytes> {
        let rest = self.open.split().freeze();
        Some(rest.slice_ref(rest.trim_ascii())).filter(|rest| !rest.is_empty())
    }
}

impl Message {
    /// The name and the payload. `None`: a comment, or a blank line.
    pub fn fields(&self) -> Option<Fields<'_>> {
        match self {
            Message::Sse(raw) => {
                let fields = sse::fields(raw);
                fields.data.map(|data| (fields.name, data))
            }
            Message::Line(line) => Some((None, Cow::Borrowed(line))),
            Message::Frame(frame) => Some((Some(frame.name.as_bytes()), Cow::Borrowed(&frame.data))),
        }
    }

    /// The event as it came, for callers who speak the vendor's dialect; nobody speaks in frames.
    pub fn raw(&self) -> &[u8] {
        match self {
            Message::Sse(raw) | Message::Line(raw) => raw,
            Message::Frame(_) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_known_by_their_type() {
        for (content_type, events, sse) in [
            ("text/event-stream; charset=utf-8", true, true),
            ("Text/Event-Stream", true, true),
            ("application/vnd.amazon.eventstream", true, false),
            ("application/json", false, false),
            ("text/event", false, false),
        ] {
            assert_eq!((is_events(content_type), is_sse(content_type)), (events, sse), "{content_type}");
        }
    }

    #[test]
    fn lines_are_whole_wherever_they_are_cut() {
        let bytes = b"{\"a\":1}\r\n\n {\"b\":2}\n{\"c\"";
        for cut in 0..bytes.len() {
            let mut transport = Transport::lines(16);
            let mut lines = Vec::new();
            for chunk in [&bytes[..cut], &bytes[cut..]] {
                transport.push(Bytes::copy_from_slice(chunk)).unwrap();
                while let Some(line) = transport.next_message().unwrap() {
                    lines.push(String::from_utf8(line.raw().to_vec()).unwrap());
                }
            }
            assert_eq!(lines, [r#"{"a":1}"#, r#"{"b":2}"#], "{cut}");
            assert_eq!(transport.rest().unwrap().fields().unwrap().1.as_ref(), br#"{"c""#);
            assert!(transport.rest().is_none());
        }
        let failure = Transport::lines(4).push(Bytes::from_static(b"12345")).unwrap_err();
        assert_eq!(failure.kind, Kind::VendorMalformed);
    }

    #[test]
    fn an_event_without_data_means_nothing() {
        let mut transport = Transport::sse(100);
        transport.push(Bytes::from_static(b": hi\n\nevent: a\ndata: b\n\ndata: c")).unwrap();
        assert!(transport.next_message().unwrap().unwrap().fields().is_none());
        let event = transport.next_message().unwrap().unwrap();
        assert_eq!(event.fields(), Some((Some(&b"a"[..]), Cow::Borrowed(&b"b"[..]))));
        assert!(transport.next_message().unwrap().is_none());
        assert_eq!(transport.rest().unwrap().raw(), b"data: c");
        assert!(transport.rest().is_none());
        let failure = transport.push(Bytes::from(vec![b'x'; 101])).unwrap_err();
        assert_eq!(failure.kind, Kind::VendorMalformed);
    }
}
