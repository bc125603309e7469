//! What the hub tells of itself.

use super::call::{Call, Reply};
use super::problem::Problem;
use crate::control::{BuiltIn, Kind, PERMISSIONS, Private, Proofs, Reach};
use crate::provider::VENDORS;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `GET /openapi.json`
pub fn openapi(_: &Call<'_>) -> Result<Reply, Problem> {
    Ok(Reply::ok(super::openapi::document()))
}

/// `GET /permissions`: the matrix.
pub fn permissions(_: &Call<'_>) -> Result<Reply, Problem> {
    let rows = PERMISSIONS.iter().map(|row| {
        let roles: Vec<&str> = row.roles.iter().map(|role| role.name()).collect();
        let reach = match row.reach {
            Reach::Hub => "hub",
            Reach::Tenant => "tenant",
        };
        json!({ "permission": row.name, "reach": reach, "roles": roles, "what": row.what })
    });
    Ok(Reply::ok(json!({ "items": rows.collect::<Vec<Value>>(), "next": null })))
}

/// `GET /roles/built-in`
pub fn built_in_roles(_: &Call<'_>) -> Result<Reply, Problem> {
    let roles = BuiltIn::ALL.iter().map(|role| {
        let permissions: Vec<_> = role.permissions().iter().collect();
        json!({ "id": role.name(), "name": role.name(), "permissions": permissions, "source": "built_in" })
    });
    Ok(Reply::ok(json!({ "items": roles.collect::<Vec<Value>>(), "next": null })))
}

/// `GET /vendors`
pub fn vendors(_: &Call<'_>) -> Result<Reply, Problem> {
    let vendors = VENDORS.iter().map(|vendor| {
        json!({
            "name": vendor.name,
            "title": vendor.title,
            "base_url": (!vendor.base_url.is_empty()).then_some(vendor.base_url),
            "needs_key": vendor.auth.needs_key(),
        })
    });
    Ok(Reply::ok(json!({ "items": vendors.collect::<Vec<Value>>(), "next": null })))
}

/// `GET /vault`
pub fn vault(call: &Call<'_>) -> Result<Reply, Problem> {
    let state = call.directory.state();
    let mut under: BTreeMap<String, u64> = BTreeMap::new();
    for record in state.all(Kind::Credential).chain(state.all(Kind::User)) {
        if let Private::Credential { sealed, .. } | Private::User(Proofs { totp: Some(sealed), .. }) =
            &record.private
        {
            *under.entry(sealed.master.clone()).or_default() += 1;
        }
    }
    Ok(Reply::ok(json!({ "master_key": call.directory.vault().master(), "secrets": under })))
}

/// `GET /status`
pub fn status(call: &Call<'_>) -> Result<Reply, Problem> {
    let version = call.directory.snapshot().map(|snapshot| snapshot.version);
    Ok(Reply::ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "has_owner": call.directory.state().has_owner(),
        "configuration": version,
    })))
}

/// `GET /left-out`
pub fn left_out(call: &Call<'_>) -> Result<Reply, Problem> {
    let snapshot = call.directory.snapshot();
    let mut items: Vec<Value> = Vec::new();
    for out in snapshot.iter().flat_map(|snapshot| &snapshot.left_out) {
        let problems: Vec<Value> =
            out.problems.iter().map(|p| json!({ "field": p.key, "detail": p.text })).collect();
        items.push(json!({ "kind": out.kind, "name": out.name, "errors": problems }));
    }
    for (id, text) in call.directory.compile().problems {
        let problems = json!([{ "field": "", "detail": text }]);
        items.push(json!({ "kind": "record", "name": &*id, "errors": problems }));
    }
    Ok(Reply::ok(json!({ "items": items, "next": null })))
}
