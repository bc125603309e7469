//! What an answer may show of sums, by name: counters, amounts, and what
//! follows from them. One table for questions, answers and documents.

use super::sums::{Amount, Counter, Sums};
use crate::types::Pico;
use std::borrow::Cow;
use std::fmt;

/// A number of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// There is none: a percentile of nothing, a part of nothing.
    Nothing,
    /// A count, or microseconds.
    Count(u64),
    /// Money or credits.
    Money(Pico),
    /// A part of one, in millionths.
    Millionths(u64),
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Figure::Nothing => Ok(()),
            Figure::Count(count) => count.fmt(f),
            Figure::Money(money) => money.fmt(f),
            Figure::Millionths(parts) => Pico(i128::from(*parts) * 1_000_000).fmt(f),
        }
    }
}

impl serde::Serialize for Figure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Figure::Nothing => serializer.serialize_none(),
            Figure::Count(count) => serializer.serialize_u64(*count),
            Figure::Money(_) | Figure::Millionths(_) => serializer.collect_str(self),
        }
    }
}

/// Something to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// As it is counted.
    Counter(Counter),
    /// As it is added up.
    Amount(Amount),
    /// All tokens in.
    InputTokens,
    /// All tokens out.
    OutputTokens,
    /// All tokens.
    Tokens,
    /// What part of the requests failed.
    ErrorRate,
    /// What part of the requests was answered from memory.
    CacheHitRate,
    /// How long requests took, on average.
    MeanDuration,
    /// How long streams took to their first token, on average.
    MeanFirstToken,
    /// What so many of a thousand requests did not exceed.
    Duration(u64),
    /// What so many of a thousand streams did not exceed to their first token.
    FirstToken(u64),
}

/// The names of those that are no counter and no amount, and what they mean.
const DERIVED: &[(&str, Measure, &str)] = &[
    ("input_tokens", Measure::InputTokens, "All input tokens, cached or not."),
    ("output_tokens", Measure::OutputTokens, "All output tokens, thoughts and audio included."),
    ("tokens", Measure::Tokens, "All tokens."),
    ("error_rate", Measure::ErrorRate, "errors / requests, as a decimal string."),
    ("cache_hit_rate", Measure::CacheHitRate, "cache_hits / requests, as a decimal string."),
    ("duration_us_mean", Measure::MeanDuration, "duration_us / requests."),
    ("first_token_us_mean", Measure::MeanFirstToken, "first_token_us / first_token_requests."),
    ("duration_us_p50", Measure::Duration(500), "Half of the answered requests took no longer (±3.2 %)."),
    ("duration_us_p90", Measure::Duration(900), "90 % of the answered requests took no longer (±3.2 %)."),
    ("duration_us_p95", Measure::Duration(950), "95 % of the answered requests took no longer (±3.2 %)."),
    ("duration_us_p99", Measure::Duration(990), "99 % of the answered requests took no longer (±3.2 %)."),
    (
        "first_token_us_p50",
        Measure::FirstToken(500),
        "Half of the streams had their first token by then (±3.2 %).",
    ),
    (
        "first_token_us_p90",
        Measure::FirstToken(900),
        "90 % of the streams had their first token by then (±3.2 %).",
    ),
    (
        "first_token_us_p95",
        Measure::FirstToken(950),
        "95 % of the streams had their first token by then (±3.2 %).",
    ),
    (
        "first_token_us_p99",
        Measure::FirstToken(990),
        "99 % of the streams had their first token by then (±3.2 %).",
    ),
];

impl Measure {
    /// All of them, with their names and what they mean.
    pub fn all() -> impl Iterator<Item = (&'static str, Self, Cow<'static, str>)> {
        let counters = Counter::ALL.iter().map(|one| (one.name(), Measure::Counter(*one), one.what().into()));
        let amounts =
            Amount::ALL.into_iter().map(|one| (one.name(), Measure::Amount(one), amount_text(one).into()));
        let derived = DERIVED.iter().map(|(name, measure, what)| (*name, *measure, (*what).into()));
        counters.chain(amounts).chain(derived)
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|(own, ..)| *own == name).map(|(_, measure, _)| measure)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::all().find(|(_, own, _)| *own == self).map_or("", |(name, ..)| name)
    }

    /// Does it need histograms?
    pub fn needs_times(self) -> bool {
        matches!(self, Measure::Duration(_) | Measure::FirstToken(_))
    }

    /// Does it tell what vendors take?
    pub fn tells_cost(self) -> bool {
        matches!(self, Measure::Amount(Amount::Cost | Amount::Saved))
    }

    /// Its value.
    pub fn of(self, sums: &Sums) -> Figure {
        use Counter as C;
        let all = |counters: &[Counter]| {
            let sum = counters.iter().fold(0_u64, |sum, one| sum.saturating_add(sums.counted(*one)));
            Figure::Count(sum)
        };
        const IN: [Counter; 5] = [C::Input, C::CacheRead, C::CacheWrite5m, C::CacheWrite1h, C::AudioInput];
        const OUT: [Counter; 3] = [C::Output, C::Reasoning, C::AudioOutput];
        let quantile = |found: Option<u64>| found.map_or(Figure::Nothing, Figure::Count);
        match self {
            Measure::Counter(counter) => Figure::Count(sums.counted(counter)),
            Measure::Amount(amount) => Figure::Money(sums.money(amount)),
            Measure::InputTokens => all(&IN),
            Measure::OutputTokens => all(&OUT),
            Measure::Tokens => all(&[IN.as_slice(), OUT.as_slice()].concat()),
            Measure::ErrorRate => part(sums.counted(C::Errors), sums.counted(C::Requests)),
            Measure::CacheHitRate => part(sums.counted(C::CacheHits), sums.counted(C::Requests)),
            Measure::MeanDuration => mean(sums.counted(C::DurationUs), sums.counted(C::Requests)),
            Measure::MeanFirstToken => mean(sums.counted(C::FirstTokenUs), sums.counted(C::Timed)),
            Measure::Duration(per_mille) => quantile(sums.times.duration.quantile(per_mille)),
            Measure::FirstToken(per_mille) => quantile(sums.times.first_token.quantile(per_mille)),
        }
    }
}

fn amount_text(amount: Amount) -> &'static str {
    match amount {
        Amount::Cost => "What vendors take, in the currency, as a decimal string.",
        Amount::Charge => "What wallets were charged, in credits, as a decimal string.",
        Amount::Saved => "What answers from memory would have cost, as a decimal string.",
    }
}

fn part(of: u64, whole: u64) -> Figure {
    let millionths = (u128::from(of) * 1_000_000).checked_div(u128::from(whole));
    millionths.map_or(Figure::Nothing, |parts| Figure::Millionths(u64::try_from(parts).unwrap_or(u64::MAX)))
}

fn mean(sum: u64, count: u64) -> Figure {
    sum.checked_div(count).map_or(Figure::Nothing, Figure::Count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_stand_for_one_thing() {
        let names: Vec<_> = Measure::all().map(|(name, ..)| name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), names.len());
        for (name, measure, what) in Measure::all() {
            assert_eq!((Measure::parse(name), measure.name()), (Some(measure), name));
            assert!(what.ends_with('.'));
        }
    }

    #[test]
    fn parts_of_nothing_are_nothing_and_others_are_exact_decimals() {
        let mut sums = Sums::default();
        assert_eq!(Measure::ErrorRate.of(&sums), Figure::Nothing);
        sums.count(Counter::Requests, 8);
        sums.count(Counter::Errors, 1);
        assert_eq!(Measure::ErrorRate.of(&sums).to_string(), "0.125");
        assert_eq!(serde_json::to_value(Measure::ErrorRate.of(&sums)).unwrap(), "0.125");
        assert_eq!(serde_json::to_value(Figure::Nothing).unwrap(), serde_json::Value::Null);
    }
}
