//! What must survive a reload: health of credentials, counters of keys.

use super::{Caller, LiveKeys, MeterShelf, OutsideGates, Provider};
use crate::limit::{Gate, Spent};
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
    spent: Arc<DashMap<KeyId, Spent>>,
    /// Counters of callers that no configuration names.
    pub(super) outside: Arc<OutsideGates>,
    /// Keys of issuers, by where they are.
    issuers: DashMap<String, Arc<LiveKeys>>,
    /// Counters of quotas.
    pub meters: Arc<MeterShelf>,
    version: AtomicU64,
}

impl Registry {
    /// An empty one. `spent` is what the store restored.
    pub fn new(health_policy: HealthPolicy, spent: HashMap<KeyId, Spent>) -> Self {
        let spent: Arc<DashMap<_, _>> = Arc::new(spent.into_iter().collect());
        Self {
            health_policy,
            health: DashMap::new(),
            gates: DashMap::new(),
            outside: Arc::new(OutsideGates::new(Arc::clone(&spent))),
            issuers: DashMap::new(),
            spent,
            meters: Arc::default(),
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

    /// The gate of a request that another process admitted: that of a key, or of an outside caller.
    pub fn gate_of_any(&self, id: &KeyId) -> Arc<Gate> {
        match self.gates.contains_key(id) {
            true => self.gate(id),
            false => self.outside.gate(id),
        }
    }

    /// The keys of an issuer, by where they are; they outlive reloads.
    pub(super) fn issuer(&self, source: &str) -> Arc<LiveKeys> {
        Arc::clone(&self.issuers.entry(source.to_owned()).or_default())
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
        self.meters.sweep();
        self.version.fetch_add(1, Ordering::Relaxed) + 1
    }
}
