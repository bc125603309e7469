//! The rows of the table and what each may be.

use crate::lab::Side;
use crate::scenario::{Record, median};
use serde::Serialize;

/// What a value must not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The hub's value divided by that of the bare proxy.
    Ratio(f64),
    /// The hub's value, in the unit of the row.
    AtMost(f64),
    /// Shown for orientation.
    Open,
}

/// What the hub's value is divided by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Base {
    /// The same metric of the bare proxy.
    Bare,
    /// Another metric of the hub.
    Own(&'static str),
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Letter of the scenario that measures it.
    pub scenario: char,
    /// Name in the record and in JSON.
    pub metric: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// Unit of the values.
    pub unit: &'static str,
    /// Digits behind the point.
    pub digits: usize,
    /// What the ratio is taken from.
    pub base: Base,
    /// What must hold.
    pub bound: Bound,
}

const fn row(
    scenario: char,
    metric: &'static str,
    label: &'static str,
    unit: &'static str,
    bound: Bound,
) -> Row {
    Row { scenario, metric, label, unit, digits: 1, base: Base::Bare, bound }
}

const fn fine(row: Row) -> Row {
    Row { digits: 3, ..row }
}

/// All rows in the order they are shown.
pub const ROWS: &[Row] = &[
    row('a', "cpu_1k", "CPU per request, 1.2 KB chat", "µs", Bound::Ratio(1.3)),
    row('a', "cpu_10k", "CPU per request, 10 KB chat", "µs", Bound::Ratio(1.3)),
    row('a', "cpu_200k", "CPU per request, 200 KB chat", "µs", Bound::Ratio(1.4)),
    row('a', "cpu_1m", "CPU per request, 1 MB chat", "µs", Bound::Ratio(1.2)),
    row('a', "rate_1k", "requests per second, 1.2 KB chat", "/s", Bound::Open),
    row('a', "rate_10k", "requests per second, 10 KB chat", "/s", Bound::Open),
    row('a', "rate_200k", "requests per second, 200 KB chat", "/s", Bound::Open),
    row('a', "rate_1m", "requests per second, 1 MB chat", "/s", Bound::Open),
    row('b', "added_p50", "added over direct, one connection, p50", "µs", Bound::AtMost(150.0)),
    row('b', "added_p99", "added over direct, one connection, p99", "µs", Bound::AtMost(240.0)),
    row('c', "first_event_p50", "added time to first event, p50", "µs", Bound::AtMost(120.0)),
    row('d', "cpu_event", "CPU per paced event, 200 streams", "µs", Bound::Ratio(0.9)),
    row('e', "cpu_burst", "CPU per answer of 64 events", "µs", Bound::Ratio(1.3)),
    fine(row('f', "crowd_p50", "paced streams: event latency p50", "ms", Bound::Open)),
    fine(row('f', "crowd_p99", "paced streams: event latency p99", "ms", Bound::AtMost(2.0))),
    fine(row('f', "crowd_p999", "paced streams: event latency p99.9", "ms", Bound::Open)),
    row('f', "crowd_cpu", "paced streams: CPU per event", "µs", Bound::Open),
    row('f', "stream_memory", "paced streams: memory per stream", "KB", Bound::AtMost(43.0)),
    row('f', "memory_after", "memory 2 s after the streams ended", "MB", Bound::AtMost(60.0)),
    Row {
        base: Base::Own("cpu_pass_through"),
        ..row(
            'h',
            "cpu_translated",
            "translated stream, CPU, against own pass-through",
            "µs",
            Bound::Ratio(1.2),
        )
    },
    row('g', "idle_memory", "idle memory", "MB", Bound::AtMost(30.0)),
    fine(row('g', "ready", "start to ready", "s", Bound::AtMost(1.0))),
];

/// Whether a bound holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It holds.
    Ok,
    /// It does not.
    Over,
    /// There is none.
    Open,
    /// There were errors: the numbers mean nothing.
    Invalid,
    /// Nothing was measured.
    Missing,
}

/// A row with its numbers: medians, and all rounds.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Letter of the scenario.
    pub scenario: char,
    /// Name in JSON.
    pub metric: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// Unit of the values.
    pub unit: &'static str,
    /// Digits behind the point.
    #[serde(skip)]
    pub digits: usize,
    /// Without a gateway, where that was measured.
    pub direct: Option<f64>,
    /// Bare Pingora, or what else the ratio is taken from.
    pub bare: Option<f64>,
    /// The hub.
    pub hub: Option<f64>,
    /// Median of the ratios of the rounds.
    pub ratio: Option<f64>,
    /// Smallest and largest ratio of a round.
    pub ratio_range: Option<(f64, f64)>,
    /// What must hold.
    pub bound: Bound,
    /// Whether it does.
    pub verdict: Verdict,
    /// All rounds of the bare proxy.
    pub bare_rounds: Vec<f64>,
    /// All rounds of the hub.
    pub hub_rounds: Vec<f64>,
}

/// The lines of the scenarios that were run.
pub fn lines(record: &Record, scenarios: &[char]) -> Vec<Line> {
    let failed: Vec<char> = record.errors().iter().map(|(scenario, ..)| *scenario).collect();
    let wanted = ROWS.iter().filter(|row| scenarios.contains(&row.scenario));
    wanted.map(|row| line(row, record, failed.contains(&row.scenario))).collect()
}

fn line(row: &Row, record: &Record, failed: bool) -> Line {
    let hub_rounds = record.values(row.metric, Side::Hub);
    let bare_rounds = match row.base {
        Base::Bare => record.values(row.metric, Side::Bare),
        Base::Own(metric) => record.values(metric, Side::Hub),
    };
    let ratios: Vec<f64> = hub_rounds.iter().zip(&bare_rounds).map(|(hub, bare)| hub / bare).collect();
    let (hub, ratio) = (median(&hub_rounds), median(&ratios));
    let smallest = ratios.iter().copied().reduce(f64::min);
    let largest = ratios.iter().copied().reduce(f64::max);
    Line {
        scenario: row.scenario,
        metric: row.metric,
        label: row.label,
        unit: row.unit,
        digits: row.digits,
        direct: median(&record.values(row.metric, Side::Direct)),
        bare: median(&bare_rounds),
        hub,
        ratio,
        ratio_range: smallest.zip(largest),
        bound: row.bound,
        verdict: if failed { Verdict::Invalid } else { verdict(row.bound, hub, ratio) },
        bare_rounds,
        hub_rounds,
    }
}

fn verdict(bound: Bound, hub: Option<f64>, ratio: Option<f64>) -> Verdict {
    let (value, most) = match bound {
        Bound::Ratio(most) => (ratio, most),
        Bound::AtMost(most) => (hub, most),
        Bound::Open => return if hub.is_some() { Verdict::Open } else { Verdict::Missing },
    };
    match value {
        None => Verdict::Missing,
        Some(value) if value <= most => Verdict::Ok,
        // Also for what is not a number.
        Some(_) => Verdict::Over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(record: &Record, metric: &str) -> Line {
        lines(record, &['a', 'b']).into_iter().find(|line| line.metric == metric).unwrap()
    }

    #[test]
    fn ratio_is_the_median_of_the_rounds_and_not_of_the_medians() {
        let record = Record::default();
        for (bare, hub) in [(10.0, 11.0), (20.0, 26.0), (40.0, 48.0)] {
            record.add("cpu_1k", Side::Bare, bare);
            record.add("cpu_1k", Side::Hub, hub);
        }
        let line = find(&record, "cpu_1k");
        assert_eq!((line.bare, line.hub, line.ratio), (Some(20.0), Some(26.0), Some(1.2)));
        assert_eq!(line.ratio_range, Some((1.1, 1.3)));
        assert_eq!(line.verdict, Verdict::Ok);
    }

    #[test]
    fn bounds_hold_up_to_themselves() {
        assert_eq!(verdict(Bound::AtMost(150.0), Some(150.0), None), Verdict::Ok);
        assert_eq!(verdict(Bound::AtMost(150.0), Some(150.1), None), Verdict::Over);
        assert_eq!(verdict(Bound::Ratio(1.3), Some(1.0), Some(f64::NAN)), Verdict::Over);
        assert_eq!(verdict(Bound::Ratio(1.3), Some(1.0), None), Verdict::Missing);
    }

    #[test]
    fn errors_make_the_rows_of_their_scenario_invalid() {
        let record = Record::default();
        record.add("cpu_1k", Side::Hub, 1.0);
        record.add("added_p50", Side::Hub, 1.0);
        record.error('a', "status 500".to_owned());
        assert_eq!(find(&record, "cpu_1k").verdict, Verdict::Invalid);
        assert_eq!(find(&record, "added_p50").verdict, Verdict::Ok);
    }
}
