//! How credentials and models are at this moment, and what failed last.

use super::call::{Call, Reply};
use super::problem::Problem;
use crate::config::{self, Snapshot, Target};
use crate::control::Provider;
use crate::types::Mono;
use serde_json::{Value, json};

/// What the data plane knows of a credential at this moment.
pub fn of_managed(call: &Call<'_>, shown: &Value) -> Value {
    let state = call.directory.state();
    let provider = shown["provider"].as_str().and_then(|id| state.find::<Provider>(id));
    let name = shown["name"].as_str().unwrap_or_default();
    let Some((snapshot, provider)) = call.directory.snapshot().zip(provider) else { return Value::Null };
    let out = snapshot.left_out.iter().find(|out| out.kind == "provider" && out.name == provider.name);
    if let Some(out) = out {
        let why: Vec<&str> = out.problems.iter().map(|problem| problem.text.as_str()).collect();
        return json!({ "state": "left_out", "reason": why.join("; ") });
    }
    let found = snapshot.providers.get(provider.name.as_str());
    let wanted = format!("{}/{name}", provider.name);
    let found = found.and_then(|found| found.credentials.iter().find(|c| c.id.as_str() == wanted));
    let Some(found) = found else { return json!({ "state": "not_in_use" }) };
    of_credential(found, call.directory.clock.mono())
}

fn of_credential(credential: &config::Credential, now: Mono) -> Value {
    let health = &credential.health;
    json!({
        "state": health.state(now).name(),
        "in_flight": health.in_flight(),
        "latency_ms": health.latency(now).map(|latency| u64::try_from(latency.as_millis()).unwrap_or(u64::MAX)),
        "last_failure": health.last_fault(now).map(|(fault, ago)| json!({
            "reason": fault.name(),
            "seconds_ago": ago.as_secs(),
        })),
    })
}

/// May a credential be asked for a model now?
fn serves(credential: &config::Credential, model: &str, now: Mono) -> bool {
    let meant = credential.models.is_empty() || credential.models.iter().any(|own| own == model);
    meant && !matches!(credential.health.standing(now), crate::route::Standing::Until(_))
}

/// `GET /health`: every credential and every public model.
pub fn all(call: &Call<'_>) -> Result<Reply, Problem> {
    let Some(snapshot) = call.directory.snapshot() else {
        return Err(Problem::conflict("no data plane runs"));
    };
    let now = call.directory.clock.mono();
    Ok(Reply::ok(json!({ "credentials": credentials(&snapshot, now), "models": models(&snapshot, now) })))
}

fn credentials(snapshot: &Snapshot, now: Mono) -> Vec<Value> {
    let mut shown = Vec::new();
    for provider in snapshot.providers.values() {
        for credential in &provider.credentials {
            let mut one = of_credential(credential, now);
            one["id"] = json!(credential.id.as_str());
            one["provider"] = json!(provider.name.as_str());
            shown.push(one);
        }
    }
    shown.sort_by(|a, b| a["id"].as_str().cmp(&b["id"].as_str()));
    shown
}

/// A model serves when one of its targets has a credential that may be asked. The targets say why not.
fn models(snapshot: &Snapshot, now: Mono) -> Vec<Value> {
    let target = |target: &Target| {
        let credentials = &target.provider.credentials;
        let able = credentials.iter().filter(|one| serves(one, &target.upstream_model, now)).count();
        json!({ "model": format!("{}/{}", target.provider.name, target.upstream_model), "credentials": credentials.len(), "able": able })
    };
    let mut shown: Vec<Value> = snapshot
        .models
        .iter()
        .map(|(name, model)| {
            let targets: Vec<Value> = model.targets.iter().chain(&model.fallback).map(target).collect();
            let serving = targets.iter().any(|target| target["able"] != 0);
            json!({ "name": name.as_str(), "serving": serving, "targets": targets })
        })
        .collect();
    shown.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    shown
}
