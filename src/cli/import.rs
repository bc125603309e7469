//! `aigne-hub import aikit.db`: takes over what the hub before this one knew. It says what it would
//! do; with `--apply` it does it. What is there already is left as it is, so that a second run
//! changes nothing.

mod history;
mod plan;
mod prices;

use super::api::{Hub, Place};
use super::out;
use crate::access::open_sealed;
use crate::control::Moment;
use crate::ledger::PriceTable;
use crate::server;
use crate::store::aikit::Aikit;
use crate::types::{Clock, Secret};
use clap::Args;
use plan::{Known, Plan};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;

/// Takes over providers, credentials, prices and history of the AIGNE Hub that was there before.
#[derive(Args)]
pub(super) struct Import {
    /// Its database, aikit.db.
    database: PathBuf,
    /// Do it. Without this, only say what would be done.
    #[arg(long, conflicts_with = "dry_run")]
    apply: bool,
    /// Only say what would be done: the default.
    #[arg(long)]
    dry_run: bool,
    /// What its secrets are encrypted with.
    #[arg(long, env = "BLOCKLET_APP_EK", hide_env_values = true)]
    encryption_key: Option<String>,
    /// Its DID, which its secrets are encrypted with too.
    #[arg(long, env = "BLOCKLET_DID")]
    did: Option<String>,
    /// Where prices go that this hub does not know; name it under prices.files.
    #[arg(long, default_value = "imported-prices.toml")]
    prices: PathBuf,
    /// Leave its history of calls where it is.
    #[arg(long)]
    without_history: bool,
    #[command(flatten)]
    place: Place,
}

impl Import {
    pub(super) fn run(self) -> Result<(), String> {
        let aikit = Aikit::open(&self.database)?;
        let hub = self.place.hub()?;
        let (document, _, _) = self.place.config.boot()?;
        let embedded = server::embedded_prices()?;
        let table = document.prices(&embedded, PriceTable::parse_toml).map_err(|p| p.to_string())?;
        let now = Clock::machine().wall();
        let known =
            Known { providers: hub.all("/providers", "")?, credentials: hub.all("/credentials", "")? };
        let open = |text: &str| open_sealed(text, self.encryption_key.as_deref()?, self.did.as_deref()?);
        let plan = Plan::of(&aikit, &known, &open, &|provider, vendor, model| {
            table.find(provider, vendor, model, now).is_some()
        })?;
        let today: String = Moment(now).to_string().chars().take(10).collect();
        let rows = prices::missing(&self.prices, &plan.prices, &today)?;
        plan.tell(rows.len())?;
        if !self.apply {
            if !self.without_history {
                let told = history::count(&aikit)?;
                out::print(format_args!("history: {told}"))?;
            }
            return out::print("nothing has been changed; --apply does it");
        }
        let mut failed = apply(&hub, &plan)?;
        if let Some(text) = prices::written(&self.prices, &rows)? {
            out::print(text)?;
        }
        if !self.without_history {
            let names: HashMap<&str, &str> =
                plan.names.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect();
            let told = history::take(&aikit, &hub, &names)?;
            out::print(format_args!("history: {told}"))?;
        }
        failed.extend(plan.conflicts.iter().cloned());
        match failed.len() {
            0 => Ok(()),
            n => Err(format!("{n} things were not taken over:\n{}", failed.join("\n"))),
        }
    }
}

/// Makes what the plan says; what the hub refuses is told and does not stop the rest.
fn apply(hub: &Hub, plan: &Plan) -> Result<Vec<String>, String> {
    let mut failed = Vec::new();
    let mut ids = plan.ids.clone();
    for provider in &plan.providers {
        match hub.ask("POST", "/providers", Some(provider.body.clone())) {
            Ok(text) => drop(ids.insert(provider.name.clone(), id_of(&text)?)),
            Err(error) => failed.push(format!("provider {}: {error}", provider.name)),
        }
    }
    for credential in &plan.credentials {
        let told = format!("credential {}/{}", credential.provider, credential.name);
        let Some(provider) = ids.get(&credential.provider) else {
            failed.push(format!("{told}: its provider is not there"));
            continue;
        };
        let mut body = credential.body.clone();
        body["provider"] = json!(provider);
        for (member, secret) in &credential.secrets {
            body[*member] = json!(Secret::expose(secret));
        }
        if let Err(error) = hub.ask("POST", "/credentials", Some(body)) {
            failed.push(format!("{told}: {error}"));
        }
    }
    let (providers, credentials) = (plan.providers.len(), plan.credentials.len());
    out::print(format_args!(
        "made: {providers} providers and {credentials} credentials, {} refused",
        failed.len()
    ))?;
    Ok(failed)
}

fn id_of(text: &str) -> Result<String, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    value["id"].as_str().map(str::to_owned).ok_or_else(|| "the hub named no id".to_owned())
}
