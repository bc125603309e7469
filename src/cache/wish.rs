//! What the operator allows and what the caller asks for.

use std::time::Duration;

/// The longest time to live that a caller can ask for. A longer wish is cut to this.
pub const MAX_TTL: Duration = Duration::from_secs(30 * 24 * 3600);

/// Whether and how long answers are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Is the cache on without the caller asking for it?
    pub enabled: bool,
    /// How long an answer is kept.
    pub ttl: Duration,
}

/// What the caller asks for with `Cache-Control` and `x-cache-ttl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// `no-cache`, `max-age=0` or `x-cache-ttl: 0`: do not read.
    pub no_read: bool,
    /// `no-store` or `x-cache-ttl: 0`: do not write.
    pub no_write: bool,
    /// `max-age` or `x-cache-ttl`: cache explicitly, for this long. Never zero, never above [`MAX_TTL`].
    pub ttl: Option<Duration>,
    /// `only-if-cached`: answer from the cache or not at all.
    pub only_if_cached: bool,
}

impl Wish {
    /// Reads both headers. What is unknown or unreadable is ignored, because
    /// HTTP clients send `Cache-Control` for reasons that are not ours.
    ///
    /// `x-cache-ttl` is seconds, or a number with `s`, `m`, `h` or `d`. It wins
    /// over `max-age`, since it can only be meant for us; zero turns the cache
    /// off for this request. `max-age=0` asks for a fresh answer, which may be kept.
    pub fn read(cache_control: Option<&str>, ttl: Option<&str>) -> Self {
        let mut wish = Self::default();
        for directive in cache_control.unwrap_or_default().split(',') {
            wish.apply(directive);
        }
        match ttl.and_then(seconds) {
            Some(0) => wish = Self { no_read: true, no_write: true, ttl: None, ..wish },
            Some(wanted) => wish.ttl = Some(bounded(wanted)),
            None => {}
        }
        wish
    }

    fn apply(&mut self, directive: &str) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case("no-cache") {
            self.no_read = true;
        } else if name.eq_ignore_ascii_case("no-store") {
            self.no_write = true;
        } else if name.eq_ignore_ascii_case("only-if-cached") {
            self.only_if_cached = true;
        } else if name.eq_ignore_ascii_case("max-age") {
            match digits(value.trim().trim_matches('"')) {
                Some(0) => self.no_read = true,
                Some(wanted) => self.ttl = Some(bounded(wanted)),
                None => {}
            }
        }
    }
}

fn bounded(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(MAX_TTL)
}

/// Digits only. More of them than fit are the largest number, and not a refusal.
fn digits(text: &str) -> Option<u64> {
    let number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    number.then(|| text.parse().unwrap_or(u64::MAX))
}

fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit = match text.bytes().last()?.to_ascii_lowercase() {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        b'd' => 24 * 3600,
        _ => return digits(text),
    };
    let number = text.get(..text.len() - 1)?;
    digits(number.trim_end()).map(|n| n.saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ttl(seconds: u64) -> Wish {
        Wish { ttl: Some(Duration::from_secs(seconds)), ..Wish::default() }
    }

    #[test]
    fn every_directive_is_read_whatever_its_case_and_spacing() {
        let wish = Wish::read(Some(" No-Cache ,NO-STORE,only-if-cached , max-age = \"60\""), None);
        let all = Wish { no_read: true, no_write: true, only_if_cached: true, ..ttl(60) };
        assert_eq!(wish, all);
    }

    #[test]
    fn what_cannot_be_read_changes_nothing() {
        for odd in ["", ",,", "max-age", "max-age=", "max-age=-1", "max-age=1.5", "public, s-maxage=9", "=5"]
        {
            assert_eq!(Wish::read(Some(odd), None), Wish::default(), "{odd:?}");
        }
        for odd in ["", " ", "m", "x5", "5 weeks", "-1", "1e3", "5µ"] {
            assert_eq!(Wish::read(None, Some(odd)), Wish::default(), "{odd:?}");
        }
    }

    #[test]
    fn a_ttl_takes_units_and_wins_over_max_age() {
        assert_eq!(Wish::read(None, Some("90")), ttl(90));
        assert_eq!(Wish::read(None, Some("90s")), ttl(90));
        assert_eq!(Wish::read(None, Some(" 5 M ")), ttl(300));
        assert_eq!(Wish::read(None, Some("2h")), ttl(7200));
        assert_eq!(Wish::read(Some("max-age=5"), Some("1d")), ttl(86_400));
    }

    #[test]
    fn zero_asks_for_a_fresh_answer_or_for_none_at_all() {
        let fresh = Wish { no_read: true, ..Wish::default() };
        assert_eq!(Wish::read(Some("max-age=0"), None), fresh);
        let off = Wish { no_read: true, no_write: true, ..Wish::default() };
        assert_eq!(Wish::read(Some("max-age=60"), Some("0")), off);
    }

    #[test]
    fn a_wish_is_cut_to_the_longest_time_allowed() {
        for huge in ["99999999", "99999999999999999999999", "99999999999999999d"] {
            assert_eq!(Wish::read(None, Some(huge)).ttl, Some(MAX_TTL), "{huge}");
        }
        assert_eq!(Wish::read(Some("max-age=18446744073709551616"), None).ttl, Some(MAX_TTL));
    }
}
