//! What the books know of quotas: for each of them and each of its subjects
//! what was settled, by parts of time. Follows from the journal like what keys
//! spent; rows of the state tree shorten the way there.

use super::StoreError;
use super::books::encode;
use super::disk::Row;
use super::journal::{Chain, Journal};
use super::queue::closed;
use super::writer::Writer;
use crate::config::{Quota, QuotaSpec, Quotas, Who};
use crate::ledger::{Settlement, day_of};
use crate::limit::{Ask, Counter, Tally};
use crate::types::{UsageSource, Wall};
use std::collections::{HashMap, HashSet};

/// The row with the quotas by which the others are counted.
const QUOTAS_KEY: &[u8] = b"quotas";
/// Rows of counters begin so.
const TALLY_PREFIX: &[u8] = b"quota/";

/// What a settled request used, as limits and quotas count it.
pub fn used_by(settlement: &Settlement) -> Ask {
    let known = settlement.usage_source != UsageSource::None;
    Ask {
        tokens: settlement.counted_tokens(),
        cost: settlement.cost(),
        images: if known { settlement.usage.images } else { 0 },
        requests: 1,
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Meters {
    quotas: Quotas,
    /// By place of the quota, then by subject.
    counters: Vec<HashMap<Box<str>, Tracked>>,
    changed: Vec<(usize, Box<str>)>,
    /// Rows that are of no use any more.
    stale: Vec<Vec<u8>>,
    /// The quotas are not in their row yet.
    quotas_changed: bool,
}

struct Tracked {
    counter: Counter,
    changed: bool,
}

/// New quotas for the books, with what the journal says of those that are new.
pub(super) struct CountBy {
    quotas: Quotas,
    fresh: Meters,
    /// The last batch that `fresh` has seen.
    through: u64,
}

impl Meters {
    fn of(quotas: Quotas) -> Self {
        let counters = quotas.all().iter().map(|_| HashMap::new()).collect();
        Self { quotas, counters, ..Self::default() }
    }

    /// The quotas that the books are counted by, without what was counted.
    pub(super) fn load(journal: &Journal) -> Result<Self, StoreError> {
        let Some(value) = journal.get(QUOTAS_KEY)? else { return Ok(Self::default()) };
        // A row that this program cannot read counts as none: the quotas come again from whoever sets them.
        let specs: Vec<QuotaSpec> = serde_json::from_slice(&value).unwrap_or_default();
        let quotas = specs.iter().filter_map(|spec| Quota::read(spec).ok());
        Ok(Self::of(Quotas::new(quotas)))
    }

    /// What was counted, up to where the projection is.
    pub(super) fn load_tallies(&mut self, journal: &Journal) -> Result<(), StoreError> {
        let place_of: HashMap<String, usize> = self.places();
        journal.rows(TALLY_PREFIX, &mut |key, value| {
            let known = std::str::from_utf8(key).ok().and_then(|key| key.split_once('/'));
            let place = known.and_then(|(fingerprint, subject)| Some((*place_of.get(fingerprint)?, subject)));
            match (place, postcard::from_bytes::<Tally>(value)) {
                (Some((place, subject)), Ok(tally)) => self.set(place, subject, tally, false),
                _ => self.stale.push([TALLY_PREFIX, key].concat()),
            }
        })
    }

    /// The rows are of a projection that was thrown away.
    pub(super) fn forget(&mut self, journal: &Journal) -> Result<(), StoreError> {
        let stale = &mut self.stale;
        journal.rows(TALLY_PREFIX, &mut |key, _| stale.push([TALLY_PREFIX, key].concat()))
    }

    fn places(&self) -> HashMap<String, usize> {
        let all = self.quotas.all().iter().enumerate();
        all.map(|(place, quota)| (quota.fingerprint().to_owned(), place)).collect()
    }

    fn set(&mut self, place: usize, subject: &str, tally: Tally, changed: bool) {
        let (Some(quota), Some(counters)) = (self.quotas.all().get(place), self.counters.get_mut(place))
        else {
            return;
        };
        let counter = Counter::new(quota.rule.clone(), tally);
        counters.insert(subject.into(), Tracked { counter, changed });
        if changed {
            self.changed.push((place, subject.into()));
        }
    }

    /// Counts one settlement.
    pub(super) fn count(&mut self, settlement: &Settlement) {
        if self.quotas.is_empty() {
            return;
        }
        let (key, tenant, party) = (settlement.key.shared(), &settlement.tenant, &*settlement.party);
        let used = used_by(settlement);
        let (counters, changed) = (&mut self.counters, &mut self.changed);
        self.quotas.of(Who { key, tenant, party }, |place, quota, subject| {
            let amount = quota.rule.measure.of(used);
            if amount == 0 || !quota.is_about(settlement.op, &settlement.model) {
                return;
            }
            let Some(counters) = counters.get_mut(place) else { return };
            if !counters.contains_key(subject) {
                let counter = Counter::new(quota.rule.clone(), Tally::default());
                counters.insert(subject.into(), Tracked { counter, changed: false });
            }
            let Some(tracked) = counters.get_mut(subject) else { return };
            tracked.counter.add(settlement.at, amount);
            if !std::mem::replace(&mut tracked.changed, true) {
                changed.push((place, subject.into()));
            }
        });
    }

    /// The rows of a projection.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.stale.iter().map(|key| (key.clone(), None)).collect();
        if self.quotas_changed {
            let specs: Vec<&QuotaSpec> = self.quotas.all().iter().map(|quota| &*quota.spec).collect();
            rows.push((QUOTAS_KEY.to_vec(), serde_json::to_vec(&specs).ok()));
        }
        for (place, subject) in &self.changed {
            let (Some(quota), Some(counters)) = (self.quotas.all().get(*place), self.counters.get(*place))
            else {
                continue;
            };
            if let Some(tracked) = counters.get(subject) {
                let key = [TALLY_PREFIX, quota.counter(subject).as_bytes()].concat();
                rows.push((key, Some(encode(tracked.counter.tally()))));
            }
        }
        rows
    }

    /// The rows are on disk, and nothing was counted since.
    pub(super) fn rows_are_safe(&mut self) {
        self.stale.clear();
        self.quotas_changed = false;
        for (place, subject) in self.changed.drain(..) {
            if let Some(tracked) = self.counters.get_mut(place).and_then(|all| all.get_mut(&subject)) {
                tracked.changed = false;
            }
        }
    }

    /// What was counted, by the counters' names.
    pub(super) fn tallies(&self) -> HashMap<String, Tally> {
        let all = self.quotas.all().iter().zip(&self.counters);
        let of_quota = |(quota, counters): (&std::sync::Arc<Quota>, &HashMap<Box<str>, Tracked>)| {
            let named =
                counters.iter().map(|(subject, t)| (quota.counter(subject), t.counter.tally().clone()));
            named.collect::<Vec<_>>()
        };
        all.flat_map(of_quota).collect()
    }

    /// Names of the quotas that are counted, as they are counted.
    pub(super) fn fingerprints(&self) -> HashSet<String> {
        self.quotas.all().iter().map(|quota| quota.fingerprint().to_owned()).collect()
    }

    /// Counts what the journal has after one batch, and up to another.
    fn read(&mut self, journal: &Journal, after: u64, through: u64) -> Result<(), StoreError> {
        let mut chain = Chain::new(after.saturating_add(1), None);
        journal.walk(after.saturating_add(1), &mut |day, sequence, value| {
            if sequence > through {
                return Ok(());
            }
            let batch = chain.check(day, sequence, value)?;
            let read = batch.each(|record| {
                if let crate::ledger::Record::Settlement(settlement) = record {
                    self.count(&settlement);
                }
            });
            read.map_err(|error| journal.damaged(day, sequence, error))
        })
    }

    /// Goes over to other quotas. Those that are counted alike go on.
    fn adopt(&mut self, quotas: Quotas, mut fresh: Self) {
        let (mut old, mut new) = (self.places(), fresh.places());
        let mut next = Self { stale: std::mem::take(&mut self.stale), ..Self::of(quotas) };
        let wanted: Vec<String> = next.quotas.all().iter().map(|q| q.fingerprint().to_owned()).collect();
        for (place, fingerprint) in wanted.into_iter().enumerate() {
            let taken = match (old.remove(&fingerprint), new.remove(&fingerprint)) {
                (Some(known), _) => self.counters.get_mut(known),
                (None, Some(known)) => fresh.counters.get_mut(known),
                (None, None) => None,
            };
            for (subject, tracked) in taken.map(std::mem::take).into_iter().flatten() {
                // Written again whether it has changed or not: the next projection has all of them.
                next.set(place, &subject, tracked.counter.tally().clone(), true);
            }
        }
        for place in old.into_values() {
            let (Some(quota), Some(counters)) = (self.quotas.all().get(place), self.counters.get(place))
            else {
                continue;
            };
            let rows =
                counters.keys().map(|subject| [TALLY_PREFIX, quota.counter(subject).as_bytes()].concat());
            next.stale.extend(rows);
        }
        next.quotas_changed = true;
        *self = next;
    }
}

impl CountBy {
    /// Reads what the journal says of the quotas that the books do not know, beside the writer.
    pub(super) fn prepare(
        quotas: Quotas,
        known: &HashSet<String>,
        journal: &Journal,
        through: u64,
        now: Wall,
    ) -> Result<Self, StoreError> {
        let new = quotas.all().iter().filter(|quota| !known.contains(quota.fingerprint()));
        let mut fresh = Meters::of(Quotas::new(new.map(|quota| Quota::clone(quota))));
        let since = fresh.quotas.all().iter().map(|quota| day_of(quota.rule.since(now))).min();
        if let Some(since) = since {
            // A request is in a batch of its own day or of a later one.
            let earlier = journal.days()?.into_iter().rfind(|day| *day < since);
            let kept = journal.kept()?.first.saturating_sub(1);
            let after = match earlier {
                Some(day) => journal.last_of(day)?.map_or(kept, |(sequence, _)| sequence),
                None => kept,
            };
            fresh.read(journal, after, through)?;
        }
        Ok(Self { quotas, fresh, through })
    }

    /// Catches up with what was written since, and takes the place of what `meters` counted by.
    pub(super) fn finish(
        mut self,
        meters: &mut Meters,
        journal: &Journal,
        last: u64,
    ) -> Result<(), StoreError> {
        if !self.fresh.quotas.is_empty() {
            self.fresh.read(journal, self.through, last)?;
        }
        meters.adopt(self.quotas, self.fresh);
        Ok(())
    }
}

impl Writer {
    /// Counts by other quotas from now on. Their rows are on disk with a projection of the same batch.
    pub(super) fn count_by(&mut self, count: CountBy) -> Result<HashMap<String, Tally>, StoreError> {
        let journal = self.journal()?;
        let through = self.books.through();
        count.finish(&mut self.books.meters, &journal, through)?;
        drop(journal);
        match self.checkpoint() {
            true => Ok(self.books.meters.tallies()),
            false => Err(closed()),
        }
    }
}
