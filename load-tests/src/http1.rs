//! An incremental reader of one HTTP/1.1 message, request or response: it takes
//! bytes as they come, split anywhere, and hands the body on without its framing.
//! The generator and the mock vendor share it; it does no I/O.

use anyhow::{Context, Result, bail};
use memchr::memmem;

const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Which way a message goes: it decides what a missing length means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// No length means no body.
    Request,
    /// No length means that the body ends with the connection.
    Response,
}

/// Takes the pieces of a body in order.
pub trait Sink {
    /// The next bytes of the body, never empty.
    fn piece(&mut self, bytes: &[u8]) -> Result<()>;
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Head,
    Sized(u64),
    UntilClose,
    ChunkSize {
        value: u64,
        digits: u32,
        extension: bool,
    },
    ChunkData(u64),
    /// The line end behind the data of a chunk; how many of its bytes are left.
    ChunkEnd(u8),
    /// Trailer lines; how many bytes the current one has.
    Trailer(usize),
    Done,
}

/// Reads one message; `reset` makes it ready for the next one of the connection.
#[derive(Debug)]
pub struct Message {
    kind: Kind,
    state: State,
    head: Vec<u8>,
}

impl Message {
    /// A reader that waits for the first byte.
    pub fn new(kind: Kind) -> Self {
        Self { kind, state: State::Head, head: Vec::with_capacity(1024) }
    }

    /// Forgets the message and waits for the next one.
    pub fn reset(&mut self) {
        self.state = State::Head;
        self.head.clear();
    }

    /// Whether the message is complete.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The status code of a response.
    pub fn status(&self) -> Option<u16> {
        let line = self.head.split(|byte| *byte == b'\r').next()?;
        std::str::from_utf8(line.get(9..12)?).ok()?.parse().ok()
    }

    /// The first line.
    pub fn start_line(&self) -> &[u8] {
        self.head.split(|byte| *byte == b'\r').next().unwrap_or_default()
    }

    /// The value of a header, without the blanks around it.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
            let (key, value) = line.split_at_checked(name.len())?;
            let value = value.strip_prefix(b":")?;
            key.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
        })
    }

    /// Whether the connection can carry another message after this one.
    pub fn keeps_alive(&self) -> bool {
        !self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"))
    }

    /// Consumes as much of `bytes` as belongs to this message and says how much that was.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() && self.state != State::Done {
            rest = match self.state {
                State::Head => self.feed_head(rest)?,
                State::Sized(left) => self.feed_sized(left, rest, sink)?,
                State::UntilClose => {
                    sink.piece(rest)?;
                    &[]
                }
                _ => self.feed_chunked(rest, sink)?,
            };
        }
        Ok(bytes.len() - rest.len())
    }

    /// The connection has ended: right only for a body that ends with it.
    pub fn close(&mut self) -> Result<()> {
        match self.state {
            State::Done => Ok(()),
            State::UntilClose => {
                self.state = State::Done;
                Ok(())
            }
            state => bail!("connection closed in the middle of a message ({state:?})"),
        }
    }

    fn feed_head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8]> {
        let seen = self.head.len();
        self.head.extend_from_slice(bytes);
        // The mark may have begun in the bytes seen before.
        let from = seen.saturating_sub(3);
        let Some(at) = memmem::find(self.head.get(from..).unwrap_or_default(), b"\r\n\r\n") else {
            if self.head.len() > MAX_HEAD_BYTES {
                bail!("head of more than {MAX_HEAD_BYTES} bytes");
            }
            return Ok(&[]);
        };
        let end = from + at + 4;
        self.head.truncate(end);
        self.state = self.framing()?;
        if self.kind == Kind::Response && self.status().is_some_and(|status| status < 200) {
            self.reset();
        }
        Ok(bytes.get(end - seen..).unwrap_or_default())
    }

    fn framing(&self) -> Result<State> {
        if self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked")) {
            return Ok(NEXT_CHUNK);
        }
        if let Some(value) = self.header("content-length") {
            let length = std::str::from_utf8(value)?.parse().context("content-length")?;
            return Ok(if length == 0 { State::Done } else { State::Sized(length) });
        }
        let empty = self.kind == Kind::Request || matches!(self.status(), Some(..200 | 204 | 304));
        Ok(if empty { State::Done } else { State::UntilClose })
    }

    fn feed_sized<'a>(&mut self, left: u64, bytes: &'a [u8], sink: &mut impl Sink) -> Result<&'a [u8]> {
        let (piece, rest) = split(bytes, left);
        sink.piece(piece)?;
        let left = left - piece.len() as u64;
        self.state = if left == 0 { State::Done } else { State::Sized(left) };
        Ok(rest)
    }

    /// One step of the chunked coding. `bytes` is not empty.
    fn feed_chunked<'a>(&mut self, bytes: &'a [u8], sink: &mut impl Sink) -> Result<&'a [u8]> {
        if let State::ChunkData(left) = self.state {
            let (piece, rest) = split(bytes, left);
            sink.piece(piece)?;
            let left = left - piece.len() as u64;
            self.state = if left == 0 { State::ChunkEnd(2) } else { State::ChunkData(left) };
            return Ok(rest);
        }
        let Some((&byte, rest)) = bytes.split_first() else { return Ok(bytes) };
        self.state = match self.state {
            State::ChunkSize { value, digits, extension } => chunk_size(value, digits, extension, byte)?,
            State::ChunkEnd(2) if byte == b'\r' => State::ChunkEnd(1),
            State::ChunkEnd(1) if byte == b'\n' => NEXT_CHUNK,
            State::Trailer(0) if byte == b'\n' => State::Done,
            State::Trailer(_) if byte == b'\n' => State::Trailer(0),
            State::Trailer(length) => State::Trailer(length + usize::from(byte != b'\r')),
            state => bail!("byte {byte:#04x} does not fit the chunked coding ({state:?})"),
        };
        Ok(rest)
    }
}

const NEXT_CHUNK: State = State::ChunkSize { value: 0, digits: 0, extension: false };

fn chunk_size(value: u64, digits: u32, extension: bool, byte: u8) -> Result<State> {
    Ok(match char::from(byte).to_digit(16) {
        _ if byte == b'\n' && digits == 0 => bail!("chunk without a size"),
        _ if byte == b'\n' && value == 0 => State::Trailer(0),
        _ if byte == b'\n' => State::ChunkData(value),
        _ if extension || matches!(byte, b'\r' | b';' | b' ') => {
            State::ChunkSize { value, digits, extension: true }
        }
        Some(digit) if digits < 15 => {
            State::ChunkSize { value: value * 16 + u64::from(digit), digits: digits + 1, extension }
        }
        _ => bail!("byte {byte:#04x} in a chunk size"),
    })
}

fn split(bytes: &[u8], left: u64) -> (&[u8], &[u8]) {
    let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    bytes.split_at(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Collect(Vec<u8>);

    impl Sink for Collect {
        fn piece(&mut self, bytes: &[u8]) -> Result<()> {
            assert!(!bytes.is_empty());
            self.0.extend_from_slice(bytes);
            Ok(())
        }
    }

    fn read(kind: Kind, pieces: &[&[u8]]) -> Result<(Message, Vec<u8>, usize)> {
        let (mut message, mut body, mut used) = (Message::new(kind), Collect::default(), 0);
        for piece in pieces {
            used += message.feed(piece, &mut body)?;
        }
        Ok((message, body.0, used))
    }

    const CHUNKED: &[u8] =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        5;x=y\r\nhello\r\nA\r\n, wide wor\r\n2\r\nld\r\n0\r\nx-trailer: 1\r\n\r\n";

    #[test]
    fn chunked_body_survives_every_split() {
        for at in 0..=CHUNKED.len() {
            let (message, body, used) = read(Kind::Response, &[&CHUNKED[..at], &CHUNKED[at..]]).unwrap();
            assert!(message.is_done(), "split at {at}");
            assert_eq!((body.as_slice(), used), (b"hello, wide world".as_slice(), CHUNKED.len()));
            assert_eq!(message.status(), Some(200));
        }
    }

    #[test]
    fn chunked_body_survives_single_bytes() {
        let pieces: Vec<&[u8]> = CHUNKED.chunks(1).collect();
        let (message, body, _) = read(Kind::Response, &pieces).unwrap();
        assert!(message.is_done());
        assert_eq!(body, b"hello, wide world");
    }

    #[test]
    fn sized_body_leaves_the_next_message_alone() {
        let (message, body, used) =
            read(Kind::Request, &[b"POST / HTTP/1.1\r\nCONTENT-length:  3\r\n\r\nabcPOST"]).unwrap();
        assert!(message.is_done());
        assert_eq!((body.as_slice(), used), (b"abc".as_slice(), 42));
    }

    #[test]
    fn missing_length_means_empty_request_and_response_until_close() {
        let (message, _, _) = read(Kind::Request, &[b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"]).unwrap();
        assert!(message.is_done());
        let (mut message, body, _) = read(Kind::Response, &[b"HTTP/1.1 200 OK\r\n\r\nrest"]).unwrap();
        assert!(!message.is_done());
        message.close().unwrap();
        assert_eq!(body, b"rest");
    }

    #[test]
    fn cut_and_malformed_bodies_are_refused() {
        let (mut message, _, _) =
            read(Kind::Response, &[b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort"]).unwrap();
        assert!(message.close().is_err());
        for bad in ["zz\r\n", "\r\n", "3\r\nabcd\r\n", "fffffffffffffffff\r\n"] {
            let text = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{bad}");
            assert!(read(Kind::Response, &[text.as_bytes()]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn close_header_is_seen() {
        let (message, _, _) =
            read(Kind::Response, &[b"HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 0\r\n\r\n"])
                .unwrap();
        assert!(!message.keeps_alive());
    }
}
