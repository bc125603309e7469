//! What keys cost when there are many: finding one, and a change of the control
//! plane, which makes the snapshot's part of it and the whole snapshot.
//!
//! `cargo bench --profile fast --bench control`; with `-- --quick` it takes a minute.

use aigne_hub::access::{KeyTable, Pepper};
use aigne_hub::config::{Document, Environment, Inputs, Registry};
use aigne_hub::control::{Key, KeySecret, Private, Record, Resource, State, Vault, compile};
use aigne_hub::ledger::PriceTable;
use aigne_hub::route::HealthPolicy;
use aigne_hub::types::{TenantId, Wall};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

const NOW: Wall = Wall(1_767_225_600_000_000);
const SIZES: [u32; 5] = [10, 100, 1_000, 10_000, 100_000];

/// Keys as people make them: a few models, a limit.
fn state(keys: u32) -> State {
    let mut state = State::default();
    let tenant = TenantId::parse("acme").ok();
    for n in 0..keys {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&n.to_le_bytes());
        let secret = KeySecret { prefix: "aigne_ab".into(), hash, previous: None, revoked_at: None };
        let body = Key {
            models: vec!["openai/*".into(), "smart".into()],
            requests_per_minute: Some(600),
            ..Key::default()
        };
        let id = format!("key_{n}");
        state.put(Arc::new(Record::new(&id, tenant.clone(), body.body(), Private::Key(secret), NOW)));
    }
    state
}

fn rebuild(c: &mut Criterion) {
    let document = Document::parse("bench", Path::new(""), "[discover]\nenvironment = false\n");
    let (environment, vault) = (Environment::default(), Vault::default());
    let mut group = c.benchmark_group("snapshot");
    group.sample_size(10);
    for size in SIZES {
        let state = state(size);
        group.bench_function(BenchmarkId::new("compile", size), |b| {
            b.iter(|| compile(black_box(&state), &vault, NOW));
        });
        let registry = Registry::new(HealthPolicy::default(), HashMap::new());
        group.bench_function(BenchmarkId::new("rebuild", size), |b| {
            b.iter(|| {
                let compiled = compile(black_box(&state), &vault, NOW);
                let inputs = Inputs {
                    environment: &environment,
                    registry: &registry,
                    extra: &compiled.extra,
                    pepper: &[7; 32],
                    prices: &[],
                    read_prices: PriceTable::parse_toml,
                };
                document.resolve(&inputs).map(drop)
            });
        });
        group.bench_function(BenchmarkId::new("change", size), |b| {
            b.iter(|| {
                let mut next = State::clone(&state);
                next.put(Arc::new(Record::new("new", None, Key::default().body(), Private::Nothing, NOW)));
                next
            });
        });
    }
}

/// What a request pays for its key, however many there are.
fn lookup(c: &mut Criterion) {
    let pepper = Pepper::new(&[7; 32]);
    let mut group = c.benchmark_group("key");
    for size in [10, 1_000, 100_000] {
        let secret = |n: u32| format!("aigne_{n:032}");
        let table = KeyTable::new((0..size).map(|n| (pepper.hash(&secret(n)), n)));
        let known = secret(size / 2);
        group.bench_function(BenchmarkId::new("found", size), |b| {
            b.iter(|| table.find(&pepper.hash(black_box(&known))).copied());
        });
        group.bench_function(BenchmarkId::new("unknown", size), |b| {
            b.iter(|| table.find(&pepper.hash(black_box("aigne_nobody"))).copied());
        });
    }
}

criterion_group!(benches, lookup, rebuild);
criterion_main!(benches);
