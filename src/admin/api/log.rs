//! The audit log: searched, exported, proved.

use super::call::{Call, Reply};
use super::export::{Export, Form};
use super::problem::Problem;
use crate::control::{Entry, Moment, Outcome};
use crate::types::TenantId;
use axum::http::StatusCode;
use serde_json::json;
use std::ops::ControlFlow;

const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;
/// So many records are looked at for one page; then the reader goes on with the next.
const MOST_SEEN: usize = 50_000;
/// What the log is asked by.
pub const LOG_QUERY: &[&str] =
    &["limit", "before", "action", "who", "kind", "id", "outcome", "from", "to", "tenant"];

fn unreadable(error: String) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, error)
}

/// The same, and the form.
pub const EXPORT_QUERY: &[&str] =
    &["format", "before", "action", "who", "kind", "id", "outcome", "from", "to", "tenant"];

/// `GET /audit`: the newest first.
pub fn search(call: &Call<'_>) -> Result<Reply, Problem> {
    let limit = match call.asked("limit").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(limit)) if (1..=LARGEST_PAGE).contains(&limit) => limit,
        Some(_) => return Err(Problem::bad_request(format!("limit is a number from 1 to {LARGEST_PAGE}"))),
    };
    let wanted = Wanted::of(call)?;
    let (mut items, mut seen, mut next) = (Vec::new(), 0, None);
    let each = &mut |entry: Entry| {
        seen += 1;
        let sequence = entry.sequence;
        if wanted.fits(&entry) {
            items.push(entry);
        }
        if items.len() >= limit || seen >= MOST_SEEN {
            next = (sequence > 1).then(|| sequence.to_string());
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    };
    call.directory.audit_before(before(call)?, each).map_err(unreadable)?;
    Ok(Reply::ok(json!({ "items": items, "next": next })))
}

fn before(call: &Call<'_>) -> Result<u64, Problem> {
    match call.asked("before").map(str::parse::<u64>) {
        None => Ok(u64::MAX),
        Some(Ok(before)) => Ok(before),
        Some(Err(_)) => Err(Problem::bad_request("before is the number of a record")),
    }
}

/// What a search is for, owned, so that it can go on after its request.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where who asks belongs: they see nothing of others.
    reach: Option<TenantId>,
    from: Option<Moment>,
    to: Option<Moment>,
    outcome: Option<Outcome>,
    /// Wanted values, by the names of [`LOG_QUERY`].
    texts: Vec<(&'static str, String)>,
}

impl Wanted {
    fn of(call: &Call<'_>) -> Result<Self, Problem> {
        let moment = |name: &str| match call.asked(name) {
            None => Ok(None),
            Some(text) => Moment::parse(text).map(Some).ok_or_else(|| {
                Problem::bad_request(format!("{name} is a point in time, such as 2027-01-01T00:00:00Z"))
            }),
        };
        let outcome = match call.asked("outcome") {
            None => None,
            Some("done") => Some(Outcome::Done),
            Some("refused") => Some(Outcome::Refused),
            Some(_) => return Err(Problem::bad_request("outcome is done or refused")),
        };
        let names = ["action", "kind", "id", "tenant", "who"];
        let texts = names.into_iter().filter_map(|name| Some((name, call.asked(name)?.to_owned()))).collect();
        let reach = call.principal.tenant.clone();
        Ok(Self { reach, from: moment("from")?, to: moment("to")?, outcome, texts })
    }

    /// Does a record fit?
    pub fn fits(&self, entry: &Entry) -> bool {
        let target = entry.target.as_ref();
        let is = |(name, wanted): &(&'static str, String)| match *name {
            "action" => entry.action == *wanted,
            "kind" => target.is_some_and(|target| target.kind.name() == wanted),
            "id" => target.is_some_and(|target| target.id == *wanted),
            "tenant" => entry.tenant().is_some_and(|tenant| tenant.as_str() == wanted),
            _ => entry.who.id.as_ref() == Some(wanted) || entry.who.name == *wanted,
        };
        (self.reach.is_none() || self.reach.as_ref() == entry.tenant())
            && self.from.is_none_or(|from| entry.at >= from)
            && self.to.is_none_or(|to| entry.at < to)
            && self.outcome.is_none_or(|outcome| entry.outcome == outcome)
            && self.texts.iter().all(is)
    }
}

/// `GET /audit/export`: JSON lines or CSV, the newest first, everything that fits.
pub fn export(call: &Call<'_>) -> Result<Reply, Problem> {
    let form = match call.asked("format") {
        None | Some("json") => Form::Lines,
        Some("csv") => Form::Csv,
        Some(_) => return Err(Problem::bad_request("format is json or csv")),
    };
    let before = before(call)?.min(call.directory.audit_end());
    let pour = Export { form, before, wanted: Wanted::of(call)? }.pour(call.directory.store().clone());
    Ok(Reply { pour: Some(pour), ..Reply::ok(serde_json::Value::Null) })
}

/// `GET /audit/verify`
pub fn verify(call: &Call<'_>) -> Result<Reply, Problem> {
    let found = call.directory.verify_audit().map_err(unreadable)?;
    let key = call.directory.audit_public_key();
    Ok(Reply::ok(match found {
        Ok(records) => json!({ "sound": true, "records": records, "broken": null, "public_key": key }),
        Err(broken) => json!({ "sound": false, "records": null, "broken": broken, "public_key": key }),
    }))
}
