//! `aigne-hub wallet …`

use super::ConfigArg;
use super::ledger;
use super::out;
use super::remote::Remote;
use crate::admin::{NewOperation, shown_done, shown_wallet, shown_wallets};
use crate::ledger::wallet::Source;
use crate::server;
use crate::store::{Archive, Store, StoreError};
use crate::types::{Clock, Pico, TenantId};
use clap::{Args, Subcommand, ValueEnum};

/// Shows wallets and gives credits.
#[derive(Args)]
pub(super) struct Wallet {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Subcommand)]
enum Action {
    /// Shows a tenant's wallet, or all of them.
    Show {
        /// The tenant.
        tenant: Option<String>,
    },
    /// Gives credits to a tenant.
    Grant(Box<Grant>),
    /// Corrects a wallet: below zero, credits are taken back, as far as there are any.
    Adjust {
        /// The tenant.
        tenant: String,
        /// Credits, as `-2.50`.
        #[arg(allow_hyphen_values = true, value_parser = amount)]
        amount: Pico,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Makes it happen once, however often it is asked for.
        #[arg(long)]
        id: Option<String>,
    },
    /// Writes every movement of a wallet as a line of JSON.
    Journal {
        /// The tenant.
        tenant: String,
    },
    /// Proves the books, wallets among them; the same as `ledger verify`.
    Verify,
}

#[derive(Args)]
struct Grant {
    /// The tenant.
    tenant: String,
    /// Credits, as `2.50`.
    #[arg(value_parser = amount)]
    amount: Pico,
    /// Where they come from.
    #[arg(long, default_value = "grant")]
    source: From,
    /// Lower is spent first.
    #[arg(long)]
    priority: Option<u8>,
    /// From this time on they cannot be spent: a day as 2026-12-31, or an RFC 3339 time.
    #[arg(long, value_parser = ledger::time)]
    expires: Option<i64>,
    /// Why.
    #[arg(long, default_value = "")]
    reason: String,
    /// Makes it happen once, however often it is asked for.
    #[arg(long)]
    id: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum From {
    Purchase,
    Grant,
    Promotion,
    Refund,
    Adjustment,
}

impl From {
    fn source(self) -> Source {
        match self {
            From::Purchase => Source::Purchase,
            From::Grant => Source::Grant,
            From::Promotion => Source::Promotion,
            From::Refund => Source::Refund,
            From::Adjustment => Source::Adjustment,
        }
    }
}

fn amount(text: &str) -> Result<Pico, String> {
    Pico::parse(text).map_err(|e| e.to_string())
}

impl Wallet {
    pub(super) fn run(self) -> Result<(), String> {
        if let Action::Verify = self.action {
            return ledger::verify(self.config);
        }
        let (document, _, boot) = self.config.boot()?;
        let failed = |error: StoreError| error.to_string();
        let remote = || Remote::find(&document, &boot);
        match self.action {
            Action::Verify => Ok(()),
            Action::Show { tenant } => match Archive::open(&boot.data_dir, boot.ledger.cache_bytes) {
                Ok(archive) => show(&archive, tenant.as_deref()),
                Err(StoreError::Locked(_)) => {
                    let tenant = tenant.map(|tenant| format!("/{tenant}")).unwrap_or_default();
                    out::print(remote()?.ask("GET", &format!("/admin/wallets{tenant}"), "")?.text()?)
                }
                Err(error) => Err(failed(error)),
            },
            Action::Journal { tenant } => match Archive::open(&boot.data_dir, boot.ledger.cache_bytes) {
                Ok(archive) => ledger::export(&archive, None, None, Some(&tenant)),
                Err(StoreError::Locked(_)) => {
                    remote()?.ask("GET", &format!("/admin/ledger/export?wallet={tenant}"), "")?.copy()
                }
                Err(error) => Err(failed(error)),
            },
            Action::Grant(grant) => {
                let (tenant, operation) = grant.operation();
                operate(&boot, &tenant, operation, remote)
            }
            Action::Adjust { tenant, amount, reason, id } => {
                let operation = NewOperation { id, amount: Some(amount), reason, ..NewOperation::default() };
                operate(&boot, &tenant, operation, remote)
            }
        }
    }
}

impl Grant {
    fn operation(self) -> (String, NewOperation) {
        let Grant { tenant, amount, source, priority, expires, reason, id } = self;
        let (amount, source) = (Some(amount), Some(source.source()));
        (tenant, NewOperation { id, amount, source, priority, expires_at: expires, reason })
    }
}

fn show(archive: &Archive, tenant: Option<&str>) -> Result<(), String> {
    let (balances, now) = (archive.balances(), Clock::machine().wall());
    let Some(tenant) = tenant else { return out::print(shown_wallets(balances, now)) };
    let tenant = TenantId::parse(tenant).map_err(|e| e.to_string())?;
    let sheet = balances.wallet(&tenant).ok_or("no such wallet")?;
    out::print(shown_wallet(&tenant, sheet, now))
}

fn operate(
    boot: &crate::config::Boot,
    tenant: &str,
    new: NewOperation,
    remote: impl FnOnce() -> Result<Remote, String>,
) -> Result<(), String> {
    let clock = Clock::machine();
    let operation = new.clone().make(tenant, clock.wall())?;
    let store: Store = match server::open_store(boot, &clock, None) {
        Ok(store) => store,
        Err(StoreError::Locked(_)) => {
            let body = serde_json::to_string(&new).map_err(|e| e.to_string())?;
            return out::print(remote()?.ask("POST", &format!("/admin/wallets/{tenant}"), &body)?.text()?);
        }
        Err(error) => return Err(error.to_string()),
    };
    let done = store.operate(operation.clone()).map_err(|e| e.to_string());
    store.close();
    let (done, fresh) = done?;
    if done.tenant != operation.tenant {
        return Err("this id was used for another tenant".into());
    }
    out::print(shown_done(&operation, &done, fresh))
}
