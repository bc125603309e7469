//! How far the rows go, and when they cannot be trusted.

use crate::store::batch::Digest;
use crate::store::books::encode;
use crate::store::disk::Row;
use crate::store::options::StoreError;
use crate::store::writer::Followed;
use crate::types::Wall;

pub(super) const KEY: &[u8] = b"p";
/// Rows of another version are made anew.
const VERSION: u8 = 1;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What stands beside the rows, and is written with them.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Position {
    /// Rows count every batch up to this one.
    pub(super) through: u64,
    /// Its digest.
    pub(super) head: Digest,
    /// Records of before this day (UTC) counted already when the rest was made anew, if they are in
    /// batches up to `old_through`.
    pub(super) old_day: Option<i64>,
    /// See `old_day`.
    pub(super) old_through: u64,
    /// Rows of `old_day` and later, or all, are being removed.
    pub(super) clearing: bool,
}

impl Position {
    pub(super) fn row(&self) -> Row {
        let mut value = vec![VERSION];
        value.extend(encode(self));
        (KEY.to_vec(), Some(value))
    }

    pub(super) fn read(value: &[u8]) -> Option<Self> {
        match value.split_first() {
            Some((&VERSION, rest)) => postcard::from_bytes(rest).ok(),
            _ => None,
        }
    }

    /// Records of a batch count from this time on.
    pub(super) fn counts_from(&self, sequence: u64) -> Wall {
        match self.old_day {
            Some(day) if sequence <= self.old_through => Wall(day.saturating_mul(MICROS_PER_DAY)),
            _ => Wall(i64::MIN),
        }
    }

    /// The beginning of what the journal has.
    fn at_start(followed: &Followed) -> Self {
        Self {
            through: followed.kept.first.saturating_sub(1),
            head: followed.kept.before,
            old_day: None,
            old_through: 0,
            clearing: false,
        }
    }
}

/// Rows that must go before the rest is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stale {
    why: &'static str,
    from_day: Option<i64>,
}

impl Stale {
    pub(super) fn why(&self) -> &'static str {
        self.why
    }

    /// Rows of this day (UTC) and later go; `None`: all.
    pub(super) fn day(&self) -> Option<i64> {
        self.from_day
    }
}

/// Where to go on, and what must go first.
pub(super) fn found(followed: &Followed) -> Result<(Position, Option<Stale>), StoreError> {
    let start = Position::at_start(followed);
    let stale = |why| Some(Stale { why, from_day: None });
    let Some(value) = followed.journal.usage_row(KEY)? else {
        // Also the first start of all.
        let why = stale("there are none").filter(|_| followed.through >= followed.kept.first);
        return Ok((start, why));
    };
    let Some(position) = Position::read(&value) else {
        return Ok((start, stale("they are of another version")));
    };
    if position.clearing {
        return Ok((position, Some(Stale { why: "they were about to be", from_day: position.old_day })));
    }
    if position.through.saturating_add(1) < followed.kept.first {
        tracing::error!("days of the journal went before they were summed up; their sums are missing");
        return Ok((Position { through: start.through, head: start.head, ..position }, None));
    }
    let fits = position.through <= followed.through
        && followed.journal.digest(position.through, &followed.kept)? == Some(position.head);
    if fits { Ok((position, None)) } else { Ok((start, stale("the journal is another one"))) }
}

/// Everything anew that the journal has; what it has no longer stays.
pub(super) fn anew(followed: &Followed) -> Result<(Position, Stale), StoreError> {
    let start = Position::at_start(followed);
    let before = followed.journal.usage_row(KEY)?.and_then(|value| Position::read(&value));
    let kept = followed.kept.day.filter(|_| !before.is_none_or(|before| before.clearing));
    let why = "it was asked for";
    let Some((day, before)) = kept.zip(before) else { return Ok((start, Stale { why, from_day: None })) };
    // Batches are of the latest day of their records or later, so what was dropped has no record of a
    // day that was kept; what was kept may have records of earlier days, which count already.
    let old_through = before.through.max(before.old_through);
    let position = Position { old_day: Some(day), old_through, ..start };
    Ok((position, Stale { why, from_day: Some(day) }))
}
