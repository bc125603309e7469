//! What was used, by parts of time: what the books know of a quota, and what a
//! counter goes on from.

use super::rule::{Cycle, Part, Rule};
use crate::types::Wall;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Uses by when their part of time begins (a calendar period, or a bucket of a rolling window).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally(pub(super) BTreeMap<i64, i128>);

impl Tally {
    /// The part and amount of each.
    pub(super) fn parts(&self) -> impl DoubleEndedIterator<Item = (Wall, i128)> + '_ {
        self.0.iter().map(|(begins, amount)| (Wall(*begins), *amount))
    }

    /// All of it together.
    pub fn sum(&self) -> i128 {
        self.0.values().fold(0, |sum, amount| sum.saturating_add(*amount))
    }
}

/// Adds up settled uses in any order, as the writer of the books does.
pub struct Counter {
    rule: Rule,
    tally: Tally,
    /// The part of the last use: the next one is probably of the same.
    last: Option<Part>,
}

impl Counter {
    /// Goes on from a tally.
    pub fn new(rule: Rule, tally: Tally) -> Self {
        Self { rule, tally, last: None }
    }

    /// Adds a use that came in at `at`.
    pub fn add(&mut self, at: Wall, amount: i128) {
        if amount == 0 {
            return;
        }
        let part = match self.last.filter(|part| part.holds(at)) {
            Some(part) => part,
            None => *self.last.insert(self.rule.part(at)),
        };
        let sum = self.tally.0.entry(part.begins.0).or_default();
        *sum = sum.saturating_add(amount);
        self.forget();
    }

    /// Lets go of parts that no longer matter.
    fn forget(&mut self) {
        let Some((newest, _)) = self.tally.0.last_key_value() else { return };
        let newest = Wall(*newest);
        if let Cycle::Calendar(_) = self.rule.cycle {
            while self.tally.0.len() > 2 {
                self.tally.0.pop_first();
            }
            return;
        }
        while let Some((oldest, _)) = self.tally.0.first_key_value()
            && !self.rule.keeps(Wall(*oldest), newest)
        {
            self.tally.0.pop_first();
        }
    }

    /// What it has come to.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}
