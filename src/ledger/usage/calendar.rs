//! Steps of a series in a time zone: where each begins, whatever the clocks of
//! that zone do in between.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The most steps of one answer.
pub const MOST_STEPS: usize = 2_000;
/// Quarters of an hour are the finest that is kept for good.
pub const QUARTER: i64 = 900;

/// How long a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many seconds, a part of a day. The last of a day is shorter where the clocks make it so.
    Seconds(i64),
    /// So many months, from the first of a month.
    Months(i32),
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
}

const TABLE: &[(&str, Step)] = &[
    ("minute", Step::Seconds(60)),
    ("5minutes", Step::Seconds(300)),
    ("15minutes", Step::Seconds(900)),
    ("hour", Step::Seconds(3_600)),
    ("6hours", Step::Seconds(21_600)),
    ("day", Step::Day),
    ("week", Step::Week),
    ("month", Step::Months(1)),
    ("quarter", Step::Months(3)),
    ("year", Step::Months(12)),
];

impl Step {
    /// All names, the shortest step first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|(name, _)| *name)
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        TABLE.iter().find(|(own, _)| *own == name).map(|(_, step)| *step)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|(_, own)| *own == self).map_or("", |(name, _)| name)
    }

    /// The same, unless it is shorter than what is kept for good.
    pub fn at_least_a_quarter(self) -> Self {
        match self {
            Step::Seconds(width) => Step::Seconds(width.max(QUARTER)),
            longer => longer,
        }
    }

    /// One that makes a readable chart of so many seconds.
    pub fn fitting(seconds: i64) -> Self {
        match seconds {
            ..=7_200 => Step::Seconds(60),
            7_201..=21_600 => Step::Seconds(300),
            21_601..=90_000 => Step::Seconds(900),
            90_001..=864_000 => Step::Seconds(3_600),
            864_001..=34_560_000 => Step::Day,
            _ => Step::Months(1),
        }
    }
}

/// Why there are no steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSteps {
    /// Too many.
    #[error("that is more than {MOST_STEPS} steps: ask for a longer step or a shorter time")]
    TooMany,
    /// The calendar ends before.
    #[error("the time is outside of the calendar")]
    Outside,
    /// It ends before it begins.
    #[error("the time ends before it begins")]
    Backwards,
}

/// The beginnings of all steps that have a part in `from..to`, and the end of the last, in seconds
/// since the epoch. Whole steps: the first may begin before `from`, the last end after `to`.
///
/// # Errors
/// [`NoSteps`].
pub fn bounds(zone: &TimeZone, step: Step, from: i64, to: i64) -> Result<Vec<i64>, NoSteps> {
    if from >= to {
        return Err(NoSteps::Backwards);
    }
    let mut bounds = Vec::new();
    let mut date = first_date(zone, step, from)?;
    loop {
        let (begin, next) = (midnight(zone, date)?, following(step, date)?);
        let end = midnight(zone, next)?;
        let width = match step {
            Step::Seconds(width) => width,
            _ => end.saturating_sub(begin).max(1),
        };
        let mut at = begin;
        while at < end {
            let after = at.saturating_add(width).min(end);
            if after > from {
                bounds.push(at);
            }
            if bounds.len() > MOST_STEPS {
                return Err(NoSteps::TooMany);
            }
            at = after;
            if at >= to {
                bounds.push(at);
                return Ok(bounds);
            }
        }
        date = next;
    }
}

/// The same number of steps, right before the first of `bounds`.
///
/// # Errors
/// [`NoSteps`].
pub fn before(zone: &TimeZone, step: Step, bounds: &[i64]) -> Result<Vec<i64>, NoSteps> {
    let (Some(first), Some(last)) = (bounds.first(), bounds.last()) else { return Err(NoSteps::Backwards) };
    let steps = bounds.len().saturating_sub(1);
    let many = i32::try_from(steps).map_err(|_| NoSteps::TooMany)?;
    let date = timestamp(*first)?.to_zoned(zone.clone()).date();
    let span = match step {
        Step::Seconds(_) => {
            let mut earlier = self::bounds(zone, step, first.saturating_sub(last - first), *first)?;
            // Clocks that were set leave a step more or less; the nearest ones count.
            let surplus = earlier.len().saturating_sub(bounds.len());
            earlier.drain(..surplus);
            return Ok(earlier);
        }
        Step::Day => many.days(),
        Step::Week => many.weeks(),
        Step::Months(months) => months.saturating_mul(many).months(),
    };
    let start = date.checked_sub(span).map_err(|_| NoSteps::Outside)?;
    self::bounds(zone, step, midnight(zone, start)?, *first)
}

/// Seconds of the quarters of an hour that have a part in `from..to`.
pub fn whole_quarters(from: i64, to: i64) -> (i64, i64) {
    let end = to.saturating_add(QUARTER - 1).div_euclid(QUARTER) * QUARTER;
    (from.div_euclid(QUARTER) * QUARTER, end)
}

fn first_date(zone: &TimeZone, step: Step, from: i64) -> Result<Date, NoSteps> {
    let date = timestamp(from)?.to_zoned(zone.clone()).date();
    let outside = |_: jiff::Error| NoSteps::Outside;
    match step {
        Step::Seconds(_) | Step::Day => Ok(date),
        Step::Week => {
            let days = date.weekday().since(Weekday::Monday);
            date.checked_sub(i32::from(days).days()).map_err(outside)
        }
        Step::Months(months) => {
            let month0 = i32::from(date.month()) - 1;
            let month0 = month0 - month0.rem_euclid(months);
            Date::new(date.year(), i8::try_from(month0 + 1).unwrap_or(1), 1).map_err(outside)
        }
    }
}

fn following(step: Step, date: Date) -> Result<Date, NoSteps> {
    let span = match step {
        Step::Seconds(_) | Step::Day => 1.day(),
        Step::Week => 1.week(),
        Step::Months(months) => months.months(),
    };
    date.checked_add(span).map_err(|_| NoSteps::Outside)
}

/// When a day begins there; where midnight is skipped, at the first moment after it.
fn midnight(zone: &TimeZone, date: Date) -> Result<i64, NoSteps> {
    let zoned = date.to_zoned(zone.clone()).map_err(|_| NoSteps::Outside)?;
    Ok(zoned.timestamp().as_second())
}

fn timestamp(seconds: i64) -> Result<Timestamp, NoSteps> {
    Timestamp::from_second(seconds).map_err(|_| NoSteps::Outside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    fn hours(bounds: &[i64]) -> Vec<i64> {
        bounds.windows(2).map(|pair| (pair[1] - pair[0]) / 1_800).collect()
    }

    #[test]
    fn days_are_as_long_as_the_clocks_make_them() {
        let from = at("2026-03-28T12:00:00Z");
        let bounds = bounds(&zone("Europe/Berlin"), Step::Day, from, from + 2 * 86_400).unwrap();
        assert_eq!(hours(&bounds), [48, 46, 48]);
        assert_eq!(bounds[0], at("2026-03-27T23:00:00Z"));
        let autumn = at("2026-10-25T00:00:00Z");
        let bounds = super::bounds(&zone("Europe/Berlin"), Step::Seconds(3_600), autumn, autumn + 1).unwrap();
        assert_eq!(hours(&bounds), [2], "one hour of the long day");
    }

    #[test]
    fn half_hours_of_a_zone_or_of_its_summer_are_kept() {
        let from = at("2026-06-01T00:00:00Z");
        let kolkata = bounds(&zone("Asia/Kolkata"), Step::Day, from, from + 1).unwrap();
        assert_eq!(kolkata, [at("2026-05-31T18:30:00Z"), at("2026-06-01T18:30:00Z")]);
        let from = at("2026-10-03T13:30:00Z");
        let day = bounds(&zone("Australia/Lord_Howe"), Step::Seconds(3_600), from, from + 84_600).unwrap();
        assert_eq!(hours(&day).iter().sum::<i64>(), 47, "half an hour is skipped");
        assert_eq!(hours(&day).last(), Some(&1));
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_their_first() {
        let from = at("2026-11-20T10:00:00Z");
        let utc = TimeZone::UTC;
        assert_eq!(bounds(&utc, Step::Week, from, from + 1).unwrap()[0], at("2026-11-16T00:00:00Z"));
        let quarter = bounds(&utc, Step::Months(3), from, from + 1).unwrap();
        assert_eq!(quarter, [at("2026-10-01T00:00:00Z"), at("2027-01-01T00:00:00Z")]);
        let earlier =
            before(&utc, Step::Months(1), &[at("2026-03-01T00:00:00Z"), at("2026-04-01T00:00:00Z")]);
        assert_eq!(earlier.unwrap(), [at("2026-02-01T00:00:00Z"), at("2026-03-01T00:00:00Z")]);
    }

    #[test]
    fn too_many_steps_and_times_that_make_no_sense_are_refused() {
        let utc = TimeZone::UTC;
        assert_eq!(bounds(&utc, Step::Seconds(60), 0, 86_400 * 2), Err(NoSteps::TooMany));
        assert_eq!(bounds(&utc, Step::Day, 5, 5), Err(NoSteps::Backwards));
        assert_eq!(bounds(&utc, Step::Day, i64::MAX - 1, i64::MAX), Err(NoSteps::Outside));
    }

    const ZONES: [&str; 8] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Pacific/Chatham",
        "America/St_Johns",
    ];

    proptest! {
        #[test]
        fn steps_follow_each_other_without_a_gap_and_begin_at_quarters(
            zone_at in 0..ZONES.len(), step in 1..TABLE.len(), from in 1_700_000_000..1_900_000_000_i64,
            length in 1..4_000_000_i64,
        ) {
            let (name, step) = TABLE[step];
            let zone = zone(ZONES[zone_at]);
            let Ok(found) = bounds(&zone, step, from, from + length) else { return Ok(()) };
            prop_assert!(found[0] <= from && found[1] > from, "{name}");
            prop_assert!(found[found.len() - 1] >= from + length && found[found.len() - 2] < from + length);
            prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
            if step != Step::Seconds(300) {
                prop_assert!(found.iter().all(|at| at % QUARTER == 0), "{name} {found:?}");
            }
            let earlier = before(&zone, step, &found).unwrap();
            prop_assert_eq!(earlier[earlier.len() - 1], found[0]);
        }
    }
}
