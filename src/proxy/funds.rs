//! The wallet's side of a request: what is held before a vendor is called,
//! how a stream holds more as it grows, and what is charged at the end.

use super::Plane;
use super::decide::{Refused, payload_request, price};
use super::hold::{beside_tokens, count_input, model_limit, output_bound, times_read, with_margin};
use super::job::{Job, Payload};
use super::visit::Visit;
use crate::config::{Billing, Caller, Snapshot, Target};
use crate::error::{Failure, Kind};
use crate::ledger::wallet::{Hold, Movement, Pays, Returned, Rule, Short};
use crate::ledger::{Charge, Outcome, Price};
use crate::store::Store;
use crate::tokens;
use crate::types::{Op, Pico, Usage, Wall};
use bytes::Bytes;
use std::sync::Arc;

/// What a request of a paying tenant holds.
pub(super) struct Funds {
    hold: Hold,
    prices: Vec<Arc<Price>>,
    billing: Arc<Billing>,
    /// Bound of the input.
    input: u64,
    /// Is that bound made of tokens that were counted late?
    counted: bool,
    /// What is used besides tokens, at most.
    beside: Usage,
    /// Output tokens that are paid for by what is held.
    covered: u64,
    /// No more output than this can come; `None`: nobody knows.
    most: Option<u64>,
}

/// The bounds of a request, by which it holds.
#[derive(Clone, Copy)]
struct Bounds {
    input: u64,
    /// What is held of the output at first.
    output: u64,
    /// The most output there can be.
    most: Option<u64>,
    beside: Usage,
}

/// May this target be used by a tenant that pays, though it may have no price?
pub(super) fn can_be_charged(snapshot: &Snapshot, caller: &Caller, target: &Target, visit: &Visit) -> bool {
    let (Some(billing), Some(payer)) = (&snapshot.billing, &caller.payer) else { return true };
    billing.unpriced == crate::config::Unpriced::Flag
        || price(snapshot, target, visit).is_some()
        || payer.plan.rate(&snapshot.prices, (visit.op, &visit.model), visit.at).is_some()
}

/// What a tenant that pays is bounded by when it names no maximum and cannot be asked to hold more
/// on the way.
pub(super) fn unnamed_maximum(
    snapshot: &Snapshot,
    caller: &Caller,
    visit: &Visit,
    payload: &Payload,
) -> Option<u64> {
    let (billing, _) = (snapshot.billing.as_ref()?, caller.payer.as_ref()?);
    let speaks = matches!(visit.op, Op::Chat | Op::Completion);
    let unnamed = payload_request(payload)?.max_output_tokens.is_none();
    let in_steps = visit.stream && payload_request(payload)?.choices <= 1;
    (speaks && unnamed && !in_steps).then_some(billing.assumed_output)
}

/// A stream holds its output step by step; everything else, also a stream of several answers, holds all of
/// it at once.
fn first_step(
    snapshot: &Snapshot,
    visit: &Visit,
    payload: &Payload,
    input: u64,
    output: u64,
    beside: Usage,
) -> Bounds {
    let step = snapshot.billing.as_ref().map_or(u64::MAX, |billing| billing.hold_step);
    let named = payload_request(payload).is_some_and(|r| r.max_output_tokens.is_some());
    let several = payload_request(payload).is_some_and(|r| r.choices > 1);
    let streams = visit.stream && !several && matches!(visit.op, Op::Chat | Op::Completion);
    let most = (named || !streams).then_some(output);
    Bounds { input, output: if streams { output.min(step) } else { output }, most, beside }
}

/// Holds the worst case of what a tenant that pays may be charged; `None` for others. As for the
/// limits, the cheap bound comes first, and only when it does not fit are the tokens counted.
///
/// # Errors
/// `NoFunds`, with what is there and where more can be had.
pub(super) fn take(
    snapshot: &Snapshot,
    plane: &Plane,
    caller: &Caller,
    visit: &Visit,
    payload: &Payload,
    body: &Bytes,
    targets: &[Target],
) -> Result<Option<Box<Funds>>, Refused> {
    if snapshot.billing.is_none() || caller.payer.is_none() {
        return Ok(None);
    }
    let prices: Vec<Arc<Price>> = targets.iter().filter_map(|t| price(snapshot, t, visit)).collect();
    let unnamed = targets.iter().map(model_limit).max().unwrap_or_default();
    let output = output_bound(visit.op, payload, unnamed, None);
    let try_with = |input: u64| {
        let bounds = first_step(snapshot, visit, payload, input, output, beside_tokens(visit.op, payload));
        hold(snapshot, &plane.store, caller, visit, &prices, bounds)
    };
    let times = times_read(visit.op, payload, targets);
    try_with(payload_request(payload).map_or(0, |r| r.input_bound).saturating_mul(times))
        .or_else(|failure| match payload {
            Payload::Form { .. } | Payload::Video(_) | Payload::Pipe => Err(failure),
            Payload::Json(_) => {
                let model = targets.first().map_or(&*visit.model, |t| &*t.upstream_model);
                let family = targets.first().map_or_else(|| tokens::family(model), Target::family).0;
                try_with(with_margin(count_input(visit.op, family, model, body)).saturating_mul(times))
            }
        })
        .map_err(|failure| {
            plane.metrics.limited("wallet");
            failure.into()
        })
}

/// Holds the worst case. `None` for tenants that do not pay.
///
/// # Errors
/// `NoFunds`, with what is there and where more can be had.
fn hold(
    snapshot: &Snapshot,
    store: &Store,
    caller: &Caller,
    visit: &Visit,
    prices: &[Arc<Price>],
    bounds: Bounds,
) -> Result<Option<Box<Funds>>, Failure> {
    let (Some(billing), Some(payer)) = (&snapshot.billing, &caller.payer) else { return Ok(None) };
    let terms = payer.plan.terms(&snapshot.prices, (visit.op, &visit.model), visit.at, billing.credit_price);
    let Bounds { input, output, most, beside } = bounds;
    let amount = terms.worst_case(worst_cost(prices, input, output, &beside), input, output, &beside);
    let (tenant, request) = (&caller.key.tenant, (visit.id, visit.at));
    let hold = store
        .wallets()
        .hold(tenant, request, payer.member.as_ref(), terms, amount)
        .map_err(|short| refusal(billing, &short))?;
    let (prices, billing) = (prices.to_vec(), Arc::clone(billing));
    Ok(Some(Box::new(Funds { hold, prices, billing, input, counted: false, beside, covered: output, most })))
}

fn worst_cost(prices: &[Arc<Price>], input: u64, output: u64, beside: &Usage) -> Pico {
    let cost = |p: &Arc<Price>| p.worst_case(input, output).saturating_add(p.charge(beside).cost);
    prices.iter().map(cost).max().unwrap_or_default()
}

fn refusal(billing: &Billing, short: &Short) -> Failure {
    if short.frozen {
        let text = "The wallet is frozen, because a payment is disputed or an operator said so. Ask who runs this hub.";
        return Failure::new(Kind::NoFunds, text).detail("frozen");
    }
    let (needed, available) = (billing.shown(short.needed), billing.shown(short.available));
    let mut text = match &short.member {
        Some(member) => format!("The credits of {member} for this month do not suffice"),
        None => "There are not enough credits".to_owned(),
    };
    text.push_str(&format!(": this request may need {needed}, {available} are available"));
    if short.held > Pico::ZERO {
        text.push_str(&format!(" and {} are held by running requests", billing.shown(short.held)));
    }
    text.push_str(". A lower max_tokens needs less");
    match (&billing.buy_link, &short.member) {
        (Some(link), None) => text.push_str(&format!("; more can be bought at {link}")),
        _ => text.push('.'),
    }
    Failure::new(Kind::NoFunds, text).detail(if short.member.is_some() { "member" } else { "wallet" })
}

impl Funds {
    /// The movement that goes into the books with the intent.
    pub(super) fn book(&mut self) -> Movement {
        let milliseconds = self.beside.milliseconds;
        let input = Usage { input: self.input, milliseconds, requests: 1, ..Usage::default() };
        let cost = self.prices.iter().map(|price| price.charge(&input).cost).max().unwrap_or_default();
        let if_lost = self.hold.terms().if_lost(self.input, cost);
        self.hold.book(if_lost)
    }

    /// Output tokens that are paid for; `None` when that is all there can be.
    fn covered(&self) -> Option<u64> {
        self.most.is_none_or(|most| self.covered < most).then_some(self.covered)
    }

    /// Holds what `output` tokens and a step need; where that is too much, a smaller step.
    fn extend(&mut self, output: u64, now: Wall) -> Result<Movement, Short> {
        let step = self.billing.hold_step;
        self.extend_to(output.saturating_add(step), now).or_else(|_| {
            let least = self.covered.saturating_add(1);
            self.extend_to(output.saturating_add(step / 8).max(least), now)
        })
    }

    fn extend_to(&mut self, output: u64, now: Wall) -> Result<Movement, Short> {
        let covered = self.most.map_or(output, |most| output.min(most)).max(self.covered);
        let cost = worst_cost(&self.prices, self.input, covered, &self.beside);
        let all = self.hold.terms().worst_case(cost, self.input, covered, &self.beside);
        let movement = self.hold.extend(all.saturating_sub(self.hold.amount()), now)?;
        self.covered = covered;
        Ok(movement)
    }

    /// Ends the hold by the rule of [`Pays`].
    pub(super) fn settle(
        self,
        outcome: Outcome,
        usage: &Usage,
        charge: Option<&Charge>,
        now: Wall,
    ) -> (Option<Movement>, Returned) {
        let (share, cost) = match Pays::of(outcome) {
            Pays::Usage | Pays::Input => (Rule::WHOLE, charge.map_or(Pico::ZERO, |charge| charge.cost)),
            Pays::Share => (self.billing.cache_hit_ppm, Pico::ZERO),
            Pays::Nothing => (0, Pico::ZERO),
        };
        let sale = self.hold.terms().sale(usage, charge, share);
        self.hold.settle(sale, cost, now)
    }
}

/// Output tokens that the job's hold pays for; `None` where no check is needed.
pub(super) fn covered(job: &Job) -> Option<u64> {
    if !job.pays {
        return None;
    }
    job.funds.lock().as_ref().and_then(|funds| funds.covered())
}

/// A stream has come to `output` tokens: holds a step more. `false` when the wallet cannot.
///
/// What is held of the input is bytes, as a rule, for that is cheap to know and more than its tokens.
/// Where the wallet carries no more by that, the tokens are counted, once: what the bytes held too
/// much may pay for the whole rest of an answer.
pub(super) async fn extend(job: &Job, visit: &Visit, output: u64) -> bool {
    let now = job.plane.clock.wall();
    let model = &visit.upstream_model;
    let extended = match job.funds.lock().as_mut() {
        Some(funds) => funds.extend(output, now).or_else(|short| {
            if std::mem::replace(&mut funds.counted, true) || job.request().is_none() {
                return Err(short);
            }
            let counted = with_margin(count_input(visit.op, job.family(model), model, &job.body));
            funds.input = funds.input.min(counted);
            funds.extend(output, now)
        }),
        None => return true,
    };
    match extended {
        Ok(movement) if movement.transfers.is_empty() => true,
        // A closed store means that the hub stops; recovery then charges by what was held before.
        Ok(movement) => job.plane.store.moved(movement).await.is_ok(),
        Err(_) => false,
    }
}

/// Frees what the request did not use, if the wallet is so low that its owner might miss it.
pub(super) async fn trim(job: &Job, usage: &Usage, charge: Option<&Charge>) {
    if !job.pays {
        return;
    }
    let now = job.plane.clock.wall();
    let trimmed = job.funds.lock().as_mut().and_then(|funds| {
        let scarce = funds.hold.beside(now) < funds.hold.amount();
        let owed = funds.hold.terms().sale(usage, charge, Rule::WHOLE).owed;
        if scarce { funds.hold.trim(owed, now) } else { None }
    });
    let Some((movement, returned)) = trimmed else { return };
    if job.plane.store.moved(movement).await.is_ok() {
        returned.give();
    }
}

/// Why a stream ended before its time.
pub(super) fn spent(job: &Job) -> Failure {
    let link = job.snapshot.billing.as_ref().and_then(|billing| billing.buy_link.clone());
    let text = match link {
        Some(link) => {
            format!("The answer was ended early: the credits are used up. More can be bought at {link}")
        }
        None => "The answer was ended early: the credits are used up".to_owned(),
    };
    Failure::new(Kind::NoFunds, text)
}
