//! What a vendor gets to see of a request besides its body: address, headers,
//! credential. Built from an allow-list; nothing of the caller's connection.

use super::job::Job;
use super::visit::Visit;
use crate::config::{Provider, Target};
use crate::provider::{Auth, Door};
use crate::types::Op;
use crate::wire::translate;
use http::{HeaderName, HeaderValue, header};

/// Host, and port where it is not the scheme's own.
pub(super) fn authority(provider: &Provider) -> String {
    let base = &provider.base;
    let usual = if base.tls { 443 } else { 80 };
    if base.port == usual { base.host.clone() } else { format!("{}:{}", base.host, base.port) }
}

/// Path and query, from the provider's base on.
pub(super) fn path(provider: &Provider, door: Door, target: &Target, visit: &Visit) -> String {
    let path = match visit.op {
        Op::Chat => translate::path(door.dialect, door.path, &target.upstream_model, visit.stream),
        _ => door.path.into(),
    };
    format!("{}{path}", provider.base.path)
}

/// Headers of a vendor's request, all but `host` and `content-length`.
pub(super) fn headers(
    job: &Job,
    visit: &Visit,
    provider: &Provider,
    credential: usize,
    content_type: HeaderValue,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::with_capacity(8 + job.request_headers.len() + provider.headers.len());
    headers.push((header::CONTENT_TYPE, content_type));
    let accept = if visit.stream {
        "text/event-stream"
    } else if visit.op == Op::Speech {
        "*/*"
    } else {
        "application/json"
    };
    headers.push((header::ACCEPT, HeaderValue::from_static(accept)));
    headers.push((header::ACCEPT_ENCODING, HeaderValue::from_static("identity")));
    headers.push((
        header::USER_AGENT,
        HeaderValue::from_static(concat!("aigne-hub/", env!("CARGO_PKG_VERSION"))),
    ));
    headers.extend(authorization(provider, credential, visit.op));
    for (name, value) in provider.vendor.headers {
        headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
    }
    headers.extend(provider.headers.iter().cloned());
    headers.extend(job.request_headers.iter().cloned());
    headers
}

/// What a credential looks like on the wire.
pub(super) fn authorization(
    provider: &Provider,
    credential: usize,
    op: Op,
) -> Option<(HeaderName, HeaderValue)> {
    let secret = provider.credentials.get(credential)?.secret.as_ref()?;
    let (name, text) = match provider.vendor.auth {
        Auth::None => return None,
        Auth::Header(name) if !provider.vendor.bearer.contains(&op) => {
            (HeaderName::from_static(name), secret.expose().to_owned())
        }
        Auth::Bearer | Auth::Optional | Auth::Header(_) => {
            (header::AUTHORIZATION, format!("Bearer {}", secret.expose()))
        }
    };
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}
