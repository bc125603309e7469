//! From a body to a job: rules, model, targets, price, limits, cache. Every
//! decision is made here, once, before any vendor hears of the request.

use super::Plane;
use super::able::{self, Skipped};
use super::buffered::Share;
use super::drain::Present;
use super::funds;
use super::hold::hold;
use super::job::{Caching, Job, Payload, form};
use super::quotas;
use super::talk;
use super::videos;
use super::visit::Visit;
use crate::cache::{CacheKey, Wish};
use crate::chat::Dialect;
use crate::config::{Caller, Model, Snapshot, Target, Unpriced, Wished};
use crate::error::{Failure, Kind, Result};
use crate::ledger::Price;
use crate::limit::Standing;
use crate::rules::{Decision, Facts};
use crate::types::Op;
use crate::wire::openai::Request;
use crate::wire::translate::{self, AnswerForm, InPath, Received};
use crate::wire::video;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// Tells such a bound.
const BOUNDED: &str = "x-aigne-max-output-tokens";
/// What of the caller's headers vendors may see.
static FORWARDED: [HeaderName; 8] = [
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("http-referer"),
    HeaderName::from_static("x-title"),
    HeaderName::from_static("x-session-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

/// A no, with the standing of the limits that said it.
pub(super) struct Refused {
    pub failure: Failure,
    pub standing: Standing,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, standing: Standing::default() }
    }
}

/// What came in, before anything is decided.
pub(super) struct Arrival<'a> {
    pub plane: &'a Arc<Plane>,
    pub snapshot: Arc<Snapshot>,
    pub caller: Arc<Caller>,
    pub headers: &'a HeaderMap,
    /// The query string; a pipe names its model there.
    pub query: &'a str,
    pub in_path: &'a InPath,
    pub body: Bytes,
    pub share: Share,
    pub present: Present,
}

/// Decides. The visit is filled on the way, also when the answer is no.
pub(super) fn decide(arrival: Arrival<'_>, visit: &mut Visit) -> Result<Box<Job>, Refused> {
    let Arrival { plane, snapshot, caller, headers, query, in_path, body, mut share, present } = arrival;
    let began = plane.clock.mono();
    let said = body.clone();
    let opened = match visit.dialect {
        Dialect::OpenAiResponses => Some(talk::open(plane, &snapshot, &caller, &body, visit.at)?),
        _ => None,
    };
    let body = opened.as_ref().map_or(body, |opened| opened.body.clone());
    if body.len() > said.len() {
        share.grow_to(said.len().saturating_add(body.len()), snapshot.bounds.max_buffered_bytes)?;
    }
    let Received { op, mut body, speaks, content_type, tells } =
        translate::received(visit.dialect, visit.op, in_path, body)?;
    visit.op = op;
    visit.form = in_path.form;
    let form_type = form_type(content_type, headers);
    let mut payload = match op {
        Op::Video => {
            let ordered = videos::read(&snapshot, &caller, visit, in_path, form_type, &body)?;
            Payload::Video(Box::new(ordered))
        }
        _ => read(visit, speaks, form_type, query, &body)?,
    };
    let parsed = plane.clock.mono();
    visit.phases.parse = parsed.since(began);

    let ruled = rule(&snapshot, &caller, headers, visit, &payload, &body)?;
    let assumed = funds::unnamed_maximum(&snapshot, &caller, visit, &payload);
    let most = ruled.max_output_tokens.into_iter().chain(assumed).min();
    if let (Some(most), Payload::Json(request)) = (most, &mut payload) {
        body = bounded(visit, speaks, request, &body, most)?;
    }
    // The books keep the name that the caller wrote, also when a rule sends it elsewhere.
    let wanted: Arc<str> = ruled.model.as_deref().map_or_else(|| Arc::clone(&visit.model), Into::into);
    let model = model(&snapshot, &caller, &wanted)?;
    let native = opened.as_ref().and_then(|opened| opened.native.as_ref());
    let (targets, skipped) = targets(&snapshot, &caller, visit, &model, native, &payload, &body)?;
    let (permit, ask, cap) = hold(&snapshot, plane, &caller, visit, &payload, &body, &targets)?;
    if let (Some(most), Payload::Json(request)) = (cap, &mut payload) {
        body = bounded(visit, speaks, request, &body, most)?;
    }
    let funds = funds::take(&snapshot, plane, &caller, visit, &payload, &body, &targets)?;
    let tag = opened.as_ref().map_or("", |opened| opened.tag.as_str());
    // After the hold, because a body that the budget bounded is another request.
    let caching = caching(&snapshot, &caller, &model, headers, visit, &payload, (&body, tag), &ruled)?;
    if let Some(target) = targets.first() {
        visit.provider = Arc::clone(target.provider.name.shared());
        visit.upstream_model = Arc::clone(&target.upstream_model);
    }
    let policy = snapshot.translation.policy(&wanted, wished(headers))?;
    let clocks = model.clocks.or_else(|| targets.first().map(|t| t.provider.clocks));
    let conversation = payload_request(&payload).map(|r| r.conversation).filter(|c| *c != 0);
    let warning = quotas::warning(&permit);
    let job = Job {
        op: visit.op,
        speaks,
        tells,
        clocks: clocks.unwrap_or(snapshot.bounds.clocks),
        plane: Arc::clone(plane),
        request_headers: forwarded(headers, &ruled.request_headers),
        answer_headers: answer_headers(&ruled, &skipped, cap).into_iter().chain(warning).collect(),
        policy,
        standing: permit.standing(),
        permit: Mutex::new(Some(permit)),
        held: ask,
        pays: funds.is_some(),
        funds: Mutex::new(funds),
        snapshot,
        caller,
        body,
        said,
        talk: opened.and_then(|opened| opened.talk),
        payload,
        targets,
        caching,
        conversation,
        _share: share,
        _present: present,
    };
    visit.phases.decide = plane.clock.mono().since(parsed);
    Ok(Box::new(job))
}

/// What the caller wants done with fields that a vendor cannot take.
fn wished(headers: &HeaderMap) -> Wished<'_> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Wished { adapt: text("x-aigne-adapt"), refuse: text("x-aigne-refuse") }
}

/// The body with its output bounded.
fn bounded(visit: &Visit, speaks: Dialect, request: &mut Request, body: &Bytes, most: u64) -> Result<Bytes> {
    // Anthropic's dialect knows the older name only, as the older endpoint does.
    let named_as = if speaks == Dialect::Anthropic { Op::Completion } else { visit.op };
    let body = request.cap_output(named_as, body, most);
    // Spans have moved.
    *request = Request::read_in(speaks, visit.op, &body)?;
    Ok(body)
}

/// Headers of rules, the targets that cannot do it, and the bound that the budget set.
fn answer_headers(ruled: &Decision, skipped: &[Skipped], cap: Option<u64>) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = named(&ruled.response_headers);
    let text = (!skipped.is_empty()).then(|| HeaderValue::try_from(able::shown(skipped)).ok()).flatten();
    headers.extend(text.map(|text| (HeaderName::from_static(able::SKIPPED), text)));
    headers.extend(cap.map(|most| (HeaderName::from_static(BOUNDED), most.into())));
    headers
}

pub(super) fn payload_request(payload: &Payload) -> Option<&Request> {
    match payload {
        Payload::Json(request) => Some(request),
        Payload::Form { .. } | Payload::Video(_) | Payload::Pipe => None,
    }
}

/// The content type of a form: as it came, or as it is since its arrival.
fn form_type(changed: Option<String>, headers: &HeaderMap) -> Option<HeaderValue> {
    let is_form = |v: &&HeaderValue| v.as_bytes().starts_with(b"multipart/form-data");
    match changed {
        Some(text) => HeaderValue::try_from(text).ok(),
        None => headers.get(header::CONTENT_TYPE).filter(is_form).cloned(),
    }
}

fn read(
    visit: &mut Visit,
    speaks: Dialect,
    form_type: Option<HeaderValue>,
    query: &str,
    body: &Bytes,
) -> Result<Payload> {
    if visit.op == Op::Realtime {
        let missing = || Failure::new(Kind::InvalidRequest, "The query has no 'model'").param("model");
        let model = query.split('&').find_map(|pair| pair.strip_prefix("model=")).ok_or_else(missing)?;
        visit.model = percent_encoding::percent_decode_str(model).decode_utf8_lossy().into();
        return Ok(Payload::Pipe);
    }
    if let Some(content_type) = form_type {
        let missing = || Failure::new(Kind::InvalidRequest, "The form has no 'model' field").param("model");
        let (payload, model) = form(body, &content_type).ok_or_else(missing)?;
        visit.model = model.into();
        return Ok(payload);
    }
    if matches!(visit.op, Op::ImageEdit | Op::Transcription) && body.first() != Some(&b'{') {
        return Err(Failure::new(Kind::InvalidRequest, "This endpoint takes multipart/form-data"));
    }
    let request = Request::read_in(speaks, visit.op, body)?;
    visit.model = request.model.as_str().into();
    visit.stream = request.stream;
    visit.end_user = request.user.as_deref().map(Into::into);
    Ok(Payload::Json(Box::new(request)))
}

fn rule(
    snapshot: &Snapshot,
    caller: &Caller,
    headers: &HeaderMap,
    visit: &mut Visit,
    payload: &Payload,
    body: &Bytes,
) -> Result<Decision> {
    if snapshot.rules.is_empty() {
        return Ok(Decision::default());
    }
    let secret = [
        header::AUTHORIZATION,
        header::COOKIE,
        HeaderName::from_static("x-api-key"),
        HeaderName::from_static("x-goog-api-key"),
    ];
    let shown: Vec<(&str, &str)> = headers
        .iter()
        .filter(|(name, _)| !secret.contains(name))
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let request = payload_request(payload);
    let address = visit.address.map(|a| a.to_string()).unwrap_or_default();
    let time = calendar(visit.at.seconds());
    let facts = Facts {
        op: visit.op.name(),
        model: &visit.model,
        stream: visit.stream,
        input_bound: request.map_or(0, |r| r.input_bound),
        max_output_tokens: request.and_then(|r| r.max_output_tokens),
        has_tools: request.is_some_and(|r| r.has_tools),
        has_media: request.is_none_or(|r| r.has_media),
        body_bytes: body.len() as u64,
        user: visit.end_user.as_deref().unwrap_or(""),
        key: caller.key.id.as_str(),
        key_name: &caller.key.name,
        tenant: caller.key.tenant.as_str(),
        address: &address,
        headers: &shown,
        hour_utc: time.0,
        weekday_utc: time.1,
    };
    let mut decision = snapshot.rules.decide(&facts);
    visit.tags = std::mem::take(&mut decision.tags);
    match decision.deny.take() {
        Some((text, rule)) => Err(Failure::new(Kind::RuleDenied, text).detail(format!("rule {rule}"))),
        None => Ok(decision),
    }
}

/// Hour (0–23) and day of the week (Monday = 1 … Sunday = 7), UTC.
fn calendar(seconds: i64) -> (u8, u8) {
    let (days, hours) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) / 3_600);
    // 1970-01-01 was a Thursday.
    let weekday = (days + 3).rem_euclid(7) + 1;
    (u8::try_from(hours).unwrap_or(0), u8::try_from(weekday).unwrap_or(1))
}

/// Unknown and forbidden models get one answer, so that names cannot be probed.
pub(super) fn model(snapshot: &Snapshot, caller: &Caller, name: &str) -> Result<Arc<Model>> {
    let known = if caller.key.models.allows(name) { snapshot.model(name) } else { None };
    known.ok_or_else(|| {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(120).collect();
        let text = format!("The model `{shown}` does not exist or you do not have access to it.");
        Failure::new(Kind::UnknownModel, text).param("model")
    })
}

/// The plan: targets in weighted order, then the fallbacks; only those that can do it. With
/// those that were passed over because they cannot.
/// `native` is what needs a vendor that speaks the caller's own dialect.
fn targets(
    snapshot: &Snapshot,
    caller: &Caller,
    visit: &Visit,
    model: &Model,
    native: Option<&(&'static str, String)>,
    payload: &Payload,
    body: &Bytes,
) -> Result<(Vec<Target>, Vec<Skipped>)> {
    let serves = |t: &&Target| t.provider.vendor.path(visit.op).is_some();
    let priced = |t: &&Target| {
        (snapshot.unpriced == Unpriced::Flag || price(snapshot, t, visit).is_some())
            && funds::can_be_charged(snapshot, caller, t, visit)
    };
    let mut plan: Vec<Target> = Vec::with_capacity(model.targets.len() + model.fallback.len());
    if let [only] = model.targets.as_slice() {
        plan.push(only.clone());
    } else {
        let weights: Vec<u32> = model.targets.iter().map(|t| t.weight).collect();
        let order = crate::route::order(&weights, draw());
        plan.extend(order.into_iter().filter_map(|i| model.targets.get(i).cloned()));
    }
    plan.extend(model.fallback.iter().cloned());
    if !plan.iter().any(|t| serves(&t)) {
        return Err(not_served(visit, &plan));
    }
    plan.retain(|t| serves(&t));
    if let Some((field, what)) = native {
        let same =
            |t: &Target| t.provider.door(visit.op, visit.dialect).is_some_and(|d| d.dialect == visit.dialect);
        plan.retain(same);
        if plan.is_empty() {
            let text = format!("The model `{}` does not offer {what}", visit.model);
            return Err(Failure::new(Kind::InvalidRequest, text).param(*field));
        }
    }
    if let Payload::Video(ordered) = payload {
        ordered.keep_able(&mut plan)?;
    }
    let asked = (visit.op, &*visit.model);
    let skipped = able::keep_able(snapshot.capabilities, asked, payload, body, &mut plan)?;
    plan.retain(|t| priced(&t));
    if plan.is_empty() {
        let text = format!(
            "The model `{}` has no price for {}, and this gateway refuses what it cannot price",
            visit.model,
            visit.op.title()
        );
        return Err(Failure::new(Kind::Unpriced, text).param("model"));
    }
    Ok((plan, skipped))
}

/// Nobody who serves the model has such an endpoint: says who, so that the caller knows why.
fn not_served(visit: &Visit, plan: &[Target]) -> Failure {
    let mut titles: Vec<&str> = Vec::new();
    for title in plan.iter().map(|target| target.provider.vendor.title) {
        if !titles.contains(&title) {
            titles.push(title);
        }
    }
    let (model, what) = (&visit.model, visit.op.title());
    let text =
        format!("The model `{model}` is served by {}, which does not offer {what}", titles.join(" and "));
    Failure::new(Kind::InvalidRequest, text).param("model")
}

/// The price row of a target at the time of the request, if it says what such a request costs.
pub(super) fn price(snapshot: &Snapshot, target: &Target, visit: &Visit) -> Option<Arc<Price>> {
    let provider = &target.provider;
    let row = |model: &str| {
        let found = snapshot.prices.find(provider.name.as_str(), provider.vendor.name, model, visit.at);
        found.filter(|price| price.covers(visit.op)).cloned()
    };
    // A row of a resolution's own names it; one that only begins alike is the model's.
    let sized = |side: u32| {
        let found = row(&format!("{}@{side}p", target.upstream_model));
        found.filter(|price| price.model.contains('@'))
    };
    let of_resolution = visit.resolution.and_then(|side| sized(side).or_else(|| sized(video::class(side))));
    of_resolution.or_else(|| row(&target.upstream_model))
}

#[expect(clippy::too_many_arguments, reason = "one decision that weighs everything known of the request")]
fn caching(
    snapshot: &Snapshot,
    caller: &Caller,
    model: &Model,
    headers: &HeaderMap,
    visit: &Visit,
    payload: &Payload,
    (body, tag): (&Bytes, &str),
    ruled: &Decision,
) -> Result<Option<Caching>> {
    let settings = &snapshot.cache;
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let wish = match settings.by_request {
        true => Wish::read(text("cache-control"), text("x-cache-ttl")),
        false => Wish::default(),
    };
    let by_rule = ruled.cache_ttl_seconds.map(Duration::from_secs);
    let set = caller.cache.or(model.cache);
    let ttl = by_rule
        .or(wish.ttl)
        .or_else(|| set.map(|p| if p.enabled { p.ttl } else { Duration::ZERO }))
        .unwrap_or(if settings.default.enabled { settings.default.ttl } else { Duration::ZERO })
        .min(settings.max_ttl);
    let explicit = by_rule.is_some() || wish.ttl.is_some() || set.is_some();
    let key = match payload {
        // What is kept is replayed as it was sent, and a list is no stream of events.
        Payload::Json(_) if !ttl.is_zero() && visit.form == AnswerForm::Usual => {
            {
                // One body may mean two things in two dialects.
                let Wished { adapt, refuse } = wished(headers);
                let strict = format!("{}:{}", adapt.unwrap_or_default(), refuse.unwrap_or_default());
                let name = format!("{}:{tag}:{}:{strict}", translate::name(visit.dialect), model.name);
                CacheKey::if_cacheable(&caller.key.tenant, visit.op, &name, body, explicit)
            }
        }
        _ => None,
    };
    let caching = key.map(|key| Caching {
        key,
        ttl,
        read: !wish.no_read,
        write: !wish.no_write,
        only_if_cached: wish.only_if_cached,
    });
    if caching.is_none() && wish.only_if_cached {
        return Err(Failure::new(Kind::NotCached, "This request is not one that answers are kept for"));
    }
    Ok(caching)
}

fn forwarded(headers: &HeaderMap, added: &[(String, String)]) -> Vec<(HeaderName, HeaderValue)> {
    let mut out = named(added);
    for name in &FORWARDED {
        if let Some(value) = headers.get(name) {
            out.push((name.clone(), value.clone()));
        }
    }
    out
}

fn named(pairs: &[(String, String)]) -> Vec<(HeaderName, HeaderValue)> {
    let parse = |(name, value): &(String, String)| {
        Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::try_from(value.as_str()).ok()?))
    };
    pairs.iter().filter_map(parse).collect()
}

/// A random number for the choices of one request.
pub(super) fn draw() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    thread_local! {
        static STATE: std::cell::Cell<u64> =
            std::cell::Cell::new(std::hash::RandomState::new().build_hasher().finish() | 1);
    }
    // xorshift64*: good enough to spread load, and nothing secret depends on it.
    STATE.with(|state| {
        let mut x = state.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        state.set(x);
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_knows_its_days() {
        assert_eq!(calendar(0), (0, 4));
        // 2026-11-20T13:05:00Z, a Friday.
        assert_eq!(calendar(1_795_179_900), (13, 5));
    }
}
