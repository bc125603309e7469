//! Finished videos: where they are, and their bytes.

use super::super::Plane;
use super::super::exchange::Missed;
use super::super::upstream::{Head, Taken};
use super::Whereabouts;
use super::look::{begin, refused, whole};
use crate::error::{Failure, Kind};
use crate::wire::video::{self, Made, Place};
use bytes::Bytes;
use http::{Method, header};

/// The largest video that is put into an answer of JSON.
const MOST_BYTES: usize = 128 * 1024 * 1024;
/// The largest refusal that is read.
const MOST_REFUSAL_BYTES: usize = 64 * 1024;
/// How often a vendor may send the hub on, within its own host.
const MOST_HOPS: usize = 3;

/// A video that a vendor gives out.
pub(super) enum Content {
    /// It comes now.
    Comes(Taken, Head),
    /// It is at an address that needs no credential of the hub's.
    Elsewhere(String),
}

/// A whole video.
pub(super) enum Loaded {
    /// Its media type and its bytes.
    Bytes(String, Bytes),
    /// Where it is.
    Address(String),
}

/// Asks for a finished video, or one of its variants.
pub(super) async fn open(
    plane: &Plane,
    place: &Whereabouts,
    made: &Made,
    variant: Option<&str>,
) -> Result<Content, Missed> {
    let films = place.provider.vendor.films;
    let mut path = match video::place(films, place.row(), made, variant) {
        Some(Place::Address(address)) => return Ok(Content::Elsewhere(address)),
        Some(Place::Path(path)) => path,
        None => {
            let text = "The vendor of this video has no such variant of it.";
            return Err(Missed::by_request(Failure::new(Kind::InvalidRequest, text).param("variant")));
        }
    };
    for _ in 0..MOST_HOPS {
        let (taken, head) = begin(plane, place, Method::GET, path).await?;
        match head.status {
            200 => return Ok(Content::Comes(taken, head)),
            301 | 302 | 303 | 307 | 308 => {
                let next = head.text(header::LOCATION);
                match within(place, next) {
                    Some(next) => path = next,
                    None if next.starts_with("https://") => return Ok(Content::Elsewhere(next.to_owned())),
                    None => break,
                }
                taken.conn.abort().await;
            }
            _ => {
                let body = whole(plane, place, taken, MOST_REFUSAL_BYTES).await?;
                return Err(refused(plane, place, &head, &body));
            }
        }
    }
    let text = "The model's vendor sent an unexpected answer";
    Err(Missed::new(Kind::VendorMalformed, text, "it sends on from place to place"))
}

/// The path of an address at the provider's own host, behind its base. `None`: it is elsewhere.
fn within(place: &Whereabouts, address: &str) -> Option<String> {
    let path = match address.split_once("://") {
        None => address.strip_prefix('/').map(|_| address)?,
        Some((_, rest)) => {
            let host = super::super::outgoing::authority(&place.provider);
            rest.strip_prefix(host.as_str()).filter(|path| path.starts_with('/'))?
        }
    };
    path.strip_prefix(place.provider.base.path.as_str()).map(str::to_owned)
}

/// Loads a finished video whole.
pub(super) async fn load(plane: &Plane, place: &Whereabouts, made: &Made) -> Result<Loaded, Missed> {
    match open(plane, place, made, None).await? {
        Content::Elsewhere(address) => Ok(Loaded::Address(address)),
        Content::Comes(taken, head) => {
            let bytes = whole(plane, place, taken, MOST_BYTES).await?;
            Ok(Loaded::Bytes(media_type(&head), bytes))
        }
    }
}

/// What a video says it is; an answer that does not say is one.
pub(super) fn media_type(head: &Head) -> String {
    let said = head.text(header::CONTENT_TYPE);
    let known = said.starts_with("video/") || said.starts_with("image/");
    if known { said.to_owned() } else { "video/mp4".to_owned() }
}
