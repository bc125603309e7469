//! Balances as bytes, so that whatever of the journal lies before them can go.

use super::{Balances, Open, Sheet, Totals};
use crate::ledger::wallet::Done;
use crate::types::{Pico, RequestId, TenantId, Wall};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Everything that balances are, in one order: the same balances are the same bytes.
#[derive(Serialize, Deserialize)]
struct Frozen {
    totals: Totals,
    sheets: Vec<(TenantId, Sheet)>,
    open: Vec<(RequestId, Open)>,
    operations: Vec<(Arc<str>, Done)>,
}

/// An entry of the journal: days before it went, and their balances are kept beside the journal. The
/// chain of batches proves this entry, and the entry proves those balances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// When the days went.
    pub at: Wall,
    /// The last batch that went.
    pub through: u64,
    /// That batch's digest, in hexadecimal.
    pub head: Arc<str>,
    /// Digest of the balances after that batch, in hexadecimal.
    pub balances: Arc<str>,
    /// Wallets among them.
    pub wallets: u64,
    /// Credits in those wallets, held ones included.
    pub credits: Pico,
}

impl Balances {
    /// All of them as bytes, whose digest a [`Carried`] names.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut frozen = Frozen {
            totals: self.totals,
            sheets: self.sheets.iter().map(|(tenant, sheet)| (tenant.clone(), sheet.clone())).collect(),
            open: self.open.iter().map(|(request, open)| (*request, open.clone())).collect(),
            operations: self.operations.iter().map(|(id, done)| (id.clone(), done.clone())).collect(),
        };
        frozen.sheets.sort_by(|(one, _), (other, _)| one.cmp(other));
        frozen.open.sort_by_key(|(request, _)| *request);
        frozen.operations.sort_by(|(one, _), (other, _)| one.cmp(other));
        match postcard::to_allocvec(&frozen) {
            Ok(bytes) => bytes,
            Err(error) => unreachable!("plain structs can always be encoded: {error}"),
        }
    }

    /// The balances that were written so; `None` when these are no such bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let frozen: Frozen = postcard::from_bytes(bytes).ok()?;
        Some(Self {
            sheets: frozen.sheets.into_iter().collect(),
            open: frozen.open.into_iter().collect(),
            operations: frozen.operations.into_iter().collect(),
            totals: frozen.totals,
        })
    }

    /// How many wallets there are, and the credits in them, held ones included.
    pub fn sum(&self) -> (u64, Pico) {
        let sums = self.sheets.values().map(|sheet| sheet.left().saturating_add(sheet.held()));
        (self.sheets.len() as u64, sums.fold(Pico::ZERO, Pico::saturating_add))
    }
}
