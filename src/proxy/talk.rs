//! Conversations that the hub remembers: a request that only names what it
//! goes on from gets that put into its input, and its answer is kept.
//!
//! No vendor is asked to remember anything, so that the next request may go to
//! another one, and what a caller deletes is gone.

use super::Plane;
use super::job::Job;
use crate::chat::Json;
use crate::config::{Caller, Snapshot, VisibleTo};
use crate::error::{Failure, Kind, Result};
use crate::responses::{Absent, Kept, Owner};
use crate::types::Wall;
use crate::wire::openai_responses::{self, Final, Front};
use bytes::Bytes;
use std::sync::Arc;

/// Where an answer is kept, and with what.
#[derive(Clone)]
pub(super) struct Talk {
    owner: Owner,
    previous: Option<Arc<str>>,
    /// The caller's own items.
    input: Bytes,
}

/// A request whose conversation is whole.
pub(super) struct Opened {
    pub body: Bytes,
    /// `None`: the answer is not kept.
    pub talk: Option<Talk>,
    /// What only a vendor with this dialect can do, if anything.
    pub native: Option<(&'static str, String)>,
    /// What tells two requests apart whose bodies are the same.
    pub tag: String,
}

/// Whose the responses of a caller are.
pub(super) fn owner(snapshot: &Snapshot, caller: &Caller) -> Owner {
    let key = match snapshot.responses.visible_to {
        VisibleTo::Tenant => None,
        VisibleTo::Key => Some(caller.key.id.clone()),
    };
    Owner { tenant: caller.key.tenant.clone(), key }
}

/// Puts the conversation into a request.
///
/// # Errors
/// What is wrong with the request, or that what it goes on from is not there.
pub(super) fn open(
    plane: &Plane,
    snapshot: &Snapshot,
    caller: &Caller,
    body: &Bytes,
    now: Wall,
) -> Result<Opened> {
    let front = Front::read(body)?;
    let owner = owner(snapshot, caller);
    let memory = &plane.keeping.memory;
    let history = match &front.previous {
        None => Vec::new(),
        Some(id) if !snapshot.responses.store => return Err(unknown_previous(id)),
        Some(id) => memory
            .conversation(&owner, id, now, now.after(snapshot.responses.ttl))
            .map_err(|absent| absence(id, &absent))?,
    };
    let mut find = |item: &str| {
        let kept = memory.with_item(&owner, item, now)?;
        item_in(&kept.output, item)
    };
    let store = front.store && snapshot.responses.store;
    let is_whole = history.is_empty() && !front.refers();
    let input = if is_whole && !store { Bytes::new() } else { Bytes::from(front.items(&mut find)?) };
    let whole = match is_whole {
        true => body.clone(),
        false => {
            let before = history.iter().flat_map(|kept| [&*kept.input, &*kept.output]);
            openai_responses::expand(body, before.chain([&*input]))?.into()
        }
    };
    let previous: Option<Arc<str>> = front.previous.as_deref().map(Into::into);
    // A kept answer has one owner, so keys that do not share theirs cannot share its copy either.
    let key = owner.key.as_ref().filter(|_| store).map_or("", |key| key.as_str());
    let tag = format!("{store}:{key}:{}", previous.as_deref().unwrap_or_default());
    let talk = store.then_some(Talk { owner, previous, input });
    Ok(Opened { body: whole, talk, native: front.native, tag })
}

fn item_in(output: &[u8], id: &str) -> Option<Json> {
    let items: Vec<Json> = serde_json::from_slice(output).ok()?;
    items.into_iter().find(|item| openai_responses::id_of(item.as_str().as_bytes()).as_deref() == Some(id))
}

fn absence(id: &str, absent: &Absent) -> Failure {
    let failure = |text: &str| {
        let text = format!("Previous response with id '{}' {text}", shown(id));
        Failure::new(Kind::UnknownPrevious, text).param("previous_response_id")
    };
    match absent {
        Absent::Unknown(missing) if &**missing == id => unknown_previous(id),
        // A conversation cannot go on without its beginning.
        Absent::Unknown(_) => failure("goes on from a response that is no longer kept."),
        Absent::Running => failure("is still in progress."),
        Absent::Failed => failure("failed and cannot be continued."),
    }
}

fn unknown_previous(id: &str) -> Failure {
    let text = format!("Previous response with id '{}' not found.", shown(id));
    Failure::new(Kind::UnknownPrevious, text).param("previous_response_id")
}

/// An id as it may be shown again: bounded, and without what breaks a line.
pub(super) fn shown(id: &str) -> String {
    id.chars().filter(|c| !c.is_control()).take(120).collect()
}

/// Keeps one answer: told when it begins and when it is whole. Dropped before
/// that, the answer counts as failed.
pub(super) struct Keeper {
    plane: Arc<Plane>,
    snapshot: Arc<Snapshot>,
    talk: Talk,
    begun: Option<Arc<str>>,
}

impl Keeper {
    /// `None`: the answer is not to be kept.
    pub(super) fn of(job: &Job) -> Option<Self> {
        let talk = job.talk.clone()?;
        let (plane, snapshot) = (Arc::clone(&job.plane), Arc::clone(&job.snapshot));
        Some(Self { plane, snapshot, talk, begun: None })
    }

    /// The answer has this id from now on.
    pub(super) fn begin(&mut self, id: &str) {
        if id.is_empty() || self.begun.is_some() {
            return;
        }
        let id: Arc<str> = id.into();
        self.begun = Some(Arc::clone(&id));
        let (settings, now) = (&self.snapshot.responses, self.plane.clock.wall());
        let memory = &self.plane.keeping.memory;
        let gone = memory.begin((self.talk.owner.clone(), id), now, settings.ttl, &settings.bounds);
        self.plane.keeping.forget(gone);
    }

    /// The answer is whole. To be told before the caller sees its end, because the next request
    /// may come at once.
    pub(super) fn done(mut self, answer: &Final<'_>) {
        self.begun = None;
        let response = Bytes::copy_from_slice(answer.response);
        let Some(output) = openai_responses::output_of(&response) else { return };
        let items = openai_responses::ids_of(response.get(output.clone()).unwrap_or_default());
        let kept = Kept {
            owner: self.talk.owner.clone(),
            id: answer.id.as_str().into(),
            previous: self.talk.previous.clone(),
            input: self.talk.input.clone(),
            output: response.slice(output),
            response,
            items: items.into_iter().map(Into::into).collect(),
            at: self.plane.clock.wall(),
        };
        self.plane.keeping.keep(kept, &self.snapshot);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(id) = self.begun.take() {
            self.plane.keeping.memory.fail(&(self.talk.owner.clone(), id));
        }
    }
}
