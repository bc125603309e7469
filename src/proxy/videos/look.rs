//! Questions to vendors about orders: calls of the hub's own, which no caller
//! pays for.

use super::super::Plane;
use super::super::exchange::{Missed, missed_by};
use super::super::outgoing::Prepared;
use super::super::upstream::{Broken, Head, Outgoing, Reading, Taken};
use super::Whereabouts;
use crate::error::{Failure, Kind};
use crate::provider::{HealthEffect, judge};
use crate::types::Op;
use crate::wire::video::{self, Made};
use bytes::{Bytes, BytesMut};
use http::Method;
use std::time::Duration;
use tokio::time::timeout;

/// What a vendor says of an order is longer only if it sends something else.
const MOST_BYTES: usize = 1 << 20;

/// What has become of an order, with the vendor's words.
pub(super) async fn look(plane: &Plane, place: &Whereabouts) -> Result<(Bytes, Made), Missed> {
    let path = video::look_path(place.provider.vendor.films, place.row(), &place.id);
    let body = ask(plane, place, Method::GET, path).await?;
    let made = video::made_in(place.provider.vendor.films, &body);
    Ok((body, made.map_err(unreadable)?))
}

/// Makes the vendor forget a video. `None`: it cannot be made to.
pub(super) async fn delete(plane: &Plane, place: &Whereabouts) -> Option<Result<(), Missed>> {
    let path = video::delete_path(place.provider.vendor.films, place.row(), &place.id)?;
    Some(ask(plane, place, Method::DELETE, path).await.map(drop))
}

/// A call and its whole answer, judged by its status alone: that of an order which failed has an
/// error in it and is none.
async fn ask(plane: &Plane, place: &Whereabouts, method: Method, path: String) -> Result<Bytes, Missed> {
    let (taken, head) = begin(plane, place, method, path).await?;
    let body = whole(plane, place, taken, MOST_BYTES).await?;
    if head.status < 300 { Ok(body) } else { Err(refused(plane, place, &head, &body)) }
}

/// A call up to the header of its answer. `path` is from the provider's base on.
pub(super) async fn begin(
    plane: &Plane,
    place: &Whereabouts,
    method: Method,
    path: String,
) -> Result<(Taken, Head), Missed> {
    let provider = &*place.provider;
    let path = format!("{}{path}", provider.base.path);
    let prepared = Prepared::own(provider, place.credential, method, path, &[], plane.clock.wall());
    let prepared = prepared.map_err(Missed::by_request)?;
    let outgoing = prepared.outgoing(provider, &[]);
    if let Some(taken) = plane.upstreams.pooled(provider) {
        match in_time(provider.clocks.response_header, exchange(taken, &outgoing)).await? {
            Err(Broken::Io { stale: true, .. }) => {}
            answered => return answered.map_err(missed_by),
        }
    }
    let taken = in_time(provider.clocks.connect, plane.upstreams.connect(provider)).await?;
    let answered = exchange(taken.map_err(missed_by)?, &outgoing);
    in_time(provider.clocks.response_header, answered).await?.map_err(missed_by)
}

async fn exchange(mut taken: Taken, outgoing: &Outgoing<'_>) -> Result<(Taken, Head), Broken> {
    taken.conn.send(outgoing).await?;
    let head = taken.conn.read_head().await?;
    Ok((taken, head))
}

/// The rest of an answer of at most so many bytes.
pub(super) async fn whole(
    plane: &Plane,
    place: &Whereabouts,
    mut taken: Taken,
    most: usize,
) -> Result<Bytes, Missed> {
    let mut body = BytesMut::new();
    loop {
        let read = in_time(place.provider.clocks.idle, taken.conn.read_body()).await?;
        match read.map_err(missed_by)? {
            Reading::Piece(piece) if body.len() + piece.len() > most => {
                let text = "The model's vendor sent an unreadable answer";
                return Err(Missed::new(Kind::VendorMalformed, text, format!("more than {most} bytes")));
            }
            Reading::Piece(piece) => body.extend_from_slice(&piece),
            Reading::End => break,
        }
    }
    plane.upstreams.release(&place.provider, taken).await;
    Ok(body.freeze())
}

/// What a vendor's refusal means.
pub(super) fn refused(plane: &Plane, place: &Whereabouts, head: &Head, body: &[u8]) -> Missed {
    let wall = plane.clock.wall().seconds();
    match judge(place.provider.vendor, head.status, &head.headers, body, wall) {
        Some(verdict) => Missed::judged(verdict),
        None => {
            let text = "The model's vendor sent an unexpected answer";
            Missed::new(Kind::VendorMalformed, text, format!("status {}", head.status))
        }
    }
}

pub(super) fn unreadable(failure: Failure) -> Missed {
    Missed { failure, health: HealthEffect::Failed, gone: false, sent: true }
}

async fn in_time<T>(time: Duration, step: impl Future<Output = T>) -> Result<T, Missed> {
    let late =
        |_| Missed::new(Kind::VendorTimeout, "The model's vendor did not answer in time", Op::Video.name());
    timeout(time, step).await.map_err(late)
}
