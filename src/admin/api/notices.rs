//! Which notices there are, and what became of those that were sent.

use super::call::{Call, Reply};
use super::problem::Problem;
use crate::control::{Kind, Permission, Webhook};
use crate::notify::{Delivery, Page, State};
use crate::types::{NOTICES, TenantId};
use serde_json::{Map, Value, json};

const PAGE: usize = 50;
const LARGEST_PAGE: usize = 500;
/// What deliveries are asked by.
pub const DELIVERY_QUERY: &[&str] = &["limit", "after", "state", "webhook"];

/// `GET /notices`: the table of kinds.
pub fn kinds(_: &Call<'_>) -> Result<Reply, Problem> {
    let row = |row: &crate::types::NoticeRow| {
        let data: Map<String, Value> =
            row.data.iter().map(|(name, meaning)| ((*name).to_owned(), json!(meaning))).collect();
        json!({ "type": row.name, "what": row.what, "data": data })
    };
    Ok(Reply::ok(json!({ "items": NOTICES.iter().map(row).collect::<Vec<_>>() })))
}

/// Whose deliveries these are: those of the webhook's tenant. Once that is deleted, the notice's.
fn tenant_of(call: &Call<'_>, delivery: &Delivery) -> Option<TenantId> {
    let state = call.directory.state();
    match state.get(Kind::Webhook, &delivery.endpoint).filter(|record| record.is::<Webhook>().is_some()) {
        Some(record) => record.tenant.clone(),
        None => delivery.notice.tenant.clone(),
    }
}

fn visible(call: &Call<'_>, delivery: &Delivery) -> bool {
    call.may(Permission::WebhooksRead, tenant_of(call, delivery).as_ref())
}

/// `GET /deliveries`: the newest first.
pub fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    let limit = match call.asked("limit").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(limit)) if (1..=LARGEST_PAGE).contains(&limit) => limit,
        Some(_) => return Err(Problem::bad_request(format!("limit is a number from 1 to {LARGEST_PAGE}"))),
    };
    let state = match call.asked("state") {
        None | Some("") => None,
        Some("pending") => Some(State::Pending),
        Some("delivered") => Some(State::Delivered),
        Some("dead") => Some(State::Dead),
        Some(_) => return Err(Problem::bad_request("state is pending, delivered or dead")),
    };
    let text = |name: &str| call.asked(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let page = Page { state, endpoint: text("webhook"), before: text("after"), limit };
    let mut found = call.directory.notices().deliveries(&page, &|delivery| visible(call, delivery));
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| last.id.to_string());
    let items: Vec<Value> = found.iter().map(Delivery::shown).collect();
    Ok(Reply::ok(json!({ "items": items, "next": next })))
}

fn named(call: &Call<'_>) -> Result<Delivery, Problem> {
    let found = call.directory.notices().delivery(call.id);
    found.filter(|delivery| visible(call, delivery)).ok_or_else(Problem::not_found)
}

/// `GET /deliveries/{id}`
pub fn read(call: &Call<'_>) -> Result<Reply, Problem> {
    Ok(Reply::ok(named(call)?.shown()))
}

/// `POST /deliveries/{id}/replay`: tries one that has ended again, delivered or dead.
pub fn replay(call: &Call<'_>) -> Result<Reply, Problem> {
    let known = named(call)?;
    call.needs(Permission::WebhooksWrite, tenant_of(call, &known).as_ref())?;
    let notices = call.directory.notices();
    let again = notices.replay(call.id).ok_or_else(|| Problem::conflict("it is on its way already"))?;
    call.directory.note(call.entry(crate::control::Outcome::Done, None));
    if let Err(error) = notices.write(call.directory) {
        tracing::warn!(error, "a replayed notice is not written down yet");
    }
    Ok(Reply::ok(again.shown()))
}
