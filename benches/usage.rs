//! What sums of usage cost: `cargo bench --bench usage [-- <days> <cells>]`.
//!
//! Settles one call for each of so many cells (caller, target, end) in every
//! quarter of an hour of so many days, callers taking turns, so that there are
//! as many rows as a hub of many more calls would have; reads them all into
//! sums; and asks what a dashboard asks, of the whole time. A year of a hundred
//! cells takes a few minutes and about 3 GB of disk.

#![expect(clippy::expect_used, reason = "a benchmark ends when anything goes wrong")]

use aigne_hub::ledger::usage::{Choice, Dimension, Question, Scope, Step, bounds};
use aigne_hub::ledger::{Intent, Outcome, Settlement, recovered};
use aigne_hub::store::{Options, Store};
use aigne_hub::types::{Clock, KeyId, Op, Party, Pico, RequestId, TenantId, Usage, UsageSource, Wall};
use jiff::tz::TimeZone;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const BEGIN: i64 = 1_735_689_600;
const KEYS: u64 = 1_000;
const TENANTS: u64 = 20;
const MODELS: u64 = 40;
const QUARTERS_PER_DAY: u64 = 96;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let (days, cells) = (numbers.next().unwrap_or(365), numbers.next().unwrap_or(100));
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let calls = days * QUARTERS_PER_DAY * cells;
    timed(&format!("{calls} settlements written"), || settle(&store, days, cells));
    timed("the rest of them summed up", || {
        let question = question("UTC", "year", days, Vec::new(), Scope::Hub);
        while store.usage(&question).expect("an answer").1.behind > 0 {}
    });
    println!("{} MB on disk, the journal included", store.stats().disk_bytes >> 20);
    ask_all(&store, days);
    timed("a page of calls of one caller", || {
        let filters = vec![(Dimension::Key, vec!["key-0007".to_owned()])];
        let choice = Choice { scope: Scope::Hub, filters };
        let time = Wall(0)..Wall(i64::MAX);
        let wanted =
            aigne_hub::store::Wanted { choice: &choice, time, before: None, limit: 50, fits: &|_| true };
        assert_eq!(store.calls(&wanted).expect("calls").calls.len(), 50);
    });
    timed("everything made anew", || drop(store.rebuild_usage().expect("sums")));
    store.close();
}

fn open(dir: &Path) -> Store {
    let options = Options {
        queue: 65_536,
        flush_interval: Duration::from_millis(25),
        flush_entries: 1_024,
        cache_bytes: 64 << 20,
    };
    Store::open(dir, options, Clock::machine(), Box::new(|_, _| ())).expect("a store")
}

fn timed(what: &str, work: impl FnOnce()) {
    let begun = Instant::now();
    work();
    println!("{what:<60} {:>10.1} ms", begun.elapsed().as_secs_f64() * 1e3);
}

fn template() -> Settlement {
    let intent = Intent {
        id: RequestId::generate(),
        at: Wall(0),
        tenant: TenantId::parse("acme").expect("a tenant"),
        key: KeyId::parse("key").expect("a key id"),
        op: Op::Chat,
        model: "gpt".into(),
        provider: "openai".into(),
        upstream_model: "gpt".into(),
        input_bound: 1_000,
        output_bound: 1_000,
        hold: Pico::ZERO,
        party: Arc::default(),
    };
    Settlement {
        first_token_us: Some(300_000),
        stream: true,
        attempts: 1,
        status: 200,
        outcome: Outcome::Ok,
        usage: Usage { input: 310, output: 128, requests: 1, ..Usage::default() },
        usage_source: UsageSource::Provider,
        ..recovered(&intent, None)
    }
}

fn settle(store: &Store, days: u64, cells: u64) {
    let template = template();
    let tenants: Vec<TenantId> =
        (0..TENANTS).map(|n| TenantId::parse(&format!("tenant-{n:02}")).expect("a tenant")).collect();
    let keys: Vec<KeyId> =
        (0..KEYS).map(|n| KeyId::parse(&format!("key-{n:04}")).expect("a key id")).collect();
    let parties: Vec<Arc<Party>> = (0..KEYS)
        .map(|n| Arc::new(Party { user: Some(format!("user-{:03}", n / 2).into()), ..Party::default() }))
        .collect();
    let models: Vec<Arc<str>> = (0..MODELS).map(|n| format!("model-{n:02}").into()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let at = |list_len: u64, n: u64| usize::try_from(n % list_len).unwrap_or_default();
    runtime.block_on(async {
        for quarter in 0..days * QUARTERS_PER_DAY {
            for cell in 0..cells {
                let n = quarter * 37 + cell;
                let key = at(KEYS, n);
                let call = Settlement {
                    id: RequestId::generate(),
                    at: Wall((BEGIN + i64::try_from(quarter * 900 + cell % 900).unwrap_or(0)) * 1_000_000),
                    tenant: tenants.get(at(TENANTS, n)).cloned().expect("a tenant"),
                    key: keys.get(key).cloned().expect("a key"),
                    party: parties.get(key).cloned().expect("a party"),
                    model: models.get(at(MODELS, cell)).cloned().expect("a model"),
                    duration_us: 200_000 + n * 7_919 % 20_000_000,
                    ..template.clone()
                };
                store.settle(call).await.expect("written");
            }
        }
        store.flush().await.expect("on disk");
    });
}

fn question(zone: &str, step: &str, days: u64, group: Vec<Dimension>, scope: Scope) -> Question {
    let zone = TimeZone::get(zone).expect("a zone");
    let end = BEGIN + i64::try_from(days).unwrap_or(1) * 86_400;
    let bounds = bounds(&zone, Step::parse(step).expect("a step"), BEGIN, end).expect("steps");
    Question { choice: Choice { scope, filters: Vec::new() }, bounds, group, times: false, only: None }
}

fn ask_all(store: &Store, days: u64) {
    use Dimension as D;
    let tenant = || Scope::Tenant("tenant-03".into());
    for (what, zone, step, group, scope, times) in [
        ("the hub by day (UTC)", "UTC", "day", vec![], Scope::Hub, false),
        ("the hub by day of Berlin", "Europe/Berlin", "day", vec![], Scope::Hub, false),
        ("the hub by day of Kolkata and model", "Asia/Kolkata", "day", vec![D::Model], Scope::Hub, false),
        ("the same with percentiles", "Asia/Kolkata", "day", vec![D::Model], Scope::Hub, true),
        ("the hub by month and tenant", "Europe/Berlin", "month", vec![D::Tenant], Scope::Hub, false),
        ("a tenant by day of Berlin and model", "Europe/Berlin", "day", vec![D::Model], tenant(), false),
        ("a tenant by day of Berlin and user", "Europe/Berlin", "day", vec![D::User], tenant(), false),
        ("all keys, ranked", "Europe/Berlin", "year", vec![D::Key], Scope::Hub, false),
        ("all keys and models, ranked", "UTC", "year", vec![D::Key, D::Model], Scope::Hub, false),
    ] {
        let question = Question { times, ..question(zone, step, days, group, scope) };
        timed(what, || drop(store.usage(&question).expect("an answer")));
    }
}
