//! Credits that are bought by themselves when few are left. At most one
//! payment of a tenant is on its way; what its card paid in a month has a
//! bound; a card that was refused rests longer each time.

use super::ask::Said;
use super::{Till, Trouble, change, wallet_of};
use crate::billing::stripe::{About, Line, Told, charge, intent, read_intent};
use crate::billing::{Account, Fact, Payment, PaymentState, TopUp};
use crate::control::{Kind, Moment, Private, Record, Resource};
use crate::ledger::{day_of, month_of_day};
use crate::types::{NoticeKind, Pico, TenantId, Wall, credits_of, minor_of, minor_units};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Between two questions about the same payment.
const PAUSE: Duration = Duration::from_secs(60);
/// After this an idempotency key may be forgotten, and the same question be another payment.
const KEYS_KEPT: Duration = Duration::from_secs(23 * 60 * 60);
/// A card that was refused rests this long, and twice as long each time.
const REST: Duration = Duration::from_secs(60 * 60);
const MOST_DOUBLINGS: u32 = 6;

impl Till<'_> {
    /// Buys for every tenant that wants it and has few credits left; asks about what is on its way.
    pub(super) fn top_up(&self) -> Result<(), Trouble> {
        if self.billing.stripe.is_none() {
            return Ok(());
        }
        let state = self.directory.state();
        for (record, payment) in state.each::<Payment>() {
            if payment.automatic && payment.state == PaymentState::Pending {
                self.go_on(record, payment)?;
            }
        }
        for (record, account) in state.each::<Account>() {
            let (Some(top_up), Some(tenant)) = (&account.top_up, &record.tenant) else { continue };
            if let Some(payment) = self.begin(record, top_up, tenant)? {
                self.attempt(&payment)?;
            }
        }
        Ok(())
    }

    /// Writes down that a payment is to be made, if one is. From then on it is on its way.
    fn begin(
        &self,
        account: &Record,
        top_up: &TopUp,
        tenant: &TenantId,
    ) -> Result<Option<Arc<Record>>, Trouble> {
        let (wallet, stripe) = (wallet_of(account), self.stripe()?);
        let rests = wallet.wait_until.is_some_and(|until| until.0 > self.now);
        let few = self.directory.store().wallets().available(tenant, self.now) < top_up.below;
        let Some(minor) = minor_of(top_up.amount, &stripe.currency) else { return Ok(None) };
        if rests || !few || wallet.card.is_none() || wallet.customer.is_none() {
            return Ok(None);
        }
        let credits = credits_of(top_up.amount, self.billing.credit_price);
        let body = Payment {
            automatic: true,
            minor,
            currency: stripe.currency.to_string(),
            credits,
            ..Payment::default()
        };
        let mut begun = None;
        self.directory.change::<(), Trouble>(|state| {
            let own = |record: &Record| record.tenant.as_ref() == Some(tenant);
            let month = |at: Wall| month_of_day(day_of(at));
            let (mut spent, mut running) = (0_u64, false);
            for (record, payment) in state.each::<Payment>().filter(|(record, p)| own(record) && p.automatic)
            {
                running |= payment.state == PaymentState::Pending;
                if month(record.created_at.0) == month(self.now) && payment.state != PaymentState::Failed {
                    spent = spent.saturating_add(payment.minor);
                }
            }
            let limit = top_up.month_limit.0.saturating_mul(minor_units(&stripe.currency));
            let after = i128::from(spent.saturating_add(minor)).saturating_mul(Pico(1_000_000_000_000).0);
            // An account that was frozen or closed meanwhile buys nothing.
            let frozen = state
                .find::<Account>(tenant.as_str())
                .is_none_or(|a| a.frozen == Some(true) || a.top_up.is_none());
            if running || frozen || after > limit {
                return Ok(((), Default::default()));
            }
            let id = format!("{}{}", Kind::Payment.prefix(), uuid::Uuid::now_v7().simple());
            let record =
                Record::new(&id, Some(tenant.clone()), body.clone().body(), Private::Nothing, self.now);
            let record = Arc::new(record);
            let made = change(None, &record);
            let entries = vec![super::entry("payment.top-up", &made, self.now)];
            begun = Some(record);
            Ok(((), super::Draft { changes: vec![made], entries, ..Default::default() }))
        })?;
        Ok(begun)
    }

    /// Asks for the money. Asked again it is the same payment.
    fn attempt(&self, record: &Record) -> Result<(), Trouble> {
        let (Some(payment), Some(tenant)) = (record.is::<Payment>(), &record.tenant) else { return Ok(()) };
        let state = self.directory.state();
        let Some(account) = state.get(Kind::Account, tenant.as_str()) else { return Ok(()) };
        let wallet = wallet_of(account);
        let (Some(customer), Some(card)) = (&wallet.customer, &wallet.card) else { return Ok(()) };
        self.directory.till.lock().asked.insert(Arc::clone(&record.id), self.now);
        let text = format!("{} credits", payment.credits);
        let line = Line {
            payment: &record.id,
            customer,
            minor: payment.minor,
            currency: &payment.currency,
            text: &text,
        };
        match self.put(&charge(&line, card))? {
            Said::Done(object) => self.told(tenant, &record.id, &object),
            Said::Refused(_, words) => {
                let error = &words["error"];
                let why = error["message"].as_str().unwrap_or("the payment was refused").to_owned();
                let mut facts = vec![Fact::Failed(why.clone())];
                facts.extend(error["payment_intent"]["id"].as_str().map(|id| Fact::Intent(id.to_owned())));
                self.learn(&About { payment: Some(record.id.to_string()), intent: None }, &facts, None)?;
                self.rest(tenant, &record.id, &why)
            }
            Said::Unclear(why) => {
                tracing::warn!(%tenant, payment = %record.id, why, "it is not known whether a payment was made; asking again");
                Ok(())
            }
        }
    }

    fn told(&self, tenant: &TenantId, id: &Arc<str>, object: &serde_json::Value) -> Result<(), Trouble> {
        if let Told::Facts(about, facts, _) = read_intent(object) {
            self.learn(&about, &facts, None)?;
        }
        let state = self.directory.state();
        match state.find::<Payment>(id).map(|payment| payment.state) {
            Some(PaymentState::Failed) => {
                let why = state.find::<Payment>(id).and_then(|payment| payment.failure.clone());
                self.rest(tenant, id, why.as_deref().unwrap_or("the payment failed"))
            }
            Some(PaymentState::Paid) => {
                let paid = |_: &mut Account, wallet: &mut crate::control::Wallet| {
                    (wallet.failures, wallet.wait_until) = (0, None);
                };
                Ok(self.change_account("billing-account.paid", tenant, paid).map(drop)?)
            }
            _ => Ok(()),
        }
    }

    /// The card was refused: it rests, and somebody is told.
    fn rest(&self, tenant: &TenantId, id: &str, why: &str) -> Result<(), Trouble> {
        let record = self.change_account("billing-account.refused", tenant, |_, wallet| {
            let rest = REST.saturating_mul(1 << wallet.failures.min(MOST_DOUBLINGS));
            wallet.failures = wallet.failures.saturating_add(1);
            wallet.wait_until = Some(Moment(self.now.after(rest)));
        })?;
        let failures = wallet_of(&record).failures;
        tracing::warn!(%tenant, payment = id, failures, "credits could not be bought automatically");
        let data = json!({ "payment": id, "why": why, "failures": failures });
        self.directory.notices().raise(NoticeKind::PaymentFailed, Some(tenant), id, data);
        Ok(())
    }

    /// A payment that is on its way: asked for again in the same words, or asked about.
    fn go_on(&self, record: &Arc<Record>, payment: &Payment) -> Result<(), Trouble> {
        let asked = self.directory.till.lock().asked.get(&record.id).copied();
        if asked.is_some_and(|at| at.after(PAUSE) > self.now && at <= self.now) {
            return Ok(());
        }
        let Some(tenant) = &record.tenant else { return Ok(()) };
        if let Some(known) = &payment.intent {
            self.directory.till.lock().asked.insert(Arc::clone(&record.id), self.now);
            return match self.put(&intent(known))? {
                Said::Done(object) => self.told(tenant, &record.id, &object),
                Said::Refused(..) | Said::Unclear(_) => Ok(()),
            };
        }
        if record.created_at.0.after(KEYS_KEPT) > self.now {
            return self.attempt(record);
        }
        let about = About { payment: Some(record.id.to_string()), intent: None };
        let why = "no answer for a day";
        self.learn(&about, &[Fact::Failed(why.to_owned())], None)?;
        self.rest(tenant, &record.id, why)
    }
}
