//! Configuration, read again: a new snapshot replaces the old one in one step,
//! or the problems are told and the old one stays.

use crate::access::Pepper;
use crate::admin;
use crate::catalogue::Day;
use crate::config::{Boot, Document, Environment, Inputs, Problem, Problems, Registry, Snapshot, StoredKey};
use crate::ledger::{Price, PriceTable, Settlement};
use crate::limit::Ask;
use crate::proxy::Plane;
use crate::store::Store;
use crate::types::{Clock, Secret};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// Builds snapshots from the file, the environment and the store.
pub(super) struct Reloader {
    path: Option<PathBuf>,
    environment: Environment,
    registry: Registry,
    store: Store,
    pepper: Vec<u8>,
    prices: Vec<Price>,
    token: Secret,
    failures: AtomicU64,
    plane: OnceLock<Weak<Plane>>,
    /// One reload at a time, so that the newest file wins.
    turn: Mutex<()>,
}

/// What a snapshot is made of besides the file.
pub fn inputs<'a>(
    environment: &'a Environment,
    registry: &'a Registry,
    stored: &'a [StoredKey],
    pepper: &'a [u8],
    prices: &'a [Price],
) -> Inputs<'a> {
    Inputs { environment, registry, stored, pepper, prices, read_prices: PriceTable::parse_toml }
}

/// The store's keys, as the configuration takes them. A damaged row is left out and told.
pub fn stored_keys(store: &Store) -> Result<Vec<StoredKey>, String> {
    let rows = store.keys().map_err(|e| e.to_string())?;
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        match row.key() {
            Ok(key) => keys.push(StoredKey { key, limits: row.limits.clone() }),
            Err(error) => tracing::error!(key = %row.id, error, "a stored key is unusable"),
        }
    }
    Ok(keys)
}

impl Reloader {
    /// Closes the intents of a run that died, restores counters, and is ready to build snapshots.
    pub(super) fn start(
        path: Option<PathBuf>,
        environment: Environment,
        boot: &Boot,
        store: Store,
        prices: Vec<Price>,
    ) -> Result<Arc<Self>, String> {
        let pepper = pepper(&store)?;
        let token = admin::token(&boot.data_dir, admin::Missing::Make)?;
        let registry = Registry::new(boot.health, Default::default());
        let document = Document::read(path.as_deref()).map_err(|p| p.to_string())?;
        let snapshot = document
            .resolve(&inputs(&environment, &registry, &[], &pepper, &prices))
            .map_err(|p| p.to_string())?;
        recover(&store, &snapshot, &mut |_| ())?;
        let registry = Registry::new(boot.health, store.spent());
        let failures = AtomicU64::new(0);
        let (plane, turn) = (OnceLock::new(), Mutex::new(()));
        Ok(Arc::new(Self {
            path,
            environment,
            registry,
            store,
            pepper,
            prices,
            token,
            failures,
            plane,
            turn,
        }))
    }

    /// The snapshot to start with.
    pub(super) fn first(&self) -> Result<Arc<Snapshot>, String> {
        let snapshot = self.build().map_err(|problems| problems.to_string())?;
        self.notice(&snapshot);
        Ok(snapshot)
    }

    /// Tells what the operator should know of the configured models.
    fn notice(&self, snapshot: &Snapshot) {
        for notice in snapshot.notices(Day::of_seconds(Clock::machine().wall().seconds())) {
            tracing::warn!(notice, "a configured model needs a look");
        }
    }

    /// The plane whose snapshot is replaced from now on.
    pub(super) fn attach(&self, plane: &Arc<Plane>) {
        let _ = self.plane.set(Arc::downgrade(plane));
    }

    /// Reads everything again. Returns the number of the new configuration.
    ///
    /// # Errors
    /// Every problem; the old configuration then keeps running.
    pub(super) fn reload(&self) -> Result<u64, Problems> {
        let _turn = self.turn.lock();
        let snapshot = self.build().inspect_err(|problems| {
            self.failures.fetch_add(1, Ordering::Relaxed);
            for problem in &problems.0 {
                tracing::warn!(%problem, "the new configuration is bad; the old one keeps running");
            }
        })?;
        let version = snapshot.version;
        self.notice(&snapshot);
        if let Some(plane) = self.plane.get().and_then(Weak::upgrade) {
            let restart = snapshot.needs_restart(&plane.snapshot.load());
            if !restart.is_empty() {
                tracing::warn!(sections = restart.join(", "), "changed settings that need a restart");
            }
            plane.snapshot.store(snapshot);
        }
        tracing::info!(version, "configuration in force");
        Ok(version)
    }

    fn build(&self) -> Result<Arc<Snapshot>, Problems> {
        let stored = stored_keys(&self.store).map_err(|text| {
            let (file, key) = (String::new(), String::new());
            Problems(vec![Problem { file, line: None, key, text }])
        })?;
        let document = Document::read(self.path.as_deref())?;
        document.resolve(&inputs(&self.environment, &self.registry, &stored, &self.pepper, &self.prices))
    }

    /// Takes over from processes that have ended since they handed over. What their requests
    /// used after the hand-over counts against the budgets of their keys from now on.
    pub(super) fn inherit(&self) {
        let Some(plane) = self.plane.get().and_then(Weak::upgrade) else { return };
        let mut ended = |settlement: &Settlement| {
            let used = Ask { tokens: settlement.counted_tokens(), cost: settlement.cost() };
            self.registry.gate(&settlement.key).inherit(used, settlement.at);
        };
        if let Err(error) = recover(&self.store, &plane.snapshot.load(), &mut ended) {
            tracing::error!(error, "what an older process left cannot be taken over yet");
        }
    }

    /// Reloads that were refused.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// What the admin API wants to see.
    pub(super) fn admin_token(&self) -> Secret {
        self.token.clone()
    }

    /// The pepper that new keys are hashed with: that of the configuration in force.
    pub(super) fn pepper(&self) -> Box<dyn Fn() -> Pepper + Send + Sync> {
        let plane = self.plane.get().cloned().unwrap_or_default();
        let own = Pepper::new(&self.pepper);
        Box::new(move || plane.upgrade().map_or_else(|| own.clone(), |p| p.snapshot.load().pepper.clone()))
    }

    /// Files whose change means a reload.
    pub(super) fn watched(&self) -> Vec<PathBuf> {
        let plane = self.plane.get().and_then(Weak::upgrade);
        plane.map(|p| p.snapshot.load().watched.clone()).unwrap_or_default()
    }
}

fn recover(store: &Store, snapshot: &Snapshot, ended: &mut dyn FnMut(&Settlement)) -> Result<(), String> {
    let mut price_of = |intent: &crate::ledger::Intent| {
        let vendor = snapshot
            .providers
            .iter()
            .find(|(name, _)| name.as_str() == &*intent.provider)
            .map_or("", |(_, provider)| provider.vendor.name);
        snapshot.prices.find(&intent.provider, vendor, &intent.upstream_model, intent.at).cloned()
    };
    store.recover(&mut price_of, ended).map(drop).map_err(|e| e.to_string())
}

/// A secret of the store, made at the first start.
fn secret(store: &Store, name: &str) -> Result<Vec<u8>, String> {
    let failed = |e: crate::store::StoreError| e.to_string();
    if let Some(known) = store.meta(name).map_err(failed)? {
        return Ok(known);
    }
    let mut fresh = vec![0; 32];
    getrandom::fill(&mut fresh).map_err(|e| format!("no randomness: {e}"))?;
    store.put_meta(name, &fresh).map_err(failed)?;
    Ok(fresh)
}

/// What keys are hashed with, unless the configuration names a pepper.
pub fn pepper(store: &Store) -> Result<Vec<u8>, String> {
    secret(store, "pepper")
}
