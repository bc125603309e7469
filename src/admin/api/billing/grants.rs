//! Wallets as people with permissions see and change them. Each change is an
//! operation with an id, and leaves its trace in the audit log.

use super::tenant;
use crate::admin::api::call::{Call, Reply};
use crate::admin::api::problem::Problem;
use crate::admin::till;
use crate::admin::wallets::{NewOperation, shown_done, shown_wallet, shown_wallets};
use crate::control::{Entry, Kind, Moment, Outcome, Target};
use crate::ledger::wallet::{Balances, Sheet, Source};
use crate::types::{Pico, TenantId};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Credits to be given.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["amount"]))]
pub struct NewGrant {
    /// Makes it happen once. Without one, each request is another grant.
    pub id: Option<String>,
    /// Credits, a decimal string.
    #[schemars(with = "String")]
    pub amount: Pico,
    /// purchase, grant, promotion or refund. Default: grant.
    #[schemars(with = "Option<String>")]
    pub source: Option<Source>,
    /// Lower is spent first. Default: as the source has it.
    pub priority: Option<u8>,
    /// When what is left goes. Default: never.
    pub expires_at: Option<Moment>,
    /// Why, for people.
    pub reason: String,
}

/// A correction.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["amount", "reason"]))]
pub struct NewAdjustment {
    /// Makes it happen once. Without one, each request is another correction.
    pub id: Option<String>,
    /// Credits, a decimal string; below zero they are taken back.
    #[schemars(with = "String")]
    pub amount: Pico,
    /// Why, for people.
    pub reason: String,
}

fn balances(call: &Call<'_>) -> Result<Balances, Problem> {
    let store = call.directory.store();
    store.balances().map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
}

/// `GET /wallets`: all of them; one's own, for who belongs to a tenant.
pub fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    let balances = balances(call)?;
    let Some(own) = &call.principal.tenant else {
        return Ok(Reply::ok(shown_wallets(&balances, call.now)));
    };
    let wallet = balances.wallet(own).map(|sheet| shown_wallet(own, sheet, call.now));
    Ok(Reply::ok(json!({ "wallets": wallet.into_iter().collect::<Vec<_>>() })))
}

/// `GET /wallets/{id}`
pub fn read(call: &Call<'_>) -> Result<Reply, Problem> {
    let tenant = tenant(call)?;
    let balances = balances(call)?;
    let nothing = Sheet::default();
    Ok(Reply::ok(shown_wallet(&tenant, balances.wallet(&tenant).unwrap_or(&nothing), call.now)))
}

/// `POST /wallets/{id}/grants`
pub fn grant(call: &Call<'_>) -> Result<Reply, Problem> {
    let tenant = tenant(call)?;
    let NewGrant { id, amount, source, priority, expires_at, reason } = call.typed()?;
    if amount <= Pico::ZERO {
        return Err(Problem::fault("amount", "must be more than 0; an adjustment takes credits back"));
    }
    let source = Some(source.unwrap_or(Source::Grant));
    let expires_at = expires_at.map(|at| at.0.seconds());
    operate(call, &tenant, NewOperation { id, amount: Some(amount), source, priority, expires_at, reason })
}

/// `POST /wallets/{id}/adjustments`
pub fn adjust(call: &Call<'_>) -> Result<Reply, Problem> {
    let tenant = tenant(call)?;
    let NewAdjustment { id, amount, reason } = call.typed()?;
    if reason.trim().is_empty() {
        return Err(Problem::fault("reason", "is missing"));
    }
    operate(call, &tenant, NewOperation { id, amount: Some(amount), reason, ..NewOperation::default() })
}

fn operate(call: &Call<'_>, tenant: &TenantId, new: NewOperation) -> Result<Reply, Problem> {
    let operation = new
        .make(tenant.as_str(), call.now)
        .map_err(|text| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text))?;
    let (done, fresh) = till::operate(call.directory, operation.clone())?;
    if done.tenant != *tenant {
        return Err(Problem::conflict("this id was used for another tenant"));
    }
    let shown = shown_done(&operation, &done, fresh);
    if fresh {
        note(call, tenant, &operation.reason, shown.clone());
    }
    let status = if fresh { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Reply { status, ..Reply::ok(shown) })
}

/// What was done to a wallet, for the audit log.
pub(super) fn note(call: &Call<'_>, tenant: &TenantId, reason: &str, what: Value) {
    let target = Target { kind: Kind::Tenant, id: tenant.to_string(), tenant: Some(tenant.clone()) };
    let reason = (!reason.is_empty()).then(|| reason.to_owned());
    let entry = Entry { target: Some(target), after: Some(what), ..call.entry(Outcome::Done, reason) };
    call.directory.note(entry);
}
