//! Single calls: pages of them, the newest first, and the whole story of one.
//! Read from the journal, by the index, within bounds.

use super::index::block_of;
use super::state::State;
use crate::ledger::usage::{Choice, End, NoAnswer, OTHER, Target, Who};
use crate::ledger::wallet::{Cause, Movement};
use crate::ledger::{Intent, Record, Settlement};
use crate::store::batch::Batch;
use crate::store::options::StoreError;
use crate::store::writer::Followed;
use crate::types::{Pico, RequestId, Wall};
use ahash::HashMap;
use std::fmt;
use std::ops::{ControlFlow, Range};
use std::str::FromStr;

/// So many batches (of about 15 records) are read for one page; then the reader goes on with the next.
const BATCHES_PER_PAGE: usize = 3_000;
/// So many rows of the index are read for one page.
const BLOCKS_PER_PAGE: usize = 20_000;
/// The callers of so many rows are looked up; for more, every batch is read.
const FEW_CALLERS: usize = 64;
/// A request's id is made within so long of its arrival, in microseconds.
const MICROS_APART: i64 = 60_000_000;

/// The place of a call in the journal; what comes before it is older.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    batch: u64,
    record: u32,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.batch, self.record)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (batch, record) = text.split_once('-').ok_or(())?;
        Ok(Self { batch: batch.parse().map_err(drop)?, record: record.parse().map_err(drop)? })
    }
}

/// Which calls.
pub struct Wanted<'a> {
    /// Whose, and of which sort.
    pub choice: &'a Choice,
    /// When they came in.
    pub time: Range<Wall>,
    /// Only what is before this one.
    pub before: Option<Cursor>,
    /// The most.
    pub limit: usize,
    /// What else must hold.
    pub fits: &'a dyn Fn(&Settlement) -> bool,
}

/// A call in a list.
#[derive(Clone, Debug)]
pub struct Called {
    /// How it ended.
    pub settlement: Settlement,
    /// What its wallet was charged, if one paid.
    pub charge: Option<Pico>,
}

/// Some calls.
#[derive(Clone, Debug, Default)]
pub struct CallsPage {
    /// Those that ended last come first.
    pub calls: Vec<Called>,
    /// Where to go on; `None`: there are no more. A page may have no calls and yet not be the last.
    pub next: Option<Cursor>,
}

/// Everything that the books say of one call.
#[derive(Clone, Debug)]
pub struct Story {
    /// How it ended.
    pub settlement: Settlement,
    /// What was intended, if a vendor was to be called.
    pub intent: Option<Intent>,
    /// What moved in the wallet that paid, in order.
    pub movements: Vec<Movement>,
}

impl Story {
    pub(super) fn of(records: Vec<Record>) -> Option<Self> {
        let (mut settlement, mut intent, mut movements) = (None, None, Vec::new());
        for record in records {
            match record {
                Record::Intent(one) => intent = Some(*one),
                Record::Settlement(one) => settlement = Some(*one),
                Record::Movement(one) => movements.push(*one),
                Record::Carried(_) => {}
            }
        }
        Some(Self { settlement: settlement?, intent, movements })
    }
}

/// Does a call count?
pub(super) fn fits(choice: &Choice, settlement: &Settlement) -> bool {
    choice.who(&Who::of(settlement))
        && choice.target(&Target::of(settlement))
        && choice.end(&End::of(settlement))
}

fn told(error: StoreError) -> NoAnswer {
    NoAnswer::Disk(error.to_string())
}

pub(super) fn page(state: &State, followed: &Followed, wanted: &Wanted<'_>) -> Result<CallsPage, NoAnswer> {
    let journal = &followed.journal;
    let span = state.index().span(journal, wanted.time.start, wanted.time.end).map_err(told)?;
    let Some((first, last)) = span else { return Ok(CallsPage::default()) };
    let first = first.max(followed.kept.first);
    let last = wanted.before.map_or(last, |cursor| last.min(cursor.batch)).min(state.through());
    let mut reading = Reading::new(followed, wanted, first).map_err(told)?;
    match few_callers(state, wanted.choice) {
        None => {
            let _ = reading.batches((first..=last).rev()).map_err(told)?;
        }
        Some(whos) => {
            for (seen, block) in (block_of(first)..=block_of(last)).rev().enumerate() {
                if seen >= BLOCKS_PER_PAGE {
                    reading.page.next = Some(Cursor { batch: (block << 12) | 0xfff, record: u32::MAX });
                    break;
                }
                let batches = state.index().block(journal, &whos, block).map_err(told)?;
                let batches = batches.into_iter().filter(|batch| (first..=last).contains(batch));
                if reading.batches(batches).map_err(told)?.is_break() {
                    break;
                }
            }
        }
    }
    Ok(reading.page)
}

/// The callers whose calls are wanted, if it is worth the while to look for them one by one.
fn few_callers(state: &State, choice: &Choice) -> Option<Vec<u32>> {
    if !choice.is_by_caller() && choice.scope == crate::ledger::usage::Scope::Hub {
        return None;
    }
    let whos = state.names().whos.all().iter().zip(0_u32..);
    let chosen = whos.filter(|(who, _)| choice.who(who) || *who.key == *OTHER);
    let numbers: Vec<u32> = chosen.map(|(_, number)| number).take(FEW_CALLERS + 1).collect();
    (numbers.len() <= FEW_CALLERS).then_some(numbers)
}

/// Reads batches, from the last to the first.
struct Reading<'a> {
    followed: &'a Followed,
    wanted: &'a Wanted<'a>,
    /// Days and their last batches, ascending.
    days: Vec<(i64, u64)>,
    read: usize,
    /// Charges that were told after the settlements that are still to come.
    charges: HashMap<RequestId, Pico>,
    page: CallsPage,
}

impl<'a> Reading<'a> {
    fn new(followed: &'a Followed, wanted: &'a Wanted<'a>, first: u64) -> Result<Self, StoreError> {
        let mut days = followed.journal.days_from(first)?;
        days.reverse();
        Ok(Self { followed, wanted, days, read: 0, charges: HashMap::default(), page: CallsPage::default() })
    }

    /// `Break` when the page is full.
    fn batches(&mut self, batches: impl Iterator<Item = u64>) -> Result<ControlFlow<()>, StoreError> {
        for batch in batches {
            if self.read >= BATCHES_PER_PAGE {
                self.page.next = Some(Cursor { batch, record: u32::MAX });
                return Ok(ControlFlow::Break(()));
            }
            self.read += 1;
            if self.batch(batch)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn batch(&mut self, wanted: u64) -> Result<ControlFlow<()>, StoreError> {
        let at = self.days.partition_point(|(_, last)| *last < wanted);
        let Some((day, _)) = self.days.get(at).copied() else { return Ok(ControlFlow::Continue(())) };
        let mut found = Ok(Vec::new());
        self.followed.journal.batches(day, wanted, &mut |sequence, value| {
            if sequence == wanted {
                found = self.settlements(sequence, value);
            }
            ControlFlow::Break(())
        })?;
        for (record, settlement) in found?.into_iter().rev() {
            let cursor = Cursor { batch: wanted, record };
            if self.wanted.before.is_some_and(|before| cursor >= before) || !self.fits(&settlement) {
                continue;
            }
            let charge = self.charges.remove(&settlement.id);
            self.page.calls.push(Called { settlement, charge });
            if self.page.calls.len() >= self.wanted.limit {
                self.page.next = Some(cursor);
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn settlements(&mut self, sequence: u64, value: &[u8]) -> Result<Vec<(u32, Settlement)>, StoreError> {
        let damaged = |error| StoreError::Damaged(format!("batch {sequence} {error}"));
        let batch = Batch::read(sequence, value).map_err(damaged)?;
        let (mut found, mut at) = (Vec::new(), 0);
        let read = batch.each(|record| {
            at += 1;
            match record {
                Record::Settlement(settlement) => found.push((at, *settlement)),
                Record::Movement(movement) => {
                    if let (Cause::Settle(sale), Some(id)) = (&movement.cause, movement.request) {
                        self.charges.insert(id, sale.paid);
                    }
                }
                Record::Intent(_) | Record::Carried(_) => {}
            }
        });
        read.map_err(damaged)?;
        Ok(found)
    }

    fn fits(&self, settlement: &Settlement) -> bool {
        self.wanted.time.contains(&settlement.at)
            && fits(self.wanted.choice, settlement)
            && (self.wanted.fits)(settlement)
    }
}

/// Everything in the journal that belongs to one request, in order. Its id says when it came.
pub(super) fn records_of(state: &State, followed: &Followed, id: RequestId) -> Result<Vec<Record>, NoAnswer> {
    let Some(at) = arrival_of(id) else { return Ok(Vec::new()) };
    let (from, to) = (Wall(at.0.saturating_sub(MICROS_APART)), Wall(at.0.saturating_add(MICROS_APART)));
    let journal = &followed.journal;
    let span = state.index().span(journal, from, to).map_err(told)?;
    let Some((first, last)) = span else { return Ok(Vec::new()) };
    let (first, last) = (first.max(followed.kept.first), last.min(state.through()));
    let mut records = Vec::new();
    let mut days = journal.days_from(first).map_err(told)?;
    days.reverse();
    for (day, _) in days {
        let mut damage = None;
        let scanned = journal.batches(day, first, &mut |sequence, value| {
            if sequence > last {
                return ControlFlow::Break(());
            }
            let read = Batch::read(sequence, value).and_then(|batch| {
                if !batch.overlaps(from, to) {
                    return Ok(());
                }
                batch.each(|record| records.extend(Some(record).filter(|record| record.id() == Some(id))))
            });
            damage = read.err().map(|error| format!("batch {sequence} {error}"));
            if damage.is_none() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        scanned.map_err(told)?;
        if let Some(damage) = damage {
            return Err(NoAnswer::Disk(damage));
        }
    }
    Ok(records)
}

fn arrival_of(id: RequestId) -> Option<Wall> {
    let (seconds, nanos) = id.0.get_timestamp()?.to_unix();
    let micros = i64::try_from(seconds).ok()?.checked_mul(1_000_000)?;
    Some(Wall(micros.checked_add(i64::from(nanos / 1_000))?))
}
