//! The hot path of the OpenAI dialect: reading and rendering requests of five
//! sizes, and streams of which a read brings one event or sixty-four.

use aigne_hub::types::Op;
use aigne_hub::wire::openai::{Counting, Request, Shape, StreamReader};
use aigne_hub::wire::sse::Cutter;
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

const SHAPE: Shape = Shape { drop: &[], rename: &[], stream_usage: true, set: &[] };
const EVENTS: u64 = 64;
/// About what a message holds in a long conversation, with the escapes of ordinary text.
const SENTENCE: &str = "The quick brown fox jumps over the lazy dog; \\\"why\\\" is not known.\\n";

fn body(bytes: usize) -> Bytes {
    let mut body = String::from(r#"{"model":"gpt-4o","stream":true,"temperature":0.7,"messages":["#);
    body += r#"{"role":"system","content":"You are helpful."}"#;
    while body.len() + 40 < bytes {
        let room = (bytes - body.len() - 40).min(2000);
        let text = SENTENCE.repeat(room.div_ceil(SENTENCE.len()).max(1));
        body += &format!(r#",{{"role":"user","content":"{text}"}}"#);
    }
    body += "]}";
    Bytes::from(body)
}

fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("request");
    for (name, bytes) in
        [("1KB", 1_000), ("10KB", 10_000), ("200KB", 200_000), ("1MB", 1_000_000), ("10MB", 10_000_000)]
    {
        let body = body(bytes);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(format!("read/{name}"), |b| {
            b.iter(|| Request::read(Op::Chat, black_box(&body)).map(|request| request.input_bound));
        });
        let Ok(request) = Request::read(Op::Chat, &body) else { continue };
        group.bench_function(format!("render/{name}"), |b| {
            b.iter(|| request.render(black_box(&body), "gpt-4o-mini", &SHAPE, &mut Vec::new()));
        });
    }
    group.finish();
}

fn event(index: u64) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWx\",\"object\":\"chat.completion.chunk\",\"created\":1764000000,\
         \"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\",\
         \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" word{index}\"}},\"logprobs\":null,\"finish_reason\":null}}],\
         \"usage\":null}}\n\n"
    )
}

fn streams(c: &mut Criterion) {
    let single: Vec<Bytes> = (0..EVENTS).map(|index| Bytes::from(event(index))).collect();
    let together = vec![Bytes::from(single.concat())];
    let mut group = c.benchmark_group("stream");
    for (name, chunks) in [("64 events in 1 read", &together), ("64 events in 64 reads", &single)] {
        group.throughput(Throughput::Bytes(chunks.iter().map(|chunk| chunk.len() as u64).sum()));
        group.bench_function(format!("cutter/{name}"), |b| {
            b.iter_batched_ref(|| Cutter::new(1 << 20), |cutter| cut(cutter, chunks), BatchSize::SmallInput);
        });
        group.bench_function(format!("reader/{name}"), |b| {
            let new = || StreamReader::new(Op::Chat, Counting::Inclusive, true);
            b.iter_batched_ref(new, |reader| feed(reader, chunks), BatchSize::SmallInput);
        });
    }
    let large = [Bytes::from(format!("data: {}\n\n", "x".repeat(1 << 20)))];
    group.throughput(Throughput::Bytes(1 << 20));
    group.bench_function("cutter/1 event of 1MiB", |b| {
        b.iter_batched_ref(|| Cutter::new(1 << 22), |cutter| cut(cutter, &large), BatchSize::SmallInput);
    });
    group.finish();
}

fn cut(cutter: &mut Cutter, chunks: &[Bytes]) -> usize {
    let mut events = 0;
    for chunk in chunks {
        if cutter.push(chunk.clone()).is_err() {
            return 0;
        }
        while let Some(event) = cutter.next_event() {
            events += black_box(event).len();
        }
    }
    events
}

fn feed(reader: &mut StreamReader, chunks: &[Bytes]) -> usize {
    chunks.iter().filter_map(|chunk| reader.feed(chunk.clone()).ok()).map(|step| step.out.len()).sum()
}

criterion_group!(benches, requests, streams);
criterion_main!(benches);
