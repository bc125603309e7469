//! Reading whole books: export and verification, beside a running writer or
//! without one.

use super::batch::{BadBatch, Batch};
use super::books::Books;
use super::disk::{Disk, EachRow};
use super::journal::{Chain, ChainError, Journal};
use super::opening;
use super::options::{StoreError, Tuning};
use super::retention::Carry;
use super::spent_of;
use super::writer::Look;
use crate::ledger::wallet::Balances;
use crate::ledger::{Auditor, PriceTable, Record, Report, day_of, day_text};
use crate::limit::Spent;
use crate::types::{KeyId, Wall};
use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::path::Path;

/// The books as they were at one moment, to be read without hurry. Holds
/// sled's lock as long as it lives.
pub struct Archive {
    look: Look,
    /// A hub is running on these books.
    live: bool,
}

impl Archive {
    /// Opens the books of a hub that is not running. Changes nothing in them:
    /// open intents stay open, damage stays where it is, and a spool that an
    /// upgrade left waits for the next start, its records not among these.
    ///
    /// # Errors
    /// [`StoreError::Locked`] while a hub runs; [`StoreError::Damaged`] when
    /// there are no books or they cannot be read.
    pub fn open(dir: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let disk = opening::open_existing(dir, cache_bytes)?;
        Self::of(&disk)
    }

    pub(super) fn of(disk: &dyn Disk) -> Result<Self, StoreError> {
        let reader =
            || disk.reader().map(Journal::new).map_err(|error| StoreError::Damaged(error.to_string()));
        let journal = reader()?;
        let (through, kept) = (journal.last()?.unwrap_or(0), journal.kept()?);
        // What cannot be loaded is for `verify` to report, batch by batch.
        let (spending, in_flight, balances) = match Books::load(&reader()?, Tuning::DEFAULT.batch_bytes) {
            Ok(books) => (books.spending(), books.open().ids().collect(), books.money.balances().clone()),
            Err(error) => {
                tracing::warn!(%error, "sums and open intents are not to be had");
                Default::default()
            }
        };
        let promised = disk.promised().unwrap_or(0).max(through);
        let look = Look { journal, through, promised, in_flight, spending, kept, balances };
        Ok(Self { look, live: false })
    }

    pub(super) fn live(look: Look) -> Self {
        Self { look, live: true }
    }

    /// Is a hub running on these books?
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Intents that have not ended: in flight, or to be closed at the next start.
    pub fn open_intents(&self) -> usize {
        self.look.in_flight.len()
    }

    /// What each key spent in its running day and month.
    pub fn spent(&self) -> HashMap<KeyId, Spent> {
        self.look.spending.iter().map(|(key, spending)| (key.clone(), spent_of(spending))).collect()
    }

    /// What each wallet has.
    pub fn balances(&self) -> &Balances {
        &self.look.balances
    }

    /// Rows of the control tree whose keys begin with `prefix`, ascending, until
    /// told to stop. The prefix is part of the keys that are given.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when sled cannot read.
    pub fn control(&self, prefix: &[u8], each: EachRow<'_>) -> Result<(), StoreError> {
        self.control_from(prefix, prefix, each)
    }

    /// The same, from a key on.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when sled cannot read.
    pub fn control_from(&self, prefix: &[u8], from: &[u8], each: EachRow<'_>) -> Result<(), StoreError> {
        self.look.journal.control(from, &mut |key, value| match key.starts_with(prefix) {
            true => each(key, value),
            false => ControlFlow::Break(()),
        })
    }

    /// Hands out every record whose request came in within `range`, in the
    /// order in which they were written.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] at the first batch that cannot be read.
    pub fn export(&self, range: Range<Wall>, each: &mut dyn FnMut(Record)) -> Result<(), StoreError> {
        let (from, mut chain) = self.chain(self.begins(range.start)?);
        let journal = &self.look.journal;
        journal.walk_through(from, self.look.through, &mut |day, sequence, value| {
            let batch = chain.check(day, sequence, value)?;
            if !batch.overlaps(range.start, range.end) {
                return Ok(());
            }
            let read = batch.each(|record| {
                if range.contains(&record.at()) {
                    each(record);
                }
            });
            read.map_err(|error| journal.damaged(day, sequence, error))
        })
    }

    /// Hands out every record of batches `from` up to `through`, as far as they are there, with the
    /// number of its batch.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] at the first batch that cannot be read.
    pub fn records(
        &self,
        from: u64,
        through: u64,
        each: &mut dyn FnMut(u64, &Record),
    ) -> Result<(), StoreError> {
        let (from, mut chain) = self.chain(from);
        let journal = &self.look.journal;
        journal.walk_through(from, through.min(self.look.through), &mut |day, sequence, value| {
            let batch = chain.check(day, sequence, value)?;
            let read = batch.each(|record| each(sequence, &record));
            read.map_err(|error| journal.damaged(day, sequence, error))
        })
    }

    /// When the first movement that is there was made, in the order of the journal.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when a batch up to it cannot be read.
    pub fn first_movement(&self) -> Result<Option<Wall>, StoreError> {
        let (journal, mut first, mut result) = (&self.look.journal, None, Ok(()));
        for day in journal.days()? {
            journal.batches(day, self.look.kept.first, &mut |sequence, value| {
                let batch = Batch::read(sequence, value);
                let read = batch.and_then(|batch| {
                    batch.each(|record| {
                        if let (None, Record::Movement(movement)) = (first, record) {
                            first = Some(movement.at);
                        }
                    })
                });
                result = read.map_err(|error| journal.damaged(day, sequence, error));
                match first.is_some() || result.is_err() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })?;
            if first.is_some() || result.is_err() {
                break;
            }
        }
        result.map(|()| first)
    }

    /// Where reading begins that is to begin at a batch, and what proves its batches.
    fn chain(&self, from: u64) -> (u64, Chain) {
        let kept = &self.look.kept;
        let from = from.max(kept.first);
        (from, Chain::new(from, (from == kept.first).then_some(kept.before)))
    }

    /// The last batch, and its digest, which proves all before it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when it cannot be read.
    pub fn head(&self) -> Result<(u64, [u8; 32]), StoreError> {
        let through = self.look.through;
        let digest = self.digest(through)?;
        let gone = || StoreError::Damaged(format!("batch {through} is gone"));
        Ok((through, digest.ok_or_else(gone)?))
    }

    /// The digest of a batch, which proves all before it; `None` when it is not there.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when sled cannot read.
    pub fn digest(&self, batch: u64) -> Result<Option<[u8; 32]>, StoreError> {
        self.look.journal.digest(batch, &self.look.kept)
    }

    /// The first batch that was kept; 1 when no day was dropped.
    pub fn first(&self) -> u64 {
        self.look.kept.first
    }

    /// The last day (since the epoch) of which movements of wallets went, if any did.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when sled cannot read, or what was carried over cannot be read.
    pub fn gone(&self) -> Result<Option<i64>, StoreError> {
        Carry::read(&self.look.journal).map(|carry| carry.map(|carry| carry.day))
    }

    /// A batch before which no record that is there is of this time or later.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when sled cannot read.
    pub fn begins(&self, at: Wall) -> Result<u64, StoreError> {
        let end = self.look.through.saturating_add(1);
        Ok(self.look.journal.first_of(day_of(at))?.map_or(end, |first| first.min(end)))
    }

    /// Proves that the books fit: no batch is missing or changed, every intent
    /// ends exactly once, charges follow from their price rows, and the sums of
    /// every key are those of the projection.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when sled cannot read; what is wrong in the
    /// books themselves is in the report.
    pub fn verify(&self, prices: &PriceTable) -> Result<Report, StoreError> {
        let Look { journal, through, promised, in_flight, spending, kept, balances } = &self.look;
        let mut auditor = Auditor::new(prices, kept.day);
        match Carry::read(journal) {
            Ok(carry) => carried_to(&mut auditor, kept.first, carry),
            Err(error) => auditor.problem(error),
        }
        let mut chain = Chain::new(kept.first, Some(kept.before));
        journal.walk(kept.first, &mut |day, sequence, value| {
            if sequence <= *through {
                audit_batch(&mut auditor, &mut chain, day, sequence, value);
            }
            Ok(())
        })?;
        if chain.next() <= *promised {
            auditor.problem(format_args!("batches {} to {promised} were on disk and are gone", chain.next()));
        }
        Ok(auditor.finish(spending, balances, |id| in_flight.contains(&id)))
    }
}

/// What wallets had before the first batch.
fn carried_to(auditor: &mut Auditor<'_>, first: u64, carry: Option<Carry>) {
    let through = first.saturating_sub(1);
    if let Some(carry) = carry.as_ref().filter(|carry| carry.through != through) {
        auditor.problem(format_args!(
            "what wallets had is carried from batch {}, and {through} is the last that went",
            carry.through
        ));
    }
    auditor.carry(through, carry.map(|carry| (carry.digest(), carry.balances)));
}

/// A batch in the wrong place is a problem, and its records still count.
fn audit_batch(auditor: &mut Auditor<'_>, chain: &mut Chain, day: i64, sequence: u64, value: &[u8]) {
    let name = format!("batch {sequence} of {}", day_text(day));
    let batch = match chain.try_check(sequence, value) {
        Ok(batch) => Ok(batch),
        Err(error @ (ChainError::Gap(_) | ChainError::Broken)) => {
            auditor.problem(format_args!("{name} {error}"));
            Batch::read(sequence, value)
        }
        Err(ChainError::Bad(error)) => Err(error),
    };
    auditor.batch();
    let read = batch.and_then(|batch| batch.each(|record| auditor.record(&record, sequence)));
    if let Err(error) = read {
        let error: BadBatch = error;
        auditor.problem(format_args!("{name} {error}"));
    }
}
