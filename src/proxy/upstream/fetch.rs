//! Fetches a small document that the operator has named, such as an issuer's
//! keys. No redirects, no caller's address.

use super::http1::Http1;
use super::{Broken, Outgoing, Reading, Upstreams};
use crate::config::BaseUrl;
use http::{HeaderValue, Method, header};
use pingora::protocols::tls::ALPN;
use pingora::upstreams::peer::HttpPeer;
use std::time::Duration;

/// Longest document.
const MOST_BYTES: usize = 1 << 20;
const CONNECT: Duration = Duration::from_secs(5);

impl Upstreams {
    /// The document behind a URL.
    ///
    /// # Errors
    /// Why there is none.
    pub(in crate::proxy) async fn fetch(&self, base: &BaseUrl) -> Result<Vec<u8>, String> {
        let host = base.host.trim_start_matches('[').trim_end_matches(']');
        let mut found =
            tokio::net::lookup_host((host, base.port)).await.map_err(|error| error.to_string())?;
        let address = found.next().ok_or("the name has no address")?;
        let sni = if base.tls { base.host.clone() } else { String::new() };
        let mut peer = HttpPeer::new(address, base.tls, sni);
        peer.options.connection_timeout = Some(CONNECT);
        peer.options.total_connection_timeout = Some(CONNECT);
        peer.options.alpn = ALPN::H1;
        let stream = self.transport.new_stream(&peer).await.map_err(|error| error.to_string())?;
        read(&mut Http1::new(stream), base).await
    }
}

async fn read(connection: &mut Http1, base: &BaseUrl) -> Result<Vec<u8>, String> {
    let words = |broken: Broken| match broken {
        Broken::Io { detail, .. }
        | Broken::Unreachable(detail)
        | Broken::Cut(detail)
        | Broken::Malformed(detail) => detail,
    };
    let usual = if base.tls { 443 } else { 80 };
    let authority =
        if base.port == usual { base.host.clone() } else { format!("{}:{}", base.host, base.port) };
    let headers = [
        (header::ACCEPT, HeaderValue::from_static("application/json")),
        (header::ACCEPT_ENCODING, HeaderValue::from_static("identity")),
    ];
    let path = if base.path.is_empty() { "/" } else { &base.path };
    let (tls, headers) = (base.tls, &headers);
    let request = Outgoing { method: Method::GET, path, authority: &authority, tls, headers, body: &[] };
    connection.send(&request).await.map_err(words)?;
    let head = connection.read_head().await.map_err(words)?;
    if head.status != 200 {
        return Err(format!("status {}", head.status));
    }
    let mut body = Vec::new();
    while let Reading::Piece(piece) = connection.read_body().await.map_err(words)? {
        body.extend_from_slice(&piece);
        if body.len() > MOST_BYTES {
            return Err(format!("longer than {MOST_BYTES} bytes"));
        }
    }
    Ok(body)
}
