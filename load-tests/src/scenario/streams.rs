//! Many paced streams at once. Each event says when the vendor sent it; the
//! clock is the machine's, so its age on arrival is the latency. The vendor sends
//! on a grid whatever the gateway does: a stall shows in full.

use super::requests::Pair;
use super::{Place, Plan, Record, durations};
use crate::client::{Ask, Connection, Target, Watch};
use crate::lab::{Lab, Side};
use crate::machine::{Memory, cpu_ns, memory};
use anyhow::{Result, anyhow};
use hdrhistogram::Histogram;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const GAP: Duration = Duration::from_millis(50);
const SMALL_CROWD: usize = 200;
const SETTLE: Duration = Duration::from_millis(400);
/// Memory is looked at this long after the last stream has ended.
const AFTERWARDS: Duration = Duration::from_secs(2);
const BYTES: usize = 1_200;
const MEGABYTE: f64 = 1_048_576.0;
const KILOBYTE: f64 = 1_024.0;

/// How many streams, and when.
#[derive(Clone, Copy, Debug)]
struct Crowd {
    streams: usize,
    /// Over which their starts are scattered: a multiple of the gap, so that their events are too.
    ramp: Duration,
    span: Duration,
}

impl Crowd {
    /// Enough for the first stream to last until the measured part is over.
    fn events(&self) -> u32 {
        let total = self.ramp + SETTLE + self.span + GAP * 4;
        u32::try_from(total.as_millis() / GAP.as_millis()).unwrap_or(u32::MAX)
    }
}

/// What the measured part saw.
struct Seen {
    cpu_ns: u64,
    events: u64,
    delays: Histogram<u64>,
    peak: Option<Memory>,
}

/// Scenario d: CPU per event of 200 streams of 20 events per second.
pub async fn paced(pair: &Pair, plan: &Plan, record: &Record) -> Result<()> {
    let crowd = Crowd { streams: SMALL_CROWD, ramp: GAP * 4, span: plan.paced_span };
    for round in 0..plan.paced_rounds {
        for side in Side::gateways(round) {
            let gateway = pair.get(side);
            let place = Place { record, scenario: 'd', side };
            let seen = stream(&gateway.target, Some(gateway.pid()), crowd, place).await?;
            record.add("cpu_event", side, seen.cpu_ns as f64 / 1_000.0 / seen.events.max(1) as f64);
        }
    }
    Ok(())
}

/// Scenario f: latency and memory of 2,000 streams, each time by a fresh gateway.
pub async fn crowd(lab: &Lab, plan: &Plan, record: &Record) -> Result<()> {
    let crowd = Crowd { streams: plan.crowd, ramp: GAP * 20, span: plan.crowd_span };
    for round in 0..plan.crowd_rounds {
        let place = Place { record, scenario: 'f', side: Side::Direct };
        latencies(&stream(lab.direct(), None, crowd, place).await?, place);
        for side in Side::gateways(round) {
            let place = Place { record, scenario: 'f', side };
            let gateway = lab.start(side).await?;
            let idle = super::start::settled(&gateway, place).await?;
            let seen = stream(&gateway.target, Some(gateway.pid()), crowd, place).await?;
            latencies(&seen, place);
            let peak = seen.peak.map_or(0, |memory| memory.rss);
            let per_stream = peak.saturating_sub(idle.rss) as f64 / KILOBYTE / plan.crowd as f64;
            record.add("stream_memory", side, per_stream);
            sleep(AFTERWARDS).await;
            record.add("memory_after", side, memory(gateway.pid())?.rss as f64 / MEGABYTE);
        }
    }
    Ok(())
}

fn latencies(seen: &Seen, place: Place<'_>) {
    for (metric, percentile) in [("crowd_p50", 50.0), ("crowd_p99", 99.0), ("crowd_p999", 99.9)] {
        place.record.add(metric, place.side, seen.delays.value_at_percentile(percentile) as f64 / 1e6);
    }
    if place.side != Side::Direct {
        place.record.add("crowd_cpu", place.side, seen.cpu_ns as f64 / 1_000.0 / seen.events.max(1) as f64);
    }
}

struct Tally {
    recording: Cell<bool>,
    active: Cell<usize>,
    events: Cell<u64>,
    delays: RefCell<Histogram<u64>>,
    errors: RefCell<Vec<anyhow::Error>>,
}

impl Watch for Rc<Tally> {
    fn events(&self, delays: &mut dyn Iterator<Item = u64>) {
        if !self.recording.get() {
            return delays.for_each(drop);
        }
        let mut histogram = self.delays.borrow_mut();
        for delay in delays {
            histogram.saturating_record(delay);
            self.events.set(self.events.get() + 1);
        }
    }
}

async fn stream(target: &Target, pid: Option<u32>, crowd: Crowd, place: Place<'_>) -> Result<Seen> {
    let tally = Rc::new(Tally {
        recording: Cell::new(false),
        active: Cell::new(0),
        events: Cell::new(0),
        delays: RefCell::new(durations()?),
        errors: RefCell::new(Vec::new()),
    });
    let events = crowd.events();
    let model = format!("mock/paced-{}ms-{events}", GAP.as_millis());
    let ask = Ask::stream(target, BYTES, &model, events);
    let mut tasks = JoinSet::new();
    for number in 0..crowd.streams {
        let wait = crowd.ramp.mul_f64(scattered(number));
        let connection = Connection::new(target, number as u64);
        tasks.spawn_local(one(connection, wait, Rc::clone(&ask), Rc::clone(&tally)));
    }
    sleep(crowd.ramp + SETTLE).await;
    let cpu = || pid.map_or(Ok(0), cpu_ns);
    let active = tally.active.get();
    let before = cpu()?;
    tally.recording.set(true);
    sleep(crowd.span).await;
    tally.recording.set(false);
    let cpu_ns = cpu()? - before;
    let peak = pid.map(memory).transpose()?;
    if active.min(tally.active.get()) < crowd.streams {
        place.error(&anyhow!(
            "only {} of {} streams were running",
            active.min(tally.active.get()),
            crowd.streams
        ));
    }
    let ended =
        timeout(crowd.ramp + Duration::from_secs(15), async { while tasks.join_next().await.is_some() {} });
    if ended.await.is_err() {
        place.error(&anyhow!("streams without an end"));
    }
    tally.errors.borrow().iter().for_each(|error| place.error(error));
    let delays = tally.delays.borrow().clone();
    Ok(Seen { cpu_ns, events: tally.events.get(), delays, peak })
}

/// A number from 0 to 1 that looks random and is the same in every window. Starts on
/// a grid would make events meet or miss each other by chance, all of them at once,
/// and what meets is cheaper to forward.
fn scattered(number: usize) -> f64 {
    let mixed = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (mixed >> 40) as f64 / (1_u64 << 24) as f64
}

/// One stream on a connection of its own, closed when the stream has ended.
async fn one(mut connection: Connection, wait: Duration, ask: Rc<Ask>, tally: Rc<Tally>) {
    sleep(wait).await;
    tally.active.set(tally.active.get() + 1);
    if let Err(error) = connection.exchange(&ask, &tally).await {
        tally.errors.borrow_mut().push(error);
    }
    tally.active.set(tally.active.get() - 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_scattered_over_the_whole_ramp() {
        let mut tenths = [0; 10];
        for number in 0..2_000 {
            tenths[(scattered(number) * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (150..250).contains(count)), "{tenths:?}");
    }
}
