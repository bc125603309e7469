//! The scenarios. Each measures bare and hub in turns, in windows next to each
//! other, so that what disturbs the machine disturbs both; what is reported is
//! the median over the rounds, and the median of the ratios of each round.

pub mod latency;
pub mod requests;
pub mod start;
pub mod streams;

use crate::lab::Side;
use anyhow::Result;
use hdrhistogram::Histogram;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long and how often things are measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Rounds of the closed loops.
    pub rounds: usize,
    /// Length of a window.
    pub window: Duration,
    /// Before each window, not measured.
    pub warm_up: Duration,
    /// Rounds of the latencies at one connection.
    pub latency_rounds: usize,
    /// Length of one such round, all sides together.
    pub latency_span: Duration,
    /// Rounds of 200 paced streams.
    pub paced_rounds: usize,
    /// Measured part of 200 paced streams.
    pub paced_span: Duration,
    /// Rounds of many paced streams.
    pub crowd_rounds: usize,
    /// Measured part of many paced streams.
    pub crowd_span: Duration,
    /// How many streams "many" is.
    pub crowd: usize,
    /// Starts of each gateway.
    pub starts: usize,
}

impl Plan {
    /// About one minute for everything.
    pub fn quick() -> Self {
        Self {
            rounds: 5,
            window: Duration::from_millis(300),
            warm_up: Duration::from_millis(100),
            latency_rounds: 3,
            latency_span: Duration::from_millis(1200),
            paced_rounds: 4,
            paced_span: Duration::from_millis(1200),
            crowd_rounds: 1,
            crowd_span: Duration::from_secs(3),
            crowd: 2000,
            starts: 3,
        }
    }

    /// About six minutes for everything.
    pub fn full() -> Self {
        Self {
            rounds: 7,
            window: Duration::from_millis(1200),
            warm_up: Duration::from_millis(300),
            latency_rounds: 7,
            latency_span: Duration::from_secs(3),
            paced_rounds: 5,
            paced_span: Duration::from_secs(3),
            crowd_rounds: 3,
            crowd_span: Duration::from_secs(8),
            crowd: 2000,
            starts: 7,
        }
    }
}

/// Everything measured: values by metric and side, one per round, and errors by scenario.
#[derive(Debug, Default)]
pub struct Record {
    values: RefCell<BTreeMap<(&'static str, Side), Vec<f64>>>,
    errors: RefCell<BTreeMap<(char, String), u64>>,
}

impl Record {
    /// Adds the value of one round, in the unit of the metric's row.
    pub fn add(&self, metric: &'static str, side: Side, value: f64) {
        self.values.borrow_mut().entry((metric, side)).or_default().push(value);
    }

    /// Counts an error; the same text counts as the same error.
    pub fn error(&self, scenario: char, text: String) {
        *self.errors.borrow_mut().entry((scenario, text)).or_default() += 1;
    }

    /// The values of all rounds.
    pub fn values(&self, metric: &'static str, side: Side) -> Vec<f64> {
        self.values.borrow().get(&(metric, side)).cloned().unwrap_or_default()
    }

    /// All errors: scenario, text, how often.
    pub fn errors(&self) -> Vec<(char, String, u64)> {
        self.errors
            .borrow()
            .iter()
            .map(|((scenario, text), count)| (*scenario, text.clone(), *count))
            .collect()
    }
}

/// Where a window reports its errors.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// What has been measured so far.
    pub record: &'a Record,
    /// Letter of the scenario.
    pub scenario: char,
    /// Which side is being measured.
    pub side: Side,
}

impl Place<'_> {
    /// Counts an error of this window.
    pub fn error(&self, error: &anyhow::Error) {
        self.record.error(self.scenario, format!("{:?}: {error:#}", self.side));
    }
}

/// A histogram of durations in nanoseconds, up to a minute, to three digits.
pub fn durations() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000_000, 3)?)
}

/// The middle value; the mean of the two middle ones for an even count.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len().is_multiple_of(2) { (sorted.get(middle - 1)? + upper) / 2.0 } else { upper })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_their_size() {
        let mut taken = durations().unwrap();
        [120_000, 41_000_000, 2_000_000_000].into_iter().for_each(|value| taken.saturating_record(value));
        assert!(taken.equivalent(taken.value_at_percentile(50.0), 41_000_000));
        assert!(taken.equivalent(taken.max(), 2_000_000_000));
    }

    #[test]
    fn median_is_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
