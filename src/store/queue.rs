//! The way from the request path to the writer thread: a bounded list that
//! callers wait for without blocking a thread, and that wakes the writer once
//! per group and not once per entry.

use super::money::Moving;
use super::options::{Options, StoreError};
use super::writer::Command;
use crate::ledger::{Intent, Settlement};
use parking_lot::{Condvar, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};

/// Told when an entry is on disk, or that it never will be.
pub(super) enum Waiter {
    Task(oneshot::Sender<Result<(), StoreError>>),
    Thread(std::sync::mpsc::SyncSender<Result<(), StoreError>>),
}

impl Waiter {
    /// Who waits may have gone; that is not our business.
    pub(super) fn tell(self, result: Result<(), StoreError>) {
        match self {
            Waiter::Task(sender) => drop(sender.send(result)),
            Waiter::Thread(sender) => drop(sender.send(result)),
        }
    }
}

/// What callers hand over.
pub(super) enum Entry {
    Intent(Intent),
    Settlement(Settlement),
    /// An intent whose caller waits for the disk.
    Strict(Intent, Waiter),
    /// Somebody waits until everything before is on disk.
    Barrier(Waiter),
    /// All that recovery closes, at once.
    Recovered(Vec<Settlement>, Waiter),
    /// What moves money of a wallet.
    Moving(Moving),
}

impl Entry {
    /// Places in the queue that the entry takes until it is on disk.
    pub(super) fn places(&self) -> usize {
        match self {
            Entry::Intent(_) | Entry::Settlement(_) | Entry::Strict(..) | Entry::Moving(_) => 1,
            Entry::Barrier(_) | Entry::Recovered(..) => 0,
        }
    }

    fn is_urgent(&self) -> bool {
        matches!(
            self,
            Entry::Strict(..)
                | Entry::Barrier(_)
                | Entry::Recovered(..)
                | Entry::Moving(Moving::Held(_, _, Some(_)))
        )
    }
}

/// See the module.
pub(super) struct Queue {
    capacity: usize,
    room: Semaphore,
    flush_interval: Duration,
    flush_entries: usize,
    inner: Mutex<Inner>,
    wake: Condvar,
}

#[derive(Default)]
struct Inner {
    entries: Vec<Entry>,
    commands: Vec<Command>,
    /// When the oldest entry came.
    since: Option<Instant>,
    urgent: bool,
    closed: bool,
}

impl Queue {
    pub(super) fn new(options: &Options) -> Self {
        let capacity = options.queue.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            capacity,
            room: Semaphore::new(capacity),
            flush_interval: options.flush_interval,
            flush_entries: options.flush_entries.clamp(1, capacity),
            inner: Mutex::default(),
            wake: Condvar::new(),
        }
    }

    /// Hands over an entry; waits for room. When the future is dropped while
    /// it waits, nothing was handed over.
    pub(super) async fn push(&self, entry: Entry) -> Result<(), StoreError> {
        if entry.places() > 0 {
            let permit = match self.room.try_acquire() {
                Ok(permit) => permit,
                Err(_) => self.room.acquire().await.map_err(|_| closed())?,
            };
            // Given back by the writer, when the entry is on disk.
            permit.forget();
        }
        self.push_now(entry)
    }

    /// Hands over an entry without asking for room.
    pub(super) fn push_now(&self, entry: Entry) -> Result<(), StoreError> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(closed());
        }
        let urgent = entry.is_urgent();
        inner.entries.push(entry);
        let first = inner.since.is_none();
        if first {
            inner.since = Some(Instant::now());
        }
        let wake = first || (urgent && !inner.urgent) || inner.entries.len() == self.flush_entries;
        inner.urgent |= urgent;
        drop(inner);
        if wake {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Asks the writer something. The command carries the way back.
    pub(super) fn ask(&self, command: Command) -> Result<(), StoreError> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(closed());
        }
        inner.commands.push(command);
        drop(inner);
        self.wake.notify_one();
        Ok(())
    }

    /// For the writer: waits for the next group and moves it to `entries`,
    /// which must be empty. `None` when the queue is closed and empty.
    pub(super) fn take(&self, entries: &mut Vec<Entry>) -> Option<Vec<Command>> {
        let mut inner = self.inner.lock();
        while !self.is_ready(&inner) {
            match inner.since {
                None => self.wake.wait(&mut inner),
                Some(since) => drop(self.wake.wait_until(&mut inner, since + self.flush_interval)),
            }
        }
        if inner.closed && inner.entries.is_empty() && inner.commands.is_empty() {
            return None;
        }
        std::mem::swap(&mut inner.entries, entries);
        (inner.since, inner.urgent) = (None, false);
        Some(std::mem::take(&mut inner.commands))
    }

    /// For the writer: moves what waits to `entries`, which must be empty, without waiting for more.
    pub(super) fn drain(&self, entries: &mut Vec<Entry>) {
        let mut inner = self.inner.lock();
        std::mem::swap(&mut inner.entries, entries);
        (inner.since, inner.urgent) = (None, false);
    }

    fn is_ready(&self, inner: &Inner) -> bool {
        inner.closed
            || inner.urgent
            || !inner.commands.is_empty()
            || inner.entries.len() >= self.flush_entries
            || inner.since.is_some_and(|since| since.elapsed() >= self.flush_interval)
    }

    /// For the writer: entries are on disk, others may come.
    pub(super) fn give_back(&self, places: usize) {
        self.room.add_permits(places);
    }

    /// For the writer, while the disk refuses: waits, but not for entries.
    /// Gives the commands that came, which are to be refused.
    pub(super) fn pause(&self, time: Duration) -> Vec<Command> {
        let until = Instant::now() + time;
        let mut inner = self.inner.lock();
        let closed_before = inner.closed;
        while inner.closed == closed_before && inner.commands.is_empty() {
            if self.wake.wait_until(&mut inner, until).timed_out() {
                break;
            }
        }
        std::mem::take(&mut inner.commands)
    }

    /// Takes nothing more; who waits for room is refused.
    pub(super) fn close(&self) {
        self.inner.lock().closed = true;
        self.room.close();
        self.wake.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.inner.lock().closed
    }

    /// Entries that are not on disk.
    pub(super) fn waiting(&self) -> usize {
        self.capacity.saturating_sub(self.room.available_permits())
    }
}

/// The answer to everything after `close`.
pub(super) fn closed() -> StoreError {
    StoreError::Write("the store is closed".into())
}
