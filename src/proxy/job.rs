//! A request that is ready to be answered: what the decisions came to, and
//! everything an exchange needs, owned, so that it can outlive its caller.

use super::Plane;
use super::buffered::Share;
use super::drain::Present;
use super::funds::Funds;
use super::talk::Talk;
use super::videos::Ordered;
use super::visit::Visit;
use crate::cache::{CacheKey, Thoughts};
use crate::catalogue::Card;
use crate::chat::{self, Adapted, Dialect, Field, Sampling};
use crate::config::{Caller, Clocks, Provider, Snapshot, Target};
use crate::error::Result;
use crate::ledger::Price;
use crate::limit::{Ask, Permit, Standing};
use crate::provider::Door;
use crate::tokens;
use crate::types::Op;
use crate::wire::multipart;
use crate::wire::openai::Request;
use crate::wire::translate::{self, AnswerForm, Asked, AskedBy, CostOf, Plan, Telling, Tells};
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
    /// With what the conversation said before, where the caller only names that.
    pub body: Bytes,
    /// The body as the caller wrote it.
    pub said: Bytes,
    /// Where the answer is kept, if it is.
    pub talk: Option<Talk>,
    pub payload: Payload,
    /// The caller's own headers that vendors may see, and those that rules add.
    pub request_headers: Vec<(HeaderName, HeaderValue)>,
    /// What becomes of fields that a vendor cannot take.
    pub policy: Arc<chat::Policy>,
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
    /// `multipart/form-data`: the model is read and replaced.
    Form {
        content_type: HeaderValue,
        model: Range<usize>,
        /// `n`: how many pictures are asked for.
        choices: u64,
    },
    /// An order of a video.
    Video(Box<Ordered>),
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
            Payload::Form { .. } | Payload::Video(_) | Payload::Pipe => None,
        }
    }

    /// Where a provider takes this request. One that does not take it is not among the targets.
    pub(super) fn door(&self, provider: &Provider) -> Door {
        let nowhere = Door { dialect: self.speaks, path: "", shape: provider.vendor.shape };
        provider.door(self.op, self.speaks).unwrap_or(nowhere)
    }

    /// What the answer has to know of the request.
    pub(super) fn asked<'a>(&'a self, id: &'a str) -> AskedBy<'a> {
        AskedBy { id, body: &self.said }
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
            // Comments keep a stream of events alive; a list has none.
            true if visit.form == AnswerForm::List => Duration::ZERO,
            true => heartbeat,
            false if translate::beats_whole(visit.dialect) => heartbeat * 2,
            false => Duration::ZERO,
        }
    }

    /// The vocabulary of one of its models.
    pub(super) fn family(&self, model: &str) -> tokens::Family {
        let target = self.targets.iter().find(|target| &*target.upstream_model == model);
        target.map_or_else(|| tokens::family(model), Target::family).0
    }

    /// Puts back into a conversation what its caller could not return and this vendor wants.
    fn recall_thoughts(&self, to: Dialect, request: &mut chat::Request) {
        if let Some(origin) = translate::origin(to).filter(|_| translate::forgets_thoughts(self.speaks)) {
            let now = self.plane.clock.mono();
            self.plane.recall.restore(&self.caller.key.tenant, origin, request, now);
        }
    }

    /// Are the thoughts of an answer in this dialect to be kept, because its caller cannot return them?
    pub(super) fn keeps_thoughts(&self, from: Dialect) -> bool {
        translate::origin(from).is_some() && translate::forgets_thoughts(self.speaks)
    }

    /// Remembers whose thoughts these are, which the caller returns and only their vendor can read.
    pub(super) fn note_thoughts(&self, ids: Vec<String>, provider: &Provider) {
        self.plane.recall.note(&self.caller.key.tenant, ids, provider.name.shared());
    }

    /// Keeps the thoughts of an answer. To be called before the caller can ask again.
    pub(super) fn keep_thoughts(&self, thoughts: Thoughts) {
        self.plane.recall.keep(&self.caller.key.tenant, thoughts, self.plane.clock.mono());
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
            Payload::Json(_) if self.op == Op::Chat && self.speaks != door.dialect => {
                let mut request = translate::request_in(self.speaks, &self.body)?;
                request.model = target.upstream_model.to_string();
                self.recall_thoughts(door.dialect, &mut request);
                let mut changes = self.changes();
                bound_output(&mut request.sampling, target, &mut changes)?;
                let calls = translate::calls(self.speaks, door.dialect, &request);
                if calls > 1 {
                    return several(door.dialect, &request, calls, changes);
                }
                let body = translate::request_out(door.dialect, &request, &mut changes)?;
                adapted.extend(changes.header());
                Ok(Rendered::one(vec![body.into()], json, adapted))
            }
            Payload::Json(_) | Payload::Form { .. } if target.provider.vendor.has_own_words(self.op) => {
                let mut changes = self.changes();
                let asked = self.ask(target, &mut changes)?;
                let mut calls = asked.calls.into_iter().map(Bytes::from);
                let body = calls.next().into_iter().collect();
                adapted.extend(changes.header());
                let rendered = Rendered::one(body, json, adapted);
                Ok(Rendered { more: calls.collect(), plan: Some(asked.plan), ..rendered })
            }
            Payload::Json(request)
                if self.op == Op::Chat
                    && let Some(body) = self.as_sent(request) =>
            {
                Ok(Rendered::one(body, json, adapted))
            }
            Payload::Json(request) => {
                let model = &*target.upstream_model;
                let (tenant, reader) = (&self.caller.key.tenant, target.provider.name.as_str());
                let gave = |id: &str| self.plane.recall.may_read(tenant, id, reader);
                let body = match translate::for_vendor(door.dialect, &self.body, model, &gave) {
                    None => request.render(&self.body, model, &door.shape, &mut adapted),
                    Some(changed) => {
                        adapted.extend(changed.adapted);
                        let body = Bytes::from(changed.body);
                        let request = Request::read_in(door.dialect, self.op, &body)?;
                        request.render(&body, model, &door.shape, &mut adapted)
                    }
                };
                let dropped = |name: &&String| door.shape.drop.iter().any(|(known, _)| known == name);
                adapted.iter().filter(dropped).try_for_each(|name| self.policy.lets_go(name))?;
                Ok(Rendered::one(body, json, adapted))
            }
            Payload::Form { content_type, model, .. } => {
                let mut patch = crate::wire::json::Patch::new();
                patch.replace(model.clone(), target.upstream_model.as_bytes());
                Ok(Rendered::one(patch.pieces(&self.body), content_type.clone(), adapted))
            }
            Payload::Video(ordered) => ordered.render(target, &self.body, self.changes()),
            Payload::Pipe => Ok(Rendered::one(Vec::new(), json, adapted)),
        }
    }

    /// A record of what is adapted for one target.
    fn changes(&self) -> Adapted {
        Adapted::new((*self.policy).clone())
    }

    /// The body without what was put into it when it came, if anything was.
    fn as_sent(&self, request: &Request) -> Option<Vec<Bytes>> {
        let end_of_ours = request.members.get(1).map_or(0, |member| member.value.end);
        translate::as_sent(self.speaks, &self.body, end_of_ours)
    }

    /// The calls that an operation other than chat takes of a vendor that has its own words for it.
    fn ask(&self, target: &Target, changes: &mut Adapted) -> Result<Asked> {
        let (vendor, model) = (target.provider.vendor, &target.upstream_model);
        if self.op == Op::Embedding {
            return translate::embed_out(vendor.embeds, &self.body, model, changes);
        }
        let form = match &self.payload {
            Payload::Form { content_type, .. } => content_type.to_str().ok(),
            Payload::Json(_) | Payload::Video(_) | Payload::Pipe => None,
        };
        translate::draw_out(vendor.draws, self.op, (&self.body, form), model, changes)
    }
}

/// A chat that takes a call for each of its answers.
fn several(to: Dialect, request: &chat::Request, calls: u32, mut changes: Adapted) -> Result<Rendered> {
    let mut bodies = Vec::new();
    for number in 0..calls {
        let one = translate::call(request, number);
        let body = Bytes::from(translate::request_out(to, &one, &mut changes)?);
        bodies.push(body.clone());
        if one.sampling.seed.is_none() {
            // They are all the same, and a long conversation is in memory once.
            bodies.resize(calls as usize, body);
            break;
        }
    }
    let mut adapted = vec![format!("{}: {calls} calls", Field::Choices.name())];
    adapted.extend(changes.header());
    let more = bodies.split_off(1);
    let json = HeaderValue::from_static("application/json");
    Ok(Rendered { more, plan: Some(Plan::Choices(to)), ..Rendered::one(bodies, json, adapted) })
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
    /// In pieces.
    pub body: Vec<Bytes>,
    /// The bodies of further calls, where the vendor does less in one than the caller asked for.
    pub more: Vec<Bytes>,
    pub content_type: HeaderValue,
    /// Fields that were adapted or dropped.
    pub adapted: Vec<String>,
    /// How answers of an operation other than chat are read, if they are translated.
    pub plan: Option<Plan>,
}

impl Rendered {
    pub(super) fn one(body: Vec<Bytes>, content_type: HeaderValue, adapted: Vec<String>) -> Self {
        Self { body, more: Vec::new(), content_type, adapted, plan: None }
    }
}

/// What is read of a form.
pub(super) fn form(body: &Bytes, content_type: &HeaderValue) -> Option<(Payload, String)> {
    let boundary = multipart::boundary(content_type.to_str().ok()?)?;
    let model = multipart::field(body, &boundary, "model")?;
    let name = std::str::from_utf8(body.get(model.clone())?).ok()?.to_owned();
    let choices = multipart::field(body, &boundary, "n").and_then(|n| body.get(n));
    let choices = choices.and_then(|n| std::str::from_utf8(n).ok()?.trim().parse().ok()).unwrap_or(1);
    Some((Payload::Form { content_type: content_type.clone(), model, choices }, name))
}
