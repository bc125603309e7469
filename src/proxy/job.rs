//! A request that is ready to be answered: what the decisions came to, and
//! everything an exchange needs, owned, so that it can outlive its caller.

use super::Plane;
use super::buffered::Share;
use super::drain::Present;
use super::funds::Funds;
use crate::cache::CacheKey;
use crate::catalogue::Card;
use crate::chat::{Adapted, Dialect, Field, Sampling};
use crate::config::{Caller, Clocks, Snapshot, Target};
use crate::error::Result;
use crate::limit::{Ask, Permit, Standing};
use crate::tokens;
use crate::types::Op;
use crate::wire::multipart;
use crate::wire::openai::Request;
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
    /// Does a wallet pay?
    pub pays: bool,
    /// What is held of it until the request settles.
    pub funds: Mutex<Option<Box<Funds>>>,
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

    /// The vocabulary of one of its models.
    pub(super) fn family(&self, model: &str) -> tokens::Family {
        let target = self.targets.iter().find(|target| &*target.upstream_model == model);
        target.map_or_else(|| tokens::family(model), Target::family).0
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
            Payload::Json(_) if self.op == Op::Chat && self.dialect != vendor.dialect => {
                let mut request = translate::request_in(self.dialect, &self.body)?;
                request.model = target.upstream_model.to_string();
                let mut changes = Adapted::default();
                bound_output(&mut request.sampling, target, &mut changes)?;
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

/// Keeps the answer within what the catalogue says of the model: a larger wish is cut down, and
/// where the vendor wants a limit and the caller names none, it is the model's own, which is also
/// what is held.
fn bound_output(sampling: &mut Sampling, target: &Target, changes: &mut Adapted) -> Result<()> {
    let Some(most) = target.card.as_deref().and_then(Card::output_limit) else { return Ok(()) };
    let field = Field::MaxOutputTokens;
    let wish = sampling.max_output_tokens;
    if wish.is_some_and(|wish| wish > most) {
        let passes = changes.adapt(field, format!("cut to {most}"))?.passes();
        sampling.max_output_tokens = if passes { wish } else { Some(most) };
    } else if wish.is_none() && translate::wants_output_limit(target.provider.vendor.dialect) {
        changes.drop_named(field, field.name(), format!("set to {most}"))?;
        sampling.max_output_tokens = Some(most);
    }
    Ok(())
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
