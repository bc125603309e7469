//! What the follower knows: how far it has read, and what it has not written.

use super::index::{self, Index};
use super::position::{self, KEY, Position, Stale};
use super::rows::{self, NAMES};
use crate::ledger::day_of;
use crate::ledger::usage::{Fold, Grain, MINUTES_KEPT, Names, View, minute_of, spread};
use crate::store::batch::Batch;
use crate::store::disk::Row;
use crate::store::journal::{Chain, Journal};
use crate::store::options::StoreError;
use crate::store::writer::Followed;
use crate::types::Wall;
use std::ops::ControlFlow;
use std::time::Duration;

/// So many rows about dropped batches go at once.
const DROPPED_AT_ONCE: usize = 20_000;

/// See the module.
pub(super) struct State {
    names: Names,
    fold: Fold,
    index: Index,
    /// Memory and disk together count every batch up to this.
    position: Position,
    /// What the disk says; `None`: nothing.
    on_disk: Option<Vec<u8>>,
    /// Records that are in memory only.
    unsaved: u64,
    /// The last batch when it was last looked.
    end: u64,
    /// Rows about batches before this one are gone.
    dropped_to: u64,
}

impl State {
    /// What the disk says, and the rows of it that must go first.
    pub(super) fn load(followed: &Followed) -> Result<(Self, Option<Stale>), StoreError> {
        let (position, stale) = position::found(followed)?;
        let mut state = Self::at(position, followed)?;
        if stale.is_none() {
            state.remember_last(&followed.journal)?;
        }
        Ok((state, stale))
    }

    /// As if the disk said nothing that the journal can tell.
    pub(super) fn anew(followed: &Followed) -> Result<(Self, Stale), StoreError> {
        let (position, stale) = position::anew(followed)?;
        Ok((Self::at(position, followed)?, stale))
    }

    fn at(position: Position, followed: &Followed) -> Result<Self, StoreError> {
        let mut names = Names::default();
        let mut readable = true;
        followed.journal.usage(&[NAMES], &mut |key, value| match key.split_first() {
            Some((&NAMES, rest)) => {
                readable &= names.load(rest, value).is_some();
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break(()),
        })?;
        if !readable {
            return Err(StoreError::Damaged("names of the sums of usage cannot be read".into()));
        }
        names.all_saved();
        Ok(Self {
            names,
            fold: Fold::default(),
            index: Index::default(),
            position,
            on_disk: followed.journal.usage_row(KEY)?,
            unsaved: 0,
            end: followed.through,
            dropped_to: 0,
        })
    }

    /// A charge may come in the batch after that of its settlement.
    fn remember_last(&mut self, journal: &Journal) -> Result<(), StoreError> {
        let last = self.position.through;
        let Some((day, _)) = journal.days_from(last)?.pop() else { return Ok(()) };
        let (fold, names) = (&mut self.fold, &mut self.names);
        fold.begin_batch();
        journal.batches(day, last, &mut |sequence, value| {
            if sequence == last
                && let Ok(batch) = Batch::read(sequence, value)
            {
                // What cannot be read is told by who reads it first.
                let _ = batch.each(|record| fold.remember(&record, names));
            }
            ControlFlow::Break(())
        })
    }

    /// Is the disk as this state left it?
    pub(super) fn is_of(&self, followed: &Followed) -> bool {
        let same = followed.journal.usage_row(KEY).is_ok_and(|value| value == self.on_disk);
        same && self.position.through <= followed.through
            && self.position.through.saturating_add(1) >= followed.kept.first
    }

    /// Reads on: at least a batch, and about so many records. Gives how many.
    pub(super) fn fold(&mut self, followed: &Followed, records: u64) -> Result<u64, StoreError> {
        let from = self.position.through.saturating_add(1);
        let mut chain = Chain::new(from, Some(self.position.head));
        let mut seen = 0;
        let mut days = followed.journal.days_from(from)?;
        while let Some((day, _)) = days.pop() {
            let mut result = Ok(());
            followed.journal.batches(day, chain.next(), &mut |sequence, value| {
                if sequence > followed.through || seen >= records {
                    return ControlFlow::Break(());
                }
                result = self.batch(&mut chain, day, sequence, value, &mut seen);
                if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            result?;
            if seen >= records {
                break;
            }
        }
        self.unsaved = self.unsaved.saturating_add(seen);
        // A journal without the batch that it says it has would be asked for it for ever.
        if self.position.through < from {
            return Err(StoreError::Damaged(format!("batch {from} of the journal is missing")));
        }
        Ok(seen)
    }

    fn batch(
        &mut self,
        chain: &mut Chain,
        day: i64,
        sequence: u64,
        value: &[u8],
        seen: &mut u64,
    ) -> Result<(), StoreError> {
        let batch = chain.check(day, sequence, value)?;
        let since = self.position.counts_from(sequence);
        self.fold.begin_batch();
        let read = batch.each(|record| {
            *seen += 1;
            self.index.record(record.at(), sequence);
            if let Some(who) = self.fold.take(&record, &mut self.names, since) {
                self.index.call(who, sequence);
            }
        });
        read.map_err(|error| StoreError::Damaged(format!("batch {sequence} {error}")))?;
        (self.position.through, self.position.head) = (sequence, chain.head());
        Ok(())
    }

    /// Everything that the disk lacks, and the position that it then has.
    pub(super) fn rows_to_save(
        &mut self,
        followed: &Followed,
        now: Wall,
    ) -> Result<(Vec<Row>, Row), StoreError> {
        let journal = &followed.journal;
        let kept = Duration::from_secs(MINUTES_KEPT.unsigned_abs());
        let minutes_from =
            minute_of(Wall(now.0.saturating_sub(i64::try_from(kept.as_micros()).unwrap_or(0))));
        let mut rows = Vec::new();
        for view in View::ALL {
            for grain in view.grains() {
                let pages = spread(&self.fold, &self.names, view, *grain, minutes_from);
                rows.extend(rows::added(journal, pages)?);
            }
        }
        rows.extend(self.index.added(journal)?);
        let names = self.names.unsaved().into_iter();
        rows.extend(names.map(|(key, value)| ([&[NAMES][..], &key].concat(), Some(value))));
        rows.extend(rows::old_minutes(journal, now.seconds())?);
        if self.dropped_to < followed.kept.first {
            let old = index::of_dropped(journal, followed.kept.first, DROPPED_AT_ONCE)?;
            if old.len() < DROPPED_AT_ONCE {
                self.dropped_to = followed.kept.first;
            }
            rows.extend(old);
        }
        let position = self.position.row();
        rows.push(position.clone());
        Ok((rows, position))
    }

    /// They are on disk.
    pub(super) fn saved(&mut self, position: Row) {
        self.on_disk = position.1;
        self.names.all_saved();
        self.fold.all_saved();
        self.index.all_saved();
        self.unsaved = 0;
    }

    /// To be on disk before the first row goes.
    pub(super) fn begin_clearing(&mut self) -> Row {
        self.position.clearing = true;
        self.position.row()
    }

    /// To be on disk after the last has gone.
    pub(super) fn end_clearing(&mut self) -> Row {
        self.position.clearing = false;
        let row = self.position.row();
        self.on_disk.clone_from(&row.1);
        row
    }

    pub(super) fn through(&self) -> u64 {
        self.position.through
    }

    pub(super) fn unsaved(&self) -> u64 {
        self.unsaved
    }

    pub(super) fn is_unsaved(&self) -> bool {
        self.unsaved > 0
    }

    pub(super) fn set_end(&mut self, end: u64) {
        self.end = end;
    }

    pub(super) fn is_behind(&self) -> bool {
        self.position.through < self.end
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    pub(super) fn sums(&self) -> &Fold {
        &self.fold
    }

    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// The first day that is in memory only.
    pub(super) fn first_day(&self) -> Option<i64> {
        let first = self.fold.cells().map(|(cell, _)| cell.minute).min()?;
        Some(day_of(Wall(Grain::Minute.start_of(first).saturating_mul(1_000_000))))
    }
}
