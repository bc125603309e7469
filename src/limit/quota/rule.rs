//! What a quota counts, in which periods, and how much it allows.

use super::meter::Meter;
use crate::limit::Ask;
use crate::types::{TenantId, Wall};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Requests that came as far as a vendor, or were answered from memory.
    Requests,
    /// LLM tokens, input and output.
    Tokens,
    /// What vendors take, in 10⁻¹² of the currency's unit.
    Money,
    /// Pictures that were drawn.
    Images,
}

impl Measure {
    /// All of them, for tables.
    pub const ALL: [Self; 4] = [Self::Requests, Self::Tokens, Self::Money, Self::Images];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Money => "money",
            Self::Images => "images",
        }
    }

    /// What of a request it counts. Never below zero.
    pub fn of(self, ask: Ask) -> i128 {
        // More than any request can use; keeps sums of all requests in range.
        const MOST: i128 = 1 << 96;
        let amount = match self {
            Self::Requests => i128::from(ask.requests),
            Self::Tokens => i128::from(ask.tokens),
            Self::Money => ask.cost.0,
            Self::Images => i128::from(ask.images),
        };
        amount.clamp(0, MOST)
    }

    /// An amount for people and programs: a decimal.
    pub fn told(self, amount: i128) -> String {
        match self {
            Self::Money => crate::types::Pico(amount).to_string(),
            Self::Requests | Self::Tokens | Self::Images => amount.to_string(),
        }
    }
}

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day; 24 hours in a rolling window.
    Day,
    /// A month; 30 days in a rolling window.
    Month,
}

impl Span {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// Of a rolling window, in microseconds.
    pub(super) fn micros(self) -> i64 {
        match self {
            Self::Minute => MINUTE,
            Self::Hour => HOUR,
            Self::Day => DAY,
            Self::Month => 30 * DAY,
        }
    }
}

/// When a period begins and ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cycle {
    /// With the calendar of a zone. Days and months follow its changes of the clock: a day has 23
    /// or 25 hours then, and where a change falls into an hour or a minute, that one ends there.
    Calendar(TimeZone),
    /// At every moment: what was used within the last period counts. It is counted by buckets of
    /// one sixtieth of the period; a bucket leaves when all of it is older than the period. So
    /// never more than the amount is admitted within any such time, and room comes back up to one
    /// bucket late.
    Rolling,
}

/// Buckets of a rolling window.
pub(super) const BUCKETS: i64 = 60;

/// How a quota counts. Two that differ in this have nothing to tell each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What.
    pub measure: Measure,
    /// For how long.
    pub span: Span,
    /// From when to when.
    pub cycle: Cycle,
}

/// A part of time in which uses are summed up: a calendar period, or a bucket of a rolling window.
/// Named by when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) begins: Wall,
    pub(super) ends: Wall,
}

impl Part {
    pub(super) fn holds(self, at: Wall) -> bool {
        self.begins <= at && at < self.ends
    }
}

impl Rule {
    /// Width of a bucket, in microseconds. Of calendar periods there are none.
    pub(super) fn bucket(&self) -> i64 {
        self.span.micros() / BUCKETS
    }

    /// The part that a moment lies in.
    pub(super) fn part(&self, at: Wall) -> Part {
        match &self.cycle {
            Cycle::Rolling => floored(at, self.bucket()),
            Cycle::Calendar(zone) => calendar(zone, self.span, at),
        }
    }

    /// Does a part still matter when `newest` is the latest? Of calendar periods the one before it
    /// does, because requests that came in then may still end.
    pub(super) fn keeps(&self, begins: Wall, newest: Wall) -> bool {
        match self.cycle {
            Cycle::Rolling => begins.0.saturating_add(self.bucket().saturating_mul(BUCKETS)) >= newest.0,
            Cycle::Calendar(_) => true,
        }
    }

    /// The earliest moment whose uses count at `now`, or could.
    pub fn since(&self, now: Wall) -> Wall {
        match self.cycle {
            Cycle::Rolling => {
                Wall(now.0.saturating_sub(self.span.micros()).saturating_sub(2 * self.bucket()))
            }
            Cycle::Calendar(_) => {
                let begins = self.part(now).begins;
                self.part(Wall(begins.0.saturating_sub(1))).begins
            }
        }
    }
}

fn floored(at: Wall, width: i64) -> Part {
    let begins = at.0.div_euclid(width).saturating_mul(width);
    Part { begins: Wall(begins), ends: Wall(begins.saturating_add(width)) }
}

fn calendar(zone: &TimeZone, span: Span, at: Wall) -> Part {
    // Outside of the calendar nothing is counted exactly, and nothing breaks.
    let Ok(moment) = Timestamp::from_microsecond(at.0) else { return floored(at, span.micros()) };
    match span {
        Span::Minute => clock_part(zone, moment, at, MINUTE),
        Span::Hour => clock_part(zone, moment, at, HOUR),
        Span::Day => {
            let today = zone.to_datetime(moment).date();
            between(today, today.tomorrow().ok(), zone).unwrap_or_else(|| floored(at, DAY))
        }
        Span::Month => {
            let first = zone.to_datetime(moment).date().first_of_month();
            let next = first.last_of_month().tomorrow().ok();
            between(first, next, zone).unwrap_or_else(|| floored(at, Span::Month.micros()))
        }
    }
}

/// From the beginning of one date to that of another.
fn between(from: jiff::civil::Date, to: Option<jiff::civil::Date>, zone: &TimeZone) -> Option<Part> {
    let wall = |date: jiff::civil::Date| {
        date.to_zoned(zone.clone()).map(|zoned: Zoned| Wall(zoned.timestamp().as_microsecond())).ok()
    };
    Some(Part { begins: wall(from)?, ends: wall(to?)? })
}

/// A minute or an hour as the zone's clocks show it, cut where they are changed.
fn clock_part(zone: &TimeZone, moment: Timestamp, at: Wall, width: i64) -> Part {
    let offset = i64::from(zone.to_offset(moment).seconds()).saturating_mul(SECOND);
    let local = floored(Wall(at.0.saturating_add(offset)), width);
    let (begins, ends) = (local.begins.0.saturating_sub(offset), local.ends.0.saturating_sub(offset));
    let changed = |change: Option<jiff::tz::TimeZoneTransition<'_>>| {
        change.map(|change| change.timestamp().as_microsecond())
    };
    // What precedes the next microsecond may be this very moment.
    let next = moment.checked_add(jiff::SignedDuration::from_micros(1)).unwrap_or(moment);
    let before = changed(zone.preceding(next).next()).unwrap_or(i64::MIN);
    let after = changed(zone.following(moment).next()).unwrap_or(i64::MAX);
    Part { begins: Wall(begins.max(before)), ends: Wall(ends.min(after)) }
}

/// What happens when a quota is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Enforce {
    /// Requests are refused.
    #[default]
    Hard,
    /// It is told, and nothing else happens.
    Soft,
}

/// What a quota allows to one subject, and how it is told. May change while the counter goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// Id of the quota.
    pub quota: Arc<str>,
    /// Its name, for people.
    pub name: Arc<str>,
    /// Whose it is; `None`: the hub's own.
    pub tenant: Option<TenantId>,
    /// Whose use is counted, as `team:team_1` or `hub`.
    pub of: Arc<str>,
    /// How much may be used in a period.
    pub amount: i128,
    /// What happens when it is used up.
    pub enforce: Enforce,
    /// Percentages of the amount at which it is told, ascending.
    pub warn_at: Arc<[u32]>,
}

impl Terms {
    /// The highest threshold that this use has reached; 0: none.
    pub(super) fn reached(&self, used: i128) -> u32 {
        let reached = |percent: &&u32| {
            used > 0 && used.saturating_mul(100) >= self.amount.saturating_mul(i128::from(**percent))
        };
        self.warn_at.iter().rev().find(reached).copied().unwrap_or(0)
    }

    /// How much of the amount is used, in whole percent, rounded down.
    pub fn percent(&self, used: i128) -> u64 {
        let percent = used.saturating_mul(100).checked_div(self.amount).unwrap_or(100);
        u64::try_from(percent).unwrap_or(u64::MAX)
    }
}

/// A quota as it holds for one subject.
#[derive(Clone, Debug)]
pub struct Counted {
    /// The live counter.
    pub meter: Arc<Meter>,
    /// What is allowed.
    pub terms: Arc<Terms>,
}
