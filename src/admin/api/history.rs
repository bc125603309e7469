//! The history of a hub that was there before: taken in once, shown, and added up.

use super::call::{Call, Reply};
use super::problem::Problem;
use crate::admin::directory::Draft;
use crate::control::{Fault, IMPORTED_PREFIX, ImportedCall, Moment, Outcome, imported_from};
use crate::types::Pico;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Calls that are taken in at once.
const MOST: usize = 1_000;
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;
/// What the history is asked by.
pub const HISTORY_QUERY: &[&str] =
    &["limit", "after", "from", "to", "provider", "model", "user", "app", "status"];
/// The same, added up.
pub const SUMMARY_QUERY: &[&str] = &["by", "from", "to", "provider", "model", "user", "app", "status"];

/// Calls to be taken in.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// At most 1,000.
    pub calls: Vec<ImportedCall>,
}

fn unreadable(error: impl ToString) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}

/// `POST /imported-calls`: what is there already stays as it is.
pub fn import(call: &Call<'_>) -> Result<Reply, Problem> {
    let Calls { calls } = call.typed()?;
    if calls.len() > MOST {
        return Err(Problem::fault("calls", format!("has more than {MOST} entries")));
    }
    let faults: Vec<Fault> = calls
        .iter()
        .enumerate()
        .filter_map(|(at, one)| Some(Fault::new(format!("calls[{at}]"), one.fault()?)))
        .collect();
    if !faults.is_empty() {
        return Err(Problem::faults(faults));
    }
    call.directory.change(|_| {
        let archive = call.directory.archive().map_err(unreadable)?;
        let mut rows = BTreeMap::new();
        for one in &calls {
            let key = one.row_key();
            let mut known = false;
            let each = &mut |found: &[u8], _: &[u8]| {
                known = found == key;
                ControlFlow::Break(())
            };
            archive.control_from(IMPORTED_PREFIX.as_bytes(), &key, each).map_err(unreadable)?;
            if !known {
                rows.insert(key, serde_json::to_vec(one).ok());
            }
        }
        let (made, known) = (rows.len(), calls.len().saturating_sub(rows.len()));
        let reply = Reply::ok(json!({ "imported": made, "known": known }));
        if made == 0 {
            return Ok((reply, Draft::default()));
        }
        let mut entry = call.entry(Outcome::Done, None);
        entry.after = Some(json!({ "imported": made }));
        let draft = Draft { rows: rows.into_iter().collect(), entries: vec![entry], ..Draft::default() };
        Ok::<_, Problem>((reply, draft))
    })
}

/// What of the history somebody asks for.
struct Wanted {
    from: Option<Moment>,
    to: Option<Moment>,
}

impl Wanted {
    fn of(call: &Call<'_>) -> Result<Self, Problem> {
        let moment = |name: &str| match call.asked(name) {
            None => Ok(None),
            Some(text) => Moment::parse(text).map(Some).ok_or_else(|| {
                Problem::bad_request(format!("{name} is a point in time, such as 2027-01-01T00:00:00Z"))
            }),
        };
        Ok(Self { from: moment("from")?, to: moment("to")? })
    }

    /// Hands out what fits, by time, with its key.
    fn each(
        &self,
        call: &Call<'_>,
        from: &[u8],
        work: &mut dyn FnMut(&[u8], ImportedCall) -> ControlFlow<()>,
    ) -> Result<(), Problem> {
        let begin = self.from.map(imported_from).unwrap_or_else(|| IMPORTED_PREFIX.into());
        let begin = begin.max(from.to_vec());
        let archive = call.directory.archive().map_err(unreadable)?;
        let fits = |one: &ImportedCall| {
            let asked =
                |name: &str, own: Option<&str>| call.asked(name).is_none_or(|wanted| own == Some(wanted));
            asked("provider", Some(&one.provider))
                && asked("model", Some(&one.model))
                && asked("status", Some(&one.status))
                && asked("user", one.user.as_deref())
                && asked("app", one.app.as_deref())
        };
        let each = &mut |key: &[u8], value: &[u8]| {
            let Ok(one) = serde_json::from_slice::<ImportedCall>(value) else {
                return ControlFlow::Continue(());
            };
            match self.to.is_some_and(|to| one.at >= to) {
                true => ControlFlow::Break(()),
                false if fits(&one) => work(key, one),
                false => ControlFlow::Continue(()),
            }
        };
        archive.control_from(IMPORTED_PREFIX.as_bytes(), &begin, each).map_err(unreadable)
    }
}

/// `GET /imported-calls`: by time.
pub fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    let limit = match call.asked("limit").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(limit)) if (1..=LARGEST_PAGE).contains(&limit) => limit,
        Some(_) => return Err(Problem::bad_request(format!("limit is a number from 1 to {LARGEST_PAGE}"))),
    };
    let after = call.asked("after").map(|after| format!("{IMPORTED_PREFIX}{after}\0")).unwrap_or_default();
    let (mut items, mut last, mut next) = (Vec::new(), String::new(), None);
    Wanted::of(call)?.each(call, after.as_bytes(), &mut |key, one| {
        if items.len() >= limit {
            next = Some(last.clone());
            return ControlFlow::Break(());
        }
        last = String::from_utf8_lossy(key).trim_start_matches(IMPORTED_PREFIX).to_owned();
        items.push(one);
        ControlFlow::Continue(())
    })?;
    Ok(Reply::ok(json!({ "items": items, "next": next })))
}

/// Sums of one group.
#[derive(Default)]
struct Sum {
    calls: u64,
    failed: u64,
    usage: Pico,
    credits: Pico,
}

/// `GET /imported-calls/summary?by=model`: added up by day, model, provider, user or app.
pub fn summary(call: &Call<'_>) -> Result<Reply, Problem> {
    let by: fn(&ImportedCall) -> String = match call.asked("by").unwrap_or("model") {
        "model" => |one| format!("{}/{}", one.provider, one.model),
        "provider" => |one| one.provider.clone(),
        "day" => |one| one.at.to_string().chars().take(10).collect(),
        "user" => |one| one.user.clone().unwrap_or_default(),
        "app" => |one| one.app.clone().unwrap_or_default(),
        _ => return Err(Problem::bad_request("by is day, model, provider, user or app")),
    };
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    Wanted::of(call)?.each(call, &[], &mut |_, one| {
        let sum = sums.entry(by(&one)).or_default();
        sum.calls = sum.calls.saturating_add(1);
        sum.failed = sum.failed.saturating_add(u64::from(one.status == "failed"));
        let number = |text: &str| Pico::parse(text).unwrap_or(Pico::ZERO);
        sum.usage = sum.usage.saturating_add(number(&one.usage));
        sum.credits = sum.credits.saturating_add(number(&one.credits));
        ControlFlow::Continue(())
    })?;
    let item = |(group, sum): (String, Sum)| json!({ "group": group, "calls": sum.calls, "failed": sum.failed, "usage": sum.usage, "credits": sum.credits });
    let items: Vec<Value> = sums.into_iter().map(item).collect();
    Ok(Reply::ok(json!({ "items": items, "next": null })))
}
