//! `aigne-hub notices …`: which there are, and what became of those that were sent.

use super::api::{Place, segment};
use super::out;
use clap::{Args, Subcommand};

/// Lists kinds of notices and deliveries, tests webhooks, replays deliveries.
#[derive(Args)]
pub(super) struct Notices {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    place: Place,
}

#[derive(Subcommand)]
enum Action {
    /// Prints the kinds, with the JSON that each carries.
    Kinds,
    /// Prints deliveries, one JSON object a line, the newest first.
    Deliveries(Deliveries),
    /// Sends a webhook a test notice.
    Test(One),
    /// Tries a delivery again that was given up, or that arrived.
    Replay(One),
}

#[derive(Args)]
struct Deliveries {
    /// pending, delivered or dead.
    #[arg(long, default_value = "")]
    state: String,
    /// Id of a webhook.
    #[arg(long, default_value = "")]
    webhook: String,
}

#[derive(Args)]
struct One {
    /// Its id.
    id: String,
}

impl Notices {
    pub(super) fn run(self) -> Result<(), String> {
        let hub = self.place.hub()?;
        match self.action {
            Action::Kinds => {
                let text = hub.ask("GET", "/notices", None)?;
                let kinds: serde_json::Value =
                    serde_json::from_str(&text).map_err(|error| error.to_string())?;
                out::print_pretty(&kinds["items"])
            }
            Action::Deliveries(Deliveries { state, webhook }) => {
                let query = format!("&state={}&webhook={}", segment(&state), segment(&webhook));
                let all = hub.all("/deliveries", &query)?;
                let lines: Vec<String> = all.iter().map(ToString::to_string).collect();
                if lines.is_empty() { Ok(()) } else { out::print(lines.join("\n")) }
            }
            Action::Test(One { id }) => hub.print("POST", &format!("/webhooks/{}/test", segment(&id)), None),
            Action::Replay(One { id }) => {
                hub.print("POST", &format!("/deliveries/{}/replay", segment(&id)), None)
            }
        }
    }
}
