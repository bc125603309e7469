//! `aigne-hub billing …`: codes, statements and reports.

use super::ConfigArg;
use super::api::{Hub, segment};
use super::out;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Makes codes, writes statements, reports, and proves what was closed.
#[derive(Args)]
pub(super) struct Billing {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Subcommand)]
enum Action {
    /// Makes all statements again from the ledger and compares their bytes.
    Verify,
    /// Closes a month, as 2026-11, for good.
    Close {
        /// The month.
        month: String,
        /// Also while it runs.
        #[arg(long)]
        early: bool,
    },
    /// Lists statements, or writes one to the standard output.
    Statement {
        /// Its number.
        number: Option<u64>,
        /// json, csv, html or pdf.
        #[arg(long, default_value = "json")]
        format: String,
    },
    /// What was earned, what it cost, and what is left.
    Margin {
        /// model, provider, tenant or app.
        #[arg(long, default_value = "model")]
        by: String,
        /// From this day on, as 2026-10-01.
        #[arg(long)]
        from: Option<String>,
        /// Up to this day, which is not part of it.
        #[arg(long)]
        to: Option<String>,
        /// json or csv.
        #[arg(long, default_value = "csv")]
        format: String,
    },
    /// What another margin, or other rates, would have made of what was used.
    WhatIf {
        /// From this day on, as 2026-10-01.
        from: String,
        /// Up to this day, which is not part of it.
        to: String,
        /// Percent on top of the cost.
        #[arg(long)]
        margin: Option<String>,
        /// A price file with rates of provider "rate/*".
        #[arg(long)]
        rates: Option<PathBuf>,
    },
    /// Compares a vendor's own export of usage with the books.
    Reconcile {
        /// The configured provider.
        provider: String,
        /// The CSV file.
        file: PathBuf,
        /// openai, anthropic, or a JSON object {"columns": {…}}.
        #[arg(long, default_value = "openai")]
        export: String,
        /// How far counts may be apart, in parts per million.
        #[arg(long, default_value_t = 0)]
        tolerance_ppm: u32,
    },
    /// Makes redemption codes and prints them, one a line.
    Codes {
        /// Credits, as 2.50.
        amount: String,
        /// How many codes.
        #[arg(long, default_value_t = 1)]
        count: u32,
        /// How many tenants may redeem each.
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// For people.
        #[arg(long, default_value = "")]
        name: String,
        /// So many days after they came the credits go.
        #[arg(long)]
        days: Option<u32>,
    },
}

fn text_of(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let pairs: Vec<String> =
        pairs.iter().filter_map(|(name, value)| Some(format!("{name}={}", segment((*value)?)))).collect();
    pairs.join("&")
}

impl Billing {
    pub(super) fn run(self) -> Result<(), String> {
        let hub = Hub::of_this_machine(&self.config, false)?;
        let ask = |method: &str, path: &str, body: Option<Value>| -> Result<Value, String> {
            serde_json::from_str(&hub.ask(method, path, body)?).map_err(|error| error.to_string())
        };
        match self.action {
            Action::Verify => {
                let report = ask("GET", "/statements/verify", None)?;
                out::print_pretty(&report)?;
                if report["sound"] == true {
                    Ok(())
                } else {
                    Err("the statements are not what the ledger says".into())
                }
            }
            Action::Close { month, early } => {
                let body = json!({ "month": month, "early": early });
                out::print_pretty(&ask("POST", "/statements/close", Some(body))?)
            }
            Action::Statement { number: None, .. } => out::print_pretty(&ask("GET", "/statements", None)?),
            Action::Statement { number: Some(number), format } => {
                hub.copy(&format!("/statements/{number}?{}", query(&[("format", Some(&format))])))
            }
            Action::Margin { by, from, to, format } => {
                let asked = query(&[
                    ("by", Some(&by)),
                    ("from", from.as_deref()),
                    ("to", to.as_deref()),
                    ("format", Some(&format)),
                ]);
                hub.copy(&format!("/reports/margin?{asked}"))
            }
            Action::WhatIf { from, to, margin, rates } => {
                let rates = rates.as_deref().map(text_of).transpose()?;
                let body = json!({ "from": from, "to": to, "margin": margin, "rates": rates });
                out::print_pretty(&ask("POST", "/reports/what-if", Some(body))?)
            }
            Action::Reconcile { provider, file, export, tolerance_ppm } => {
                let export = serde_json::from_str(&export).unwrap_or(Value::String(export));
                let csv = text_of(&file)?;
                let body = json!({ "provider": provider, "export": export, "csv": csv, "tolerance_ppm": tolerance_ppm });
                let report = ask("POST", "/reports/reconcile", Some(body))?;
                out::print_pretty(&report)?;
                if report["agrees"] == true { Ok(()) } else { Err("the counts differ".into()) }
            }
            Action::Codes { amount, count, uses, name, days } => {
                let body =
                    json!({ "amount": amount, "count": count, "uses": uses, "name": name, "days": days });
                let made = ask("POST", "/codes", Some(body))?;
                let codes = made["codes"].as_array().into_iter().flatten();
                codes.filter_map(Value::as_str).try_for_each(out::print)
            }
        }
    }
}
