//! What other prices would have made of what was used: every charge of the
//! time is computed again by the same rules, from its own usage.

use crate::ledger::wallet::{Cause, Rule, Terms};
use crate::ledger::{Charge, PriceTable, Record, Settlement};
use crate::types::Pico;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The prices that are tried.
pub enum Change {
    /// Cost and this margin, in parts per million, at this price of a credit.
    Margin(u32, Pico),
    /// Rates in credits by model; what has none is charged as it was.
    Rates(PriceTable),
}

/// What was charged, and what would have been.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Compared {
    /// Requests that were charged.
    pub requests: u64,
    /// Requests whose charge would have been another.
    pub changed: u64,
    /// Credits that were owed.
    pub before: Pico,
    /// Credits that would have been.
    pub after: Pico,
}

/// Computes charges again, for records in the order of the journal.
pub struct WhatIf {
    change: Change,
    models: BTreeMap<String, Compared>,
    last: Option<Box<Settlement>>,
}

impl WhatIf {
    /// Nothing computed yet.
    pub fn new(change: Change) -> Self {
        Self { change, models: BTreeMap::new(), last: None }
    }

    /// The next record.
    pub fn record(&mut self, record: &Record) {
        match record {
            Record::Settlement(settlement) => self.last = Some(settlement.clone()),
            Record::Movement(movement) => {
                let Cause::Settle(sale) = &movement.cause else { return };
                let Some(settlement) = self.last.take().filter(|last| Some(last.id) == movement.request)
                else {
                    return;
                };
                let after = self.owed(&settlement, &sale.rule).unwrap_or(sale.owed);
                let row = self.models.entry(settlement.model.to_string()).or_default();
                row.requests = row.requests.saturating_add(1);
                row.changed = row.changed.saturating_add(u64::from(after != sale.owed));
                row.before = row.before.saturating_add(sale.owed);
                row.after = row.after.saturating_add(after);
            }
            Record::Intent(_) | Record::Carried(_) => {}
        }
    }

    fn owed(&self, settlement: &Settlement, rule: &Rule) -> Option<Pico> {
        let share = match rule {
            Rule::Margin { share_ppm, .. } | Rule::Rate { share_ppm, .. } => *share_ppm,
            Rule::Free => return None,
        };
        let terms = match &self.change {
            Change::Margin(margin_ppm, credit_price) => Terms::margin(*margin_ppm, *credit_price),
            Change::Rates(table) => {
                Terms::rate(Arc::clone(table.find("rate/*", "rate/*", &settlement.model, settlement.at)?))
            }
        };
        // What an answer from the cache would have cost stands beside its charge.
        let cost = if settlement.saved > Pico::ZERO { settlement.saved } else { settlement.cost() };
        let charge = Charge { price: "".into(), tier: 0, cost };
        Some(terms.sale(&settlement.usage, Some(&charge), share).owed)
    }

    /// By model, and all together.
    pub fn finish(self) -> (BTreeMap<String, Compared>, Compared) {
        let mut total = Compared::default();
        for row in self.models.values() {
            total.requests = total.requests.saturating_add(row.requests);
            total.changed = total.changed.saturating_add(row.changed);
            total.before = total.before.saturating_add(row.before);
            total.after = total.after.saturating_add(row.after);
        }
        (self.models, total)
    }
}
