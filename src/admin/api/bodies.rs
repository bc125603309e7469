//! Kept bodies: listed, read, deleted. Each reading and each deletion is in the audit log.

use super::call::{Call, Reply};
use super::crud::{self, take_tenant};
use super::problem::Problem;
use crate::admin::directory::{Doomed, Gone};
use crate::control::{BodyPolicy, Entry, KeptBody, Kind, Outcome, Permission, Target, VaultError};
use crate::types::TenantId;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::ops::ControlFlow;

const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;
/// What the list is asked by.
pub const BODY_QUERY: &[&str] = &["limit", "after", "tenant", "user", "key", "model"];

/// `POST /body-policies`: refused where nothing could be kept, because bodies are sealed, and where
/// the file has a policy for the tenant, because that goes first.
pub fn create_policy(call: &Call<'_>) -> Result<Reply, Problem> {
    let tenant = take_tenant(call, Kind::BodyPolicy, &mut call.object()?)?;
    call.needs(Permission::BodyPoliciesWrite, tenant.as_ref())?;
    if call.directory.vault().master().is_none() {
        return Err(Problem::conflict(VaultError::NoMaster.to_string()));
    }
    let declared = |tenant: &TenantId| {
        let snapshot = call.directory.snapshot();
        snapshot.is_some_and(|snapshot| snapshot.declared.bodies.contains(tenant.as_str()))
    };
    if let Some(tenant) = tenant.filter(declared) {
        let text = format!("the configuration file says already what is kept of {:?}", tenant.as_str());
        return Err(Problem::conflict(text));
    }
    crud::create::<BodyPolicy>(call)
}

/// Which bodies are to go: all of the tenant, or those of a request or for a user.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deletion {
    /// The tenant.
    pub tenant: String,
    /// Only this request's.
    #[serde(default)]
    pub request: Option<String>,
    /// Only those for this user, as the key or the caller has named them.
    #[serde(default)]
    pub user: Option<String>,
}

fn unreadable(error: String) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, error)
}

/// The tenants that who asks may see, of those that have bodies.
fn within_sight(call: &Call<'_>) -> Result<Vec<TenantId>, Problem> {
    let mut tenants = call.directory.tenants_with_bodies().map_err(unreadable)?;
    tenants.retain(|tenant| call.may(Permission::BodiesRead, Some(tenant)));
    if let Some(wanted) = call.asked("tenant") {
        tenants.retain(|tenant| tenant.as_str() == wanted);
    }
    Ok(tenants)
}

/// `GET /bodies`: what there is, without what was said.
pub fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    let limit = match call.asked("limit").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(limit)) if (1..=LARGEST_PAGE).contains(&limit) => limit,
        Some(_) => return Err(Problem::bad_request(format!("limit is a number from 1 to {LARGEST_PAGE}"))),
    };
    let after = call.asked("after").unwrap_or_default();
    let fits = |body: &KeptBody| {
        body.id.as_str() > after
            && call.asked("user").is_none_or(|user| body.users.iter().any(|one| one == user))
            && call.asked("key").is_none_or(|key| body.key == key)
            && call.asked("model").is_none_or(|model| body.model == model)
    };
    let mut found = Vec::new();
    for tenant in within_sight(call)? {
        let mut of_tenant = 0;
        let each = &mut |body: KeptBody| {
            if fits(&body) {
                of_tenant += 1;
                found.push(body);
            }
            if of_tenant > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        call.directory.bodies(&tenant, each).map_err(unreadable)?;
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|body| body.id.clone());
    let items: Vec<Value> = found.iter().map(about).collect();
    let dropped = call.directory.bodies_dropped();
    Ok(Reply::ok(json!({ "items": items, "next": next, "dropped": dropped })))
}

/// A body without what was said.
fn about(body: &KeptBody) -> Value {
    json!({
        "id": body.id,
        "tenant": body.tenant,
        "at": body.at,
        "key": body.key,
        "users": body.users,
        "model": body.model,
        "status": body.status,
        "request_bytes": body.request.len(),
        "response_bytes": body.response.len(),
    })
}

/// `GET /bodies/{id}`: what was said. The audit log knows who has read it before they have.
pub fn read(call: &Call<'_>) -> Result<Reply, Problem> {
    for tenant in within_sight(call)? {
        let mut found = None;
        let each = &mut |body: KeptBody| match body.id == call.id {
            true => {
                found = Some(body);
                ControlFlow::Break(())
            }
            false => ControlFlow::Continue(()),
        };
        call.directory.bodies(&tenant, each).map_err(unreadable)?;
        if let Some(body) = found {
            let entry = entry(call, &tenant, json!({ "request": body.id }));
            call.directory.record(entry)?;
            return Ok(Reply::ok(serde_json::to_value(&body).unwrap_or_default()));
        }
    }
    Err(Problem::not_found())
}

fn entry(call: &Call<'_>, tenant: &TenantId, after: Value) -> Entry {
    let target = Target { kind: Kind::Tenant, id: tenant.as_str().to_owned(), tenant: Some(tenant.clone()) };
    Entry { target: Some(target), after: Some(after), ..call.entry(Outcome::Done, None) }
}

/// `POST /bodies/delete`: what went is named in the audit log by a digest over all of it, and so is
/// the key that was destroyed.
pub fn delete(call: &Call<'_>) -> Result<Reply, Problem> {
    let asked: Deletion = call.typed()?;
    let tenant =
        TenantId::parse(&asked.tenant).map_err(|error| Problem::fault("tenant", error.to_string()))?;
    call.needs(Permission::BodiesDelete, Some(&tenant))?;
    let doomed = Doomed { tenant: &tenant, request: asked.request.as_deref(), user: asked.user.as_deref() };
    let proof = |gone: &Gone| {
        json!({
            "bodies": gone.rows,
            "digest": gone.digest,
            "destroyed_key": gone.key,
            "request": asked.request,
            "user": asked.user,
        })
    };
    let gone = call.directory.delete_bodies(&doomed, |gone| entry(call, &tenant, proof(gone)));
    let gone = gone.map_err(unreadable)?;
    Ok(Reply::ok(proof(&gone)))
}
