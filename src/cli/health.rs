//! `aigne-hub health`: how credentials and models are, now.

use super::api::Place;
use super::out;
use super::things::aligned;
use clap::Args;
use serde_json::Value;

/// Shows how every credential and every public model is at this moment, and what failed last.
#[derive(Args)]
pub(super) struct Health {
    /// The answer of the API instead of tables.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

const CREDENTIALS: [&str; 5] = ["CREDENTIAL", "STATE", "IN FLIGHT", "LATENCY", "LAST FAILURE"];
const MODELS: [&str; 3] = ["MODEL", "SERVING", "TARGETS (ABLE CREDENTIALS)"];

impl Health {
    pub(super) fn run(self) -> Result<(), String> {
        let text = self.place.hub()?.ask("GET", "/health", None)?;
        let health: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if self.json {
            return out::print_pretty(&health);
        }
        let rows = |name: &str, header: &[&str], row: fn(&Value) -> Vec<String>| {
            let header = header.iter().map(|title| (*title).to_owned()).collect();
            let items = health[name].as_array().into_iter().flatten();
            let rows: Vec<Vec<String>> = std::iter::once(header).chain(items.map(row)).collect();
            aligned(&rows)
        };
        let credentials = rows("credentials", &CREDENTIALS, credential);
        out::print(format!("{credentials}\n{}", rows("models", &MODELS, model)).trim_end())
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn credential(shown: &Value) -> Vec<String> {
    let latency = shown["latency_ms"].as_u64().map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
    let failure = &shown["last_failure"];
    let failure = match failure["seconds_ago"].as_u64() {
        Some(seconds) => format!("{}, {seconds} s ago", text(&failure["reason"])),
        None => "-".to_owned(),
    };
    vec![text(&shown["id"]), text(&shown["state"]), text(&shown["in_flight"]), latency, failure]
}

fn model(shown: &Value) -> Vec<String> {
    let target = |target: &Value| {
        format!("{} ({} of {})", text(&target["model"]), text(&target["able"]), text(&target["credentials"]))
    };
    let targets: Vec<String> = shown["targets"].as_array().into_iter().flatten().map(target).collect();
    let serving = if shown["serving"] == true { "yes" } else { "no" };
    vec![text(&shown["name"]), serving.to_owned(), targets.join(", ")]
}
