//! What a vendor gets to see of a request besides its body: address, headers,
//! credential. Built from an allow-list; nothing of the caller's connection.

use super::job::Job;
use super::upstream::Outgoing;
use super::visit::Visit;
use crate::config::{Provider, Target};
use crate::error::Result;
use crate::provider::{Auth, Door, Signable};
use crate::types::Op;
use crate::wire::translate;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};

/// All endpoints that are exchanged take this one.
const METHOD: Method = Method::POST;

/// Everything of a vendor's request but its body.
pub(super) struct Prepared {
    path: String,
    authority: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Prepared {
    /// The request of one attempt. Where the credential is a pair of keys it is signed here, once per
    /// attempt, because a signature holds for a few minutes only.
    ///
    /// # Errors
    /// When the request cannot be signed.
    pub(super) fn new(
        job: &Job,
        visit: &Visit,
        target: &Target,
        credential: usize,
        content_type: HeaderValue,
        body: &[Bytes],
    ) -> Result<Self> {
        let provider = &*target.provider;
        let (path, authority) = (path(provider, job.door(provider), target, visit), authority(provider));
        let mut headers = headers(job, visit, provider, credential, content_type.clone());
        let keys = provider.credentials.get(credential).and_then(|credential| credential.aws.as_ref());
        if let (Some(keys), Auth::SigV4(service)) = (keys, provider.vendor.auth) {
            let request = Signable {
                method: METHOD.as_str(),
                tls: provider.base.tls,
                authority: &authority,
                path: &path,
                content_type: content_type.to_str().ok(),
                body,
            };
            headers.extend(keys.sign(service, &request, job.plane.clock.wall())?);
        }
        Ok(Self { path, authority, headers })
    }

    /// The same with its body.
    pub(super) fn outgoing<'a>(&'a self, provider: &Provider, body: &'a [Bytes]) -> Outgoing<'a> {
        let Self { path, authority, headers } = self;
        Outgoing { method: METHOD, path, authority, tls: provider.base.tls, headers, body }
    }
}

/// Host, and port where it is not the scheme's own.
pub(super) fn authority(provider: &Provider) -> String {
    let base = &provider.base;
    let usual = if base.tls { 443 } else { 80 };
    if base.port == usual { base.host.clone() } else { format!("{}:{}", base.host, base.port) }
}

/// Path and query, from the provider's base on.
fn path(provider: &Provider, door: Door, target: &Target, visit: &Visit) -> String {
    let path = match visit.op {
        Op::Chat => translate::path(door.dialect, door.path, &target.upstream_model, visit.stream),
        Op::Embedding => translate::embed_path(provider.vendor.embeds, door.path, &target.upstream_model),
        Op::ImageGeneration | Op::ImageEdit => {
            translate::draw_path(provider.vendor.draws, door.path, &target.upstream_model)
        }
        _ => door.path.into(),
    };
    format!("{}{path}", provider.base.path)
}

/// Headers of a vendor's request, all but `host` and `content-length`.
fn headers(
    job: &Job,
    visit: &Visit,
    provider: &Provider,
    credential: usize,
    content_type: HeaderValue,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::with_capacity(8 + job.request_headers.len() + provider.headers.len());
    headers.push((header::CONTENT_TYPE, content_type));
    // Who draws in words of its own draws whole, also for callers who want events.
    let accept = if visit.stream && !provider.vendor.has_own_words(visit.op) {
        translate::media_type(job.door(provider).dialect)
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
    headers.extend(authorization(provider, credential));
    for (name, value) in provider.vendor.headers {
        headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
    }
    headers.extend(provider.headers.iter().cloned());
    headers.extend(job.request_headers.iter().cloned());
    headers
}

/// What a credential looks like on the wire.
pub(super) fn authorization(provider: &Provider, credential: usize) -> Option<(HeaderName, HeaderValue)> {
    let secret = provider.credentials.get(credential)?.secret.as_ref()?;
    let (name, text) = match provider.vendor.auth {
        Auth::None => return None,
        Auth::Header(name) => (HeaderName::from_static(name), secret.expose().to_owned()),
        Auth::Bearer | Auth::Optional | Auth::SigV4(_) => {
            (header::AUTHORIZATION, format!("Bearer {}", secret.expose()))
        }
    };
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}
