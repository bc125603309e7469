//! Statements: listed, shown, closed, proved.

use crate::admin::api::call::{Call, Reply};
use crate::admin::api::problem::Problem;
use crate::admin::till::{bodies, close_month, prove, stored};
use crate::billing::statement::{Format, Statement, month_end, month_text};
use crate::control::{Entry, Outcome};
use crate::store::Archive;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a list of statements is asked by.
pub const LIST_QUERY: &[&str] = &["tenant", "month"];

/// A month to be closed.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["month"]))]
pub struct Closing {
    /// As `2026-11`.
    pub month: String,
    /// Also while it runs; what comes later in the month counts in the next statement.
    pub early: bool,
}

fn archive(call: &Call<'_>) -> Result<Archive, Problem> {
    let archive = call.directory.store().archive();
    archive.map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
}

/// What a statement says in a line.
fn line(statement: &Statement) -> Value {
    json!({
        "number": statement.number, "tenant": statement.tenant.as_str(), "month": statement.month,
        "opening": statement.opening, "closing": statement.closing,
    })
}

/// `GET /statements`
pub fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    let (tenant, month) = (call.asked("tenant"), call.asked("month"));
    let mut items = Vec::new();
    for body in bodies(&archive(call)?)? {
        let Ok(statement) = serde_json::from_slice::<Statement>(&body) else { continue };
        let wanted = tenant.is_none_or(|tenant| statement.tenant.as_str() == tenant)
            && month.is_none_or(|month| statement.month == month);
        if wanted && call.principal.reaches(Some(&statement.tenant)) {
            items.push(line(&statement));
        }
    }
    Ok(Reply::ok(json!({ "items": items })))
}

/// `GET /statements/{id}`: as JSON, CSV, HTML or PDF.
pub fn read(call: &Call<'_>) -> Result<Reply, Problem> {
    let number: u64 = call.id.parse().map_err(|_| Problem::not_found())?;
    let format = match call.asked("format") {
        None => Format::Json,
        Some(text) => {
            Format::parse(text).ok_or_else(|| Problem::bad_request("format is json, csv, html or pdf"))?
        }
    };
    let body = stored(&archive(call)?, number)?.ok_or_else(Problem::not_found)?;
    let statement = serde_json::from_slice::<Statement>(&body).map_err(|_| Problem::not_found())?;
    if !call.principal.reaches(Some(&statement.tenant)) {
        return Err(Problem::not_found());
    }
    // The bytes as they were written, not as this version of the program would write them.
    let bytes = if format == Format::Json { body } else { statement.write(format) };
    Ok(Reply { file: Some((format.media_type(), bytes)), ..Reply::ok(Value::Null) })
}

/// `POST /statements/close`
pub fn close(call: &Call<'_>) -> Result<Reply, Problem> {
    let Closing { month, early } = call.typed()?;
    let end = month_end(&month).ok_or_else(|| Problem::fault("month", "write it like 2026-11"))?;
    if month > month_text(call.now) || (end > call.now && !early) {
        return Err(Problem::conflict("this month is not over; add \"early\": true if you mean it"));
    }
    let statements = close_month(call.directory, &month, |close| Entry {
        after: serde_json::to_value(close).ok(),
        ..call.entry(Outcome::Done, None)
    })?;
    let lines: Vec<Value> = statements.iter().map(line).collect();
    Ok(Reply::ok(json!({ "month": month, "statements": lines })))
}

/// `GET /statements/verify`: makes all statements again whose ledger is there and compares their bytes.
pub fn verify(call: &Call<'_>) -> Result<Reply, Problem> {
    let proof = prove(&archive(call)?)?;
    Ok(Reply::ok(serde_json::to_value(proof).unwrap_or_default()))
}
