//! Sums of usage and the way to single calls: follows the journal beside the
//! writer, on a thread of its own, and keeps what it finds in a tree of its own.
//!
//! What was read but not written yet is in memory, and answers add it to what
//! is on disk. Rows and the *position* (the batch up to which they count) are
//! written in one step, so after a crash the rows are those of the position,
//! and the rest of the journal is read again. When the position does not fit
//! the journal, everything is made anew.

mod ask;
mod calls;
mod fill;
mod index;
mod position;
mod rows;
mod state;

pub use calls::{Called, CallsPage, Cursor, Story, Wanted};

use super::options::StoreError;
use super::queue::{Queue, closed};
use super::writer::{Command, Followed, Reply, Shared};
use crate::ledger::usage::{Choice, Group, Names, NoAnswer, Question, answer};
use crate::ledger::{Record, day_text};
use crate::types::{Clock, RequestId};
use parking_lot::{Condvar, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use rows::Disk;
use state::State;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the follower looks whether the journal has grown.
const LOOKS_EVERY: Duration = Duration::from_secs(2);
/// What is in memory only is at most so many looks old.
const LOOKS_PER_SAVE: u32 = 300;
/// So many records are in memory only, at most.
const RECORDS_PER_SAVE: u64 = 50_000;
/// Somebody who asks waits for at most so many records to be read; what is left is told as missing.
const RECORDS_FOR_A_QUESTION: u64 = 200_000;

/// How far the sums go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// The last batch that counts.
    pub through: u64,
    /// Batches that are on disk and do not count yet.
    pub behind: u64,
}

/// What making the sums anew came to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rebuilt {
    /// Records that were read.
    pub records: u64,
    /// The first day (UTC) that was made anew; earlier ones are as they were, because their records were
    /// dropped. `null`: everything was.
    pub since: Option<String>,
}

/// See the module. Locks are taken before the writer is asked, never the other way round.
pub(super) struct UsageBooks {
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    clock: Clock,
    /// `None` until it is first needed, and after an error.
    state: RwLock<Option<State>>,
    /// As in `state`, to be read without waiting.
    through: AtomicU64,
    stop: Mutex<bool>,
    wake: Condvar,
}

impl UsageBooks {
    pub(super) fn new(queue: Arc<Queue>, shared: Arc<Shared>, clock: Clock) -> Self {
        Self {
            queue,
            shared,
            clock,
            state: RwLock::new(None),
            through: AtomicU64::new(0),
            stop: Mutex::new(false),
            wake: Condvar::new(),
        }
    }

    /// Starts the follower; it ends with [`UsageBooks::stop`].
    pub(super) fn follow(self: &Arc<Self>) -> std::io::Result<JoinHandle<()>> {
        let books = Arc::clone(self);
        std::thread::Builder::new().name("usage".into()).spawn(move || books.run())
    }

    fn run(&self) {
        let mut looks = 0;
        loop {
            let mut stop = self.stop.lock();
            if !*stop {
                self.wake.wait_for(&mut stop, LOOKS_EVERY);
            }
            let stopped = *stop;
            drop(stop);
            if stopped {
                break;
            }
            looks += 1;
            if self.shared.through.load(Relaxed) != self.through.load(Relaxed) {
                self.look();
            }
            if looks >= LOOKS_PER_SAVE {
                looks = 0;
                self.save_what_there_is();
            }
        }
        self.save_what_there_is();
    }

    /// Ends the follower, which first saves what is only in memory. To be called before the queue closes.
    pub(super) fn stop(&self) {
        *self.stop.lock() = true;
        self.wake.notify_all();
    }

    /// Reads on until it is at the end, in steps, so that who asks gets a turn.
    fn look(&self) {
        loop {
            match self.read_on(RECORDS_PER_SAVE) {
                Ok(guard) if guard.as_ref().is_some_and(|state| !state.is_behind()) => return,
                Ok(_) => {}
                // The books are handed over, or the disk refuses: the next look tries again.
                Err(error) => return tracing::debug!(%error, "the sums of usage could not follow"),
            }
            if *self.stop.lock() {
                return;
            }
        }
    }

    fn save_what_there_is(&self) {
        let mut guard = self.state.write();
        if guard.as_ref().is_some_and(State::is_unsaved)
            && let Err(error) = self.save(&mut guard)
        {
            tracing::debug!(%error, "the sums of usage could not be saved");
        }
    }

    fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, StoreError> {
        let (sender, receiver) = sync_channel(1);
        self.queue.ask(command(sender))?;
        receiver.recv().map_err(|_| closed())?
    }

    /// Reads at most about so many records on. On any error memory is forgotten: it may say more than
    /// the disk, or less.
    fn read_on(&self, records: u64) -> Result<RwLockWriteGuard<'_, Option<State>>, StoreError> {
        let mut guard = self.state.write();
        let result = self.try_read_on(&mut guard, records);
        self.after(guard, result)
    }

    fn after<'a>(
        &self,
        mut guard: RwLockWriteGuard<'a, Option<State>>,
        result: Result<(), StoreError>,
    ) -> Result<RwLockWriteGuard<'a, Option<State>>, StoreError> {
        match result {
            Ok(()) => {
                let through = guard.as_ref().map_or(0, State::through);
                self.through.store(through, Relaxed);
                Ok(guard)
            }
            Err(error) => {
                *guard = None;
                Err(error)
            }
        }
    }

    fn try_read_on(&self, guard: &mut Option<State>, records: u64) -> Result<(), StoreError> {
        let mut followed = self.ask(Command::Follow)?;
        // Another process may have had the books in between.
        if guard.as_ref().is_none_or(|state| !state.is_of(&followed)) {
            let (state, stale) = State::load(&followed)?;
            if let Some(stale) = stale {
                followed = self.clear(state, stale, followed, guard)?;
            } else {
                *guard = Some(state);
            }
        }
        let Some(state) = guard else { return Err(closed()) };
        let mut left = records;
        while left > 0 && state.through() < followed.through {
            let room = RECORDS_PER_SAVE.saturating_sub(state.unsaved()).clamp(1, left);
            left = left.saturating_sub(state.fold(&followed, room)?.max(1));
            if state.unsaved() >= RECORDS_PER_SAVE {
                self.save_state(state, &followed)?;
            }
        }
        state.set_end(followed.through);
        Ok(())
    }

    /// Removes rows that do not count, in steps; the position says that this is going on.
    fn clear(
        &self,
        mut state: State,
        stale: position::Stale,
        mut followed: Followed,
        guard: &mut Option<State>,
    ) -> Result<Followed, StoreError> {
        tracing::info!(why = stale.why(), "the sums of usage are made anew from the journal");
        self.ask(|reply| Command::PutUsage(vec![state.begin_clearing()], reply))?;
        loop {
            let rows = rows::to_clear(&followed.journal, stale.day())?;
            if rows.is_empty() {
                break;
            }
            self.ask(|reply| Command::PutUsage(rows, reply))?;
            // What is looked at may be how things were when it was asked for.
            followed = self.ask(Command::Follow)?;
        }
        self.ask(|reply| Command::PutUsage(vec![state.end_clearing()], reply))?;
        *guard = Some(state);
        Ok(followed)
    }

    fn save(&self, guard: &mut Option<State>) -> Result<(), StoreError> {
        let Some(state) = guard else { return Ok(()) };
        let result = self.ask(Command::Follow).and_then(|followed| {
            if !state.is_of(&followed) {
                return Err(StoreError::Write("another process had the books".into()));
            }
            self.save_state(state, &followed)
        });
        if result.is_err() {
            *guard = None;
        }
        result
    }

    fn save_state(&self, state: &mut State, followed: &Followed) -> Result<(), StoreError> {
        let (rows, position) = state.rows_to_save(followed, self.clock.wall())?;
        self.ask(|reply| Command::PutUsage(rows, reply))?;
        state.saved(position);
        Ok(())
    }

    /// Lets somebody look, after everything that is on disk was read, or nearly.
    fn with<T>(
        &self,
        work: impl FnOnce(&State, &Followed) -> Result<T, NoAnswer>,
    ) -> Result<(T, Freshness), NoAnswer> {
        let told = |error: StoreError| NoAnswer::Disk(error.to_string());
        let guard = self.read_on(RECORDS_FOR_A_QUESTION).map_err(told)?;
        let guard: RwLockReadGuard<'_, Option<State>> = RwLockWriteGuard::downgrade(guard);
        let followed = self.ask(Command::Follow).map_err(told)?;
        let Some(state) = guard.as_ref() else { return Err(told(closed())) };
        let freshness =
            Freshness { through: state.through(), behind: followed.through.saturating_sub(state.through()) };
        Ok((work(state, &followed)?, freshness))
    }

    pub(super) fn answer(&self, question: &Question) -> Result<(Vec<Group>, Freshness), NoAnswer> {
        self.with(|state, followed| {
            answer(question, state.names(), state.sums(), &Disk { journal: &followed.journal })
        })
    }

    pub(super) fn names<T>(&self, work: impl FnOnce(&Names) -> T) -> Result<T, NoAnswer> {
        self.with(|state, _| Ok(work(state.names()))).map(|(value, _)| value)
    }

    pub(super) fn began(&self) -> Result<Option<i64>, NoAnswer> {
        let found = self.with(|state, followed| {
            let on_disk = rows::first_day(&followed.journal).map_err(|e| NoAnswer::Disk(e.to_string()))?;
            Ok(on_disk.into_iter().chain(state.first_day()).min())
        });
        found.map(|(day, _)| day)
    }

    pub(super) fn calls(&self, wanted: &Wanted<'_>) -> Result<CallsPage, NoAnswer> {
        self.with(|state, followed| calls::page(state, followed, wanted)).map(|(page, _)| page)
    }

    pub(super) fn story(&self, id: RequestId, choice: &Choice) -> Result<Option<Story>, NoAnswer> {
        let records: Vec<Record> = self
            .with(|state, followed| calls::records_of(state, followed, id))
            .map(|(records, _)| records)?;
        Ok(Story::of(records).filter(|story| calls::fits(choice, &story.settlement)))
    }

    /// Everything anew, as far as the journal goes back.
    pub(super) fn rebuild(&self) -> Result<Rebuilt, StoreError> {
        let mut guard = self.state.write();
        let followed = self.ask(Command::Follow)?;
        let mut fresh = None;
        let result = (|| {
            let (state, stale) = State::anew(&followed)?;
            let since = stale.day();
            let followed = self.clear(state, stale, followed, &mut fresh)?;
            let Some(state) = &mut fresh else { return Err(closed()) };
            let mut records = 0;
            while state.through() < followed.through {
                records += state.fold(&followed, RECORDS_PER_SAVE)?;
                self.save_state(state, &followed)?;
            }
            state.set_end(followed.through);
            Ok(Rebuilt { records, since: since.map(day_text) })
        })();
        *guard = fresh.filter(|_| result.is_ok());
        let through = guard.as_ref().map_or(0, State::through);
        self.through.store(through, Relaxed);
        result
    }

    /// Does something while nobody reads sums or calls.
    pub(super) fn quietly<T>(&self, work: impl FnOnce() -> T) -> T {
        let _guard = self.state.write();
        work()
    }

    /// Saves everything up to now, so that old days of the journal may go.
    pub(super) fn catch_up(&self) -> Result<(), StoreError> {
        loop {
            let mut guard = self.read_on(RECORDS_PER_SAVE)?;
            if guard.as_ref().is_some_and(|state| !state.is_behind()) {
                return self.save(&mut guard);
            }
        }
    }
}

#[cfg(test)]
mod tests;
