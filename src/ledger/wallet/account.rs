//! The accounts between which money moves, and the one way it does.

use super::LotId;
use crate::types::Pico;

/// Where credits come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Paid for.
    Purchase,
    /// Given: a welcome, an allowance.
    Grant,
    /// Given for a time: a campaign, a redemption code.
    Promotion,
    /// Given back.
    Refund,
    /// Corrected by an operator.
    Adjustment,
}

impl Source {
    /// Every source, for tables.
    pub const ALL: [Source; 5] =
        [Source::Purchase, Source::Grant, Source::Promotion, Source::Refund, Source::Adjustment];

    /// Its name in files and answers.
    pub fn name(self) -> &'static str {
        match self {
            Source::Purchase => "purchase",
            Source::Grant => "grant",
            Source::Promotion => "promotion",
            Source::Refund => "refund",
            Source::Adjustment => "adjustment",
        }
    }

    /// In which order lots are spent when they name no priority: what was given
    /// goes before what was paid for.
    pub fn priority(self) -> u8 {
        match self {
            Source::Promotion => 10,
            Source::Grant => 20,
            Source::Adjustment => 30,
            Source::Refund => 40,
            Source::Purchase => 50,
        }
    }
}

/// An account. Those of lots belong to the wallet that a movement names, the
/// others to the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// What is left of a lot. Never below zero.
    Lot(LotId),
    /// What of a lot the movement's request holds. Never below zero.
    Hold(LotId),
    /// Credits that were issued; below zero by what is in circulation or was used.
    Issued(Source),
    /// Credits that requests were charged.
    Revenue,
    /// Credits that nobody used in time.
    Expired,
    /// What vendors took, in the currency.
    VendorCost,
    /// What is owed to vendors, in the currency; below zero.
    VendorPayable,
}

/// What an account counts. Money never moves between units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Credits of tenants.
    Credits,
    /// The currency in which vendors are paid.
    Currency,
}

impl Account {
    /// What the account counts.
    pub fn unit(self) -> Unit {
        match self {
            Account::VendorCost | Account::VendorPayable => Unit::Currency,
            Account::Lot(_) | Account::Hold(_) | Account::Issued(_) | Account::Revenue | Account::Expired => {
                Unit::Credits
            }
        }
    }
}

/// An amount that leaves one account and enters another. Debit and credit are
/// one number, so that a sum of transfers is balanced whatever they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Transfer {
    /// Where it leaves.
    pub from: Account,
    /// Where it enters.
    pub to: Account,
    /// More than zero.
    pub amount: Pico,
}

impl Transfer {
    /// A transfer.
    pub fn new(from: Account, to: Account, amount: Pico) -> Self {
        debug_assert!(from.unit() == to.unit(), "credits are no currency");
        Self { from, to, amount }
    }

    /// Can such a transfer be? The amount is more than zero, both sides count
    /// the same, and are two accounts.
    pub fn is_sound(&self) -> bool {
        self.amount > Pico::ZERO && self.from.unit() == self.to.unit() && self.from != self.to
    }
}
