//! `aigne-hub keys …`: the control plane's API for keys, in fewer words.

use super::ConfigArg;
use super::api::Hub;
use crate::types::Pico;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

/// Makes, lists and revokes keys.
#[derive(Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Subcommand)]
enum Action {
    /// Makes a key and prints its secret, once.
    Create(Box<Create>),
    /// Lists the keys, without secrets.
    List,
    /// Gives a key a new secret and prints it, once.
    Rotate {
        /// The key's id, as `list` shows it.
        id: String,
        /// So many seconds the old secret goes on working.
        #[arg(long, default_value_t = 0)]
        overlap: u64,
    },
    /// Revokes a key, at once and for good.
    Revoke {
        /// The key's id, as `list` shows it.
        id: String,
    },
}

/// What a new key may do.
#[derive(Args)]
pub(super) struct Create {
    /// What people call it.
    #[arg(long, default_value = "")]
    name: String,
    /// Who pays.
    #[arg(long, default_value = "default")]
    tenant: String,
    /// Seconds until it expires.
    #[arg(long)]
    expires_in: Option<u64>,
    /// A model or glob it may use; repeatable. None: all.
    #[arg(long = "model")]
    models: Vec<String>,
    /// An address or CIDR it may be used from; repeatable.
    #[arg(long)]
    allow: Vec<String>,
    /// An address or CIDR it may not be used from; repeatable.
    #[arg(long)]
    deny: Vec<String>,
    /// Requests in any minute.
    #[arg(long)]
    rpm: Option<u64>,
    /// Tokens in any minute.
    #[arg(long)]
    tpm: Option<u64>,
    /// Requests at the same time.
    #[arg(long)]
    concurrency: Option<u32>,
    /// Tokens a UTC day.
    #[arg(long)]
    day_tokens: Option<u64>,
    /// Tokens a UTC month.
    #[arg(long)]
    month_tokens: Option<u64>,
    /// Money a UTC day, as `2.50`.
    #[arg(long, value_parser = money)]
    day_cost: Option<Pico>,
    /// Money a UTC month, as `50`.
    #[arg(long, value_parser = money)]
    month_cost: Option<Pico>,
}

fn money(text: &str) -> Result<Pico, String> {
    Pico::parse(text).map_err(|e| e.to_string())
}

impl Create {
    /// The body of `POST /keys`.
    pub(super) fn body(&self) -> Value {
        let expires_at = self.expires_in.map(|seconds| {
            let now = crate::types::Clock::machine().wall();
            crate::control::Moment(now.after(std::time::Duration::from_secs(seconds)))
        });
        let body = json!({
            "name": self.name,
            "expires_at": expires_at,
            "models": self.models,
            "allow": self.allow,
            "deny": self.deny,
            "requests_per_minute": self.rpm,
            "tokens_per_minute": self.tpm,
            "concurrency": self.concurrency,
            "day_tokens": self.day_tokens,
            "month_tokens": self.month_tokens,
            "day_cost": self.day_cost,
            "month_cost": self.month_cost,
            "tenant": self.tenant,
        });
        body
    }
}

impl Keys {
    pub(super) fn run(self) -> Result<(), String> {
        let hub = Hub::of_this_machine(&self.config, matches!(self.action, Action::Create(_)))?;
        match self.action {
            // A tenant that nobody has heard of is made on the way.
            Action::Create(create) => {
                if create.tenant != "default" {
                    hub.ensure_tenant(&create.tenant)?;
                }
                hub.print("POST", "/keys", Some(create.body()))
            }
            Action::List => {
                let keys = hub.all("/keys", "")?;
                super::out::print(json!({ "keys": keys }))
            }
            Action::Rotate { id, overlap } => {
                let body = Map::from_iter([("overlap_seconds".to_owned(), json!(overlap))]);
                hub.print(
                    "POST",
                    &format!("/keys/{}/rotate", super::api::segment(&id)),
                    Some(Value::Object(body)),
                )
            }
            Action::Revoke { id } => {
                hub.print("POST", &format!("/keys/{}/revoke", super::api::segment(&id)), None)
            }
        }
    }
}
