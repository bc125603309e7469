//! Which batches have calls of somebody, and which have records of a time, so
//! that calls are found without reading days of the journal.

use super::rows::{CALLS, SPANS};
use crate::ledger::usage::Grain;
use crate::store::disk::Row;
use crate::store::journal::Journal;
use crate::store::options::StoreError;
use crate::types::Wall;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, RangeInclusive};

/// A row of calls is about so many batches.
const BLOCK_BITS: u32 = 12;
const BLOCK: u64 = 1 << BLOCK_BITS;

/// What is in memory only.
#[derive(Default)]
pub(super) struct Index {
    calls: BTreeMap<(u32, u64), BTreeSet<u16>>,
    /// First and last batch, by quarter of an hour.
    spans: BTreeMap<u32, (u64, u64)>,
}

fn calls_key(who: u32, block: u64) -> Vec<u8> {
    [&[CALLS][..], &who.to_be_bytes(), &block.to_be_bytes()].concat()
}

fn span_key(quarter: u32) -> Vec<u8> {
    [&[SPANS][..], &quarter.to_be_bytes()].concat()
}

fn quarter_of(at: Wall) -> u32 {
    Grain::Quarter.slot_of(at.seconds())
}

fn widened(known: Option<(u64, u64)>, (first, last): (u64, u64)) -> (u64, u64) {
    known.map_or((first, last), |known| (known.0.min(first), known.1.max(last)))
}

fn read_span(value: &[u8]) -> Option<(u64, u64)> {
    let (first, last) = value.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*first), u64::from_be_bytes(last.try_into().ok()?)))
}

impl Index {
    /// A batch has a call of somebody.
    pub(super) fn call(&mut self, who: u32, sequence: u64) {
        // What is left of a division by a block fits.
        let place = u16::try_from(sequence % BLOCK).unwrap_or_default();
        self.calls.entry((who, sequence >> BLOCK_BITS)).or_default().insert(place);
    }

    /// A batch has a record of a time.
    pub(super) fn record(&mut self, at: Wall, sequence: u64) {
        let span = self.spans.entry(quarter_of(at)).or_insert((sequence, sequence));
        *span = widened(Some(*span), (sequence, sequence));
    }

    pub(super) fn all_saved(&mut self) {
        *self = Self::default();
    }

    /// The rows of the disk after this was added to them.
    pub(super) fn added(&self, journal: &Journal) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        for ((who, block), places) in &self.calls {
            let key = calls_key(*who, *block);
            let mut all = journal.usage_row(&key)?.map(|value| read_places(&value)).unwrap_or_default();
            all.extend(places);
            let value = all.iter().flat_map(|place| place.to_be_bytes()).collect();
            rows.push((key, Some(value)));
        }
        for (quarter, span) in &self.spans {
            let key = span_key(*quarter);
            let known = journal.usage_row(&key)?.as_deref().and_then(read_span);
            let (first, last) = widened(known, *span);
            rows.push((key, Some([first.to_be_bytes(), last.to_be_bytes()].concat())));
        }
        Ok(rows)
    }

    /// Batches that may have records with `from <= at < to`.
    pub(super) fn span(
        &self,
        journal: &Journal,
        from: Wall,
        to: Wall,
    ) -> Result<Option<(u64, u64)>, StoreError> {
        let quarters: RangeInclusive<u32> = quarter_of(from)..=quarter_of(to);
        let end = span_key(*quarters.end());
        let mut found = None;
        journal.usage(&span_key(*quarters.start()), &mut |key, value| {
            if key > end.as_slice() {
                return ControlFlow::Break(());
            }
            if let Some(span) = read_span(value) {
                found = Some(widened(found, span));
            }
            ControlFlow::Continue(())
        })?;
        if !quarters.is_empty() {
            for span in self.spans.range(quarters).map(|(_, span)| *span) {
                found = Some(widened(found, span));
            }
        }
        Ok(found)
    }

    /// Batches of one block that have calls of any of these, from the last to the first.
    pub(super) fn block(&self, journal: &Journal, whos: &[u32], block: u64) -> Result<Vec<u64>, StoreError> {
        let mut all = BTreeSet::new();
        for who in whos {
            if let Some(value) = journal.usage_row(&calls_key(*who, block))? {
                all.extend(read_places(&value));
            }
            if let Some(places) = self.calls.get(&(*who, block)) {
                all.extend(places);
            }
        }
        Ok(all.into_iter().rev().map(|place| (block << BLOCK_BITS) + u64::from(place)).collect())
    }
}

/// The block that a batch is in.
pub(super) fn block_of(sequence: u64) -> u64 {
    sequence >> BLOCK_BITS
}

fn read_places(value: &[u8]) -> BTreeSet<u16> {
    let (places, _) = value.as_chunks::<2>();
    places.iter().map(|place| u16::from_be_bytes(*place)).collect()
}

/// Rows about batches that are gone.
pub(super) fn of_dropped(journal: &Journal, first_kept: u64, most: usize) -> Result<Vec<Row>, StoreError> {
    let mut old = Vec::new();
    journal.usage(&[CALLS], &mut |key, _| {
        let block = key.get(5..).and_then(|block| block.try_into().ok()).map(u64::from_be_bytes);
        match block {
            Some(block) if key.first() == Some(&CALLS) => {
                if (block + 1) << BLOCK_BITS <= first_kept {
                    old.push((key.to_vec(), None));
                }
            }
            _ => return ControlFlow::Break(()),
        }
        if old.len() >= most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(old)
}
