//! The task that follows an order to its end and settles it.

use super::super::Plane;
use super::super::exchange::End;
use super::super::job::Job;
use super::super::settle;
use super::super::visit::Visit;
use super::Whereabouts;
use super::begin::Begun;
use super::look::look;
use super::running::Final;
use crate::error::{Failure, Kind};
use crate::ledger::Outcome;
use crate::provider::{Vendor, judge_error};
use crate::types::{Usage, UsageSource};
use crate::wire::openai::VendorError;
use crate::wire::video::{Made, State};
use bytes::Bytes;
use std::pin::Pin;
use tokio::time::{Instant, sleep};

/// Settles a request when what it ordered is made. Returns at once.
pub(in crate::proxy) fn watch(mut job: Box<Job>, visit: Box<Visit>, end: End, begun: Box<Begun>) {
    // The order has been sent; its pictures are of no more use.
    (job.body, job.said) = (Bytes::new(), Bytes::new());
    job._share = job.plane.buffered.share();
    let run: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(run(job, visit, end, begun));
    // Its owner is the drain count in the job: a shutdown waits for it as for a stream.
    tokio::spawn(run);
}

async fn run(job: Box<Job>, visit: Box<Visit>, mut end: End, begun: Box<Begun>) {
    let Begun { place, ends, bound, .. } = *begun;
    let patience = sleep(job.snapshot.bounds.video);
    let last = tokio::select! {
        told = ends => told.unwrap_or_else(|_| lost("nobody followed the order")),
        seen = follow(&job.plane, &place, &job, bound) => seen,
        () = patience => lost("the order came to no end in time"),
    };
    // Whoever asks from now on finds it settled.
    job.plane.videos.tell(&place, last.clone());
    (end.usage, end.source) = match &last {
        Final::Made(usage) => (*usage, UsageSource::Provider),
        Final::Failed(_) => (Usage::default(), UsageSource::None),
        Final::Unknown(_) => (bound, UsageSource::Estimated),
    };
    if let Final::Failed(failure) | Final::Unknown(failure) = last {
        // A caller who left has left, whatever became of the order.
        if end.outcome == Outcome::Ok && end.source == UsageSource::None {
            end.outcome = Outcome::UpstreamError;
        }
        end.failure.get_or_insert(failure);
    }
    settle::settle(job, visit, end).await;
}

/// Looks until there is an end to be seen. A look that fails is made again.
async fn follow(plane: &Plane, place: &Whereabouts, job: &Job, bound: Usage) -> Final {
    loop {
        sleep(job.snapshot.bounds.video_poll).await;
        match look(plane, place).await {
            Ok((_, made)) => {
                if let Some(end) = end_of(place.provider.vendor, &made, bound, plane.clock.wall().seconds()) {
                    return end;
                }
            }
            // Somebody deleted it at the vendor, who may have made it before.
            Err(missed) if missed.failure.status() == 404 => return Final::Unknown(missed.failure),
            Err(missed) => tracing::debug!(error = %missed.failure.detail, "a look at an order failed"),
        }
    }
}

/// The end of an order, if it has come to one.
pub(super) fn end_of(vendor: &Vendor, made: &Made, bound: Usage, wall: i64) -> Option<Final> {
    let ordered = u32::try_from(bound.milliseconds / 1_000).unwrap_or(u32::MAX);
    match made.state {
        State::Completed => Some(Final::Made(made.usage(ordered))),
        State::Failed => Some(Final::Failed(failure_of(vendor, made, wall))),
        State::Queued | State::InProgress => None,
    }
}

/// Why an order failed, in the vendor's words.
pub(super) fn failure_of(vendor: &Vendor, made: &Made, wall: i64) -> Failure {
    let said = made.error.clone().filter(|error| !error.message.is_empty());
    let error = said.unwrap_or_else(|| VendorError {
        message: "The video could not be made.".to_owned(),
        ..made.error.clone().unwrap_or_default()
    });
    let is_moderated = error.code.as_deref().is_some_and(|code| code.contains("moderation"));
    let failure = judge_error(vendor, &error, &http::HeaderMap::new(), wall).failure;
    if is_moderated { Failure::new(Kind::VendorRefused, error.message) } else { failure }
}

/// When an order was begun, its end is not known after this.
fn lost(detail: &'static str) -> Final {
    let text = "The model's vendor did not finish the video in time";
    Final::Unknown(Failure::new(Kind::VendorTimeout, text).detail(detail))
}

/// The time until which an order is followed by a caller that waits for it.
pub(super) fn deadline(job: &Job) -> Instant {
    Instant::now() + job.snapshot.bounds.video
}
