//! Credits that came together and go together.

use super::Source;
use crate::types::{Pico, Wall};
use std::cmp::Ordering;
use std::fmt;

/// A lot's number, counted up by the books from 1.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct LotId(pub u64);

impl fmt::Display for LotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Credits that were issued together. Never changed; what is left of it is an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Lot {
    /// Its number.
    pub id: LotId,
    /// Where it comes from.
    pub source: Source,
    /// Lower is spent first.
    pub priority: u8,
    /// From then on what is left cannot be spent.
    pub expires_at: Option<Wall>,
    /// How much it was at first.
    pub amount: Pico,
}

impl Lot {
    /// Has it expired?
    pub fn is_over(&self, now: Wall) -> bool {
        is_over(self.expires_at, now)
    }

    /// The order of spending: by priority, then what expires first, then the oldest.
    pub fn before(&self, other: &Self) -> Ordering {
        let ends = |lot: &Self| lot.expires_at.unwrap_or(Wall(i64::MAX));
        (self.priority, ends(self), self.id).cmp(&(other.priority, ends(other), other.id))
    }
}

pub(super) fn is_over(expires_at: Option<Wall>, now: Wall) -> bool {
    expires_at.is_some_and(|at| at <= now)
}

/// A part of a lot that a request holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Piece {
    pub(super) lot: LotId,
    /// The lot's; whether a rest goes back to it depends on it.
    pub(super) expires_at: Option<Wall>,
    pub(super) amount: Pico,
}

/// The sum of pieces.
pub(super) fn sum(pieces: &[Piece]) -> Pico {
    pieces.iter().fold(Pico::ZERO, |sum, piece| sum.saturating_add(piece.amount))
}

/// Adds a piece; of one lot there is only one.
pub(super) fn join(pieces: &mut Vec<Piece>, more: &[Piece]) {
    for piece in more {
        match pieces.iter_mut().find(|known| known.lot == piece.lot) {
            Some(known) => known.amount = known.amount.saturating_add(piece.amount),
            None => pieces.push(*piece),
        }
    }
}

/// Cuts pieces after `keep`: what stays, and what is over. The last held is the first over.
pub(super) fn split(pieces: &[Piece], keep: Pico) -> (Vec<Piece>, Vec<Piece>) {
    let (mut stays, mut over) = (Vec::with_capacity(pieces.len()), Vec::new());
    let mut room = keep.max(Pico::ZERO);
    for piece in pieces {
        let amount = piece.amount.min(room);
        room = room.saturating_sub(amount);
        let rest = piece.amount.saturating_sub(amount);
        if amount > Pico::ZERO {
            stays.push(Piece { amount, ..*piece });
        }
        if rest > Pico::ZERO {
            over.push(Piece { amount: rest, ..*piece });
        }
    }
    (stays, over)
}
