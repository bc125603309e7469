//! What was earned, what it cost, and what is left.

use crate::ledger::wallet::{Cause, Rule};
use crate::ledger::{Record, Settlement};
use crate::types::{Pico, RequestId};
use serde::Serialize;
use std::collections::BTreeMap;

/// What rows are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Each model, as callers name it.
    Model,
    /// Each provider.
    Provider,
    /// Each tenant.
    Tenant,
    /// Each app, user or key.
    App,
}

impl By {
    /// By its name.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "model" => Self::Model,
            "provider" => Self::Provider,
            "tenant" => Self::Tenant,
            "app" => Self::App,
            _ => return None,
        })
    }

    fn of(self, settlement: &Settlement) -> String {
        let party = &settlement.party;
        match self {
            Self::Model => settlement.model.to_string(),
            Self::Provider => settlement.provider.to_string(),
            Self::Tenant => settlement.tenant.to_string(),
            Self::App => {
                let by = party.app.as_ref().or(party.user.as_ref());
                by.map_or_else(|| settlement.key.as_str().to_owned(), ToString::to_string)
            }
        }
    }
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Margin {
    /// Requests that ended.
    pub requests: u64,
    /// All input tokens.
    pub input_tokens: u64,
    /// All output tokens.
    pub output_tokens: u64,
    /// Credits that were charged.
    pub credits: Pico,
    /// The same in the currency.
    pub revenue: Pico,
    /// What vendors take, in the currency.
    pub cost: Pico,
    /// What is left, in the currency.
    pub margin: Pico,
    /// Requests without a price, whose cost nobody knows.
    pub unpriced: u64,
}

/// Makes the rows of records in the order of the journal.
pub struct Margins {
    by: By,
    /// What a credit is worth where the rule of a charge does not say.
    credit_price: Pico,
    rows: BTreeMap<String, Margin>,
    last: Option<(RequestId, String)>,
}

impl Margins {
    /// No rows yet.
    pub fn new(by: By, credit_price: Pico) -> Self {
        Self { by, credit_price, rows: BTreeMap::new(), last: None }
    }

    /// The next record.
    pub fn record(&mut self, record: &Record) {
        match record {
            Record::Settlement(settlement) => {
                let name = self.by.of(settlement);
                let row = self.rows.entry(name.clone()).or_default();
                row.requests = row.requests.saturating_add(1);
                row.input_tokens = row.input_tokens.saturating_add(settlement.usage.input_tokens());
                row.output_tokens = row.output_tokens.saturating_add(settlement.usage.output_tokens());
                row.cost = row.cost.saturating_add(settlement.cost());
                let free = settlement.charge.is_none() && settlement.counted_tokens() > 0;
                row.unpriced = row.unpriced.saturating_add(u64::from(free));
                self.last = Some((settlement.id, name));
            }
            Record::Movement(movement) => {
                let Cause::Settle(sale) = &movement.cause else { return };
                let last = self.last.take().filter(|(id, _)| Some(*id) == movement.request);
                let row = self.rows.entry(last.map(|(_, name)| name).unwrap_or_default()).or_default();
                let price = match sale.rule {
                    Rule::Margin { credit_price, .. } => credit_price,
                    Rule::Rate { .. } | Rule::Free => self.credit_price,
                };
                row.credits = row.credits.saturating_add(sale.paid);
                row.revenue = row.revenue.saturating_add(worth(sale.paid, price));
            }
            Record::Intent(_) | Record::Carried(_) => {}
        }
    }

    /// All rows by name, and their sum under no name.
    pub fn finish(mut self) -> (BTreeMap<String, Margin>, Margin) {
        let mut total = Margin::default();
        for row in self.rows.values_mut() {
            row.margin = row.revenue.saturating_sub(row.cost);
            total.requests = total.requests.saturating_add(row.requests);
            total.input_tokens = total.input_tokens.saturating_add(row.input_tokens);
            total.output_tokens = total.output_tokens.saturating_add(row.output_tokens);
            total.unpriced = total.unpriced.saturating_add(row.unpriced);
            for (sum, part) in [
                (&mut total.credits, row.credits),
                (&mut total.revenue, row.revenue),
                (&mut total.cost, row.cost),
                (&mut total.margin, row.margin),
            ] {
                *sum = sum.saturating_add(part);
            }
        }
        (self.rows, total)
    }
}

/// Credits in the currency, rounded down.
fn worth(credits: Pico, price: Pico) -> Pico {
    const PICO: i128 = 1_000_000_000_000;
    Pico(credits.0.saturating_mul(price.0).div_euclid(PICO))
}
