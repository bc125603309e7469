//! Server-sent events as bytes: cuts a stream into whole events without
//! changing a byte (WHATWG HTML, "server-sent events").

use bytes::Bytes;

/// Cuts at blank lines (LF, CRLF or CR, mixed). Whatever the caller of
/// `push` was given comes out again, byte for byte, by `next` and `rest`.
pub struct Cutter {
    _private: (),
}

/// An event grew past the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl Cutter {
    pub fn new(_max_event_bytes: usize) -> Self {
        todo!()
    }
    pub fn push(&mut self, _chunk: Bytes) -> Result<(), TooLong> {
        todo!()
    }
    /// The next whole event with its terminator (also runs of comments and blank lines), zero-copy when it lies in one chunk.
    pub fn next_event(&mut self) -> Option<Bytes> {
        todo!()
    }
    /// What is left when the stream ends: an event without its blank line.
    pub fn rest(&mut self) -> Bytes {
        todo!()
    }
}

/// The `event:` field of a whole event.
pub fn name(_event: &[u8]) -> Option<&[u8]> {
    todo!()
}
/// The `data:` lines, joined by LF; borrowed when there is one. `None`: no data line (comment, blank).
pub fn data(_event: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
    todo!()
}
