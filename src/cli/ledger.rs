//! `aigne-hub ledger …`

use super::ConfigArg;
use super::out;
use super::remote::Remote;
use crate::admin;
use crate::ledger::{PriceTable, day_from_text, write_line};
use crate::server;
use crate::store::{Archive, StoreError};
use crate::types::{Clock, Wall};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::io::{self, Write};

const SECONDS_PER_DAY: i64 = 86_400;

/// Exports, verifies and prunes the books.
#[derive(Args)]
pub(super) struct Ledger {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Subcommand)]
enum Action {
    /// Writes every record as a line of JSON.
    Export {
        /// From this time on: a day as 2026-11-20, an RFC 3339 time, or seconds since the epoch.
        #[arg(long, value_parser = time)]
        from: Option<i64>,
        /// Up to, and without, this time.
        #[arg(long, value_parser = time)]
        to: Option<i64>,
    },
    /// Proves that every intent ended once, that nothing is missing and that sums hold.
    Verify,
    /// Drops the records of whole days (UTC) for good. Export them first. Where there are wallets, days
    /// of months without statements stay; what wallets had is carried over.
    Prune {
        /// Days before this one are dropped: a day as 2026-11-01, or a time within it.
        #[arg(long, value_parser = time)]
        before: i64,
        /// Drop days of the running month, too. Budgets stay, their proof goes.
        #[arg(long)]
        force: bool,
    },
}

pub(super) fn time(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    if let Some(day) = day_from_text(text).filter(|_| text.len() == "2026-11-20".len()) {
        return Ok(day.saturating_mul(SECONDS_PER_DAY));
    }
    text.parse::<jiff::Timestamp>().map(|t| t.as_second()).map_err(|e| e.to_string())
}

/// `ledger verify`, asked for from elsewhere.
pub(super) fn verify(config: ConfigArg) -> Result<(), String> {
    Ledger { action: Action::Verify, config }.run()
}

fn wall(seconds: i64) -> Wall {
    Wall(seconds.saturating_mul(1_000_000))
}

impl Ledger {
    pub(super) fn run(self) -> Result<(), String> {
        let (document, _, boot) = self.config.boot()?;
        let archive = match Archive::open(&boot.data_dir, boot.ledger.cache_bytes) {
            Ok(archive) => archive,
            Err(StoreError::Locked(_)) => return self.action.remotely(&Remote::find(&document, &boot)?),
            Err(error) => return Err(error.to_string()),
        };
        match self.action {
            Action::Export { from, to } => export(&archive, from, to, None),
            Action::Verify => {
                let prices = [server::embedded_prices()?, admin::managed_prices(&archive)?].concat();
                let prices = document.prices(&prices, PriceTable::parse_toml).map_err(|p| p.to_string())?;
                let report = archive.verify(&prices).map_err(|e| e.to_string())?;
                let report = serde_json::to_value(report).map_err(|e| e.to_string())?;
                verdict(&report)
            }
            Action::Prune { before, force } => {
                let clock = Clock::machine();
                let reach = admin::reach(wall(before), clock.wall(), force)?;
                let (before, last) = admin::prunable(&archive, wall(before))?;
                // It holds the lock that the writer needs.
                drop(archive);
                let store = server::open_store(&boot, &clock, None).map_err(|e| e.to_string())?;
                let dropped = store.drop_days_before(before, reach, last).map_err(|e| e.to_string());
                store.close();
                pruned(dropped?)
            }
        }
    }
}

impl Action {
    fn remotely(self, hub: &Remote) -> Result<(), String> {
        match self {
            Action::Export { from, to } => {
                let bound = |name: &str, at: Option<i64>| at.map(|at| format!("{name}={at}"));
                let query: Vec<String> =
                    [bound("from", from), bound("to", to)].into_iter().flatten().collect();
                hub.ask("GET", &format!("/admin/ledger/export?{}", query.join("&")), "")?.copy()
            }
            Action::Verify => {
                verdict(&hub.ask("GET", "/admin/ledger/verify", "")?.object_with(PROBLEM_COUNT)?)
            }
            Action::Prune { before, force } => {
                let path = format!("/admin/ledger?before={before}&force={force}");
                let done = hub.ask("DELETE", &path, "")?.object_with(DROPPED_DAYS)?;
                pruned(number(&done, DROPPED_DAYS))
            }
        }
    }
}

const PROBLEM_COUNT: &str = "problem_count";
const DROPPED_DAYS: &str = "dropped_days";

fn number(object: &Value, name: &str) -> u64 {
    object.get(name).and_then(Value::as_u64).unwrap_or(u64::MAX)
}

/// Writes records as lines; those of one wallet's movements, if it is named.
pub(super) fn export(
    archive: &Archive,
    from: Option<i64>,
    to: Option<i64>,
    wallet: Option<&str>,
) -> Result<(), String> {
    let range = from.map_or(Wall(i64::MIN), wall)..to.map_or(Wall(i64::MAX), wall);
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let mut written: io::Result<()> = Ok(());
    archive
        .export(range, &mut |record| {
            let wanted = wallet.is_none_or(|wallet| record.moves(wallet));
            if wanted && written.is_ok() {
                written = write_line(&record, &mut stdout);
            }
        })
        .map_err(|e| e.to_string())?;
    out::told(written.and_then(|()| stdout.flush()))
}

/// Shows a report; one with problems is a failure.
fn verdict(report: &Value) -> Result<(), String> {
    out::print_pretty(report)?;
    match number(report, PROBLEM_COUNT) {
        0 => Ok(()),
        problems => Err(format!("the books do not fit: {problems} problems")),
    }
}

fn pruned(days: u64) -> Result<(), String> {
    out::print(format_args!("{days} days dropped"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_a_timestamp_or_seconds() {
        for text in ["2026-11-01", "2026-11-01T00:00:00Z", "1793491200"] {
            assert_eq!(time(text), Ok(1_793_491_200), "{text}");
        }
        assert!(time("yesterday").is_err());
    }

    #[test]
    fn books_that_do_not_fit_are_a_failure() {
        assert!(verdict(&serde_json::json!({ "problem_count": 0 })).is_ok());
        assert!(verdict(&serde_json::json!({ "problem_count": 2 })).unwrap_err().contains("2 problems"));
    }
}
