//! The built-in vendor: answers without a network, so that a fresh install can
//! be tried at once and an operator can test keys, limits and dashboards.
//!
//! `echo` repeats the last text of the request, as often as answers are asked
//! for; `echo-slow` does so at the pace of a model.

use super::answer::{AnswerHead, EVENT_STREAM};
use super::exchange::{End, Missed};
use super::guard::Guard;
use super::hold::{COUNT_BUDGET, count_input};
use super::job::Job;
use super::sink::{Gone, Sink};
use super::stream::Reader;
use super::talk::Keeper;
use super::visit::Visit;
use crate::chat::{Dialect, Fields, Part};
use crate::config::Provider;
use crate::error::{Failure, Kind};
use crate::ledger::Outcome;
use crate::provider::HealthEffect;
use crate::tokens;
use crate::types::{Op, Usage, UsageSource};
use crate::wire::openai::{self, Counting};
use crate::wire::openai_responses::Final;
use crate::wire::translate;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// Pause between the events of `echo-slow`.
const SLOW: Duration = Duration::from_millis(40);
/// Length of a simulated embedding.
const DIMENSIONS: usize = 256;
/// The largest text that is repeated.
const MAX_ECHO_BYTES: usize = 64 * 1024;
/// The most answers of one request, as OpenAI has it.
const MAX_CHOICES: u64 = 128;

/// Answers a request.
pub(super) async fn answer<S: Sink>(
    job: &Job,
    visit: &mut Visit,
    sink: &mut S,
    guard: &mut Guard,
    provider: &Provider,
) -> Result<End, Missed> {
    let text = last_text(job, visit.op);
    let streams = visit.stream && speaks(visit.op);
    // A stream of another dialect has one answer.
    let choices = if streams && visit.dialect != Dialect::OpenAiChat { 1 } else { choices(job) };
    let usage = Usage {
        input: count_input(visit.op, job.family(&visit.upstream_model), &visit.upstream_model, &job.body),
        output: if speaks(visit.op) { count(&visit.upstream_model, &text) * choices } else { 0 },
        requests: 1,
        ..Usage::default()
    };
    if streams {
        let way = Way { reader: Reader::new(job, visit, provider), sink, guard };
        return Ok(stream(job, visit, way, (&text, choices), usage).await);
    }
    let Some(body) = body(job, visit, (&text, choices), &usage) else {
        let text = "The simulated vendor does not offer this endpoint";
        let failure = Failure::new(Kind::VendorRefused, text);
        return Err(Missed { failure, health: HealthEffect::None, gone: false, sent: false });
    };
    let body = in_dialect(job, visit, &usage, Bytes::from(body.to_string()));
    if let (Some(keeper), Some(answer)) = (Keeper::of(job), Final::of(&body)) {
        keeper.done(&answer);
    }
    let mut head = AnswerHead::new(200, "application/json");
    head.ours(job, visit);
    head.length = Some(body.len() as u64);
    let sent = async {
        sink.head(head).await?;
        sink.last(body).await
    };
    Ok(end(sent.await, usage))
}

fn speaks(op: Op) -> bool {
    matches!(op, Op::Chat | Op::Completion)
}

/// How many answers are wanted. What is billed as several (`best_of`) is still one answer.
fn choices(job: &Job) -> u64 {
    let asked = match job.op {
        Op::Completion => Fields::read(&job.body).ok().and_then(|mut fields| fields.take::<u64>("n").ok()?),
        _ => job.request().map(|request| request.choices),
    };
    asked.unwrap_or(1).clamp(1, MAX_CHOICES)
}

fn end(sent: Result<(), Gone>, usage: Usage) -> End {
    let source = UsageSource::Provider;
    match sent {
        Ok(()) => End { outcome: Outcome::Ok, failure: None, usage, source },
        Err(Gone) => {
            let failure = Failure::new(Kind::CallerGone, "The client closed the connection");
            End { outcome: Outcome::ClientGone, failure: Some(failure), usage, source }
        }
    }
}

fn count(model: &str, text: &str) -> u64 {
    tokens::count(tokens::family(model).0, text, COUNT_BUDGET).tokens
}

fn last_text(job: &Job, op: Op) -> String {
    let mut last = String::new();
    match translate::request_in(job.speaks, &job.body) {
        Ok(chat) if op == Op::Chat => {
            let parts = chat.messages.into_iter().flat_map(|message| message.parts);
            let mut texts =
                parts.filter_map(|part| if let Part::Text(text) = part { Some(text.text) } else { None });
            last = texts.next_back().unwrap_or_default();
        }
        _ => openai::texts(op, &job.body, &mut |text| {
            last.clear();
            last.push_str(text);
        }),
    }
    let mut end = last.len().min(MAX_ECHO_BYTES);
    while !last.is_char_boundary(end) {
        end -= 1;
    }
    last.truncate(end);
    last
}

fn usage_json(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
    })
}

fn body(job: &Job, visit: &Visit, (text, choices): (&str, u64), usage: &Usage) -> Option<Value> {
    let (id, created, model) = (visit.id.to_string(), visit.at.seconds(), &*visit.upstream_model);
    Some(match visit.op {
        Op::Chat => json!({
            "id": format!("chatcmpl-{id}"), "object": "chat.completion", "created": created, "model": model,
            "choices": (0..choices).map(|index| json!({
                "index": index, "finish_reason": "stop", "logprobs": null,
                "message": { "role": "assistant", "content": text, "refusal": null },
            })).collect::<Vec<_>>(),
            "usage": usage_json(usage),
        }),
        Op::Completion => json!({
            "id": format!("cmpl-{id}"), "object": "text_completion", "created": created, "model": model,
            "choices": (0..choices).map(|index| {
                json!({ "index": index, "finish_reason": "stop", "logprobs": null, "text": text })
            }).collect::<Vec<_>>(),
            "usage": usage_json(usage),
        }),
        Op::Embedding => embeddings(job, model, usage),
        _ => return None,
    })
}

fn embeddings(job: &Job, model: &str, usage: &Usage) -> Value {
    let mut inputs = Vec::new();
    openai::texts(Op::Embedding, &job.body, &mut |text| inputs.push(vector(text)));
    let base64 = serde_json::from_slice::<Value>(&job.body)
        .ok()
        .is_some_and(|body| body.get("encoding_format").and_then(Value::as_str) == Some("base64"));
    let shown = |vector: &Vec<f32>| match base64 {
        true => {
            let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
            Value::String(STANDARD.encode(bytes))
        }
        false => json!(vector),
    };
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, vector)| json!({ "object": "embedding", "index": index, "embedding": shown(vector) }))
        .collect();
    json!({
        "object": "list", "model": model, "data": data,
        "usage": { "prompt_tokens": usage.input, "total_tokens": usage.input },
    })
}

/// A unit vector that depends on the text alone.
fn vector(text: &str) -> Vec<f32> {
    let mut state = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut vector: Vec<f32> = (0..DIMENSIONS)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f32::from(u16::try_from(state >> 48).unwrap_or(0)) / 32_768.0 - 1.0
        })
        .collect();
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    vector.iter_mut().for_each(|x| *x /= length);
    vector
}

/// The simulated answer is OpenAI's; other callers get it in their own dialect.
fn in_dialect(job: &Job, visit: &Visit, usage: &Usage, body: Bytes) -> Bytes {
    let telling = job.telling(visit);
    let id = visit.id.to_string();
    let told = match visit.op {
        Op::Chat if visit.dialect == Dialect::OpenAiChat => None,
        Op::Chat => translate::response_in(Dialect::OpenAiChat, &body, Counting::Inclusive)
            .and_then(|response| {
                translate::response_out(visit.dialect, &response, job.asked(&id), telling.as_ref())
            })
            .ok(),
        op => translate::told(visit.dialect, op, visit.form, &body, Some(usage), telling.as_ref())
            .ok()
            .flatten(),
    };
    told.map_or(body, Bytes::from)
}

/// Where the events of a simulated stream go.
struct Way<'a, S> {
    reader: Reader,
    sink: &'a mut S,
    guard: &'a mut Guard,
}

impl<S: Sink> Way<'_, S> {
    async fn write(&mut self, event: Bytes) -> Result<(), Gone> {
        // Our own events are never too long and never errors.
        let step = self.reader.feed(event).unwrap_or_default();
        for bytes in step.out {
            self.sink.write(bytes).await?;
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<(), Gone> {
        for bytes in self.reader.end().out {
            self.sink.write(bytes).await?;
        }
        self.sink.last(Bytes::new()).await
    }
}

async fn stream<S: Sink>(
    job: &Job,
    visit: &mut Visit,
    mut way: Way<'_, S>,
    (text, choices): (&str, u64),
    usage: Usage,
) -> End {
    let slow = visit.upstream_model.contains("slow");
    let mut head = AnswerHead::new(200, EVENT_STREAM);
    head.ours(job, visit);
    head.events();
    let frame = Frame {
        op: visit.op,
        id: visit.id.to_string(),
        created: visit.at.seconds(),
        model: visit.upstream_model.to_string(),
    };
    visit.first_token = Some(job.plane.clock.mono().since(visit.started));
    let mut said = 0;
    let sent = async {
        way.sink.head(head).await?;
        if frame.op == Op::Chat {
            for index in 0..choices {
                let begun = json!({ "role": "assistant", "content": "" });
                way.write(frame.event(index, begun, Value::Null)).await?;
            }
        }
        for word in text.split_inclusive(' ') {
            if slow {
                way.guard.pause(way.sink, SLOW).await?;
            }
            for index in 0..choices {
                way.write(frame.event(index, frame.piece(word), Value::Null)).await?;
            }
            said += word.len();
        }
        for index in 0..choices {
            way.write(frame.event(index, frame.piece(""), json!("stop"))).await?;
        }
        // The reader leaves it out for callers that did not ask.
        way.write(frame.usage(&usage)).await?;
        way.write(Bytes::from_static(b"data: [DONE]\n\n")).await?;
        way.end().await
    };
    let sent = sent.await;
    let produced = Usage { output: count(&frame.model, text.get(..said).unwrap_or(text)) * choices, ..usage };
    end(sent, produced)
}

struct Frame {
    op: Op,
    id: String,
    created: i64,
    model: String,
}

impl Frame {
    fn piece(&self, text: &str) -> Value {
        match (self.op, text) {
            (Op::Chat, "") => json!({}),
            (Op::Chat, text) => json!({ "content": text }),
            (_, text) => json!(text),
        }
    }

    fn event(&self, index: u64, piece: Value, finish: Value) -> Bytes {
        let choice = match self.op {
            Op::Chat => json!({ "index": index, "delta": piece, "finish_reason": finish, "logprobs": null }),
            _ => json!({ "index": index, "text": piece, "finish_reason": finish, "logprobs": null }),
        };
        self.wrap(json!([choice]), None)
    }

    fn usage(&self, usage: &Usage) -> Bytes {
        self.wrap(json!([]), Some(usage))
    }

    fn wrap(&self, choices: Value, usage: Option<&Usage>) -> Bytes {
        let (prefix, object) = match self.op {
            Op::Chat => ("chatcmpl", "chat.completion.chunk"),
            _ => ("cmpl", "text_completion"),
        };
        let mut chunk = json!({
            "id": format!("{prefix}-{}", self.id), "object": object, "created": self.created,
            "model": self.model, "choices": choices,
        });
        if let (Some(usage), Some(fields)) = (usage, chunk.as_object_mut()) {
            fields.insert("usage".to_owned(), usage_json(usage));
        }
        format!("data: {chunk}\n\n").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_unit_long_and_tell_texts_apart() {
        let (one, two) = (vector("one"), vector("two"));
        let length: f32 = one.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-3);
        assert_ne!(one, two);
        assert_eq!(one, vector("one"));
    }
}
