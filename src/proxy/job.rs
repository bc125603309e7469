//! A request that is ready to be answered: what the decisions came to, and
//! everything an exchange needs, owned, so that it can outlive its caller.

use super::Plane;
use super::buffered::Share;
use super::drain::Present;
use super::talk::Talk;
use crate::cache::CacheKey;
use crate::chat::{Adapted, Dialect};
use crate::config::{Caller, Clocks, Provider, Snapshot, Target};
use crate::error::Result;
use crate::limit::{Ask, Permit, Standing};
use crate::provider::Door;
use crate::types::Op;
use crate::wire::multipart;
use crate::wire::openai::Request;
use crate::wire::openai_responses::Asked;
use crate::wire::translate;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Job {
    pub op: Op,
    /// What the caller speaks.
    pub dialect: Dialect,
    pub plane: Arc<Plane>,
    pub snapshot: Arc<Snapshot>,
    pub caller: Arc<Caller>,
    /// With what the conversation said before, where the caller only names that.
    pub body: Bytes,
    /// The body as the caller wrote it.
    pub said: Bytes,
    /// Where the answer is kept, if it is.
    pub talk: Option<Talk>,
    pub payload: Payload,
    /// The caller's own headers that vendors may see, and those that rules add.
    pub request_headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers that rules add to the answer.
    pub answer_headers: Vec<(HeaderName, HeaderValue)>,
    /// In the order in which they are tried.
    pub targets: Vec<Target>,
    pub clocks: Clocks,
    /// Held until what was used is known.
    pub permit: Mutex<Option<Permit>>,
    /// The worst case that the permit holds.
    pub held: Ask,
    pub standing: Standing,
    pub caching: Option<Caching>,
    /// For affinity; `None` when the conversation cannot be told.
    pub conversation: Option<u64>,
    /// Its part of the bound on buffered bytes, given back with the job.
    pub _share: Share,
    /// Keeps a shutdown waiting for this request.
    pub _present: Present,
}

/// How the body is to be read and rewritten.
pub(super) enum Payload {
    Json(Box<Request>),
    /// `multipart/form-data`: only the model is read and replaced.
    Form {
        content_type: HeaderValue,
        model: Range<usize>,
    },
    /// A WebSocket, of which nothing is read.
    Pipe,
}

/// What the cache may do with a request.
#[derive(Clone, Copy)]
pub(super) struct Caching {
    pub key: CacheKey,
    pub ttl: Duration,
    pub read: bool,
    pub write: bool,
    pub only_if_cached: bool,
}

impl Job {
    /// The JSON request, when it is one.
    pub(super) fn request(&self) -> Option<&Request> {
        match &self.payload {
            Payload::Json(request) => Some(request),
            Payload::Form { .. } | Payload::Pipe => None,
        }
    }

    /// Where a provider takes this request. One that does not take it is not among the targets.
    pub(super) fn door(&self, provider: &Provider) -> Door {
        let nowhere = Door { dialect: self.dialect, path: "", shape: provider.vendor.shape };
        provider.door(self.op, self.dialect).unwrap_or(nowhere)
    }

    /// What the answer has to know of the request.
    pub(super) fn asked<'a>(&'a self, id: &'a str) -> Asked<'a> {
        Asked { id, body: &self.said }
    }

    /// The body for one target in pieces, its content type, and what was adapted or dropped.
    ///
    /// # Errors
    /// When the target's dialect cannot say what must not be dropped.
    pub(super) fn render(&self, target: &Target) -> Result<Rendered> {
        let json = HeaderValue::from_static("application/json");
        let door = self.door(&target.provider);
        let mut adapted = Vec::new();
        match &self.payload {
            Payload::Json(_) if self.op == Op::Chat && self.dialect != door.dialect => {
                let mut request = translate::request_in(self.dialect, &self.body)?;
                request.model = target.upstream_model.to_string();
                let mut changes = Adapted::default();
                let body = translate::request_out(door.dialect, &request, &mut changes)?;
                adapted.extend(changes.header());
                Ok(Rendered { body: vec![body.into()], content_type: json, adapted })
            }
            Payload::Json(request) => {
                let model = &*target.upstream_model;
                let body = match translate::for_vendor(door.dialect, &self.body, model) {
                    None => request.render(&self.body, model, &door.shape, &mut adapted),
                    Some(changed) => {
                        adapted.extend(changed.adapted);
                        let body = Bytes::from(changed.body);
                        let request = Request::read_in(door.dialect, self.op, &body)?;
                        request.render(&body, model, &door.shape, &mut adapted)
                    }
                };
                Ok(Rendered { body, content_type: json, adapted })
            }
            Payload::Form { content_type, model } => {
                let mut patch = crate::wire::json::Patch::new();
                patch.replace(model.clone(), target.upstream_model.as_bytes());
                Ok(Rendered { body: patch.pieces(&self.body), content_type: content_type.clone(), adapted })
            }
            Payload::Pipe => Ok(Rendered { body: Vec::new(), content_type: json, adapted }),
        }
    }
}

/// A request as one target gets it.
pub(super) struct Rendered {
    pub body: Vec<Bytes>,
    pub content_type: HeaderValue,
    /// Fields that were adapted or dropped.
    pub adapted: Vec<String>,
}

/// The model field of a form.
pub(super) fn form(body: &Bytes, content_type: &HeaderValue) -> Option<(Payload, String)> {
    let boundary = multipart::boundary(content_type.to_str().ok()?)?;
    let model = multipart::field(body, &boundary, "model")?;
    let name = std::str::from_utf8(body.get(model.clone())?).ok()?.to_owned();
    Some((Payload::Form { content_type: content_type.clone(), model }, name))
}
