//! Numbers for who called, what was called and how it ended, so that rows are
//! short. Numbers are given in order and never taken back. There is a bound for
//! each; what comes when it is reached counts as [`OTHER`](super::dimensions::OTHER).

use super::dimensions::{Dimension, End, Target, Who};
use ahash::HashMap;
use serde::{Serialize, de::DeserializeOwned};
use std::hash::Hash;
use std::sync::Arc;

/// So many callers (keys with all that belongs to them) are told apart.
const MOST_WHOS: usize = 200_000;
/// So many targets that have answered are told apart.
const MOST_TARGETS: usize = 32_768;
/// Names of models are the callers' words. What never answered gets a number only while there are
/// fewer than this, so that nobody uses the numbers up by asking for what is not there.
const MOST_UNANSWERED: usize = 4_096;

/// Things of one sort by their numbers, and the numbers by the things.
#[derive(Clone, Debug)]
pub struct Numbered<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32>,
    /// So many are on disk.
    saved: usize,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { values: Vec::new(), numbers: HashMap::default(), saved: 0 }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    /// The number of a thing that has one.
    pub fn find(&self, value: &T) -> Option<u32> {
        self.numbers.get(value).copied()
    }

    /// Its number, which it gets now if it had none.
    fn number(&mut self, value: T) -> u32 {
        if let Some(known) = self.numbers.get(&value) {
            return *known;
        }
        // Bounded far below.
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value.clone());
        self.numbers.insert(value, number);
        number
    }

    /// The thing with this number.
    pub fn get(&self, number: u32) -> Option<&T> {
        self.values.get(number as usize)
    }

    /// All of them, in the order of their numbers.
    pub fn all(&self) -> &[T] {
        &self.values
    }
}

/// The numbers of everything.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Who pays.
    pub tenants: Numbered<Arc<str>>,
    /// Who called.
    pub whos: Numbered<Who>,
    /// What was called.
    pub targets: Numbered<Target>,
    /// How it ended.
    pub ends: Numbered<End>,
    /// The tenant of each caller.
    tenant_of: Vec<u32>,
}

/// The sorts of things, as the disk tells them apart.
const TENANTS: u8 = b't';
const WHOS: u8 = b'w';
const TARGETS: u8 = b'g';
const ENDS: u8 = b'e';

impl Names {
    /// The number of who called.
    pub(super) fn who(&mut self, who: Who) -> u32 {
        if let Some(known) = self.whos.find(&who) {
            return known;
        }
        let who = if self.whos.all().len() < MOST_WHOS { who } else { who.other() };
        self.add_who(who)
    }

    fn add_who(&mut self, who: Who) -> u32 {
        let tenant = self.tenants.number(Arc::clone(&who.tenant));
        let number = self.whos.number(who);
        if self.tenant_of.len() == number as usize {
            self.tenant_of.push(tenant);
        }
        number
    }

    /// The number of what was called. `answered`: it is no mere word of the caller's.
    pub(super) fn target(&mut self, target: Target, answered: bool) -> u32 {
        let room = if answered { MOST_TARGETS } else { MOST_UNANSWERED };
        match self.targets.find(&target) {
            Some(known) => known,
            None if self.targets.all().len() < room => self.targets.number(target),
            None => self.targets.number(target.other()),
        }
    }

    /// The number of how it ended. There are only so many ways.
    pub(super) fn end(&mut self, end: End) -> u32 {
        self.ends.number(end)
    }

    /// The tenant of a caller.
    pub fn tenant_of(&self, who: u32) -> u32 {
        self.tenant_of.get(who as usize).copied().unwrap_or(u32::MAX)
    }

    /// What of it is not on disk: a key and a value for each.
    pub fn unsaved(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut rows = Vec::new();
        unsaved(TENANTS, &self.tenants, &mut rows);
        unsaved(WHOS, &self.whos, &mut rows);
        unsaved(TARGETS, &self.targets, &mut rows);
        unsaved(ENDS, &self.ends, &mut rows);
        rows
    }

    /// All of it is on disk.
    pub fn all_saved(&mut self) {
        self.tenants.saved = self.tenants.values.len();
        self.whos.saved = self.whos.values.len();
        self.targets.saved = self.targets.values.len();
        self.ends.saved = self.ends.values.len();
    }

    /// Takes in a row that [`Names::unsaved`] gave. To be called in the order of keys. `None` when it is none.
    pub fn load(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (sort, number) = key.split_first()?;
        let number = u32::from_be_bytes(number.try_into().ok()?);
        let given = match *sort {
            TENANTS => self.tenants.number(read(value)?),
            WHOS => self.add_who(read(value)?),
            TARGETS => self.targets.number(read(value)?),
            ENDS => self.ends.number(read(value)?),
            _ => return None,
        };
        (given == number).then_some(())
    }

    /// Values of a dimension that are known, without those of nobody.
    pub fn known(&self, dimension: Dimension) -> Vec<Arc<str>> {
        use super::dimensions::Part;
        let mut values: Vec<Arc<str>> = match dimension.part() {
            Part::Who => self.whos.all().iter().filter_map(|who| dimension.of_who(who)).collect(),
            Part::Target => self.targets.all().iter().filter_map(|t| dimension.of_target(t)).collect(),
            Part::End => self.ends.all().iter().filter_map(|end| dimension.of_end(end)).collect(),
        };
        values.sort_unstable();
        values.dedup();
        values
    }
}

fn unsaved<T: Serialize>(sort: u8, numbered: &Numbered<T>, rows: &mut Vec<(Vec<u8>, Vec<u8>)>) {
    for (number, value) in numbered.values.iter().enumerate().skip(numbered.saved) {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let key = [&[sort][..], &number.to_be_bytes()].concat();
        // Names and small numbers can always be encoded.
        rows.push((key, postcard::to_allocvec(value).unwrap_or_default()));
    }
}

fn read<T: DeserializeOwned>(value: &[u8]) -> Option<T> {
    postcard::from_bytes(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Outcome;
    use crate::types::Op;

    fn target(n: usize) -> Target {
        let model = format!("model-{n}").into();
        Target { provider: "p".into(), model, upstream_model: "m".into(), credential: "p/a".into() }
    }

    fn who(n: usize) -> Who {
        let tenant = if n.is_multiple_of(2) { "acme" } else { "beta" };
        Who { tenant: tenant.into(), team: None, user: None, app: None, key: format!("k{n}").into() }
    }

    #[test]
    fn what_was_saved_is_the_same_when_it_is_loaded() {
        let mut names = Names::default();
        for n in 0..300 {
            assert_eq!(names.who(who(n)) as usize, n);
            names.target(target(n % 7), true);
        }
        let end = End { op: Op::Chat, outcome: Outcome::Ok, class: 2, error: "".into() };
        assert_eq!(names.end(end.clone()), names.end(end));
        let mut rows = names.unsaved();
        rows.sort();
        rows.sort_by_key(|(key, _)| key[0] == b'w');
        names.all_saved();
        assert!(names.unsaved().is_empty());
        let mut loaded = Names::default();
        for (key, value) in &rows {
            loaded.load(key, value).unwrap();
        }
        loaded.all_saved();
        assert_eq!(loaded.whos.all(), names.whos.all());
        assert_eq!(loaded.tenant_of, names.tenant_of);
        assert_eq!(loaded.targets.find(&target(3)), names.targets.find(&target(3)));
        assert!(loaded.load(b"t", b"").is_none() && loaded.load(b"x0000", b"").is_none());
    }

    #[test]
    fn names_that_nobody_answered_to_do_not_use_up_the_numbers() {
        let mut names = Names::default();
        for n in 0..MOST_UNANSWERED * 2 {
            names.target(target(n), false);
        }
        assert_eq!(names.targets.all().len(), MOST_UNANSWERED + 1);
        let other = names.target(target(MOST_UNANSWERED * 3), false);
        assert_eq!(&*names.targets.get(other).unwrap().model, "(other)");
        let answered = names.target(target(MOST_UNANSWERED * 3), true);
        assert_eq!(names.targets.get(answered), Some(&target(MOST_UNANSWERED * 3)));
        assert_eq!(names.known(Dimension::Provider), ["p".into()]);
    }
}
