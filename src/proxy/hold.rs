//! The place that a request takes in its key's limits before a vendor hears of
//! it: the worst case of what it may use.

use super::Plane;
use super::decide::{Refused, payload_request, price};
use super::job::Payload;
use super::quotas;
use super::visit::Visit;
use crate::catalogue::Card;
use crate::chat::Dialect;
use crate::config::{Caller, Snapshot, Target};
use crate::error::{Failure, Kind};
use crate::ledger::Price;
use crate::limit::{Ask, Permit, Refusal, Which};
use crate::tokens::{self, Family};
use crate::types::{Op, Usage};
use crate::wire::openai;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// Output that is held for a request that names no maximum, where the model's own is not known.
const ASSUMED_OUTPUT_TOKENS: u64 = 4_096;
/// Bounds that a request without one gets when its budget is nearly used up: the first that fits.
const OUTPUT_STEPS: [u64; 3] = [32_768, 8_192, 4_096];
/// Output tokens of one picture, where a vendor counts them: the most that is known (`gpt-image-1`,
/// high quality, 1024×1536).
const DRAWN_TOKENS: u64 = 6_240;
/// How long an exact count may take before the rest is extrapolated.
pub(super) const COUNT_BUDGET: Duration = Duration::from_millis(2);

/// Takes a place in the key's limits for the worst case, whichever target answers. The cheap
/// bound comes first; only when it does not fit are the tokens counted. A request that names no
/// bound of its own is held with its model's, and where that is more than the budget has left,
/// it gets a bound that fits: the third value, to be written into it.
pub(super) fn hold(
    snapshot: &Snapshot,
    plane: &Plane,
    caller: &Caller,
    visit: &Visit,
    payload: &Payload,
    body: &Bytes,
    targets: &[Target],
) -> Result<(Permit, Ask, Option<u64>), Refused> {
    let beside = beside_tokens(visit.op, payload);
    let held_to = quotas::of(caller, visit.op, &visit.model);
    let prices: Vec<(Arc<Price>, &Target)> =
        targets.iter().filter_map(|target| Some((price(snapshot, target, visit)?, target))).collect();
    // A hold of a whole model would fill a limit of tokens that its answers are far below of.
    let assumed = targets.iter().map(model_limit).max().unwrap_or(u64::MAX).min(ASSUMED_OUTPUT_TOKENS);
    let try_with = |input: u64, cap: Option<u64>| {
        let cost = |(price, target): &(Arc<Price>, &Target)| {
            let output = output_bound(visit.op, payload, model_limit(target), cap);
            price.worst_case(input, output).saturating_add(price.charge(&beside).cost)
        };
        let tokens = input.saturating_add(output_bound(visit.op, payload, assumed, cap));
        let cost = prices.iter().map(cost).max().unwrap_or_default();
        let ask = Ask { tokens, cost, images: beside.images, requests: 1 };
        // The books date a request by its arrival; the limits must count it in the same day.
        let (limits, now) = (&caller.limits, plane.clock.mono());
        let admitted = caller.gate.admit_by(limits, &held_to, ask, now, visit.at);
        admitted.map(|permit| (permit, ask, cap))
    };
    let times = times_read(visit.op, payload, targets);
    let bound = payload_request(payload).map_or(0, |r| r.input_bound).saturating_mul(times);
    try_with(bound, None)
        .or_else(|refusal| match (refusal.which, payload) {
            (Which::Requests | Which::Concurrency | Which::QuotaRequests | Which::QuotaImages, _) => {
                Err(refusal)
            }
            (_, Payload::Form { .. } | Payload::Video(_) | Payload::Pipe) => Err(refusal),
            _ => {
                let model = targets.first().map_or(&*visit.model, |target| &*target.upstream_model);
                let family = targets.first().map_or_else(|| tokens::family(model), Target::family).0;
                let counted = with_margin(count_input(visit.op, family, model, body)).saturating_mul(times);
                try_with(counted, None).or_else(|refusal| {
                    let smaller = caps(&refusal, visit.op, payload, targets);
                    smaller.into_iter().find_map(|cap| try_with(counted, Some(cap)).ok()).ok_or(refusal)
                })
            }
        })
        .map_err(|refusal| {
            plane.metrics.limited(refusal.which.name());
            let failure = match refusal.quota.as_deref() {
                Some(counted) => quotas::refused(plane, &refusal, counted),
                None => refused(&refusal),
            };
            Refused { failure, standing: refusal.standing }
        })
}

/// Bounds of the output to try for a request without one, when its money does not fit: each less
/// than what its models could answer with.
fn caps(refusal: &Refusal, op: Op, payload: &Payload, targets: &[Target]) -> Vec<u64> {
    let names_none = payload_request(payload).is_some_and(|request| request.max_output_tokens.is_none());
    let is_text = matches!(op, Op::Chat | Op::Completion);
    if !caps_help(refusal.which) || !names_none || !is_text {
        return Vec::new();
    }
    let most = targets.iter().map(model_limit).max().unwrap_or(0);
    OUTPUT_STEPS.into_iter().filter(|step| *step < most).collect()
}

/// Is it money that a smaller bound of the output would need less of?
pub(super) fn caps_help(which: Which) -> bool {
    matches!(which, Which::DayCost | Which::MonthCost | Which::QuotaMoney)
}

/// What is billed besides tokens of texts, at most: images asked for, characters to be spoken, seconds
/// of a video.
pub(super) fn beside_tokens(op: Op, payload: &Payload) -> Usage {
    let request = payload_request(payload);
    let images = match payload {
        Payload::Json(request) => request.choices.max(1),
        Payload::Form { choices, .. } => (*choices).max(1),
        Payload::Video(ordered) => return ordered.bound(),
        Payload::Pipe => 1,
    };
    let characters = request.map_or(0, |r| r.input_bound);
    let usage = Usage { requests: 1, ..Usage::default() };
    match op {
        Op::ImageGeneration | Op::ImageEdit => {
            Usage { images, output: images.saturating_mul(DRAWN_TOKENS), ..usage }
        }
        Op::Speech => Usage { characters, ..usage },
        _ => usage,
    }
}

/// The output tokens to hold for a request: what it names, or else the bound that it gets, or else
/// `unnamed`; for each of its answers.
pub(super) fn output_bound(op: Op, payload: &Payload, unnamed: u64, cap: Option<u64>) -> u64 {
    match (op, payload) {
        (Op::Chat | Op::Completion, Payload::Json(request)) => {
            let each = request.max_output_tokens.or(cap).unwrap_or(unnamed);
            each.saturating_mul(request.choices.max(1))
        }
        _ => 0,
    }
}

/// How often the input is paid for at most: a vendor that gives one answer at a time is called for each.
pub(super) fn times_read(op: Op, payload: &Payload, targets: &[Target]) -> u64 {
    let choices = payload_request(payload).map_or(1, |request| request.choices.max(1));
    let one_by_one = |target: &Target| target.provider.vendor.dialect != Dialect::OpenAiChat;
    if op == Op::Chat && choices > 1 && targets.iter().any(one_by_one) { choices } else { 1 }
}

/// The longest answer of a target's model.
pub(super) fn model_limit(target: &Target) -> u64 {
    let card = target.card.as_deref();
    card.and_then(Card::output_limit).unwrap_or(ASSUMED_OUTPUT_TOKENS)
}

/// Vendors add tokens of their own for roles, tools and formatting; what is held must cover them.
pub(super) fn with_margin(tokens: u64) -> u64 {
    tokens.saturating_add(tokens / 8).saturating_add(8)
}

/// A count of the input: of the texts exact within the time budget, of images and framing by rule.
pub(super) fn count_input(op: Op, family: Family, model: &str, body: &Bytes) -> u64 {
    let (mut total, mut texts) = (0_u64, 0_usize);
    openai::texts(op, body, &mut |text| {
        texts += 1;
        total = total.saturating_add(tokens::count(family, text, COUNT_BUDGET).tokens);
    });
    if op == Op::Chat && texts > 0 {
        total = total.saturating_add(tokens::chat_overhead(texts));
    }
    openai::images(body, &mut |image| {
        let size = image.as_ref().map(|i| (i.width, i.height));
        let low = image.as_ref().is_some_and(|i| i.low_detail);
        total = total.saturating_add(tokens::image(model, size, low));
    });
    total
}

fn refused(refusal: &Refusal) -> Failure {
    let (kind, text) = match refusal.which {
        Which::Requests => {
            (Kind::RateLimited, "Rate limit reached: too many requests per minute for this key")
        }
        Which::Tokens => (Kind::RateLimited, "Rate limit reached: too many tokens per minute for this key"),
        Which::Concurrency => (Kind::TooManyConcurrent, "Too many requests of this key at the same time"),
        Which::DayTokens => (Kind::BudgetExceeded, "This key's token budget for the day is used up"),
        Which::MonthTokens => (Kind::BudgetExceeded, "This key's token budget for the month is used up"),
        Which::DayCost => (Kind::BudgetExceeded, "This key's money budget for the day is used up"),
        Which::MonthCost => (Kind::BudgetExceeded, "This key's money budget for the month is used up"),
        // Quotas tell more than this.
        Which::QuotaRequests | Which::QuotaTokens | Which::QuotaMoney | Which::QuotaImages => {
            (Kind::QuotaExceeded, "A quota is used up")
        }
    };
    let failure = Failure::new(kind, text).detail(refusal.which.name()).retry_after(refusal.retry_after);
    match refusal.shortage.as_deref().filter(|s| s.is_the_ask_alone()) {
        // Nothing or little is spent; it is this request that is too large.
        Some(shortage) => {
            let advice = "The worst case of this request does not fit the key's budget; lower max_tokens";
            Failure { public: format!("{advice} ({shortage})").into(), ..failure }
        }
        None => failure,
    }
}
