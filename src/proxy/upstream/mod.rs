//! The way to a vendor: addresses, connections, pools, HTTP/1.1 and HTTP/2.
//! Knows nothing of dialects, retries or money.

mod dial;
mod fetch;
mod http1;
mod http2;
mod peer;
mod pool;
mod resolve;

use crate::config::Provider;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use http1::Http1;
use http2::Http2;
use pingora::connectors::{TransportConnector, http::Connector};
use pingora::protocols::http::client::HttpSession;
use pingora::upstreams::peer::HttpPeer;
use pool::Pool;
use resolve::Resolver;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Idle connections that one process keeps.
const POOL_SIZE: usize = 4096;
/// Vendors and their load balancers close idle connections after 60 s or more.
const IDLE: Duration = Duration::from_secs(50);

/// What goes to a vendor.
pub(super) struct Outgoing<'a> {
    pub method: Method,
    /// Path and query, from the vendor's base on.
    pub path: &'a str,
    /// Host, and port where it is not the scheme's own.
    pub authority: &'a str,
    pub tls: bool,
    /// Everything but `host` and `content-length`.
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// In pieces, so that a large body is sent from where it was read to.
    pub body: &'a [Bytes],
}

impl Outgoing<'_> {
    fn body_bytes(&self) -> usize {
        self.body.iter().map(Bytes::len).sum()
    }
}

/// The header of a vendor's answer.
pub(super) struct Head {
    pub status: u16,
    pub headers: HeaderMap,
    pub http10: bool,
}

impl Head {
    /// `Content-Length`, when it is there and a number.
    pub(super) fn content_length(&self) -> Option<u64> {
        self.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
    }

    /// A header's text, empty when absent or not text.
    pub(super) fn text(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("")
    }
}

/// What a read of the body brought.
#[derive(Debug)]
pub(super) enum Reading {
    Piece(Bytes),
    End,
}

/// Why an exchange with a vendor broke.
#[derive(Debug)]
pub(super) enum Broken {
    /// Refused, reset, or closed before a header. `stale`: on a pooled connection
    /// that had not answered anything, so the request may be sent again.
    Io { detail: String, stale: bool },
    /// No connection could be made.
    Unreachable(String),
    /// Closed inside the answer.
    Cut(String),
    /// Not HTTP.
    Malformed(String),
}

/// One connection, ready for one exchange. HTTP/2's futures are boxed, so that they do not make
/// the state of every HTTP/1.1 exchange as large as theirs.
pub(super) enum Conn {
    Http1(Box<Http1>),
    Http2(Box<Http2>),
}

/// A connection and whether it has been used before.
pub(super) struct Taken {
    pub conn: Conn,
    pub reused: bool,
    /// Only HTTP/2 goes back to Pingora's own pool, which wants it.
    peer: Option<Arc<HttpPeer>>,
}

/// All ways to all vendors.
pub(super) struct Upstreams {
    transport: TransportConnector,
    http: Connector,
    pool: Pool,
    resolver: Resolver,
}

impl Upstreams {
    pub(super) fn new() -> Self {
        Self {
            transport: TransportConnector::new(None),
            http: Connector::new(None),
            pool: Pool::new(POOL_SIZE, IDLE),
            resolver: Resolver::new(),
        }
    }

    /// A pooled connection, if there is one.
    pub(super) fn pooled(&self, provider: &Provider) -> Option<Taken> {
        let conn = self.pool.take(provider.connection_hash)?;
        Some(Taken { conn: Conn::Http1(conn), reused: true, peer: None })
    }

    /// A new connection, or a stream of an open HTTP/2 one. Boxed, because the futures of
    /// Pingora's connectors are large and most requests need none of them.
    pub(super) fn connect<'a>(
        &'a self,
        provider: &'a Provider,
    ) -> Pin<Box<dyn Future<Output = Result<Taken, Broken>> + Send + 'a>> {
        Box::pin(async move {
            let peer = self.resolver.peer(provider).await.map_err(Broken::Unreachable)?;
            if peer.options.alpn.get_max_http_version() == 1 {
                let stream = self.transport.new_stream(&*peer).await.map_err(|e| unreachable_by(&e))?;
                let conn = Conn::Http1(Box::new(Http1::new(stream)));
                return Ok(Taken { conn, reused: false, peer: None });
            }
            let (session, reused) =
                self.http.get_http_session(&*peer).await.map_err(|e| unreachable_by(&e))?;
            let conn = match session {
                HttpSession::H1(session) => Conn::Http1(Box::new(Http1::new(session.into_inner()))),
                other => Conn::Http2(Box::new(Http2::new(other))),
            };
            Ok(Taken { conn, reused, peer: Some(peer) })
        })
    }

    /// Gives a connection back when it can be used again; closes it otherwise.
    pub(super) async fn release(&self, provider: &Provider, taken: Taken) {
        match taken.conn {
            Conn::Http1(conn) if conn.reusable() => self.pool.put(provider.connection_hash, conn),
            Conn::Http1(_) => {}
            Conn::Http2(conn) => {
                if let (Some(session), Some(peer)) = (conn.into_finished(), taken.peer) {
                    Box::pin(self.http.release_http_session(session, &*peer, Some(IDLE))).await;
                }
            }
        }
    }

    /// Where a provider is, for exchanges that Pingora's own proxy carries.
    pub(super) async fn peer(&self, provider: &Provider) -> Result<Arc<HttpPeer>, String> {
        self.resolver.peer(provider).await
    }

    /// Closes connections that have been idle for too long; called now and then.
    pub(super) fn sweep(&self) {
        self.pool.sweep();
    }
}

impl Conn {
    pub(super) async fn send(&mut self, request: &Outgoing<'_>) -> Result<(), Broken> {
        match self {
            Conn::Http1(conn) => conn.send(request).await,
            Conn::Http2(conn) => Box::pin(conn.send(request)).await,
        }
    }

    pub(super) async fn read_head(&mut self) -> Result<Head, Broken> {
        match self {
            Conn::Http1(conn) => conn.read_head().await,
            Conn::Http2(conn) => Box::pin(conn.read_head()).await,
        }
    }

    pub(super) async fn read_body(&mut self) -> Result<Reading, Broken> {
        match self {
            Conn::Http1(conn) => conn.read_body().await,
            Conn::Http2(conn) => Box::pin(conn.read_body()).await,
        }
    }

    /// Tells the vendor to stop: closes HTTP/1.1, resets the stream on HTTP/2.
    pub(super) async fn abort(self) {
        match self {
            Conn::Http1(_) => {}
            Conn::Http2(mut conn) => Box::pin(conn.reset()).await,
        }
    }
}

fn unreachable_by(error: &pingora::Error) -> Broken {
    Broken::Unreachable(error.to_string())
}
