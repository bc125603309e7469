//! Closed loops: a fixed number of connections, each sending its next request
//! when the last one is answered. Measures the gateway's CPU time per request.

use super::{Place, Plan, Record};
use crate::client::{Ask, Connection};
use crate::lab::Side;
use crate::machine::cpu_ns;
use crate::process::Running;
use anyhow::{Result, anyhow};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

const CONNECTIONS: u64 = 64;
const BURST_CONNECTIONS: u64 = 16;
const BURST_EVENTS: u32 = 64;
const BURST_MODEL: &str = "mock/burst-64";
const END_LIMIT: Duration = Duration::from_secs(15);

/// Body sizes with the metrics they are recorded as: CPU time and rate.
const SIZES: [(usize, &str, &str); 4] = [
    (1_200, "cpu_1k", "rate_1k"),
    (10_000, "cpu_10k", "rate_10k"),
    (200_000, "cpu_200k", "rate_200k"),
    (1_000_000, "cpu_1m", "rate_1m"),
];

/// The long-lived pair of gateways of a run.
#[derive(Debug)]
pub struct Pair {
    /// Pingora without logic.
    pub bare: Running,
    /// The hub.
    pub hub: Running,
}

impl Pair {
    /// The gateway of a side.
    pub fn get(&self, side: Side) -> &Running {
        if side == Side::Hub { &self.hub } else { &self.bare }
    }
}

/// Scenario a: CPU per request and requests per second, by body size.
pub async fn sizes(pair: &Pair, plan: &Plan, record: &Record) -> Result<()> {
    for round in 0..plan.rounds {
        for (bytes, cpu, rate) in SIZES {
            for side in Side::gateways(round) {
                let ask = Ask::whole(&pair.get(side).target, bytes);
                let place = Place { record, scenario: 'a', side };
                let window = closed_loop(pair.get(side), &ask, CONNECTIONS, plan, place).await?;
                record.add(cpu, side, window.cpu_micros());
                record.add(rate, side, window.rate());
            }
        }
    }
    Ok(())
}

/// Scenario e: CPU per answer of 64 events without pause.
pub async fn bursts(pair: &Pair, plan: &Plan, record: &Record) -> Result<()> {
    for round in 0..plan.rounds {
        for side in Side::gateways(round) {
            let ask = Ask::stream(&pair.get(side).target, 1_200, BURST_MODEL, BURST_EVENTS);
            let place = Place { record, scenario: 'e', side };
            let window = closed_loop(pair.get(side), &ask, BURST_CONNECTIONS, plan, place).await?;
            record.add("cpu_burst", side, window.cpu_micros());
        }
    }
    Ok(())
}

/// Scenario h: the same answers translated by the hub, against its own pass-through.
pub async fn translated(pair: &Pair, plan: &Plan, record: &Record) -> Result<()> {
    let target = &pair.hub.target;
    let asks = [
        ("cpu_pass_through", Ask::stream(target, 1_200, BURST_MODEL, BURST_EVENTS)),
        ("cpu_translated", Ask::translated(target, 1_200, BURST_MODEL, BURST_EVENTS)),
    ];
    let place = Place { record, scenario: 'h', side: Side::Hub };
    for _ in 0..plan.rounds {
        for (metric, ask) in &asks {
            let window = closed_loop(&pair.hub, ask, BURST_CONNECTIONS, plan, place).await?;
            record.add(metric, Side::Hub, window.cpu_micros());
        }
    }
    Ok(())
}

/// What one window saw.
#[derive(Clone, Copy, Debug)]
struct Window {
    cpu_ns: u64,
    requests: u64,
    elapsed: Duration,
}

impl Window {
    /// Microseconds of CPU time per request. Without a request the errors are what counts.
    fn cpu_micros(&self) -> f64 {
        self.cpu_ns as f64 / 1_000.0 / self.requests.max(1) as f64
    }

    fn rate(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }
}

#[derive(Debug, Default)]
struct Tally {
    completed: Cell<u64>,
    stop: Cell<bool>,
    errors: RefCell<Vec<anyhow::Error>>,
}

async fn closed_loop(
    gateway: &Running,
    ask: &Rc<Ask>,
    connections: u64,
    plan: &Plan,
    place: Place<'_>,
) -> Result<Window> {
    let tally = Rc::new(Tally::default());
    let mut tasks = JoinSet::new();
    for number in 0..connections {
        let connection = Connection::new(&gateway.target, number);
        tasks.spawn_local(repeat(connection, Rc::clone(ask), Rc::clone(&tally)));
    }
    sleep(plan.warm_up).await;
    let (start, cpu, completed) = (Instant::now(), cpu_ns(gateway.pid())?, tally.completed.get());
    sleep(plan.window).await;
    let window = Window {
        cpu_ns: cpu_ns(gateway.pid())? - cpu,
        requests: tally.completed.get() - completed,
        elapsed: start.elapsed(),
    };
    tally.stop.set(true);
    let ended = timeout(END_LIMIT, async { while tasks.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        place.error(&anyhow!("requests without an answer after {END_LIMIT:?}"));
    }
    if window.requests == 0 {
        place.error(&anyhow!("no request was answered in the window"));
    }
    tally.errors.borrow().iter().for_each(|error| place.error(error));
    Ok(window)
}

async fn repeat(mut connection: Connection, ask: Rc<Ask>, tally: Rc<Tally>) {
    while !tally.stop.get() {
        match connection.exchange(&ask, &()).await {
            Ok(_) => tally.completed.set(tally.completed.get() + 1),
            Err(error) => {
                tally.errors.borrow_mut().push(error);
                // A gateway that is down would otherwise be asked as fast as the machine can.
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
}
