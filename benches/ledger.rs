//! What the books cost: `cargo bench --bench ledger [-- <entries>]`.
//!
//! Writes pairs of intent and settlement through the queue, flushes included,
//! at full speed and at a steady rate, and opens the books again, once with the
//! whole journal to be read. CPU time is that of the process, all threads.

#![expect(clippy::expect_used, reason = "a benchmark ends when anything goes wrong")]

use aigne_hub::ledger::{Charge, Intent, Outcome, Price, PriceTable, Rates, Settlement, recovered};
use aigne_hub::store::{Archive, Options, Store};
use aigne_hub::types::{Clock, KeyId, Op, Pico, Rate, RequestId, TenantId, Usage, UsageSource, Wall};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

const KEYS: usize = 1_000;
const STEADY_SECONDS: u64 = 5;

fn main() {
    let entries = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(1_000_000_u64);
    let requests = entries / 2;
    let dir = tempfile::tempdir().expect("a directory");
    let sample = Sample::new();
    charges(&sample);
    append(dir.path(), &sample, requests);
    reopen(dir.path(), entries);
    for rate in [1_000, 10_000] {
        let dir = tempfile::tempdir().expect("a directory");
        steady(dir.path(), &sample, rate);
    }
}

struct Sample {
    intent: Intent,
    settlement: Settlement,
    keys: Vec<KeyId>,
    price: Price,
}

impl Sample {
    fn new() -> Self {
        let rate = |text| Rate::parse(text).expect("a rate");
        let rates = Rates { input: rate("2.5"), output: rate("10"), ..Rates::default() };
        let price = Price::new("openai", "gpt-4o*", Wall(0), rates, vec![], "");
        let key = |n| KeyId::parse(&format!("key-{n:06}")).expect("a key id");
        let intent = Intent {
            id: RequestId::generate(),
            at: Clock::machine().wall(),
            tenant: TenantId::parse("acme").expect("a tenant"),
            key: key(0),
            op: Op::Chat,
            model: "gpt-4o".into(),
            provider: "openai".into(),
            upstream_model: "gpt-4o-2024-08-06".into(),
            input_bound: 1_200,
            output_bound: 4_096,
            hold: Pico(43_960_000_000),
            party: Arc::default(),
        };
        let usage = Usage { input: 310, output: 128, requests: 1, ..Usage::default() };
        let charge: Charge = price.charge(&usage);
        let settlement = Settlement {
            duration_us: 1_234_567,
            first_token_us: Some(345_678),
            stream: true,
            credential: "openai/main".into(),
            attempts: 1,
            status: 200,
            outcome: Outcome::Ok,
            usage,
            usage_source: UsageSource::Provider,
            charge: Some(charge),
            ..recovered(&intent, None)
        };
        Self { intent, settlement, keys: (0..KEYS).map(key).collect(), price }
    }

    fn pair(&self, n: u64) -> (Intent, Settlement) {
        let mut intent = self.intent.clone();
        intent.id = RequestId::generate();
        intent.key = self.keys[usize::try_from(n).expect("small") % KEYS].clone();
        let settlement = Settlement { id: intent.id, key: intent.key.clone(), ..self.settlement.clone() };
        (intent, settlement)
    }
}

fn options() -> Options {
    Options {
        queue: 65_536,
        flush_interval: Duration::from_millis(10),
        flush_entries: 256,
        cache_bytes: 64 << 20,
    }
}

#[derive(Default)]
struct Flushes {
    count: AtomicU64,
    entries: AtomicU64,
    micros: AtomicU64,
}

fn open(dir: &Path) -> (Store, Arc<Flushes>) {
    let flushes = Arc::new(Flushes::default());
    let seen = flushes.clone();
    let on_flush = Box::new(move |took: Duration, entries: usize| {
        seen.count.fetch_add(1, Relaxed);
        seen.entries.fetch_add(entries as u64, Relaxed);
        seen.micros.fetch_add(took.as_micros() as u64, Relaxed);
    });
    (Store::open(dir, options(), Clock::machine(), on_flush).expect("books"), flushes)
}

fn charges(sample: &Sample) {
    let rounds = 1_000_000;
    let begun = Instant::now();
    for n in 0..rounds {
        let usage = Usage { input: n, ..sample.settlement.usage };
        std::hint::black_box(sample.price.charge(std::hint::black_box(&usage)));
    }
    println!("charge: {:.0} ns", begun.elapsed().as_nanos() as f64 / rounds as f64);
}

/// Everything as fast as the disk takes it.
fn append(dir: &Path, sample: &Sample, requests: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let pairs = 200_000.min(requests);
    let begun = (Instant::now(), cpu_time());
    for n in 0..pairs {
        std::hint::black_box(sample.pair(n));
    }
    let making = (cpu_time() - begun.1).as_secs_f64() * 1e6 / pairs as f64;
    let (store, flushes) = open(dir);
    let begun = (Instant::now(), cpu_time());
    runtime.block_on(async {
        for n in 0..requests {
            let (intent, settlement) = sample.pair(n);
            store.intend(intent).await.expect("open");
            store.settle(settlement).await.expect("open");
        }
        store.flush().await.expect("open");
    });
    let (took, cpu) = (begun.0.elapsed(), cpu_time() - begun.1);
    report("full speed", requests, took, cpu, making, &flushes);
    println!("  disk: {:.0} bytes a request", store.stats().disk_bytes as f64 / requests as f64);
    store.close();
}

/// So many requests a second, a burst every millisecond.
fn steady(dir: &Path, sample: &Sample, rate: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let (store, flushes) = open(dir);
    let begun = (Instant::now(), cpu_time());
    let requests = runtime.block_on(async {
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        let mut written = 0;
        while begun.0.elapsed() < Duration::from_secs(STEADY_SECONDS) {
            tick.tick().await;
            let due = begun.0.elapsed().as_micros() as u64 * rate / 1_000_000;
            for n in written..due {
                let (intent, settlement) = sample.pair(n);
                store.intend(intent).await.expect("open");
                store.settle(settlement).await.expect("open");
            }
            written = due;
        }
        store.flush().await.expect("open");
        written
    });
    let (took, cpu) = (begun.0.elapsed(), cpu_time() - begun.1);
    report(&format!("{rate} a second"), requests, took, cpu, 0.0, &flushes);
    store.close();
}

fn reopen(dir: &Path, entries: u64) {
    let begun = Instant::now();
    let (store, _) = open(dir);
    println!("open, after a good end: {:.0} ms", begun.elapsed().as_secs_f64() * 1e3);
    store.close();
    let begun = Instant::now();
    let archive = Archive::open(dir, options().cache_bytes).expect("books");
    let opened = begun.elapsed();
    let report = archive.verify(&PriceTable::default()).expect("books");
    assert!(report.is_sound(), "{:?}", report.problems);
    assert_eq!(report.intents + report.settlements, entries);
    println!("verify {entries} entries: {:.2} s", (begun.elapsed() - opened).as_secs_f64());
    drop(archive);
    forget_projection(dir);
    let begun = Instant::now();
    let (store, _) = open(dir);
    println!("open, {entries} entries to be read: {:.2} s", begun.elapsed().as_secs_f64());
    store.close();
}

/// As after damage to the state tree: everything has to come from the journal.
fn forget_projection(dir: &Path) {
    let config = sled::Config::new().path(dir.join("books")).flush_every_ms(None);
    let db = config.open().expect("books");
    let state = db.open_tree("state").expect("a tree");
    state.remove("projection").expect("a row");
    db.flush().expect("a disk");
}

fn report(what: &str, requests: u64, took: Duration, cpu: Duration, making: f64, flushes: &Flushes) {
    let each = |value: f64| value / requests as f64;
    let groups = flushes.count.load(Relaxed).max(1);
    println!(
        "{what}: {:.0} requests/s, {:.2} µs CPU a request ({making:.2} µs of it to make them)",
        requests as f64 / took.as_secs_f64(),
        each(cpu.as_secs_f64() * 1e6),
    );
    println!(
        "  {groups} groups of {:.0} entries, {:.2} ms each",
        flushes.entries.load(Relaxed) as f64 / groups as f64,
        flushes.micros.load(Relaxed) as f64 / 1e3 / groups as f64,
    );
}

/// User and system time of this process, to ten milliseconds.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
