//! From the name a caller wrote to the model it means.

use super::{Model, Snapshot, Target};
use crate::types::ModelName;
use std::sync::Arc;

/// Names of the form `provider/model` that are kept. Callers choose these
/// names, so there is a bound; past it they are built anew for each request.
const MOST_KEPT: usize = 10_000;

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
        let target = Target { provider: Arc::clone(provider), upstream_model: upstream.into(), weight: 1 };
        Some(Model { name, targets: vec![target], fallback: Vec::new(), cache: None, clocks: None })
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
