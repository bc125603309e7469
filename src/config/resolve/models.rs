//! Public model names: aliases, groups, fallbacks.

use super::Resolver;
use super::providers::Providers;
use crate::catalogue::Catalogue;
use crate::config::at::At;
use crate::config::check::nearest;
use crate::config::raw::TargetItem;
use crate::config::{Clocks, Model, Target, raw};
use crate::types::ModelName;
use std::collections::HashMap;
use std::sync::Arc;

const LARGEST_WEIGHT: u32 = 1_000_000;

impl Resolver<'_> {
    pub(super) fn models(
        &mut self,
        raw: &raw::File,
        clocks: Clocks,
        providers: &Providers,
        catalogue: &Catalogue,
    ) -> HashMap<ModelName, Arc<Model>> {
        let mut models = HashMap::new();
        for at in &raw.model {
            let Some(model) = self.model(at, clocks, providers, catalogue) else { continue };
            let name = model.name.clone();
            if models.insert(name.clone(), Arc::new(model)).is_some() {
                self.notes.below(&at.span, "name", format!("{name} is already the name of another model"));
            }
        }
        models
    }

    fn model(
        &mut self,
        at: &At<raw::Model>,
        clocks: Clocks,
        providers: &Providers,
        catalogue: &Catalogue,
    ) -> Option<Model> {
        let raw = &at.value;
        let name = raw.name.as_ref().and_then(|name| self.note(&name.span, ModelName::parse(&name.value)));
        let items = raw.targets.as_deref().unwrap_or_default();
        if raw.targets.is_some() && items.is_empty() {
            self.notes.below(&at.span, "targets", "names no target; write \"provider/model\"");
        }
        if !items.is_empty() && items.iter().all(|item| weight(&item.value) == 0) {
            self.notes.below(&at.span, "targets", "all have weight 0; give one of them more");
        }
        let model = Model {
            targets: self.targets(items, providers, catalogue),
            fallback: self.targets(&raw.fallback, providers, catalogue),
            cache: raw.cache_ttl.as_ref().map(|at| self.cache_policy(at)),
            clocks: raw.timeouts.as_ref().map(|timeouts| self.clocks(timeouts, clocks)),
            name: name?,
        };
        Some(model)
    }

    fn targets(
        &mut self,
        items: &[At<TargetItem>],
        providers: &Providers,
        catalogue: &Catalogue,
    ) -> Vec<Target> {
        items.iter().filter_map(|item| self.target(item, providers, catalogue)).collect()
    }

    /// `None` when it is wrong, and also when its provider is switched off.
    fn target(
        &mut self,
        item: &At<TargetItem>,
        providers: &Providers,
        catalogue: &Catalogue,
    ) -> Option<Target> {
        let text = match &item.value {
            TargetItem::Text(text) => text,
            TargetItem::Weighted(weighted) => weighted.model.as_ref()?,
        };
        let weight = weight(&item.value);
        if weight > LARGEST_WEIGHT {
            self.notes.at(&item.span, format!("the weight is more than {LARGEST_WEIGHT}"));
        }
        let Some((provider, model)) = text.split_once('/').filter(|(p, m)| !p.is_empty() && !m.is_empty())
        else {
            self.notes.at(&item.span, format!("{text:?} is no target; write it like \"provider/model\""));
            return None;
        };
        let Some(found) = providers.ready.get(provider) else {
            self.unknown_provider(item, provider, providers);
            return None;
        };
        if found.models.as_ref().is_some_and(|list| !list.iter().any(|m| m == model)) {
            self.notes.at(&item.span, format!("{model} is not among the models of provider {provider}"));
        }
        Some(Target::new(Arc::clone(found), model, weight, catalogue))
    }

    fn unknown_provider(&mut self, item: &At<TargetItem>, provider: &str, providers: &Providers) {
        if providers.declared.contains(provider) {
            return;
        }
        let known: Vec<&str> = providers.declared.iter().map(String::as_str).collect();
        let hint = match nearest(provider, &known) {
            Some(near) => format!("did you mean {near}?"),
            None => "declare it with [[provider]]".to_owned(),
        };
        self.notes.at(&item.span, format!("there is no provider {provider}; {hint}"));
    }
}

fn weight(item: &TargetItem) -> u32 {
    match item {
        TargetItem::Text(_) => 1,
        TargetItem::Weighted(weighted) => weighted.weight.as_ref().map_or(1, |at| at.value),
    }
}
