//! The responses in memory: found by owner and id, given up in the order in
//! which they were last used.

use super::{Bounds, ENTRY_OVERHEAD_BYTES, Kept, Owner};
use crate::types::{TenantId, Wall};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// What a response is found by.
pub type Key = (Owner, Arc<str>);

/// Why there is no response to go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absent {
    /// No such id, or somebody else's, or its time is over.
    Unknown(Arc<str>),
    /// It is still being made.
    Running,
    /// It came to no end.
    Failed,
}

#[derive(Clone)]
enum State {
    Running,
    Failed,
    Done(Arc<Kept>),
}

struct Entry {
    state: State,
    expires: Wall,
    /// When it was last used, as a place in the order of uses.
    used: u64,
    bytes: usize,
}

#[derive(Default)]
struct Tenant {
    bytes: usize,
    order: BTreeMap<u64, Key>,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<Key, Entry>,
    /// By item id: the response that has the item in its output.
    items: HashMap<Key, Arc<str>>,
    tenants: HashMap<TenantId, Tenant>,
    order: BTreeMap<u64, Key>,
    uses: u64,
    bytes: usize,
}

/// See the module. One short lock; nothing waits under it.
#[derive(Default)]
pub struct Responses {
    inner: Mutex<Inner>,
}

impl Responses {
    /// Notes that a response is being made, so that a request that goes on from it too early is told so.
    pub fn begin(&self, key: Key, now: Wall, ttl: Duration, bounds: &Bounds) -> Vec<Key> {
        self.inner.lock().put(key, State::Running, now.after(ttl), ENTRY_OVERHEAD_BYTES, bounds)
    }

    /// A response that was begun came to no end. One that is kept stays.
    pub fn fail(&self, key: &Key) {
        if let Some(entry) = self.inner.lock().entries.get_mut(key)
            && matches!(entry.state, State::Running)
        {
            entry.state = State::Failed;
        }
    }

    /// Keeps a response and gives what had to go for it. One that is larger
    /// than a response or a tenant may be is not kept: then it is among those that went.
    pub fn put(&self, kept: Arc<Kept>, ttl: Duration, bounds: &Bounds) -> Vec<Key> {
        let key = (kept.owner.clone(), Arc::clone(&kept.id));
        let (bytes, expires) = (kept.bytes(), kept.at.after(ttl));
        let mut inner = self.inner.lock();
        if bytes > bounds.entry_bytes.min(bounds.tenant_bytes).min(bounds.total_bytes) {
            inner.remove(&key);
            return vec![key];
        }
        let gone = inner.put(key.clone(), State::Done(Arc::clone(&kept)), expires, bytes, bounds);
        for item in &kept.items {
            inner.items.insert((kept.owner.clone(), Arc::clone(item)), Arc::clone(&kept.id));
        }
        gone
    }

    /// A response that is whole.
    pub fn get(&self, owner: &Owner, id: &str, now: Wall) -> Option<Arc<Kept>> {
        let inner = self.inner.lock();
        let entry = inner.entries.get(&(owner.clone(), id.into())).filter(|entry| entry.expires > now)?;
        match &entry.state {
            State::Done(kept) => Some(Arc::clone(kept)),
            State::Running | State::Failed => None,
        }
    }

    /// The response that has this item in its output.
    pub fn with_item(&self, owner: &Owner, item: &str, now: Wall) -> Option<Arc<Kept>> {
        let id = self.inner.lock().items.get(&(owner.clone(), item.into())).cloned()?;
        self.get(owner, &id, now)
    }

    /// A response and all that it goes on from, oldest first, of what has not expired at `now`. They are kept
    /// until `until` at least, because a conversation that goes on is wanted whole.
    ///
    /// # Errors
    /// [`Absent`], of the first that is not there.
    pub fn conversation(
        &self,
        owner: &Owner,
        id: &str,
        now: Wall,
        until: Wall,
    ) -> Result<Vec<Arc<Kept>>, Absent> {
        let mut inner = self.inner.lock();
        let mut chain: Vec<Arc<Kept>> = Vec::new();
        let mut seen = HashSet::new();
        let mut next: Option<Arc<str>> = Some(id.into());
        while let Some(id) = next {
            // A vendor that gives one id twice could tie a knot.
            let entry = inner.entries.get(&(owner.clone(), Arc::clone(&id)));
            let entry = entry.filter(|entry| entry.expires > now && seen.insert(Arc::clone(&id)));
            match entry.map(|entry| &entry.state) {
                None => return Err(Absent::Unknown(id)),
                Some(State::Running) => return Err(Absent::Running),
                Some(State::Failed) => return Err(Absent::Failed),
                Some(State::Done(kept)) => chain.push(Arc::clone(kept)),
            }
            next = chain.last().and_then(|kept| kept.previous.clone());
        }
        chain.reverse();
        for kept in &chain {
            inner.touch(&(owner.clone(), Arc::clone(&kept.id)), until);
        }
        Ok(chain)
    }

    /// Forgets a response. `false`: there was none.
    pub fn remove(&self, owner: &Owner, id: &str, now: Wall) -> bool {
        let mut inner = self.inner.lock();
        let key = (owner.clone(), id.into());
        let there = inner
            .entries
            .get(&key)
            .is_some_and(|entry| entry.expires > now && matches!(entry.state, State::Done(_)));
        if there {
            inner.remove(&key);
        }
        there
    }

    /// Forgets what has expired and gives what that was.
    pub fn sweep(&self, now: Wall) -> Vec<Key> {
        let mut inner = self.inner.lock();
        let mut gone = Vec::new();
        // In the order of uses, which is that of expiry as long as nobody changes the time to live.
        while let Some((_, key)) = inner.order.first_key_value()
            && inner.entries.get(key).is_none_or(|entry| entry.expires <= now)
        {
            let key = key.clone();
            inner.remove(&key);
            gone.push(key);
        }
        gone
    }

    /// Bytes kept, estimated.
    pub fn bytes(&self) -> usize {
        self.inner.lock().bytes
    }

    /// How many entries there are, those that are still being made included.
    pub fn entries(&self) -> usize {
        self.inner.lock().entries.len()
    }
}

impl Inner {
    fn put(&mut self, key: Key, state: State, expires: Wall, bytes: usize, bounds: &Bounds) -> Vec<Key> {
        self.remove(&key);
        self.uses += 1;
        let used = self.uses;
        let tenant = self.tenants.entry(key.0.tenant.clone()).or_default();
        tenant.bytes += bytes;
        tenant.order.insert(used, key.clone());
        self.bytes += bytes;
        self.order.insert(used, key.clone());
        self.entries.insert(key.clone(), Entry { state, expires, used, bytes });
        self.make_room(&key.0.tenant, bounds)
    }

    fn make_room(&mut self, tenant: &TenantId, bounds: &Bounds) -> Vec<Key> {
        let mut gone = Vec::new();
        loop {
            let of_tenant = self.tenants.get(tenant).filter(|tenant| tenant.bytes > bounds.tenant_bytes);
            let oldest = match of_tenant {
                Some(tenant) => tenant.order.first_key_value(),
                None if self.bytes > bounds.total_bytes => self.order.first_key_value(),
                None => None,
            };
            let Some((_, key)) = oldest else { return gone };
            let key = key.clone();
            self.remove(&key);
            gone.push(key);
        }
    }

    fn remove(&mut self, key: &Key) {
        let Some(entry) = self.entries.remove(key) else { return };
        self.order.remove(&entry.used);
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        if let Some(tenant) = self.tenants.get_mut(&key.0.tenant) {
            tenant.bytes = tenant.bytes.saturating_sub(entry.bytes);
            tenant.order.remove(&entry.used);
            if tenant.order.is_empty() {
                self.tenants.remove(&key.0.tenant);
            }
        }
        if let State::Done(kept) = entry.state {
            for item in &kept.items {
                let place = (key.0.clone(), Arc::clone(item));
                if self.items.get(&place) == Some(&key.1) {
                    self.items.remove(&place);
                }
            }
        }
    }

    fn touch(&mut self, key: &Key, expires: Wall) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        self.uses += 1;
        let before = std::mem::replace(&mut entry.used, self.uses);
        entry.expires = entry.expires.max(expires);
        self.order.remove(&before);
        self.order.insert(self.uses, key.clone());
        if let Some(tenant) = self.tenants.get_mut(&key.0.tenant) {
            tenant.order.remove(&before);
            tenant.order.insert(self.uses, key.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    const TTL: Duration = Duration::from_secs(60);
    const ROOMY: Bounds = Bounds { total_bytes: 1 << 20, tenant_bytes: 1 << 20, entry_bytes: 1 << 20 };

    fn owner(tenant: &str) -> Owner {
        Owner { tenant: TenantId::parse(tenant).unwrap(), key: None }
    }

    fn kept(tenant: &str, id: &str, previous: Option<&str>, size: usize, at: Wall) -> Arc<Kept> {
        Arc::new(Kept {
            owner: owner(tenant),
            id: id.into(),
            previous: previous.map(Into::into),
            input: Bytes::from_static(b"[]"),
            response: Bytes::from(vec![b' '; size]),
            output: Bytes::from_static(b"[]"),
            items: vec![format!("msg_{id}").into()],
            at,
        })
    }

    fn ids(chain: &[Arc<Kept>]) -> Vec<&str> {
        chain.iter().map(|kept| &*kept.id).collect()
    }

    #[test]
    fn a_conversation_is_found_from_its_last_response_and_only_by_its_owner() {
        let responses = Responses::default();
        responses.put(kept("a", "1", None, 10, Wall(0)), TTL, &ROOMY);
        responses.put(kept("a", "2", Some("1"), 10, Wall(1)), TTL, &ROOMY);
        let found = responses.conversation(&owner("a"), "2", Wall(2), Wall(2)).unwrap();
        assert_eq!(ids(&found), ["1", "2"]);
        let foreign = responses.conversation(&owner("b"), "2", Wall(2), Wall(2)).unwrap_err();
        assert_eq!(foreign, Absent::Unknown("2".into()));
        assert!(responses.get(&owner("b"), "1", Wall(2)).is_none());
        assert!(responses.with_item(&owner("b"), "msg_1", Wall(2)).is_none());
        assert_eq!(&*responses.with_item(&owner("a"), "msg_1", Wall(2)).unwrap().id, "1");
        assert!(!responses.remove(&owner("b"), "1", Wall(2)));
    }

    #[test]
    fn what_is_deleted_expired_running_or_failed_is_told_apart() {
        let responses = Responses::default();
        let absent = |id: &str, now| responses.conversation(&owner("a"), id, now, now).unwrap_err();
        responses.put(kept("a", "1", None, 10, Wall(0)), TTL, &ROOMY);
        responses.put(kept("a", "2", Some("1"), 10, Wall(0)), TTL, &ROOMY);
        assert!(responses.remove(&owner("a"), "1", Wall(1)));
        assert!(!responses.remove(&owner("a"), "1", Wall(1)));
        assert_eq!(absent("2", Wall(1)), Absent::Unknown("1".into()));
        let key = (owner("a"), Arc::from("3"));
        responses.begin(key.clone(), Wall(0), TTL, &ROOMY);
        assert_eq!(absent("3", Wall(1)), Absent::Running);
        responses.fail(&key);
        assert_eq!(absent("3", Wall(1)), Absent::Failed);
        let late = Wall(0).after(TTL);
        assert_eq!(absent("2", late), Absent::Unknown("2".into()));
        assert_eq!(responses.sweep(late).len(), 2);
        assert_eq!((responses.entries(), responses.bytes()), (0, 0));
    }

    #[test]
    fn going_on_from_a_conversation_keeps_all_of_it_longer() {
        let responses = Responses::default();
        responses.put(kept("a", "1", None, 10, Wall(0)), TTL, &ROOMY);
        responses.put(kept("a", "2", Some("1"), 10, Wall(0)), TTL, &ROOMY);
        responses.put(kept("a", "3", None, 10, Wall(0)), TTL, &ROOMY);
        responses.conversation(&owner("a"), "2", Wall(1), Wall(1).after(TTL)).unwrap();
        let late = Wall(0).after(TTL);
        let gone: Vec<_> = responses.sweep(late).into_iter().map(|(_, id)| id.to_string()).collect();
        assert_eq!(gone, ["3"]);
        assert!(responses.get(&owner("a"), "1", late).is_some());
    }

    #[test]
    fn a_conversation_can_be_renewed_whatever_the_time_is() {
        let responses = Responses::default();
        responses.put(kept("a", "1", None, 10, Wall(0)), TTL, &ROOMY);
        let late = Wall(0).after(TTL * 3);
        // As at a start, where the clock of those who renewed it is not known any more.
        responses.conversation(&owner("a"), "1", Wall(i64::MIN), late).unwrap();
        assert!(responses.sweep(Wall(0).after(TTL * 2)).is_empty());
        assert!(responses.get(&owner("a"), "1", Wall(0).after(TTL * 2)).is_some());
    }

    #[test]
    fn a_tenant_that_keeps_too_much_loses_its_own_and_nobody_elses() {
        let responses = Responses::default();
        let bounds = Bounds { tenant_bytes: 3_000, ..ROOMY };
        responses.put(kept("b", "0", None, 100, Wall(0)), TTL, &bounds);
        for id in ["1", "2", "3", "4"] {
            responses.put(kept("a", id, None, 500, Wall(0)), TTL, &bounds);
        }
        assert!(responses.get(&owner("a"), "1", Wall(1)).is_none());
        assert!(responses.get(&owner("a"), "4", Wall(1)).is_some());
        assert!(responses.get(&owner("b"), "0", Wall(1)).is_some());
        let gone = responses.put(kept("a", "5", None, 4_000, Wall(0)), TTL, &bounds);
        assert_eq!(gone, [(owner("a"), Arc::from("5"))]);
    }

    #[test]
    fn a_knot_of_ids_ends() {
        let responses = Responses::default();
        responses.put(kept("a", "1", Some("1"), 10, Wall(0)), TTL, &ROOMY);
        let found = responses.conversation(&owner("a"), "1", Wall(1), Wall(1));
        assert_eq!(found.unwrap_err(), Absent::Unknown("1".into()));
    }

    proptest! {
        #[test]
        fn the_bounds_hold_and_the_sums_are_those_of_what_is_there(
            steps in proptest::collection::vec((0..3_u8, 0..6_u8, 0..6_u8, 0..2_000_usize), 1..80),
        ) {
            let bounds = Bounds { total_bytes: 9_000, tenant_bytes: 5_000, entry_bytes: 2_500 };
            let responses = Responses::default();
            for (now, (what, tenant, id, size)) in steps.into_iter().enumerate() {
                let (tenant, id, now) = (format!("t{}", tenant % 3), id.to_string(), Wall(now as i64));
                match what {
                    0 => drop(responses.put(kept(&tenant, &id, None, size, now), TTL, &bounds)),
                    1 => drop(responses.remove(&owner(&tenant), &id, now)),
                    _ => drop(responses.conversation(&owner(&tenant), &id, now, now.after(TTL))),
                }
                let inner = responses.inner.lock();
                let bytes: usize = inner.entries.values().map(|entry| entry.bytes).sum();
                prop_assert_eq!(inner.bytes, bytes);
                prop_assert!(bytes <= bounds.total_bytes);
                prop_assert!(inner.tenants.values().all(|tenant| tenant.bytes <= bounds.tenant_bytes));
                let of_tenants: usize = inner.tenants.values().map(|tenant| tenant.order.len()).sum();
                prop_assert_eq!((inner.order.len(), of_tenants), (inner.entries.len(), inner.entries.len()));
                prop_assert_eq!(inner.items.len(), inner.entries.len());
            }
        }
    }
}
