//! A vendor's receipt of an order. Callers of OpenAI's dialect get it as it is;
//! AIGNE's wait here until the video is there.

use super::super::answer::AnswerHead;
use super::super::exchange::{End, Missed};
use super::super::relay::{Stage, hand_over, send_whole, unfit};
use super::super::several;
use super::super::sink::Sink;
use super::super::upstream::{Head, Taken};
use super::load::{Loaded, load};
use super::look::look;
use super::running::Final;
use super::watch::{deadline, end_of, failure_of};
use super::{Ordered, Whereabouts, seal};
use crate::access::Ticket;
use crate::error::{Failure, Kind, Result};
use crate::types::{Usage, UsageSource};
use crate::wire::translate;
use crate::wire::video::{self, Films, Made, State, Told};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::oneshot::Receiver;
use tokio::time::Instant;

/// An order that a vendor has taken on, and that is to be followed to its end.
pub(in crate::proxy) struct Begun {
    pub(super) place: Whereabouts,
    /// Tells the end, when somebody else sees it first.
    pub(super) ends: Receiver<Final>,
    /// What was ordered.
    pub(super) bound: Usage,
}

/// Takes a vendor's receipt.
pub(in crate::proxy) async fn begun<S: Sink>(
    mut stage: Stage<'_, S>,
    ordered: &Ordered,
    taken: Taken,
    head: Head,
) -> Result<End, Missed> {
    let (head, body) = several::whole(stage.job, stage.provider, taken, head).await?;
    let films = stage.provider.vendor.films;
    let made = match video::made_in(films, &body) {
        Ok(made) => made,
        // The vendor may work on it, so nobody else is asked for the same.
        Err(failure) => return Ok(End::failed(failure)),
    };
    if made.state == State::Failed {
        let wall = stage.job.plane.clock.wall().seconds();
        return Err(Missed::by_request(failure_of(stage.provider.vendor, &made, wall)));
    }
    let Some(place) = whereabouts(&stage, &made) else {
        let text = "The provider of the video is not known";
        return Ok(End::failed(Failure::new(Kind::Internal, text)));
    };
    let begun =
        Begun { ends: stage.job.plane.videos.begin(&place), place: place.clone(), bound: ordered.bound() };
    stage.visit.video = Some(Box::new(begun));
    if translate::wants_telling(stage.visit.dialect) {
        return Ok(wait(stage, &place, ordered, made, &head).await);
    }
    let ticket = ordered.ticket(stage.visit, &made.id);
    let answer =
        told(&stage.job.snapshot, &stage.job.caller.key.tenant, &ticket, None, &made, (films, &body));
    let body = match answer {
        Ok(body) => body,
        Err(failure) => return Ok(End::failed(failure)),
    };
    let head = AnswerHead::relayed(stage.job, stage.visit, &head, &stage.adapted);
    Ok(hand_over(&mut stage, head, body, (Usage::default(), UsageSource::None)).await)
}

fn whereabouts<S>(stage: &Stage<'_, S>, made: &Made) -> Option<Whereabouts> {
    let mut targets = stage.job.targets.iter();
    let target = targets.find(|target| target.provider.name == stage.provider.name)?;
    let credentials = &stage.provider.credentials;
    let credential = credentials.iter().position(|held| held.id.shared() == &stage.visit.credential);
    Some(Whereabouts {
        provider: Arc::clone(&target.provider),
        // A provider without credentials is asked without one.
        credential: credential.unwrap_or(0),
        id: made.id.clone(),
    })
}

/// What a caller is told of an order. `id`: by which it asked; a new one is sealed otherwise.
///
/// # Errors
/// When no id can be made.
pub(super) fn told(
    snapshot: &crate::config::Snapshot,
    tenant: &crate::types::TenantId,
    ticket: &Ticket,
    id: Option<&str>,
    made: &Made,
    (films, body): (Films, &Bytes),
) -> Result<Bytes> {
    let id = match id {
        Some(id) => id.to_owned(),
        None => seal(snapshot, tenant, ticket)?,
    };
    let other = |id: &str| {
        let ticket = Ticket { id: id.to_owned(), ..ticket.clone() };
        seal(snapshot, tenant, &ticket).ok()
    };
    let size = ticket.frame.map(|(across, down)| format!("{across}x{down}"));
    let told = Told {
        id: &id,
        model: &ticket.upstream_model,
        created: ticket.at.seconds(),
        seconds: ticket.seconds,
        size: size.as_deref(),
        known_as: &other,
    };
    Ok(video::answer_out(made, &told, (films == Films::OpenAi).then_some(body)).into())
}

/// Waits for the video with its caller. Who leaves, or waits too long, leaves the order to the task
/// that settles it.
async fn wait<S: Sink>(
    mut stage: Stage<'_, S>,
    place: &Whereabouts,
    ordered: &Ordered,
    mut made: Made,
    head: &Head,
) -> End {
    let (job, until) = (stage.job, deadline(stage.job));
    while !made.state.is_final() {
        if stage.guard.pause(stage.sink, job.snapshot.bounds.video_poll).await.is_err() {
            return End::failed(Missed::gone(true).failure);
        }
        if Instant::now() >= until.min(stage.guard.total) {
            let text = "The model's vendor did not finish the video in time";
            return End::failed(Failure::new(Kind::VendorTimeout, text));
        }
        // A look that fails is made again, as long as there is time.
        if let Ok((_, seen)) = look(&job.plane, place).await {
            made = seen;
        }
    }
    // From here on it is settled by this request.
    stage.visit.video = None;
    let wall = job.plane.clock.wall().seconds();
    let end = end_of(place.provider.vendor, &made, ordered.bound(), wall);
    let used = match end.clone() {
        Some(Final::Made(usage)) => (usage, UsageSource::Provider),
        Some(Final::Failed(failure) | Final::Unknown(failure)) => return End::failed(failure),
        None => (ordered.bound(), UsageSource::Estimated),
    };
    end.into_iter().for_each(|end| job.plane.videos.tell(place, end));
    let seconds = made.seconds.unwrap_or(u32::try_from(used.0.milliseconds / 1_000).unwrap_or(0));
    let files = match Box::pin(load(&job.plane, place, &made)).await {
        Ok(file) => [file],
        Err(missed) => return Box::pin(unfit(job, stage.visit, stage.sink, missed.failure, used)).await,
    };
    let files = files.each_ref().map(|file| match file {
        Loaded::Address(url) => translate::VideoFile::Address(url),
        Loaded::Bytes(mime, bytes) => translate::VideoFile::Bytes(mime, bytes),
    });
    let body =
        job.telling(stage.visit).map(|telling| translate::video_told(&files, &used.0, &telling, seconds));
    let body = Bytes::from(body.unwrap_or_default());
    let head = AnswerHead::relayed(job, stage.visit, head, &stage.adapted);
    send_whole(&mut stage, head, body, used).await
}
