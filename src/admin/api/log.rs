//! The audit log: searched, exported, proved.

use super::call::{Call, Reply};
use super::problem::Problem;
use crate::control::{Entry, Moment, Outcome};
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
        if wanted.fits(call, &entry) {
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

/// What a search is for.
struct Wanted {
    from: Option<Moment>,
    to: Option<Moment>,
    outcome: Option<Outcome>,
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
        Ok(Self { from: moment("from")?, to: moment("to")?, outcome })
    }

    fn fits(&self, call: &Call<'_>, entry: &Entry) -> bool {
        let asked =
            |name: &str, text: Option<&str>| call.asked(name).is_none_or(|wanted| text == Some(wanted));
        let who = || {
            call.asked("who").is_none_or(|who| entry.who.id.as_deref() == Some(who) || entry.who.name == who)
        };
        let target = entry.target.as_ref();
        call.principal.reaches(entry.tenant())
            && self.from.is_none_or(|from| entry.at >= from)
            && self.to.is_none_or(|to| entry.at < to)
            && self.outcome.is_none_or(|outcome| entry.outcome == outcome)
            && asked("action", Some(&entry.action))
            && asked("kind", target.map(|target| target.kind.name()))
            && asked("id", target.map(|target| target.id.as_str()))
            && asked("tenant", entry.tenant().map(|tenant| tenant.as_str()))
            && who()
    }
}

/// `GET /audit/export`: JSON lines, the newest first, everything that fits.
pub fn export(call: &Call<'_>) -> Result<Reply, Problem> {
    let wanted = Wanted::of(call)?;
    let mut text = String::new();
    let each = &mut |entry: Entry| {
        if wanted.fits(call, &entry)
            && let Ok(line) = serde_json::to_string(&entry)
        {
            text.push_str(&line);
            text.push('\n');
        }
        ControlFlow::Continue(())
    };
    call.directory.audit_before(before(call)?, each).map_err(unreadable)?;
    Ok(Reply { text: Some(("application/x-ndjson", text)), ..Reply::ok(serde_json::Value::Null) })
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
