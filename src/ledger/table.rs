//! All prices, and the row that holds for a model at a time.

use super::Price;
use crate::types::Wall;
use ahash::{HashMap, HashMapExt};
use std::borrow::Cow;
use std::sync::Arc;

/// All prices; finds the row that was valid at a time.
#[derive(Default)]
pub struct PriceTable {
    by_id: HashMap<Arc<str>, Arc<Price>>,
    by_provider: HashMap<Arc<str>, Rows>,
}

/// One provider's rows; model names in lower case.
#[derive(Default)]
struct Rows {
    exact: HashMap<String, History>,
    /// What stands before the `*`, longest first.
    prefixes: Vec<(String, History)>,
}

/// The rows of one model, oldest first.
#[derive(Default)]
struct History(Vec<Arc<Price>>);

impl History {
    /// Of two rows from the same moment the one that was added later holds.
    fn add(&mut self, price: Arc<Price>) {
        let place = self.0.partition_point(|row| row.valid_from <= price.valid_from);
        self.0.insert(place, price);
    }

    fn at(&self, at: Wall) -> Option<&Arc<Price>> {
        let after = self.0.partition_point(|row| row.valid_from <= at);
        after.checked_sub(1).and_then(|last| self.0.get(last))
    }
}

impl Rows {
    fn add(&mut self, price: Arc<Price>) {
        let model = price.model.to_ascii_lowercase();
        match model.strip_suffix('*') {
            None => self.exact.entry(model).or_default().add(price),
            Some(prefix) => self.prefix(prefix).add(price),
        }
    }

    fn prefix(&mut self, prefix: &str) -> &mut History {
        let found = self.prefixes.iter().position(|(known, _)| known == prefix);
        let place = found.unwrap_or_else(|| {
            let place = self.prefixes.partition_point(|(known, _)| known.len() >= prefix.len());
            self.prefixes.insert(place, (prefix.to_owned(), History::default()));
            place
        });
        &mut self.prefixes[place].1
    }

    fn find(&self, model: &str, at: Wall) -> Option<&Arc<Price>> {
        let exact = self.exact.get(model).and_then(|history| history.at(at));
        exact.or_else(|| {
            let begins = self.prefixes.iter().filter(|(prefix, _)| model.starts_with(prefix.as_str()));
            begins.filter_map(|(_, history)| history.at(at)).next()
        })
    }
}

impl PriceTable {
    /// A table of these rows. Where two say different things about the same
    /// provider, model and moment, the later in the list holds.
    pub fn new(rows: Vec<Price>) -> Self {
        let mut table = Self { by_id: HashMap::new(), by_provider: HashMap::new() };
        for price in rows.into_iter().map(Arc::new) {
            table.by_id.insert(price.id.clone(), price.clone());
            table.by_provider.entry(price.provider.clone()).or_default().add(price);
        }
        table
    }

    /// The row for an upstream model at `at`: of the provider's own rows, or
    /// else of its vendor's. The name matches exactly (in any case), or else by
    /// the longest row that ends in `*`. The latest `valid_from` up to `at` holds.
    pub fn find(&self, provider: &str, vendor: &str, model: &str, at: Wall) -> Option<&Arc<Price>> {
        let model = lower_case(model);
        let of = |name: &str| self.by_provider.get(name).and_then(|rows| rows.find(&model, at));
        of(provider).or_else(|| if vendor == provider { None } else { of(vendor) })
    }

    /// The row that a [`super::Charge`] names.
    pub fn by_id(&self, id: &str) -> Option<&Arc<Price>> {
        self.by_id.get(id)
    }

    /// Every row, in no order.
    pub fn rows(&self) -> impl Iterator<Item = &Arc<Price>> {
        self.by_id.values()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

fn lower_case(model: &str) -> Cow<'_, str> {
    if model.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(model.to_ascii_lowercase())
    } else {
        Cow::Borrowed(model)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ledger::{Intent, Rates};
    use crate::types::{KeyId, Op, Pico, Rate, RequestId, TenantId};

    /// An intent that is like any other.
    pub(crate) fn intent() -> Intent {
        Intent {
            id: RequestId::generate(),
            at: Wall(1_767_225_600_000_000),
            tenant: TenantId::parse("acme").unwrap(),
            key: KeyId::parse("key-1").unwrap(),
            op: Op::Chat,
            model: "gpt-4o".into(),
            provider: "openai".into(),
            upstream_model: "gpt-4o-2024-08-06".into(),
            input_bound: 1_200,
            output_bound: 4_096,
            hold: Pico(43_960_000_000),
            party: Arc::default(),
        }
    }

    fn price(provider: &str, model: &str, from: i64, input: i128) -> Price {
        let rates = Rates { input: Rate(input), ..Rates::default() };
        Price::new(provider, model, Wall(from), rates, vec![], "test")
    }

    fn found(table: &PriceTable, provider: &str, vendor: &str, model: &str, at: i64) -> Option<i128> {
        table.find(provider, vendor, model, Wall(at)).map(|price| price.rates.input.0)
    }

    #[test]
    fn the_latest_row_that_is_already_valid_holds() {
        let table = PriceTable::new(vec![
            price("openai", "gpt", 20, 2),
            price("openai", "gpt", 10, 1),
            price("openai", "gpt", 30, 3),
            price("openai", "gpt", 30, 4),
        ]);
        assert_eq!(found(&table, "openai", "openai", "gpt", 9), None);
        assert_eq!(found(&table, "openai", "openai", "gpt", 10), Some(1));
        assert_eq!(found(&table, "openai", "openai", "gpt", 29), Some(2));
        assert_eq!(found(&table, "openai", "openai", "gpt", 30), Some(4));
        assert_eq!(found(&PriceTable::default(), "openai", "openai", "gpt", 30), None);
    }

    #[test]
    fn the_providers_own_row_comes_before_the_vendors() {
        let rows =
            vec![price("openai", "gpt-4o", 0, 1), price("eu", "gpt-*", 0, 2), price("eu", "gpt-5", 50, 3)];
        let table = PriceTable::new(rows);
        assert_eq!(found(&table, "eu", "openai", "gpt-4o", 1), Some(2));
        assert_eq!(found(&table, "us", "openai", "gpt-4o", 1), Some(1));
        assert_eq!(found(&table, "eu", "openai", "gpt-5", 1), Some(2), "the exact row is not valid yet");
        assert_eq!(found(&table, "eu", "openai", "gpt-5", 50), Some(3));
        assert_eq!(found(&table, "us", "mistral", "gpt-4o", 1), None);
    }

    #[test]
    fn exact_beats_prefix_and_the_longest_prefix_wins_in_any_case() {
        let table = PriceTable::new(vec![
            price("p", "*", 0, 1),
            price("p", "gpt-*", 0, 2),
            price("p", "GPT-4*", 0, 3),
            price("p", "gpt-4o", 0, 4),
        ]);
        for (model, expected) in [("gpt-4O", 4), ("Gpt-4o-mini", 3), ("gpt-3.5", 2), ("claude", 1)] {
            assert_eq!(found(&table, "p", "p", model, 0), Some(expected), "{model}");
        }
    }

    #[test]
    fn every_row_is_found_by_its_id() {
        let table = PriceTable::new(vec![price("p", "a", 0, 1), price("p", "b*", 0, 2)]);
        assert_eq!(table.len(), 2);
        for row in table.rows() {
            assert_eq!(table.by_id(&row.id), Some(row));
        }
        assert!(table.by_id("").is_none());
    }
}
