//! `aigne-hub keys …`

use super::ConfigArg;
use super::out;
use super::remote::Remote;
use crate::access::Pepper;
use crate::admin::{NewKey, shown};
use crate::server;
use crate::store::{Store, StoreError};
use crate::types::{Clock, KeyId, Pico};
use clap::{Args, Subcommand};

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
    /// Lists the keys of the store, without secrets.
    List,
    /// Disables a key at once.
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

impl From<Create> for NewKey {
    fn from(from: Create) -> Self {
        let Create { name, tenant, expires_in, models, allow, deny, concurrency, .. } = from;
        Self {
            name,
            tenant,
            expires_in,
            models,
            allow,
            deny,
            requests_per_minute: from.rpm,
            tokens_per_minute: from.tpm,
            concurrency,
            day_tokens: from.day_tokens,
            month_tokens: from.month_tokens,
            day_cost: from.day_cost,
            month_cost: from.month_cost,
        }
    }
}

impl Keys {
    pub(super) fn run(self) -> Result<(), String> {
        let (document, environment, boot) = self.config.boot()?;
        if !matches!(self.action, Action::Create(_)) && !Store::exists(&boot.data_dir) {
            return Err(format!("there is no hub data in {}", boot.data_dir.display()));
        }
        let store = match server::open_store(&boot, &Clock::machine(), None) {
            Ok(store) => store,
            Err(StoreError::Locked(_)) => {
                return self.action.remotely(&Remote::find(&document, &boot)?);
            }
            Err(error) => return Err(error.to_string()),
        };
        let done = self.action.locally(&store, || {
            document.pepper(&environment, &server::pepper(&store)?).map_err(|p| p.to_string())
        });
        store.close();
        done
    }
}

impl Action {
    fn remotely(self, hub: &Remote) -> Result<(), String> {
        let reply = match self {
            Action::Create(create) => {
                let body = serde_json::to_string(&NewKey::from(*create)).map_err(|e| e.to_string())?;
                hub.ask("POST", "/admin/keys", &body)
            }
            Action::List => hub.ask("GET", "/admin/keys", ""),
            Action::Revoke { id } => {
                let id = KeyId::parse(&id).map_err(|e| e.to_string())?;
                hub.ask("DELETE", &format!("/admin/keys/{id}"), "")
            }
        };
        out::print(reply?.text()?)
    }

    fn locally(self, store: &Store, pepper: impl FnOnce() -> Result<Pepper, String>) -> Result<(), String> {
        let failed = |e: StoreError| e.to_string();
        match self {
            Action::Create(create) => {
                let (row, secret) = NewKey::from(*create).make(&pepper()?, Clock::machine().wall())?;
                store.put_key(&row).map_err(failed)?;
                let mut answer = shown(&row);
                if let Some(fields) = answer.as_object_mut() {
                    fields.insert("secret".into(), secret.into());
                }
                out::print(answer)
            }
            Action::List => {
                let keys: Vec<_> = store.keys().map_err(failed)?.iter().map(shown).collect();
                out::print(serde_json::json!({ "keys": keys }))
            }
            Action::Revoke { id } => {
                let rows = store.keys().map_err(failed)?;
                let row = rows.into_iter().find(|row| row.id.as_str() == id);
                let mut row = row.ok_or("no such key in the store (keys of the file are revoked there)")?;
                row.enabled = false;
                store.put_key(&row).map_err(failed)?;
                out::print(shown(&row))
            }
        }
    }
}
