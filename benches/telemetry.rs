//! What a finished request pays for metrics and log: `cargo bench --bench telemetry`.

use aigne_hub::telemetry::{CacheStatus, Done, Format, Gauges, Metrics, Phases, Stamp, request_line};
use aigne_hub::types::{Op, Pico, RequestId, Usage, UsageSource};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;

fn sample() -> Done {
    let phase = Duration::from_micros(7);
    Done {
        id: RequestId::generate(),
        op: Op::Chat,
        dialect_in: "openai_chat",
        dialect_out: "openai_chat",
        model: "gpt-4o-mini".into(),
        provider: "openai".into(),
        upstream_model: "gpt-4o-mini".into(),
        credential: "openai/main".into(),
        key: "key_0123456789".into(),
        tenant: "acme".into(),
        address: Some(std::net::Ipv4Addr::new(203, 0, 113, 7).into()),
        status: 200,
        outcome: "ok",
        error: "",
        detail: String::new(),
        stream: true,
        usage: Usage { input: 1_000, cache_read: 200, output: 300, requests: 1, ..Usage::default() },
        usage_source: UsageSource::Provider,
        cost: Some(Pico(345_000_000)),
        first_token: Some(Duration::from_millis(280)),
        duration: Duration::from_millis(2_345),
        phases: Phases {
            accept: phase,
            auth: phase,
            body: phase,
            parse: phase,
            decide: phase,
            connect: phase,
            send: phase,
            upstream_wait: Duration::from_millis(270),
            relay: phase,
            settle: phase,
        },
        attempts: 1,
        retries: 0,
        fallbacks: 0,
        cache: CacheStatus::Miss,
        request_bytes: 4_096,
        response_bytes: 9_000,
        tags: Vec::new(),
    }
}

fn telemetry(criterion: &mut Criterion) {
    let done = sample();
    let metrics = Metrics::new();
    criterion.bench_function("done", |b| b.iter(|| metrics.done(black_box(&done))));
    let refused = Done { status: 429, outcome: "rate_limited", error: "rate_limit_exceeded", ..sample() };
    criterion.bench_function("done_refused", |b| b.iter(|| metrics.done(black_box(&refused))));
    criterion.bench_function("attempt", |b| {
        b.iter(|| {
            metrics.attempt("openai", black_box("gpt-4o-mini"), "ok", Some(Duration::from_millis(270)))
        });
    });
    criterion.bench_function("enter", |b| b.iter(|| metrics.enter(black_box(Op::Chat))));
    let mut line = Vec::new();
    let mut stamp = Stamp::default();
    for (name, format) in [("line_json", Format::Json), ("line_text", Format::Text)] {
        criterion.bench_function(name, |b| {
            b.iter(|| {
                line.clear();
                stamp.now();
                request_line(black_box(&done), format, &stamp, &mut line);
                line.len()
            });
        });
    }
    for n in 0..500 {
        metrics.done(&Done { upstream_model: format!("model-{n}").into(), ..sample() });
    }
    criterion.bench_function("done_500_models", |b| b.iter(|| metrics.done(black_box(&done))));
    criterion.bench_function("render_500_models", |b| b.iter(|| metrics.render(&Gauges::default()).len()));
}

criterion_group!(benches, telemetry);
criterion_main!(benches);
