//! How long a vendor asks to wait: `retry-after-ms`, `retry-after` (seconds or
//! HTTP date), `x-ratelimit-reset-*` (`6m0s`), or its own form in the body.

use http::HeaderMap;
use std::time::Duration;

/// No vendor is obeyed for longer than this: a wrong header must not take a
/// credential away for a day.
const LONGEST: Duration = Duration::from_secs(3600);

/// Headers that say when a limit is full again, and what is left of it.
const RESETS: &[(&str, &str)] = &[
    ("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"),
    ("x-ratelimit-reset", "x-ratelimit-remaining"),
    ("anthropic-ratelimit-requests-reset", "anthropic-ratelimit-requests-remaining"),
    ("anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-tokens-remaining"),
    ("anthropic-ratelimit-input-tokens-reset", "anthropic-ratelimit-input-tokens-remaining"),
    ("anthropic-ratelimit-output-tokens-reset", "anthropic-ratelimit-output-tokens-remaining"),
];

/// What an answer with status 429 asks for: an explicit wait if it names one,
/// otherwise the longest reset of a used-up limit. Bounded to an hour.
/// `wall_seconds` is now, in seconds since the Unix epoch.
///
/// Only for 429: on other answers the reset headers describe limits that were
/// not hit; use [`explicit_wait`] there.
pub fn retry_after(headers: &HeaderMap, body: &[u8], wall_seconds: i64) -> Option<Duration> {
    explicit_wait(headers, body, wall_seconds).or_else(|| longest_reset(headers, wall_seconds))
}

/// The wait an answer names in so many words: `retry-after-ms`, `retry-after`,
/// or Gemini's `RetryInfo` in the body. Bounded to an hour.
pub fn explicit_wait(headers: &HeaderMap, body: &[u8], wall_seconds: i64) -> Option<Duration> {
    let milliseconds = text(headers, "retry-after-ms").and_then(|t| seconds(t).map(|d| d / 1000));
    milliseconds
        .or_else(|| text(headers, "retry-after").and_then(|t| wait(t, wall_seconds)))
        .or_else(|| retry_delay(body))
        .map(|d| d.min(LONGEST))
}

/// A limit with something left is skipped, as long as another is used up.
fn longest_reset(headers: &HeaderMap, wall_seconds: i64) -> Option<Duration> {
    let resets = || {
        RESETS.iter().filter_map(|(reset, remaining)| {
            let wait = wait(text(headers, reset)?, wall_seconds)?;
            Some((wait, text(headers, remaining) == Some("0")))
        })
    };
    let used_up = resets().filter(|(_, empty)| *empty).map(|(wait, _)| wait).max();
    used_up.or_else(|| resets().map(|(wait, _)| wait).max()).map(|d| d.min(LONGEST))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// One header value: seconds, an epoch, a duration, an HTTP date or RFC 3339.
fn wait(value: &str, wall_seconds: i64) -> Option<Duration> {
    if let Some(plain) = seconds(value) {
        return Some(since_epoch(plain, wall_seconds));
    }
    duration(value).or_else(|| date(value, wall_seconds))
}

/// Numbers too large for a wait are points in time: seconds or milliseconds since the epoch.
fn since_epoch(plain: Duration, wall_seconds: i64) -> Duration {
    const SECONDS_FROM: u64 = 1_000_000_000;
    const MILLISECONDS_FROM: u64 = 1_000_000_000_000;
    let now = Duration::from_secs(u64::try_from(wall_seconds).unwrap_or(0));
    match plain.as_secs() {
        MILLISECONDS_FROM.. => (plain / 1000).saturating_sub(now),
        SECONDS_FROM.. => plain.saturating_sub(now),
        _ => plain,
    }
}

/// Digits with an optional fraction; no sign, no exponent.
fn seconds(value: &str) -> Option<Duration> {
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    Duration::try_from_secs_f64(value.parse().ok()?).ok()
}

/// `1s`, `6m0s`, `20ms`, `1h2m3.5s`, `2d`.
fn duration(value: &str) -> Option<Duration> {
    const UNITS: &[(&str, f64)] = &[("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];
    let mut rest = value;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let factor = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * factor).ok()?;
        sum = sum.checked_add(part)?;
        rest = tail;
    }
    (!value.is_empty()).then_some(sum)
}

fn date(value: &str, wall_seconds: i64) -> Option<Duration> {
    let then = jiff::fmt::rfc2822::parse(value)
        .map(|zoned| zoned.timestamp())
        .or_else(|_| value.parse::<jiff::Timestamp>())
        .ok()?;
    let seconds = then.as_second().saturating_sub(wall_seconds);
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// Gemini's `"retryDelay": "7s"`. Searched for, not parsed: the body may be cut.
fn retry_delay(body: &[u8]) -> Option<Duration> {
    const NAME: &[u8] = b"\"retryDelay\"";
    let at = memchr::memmem::find(body, NAME)?;
    let after = body.get(at + NAME.len()..)?.trim_ascii_start().strip_prefix(b":")?;
    let value = after.trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', value)?;
    duration(std::str::from_utf8(value.get(..end)?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;
    use proptest::prelude::*;

    /// 2026-01-01T00:00:00Z
    const NOW: i64 = 1_767_225_600;

    fn asked(headers: &[(&'static str, &str)], body: &str) -> Option<Duration> {
        let map = headers.iter().map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap())).collect();
        retry_after(&map, body.as_bytes(), NOW)
    }

    #[test]
    fn every_known_form_is_read() {
        let ms = Duration::from_millis;
        for (name, value, expected) in [
            ("retry-after-ms", "1500", ms(1500)),
            ("retry-after", "7", ms(7000)),
            ("retry-after", "0.25", ms(250)),
            ("retry-after", "Thu, 01 Jan 2026 00:00:30 GMT", ms(30_000)),
            ("x-ratelimit-reset-requests", "20ms", ms(20)),
            ("x-ratelimit-reset-tokens", "6m0s", ms(360_000)),
            ("x-ratelimit-reset", "1767225610", ms(10_000)),
            ("x-ratelimit-reset", "1767225610500", ms(10_500)),
            ("anthropic-ratelimit-tokens-reset", "2026-01-01T00:00:05Z", ms(5_000)),
        ] {
            assert_eq!(asked(&[(name, value)], ""), Some(expected), "{name}: {value}");
        }
        assert_eq!(asked(&[], r#"{"error":{"details":[{"retryDelay" : "7.5s"}]}}"#), Some(ms(7500)));
    }

    #[test]
    fn an_explicit_wait_beats_the_resets() {
        let headers = [("retry-after", "2"), ("x-ratelimit-reset-tokens", "6m0s")];
        assert_eq!(asked(&headers, ""), Some(Duration::from_secs(2)));
    }

    #[test]
    fn the_reset_of_a_limit_with_room_left_does_not_count() {
        let headers = [
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-tokens", "6m0s"),
            ("x-ratelimit-remaining-tokens", "900"),
        ];
        assert_eq!(asked(&headers, ""), Some(Duration::from_secs(1)));
    }

    #[test]
    fn resets_are_no_explicit_wait() {
        let map = [(HeaderName::from_static("x-ratelimit-reset-tokens"), "6m0s".parse().unwrap())];
        assert_eq!(explicit_wait(&map.into_iter().collect(), b"", NOW), None);
    }

    #[test]
    fn a_wait_is_at_most_an_hour_and_never_negative() {
        assert_eq!(asked(&[("retry-after", "86400")], ""), Some(LONGEST));
        assert_eq!(asked(&[("retry-after", "Thu, 01 Jan 2015 00:00:30 GMT")], ""), Some(Duration::ZERO));
    }

    #[test]
    fn nonsense_is_no_wait() {
        for bad in ["", "-1", "soon", "1e9", "5x", "1.2.3", "s", "NaN", "99999999999999999999999999d"] {
            assert_eq!(asked(&[("retry-after", bad)], ""), None, "{bad}");
        }
        assert_eq!(asked(&[], r#"{"retryDelay":"7"#), None);
    }

    proptest! {
        #[test]
        fn no_header_or_body_makes_it_panic(value in "[ -~]{0,40}", body in proptest::collection::vec(any::<u8>(), 0..80)) {
            let name = HeaderName::from_static("retry-after");
            let map = [(name, value.parse().unwrap())].into_iter().collect();
            prop_assert!(retry_after(&map, &body, NOW).is_none_or(|d| d <= LONGEST));
        }
    }
}
