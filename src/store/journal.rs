//! Reads the journal in order, across its days, and checks that no batch is
//! missing, changed or out of place.

use super::batch::{BadBatch, Batch, Digest};
use super::disk::{DiskError, EachRow, Reader};
use super::options::StoreError;
use crate::ledger::day_text;
use std::fmt;
use std::ops::ControlFlow;

pub(super) const KEPT_KEY: &[u8] = b"kept";

/// Where the journal begins, after retention.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Kept {
    /// Sequence number of the first batch.
    pub(super) first: u64,
    /// Digest of the batch before it.
    pub(super) before: Digest,
    /// The first day that was kept, if any was dropped.
    pub(super) day: Option<i64>,
}

impl Kept {
    const ALL: Self = Self { first: 1, before: [0; 32], day: None };
}

/// Checks each batch against the one before.
pub(super) struct Chain {
    next: u64,
    head: Option<Digest>,
}

impl Chain {
    /// `before` is the digest before batch `next`, if it is known.
    pub(super) fn new(next: u64, before: Option<Digest>) -> Self {
        Self { next, head: before }
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn head(&self) -> Digest {
        self.head.unwrap_or_default()
    }

    /// The batch, if it is the next one and whole.
    pub(super) fn check<'v>(
        &mut self,
        day: i64,
        sequence: u64,
        value: &'v [u8],
    ) -> Result<Batch<'v>, StoreError> {
        self.try_check(sequence, value).map_err(|what| damaged(day, sequence, what))
    }

    /// Like `check`; goes on after the batch whatever is wrong with it, so that
    /// the next problem is a new one.
    pub(super) fn try_check<'v>(&mut self, sequence: u64, value: &'v [u8]) -> Result<Batch<'v>, ChainError> {
        let expected = std::mem::replace(&mut self.next, sequence.saturating_add(1));
        let before = self.head.take();
        let batch = Batch::read(sequence, value).map_err(ChainError::Bad)?;
        self.head = Some(batch.digest);
        if sequence != expected {
            return Err(ChainError::Gap(expected));
        }
        if before.is_some_and(|before| before != batch.before) {
            return Err(ChainError::Broken);
        }
        Ok(batch)
    }
}

/// What is wrong with a batch; the text completes "batch 7 of 2026-11-20 …".
#[derive(Debug, thiserror::Error)]
pub(super) enum ChainError {
    #[error(transparent)]
    Bad(BadBatch),
    #[error("comes where batch {0} should be, which is missing")]
    Gap(u64),
    #[error("does not follow from the batch before")]
    Broken,
}

/// Called with day, sequence number and value of each batch; an error ends the walk.
pub(super) type EachBatch<'a> = dyn FnMut(i64, u64, &[u8]) -> Result<(), StoreError> + 'a;

/// The journal and the state tree, for reading.
pub(super) struct Journal(Box<dyn Reader>);

impl Journal {
    pub(super) fn new(reader: Box<dyn Reader>) -> Self {
        Self(reader)
    }

    pub(super) fn days(&self) -> Result<Vec<i64>, StoreError> {
        self.0.days().map_err(unreadable)
    }

    pub(super) fn kept(&self) -> Result<Kept, StoreError> {
        let value = self.get(KEPT_KEY)?;
        Ok(value.and_then(|value| postcard::from_bytes(&value).ok()).unwrap_or(Kept::ALL))
    }

    /// Sequence number of the last batch.
    pub(super) fn last(&self) -> Result<Option<u64>, StoreError> {
        for day in self.days()?.into_iter().rev() {
            if let Some((sequence, _)) = self.0.last(day).map_err(unreadable)? {
                return Ok(Some(sequence));
            }
        }
        Ok(None)
    }

    /// Sequence number and digest of a day's last batch.
    pub(super) fn last_of(&self, day: i64) -> Result<Option<(u64, Digest)>, StoreError> {
        let Some((sequence, value)) = self.0.last(day).map_err(unreadable)? else { return Ok(None) };
        let batch = Batch::read(sequence, &value).map_err(|error| damaged(day, sequence, error))?;
        Ok(Some((sequence, batch.digest)))
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(key).map_err(unreadable)
    }

    /// Rows of the state tree; the prefix is cut off their keys.
    pub(super) fn rows(&self, prefix: &[u8], each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        let mut cut = |key: &[u8], value: &[u8]| {
            if let Some(rest) = key.strip_prefix(prefix) {
                each(rest, value);
            }
        };
        self.0.rows(prefix, &mut cut).map_err(unreadable)
    }

    /// Rows of the control tree from a key on, until told to stop.
    pub(super) fn control(&self, from: &[u8], each: EachRow<'_>) -> Result<(), StoreError> {
        self.0.control(from, each).map_err(unreadable)
    }

    pub(super) fn usage_row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.usage_row(key).map_err(unreadable)
    }

    /// Rows of the usage tree from a key on, until told to stop.
    pub(super) fn usage(&self, from: &[u8], each: EachRow<'_>) -> Result<(), StoreError> {
        self.0.usage(from, each).map_err(unreadable)
    }

    /// Days with the number of their last batch, the latest first, as long as that is not before `from`.
    pub(super) fn days_from(&self, from: u64) -> Result<Vec<(i64, u64)>, StoreError> {
        let mut days = Vec::new();
        for day in self.days()?.into_iter().rev() {
            let Some((last, _)) = self.0.last(day).map_err(unreadable)? else { continue };
            if last < from {
                break;
            }
            days.push((day, last));
        }
        Ok(days)
    }

    /// Batches of a day from a number on, until told to stop.
    pub(super) fn batches(
        &self,
        day: i64,
        from: u64,
        each: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.0.scan(day, from, each).map_err(unreadable)
    }

    /// Digest of a batch, or of the one before the first that was kept; `None`: it is not there.
    pub(super) fn digest(&self, sequence: u64, kept: &Kept) -> Result<Option<Digest>, StoreError> {
        if sequence.saturating_add(1) == kept.first {
            return Ok(Some(kept.before));
        }
        let mut digest = None;
        let Some((day, _)) = self.days_from(sequence)?.pop() else { return Ok(None) };
        self.batches(day, sequence, &mut |found, value| {
            if found == sequence {
                digest = Batch::read(sequence, value).ok().map(|batch| batch.digest);
            }
            ControlFlow::Break(())
        })?;
        Ok(digest)
    }

    /// The first batch of a day or of one after it. Batches are of the latest day of their records or
    /// later, so none before it has a record of that day. `None`: there is none.
    pub(super) fn first_of(&self, day: i64) -> Result<Option<u64>, StoreError> {
        let mut first = None;
        for day in self.days()?.into_iter().filter(|one| *one >= day) {
            self.batches(day, 0, &mut |sequence, _| {
                first = Some(sequence);
                ControlFlow::Break(())
            })?;
            if first.is_some() {
                break;
            }
        }
        Ok(first)
    }

    /// Every batch from a sequence number on: day, number, value.
    pub(super) fn walk(&self, from: u64, each: &mut EachBatch<'_>) -> Result<(), StoreError> {
        self.walk_through(from, u64::MAX, each)
    }

    /// The same, up to a last batch.
    pub(super) fn walk_through(
        &self,
        from: u64,
        through: u64,
        each: &mut EachBatch<'_>,
    ) -> Result<(), StoreError> {
        let days = if from <= 1 {
            self.days()?
        } else {
            self.days_from(from)?.into_iter().rev().map(|(day, _)| day).collect()
        };
        let mut over = false;
        for day in days {
            let mut result = Ok(());
            let scan = self.0.scan(day, from, &mut |sequence, value| {
                over = sequence > through;
                if over {
                    return ControlFlow::Break(());
                }
                result = each(day, sequence, value);
                if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            scan.map_err(unreadable)?;
            result?;
            if over {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn damaged(&self, day: i64, sequence: u64, what: impl fmt::Display) -> StoreError {
        damaged(day, sequence, what)
    }
}

fn damaged(day: i64, sequence: u64, what: impl fmt::Display) -> StoreError {
    let day = day_text(day);
    StoreError::Damaged(format!("batch {sequence} of {day} {what}; `ledger verify` lists every problem"))
}

fn unreadable(error: DiskError) -> StoreError {
    StoreError::Damaged(format!("the books cannot be read: {error}"))
}
