//! Programs that run in browsers, and come from another origin than the hub's (the Fetch standard,
//! section 3.2: <https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! Callers show a key with each request and never a cookie, so a page can do here what whoever
//! wrote it has a key for, and no more. The control plane does have cookies, and is left out.

use super::answer::AnswerHead;
use super::endpoint::Endpoint;
use crate::config::Origins;
use http::{HeaderMap, HeaderValue, Method, header};
use pingora::protocols::http::ServerSession;

/// How long browsers may remember what a preflight said; some forget sooner.
const REMEMBERED: &str = "86400";

/// Hides where a request comes from if nobody from there may read answers. So an answer that finds
/// an origin in its request may be read there.
pub(super) fn hide_stranger(session: &mut ServerSession, origins: &Origins) {
    let origin = session.req_header().headers.get(header::ORIGIN);
    if origin.is_some_and(|origin| !origins.allow(origin.as_bytes())) {
        session.req_header_mut().remove_header(&header::ORIGIN);
    }
}

/// Lets a browser show the answer to the page that asked for it.
pub(super) fn open(head: &mut AnswerHead, request: &HeaderMap) {
    if let Some(origin) = request.get(header::ORIGIN) {
        head.headers.push((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()));
        head.headers.push((header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*")));
        head.headers.push((header::VARY, HeaderValue::from_static("origin")));
    }
}

/// The answer to a browser that asks whether a page may ask. `None`: it is no such question, or
/// there is nothing to ask for.
pub(super) fn preflight(mount: &str, method: &Method, path: &str, request: &HeaderMap) -> Option<AnswerHead> {
    let wanted = request.get(header::ACCESS_CONTROL_REQUEST_METHOD).filter(|_| method == Method::OPTIONS)?;
    request.get(header::ORIGIN)?;
    let found = Endpoint::find(mount, &Method::from_bytes(wanted.as_bytes()).ok()?, path).ok()?;
    if found == Endpoint::Console {
        return None;
    }
    let mut head = AnswerHead { status: 204, headers: Vec::with_capacity(8), length: None };
    open(&mut head, request);
    head.headers.push((header::ACCESS_CONTROL_ALLOW_METHODS, wanted.clone()));
    if let Some(names) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        head.headers.push((header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone()));
    }
    head.text(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    Some(head)
}

/// What may be asked of a path, for the `allow` header of a refusal (RFC 9110 §10.2.1).
pub(super) fn methods(mount: &str, path: &str) -> String {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::DELETE];
    let methods = known.iter().filter(|method| Endpoint::find(mount, method, path).is_ok());
    methods.map(Method::as_str).collect::<Vec<_>>().join(", ")
}
