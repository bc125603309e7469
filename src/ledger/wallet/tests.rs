//! Wallets by themselves: single steps, and the whole money core in as many
//! histories as there are seeds.

mod sim;
mod steps;
mod threads;

use super::*;
use crate::types::{Pico, RequestId, TenantId, Wall};

/// SplitMix64: any seed is as good as any other.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }

    pub(super) fn amount(&mut self, most: u64) -> Pico {
        Pico(i128::from(self.below(most)))
    }
}

pub(super) fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

pub(super) fn request(n: u64) -> RequestId {
    RequestId(uuid::Uuid::from_u64_pair(0x7000, n))
}

/// A credit a unit of cost, and a fifth on top.
pub(super) fn terms() -> Terms {
    Terms::margin(200_000, Pico(1_000_000_000_000))
}

pub(super) fn sale(owed: Pico) -> Sale {
    Sale { rule: Rule::Free, tier: 0, owed, paid: Pico::ZERO }
}

/// Credits of a lot that come in.
pub(super) fn issue(wallet: &TenantId, lot: Lot, operation: &str, at: Wall) -> Movement {
    Movement {
        at,
        wallet: wallet.clone(),
        member: None,
        request: None,
        cause: Cause::Issue { operation: operation.into(), lot, reason: "".into() },
        transfers: vec![Transfer::new(Account::Issued(lot.source), Account::Lot(lot.id), lot.amount)],
    }
}

pub(super) fn lot(id: u64, source: Source, amount: i128, expires_at: Option<i64>) -> Lot {
    Lot {
        id: LotId(id),
        source,
        priority: source.priority(),
        expires_at: expires_at.map(Wall),
        amount: Pico(amount),
    }
}
