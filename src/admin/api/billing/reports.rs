//! Reports over the books.

use crate::admin::api::call::{Call, Reply};
use crate::admin::api::problem::Problem;
use crate::billing::report::{By, Change, Counted, Margins, Vendor, WhatIf, compare, read_export};
use crate::control::Moment;
use crate::ledger::{PriceTable, Record, day_from_text};
use crate::types::{Pico, Wall};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a report is asked by.
pub const QUERY: &[&str] = &["by", "from", "to", "format"];
const ONE: Pico = Pico(1_000_000_000_000);
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Other prices to be tried.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Trial {
    /// From this day on, as 2026-10-01.
    pub from: String,
    /// Up to this day, which is not part of it.
    pub to: String,
    /// Percent on top of the cost, as "25".
    pub margin: Option<String>,
    /// Or rates in credits: the text of a price file whose provider is rate/*.
    pub rates: Option<String>,
}

/// A vendor's own count.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["provider", "export", "csv"]))]
pub struct Reconciliation {
    /// The configured provider.
    pub provider: String,
    /// "openai", "anthropic", or {"columns": {"day", "model", "input": [], "output": [], "requests"}}.
    pub export: Value,
    /// The export's text.
    pub csv: String,
    /// How far counts may be apart, in parts per million. Default: 0.
    pub tolerance_ppm: u32,
}

fn each(call: &Call<'_>, from: Wall, to: Wall, each: &mut dyn FnMut(&Record)) -> Result<(), Problem> {
    let unreadable =
        |error: crate::store::StoreError| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string());
    let archive = call.directory.store().archive().map_err(unreadable)?;
    archive.export(from..to, &mut |record| each(&record)).map_err(unreadable)
}

fn credit_price(call: &Call<'_>) -> Pico {
    let billing = call.directory.snapshot().and_then(|snapshot| snapshot.billing.clone());
    billing.map_or(ONE, |billing| billing.credit_price)
}

/// A day, or a moment.
fn moment(name: &str, text: &str) -> Result<Wall, Problem> {
    let day = day_from_text(text).map(|day| Wall(day.saturating_mul(MICROS_PER_DAY)));
    day.or_else(|| Moment::parse(text).map(|at| at.0)).ok_or_else(|| {
        Problem::bad_request(format!("{name} is a day such as 2026-10-01, or a point in time"))
    })
}

/// `GET /reports/margin`
pub fn margin(call: &Call<'_>) -> Result<Reply, Problem> {
    let by = call.asked("by").unwrap_or("model");
    let by = By::parse(by).ok_or_else(|| Problem::bad_request("by is model, provider, tenant or app"))?;
    let from = call.asked("from").map_or(Ok(Wall(i64::MIN)), |text| moment("from", text))?;
    let to = call.asked("to").map_or(Ok(Wall(i64::MAX)), |text| moment("to", text))?;
    let mut margins = Margins::new(by, credit_price(call));
    each(call, from, to, &mut |record| margins.record(record))?;
    let (rows, total) = margins.finish();
    match call.asked("format") {
        None | Some("json") => {
            let rows: Vec<Value> =
                rows.into_iter().map(|(name, row)| json!({ "name": name, "sums": row })).collect();
            Ok(Reply::ok(json!({ "rows": rows, "total": total })))
        }
        Some("csv") => {
            let mut text = String::from(
                "name,requests,input_tokens,output_tokens,credits,revenue,cost,margin,unpriced\r\n",
            );
            for (name, row) in rows.iter().map(|(name, row)| (name.as_str(), row)).chain([("total", &total)])
            {
                let name = crate::billing::statement::csv_cell(name);
                text.push_str(&format!(
                    "{name},{},{},{},{},{},{},{},{}\r\n",
                    row.requests,
                    row.input_tokens,
                    row.output_tokens,
                    row.credits,
                    row.revenue,
                    row.cost,
                    row.margin,
                    row.unpriced
                ));
            }
            Ok(Reply { text: Some(("text/csv; charset=utf-8", text)), ..Reply::ok(Value::Null) })
        }
        Some(_) => Err(Problem::bad_request("format is json or csv")),
    }
}

/// `POST /reports/what-if`
pub fn what_if(call: &Call<'_>) -> Result<Reply, Problem> {
    let Trial { from, to, margin, rates } = call.typed()?;
    let (from, to) = (moment("from", &from)?, moment("to", &to)?);
    let change = match (margin, rates) {
        (Some(percent), None) => Change::Margin(ppm(&percent)?, credit_price(call)),
        (None, Some(text)) => {
            let rows = PriceTable::parse_toml("rates", &text)
                .map_err(|problems| Problem::fault("rates", problems.join("; ")))?;
            Change::Rates(PriceTable::new(rows))
        }
        _ => return Err(Problem::fault("margin", "name either a margin or rates")),
    };
    let mut trial = WhatIf::new(change);
    each(call, from, to, &mut |record| trial.record(record))?;
    let (models, total) = trial.finish();
    Ok(Reply::ok(json!({ "models": models, "total": total })))
}

/// Parts per million of a percentage, as "12.5".
fn ppm(percent: &str) -> Result<u32, Problem> {
    let wrong = || Problem::fault("margin", "is no percentage such as \"12.5\"");
    let amount = Pico::parse(percent).map_err(|_| wrong())?;
    // One percent is ten thousand parts per million.
    let parts = amount.0.checked_div(100_000_000).filter(|parts| parts * 100_000_000 == amount.0);
    parts.and_then(|parts| u32::try_from(parts).ok()).ok_or_else(wrong)
}

/// `POST /reports/reconcile`
pub fn reconcile(call: &Call<'_>) -> Result<Reply, Problem> {
    let Reconciliation { provider, export, csv, tolerance_ppm } = call.typed()?;
    let vendor: Vendor =
        serde_json::from_value(export).map_err(|error| Problem::fault("export", error.to_string()))?;
    let theirs = read_export(&csv, &vendor).map_err(|text| Problem::fault("csv", text))?;
    let (Some(first), Some(last)) =
        (theirs.keys().map(|(day, _)| *day).min(), theirs.keys().map(|(day, _)| *day).max())
    else {
        return Err(Problem::fault("csv", "has no rows"));
    };
    let day = |day: i64| Wall(day.saturating_mul(MICROS_PER_DAY));
    let mut ours = BTreeMap::new();
    each(call, day(first), day(last.saturating_add(1)), &mut |record| {
        Counted::record(&mut ours, &provider, record);
    })?;
    let rows = compare(&ours, &theirs, tolerance_ppm);
    let differing = rows.iter().filter(|row| row.differs).count();
    Ok(Reply::ok(json!({ "agrees": differing == 0, "differing": differing, "rows": rows })))
}
