//! `aigne-hub usage …` and `aigne-hub calls …`, in the words of the API: what
//! it is asked by is written as name=value.

use super::api::{Hub, Place, segment};
use super::out;
use crate::ledger::usage::Dimension;
use clap::{Args, Subcommand};
use serde_json::Value;

/// Shows what was used, and by whom.
#[derive(Args)]
pub(super) struct Usage {
    #[command(subcommand)]
    action: Sums,
    #[command(flatten)]
    place: Place,
}

#[derive(Subcommand)]
enum Sums {
    /// Sums by step of time: aigne-hub usage series from=2026-11-01 zone=Europe/Berlin step=day group=model
    Series(Asked),
    /// The largest groups of a time: aigne-hub usage top group=user by=cost measures=requests,cost
    Top(Asked),
    /// The sums of a time: aigne-hub usage summary tenant=acme compare=previous
    Summary(Asked),
    /// What can be asked for.
    Fields,
    /// Makes the sums anew from the books, as far as these go back.
    Rebuild,
}

/// Shows single calls.
#[derive(Args)]
pub(super) struct Calls {
    #[command(subcommand)]
    action: Single,
    #[command(flatten)]
    place: Place,
}

#[derive(Subcommand)]
enum Single {
    /// Lists calls, those that ended last first: aigne-hub calls list outcome=upstream_error key=ci
    List(Asked),
    /// Shows everything that the books say of one call.
    Show {
        /// Its id, as in `x-request-id`.
        id: String,
    },
    /// Writes all calls that fit as CSV, or with format=jsonl as lines of JSON.
    Export(Asked),
}

/// What is asked for.
#[derive(Args)]
struct Asked {
    /// As from=2026-11-01 or model=gpt-4o; `aigne-hub routes` and GET /openapi.json list the names.
    words: Vec<String>,
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
}

impl Asked {
    /// The words as a query.
    fn query(&self) -> Result<String, String> {
        let mut query = String::new();
        for word in &self.words {
            let pair = word.split_once('=').ok_or_else(|| format!("{word:?} is no name=value"))?;
            let mark = if query.is_empty() { '?' } else { '&' };
            query.push_str(&format!("{mark}{}={}", segment(pair.0), segment(pair.1)));
        }
        Ok(query)
    }

    fn names(&self, name: &str) -> bool {
        self.words.iter().any(|word| word.split_once('=').is_some_and(|(own, _)| own == name))
    }
}

impl Usage {
    pub(super) fn run(self) -> Result<(), String> {
        let hub = self.place.hub()?;
        match &self.action {
            Sums::Series(asked) => sums(&hub, "/usage/series", asked),
            Sums::Top(asked) => sums(&hub, "/usage/top", asked),
            Sums::Summary(asked) => pretty(&hub, "GET", &format!("/usage/summary{}", asked.query()?)),
            Sums::Fields => pretty(&hub, "GET", "/usage/fields"),
            Sums::Rebuild => pretty(&hub, "POST", "/usage/rebuild"),
        }
    }
}

impl Calls {
    pub(super) fn run(self) -> Result<(), String> {
        let hub = self.place.hub()?;
        match &self.action {
            Single::List(asked) => {
                let answer = ask(&hub, &format!("/calls{}", asked.query()?))?;
                if asked.json {
                    return out::print_pretty(&answer);
                }
                let next = answer["next"].as_str().map(|next| format!("\nolder ones: after={next}"));
                out::print(format!("{}{}", table(&answer["items"]).trim_end(), next.unwrap_or_default()))
            }
            Single::Show { id } => pretty(&hub, "GET", &format!("/calls/{}", segment(id))),
            Single::Export(asked) => hub.copy(&format!("/calls/export{}", asked.query()?)),
        }
    }
}

fn ask(hub: &Hub, path: &str) -> Result<Value, String> {
    serde_json::from_str(&hub.ask("GET", path, None)?).map_err(|error| error.to_string())
}

fn pretty(hub: &Hub, method: &str, path: &str) -> Result<(), String> {
    let text = hub.ask(method, path, None)?;
    let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    out::print_pretty(&value)
}

/// Series and ranks: a table for people, unless a form is asked for.
fn sums(hub: &Hub, path: &str, asked: &Asked) -> Result<(), String> {
    let query = asked.query()?;
    if asked.names("format") {
        return hub.copy(&format!("{path}{query}"));
    }
    if asked.json {
        return out::print_pretty(&ask(hub, &format!("{path}{query}"))?);
    }
    let mark = if query.is_empty() { '?' } else { '&' };
    let lines = hub.ask("GET", &format!("{path}{query}{mark}format=jsonl"), None)?;
    let rows: Result<Vec<Value>, _> = lines.lines().map(serde_json::from_str).collect();
    let rows = rows.map_err(|error| error.to_string())?;
    out::print(columns(&rows, &[]).trim_end())
}

/// What people look for first of calls.
fn table(calls: &Value) -> String {
    const SHOWN: &[&str] = &[
        "time",
        "id",
        "tenant",
        "key",
        "model",
        "provider",
        "status",
        "outcome",
        "error",
        "duration_us",
        "cost",
        "charge",
    ];
    columns(calls.as_array().map(Vec::as_slice).unwrap_or_default(), SHOWN)
}

/// Objects in columns: those that are named, or all of the first one's members. Columns
/// without a value are left out.
fn columns(rows: &[Value], shown: &[&str]) -> String {
    let text = |row: &Value, name: &str| match row.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let members = rows.first().and_then(Value::as_object).into_iter().flat_map(|row| row.keys());
    let names: Vec<String> = match shown.is_empty() {
        true => {
            let mut names: Vec<String> = members.cloned().collect();
            // When, what is told apart, and then the numbers.
            names.sort_by_key(|name| (name != "time", Dimension::parse(name).is_none()));
            names
        }
        false => shown.iter().map(|name| (*name).to_owned()).collect(),
    };
    let used = names.iter().filter(|name| rows.iter().any(|row| !text(row, name).is_empty()));
    let cells: Vec<Vec<String>> = used
        .map(|name| {
            std::iter::once(name.to_uppercase()).chain(rows.iter().map(|row| text(row, name))).collect()
        })
        .collect();
    let widths: Vec<usize> = cells
        .iter()
        .map(|column| column.iter().map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let mut lines = String::new();
    for at in 0..=rows.len() {
        let line = cells.iter().zip(&widths).filter_map(|(column, width)| {
            let cell = column.get(at)?;
            Some(format!("{cell:<width$}"))
        });
        lines.push_str(line.collect::<Vec<_>>().join("  ").trim_end());
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_become_a_query_with_nothing_left_to_misread() {
        let asked = |words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            Asked { words, json: false }.query()
        };
        assert_eq!(asked(&[]).unwrap(), "");
        assert_eq!(
            asked(&["zone=Europe/Berlin", "model=a&b=c"]).unwrap(),
            "?zone=Europe%2FBerlin&model=a%26b%3Dc"
        );
        assert!(asked(&["model"]).is_err());
    }

    #[test]
    fn columns_without_a_value_are_left_out() {
        let rows = [json!({ "model": "gpt", "error": null }), json!({ "model": null, "error": "" })];
        assert_eq!(columns(&rows, &["error", "model"]), "MODEL\ngpt\n\n");
        assert_eq!(columns(&[], &[]), "\n");
    }
}
