//! Where connections come in. HTTP/1.1 gets a task of its own here; HTTP/2 goes on in Pingora.
//!
//! The task that Pingora accepts a connection in has room for a TLS handshake and for an HTTP/2
//! connection, 9 KB and more that a plain stream would carry to its end. So that task ends at
//! once, and the connection lives in one that is as large as HTTP/1.1 needs.

use super::service::{After, Gateway};
use async_trait::async_trait;
use pingora::apps::{HttpPersistentSettings, HttpServerApp, ReusedHttpStream, ServerApp};
use pingora::protocols::ALPN;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use std::sync::{Arc, Once};
use std::time::Duration;

/// Pingora's type of a connection is the same for plain and TLS ones.
type Stream = pingora::protocols::Stream;

/// How an HTTP/2 connection begins (RFC 9113 §3.4).
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Seconds that a connection may be silent between two requests.
const KEEP_ALIVE: u64 = 60;

/// How often the runtime's timer goes off by itself. A timer that is due before all others wakes
/// the runtime by a system call, also from its own thread; so that this is not each request's first
/// timer, one is always due sooner.
const TICK: Duration = Duration::from_secs(1);

/// The public service as Pingora's listeners see it.
pub struct Front {
    gateway: Arc<Gateway>,
    ticks: Once,
}

impl Front {
    /// What leads to this gateway.
    pub fn new(gateway: Gateway) -> Self {
        Self { gateway: Arc::new(gateway), ticks: Once::new() }
    }

    /// Will HTTP/2 be spoken? `None`: the connection broke before it was known.
    async fn speaks_http2(&self, stream: &mut Stream) -> Option<bool> {
        if stream.get_ssl_digest().is_some() {
            return Some(matches!(stream.selected_alpn_proto(), Some(ALPN::H2)));
        }
        if !self.gateway.http2_cleartext() {
            return Some(false);
        }
        let mut begin = [0; HTTP2_PREFACE.len()];
        let peeked = stream.try_peek(&mut begin).await.ok()?;
        Some(peeked && begin == *HTTP2_PREFACE)
    }
}

#[async_trait]
impl ServerApp for Front {
    async fn process_new(self: &Arc<Self>, mut stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        self.ticks.call_once(|| drop(tokio::spawn(tick())));
        if self.speaks_http2(&mut stream).await? {
            return self.gateway.process_new(stream, shutdown).await;
        }
        tokio::spawn(http1(Arc::clone(&self.gateway), stream, shutdown.clone()));
        None
    }

    async fn cleanup(&self) {
        self.gateway.http_cleanup().await;
    }
}

/// Ends with the runtime.
async fn tick() {
    loop {
        tokio::time::sleep(TICK).await;
    }
}

/// One request after the other, until one of both sides has had enough.
async fn http1(gateway: Arc<Gateway>, stream: Stream, shutdown: ShutdownWatch) {
    let mut session = ServerSession::new_http1(stream);
    session.set_keepalive((!*shutdown.borrow()).then_some(KEEP_ALIVE));
    let mut reused = false;
    loop {
        let next = match gateway.request(&mut session, reused).await {
            After::Again => Box::pin(again(session)).await,
            After::Anew => {
                reused = true;
                continue;
            }
            After::HandOn => Box::pin(gateway.hand_on(session, &shutdown)).await,
            After::Close => return,
        };
        let Some((stream, settings)) = next.map(ReusedHttpStream::consume) else { return };
        session = ServerSession::new_http1(stream);
        if let Some(settings) = settings {
            settings.apply_to_session(&mut session);
        }
        reused = true;
    }
}

/// Ends a request, and has the connection for the next one. Its own future, so that the task of a
/// connection holds one session and not two.
async fn again(session: ServerSession) -> Option<ReusedHttpStream> {
    let settings = HttpPersistentSettings::for_session(&session);
    let stream = session.finish().await.ok()??;
    Some(ReusedHttpStream::from_reusable_stream(stream, settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, B, C, F>(_: impl FnOnce(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// Every connection carries it, also one on which nobody asks anything.
    #[test]
    fn the_task_of_a_connection_is_small() {
        let bytes = size_of_future(http1);
        assert!(bytes <= 2_560, "{bytes}");
    }
}
