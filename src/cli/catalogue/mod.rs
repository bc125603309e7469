//! `aigne-hub catalogue`: builds the tables of models and prices again from
//! public lists. Only facts are taken from a list, and rows of prices are only
//! added: what was booked by an old one must stay computable.

mod build;
pub(super) mod decimal;
mod facts;
mod listed;
mod litellm;
mod models_dev;
mod openrouter;
mod rates;
mod show;

use super::ConfigArg;
use crate::catalogue::Day;
use clap::{Args, Subcommand};
use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

#[derive(Args)]
pub(super) struct Catalogue {
    #[command(flatten)]
    config: ConfigArg,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Brings the tables of models and prices up to date with public lists.
    Build(Build),
    /// Shows what is known of a model: abilities, limits, price.
    Show(Show),
}

#[derive(Args)]
struct Build {
    /// A list: LiteLLM's model_prices_and_context_window.json, the api.json of models.dev, or
    /// OpenRouter's answer of /api/v1/models. `FILE@2026-11-20` says when it was taken (default:
    /// today); new prices hold from that day. Of several lists the first that names a price decides.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE[@DAY]")]
    from: Vec<Source>,
    /// The table of models.
    #[arg(long, default_value = "conf/models.tsv")]
    models: PathBuf,
    /// The table of prices.
    #[arg(long, default_value = "conf/prices.toml")]
    prices: PathBuf,
    /// Only say what would change.
    #[arg(long)]
    diff: bool,
    /// Take models out that no list names any more.
    #[arg(long)]
    drop_gone: bool,
}

#[derive(Args)]
struct Show {
    /// A model as callers name it: an alias, or provider/model.
    model: String,
}

/// A file, and the day on which it was taken.
#[derive(Clone, Debug)]
struct Source {
    path: PathBuf,
    day: Option<Day>,
}

impl FromStr for Source {
    type Err = Infallible;

    /// What stands behind the last `@` is a day, or else part of the name.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let dated = text.rsplit_once('@').and_then(|(path, day)| Some((path, Day::parse(day)?)));
        Ok(match dated {
            Some((path, day)) => Self { path: path.into(), day: Some(day) },
            None => Self { path: text.into(), day: None },
        })
    }
}

impl Catalogue {
    /// Runs the command.
    ///
    /// # Errors
    /// What cannot be read, understood or written, for the operator.
    pub(super) fn run(self) -> Result<(), String> {
        match self.command {
            Command::Build(build) => build::run(&build),
            Command::Show(show) => show::run(&self.config, &show.model),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_behind_the_name_is_one() {
        for (text, path, day) in [
            ("a.json@2026-11-20", "a.json", Some("2026-11-20")),
            ("a@b.json", "a@b.json", None),
            ("a.json@2026-13-20", "a.json@2026-13-20", None),
            ("a@2026-01-01@2026-02-02", "a@2026-01-01", Some("2026-02-02")),
        ] {
            let source: Source = text.parse().unwrap();
            assert_eq!((source.path, source.day), (path.into(), day.and_then(Day::parse)), "{text}");
        }
    }
}
