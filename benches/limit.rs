//! What quotas cost a request: admission and settlement with none, one and four
//! of them, with a hundred thousand subjects, and with a quota that two threads
//! share.
//!
//! `cargo bench --profile fast --bench limit`

use aigne_hub::limit::{
    Ask, Counted, Cycle, Enforce, Gate, Limits, Measure, Meter, Rule, Span, Spent, Tally, Terms,
};
use aigne_hub::types::{Mono, Pico, Wall};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const TODAY: Wall = Wall(1_790_000_000_000_000);
const NOW: Mono = Mono(1_000_000_000_000);
const SUBJECTS: usize = 100_000;

fn quota(measure: Measure, span: Span, cycle: Cycle) -> Counted {
    let terms = Terms {
        quota: "quota".into(),
        name: "quota".into(),
        tenant: None,
        of: "hub".into(),
        amount: i128::MAX >> 16,
        enforce: Enforce::Hard,
        warn_at: [80, 100].into(),
    };
    let rule = Rule { measure, span, cycle };
    Counted { meter: Meter::new(rule, Tally::default()), terms: Arc::new(terms) }
}

fn utc() -> Cycle {
    Cycle::Calendar(jiff::tz::TimeZone::UTC)
}

fn four() -> Vec<Counted> {
    vec![
        quota(Measure::Money, Span::Month, utc()),
        quota(Measure::Tokens, Span::Day, utc()),
        quota(Measure::Requests, Span::Minute, Cycle::Rolling),
        quota(Measure::Tokens, Span::Hour, Cycle::Rolling),
    ]
}

fn admit_and_settle(gate: &Arc<Gate>, quotas: &[&Counted]) {
    let ask = Ask { tokens: 4_000, cost: Pico(40_000_000_000), images: 0, requests: 1 };
    let admitted = gate.admit_by(&Limits::default(), quotas, black_box(ask), NOW, TODAY);
    if let Ok(permit) = admitted {
        let used = Ask { tokens: 500, cost: Pico(5_000_000_000), images: 0, requests: 1 };
        black_box(permit.settle(used, NOW, TODAY));
    }
}

fn quotas(c: &mut Criterion) {
    let (gate, four) = (Gate::new(Spent::default()), four());
    let mut all: Vec<&Counted> = four.iter().collect();
    all.sort_by_key(|quota| quota.meter.serial());
    for count in [0, 1, 4] {
        let some = all.get(..count).unwrap_or_default();
        c.bench_function(&format!("limit/quotas/{count}"), |b| b.iter(|| admit_and_settle(&gate, some)));
    }
    let subjects: Vec<Counted> = (0..SUBJECTS).map(|_| quota(Measure::Money, Span::Month, utc())).collect();
    let mut at = 0;
    c.bench_function("limit/quotas/1 of 100,000 subjects", |b| {
        b.iter(|| {
            at = (at + 7_919) % SUBJECTS;
            let one: Vec<&Counted> = subjects.get(at).into_iter().collect();
            admit_and_settle(&gate, &one);
        });
    });
    let busy = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let other = Gate::new(Spent::default());
            while busy.load(Ordering::Relaxed) {
                admit_and_settle(&other, &all);
            }
        });
        c.bench_function("limit/quotas/4 against a second thread", |b| {
            b.iter(|| admit_and_settle(&gate, &all));
        });
        busy.store(false, Ordering::Relaxed);
    });
}

criterion_group!(benches, quotas);
criterion_main!(benches);
