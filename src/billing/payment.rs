//! A purchase of credits, from the moment somebody wanted it to the last word
//! of a dispute.
//!
//! What a provider tells comes late, twice and in any order. So a payment only
//! remembers: each [`Fact`] moves one part of it upwards in an order that has
//! no way back, and whatever the sequence, the same facts make the same
//! payment. What follows for the wallet is derived from what is remembered,
//! as operations whose ids are those of the facts; the books do each once.
//!
//! The rule for money that goes back. A refund or a dispute takes as many
//! credits as were bought for that money, as far as the wallet has them; a
//! wallet is never below zero, and what was used already is the hub's loss.
//! While a dispute is open, and after it was lost, the tenant may not begin
//! requests (unless its account says otherwise). A dispute that was won, and a
//! refund that failed, give back exactly what they took.

use crate::ledger::wallet::{Done, Operation, Source, Task};
use crate::types::{Pico, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A purchase of credits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Payment {
    /// How far it has come.
    pub state: PaymentState,
    /// Was it begun by the hub, because credits ran low?
    pub automatic: bool,
    /// The price, in the currency's smallest unit.
    pub minor: u64,
    /// The currency, as `usd`.
    pub currency: String,
    /// Credits that it buys, a decimal string.
    #[schemars(with = "String")]
    pub credits: Pico,
    /// Where the customer pays; none for those that the hub began.
    pub url: Option<String>,
    /// The provider's id of the page.
    pub session: Option<String>,
    /// The provider's id of the payment.
    pub intent: Option<String>,
    /// Why it failed, in the provider's words.
    pub failure: Option<String>,
    /// What went back to the customer, by the provider's id.
    pub refunds: BTreeMap<String, Refund>,
    /// What the customer's bank asked back, by the provider's id.
    pub disputes: BTreeMap<String, Dispute>,
}

/// How far a payment has come. Later ones in this list replace earlier ones, never the other way.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// Begun.
    #[default]
    Pending,
    /// Given up; a provider may still say that it was paid.
    Failed,
    /// Paid, but not what was asked for. Nothing is credited; somebody must look.
    Mismatch,
    /// Paid.
    Paid,
}

/// Money that went back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    /// How much, in the currency's smallest unit.
    pub minor: u64,
    /// Did it arrive?
    pub state: RefundState,
}

/// What became of a refund; later ones in this list replace earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// On its way, or there.
    Made,
    /// It came back; the customer's money stays here.
    Failed,
}

/// Money that the customer's bank asked back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dispute {
    /// How much, in the currency's smallest unit.
    pub minor: u64,
    /// How far it has come.
    pub verdict: Verdict,
}

/// How far a dispute has come; later ones in this list replace earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nobody has decided.
    Open,
    /// The customer keeps the money.
    Lost,
    /// The money is here again.
    Won,
}

/// One thing that a provider told.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// Money has come.
    Paid {
        /// How much.
        minor: u64,
        /// Of what, in lower case.
        currency: String,
    },
    /// It will not come, as far as is known.
    Failed(String),
    /// The provider's id of the payment.
    Intent(String),
    /// Money goes back.
    Refunded(String, Refund),
    /// Money is asked back.
    Disputed(String, Dispute),
}

impl Payment {
    /// Remembers a fact.
    pub fn join(&mut self, fact: &Fact) {
        match fact {
            Fact::Paid { minor, currency } => {
                // More than was asked for is a tax that the provider added.
                let fits = *minor >= self.minor && *currency == self.currency;
                self.state = self.state.max(if fits { PaymentState::Paid } else { PaymentState::Mismatch });
            }
            Fact::Failed(why) => {
                self.state = self.state.max(PaymentState::Failed);
                // Of several reasons always the same one stays, whichever came first.
                if self.failure.as_ref().is_none_or(|known| why < known) {
                    self.failure = Some(why.clone());
                }
            }
            Fact::Intent(id) => {
                if self.intent.as_ref().is_none_or(|known| id < known) {
                    self.intent = Some(id.clone());
                }
            }
            Fact::Refunded(id, refund) => {
                let known = self.refunds.entry(id.clone()).or_insert(*refund);
                known.minor = known.minor.max(refund.minor);
                known.state = known.state.max(refund.state);
            }
            Fact::Disputed(id, dispute) => {
                let known = self.disputes.entry(id.clone()).or_insert(*dispute);
                known.minor = known.minor.max(dispute.minor);
                known.verdict = known.verdict.max(dispute.verdict);
            }
        }
    }

    /// Does the customer's bank ask money back, or has it got it?
    pub fn is_disputed(&self) -> bool {
        self.disputes.values().any(|dispute| dispute.verdict != Verdict::Won)
    }

    /// Credits for a part of the price; all of them for all of it.
    pub fn share(&self, minor: u64) -> Pico {
        if minor >= self.minor {
            return self.credits;
        }
        let part = self.credits.0.saturating_mul(i128::from(minor));
        Pico(part.checked_div(i128::from(self.minor)).unwrap_or(self.credits.0))
    }

    /// Does what follows for the wallet. `operate` does an operation once, whoever asks and how
    /// often, and says what it came to; so this may be repeated at any time.
    ///
    /// # Errors
    /// Those of `operate`; the rest is then still to be done.
    pub fn bring_about<E>(
        &self,
        id: &str,
        tenant: &TenantId,
        operate: &mut dyn FnMut(Operation) -> Result<Done, E>,
    ) -> Result<(), E> {
        // Money goes back only after it came; the provider tells both, whichever first.
        if self.state != PaymentState::Paid {
            return Ok(());
        }
        let issue = |name: String, source, amount, reason: &str| Operation {
            id: name.into(),
            tenant: tenant.clone(),
            reason: reason.into(),
            task: Task::Issue { source, amount, priority: None, expires_at: None },
        };
        operate(issue(format!("payment:{id}"), Source::Purchase, self.credits, "credits were bought"))?;
        let refunds = self
            .refunds
            .iter()
            .map(|(name, refund)| ("refund", name, refund.minor, refund.state == RefundState::Failed));
        let disputes = self
            .disputes
            .iter()
            .map(|(name, dispute)| ("dispute", name, dispute.minor, dispute.verdict == Verdict::Won));
        for (kind, name, minor, comes_back) in refunds.chain(disputes) {
            let taken = operate(Operation {
                id: format!("{kind}:{name}").into(),
                tenant: tenant.clone(),
                reason: format!("{kind} of payment {id}").into(),
                task: Task::Reclaim { amount: self.share(minor).max(Pico(1)) },
            })?;
            if comes_back && taken.amount > Pico::ZERO {
                let reason = format!("the {kind} of payment {id} came to nothing");
                operate(issue(format!("{kind}-undone:{name}"), Source::Refund, taken.amount, &reason))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bought() -> Payment {
        let credits = Pico::parse("11").unwrap();
        Payment { minor: 1_000, currency: "usd".into(), credits, ..Payment::default() }
    }

    fn any_fact() -> impl Strategy<Value = Fact> {
        let id = prop::sample::select(vec!["a", "b"]);
        let refund = prop::sample::select(vec![RefundState::Made, RefundState::Failed]);
        let verdict = prop::sample::select(vec![Verdict::Open, Verdict::Lost, Verdict::Won]);
        prop_oneof![
            (900_u64..1_100, prop::sample::select(vec!["usd", "eur"]))
                .prop_map(|(minor, currency)| Fact::Paid { minor, currency: currency.into() }),
            id.clone().prop_map(|id| Fact::Failed(id.into())),
            id.clone().prop_map(|id| Fact::Intent(id.into())),
            (id.clone(), 0_u64..1_000, refund)
                .prop_map(|(id, minor, state)| Fact::Refunded(id.into(), Refund { minor, state })),
            (id, 0_u64..1_000, verdict)
                .prop_map(|(id, minor, verdict)| Fact::Disputed(id.into(), Dispute { minor, verdict })),
        ]
    }

    proptest! {
        #[test]
        fn facts_make_the_same_payment_in_any_order_and_any_number_of_times(
            facts in prop::collection::vec(any_fact(), 0..12).prop_flat_map(|facts| {
                let twice: Vec<_> = facts.iter().chain(&facts).cloned().collect();
                (Just(facts), Just(twice).prop_shuffle())
            })
        ) {
            let (mut once, mut often) = (bought(), bought());
            facts.0.iter().for_each(|fact| once.join(fact));
            facts.1.iter().for_each(|fact| often.join(fact));
            prop_assert_eq!(once, often);
        }
    }

    #[test]
    fn a_part_of_the_price_is_that_part_of_the_credits() {
        let payment = bought();
        assert_eq!(payment.share(250), Pico::parse("2.75").unwrap());
        assert_eq!((payment.share(1_000), payment.share(5_000)), (payment.credits, payment.credits));
        assert_eq!(Payment { minor: 3, ..payment }.share(1), Pico::parse("3.666666666666").unwrap());
    }

    #[test]
    fn less_than_was_asked_for_or_other_money_is_no_payment() {
        for (minor, currency) in [(999, "usd"), (1_000, "eur")] {
            let mut payment = bought();
            payment.join(&Fact::Paid { minor, currency: currency.into() });
            assert_eq!(payment.state, PaymentState::Mismatch);
            let mut asked = 0;
            let acme = TenantId::parse("acme").unwrap();
            let mut operate = |operation: Operation| {
                asked += 1;
                Err(operation.id)
            };
            payment.bring_about("p", &acme, &mut operate).unwrap();
            assert_eq!(asked, 0);
        }
    }
}
