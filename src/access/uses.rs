//! How keys were used, summed up by key and hour: the audit log cannot hold a record of each
//! request, and an hour of a key is what somebody looks for who asks whether it was stolen.

use super::Key;
use crate::types::{KeyId, TenantId, Wall};
use dashmap::DashMap;
use parking_lot::Mutex;
use std::net::IpAddr;
use std::sync::Arc;

/// Addresses that are kept of one hour of a key.
const MOST_ADDRESSES: usize = 16;
/// Hours of keys that wait to be written down.
const MOST_WAITING: usize = 100_000;
const HOUR_SECONDS: i64 = 3_600;

/// One hour of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyUse {
    /// The key.
    pub key: KeyId,
    /// What people call it.
    pub name: Arc<str>,
    /// Whose it is.
    pub tenant: TenantId,
    /// The hour, counted from the epoch.
    hour: i64,
    /// Requests in it.
    pub requests: u64,
    /// Those of them that were refused or failed.
    pub failed: u64,
    /// When the first one came.
    pub first: Wall,
    /// When the last one came.
    pub last: Wall,
    /// Addresses that they came from, at most 16.
    pub addresses: Vec<IpAddr>,
    /// Were there more addresses?
    pub more_addresses: bool,
}

/// See the module.
#[derive(Default)]
pub struct Uses {
    running: DashMap<KeyId, KeyUse, ahash::RandomState>,
    over: Mutex<Vec<KeyUse>>,
}

fn hour_of(at: Wall) -> i64 {
    at.seconds().div_euclid(HOUR_SECONDS)
}

impl Uses {
    /// A request with this key has ended, which came at this time from there.
    pub fn note(&self, key: &Key, at: Wall, address: Option<IpAddr>, failed: bool) {
        let hour = hour_of(at);
        if let Some(mut running) = self.running.get_mut(&key.id)
            // One that took longer than the rest of its hour counts where the key is by now.
            && running.hour >= hour
        {
            return running.count(at, address, failed);
        }
        let mut fresh = KeyUse::new(key, hour, at);
        fresh.count(at, address, failed);
        if let Some(old) = self.running.insert(key.id.clone(), fresh) {
            self.keep(old);
        }
    }

    /// Bounded: where nobody takes them, the newest are lost.
    fn keep(&self, old: KeyUse) {
        let mut over = self.over.lock();
        if over.len() < MOST_WAITING {
            over.push(old);
        }
    }

    /// Takes the hours that are over at this time.
    pub fn take_over(&self, now: Wall) -> Vec<KeyUse> {
        self.take(|one| one.hour < hour_of(now))
    }

    /// Takes everything, for the hub is to end.
    pub fn take_all(&self) -> Vec<KeyUse> {
        self.take(|_| true)
    }

    fn take(&self, is_over: impl Fn(&KeyUse) -> bool) -> Vec<KeyUse> {
        let mut taken = std::mem::take(&mut *self.over.lock());
        self.running.retain(|_, one| {
            let over = is_over(one);
            if over {
                taken.push(one.clone());
            }
            !over
        });
        taken.sort_by(|a, b| (a.hour, a.key.as_str()).cmp(&(b.hour, b.key.as_str())));
        taken
    }
}

impl KeyUse {
    fn new(key: &Key, hour: i64, at: Wall) -> Self {
        Self {
            key: key.id.clone(),
            name: Arc::clone(&key.name),
            tenant: key.tenant.clone(),
            hour,
            requests: 0,
            failed: 0,
            first: at,
            last: at,
            addresses: Vec::new(),
            more_addresses: false,
        }
    }

    fn count(&mut self, at: Wall, address: Option<IpAddr>, failed: bool) {
        self.requests = self.requests.saturating_add(1);
        self.failed = self.failed.saturating_add(u64::from(failed));
        (self.first, self.last) = (self.first.min(at), self.last.max(at));
        let Some(address) = address.filter(|address| !self.addresses.contains(address)) else { return };
        match self.addresses.len() < MOST_ADDRESSES {
            true => self.addresses.push(address),
            false => self.more_addresses = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{AddressRules, KeyHash, ModelFilter};

    fn key(id: &str) -> Key {
        Key {
            id: KeyId::parse(id).unwrap(),
            name: "k".into(),
            tenant: TenantId::parse("acme").unwrap(),
            party: Arc::default(),
            prefix: "p".into(),
            hash: KeyHash([0; 32]),
            enabled: true,
            expires_at: None,
            models: ModelFilter::new(Vec::new()).unwrap(),
            addresses: AddressRules::default(),
            party: Arc::default(),
        }
    }

    fn at(seconds: i64) -> Wall {
        Wall(seconds * 1_000_000)
    }

    #[test]
    fn requests_of_one_hour_are_one_use_and_the_next_hour_begins_another() {
        let uses = Uses::default();
        let (a, b) = (key("a"), key("b"));
        let from = |n: u8| Some(IpAddr::from([10, 0, 0, n]));
        uses.note(&a, at(3_600), from(1), false);
        uses.note(&a, at(7_199), from(2), true);
        uses.note(&a, at(3_700), from(1), false);
        uses.note(&b, at(7_000), None, false);
        assert!(uses.take_over(at(7_199)).is_empty());
        uses.note(&a, at(7_200), from(3), false);
        uses.note(&a, at(7_100), from(4), false);
        let taken = uses.take_over(at(7_200));
        assert_eq!(taken.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let one = &taken[0];
        assert_eq!((one.requests, one.failed, one.first, one.last), (3, 1, at(3_600), at(7_199)));
        assert_eq!(one.addresses, [from(1).unwrap(), from(2).unwrap()]);
        assert!(uses.take_over(at(7_200)).is_empty(), "each is taken once");
        let rest = uses.take_all();
        assert_eq!((rest.len(), rest[0].requests), (1, 2), "a late one counts where the key is by now");
        assert!(uses.take_all().is_empty());
    }

    #[test]
    fn addresses_are_bounded() {
        let uses = Uses::default();
        for n in 0..40 {
            uses.note(&key("a"), at(0), Some(IpAddr::from([10, 0, 0, n % 20])), false);
        }
        let taken = uses.take_all();
        assert_eq!((taken[0].addresses.len(), taken[0].more_addresses), (MOST_ADDRESSES, true));
    }
}
