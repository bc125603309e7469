//! A price as people write it by the API, and reading it: what holds for rows
//! of files holds here.

use super::Price;
use super::price_file::{Named, RATE_NAMES, complete, moment};
use crate::types::Rate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most tiers of one row.
const MOST_TIERS: usize = 20;

/// What a model of a provider costs from a moment on. Never changed: a new price is a new row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Price", extend("required" = ["provider", "model", "valid_from", "rates"]))]
pub struct PriceText {
    /// A configured provider's name, or a vendor's; rate/PLAN is what a plan's tenants pay, in credits.
    pub provider: String,
    /// The model's name there; ends in `*` to match every name that begins so.
    pub model: String,
    /// From when it holds: a day, as 2026-12-01, or a moment in RFC 3339.
    pub valid_from: String,
    /// Decimal strings per million units: input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, audio_input, audio_output, image, second, character, request. What is not named costs what comes nearest, as in files.
    pub rates: BTreeMap<String, String>,
    /// Other rates from so many input tokens on, ascending; what they do not name is that of the row.
    pub tiers: Vec<TierText>,
    /// Where the numbers come from, for people.
    pub origin: String,
}

/// Rates from so many input tokens on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "PriceTier")]
pub struct TierText {
    /// Input tokens.
    pub from: u64,
    /// As those of the row.
    pub rates: BTreeMap<String, String>,
}

/// Field and text of everything that is wrong.
type Faults = Vec<(String, String)>;

impl PriceText {
    /// Reads what was written.
    ///
    /// # Errors
    /// Everything that is wrong: field and text.
    pub fn read(&self) -> Result<Price, Vec<(String, String)>> {
        let mut faults = Faults::new();
        for (field, text) in [("provider", &self.provider), ("model", &self.model)] {
            if text.trim().is_empty() {
                faults.push((field.to_owned(), "is missing".to_owned()));
            }
        }
        let valid_from = moment(&self.valid_from);
        if valid_from.is_none() {
            faults.push(("valid_from".to_owned(), "must be a day such as 2026-11-20".to_owned()));
        }
        let base = named("rates", &self.rates, &mut faults);
        if self.rates.is_empty() {
            faults.push(("rates".to_owned(), "is empty; write \"0\" for what is free".to_owned()));
        }
        let mut tiers = Vec::new();
        let mut last = 0;
        for (index, tier) in self.tiers.iter().take(MOST_TIERS).enumerate() {
            if tier.from <= last {
                let text = "must ascend, beginning above 0".to_owned();
                faults.push((format!("tiers[{index}].from"), text));
            }
            last = tier.from;
            let mut rates = base.clone();
            rates.extend(named(&format!("tiers[{index}].rates"), &tier.rates, &mut faults));
            tiers.push((tier.from, complete(&rates)));
        }
        if self.tiers.len() > MOST_TIERS {
            faults.push(("tiers".to_owned(), format!("has more than {MOST_TIERS} entries")));
        }
        match valid_from {
            Some(from) if faults.is_empty() => {
                Ok(Price::new(&self.provider, &self.model, from, complete(&base), tiers, &self.origin))
            }
            _ => Err(faults),
        }
    }
}

fn named(field: &str, written: &BTreeMap<String, String>, faults: &mut Faults) -> Named {
    let mut named = Named::new();
    for (name, text) in written {
        let Some(known) = RATE_NAMES.into_iter().find(|known| known == name) else {
            let text = format!("is no rate; known are {}", RATE_NAMES.join(", "));
            faults.push((format!("{field}.{name}"), text));
            continue;
        };
        match Rate::parse(text) {
            Ok(rate) if rate.0 >= 0 => drop(named.insert(known, rate)),
            Ok(_) => faults.push((format!("{field}.{name}"), "is negative".to_owned())),
            Err(error) => faults.push((format!("{field}.{name}"), error.to_string())),
        }
    }
    named
}

impl Price {
    /// As the API writes it, with every rate that is not 0.
    pub fn told(&self) -> PriceText {
        let rates = |rates: &super::Rates| {
            let some = rates.named().filter(|(_, rate)| rate.0 != 0);
            some.map(|(name, rate)| (name.to_owned(), rate.to_string())).collect()
        };
        let from = jiff::Timestamp::from_microsecond(self.valid_from.0);
        let tiers = self.tiers.iter();
        PriceText {
            provider: self.provider.to_string(),
            model: self.model.to_string(),
            valid_from: from.map(|from| from.to_string()).unwrap_or_default(),
            rates: rates(&self.rates),
            tiers: tiers.map(|(from, own)| TierText { from: *from, rates: rates(own) }).collect(),
            origin: self.source.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::PriceTable;

    fn rates(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, rate)| ((*name).to_owned(), (*rate).to_owned())).collect()
    }

    #[test]
    fn a_row_of_the_api_is_the_same_row_as_one_of_a_file() {
        let text = PriceText {
            provider: "p".into(),
            model: "m*".into(),
            valid_from: "2026-11-20".into(),
            rates: rates(&[("input", "3"), ("output", "15"), ("image", "40000")]),
            tiers: vec![TierText { from: 200_001, rates: rates(&[("input", "6")]) }],
            origin: "a contract".into(),
        };
        let file = "[[price]]\nprovider = \"p\"\nmodel = \"m*\"\nvalid_from = \"2026-11-20\"\ninput = \"3\"\n\
                    output = \"15\"\nimage = \"40000\"\ntiers = [{ from = 200_001, input = \"6\" }]\n\
                    source = \"a contract\"\n";
        let price = text.read().unwrap();
        assert_eq!(vec![price.clone()], PriceTable::parse_toml("f", file).unwrap());
        assert_eq!(price.told().read(), Ok(price.clone()), "what is told is read back");
        assert_eq!(price.told().valid_from, "2026-11-20T00:00:00Z");
    }

    #[test]
    fn every_fault_is_told_with_its_field() {
        let text = PriceText {
            rates: rates(&[("input", "-1"), ("outptu", "1"), ("output", "x")]),
            tiers: vec![TierText::default()],
            ..PriceText::default()
        };
        let faults = text.read().unwrap_err();
        let fields: Vec<&str> = faults.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "provider",
                "model",
                "valid_from",
                "rates.input",
                "rates.outptu",
                "rates.output",
                "tiers[0].from"
            ]
        );
        assert_eq!(PriceText::default().read().unwrap_err().last().unwrap().0, "rates");
    }
}
