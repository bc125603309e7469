//! How much of quotas is used, now.

use super::call::{Call, Reply};
use super::problem::Problem;
use crate::config::Quota;
use crate::control::{Moment, Permission};
use crate::limit::{Counted, Enforce};
use serde_json::{Value, json};
use std::sync::Arc;

const PAGE: usize = 50;
const LARGEST_PAGE: usize = 500;
/// What uses are asked by.
pub const USE_QUERY: &[&str] = &["limit", "after"];

fn visible(call: &Call<'_>, quota: &Quota) -> bool {
    call.may(Permission::QuotasRead, quota.tenant.as_ref())
}

/// `GET /quota-use`: every counter, by quota and subject.
pub fn all(call: &Call<'_>) -> Result<Reply, Problem> {
    page(call, None)
}

/// `GET /quotas/{id}/use`: the counters of one quota, by subject.
pub fn one(call: &Call<'_>) -> Result<Reply, Problem> {
    let snapshot = call.directory.snapshot();
    let quotas = snapshot.iter().flat_map(|snapshot| snapshot.quotas.quotas().all());
    let known = quotas.into_iter().find(|quota| *quota.id == *call.id);
    match known.filter(|quota| visible(call, quota)) {
        Some(_) => page(call, Some(call.id)),
        None => Err(Problem::not_found()),
    }
}

fn page(call: &Call<'_>, only: Option<&str>) -> Result<Reply, Problem> {
    let limit = match call.asked("limit").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(limit)) if (1..=LARGEST_PAGE).contains(&limit) => limit,
        Some(_) => return Err(Problem::bad_request(format!("limit is a number from 1 to {LARGEST_PAGE}"))),
    };
    let Some(snapshot) = call.directory.snapshot() else {
        return Err(Problem::conflict("no data plane runs, so nothing is counted"));
    };
    let after = call.asked("after").unwrap_or_default();
    let mut quotas: Vec<_> = snapshot.quotas.all().filter(|(quota, _)| visible(call, quota)).collect();
    quotas.retain(|(quota, _)| only.is_none_or(|only| *quota.id == *only));
    quotas.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
    // A page ends at one counter; its name says where the next begins.
    let name = |quota: &Quota, subject: &str| format!("{}/{subject}", quota.id);
    let mut found = quotas
        .into_iter()
        .flat_map(|(quota, counted)| counted.into_iter().map(move |(s, counted)| (quota, s, counted)))
        .skip_while(|(quota, subject, _)| {
            !after.is_empty() && (&*quota.id, &**subject) <= after.split_once('/').unwrap_or((after, ""))
        });
    let shown: Vec<(String, Value)> = found
        .by_ref()
        .take(limit)
        .map(|(quota, subject, counted)| (name(quota, &subject), shown(call, quota, &subject, &counted)))
        .collect();
    let next = shown.last().map(|(name, _)| name.clone()).filter(|_| found.next().is_some());
    let items: Vec<Value> = shown.into_iter().map(|(_, value)| value).collect();
    Ok(Reply::ok(json!({ "items": items, "next": next })))
}

fn shown(call: &Call<'_>, quota: &Arc<Quota>, subject: &str, counted: &Counted) -> Value {
    let used = counted.meter.used(call.directory.clock.mono(), call.now);
    let rule = counted.meter.rule();
    let told = |amount| rule.measure.told(amount);
    let terms = &counted.terms;
    let taken = used.spent.saturating_add(used.held);
    json!({
        "quota": &*quota.id,
        "name": &*quota.name,
        "tenant": quota.tenant,
        "of": quota.kind,
        "id_of": (!subject.is_empty()).then_some(subject),
        "measure": rule.measure,
        "period": rule.span,
        "enforce": terms.enforce,
        "amount": told(terms.amount),
        "used": told(used.spent),
        "held": told(used.held),
        "left": told(terms.amount.saturating_sub(taken).max(0)),
        "percent": terms.percent(used.spent),
        "exhausted": terms.enforce == Enforce::Hard && taken >= terms.amount,
        "resets_at": used.ends.map(Moment),
    })
}
