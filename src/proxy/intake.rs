//! The first steps of a request: address, key, body. Everything that is
//! refused here has cost no vendor anything.

use super::Plane;
use super::buffered::Share;
use super::long_body::{Unread, is_long, read_rest};
use super::outsiders;
use super::visit::Visit;
use crate::access::KeyRefusal;
use crate::access::client_address;
use crate::config::{Bounds, Caller, Snapshot};
use crate::error::{Failure, Kind, Result};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header};
use percent_encoding::percent_decode_str;
use pingora::protocols::http::ServerSession;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How much of a refused body is read away so that the caller gets to see the refusal.
const LINGER_BYTES: usize = 4 * 1024 * 1024;
/// Where Google's clients put their key.
pub(super) const GOOGLE_KEY: &str = "x-goog-api-key";
const SMALL_BYTES: usize = 64 * 1024;
const LINGER: Duration = Duration::from_secs(1);

/// May anybody come in from this address, with a key or without?
pub(super) fn knock(
    plane: &Plane,
    snapshot: &Snapshot,
    session: &ServerSession,
    visit: &mut Visit,
) -> Result<IpAddr> {
    let address = address(snapshot, session);
    visit.address = Some(address);
    if !snapshot.addresses.permits(address) {
        return Err(Failure::new(Kind::AddressDenied, "This address is not allowed"));
    }
    plane.flood.check(address, snapshot.flood.failures_per_minute)?;
    Ok(address)
}

/// Google's callers may write their key into the address. It moves into the header before anything
/// else happens, so that nothing that shows an address can show it.
pub(super) fn hide_key(session: &mut ServerSession) {
    let request = session.req_header_mut();
    if !is_google(request.uri.path()) {
        return;
    }
    let Some(query) = request.uri.query().filter(|query| query.contains("key=")) else { return };
    let (keys, rest): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| pair.starts_with("key="));
    let Some(key) = keys.first().and_then(|pair| pair.strip_prefix("key=")) else { return };
    let key = percent_decode_str(key).decode_utf8_lossy().into_owned();
    let path = request.uri.path();
    let kept = if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) };
    let (uri, value) = (kept.parse(), HeaderValue::from_str(&key));
    if let (Ok(uri), Ok(mut value)) = (uri, value) {
        value.set_sensitive(true);
        request.set_uri(uri);
        if request.headers.get(GOOGLE_KEY).is_none() {
            let _ = request.insert_header(GOOGLE_KEY, value);
        }
    }
}

/// Google's own paths; its newest clients write `/v1` for `/v1beta`, with a method behind a colon.
fn is_google(path: &str) -> bool {
    path.starts_with("/v1beta/") || path.contains(':')
}

/// Who calls, or why not. Refusals count towards the shedding of the address.
pub(super) fn admit(
    plane: &Plane,
    snapshot: &Snapshot,
    session: &ServerSession,
    visit: &mut Visit,
) -> Result<Arc<Caller>> {
    let headers = &session.req_header().headers;
    let address = knock(plane, snapshot, session, visit)?;
    let caller = caller(plane, snapshot, headers).inspect_err(|_| plane.flood.refused(address))?;
    visit.caller = Some(Arc::clone(&caller));
    if !caller.key.addresses.permits(address) {
        return Err(Failure::new(Kind::AddressDenied, "This key is not allowed from this address"));
    }
    Ok(caller)
}

/// Where a request comes from: the peer, or what a trusted proxy says.
pub(super) fn address(snapshot: &Snapshot, session: &ServerSession) -> IpAddr {
    let peer = session.client_addr().and_then(|a| a.as_inet()).map(|a| a.ip());
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    if snapshot.trusted_proxies.is_empty() {
        return peer.to_canonical();
    }
    let headers = &session.req_header().headers;
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok()).collect();
    client_address(peer, &lines, &snapshot.trusted_proxies)
}

/// Did it come by https, to us or to a proxy that we trust?
pub(super) fn is_secure(snapshot: &Snapshot, session: &ServerSession) -> bool {
    if session.digest().is_some_and(|digest| digest.ssl_digest.is_some()) {
        return true;
    }
    let peer = session.client_addr().and_then(|address| address.as_inet()).map(|address| address.ip());
    let trusted = peer.is_some_and(|peer| snapshot.trusted_proxies.contains(peer.to_canonical()));
    let proto = session.req_header().headers.get("x-forwarded-proto").filter(|_| trusted);
    proto.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// The text is the same for unknown, disabled and expired keys, so that nobody can tell them apart.
fn caller(plane: &Plane, snapshot: &Snapshot, headers: &HeaderMap) -> Result<Arc<Caller>> {
    let Some(secret) = presented_key(headers) else {
        let text = "You did not provide an API key. Send it as a header: 'Authorization: Bearer YOUR_KEY'";
        return Err(Failure::new(Kind::Unauthenticated, text));
    };
    let refused =
        |detail: &str| Failure::new(Kind::Unauthenticated, "Incorrect API key provided").detail(detail);
    let hash = snapshot.pepper.hash(secret);
    let Some(caller) = snapshot.callers.find(&hash) else {
        return outsiders::caller(plane, snapshot, secret, &hash);
    };
    match caller.key.usable(plane.clock.wall()) {
        Ok(()) => Ok(Arc::clone(caller)),
        Err(KeyRefusal::Expired) => {
            Err(refused("expired key").detail(format!("key {} has expired", caller.key.id)))
        }
        Err(_) => Err(refused("disabled").detail(format!("key {} is disabled", caller.key.id))),
    }
}

/// Does the request show a key, be it good or bad?
pub(super) fn has_key(session: &ServerSession) -> bool {
    presented_key(&session.req_header().headers).is_some()
}

/// `Authorization: Bearer …`, or a header of its own as Anthropic's and Google's clients send it.
fn presented_key(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|text| {
        let (scheme, rest) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())
    });
    let named = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    bearer.or_else(|| named("x-api-key")).or_else(|| named(GOOGLE_KEY)).filter(|key| !key.is_empty())
}

/// Reads the whole body, whatever its framing.
///
/// # Errors
/// `BodyTooLarge` (from `Content-Length` before a byte is read), `Overloaded`,
/// `BodyTimeout`, `UnsupportedEncoding`, `CallerGone`.
pub(super) async fn body(session: &mut ServerSession, bounds: &Bounds, share: &mut Share) -> Result<Bytes> {
    let headers = &session.req_header().headers;
    if headers.get(header::CONTENT_ENCODING).is_some_and(|v| v.as_bytes() != b"identity") {
        let text = "Compressed request bodies are not supported; send the body without content-encoding";
        return Err(Failure::new(Kind::UnsupportedEncoding, text));
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|n| n > bounds.max_body_bytes) {
        return Err(too_large(bounds));
    }
    share.grow_to(length.unwrap_or(0), bounds.max_buffered_bytes)?;
    if headers.get(header::EXPECT).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        session.write_continue_response().await.map_err(|e| gone(&e))?;
    }
    let deadline = Instant::now() + bounds.body;
    let late = || Failure::new(Kind::BodyTimeout, "The request body did not arrive in time");
    let read = timeout_at(deadline, read_all(session, bounds, share, length)).await;
    let mut whole = match read.map_err(|_| late())?? {
        Read::All(body) => return Ok(body),
        Read::Rest(whole) => whole,
    };
    // Boxed: long bodies are rare, and every request would carry its state.
    let rest = Box::pin(read_rest(session, &mut whole, length.unwrap_or(0), deadline));
    match rest.await {
        Ok(()) => Ok(whole.freeze()),
        Err(Unread::Late) => Err(late()),
        Err(Unread::Gone(error)) => {
            Err(Failure::new(Kind::CallerGone, "The client closed the connection").detail(error))
        }
    }
}

/// What a session gave of a body.
enum Read {
    All(Bytes),
    /// The beginning of a long one.
    Rest(BytesMut),
}

async fn read_all(
    session: &mut ServerSession,
    bounds: &Bounds,
    share: &mut Share,
    length: Option<usize>,
) -> Result<Read> {
    let mut whole = BytesMut::new();
    loop {
        let piece = session.read_request_body().await.map_err(|e| gone(&e))?;
        let Some(piece) = piece else { return Ok(Read::All(whole.freeze())) };
        if whole.is_empty() {
            // The usual small body is one piece and is not copied.
            if length == Some(piece.len()) {
                return Ok(Read::All(piece));
            }
            whole.reserve(length.unwrap_or(piece.len()));
        }
        let total = whole.len() + piece.len();
        if total > bounds.max_body_bytes {
            return Err(too_large(bounds));
        }
        share.grow_to(total, bounds.max_buffered_bytes)?;
        whole.extend_from_slice(&piece);
        if length.is_some_and(|length| is_long(session, length.saturating_sub(total))) {
            return Ok(Read::Rest(whole));
        }
    }
}

/// Is the body short enough to be read away so that the connection can go on?
pub(super) fn small_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    length.is_some_and(|n| n <= SMALL_BYTES)
}

/// Reads away some of a body that nobody wants: a caller that is still sending
/// would otherwise get a reset instead of the answer.
pub(super) async fn linger(session: &mut ServerSession) {
    let drain = async {
        let mut seen = 0;
        while let Ok(Some(piece)) = session.read_request_body().await {
            seen += piece.len();
            if seen > LINGER_BYTES {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(LINGER, drain).await;
}

fn too_large(bounds: &Bounds) -> Failure {
    let text = format!("The request body is larger than the limit of {} bytes", bounds.max_body_bytes);
    Failure::new(Kind::BodyTooLarge, text)
}

fn gone(error: &pingora::Error) -> Failure {
    Failure::new(Kind::CallerGone, "The client closed the connection").detail(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_key_is_found_where_each_sdk_puts_it() {
        let mut headers = HeaderMap::new();
        assert_eq!(presented_key(&headers), None);
        headers.insert("x-api-key", HeaderValue::from_static("k1"));
        assert_eq!(presented_key(&headers), Some("k1"));
        headers.insert("authorization", HeaderValue::from_static("bearer  k2 "));
        assert_eq!(presented_key(&headers), Some("k2"));
        headers.insert("authorization", HeaderValue::from_static("Basic k3"));
        assert_eq!(presented_key(&headers), Some("k1"));
    }
}
