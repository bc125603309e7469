//! From the name a caller wrote to the model it means.

use super::{Model, Provider, Snapshot, Target};
use crate::catalogue::{Catalogue, Day, Life};
use crate::tokens::{self, Family};
use crate::types::ModelName;
use std::sync::Arc;

/// Names of the form `provider/model` that are kept. Callers choose these
/// names, so there is a bound; past it they are built anew for each request.
const MOST_KEPT: usize = 10_000;

impl Target {
    /// A target, with what is known of its model.
    pub fn new(provider: Arc<Provider>, model: &str, weight: u32, catalogue: &Catalogue) -> Self {
        let card = catalogue.find(provider.name.as_str(), provider.vendor.name, model);
        Self { provider, upstream_model: model.into(), weight, card }
    }

    /// The vocabulary of the model, and whether that is known: the catalogue's word, or what its
    /// name says.
    pub fn family(&self) -> (Family, bool) {
        let said = self.card.as_deref().and_then(|card| card.tokenizer);
        said.map_or_else(|| tokens::family(&self.upstream_model), |family| (family, true))
    }

    fn notice(&self, today: Day) -> Option<String> {
        let name = format!("{}/{}", self.provider.name, self.upstream_model);
        let Some(card) = &self.card else {
            let listed = self.provider.vendor.is_listed;
            return listed.then(|| format!("{name} is not in the catalogue: is it spelt right?"));
        };
        match (card.life(today), card.retires) {
            (Life::Active, _) => None,
            (Life::Retired, Some(day)) => Some(format!("{name} was to be taken away on {day}")),
            (_, Some(day)) => Some(format!("{name} will be taken away on {day}")),
            (_, None) => Some(format!("{name} is deprecated")),
        }
    }
}

impl Snapshot {
    /// The model a caller named: an alias or group, or `provider/model`, where
    /// the provider exists and, if it lists its models, lists this one.
    pub fn model(&self, name: &str) -> Option<Arc<Model>> {
        if let Some(model) = self.models.get(name) {
            return Some(Arc::clone(model));
        }
        if let Some(model) = self.ad_hoc.get(name) {
            return Some(Arc::clone(&model));
        }
        let model = Arc::new(self.direct(name)?);
        if self.ad_hoc.len() < MOST_KEPT {
            self.ad_hoc.insert(name.into(), Arc::clone(&model));
        }
        Some(model)
    }

    /// All public names, sorted: aliases, groups, and listed models of providers.
    pub fn model_names(&self) -> Vec<String> {
        let declared = self.models.keys().map(|name| name.as_str().to_owned());
        let listed = self.providers.values().flat_map(|provider| {
            let models = provider.models.iter().flatten();
            models.map(|model| format!("{}/{model}", provider.name))
        });
        let mut names: Vec<String> = declared.chain(listed).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn direct(&self, name: &str) -> Option<Model> {
        let (provider, upstream) = name.split_once('/')?;
        let provider = self.providers.get(provider)?;
        if upstream.is_empty()
            || provider.models.as_ref().is_some_and(|list| !list.iter().any(|m| m == upstream))
        {
            return None;
        }
        let name = ModelName::parse(name).ok()?;
        let target = Target::new(Arc::clone(provider), upstream, 1, &self.catalogue);
        Some(Model { name, targets: vec![target], fallback: Vec::new(), cache: None, clocks: None })
    }

    /// What an operator should know of the configured models on a day: which ones
    /// end, and which ones nobody knows, as a misspelt name would be.
    pub fn notices(&self, today: Day) -> Vec<String> {
        let mut targets: Vec<&Target> =
            self.models.values().flat_map(|model| model.targets.iter().chain(&model.fallback)).collect();
        let listed = self.providers.values().flat_map(|provider| {
            let models = provider.models.iter().flatten();
            models.map(|model| Target::new(Arc::clone(provider), model, 1, &self.catalogue))
        });
        let listed: Vec<Target> = listed.collect();
        targets.extend(&listed);
        let mut notices: Vec<String> =
            targets.into_iter().filter_map(|target| target.notice(today)).collect();
        notices.sort_unstable();
        notices.dedup();
        notices
    }

    /// Sections that differ from `other` and that only a restart can change.
    pub fn needs_restart(&self, other: &Snapshot) -> Vec<&'static str> {
        let fixed = [
            ("public", self.public != other.public),
            ("admin", self.admin != other.admin),
            ("data", self.data_dir != other.data_dir),
            ("ledger", self.ledger != other.ledger),
            ("health", format!("{:?}", self.health) != format!("{:?}", other.health)),
            ("cache.max_size", self.cache.max_bytes != other.cache.max_bytes),
        ];
        fixed.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect()
    }
}
