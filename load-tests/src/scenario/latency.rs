//! What a gateway adds at one connection: its percentile minus the percentile
//! without a gateway, measured in turns within the same seconds.

use super::requests::Pair;
use super::{Place, Plan, Record, durations};
use crate::client::{Ask, Connection, Target, Times};
use crate::lab::Side;
use anyhow::Result;
use hdrhistogram::Histogram;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// Requests in a row on one side before the next side has its turn.
const BATCH: usize = 20;
const SIDES: [Side; 3] = [Side::Direct, Side::Bare, Side::Hub];

/// Scenario b: a small chat, answered whole.
pub async fn whole(direct: &Target, pair: &Pair, plan: &Plan, record: &Record) -> Result<()> {
    let ask = |target: &Target| Ask::whole(target, 1_200);
    let metrics =
        Metrics { scenario: 'b', p50: "added_p50", p99: Some("added_p99"), measure: |times| times.done };
    in_turns(direct, pair, plan, record, &ask, &metrics).await
}

/// Scenario c: the first event of a stream whose second event comes 1 ms later,
/// so that a gateway that waits for more is seen.
pub async fn first_event(direct: &Target, pair: &Pair, plan: &Plan, record: &Record) -> Result<()> {
    let ask = |target: &Target| Ask::stream(target, 1_200, "mock/paced-1ms-2", 2);
    let metrics = Metrics { scenario: 'c', p50: "first_event_p50", p99: None, measure: |times| times.first };
    in_turns(direct, pair, plan, record, &ask, &metrics).await
}

struct Metrics {
    scenario: char,
    p50: &'static str,
    p99: Option<&'static str>,
    measure: fn(&Times) -> u64,
}

/// One side with its one connection.
struct Lane {
    side: Side,
    ask: Rc<Ask>,
    connection: Connection,
    taken: Histogram<u64>,
}

async fn in_turns(
    direct: &Target,
    pair: &Pair,
    plan: &Plan,
    record: &Record,
    ask: &dyn Fn(&Target) -> Rc<Ask>,
    metrics: &Metrics,
) -> Result<()> {
    for _ in 0..plan.latency_rounds {
        let mut lanes = Vec::new();
        for side in SIDES {
            let target = if side == Side::Direct { direct } else { &pair.get(side).target };
            let taken = durations()?;
            lanes.push(Lane { side, ask: ask(target), connection: Connection::new(target, 1), taken });
        }
        for lane in &mut lanes {
            lane.batch(record, metrics).await;
            lane.taken.reset();
        }
        let start = Instant::now();
        while start.elapsed() < plan.latency_span {
            for lane in &mut lanes {
                lane.batch(record, metrics).await;
            }
            // No side shall always come first.
            lanes.rotate_left(1);
        }
        report(&lanes, record, metrics);
    }
    Ok(())
}

impl Lane {
    async fn batch(&mut self, record: &Record, metrics: &Metrics) {
        for _ in 0..BATCH {
            match self.connection.exchange(&self.ask, &()).await {
                Ok(times) => {
                    self.taken.saturating_record((metrics.measure)(&times).saturating_sub(times.sent))
                }
                Err(error) => {
                    Place { record, scenario: metrics.scenario, side: self.side }.error(&error);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    fn micros(&self, percentile: f64) -> f64 {
        self.taken.value_at_percentile(percentile) as f64 / 1_000.0
    }
}

/// Records each gateway's percentiles minus those of the direct way, and the direct way's own.
fn report(lanes: &[Lane], record: &Record, metrics: &Metrics) {
    let Some(direct) = lanes.iter().find(|lane| lane.side == Side::Direct) else { return };
    for lane in lanes {
        for (metric, percentile) in [(Some(metrics.p50), 50.0), (metrics.p99, 99.0)] {
            let Some(metric) = metric else { continue };
            let base = if lane.side == Side::Direct { 0.0 } else { direct.micros(percentile) };
            record.add(metric, lane.side, lane.micros(percentile) - base);
        }
    }
}
