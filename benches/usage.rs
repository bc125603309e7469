//! What sums of usage cost: `cargo bench --bench usage [-- <days> <written days>]`, in less than a
//! minute.
//!
//! First a year of a hub with a thousand callers, twenty tenants and forty models, a million calls a
//! day, as it lies on the disk: one day is made and put in place 365 times. Of it a dashboard asks
//! what it asks; none of its questions may take a second. Left out are pages that none of the
//! questions reads, which are gigabytes: quarters of an hour and hours of other callers and tenants.
//!
//! Then a few days are settled one call after the other, to see what writing, summing up and making
//! anew cost.

#![expect(clippy::expect_used, reason = "a benchmark ends when anything goes wrong")]

use aigne_hub::ledger::usage::{
    Choice, Dimension, Fold, Grain, Names, Page, Question, Rows, Scope, Step, View, bounds, spread,
};
use aigne_hub::ledger::{Intent, Outcome, Record, Settlement, recovered};
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
/// Cells of a quarter of an hour of the made day: about ten thousand calls by a thousand callers.
const CELLS: u64 = 2_000;
/// Cells of a quarter of an hour where each is settled.
const SETTLED: u64 = 100;
/// The tenant of whom questions are asked.
const TENANT: &str = "tenant-03";
/// No answer of a dashboard may take longer.
const BOUND: Duration = Duration::from_secs(1);

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let (days, written) = (numbers.next().unwrap_or(365), numbers.next().unwrap_or(3));
    a_year(days);
    by_settling(written);
}

fn a_year(days: u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    timed(&format!("{days} days put in place"), || fill(&store, days));
    println!("{} MB on disk", store.stats().disk_bytes >> 20);
    let slowest = ask_all(&store, days);
    let verdict = if slowest < BOUND { "holds" } else { "DOES NOT HOLD" };
    println!("the bound of {BOUND:?} for an answer {verdict}: the slowest took {slowest:?}");
    store.close();
}

/// The made day's pages, in each view and width that some question reads.
fn fill(store: &Store, days: u64) {
    let callers = Callers::new();
    let (mut fold, mut names) = (Fold::default(), Names::default());
    for quarter in 0..QUARTERS_PER_DAY {
        for cell in 0..CELLS {
            let call = callers.call(quarter, cell);
            fold.take(&Record::Settlement(Box::new(call)), &mut names, Wall(i64::MIN));
        }
        fold.begin_batch();
    }
    let tenant = names.tenants.find(&TENANT.into()).expect("a known tenant");
    for view in View::ALL {
        for grain in view.grains() {
            let mut pages: Vec<(Page, Rows)> =
                spread(&fold, &names, view, *grain, u32::MAX).into_iter().collect();
            pages.retain(|(page, _)| is_read(page, tenant));
            for day in 0..u32::try_from(days).expect("few days") {
                let slots = u32::try_from(86_400 / grain.seconds()).expect("few slots");
                let moved = pages.iter().map(|(page, rows)| {
                    let page = Page { slot: page.slot + day * slots, ..*page };
                    (page, rows)
                });
                store.fill_usage(&names, moved).expect("room");
            }
        }
    }
}

fn is_read(page: &Page, tenant: u32) -> bool {
    match page.view {
        View::Hub => true,
        View::Tenants => page.grain != Grain::Quarter,
        View::Tenant | View::Callers => {
            page.grain == Grain::Day || (page.grain == Grain::Hour && page.head == tenant)
        }
        View::Caller => page.grain == Grain::Day,
    }
}

fn by_settling(days: u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let calls = days * QUARTERS_PER_DAY * SETTLED;
    timed(&format!("{calls} settlements written"), || settle(&store, days));
    timed("the rest of them summed up", || {
        let question = question("UTC", "year", days, Vec::new(), Scope::Hub);
        while store.usage(&question).expect("an answer").1.behind > 0 {}
    });
    println!("{} MB on disk, the journal included", store.stats().disk_bytes >> 20);
    timed("a page of calls of one caller", || {
        let filters = vec![(Dimension::Key, vec!["key-0007".to_owned()])];
        let choice = Choice { scope: Scope::Hub, filters };
        let time = Wall(0)..Wall(i64::MAX);
        let wanted =
            aigne_hub::store::Wanted { choice: &choice, time, before: None, limit: 5, fits: &|_| true };
        assert_eq!(store.calls(&wanted).expect("calls").calls.len(), 5);
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

fn timed(what: &str, work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    let took = begun.elapsed();
    println!("{what:<60} {:>10.1} ms", took.as_secs_f64() * 1e3);
    took
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

/// Who calls, and what.
struct Callers {
    template: Settlement,
    tenants: Vec<TenantId>,
    keys: Vec<KeyId>,
    parties: Vec<Arc<Party>>,
    models: Vec<Arc<str>>,
}

impl Callers {
    fn new() -> Self {
        let tenant = |n| TenantId::parse(&format!("tenant-{n:02}")).expect("a tenant");
        let key = |n| KeyId::parse(&format!("key-{n:04}")).expect("a key id");
        let user = |n| Some(format!("user-{:03}", n / 2).into());
        Self {
            template: template(),
            tenants: (0..TENANTS).map(tenant).collect(),
            keys: (0..KEYS).map(key).collect(),
            parties: (0..KEYS).map(|n| Arc::new(Party { user: user(n), ..Party::default() })).collect(),
            models: (0..MODELS).map(|n| format!("model-{n:02}").into()).collect(),
        }
    }

    /// A call of a quarter of an hour, by callers that take turns. A key stays with its tenant and its
    /// few models; one call in fifty fails.
    fn call(&self, quarter: u64, cell: u64) -> Settlement {
        let at = |list_len: u64, n: u64| usize::try_from(n % list_len).unwrap_or_default();
        let n = (quarter * 37 + cell) % KEYS;
        let key = at(KEYS, n);
        let failed = (quarter + cell).is_multiple_of(50);
        Settlement {
            id: RequestId::generate(),
            at: Wall((BEGIN + i64::try_from(quarter * 900 + cell % 900).unwrap_or(0)) * 1_000_000),
            tenant: self.tenants.get(at(TENANTS, n)).cloned().expect("a tenant"),
            key: self.keys.get(key).cloned().expect("a key"),
            party: self.parties.get(key).cloned().expect("a party"),
            model: self
                .models
                .get(at(MODELS, n / TENANTS + cell / KEYS * 7 + quarter % 3))
                .cloned()
                .expect("a model"),
            duration_us: 200_000 + (n + cell) * 7_919 % 20_000_000,
            outcome: if failed { Outcome::UpstreamError } else { Outcome::Ok },
            ..self.template.clone()
        }
    }
}

fn settle(store: &Store, days: u64) {
    let callers = Callers::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for quarter in 0..days * QUARTERS_PER_DAY {
            for cell in 0..SETTLED {
                store.settle(callers.call(quarter, cell)).await.expect("written");
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

/// Asks everything; gives how long the slowest answer took.
fn ask_all(store: &Store, days: u64) -> Duration {
    let mut slowest = Duration::ZERO;
    use Dimension as D;
    let tenant = || Scope::Tenant(TENANT.into());
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
        let took = timed(what, || assert!(!store.usage(&question).expect("an answer").0.is_empty()));
        slowest = slowest.max(took);
    }
    slowest
}
