//! Keys of callers: those of the file, and those of the store.

use super::limits::limits;
use super::{Inputs, QuotaTable, Resolver, StoredKey};
use crate::access::{Key, KeyHash, ModelFilter, Pepper};
use crate::config::at::At;
use crate::config::{Billing, Caller, Declared, Plan, raw};
use crate::ledger::wallet::Member;
use crate::types::{KeyId, Party, TenantId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Shorter keys can be guessed.
const SHORTEST_KEY: usize = 16;

/// Most characters of a key that people see, and never more than a third of it.
const MOST_SHOWN: usize = 12;

impl Resolver<'_> {
    pub(super) fn callers(
        &mut self,
        keys: &[At<raw::Key>],
        pepper: &Pepper,
        billing: Option<&Billing>,
        quotas: &QuotaTable,
        inputs: &Inputs<'_>,
    ) -> (Vec<Arc<Caller>>, Declared) {
        let mut ids = HashSet::new();
        let mut hashes: HashMap<KeyHash, KeyId> = HashMap::new();
        let mut callers = Vec::new();
        let mut declared = Declared::default();
        for at in keys {
            let Some(mut caller) = self.caller(at, pepper, billing, inputs) else { continue };
            caller.quotas = quotas.of(&caller.key);
            declared.keys.insert(caller.key.id.as_str().to_owned());
            declared.tenants.insert(caller.key.tenant.as_str().to_owned());
            caller.key.addresses.tables.extend(inputs.extra.tenants.get(&caller.key.tenant).cloned());
            if !ids.insert(caller.key.id.clone()) {
                self.notes.below(
                    &at.span,
                    "id",
                    format!("{} is already the id of another key", caller.key.id),
                );
            }
            if let Some(other) = hashes.insert(caller.key.hash, caller.key.id.clone()) {
                self.notes.below(&at.span, "secret", format!("is the same as that of key {other}"));
            }
            callers.push(Arc::new(caller));
        }
        let stored = inputs.extra.keys.iter().filter(|s| !ids.contains(&s.key.id));
        callers.extend(stored.map(|s| Arc::new(stored_caller(s, billing, quotas, inputs))));
        (callers, declared)
    }

    fn caller(
        &mut self,
        at: &At<raw::Key>,
        pepper: &Pepper,
        billing: Option<&Billing>,
        inputs: &Inputs<'_>,
    ) -> Option<Caller> {
        let raw = &at.value;
        let id = raw.id.as_ref().and_then(|id| self.note(&id.span, KeyId::parse(&id.value)));
        let tenant = match &raw.tenant {
            Some(tenant) => self.note(&tenant.span, TenantId::parse(&tenant.value)),
            None => TenantId::parse("default").ok(),
        };
        let secret = raw.secret.as_ref().and_then(|s| self.secret(&s.span, &s.value));
        let limits = limits!(self, raw);
        let models = self.model_filter(&raw.models);
        let addresses = self.address_rules(&raw.allow, &raw.deny);
        let expires_at = raw.expires_at.as_ref().and_then(|at| self.note(&at.span, at.value.read()));
        let cache = raw.cache_ttl.as_ref().map(|at| self.cache_policy(at));
        let (id, tenant, secret) = (id?, tenant?, secret?);
        if secret.expose().len() < SHORTEST_KEY {
            self.notes.below(&at.span, "secret", format!("is shorter than {SHORTEST_KEY} characters"));
        }
        let key = Key {
            name: raw.name.as_deref().unwrap_or(id.as_str()).into(),
            tenant,
            prefix: shown(secret.expose()).into(),
            hash: pepper.hash(secret.expose()),
            enabled: raw.enabled.unwrap_or(true),
            expires_at,
            models,
            addresses,
            party: party(raw),
            id,
        };
        let gate = inputs.registry.gate(&key.id);
        let mut payer = billing.and_then(|billing| billing.payer(&key.tenant));
        if let (Some(payer), Some(at)) = (&mut payer, &raw.member) {
            payer.member = self.member(&payer.plan, at);
        }
        Some(Caller { key, limits, gate, quotas: Arc::default(), cache, payer })
    }

    fn member(&mut self, plan: &Plan, at: &At<String>) -> Option<Member> {
        let found = plan.members.iter().find(|member| *member.name == *at.value);
        if found.is_none() {
            self.notes.at(&at.span, format!("the key's tenant has no [[billing.member]] {:?}", at.value));
        }
        found.cloned()
    }

    fn model_filter(&mut self, list: &[At<String>]) -> ModelFilter {
        for at in list {
            let alone = ModelFilter::new(vec![at.value.clone()]);
            self.note(&at.span, alone);
        }
        ModelFilter::new(list.iter().map(|at| at.value.clone()).collect()).unwrap_or_default()
    }
}

/// On whose behalf a key of the file calls.
fn party(raw: &raw::Key) -> Arc<Party> {
    let id = |text: &Option<String>| text.as_deref().map(Arc::from);
    Arc::new(Party { user: id(&raw.user), app: id(&raw.app), team: id(&raw.team) })
}

fn stored_caller(
    stored: &StoredKey,
    billing: Option<&Billing>,
    quotas: &QuotaTable,
    inputs: &Inputs<'_>,
) -> Caller {
    let mut key = stored.key.clone();
    key.addresses.tables.extend(inputs.extra.tenants.get(&key.tenant).cloned());
    Caller {
        payer: billing.and_then(|billing| billing.payer(&key.tenant)),
        quotas: quotas.of(&key),
        key,
        limits: stored.limits.clone(),
        gate: inputs.registry.gate(&stored.key.id),
        cache: None,
    }
}

fn shown(secret: &str) -> String {
    secret.chars().take(MOST_SHOWN.min(secret.chars().count() / 3)).collect()
}
