//! Identical requests in flight share one vendor call and see it live.
//!
//! A flight is a buffer that the [`Writer`] appends to and that each [`Reader`]
//! reads from the first byte, at its own pace. The vendor call belongs to the
//! task that owns the writer, so a request that leaves, the first included,
//! hands nothing over and disturbs nobody.
//!
//! # Bounds
//!
//! Up to the flight's bound everything is kept, so that anybody may still join.
//! The chunk that would exceed it closes the flight: the table forgets it, and
//! what all its readers have read is released. From then on the writer waits
//! while the slowest reader is a whole bound behind.
//!
//! A reader may hold others up for a limited time: while the writer waits and
//! some reader has read everything, a clock runs. When it has run for the grace
//! in total over the whole flight, the readers that still need the oldest chunk
//! are cut: they get `Failed`. A reader that is alone, or behind together with
//! all others, is never cut; how long it may take is the proxy's business.
//!
//! # Leaving
//!
//! When the last reader leaves before the end, the flight is abandoned for
//! good: nobody can join it any more, and the same request starts a new one.

mod ends;
mod state;

pub use ends::{Reader, Writer};

use super::CacheKey;
use crate::error::Failure;
use bytes::Bytes;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use parking_lot::Mutex;
use state::State;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How long the readers of a flight may hold the others up, in total, unless
/// [`Flights::with_grace`] says otherwise.
const GRACE: Duration = Duration::from_secs(5);

type Table = DashMap<CacheKey, Arc<Flight>, ahash::RandomState>;

/// Identical requests in flight.
pub struct Flights {
    table: Arc<Table>,
    max_bytes: usize,
    grace: Duration,
}

/// The part a request has in a flight.
pub enum Part {
    /// The first: run the vendor call in a task of its own, writing into `Writer`; read from `Reader` like everybody.
    Lead(Writer, Reader),
    /// Another: read along from the first byte.
    Follow(Reader),
}

/// The head of an answer, once.
#[derive(Clone, Debug)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// The `content-type`.
    pub content_type: Arc<str>,
    /// Is it a stream of events?
    pub stream: bool,
    /// The provider that answers.
    pub provider: Arc<str>,
    /// The model that answers, by the vendor's name.
    pub upstream_model: Arc<str>,
    /// Further headers for the caller, in order.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
}

/// What a reader gets, in order: head, chunks, then `End` or `Failed`.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Status and headers; absent when the call failed before them.
    Head(Arc<Head>),
    /// The next bytes, exactly as written.
    Chunk(Bytes),
    /// The answer is complete.
    End,
    /// The answer stays incomplete. May follow any piece but `End`.
    Failed(Failure),
}

impl Flights {
    /// Flights that keep at most `max_bytes` of body each (plus one chunk that is larger by itself).
    pub fn new(max_bytes_per_flight: usize) -> Self {
        Self::with_grace(max_bytes_per_flight, GRACE)
    }

    /// As [`Flights::new`], with the time that slow readers of one flight may hold up the others.
    pub fn with_grace(max_bytes_per_flight: usize, grace: Duration) -> Self {
        Self { table: Arc::new(Table::default()), max_bytes: max_bytes_per_flight, grace }
    }

    /// Joins the flight of `key`, or starts it.
    pub fn join(&self, key: CacheKey) -> Part {
        // Without this look, every follower would allocate the flight it does not start.
        if let Some(seat) = self.table.get(&key).and_then(|flight| Reader::board(&flight)) {
            return Part::Follow(seat);
        }
        let flight = Arc::new(Flight::new(key, self));
        match self.table.entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert(Arc::clone(&flight));
            }
            Entry::Occupied(mut other) => {
                if let Some(seat) = Reader::board(other.get()) {
                    return Part::Follow(seat);
                }
                // Closed, and about to be forgotten by whoever closed it.
                other.insert(Arc::clone(&flight));
            }
        }
        Part::Lead(Writer::new(Arc::clone(&flight)), Reader::first(flight))
    }

    /// How many flights may be joined right now.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Is none in flight?
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

/// What the writer and the readers of one flight share.
///
/// The table's lock may be held while `state` is taken, never the other way
/// round. Whoever waits looks at `state` after it has armed its `Notify`, and
/// whoever changes `state` notifies afterwards, so that no wake-up is lost.
struct Flight {
    key: CacheKey,
    table: Arc<Table>,
    max_bytes: usize,
    grace: Duration,
    state: Mutex<State>,
    /// Wakes all readers that wait for more.
    more: Notify,
    /// Wakes the writer: there is room, somebody waits for more, or all have left.
    room: Notify,
}

impl Flight {
    /// A flight with its first reader aboard.
    fn new(key: CacheKey, flights: &Flights) -> Self {
        Self {
            key,
            table: Arc::clone(&flights.table),
            max_bytes: flights.max_bytes,
            grace: flights.grace,
            state: Mutex::new(State::new()),
            more: Notify::new(),
            room: Notify::new(),
        }
    }

    /// Takes the flight out of the table, unless another has taken its place.
    fn forget(&self) {
        self.table.remove_if(&self.key, |_, flight| std::ptr::eq(Arc::as_ptr(flight), self));
    }
}

#[cfg(test)]
mod tests;
