//! Months that are closed, and their statements. A closed month is one row
//! with all of its statements beside it, written together; the rows prove
//! nothing by themselves: whoever doubts makes the statements again.

use super::{Till, Trouble, unavailable};
use crate::admin::api::Problem;
use crate::admin::directory::{Directory, Draft};
use crate::billing::statement::{Close, Format, Statement, Statements, month_end, month_text};
use crate::control::{Entry, to_hex};
use crate::store::{Archive, ControlRow, StoreError};
use crate::types::Wall;
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

/// Makes the statements of months again, from the journal.
///
/// # Errors
/// When the books cannot be read, or the digest of a month is not the journal's.
pub(in crate::admin) fn made(archive: &Archive, closes: &[Close]) -> Result<Vec<Statement>, Problem> {
    let mut statements =
        Statements::new(closes).ok_or_else(|| unavailable("the list of closed months is damaged"))?;
    let through = closes.last().map_or(0, |close| close.through);
    archive
        .records(Some(through), &mut |batch, record| statements.record(batch, record))
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
        let (through, digest) = archive.records(None, &mut |_, _| ()).map_err(unreadable)?;
        closes.push(Close { month: month.to_owned(), through, digest: to_hex(&digest) });
        let all = made(&archive, &closes)?;
        let new: Vec<Statement> = all.into_iter().filter(|statement| statement.month == month).collect();
        let mut rows: Vec<ControlRow> =
            new.iter().map(|one| (body_key(one.number), Some(one.write(Format::Json)))).collect();
        let list = serde_json::to_vec(&closes).map_err(unavailable)?;
        rows.push((CLOSES.into(), Some(list)));
        let entries = closes.last().map(&entry).into_iter().collect();
        Ok((new, Draft { rows, entries, ..Draft::default() }))
    })
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
            None => first(&archive)?.unwrap_or(self.now),
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

/// When money moved for the first time.
fn first(archive: &Archive) -> Result<Option<Wall>, Problem> {
    let mut first: Option<Wall> = None;
    let each = &mut |_, record: &crate::ledger::Record| {
        if let crate::ledger::Record::Movement(movement) = record {
            first = Some(first.map_or(movement.at, |known| known.min(movement.at)));
        }
    };
    archive.records(None, each).map_err(unreadable)?;
    Ok(first)
}

fn hub_entry(close: &Close, now: Wall) -> Entry {
    Entry { after: serde_json::to_value(close).ok(), ..super::blank("statement.close", now) }
}
