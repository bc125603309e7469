//! The one end of every request: price, books, limits, metrics, log line.
//! Runs exactly once, whatever happened before.

use super::exchange::End;
use super::job::{Job, Payload};
use super::visit::Visit;
use super::{Plane, funds, quotas, recording, videos};
use crate::error::{Failure, Kind};
use crate::ledger::{Charge, Intent, Outcome, Settlement};
use crate::limit::Ask;
use crate::store::StoreError;
use crate::telemetry::{Done, log_request};
use crate::types::{Pico, Usage, UsageSource};
use crate::wire::translate;
use std::sync::Arc;

/// Writes the intent before a vendor hears of the request.
///
/// # Errors
/// `LedgerUnavailable`, when the books are strict and cannot be written.
pub(super) async fn intend(job: &Job, visit: &mut Visit) -> Result<(), Failure> {
    let key = &job.caller.key;
    let intent = Intent {
        id: visit.id,
        at: visit.at,
        tenant: key.tenant.clone(),
        key: key.id.clone(),
        op: visit.op,
        model: Arc::clone(&visit.model),
        provider: Arc::clone(&visit.provider),
        upstream_model: Arc::clone(&visit.upstream_model),
        input_bound: job.request().map_or(0, |r| r.input_bound),
        output_bound: match &job.payload {
            Payload::Video(ordered) => ordered.bound().milliseconds,
            _ => job.held.tokens.saturating_sub(job.request().map_or(0, |r| r.input_bound)),
        },
        hold: job.held.cost,
        party: Arc::clone(&key.party),
    };
    visit.intended = true;
    let hold = if job.pays { job.funds.lock().as_mut().map(|funds| funds.book()) } else { None };
    let store = &job.plane.store;
    let written = match (job.snapshot.ledger.strict, hold) {
        (true, None) => store.intend_durably(intent).await,
        (false, None) => store.intend(intent).await,
        (true, Some(hold)) => store.intend_held_durably(intent, hold).await,
        (false, Some(hold)) => store.intend_held(intent, hold).await,
    };
    written.map_err(|error| {
        let text = "The ledger cannot be written, and this gateway serves nothing it cannot account for";
        Failure::new(Kind::LedgerUnavailable, text).detail(error)
    })
}

/// Settles a job: one ledger entry, the limits corrected, the request counted and logged. An order that
/// a vendor still works on settles later.
pub(super) async fn settle(job: Box<Job>, mut visit: Box<Visit>, end: End) {
    if let Some(begun) = visit.video.take() {
        return videos::watch(job, visit, end, begun);
    }
    let plane = Arc::clone(&job.plane);
    let began = plane.clock.mono();
    let charge = charge(&job, &visit, &end.usage);
    let billed = !matches!(end.outcome, Outcome::CacheHit | Outcome::Coalesced);
    let used = if billed { used(&end.usage, charge.as_ref()) } else { Ask::default() };
    // What the books do not hear of does not count as a request.
    let used = Ask { requests: u64::from(visit.intended || !billed), ..used };
    give_back(&job, used);
    if visit.intended || !billed {
        let settlement = settlement(&job, &mut visit, &end, charge.clone(), billed);
        if let Err(error) = book(&job, settlement, &end, charge.as_ref()).await {
            tracing::error!(%error, request_id = %visit.id, "a settlement could not be queued");
        }
    }
    visit.phases.settle = plane.clock.mono().since(began);
    let cost = charge.filter(|_| billed).map(|c| c.cost);
    report(&plane, visit, &end, cost);
}

/// Queues the settlement, with the charge of the wallet that pays. What the wallet has back it has
/// back when that is queued.
async fn book(
    job: &Job,
    settlement: Settlement,
    end: &End,
    charge: Option<&Charge>,
) -> Result<(), StoreError> {
    let store = &job.plane.store;
    let funds = if job.pays { job.funds.lock().take() } else { None };
    let Some(funds) = funds else { return store.settle(settlement).await };
    let (sale, returned) = funds.settle(end.outcome, &end.usage, charge, job.plane.clock.wall());
    match sale {
        Some(sale) => store.settle_charged(settlement, sale).await?,
        None => store.settle(settlement).await?,
    }
    returned.give();
    Ok(())
}

/// Corrects the limits before the last byte goes out, so that a caller who asks again at once does
/// not meet its own hold. `settle` finds it done.
pub(super) async fn release(job: &Job, visit: &Visit, usage: &Usage) {
    let charge = charge(job, visit, usage);
    give_back(job, used(usage, charge.as_ref()));
    funds::trim(job, usage, charge.as_ref()).await;
}

fn used(usage: &Usage, charge: Option<&Charge>) -> Ask {
    let cost = charge.map_or(Pico::ZERO, |c| c.cost);
    Ask { tokens: usage.total_tokens(), cost, images: usage.images, requests: 1 }
}

/// Does nothing the second time.
fn give_back(job: &Job, used: Ask) {
    if let Some(permit) = job.permit.lock().take() {
        let crossed = permit.settle(used, job.plane.clock.mono(), job.plane.clock.wall());
        quotas::crossed(&job.plane, &crossed);
    }
}

/// The price row that holds for what was really used.
fn charge(job: &Job, visit: &Visit, usage: &Usage) -> Option<Charge> {
    if usage.requests == 0 {
        return None;
    }
    job.price(visit).map(|price| price.charge(usage))
}

fn settlement(job: &Job, visit: &mut Visit, end: &End, charge: Option<Charge>, billed: bool) -> Settlement {
    let key = &job.caller.key;
    let saved = if billed { Pico::ZERO } else { charge.as_ref().map_or(Pico::ZERO, |c| c.cost) };
    Settlement {
        id: visit.id,
        at: visit.at,
        duration_us: micros(job.plane.clock.mono().since(visit.started)),
        first_token_us: visit.first_token.map(micros),
        intended: visit.intended,
        tenant: key.tenant.clone(),
        key: key.id.clone(),
        op: visit.op,
        stream: visit.stream,
        model: Arc::clone(&visit.model),
        provider: Arc::clone(&visit.provider),
        upstream_model: Arc::clone(&visit.upstream_model),
        credential: Arc::clone(&visit.credential),
        attempts: visit.attempts,
        status: visit.status,
        outcome: end.outcome,
        error: error_name(end.failure.as_ref()).into(),
        usage: if billed { end.usage } else { Usage::default() },
        usage_source: if billed { end.source } else { UsageSource::None },
        charge: charge.filter(|_| billed),
        saved,
        end_user: visit.end_user.clone(),
        party: Arc::clone(&key.party),
        tried: std::mem::take(&mut visit.tried),
        tags: visit.tags.iter().map(|tag| tag.as_str().into()).collect(),
    }
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn error_name(failure: Option<&Failure>) -> &'static str {
    failure.map_or("", |f| f.kind.name())
}

/// A request that came to no job: refused at the door.
pub(super) fn refused(plane: &Plane, visit: Box<Visit>, failure: Failure) {
    let end = End::failed(failure);
    report(plane, visit, &end, None);
}

/// A request that the hub answered by itself.
pub(super) fn answered(plane: &Plane, visit: Box<Visit>) {
    let end = End { outcome: Outcome::Ok, failure: None, usage: Usage::default(), source: UsageSource::None };
    report(plane, visit, &end, None);
}

/// Counts the request and writes its one log line.
fn report(plane: &Plane, mut visit: Box<Visit>, end: &End, cost: Option<Pico>) {
    let in_flight = visit.in_flight.take();
    if let Some(caller) = &visit.caller {
        plane.uses.note(&caller.key, visit.at, visit.address, visit.status >= 400);
    }
    recording::end(plane, &mut visit);
    let visit = *visit;
    let (key, tenant) = match &visit.caller {
        Some(caller) => (Arc::clone(caller.key.id.shared()), Arc::clone(caller.key.tenant.shared())),
        None => (Arc::clone(&visit.credential), Arc::clone(&visit.credential)),
    };
    let done = Done {
        id: visit.id,
        op: visit.op,
        dialect_in: translate::name(visit.dialect),
        dialect_out: translate::name(visit.vendor_dialect),
        outcome: outcome(end),
        error: error_name(end.failure.as_ref()),
        detail: detail(end.failure.as_ref()),
        model: visit.model,
        provider: visit.provider,
        upstream_model: visit.upstream_model,
        credential: visit.credential,
        key,
        tenant,
        address: visit.address,
        status: visit.status,
        stream: visit.stream,
        usage: end.usage,
        usage_source: end.source,
        cost,
        first_token: visit.first_token,
        duration: plane.clock.mono().since(visit.started),
        phases: visit.phases,
        attempts: visit.attempts,
        retries: visit.retries,
        fallbacks: visit.fallbacks,
        cache: visit.cache,
        request_bytes: visit.request_bytes,
        response_bytes: visit.response_bytes,
        tags: visit.tags,
    };
    plane.metrics.done(&done);
    log_request(&done);
    drop(in_flight);
}

/// A vendor that refuses a request may quote it, and what people wrote is never logged.
fn detail(failure: Option<&Failure>) -> String {
    let told = failure.filter(|f| f.kind != Kind::VendorRefused);
    told.map(|f| f.detail.clone()).unwrap_or_default()
}

/// The outcome label of the metrics.
fn outcome(end: &End) -> &'static str {
    match (end.outcome, end.failure.as_ref().map(|f| f.kind)) {
        (Outcome::Ok, _) => "ok",
        (Outcome::Truncated, _) => "truncated",
        (Outcome::ClientGone, _) => "client_gone",
        (Outcome::CacheHit, _) => "cache_hit",
        (Outcome::Coalesced, _) => "coalesced",
        (Outcome::OutOfFunds, _) => "no_funds",
        (_, Some(Kind::RateLimited | Kind::TooManyConcurrent | Kind::Flooded)) => "rate_limited",
        (_, Some(Kind::BudgetExceeded | Kind::NoFunds)) => "no_funds",
        (_, Some(Kind::AddressDenied | Kind::RuleDenied | Kind::Unauthenticated)) => "blocked",
        (_, Some(kind)) if kind.row().blame == crate::error::Blame::Caller => "invalid",
        _ => "upstream_error",
    }
}
