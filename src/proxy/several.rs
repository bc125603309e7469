//! One request that takes several calls of its vendor: texts that are embedded
//! one by one, pictures that are drawn one by one. A few calls run at a time;
//! their answers become one. What was answered is booked, whatever becomes of the rest.

use super::answer::AnswerHead;
use super::exchange::{End, Missed, missed_by};
use super::guard::Waited;
use super::job::Job;
use super::relay::{MAX_WHOLE_BYTES, Stage, estimate, joined, send_whole};
use super::sink::Sink;
use super::upstream::{Broken, Head, Outgoing, Reading, Taken};
use crate::config::Provider;
use crate::error::{Failure, Kind};
use crate::provider::{HealthEffect, judge};
use crate::types::{Usage, UsageSource};
use crate::wire::translate::Plan;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use std::pin::{Pin, pin};
use std::time::Duration;

/// Calls that run at the same time; vendors count them against the credential.
const AT_ONCE: usize = 4;

/// One call on its way.
type Call<'a> = Pin<Box<dyn Future<Output = Result<(Head, Bytes), Missed>> + Send + 'a>>;

/// The calls that were answered, in order; those behind a failed one are let go.
#[derive(Default)]
struct Answered {
    head: Option<Head>,
    bodies: Vec<Bytes>,
    failed: Option<Missed>,
}

/// Makes all calls: that of `first` and one for each body of `more`. `Err` only while the
/// caller has seen nothing and no vendor has answered anything.
pub(super) async fn call<S: Sink>(
    stage: Stage<'_, S>,
    first: &Outgoing<'_>,
    more: &[Bytes],
    plan: &Plan,
) -> Result<End, Missed> {
    let Stage { job, visit, sink, guard, provider, mut adapted, .. } = stage;
    let began = job.plane.clock.mono();
    let mut answered = Answered::default();
    let waited = {
        let mut calls: Vec<Call<'_>> = Vec::with_capacity(more.len() + 1);
        calls.push(Box::pin(one(job, provider, Outgoing { method: first.method.clone(), ..*first })));
        for body in more {
            let outgoing =
                Outgoing { method: first.method.clone(), body: std::slice::from_ref(body), ..*first };
            calls.push(Box::pin(one(job, provider, outgoing)));
        }
        let deadline = guard.total;
        guard.watch(sink, deadline, pin!(collect(calls, &mut answered))).await
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
    let calls = more.len() + 1;
    let mut stage = Stage { job, visit, sink, guard, provider, adapted: Vec::new(), plan: None };
    let Some(head) = answered.head else {
        return Err(answered.failed.unwrap_or_else(|| Missed::gone(true)));
    };
    let gone = answered.failed.as_ref().is_some_and(|missed| missed.gone);
    let served = !gone && (answered.failed.is_none() || plan.takes_part());
    let count = answered.bodies.len() as u64;
    let read = if served { joined(&stage, plan, &answered.bodies) } else { Err(Missed::gone(true)) };
    let (body, usage) = match read {
        Ok(read) => read,
        Err(missed) => {
            let used = plan.used(&answered.bodies, provider.vendor.counting);
            let failed = answered.failed.unwrap_or(missed);
            return Ok(unserved(&stage, failed, used, count));
        }
    };
    if answered.bodies.len() < calls {
        adapted.push(format!("n: {count} of {calls} calls were answered"));
    }
    stage.adapted = adapted;
    let head = AnswerHead::relayed(stage.job, stage.visit, &head, &stage.adapted);
    let usage = usage.map(|usage| Usage { requests: count, ..usage });
    Ok(Box::pin(send_whole(&mut stage, head, body, usage)).await)
}

async fn collect(calls: Vec<Call<'_>>, answered: &mut Answered) {
    let mut all = stream::iter(calls).buffered(AT_ONCE);
    while let Some(result) = all.next().await {
        match result {
            Ok((head, body)) => {
                answered.head.get_or_insert(head);
                answered.bodies.push(body);
            }
            Err(missed) => {
                answered.failed = Some(missed);
                return;
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

/// One call, on a fresh connection when a pooled one turns out to be dead.
async fn one(job: &Job, provider: &Provider, outgoing: Outgoing<'_>) -> Result<(Head, Bytes), Missed> {
    let upstreams = &job.plane.upstreams;
    let clocks = job.clocks;
    let (mut taken, head) = match upstreams.pooled(provider) {
        Some(taken) => match in_time(clocks.response_header, exchange(taken, &outgoing)).await? {
            Err(Broken::Io { stale: true, .. }) => fresh(job, provider, &outgoing).await?,
            answered => answered.map_err(missed_by)?,
        },
        None => fresh(job, provider, &outgoing).await?,
    };
    let mut body = BytesMut::new();
    loop {
        let read = in_time(clocks.idle, taken.conn.read_body()).await?;
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
