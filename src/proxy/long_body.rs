//! Long bodies of HTTP/1.1, read past Pingora.
//!
//! Its session reads 64 KiB into a buffer and copies them out, so a megabyte is
//! copied twice and read in sixteen pieces. Here the connection is taken out of
//! the session, the rest of the body is read straight into its place, and a new
//! session goes on with the same header, which now says that no body follows.

use bytes::{Bytes, BytesMut};
use http::header;
use pingora::apps::HttpPersistentSettings;
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use std::io::{Cursor, ErrorKind};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout_at};

/// From here on the detour pays.
const LONG_BYTES: usize = 32 * 1024;

/// Why the rest did not come.
#[derive(Debug)]
pub(super) enum Unread {
    Late,
    Gone(std::io::Error),
}

/// Is the rest of this body worth the detour?
pub(super) fn is_long(session: &ServerSession, rest: usize) -> bool {
    // A body of both framings is read by Pingora, which knows which one counts.
    rest >= LONG_BYTES
        && matches!(session, ServerSession::H1(_))
        && !session.req_header().headers.contains_key(header::TRANSFER_ENCODING)
}

/// Appends the rest of the body until `whole` has `length` bytes. When that fails, the connection
/// is still good for an answer, but for no further request.
pub(super) async fn read_rest(
    session: &mut ServerSession,
    whole: &mut BytesMut,
    length: usize,
    deadline: Instant,
) -> Result<(), Unread> {
    let settings = HttpPersistentSettings::for_session(session);
    let (reads, writes) = (session.get_read_timeout(), session.get_write_timeout());
    let nobody = ServerSession::new_http1(Box::new(Cursor::new(Vec::new())));
    let old = match std::mem::replace(session, nobody) {
        ServerSession::H1(old) => old,
        other => {
            *session = other;
            return Err(Unread::Gone(ErrorKind::Unsupported.into()));
        }
    };
    let header = without_body(&old.get_headers_raw_bytes());
    let mut stream = old.into_inner();
    whole.reserve(length.saturating_sub(whole.len()));
    let read = match timeout_at(deadline, fill(&mut stream, whole, length)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Unread::Gone(error)),
        Err(_) => Err(Unread::Late),
    };
    let mut again = ServerSession::new_http1(stream);
    settings.apply_to_session(&mut again);
    again.set_pipelined_prefix(header);
    again.set_read_timeout(reads);
    // Everything it reads is there already.
    if !matches!(again.read_request().await, Ok(true)) {
        return Err(Unread::Gone(ErrorKind::InvalidData.into()));
    }
    again.set_write_timeout(writes);
    if read.is_err() {
        again.set_keepalive(None);
    }
    *session = again;
    read
}

async fn fill(stream: &mut Stream, whole: &mut BytesMut, length: usize) -> std::io::Result<()> {
    while whole.len() < length {
        let rest = (length - whole.len()) as u64;
        if stream.take(rest).read_buf(whole).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// The header with `Content-Length: 0`.
fn without_body(header: &Bytes) -> BytesMut {
    let mut out = BytesMut::with_capacity(header.len());
    for line in header.split_inclusive(|&byte| byte == b'\n') {
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        match name.eq_ignore_ascii_case(b"content-length") {
            true => out.extend_from_slice(b"content-length: 0\r\n"),
            false => out.extend_from_slice(line),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt, DuplexStream};

    const HEADER: &str = "POST /v1/chat/completions HTTP/1.1\r\nHost: hub\r\nX-A: content-length: 7\r\n";

    /// A session whose header has been read, and the caller's end.
    async fn begun(length: usize, sent: &[u8]) -> (ServerSession, DuplexStream) {
        let (mut caller, hub) = tokio::io::duplex(1 << 20);
        let header = format!("{HEADER}CONTENT-length:  {length}\r\n\r\n");
        caller.write_all(header.as_bytes()).await.unwrap();
        caller.write_all(sent).await.unwrap();
        let mut session = ServerSession::new_http1(Box::new(hub));
        session.set_keepalive(Some(60));
        assert!(session.read_request().await.unwrap());
        (session, caller)
    }

    fn soon() -> Instant {
        Instant::now() + std::time::Duration::from_secs(60)
    }

    #[test]
    fn only_the_length_is_changed() {
        let header = Bytes::from(format!("{HEADER}CONTENT-length:  99\r\nB: c\r\n\r\n"));
        let expected = format!("{HEADER}content-length: 0\r\nB: c\r\n\r\n");
        assert_eq!(without_body(&header), expected.as_bytes());
    }

    #[tokio::test]
    async fn the_rest_is_read_and_the_next_request_is_left_alone() {
        let body: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
        let (mut session, mut caller) = begun(body.len(), &body).await;
        let first = session.read_request_body().await.unwrap().unwrap();
        assert!(is_long(&session, body.len() - first.len()));
        caller.write_all(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n").await.unwrap();
        let mut whole = BytesMut::from(&first[..]);
        let keepalive = session.get_keepalive();
        assert!(keepalive.is_some());
        read_rest(&mut session, &mut whole, body.len(), soon()).await.unwrap();
        assert_eq!(whole, body);
        assert!(session.is_body_done());
        assert_eq!(session.req_header().headers["x-a"], "content-length: 7");
        assert_eq!(session.get_keepalive(), keepalive);
        let mut next = BytesMut::new();
        let ServerSession::H1(session) = session else { panic!() };
        session.into_inner().read_buf(&mut next).await.unwrap();
        assert!(next.starts_with(b"GET / "), "{next:?}");
    }

    #[tokio::test]
    async fn a_body_that_ends_early_or_late_closes_the_connection_after_the_answer() {
        for late in [false, true] {
            let (mut session, mut caller) = begun(100_000, b"only this").await;
            let mut whole = BytesMut::from(&session.read_request_body().await.unwrap().unwrap()[..]);
            if !late {
                caller.shutdown().await.unwrap();
            }
            let deadline = if late { Instant::now() } else { soon() };
            let unread = read_rest(&mut session, &mut whole, 100_000, deadline).await.unwrap_err();
            assert_eq!(matches!(unread, Unread::Late), late);
            assert_eq!(session.get_keepalive(), None);
            assert_eq!(session.req_header().headers["host"], "hub");
        }
    }
}
