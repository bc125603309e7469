//! What tenants pay, resolved.

use super::{PaymentKit, Stripe, Unpriced};
use crate::ledger::wallet::{Member, Terms};
use crate::ledger::{Price, PriceTable};
use crate::types::{Op, Pico, Secret, TenantId, Wall};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Rows of the price table that are rates in credits have a provider that
/// begins so; `rate/*` is for every plan that has no row of its own.
const RATES_OF_ALL: &str = "rate/*";

/// What tenants pay.
#[derive(Clone, Debug, PartialEq)]
pub struct Billing {
    /// What one credit costs, in the currency of the prices.
    pub credit_price: Pico,
    /// Written before amounts of credits.
    pub prefix: Arc<str>,
    /// What of its charge an answer from the cache costs, in parts per million.
    pub cache_hit_ppm: u32,
    /// Output tokens by which a stream extends its hold.
    pub hold_step: u64,
    /// Most output tokens of a request that names no maximum and is not streamed.
    pub assumed_output: u64,
    /// Where to buy credits.
    pub buy_link: Option<Arc<str>>,
    /// What happens to a model without a price and without a rate.
    pub unpriced: Unpriced,
    /// Given once to each tenant.
    pub welcome: Option<Gift>,
    /// Given once for each user, into the wallet of its tenant.
    pub welcome_user: Option<Gift>,
    /// Tenants that differ.
    pub tenants: HashMap<TenantId, Arc<Plan>>,
    /// Everybody else; the plan's name is the tenant's.
    pub margin_ppm: u32,
    /// How credits are sold.
    pub stripe: Option<Arc<Stripe>>,
    /// Who keeps the credits of AIGNE's own users.
    pub payment_kit: Option<Arc<PaymentKit>>,
    /// Whose signed messages may credit wallets; empty: nobody's.
    pub inbound_secrets: Vec<Secret>,
}

/// Credits that are given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gift {
    /// How many.
    pub amount: Pico,
    /// They can be spent for so long.
    pub expires_after: Option<Duration>,
}

/// What holds for one tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Does it pay?
    pub billed: bool,
    /// On top of the cost, in parts per million.
    pub margin_ppm: u32,
    /// Provider of its rows among the rates: `rate/PLAN`.
    pub rates: Arc<str>,
    /// Credits given at the beginning of each UTC month, to be spent in it.
    pub allowance: Option<Pico>,
    /// Its parts.
    pub members: Vec<Member>,
}

/// Who pays for the requests of a key, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Payer {
    /// The tenant's.
    pub plan: Arc<Plan>,
    /// The part of the tenant that spends.
    pub member: Option<Member>,
}

impl Billing {
    /// A tenant's plan.
    pub fn plan(&self, tenant: &TenantId) -> Arc<Plan> {
        self.tenants.get(tenant).map_or_else(|| Arc::new(Plan::new(tenant, self.margin_ppm)), Arc::clone)
    }

    /// Who pays for a tenant's requests, if it does.
    pub fn payer(&self, tenant: &TenantId) -> Option<Payer> {
        let plan = self.plan(tenant);
        plan.billed.then_some(Payer { plan, member: None })
    }

    /// An amount of credits, for people.
    pub fn shown(&self, amount: Pico) -> String {
        format!("{}{amount}", self.prefix)
    }
}

impl Plan {
    /// That of a tenant of which nothing is said.
    pub fn new(tenant: &TenantId, margin_ppm: u32) -> Self {
        let rates = format!("rate/{tenant}").into();
        Self { billed: true, margin_ppm, rates, allowance: None, members: Vec::new() }
    }

    /// The rate row of a model by the name that callers use, if there is one for such an operation.
    pub fn rate<'p>(
        &self,
        prices: &'p PriceTable,
        (op, model): (Op, &str),
        at: Wall,
    ) -> Option<&'p Arc<Price>> {
        prices.find(&self.rates, RATES_OF_ALL, model, at).filter(|row| row.covers(op))
    }

    /// How a model is charged: by a rate, or else by cost and margin.
    pub fn terms(&self, prices: &PriceTable, (op, model): (Op, &str), at: Wall, credit_price: Pico) -> Terms {
        match self.rate(prices, (op, model), at) {
            Some(row) => Terms::rate(Arc::clone(row)),
            None => Terms::margin(self.margin_ppm, credit_price),
        }
    }
}
