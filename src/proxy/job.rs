//! A request that is ready to be answered: what the decisions came to, and
//! everything an exchange needs, owned, so that it can outlive its caller.

use super::Plane;
use super::buffered::Share;
use super::drain::Present;
use super::visit::Visit;
use crate::cache::CacheKey;
use crate::chat::{Adapted, Dialect};
use crate::config::{Caller, Clocks, Snapshot, Target};
use crate::error::Result;
use crate::ledger::Price;
use crate::limit::{Ask, Permit, Standing};
use crate::types::Op;
use crate::wire::multipart;
use crate::wire::openai::Request;
use crate::wire::translate::{self, CostOf, Telling, Tells};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Job {
    pub op: Op,
    /// What the body speaks. The answer is written in `Visit::dialect`, which is the caller's.
    pub speaks: Dialect,
    /// What the request asked of its answer.
    pub tells: Tells,
    pub plane: Arc<Plane>,
    pub snapshot: Arc<Snapshot>,
    pub caller: Arc<Caller>,
    pub body: Bytes,
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

    /// The price row of the target that answers, as the visit names it.
    pub(super) fn price(&self, visit: &Visit) -> Option<Arc<Price>> {
        let answers = |t: &&Target| {
            t.provider.name.shared() == &visit.provider && t.upstream_model == visit.upstream_model
        };
        super::decide::price(&self.snapshot, self.targets.iter().find(answers)?, visit)
    }

    /// What the answer says of itself, in the dialects that want it.
    pub(super) fn telling(&self, visit: &Visit) -> Option<Telling> {
        translate::wants_telling(visit.dialect).then(|| Telling {
            tells: self.tells,
            provider: Arc::clone(&visit.provider),
            model: Arc::clone(&visit.upstream_model),
            call_id: visit.id.to_string(),
            cost_of: self
                .price(visit)
                .map(|price| -> CostOf { Box::new(move |used| price.charge(used).cost) }),
        })
    }

    /// How long the caller may hear nothing. Whole answers wait twice as long, because a failure
    /// that comes after a beat can no longer be told.
    pub(super) fn heartbeat(&self, visit: &Visit) -> Duration {
        let heartbeat = self.snapshot.bounds.heartbeat;
        match visit.stream {
            true => heartbeat,
            false if translate::beats_whole(visit.dialect) => heartbeat * 2,
            false => Duration::ZERO,
        }
    }

    /// The body for one target in pieces, its content type, and what was adapted or dropped.
    ///
    /// # Errors
    /// When the target's dialect cannot say what must not be dropped.
    pub(super) fn render(&self, target: &Target) -> Result<Rendered> {
        let json = HeaderValue::from_static("application/json");
        let vendor = target.provider.vendor;
        let mut adapted = Vec::new();
        match &self.payload {
            Payload::Json(_) if self.op == Op::Chat && self.speaks != vendor.dialect => {
                let mut request = translate::request_in(self.speaks, &self.body)?;
                request.model = target.upstream_model.to_string();
                let mut changes = Adapted::default();
                let body = translate::request_out(vendor.dialect, &request, &mut changes)?;
                adapted.extend(changes.header());
                Ok(Rendered { body: vec![body.into()], content_type: json, adapted })
            }
            Payload::Json(request) => {
                let body = request.render(&self.body, &target.upstream_model, &vendor.shape, &mut adapted);
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
