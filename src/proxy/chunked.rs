//! Event streams over HTTP/1.1, written past Pingora.
//!
//! A session keeps what was needed to read a request and to begin an answer: 4 KiB of header, two
//! header maps, a write state. A stream that runs for minutes needs none of it, and its header would
//! leave in a packet of its own. So the connection is taken out of the session, which is let go;
//! the header and each piece, as one chunk (RFC 9112 §7.1), are written here. What is written leaves
//! when there is nothing more to write at once: when somebody waits. At the end the connection
//! serves the next request.

use super::answer::AnswerHead;
use bytes::{Buf, Bytes, BytesMut};
use http::{Method, StatusCode, Version, header};
use pingora::apps::{HttpPersistentSettings, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::date::get_cached_date;
use pingora::protocols::{Shutdown, Stream};
use std::io::{Cursor, Error, ErrorKind};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// Longest time that a caller's socket may refuse to take anything, where nobody says otherwise.
const LONGEST_WRITE: Duration = Duration::from_secs(60);

/// A connection whose answer is being written.
pub(super) struct Chunked {
    stream: Stream,
    /// How it goes on after the answer; `None`: it does not.
    next: Option<HttpPersistentSettings>,
    write_timeout: Duration,
    /// Something written has not left yet.
    held: bool,
    /// The last chunk is written.
    ended: bool,
}

/// Can this answer be written here?
pub(super) fn takes(session: &mut ServerSession, head: &AnswerHead) -> bool {
    if !matches!(session, ServerSession::H1(_)) || head.length.is_some() || !head.is_events() {
        return false;
    }
    let request = session.req_header();
    request.version == Version::HTTP_11 && request.method != Method::HEAD && session.is_body_done()
}

impl Chunked {
    /// Takes the connection out of a session that [`takes`] is true of, and begins the answer.
    ///
    /// # Errors
    /// Those of the connection.
    pub(super) async fn begin(session: &mut ServerSession, head: &AnswerHead) -> Result<Self, Error> {
        let write_timeout = session.get_write_timeout().unwrap_or(LONGEST_WRITE);
        let (stream, next) = detached(session).await.ok_or(ErrorKind::NotConnected)?;
        let mut chunked = Self { stream, next, write_timeout, held: true, ended: false };
        let bytes = header(head, chunked.next.is_some());
        in_time(write_timeout, chunked.stream.write_all(&bytes)).await?;
        Ok(chunked)
    }

    /// Writes bytes as one chunk; `last`: and the end of the body after them, which sends everything.
    ///
    /// # Errors
    /// Those of the connection, and `TimedOut` when the caller takes nothing.
    pub(super) async fn write(&mut self, bytes: Bytes, last: bool) -> Result<(), Error> {
        self.held = true;
        in_time(self.write_timeout, write_chunk(&mut self.stream, bytes, last)).await?;
        self.ended |= last;
        if last { self.send().await } else { Ok(()) }
    }

    async fn send(&mut self) -> Result<(), Error> {
        if self.held {
            in_time(self.write_timeout, self.stream.flush()).await?;
            self.held = false;
        }
        Ok(())
    }

    /// Sends what was written, then completes when the caller closes its side, or sends what nobody
    /// asked for. May be dropped at any point.
    pub(super) async fn gone(&mut self) {
        if self.send().await.is_ok() {
            let _ = self.stream.read(&mut [0; 1]).await;
        }
        self.close_after();
    }

    /// No other request is to come over it.
    pub(super) fn close_after(&mut self) {
        self.next = None;
    }

    /// Puts the connection into `session`, as new. `false`: it is closed instead.
    pub(super) async fn give_back(mut self, session: &mut ServerSession) -> bool {
        // A body that is cut shows the caller what there was of it.
        let sent = self.send().await.is_ok();
        let Some(settings) = self.next.filter(|_| self.ended && sent) else {
            if self.ended {
                Shutdown::shutdown(&mut *self.stream).await;
            }
            return false;
        };
        *session = ServerSession::new_http1(self.stream);
        settings.apply_to_session(session);
        true
    }
}

async fn in_time<T>(limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

/// The connection, and how it goes on after this answer.
async fn detached(session: &mut ServerSession) -> Option<(Stream, Option<HttpPersistentSettings>)> {
    let settings = HttpPersistentSettings::for_session(session);
    let ServerSession::H1(mut old) = std::mem::replace(session, nobody()) else { return None };
    if !old.will_keepalive() {
        return Some((old.into_inner(), None));
    }
    // Only so does the session give up what the caller sent beyond this request.
    old.set_pipelining_enabled(true);
    let stream = old.reuse().await.ok()??;
    Some(ReusedHttpStream::from_reusable_stream(stream, settings).consume())
}

fn header(head: &AnswerHead, goes_on: bool) -> BytesMut {
    let mut out = BytesMut::with_capacity(768);
    let status = StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY);
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.extend_from_slice(b" ");
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    let mut line = |name: &[u8], value: &[u8]| {
        for part in [b"\r\n", name, b": ", value] {
            out.extend_from_slice(part);
        }
    };
    for (name, value) in &head.headers {
        line(name.as_str().as_bytes(), value.as_bytes());
    }
    line(header::TRANSFER_ENCODING.as_str().as_bytes(), b"chunked");
    line(header::DATE.as_str().as_bytes(), get_cached_date().as_bytes());
    line(header::CONNECTION.as_str().as_bytes(), if goes_on { b"keep-alive" } else { b"close" });
    out.extend_from_slice(b"\r\n\r\n");
    out
}

/// Stands where a session was whose connection went on alone.
fn nobody() -> ServerSession {
    ServerSession::new_http1(Box::new(Cursor::new(Vec::new())))
}

async fn write_chunk(stream: &mut Stream, bytes: Bytes, last: bool) -> Result<(), Error> {
    let mut line = [0; SIZE_LINE];
    let (before, after): (&[u8], &[u8]) = match (bytes.is_empty(), last) {
        // A chunk without bytes would be the end.
        (true, false) => (b"", b""),
        (true, true) => (b"", b"0\r\n\r\n"),
        (false, false) => (size_line(&mut line, bytes.len()), b"\r\n"),
        (false, true) => (size_line(&mut line, bytes.len()), b"\r\n0\r\n\r\n"),
    };
    let mut frame = Buf::chain(before, bytes).chain(after);
    stream.write_all_buf(&mut frame).await
}

/// Hexadecimal digits of the largest size, and the line's end.
const SIZE_LINE: usize = 2 * size_of::<usize>() + 2;

/// The line in front of a chunk, written to the end of `line`.
fn size_line(line: &mut [u8; SIZE_LINE], size: usize) -> &[u8] {
    let mut at = SIZE_LINE - 2;
    line[at..].copy_from_slice(b"\r\n");
    let mut rest = size;
    loop {
        at -= 1;
        line[at] = b"0123456789abcdef"[rest & 15];
        rest >>= 4;
        if rest == 0 {
            return &line[at..];
        }
    }
}

#[cfg(test)]
mod tests;
