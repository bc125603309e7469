//! What the decisions of one request cost, from ten keys to 100,000.
//!
//! `cargo bench --profile fast --bench decide`

use aigne_hub::access::{AddressSet, KeyHash, KeyTable, Pepper, generate, looks_like_key};
use aigne_hub::catalogue::{Catalogue, Needs};
use aigne_hub::chat::Ability;
use aigne_hub::limit::{Ask, Gate, Limits, Spent};
use aigne_hub::route::{Candidate, Fault, Health, HealthPolicy, Picker, Strategy, order};
use aigne_hub::types::{Mono, Pico, Wall};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SIZES: [u32; 5] = [10, 100, 1_000, 10_000, 100_000];
const NOW: Mono = Mono(1_000_000_000);
const TODAY: Wall = Wall(1_767_225_600_000_000);

fn secret(n: u32) -> String {
    let mut random = [0; 32];
    random[..4].copy_from_slice(&n.to_le_bytes());
    generate(random).secret.expose().to_owned()
}

/// A walk through all of 0..size that the processor cannot foresee.
fn next(at: u32, size: u32) -> u32 {
    at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) % size
}

fn keys(c: &mut Criterion) {
    let pepper = Pepper::new(&[7; 32]);
    let key = secret(1);
    c.bench_function("key/hmac", |b| b.iter(|| pepper.hash(black_box(&key))));
    c.bench_function("key/looks_like_key", |b| b.iter(|| looks_like_key(black_box(&key))));
    let mut group = c.benchmark_group("key/find");
    for size in SIZES {
        let hashes: Vec<KeyHash> = (0..size).map(|n| pepper.hash(&n.to_string())).collect();
        let table = KeyTable::new(hashes.iter().copied().zip(0..));
        let mut at = 0;
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter(|| {
                at = next(at, size);
                table.find(black_box(&hashes[at as usize]))
            });
        });
    }
}

fn addresses(c: &mut Criterion) {
    let mut group = c.benchmark_group("address/contains");
    for size in SIZES {
        // Every second /28 of a block, so that no two touch.
        let entry = |n: u32| format!("{}/28", Ipv4Addr::from(0x0a00_0000 + n * 32));
        let set = AddressSet::parse(&(0..size).map(entry).collect::<Vec<_>>()).unwrap_or_default();
        let mut at = 0;
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter(|| {
                at = next(at, size * 32);
                set.contains(black_box(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + at))))
            });
        });
    }
}

fn all_limits() -> Limits {
    Limits {
        requests_per_minute: Some(u64::MAX),
        tokens_per_minute: Some(u64::MAX),
        concurrency: Some(u32::MAX),
        day_tokens: Some(u64::MAX),
        month_tokens: Some(u64::MAX),
        day_cost: Some(Pico(i128::MAX)),
        month_cost: Some(Pico(i128::MAX)),
    }
}

fn admit_and_settle(gate: &Arc<Gate>, limits: &Limits, now: Mono) {
    let ask = Ask { tokens: 4_000, cost: Pico(40_000_000_000), ..Ask::default() };
    if let Ok(permit) = gate.admit(limits, black_box(ask), now, TODAY) {
        permit.settle(Ask { tokens: 500, cost: Pico(5_000_000_000), ..Ask::default() }, now, TODAY);
    }
}

fn limits(c: &mut Criterion) {
    let (all, none) = (all_limits(), Limits::default());
    let gate = Gate::new(Spent::default());
    c.bench_function("limit/admit+settle/no limits", |b| b.iter(|| admit_and_settle(&gate, &none, NOW)));
    c.bench_function("limit/admit+settle/all limits", |b| b.iter(|| admit_and_settle(&gate, &all, NOW)));
    let mut now = NOW;
    c.bench_function("limit/admit+settle/a full minute of buckets", |b| {
        b.iter(|| {
            now = now.after(Duration::from_millis(250));
            admit_and_settle(&gate, &all, now);
        });
    });
    let busy = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while busy.load(Ordering::Relaxed) {
                admit_and_settle(&gate, &all, now);
            }
        });
        c.bench_function("limit/admit+settle/against a second thread", |b| {
            b.iter(|| admit_and_settle(&gate, &all, now));
        });
        busy.store(false, Ordering::Relaxed);
    });
}

fn picks(c: &mut Criterion) {
    let mut group = c.benchmark_group("route/pick");
    for count in [1, 4, 16, 64] {
        let healths: Vec<_> = (0..count).map(|_| Health::new(HealthPolicy::default())).collect();
        let candidates: Vec<_> =
            (1..).zip(&healths).map(|(weight, health)| Candidate { weight, health }).collect();
        let picker = Picker::new();
        let cases = [
            ("round robin", Strategy::RoundRobin, None),
            ("latency", Strategy::Latency, None),
            ("affinity", Strategy::RoundRobin, Some(77)),
        ];
        for (name, strategy, affinity) in cases {
            let mut draw = 0_u64;
            group.bench_function(BenchmarkId::new(name, count), |b| {
                b.iter(|| {
                    draw = draw.wrapping_add(0x9E37_79B9_7F4A_7C15);
                    let picked = picker.pick(&candidates, &[], strategy, affinity, draw, NOW);
                    if let Ok((_, mut attempt)) = picked {
                        attempt.first_byte(NOW);
                        attempt.succeed(NOW);
                    }
                });
            });
        }
        for health in healths.iter().skip(1).step_by(2) {
            if let Some(attempt) = health.begin(NOW) {
                attempt.fail(Fault::RateLimited(None), NOW);
            }
        }
        group.bench_function(BenchmarkId::new("round robin, half of them cooling", count), |b| {
            b.iter(|| picker.pick(&candidates, &[], Strategy::RoundRobin, None, 1, NOW).is_ok());
        });
    }
    group.finish();
    c.bench_function("route/order of 4 targets", |b| b.iter(|| order(black_box(&[1, 2, 3, 4]), 77)));
}

/// What a request is compared with is on its targets; what is looked up is looked up when they are made.
fn cards(c: &mut Criterion) {
    let catalogue = Catalogue::new(Vec::new());
    c.bench_function("catalogue/find", |b| {
        b.iter(|| catalogue.find(black_box("openai"), "openai", black_box("gpt-4o-2024-08-06")));
    });
    let Some(card) = catalogue.find("openai", "openai", "gpt-4o") else { return };
    let abilities = [Ability::Image, Ability::Tools, Ability::JsonSchema].into_iter().collect();
    let needs = Needs { abilities, max_output: Some(4_096), input: 0 };
    c.bench_function("catalogue/able", |b| b.iter(|| black_box(&needs).lack(black_box(&card))));
    let needs = Needs { abilities: [Ability::Audio].into_iter().collect(), ..needs };
    c.bench_function("catalogue/not able", |b| b.iter(|| black_box(&needs).lack(black_box(&card))));
}

criterion_group!(decide, keys, addresses, limits, picks, cards);
criterion_main!(decide);
