//! The plan, carried out: one attempt after the other until a vendor answers,
//! the plan is used up, or the caller has left. Nothing is tried again once
//! the caller has seen content.

use super::choices;
use super::decide::draw;
use super::guard::{Guard, Waited};
use super::job::{Job, Payload, Rendered};
use super::outgoing::Prepared;
use super::relay::{self, Stage};
use super::several::{self, Calls};
use super::sink::Sink;
use super::tried;
use super::upstream::{Broken, Head, Outgoing, Reading, Taken};
use super::visit::Visit;
use crate::config::{Credential, Provider, Target};
use crate::error::{Failure, Kind, Passed};
use crate::ledger::Outcome;
use crate::provider::{HealthEffect, Verdict, judge};
use crate::route::{Attempt, Candidate, Fault, back_off};
use crate::types::{Mono, Usage, UsageSource};
use crate::wire::translate::Plan;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Of a refusal, this much is read to learn the reason.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;
const REFUSAL_TIME: Duration = Duration::from_secs(2);

/// How a request ended, as far as vendors and caller are concerned.
pub(super) struct End {
    pub outcome: Outcome,
    pub failure: Option<Failure>,
    pub usage: Usage,
    pub source: UsageSource,
}

impl End {
    /// No vendor gave anything.
    pub(super) fn failed(failure: Failure) -> Self {
        let outcome =
            if failure.kind == Kind::CallerGone { Outcome::ClientGone } else { Outcome::UpstreamError };
        Self { outcome, failure: Some(failure), usage: Usage::default(), source: UsageSource::None }
    }
}

/// An attempt that came to nothing the caller has seen.
pub(super) struct Missed {
    pub failure: Failure,
    pub health: HealthEffect,
    /// The caller left; there is nobody to try again for.
    pub gone: bool,
    /// The vendor had the whole request when the caller left.
    pub sent: bool,
}

impl Missed {
    pub(super) fn new(kind: Kind, text: &'static str, detail: impl std::fmt::Display) -> Self {
        let failure = Failure::new(kind, text).detail(detail);
        Self { failure, health: HealthEffect::Failed, gone: false, sent: false }
    }

    /// The request cannot be put to this target; the vendor has done nothing.
    pub(super) fn by_request(failure: Failure) -> Self {
        Self { failure, health: HealthEffect::None, gone: false, sent: false }
    }

    /// What the vendor's own words mean.
    pub(super) fn judged(verdict: Verdict) -> Self {
        let Verdict { mut failure, health, status, error_type, code } = verdict;
        failure.passed = Passed { status, error_type, code };
        Self { failure, health, gone: false, sent: false }
    }

    pub(super) fn gone(sent: bool) -> Self {
        let failure = Failure::new(Kind::CallerGone, "The client closed the connection");
        Self { failure, health: HealthEffect::None, gone: true, sent }
    }
}

/// Where the plan stands.
struct Progress {
    began: Mono,
    attempts: u32,
    last: Option<Failure>,
    /// The earliest time at which a credential that is cooling down will be ready.
    ready_at: Option<Mono>,
}

/// Tries until something is with the caller or nothing is left to try.
pub(super) async fn exchange<S: Sink>(job: &Job, visit: &mut Visit, sink: &mut S) -> End {
    let mut guard = Guard::new(job.clocks.total, job.heartbeat(visit));
    let began = job.plane.clock.mono();
    let mut progress = Progress { began, attempts: 0, last: None, ready_at: None };
    loop {
        for (index, target) in job.targets.iter().enumerate() {
            if index > 0 {
                visit.fallbacks += u32::from(progress.attempts > 0);
            }
            if let Some(end) = on_target(job, visit, sink, &mut guard, target, &mut progress).await {
                return end;
            }
            if !may_go_on(job, &progress) {
                break;
            }
        }
        match Box::pin(wait_for_capacity(job, sink, &mut guard, &mut progress)).await {
            Some(end) => return end,
            None => continue,
        }
    }
}

/// Everything was cooling down: waits for the first that comes back, when that is soon enough.
async fn wait_for_capacity<S: Sink>(
    job: &Job,
    sink: &mut S,
    guard: &mut Guard,
    progress: &mut Progress,
) -> Option<End> {
    let now = job.plane.clock.mono();
    let wait = progress.ready_at.take().map(|at| at.since(now));
    if let (0, Some(wait)) = (progress.attempts, wait)
        && now.since(progress.began) + wait < job.snapshot.bounds.retry.budget
    {
        return match guard.pause(sink, wait + Duration::from_millis(1)).await {
            Ok(()) => None,
            Err(_) => Some(End::failed(Missed::gone(false).failure)),
        };
    }
    let failure = progress.last.take().unwrap_or_else(|| {
        let text = "No credential is available for this model right now; try again later";
        Failure::new(Kind::NoCapacity, text).retry_after(wait)
    });
    Some(End::failed(failure))
}

fn may_go_on(job: &Job, progress: &Progress) -> bool {
    let retry = &job.snapshot.bounds.retry;
    let next = progress.last.as_ref().is_none_or(|f| f.kind.row().next_target);
    next && progress.attempts < retry.max_attempts.max(1)
        && job.plane.clock.mono().since(progress.began) < retry.budget
}

/// One target, with its credentials. `None`: go on with the next target.
async fn on_target<S: Sink>(
    job: &Job,
    visit: &mut Visit,
    sink: &mut S,
    guard: &mut Guard,
    target: &Target,
    progress: &mut Progress,
) -> Option<End> {
    let provider = &*target.provider;
    let retry = &job.snapshot.bounds.retry;
    let mut excluded = usable_for(provider, &target.upstream_model);
    if let Payload::Video(ordered) = &job.payload {
        ordered.exclude(provider, &mut excluded);
    }
    for turn in 0..retry.per_target.max(1) {
        if turn > 0 {
            let pause = back_off(retry.base_back_off, retry.max_back_off, turn, draw());
            if Box::pin(guard.pause(sink, pause)).await.is_err() {
                return Some(End::failed(Missed::gone(false).failure));
            }
        }
        let (credential, attempt) = match choose(job, provider, &excluded) {
            Ok(chosen) => chosen,
            Err(ready_at) => {
                progress.ready_at = earlier(progress.ready_at, ready_at);
                return None;
            }
        };
        if turn > 0 {
            visit.retries += 1;
        }
        progress.attempts += 1;
        visit.attempts = progress.attempts;
        visit.provider = Arc::clone(provider.name.shared());
        visit.upstream_model = Arc::clone(&target.upstream_model);
        visit.vendor_dialect = job.door(provider).dialect;
        visit.credential = provider
            .credentials
            .get(credential)
            .map_or_else(|| visit.credential.clone(), |c| Arc::clone(c.id.shared()));
        let missed = match attempt_once(job, visit, sink, guard, target, credential, attempt).await {
            Ok(end) => return Some(end),
            Err(missed) => missed,
        };
        if missed.gone {
            return Some(left(job, visit, missed));
        }
        let again = missed.failure.kind.row().next_target;
        if matches!(missed.health, HealthEffect::Rejected | HealthEffect::RateLimited(_))
            && let Some(out) = excluded.get_mut(credential)
        {
            *out = true;
        }
        progress.last = Some(missed.failure);
        if !again || !may_go_on(job, progress) {
            return Some(End::failed(progress.last.take()?));
        }
    }
    None
}

/// The caller left before any content came. A vendor that had the request may charge for its input.
fn left(job: &Job, visit: &Visit, missed: Missed) -> End {
    let mut end = End::failed(missed.failure);
    if missed.sent {
        end.usage = relay::estimate(job, visit, "", 0);
        end.source = UsageSource::Estimated;
    }
    end
}

fn earlier(a: Option<Mono>, b: Option<Mono>) -> Option<Mono> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// `true` where a credential is not for this model.
fn usable_for(provider: &Provider, model: &str) -> Vec<bool> {
    let for_it = |c: &Credential| c.models.is_empty() || c.models.iter().any(|m| m == model);
    provider.credentials.iter().map(|c| !for_it(c)).collect()
}

fn choose(job: &Job, provider: &Provider, excluded: &[bool]) -> Result<(usize, Attempt), Option<Mono>> {
    let candidates: Vec<Candidate<'_>> =
        provider.credentials.iter().map(|c| Candidate { weight: c.weight, health: &c.health }).collect();
    let affinity = job.conversation.filter(|_| provider.affinity);
    provider.picker.pick(&candidates, excluded, provider.strategy, affinity, draw(), job.plane.clock.mono())
}

/// What a vendor let be heard of it.
#[derive(Clone, Copy, Default)]
struct Heard {
    /// Of its answer's header; 0 while there is none.
    status: u16,
    /// When an answer that was accepted began.
    first_byte: Option<Mono>,
}

/// One attempt and what it means for the credential.
async fn attempt_once<S: Sink>(
    job: &Job,
    visit: &mut Visit,
    sink: &mut S,
    guard: &mut Guard,
    target: &Target,
    credential: usize,
    mut attempt: Attempt,
) -> Result<End, Missed> {
    let plane = &job.plane;
    let began = plane.clock.mono();
    let mut heard = Heard::default();
    let result = if target.provider.vendor.simulated {
        Box::pin(super::simulator::answer(job, visit, sink, guard, &target.provider)).await
    } else {
        Box::pin(call(job, visit, sink, guard, target, credential, &mut attempt, &mut heard)).await
    };
    let now = plane.clock.mono();
    let (fault, label) = match &result {
        Ok(end) => match (&end.failure, end.outcome) {
            (Some(failure), Outcome::Truncated) => (Some(Fault::Failed), failure.kind.name()),
            _ => (None, "ok"),
        },
        Err(missed) => (fault(missed.health), missed.failure.kind.name()),
    };
    match (fault, &result) {
        (Some(fault), _) => attempt.fail(fault, now),
        // A caller that left says nothing about the vendor.
        (None, Err(missed)) if missed.gone => drop(attempt),
        (None, _) => attempt.succeed(now),
    }
    let first = heard.first_byte.map(|at| at.since(began));
    tried::note(visit, target, &result, heard.status, (began, first.unwrap_or_else(|| now.since(began))));
    plane.metrics.attempt(target.provider.name.as_str(), &target.upstream_model, label, first);
    result
}

fn fault(health: HealthEffect) -> Option<Fault> {
    match health {
        HealthEffect::None => None,
        HealthEffect::RateLimited(wait) => Some(Fault::RateLimited(wait)),
        HealthEffect::Rejected => Some(Fault::Rejected),
        HealthEffect::Failed => Some(Fault::Failed),
    }
}

/// Sends the request, on a fresh connection when a pooled one turns out to be dead.
#[expect(
    clippy::too_many_arguments,
    reason = "the working set of one attempt; a struct would only rename it"
)]
async fn call<S: Sink>(
    job: &Job,
    visit: &mut Visit,
    sink: &mut S,
    guard: &mut Guard,
    target: &Target,
    credential: usize,
    attempt: &mut Attempt,
    heard: &mut Heard,
) -> Result<End, Missed> {
    let provider = &*target.provider;
    let rendered = job.render(target).map_err(Missed::by_request)?;
    let Rendered { body, more, content_type, adapted, plan } = rendered;
    if let (Some(plan), false) = (&plan, more.is_empty()) {
        let stage = Stage { job, visit, sink, guard, provider, adapted, plan: None };
        let calls = Calls { target, credential, content_type, bodies: (body, more) };
        let end = match plan {
            Plan::Choices(from) if stage.visit.stream => Box::pin(choices::call(stage, calls, *from)).await,
            plan => Box::pin(several::call(stage, calls, plan)).await,
        };
        attempt.accepted();
        return end;
    }
    let prepared = Prepared::new(job, visit, target, credential, content_type, &body);
    let prepared = prepared.map_err(Missed::by_request)?;
    let outgoing = prepared.outgoing(provider, &body);
    let mut fresh = false;
    let (taken, head) = loop {
        match open(job, visit, sink, guard, provider, &outgoing, fresh).await? {
            Ok(answered) => break answered,
            Err(Broken::Io { stale: true, .. }) if !fresh => fresh = true,
            Err(broken) => return Err(missed_by(broken)),
        }
    };
    let now = job.plane.clock.mono();
    heard.status = head.status;
    if head.status < 300 {
        attempt.first_byte(now);
        // A probe has told what it was sent for; it need not hold others up until its stream ends.
        attempt.accepted();
        heard.first_byte = Some(now);
    }
    if head.status != 200 {
        if let Some(keys) = provider.credentials.get(credential).and_then(|c| c.aws.as_ref()) {
            keys.note_clock(&head.headers, job.plane.clock.wall());
        }
        return Box::pin(refusal(job, visit, sink, guard, provider, taken, head)).await;
    }
    relay::relay(Stage { job, visit, sink, guard, provider, adapted, plan }, taken, head).await
}

/// Connects, sends, and waits for the header. The inner error may be tried again on a fresh connection.
async fn open<S: Sink>(
    job: &Job,
    visit: &mut Visit,
    sink: &mut S,
    guard: &mut Guard,
    provider: &Provider,
    outgoing: &Outgoing<'_>,
    fresh: bool,
) -> Result<Result<(Taken, Head), Broken>, Missed> {
    let clock = &job.plane.clock;
    let began = clock.mono();
    let pooled = if fresh { None } else { job.plane.upstreams.pooled(provider) };
    let mut taken = match pooled {
        Some(taken) => taken,
        None => {
            let by = Instant::now() + provider.clocks.connect;
            match guard.watch(sink, by, job.plane.upstreams.connect(provider)).await {
                Waited::Done(Ok(taken)) => taken,
                Waited::Done(Err(broken)) => return Ok(Err(broken)),
                Waited::Gone => return Err(Missed::gone(false)),
                Waited::Late => return Err(late("connecting to the vendor")),
            }
        }
    };
    let connected = clock.mono();
    visit.phases.connect += connected.since(began);
    let by = Instant::now() + job.clocks.response_header;
    let waited = {
        let step = pin!(taken.conn.send(outgoing));
        guard.watch(sink, by, step).await
    };
    match waited {
        Waited::Done(Ok(())) => {}
        other => return unanswered(taken, other, "sending the request").await,
    }
    let sent = clock.mono();
    let by = Instant::now() + job.clocks.response_header;
    let waited = {
        let step = pin!(taken.conn.read_head());
        guard.watch(sink, by, step).await
    };
    let head = match waited {
        Waited::Done(Ok(head)) => head,
        other => return unanswered(taken, other, "waiting for the response header").await,
    };
    visit.phases.send += sent.since(connected);
    visit.phases.upstream_wait += clock.mono().since(sent);
    Ok(Ok((taken, head)))
}

/// An exchange that ended before its header. Only a pooled connection may have been stale.
async fn unanswered<T>(
    taken: Taken,
    waited: Waited<Result<T, Broken>>,
    doing: &'static str,
) -> Result<Result<(Taken, Head), Broken>, Missed> {
    match waited {
        Waited::Done(Err(Broken::Io { detail, stale })) => {
            Ok(Err(Broken::Io { detail, stale: stale && taken.reused }))
        }
        Waited::Done(Err(broken)) => Ok(Err(broken)),
        Waited::Done(Ok(_)) => Ok(Err(Broken::Malformed("nothing was wrong".into()))),
        Waited::Gone => {
            taken.conn.abort().await;
            Err(Missed::gone(true))
        }
        Waited::Late => {
            taken.conn.abort().await;
            Err(late(doing))
        }
    }
}

fn late(what: &str) -> Missed {
    Missed::new(Kind::VendorTimeout, "The model's vendor did not answer in time", what)
}

pub(super) fn missed_by(broken: Broken) -> Missed {
    match broken {
        Broken::Unreachable(detail) => {
            Missed::new(Kind::VendorUnreachable, "The model's vendor cannot be reached", detail)
        }
        Broken::Io { detail, .. } | Broken::Cut(detail) => {
            Missed::new(Kind::VendorCut, "The model's vendor closed the connection", detail)
        }
        Broken::Malformed(detail) => {
            Missed::new(Kind::VendorMalformed, "The model's vendor sent an unreadable answer", detail)
        }
    }
}

/// An answer that is no success: reads the reason, judges it, keeps the connection where possible.
async fn refusal<S: Sink>(
    job: &Job,
    visit: &mut Visit,
    sink: &mut S,
    guard: &mut Guard,
    provider: &Provider,
    mut taken: Taken,
    head: Head,
) -> Result<End, Missed> {
    if (201..300).contains(&head.status) {
        return relay::relay(
            Stage { job, visit, sink, guard, provider, adapted: Vec::new(), plan: None },
            taken,
            head,
        )
        .await;
    }
    let mut reason = Vec::new();
    let read = async {
        while reason.len() < MAX_REFUSAL_BYTES {
            match taken.conn.read_body().await {
                Ok(Reading::Piece(piece)) => reason.extend_from_slice(&piece),
                Ok(Reading::End) | Err(_) => break,
            }
        }
    };
    let waited = guard.watch(sink, Instant::now() + REFUSAL_TIME, pin!(read)).await;
    if matches!(waited, Waited::Gone) {
        taken.conn.abort().await;
        return Err(Missed::gone(true));
    }
    job.plane.upstreams.release(provider, taken).await;
    let wall = job.plane.clock.wall().seconds();
    match judge(provider.vendor, head.status, &head.headers, &reason, wall) {
        Some(verdict) => Err(Missed::judged(verdict)),
        None => Err(Missed::new(
            Kind::VendorMalformed,
            "The model's vendor sent an unexpected answer",
            format!("status {}", head.status),
        )),
    }
}
