//! Which intents have not ended, and the batch from which a replay of the
//! journal must begin to see all of them.

use crate::types::RequestId;
use ahash::{HashMap, HashMapExt};
use std::collections::BTreeMap;

/// Intents without a settlement, by request and by the batch that holds them.
#[derive(Default)]
pub struct OpenIntents {
    batch_of: HashMap<RequestId, u64>,
    count_in: BTreeMap<u64, u32>,
}

impl OpenIntents {
    /// None are open.
    pub fn new() -> Self {
        Self { batch_of: HashMap::new(), count_in: BTreeMap::new() }
    }

    /// An intent was written in `batch`. `false` when it is open already.
    pub fn open(&mut self, id: RequestId, batch: u64) -> bool {
        if self.batch_of.contains_key(&id) {
            return false;
        }
        self.batch_of.insert(id, batch);
        *self.count_in.entry(batch).or_default() += 1;
        true
    }

    /// A settlement was written. `false` when the intent is not open.
    pub fn end(&mut self, id: RequestId) -> bool {
        let Some(batch) = self.batch_of.remove(&id) else { return false };
        if let Some(count) = self.count_in.get_mut(&batch) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.count_in.remove(&batch);
            }
        }
        self.check_invariants();
        true
    }

    /// The oldest batch with an open intent.
    pub fn low_water(&self) -> Option<u64> {
        self.count_in.first_key_value().map(|(batch, _)| *batch)
    }

    /// Is this request open?
    pub fn contains(&self, id: RequestId) -> bool {
        self.batch_of.contains_key(&id)
    }

    /// All open requests, in no order.
    pub fn ids(&self) -> impl Iterator<Item = RequestId> + '_ {
        self.batch_of.keys().copied()
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.batch_of.len()
    }

    /// Are none open?
    pub fn is_empty(&self) -> bool {
        self.batch_of.is_empty()
    }

    fn check_invariants(&self) {
        debug_assert!(self.count_in.len() <= self.batch_of.len());
        debug_assert_eq!(self.batch_of.is_empty(), self.count_in.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_low_water_mark_is_the_oldest_open_batch() {
        let mut open = OpenIntents::new();
        let [a, b, c] = [RequestId::generate(), RequestId::generate(), RequestId::generate()];
        assert!(open.open(a, 3) && open.open(b, 3) && open.open(c, 7));
        assert_eq!(open.low_water(), Some(3));
        assert!(open.end(a));
        assert_eq!(open.low_water(), Some(3), "b is still open there");
        assert!(open.end(b));
        assert_eq!(open.low_water(), Some(7));
        assert!(open.end(c));
        assert_eq!((open.low_water(), open.len()), (None, 0));
    }

    #[test]
    fn opening_or_ending_twice_changes_nothing() {
        let mut open = OpenIntents::new();
        let id = RequestId::generate();
        assert!(open.open(id, 1));
        assert!(!open.open(id, 2));
        assert_eq!(open.low_water(), Some(1));
        assert!(open.end(id));
        assert!(!open.end(id));
    }
}
