//! Callers that no snapshot lists: who shows an access token, or a token that
//! somebody else issued. There may be thousands, and they come and go without
//! a new snapshot.

use super::{Caller, Snapshot};
use crate::access::{Key, KeyHash};
use crate::limit::{Gate, Limits, Spent};
use crate::types::{KeyId, Wall};
use arc_swap::ArcSwapOption;
use dashmap::DashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Sweeps for which a gate stays that nobody holds; longer than any window of a minute.
const IDLE_SWEEPS: u32 = 24;

/// One such caller.
pub struct Outsider {
    /// What it may do, as if it were a key.
    pub key: Key,
    /// How much.
    pub limits: Limits,
    /// Is it for calling models at all?
    pub may_infer: bool,
    /// What the last snapshot made of it.
    seat: ArcSwapOption<Seat>,
}

struct Seat {
    version: u64,
    caller: Arc<Caller>,
}

impl Outsider {
    /// One that has not called yet.
    pub fn new(key: Key, limits: Limits, may_infer: bool) -> Self {
        Self { key, limits, may_infer, seat: ArcSwapOption::empty() }
    }
}

impl Snapshot {
    /// An outsider as a caller of this snapshot; made once for each snapshot.
    pub fn seat(&self, outsider: &Outsider) -> Arc<Caller> {
        let seat = outsider.seat.load();
        if let Some(seat) = seat.as_ref().filter(|seat| seat.version == self.version) {
            return Arc::clone(&seat.caller);
        }
        let mut key = outsider.key.clone();
        key.addresses.tables.extend(self.tenant_tables.get(&key.tenant).cloned());
        let caller = Arc::new(Caller {
            payer: self.billing.as_ref().and_then(|billing| billing.payer(&key.tenant)),
            gate: self.outside_gates.gate(&key.id),
            quotas: self.quotas.of(&key),
            limits: outsider.limits.clone(),
            cache: None,
            key,
        });
        outsider.seat.store(Some(Arc::new(Seat { version: self.version, caller: Arc::clone(&caller) })));
        caller
    }
}

/// Access tokens that work now, by the keyed hash of their secret. Changed by the control plane,
/// one token at a time, and read by every request that shows none of the snapshot's keys.
#[derive(Default)]
pub struct Tokens(DashMap<[u8; 32], Arc<Outsider>, ahash::RandomState>);

impl Tokens {
    /// The token of this hash.
    pub fn find(&self, hash: &KeyHash) -> Option<Arc<Outsider>> {
        self.0.get(&hash.0).map(|found| Arc::clone(&found))
    }

    /// From now on it works.
    pub fn put(&self, token: Outsider) {
        self.0.insert(token.key.hash.0, Arc::new(token));
    }

    /// From now on it does not.
    pub fn remove(&self, hash: &[u8; 32]) {
        self.0.remove(hash);
    }

    /// Forgets those that are over.
    pub fn sweep(&self, now: Wall) {
        self.0.retain(|_, token| token.key.expires_at.is_none_or(|end| end > now));
    }

    /// Forgets all.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Counters of outsiders, by the id under which they call. They outlive the single token, so that
/// a new one brings no new budget.
pub struct OutsideGates {
    gates: DashMap<KeyId, (Arc<Gate>, AtomicU32)>,
    /// What those without a gate have spent.
    spent: Arc<DashMap<KeyId, Spent>>,
}

impl OutsideGates {
    pub(super) fn new(spent: Arc<DashMap<KeyId, Spent>>) -> Self {
        Self { gates: DashMap::new(), spent }
    }

    /// The counters of one; made, with what it has spent, when first asked for.
    pub fn gate(&self, id: &KeyId) -> Arc<Gate> {
        let spent = || self.spent.get(id).map(|spent| *spent).unwrap_or_default();
        let entry = self.gates.entry(id.clone()).or_insert_with(|| (Gate::new(spent()), AtomicU32::new(0)));
        Arc::clone(&entry.0)
    }

    /// Lets go of counters that nobody has held for some time; what was spent is kept.
    pub fn sweep(&self) {
        self.gates.retain(|id, (gate, idle)| {
            if Arc::strong_count(gate) > 1 || gate.in_flight() > 0 {
                idle.store(0, Ordering::Relaxed);
                return true;
            }
            let keep = idle.fetch_add(1, Ordering::Relaxed) < IDLE_SWEEPS;
            if !keep {
                self.spent.insert(id.clone(), gate.spent());
            }
            keep
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{AddressRules, ModelFilter};
    use crate::limit::Ask;
    use crate::types::{Mono, TenantId};

    fn token(n: u8, until: i64) -> Outsider {
        let key = Key {
            id: KeyId::parse("grant_1").unwrap(),
            name: "app".into(),
            tenant: TenantId::parse("acme").unwrap(),
            prefix: "".into(),
            hash: KeyHash([n; 32]),
            enabled: true,
            expires_at: Some(Wall(until)),
            models: ModelFilter::default(),
            addresses: AddressRules::default(),
            party: Arc::default(),
        };
        Outsider::new(key, Limits::default(), true)
    }

    #[test]
    fn tokens_come_and_go_one_at_a_time() {
        let tokens = Tokens::default();
        tokens.put(token(1, 100));
        tokens.put(token(2, 200));
        assert!(tokens.find(&KeyHash([1; 32])).is_some() && tokens.find(&KeyHash([3; 32])).is_none());
        tokens.sweep(Wall(100));
        assert!(tokens.find(&KeyHash([1; 32])).is_none() && tokens.len() == 1);
        tokens.remove(&[2; 32]);
        assert!(tokens.is_empty());
    }

    #[test]
    fn what_was_spent_outlives_the_counters() {
        let gates = OutsideGates::new(Arc::default());
        let id = KeyId::parse("grant_1").unwrap();
        let ask = Ask { tokens: 5, ..Ask::default() };
        gates.gate(&id).admit(&Limits::default(), ask, Mono(0), Wall(0)).unwrap().settle(
            ask,
            Mono(0),
            Wall(0),
        );
        let held = gates.gate(&id);
        (0..100).for_each(|_| gates.sweep());
        assert!(Arc::ptr_eq(&held, &gates.gate(&id)), "as long as somebody holds it");
        drop(held);
        (0..100).for_each(|_| gates.sweep());
        assert_eq!(gates.gates.len(), 0);
        assert_eq!(gates.gate(&id).spent().day_tokens, 5);
    }
}
