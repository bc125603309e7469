//! `aigne-hub check`: would this configuration start?

use super::out;
use crate::catalogue::Day;
use crate::config::{Document, Environment, Registry};
use crate::server;
use crate::types::Clock;
use std::path::PathBuf;

/// Prints every problem, or that there is none. Opens no store and no socket.
pub(super) fn run(path: Option<PathBuf>) -> Result<(), String> {
    let environment = Environment::capture();
    let document = Document::read(path.as_deref()).map_err(|p| p.to_string())?;
    let registry = Registry::new(Default::default(), Default::default());
    let prices = server::embedded_prices()?;
    let inputs = server::inputs(&environment, &registry, &[], &[0; 32], &prices);
    let snapshot = document.resolve(&inputs).map_err(|p| p.to_string())?;
    let failed = snapshot.rules.run_cases();
    if !failed.is_empty() {
        return Err(failed.join("\n"));
    }
    let name = path.map_or_else(|| "built-in defaults".to_owned(), |p| p.display().to_string());
    out::print(format_args!(
        "{name}: good. {} providers, {} models, {} keys in the file, {} prices.",
        snapshot.providers.len(),
        snapshot.model_names().len(),
        snapshot.callers.len(),
        snapshot.prices.len(),
    ))?;
    for notice in snapshot.notices(Day::of_seconds(Clock::machine().wall().seconds())) {
        out::print(format_args!("note: {notice}"))?;
    }
    Ok(())
}
