//! Server-sent events as bytes: cuts a stream into whole events without
//! changing a byte (WHATWG HTML, "server-sent events").
//!
//! A line ends with LF, CRLF or CR and with nothing else: U+2028 and its like
//! are ordinary text inside an event.

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr2, memchr2_iter};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A CR was the last byte so far, so an LF that comes next still belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpenCr {
    No,
    /// It ended a line with something in it.
    Line,
    /// It ended a blank line, and with it the event.
    Blank,
}

/// Cuts at blank lines (LF, CRLF or CR, mixed). Whatever the caller of
/// `push` was given comes out again, byte for byte, by `next_event` and `rest`.
///
/// A blank line that follows a blank line is an event of its own without
/// meaning. An event whose last CR is the last byte of a chunk waits for the
/// next byte, which may be its LF; so events do not depend on how the bytes
/// were split.
pub struct Cutter {
    max_event_bytes: usize,
    /// What came before `chunk` of an event that is not whole.
    carried: BytesMut,
    chunk: Bytes,
    /// Where events end in `chunk`, not yet handed out from `taken` on.
    ends: Vec<usize>,
    taken: usize,
    /// Where the next event begins in `chunk`.
    start: usize,
    /// The current line has bytes in it.
    in_line: bool,
    open_cr: OpenCr,
    /// Whole events of earlier chunks that nobody took before the next `push`.
    waiting: VecDeque<Bytes>,
}

/// An event grew past the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than allowed")]
pub struct TooLong;

/// A whole event: in the chunk last pushed, or put together from several.
pub enum Cut {
    /// A span of the chunk.
    Within(Range<usize>),
    /// Bytes of its own.
    Joined(Bytes),
}

impl Cut {
    /// The event; `chunk` is what was pushed last.
    pub fn of<'a>(&'a self, chunk: &'a [u8]) -> &'a [u8] {
        match self {
            Cut::Within(span) => chunk.get(span.clone()).unwrap_or_default(),
            Cut::Joined(event) => event,
        }
    }
}

impl Cutter {
    /// A cutter at the beginning of a stream. An event may have as many bytes
    /// as said, its terminator included.
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            max_event_bytes,
            carried: BytesMut::new(),
            chunk: Bytes::new(),
            ends: Vec::new(),
            taken: 0,
            start: 0,
            in_line: false,
            open_cr: OpenCr::No,
            waiting: VecDeque::new(),
        }
    }

    /// Takes the next bytes of the stream. Meant to be called when
    /// `next_event` had nothing more; earlier is allowed but copies.
    ///
    /// # Errors
    /// [`TooLong`] when an event, whole or not, is longer than the bound. The
    /// stream cannot go on then.
    pub fn push(&mut self, chunk: Bytes) -> Result<(), TooLong> {
        while let Some(event) = self.next_in_chunk() {
            self.waiting.push_back(event);
        }
        self.chunk = chunk;
        self.find_ends();
        self.check_lengths()
    }

    /// The next whole event with its terminator (also comments and blank
    /// lines), without a copy when it lies in one chunk.
    pub fn next_event(&mut self) -> Option<Bytes> {
        self.waiting.pop_front().or_else(|| self.next_in_chunk())
    }

    /// What is left when the stream ends: an event without its blank line, or
    /// one whose blank line ends with a CR.
    pub fn rest(&mut self) -> Bytes {
        let mut rest = BytesMut::new();
        while let Some(event) = self.next_event() {
            rest.extend_from_slice(&event);
        }
        self.in_line = false;
        self.open_cr = OpenCr::No;
        if rest.is_empty() {
            return self.carried.split().freeze();
        }
        rest.extend_from_slice(&self.carried.split());
        rest.freeze()
    }

    /// Like `next_event` without the queue, for a reader that keeps the chunk and takes
    /// every event before the next `push`.
    pub fn next_cut(&mut self) -> Option<Cut> {
        let Some(&end) = self.ends.get(self.taken) else {
            self.carry_tail();
            return None;
        };
        self.taken += 1;
        let span = self.start..end;
        self.start = end;
        if self.carried.is_empty() {
            return Some(Cut::Within(span));
        }
        self.carried.extend_from_slice(self.chunk.get(span).unwrap_or_default());
        Some(Cut::Joined(self.carried.split().freeze()))
    }

    fn next_in_chunk(&mut self) -> Option<Bytes> {
        // The chunk is let go by `next_cut` when it is used up, so it is cloned before.
        let chunk = self.chunk.clone();
        self.next_cut().map(|cut| match cut {
            Cut::Within(span) => chunk.slice(span),
            Cut::Joined(event) => event,
        })
    }

    /// Keeps the bytes of the open event and lets the chunk go: a read buffer
    /// must not stay alive for the sake of half an event.
    fn carry_tail(&mut self) {
        self.chunk.advance(self.start.min(self.chunk.len()));
        self.carried.extend_from_slice(&self.chunk);
        self.chunk = Bytes::new();
        self.ends.clear();
        self.taken = 0;
        self.start = 0;
    }

    fn find_ends(&mut self) {
        let chunk = self.chunk.as_ref();
        let Some(first) = chunk.first() else { return };
        let mut line_start = 0;
        if self.open_cr != OpenCr::No {
            line_start = usize::from(*first == b'\n');
            if self.open_cr == OpenCr::Blank {
                self.ends.push(line_start);
            }
            self.open_cr = OpenCr::No;
        }
        for at in memchr2_iter(b'\n', b'\r', chunk) {
            if at < line_start {
                continue; // the LF of a CRLF
            }
            let blank = at == line_start && !self.in_line;
            self.in_line = false;
            line_start = at + 1;
            if chunk.get(at) == Some(&b'\r') {
                match chunk.get(at + 1) {
                    Some(b'\n') => line_start = at + 2,
                    Some(_) => {}
                    None => {
                        self.open_cr = if blank { OpenCr::Blank } else { OpenCr::Line };
                        return;
                    }
                }
            }
            if blank {
                self.ends.push(line_start);
            }
        }
        self.in_line |= line_start < chunk.len();
    }

    fn check_lengths(&self) -> Result<(), TooLong> {
        let mut start = 0;
        let mut before = self.carried.len();
        for &end in self.ends.iter().chain([&self.chunk.len()]) {
            if before + (end - start) > self.max_event_bytes {
                return Err(TooLong);
            }
            before = 0;
            start = end;
        }
        Ok(())
    }
}

/// The lines of an event, without their ends; a byte order mark is skipped.
fn lines(event: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = event.strip_prefix(BYTE_ORDER_MARK).unwrap_or(event);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = match after {
            [b'\r', b'\n', more @ ..] | [_, more @ ..] => more,
            [] => &[],
        };
        Some(line)
    })
}

/// The value of a line if its field is `field`; one space behind the colon is no part of it.
fn value<'a>(line: &'a [u8], field: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(field)? {
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        [] => Some(&[]),
        _ => None,
    }
}

/// What an event says.
pub struct Fields<'a> {
    /// The `event:` field; the last one counts.
    pub name: Option<&'a [u8]>,
    /// The `data:` lines, joined by LF; borrowed when there is one. `None`: no data line (comment, blank).
    pub data: Option<Cow<'a, [u8]>>,
}

/// Both fields in one pass.
pub fn fields(event: &[u8]) -> Fields<'_> {
    let mut fields = Fields { name: None, data: None };
    for line in lines(event) {
        if let Some(more) = value(line, b"data") {
            match &mut fields.data {
                None => fields.data = Some(Cow::Borrowed(more)),
                Some(data) => {
                    let joined = data.to_mut();
                    joined.push(b'\n');
                    joined.extend_from_slice(more);
                }
            }
        } else if let Some(name) = value(line, b"event") {
            fields.name = Some(name);
        }
    }
    fields
}

/// The `event:` field of a whole event; the last one counts.
pub fn name(event: &[u8]) -> Option<&[u8]> {
    fields(event).name
}

/// The `data:` lines, joined by LF; borrowed when there is one. `None`: no data line (comment, blank).
pub fn data(event: &[u8]) -> Option<Cow<'_, [u8]>> {
    fields(event).data
}

#[cfg(test)]
mod tests;
