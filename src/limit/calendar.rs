//! UTC days and calendar months as numbers that can be compared.

use crate::types::Wall;

const DAY_SECONDS: i64 = 86_400;
const DAY_MICROS: i64 = DAY_SECONDS * 1_000_000;
/// The Gregorian calendar repeats after 400 years.
const CYCLE_DAYS: i64 = 146_097;
const CYCLE_MONTHS: i64 = 4_800;
const EPOCH_MONTH: i64 = 1970 * 12;
/// Beyond what a [`Wall`] can say; keeps the arithmetic from overflowing.
const LAST_MONTH: i64 = 4_000_000;

/// Days since 1970-01-01.
pub(super) fn day(wall: Wall) -> i64 {
    wall.seconds().div_euclid(DAY_SECONDS)
}

/// When a day begins.
pub(super) fn day_start(day: i64) -> Wall {
    Wall(day.saturating_mul(DAY_MICROS))
}

/// `year * 12 + month0`.
pub(super) fn month(wall: Wall) -> i64 {
    let day = day(wall);
    // Months differ in length by three days at most, so a guess from the mean
    // length is wrong by one at most.
    let mut month = EPOCH_MONTH + (day * CYCLE_MONTHS).div_euclid(CYCLE_DAYS);
    while first_day(month) > day {
        month -= 1;
    }
    while first_day(month + 1) <= day {
        month += 1;
    }
    month
}

/// When a month begins.
pub(super) fn month_start(month: i64) -> Wall {
    day_start(first_day(month.clamp(-LAST_MONTH, LAST_MONTH)))
}

/// Days from the epoch to the first of the month. Years are taken to begin in
/// March, so that the leap day is the last of its year.
fn first_day(month: i64) -> i64 {
    const EPOCH_FROM_MARCH_OF_YEAR_0: i64 = 719_468;
    let from_march = month - 2;
    let (year, month) = (from_march.div_euclid(12), from_march.rem_euclid(12));
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 31, 30, 31, 30, 31 days and again: 153 days in five months.
    let days_of_months = (153 * month + 2) / 5;
    365 * year + leap_days + days_of_months - EPOCH_FROM_MARCH_OF_YEAR_0
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    #[test]
    fn extremes_do_not_overflow() {
        for wall in [Wall(i64::MIN), Wall(i64::MAX)] {
            assert!(month_start(month(wall)) <= wall);
        }
        assert!(month_start(i64::MAX) > month_start(i64::MIN));
        assert!(day_start(i64::MAX) > day_start(i64::MIN));
    }

    #[test]
    fn the_last_microsecond_of_february_is_in_february() {
        let march = date(2028, 3, 1).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_microsecond();
        assert_eq!(month(Wall(march - 1)), 2028 * 12 + 1);
        assert_eq!(month(Wall(march)), 2028 * 12 + 2);
        assert_eq!(month_start(2028 * 12 + 2), Wall(march));
        assert_eq!(day(Wall(march)) - day(Wall(march - 1)), 1);
    }

    proptest! {
        #[test]
        fn days_and_months_are_those_of_the_calendar(seconds in -62_000_000_000_i64..250_000_000_000) {
            let date = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::from_second(seconds).unwrap());
            let wall = Wall(seconds * 1_000_000 + 999_999);
            prop_assert_eq!(month(wall), i64::from(date.year()) * 12 + i64::from(date.month()) - 1);
            prop_assert!(day_start(day(wall)) <= wall && wall < day_start(day(wall) + 1));
            prop_assert!(month_start(month(wall)) <= wall && wall < month_start(month(wall) + 1));
        }
    }
}
