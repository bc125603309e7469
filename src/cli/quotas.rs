//! `aigne-hub quotas`: what of quotas is used, now.

use super::api::Place;
use super::out;
use clap::Args;
use serde_json::Value;

/// Shows what of quotas is used, by those that they are about.
#[derive(Args)]
pub(super) struct Quotas {
    /// Id of a quota. Default: all of them.
    id: Option<String>,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

const COLUMNS: [&str; 9] =
    ["NAME", "OF", "MEASURE", "PERIOD", "ENFORCE", "USED", "HELD", "AMOUNT", "RESETS AT"];

impl Quotas {
    pub(super) fn run(self) -> Result<(), String> {
        let mut uses = self.place.hub()?.all("/quota-use", "")?;
        uses.retain(|used| self.id.as_ref().is_none_or(|id| used["quota"] == **id));
        if self.json {
            let lines: Vec<String> = uses.iter().map(ToString::to_string).collect();
            return if lines.is_empty() { Ok(()) } else { out::print(lines.join("\n")) };
        }
        let text = |used: &Value, name: &str| used[name].as_str().unwrap_or("-").to_owned();
        let row = |used: &Value| {
            let of = match used["id_of"].as_str() {
                Some(id) => format!("{}:{id}", text(used, "of")),
                None => text(used, "of"),
            };
            let rest = ["measure", "period", "enforce", "used", "held", "amount", "resets_at"];
            [text(used, "name"), of].into_iter().chain(rest.map(|name| text(used, name))).collect()
        };
        let header = COLUMNS.map(str::to_owned).to_vec();
        let rows: Vec<Vec<String>> = std::iter::once(header).chain(uses.iter().map(row)).collect();
        out::print(super::things::aligned(&rows).trim_end())
    }
}
