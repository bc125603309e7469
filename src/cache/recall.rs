//! The signed thoughts behind calls of tools, for callers that cannot return them.
//!
//! A vendor that has thought before it called a tool wants its thoughts back, signed and
//! unchanged, together with what the tool gave. Clients of OpenAI's dialect return of a
//! call its id, name and arguments, and nothing else. So the thoughts are kept here by
//! tenant and id of the call, for a while and within a bound, in memory only; what is lost
//! costs the model its thoughts in that turn, and nothing else.

use crate::chat::{Event, Message, Origin, Part, Request, Role, Signature, Thinking};
use crate::types::{Mono, TenantId};
use moka::policy::EvictionPolicy;
use std::sync::Arc;
use std::time::Duration;

/// How long a turn of tools may rest. A client that takes longer goes on without thoughts.
const KEPT_FOR: Duration = Duration::from_secs(60 * 60);
/// The most that is kept of one answer, in bytes.
const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// What an entry costs besides its texts.
const ENTRY_OVERHEAD_BYTES: usize = 512;

/// How many ids of thoughts are remembered, how long, and how long one may be.
const MAX_GIVERS: u64 = 65_536;
const GIVERS_KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_ID_BYTES: usize = 128;

type Key = (TenantId, Box<str>);

/// What led to one call.
#[derive(Debug, PartialEq)]
struct Kept {
    /// The tool that was called: an id alone could be another answer's by chance.
    name: Box<str>,
    /// Since the call before it.
    thoughts: Vec<Part>,
    /// Of the call itself.
    signature: Option<Signature>,
    at: Mono,
}

/// Thoughts by tenant and call, bounded by bytes. When it is full, the oldest give way.
pub struct Recall {
    calls: moka::sync::Cache<Key, Arc<Kept>, ahash::RandomState>,
    /// Who gave thoughts that callers do return and only their vendor can read, by their ids.
    givers: moka::sync::Cache<Key, Arc<str>, ahash::RandomState>,
}

impl Recall {
    /// A memory of at most `max_bytes`, overhead included.
    pub fn new(max_bytes: u64) -> Self {
        let calls = moka::sync::Cache::builder()
            .max_capacity(max_bytes)
            .eviction_policy(EvictionPolicy::lru())
            .weigher(|(_, id): &Key, kept: &Arc<Kept>| u32::try_from(weight(id, kept)).unwrap_or(u32::MAX))
            .time_to_live(KEPT_FOR)
            .build_with_hasher(ahash::RandomState::new());
        let givers = moka::sync::Cache::builder()
            .max_capacity(MAX_GIVERS)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(GIVERS_KEPT_FOR)
            .build_with_hasher(ahash::RandomState::new());
        Self { calls, givers }
    }

    /// Remembers who gave thoughts of these ids.
    pub fn note(&self, tenant: &TenantId, ids: Vec<String>, giver: &Arc<str>) {
        for id in ids.into_iter().filter(|id| id.len() <= MAX_ID_BYTES) {
            self.givers.insert((tenant.clone(), id.into()), Arc::clone(giver));
        }
    }

    /// May thoughts of this id be read by this one? Whose are not known may be anybody's.
    pub fn may_read(&self, tenant: &TenantId, id: &str, reader: &str) -> bool {
        let giver = self.givers.get(&(tenant.clone(), id.into()));
        giver.is_none_or(|giver| &*giver == reader)
    }

    /// Keeps what led to the calls of an answer.
    pub fn keep(&self, tenant: &TenantId, thoughts: Thoughts, now: Mono) {
        for Called { id, name, thoughts, signature } in thoughts.calls {
            let kept = Kept { name: name.into(), thoughts, signature, at: now };
            self.calls.insert((tenant.clone(), id.into()), Arc::new(kept));
        }
    }

    /// Puts back what the caller did not return and a vendor of this origin wants.
    pub fn restore(&self, tenant: &TenantId, origin: Origin, request: &mut Request, now: Mono) {
        for message in request.messages.iter_mut().filter(|message| message.role == Role::Assistant) {
            self.restore_message(tenant, origin, message, now);
        }
    }

    fn restore_message(&self, tenant: &TenantId, origin: Origin, message: &mut Message, now: Mono) {
        if message.parts.iter().any(|part| is_of(part, origin)) {
            return;
        }
        let mut parts = Vec::with_capacity(message.parts.len() + 1);
        let mut first = true;
        let mut found = false;
        for mut part in std::mem::take(&mut message.parts) {
            if let Part::ToolCall(call) = &mut part
                && let Some(kept) = self.find(tenant, &call.id, &call.name, now)
            {
                let own = kept.signature.clone().filter(|signature| signature.origin == origin);
                call.signature = call.signature.take().or(own);
                let thoughts = kept.thoughts.iter().filter(|part| is_of(part, origin)).cloned();
                found |= kept.thoughts.iter().any(|part| is_of(part, origin));
                // The thoughts come first in an answer, before its text.
                let place = if first { 0 } else { parts.len() };
                parts.splice(place..place, thoughts);
                first = false;
            }
            parts.push(part);
        }
        if found {
            // Without a signature they would be other thoughts than those just put back.
            parts.retain(|part| !matches!(part, Part::Thinking(thinking) if thinking.signature.is_none()));
        }
        message.parts = parts;
    }

    fn find(&self, tenant: &TenantId, id: &str, name: &str, now: Mono) -> Option<Arc<Kept>> {
        let kept = self.calls.get(&(tenant.clone(), id.into()))?;
        (&*kept.name == name && now.since(kept.at) < KEPT_FOR).then_some(kept)
    }
}

fn weight(id: &str, kept: &Kept) -> usize {
    let signature = kept.signature.as_ref().map_or(0, |signature| signature.text.len());
    let thoughts: usize = kept.thoughts.iter().map(bytes_of).sum();
    ENTRY_OVERHEAD_BYTES + id.len() + kept.name.len() + signature + thoughts
}

fn bytes_of(part: &Part) -> usize {
    match part {
        Part::Thinking(thinking) => {
            thinking.text.len() + thinking.signature.as_ref().map_or(0, |signature| signature.text.len())
        }
        Part::RedactedThinking { data, .. } => data.len(),
        _ => 0,
    }
}

/// Thoughts that a vendor of this origin takes back.
fn is_of(part: &Part, origin: Origin) -> bool {
    match part {
        Part::Thinking(thinking) => thinking.signature.as_ref().is_some_and(|s| s.origin == origin),
        Part::RedactedThinking { origin: of, .. } => *of == origin,
        _ => false,
    }
}

/// The signed thoughts of one answer, gathered as it comes.
#[derive(Debug, Default)]
pub struct Thoughts {
    /// Being said at this moment.
    open: Thinking,
    /// Since the last call.
    said: Vec<Part>,
    calls: Vec<Called>,
    bytes: usize,
}

/// A call, and what led to it.
#[derive(Debug)]
struct Called {
    id: String,
    name: String,
    thoughts: Vec<Part>,
    signature: Option<Signature>,
}

impl Thoughts {
    /// Those of a whole answer.
    pub fn of(parts: &[Part]) -> Self {
        let mut thoughts = Self::default();
        for part in parts {
            match part {
                Part::Thinking(_) | Part::RedactedThinking { .. } => thoughts.push(part.clone()),
                Part::ToolCall(call) => thoughts.call(&call.id, &call.name, call.signature.as_ref()),
                _ => {}
            }
        }
        thoughts
    }

    /// Takes an event of an answer.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::ThinkingDelta(text) => self.more(text),
            Event::SignatureDelta(signature) => self.sign(signature),
            Event::Part(part @ Part::RedactedThinking { .. }) => self.push(part.clone()),
            Event::ToolCallStart { id, name, signature, .. } => self.call(id, name, signature.as_ref()),
            Event::PartStart(_) | Event::TextDelta(_) => self.close(),
            _ => {}
        }
    }

    /// Takes more thoughts.
    pub fn more(&mut self, text: &str) {
        if self.has_room(text.len()) {
            self.open.text.push_str(text);
        }
    }

    fn sign(&mut self, signature: &Signature) {
        if !self.has_room(signature.text.len()) {
            return;
        }
        match &mut self.open.signature {
            Some(before) if before.origin == signature.origin => before.text.push_str(&signature.text),
            place => *place = Some(signature.clone()),
        }
    }

    /// Ends the open thoughts. Without a signature no vendor wants them back.
    pub fn close(&mut self) {
        let thoughts = std::mem::take(&mut self.open);
        if thoughts.signature.is_some() {
            self.said.push(Part::Thinking(thoughts));
        }
    }

    fn push(&mut self, part: Part) {
        self.close();
        if self.has_room(bytes_of(&part)) {
            self.said.push(part);
        }
    }

    fn call(&mut self, id: &str, name: &str, signature: Option<&Signature>) {
        self.close();
        let thoughts = std::mem::take(&mut self.said);
        let signed = signature.map_or(0, |signature| signature.text.len());
        let says_something = !thoughts.is_empty() || signature.is_some();
        if says_something && self.has_room(id.len() + name.len() + signed) {
            let signature = signature.cloned();
            self.calls.push(Called { id: id.to_owned(), name: name.to_owned(), thoughts, signature });
        }
    }

    /// Takes bytes of the bound. Thoughts are worth nothing in part, so all is let go that does not fit.
    fn has_room(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        let fits = self.bytes <= MAX_ANSWER_BYTES;
        if !fits {
            *self = Self { bytes: self.bytes, ..Self::default() };
        }
        fits
    }
}

#[cfg(test)]
mod tests;
