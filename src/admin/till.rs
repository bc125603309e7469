//! The till: what payment providers tell becomes what payments remember, and
//! what follows for wallets is done by the books. Whatever fails on the way is
//! done again, for every step has an id of its own.

mod ask;
mod meter;
mod months;
mod sweep;
mod top_up;

#[cfg(test)]
pub(super) use months::closed;
pub use months::prunable;
pub(super) use months::{bodies, close_month, prove, stored};
pub use sweep::{open_till, sweep_till};

use super::api::Problem;
use super::directory::{Directory, Draft, Unwritten};
use crate::billing::stripe::{About, Card, Told, intent, read_intent};
use crate::billing::{Account, Fact, Payment, PaymentState};
use crate::config::{Billing, Stripe};
use crate::control::{
    Change, Entry, Kind, Moment, Outcome, Private, Record, Resource, State, Target, Wallet, Who,
};
use crate::ledger::wallet::{Done, Operation};
use crate::types::{NoticeKind, TenantId, Wall};
use axum::http::StatusCode;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What is kept in memory between two looks at the till; all of it can be lost.
#[derive(Default)]
pub(super) struct Remembered {
    /// Payments whose operations could not all be done.
    unfinished: HashSet<Arc<str>>,
    /// When a provider was last asked about a payment.
    asked: HashMap<Arc<str>, Wall>,
    /// Allowances that the books have given.
    given: HashSet<Arc<str>>,
    /// Tenants that were told that they have few credits left.
    low: HashSet<TenantId>,
    /// No look at months before.
    months_from: Option<Wall>,
    /// No report to Payment Kit before.
    meter_from: Option<Wall>,
}

/// The till of a hub whose tenants pay.
pub(super) struct Till<'d> {
    pub(super) directory: &'d Directory,
    pub(super) billing: Arc<Billing>,
    pub(super) now: Wall,
}

fn unavailable(text: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, text.to_string())
}

impl<'d> Till<'d> {
    /// Opens it.
    ///
    /// # Errors
    /// When no hub runs, or its tenants do not pay.
    pub(super) fn of(directory: &'d Directory) -> Result<Self, Problem> {
        let snapshot = directory.snapshot().ok_or_else(|| unavailable("no hub runs that could do this"))?;
        let billing = snapshot.billing.clone();
        let billing =
            billing.ok_or_else(|| Problem::conflict("tenants do not pay here: billing is not enabled"))?;
        Ok(Self { directory, billing, now: directory.clock.wall() })
    }

    pub(super) fn stripe(&self) -> Result<&Stripe, Problem> {
        self.billing
            .stripe
            .as_deref()
            .ok_or_else(|| Problem::conflict("nothing is sold here: there is no [billing.stripe]"))
    }

    /// Does an operation on a wallet, once.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn operate(&self, operation: Operation) -> Result<Done, Problem> {
        operate(self.directory, operation).map(|(done, _)| done)
    }

    /// Remembers what was told of a payment and does what follows. `false`: it is none of the hub's.
    ///
    /// # Errors
    /// When it must be told again.
    pub(super) fn learn(&self, about: &About, facts: &[Fact], card: Option<&Card>) -> Result<bool, Problem> {
        let mut facts = facts.to_vec();
        let Some(id) = self.payment_of(about, &mut facts)? else { return Ok(false) };
        let before = self.directory.state().get(Kind::Payment, &id).cloned();
        let Some(tenant) = before.as_ref().and_then(|record| record.tenant.clone()) else { return Ok(false) };
        let before = before.and_then(|record| record.is::<Payment>().cloned()).unwrap_or_default();
        let record = self.rewrite("payment.learn", |state| {
            let record = state.get(Kind::Payment, &id).ok_or_else(Problem::not_found)?;
            let old = record.is::<Payment>().ok_or_else(Problem::not_found)?;
            let mut body = old.clone();
            facts.iter().filter(|fact| counts(old, fact)).for_each(|fact| body.join(fact));
            if body == *old {
                return Ok((Arc::clone(record), None));
            }
            let after = Arc::new(record.next(body.body(), record.private.clone(), self.now));
            let change = change(Some(record), &after);
            Ok((after, Some(change)))
        })?;
        self.finish(&record)?;
        if let Some(after) = record.is::<Payment>() {
            self.raise(&tenant, &id, &before, after);
        }
        if let Some(card) = card {
            self.save_card(&tenant, card)?;
        }
        freeze(self.directory, &tenant);
        Ok(true)
    }

    /// Tells what is new in a payment.
    fn raise(&self, tenant: &TenantId, id: &str, before: &Payment, after: &Payment) {
        let notices = self.directory.notices();
        if after.state == PaymentState::Paid && before.state != PaymentState::Paid {
            let data = json!({ "payment": id, "automatic": after.automatic, "credits": after.credits });
            notices.raise(NoticeKind::PaymentPaid, Some(tenant), id, data);
        }
        for dispute in after.disputes.keys().filter(|dispute| !before.disputes.contains_key(*dispute)) {
            let data = json!({ "payment": id, "dispute": dispute });
            notices.raise(NoticeKind::PaymentDisputed, Some(tenant), id, data);
        }
    }

    /// Which payment it is. Refunds and disputes name only the provider's id of it, and may come
    /// before whatever tells that id; then the provider is asked.
    fn payment_of(&self, about: &About, facts: &mut Vec<Fact>) -> Result<Option<Arc<str>>, Problem> {
        let state = self.directory.state();
        if let Some(id) = &about.payment {
            return Ok(state.get(Kind::Payment, id).map(|record| Arc::clone(&record.id)));
        }
        let Some(wanted) = &about.intent else { return Ok(None) };
        let known = state.each::<Payment>().find(|(_, payment)| payment.intent.as_ref() == Some(wanted));
        if let Some((record, _)) = known {
            return Ok(Some(Arc::clone(&record.id)));
        }
        let Told::Facts(about, told, _) = read_intent(&self.ask(&intent(wanted))?) else { return Ok(None) };
        facts.extend(told);
        let found = about.payment.and_then(|id| state.get(Kind::Payment, &id).cloned());
        Ok(found.map(|record| Arc::clone(&record.id)))
    }

    /// Does what follows from a payment.
    ///
    /// # Errors
    /// When the disk refuses; it is tried again at the next look.
    pub(super) fn finish(&self, record: &Record) -> Result<(), Problem> {
        finish(self.directory, record)
    }

    pub(super) fn save_card(&self, tenant: &TenantId, card: &Card) -> Result<(), Problem> {
        self.change_account("billing-account.card", tenant, |_, wallet| {
            // A card belongs to its customer; another customer's card is no use.
            if wallet.customer.as_ref().is_none_or(|known| *known == card.customer) {
                wallet.customer = Some(card.customer.clone());
                wallet.card = Some(card.method.clone());
                (wallet.failures, wallet.wait_until) = (0, None);
            }
        })
        .map(drop)
    }

    /// Changes how a tenant pays; makes the record when there is none.
    pub(super) fn change_account(
        &self,
        action: &str,
        tenant: &TenantId,
        work: impl Fn(&mut Account, &mut Wallet),
    ) -> Result<Arc<Record>, Problem> {
        self.rewrite(action, |state| {
            let before = state.get(Kind::Account, tenant.as_str());
            let mut body = before.and_then(|record| record.is::<Account>()).cloned().unwrap_or_default();
            let mut wallet = before.map(|record| wallet_of(record)).unwrap_or_default();
            work(&mut body, &mut wallet);
            let private = Private::Account(wallet);
            let after = match before {
                Some(record) if record.is::<Account>() == Some(&body) && record.private == private => {
                    return Ok((Arc::clone(record), None));
                }
                Some(record) => record.next(body.body(), private, self.now),
                None => Record::new(tenant.as_str(), Some(tenant.clone()), body.body(), private, self.now),
            };
            let after = Arc::new(after);
            let change = change(before, &after);
            Ok((after, Some(change)))
        })
    }

    /// A change that the hub makes itself; nobody asked for it, and the audit log says so.
    pub(super) fn rewrite(
        &self,
        action: &str,
        work: impl FnOnce(&State) -> Result<(Arc<Record>, Option<Change>), Problem>,
    ) -> Result<Arc<Record>, Problem> {
        self.directory.change(|state| {
            let (record, change) = work(state)?;
            let entries = change.iter().map(|change| entry(action, change, self.now)).collect();
            Ok((record, Draft { changes: change.into_iter().collect(), entries, ..Draft::default() }))
        })
    }
}

/// Who pays on a page may try another card after a failure, so only what closes the page counts.
fn counts(payment: &Payment, fact: &Fact) -> bool {
    match fact {
        Fact::Failed(why) => payment.automatic || why == "expired" || why == "async payment failed",
        _ => true,
    }
}

/// A change of one record.
pub(super) fn change(before: Option<&Arc<Record>>, after: &Arc<Record>) -> Change {
    let (kind, id) = (after.body.kind(), Arc::clone(&after.id));
    Change { kind, id, before: before.cloned(), after: Some(Arc::clone(after)) }
}

fn entry(action: &str, change: &Change, now: Wall) -> Entry {
    let tenant = change.after.as_ref().and_then(|record| record.tenant.clone());
    Entry {
        target: Some(Target { kind: change.kind, id: change.id.to_string(), tenant }),
        before: change.before.as_ref().map(|record| record.shown()),
        after: change.after.as_ref().map(|record| record.shown()),
        ..blank(action, now)
    }
}

/// An audit record of what the hub does by itself.
pub(super) fn blank(action: &str, now: Wall) -> Entry {
    Entry {
        sequence: 0,
        at: Moment(now),
        who: Who { kind: "hub".into(), id: None, name: "billing".into(), tenant: None },
        action: action.to_owned(),
        outcome: Outcome::Done,
        reason: None,
        target: None,
        before: None,
        after: None,
        address: None,
        request: "billing".to_owned(),
        previous: String::new(),
    }
}

/// How a tenant is known to who takes its money.
pub(super) fn wallet_of(record: &Record) -> Wallet {
    match &record.private {
        Private::Account(wallet) => wallet.clone(),
        _ => Wallet::default(),
    }
}

/// Does an operation on a wallet, once, and says whether it was this time.
///
/// # Errors
/// When the disk refuses.
pub(super) fn operate(directory: &Directory, operation: Operation) -> Result<(Done, bool), Problem> {
    directory.store().operate(operation).map_err(unavailable)
}

fn finish(directory: &Directory, record: &Record) -> Result<(), Problem> {
    let (Some(payment), Some(tenant)) = (record.is::<Payment>(), &record.tenant) else { return Ok(()) };
    let result = payment.bring_about(&record.id, tenant, &mut |operation| {
        operate(directory, operation).map(|(done, _)| done)
    });
    let mut till = directory.till.lock();
    match result {
        Ok(()) => drop(till.unfinished.remove(&record.id)),
        Err(_) => drop(till.unfinished.insert(Arc::clone(&record.id))),
    }
    result
}

/// May requests of the tenant begin? Its account says so, or else its disputes.
fn freeze(directory: &Directory, tenant: &TenantId) {
    let state = directory.state();
    let said = state.find::<Account>(tenant.as_str()).and_then(|account| account.frozen);
    let of_tenant = |record: &Record| record.tenant.as_ref() == Some(tenant);
    let disputed =
        || state.each::<Payment>().any(|(record, payment)| of_tenant(record) && payment.is_disputed());
    directory.store().wallets().freeze(tenant, said.unwrap_or_else(disputed));
}

/// The same, after somebody changed the account.
pub(super) fn refreeze(directory: &Directory, tenant: &TenantId) {
    freeze(directory, tenant);
}

impl From<Unwritten> for Trouble {
    fn from(error: Unwritten) -> Self {
        Self(error.to_string())
    }
}

/// What keeps a look at the till from being done; it is in the log, and tried again.
#[derive(Debug)]
struct Trouble(String);

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self(problem.detail)
    }
}
