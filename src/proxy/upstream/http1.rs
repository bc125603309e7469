//! HTTP/1.1 to a vendor, over a stream that Pingora connected.
//!
//! Written here and not taken from Pingora because its client keeps a 64 KiB
//! body buffer per response and cannot read while it writes. This one holds no
//! buffer while it waits: a read goes through the stack and allocates what
//! arrived, and all chunks of one read leave as one piece.

use super::{Broken, Head, Outgoing, Reading};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use pingora::protocols::Stream;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// What one read may bring at most; it lives on the stack.
const READ_BYTES: usize = 16 * 1024;
/// Bodies of a known length are read in larger steps.
const BULK_BYTES: usize = 128 * 1024;
/// A vendor's response header, all lines together.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 128;
/// A chunk-size line or one line of trailers.
const MAX_CHUNK_LINE: usize = 4096;
/// Pieces of a request up to this size leave in one write with the header or their neighbours.
const ONE_WRITE_BYTES: usize = 16 * 1024;

/// One connection with at most one exchange on it at a time.
pub(in crate::proxy) struct Http1 {
    stream: Stream,
    buffer: BytesMut,
    framing: Framing,
    keep_alive: bool,
    /// Has this exchange brought any byte? Tells a stale pooled connection from a dead vendor.
    answered: bool,
}

enum Framing {
    /// Bytes left of a body with `Content-Length`.
    Length(u64),
    Chunked(Chunk),
    /// The body ends with the connection.
    UntilClose,
    Done,
}

#[derive(Clone, Copy)]
enum Chunk {
    Size,
    Data(u64),
    DataEnd,
    Trailers,
}

impl Http1 {
    pub(super) fn new(stream: Stream) -> Self {
        let (buffer, framing) = (BytesMut::new(), Framing::Done);
        Self { stream, buffer, framing, keep_alive: true, answered: false }
    }

    /// Sends header and body. When the vendor answers before it has taken the
    /// whole body, sending stops and the answer can be read.
    pub(super) async fn send(&mut self, request: &Outgoing<'_>) -> Result<(), Broken> {
        self.answered = false;
        let mut buffer = request_head(request);
        for piece in request.body {
            if piece.len() <= ONE_WRITE_BYTES {
                buffer.extend_from_slice(piece);
                continue;
            }
            self.write(&buffer).await?;
            buffer.clear();
            self.write(piece).await?;
            // The vendor has answered already, or said that it will take no more.
            if !self.keep_alive {
                return Ok(());
            }
        }
        if buffer.is_empty() { Ok(()) } else { self.write(&buffer).await }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let mut sent = 0;
        let outcome = poll_fn(|cx| {
            while let Some(rest) = bytes.get(sent..).filter(|r| !r.is_empty()) {
                match Pin::new(&mut self.stream).poll_write(cx, rest) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(n)) => sent += n,
                    Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                    Poll::Pending => return self.poll_early_answer(cx),
                }
            }
            Pin::new(&mut self.stream).poll_flush(cx)
        })
        .await;
        if sent < bytes.len() {
            self.keep_alive = false;
        }
        match outcome {
            Ok(()) => Ok(()),
            // A vendor that refuses early often closes at once; its answer may still be there to read.
            Err(_) if !self.buffer.is_empty() || self.fill().await.is_ok_and(|n| n > 0) => Ok(()),
            Err(e) => Err(Broken::Io { detail: format!("sending the request: {e}"), stale: !self.answered }),
        }
    }

    /// While the vendor takes no more bytes, look whether it has answered already.
    fn poll_early_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match poll_fill(&mut self.stream, &mut self.buffer, cx) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Reads up to the end of the final (not 1xx) response header.
    pub(super) async fn read_head(&mut self) -> Result<Head, Broken> {
        loop {
            while let Some((head, length)) = parse_head(&self.buffer)? {
                self.buffer.advance(length);
                if head.status >= 200 || head.status == 101 {
                    self.frame(&head);
                    return Ok(head);
                }
            }
            if self.buffer.len() > MAX_HEAD_BYTES {
                return Err(Broken::Malformed("response header too large".into()));
            }
            let read = self.fill().await.map_err(|e| Broken::Io {
                detail: format!("waiting for the response header: {e}"),
                stale: !self.answered,
            })?;
            if read == 0 {
                let detail = "closed before the response header".to_owned();
                return Err(Broken::Io { detail, stale: !self.answered });
            }
            self.answered = true;
        }
    }

    fn frame(&mut self, head: &Head) {
        let connection = head.headers.get(header::CONNECTION).and_then(|v| v.to_str().ok()).unwrap_or("");
        let closes = connection.split(',').any(|t| t.trim().eq_ignore_ascii_case("close"));
        self.keep_alive &= !closes && !head.http10;
        let chunked = head
            .headers
            .get(header::TRANSFER_ENCODING)
            .is_some_and(|v| v.as_bytes().to_ascii_lowercase().ends_with(b"chunked"));
        self.framing = if matches!(head.status, 204 | 304) {
            Framing::Done
        } else if chunked {
            Framing::Chunked(Chunk::Size)
        } else if let Some(length) = head.content_length() {
            if length == 0 { Framing::Done } else { Framing::Length(length) }
        } else {
            Framing::UntilClose
        };
    }

    /// The next piece of the body, as soon as anything of it is there.
    pub(super) async fn read_body(&mut self) -> Result<Reading, Broken> {
        loop {
            match self.framing {
                Framing::Done => return Ok(Reading::End),
                Framing::Length(left) if !self.buffer.is_empty() => {
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
                    let piece = self.buffer.split_to(take).freeze();
                    self.counted(left, take);
                    return Ok(Reading::Piece(piece));
                }
                Framing::Length(left) => return self.read_bulk(left).await,
                Framing::UntilClose if !self.buffer.is_empty() => {
                    return Ok(Reading::Piece(std::mem::take(&mut self.buffer).freeze()));
                }
                Framing::UntilClose => {
                    if self.fill_body().await? == 0 {
                        (self.framing, self.keep_alive) = (Framing::Done, false);
                    }
                }
                Framing::Chunked(_) => {
                    let piece = self.dechunk()?;
                    if !piece.is_empty() {
                        return Ok(Reading::Piece(piece));
                    }
                    if matches!(self.framing, Framing::Chunked(_)) && self.fill_body().await? == 0 {
                        return Err(Broken::Cut("closed inside a chunked body".into()));
                    }
                }
            }
        }
    }

    fn counted(&mut self, left: u64, taken: usize) {
        let left = left.saturating_sub(taken as u64);
        self.framing = if left == 0 { Framing::Done } else { Framing::Length(left) };
    }

    /// Reads straight into a buffer of its own, so that large answers are not copied twice.
    async fn read_bulk(&mut self, left: u64) -> Result<Reading, Broken> {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(BULK_BYTES);
        let mut piece = BytesMut::with_capacity(size);
        let read = self
            .stream
            .read_buf(&mut (&mut piece).limit(size))
            .await
            .map_err(|e| Broken::Cut(format!("reading the body: {e}")))?;
        if read == 0 {
            return Err(Broken::Cut(format!("closed {left} bytes before the end of the body")));
        }
        self.counted(left, read);
        Ok(Reading::Piece(piece.freeze()))
    }

    async fn fill(&mut self) -> io::Result<usize> {
        poll_fn(|cx| poll_fill(&mut self.stream, &mut self.buffer, cx)).await
    }

    async fn fill_body(&mut self) -> Result<usize, Broken> {
        self.fill().await.map_err(|e| Broken::Cut(format!("reading the body: {e}")))
    }

    /// Takes the payload of every chunk that is in the buffer, moved together.
    fn dechunk(&mut self) -> Result<Bytes, Broken> {
        let (mut read, mut write) = (0, 0);
        while let Framing::Chunked(state) = self.framing {
            let rest = self.buffer.get(read..).unwrap_or_default();
            let next = match state {
                Chunk::Data(left) => {
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    if take == 0 {
                        break;
                    }
                    self.buffer.copy_within(read..read + take, write);
                    (read, write) = (read + take, write + take);
                    let left = left - take as u64;
                    Framing::Chunked(if left == 0 { Chunk::DataEnd } else { Chunk::Data(left) })
                }
                Chunk::DataEnd | Chunk::Size | Chunk::Trailers => {
                    let Some(end) = memchr::memchr(b'\n', rest) else {
                        if rest.len() > MAX_CHUNK_LINE {
                            return Err(Broken::Malformed("chunk line too long".into()));
                        }
                        break;
                    };
                    let line = rest.get(..end).unwrap_or_default().trim_ascii();
                    let next = after_line(state, line)?;
                    read += end + 1;
                    next
                }
            };
            self.framing = next;
        }
        let payload = self.buffer.split_to(write).freeze();
        self.buffer.advance(read - write);
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        Ok(payload)
    }

    /// May the connection carry another exchange?
    pub(super) fn reusable(&self) -> bool {
        self.keep_alive && matches!(self.framing, Framing::Done) && self.buffer.is_empty()
    }

    /// An idle connection must be silent: bytes or an end mean that it is no good any more.
    pub(super) fn silent(&mut self) -> bool {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        poll_fill(&mut self.stream, &mut self.buffer, &mut cx).is_pending()
    }
}

fn after_line(state: Chunk, line: &[u8]) -> Result<Framing, Broken> {
    match state {
        Chunk::DataEnd if line.is_empty() => Ok(Framing::Chunked(Chunk::Size)),
        Chunk::DataEnd => Err(Broken::Malformed("no line end behind a chunk".into())),
        Chunk::Trailers if line.is_empty() => Ok(Framing::Done),
        Chunk::Trailers => Ok(Framing::Chunked(Chunk::Trailers)),
        Chunk::Size | Chunk::Data(_) => {
            let digits = line.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
            let text = std::str::from_utf8(digits).unwrap_or("");
            let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
            let size = u64::from_str_radix(text, 16).ok().filter(|_| plain);
            match size {
                Some(0) => Ok(Framing::Chunked(Chunk::Trailers)),
                Some(size) => Ok(Framing::Chunked(Chunk::Data(size))),
                None => Err(Broken::Malformed("chunk size is no hexadecimal number".into())),
            }
        }
    }
}

fn poll_fill(stream: &mut Stream, buffer: &mut BytesMut, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut space = [MaybeUninit::<u8>::uninit(); READ_BYTES];
    let mut space = ReadBuf::uninit(&mut space);
    match Pin::new(stream).poll_read(cx, &mut space) {
        Poll::Ready(Ok(())) => {
            buffer.extend_from_slice(space.filled());
            Poll::Ready(Ok(space.filled().len()))
        }
        Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
        Poll::Pending => Poll::Pending,
    }
}

fn request_head(request: &Outgoing<'_>) -> Vec<u8> {
    let length = request.body_bytes();
    let mut head = Vec::with_capacity(512 + length.min(ONE_WRITE_BYTES));
    for part in [request.method.as_str(), " ", request.path, " HTTP/1.1\r\nhost: ", request.authority, "\r\n"]
    {
        head.extend_from_slice(part.as_bytes());
    }
    for (name, value) in request.headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    if request.method != http::Method::GET {
        head.extend_from_slice(b"content-length: ");
        head.extend_from_slice(length.to_string().as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// The header and its length in bytes, or `None` while it is incomplete.
fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, Broken> {
    let mut space = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let length = match config.parse_response_with_uninit_headers(&mut parsed, bytes, &mut space) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(e) => return Err(Broken::Malformed(format!("response header: {e}"))),
    };
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for line in parsed.headers.iter() {
        let name = HeaderName::from_bytes(line.name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line.value)) {
            headers.append(name, value);
        }
    }
    let status = parsed.code.unwrap_or(0);
    let http10 = parsed.version == Some(0);
    let head = Head { status, headers, http10 };
    if head.headers.get_all(header::CONTENT_LENGTH).iter().count() > 1 {
        return Err(Broken::Malformed("more than one content-length".into()));
    }
    Ok(Some((head, length)))
}
