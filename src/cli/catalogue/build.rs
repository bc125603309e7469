//! The files of `catalogue build`: read, compared, written.

use super::listed::{self, List};
use super::{Build, facts, rates};
use crate::catalogue::{self, Day};
use crate::cli::out;
use crate::ledger::PriceTable;
use crate::types::Clock;
use std::path::Path;

/// Where the lists are kept, and under which licence.
const HOMES: &[(&str, &str)] = &[
    ("litellm", "https://github.com/BerriAI/litellm, MIT"),
    ("models.dev", "https://github.com/anomalyco/models.dev, MIT"),
    ("openrouter", "https://openrouter.ai/api/v1/models"),
];

const NOTES: &str = "\
Models of known vendors: limits, abilities, dates. Made from public lists by
`aigne-hub catalogue build`; do not edit, but put what you know better into
[[catalogue.model]] of your configuration. Columns lie between tabs. What is
in neither `can` nor `cannot` is not known. Licences of the lists: NOTICE.";

/// What stands before a list in the notes.
const LIST: &str = "list ";

pub(super) fn run(build: &Build) -> Result<(), String> {
    let today = Day::of_seconds(Clock::machine().wall().seconds());
    let lists: Vec<List> =
        build.from.iter().map(|source| listed::read(source, today)).collect::<Result<_, _>>()?;
    let models = read(&build.models)?.unwrap_or_default();
    let old = match models.is_empty() {
        true => Vec::new(),
        false => catalogue::parse(&name(&build.models), &models).map_err(|problems| problems.join("\n"))?,
    };
    let (cards, changes) = facts::merge(&old, &lists, build.drop_gone);
    let prices = read(&build.prices)?.unwrap_or_default();
    let (rows, notes) = rates::added(&name(&build.prices), &prices, &lists)?;
    for line in changes.iter().chain(&notes) {
        out::print(line)?;
    }
    out::print(summary(&changes, &notes))?;
    if build.diff {
        return Ok(());
    }
    let prices = prices + &rows;
    // What is written must be readable, or the next build and the next hub would not start.
    PriceTable::parse_toml(&name(&build.prices), &prices).map_err(|problems| problems.join("\n"))?;
    write(&build.models, &catalogue::write(&notes_for(&models, &lists), &cards))?;
    if rows.is_empty() { Ok(()) } else { write(&build.prices, &prices) }
}

fn summary(changes: &[String], notes: &[String]) -> String {
    let count = |lines: &[String], sign: &str| lines.iter().filter(|line| line.contains(sign)).count();
    format!(
        "models: {} new, {} changed, {} gone; prices: {} new, {} moved, {} to look at",
        count(changes, "model + "),
        count(changes, "model ~ "),
        count(changes, "model - "),
        count(notes, "price + "),
        count(notes, "price ~ "),
        count(notes, "price ? ") + count(notes, "price ! "),
    )
}

/// The notes, with the day of each list: of those at hand, and of those that were at hand before.
fn notes_for(old: &str, lists: &[List]) -> String {
    let line = |(name, home): &(&str, &str)| {
        let now = lists.iter().find(|list| list.name == *name);
        let now = now.map(|list| format!("{LIST}{name} of {}: {home}", list.day));
        let before = || {
            let mut noted = old.lines().filter_map(|line| line.strip_prefix("# "));
            noted.find(|line| line.starts_with(&format!("{LIST}{name} of "))).map(str::to_owned)
        };
        now.or_else(before)
    };
    let lists: Vec<String> = HOMES.iter().filter_map(line).collect();
    format!("{NOTES}\n{}", lists.join("\n"))
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// `None`: there is no such file yet.
fn read(path: &Path) -> Result<Option<String>, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

/// Beside the file first, so that a full disk leaves the old one.
fn write(path: &Path, text: &str) -> Result<(), String> {
    let beside = path.with_extension("new");
    let failed = |error: std::io::Error| format!("{} cannot be written: {error}", path.display());
    std::fs::write(&beside, text).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)
}
