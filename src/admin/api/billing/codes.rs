//! Redemption codes: made, and redeemed.

use super::tenant_of_body;
use crate::admin::api::call::{Call, Reply, typed};
use crate::admin::api::crud::fresh_id;
use crate::admin::api::people::throttled;
use crate::admin::api::problem::Problem;
use crate::admin::till;
use crate::billing::{Code, normal, write_code};
use crate::control::{Change, Kind, Private, Record, Resource, State};
use crate::ledger::wallet::{Operation, Source, Task};
use crate::types::{TenantId, Wall};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// So many codes are made at once.
const MOST_AT_ONCE: u64 = 1_000;
const SECONDS_PER_DAY: u64 = 86_400;

fn unavailable(text: String) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, text)
}

/// `POST /codes`
pub fn create(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut map = call.object()?;
    let count = match map.remove("count") {
        None => 1,
        Some(count) => count
            .as_u64()
            .filter(|count| (1..=MOST_AT_ONCE).contains(count))
            .ok_or_else(|| Problem::fault("count", format!("must be from 1 to {MOST_AT_ONCE}")))?,
    };
    let body: Code = typed(map)?;
    let pepper = call.directory.pepper().map_err(unavailable)?;
    let mut texts = Vec::new();
    let mut records = Vec::new();
    for _ in 0..count {
        let mut random = [0; 25];
        getrandom::fill(&mut random).map_err(|error| unavailable(format!("no randomness: {error}")))?;
        let text = write_code(random);
        let hash = pepper.hash(&normal(&text).unwrap_or_default()).0;
        let private = Private::Code { hash, redeemed: Vec::new() };
        records.push(Record::new(&fresh_id(Kind::Code), None, body.clone().body(), private, call.now));
        texts.push(Value::String(text));
    }
    call.directory.change(|state| {
        let changes: Result<Vec<Change>, Problem> =
            records.into_iter().map(|record| call.step(state, None, record)).collect();
        crate::admin::api::crud::made(call, changes?, vec![("codes", Value::Array(texts))])
    })
}

/// A code that somebody writes in.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["code"]))]
pub struct Redemption {
    /// Its text.
    pub code: String,
    /// For whom. Default: one's own tenant.
    pub tenant: Option<String>,
}

/// `POST /redeem`: the tenant is written down at the code first, then the credits are given, and
/// whoever got no answer may ask again. Who guesses has to wait, longer each time.
pub fn redeem(call: &Call<'_>) -> Result<Reply, Problem> {
    let asked: Redemption = call.typed()?;
    let tenant = tenant_of_body(call, asked.tenant.as_deref())?;
    let from = call.incoming.address.map_or_else(String::new, |address| address.to_string());
    let names = [format!("redeem for {tenant}"), format!("redeem from {from}")];
    throttled(call, &names)?;
    let wrong = || {
        names.iter().for_each(|name| call.directory.throttle.lock().failed(name, call.now));
        Problem::new(StatusCode::NOT_FOUND, "this code is not known, used up, or over")
    };
    let text = normal(&asked.code).ok_or_else(wrong)?;
    let hash = call.directory.pepper().map_err(unavailable)?.hash(&text).0;
    let code = call.directory.change(|state| {
        let found = find(state, &hash).ok_or_else(wrong)?;
        let (record, code, redeemed) = found;
        if redeemed.contains(&tenant) {
            return Ok((Arc::clone(record), call.draft(Vec::new())));
        }
        if code.ended
            || code.expires_at.is_some_and(|end| end <= call.now.seconds())
            || redeemed.len() >= code.most()
        {
            return Err(wrong());
        }
        let redeemed = redeemed.iter().chain([&tenant]).cloned().collect();
        let after = record.next(record.body.clone(), Private::Code { hash, redeemed }, call.now);
        let after = Arc::new(after);
        Ok((Arc::clone(&after), call.draft(vec![till::change(Some(record), &after)])))
    })?;
    let Some(body) = code.is::<Code>() else { return Err(Problem::not_found()) };
    let (done, fresh) = till::operate(call.directory, operation(&code.id, body, &tenant, call.now))?;
    if !fresh {
        return Err(Problem::conflict("this code was redeemed here before"));
    }
    names.iter().for_each(|name| call.directory.throttle.lock().succeeded(name));
    Ok(Reply::ok(json!({ "tenant": tenant.as_str(), "amount": done.amount, "lot": done.lot })))
}

fn find<'s>(state: &'s State, wanted: &[u8; 32]) -> Option<(&'s Arc<Record>, &'s Code, &'s Vec<TenantId>)> {
    state.each::<Code>().find_map(|(record, code)| match &record.private {
        Private::Code { hash, redeemed } if hash == wanted => Some((record, code, redeemed)),
        _ => None,
    })
}

fn operation(id: &str, code: &Code, tenant: &TenantId, now: Wall) -> Operation {
    let lasts = |days: u32| now.after(Duration::from_secs(u64::from(days).saturating_mul(SECONDS_PER_DAY)));
    let expires_at = code.days.map(lasts);
    let reason = if code.name.is_empty() { "a code was redeemed" } else { &code.name };
    let task = Task::Issue { source: Source::Promotion, amount: code.amount, priority: None, expires_at };
    Operation {
        id: format!("code:{id}:{tenant}").into(),
        tenant: tenant.clone(),
        reason: reason.into(),
        task,
    }
}
