//! What the journal says about wallets: movements, each with its cause.

use super::{Account, Lot, LotId, Rule, Transfer};
use crate::types::{Pico, RequestId, TenantId, Wall};
use std::sync::Arc;

/// Money that moved, in one step, in one wallet. Never changed.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Movement {
    /// When. A request's movements are dated by its arrival, as its other records are.
    pub at: Wall,
    /// Whose wallet.
    pub wallet: TenantId,
    /// The part of the tenant that spends, if it has a limit of its own.
    pub member: Option<Arc<str>>,
    /// The request, for causes that belong to one.
    pub request: Option<RequestId>,
    /// Why.
    pub cause: Cause,
    /// From where to where.
    pub transfers: Vec<Transfer>,
}

/// Why money moved. New causes are added at the end: the journal knows them by number.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A request is about to reach a vendor: the worst case, or the first step of a stream.
    Hold(Held),
    /// A stream goes on: its step of this number.
    Extend(u32),
    /// A request knows what it used: the rest is free before its settlement is written.
    Trim(u32),
    /// A request ended: what it is charged, and the rest goes back.
    Settle(Sale),
    /// A lot is over.
    Expire,
    /// Credits come in.
    Issue {
        /// The id that makes it happen once.
        operation: Arc<str>,
        /// What came in.
        lot: Lot,
        /// For people.
        reason: Arc<str>,
    },
    /// Credits are taken back by an operator.
    Reclaim {
        /// The id that makes it happen once.
        operation: Arc<str>,
        /// For people.
        reason: Arc<str>,
    },
}

impl Cause {
    /// Its name in exports.
    pub fn name(&self) -> &'static str {
        match self {
            Cause::Hold(_) => "hold",
            Cause::Extend(_) => "extend",
            Cause::Trim(_) => "trim",
            Cause::Settle(_) => "settle",
            Cause::Expire => "expire",
            Cause::Issue { .. } => "issue",
            Cause::Reclaim { .. } => "reclaim",
        }
    }
}

/// How the request that holds will be charged.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Held {
    /// The rule.
    pub rule: Rule,
    /// The charge, should its process die: the input bound by the rule of recovery.
    pub if_lost: Pico,
}

/// What a request was charged, and why.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Sale {
    /// The rule.
    pub rule: Rule,
    /// The tier of a rate row; 0 with a margin.
    pub tier: u32,
    /// What the rule says.
    pub owed: Pico,
    /// What was there to be paid. Less than owed only when a request used more
    /// than its bound and the wallet had no more; the hub bears the difference.
    pub paid: Pico,
}

impl Movement {
    /// The operation's id, if it is one.
    pub fn operation(&self) -> Option<&Arc<str>> {
        match &self.cause {
            Cause::Issue { operation, .. } | Cause::Reclaim { operation, .. } => Some(operation),
            _ => None,
        }
    }

    /// What left an account of this kind, less what came in.
    pub fn net(&self, of: impl Fn(Account) -> bool) -> Pico {
        let mut sum = Pico::ZERO;
        for transfer in &self.transfers {
            if of(transfer.from) {
                sum = sum.saturating_add(transfer.amount);
            }
            if of(transfer.to) {
                sum = sum.saturating_sub(transfer.amount);
            }
        }
        sum
    }

    /// Lots that the movement touches.
    pub fn lots(&self) -> impl Iterator<Item = LotId> + '_ {
        self.transfers.iter().flat_map(|transfer| [transfer.from, transfer.to]).filter_map(|account| {
            match account {
                Account::Lot(lot) | Account::Hold(lot) => Some(lot),
                _ => None,
            }
        })
    }
}
