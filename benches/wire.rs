//! The hot path of the OpenAI dialect: reading and rendering requests of five
//! sizes, and streams of which a read brings one event or sixty-four. And what
//! translation costs beside it: `translated/pass-through` is the yardstick of
//! the streams, each pair of dialects is to be held against it.

use aigne_hub::chat::{Adapted, Dialect, Event};
use aigne_hub::types::Op;
use aigne_hub::wire::openai::{Counting, Request, Shape, StreamReader};
use aigne_hub::wire::openai_chat::StreamOptions;
use aigne_hub::wire::openai_responses::Asked;
use aigne_hub::wire::sse::{self, Cutter};
use aigne_hub::wire::translate;
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

/// Only answers in the dialect of Responses repeat what was asked.
const ASKED: Asked<'static> = Asked { id: "", body: b"{}" };

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

/// What ends a stream of Anthropic's, and what one begins with, is left out: the middle is what is long.
fn anthropic_event(index: u64) -> String {
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01\",\"model\":\"claude\",\
        \"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\
        \"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
    let start = if index == 0 { start } else { "" };
    format!(
        "{start}event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\
         \"delta\":{{\"type\":\"text_delta\",\"text\":\" word{index}\"}}}}\n\n"
    )
}

fn gemini_event(index: u64) -> String {
    format!(
        "data: {{\"candidates\": [{{\"content\": {{\"parts\": [{{\"text\": \" word{index}\"}}],\"role\": \"model\"}},\
         \"index\": 0}}],\"usageMetadata\": {{\"promptTokenCount\": 9,\"candidatesTokenCount\": {index},\
         \"totalTokenCount\": {index},\"promptTokensDetails\": [{{\"modality\": \"TEXT\",\"tokenCount\": 9}}]}},\
         \"modelVersion\": \"gemini-2.5-flash\",\"responseId\": \"mAitaLmkHPPlz7IPvtfUqQ4\"}}\r\n\r\n"
    )
}

/// The way of a translated stream, as the proxy goes it.
fn translate_stream(from: Dialect, to: Dialect, chunk: &Bytes, borrowed: bool) -> usize {
    let mut cutter = Cutter::new(1 << 20);
    let mut input = translate::stream_in(from, Counting::Inclusive);
    let mut output = translate::stream_out(to, StreamOptions::default(), ASKED, None);
    let (mut events, mut text): (Vec<Event>, String) = Default::default();
    let mut written = Vec::with_capacity(chunk.len());
    if cutter.push(chunk.clone()).is_err() {
        return 0;
    }
    while let Some(cut) = cutter.next_cut() {
        let fields = sse::fields(cut.of(chunk));
        let Some(data) = &fields.data else { continue };
        if borrowed && let Some(delta) = input.delta(fields.name, data) {
            delta.text.push_to(&mut text);
            output.delta(&delta, &mut written);
            continue;
        }
        if input.feed(fields.name, data, &mut events).is_err() {
            return 0;
        }
        events.drain(..).for_each(|event| output.emit(&event, &mut written));
    }
    written.len()
}

fn translated(c: &mut Criterion) {
    let joined = |event: fn(u64) -> String| Bytes::from((0..EVENTS).map(event).collect::<String>());
    let streams = [
        (Dialect::OpenAiChat, joined(event)),
        (Dialect::Anthropic, joined(anthropic_event)),
        (Dialect::Gemini, joined(gemini_event)),
    ];
    let mut group = c.benchmark_group("translated");
    group.throughput(Throughput::Elements(EVENTS));
    let plain = [streams[0].1.clone()];
    group.bench_function("pass-through", |b| {
        b.iter(|| feed(&mut StreamReader::new(Op::Chat, Counting::Inclusive, true), black_box(&plain)));
    });
    for (from, chunk) in &streams {
        for to in [Dialect::OpenAiChat, Dialect::Anthropic] {
            let name = format!("{} to {}", translate::name(*from), translate::name(to));
            for (way, borrowed) in [("", true), (", owned", false)] {
                group.bench_function(format!("{name}{way}"), |b| {
                    b.iter(|| translate_stream(*from, to, black_box(chunk), borrowed));
                });
            }
        }
    }
    group.finish();
    whole(c);
}

/// A request of a conversation and its answer, not streamed.
fn whole(c: &mut Criterion) {
    let mut group = c.benchmark_group("whole");
    for (name, bytes) in [("1KB", 1_000), ("10KB", 10_000)] {
        let body = body(bytes);
        for to in [Dialect::OpenAiChat, Dialect::Anthropic, Dialect::Gemini] {
            let model = if to == Dialect::Anthropic { "claude-sonnet-4-5" } else { "gemini-2.5-flash" };
            group.bench_function(format!("request/{name} openai to {}", translate::name(to)), |b| {
                b.iter(|| {
                    let mut request = translate::request_in(Dialect::OpenAiChat, black_box(&body)).ok()?;
                    model.clone_into(&mut request.model);
                    translate::request_out(to, &request, &mut Adapted::default()).ok()
                });
            });
        }
        let text = SENTENCE.repeat(bytes / SENTENCE.len());
        let answer = format!(
            "{{\"id\":\"msg_01\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude\",\"content\":[{{\"type\":\
             \"text\",\"text\":\"{text}\"}}],\"stop_reason\":\"end_turn\",\"usage\":{{\"input_tokens\":9,\"output_tokens\":9}}}}"
        );
        group.bench_function(format!("answer/{name} anthropic to openai"), |b| {
            b.iter(|| {
                let from = Dialect::Anthropic;
                let read =
                    translate::response_in(from, black_box(answer.as_bytes()), Counting::Inclusive).ok()?;
                translate::response_out(Dialect::OpenAiChat, &read, ASKED, None).ok()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, requests, streams, translated);
criterion_main!(benches);
