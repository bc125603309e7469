//! One request that takes several calls of its vendor: texts that are embedded
//! one by one, pictures that are drawn one by one. A few calls run at a time;
//! their answers become one. What was answered is booked, whatever becomes of the rest.

use super::answer::AnswerHead;
use super::decide::draw;
use super::exchange::{End, Missed, missed_by};
use super::guard::Waited;
use super::job::Job;
use super::outgoing::Prepared;
use super::relay::{MAX_WHOLE_BYTES, Stage, estimate, send_whole, unfit};
use super::sink::Sink;
use super::translated::{counted, joined};
use super::upstream::{Broken, Head, Outgoing, Reading, Taken};
use super::visit::Visit;
use crate::config::{Provider, Target};
use crate::error::{Failure, Kind};
use crate::provider::{HealthEffect, judge};
use crate::route::back_off;
use crate::types::{Usage, UsageSource};
use crate::wire::translate::Plan;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http::HeaderValue;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Calls that run at the same time; vendors count them against the credential.
pub(super) const AT_ONCE: usize = 4;

/// One call on its way.
type Call<'a> = Pin<Box<dyn Future<Output = Result<(Head, Bytes), Missed>> + Send + 'a>>;

/// The calls that were answered, in order. Where part of an answer is none, those behind a failed one are let go.
#[derive(Default)]
struct Answered {
    head: Option<Head>,
    bodies: Vec<Bytes>,
    /// Tokens of the input that the headers of all of them tell.
    counted: Option<u64>,
    failed: Option<Missed>,
}

/// What the calls have in common, and their bodies: the first one, in pieces, and the others.
pub(super) struct Calls<'a> {
    pub target: &'a Target,
    pub credential: usize,
    pub content_type: HeaderValue,
    pub bodies: (Vec<Bytes>, Vec<Bytes>),
}

/// Makes all calls. `Err` only while the
/// caller has seen nothing and no vendor has answered anything.
pub(super) async fn call<S: Sink>(stage: Stage<'_, S>, calls: Calls<'_>, plan: &Plan) -> Result<End, Missed> {
    let Stage { job, visit, sink, guard, provider, mut adapted, .. } = stage;
    let began = job.plane.clock.mono();
    let (first, more) = &calls.bodies;
    let paid = AtomicBool::new(false);
    let mut answered = Answered::default();
    let waited = {
        let visit: &Visit = visit;
        let mut steps: Vec<Call<'_>> = Vec::with_capacity(more.len() + 1);
        steps.push(Box::pin(patient(job, visit, &calls, first, &paid)));
        for body in more {
            steps.push(Box::pin(patient(job, visit, &calls, std::slice::from_ref(body), &paid)));
        }
        let deadline = guard.total;
        guard.watch(sink, deadline, pin!(collect(steps, plan.takes_part(), &mut answered))).await
    };
    visit.phases.upstream_wait += job.plane.clock.mono().since(began);
    match waited {
        Waited::Done(()) => {}
        Waited::Gone => answered.failed = Some(Missed::gone(true)),
        Waited::Late => {
            let text = "The model's vendor did not answer in time";
            answered.failed = Some(Missed::new(Kind::VendorTimeout, text, "the request's time is over"));
        }
    }
    let asked = more.len() + 1;
    let mut stage = Stage { job, visit, sink, guard, provider, adapted: Vec::new(), plan: None };
    let Some(head) = answered.head else {
        return Err(answered.failed.unwrap_or_else(|| Missed::gone(true)));
    };
    let gone = answered.failed.as_ref().is_some_and(|missed| missed.gone);
    let served = !gone && (answered.failed.is_none() || plan.takes_part());
    let count = answered.bodies.len() as u64;
    let read = if served {
        joined(&stage, plan, &answered.bodies, answered.counted)
    } else {
        Err(Missed::gone(true))
    };
    let answer = match read {
        Ok(answer) => answer,
        Err(missed) => {
            let used = plan.used(&answered.bodies, provider.vendor.counting);
            let failed = answered.failed.unwrap_or(missed);
            return Ok(unserved(&stage, failed, used, count));
        }
    };
    if answered.bodies.len() < asked {
        adapted.push(format!("n: {count} of {asked} calls were answered"));
    }
    stage.adapted = adapted;
    let mut head = AnswerHead::relayed(stage.job, stage.visit, &head, &stage.adapted);
    if answer.events {
        head = head.into_events();
    }
    let used = (Usage { requests: count, ..answer.used.0 }, answer.used.1);
    Ok(match answer.body {
        Ok(body) => Box::pin(send_whole(&mut stage, head, body, used)).await,
        Err(failure) => Box::pin(unfit(stage.job, stage.visit, stage.sink, failure, used)).await,
    })
}

async fn collect(calls: Vec<Call<'_>>, takes_part: bool, answered: &mut Answered) {
    let mut all = stream::iter(calls).buffered(AT_ONCE);
    while let Some(result) = all.next().await {
        match result {
            Ok((head, body)) => {
                let before = if answered.bodies.is_empty() { Some(0) } else { answered.counted };
                answered.counted = before.zip(counted(&head)).map(|(sum, more)| sum.saturating_add(more));
                answered.head.get_or_insert(head);
                answered.bodies.push(body);
            }
            Err(missed) => {
                answered.failed.get_or_insert(missed);
                if !takes_part {
                    return;
                }
            }
        }
    }
}

/// What becomes of answers that held nothing for the caller: where the vendor says what they used
/// and no other vendor would do better, the request ends and that is booked.
pub(super) fn spent<S>(stage: &Stage<'_, S>, answers: &[Bytes], missed: Missed) -> Result<End, Missed> {
    let plan = stage.plan.as_ref().filter(|_| !missed.failure.kind.row().next_target);
    let used = plan.and_then(|plan| plan.used(answers, stage.provider.vendor.counting));
    match used {
        Some(used) => Ok(unserved(stage, missed, Some(used), answers.len() as u64)),
        None => Err(missed),
    }
}

/// Some calls were answered and paid for, but not enough for an answer.
fn unserved<S>(stage: &Stage<'_, S>, missed: Missed, used: Option<Usage>, calls: u64) -> End {
    let mut end = End::failed(missed.failure);
    end.source = if used.is_some() { UsageSource::Provider } else { UsageSource::Estimated };
    let used = used.unwrap_or_else(|| estimate(stage.job, stage.visit, "", 0));
    end.usage = Usage { requests: calls, ..used };
    end
}

/// One call, tried again where another one has been answered already: then the whole request would
/// be paid for twice if it were begun anew.
async fn patient(
    job: &Job,
    visit: &Visit,
    calls: &Calls<'_>,
    body: &[Bytes],
    paid: &AtomicBool,
) -> Result<(Head, Bytes), Missed> {
    let retry = &job.snapshot.bounds.retry;
    let mut turn = 0;
    loop {
        let missed = match one(job, visit, calls, body).await {
            Ok(answered) => {
                paid.store(true, Ordering::Relaxed);
                return Ok(answered);
            }
            Err(missed) => missed,
        };
        turn += 1;
        let again = missed.failure.kind.row().next_target && paid.load(Ordering::Relaxed);
        if !again || turn >= retry.per_target {
            return Err(missed);
        }
        tokio::time::sleep(back_off(retry.base_back_off, retry.max_back_off, turn, draw())).await;
    }
}

/// One call and its whole answer.
async fn one(job: &Job, visit: &Visit, calls: &Calls<'_>, body: &[Bytes]) -> Result<(Head, Bytes), Missed> {
    let (taken, head) = begun(job, visit, calls, body).await?;
    whole(job, &calls.target.provider, taken, head).await
}

/// One call up to the header of its answer, on a fresh connection when a pooled one turns out to be dead.
pub(super) async fn begun(
    job: &Job,
    visit: &Visit,
    calls: &Calls<'_>,
    body: &[Bytes],
) -> Result<(Taken, Head), Missed> {
    let Calls { target, credential, content_type, .. } = calls;
    let provider = &*target.provider;
    // Prepared here and not for all at once: a signature holds for a few minutes only.
    let prepared = Prepared::new(job, visit, target, *credential, content_type.clone(), body);
    let prepared = prepared.map_err(Missed::by_request)?;
    let outgoing = prepared.outgoing(provider, body);
    let upstreams = &job.plane.upstreams;
    let clocks = job.clocks;
    match upstreams.pooled(provider) {
        Some(taken) => match in_time(clocks.response_header, exchange(taken, &outgoing)).await? {
            Err(Broken::Io { stale: true, .. }) => fresh(job, provider, &outgoing).await,
            answered => answered.map_err(missed_by),
        },
        None => fresh(job, provider, &outgoing).await,
    }
}

/// The rest of an answer, judged.
pub(super) async fn whole(
    job: &Job,
    provider: &Provider,
    mut taken: Taken,
    head: Head,
) -> Result<(Head, Bytes), Missed> {
    let upstreams = &job.plane.upstreams;
    let mut body = BytesMut::new();
    loop {
        let read = in_time(job.clocks.idle, taken.conn.read_body()).await?;
        match read.map_err(missed_by)? {
            Reading::Piece(piece) if body.len() + piece.len() > MAX_WHOLE_BYTES => {
                let text = "The model's vendor sent an unreadable answer";
                return Err(Missed::new(Kind::VendorMalformed, text, "the answer is larger than 128 MiB"));
            }
            Reading::Piece(piece) => body.extend_from_slice(&piece),
            Reading::End => break,
        }
    }
    upstreams.release(provider, taken).await;
    let body = body.freeze();
    let wall = job.plane.clock.wall().seconds();
    match judge(provider.vendor, head.status, &head.headers, &body, wall) {
        Some(verdict) => Err(Missed::judged(verdict)),
        None if head.status == 200 => Ok((head, body)),
        None => {
            let text = "The model's vendor sent an unexpected answer";
            Err(Missed::new(Kind::VendorMalformed, text, format!("status {}", head.status)))
        }
    }
}

async fn fresh(job: &Job, provider: &Provider, outgoing: &Outgoing<'_>) -> Result<(Taken, Head), Missed> {
    let connected = in_time(provider.clocks.connect, job.plane.upstreams.connect(provider)).await?;
    let taken = connected.map_err(missed_by)?;
    in_time(job.clocks.response_header, exchange(taken, outgoing)).await?.map_err(missed_by)
}

/// Sends, and waits for the header.
async fn exchange(mut taken: Taken, outgoing: &Outgoing<'_>) -> Result<(Taken, Head), Broken> {
    taken.conn.send(outgoing).await?;
    let head = taken.conn.read_head().await?;
    Ok((taken, head))
}

async fn in_time<T>(time: Duration, step: impl Future<Output = T>) -> Result<T, Missed> {
    let late = |_| Missed {
        failure: Failure::new(Kind::VendorTimeout, "The model's vendor did not answer in time"),
        health: HealthEffect::Failed,
        gone: false,
        sent: true,
    };
    tokio::time::timeout(time, step).await.map_err(late)
}
