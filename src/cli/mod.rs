//! The command line. What it does to keys and books it does on the store
//! itself when no hub runs, and through the running hub otherwise.

mod api;
mod audit;
mod billing;
mod catalogue;
mod check;
mod connect;
mod health;
mod import;
mod keys;
mod ledger;
mod notices;
mod out;
mod quotas;
mod remote;
mod things;
mod usage;
mod wallet;

use crate::config::{Boot, Document, Environment};
use crate::server::{self, ServeOptions, Upgrade};
use clap::{Args, Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Where a configuration is looked for when none is named.
const DEFAULT_CONFIG: &str = "conf/hub.toml";

/// A fast reverse proxy for LLM traffic that keeps the books.
#[derive(Parser)]
#[command(name = "aigne-hub", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the hub.
    Serve(Serve),
    /// Runs the hub in the place of the one that is running, without refusing a request.
    Upgrade(Run),
    /// Validates a configuration offline and prints every problem with file, line and key.
    Check(Check),
    /// Calls the control plane's API and prints what it answers.
    Api(api::Api),
    /// Lists things of a kind: tenants, users, keys, providers, …
    List(things::List),
    /// Shows one thing.
    Show(things::One),
    /// Makes one: aigne-hub create tenants id=acme name='Acme Inc.'
    Create(things::Create),
    /// Changes one: aigne-hub update tenants acme enabled=false
    Update(things::Update),
    /// Deletes one.
    Delete(things::One),
    /// Lists the routes of that API.
    Routes,
    /// Prints the OpenAPI document of that API.
    Openapi,
    /// Prints what can be permitted and which role may do it, as Markdown.
    Permissions,
    /// Proves and exports the audit log.
    Audit(audit::Audit),
    /// Makes, lists, rotates and revokes keys.
    Keys(keys::Keys),
    /// Grants keys to programs that wait for one, such as AIGNE's command line.
    Connect(connect::Connect),
    /// Shows what was used, and by whom.
    Usage(usage::Usage),
    /// Shows and exports single calls.
    Calls(usage::Calls),
    /// Exports, verifies and prunes the books.
    Ledger(ledger::Ledger),
    /// Shows wallets, gives credits and takes them back.
    Wallet(wallet::Wallet),
    /// Shows how credentials and models are at this moment.
    Health(health::Health),
    /// Shows what of quotas is used.
    Quotas(quotas::Quotas),
    /// Makes codes, writes statements and reports.
    Billing(billing::Billing),
    /// Lists notices and deliveries, tests webhooks, replays deliveries.
    Notices(notices::Notices),
    /// Builds and shows what is known of models: limits, abilities, prices.
    Catalogue(catalogue::Catalogue),
    /// Takes over what the AIGNE Hub before this one knew, from its aikit.db.
    Import(Box<import::Import>),
    /// Prints the JSON schema of the configuration file.
    Schema,
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    run: Run,
    /// Take over from the running hub when it is sent SIGQUIT.
    #[arg(long)]
    upgrade: bool,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    config: ConfigArg,
    /// Log lines as text instead of JSON.
    #[arg(long)]
    text_logs: bool,
    /// Log filter, as `info` or `aigne_hub=debug`.
    #[arg(long, env = "AIGNE_HUB_LOG", default_value = "info")]
    log: String,
}

#[derive(Args)]
struct Check {
    #[command(flatten)]
    config: ConfigArg,
    /// The file, as an alternative to `--config`.
    file: Option<PathBuf>,
}

/// Which configuration.
#[derive(Args, Clone)]
struct ConfigArg {
    /// The configuration file. Without it: conf/hub.toml if there is one, else the built-in defaults.
    #[arg(long, short, global = true, env = "AIGNE_HUB_CONFIG")]
    config: Option<PathBuf>,
}

impl ConfigArg {
    fn path(&self) -> Option<PathBuf> {
        let default = || Some(PathBuf::from(DEFAULT_CONFIG)).filter(|path| path.exists());
        self.config.clone().or_else(default)
    }

    /// What is needed to find the store.
    fn boot(&self) -> Result<(Document, Environment, Boot), String> {
        let environment = Environment::capture();
        let document = Document::read(self.path().as_deref()).map_err(|p| p.to_string())?;
        let boot = document.boot(&environment).map_err(|p| p.to_string())?;
        Ok((document, environment, boot))
    }
}

impl Run {
    fn run(self, upgrade: Upgrade) -> Result<(), String> {
        let (config, json_logs, log_level) = (self.config.path(), !self.text_logs, self.log);
        server::serve(&ServeOptions { config, upgrade, json_logs, log_level })
    }
}

/// Runs the command line; problems go to stderr.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Serve(serve) if serve.upgrade => serve.run.run(Upgrade::Await),
        Command::Serve(serve) => serve.run.run(Upgrade::No),
        Command::Upgrade(run) => run.run(Upgrade::Demand),
        Command::Check(check) => check::run(check.file.or_else(|| check.config.path())),
        Command::Api(api) => api.run(),
        Command::Billing(billing) => billing.run(),
        Command::List(list) => list.run(),
        Command::Show(one) => one.show(),
        Command::Create(create) => create.run(),
        Command::Update(update) => update.run(),
        Command::Delete(one) => one.delete(),
        Command::Routes => api::print_routes(),
        Command::Permissions => out::print(crate::control::permission_matrix().trim_end()),
        Command::Openapi => out::print(format_args!("{:#}", crate::admin::document())),
        Command::Audit(audit) => audit.run(),
        Command::Keys(keys) => keys.run(),
        Command::Connect(connect) => connect.run(),
        Command::Usage(usage) => usage.run(),
        Command::Calls(calls) => calls.run(),
        Command::Ledger(ledger) => ledger.run(),
        Command::Wallet(wallet) => wallet.run(),
        Command::Health(health) => health.run(),
        Command::Quotas(quotas) => quotas.run(),
        Command::Notices(notices) => notices.run(),
        Command::Catalogue(catalogue) => catalogue.run(),
        Command::Import(import) => import.run(),
        Command::Schema => out::print(format_args!("{:#}", crate::config::schema())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            // If stderr is gone, there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "{problem}");
            ExitCode::FAILURE
        }
    }
}
