//! Credentials: written once, never read back; tested by a real call; put
//! under another master key while everything runs.

use super::call::{Call, Reply, typed};
use super::crud::{fresh_id, made, patched, to_change, to_write};
use super::problem::Problem;
use crate::control::{
    Change, Credential, Kind, Private, Provider, RANDOM_BYTES, Record, Resource, Sealed, Vault,
};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Longest secret that a vendor gives out.
const LONGEST_SECRET: usize = 16 * 1024;
/// Characters that are shown of a secret, and never more than a fifth of it.
const MOST_SHOWN: usize = 4;

/// The member that holds a secret on its way in.
fn take_secret(map: &mut Map<String, Value>) -> Result<Option<String>, Problem> {
    match map.remove("secret") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(secret)) => {
            let secret = secret.trim();
            if secret.is_empty() || secret.len() > LONGEST_SECRET || secret.chars().any(char::is_control) {
                return Err(Problem::fault("secret", "is empty, too long, or has control characters"));
            }
            Ok(Some(secret.to_owned()))
        }
        Some(_) => Err(Problem::fault("secret", "is no text")),
    }
}

fn owner_of(id: &str) -> String {
    format!("credential/{id}")
}

fn seal(vault: &Vault, id: &str, secret: &str) -> Result<Sealed, Problem> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random)
        .map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("no randomness: {error}")))?;
    vault.seal(&owner_of(id), secret, random).map_err(|error| Problem::conflict(error.to_string()))
}

/// What people see of a secret: enough to tell two apart.
fn masked(secret: &str) -> String {
    let shown = MOST_SHOWN.min(secret.chars().count() / 5);
    let end: Vec<char> = secret.chars().rev().take(shown).collect();
    format!("…{}", end.into_iter().rev().collect::<String>())
}

/// `POST /credentials`
pub fn create(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut map = call.object()?;
    let secret = take_secret(&mut map)?;
    let body: Credential = typed(map)?;
    call.needs(to_write(Kind::Credential), None)?;
    let Some(secret) = secret else { return Err(Problem::fault("secret", "is missing")) };
    let id = fresh_id(Kind::Credential);
    let private =
        Private::Credential { sealed: seal(&call.directory.vault(), &id, &secret)?, masked: masked(&secret) };
    call.directory.change(|state| {
        let record = Record::new(&id, None, body.clone().body(), private.clone(), call.now);
        made(call, vec![call.step(state, None, record)?], Vec::new())
    })
}

/// `PATCH /credentials/{id}`: with a new `secret`, or without.
pub fn update(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut patch = call.object()?;
    let secret = take_secret(&mut patch)?;
    call.directory.change(|state| {
        let before = to_change(call, state, Kind::Credential)?;
        let Some(old) = before.is::<Credential>() else { return Err(Problem::not_found()) };
        let body = patched(old, &patch)?;
        let private = match &secret {
            Some(secret) => Private::Credential {
                sealed: seal(&call.directory.vault(), &before.id, secret)?,
                masked: masked(secret),
            },
            None => before.private.clone(),
        };
        let after = before.next(body.body(), private, call.now);
        let change = call.step(state, Some(before), after)?;
        let record = change.after.clone().ok_or_else(Problem::not_found)?;
        Ok((Reply::record(&record), call.draft(vec![change])))
    })
}

/// `POST /vault/rewrap`: puts every secret under the master key in use.
pub fn rewrap(call: &Call<'_>) -> Result<Reply, Problem> {
    let vault = call.directory.vault();
    call.directory.change(|state| {
        let mut changes = Vec::new();
        let holders = [Kind::Credential, Kind::User, Kind::Webhook];
        for record in holders.into_iter().flat_map(|kind| state.all(kind)) {
            let Some(private) = rewrapped(&vault, record)? else { continue };
            let after = Record { private, ..Record::clone(record) };
            let (kind, id) = (record.body.kind(), Arc::clone(&record.id));
            changes.push(Change { kind, id, before: Some(Arc::clone(record)), after: Some(Arc::new(after)) });
        }
        let count = changes.len();
        let mut draft = call.draft(changes);
        if count == 0 {
            draft.entries.push(call.entry(crate::control::Outcome::Done, None));
        }
        Ok((Reply::ok(json!({ "rewrapped": count, "master_key": vault.master() })), draft))
    })
}

/// A record's private part under the master key in use; `None` when there is nothing to do.
fn rewrapped(vault: &Vault, record: &Record) -> Result<Option<Private>, Problem> {
    let nonce = nonce()?;
    let (owner, sealed) = match &record.private {
        Private::Webhook(secret) => return super::webhooks::rewrapped(vault, record, secret, nonce),
        Private::Credential { sealed, .. } => (owner_of(&record.id), sealed),
        Private::User { totp: Some(sealed), .. } => (format!("totp/{}", record.id), sealed),
        _ => return Ok(None),
    };
    let again = vault.rewrap(&owner, sealed, nonce);
    let again = again.map_err(|error| Problem::conflict(format!("{}: {error}", record.id)))?;
    Ok(again.map(|sealed| match &record.private {
        Private::Credential { masked, .. } => Private::Credential { sealed, masked: masked.clone() },
        Private::User { password, totp_step, .. } => {
            Private::User { password: password.clone(), totp: Some(sealed), totp_step: *totp_step }
        }
        other => other.clone(),
    }))
}

fn nonce() -> Result<[u8; 12], Problem> {
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce)
        .map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("no randomness: {error}")))?;
    Ok(nonce)
}

/// `POST /credentials/{id}/test`: the cheapest real call, and the vendor's own words.
pub fn test(call: &Call<'_>) -> Result<Reply, Problem> {
    let state = call.directory.state();
    let record = to_change(call, &state, Kind::Credential)?;
    let provider =
        record.is::<Credential>().and_then(|credential| state.find::<Provider>(&credential.provider));
    let (Some(credential), Some(provider)) = (record.is::<Credential>(), provider) else {
        return Err(Problem::not_found());
    };
    let answer = call.directory.probe(&provider.name, &credential.name).map_err(Problem::conflict)?;
    call.directory.note(call.entry(crate::control::Outcome::Done, None));
    Ok(Reply::ok(json!({ "works": answer.works, "status": answer.status, "words": answer.words })))
}

/// What the data plane knows of a credential at this moment.
pub fn health(call: &Call<'_>, shown: &Value) -> Value {
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
    let now = call.directory.clock.mono();
    json!({
        "state": found.health.state(now).name(),
        "in_flight": found.health.in_flight(),
        "last_failure": found.health.last_fault(now).map(|(fault, ago)| json!({
            "reason": fault.name(),
            "seconds_ago": ago.as_secs(),
        })),
    })
}
