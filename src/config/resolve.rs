//! From what a file says to what the hub runs on. Notes every problem and goes
//! on with a default, so that all of them are told at once; no snapshot is
//! built when there is one.

mod aws;
mod base;
mod billing;
mod bodies;
mod catalogue;
mod extra;
mod files;
mod keys;
mod limits;
mod master;
mod models;
mod notices;
mod oauth;
mod providers;
mod quotas;
mod selling;
mod settings;
mod sign_in;
mod translation;

pub(super) use files::expand;
pub use quotas::QuotaTable;

use super::at::{At, Period, Size};
use super::problems::{Notes, Problems};
use super::{Caller, Document, Environment, Extra, LeftOut, Plan, Registry, Snapshot};
use crate::access::{AddressRules, AddressSet, Key, KeyTable};
use crate::ledger::Price;
use crate::limit::Limits;
use crate::types::TenantId;
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A key that the control plane manages, as plain values.
#[derive(Clone)]
pub struct StoredKey {
    /// What it may do.
    pub key: Key,
    /// How much.
    pub limits: Limits,
}

/// Reads one price file (name, text); problems name file and line.
pub type ReadPrices = fn(&str, &str) -> Result<Vec<Price>, Vec<String>>;

/// What a snapshot is made of besides the file.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The environment, read once.
    pub environment: &'a Environment,
    /// What survives reloads.
    pub registry: &'a Registry,
    /// What the control plane manages. What the file has of the same name wins.
    pub extra: &'a Extra,
    /// The store's pepper, for when the file names none.
    pub pepper: &'a [u8],
    /// Prices that come with the hub; those of files are added.
    pub prices: &'a [Price],
    /// How price files are read.
    pub read_prices: ReadPrices,
}

impl Document {
    /// Builds the snapshot.
    ///
    /// # Errors
    /// Everything that is wrong, in the file and in what it refers to. The
    /// registry then still holds all it held.
    pub fn resolve(&self, inputs: &Inputs<'_>) -> Result<Arc<Snapshot>, Problems> {
        let mut resolver = Resolver::new(self, inputs.environment);
        let raw = &self.raw;
        let bounds = resolver.bounds(raw);
        let health = resolver.health(&raw.health);
        let public = resolver.public(&raw.public);
        let admin = resolver.admin(&raw.admin, &public);
        let providers = resolver.providers(raw, bounds.clocks, inputs);
        let catalogue = resolver.catalogue(&raw.catalogue, &providers);
        let (models, declared_models) =
            resolver.models(raw, bounds.clocks, &providers, &catalogue, inputs.extra);
        let pepper = resolver.pepper(&raw.security, inputs.pepper);
        let billing = resolver.billing(&raw.billing);
        let (oauth, issuers) = resolver.oauth(&raw.oauth, inputs.registry);
        let quotas = resolver.quotas(&raw.quota, inputs.extra);
        let quotas = QuotaTable::new(quotas, Arc::clone(&inputs.registry.meters));
        let bodies = resolver.bodies(&raw.bodies, &inputs.extra.bodies);
        let (callers, mut declared) =
            resolver.callers(&raw.key, &pepper, billing.as_deref(), &quotas, inputs);
        declared.providers = providers.of_file;
        declared.models = declared_models;
        declared.bodies =
            raw.bodies.iter().filter_map(|at| Some(at.value.tenant.as_ref()?.value.clone())).collect();
        let mut addresses = resolver.address_rules(&raw.security.allow, &raw.security.deny);
        addresses.tables.extend(inputs.extra.addresses.clone());
        let mut snapshot = Snapshot {
            version: 0,
            public,
            admin,
            data_dir: resolver.data_dir(&raw.data),
            aigne: resolver.aigne(&raw.aigne),
            origins: resolver.origins(&raw.cors),
            bounds,
            pepper,
            addresses,
            trusted_proxies: resolver.addresses(&raw.security.trusted_proxies),
            providers: providers.ready,
            translation: resolver.translation(&raw.translation, &models),
            models,
            catalogue,
            capabilities: catalogue::capabilities(&raw.catalogue),
            prices: resolver.prices(
                &raw.prices,
                &[inputs.prices, &inputs.extra.prices].concat(),
                inputs.read_prices,
            ),
            paying: paying(&callers),
            billing,
            unpriced: settings::unpriced(&raw.ledger),
            rules: resolver.rules(&raw.rules),
            quotas,
            notices: resolver.notices(&raw.notices, raw.mail.as_ref()),
            cache: resolver.cache(&raw.cache),
            responses: resolver.responses(&raw.responses),
            ledger: resolver.ledger(&raw.ledger),
            flood: resolver.flood(&raw.security),
            bodies,
            audit_keep: resolver.audit_keep(&raw.control),
            sign_in: resolver.sign_in(&raw.sign_in),
            oauth,
            issuers,
            tokens: Arc::clone(&inputs.extra.tokens),
            outside_gates: Arc::clone(&inputs.registry.outside),
            tenant_tables: inputs.extra.tenants.clone(),
            disabled_tenants: inputs.extra.disabled.clone(),
            shutdown: resolver.shutdown(&raw.shutdown),
            callers: KeyTable::new(callers.iter().map(|c| (c.key.hash, Arc::clone(c)))),
            health,
            watched: Vec::new(),
            declared,
            left_out: Vec::new(),
            ad_hoc: dashmap::DashMap::new(),
        };
        resolver.notes.finish()?;
        snapshot.left_out = resolver.left_out;
        snapshot.watched = resolver.watched.into_iter().collect();
        snapshot.version = inputs.registry.accept(&snapshot.providers, &callers);
        Ok(Arc::new(snapshot))
    }
}

/// Tenants that pay, each once.
fn paying(callers: &[Arc<Caller>]) -> Vec<(TenantId, Arc<Plan>)> {
    let mut seen = HashSet::new();
    let payers = callers.iter().filter_map(|caller| Some((caller, caller.payer.as_ref()?)));
    let new = payers.filter(|(caller, _)| seen.insert(&caller.key.tenant));
    new.map(|(caller, payer)| (caller.key.tenant.clone(), Arc::clone(&payer.plan))).collect()
}

/// What all steps of resolving share.
pub(super) struct Resolver<'a> {
    pub(super) notes: Notes,
    environment: &'a Environment,
    folder: &'a Path,
    /// Files and folders whose change means a reload.
    watched: BTreeSet<PathBuf>,
    /// What the control plane manages and does not fit.
    left_out: Vec<LeftOut>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(document: &'a Document, environment: &'a Environment) -> Self {
        let watched = document.path.iter().cloned().collect();
        let notes = document.notes.clone();
        Self { notes, environment, folder: &document.folder, watched, left_out: Vec::new() }
    }

    /// A relative path is relative to the file that says it.
    fn path(&self, text: &str) -> PathBuf {
        self.folder.join(text)
    }

    fn note<T, E: std::fmt::Display>(
        &mut self,
        span: &std::ops::Range<usize>,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.notes.at(span, error.to_string())).ok()
    }

    /// A time that may be zero.
    fn period(&mut self, at: Option<&At<Period>>, default: Duration) -> Duration {
        at.and_then(|at| self.note(&at.span, at.value.read())).unwrap_or(default)
    }

    /// A time that must not be zero.
    fn positive(&mut self, at: Option<&At<Period>>, default: Duration) -> Duration {
        let period = self.period(at, default);
        if let (true, Some(at)) = (period.is_zero(), at) {
            self.notes.at(&at.span, "must be longer than 0s");
        }
        period
    }

    fn size(&mut self, at: Option<&At<Size>>, default: u64) -> u64 {
        let size = at.and_then(|at| self.note(&at.span, at.value.read())).unwrap_or(default);
        if let (0, Some(at)) = (size, at) {
            self.notes.at(&at.span, "must be more than 0");
        }
        size
    }

    /// A count of at least one.
    fn count<T: Copy + Into<u64>>(&mut self, at: Option<&At<T>>, default: u64) -> u64 {
        let Some(at) = at else { return default };
        let count = at.value.into();
        if count == 0 {
            self.notes.at(&at.span, "must be at least 1");
        }
        count
    }

    /// Each entry is tried alone first, so that every wrong one is told with its line.
    fn addresses(&mut self, list: &[At<String>]) -> AddressSet {
        for at in list {
            let alone = AddressSet::parse(&[at.value.as_str()]);
            self.note(&at.span, alone);
        }
        let all: Vec<&str> = list.iter().map(|at| at.value.as_str()).collect();
        AddressSet::parse(&all).unwrap_or_default()
    }

    fn address_rules(&mut self, allow: &[At<String>], deny: &[At<String>]) -> AddressRules {
        AddressRules { allow: self.addresses(allow), deny: self.addresses(deny), tables: Vec::new() }
    }
}
