//! What must survive a reload: health of credentials, counters of keys.

use super::{Caller, Provider, Quota, QuotaTable};
use crate::limit::{Gate, Meter, Spent, Tally};
use crate::route::{Health, HealthPolicy};
use crate::types::{CredentialId, KeyId, ProviderName};
use dashmap::DashMap;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Live state by id. Lives as long as the process; every snapshot takes its
/// health and gates from here, so that a reload changes nothing of them.
pub struct Registry {
    /// For credentials that are new. Fixed at start.
    pub health_policy: HealthPolicy,
    health: DashMap<CredentialId, Arc<Health>>,
    gates: DashMap<KeyId, Arc<Gate>>,
    /// What keys without a gate have spent: before the start, or before they
    /// were taken out of the configuration.
    spent: DashMap<KeyId, Spent>,
    /// By what `Quota::counter` calls them.
    meters: DashMap<String, Arc<Meter>>,
    /// What was used by those that have no counter, as `spent`.
    tallies: DashMap<String, Tally>,
    version: AtomicU64,
}

impl Registry {
    /// An empty one. `spent` is what the store restored.
    pub fn new(health_policy: HealthPolicy, spent: HashMap<KeyId, Spent>) -> Self {
        Self {
            health_policy,
            health: DashMap::new(),
            gates: DashMap::new(),
            spent: spent.into_iter().collect(),
            meters: DashMap::new(),
            tallies: DashMap::new(),
            version: AtomicU64::new(0),
        }
    }

    /// The health of a credential; made when it is first asked for.
    pub fn health(&self, id: &CredentialId) -> Arc<Health> {
        Arc::clone(&self.health.entry(id.clone()).or_insert_with(|| Health::new(self.health_policy)))
    }

    /// The counters of a key; made, with what it has spent, when first asked for.
    pub fn gate(&self, id: &KeyId) -> Arc<Gate> {
        let make = || Gate::new(self.spent.get(id).map(|spent| *spent).unwrap_or_default());
        Arc::clone(&self.gates.entry(id.clone()).or_insert_with(make))
    }

    /// The counter of a quota for one subject; made, with what was used, when first asked for.
    pub fn meter(&self, quota: &Quota, subject: &str) -> Arc<Meter> {
        let name = quota.counter(subject);
        if let Some(known) = self.meters.get(&name) {
            return Arc::clone(&known);
        }
        let tally = self.tallies.get(&name).map(|tally| tally.clone()).unwrap_or_default();
        Arc::clone(&self.meters.entry(name).or_insert_with(|| Meter::new(quota.rule.clone(), tally)))
    }

    /// What the books say of quotas, for counters that are made from now on.
    pub fn remember(&self, tallies: HashMap<String, Tally>) {
        for (name, tally) in tallies {
            self.tallies.insert(name, tally);
        }
    }

    /// The number of the newest accepted configuration; 0 before the first.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    /// A configuration is accepted: what it does not name is dropped. Returns its number.
    pub(super) fn accept(
        &self,
        providers: &HashMap<ProviderName, Arc<Provider>>,
        callers: &[Arc<Caller>],
        quotas: &QuotaTable,
    ) -> u64 {
        let credentials: HashSet<&CredentialId> =
            providers.values().flat_map(|p| p.credentials.iter().map(|c| &c.id)).collect();
        let keys: HashSet<&KeyId> = callers.iter().map(|c| &c.key.id).collect();
        self.health.retain(|id, _| credentials.contains(id));
        self.gates.retain(|id, gate| {
            let keep = keys.contains(id);
            if !keep {
                // A key that is taken out and put back must not get a new budget.
                self.spent.insert(id.clone(), gate.spent());
            }
            keep
        });
        let used: HashSet<String> = quotas
            .all()
            .flat_map(|(quota, counted)| counted.keys().map(|subject| quota.counter(subject)))
            .collect();
        self.meters.retain(|name, meter| {
            let keep = used.contains(name);
            if !keep {
                self.tallies.insert(name.clone(), meter.tally());
            }
            keep
        });
        self.version.fetch_add(1, Ordering::Relaxed) + 1
    }
}
