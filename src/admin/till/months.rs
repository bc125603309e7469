//! Months that are closed, and their statements. A closed month is one row
//! with all of its statements beside it, written together; the rows prove
//! nothing by themselves: whoever doubts makes the statements again. A month is
//! made from the one before it and from its own part of the journal, however
//! long that is.

use super::{Till, Trouble, unavailable};
use crate::admin::api::Problem;
use crate::admin::directory::{Directory, Draft};
use crate::billing::statement::{Close, Format, Statement, Statements, month_end, month_text};
use crate::control::{Entry, to_hex};
use crate::ledger::day_of;
use crate::store::{Archive, ControlRow, StoreError};
use crate::types::{Pico, TenantId, Wall};
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

/// Key of the list of closed months.
const CLOSES: &str = "statements/closed";
/// Keys of statements: this, and the number.
const BODY: &str = "statement/";
/// What was written so long after a month's end that it counts in the next one.
const GRACE: Duration = Duration::from_secs(60 * 60);
/// Between two looks for a month that is over.
const PAUSE: Duration = Duration::from_secs(10 * 60);

fn unreadable(error: StoreError) -> Problem {
    unavailable(error)
}

/// Months that were closed, the oldest first.
///
/// # Errors
/// When the books cannot be read.
pub(in crate::admin) fn closed(archive: &Archive) -> Result<Vec<Close>, Problem> {
    let mut closes = Vec::new();
    let each = &mut |_: &[u8], value: &[u8]| {
        closes = serde_json::from_slice(value).unwrap_or_default();
        ControlFlow::Break(())
    };
    archive.control(CLOSES.as_bytes(), each).map_err(unreadable)?;
    Ok(closes)
}

fn body_key(number: u64) -> Vec<u8> {
    format!("{BODY}{number:016}").into_bytes()
}

/// The bytes of a statement as they were written when its month was closed.
///
/// # Errors
/// When the books cannot be read.
pub(in crate::admin) fn stored(archive: &Archive, number: u64) -> Result<Option<Vec<u8>>, Problem> {
    let (key, mut found) = (body_key(number), None);
    let each = &mut |_: &[u8], value: &[u8]| {
        found = Some(value.to_vec());
        ControlFlow::Break(())
    };
    archive.control(&key, each).map_err(unreadable)?;
    Ok(found)
}

/// All statements as they were written, by number.
///
/// # Errors
/// When the books cannot be read.
pub(in crate::admin) fn bodies(archive: &Archive) -> Result<Vec<Vec<u8>>, Problem> {
    let mut all = Vec::new();
    let each = &mut |_: &[u8], value: &[u8]| {
        all.push(value.to_vec());
        ControlFlow::Continue(())
    };
    archive.control(BODY.as_bytes(), each).map_err(unreadable)?;
    Ok(all)
}

/// The statements of a closed month as they were written.
fn of_month(archive: &Archive, closes: &[Close], index: usize) -> Result<Vec<Statement>, Problem> {
    let Some(close) = closes.get(index) else { return Ok(Vec::new()) };
    let before = index.checked_sub(1).and_then(|before| closes.get(before));
    let from = body_key(before.map_or(0, |before| before.last).saturating_add(1));
    let (mut month, mut damaged) = (Vec::new(), false);
    let each = &mut |_: &[u8], value: &[u8]| {
        let Ok(statement) = serde_json::from_slice::<Statement>(value) else {
            damaged = true;
            return ControlFlow::Break(());
        };
        match statement.month.cmp(&close.month) {
            Ordering::Less => ControlFlow::Continue(()),
            Ordering::Equal => {
                month.push(statement);
                ControlFlow::Continue(())
            }
            Ordering::Greater => ControlFlow::Break(()),
        }
    };
    archive.control_from(BODY.as_bytes(), &from, each).map_err(unreadable)?;
    match damaged {
        true => Err(unavailable(format!("a statement of {} cannot be read", close.month))),
        false => Ok(month),
    }
}

/// A batch before which nothing counts in a month, or in one after it: all before is of earlier
/// days than its predecessor's end, and was there when that was closed.
fn begin(archive: &Archive, closes: &[Close], index: usize) -> Result<u64, Problem> {
    let Some(before) = index.checked_sub(1).and_then(|before| closes.get(before)) else { return Ok(1) };
    let end = month_end(&before.month).ok_or_else(damaged_list)?;
    let late = archive.begins(end).map_err(unreadable)?;
    Ok(late.min(before.through.saturating_add(1)))
}

/// Did anything that counts in a month go, when `day` is the last that went?
fn is_cut(archive: &Archive, closes: &[Close], index: usize, day: i64) -> Result<bool, Problem> {
    let before = index.checked_sub(1).and_then(|before| closes.get(before));
    let Some(end) = before.and_then(|before| month_end(&before.month)) else { return Ok(true) };
    Ok(day >= day_of(end) || begin(archive, closes, index)? < archive.first())
}

fn damaged_list() -> Problem {
    unavailable("the list of closed months is damaged")
}

/// Makes the statements of a month and of those after it, from the journal and from the statements
/// of the month before. Reads the journal from where the month begins.
///
/// # Errors
/// When the books cannot be read.
fn made(archive: &Archive, closes: &[Close], first: usize) -> Result<Vec<Statement>, Problem> {
    let before = match first.checked_sub(1) {
        Some(before) => of_month(archive, closes, before)?,
        None => Vec::new(),
    };
    let statements = Statements::new(closes).ok_or_else(damaged_list)?;
    let mut statements = statements.going_on(first, &before);
    let (from, through) = (begin(archive, closes, first)?, closes.last().map_or(0, |close| close.through));
    archive
        .records(from, through, &mut |batch, record| statements.record(batch, record))
        .map_err(unreadable)?;
    Ok(statements.finish())
}

/// Closes a month; gives its statements.
///
/// # Errors
/// When it is closed already, comes before one that is, or the disk refuses.
pub(in crate::admin) fn close_month(
    directory: &Directory,
    month: &str,
    entry: impl Fn(&Close) -> Entry,
) -> Result<Vec<Statement>, Problem> {
    directory.change(|_| {
        let archive = directory.store().archive().map_err(unreadable)?;
        let mut closes = closed(&archive)?;
        if let Some(last) = closes.last().filter(|last| *last.month >= *month) {
            return Err(Problem::conflict(format!("{} is closed already", last.month)));
        }
        let ((through, digest), index) = (archive.head().map_err(unreadable)?, closes.len());
        closes.push(Close { month: month.to_owned(), through, digest: to_hex(&digest), last: 0 });
        let new = made(&archive, &closes, index)?;
        let before = index.checked_sub(1).and_then(|before| closes.get(before)).map_or(0, |close| close.last);
        if let Some(close) = closes.last_mut() {
            close.last = new.last().map_or(before, |statement| statement.number);
        }
        let mut rows: Vec<ControlRow> =
            new.iter().map(|one| (body_key(one.number), Some(one.write(Format::Json)))).collect();
        let list = serde_json::to_vec(&closes).map_err(unavailable)?;
        rows.push((CLOSES.into(), Some(list)));
        let entries = closes.last().map(&entry).into_iter().collect();
        Ok((new, Draft { rows, entries, ..Draft::default() }))
    })
}

/// What a proof of the statements came to.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Proof {
    /// Nothing is wrong.
    pub(in crate::admin) sound: bool,
    /// Months that are closed.
    months: usize,
    /// Statements that were written.
    statements: usize,
    /// Months of which the ledger has dropped days: their statements follow one another, and what
    /// they say of the ledger cannot be computed again.
    dropped: usize,
    problems: Vec<String>,
}

/// Makes all statements again whose ledger is there and compares their bytes; those before must
/// lead to them.
///
/// # Errors
/// When the books cannot be read.
pub(in crate::admin) fn prove(archive: &Archive) -> Result<Proof, Problem> {
    let (closes, stored) = (closed(archive)?, bodies(archive)?);
    let mut problems = Vec::new();
    let mut dropped = 0;
    if let Some(day) = archive.gone().map_err(unreadable)? {
        while dropped < closes.len() && is_cut(archive, &closes, dropped, day)? {
            dropped += 1;
        }
    }
    for close in closes.iter().filter(|close| close.through.saturating_add(1) >= archive.first()) {
        let digest = archive.digest(close.through).map_err(unreadable)?;
        if digest.is_none_or(|digest| to_hex(&digest) != close.digest) {
            let (month, through) = (&close.month, close.through);
            problems.push(format!("{month}: the ledger up to batch {through} is another one now"));
        }
    }
    let whole = made(archive, &closes, dropped)?;
    let kept = follow(&stored, &mut problems);
    let old = closes.get(dropped).map_or(kept.len(), |first| {
        kept.iter().filter(|one| one.as_ref().is_none_or(|one| one.month < first.month)).count()
    });
    let again = stored.get(old..).unwrap_or_default();
    if whole.len() != again.len() {
        let (written, made) = (again.len(), whole.len());
        problems.push(format!("{written} statements were written, and the ledger makes {made}"));
    }
    for (statement, body) in whole.iter().zip(again) {
        if statement.write(Format::Json) != *body {
            problems.push(format!("statement {} is not what the ledger says", statement.number));
        }
    }
    let sound = problems.is_empty();
    Ok(Proof { sound, months: closes.len(), statements: stored.len(), dropped, problems })
}

/// Reads statements; each must go on where the one before of the same tenant ended.
fn follow(stored: &[Vec<u8>], problems: &mut Vec<String>) -> Vec<Option<Statement>> {
    let mut closings: BTreeMap<TenantId, Pico> = BTreeMap::new();
    let mut statements = Vec::new();
    for (number, body) in (1..).zip(stored) {
        let statement = serde_json::from_slice::<Statement>(body).ok();
        match &statement {
            Some(one) => {
                let before = closings.insert(one.tenant.clone(), one.closing).unwrap_or_default();
                if one.number != number || one.opening != before || !one.adds_up() {
                    problems.push(format!("statement {number} does not follow from the one before"));
                }
            }
            None => problems.push(format!("statement {number} cannot be read")),
        }
        statements.push(statement);
    }
    statements
}

/// How far the books may go because statements tell what was in them: before which time, and up to
/// which batch.
///
/// # Errors
/// When there are wallets and no month was closed, or the books cannot be read.
pub fn prunable(archive: &Archive, before: Wall) -> Result<(Wall, u64), String> {
    if archive.balances().is_empty() {
        return Ok((before, u64::MAX));
    }
    let closes = closed(archive).map_err(|problem| problem.detail)?;
    let last = closes.last().and_then(|close| Some((month_end(&close.month)?, close.through)));
    let Some((end, through)) = last else {
        let text = "there are wallets, and what moved in them must be in statements before its entries go: close a month first";
        return Err(text.to_owned());
    };
    let through = super::meter::reported(archive)
        .map_err(|problem| problem.detail)?
        .map_or(through, |done| through.min(done));
    Ok((before.min(end), through))
}

impl Till<'_> {
    /// Closes months that are over, one after the other.
    pub(super) fn months(&self) -> Result<(), Trouble> {
        let before = self.directory.till.lock().months_from;
        if before.is_some_and(|at| at > self.now) && before.is_some_and(|at| at < self.now.after(2 * PAUSE)) {
            return Ok(());
        }
        self.directory.till.lock().months_from = Some(self.now.after(PAUSE));
        let archive = self.directory.store().archive().map_err(|error| Trouble(error.to_string()))?;
        if archive.balances().is_empty() {
            return Ok(());
        }
        let mut next = match closed(&archive)?.last() {
            Some(last) => month_end(&last.month).unwrap_or(self.now),
            None => archive.first_movement().map_err(unreadable)?.unwrap_or(self.now),
        };
        drop(archive);
        loop {
            let month = month_text(next);
            let Some(end) = month_end(&month).filter(|end| end.after(GRACE) <= self.now) else {
                return Ok(());
            };
            let now = self.now;
            close_month(self.directory, &month, |close| hub_entry(close, now))?;
            tracing::info!(month, "statements were made");
            next = end;
        }
    }
}

fn hub_entry(close: &Close, now: Wall) -> Entry {
    Entry { after: serde_json::to_value(close).ok(), ..super::blank("statement.close", now) }
}
