//! Which targets can do what a request needs, by what the catalogue knows of
//! their models. A target whose model is not known is able.

use super::hold::COUNT_BUDGET;
use super::job::Payload;
use crate::catalogue::{Lack, Needs};
use crate::config::{Capabilities, Target};
use crate::error::{Failure, Kind, Result};
use crate::tokens::{self, Count, Family};
use crate::types::Op;
use crate::wire::openai::{self, Request};
use bytes::Bytes;

/// Names the targets that were passed over, and why.
pub(super) const SKIPPED: &str = "x-aigne-skipped";
/// The most of them that are named.
const MOST_NAMED: usize = 8;
/// A text has hardly ever more bytes than this to a token. Only an input that
/// would be too long even so is counted, because a count costs more than
/// everything else that is decided.
const BYTES_PER_TOKEN: u64 = 4;
/// How far a count may be off that was made with another vocabulary, or not to the end.
const UNCERTAIN: u64 = 2;

/// A target that was passed over.
pub(super) struct Skipped {
    name: String,
    lack: Lack,
}

/// Takes those targets out of a plan that cannot do it. Where what they lack
/// can be adapted, and the policy is lenient, they are moved behind the others.
///
/// # Errors
/// When no target is left: [`Kind::Unable`] or [`Kind::ContextExceeded`],
/// naming what is needed and the model.
pub(super) fn keep_able(
    policy: Capabilities,
    asked: (Op, &str),
    payload: &Payload,
    body: &Bytes,
    plan: &mut Vec<Target>,
) -> Result<Vec<Skipped>> {
    let (op, model) = asked;
    let Payload::Json(request) = payload else { return Ok(Vec::new()) };
    if policy == Capabilities::Off || !matches!(op, Op::Chat | Op::Completion) {
        return Ok(Vec::new());
    }
    let mut input = CertainInput { op, body, request, counted: None };
    let lack = |target: &Target, input: &mut CertainInput<'_>| {
        let card = target.card.as_deref()?;
        let needs = Needs {
            abilities: request.needs,
            max_output: request.max_output_tokens,
            input: card.context.map_or(0, |context| input.tokens(target, context)),
        };
        needs.lack(card)
    };
    // The common case costs a comparison for each target and no memory.
    if plan.iter().all(|target| lack(target, &mut input).is_none()) {
        return Ok(Vec::new());
    }
    let hard = |lack: &Lack| policy == Capabilities::Strict || !lack.is_adaptable();
    let (mut able, mut adapting, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for target in std::mem::take(plan) {
        match lack(&target, &mut input) {
            None => able.push(target),
            Some(lack) if hard(&lack) => skipped.push(Skipped { name: name(&target), lack }),
            Some(_) => adapting.push(target),
        }
    }
    able.append(&mut adapting);
    *plan = able;
    match (plan.is_empty(), skipped.first()) {
        (true, Some(first)) => Err(refusal(model, first.lack, &skipped)),
        _ => Ok(skipped),
    }
}

fn name(target: &Target) -> String {
    format!("{}/{}", target.provider.name, target.upstream_model)
}

/// What was passed over, as a header says it: `mock/blind (image), mock/short (context_length)`.
pub(super) fn shown(skipped: &[Skipped]) -> String {
    let shown = |one: &Skipped| format!("{} ({})", one.name, one.lack.name());
    skipped.iter().take(MOST_NAMED).map(shown).collect::<Vec<_>>().join(", ")
}

fn refusal(model: &str, lack: Lack, skipped: &[Skipped]) -> Failure {
    let (kind, text, param) = match lack {
        Lack::Ability(ability) => {
            let text =
                format!("The model `{model}` does not take {}, which this request has.", ability.title());
            (Kind::Unable, text, openai::needing_field(ability))
        }
        Lack::Output(most) => {
            let text = format!("The model `{model}` answers with at most {most} tokens; ask for no more.");
            (Kind::Unable, text, "max_tokens")
        }
        Lack::Context(most) => {
            let text = format!(
                "The input is longer than the context of the model `{model}`, which is {most} tokens."
            );
            (Kind::ContextExceeded, text, "messages")
        }
    };
    Failure::new(kind, text).param(param).detail(shown(skipped))
}

/// A number of input tokens that is certain, counted at most once, and only
/// when it may matter.
struct CertainInput<'a> {
    op: Op,
    body: &'a Bytes,
    request: &'a Request,
    counted: Option<(Family, Count)>,
}

impl CertainInput<'_> {
    fn tokens(&mut self, target: &Target, context: u64) -> u64 {
        if self.request.input_bound <= context.saturating_mul(BYTES_PER_TOKEN) {
            return 0;
        }
        let (family, is_known) = target.family();
        let (counted_with, count) =
            *self.counted.get_or_insert_with(|| (family, texts(self.op, family, self.body)));
        let certain = is_known && count.exact && counted_with == family;
        if certain { count.tokens } else { count.tokens / UNCERTAIN }
    }
}

/// Tokens of the texts alone, without pictures and what vendors put around messages.
fn texts(op: Op, family: Family, body: &Bytes) -> Count {
    let mut sum = Count { tokens: 0, exact: true };
    openai::texts(op, body, &mut |text| {
        let count = tokens::count(family, text, COUNT_BUDGET);
        sum = Count { tokens: sum.tokens.saturating_add(count.tokens), exact: sum.exact && count.exact };
    });
    sum
}
