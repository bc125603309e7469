//! The endpoints of kept responses: read, list what went in, delete.

use super::Plane;
use super::endpoint::Act;
use super::talk::{owner, shown};
use crate::config::{Caller, Snapshot};
use crate::error::{Failure, Kind, Result};
use crate::responses::Absent;
use crate::wire::openai_responses::{self, Page};
use bytes::Bytes;

/// Answers a request about one response.
///
/// # Errors
/// `UnknownResponse` for an id that is unknown, expired or somebody else's; `InvalidRequest` for
/// what kept responses cannot do.
pub(super) fn answer(
    plane: &Plane,
    snapshot: &Snapshot,
    caller: &Caller,
    id: &str,
    act: Act,
    query: &str,
) -> Result<Bytes> {
    let (owner, now) = (owner(snapshot, caller), plane.clock.wall());
    let memory = &plane.keeping.memory;
    let kept = memory.get(&owner, id, now).ok_or_else(|| unknown(id))?;
    match act {
        Act::Read if asks_for_stream(query) => {
            let text =
                "This response cannot be streamed: only background responses can, and this gateway has none.";
            Err(Failure::new(Kind::InvalidRequest, text).param("stream"))
        }
        Act::Read => Ok(kept.response.clone()),
        Act::Delete => {
            if !memory.remove(&owner, id, now) {
                return Err(unknown(id));
            }
            plane.keeping.forget(vec![(owner, id.into())]);
            Ok(openai_responses::deleted(id).into())
        }
        Act::InputItems => {
            let page = Page::read(query).map_err(|name| {
                Failure::new(Kind::InvalidRequest, format!("Invalid value for '{name}'.")).param(name)
            })?;
            let before = match &kept.previous {
                None => Vec::new(),
                Some(previous) => memory
                    .conversation(&owner, previous, now, now.after(snapshot.responses.ttl))
                    .or_else(|absent| {
                        if let Absent::Unknown(_) = absent { Ok(Vec::new()) } else { Err(unknown(id)) }
                    })?,
            };
            let lists = before.iter().flat_map(|turn| [&*turn.input, &*turn.output]);
            Ok(openai_responses::input_items(id, lists.chain([&*kept.input]), &page).into())
        }
        Act::Cancel => {
            let text = "Cannot cancel a synchronous response.";
            Err(Failure::new(Kind::InvalidRequest, text).param("id"))
        }
    }
}

/// The text is the same for unknown, expired and foreign ids, so that nobody can tell them apart.
fn unknown(id: &str) -> Failure {
    Failure::new(Kind::UnknownResponse, format!("Response with id '{}' not found.", shown(id))).param("id")
}

fn asks_for_stream(query: &str) -> bool {
    query.split('&').any(|pair| pair.eq_ignore_ascii_case("stream=true"))
}
