//! `aigne-hub audit …`: proves and exports the audit log.

use super::ConfigArg;
use super::api::{Hub, segment};
use super::out;
use crate::admin;
use crate::store::{Archive, StoreError};
use clap::{Args, Subcommand};
use serde_json::json;

/// Proves and exports the audit log.
#[derive(Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Subcommand)]
enum Action {
    /// Proves the whole log, or names the first broken record.
    Verify,
    /// Prints it as JSON lines or CSV, the newest first.
    Export {
        /// Filters, as action=key.create, who=ann@example.com or from=2027-01-01T00:00:00Z.
        filters: Vec<String>,
        /// CSV instead of JSON lines.
        #[arg(long)]
        csv: bool,
    },
}

impl Audit {
    pub(super) fn run(self) -> Result<(), String> {
        match &self.action {
            Action::Export { filters, csv } => {
                let form = if *csv { "csv" } else { "json" };
                let mut path = format!("/audit/export?format={form}");
                for filter in filters {
                    let (name, value) = filter.split_once('=').ok_or("a filter is NAME=VALUE")?;
                    path.push_str(&format!("&{}={}", segment(name), segment(value)));
                }
                Hub::of_this_machine(&self.config, false)?.copy(&path)
            }
            Action::Verify => self.verify(),
        }
    }

    /// A stopped hub's log is read without changing anything.
    fn verify(&self) -> Result<(), String> {
        let (_, _, boot) = self.config.boot()?;
        let report = match Archive::open(&boot.data_dir, boot.ledger.cache_bytes) {
            Ok(archive) => {
                let key = admin::audit_public_key(&boot.data_dir)?;
                match admin::verify_audit(&archive, &key)? {
                    Ok(records) => json!({ "sound": true, "records": records, "public_key": key }),
                    Err(broken) => return Err(broken.to_string()),
                }
            }
            Err(StoreError::Locked(_)) => {
                let text = Hub::of_this_machine(&self.config, false)?.ask("GET", "/audit/verify", None)?;
                let report: serde_json::Value =
                    serde_json::from_str(&text).map_err(|error| error.to_string())?;
                if report["sound"] != true {
                    let (sequence, what) = (&report["broken"]["sequence"], &report["broken"]["what"]);
                    return Err(format!("audit record {sequence}: {}", what.as_str().unwrap_or_default()));
                }
                report
            }
            Err(error) => return Err(error.to_string()),
        };
        out::print_pretty(&report)
    }
}
