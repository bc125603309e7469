//! Prices that are managed. A row is never changed, because what was charged
//! by it must stay computable; a new price is a row with a later `valid_from`.

use super::call::{Call, Reply};
use super::crud::{remove as remove_any, to_change};
use super::problem::Problem;
use crate::config::Snapshot;
use crate::control::{Fault, Kind, Moment, Price};
use crate::ledger::{self, PriceTable};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// `DELETE /prices/{id}`: of a row that has not begun to hold, so that nothing was charged by it.
pub fn remove(call: &Call<'_>) -> Result<Reply, Problem> {
    let state = call.directory.state();
    let record = to_change(call, &state, Kind::Price)?;
    let row = record.is::<Price>().and_then(|text| text.read().ok());
    if row.is_some_and(|row| row.valid_from <= call.now) {
        return Err(Problem::conflict(
            "it holds already, and what was charged by it must stay computable; make a row with a later \
             valid_from",
        ));
    }
    remove_any::<Price>(call)
}

/// `POST /prices/preview`: what a row would change. Nothing is written.
pub fn preview(call: &Call<'_>) -> Result<Reply, Problem> {
    let text: Price = call.typed()?;
    let row = text.read().map_err(|faults| {
        Problem::faults(faults.into_iter().map(|(field, detail)| Fault::new(field, detail)).collect())
    })?;
    let Some(snapshot) = call.directory.snapshot() else {
        return Err(Problem::conflict("no data plane runs"));
    };
    let vendor = vendor_of(&snapshot, &row.provider);
    let model = row.model.trim_end_matches('*');
    let before = snapshot.prices.find(&row.provider, vendor, model, row.valid_from);
    Ok(Reply::ok(json!({
        "id": row.id,
        "before": before.map(|before| before.told()),
        "after": row.told(),
        "changes": changes(before.map(|before| &**before), &row),
        "tiers_change": before.is_none_or(|before| before.tiers != row.tiers),
    })))
}

/// `GET /prices/drift`: rows in force that are not the hub's own, where its list says otherwise. Such
/// a row is a contract, or one that nobody has looked at since the vendor's price changed.
pub fn drift(call: &Call<'_>) -> Result<Reply, Problem> {
    let Some(snapshot) = call.directory.snapshot() else {
        return Err(Problem::conflict("no data plane runs"));
    };
    let listed = PriceTable::built_in()
        .map_err(|problems| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, problems.join("; ")))?;
    let listed = PriceTable::new(listed);
    let mut items = Vec::new();
    for own in snapshot.prices.rows().filter(|row| listed.by_id(&row.id).is_none()) {
        let (vendor, model) = (vendor_of(&snapshot, &own.provider), own.model.trim_end_matches('*'));
        let found = |table: &PriceTable| table.find(&own.provider, vendor, model, call.now).cloned();
        let Some(list) =
            found(&listed).filter(|_| found(&snapshot.prices).is_some_and(|row| row.id == own.id))
        else {
            continue;
        };
        let changes = changes(Some(&list), own);
        if list.tiers != own.tiers || changes.as_array().is_some_and(|changes| !changes.is_empty()) {
            items.push(json!({
                "id": own.id,
                "provider": own.provider,
                "model": own.model,
                "valid_from": Moment(own.valid_from),
                "listed_from": Moment(list.valid_from),
                "list_is_newer": list.valid_from > own.valid_from,
                "changes": changes,
                "tiers_change": list.tiers != own.tiers,
            }));
        }
    }
    items.sort_by_key(|item| (item["provider"].to_string(), item["model"].to_string()));
    Ok(Reply::ok(json!({ "items": items, "next": null })))
}

/// The vendor of a configured provider; nothing for other names.
fn vendor_of<'s>(snapshot: &'s Snapshot, provider: &str) -> &'s str {
    snapshot.providers.get(provider).map_or("", |provider| provider.vendor.name)
}

/// Rates that are others than before.
fn changes(before: Option<&ledger::Price>, after: &ledger::Price) -> Value {
    let rate = |price: Option<&ledger::Price>, wanted: &str| {
        price.and_then(|price| price.rates.named().find(|(name, _)| *name == wanted).map(|(_, rate)| rate))
    };
    let names = after.rates.named().map(|(name, _)| name);
    let changed = names.filter(|name| rate(before, name) != rate(Some(after), name));
    let told = |name: &str| {
        let text = |price| rate(price, name).map(|rate| rate.to_string());
        json!({ "rate": name, "before": text(before), "after": text(Some(after)) })
    };
    changed.map(told).collect()
}

/// Rows of price files, the built-in one among them, which nobody manages.
pub(super) fn of_files(call: &Call<'_>) -> Vec<Value> {
    let Some(snapshot) = call.directory.snapshot() else { return Vec::new() };
    let state = call.directory.state();
    let managed: BTreeSet<_> =
        state.each::<Price>().filter_map(|(_, text)| Some(text.read().ok()?.id)).collect();
    let rows = snapshot.prices.rows().filter(|row| !managed.contains(&row.id));
    let shown = |row: &std::sync::Arc<ledger::Price>| {
        let mut shown = serde_json::to_value(row.told()).unwrap_or_default();
        shown["id"] = json!(row.id);
        shown["source"] = "file".into();
        shown
    };
    rows.map(shown).collect()
}
