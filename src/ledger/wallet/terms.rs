//! What a tenant pays for what a vendor takes.

use super::Sale;
use crate::ledger::{Charge, Price};
use crate::types::{Pico, Usage};
use std::sync::Arc;

/// Parts of a million that make the whole of a margin.
const MILLION: i128 = 1_000_000;

/// How a charge follows from a usage. It is written into every entry, so that
/// a change of the configuration never touches the past, and any charge can be
/// computed again from the entry alone, or from it and the row that it names.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// `cost × (1 + margin) ÷ base price`.
    Margin {
        /// Parts per million on top of the cost; 20 % are 200000.
        margin_ppm: u32,
        /// What one credit costs, in the currency.
        credit_price: Pico,
        /// How much of the charge is asked, in parts per million: less than all for cache hits.
        share_ppm: u32,
    },
    /// A row of the rates, in credits.
    Rate {
        /// Its id.
        row: Arc<str>,
        /// As above.
        share_ppm: u32,
    },
    /// Nothing is asked: a model without a price, by policy.
    Free,
}

impl Rule {
    /// A share of everything.
    pub const WHOLE: u32 = 1_000_000;

    /// The charge by margin for a vendor's `cost`: exact integers, one
    /// rounding, half to even. `None` for rules that do not follow from a cost.
    pub fn of_cost(&self, cost: Pico) -> Option<Pico> {
        match self {
            Rule::Margin { margin_ppm, credit_price, share_ppm } => {
                let factor = MILLION.saturating_add(i128::from(*margin_ppm));
                Some(scaled(cost, factor, *share_ppm, *credit_price))
            }
            Rule::Free => Some(Pico::ZERO),
            Rule::Rate { .. } => None,
        }
    }

    /// The same rule for a share of the charge, as a cache hit pays.
    #[must_use]
    pub fn share(&self, ppm: u32) -> Self {
        let mut rule = self.clone();
        if let Rule::Margin { share_ppm, .. } | Rule::Rate { share_ppm, .. } = &mut rule {
            *share_ppm = ppm;
        }
        rule
    }
}

/// `cost × factor/10⁶ × share/10⁶ ÷ credit price`, in credits.
fn scaled(cost: Pico, factor: i128, share_ppm: u32, credit_price: Pico) -> Pico {
    const PICO: i128 = 1_000_000_000_000;
    let numerator = factor.saturating_mul(i128::from(share_ppm)).saturating_mul(PICO);
    let denominator = credit_price.0.max(1).saturating_mul(MILLION).saturating_mul(MILLION);
    // A cost that fits as it is, up to some hundred units of the currency, needs no shortening, which
    // takes longer than all the rest of a hold.
    if let Some(product) = cost.0.checked_mul(numerator) {
        return divided(product, denominator);
    }
    let common = gcd(numerator, denominator).max(1);
    divided(cost.0.saturating_mul(numerator / common), denominator / common)
}

/// Half to even.
fn divided(numerator: i128, denominator: i128) -> Pico {
    let quotient = numerator.div_euclid(denominator);
    let remainder = numerator.saturating_sub(quotient.saturating_mul(denominator));
    let twice = remainder.saturating_mul(2);
    let up = twice > denominator || (twice == denominator && quotient.rem_euclid(2) == 1);
    Pico(if up { quotient.saturating_add(1) } else { quotient })
}

fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.saturating_abs(), b.saturating_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// What holds for one tenant and one model at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    rule: Rule,
    /// The row of [`Rule::Rate`].
    row: Option<Arc<Price>>,
}

impl Terms {
    /// Cost and a margin.
    pub fn margin(margin_ppm: u32, credit_price: Pico) -> Self {
        Self { rule: Rule::Margin { margin_ppm, credit_price, share_ppm: Rule::WHOLE }, row: None }
    }

    /// A row of rates in credits.
    pub fn rate(row: Arc<Price>) -> Self {
        Self { rule: Rule::Rate { row: row.id.clone(), share_ppm: Rule::WHOLE }, row: Some(row) }
    }

    /// Nothing is asked.
    pub fn free() -> Self {
        Self { rule: Rule::Free, row: None }
    }

    /// The rule that entries name.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Does a charge need the vendor's price?
    pub fn needs_price(&self) -> bool {
        matches!(self.rule, Rule::Margin { .. })
    }

    /// The most that is charged for a request: by the vendor's worst case, or by the row's.
    /// `beside` is what is used besides tokens.
    pub fn worst_case(&self, worst_cost: Pico, input: u64, output: u64, beside: &Usage) -> Pico {
        match &self.row {
            Some(row) => row.worst_case(input, output).saturating_add(row.charge(beside).cost),
            None => self.rule.of_cost(worst_cost).unwrap_or_default(),
        }
    }

    /// What a request owes for its usage, of which the vendor's charge is `cost`.
    pub fn sale(&self, usage: &Usage, cost: Option<&Charge>, share_ppm: u32) -> Sale {
        let rule = self.rule.share(share_ppm);
        let (owed, tier) = match &self.row {
            Some(row) => {
                let charge = row.charge(usage);
                (scaled(charge.cost, MILLION, share_ppm, Pico(1_000_000_000_000)), charge.tier)
            }
            None => (rule.of_cost(cost.map_or(Pico::ZERO, |charge| charge.cost)).unwrap_or_default(), 0),
        };
        Sale { rule, tier, owed, paid: Pico::ZERO }
    }

    /// What recovery charges for an input bound, when the vendor's price says `cost`.
    pub fn if_lost(&self, input: u64, cost: Pico) -> Pico {
        let usage = Usage { input, requests: 1, ..Usage::default() };
        match &self.row {
            Some(row) => row.charge(&usage).cost,
            None => self.rule.of_cost(cost).unwrap_or_default(),
        }
    }
}

impl Sale {
    /// Does the sale follow from the usage, by the row that it names? `None` when that cannot be told.
    pub fn follows(&self, usage: &Usage, cost: Pico, row: Option<&Price>) -> Option<bool> {
        match &self.rule {
            Rule::Rate { share_ppm, .. } => {
                let charge = row?.charge(usage);
                let owed = scaled(charge.cost, MILLION, *share_ppm, Pico(1_000_000_000_000));
                Some(owed == self.owed && charge.tier == self.tier)
            }
            rule => rule.of_cost(cost).map(|owed| owed == self.owed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cost_is_charged_the_same_whether_the_factor_is_shortened_or_not(
            cost in 0_i128..100_000_000_000_000,
            margin_ppm in 0_u32..3_000_000,
            share_ppm in 0_u32..=1_000_000,
            credit_price in 1_i128..5_000_000_000_000,
        ) {
            let factor = MILLION + i128::from(margin_ppm);
            let numerator = factor * i128::from(share_ppm) * 1_000_000_000_000;
            let denominator = credit_price * MILLION * MILLION;
            let common = gcd(numerator, denominator).max(1);
            let short = divided(cost * (numerator / common), denominator / common);
            prop_assert_eq!(scaled(Pico(cost), factor, share_ppm, Pico(credit_price)), short);
        }
    }

    #[test]
    fn what_is_charged_is_rounded_half_to_even() {
        for (numerator, rounded) in [(5, 2), (7, 4), (-5, -2), (-7, -4), (6, 3), (-6, -3)] {
            assert_eq!(divided(numerator, 2), Pico(rounded), "{numerator}/2");
        }
    }
}
