//! What the cache and the rules cost a request: keys of bodies from 1 KB to
//! 1 MB, the store, a flight shared by 64 readers, and a decision over 1 to 100
//! rules.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use aigne_hub::cache::{Cache, CacheKey, Flights, Head, Part, Piece, Reader, Stored, cacheable};
use aigne_hub::rules::{Facts, RuleSet};
use aigne_hub::types::{Mono, Op, TenantId, Usage};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;

/// A conversation of about `bytes` bytes, in turns of 400 with some escapes.
fn chat(bytes: usize) -> String {
    let turn =
        r#"{"role":"user","content":"What does \"it\" cost?\n"#.to_owned() + &"word ".repeat(70) + "\"}";
    let turns = vec![turn.as_str(); (bytes / turn.len()).max(1)].join(", ");
    format!(r#"{{"model": "gpt-5", "temperature": 0, "messages": [{turns}], "stream": true}}"#)
}

fn keys(criterion: &mut Criterion) {
    let tenant = TenantId::parse("acme").unwrap();
    let mut group = criterion.benchmark_group("cache_key");
    for kilobytes in [1, 10, 200, 1024] {
        let body = chat(kilobytes * 1024);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new("of", kilobytes), &body, |bencher, body| {
            bencher.iter(|| CacheKey::of(&tenant, Op::Chat, "gpt-5", black_box(body.as_bytes())));
        });
        group.bench_with_input(BenchmarkId::new("cacheable", kilobytes), &body, |bencher, body| {
            bencher.iter(|| cacheable(Op::Chat, black_box(body.as_bytes()), false));
        });
    }
    group.finish();
}

fn store(criterion: &mut Criterion) {
    let cache = Cache::new(64 << 20);
    let answer = Stored {
        status: 200,
        content_type: "application/json".into(),
        stream: false,
        chunks: vec![Bytes::from(vec![b'x'; 2048])],
        usage: Usage::default(),
        provider: "openai".into(),
        upstream_model: "gpt-5".into(),
        stored_at: Mono(0),
        ttl: Duration::from_secs(3600),
    };
    let key = |n: u64| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
        CacheKey(bytes)
    };
    (0..1000).for_each(|n| cache.put(key(n), answer.clone()));
    let mut n = 0;
    criterion.bench_function("store/get", |bencher| {
        bencher.iter(|| {
            n = (n + 1) % 1000;
            cache.get(&key(n), Mono(1))
        });
    });
    criterion.bench_function("store/put", |bencher| {
        bencher.iter(|| {
            n += 1;
            cache.put(key(n), answer.clone());
        });
    });
}

async fn read_all(mut reader: Reader) -> usize {
    let mut bytes = 0;
    loop {
        match reader.next().await {
            Piece::Head(_) => {}
            Piece::Chunk(chunk) => bytes += chunk.len(),
            Piece::End | Piece::Failed(_) => return bytes,
        }
    }
}

async fn fly(flights: &Flights, readers: usize, events: usize) {
    let key = CacheKey([7; 32]);
    let Part::Lead(mut writer, first) = flights.join(key) else { return };
    let mut tasks = vec![tokio::spawn(read_all(first))];
    for _ in 1..readers {
        if let Part::Follow(reader) = flights.join(key) {
            tasks.push(tokio::spawn(read_all(reader)));
        }
    }
    writer.head(Head {
        status: 200,
        content_type: "text/event-stream".into(),
        stream: true,
        provider: "openai".into(),
        upstream_model: "gpt-5".into(),
        headers: Vec::new(),
    });
    for _ in 0..events {
        writer
            .chunk(Bytes::from_static(b"data: {\"choices\":[{\"delta\":{\"content\":\"word\"}}]}\n\n"))
            .await;
        tokio::task::yield_now().await;
    }
    writer.finish();
    for task in tasks {
        black_box(task.await.unwrap());
    }
}

fn fan_out(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut group = criterion.benchmark_group("flight_of_64_events");
    for readers in [1, 8, 64] {
        group.throughput(Throughput::Elements(64 * readers));
        group.bench_function(BenchmarkId::from_parameter(readers), |bencher| {
            let flights = Flights::new(1 << 20);
            bencher.iter(|| runtime.block_on(fly(&flights, readers as usize, 64)));
        });
    }
    group.finish();
}

fn decisions(criterion: &mut Criterion) {
    let headers = [("user-agent", "openai-python/2.0"), ("x-team", "search")];
    let facts = Facts {
        op: "chat",
        model: "gpt-5",
        stream: true,
        input_bound: 400,
        max_output_tokens: Some(1000),
        has_tools: false,
        has_media: false,
        body_bytes: 1200,
        user: "ada",
        key: "key-1",
        key_name: "production",
        tenant: "acme",
        address: "192.0.2.1",
        headers: &headers,
        hour_utc: 12,
        weekday_utc: 3,
    };
    let mut group = criterion.benchmark_group("decide");
    for rules in [0, 1, 10, 100] {
        let text: String = (0..rules)
            .map(|n| {
                let when = match n % 3 {
                    0 => format!(r#"caller.tenant == "t{n}" && request.body_bytes > 2000000"#),
                    1 => format!(r#"request.model.matches("^claude-{n}") || headers["x-team"] == "{n}""#),
                    _ => "time.hour_utc < 7 && request.model.startsWith('gpt-5')".to_owned(),
                };
                format!("[[rule]]\nname = 'r{n}'\nwhen = '''{when}'''\nthen = {{ tag = 't' }}\n")
            })
            .collect();
        let set = RuleSet::parse("bench.toml", &text).unwrap();
        group.bench_function(BenchmarkId::from_parameter(rules), |bencher| {
            bencher.iter(|| set.decide(black_box(&facts)));
        });
    }
    group.finish();
}

criterion_group!(benches, keys, store, fan_out, decisions);
criterion_main!(benches);
