//! Access tokens: the hub's own, and those of others.

use super::Resolver;
use super::base::base_url;
use super::limits::limits;
use crate::access::ModelFilter;
use crate::access::jwt::{Algorithm, KeySet, Policy};
use crate::config::at::At;
use crate::config::raw_oauth as raw;
use crate::config::{Issuer, KeySource, LiveKeys, OAuth, Registry, TenantOf};
use crate::types::TenantId;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// A code that lives longer is worth stealing (RFC 6749 §4.1.2).
const LONGEST_CODE: Duration = Duration::from_secs(600);
/// Clocks that differ by more should be set.
const LONGEST_LEEWAY: Duration = Duration::from_secs(600);

impl Resolver<'_> {
    pub(super) fn oauth(&mut self, raw: &raw::OAuth, registry: &Registry) -> (OAuth, Vec<Arc<Issuer>>) {
        let default = OAuth::default();
        let code = self.positive(raw.code.as_ref(), default.code);
        if let (true, Some(at)) = (code > LONGEST_CODE, &raw.code) {
            self.notes.at(&at.span, "must not be longer than 10m");
        }
        let oauth = OAuth {
            enabled: raw.enabled.unwrap_or(default.enabled),
            issuer: raw.issuer.as_ref().and_then(|at| self.own_address(at)),
            access_token: self.positive(raw.access_token.as_ref(), default.access_token),
            refresh_token: self.positive(raw.refresh_token.as_ref(), default.refresh_token),
            code,
            device_code: self.positive(raw.device_code.as_ref(), default.device_code),
        };
        let mut names = HashSet::new();
        let mut issuers = Vec::new();
        for at in &raw.issuers {
            let Some(issuer) = self.issuer(at, registry) else { continue };
            if !names.insert(issuer.policy.issuer.clone()) {
                self.notes.below(&at.span, "issuer", "is there twice");
            }
            issuers.push(Arc::new(issuer));
        }
        (oauth, issuers)
    }

    fn own_address(&mut self, at: &At<String>) -> Option<String> {
        let base = self.note(&at.span, base_url(&at.value))?;
        if !base.path.is_empty() || at.value.ends_with('/') {
            self.notes.at(&at.span, "must be scheme, host and port only, without a slash at the end");
        }
        Some(at.value.clone())
    }

    fn issuer(&mut self, at: &At<raw::Issuer>, registry: &Registry) -> Option<Issuer> {
        let raw = &at.value;
        let audiences: Vec<String> =
            raw.audience.iter().flatten().map(|audience| audience.value.clone()).collect();
        if raw.audience.as_ref().is_some_and(Vec::is_empty) || audiences.iter().any(String::is_empty) {
            self.notes.below(&at.span, "audience", "names nobody, so tokens for others would be taken");
        }
        let algorithms = self.algorithms(raw.algorithms.as_deref());
        let leeway = self.period(raw.leeway.as_ref(), Duration::from_secs(60));
        if let (true, Some(at)) = (leeway > LONGEST_LEEWAY, &raw.leeway) {
            self.notes.at(&at.span, "must not be longer than 10m");
        }
        let tenant = self.tenant_of(at);
        let keys = self.key_source(at, registry);
        let limits = limits!(self, raw);
        for model in &raw.models {
            let alone = ModelFilter::new(vec![model.value.clone()]);
            self.note(&model.span, alone);
        }
        let claim = |at: &Option<At<String>>, default: &str| {
            at.as_ref().map_or_else(|| default.to_owned(), |at| at.value.clone())
        };
        let (source, keys) = keys?;
        Some(Issuer {
            policy: Policy { issuer: raw.issuer.as_ref()?.value.clone(), audiences, algorithms, leeway },
            source,
            keys,
            tenant: tenant?,
            user_claim: claim(&raw.user_claim, "sub"),
            app_claim: claim(&raw.app_claim, "client_id"),
            scope_claim: claim(&raw.scope_claim, "scope"),
            required_scope: raw.required_scope.as_ref().map(|at| at.value.clone()),
            models_claim: raw.models_claim.as_ref().map(|at| at.value.clone()),
            models: raw.models.iter().map(|at| at.value.clone()).collect(),
            limits,
        })
    }

    fn algorithms(&mut self, list: Option<&[At<String>]>) -> Vec<Algorithm> {
        let Some(list) = list else { return vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] };
        let names: Vec<&str> = Algorithm::ALL.iter().map(|(_, name)| *name).collect();
        let known = |at: &At<String>| {
            Algorithm::parse(&at.value)
                .ok_or_else(|| format!("{:?} is none of {}", at.value, names.join(", ")))
        };
        list.iter().filter_map(|at| self.note(&at.span, known(at))).collect()
    }

    fn tenant_of(&mut self, at: &At<raw::Issuer>) -> Option<TenantOf> {
        let raw = &at.value;
        let mut tenants = std::collections::BTreeMap::new();
        for (value, tenant) in &raw.tenants {
            let parsed = self.note(&tenant.span, TenantId::parse(&tenant.value));
            tenants.extend(parsed.map(|tenant| (value.clone(), tenant)));
        }
        match (&raw.tenant, &raw.tenant_claim) {
            (Some(fixed), None) => self.note(&fixed.span, TenantId::parse(&fixed.value)).map(TenantOf::Fixed),
            (None, Some(claim)) => Some(TenantOf::Claim(claim.value.clone(), tenants)),
            (None, None) => {
                self.notes.below(&at.span, "tenant", "is missing; or name the claim in tenant_claim");
                None
            }
            (Some(_), Some(claim)) => {
                self.notes.at(&claim.span, "tenant says already who pays");
                None
            }
        }
    }

    fn key_source(
        &mut self,
        at: &At<raw::Issuer>,
        registry: &Registry,
    ) -> Option<(KeySource, Arc<LiveKeys>)> {
        let raw = &at.value;
        match (&raw.jwks_url, &raw.jwks_file) {
            (Some(url), None) => {
                let base = self.note(&url.span, base_url(&url.value))?;
                let here = matches!(base.host.as_str(), "localhost" | "127.0.0.1" | "[::1]");
                if !base.tls && !here {
                    self.notes.at(&url.span, "must be https: who can change the keys can make tokens");
                }
                Some((KeySource::Url(base), registry.issuer(&url.value)))
            }
            (None, Some(file)) => {
                let path = self.path(&file.value);
                let read = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()));
                let keys = read.and_then(|text| KeySet::parse(&text));
                let keys = self.note(&file.span, keys);
                self.watched.insert(path.clone());
                let live = Arc::new(LiveKeys::default());
                live.take(keys?, crate::types::Wall(0));
                Some((KeySource::File(path), live))
            }
            (None, None) => {
                self.notes.below(&at.span, "jwks_url", "is missing; or name a file in jwks_file");
                None
            }
            (Some(_), Some(file)) => {
                self.notes.at(&file.span, "jwks_url says already where the keys are");
                None
            }
        }
    }
}
