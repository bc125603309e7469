//! From what is managed to what a snapshot takes in.

use super::authority::project_team;
use super::{
    AddressRule, App, Body, Credential, CredentialType, Http2, Key, KeyPair, Kind, Model, OwnerKind,
    Permission, Private, Provider, Record, RuleVerdict, State, Team, Tenant, Vault, key_permissions,
};
use crate::access::{self, AddressRules, AddressSet, AddressTable, KeyHash, ModelFilter, Verdict, network};
use crate::config::{self, CredentialProof, CredentialSpec, Extra, ModelSpec, ProviderSpec, StoredKey};
use crate::limit::Limits;
use crate::types::{KeyId, Party, Secret, TenantId, Wall};
use std::collections::HashMap;
use std::sync::Arc;

/// What a snapshot takes in, until when, and what could not be had.
#[derive(Default)]
pub struct Compiled {
    /// For `config::Inputs`.
    pub extra: Extra,
    /// When something expires next, so that this no longer holds.
    pub until: Option<Wall>,
    /// What is wrong with single records: id and text.
    pub problems: Vec<(Arc<str>, String)>,
}

/// Compiles everything that is in force at `now`.
pub fn compile(state: &State, vault: &Vault, now: Wall) -> Compiled {
    let mut compiled = Compiled::default();
    let rules = Rules::of(state, now, &mut compiled.until);
    let (mut owners, teams) = (HashMap::new(), Teams::of(state));
    for record in state.all(Kind::Key) {
        match keys(state, record, &rules, &teams, now, &mut owners) {
            Ok(keys) => compiled.extra.keys.extend(keys),
            Err(error) => compiled.problems.push((Arc::clone(&record.id), error)),
        }
    }
    let mut providers: Vec<_> = state.each::<Provider>().collect();
    providers.sort_by_key(|(_, provider)| (provider.order, provider.name.clone()));
    for (record, provider) in providers {
        let spec = provider_spec(state, vault, record, provider, now, &mut compiled);
        compiled.extra.providers.push(spec);
    }
    compiled.extra.models = state.each::<Model>().map(|(_, model)| model_spec(model)).collect();
    let quotas = state.each::<super::Quota>();
    compiled.extra.quotas = quotas.map(|(record, quota)| super::quota::spec(record, quota)).collect();
    let policies = state.each::<super::BodyPolicy>();
    compiled.extra.bodies =
        policies.filter_map(|(record, policy)| Some((record.tenant.clone()?, policy.clone()))).collect();
    for (record, text) in state.each::<super::Price>() {
        match text.read() {
            Ok(price) => compiled.extra.prices.push(price),
            Err(_) => compiled.problems.push((Arc::clone(&record.id), "is no price any more".to_owned())),
        }
    }
    compiled.extra.addresses = rules.hub;
    compiled.extra.tenants = rules.tenants;
    let disabled = state.each::<Tenant>().filter(|(_, tenant)| !tenant.enabled.0);
    compiled.extra.disabled = disabled.filter_map(|(record, _)| TenantId::parse(&record.id).ok()).collect();
    compiled
}

/// Notes the earlier of two ends.
fn sooner(until: &mut Option<Wall>, at: Wall) {
    *until = Some(until.map_or(at, |known| known.min(at)));
}

/// The address rules in force, by what they are for.
struct Rules {
    hub: Option<Arc<AddressTable>>,
    tenants: HashMap<TenantId, Arc<AddressTable>>,
    keys: HashMap<String, Arc<AddressTable>>,
}

impl Rules {
    fn of(state: &State, now: Wall, until: &mut Option<Wall>) -> Self {
        let (mut hub, mut tenants, mut keys) =
            (Vec::new(), HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (record, rule) in state.each::<AddressRule>() {
            if let Some(end) = rule.expires_at {
                if end.0 <= now {
                    continue;
                }
                sooner(until, end.0);
            }
            let Some(net) = network(&rule.network) else { continue };
            let entry = (net, verdict(rule.verdict));
            match (&rule.key, &record.tenant) {
                (Some(key), _) => keys.entry(key.clone()).or_default().push(entry),
                (None, Some(tenant)) => tenants.entry(tenant.clone()).or_default().push(entry),
                (None, None) => hub.push(entry),
            }
        }
        let table = |rules: Vec<_>| Arc::new(AddressTable::new(rules));
        Self {
            hub: (!hub.is_empty()).then(|| table(hub)),
            tenants: tenants.into_iter().map(|(tenant, rules)| (tenant, table(rules))).collect(),
            keys: keys.into_iter().map(|(key, rules)| (key, table(rules))).collect(),
        }
    }
}

fn verdict(verdict: RuleVerdict) -> Verdict {
    match verdict {
        RuleVerdict::Allow => Verdict::Allow,
        RuleVerdict::Deny => Verdict::Deny,
    }
}

/// The table of one scope as it would be with these rules, for who wants to know whether they
/// lock themselves out.
pub fn address_table<'r>(rules: impl Iterator<Item = &'r AddressRule>) -> AddressTable {
    AddressTable::new(rules.filter_map(|rule| Some((network(&rule.network)?, verdict(rule.verdict)))))
}

/// May the key's owner and tenant call models? Asked once for each owner, for many keys share one.
type Owners = HashMap<(Option<TenantId>, Option<String>), bool>;

/// Which teams somebody is in.
pub struct Teams<'s>(HashMap<&'s str, Vec<&'s str>>);

impl<'s> Teams<'s> {
    /// Those of this state.
    pub fn of(state: &'s State) -> Self {
        let mut by_member = HashMap::<_, Vec<_>>::new();
        for (record, team) in state.each::<Team>() {
            for member in &team.members {
                by_member.entry(&**member).or_default().push(&*record.id);
            }
        }
        Self(by_member)
    }

    /// The team that somebody's calls count for when nobody says: the only one that they are in.
    pub fn only(&self, user: &str) -> Option<&'s str> {
        match self.0.get(user).map(Vec::as_slice) {
            Some([only]) => Some(*only),
            _ => None,
        }
    }

    /// Who is behind a key.
    fn party(&self, state: &State, key: &Key) -> Arc<Party> {
        let owned = |kind| key.owner.as_ref().filter(|owner| owner.kind == kind).map(|owner| &*owner.id);
        let (user, app) = (owned(OwnerKind::User), owned(OwnerKind::App));
        let by_app = || state.find::<App>(app?).and_then(|app| project_team(state, app));
        let by_user = || self.only(user?);
        let team = key.team.as_deref().or_else(by_app).or_else(by_user);
        Arc::new(Party { user: user.map(Arc::from), app: app.map(Arc::from), team: team.map(Arc::from) })
    }
}

/// A key, once for each secret that works. None at all when it is not for calling models.
fn keys(
    state: &State,
    record: &Arc<Record>,
    rules: &Rules,
    teams: &Teams<'_>,
    now: Wall,
    owners: &mut Owners,
) -> Result<Vec<StoredKey>, String> {
    let (Body::Key(key), Some(secret)) = (&record.body, record.key_secret()) else { return Ok(Vec::new()) };
    if !key.scopes.is_empty() && !key.scopes.contains(&Permission::Inference) {
        return Ok(Vec::new());
    }
    let owner = (record.tenant.clone(), key.owner.as_ref().map(|owner| owner.id.clone()));
    let may = || key_permissions(state, record).is_some_and(|set| set.has(Permission::Inference));
    let able = *owners.entry(owner).or_insert_with(may);
    let enabled = key.enabled.0 && secret.revoked_at.is_none() && able;
    let mut current = stored(record, key, &secret.prefix, secret.hash, enabled, rules)?;
    current.key.party = teams.party(state, key);
    let mut keys = Vec::with_capacity(1);
    if let Some(previous) = secret.previous.as_ref().filter(|previous| previous.until.0 > now) {
        let mut old = current.clone();
        old.key.hash = KeyHash(previous.hash);
        let end = old.key.expires_at.map_or(previous.until.0, |end| end.min(previous.until.0));
        old.key.expires_at = Some(end);
        keys.push(old);
    }
    keys.push(current);
    Ok(keys)
}

fn stored(
    record: &Record,
    key: &Key,
    prefix: &str,
    hash: [u8; 32],
    enabled: bool,
    rules: &Rules,
) -> Result<StoredKey, String> {
    let tenant = match &record.tenant {
        Some(tenant) => tenant.clone(),
        None => TenantId::parse("default").map_err(|error| error.to_string())?,
    };
    let addresses = AddressRules {
        allow: AddressSet::parse(&key.allow)?,
        deny: AddressSet::parse(&key.deny)?,
        tables: rules.keys.get(&*record.id).cloned().into_iter().collect(),
    };
    let made = access::Key {
        id: KeyId::parse(&record.id).map_err(|error| error.to_string())?,
        name: key.name.as_str().into(),
        tenant,
        prefix: prefix.into(),
        hash: KeyHash(hash),
        enabled,
        expires_at: key.expires_at.map(|at| at.0),
        models: ModelFilter::new(key.models.clone())?,
        addresses,
        party: Arc::default(),
    };
    Ok(StoredKey { key: made, limits: limits(key) })
}

fn limits(key: &Key) -> Limits {
    Limits {
        requests_per_minute: key.requests_per_minute,
        tokens_per_minute: key.tokens_per_minute,
        concurrency: key.concurrency,
        day_tokens: key.day_tokens,
        month_tokens: key.month_tokens,
        day_cost: key.day_cost,
        month_cost: key.month_cost,
    }
}

fn provider_spec(
    state: &State,
    vault: &Vault,
    record: &Record,
    provider: &Provider,
    now: Wall,
    compiled: &mut Compiled,
) -> ProviderSpec {
    let mut credentials = Vec::new();
    for (held, credential) in state.each::<Credential>().filter(|(_, c)| *c.provider == *record.id) {
        if let Some(end) = credential.expires_at {
            if end.0 <= now {
                continue;
            }
            sooner(&mut compiled.until, end.0);
        }
        let Private::Credential { sealed, .. } = &held.private else { continue };
        if !credential.enabled.0 {
            continue;
        }
        match vault.open(&format!("credential/{}", held.id), sealed) {
            Ok(secret) => match proof(credential.kind, secret) {
                Some(proof) => credentials.push(CredentialSpec {
                    name: credential.name.clone(),
                    proof,
                    weight: credential.weight.unwrap_or(1),
                    models: credential.models.clone(),
                }),
                None => compiled.problems.push((Arc::clone(&held.id), "holds no pair of keys".to_owned())),
            },
            Err(error) => compiled.problems.push((Arc::clone(&held.id), error.to_string())),
        }
    }
    let timeouts = &provider.timeouts;
    let timeouts = [
        ("connect", &timeouts.connect),
        ("response_header", &timeouts.response_header),
        ("first_token", &timeouts.first_token),
        ("idle", &timeouts.idle),
        ("total", &timeouts.total),
    ];
    let region = provider.region.as_deref().unwrap_or_default();
    ProviderSpec {
        name: provider.name.clone(),
        vendor: provider.vendor.clone(),
        base_url: provider.base_url.as_ref().map(|url| url.replace("{region}", region)),
        strategy: provider.strategy,
        affinity: provider.affinity.0,
        headers: provider.headers.iter().map(|(name, text)| (name.clone(), text.clone())).collect(),
        models: provider.models.clone(),
        timeouts: timeouts.into_iter().filter_map(|(name, time)| Some((name, time.clone()?))).collect(),
        region: provider.region.clone(),
        http2: match provider.http2 {
            None | Some(Http2::Auto) => config::Http2::Auto,
            Some(Http2::Never) => config::Http2::Never,
            Some(Http2::Always) => config::Http2::Always,
        },
        ca: provider.ca.clone(),
        connect_proxy: provider.connect_proxy.clone(),
        credentials,
        enabled: provider.enabled.0,
    }
}

/// What an opened secret proves; `None` when it is not of its kind.
fn proof(kind: CredentialType, secret: Secret) -> Option<CredentialProof> {
    match kind {
        CredentialType::ApiKey | CredentialType::Bearer => Some(CredentialProof::Secret(secret)),
        CredentialType::AccessKeyPair => {
            let pair = KeyPair::parse(secret.expose())?;
            let part = |text: &str| Secret::new(text);
            let token = pair.session_token.as_deref().map(part);
            Some(CredentialProof::Pair(part(&pair.access_key_id), part(&pair.secret_access_key), token))
        }
    }
}

fn model_spec(model: &Model) -> ModelSpec {
    ModelSpec {
        name: model.name.clone(),
        targets: model.targets.iter().map(|target| (target.model.clone(), target.weight)).collect(),
        fallback: model.fallback.clone(),
        cache_ttl: model.cache_ttl.clone(),
    }
}
