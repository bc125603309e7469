//! The keys of the usage tree, and reading and adding to what they hold.
//!
//! ```text
//! p                                                    the position
//! n sort number                                        who, what and how, by number
//! v view grain half head slot part                     sums; minutes have the slot before the head
//! c who block                                          batches that have calls of somebody
//! s quarter                                            batches that have records of a time
//! ```

use crate::ledger::usage::{
    EachPage, Grain, Half, MINUTES_KEPT, NoAnswer, Page, Pages, Rows, Run, View, decode_into, encode,
};
use crate::store::disk::Row;
use crate::store::journal::Journal;
use crate::store::options::StoreError;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

pub(super) const NAMES: u8 = b'n';
const SUMS: u8 = b'v';
pub(super) const CALLS: u8 = b'c';
pub(super) const SPANS: u8 = b's';
/// So many rows are removed in one step.
const CLEARED_AT_ONCE: usize = 20_000;
const HALVES: [Half; 2] = [Half::Numbers, Half::Times];

/// The key of a page's values, without the part.
fn page_key(page: &Page, half: Half) -> Vec<u8> {
    let mut key = vec![SUMS, page.view as u8, page.grain as u8, half as u8];
    let (first, second) = match page.grain {
        Grain::Minute => (page.slot, page.head),
        _ => (page.head, page.slot),
    };
    key.extend_from_slice(&first.to_be_bytes());
    key.extend_from_slice(&second.to_be_bytes());
    key
}

/// The two numbers of a key: head and slot, or slot and head.
fn two_numbers(key: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u32::from_be_bytes(key.get(at..at + 4)?.try_into().ok()?));
    Some((number(4)?, number(8)?))
}

/// Pages on disk.
pub(super) struct Disk<'a> {
    pub(super) journal: &'a Journal,
}

impl Disk<'_> {
    /// Values between two keys that have the first four bytes in common.
    fn between(&self, from: &[u8], to: &[u8], each: EachPage<'_>, minutes: bool) -> Result<(), NoAnswer> {
        let mut row = |key: &[u8], value: &[u8]| {
            if key >= to {
                return ControlFlow::Break(());
            }
            let Some((first, second)) = two_numbers(key) else { return ControlFlow::Break(()) };
            let (head, slot) = if minutes { (second, first) } else { (first, second) };
            each(head, slot, value)
        };
        self.journal.usage(from, &mut row).map_err(|error| NoAnswer::Disk(error.to_string()))
    }
}

impl Pages for Disk<'_> {
    fn read(
        &self,
        view: View,
        run: Run,
        heads: &[u32],
        half: Half,
        each: EachPage<'_>,
    ) -> Result<(), NoAnswer> {
        let key = |head: u32, slot: u32| page_key(&Page { view, grain: run.grain, head, slot }, half);
        if run.grain == Grain::Minute {
            let chosen = &mut |head: u32, slot: u32, value: &[u8]| match heads.binary_search(&head) {
                Ok(_) => each(head, slot, value),
                Err(_) => ControlFlow::Continue(()),
            };
            return self.between(&key(0, run.first), &key(0, run.end), chosen, true);
        }
        for head in heads {
            let mut stopped = false;
            let watched = &mut |head: u32, slot: u32, value: &[u8]| {
                let flow = each(head, slot, value);
                stopped = flow.is_break();
                flow
            };
            self.between(&key(*head, run.first), &key(*head, run.end), watched, false)?;
            if stopped {
                break;
            }
        }
        Ok(())
    }
}

/// The rows of the disk after these sums were added to them.
pub(super) fn added(journal: &Journal, pages: BTreeMap<Page, Rows>) -> Result<Vec<Row>, StoreError> {
    let mut written = Vec::new();
    for (page, new) in pages {
        let mut rows = Rows::new();
        let mut before = [0_u16; HALVES.len()];
        for (half, parts) in HALVES.into_iter().zip(&mut before) {
            *parts = read_page(journal, &page, half, &mut rows)?;
        }
        for (row, sums) in new {
            rows.entry(row).or_default().merge(&sums);
        }
        for (half, parts) in HALVES.into_iter().zip(before) {
            write_page(&page, half, &rows, parts, &mut written);
        }
    }
    Ok(written)
}

/// The rows of a page of which the disk has none.
pub(super) fn page_values(page: &Page, rows: &Rows) -> Vec<Row> {
    let mut written = Vec::new();
    for half in HALVES {
        write_page(page, half, rows, 0, &mut written);
    }
    written
}

/// Gives how many parts there were.
fn read_page(journal: &Journal, page: &Page, half: Half, rows: &mut Rows) -> Result<u16, StoreError> {
    let prefix = page_key(page, half);
    let (mut parts, mut readable) = (0, true);
    journal.usage(&prefix, &mut |key, value| {
        if !key.starts_with(&prefix) {
            return ControlFlow::Break(());
        }
        parts += 1;
        readable &= decode_into(value, half, rows);
        ControlFlow::Continue(())
    })?;
    if readable {
        return Ok(parts);
    }
    Err(StoreError::Damaged("a row of the sums of usage cannot be read; `aigne-hub usage rebuild`".into()))
}

fn write_page(page: &Page, half: Half, rows: &Rows, parts_before: u16, written: &mut Vec<Row>) {
    let prefix = page_key(page, half);
    let key = |part: u16| [prefix.as_slice(), &part.to_be_bytes()].concat();
    let mut parts = 0;
    for value in encode(rows, half) {
        written.push((key(parts), Some(value)));
        parts = parts.saturating_add(1);
    }
    written.extend((parts..parts_before).map(|part| (key(part), None)));
}

/// Some of the rows that must go: sums from a day on, or all sums and the index; nothing when none is
/// left. Names stay, because rows that stay have their numbers.
pub(super) fn to_clear(journal: &Journal, from_day: Option<i64>) -> Result<Vec<Row>, StoreError> {
    let mut doomed: Vec<Row> = Vec::new();
    let sorts: &[u8] = if from_day.is_none() { &[SUMS, CALLS, SPANS] } else { &[SUMS] };
    for sort in sorts {
        journal.usage(&[*sort], &mut |key, _| {
            if key.first() != Some(sort) || doomed.len() >= CLEARED_AT_ONCE {
                return ControlFlow::Break(());
            }
            if from_day.is_none_or(|day| begins_from(key, day)) {
                doomed.push((key.to_vec(), None));
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(doomed)
}

/// Does the slot of a key begin on this day or later?
fn begins_from(key: &[u8], day: i64) -> bool {
    let Some((grain, (first, second))) = key.get(2).and_then(|code| grain_of(*code)).zip(two_numbers(key))
    else {
        return true;
    };
    let slot = if grain == Grain::Minute { first } else { second };
    grain.start_of(slot) >= day.saturating_mul(Grain::Day.seconds())
}

fn grain_of(code: u8) -> Option<Grain> {
    [Grain::Day, Grain::Hour, Grain::Quarter, Grain::Minute].into_iter().find(|grain| *grain as u8 == code)
}

/// Minutes that are not kept any longer.
pub(super) fn old_minutes(journal: &Journal, now: i64) -> Result<Vec<Row>, StoreError> {
    let first_kept = Grain::Minute.slot_of(now.saturating_sub(MINUTES_KEPT));
    let mut old = Vec::new();
    for view in View::ALL {
        for half in HALVES {
            let key = |slot| page_key(&Page { view, grain: Grain::Minute, head: 0, slot }, half);
            let end = key(first_kept);
            journal.usage(&key(0), &mut |key, _| {
                if key >= end.as_slice() || old.len() >= CLEARED_AT_ONCE {
                    return ControlFlow::Break(());
                }
                old.push((key.to_vec(), None));
                ControlFlow::Continue(())
            })?;
        }
    }
    Ok(old)
}

/// The first day (since the epoch, UTC) that has sums.
pub(super) fn first_day(journal: &Journal) -> Result<Option<i64>, StoreError> {
    let prefix = page_key(&Page { view: View::Hub, grain: Grain::Day, head: 0, slot: 0 }, Half::Numbers);
    let mut day = None;
    journal.usage(&prefix, &mut |key, _| {
        if key.get(..4) == prefix.get(..4) {
            day = two_numbers(key).map(|(_, slot)| i64::from(slot));
        }
        ControlFlow::Break(())
    })?;
    Ok(day)
}
