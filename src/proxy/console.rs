//! One origin: what is no inference and belongs to the control plane is
//! answered on the public listener too. The control plane answers within the
//! process, so nobody can claim an address, and its answer goes on piece by
//! piece.

use super::service::{Whole, refuse_early};
use super::visit::Visit;
use super::{Plane, intake};
use crate::config::Bounds;
use crate::error::{Failure, Kind, Result};
use crate::types::Op;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderValue, Request, Response, header};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use std::net::IpAddr;
use std::pin::Pin;

/// The control plane takes no longer bodies.
const LARGEST_BODY: usize = 1 << 20;
/// Where the control plane is. What ends in a slash stands for all that is below.
const PATHS: &[&str] = &["/api/admin/v1/", "/oauth/", "/.well-known/oauth-authorization-server"];

/// A body that comes piece by piece; an error cuts it.
pub type Pieces = Pin<Box<dyn Stream<Item = std::result::Result<Bytes, String>> + Send>>;
/// An answer in the making; `None` when nobody is there to answer.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Option<Response<Pieces>>> + Send + 'a>>;

/// The control plane, as the public listener knows it.
pub trait Console: Send + Sync {
    /// Called once for each request to one of its paths, with the client's address and whether it
    /// came by https.
    fn answer(&self, request: Request<Bytes>, address: IpAddr, secure: bool) -> Answering<'_>;
}

/// Is it one of the control plane's paths?
pub(super) fn is_console(path: &str) -> bool {
    PATHS.iter().any(|known| *known == path || (known.ends_with('/') && path.starts_with(known)))
}

/// Carries a request to the control plane, and its answer back.
pub(super) async fn carry(plane: &Plane, session: &mut ServerSession) -> Whole {
    let _present = plane.drain.enter();
    let mut visit = Visit::new(Op::Models, &plane.clock);
    let (address, answer) = match ask(plane, session, &mut visit).await {
        Ok(answered) => answered,
        Err(failure) => {
            Box::pin(refuse_early(plane, session, visit, failure)).await;
            return Whole::Yes;
        }
    };
    // Who guesses here is shed like who guesses keys.
    if answer.status() == http::StatusCode::UNAUTHORIZED {
        plane.flood.refused(address);
    }
    match tell(session, answer).await {
        Ok(()) => Whole::Yes,
        Err(_) => Whole::Cut,
    }
}

async fn ask(
    plane: &Plane,
    session: &mut ServerSession,
    visit: &mut Visit,
) -> Result<(IpAddr, Response<Pieces>)> {
    let snapshot = plane.snapshot.load_full();
    let address = intake::knock(plane, &snapshot, session, visit)?;
    let console = plane.console.get().filter(|_| snapshot.public.console);
    let console = console.ok_or_else(|| Failure::new(Kind::UnknownEndpoint, "Unknown request URL"))?;
    let bounds = Bounds {
        max_body_bytes: snapshot.bounds.max_body_bytes.min(LARGEST_BODY),
        ..snapshot.bounds.clone()
    };
    let mut share = plane.buffered.share();
    let body = intake::body(session, &bounds, &mut share).await?;
    let secure = intake::is_secure(&snapshot, session);
    let request = request(session, body)?;
    let answered = console.answer(request, address, secure).await;
    let gone = || Failure::new(Kind::Internal, "The control plane does not answer");
    Ok((address, answered.ok_or_else(gone)?))
}

/// What the control plane sees of a request: everything but the connection.
fn request(session: &ServerSession, body: Bytes) -> Result<Request<Bytes>> {
    let head = session.req_header();
    let bad = |error: &dyn std::fmt::Display| {
        Failure::new(Kind::InvalidRequest, "The request cannot be read").detail(error)
    };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request =
        Request::builder().method(head.method.clone()).uri(path).body(body).map_err(|error| bad(&error))?;
    *request.headers_mut() = head.headers.clone();
    // HTTP/2 names the host elsewhere.
    if let Some(authority) = head.uri.authority().filter(|_| !head.headers.contains_key(header::HOST)) {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|error| bad(&error))?;
        request.headers_mut().insert(header::HOST, host);
    }
    Ok(request)
}

async fn tell(session: &mut ServerSession, answer: Response<Pieces>) -> pingora::Result<()> {
    let (parts, mut pieces) = answer.into_parts();
    let bodiless = matches!(parts.status.as_u16(), 204 | 304);
    let mut head = ResponseHeader::build(parts.status, Some(parts.headers.len() + 1))?;
    for (name, value) in &parts.headers {
        if *name != header::TRANSFER_ENCODING && *name != header::CONNECTION {
            head.append_header(name.clone(), value.clone())?;
        }
    }
    if bodiless {
        head.remove_header(&header::CONTENT_LENGTH);
    } else if !parts.headers.contains_key(header::CONTENT_LENGTH) && !session.is_http2() {
        head.insert_header(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"))?;
    }
    let silent = bodiless || session.req_header().method == http::Method::HEAD;
    session.write_response_header(Box::new(head)).await?;
    while let Some(piece) = pieces.next().await {
        let piece =
            piece.map_err(|error| pingora::Error::explain(pingora::ErrorType::InternalError, error))?;
        if !silent && !piece.is_empty() {
            session.write_response_body(piece, false).await?;
        }
    }
    session.write_response_body(Bytes::new(), true).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_control_planes_own_paths_lead_there() {
        for own in ["/oauth/token", "/api/admin/v1/keys", "/.well-known/oauth-authorization-server"] {
            assert!(is_console(own), "{own}");
        }
        for other in [
            "/oauth",
            "/admin/reload",
            "/metrics",
            "/api/admin/v2/x",
            "/.well-known/oauth-authorization-server/x",
            "/v1/oauth/token",
        ] {
            assert!(!is_console(other), "{other}");
        }
    }
}
