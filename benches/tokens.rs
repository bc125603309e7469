//! What a token count costs: `cargo bench --bench tokens`.

use aigne_hub::tokens::{Family, count};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);
/// What the request path grants.
const BUDGET: Duration = Duration::from_millis(2);

fn texts() -> [(&'static str, String); 4] {
    let prose = "The proxy keeps the books of every request, in integers, and never twice. ";
    let chinese = "网关在请求到达供应商之前先扣留最坏情况下的费用，然后按实际用量结算。";
    // A fixed walk through the alphabet: no words, no places to cut.
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (state >> 24) as u8 % 26)
    });
    [
        ("short", "What is the capital of France?".to_owned()),
        ("prose_32k", prose.repeat(440)),
        ("chinese_32k", chinese.repeat(320)),
        ("noise_200k", noise.take(200_000).collect()),
    ]
}

fn tokens(criterion: &mut Criterion) {
    // The first count of a family loads its vocabulary.
    for family in [Family::O200k, Family::Cl100k] {
        count(family, "load", Duration::ZERO);
    }
    for (name, text) in texts() {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("whole", |b| b.iter(|| count(Family::O200k, black_box(&text), LONG)));
        group.bench_function("2ms", |b| b.iter(|| count(Family::O200k, black_box(&text), BUDGET)));
        group.finish();
    }
}

criterion_group!(benches, tokens);
criterion_main!(benches);
