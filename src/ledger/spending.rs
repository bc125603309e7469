//! What a key has spent in its running day and month: a projection of the
//! settlements, always to be had again from the journal.

use super::Settlement;
use crate::types::{Pico, Wall};
use jiff::civil::{Date, date};
use jiff::{Span, Unit};

const SECONDS_PER_DAY: i64 = 86_400;

/// Sums of one key. A settlement counts in the day and month (UTC) in which
/// its request came in, as in `limit`. One of an earlier day, because it was
/// settled after midnight, still counts in the month if that is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Spending {
    /// Days since the epoch that the day's sums belong to.
    pub day: i64,
    /// `year * 12 + month0` that the month's sums belong to.
    pub month: i64,
    /// Tokens of the day.
    pub day_tokens: u64,
    /// Tokens of the month.
    pub month_tokens: u64,
    /// Cost of the day.
    pub day_cost: Pico,
    /// Cost of the month.
    pub month_cost: Pico,
}

impl Spending {
    /// Counts one settlement.
    pub fn add(&mut self, settlement: &Settlement, calendar: &mut Calendar) {
        let day = day_of(settlement.at);
        let month = calendar.month_of(day);
        self.add_amounts(day, month, settlement.counted_tokens(), settlement.cost());
    }

    fn add_amounts(&mut self, day: i64, month: i64, tokens: u64, cost: Pico) {
        if month > self.month {
            (self.month, self.month_tokens, self.month_cost) = (month, 0, Pico::ZERO);
        }
        if day > self.day {
            (self.day, self.day_tokens, self.day_cost) = (day, 0, Pico::ZERO);
        }
        if month == self.month {
            self.month_tokens = self.month_tokens.saturating_add(tokens);
            self.month_cost = self.month_cost.saturating_add(cost);
        }
        if day == self.day {
            self.day_tokens = self.day_tokens.saturating_add(tokens);
            self.day_cost = self.day_cost.saturating_add(cost);
        }
    }
}

/// Finds the month of a day; remembers the last answer, because settlements
/// come day by day and the calendar is slower than the rest of the counting.
#[derive(Default)]
pub struct Calendar {
    last: Option<(i64, i64)>,
}

impl Calendar {
    /// `year * 12 + month0` of a day since the epoch.
    pub fn month_of(&mut self, day: i64) -> i64 {
        match self.last {
            Some((known, month)) if known == day => month,
            _ => {
                let month = month_of_day(day);
                self.last = Some((day, month));
                month
            }
        }
    }
}

/// Days since the epoch (UTC).
pub fn day_of(at: Wall) -> i64 {
    at.seconds().div_euclid(SECONDS_PER_DAY)
}

/// `year * 12 + month0` of a day since the epoch; 0 outside the calendar.
pub fn month_of_day(day: i64) -> i64 {
    civil(day).map_or(0, |date| i64::from(date.year()) * 12 + i64::from(date.month()) - 1)
}

/// First day of a day's month, in days since the epoch.
pub fn month_start(day: i64) -> i64 {
    civil(day).map_or(day, |date| day - i64::from(date.day()) + 1)
}

/// A day as `2026-11-20`.
pub fn day_text(day: i64) -> String {
    civil(day).map_or_else(|| day.to_string(), |date| date.to_string())
}

/// The day that a text such as `2026-11-20` names.
pub fn day_from_text(text: &str) -> Option<i64> {
    let date: Date = text.parse().ok()?;
    let span = EPOCH.until((Unit::Day, date)).ok()?;
    Some(i64::from(span.get_days()))
}

const EPOCH: Date = date(1970, 1, 1);

fn civil(day: i64) -> Option<Date> {
    let span = Span::new().try_days(day).ok()?;
    EPOCH.checked_add(span).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_follow_the_calendar() {
        let day = day_from_text("2026-11-20").unwrap();
        assert_eq!(day_text(day), "2026-11-20");
        assert_eq!(month_of_day(day), 2026 * 12 + 10);
        assert_eq!(day_text(month_start(day)), "2026-11-01");
        assert_eq!(day_of(Wall(-1)), -1);
        assert_eq!(month_of_day(i64::MAX), 0);
        let mut calendar = Calendar::default();
        assert_eq!(calendar.month_of(day), calendar.month_of(day + 10));
        assert_eq!(calendar.month_of(day + 11), 2026 * 12 + 11);
    }

    #[test]
    fn a_new_day_starts_at_nothing_and_keeps_the_month() {
        let mut spending = Spending::default();
        spending.add_amounts(10, 1, 5, Pico(50));
        spending.add_amounts(11, 1, 7, Pico(70));
        assert_eq!((spending.day, spending.day_tokens, spending.month_tokens), (11, 7, 12));
        assert_eq!((spending.day_cost, spending.month_cost), (Pico(70), Pico(120)));
    }

    #[test]
    fn a_late_settlement_of_yesterday_counts_in_the_month_only() {
        let mut spending = Spending::default();
        spending.add_amounts(11, 1, 7, Pico(70));
        spending.add_amounts(10, 1, 5, Pico(50));
        assert_eq!((spending.day, spending.day_tokens, spending.month_tokens), (11, 7, 12));
        spending.add_amounts(40, 2, 1, Pico(1));
        spending.add_amounts(11, 1, 9, Pico(9));
        assert_eq!((spending.month, spending.month_tokens), (2, 1), "last month is closed");
    }
}
