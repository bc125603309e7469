//! What was used, and by whom: series, ranks, sums and single calls. Who asks
//! sees the hub, their tenant, or their own, and nothing tells them of more.

mod ask;
mod calls;
mod sums;
mod table;

pub use calls::{CALLS_QUERY, EXPORT_QUERY, calls, export, story};
pub use sums::{SERIES_QUERY, SUMMARY_QUERY, TOP_QUERY, series, summary, top};

use super::call::{Call, Reply};
use super::problem::Problem;
use crate::ledger::usage::{Dimension, Measure, NoAnswer, Step};
use axum::http::StatusCode;
use serde_json::{Value, json};

/// What sums and calls are chosen by: the names of dimensions.
pub const FILTERS: &[&str] = &[
    "tenant",
    "team",
    "user",
    "app",
    "key",
    "provider",
    "model",
    "upstream_model",
    "credential",
    "operation",
    "outcome",
    "status",
    "error",
];

fn refused(error: NoAnswer) -> Problem {
    let status = match error {
        NoAnswer::TooWide => StatusCode::UNPROCESSABLE_ENTITY,
        NoAnswer::Damaged | NoAnswer::Disk(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    Problem::new(status, error.to_string())
}

/// `POST /usage/rebuild`
pub fn rebuild(call: &Call<'_>) -> Result<Reply, Problem> {
    let unavailable = |error: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error);
    let rebuilt = call.directory.store().rebuild_usage().map_err(|error| unavailable(error.to_string()))?;
    Ok(Reply::ok(json!(rebuilt)))
}

/// `GET /usage/fields`: what can be asked for, and which callers there are.
pub fn fields(call: &Call<'_>) -> Result<Reply, Problem> {
    let sight = ask::Sight::of(call)?;
    let choice = sight.choice(Vec::new());
    let mut dimensions: Vec<Value> = Vec::new();
    for dimension in Dimension::all().filter(|dimension| sight.may_name(*dimension)) {
        let known = call.directory.store().usage_callers(dimension, &choice).map_err(refused)?;
        let known: Vec<&str> = known.iter().map(|value| &**value).take(ask::MOST_VALUES_SHOWN).collect();
        dimensions.push(json!({ "name": dimension.name(), "callers": known }));
    }
    let measures = Measure::all().filter(|(_, measure, _)| sight.may_see(*measure));
    let measures: Vec<Value> =
        measures.map(|(name, _, what)| json!({ "name": name, "what": what })).collect();
    let steps: Vec<&str> = Step::names().collect();
    Ok(Reply::ok(json!({ "dimensions": dimensions, "measures": measures, "steps": steps })))
}
