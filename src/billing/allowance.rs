//! Credits that come again and again, by the calendar. The period that a
//! moment falls in names the operation, so a clock that jumps and a hub that
//! starts again can ask as often as they like.

use crate::ledger::wallet::{Operation, Source, Task};
use crate::ledger::{day_of, day_text, month_start};
use crate::types::{Pico, TenantId, Wall};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Credits that come again and again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["amount"]))]
pub struct Allowance {
    /// For people.
    pub reason: String,
    /// How many credits each time, a decimal string.
    #[schemars(with = "String")]
    pub amount: Pico,
    /// How often. Default: each month.
    pub every: Every,
    /// What is left at the end of a period stays. Default: it goes.
    pub keeps: bool,
    /// Given up; what was given stays.
    pub ended: bool,
}

/// How often an allowance comes; periods begin at midnight, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// Each day.
    Day,
    /// Each week, from Monday on.
    Week,
    /// Each month.
    #[default]
    Month,
}

impl Every {
    /// The days, since 1970, on which the period of `day` begins and the next one does.
    pub fn period(self, day: i64) -> (i64, i64) {
        match self {
            Every::Day => (day, day.saturating_add(1)),
            // 1970 began on a Thursday.
            Every::Week => {
                let monday = day.saturating_sub(day.saturating_add(3).rem_euclid(7));
                (monday, monday.saturating_add(7))
            }
            Every::Month => {
                let first = month_start(day);
                // Every month is over after 31 days.
                (first, month_start(first.saturating_add(31)))
            }
        }
    }
}

impl Allowance {
    /// What is due now, under the allowance's `id`.
    pub fn due(&self, id: &str, tenant: &TenantId, now: Wall) -> Option<Operation> {
        if self.ended || self.amount <= Pico::ZERO {
            return None;
        }
        let (first, next) = self.every.period(day_of(now));
        let over = Wall(next.saturating_mul(MICROS_PER_DAY));
        let expires_at = (!self.keeps).then_some(over);
        let task = Task::Issue { source: Source::Grant, amount: self.amount, priority: None, expires_at };
        let id = format!("recurring:{id}:{}", day_text(first)).into();
        let reason = if self.reason.is_empty() { "allowance" } else { &self.reason };
        Some(Operation { id, tenant: tenant.clone(), reason: reason.into(), task })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::day_from_text;

    #[test]
    fn periods_are_those_of_the_calendar() {
        let day = |text| day_from_text(text).unwrap();
        let cases = [
            (Every::Day, "2026-02-28", "2026-02-28", "2026-03-01"),
            (Every::Week, "2026-11-22", "2026-11-16", "2026-11-23"),
            (Every::Week, "2026-11-23", "2026-11-23", "2026-11-30"),
            (Every::Week, "1969-12-31", "1969-12-29", "1970-01-05"),
            (Every::Month, "2028-02-29", "2028-02-01", "2028-03-01"),
            (Every::Month, "2026-12-31", "2026-12-01", "2027-01-01"),
        ];
        for (every, at, first, next) in cases {
            assert_eq!(every.period(day(at)), (day(first), day(next)), "{every:?} at {at}");
        }
    }

    #[test]
    fn a_period_has_one_operation_whatever_the_clock_does() {
        let allowance = Allowance { amount: Pico(5), every: Every::Week, ..Allowance::default() };
        let acme = TenantId::parse("acme").unwrap();
        let at = |text| Wall(day_from_text(text).unwrap() * MICROS_PER_DAY + 7);
        let id = |text| allowance.due("a", &acme, at(text)).unwrap().id;
        assert_eq!(id("2026-11-16"), id("2026-11-22"));
        assert_ne!(id("2026-11-22"), id("2026-11-23"));
        let over = allowance.due("a", &acme, at("2026-11-22")).unwrap().task;
        let end = Some(Wall(day_from_text("2026-11-23").unwrap() * MICROS_PER_DAY));
        assert!(matches!(over, Task::Issue { expires_at, .. } if expires_at == end), "{over:?}");
        assert!(Allowance { ended: true, ..allowance }.due("a", &acme, at("2026-11-16")).is_none());
    }
}
