//! A vendor's whole answer as its caller gets it, and what it used.

use super::exchange::Missed;
use super::hold::count_input;
use super::relay::{Stage, estimate};
use super::stream::ended_badly;
use super::upstream::Head;
use super::visit::Visit;
use crate::cache::Thoughts;
use crate::chat::{Dialect, Finish, Response};
use crate::error::{Failure, Kind};
use crate::provider::{HealthEffect, judge_error};
use crate::types::{Op, Usage, UsageSource};
use crate::wire::openai;
use crate::wire::translate::{self, Plan, Told};
use bytes::Bytes;

/// Where Bedrock tells the tokens of an input for models whose own answers do not.
const INPUT_TOKENS: &str = "x-amzn-bedrock-input-token-count";

/// The answer in the caller's dialect, and what it used.
pub(super) struct Answer {
    /// The failure: it was paid for, but it is not what the caller asked for.
    pub body: Result<Bytes, Failure>,
    /// By the vendor's numbers, or, where it gives none, by the hub's own count.
    pub used: (Usage, UsageSource),
    /// The body is a stream of events, though the vendor's was none.
    pub events: bool,
}

/// Reads a vendor's whole answer and writes it for the caller.
pub(super) fn translated<S>(stage: &Stage<'_, S>, head: &Head, body: &Bytes) -> Result<Answer, Missed> {
    let vendor = stage.provider.vendor;
    if let Some(plan) = &stage.plan {
        return joined(stage, plan, std::slice::from_ref(body), counted(head));
    }
    let (op, to) = (stage.visit.op, stage.visit.dialect);
    let from = stage.job.door(stage.provider).dialect;
    let text = || translate::answer_text(from, op, body);
    if op != Op::Chat || (from, to) == (Dialect::OpenAiChat, Dialect::OpenAiChat) {
        let usage = openai::usage(op, vendor.counting, body);
        let told = in_dialect(stage, body.clone(), usage.as_ref())?;
        return Ok(Answer { body: Ok(told), used: used(stage, usage, text), events: false });
    }
    if from == to {
        let usage = translate::usage_in(from, body, vendor.counting);
        stage.job.note_thoughts(translate::opaque_thoughts(from, body), stage.provider);
        return Ok(Answer { body: Ok(body.clone()), used: used(stage, usage, text), events: false });
    }
    chat(stage, from, std::slice::from_ref(body))
}

/// What the vendor says was used, or what is counted here of the input and of this text.
fn used<S>(
    stage: &Stage<'_, S>,
    usage: Option<Usage>,
    text: impl FnOnce() -> String,
) -> (Usage, UsageSource) {
    match usage {
        Some(usage) => (Usage { requests: usage.requests.max(1), ..usage }, UsageSource::Provider),
        None => (estimate(stage.job, stage.visit, &text(), 0), UsageSource::Estimated),
    }
}

/// Reads the answers of all calls of a chat, and writes the one that the caller gets.
fn chat<S>(stage: &Stage<'_, S>, from: Dialect, bodies: &[Bytes]) -> Result<Answer, Missed> {
    let mut answers = Vec::with_capacity(bodies.len());
    let mut all: Option<(Usage, UsageSource)> = None;
    for body in bodies {
        let answer = one(stage, from, body)?;
        let (usage, source) = used(stage, answer.usage, || translate::said(&answer));
        all = Some(match all {
            None => (usage, source),
            Some((sum, UsageSource::Provider)) => (sum.plus(&usage), source),
            Some((sum, estimated)) => (sum.plus(&usage), estimated),
        });
        answers.push(answer);
    }
    let nothing = || Missed::new(Kind::VendorMalformed, "The model's vendor sent no answer", "no answers");
    let (mut response, used) = translate::merged(answers).zip(all).ok_or_else(nothing)?;
    response.created.get_or_insert(stage.visit.at.seconds());
    // Some vendors name neither the answer nor its model.
    if response.id.is_empty() {
        response.id = stage.visit.id.to_string();
    }
    if response.model.is_empty() {
        response.model = stage.visit.upstream_model.to_string();
    }
    let telling = stage.job.telling(stage.visit);
    let id = stage.visit.id.to_string();
    let asked = stage.job.asked(&id);
    let to = stage.visit.dialect;
    let body = translate::response_out(to, &response, asked, telling.as_ref()).map(Bytes::from);
    Ok(Answer { body, used, events: false })
}

/// Reads one answer of a chat, and keeps of its thoughts what its caller cannot return.
fn one<S>(stage: &Stage<'_, S>, from: Dialect, body: &Bytes) -> Result<Response, Missed> {
    let vendor = stage.provider.vendor;
    let response = translate::response_in(from, body, vendor.counting).map_err(unreadable)?;
    // The caller's dialects have no word for it: another vendor may still do better.
    if let Some(Finish::Error(word)) = &response.first().finish {
        let wall = stage.job.plane.clock.wall().seconds();
        let error = ended_badly(word);
        return Err(Missed::judged(judge_error(vendor, &error, &http::HeaderMap::new(), wall)));
    }
    if stage.job.keeps_thoughts(from) {
        response.choices.iter().for_each(|choice| stage.job.keep_thoughts(Thoughts::of(&choice.parts)));
    }
    Ok(response)
}

/// Tokens of the input where a vendor tells them in the answer's header and not in its body.
pub(super) fn counted(head: &Head) -> Option<u64> {
    head.text(INPUT_TOKENS).parse().ok()
}

/// The answers of all calls of one request as one, and what they used.
pub(super) fn joined<S>(
    stage: &Stage<'_, S>,
    plan: &Plan,
    answers: &[Bytes],
    counted: Option<u64>,
) -> Result<Answer, Missed> {
    if let Plan::Choices(from) = plan {
        return chat(stage, *from, answers);
    }
    let family = stage.job.family(&stage.visit.upstream_model);
    let count = || count_input(stage.visit.op, family, &stage.visit.upstream_model, &stage.job.body);
    let (counting, now) = (stage.provider.vendor.counting, stage.visit.at.seconds());
    let told = Told { counting, now, counted, count: &count };
    let (body, usage) = plan.answer(answers, &told).map_err(|failure| match failure.kind {
        Kind::VendorRefused => Missed::by_request(failure),
        _ => unreadable(failure),
    })?;
    let body = in_dialect(stage, body.into(), usage.as_ref())?;
    let events = plan.events(stage.visit.op, &body).map_err(unreadable)?;
    let used = used(stage, usage, String::new);
    Ok(Answer { used, events: events.is_some(), body: Ok(events.map_or(body, Bytes::from)) })
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
