//! Configuration, read again: a new snapshot replaces the old one in one step,
//! or the problems are told and the old one stays.

use super::gifts::Gifts;
use crate::access::Pepper;
use crate::admin;
use crate::admin::{Directory, Hooks, Probed};
use crate::catalogue::Day;
use crate::config::{Boot, Document, Environment, Extra, Inputs, Problem, Problems, Registry, Snapshot};
use crate::control::Vault;
use crate::ledger::{Price, PriceTable, Settlement};
use crate::proxy::Plane;
use crate::store::{Store, used_by};
use crate::types::{Clock, Secret, Wall};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
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
    /// What is managed.
    directory: Arc<Directory>,
    /// The last file that was good: what is managed comes into force with it, whatever has become
    /// of the file since.
    good: Mutex<Option<Document>>,
    /// When something of what is managed expires next, in microseconds since the epoch.
    until: AtomicI64,
    failures: AtomicU64,
    plane: OnceLock<Weak<Plane>>,
    gifts: Gifts,
    /// One reload at a time, so that the newest file wins.
    turn: Mutex<()>,
}

/// What a snapshot is made of besides the file.
pub fn inputs<'a>(
    environment: &'a Environment,
    registry: &'a Registry,
    extra: &'a Extra,
    pepper: &'a [u8],
    prices: &'a [Price],
) -> Inputs<'a> {
    Inputs { environment, registry, extra, pepper, prices, read_prices: PriceTable::parse_toml }
}

impl Reloader {
    /// Closes the intents of a run that died, restores counters, and is ready to build snapshots.
    pub(super) fn start(
        path: Option<PathBuf>,
        environment: Environment,
        boot: &Boot,
        store: Store,
        prices: Vec<Price>,
        clock: &Clock,
    ) -> Result<Arc<Self>, String> {
        let directory = Arc::new(Directory::open(store.clone(), clock.clone(), &boot.data_dir)?);
        let pepper = pepper(&store)?;
        let token = admin::token(&boot.data_dir, admin::Missing::Make)?;
        let registry = Registry::new(boot.health, Default::default());
        let document = Document::read(path.as_deref()).map_err(|p| p.to_string())?;
        // What an old process left open is closed by the prices of its time, also by managed ones.
        let managed = Extra { prices: directory.compile().extra.prices, ..Extra::default() };
        let snapshot = document
            .resolve(&inputs(&environment, &registry, &managed, &pepper, &prices))
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
            directory,
            good: Mutex::new(None),
            until: AtomicI64::new(i64::MAX),
            failures,
            plane,
            gifts: Gifts::default(),
            turn,
        }))
    }

    /// The snapshot to start with.
    pub(super) fn first(&self) -> Result<Arc<Snapshot>, String> {
        let snapshot = self.build().map_err(|problems| problems.to_string())?;
        self.notice(&snapshot);
        self.gifts.give(&snapshot, &self.directory.state(), &self.store, Clock::machine().wall());
        if snapshot.billing.is_some() {
            admin::open_till(&self.directory)?;
        }
        Ok(snapshot)
    }

    /// A look at the till. Blocks, and may wait for a payment provider.
    pub(super) fn look_at_the_till(&self) {
        admin::sweep_till(&self.directory);
    }

    /// Gives what tenants get by themselves. Blocks.
    pub(super) fn give(&self) {
        let Some(plane) = self.plane.get().and_then(Weak::upgrade) else { return };
        self.gifts.give(&plane.snapshot.load(), &self.directory.state(), &self.store, plane.clock.wall());
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
            // A new tenant has its welcome before its first request can come.
            self.gifts.give(&snapshot, &self.directory.state(), &self.store, plane.clock.wall());
            plane.snapshot.store(snapshot);
        }
        tracing::info!(version, "configuration in force");
        Ok(version)
    }

    /// Reads the file, and the master keys that it names.
    fn build(&self) -> Result<Arc<Snapshot>, Problems> {
        let document = Document::read(self.path.as_deref())?;
        let masters = document.master_keys(&self.environment)?;
        let vault = Vault::new(&masters).map_err(|error| problem(&error))?;
        // Tried before anything is replaced; with other master keys some secrets may not open.
        let extra = self.directory.compile().extra;
        self.count_quotas(&document, &extra);
        let snapshot = self.resolve(&document, &extra, &self.registry)?;
        let others = self.directory.vault().master() != vault.master();
        self.directory.set_vault(vault);
        let compiled = self.directory.compile();
        self.expect(compiled.until);
        let snapshot = match others {
            true => self.resolve(&document, &compiled.extra, &self.registry)?,
            false => snapshot,
        };
        *self.good.lock() = Some(document);
        Ok(snapshot)
    }

    fn resolve(
        &self,
        document: &Document,
        extra: &Extra,
        registry: &Registry,
    ) -> Result<Arc<Snapshot>, Problems> {
        document.resolve(&inputs(&self.environment, registry, extra, &self.pepper, &self.prices))
    }

    /// Puts what is managed into force, with the last good file.
    pub(super) fn rebuild(&self) -> Result<(), String> {
        let _turn = self.turn.lock();
        let compiled = self.directory.compile();
        self.expect(compiled.until);
        for (id, text) in &compiled.problems {
            tracing::warn!(%id, text, "something that is managed is not in force");
        }
        let good = self.good.lock();
        let Some(document) = &*good else { return Ok(()) };
        self.count_quotas(document, &compiled.extra);
        let snapshot = self.resolve(document, &compiled.extra, &self.registry);
        let snapshot = snapshot.map_err(|problems| problems.to_string())?;
        if let Some(plane) = self.plane.get().and_then(Weak::upgrade) {
            plane.snapshot.store(snapshot);
        }
        Ok(())
    }

    fn expect(&self, until: Option<Wall>) {
        self.until.store(until.map_or(i64::MAX, |at| at.0), Ordering::Relaxed);
    }

    /// Has something that is managed expired?
    pub(super) fn expires(&self, now: Wall) -> bool {
        now.0 >= self.until.load(Ordering::Relaxed)
    }

    /// Builds a new snapshot when something that is managed has expired.
    pub(super) fn expire(&self, now: Wall) {
        if self.expires(now)
            && let Err(error) = self.rebuild()
        {
            tracing::error!(error, "what has expired is still in force");
        }
    }

    /// The snapshot that this would make. Nothing that lives on is touched.
    fn trial(&self, extra: &Extra) -> Result<Option<Arc<Snapshot>>, String> {
        let good = self.good.lock();
        let Some(document) = &*good else { return Ok(None) };
        let apart = Registry::new(self.registry.health_policy, Default::default());
        self.resolve(document, extra, &apart).map(Some).map_err(|problems| problems.to_string())
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.directory.clock
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(super) fn plane(&self) -> Option<Arc<Plane>> {
        self.plane.get().and_then(Weak::upgrade)
    }

    /// What is managed.
    pub(super) fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory)
    }

    /// The environment's own token for the first owner.
    pub(super) fn bootstrap_token(&self) -> Option<Secret> {
        self.environment.get("AIGNE_HUB_BOOTSTRAP_TOKEN").map(Secret::new)
    }

    /// Connects what is managed with this data plane.
    pub(super) fn connect(self: &Arc<Self>) {
        let weak = |reloader: &Arc<Self>| Arc::downgrade(reloader);
        let (for_rebuild, for_trial, for_probe) = (weak(self), weak(self), weak(self));
        let plane = self.plane.get().cloned().unwrap_or_default();
        let pepper = self.pepper();
        let gone = || "the hub is going down".to_owned();
        self.directory.connect(Hooks {
            pepper: Box::new(move || Ok(pepper())),
            snapshot: Box::new(move || plane.upgrade().map(|plane| plane.snapshot.load_full())),
            rebuild: Box::new(move || for_rebuild.upgrade().ok_or_else(gone)?.rebuild()),
            trial: Box::new(move |extra| for_trial.upgrade().ok_or_else(gone)?.trial(extra)),
            probe: Box::new(move |provider, credential| {
                let reloader = for_probe.upgrade().ok_or_else(gone)?;
                let plane = reloader.plane.get().and_then(Weak::upgrade).ok_or_else(gone)?;
                // Only the admin listener's blocking threads call this; they belong to its runtime.
                let runtime = tokio::runtime::Handle::try_current().map_err(|error| error.to_string())?;
                let said = runtime.block_on(crate::proxy::probe(&plane, provider, credential))?;
                let works = said.status.is_some_and(|status| (200..300).contains(&status));
                Ok(Probed { works, status: said.status, words: said.words })
            }),
        });
    }

    /// Takes over from processes that have ended since they handed over. What their requests
    /// used after the hand-over counts against the budgets of their keys from now on.
    pub(super) fn inherit(&self) {
        let Some(plane) = self.plane.get().and_then(Weak::upgrade) else { return };
        // A counter that a rebuild makes now would learn of it from the books and then once more.
        let _turn = self.turn.lock();
        let mut ended = |settlement: &Settlement| {
            let used = used_by(settlement);
            self.registry.gate_of_any(&settlement.key).inherit(used, settlement.at);
            self.inherit_quotas(settlement, used);
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

fn problem(error: &dyn std::fmt::Display) -> Problems {
    let (file, key) = (String::new(), "control.master_key".to_owned());
    Problems(vec![Problem { file, line: None, key, text: error.to_string() }])
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
