//! Event streams over HTTP/1.1, written past Pingora.
//!
//! A session keeps what was needed to read a request and to begin an answer: 4 KiB of header,
//! two header maps, a write state. A stream that runs for minutes needs none of it. So when
//! its first event is out, the connection is taken out of the session, which is let go, and each
//! further piece leaves as one chunk (RFC 9112 §7.1). At the end the connection serves the next request.

use bytes::{Buf, Bytes};
use http::{Method, Version};
use pingora::apps::{HttpPersistentSettings, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::protocols::{Shutdown, Stream};
use std::io::{Cursor, Error, ErrorKind};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Longest time that a caller's socket may refuse to take anything, where nobody says otherwise.
const LONGEST_WRITE: Duration = Duration::from_secs(60);

/// A connection whose answer is being written.
pub(super) struct Chunked {
    stream: Stream,
    /// How it goes on after the answer; `None`: it does not.
    next: Option<HttpPersistentSettings>,
    write_timeout: Duration,
    /// The last chunk is out.
    ended: bool,
}

impl Chunked {
    /// Takes the connection out of a session whose header, written before, has announced chunks.
    /// `None`: it stays where it is.
    pub(super) async fn take(session: &mut ServerSession) -> Option<Self> {
        let ServerSession::H1(_) = session else { return None };
        let request = session.req_header();
        if request.version != Version::HTTP_11 || request.method == Method::HEAD || !session.is_body_done() {
            return None;
        }
        let settings = HttpPersistentSettings::for_session(session);
        let write_timeout = session.get_write_timeout().unwrap_or(LONGEST_WRITE);
        let ServerSession::H1(mut old) = std::mem::replace(session, nobody()) else { return None };
        if !old.will_keepalive() {
            return Some(Self { stream: old.into_inner(), next: None, write_timeout, ended: false });
        }
        // Only so does the session give up what the caller sent beyond this request.
        old.set_pipelining_enabled(true);
        let stream = old.reuse().await.ok()??;
        let (stream, next) = ReusedHttpStream::from_reusable_stream(stream, settings).consume();
        Some(Self { stream, next, write_timeout, ended: false })
    }

    /// Sends bytes as one chunk; `last`: and the end of the body after them.
    ///
    /// # Errors
    /// Those of the connection, and `TimedOut` when the caller takes nothing.
    pub(super) async fn write(&mut self, bytes: Bytes, last: bool) -> Result<(), Error> {
        let write = write_chunk(&mut self.stream, bytes, last);
        let written = tokio::time::timeout(self.write_timeout, write).await;
        written.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))?;
        self.ended |= last;
        Ok(())
    }

    /// Completes when the caller closes its side, or sends what nobody asked for.
    pub(super) async fn gone(&mut self) {
        let _ = self.stream.read(&mut [0; 1]).await;
        self.close_after();
    }

    /// No other request is to come over it.
    pub(super) fn close_after(&mut self) {
        self.next = None;
    }

    /// Puts the connection into `session`, as new. `false`: it is closed instead.
    pub(super) async fn give_back(mut self, session: &mut ServerSession) -> bool {
        let Some(settings) = self.next.filter(|_| self.ended) else {
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
    stream.write_all_buf(&mut frame).await?;
    stream.flush().await
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
