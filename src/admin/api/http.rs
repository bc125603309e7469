//! The API on the admin listener.

use super::call::{Incoming, Reply, etag};
use super::dispatch::{ROOT, answer};
use super::page::HTML;
use super::problem::Problem;
use crate::access::client_address;
use crate::admin::Control;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Largest body that the API takes.
const LARGEST_BODY: usize = 1 << 20;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers everything below the API's root.
pub async fn handle(State(control): State<Arc<Control>>, request: Request) -> Response {
    let from = from_where(&control, &request);
    let (parts, body) = request.into_parts();
    let name = uuid::Uuid::now_v7().simple().to_string();
    let answered = match axum::body::to_bytes(body, LARGEST_BODY).await {
        Err(_) => {
            let detail = format!("the body is larger than {LARGEST_BODY} bytes, or was cut off");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail))
        }
        Ok(body) => {
            let incoming = Incoming {
                method: parts.method.as_str().to_owned(),
                path: parts.uri.path().strip_prefix(ROOT).unwrap_or_default().to_owned(),
                query: parts.uri.query().unwrap_or_default().to_owned(),
                address: from.map(|from| from.address),
                headers: parts.headers,
                body: body.to_vec(),
                request: name.clone(),
            };
            let work = move || answer(&control.directory, &control.token, &incoming);
            match tokio::task::spawn_blocking(work).await {
                Ok(answered) => answered,
                Err(error) => {
                    tracing::error!(%error, request = name, "the control plane failed to answer");
                    Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the hub failed; its log says why"))
                }
            }
        }
    };
    let mut response = match answered {
        Ok(reply) => of_reply(reply),
        Err(problem) => of_problem(&problem),
    };
    let headers = response.headers_mut();
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(REQUEST_ID, name);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// From where a request comes, and by which scheme, as the listener knows it that took it. Only the
/// process itself can put it beside a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The client's address.
    pub address: IpAddr,
    /// Did it come by https?
    pub secure: bool,
}

/// Where a request comes from: what the public listener says of it, or else what this one sees.
pub(in crate::admin) fn from_where(control: &Control, request: &Request) -> Option<Visitor> {
    if let Some(visitor) = request.extensions().get::<Visitor>() {
        return Some(*visitor);
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>()?.0.ip();
    let trusted =
        control.directory.snapshot().is_some_and(|s| s.trusted_proxies.contains(peer.to_canonical()));
    let proto = request.headers().get("x-forwarded-proto").filter(|_| trusted);
    let secure = proto.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https"));
    Some(Visitor { address: address(control, peer, request.headers()), secure })
}

/// From where: the peer, or what a trusted proxy says.
fn address(control: &Control, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let Some(snapshot) = control.directory.snapshot() else { return peer.to_canonical() };
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    client_address(peer, &lines, &snapshot.trusted_proxies)
}

fn of_reply(reply: Reply) -> Response {
    let Reply { status, mut body, version, once, cookies, location, text, pour, file } = reply;
    for (name, value) in once {
        if let Some(map) = body.as_object_mut() {
            map.insert(name.to_owned(), value);
        }
    }
    let mut builder = Response::builder().status(status);
    if let Some(version) = version {
        builder = builder.header(header::ETAG, etag(version));
    }
    for cookie in cookies {
        builder = builder.header(header::SET_COOKIE, cookie);
    }
    if let Some(pour) = pour {
        let name = format!("attachment; filename=\"{}\"", pour.name);
        builder = builder.header(header::CONTENT_TYPE, pour.kind).header(header::CONTENT_DISPOSITION, name);
        return builder.body(pour.body()).unwrap_or_else(|_| Response::new(Body::empty()));
    }
    if let Some(location) = location {
        builder = builder.header(header::LOCATION, location);
    }
    if let Some((kind, bytes)) = file {
        let response = builder.header(header::CONTENT_TYPE, kind).body(Body::from(bytes));
        return response.unwrap_or_else(|_| Response::new(Body::empty()));
    }
    let response = match text {
        Some((HTML, page)) => builder
            .header(header::CONTENT_TYPE, HTML)
            .header(header::CONTENT_SECURITY_POLICY, crate::admin::page::policy())
            .header(header::REFERRER_POLICY, "no-referrer")
            .body(Body::from(page)),
        Some((kind, text)) => builder.header(header::CONTENT_TYPE, kind).body(Body::from(text)),
        None if body.is_null() => builder.body(Body::empty()),
        None => builder.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
    };
    // Every header above is made of visible ASCII.
    response.unwrap_or_else(|_| Response::new(Body::empty()))
}

/// A refusal as an answer.
pub(in crate::admin) fn of_problem(problem: &Problem) -> Response {
    let mut builder =
        Response::builder().status(problem.status).header(header::CONTENT_TYPE, "application/problem+json");
    if problem.status == StatusCode::UNAUTHORIZED {
        builder = builder.header(header::WWW_AUTHENTICATE, "Bearer");
    }
    if let Some(wait) = problem.retry_after {
        builder = builder.header(header::RETRY_AFTER, wait.as_secs().saturating_add(1));
    }
    let response = builder.body(Body::from(problem.body().to_string()));
    response.unwrap_or_else(|_| Response::new(Body::empty()))
}
