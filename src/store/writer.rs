//! The one thread that writes: takes groups from the queue, makes batches of
//! them, brings them to the disk, and tells who waits. While the disk refuses
//! it keeps what it has and tries again; the queue fills and slows the callers.

use super::books::{Books, Taken};
pub(super) use super::command::{Command, Followed, Look, Reply};
use super::disk::{Disk, DiskError, Row, Sealed};
use super::journal::Journal;
use super::options::{StoreError, Tuning};
use super::queue::{Entry, Queue, Waiter, closed};
use super::spool::{Predecessor, Spool};
use crate::ledger::wallet::{Movement, Wallets};
use crate::ledger::{Intent, Settlement, day_of};
use crate::types::{Clock, Mono};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Called after each group commit: how long it took, and how many entries.
pub(super) type OnFlush = Box<dyn Fn(Duration, usize) + Send>;

/// What everybody may read at any time.
pub(super) struct Shared {
    pub(super) healthy: AtomicBool,
    pub(super) open_intents: AtomicU64,
    pub(super) appended: AtomicU64,
    pub(super) settled: AtomicU64,
    pub(super) recovered: AtomicU64,
    pub(super) duplicates: AtomicU64,
    pub(super) errors: AtomicU64,
    /// Processes that handed over and may still be running.
    pub(super) predecessors: AtomicU64,
    /// The last batch that is on disk.
    pub(super) through: AtomicU64,
    /// What requests of this process may spend.
    pub(super) wallets: Wallets,
}

impl Shared {
    pub(super) fn new(books: &Books, predecessors: &[Predecessor]) -> Self {
        // The last of them has noted what is left to all that came before.
        let leased = predecessors.last().map_or(&[][..], Predecessor::leases);

        Self {
            healthy: AtomicBool::new(true),
            open_intents: AtomicU64::new(books.open().len() as u64),
            appended: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            recovered: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            predecessors: AtomicU64::new(predecessors.len() as u64),
            through: AtomicU64::new(books.through()),
            wallets: Wallets::restored(books.money.balances(), leased),
        }
    }
}

/// See the module.
pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) shared: Arc<Shared>,
    pub(super) disk: Box<dyn Disk>,
    pub(super) books: Books,
    pub(super) clock: Clock,
    pub(super) tuning: Tuning,
    pub(super) on_flush: OnFlush,
    pub(super) pending: Pending,
    /// Where spools are.
    pub(super) spools: PathBuf,
    /// Where records go since the books were handed over.
    pub(super) spool: Option<Spool>,
    pub(super) predecessors: Vec<Predecessor>,
}

/// What is not on disk yet.
#[derive(Default)]
pub(super) struct Pending {
    batches: Vec<Sealed>,
    pub(super) rows: Vec<Row>,
    /// An error happened: the disk must be opened again and all written again.
    broken: bool,
    /// The store closed while the disk refused; nothing is tried any more.
    pub(super) lost: bool,
}

/// What a group did, to be told when it is on disk.
#[derive(Default)]
pub(super) struct Group {
    waiters: Vec<Waiter>,
    places: usize,
    entries: usize,
    pub(super) settled: u64,
    recovered: u64,
    duplicates: u64,
    /// Movements that live wallets learn of when they are on disk.
    pub(super) foreign: Vec<Movement>,
}

impl Group {
    pub(super) fn count(&mut self, taken: Taken) {
        match taken {
            Taken::Written => self.entries += 1,
            Taken::Duplicate => self.duplicates += 1,
        }
    }

    pub(super) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    pub(super) fn wait(&mut self, waiter: Option<Waiter>) {
        self.waiters.extend(waiter);
    }
}

/// However the thread ends, nobody waits for it in vain.
struct Farewell(Arc<Queue>, Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.close();
        self.1.healthy.store(false, Relaxed);
    }
}

impl Writer {
    /// Runs until the queue is closed and empty; then everything is on disk,
    /// the state tree tells all of it, and the lock is given back.
    pub(super) fn run(mut self) {
        let _farewell = Farewell(self.queue.clone(), self.shared.clone());
        let mut entries = Vec::new();
        while let Some(commands) = self.queue.take(&mut entries) {
            self.group(&mut entries);
            for command in commands {
                self.answer(command);
            }
        }
        if self.books.since_checkpoint() > 0 && self.spool.is_none() {
            self.checkpoint();
        }
    }

    /// One group commit.
    pub(super) fn group(&mut self, entries: &mut Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        let begun = self.clock.mono();
        let mut group = Group::default();
        for entry in entries.drain(..) {
            group.places += entry.places();
            self.take_in(entry, &mut group);
        }
        self.commit(group, begun);
    }

    /// Brings what was taken in to the disk and tells who waits. `false` when it is lost.
    pub(super) fn commit(&mut self, group: Group, begun: Mono) -> bool {
        self.pending.batches = self.books.seal(day_of(self.clock.wall()));
        let written = !self.pending.batches.is_empty();
        // A group that wrote nothing leaves the projection to one that does.
        let due = self.spool.is_none() && self.books.since_checkpoint() >= self.tuning.checkpoint_records;
        let safe = match (written, due) {
            (false, _) => true,
            (true, false) => self.bring_to_disk(),
            (true, true) => self.checkpoint(),
        };
        if written && safe {
            (self.on_flush)(self.clock.mono().since(begun), group.entries);
        }
        self.tell(group, safe);
        safe
    }

    /// Brings what is pending to the disk, and the projection of all of it.
    pub(super) fn checkpoint(&mut self) -> bool {
        self.pending.rows = self.books.checkpoint();
        let safe = self.bring_to_disk();
        if safe {
            self.books.checkpoint_is_safe();
        }
        safe
    }

    fn take_in(&mut self, entry: Entry, group: &mut Group) {
        match entry {
            Entry::Intent(intent) => self.intent(&intent, group),
            Entry::Strict(intent, waiter) => {
                self.intent(&intent, group);
                group.waiters.push(waiter);
            }
            Entry::Settlement(settlement) => group.settled += self.settlement(&settlement, group),
            Entry::Recovered(settlements, waiter) => {
                for settlement in &settlements {
                    let written = self.recover_one(settlement, group);
                    group.settled += written;
                    group.recovered += written;
                }
                group.waiters.push(waiter);
            }
            Entry::Barrier(waiter) => group.waiters.push(waiter),
            Entry::Moving(moving) => self.moving(moving, group),
        }
    }

    pub(super) fn intent(&mut self, intent: &Intent, group: &mut Group) {
        group.count(self.books.intent(intent));
    }

    pub(super) fn settlement(&mut self, settlement: &Settlement, group: &mut Group) -> u64 {
        let taken = self.books.settlement(settlement);
        group.count(taken);
        if taken == Taken::Duplicate {
            tracing::warn!(request = %settlement.id, "settled a second time; ignored");
        }
        u64::from(taken == Taken::Written)
    }

    fn tell(&self, group: Group, safe: bool) {
        let shared = &self.shared;
        if safe {
            shared.appended.fetch_add(group.entries as u64, Relaxed);
            shared.through.store(self.books.through(), Relaxed);
            shared.settled.fetch_add(group.settled, Relaxed);
            shared.recovered.fetch_add(group.recovered, Relaxed);
            group.foreign.iter().for_each(|movement| shared.wallets.absorb(movement));
        }
        shared.duplicates.fetch_add(group.duplicates, Relaxed);
        shared.open_intents.store(self.books.open().len() as u64, Relaxed);
        self.queue.give_back(group.places);
        for waiter in group.waiters {
            waiter.tell(if safe { Ok(()) } else { Err(closed()) });
        }
    }

    /// Tries until everything pending is on disk. `false` only when the store
    /// was closed meanwhile and the disk went on refusing.
    pub(super) fn bring_to_disk(&mut self) -> bool {
        let (mut wait, longest) = self.tuning.back_off;
        let mut attempts_at_close = 0;
        while !self.pending.lost {
            match self.attempt() {
                Ok(()) => {
                    if !self.shared.healthy.swap(true, Relaxed) {
                        tracing::warn!("the ledger can be written again");
                    }
                    self.pending = Pending::default();
                    return true;
                }
                Err(error) => self.note(&error),
            }
            attempts_at_close += u32::from(self.queue.is_closed());
            if attempts_at_close > self.tuning.attempts_at_close {
                self.give_up();
                break;
            }
            for command in self.queue.pause(wait) {
                command.refuse("the disk refuses, see the log");
            }
            wait = wait.saturating_mul(2).min(longest);
        }
        false
    }

    fn attempt(&mut self) -> Result<(), DiskError> {
        if let Some(spool) = &mut self.spool {
            return spool.append(&self.pending.batches).map_err(|error| DiskError::Io(error.to_string()));
        }
        if std::mem::replace(&mut self.pending.broken, true) {
            self.disk.reopen()?;
        }
        for batches in self.pending.batches.chunk_by(|a, b| a.day == b.day) {
            if let Some(first) = batches.first() {
                self.disk.append(first.day, batches)?;
            }
        }
        if !self.pending.rows.is_empty() {
            self.disk.put(&self.pending.rows)?;
        }
        self.disk.flush()?;
        self.pending.broken = false;
        Ok(())
    }

    fn note(&mut self, error: &DiskError) {
        self.pending.broken = true;
        self.shared.errors.fetch_add(1, Relaxed);
        if self.shared.healthy.swap(false, Relaxed) {
            tracing::error!(%error, "the ledger cannot be written; entries wait in memory");
        }
    }

    fn give_up(&mut self) {
        let records: u64 = self.pending.batches.iter().map(|batch| u64::from(batch.count)).sum();
        tracing::error!(records, "closed while the disk refuses; these records are lost");
        self.pending.lost = true;
    }

    pub(super) fn answer(&mut self, command: Command) {
        let Some(command) = self.admitted(command) else { return };
        match command {
            Command::Put(rows, reply) => {
                let result = self.put(&rows);
                self.reply(&reply, result);
            }
            Command::Get(key, reply) => {
                let result = self.journal().and_then(|journal| journal.get(&key));
                self.reply(&reply, result);
            }
            Command::Rows(prefix, reply) => {
                let result = self.journal().and_then(|journal| values(&journal, prefix));
                self.reply(&reply, result);
            }
            Command::PutControl(rows, reply) => {
                let result = self.disk.put_control(&rows).and_then(|()| self.disk.flush());
                let result = self.after(result);
                self.reply(&reply, result);
            }
            Command::PutUsage(rows, reply) => {
                let result = self.disk.put_usage(&rows).and_then(|()| self.disk.flush());
                let result = self.after(result);
                self.reply(&reply, result);
            }
            Command::Follow(reply) => {
                let (through, kept) = (self.books.through(), self.books.kept);
                let result = self.journal().map(|journal| Followed { journal, through, kept });
                self.reply(&reply, result);
            }
            Command::Spent(reply) => self.reply(&reply, Ok(self.books.spending())),
            Command::Tallies(reply) => {
                let known = (self.books.meters.fingerprints(), self.books.meters.tallies());
                self.reply(&reply, Ok(known));
            }
            Command::CountBy(count, reply) => {
                let result = self.count_by(*count);
                self.reply(&reply, result);
            }
            Command::Balances(reply) => self.reply(&reply, Ok(self.books.money.balances().clone())),
            Command::WasDone(operations, reply) => {
                let balances = self.books.money.balances();
                let done = operations.iter().any(|id| balances.done(id).is_some());
                self.reply(&reply, Ok(done));
            }
            Command::Operate(operation, reply) => {
                let result = self.operate(&operation);
                self.reply(&reply, result);
            }
            Command::Inherit(reply) => {
                let heritage = self.inherit();
                self.reply(&reply, Ok(heritage));
            }
            Command::HandOver(reply) => {
                let result = self.hand_over();
                self.reply(&reply, result);
            }
            Command::TakeBack(reply) => {
                let result = self.take_back();
                self.reply(&reply, result);
            }
            Command::Look(reply) => {
                let result = self.look();
                self.reply(&reply, result);
            }
            Command::Doom(before, reach, last, reply) => {
                let result = self.doom(before, reach, last);
                self.reply(&reply, result);
            }
            Command::DropDays(doomed, carry, reply) => {
                let result = self.drop_days(&doomed, carry.as_deref());
                self.reply(&reply, result);
            }
        }
    }

    /// Who asked may have gone; that is not our business.
    fn reply<T>(&self, to: &Reply<T>, result: Result<T, StoreError>) {
        let _ = to.send(result);
    }

    pub(super) fn journal(&self) -> Result<Journal, StoreError> {
        self.disk.reader().map(Journal::new).map_err(|error| StoreError::Write(error.to_string()))
    }

    fn look(&self) -> Result<Look, StoreError> {
        Ok(Look {
            journal: self.journal()?,
            through: self.books.through(),
            promised: self.books.through(),
            in_flight: self.books.open().ids().collect(),
            spending: self.books.spending(),
            kept: self.books.kept,
            balances: self.books.money.balances().clone(),
        })
    }

    /// Unlike entries, rows are not tried again: who asked is told. But the
    /// disk is brought back before anything else happens.
    pub(super) fn put(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        let result = self.disk.put(rows).and_then(|()| self.disk.flush());
        self.after(result)
    }

    pub(super) fn after<T>(&mut self, result: Result<T, DiskError>) -> Result<T, StoreError> {
        result.map_err(|error| {
            self.note(&error);
            self.bring_to_disk();
            StoreError::Write(error.to_string())
        })
    }
}

fn values(journal: &Journal, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut values = Vec::new();
    journal.rows(prefix, &mut |_, value| values.push(value.to_vec()))?;
    Ok(values)
}
