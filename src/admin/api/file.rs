//! What the configuration file declares, shown like what is managed, and
//! marked as what cannot be changed here.

use super::call::Call;
use super::crud::to_read;
use crate::config::{Caller, Snapshot};
use crate::control::{Kind, Moment};
use crate::types::TenantId;
use serde_json::{Value, json};

/// Things of a kind that the file (or, for providers, the environment) declares and that who
/// asks may see, by id.
pub fn of_the_file(call: &Call<'_>, kind: Kind) -> Vec<Value> {
    if !call.principal.permissions.has(to_read(kind)) {
        return Vec::new();
    }
    let Some(snapshot) = call.directory.snapshot() else { return Vec::new() };
    let mut shown = match kind {
        Kind::Tenant => tenants(call, &snapshot),
        Kind::Key => keys(call, &snapshot),
        Kind::Provider => providers(call, &snapshot),
        Kind::Credential => credentials(call, &snapshot),
        Kind::Model => models(&snapshot),
        Kind::Quota => quotas(call, &snapshot),
        Kind::BodyPolicy => body_policies(call, &snapshot),
        Kind::Price => super::prices::of_files(call),
        _ => Vec::new(),
    };
    shown.sort_by(|a, b| a["id"].as_str().cmp(&b["id"].as_str()));
    shown
}

fn tenants(call: &Call<'_>, snapshot: &Snapshot) -> Vec<Value> {
    let visible = |id: &&String| match &call.principal.tenant {
        Some(own) => own.as_str() == id.as_str(),
        None => true,
    };
    let tenants = snapshot.declared.tenants.iter().filter(visible);
    tenants
        .map(|id| json!({ "id": id, "name": id, "enabled": true, "comment": "", "source": "file" }))
        .collect()
}

/// Those of the file are known by not being managed.
fn quotas(call: &Call<'_>, snapshot: &Snapshot) -> Vec<Value> {
    let state = call.directory.state();
    let of_file = snapshot.quotas.quotas().all().iter().filter(|quota| {
        state.get(Kind::Quota, &quota.id).is_none() && call.principal.reaches(quota.tenant.as_ref())
    });
    let shown = |quota: &std::sync::Arc<crate::config::Quota>| {
        let mut shown = serde_json::to_value(&quota.spec.text).unwrap_or_default();
        shown["id"] = json!(&*quota.id);
        shown["tenant"] = json!(quota.tenant);
        shown["source"] = "file".into();
        shown
    };
    of_file.map(shown).collect()
}

/// There is one for each tenant at most, so the tenant's name does for an id.
fn body_policies(call: &Call<'_>, snapshot: &Snapshot) -> Vec<Value> {
    let declared = |tenant: &&TenantId| snapshot.declared.bodies.contains(tenant.as_str());
    let visible = |tenant: &&TenantId| call.principal.reaches(Some(tenant));
    let mut list = Vec::new();
    for tenant in snapshot.bodies.keys().filter(declared).filter(visible) {
        let Some(policy) = snapshot.bodies.get(tenant) else { continue };
        let mut shown = serde_json::to_value(policy.told()).unwrap_or_default();
        shown["id"] = json!(tenant);
        shown["tenant"] = json!(tenant);
        shown["source"] = "file".into();
        list.push(shown);
    }
    list
}

fn keys(call: &Call<'_>, snapshot: &Snapshot) -> Vec<Value> {
    let of_file =
        snapshot.callers.iter().filter(|caller| snapshot.declared.keys.contains(caller.key.id.as_str()));
    of_file
        .filter(|caller| call.principal.reaches(Some(&caller.key.tenant)))
        .map(|caller| key(caller))
        .collect()
}

fn key(caller: &Caller) -> Value {
    let (key, limits) = (&caller.key, &caller.limits);
    json!({
        "id": key.id.as_str(),
        "name": &*key.name,
        "tenant": key.tenant.as_str(),
        "owner": null,
        "prefix": &*key.prefix,
        "enabled": key.enabled,
        "expires_at": key.expires_at.map(Moment),
        "scopes": [],
        "models": key.models.patterns(),
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "concurrency": limits.concurrency,
        "day_tokens": limits.day_tokens,
        "month_tokens": limits.month_tokens,
        "day_cost": limits.day_cost,
        "month_cost": limits.month_cost,
        "source": "file",
    })
}

/// Providers that nobody manages, with whether the file or the environment has them.
fn providers(call: &Call<'_>, snapshot: &Snapshot) -> Vec<Value> {
    let state = call.directory.state();
    let managed: std::collections::HashSet<&str> =
        state.each::<crate::control::Provider>().map(|(_, provider)| provider.name.as_str()).collect();
    let mut shown = Vec::new();
    for provider in snapshot.providers.values() {
        let name = provider.name.as_str();
        let of_file = snapshot.declared.providers.contains(name);
        if !of_file && managed.contains(name) {
            continue;
        }
        let base = &provider.base;
        let scheme = if base.tls { "https" } else { "http" };
        shown.push(json!({
            "id": name,
            "name": name,
            "vendor": provider.vendor.name,
            "base_url": format!("{scheme}://{}:{}{}", base.host, base.port, base.path),
            "enabled": true,
            "models": provider.models,
            "source": if of_file { "file" } else { "environment" },
        }));
    }
    for name in &snapshot.declared.providers {
        if !snapshot.providers.contains_key(name.as_str()) {
            shown.push(json!({ "id": name, "name": name, "enabled": false, "source": "file" }));
        }
    }
    shown
}

fn credentials(call: &Call<'_>, snapshot: &Snapshot) -> Vec<Value> {
    let mut shown = Vec::new();
    for provider in providers(call, snapshot) {
        let name = provider["name"].as_str().unwrap_or_default();
        let Some(found) = snapshot.providers.get(name) else { continue };
        for credential in &found.credentials {
            let own = credential.id.as_str().strip_prefix(name).and_then(|rest| rest.strip_prefix('/'));
            shown.push(json!({
                "id": credential.id.as_str(),
                "provider": name,
                "name": own.unwrap_or_default(),
                "weight": credential.weight,
                "models": credential.models,
                "enabled": true,
                "source": provider["source"],
            }));
        }
    }
    shown
}

fn models(snapshot: &Snapshot) -> Vec<Value> {
    let of_file = |name: &&String| snapshot.models.contains_key(name.as_str());
    let target = |target: &crate::config::Target| json!({ "model": format!("{}/{}", target.provider.name, target.upstream_model), "weight": target.weight });
    let shown = |name: &String| {
        let model = snapshot.models.get(name.as_str());
        let targets: Vec<Value> = model.iter().flat_map(|model| &model.targets).map(target).collect();
        let fallback: Vec<Value> = model
            .iter()
            .flat_map(|model| &model.fallback)
            .map(|target| json!(format!("{}/{}", target.provider.name, target.upstream_model)))
            .collect();
        json!({ "id": name, "name": name, "targets": targets, "fallback": fallback, "source": "file" })
    };
    snapshot.declared.models.iter().filter(of_file).map(shown).collect()
}
