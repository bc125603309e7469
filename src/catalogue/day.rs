//! A calendar day, as lists and operators write it.

use std::fmt;

const SECONDS_PER_DAY: i64 = 86_400;

/// A calendar day, UTC: days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

impl Day {
    /// Reads `2026-11-20`; of `2026-11`, as some lists have it, the first.
    pub fn parse(text: &str) -> Option<Self> {
        let whole = if text.len() == "2026-11".len() { format!("{text}-01") } else { text.to_owned() };
        let date: jiff::civil::Date = whole.parse().ok().filter(|_| whole.len() == "2026-11-20".len())?;
        let epoch = jiff::civil::date(1970, 1, 1);
        Some(Self(i64::from(epoch.until(date).ok()?.get_days())))
    }

    /// The day of a time in seconds since the epoch.
    pub fn of_seconds(seconds: i64) -> Self {
        Self(seconds.div_euclid(SECONDS_PER_DAY))
    }

    /// Its first second, since the epoch.
    pub fn seconds(self) -> i64 {
        self.0.saturating_mul(SECONDS_PER_DAY)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.seconds()) {
            Ok(at) => write!(f, "{}", at.to_zoned(jiff::tz::TimeZone::UTC).date()),
            Err(_) => write!(f, "day {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_written() {
        for (text, shown, seconds) in [
            ("1970-01-01", "1970-01-01", 0),
            ("2026-11-20", "2026-11-20", 1_795_132_800),
            ("2024-02", "2024-02-01", 1_706_745_600),
        ] {
            let day = Day::parse(text).unwrap();
            assert_eq!((day.to_string().as_str(), day.seconds()), (shown, seconds));
            assert_eq!(Day::of_seconds(day.seconds() + 86_399), day);
        }
        for bad in ["", "2026", "2026-13-01", "2026-02-30", "20261120", "2026-11-20T00:00:00", "tomorrow"] {
            assert_eq!(Day::parse(bad), None, "{bad}");
        }
    }
}
