//! A vendor's whole answer as its caller gets it, and what it used.

use super::exchange::Missed;
use super::hold::count_input;
use super::relay::Stage;
use super::stream::ended_badly;
use super::upstream::Head;
use super::visit::Visit;
use crate::cache::Thoughts;
use crate::chat::{Dialect, Finish};
use crate::error::{Failure, Kind};
use crate::provider::{HealthEffect, judge_error};
use crate::types::{Op, Usage};
use crate::wire::openai;
use crate::wire::translate::{self, Plan, Told};
use bytes::Bytes;

/// Where Bedrock tells the tokens of an input for models whose own answers do not.
const INPUT_TOKENS: &str = "x-amzn-bedrock-input-token-count";

/// The answer in the caller's dialect, and what it used.
pub(super) struct Answer {
    /// The failure: it was paid for, but it is not what the caller asked for.
    pub body: Result<Bytes, Failure>,
    pub usage: Option<Usage>,
}

/// Reads a vendor's whole answer and writes it for the caller.
pub(super) fn translated<S>(stage: &Stage<'_, S>, head: &Head, body: &Bytes) -> Result<Answer, Missed> {
    let vendor = stage.provider.vendor;
    let whole = |(body, usage)| Answer { body: Ok(body), usage };
    if let Some(plan) = &stage.plan {
        return joined(stage, plan, std::slice::from_ref(body), counted(head)).map(whole);
    }
    let (op, to) = (stage.visit.op, stage.visit.dialect);
    let from = stage.job.door(stage.provider).dialect;
    if op != Op::Chat || (from, to) == (Dialect::OpenAiChat, Dialect::OpenAiChat) {
        let usage = openai::usage(op, vendor.counting, body);
        return Ok(whole((in_dialect(stage, body.clone(), usage.as_ref())?, usage)));
    }
    if from == to {
        let usage = translate::usage_in(from, body, vendor.counting);
        return Ok(whole((body.clone(), usage)));
    }
    let mut response = translate::response_in(from, body, vendor.counting).map_err(unreadable)?;
    // The caller's dialects have no word for it: another vendor may still do better.
    if let Some(Finish::Error(word)) = &response.first().finish {
        let wall = stage.job.plane.clock.wall().seconds();
        let error = ended_badly(word);
        return Err(Missed::judged(judge_error(vendor, &error, &http::HeaderMap::new(), wall)));
    }
    if stage.job.keeps_thoughts(from) {
        stage.job.keep_thoughts(Thoughts::of(&response.first().parts));
    }
    response.created.get_or_insert(stage.visit.at.seconds());
    // Some vendors name neither the answer nor its model.
    if response.id.is_empty() {
        response.id = stage.visit.id.to_string();
    }
    if response.model.is_empty() {
        response.model = stage.visit.upstream_model.to_string();
    }
    let usage = response.usage;
    let telling = stage.job.telling(stage.visit);
    let id = stage.visit.id.to_string();
    let asked = stage.job.asked(&id);
    let body = translate::response_out(to, &response, asked, telling.as_ref()).map(Bytes::from);
    Ok(Answer { body, usage })
}

/// Tokens of the input where a vendor tells them in the answer's header and not in its body.
pub(super) fn counted(head: &Head) -> Option<u64> {
    head.text(INPUT_TOKENS).parse().ok()
}

/// The answers of all calls of an operation other than chat as one, and what they used.
pub(super) fn joined<S>(
    stage: &Stage<'_, S>,
    plan: &Plan,
    answers: &[Bytes],
    counted: Option<u64>,
) -> Result<(Bytes, Option<Usage>), Missed> {
    let family = stage.job.family(&stage.visit.upstream_model);
    let count = || count_input(stage.visit.op, family, &stage.visit.upstream_model, &stage.job.body);
    let (counting, now) = (stage.provider.vendor.counting, stage.visit.at.seconds());
    let told = Told { counting, now, counted, count: &count };
    let read = plan.answer(answers, &told).map_err(|failure| match failure.kind {
        Kind::VendorRefused => Missed::by_request(failure),
        _ => unreadable(failure),
    })?;
    Ok((in_dialect(stage, read.0.into(), read.1.as_ref())?, read.1))
}

/// An answer of OpenAI's to something other than a chat, in the caller's dialect.
fn in_dialect<S>(stage: &Stage<'_, S>, body: Bytes, usage: Option<&Usage>) -> Result<Bytes, Missed> {
    let Visit { dialect, op, form, .. } = &*stage.visit;
    let telling = stage.job.telling(stage.visit);
    let told = translate::told(*dialect, *op, *form, &body, usage, telling.as_ref()).map_err(unreadable)?;
    Ok(told.map_or(body, Bytes::from))
}

fn unreadable(failure: Failure) -> Missed {
    Missed { failure, health: HealthEffect::Failed, gone: false, sent: false }
}
