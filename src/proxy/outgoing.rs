//! What a vendor gets to see of a request besides its body: address, headers,
//! credential. Built from an allow-list; nothing of the caller's connection.

use super::job::{Job, Payload};
use super::upstream::Outgoing;
use super::visit::Visit;
use crate::config::{Provider, Target};
use crate::error::Result;
use crate::provider::{Auth, Door, Signable};
use crate::types::{Op, Wall};
use crate::wire::translate;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};

/// What the hub calls itself.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("aigne-hub/", env!("CARGO_PKG_VERSION")));

/// Everything of a vendor's request but its body.
pub(super) struct Prepared {
    method: Method,
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
        let path = path(job, job.door(provider), target, visit)?;
        let headers = headers(job, visit, provider, credential, content_type.clone());
        let prepared = Self { method: Method::POST, path, authority: authority(provider), headers };
        prepared.signed(provider, credential, Some(&content_type), body, job.plane.clock.wall())
    }

    /// A request of the hub's own, of which no caller knows. `path` is from the host on.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub(super) fn own(
        provider: &Provider,
        credential: usize,
        method: Method,
        path: String,
        body: &[Bytes],
        now: Wall,
    ) -> Result<Self> {
        let json = (!body.is_empty()).then_some(HeaderValue::from_static("application/json"));
        let mut headers = vec![
            (header::ACCEPT, HeaderValue::from_static("*/*")),
            (header::ACCEPT_ENCODING, HeaderValue::from_static("identity")),
            (header::USER_AGENT, USER_AGENT),
        ];
        headers.extend(json.clone().map(|json| (header::CONTENT_TYPE, json)));
        with_authority(&mut headers, provider, credential);
        let prepared = Self { method, path, authority: authority(provider), headers };
        prepared.signed(provider, credential, json.as_ref(), body, now)
    }

    /// With a signature, where the credential signs.
    fn signed(
        mut self,
        provider: &Provider,
        credential: usize,
        content_type: Option<&HeaderValue>,
        body: &[Bytes],
        now: Wall,
    ) -> Result<Self> {
        let keys = provider.credentials.get(credential).and_then(|credential| credential.aws.as_ref());
        if let (Some(keys), Auth::SigV4(service)) = (keys, provider.vendor.auth) {
            let request = Signable {
                method: self.method.as_str(),
                tls: provider.base.tls,
                authority: &self.authority,
                path: &self.path,
                content_type: content_type.and_then(|value| value.to_str().ok()),
                body,
            };
            let signed = keys.sign(service, &request, now)?;
            self.headers.extend(signed);
        }
        Ok(self)
    }

    /// The same with its body.
    pub(super) fn outgoing<'a>(&'a self, provider: &Provider, body: &'a [Bytes]) -> Outgoing<'a> {
        let Self { method, path, authority, headers } = self;
        Outgoing { method: method.clone(), path, authority, tls: provider.base.tls, headers, body }
    }
}

/// Host, and port where it is not the scheme's own.
pub(super) fn authority(provider: &Provider) -> String {
    let base = &provider.base;
    let usual = if base.tls { 443 } else { 80 };
    if base.port == usual { base.host.clone() } else { format!("{}:{}", base.host, base.port) }
}

/// Path and query, from the provider's base on.
fn path(job: &Job, door: Door, target: &Target, visit: &Visit) -> Result<String> {
    let provider = &*target.provider;
    let path = match visit.op {
        Op::Chat => translate::path(door.dialect, door.path, &target.upstream_model, visit.stream),
        Op::Embedding => translate::embed_path(provider.vendor.embeds, door.path, &target.upstream_model),
        Op::ImageGeneration | Op::ImageEdit => {
            translate::draw_path(provider.vendor.draws, door.path, &target.upstream_model)
        }
        Op::Video => match &job.payload {
            Payload::Video(ordered) => ordered.path(provider, door.path, &target.upstream_model)?.into(),
            _ => door.path.into(),
        },
        _ => door.path.into(),
    };
    Ok(format!("{}{path}", provider.base.path))
}

/// The credential, and what vendor and operator have sent with every request.
fn with_authority(headers: &mut Vec<(HeaderName, HeaderValue)>, provider: &Provider, credential: usize) {
    headers.extend(authorization(provider, credential));
    for (name, value) in provider.vendor.headers {
        headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
    }
    headers.extend(provider.headers.iter().cloned());
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
    headers.push((header::USER_AGENT, USER_AGENT));
    with_authority(&mut headers, provider, credential);
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
