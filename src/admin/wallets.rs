//! Wallets: what tenants have, and operations on them. Each operation has an
//! id and happens once, so that whoever got no answer may simply ask again.

use super::{Control, blocking, problem};
use crate::ledger::wallet::{Balances, Done, LotBalance, Operation, Sheet, Source, Task};
use crate::types::{Pico, TenantId, Wall};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// What is to be done to a wallet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewOperation {
    /// Makes it happen once. Without one, each request is another operation.
    pub id: Option<String>,
    /// Credits, a decimal string; below zero they are taken back.
    pub amount: Option<Pico>,
    /// Where they come from; an adjustment if it is not said.
    pub source: Option<Source>,
    /// Lower is spent first; as the source has it if it is not said.
    pub priority: Option<u8>,
    /// Seconds since the epoch; from then on what is left cannot be spent.
    pub expires_at: Option<i64>,
    /// Why, for people.
    pub reason: String,
}

impl NewOperation {
    /// The operation.
    ///
    /// # Errors
    /// Says which field is wrong.
    pub fn make(self, tenant: &str, now: Wall) -> Result<Operation, String> {
        let tenant = TenantId::parse(tenant).map_err(|e| e.to_string())?;
        let amount = self.amount.ok_or("amount is missing")?;
        let expires_at = self.expires_at.map(|s| Wall(s.saturating_mul(1_000_000)));
        let task = if amount < Pico::ZERO {
            if self.source.is_some() || self.priority.is_some() || expires_at.is_some() {
                return Err("credits that are taken back have no source, priority or expiry".into());
            }
            Task::Reclaim { amount: Pico::ZERO.saturating_sub(amount) }
        } else {
            let source = self.source.unwrap_or(Source::Adjustment);
            Task::Issue { source, amount, priority: self.priority, expires_at }
        };
        // Ids that the hub makes itself have a colon, too, but never begin so.
        let id = self.id.map_or_else(
            || format!("once:{}", uuid::Uuid::now_v7().as_simple()),
            |id| format!("operator:{id}"),
        );
        let operation = Operation { id: id.into(), tenant, reason: self.reason.into(), task };
        operation.check(now)?;
        Ok(operation)
    }
}

/// An operation as it is shown. `done` is false when it had been done before.
pub fn shown_done(operation: &Operation, done: &Done, fresh: bool) -> Value {
    let id = operation.id.strip_prefix("operator:").unwrap_or(&operation.id);
    json!({
        "id": id, "done": fresh, "tenant": done.tenant.as_str(), "lot": done.lot, "amount": done.amount,
    })
}

/// A wallet as it is shown.
pub fn shown_wallet(tenant: &TenantId, sheet: &Sheet, now: Wall) -> Value {
    let live = sheet.lots.iter().filter(|lot| !lot.lot.is_over(now));
    let available = live.fold(Pico::ZERO, |sum, lot| sum.saturating_add(lot.left));
    json!({
        "tenant": tenant.as_str(),
        "available": available,
        "held": sheet.held(),
        "charged": sheet.charged,
        "lots": sheet.lots.iter().map(shown_lot).collect::<Vec<_>>(),
        "members": sheet.members.iter().map(|m| json!({ "name": m.name, "spent": m.spent })).collect::<Vec<_>>(),
    })
}

fn shown_lot(LotBalance { lot, left, held }: &LotBalance) -> Value {
    json!({
        "id": lot.id, "source": lot.source, "priority": lot.priority, "amount": lot.amount,
        "left": left, "held": held, "expires_at": lot.expires_at.map(|at| at.seconds()),
    })
}

/// All wallets, and the hub's own accounts, as they are shown.
pub fn shown_wallets(balances: &Balances, now: Wall) -> Value {
    let mut wallets: Vec<_> = balances.sheets().collect();
    wallets.sort_by_key(|(tenant, _)| *tenant);
    let wallets: Vec<_> =
        wallets.into_iter().map(|(tenant, sheet)| shown_wallet(tenant, sheet, now)).collect();
    let totals = balances.totals();
    let issued: serde_json::Map<_, _> = Source::ALL
        .iter()
        .zip(totals.issued)
        .map(|(source, amount)| (source.name().to_owned(), json!(Pico::ZERO.saturating_sub(amount))))
        .collect();
    json!({
        "wallets": wallets,
        "issued": issued,
        "revenue": totals.revenue,
        "expired": totals.expired,
        "written_off": totals.written_off,
        "vendor_cost": totals.vendor_cost,
    })
}

pub(super) async fn list(State(control): State<Arc<Control>>) -> Response {
    let now = control.clock.wall();
    match blocking(move || control.store.balances().map_err(|e| e.to_string())).await {
        Ok(balances) => Json(shown_wallets(&balances, now)).into_response(),
        Err(response) => response,
    }
}

pub(super) async fn show(State(control): State<Arc<Control>>, Path(tenant): Path<String>) -> Response {
    let Ok(tenant) = TenantId::parse(&tenant) else {
        return problem(StatusCode::NOT_FOUND, "no such wallet");
    };
    let now = control.clock.wall();
    match blocking(move || control.store.balances().map_err(|e| e.to_string())).await {
        Ok(balances) => match balances.wallet(&tenant) {
            Some(sheet) => Json(shown_wallet(&tenant, sheet, now)).into_response(),
            None => problem(StatusCode::NOT_FOUND, "no such wallet"),
        },
        Err(response) => response,
    }
}

pub(super) async fn operate(
    State(control): State<Arc<Control>>,
    Path(tenant): Path<String>,
    body: String,
) -> Response {
    let asked = serde_json::from_str::<NewOperation>(&body).map_err(|e| e.to_string());
    let operation = match asked.and_then(|asked| asked.make(&tenant, control.clock.wall())) {
        Ok(operation) => operation,
        Err(error) => return problem(StatusCode::BAD_REQUEST, error),
    };
    let asked = operation.clone();
    let done = blocking(move || control.store.operate(asked).map_err(|e| e.to_string())).await;
    match done {
        Ok((done, _)) if done.tenant != operation.tenant => {
            problem(StatusCode::CONFLICT, "this id was used for another tenant")
        }
        Ok((done, fresh)) => {
            let status = if fresh { StatusCode::CREATED } else { StatusCode::OK };
            (status, Json(shown_done(&operation, &done, fresh))).into_response()
        }
        Err(response) => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_done_is_refused_with_a_reason() {
        let now = Wall(1_767_225_600_000_000);
        let asked = |text: &str| serde_json::from_str::<NewOperation>(text).map_err(|e| e.to_string());
        let made = |text: &str| asked(text).and_then(|asked| asked.make("acme", now));
        for bad in [
            "{}",
            r#"{"amount":"0"}"#,
            r#"{"amount":1}"#,
            r#"{"amount":"1e3"}"#,
            r#"{"amount":"1000000001"}"#,
            r#"{"amount":"-1","source":"grant"}"#,
            r#"{"amount":"1","expires_at":1}"#,
            r#"{"amount":"1","expiry":1}"#,
        ] {
            assert!(made(bad).is_err(), "{bad}");
        }
        assert!(asked(r#"{"amount":"1"}"#).unwrap().make("no tenant", now).is_err());
        let good = made(r#"{"id":"x","amount":"-2.5","reason":"fraud"}"#).unwrap();
        assert_eq!((&*good.id, good.task), ("operator:x", Task::Reclaim { amount: Pico(2_500_000_000_000) }));
    }
}
