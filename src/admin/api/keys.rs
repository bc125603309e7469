//! Keys: made with a secret that is shown once, rotated with an overlap,
//! revoked for good.

use super::call::{Call, Reply, typed};
use super::crud::{made, take_tenant, to_change};
use super::problem::Problem;
use crate::access;
use crate::control::{
    App, Key, KeySecret, Kind, Moment, OwnerKind, Permission, Previous, Private, Record, Resource, State,
    User,
};
use crate::types::TenantId;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// The longest time that a rotated secret may go on working.
pub(super) const LONGEST_OVERLAP: u64 = 30 * 24 * 60 * 60;

/// A new secret, and the rest of it: id, shown characters.
fn secret() -> Result<access::NewKey, Problem> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| unavailable(format!("no randomness: {error}")))?;
    Ok(access::generate(random))
}

fn unavailable(text: impl Into<String>) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, text)
}

/// `POST /keys`
pub fn create(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut map = call.object()?;
    let named = map.contains_key("tenant");
    let asked = take_tenant(call, Kind::Key, &mut map)?;
    let mut body: Key = typed(map)?;
    let own_only = !call.principal.permissions.has(Permission::KeysWrite);
    if own_only && body.owner.is_none() {
        body.owner = call.principal.as_owner();
    }
    let new = secret()?;
    let hash = call.directory.pepper().map_err(unavailable)?.hash(new.secret.expose()).0;
    call.directory.change(|state| {
        let tenant = if named { asked.clone() } else { place(state, &body, asked.clone()) };
        let writes = call.may(Permission::KeysWrite, tenant.as_ref());
        let own = call.may(Permission::KeysOwn, tenant.as_ref()) && call.principal.owns(body.owner.as_ref());
        if !writes && !own {
            return Err(Problem::forbidden("you may make keys of your own only"));
        }
        let secret = KeySecret { prefix: new.prefix.clone(), hash, previous: None, revoked_at: None };
        let private = Private::Key(secret);
        let record = Record::new(new.id.as_str(), tenant, body.clone().body(), private, call.now);
        let change = call.step(state, None, record)?;
        made(call, vec![change], vec![("secret", Value::String(new.secret.expose().to_owned()))])
    })
}

/// Where a key belongs when nobody says: to its owner's tenant, else to `default`.
fn place(state: &State, key: &Key, asked: Option<TenantId>) -> Option<TenantId> {
    match &key.owner {
        Some(owner) => {
            let kind = match owner.kind {
                OwnerKind::User => User::KIND,
                OwnerKind::App => App::KIND,
            };
            state.get(kind, &owner.id).map_or(asked, |owner| owner.tenant.clone())
        }
        None => asked.or_else(|| TenantId::parse("default").ok()),
    }
}

/// How a key is rotated.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rotation {
    /// So many seconds the old secret goes on working. Default: 0.
    pub overlap_seconds: u64,
}

/// `POST /keys/{id}/rotate`
pub fn rotate(call: &Call<'_>) -> Result<Reply, Problem> {
    let Rotation { overlap_seconds } = call.typed()?;
    if overlap_seconds > LONGEST_OVERLAP {
        return Err(Problem::fault("overlap_seconds", format!("is more than {LONGEST_OVERLAP}")));
    }
    let new = secret()?;
    let hash = call.directory.pepper().map_err(unavailable)?.hash(new.secret.expose()).0;
    call.directory.change(|state| {
        let before = to_change(call, state, Kind::Key)?;
        let Some(old) = before.key_secret() else { return Err(Problem::not_found()) };
        if old.revoked_at.is_some() {
            return Err(Problem::conflict("the key was revoked; that is for good"));
        }
        let until = Moment(call.now.after(Duration::from_secs(overlap_seconds)));
        let previous = (overlap_seconds > 0).then_some(Previous { hash: old.hash, until });
        let secret = KeySecret { prefix: new.prefix.clone(), hash, previous, revoked_at: None };
        let after = before.next(before.body.clone(), Private::Key(secret), call.now);
        let change = call.step(state, Some(before), after)?;
        let record = change.after.clone().ok_or_else(Problem::not_found)?;
        let once = vec![("secret", Value::String(new.secret.expose().to_owned()))];
        Ok((Reply { once, ..Reply::record(&record) }, call.draft(vec![change])))
    })
}

/// `DELETE /keys/{id}`: revokes it.
pub fn remove(call: &Call<'_>) -> Result<Reply, Problem> {
    revoke(call).map(|_| Reply::nothing())
}

/// `POST /keys/{id}/revoke` and `DELETE /keys/{id}`: at once and for good. The key stays in lists,
/// so that its history keeps a name.
pub fn revoke(call: &Call<'_>) -> Result<Reply, Problem> {
    call.directory.change(|state| {
        let before = to_change(call, state, Kind::Key)?;
        let (Some(old), Some(key)) = (before.key_secret(), before.is::<Key>()) else {
            return Err(Problem::not_found());
        };
        let now = Moment(call.now);
        let revoked_at = old.revoked_at.or(Some(now));
        let secret = KeySecret { previous: None, revoked_at, ..old.clone() };
        let body = Key { enabled: crate::control::Switch(false), ..key.clone() };
        let after = before.next(body.body(), Private::Key(secret), call.now);
        let change = call.removal(state, before)?;
        let change = crate::control::Change { after: Some(std::sync::Arc::new(after)), ..change };
        let record = change.after.clone().ok_or_else(Problem::not_found)?;
        Ok((Reply::record(&record), call.draft(vec![change])))
    })
}
