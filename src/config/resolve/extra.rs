//! Providers and models of the control plane, resolved as if they stood in the
//! file, each for itself.

use super::Resolver;
use super::aws::{Proof, signing_region};
use super::providers::Providers;
use crate::catalogue::Catalogue;
use crate::config::at::{At, Period};
use crate::config::extra::{CredentialProof, CredentialSpec, LeftOut, ModelSpec, ProviderSpec};
use crate::config::problems::Notes;
use crate::config::raw::{self, TargetItem, TextOrSecret, WeightedTarget};
use crate::config::{Clocks, Http2, Model, Problem, Provider, Registry};
use crate::provider::{Auth, AwsKeys, vendor};
use crate::types::ModelName;
use std::collections::HashMap;
use std::sync::Arc;

/// Gives each value a place of its own, so that problems name its field.
struct Places<'n> {
    notes: &'n mut Notes,
    next: usize,
}

impl Places<'_> {
    fn at<T>(&mut self, field: &str, value: T) -> At<T> {
        self.next += 1;
        let span = self.next..self.next;
        self.notes.name(&span, field);
        At { span, value }
    }
}

impl Resolver<'_> {
    pub(super) fn extra_providers(
        &mut self,
        specs: &[ProviderSpec],
        clocks: Clocks,
        registry: &Registry,
        providers: &mut Providers,
    ) {
        for spec in specs {
            if providers.declared.contains(&spec.name) {
                self.leave_out("provider", &spec.name, vec![taken()]);
                continue;
            }
            let (provider, problems) = self.apart(|own| own.extra_provider(spec, clocks, registry));
            providers.declared.insert(spec.name.clone());
            match provider {
                Some(ready) if problems.is_empty() => {
                    if spec.enabled && !ready.credentials.is_empty() {
                        providers.ready.insert(ready.name.clone(), Arc::new(ready));
                    }
                }
                _ => self.leave_out("provider", &spec.name, problems),
            }
        }
    }

    fn extra_provider(
        &mut self,
        spec: &ProviderSpec,
        clocks: Clocks,
        registry: &Registry,
    ) -> Option<Provider> {
        let raw = raw_provider(spec, &mut Places { notes: &mut self.notes, next: 0 });
        let at = At { span: 0..0, value: raw };
        let mut provider = self.provider(&at, clocks, registry)?;
        let mut found = Vec::new();
        let region = signing_region(&at.value, Some(&provider.base), spec.region.as_deref());
        for CredentialSpec { name, proof, weight, models } in &spec.credentials {
            let proof = match proof {
                CredentialProof::Secret(secret) => Proof::Secret(secret.clone()),
                CredentialProof::Pair(id, secret, token) => {
                    let Some(region) = region.as_deref() else {
                        let text = "is missing; a pair of keys signs for a region";
                        self.notes.push(&(0..0), "region".into(), text);
                        continue;
                    };
                    Proof::Keys(AwsKeys::new(id.expose(), secret, token.as_ref(), region))
                }
            };
            let made =
                super::providers::credential(&provider.name, name, proof, *weight, models.clone(), registry);
            found.extend(made);
        }
        if found.is_empty() && !provider.vendor.auth.needs_key() {
            found.extend(super::providers::credential(
                &provider.name,
                "default",
                Proof::Nothing,
                1,
                Vec::new(),
                registry,
            ));
        }
        provider.credentials = found;
        if let Some(text) = &spec.ca {
            let place = Places { notes: &mut self.notes, next: usize::MAX / 2 }.at("ca", ());
            provider.ca = Some(self.certificates(&place.span, "it", text)?);
            provider.connection_hash = super::providers::connection_hash(&provider);
        }
        Some(provider)
    }

    pub(super) fn extra_models(
        &mut self,
        specs: &[ModelSpec],
        clocks: Clocks,
        (providers, catalogue): (&Providers, &Catalogue),
        models: &mut HashMap<ModelName, Arc<Model>>,
    ) {
        for spec in specs {
            if models.contains_key(spec.name.as_str()) {
                self.leave_out("model", &spec.name, vec![taken()]);
                continue;
            }
            let (model, problems) = self.apart(|own| {
                let raw = raw_model(spec, &mut Places { notes: &mut own.notes, next: 0 });
                own.model(&At { span: 0..0, value: raw }, clocks, providers, catalogue)
            });
            match model {
                Some(model) if problems.is_empty() => {
                    models.insert(model.name.clone(), Arc::new(model));
                }
                _ => self.leave_out("model", &spec.name, problems),
            }
        }
    }

    fn leave_out(&mut self, kind: &'static str, name: &str, problems: Vec<Problem>) {
        self.left_out.push(LeftOut { kind, name: name.to_owned(), problems });
    }

    /// Does something whose problems are not those of the file.
    fn apart<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> (T, Vec<Problem>) {
        let own = std::mem::replace(&mut self.notes, Notes::new("", ""));
        let value = work(self);
        let notes = std::mem::replace(&mut self.notes, own);
        let problems = notes.finish().err().map(|problems| problems.0).unwrap_or_default();
        (value, problems.into_iter().map(|problem| Problem { line: None, ..problem }).collect())
    }
}

fn taken() -> Problem {
    let text = "the configuration file has something of this name, and wins".to_owned();
    Problem { file: String::new(), line: None, key: "name".to_owned(), text }
}

fn raw_provider(spec: &ProviderSpec, places: &mut Places<'_>) -> raw::Provider {
    let mut timeouts = raw::Timeouts::default();
    for (name, period) in &spec.timeouts {
        let place = match *name {
            "connect" => &mut timeouts.connect,
            "response_header" => &mut timeouts.response_header,
            "first_token" => &mut timeouts.first_token,
            "idle" => &mut timeouts.idle,
            _ => &mut timeouts.total,
        };
        *place = Some(places.at(&format!("timeouts.{name}"), Period(period.clone())));
    }
    let header = |(name, text): &(String, String), places: &mut Places<'_>| {
        (name.clone(), places.at(&format!("headers.{name}"), TextOrSecret::Text(text.clone())))
    };
    raw::Provider {
        name: Some(places.at("name", spec.name.clone())),
        vendor: Some(places.at("vendor", spec.vendor.clone())),
        base_url: spec.base_url.clone().map(|url| places.at("base_url", url)),
        // Elsewhere it only stands in the address.
        region: spec.region.clone().filter(|_| signs(&spec.vendor)).map(|region| places.at("region", region)),
        http2: Some(match spec.http2 {
            Http2::Auto => raw::Http2::Auto,
            Http2::Never => raw::Http2::Never,
            Http2::Always => raw::Http2::Always,
        }),
        connect_proxy: spec.connect_proxy.clone().map(|url| places.at("connect_proxy", url)),
        // Its secrets are not in the environment; they are put in afterwards.
        enabled: Some(false),
        strategy: spec.strategy,
        affinity: Some(spec.affinity),
        headers: spec.headers.iter().map(|pair| header(pair, places)).collect(),
        models: spec
            .models
            .as_ref()
            .map(|list| list.iter().map(|model| places.at("models", model.clone())).collect()),
        timeouts,
        ..raw::Provider::default()
    }
}

/// Does the vendor take signatures?
fn signs(name: &str) -> bool {
    vendor(name).is_some_and(|vendor| matches!(vendor.auth, Auth::SigV4(_)))
}

fn raw_model(spec: &ModelSpec, places: &mut Places<'_>) -> raw::Model {
    let mut targets = Vec::new();
    for (index, (target, weight)) in spec.targets.iter().enumerate() {
        let field = format!("targets[{index}]");
        let weighted = WeightedTarget {
            model: Some(target.clone()),
            weight: Some(places.at(&format!("{field}.weight"), *weight)),
        };
        targets.push(places.at(&field, TargetItem::Weighted(weighted)));
    }
    let fallback = spec.fallback.iter().enumerate();
    let fallback = fallback
        .map(|(index, target)| places.at(&format!("fallback[{index}]"), TargetItem::Text(target.clone())));
    let fallback = fallback.collect();
    raw::Model {
        name: Some(places.at("name", spec.name.clone())),
        targets: Some(targets),
        fallback,
        cache_ttl: spec.cache_ttl.clone().map(|ttl| places.at("cache_ttl", Period(ttl))),
        ..raw::Model::default()
    }
}
