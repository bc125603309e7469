//! `aigne-hub ledger …`

use super::ConfigArg;
use super::remote::Remote;
use crate::config::Registry;
use crate::ledger::{Report, write_line};
use crate::server;
use crate::store::{Archive, StoreError};
use crate::types::Wall;
use clap::{Args, Subcommand};
use std::io::Write;

/// Exports and verifies the books.
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
        /// From this time on: seconds since the epoch, or an RFC 3339 time.
        #[arg(long, value_parser = time)]
        from: Option<i64>,
        /// Up to, and without, this time.
        #[arg(long, value_parser = time)]
        to: Option<i64>,
    },
    /// Proves that every intent ended once, that nothing is missing and that sums hold.
    Verify,
}

fn time(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    text.parse::<jiff::Timestamp>().map(|t| t.as_second()).map_err(|e| e.to_string())
}

impl Ledger {
    pub(super) fn run(self) -> Result<(), String> {
        let (document, environment, boot) = self.config.boot()?;
        let archive = match Archive::open(&boot.data_dir, boot.ledger.cache_bytes) {
            Ok(archive) => archive,
            Err(StoreError::Locked(_)) => {
                return self.action.remotely(&Remote::find(&document, &environment, &boot)?);
            }
            Err(error) => return Err(error.to_string()),
        };
        match self.action {
            Action::Export { from, to } => export(&archive, from, to),
            Action::Verify => {
                let registry = Registry::new(boot.health, Default::default());
                let prices = server::embedded_prices()?;
                let inputs = server::inputs(&environment, &registry, &[], &[0; 32], &prices);
                let snapshot = document.resolve(&inputs).map_err(|p| p.to_string())?;
                verdict(&archive.verify(&snapshot.prices).map_err(|e| e.to_string())?)
            }
        }
    }
}

impl Action {
    fn remotely(self, hub: &Remote) -> Result<(), String> {
        let mut out = std::io::stdout().lock();
        match self {
            Action::Export { from, to } => {
                let bound = |name: &str, at: Option<i64>| at.map(|at| format!("{name}={at}"));
                let query: Vec<String> =
                    [bound("from", from), bound("to", to)].into_iter().flatten().collect();
                hub.call("GET", &format!("/admin/ledger/export?{}", query.join("&")), "", &mut out)
            }
            Action::Verify => {
                hub.call("GET", "/admin/ledger/verify", "", &mut out)?;
                println!();
                Ok(())
            }
        }
    }
}

fn export(archive: &Archive, from: Option<i64>, to: Option<i64>) -> Result<(), String> {
    let seconds = |s: i64| Wall(s.saturating_mul(1_000_000));
    let range = from.map_or(Wall(i64::MIN), seconds)..to.map_or(Wall(i64::MAX), seconds);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut broken = None;
    archive
        .export(range, &mut |record| {
            if broken.is_none() {
                broken = write_line(&record, &mut out).err();
            }
        })
        .map_err(|e| e.to_string())?;
    match broken.or_else(|| out.flush().err()) {
        Some(error) => Err(format!("writing the export: {error}")),
        None => Ok(()),
    }
}

fn verdict(report: &Report) -> Result<(), String> {
    let text = serde_json::to_string_pretty(report).map_err(|e| e.to_string())?;
    if report.is_sound() {
        println!("{text}");
        return Ok(());
    }
    Err(format!("{text}\nthe books do not fit: {} problems", report.problem_count))
}
