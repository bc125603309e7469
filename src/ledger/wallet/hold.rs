//! What one request holds of a wallet, from before its vendor is called to
//! its settlement.

use super::lot::{self, Piece, join, split};
use super::purse::{Member, Short};
use super::wallets::Wallet;
use super::{Account, Cause, Held, Movement, Sale, Terms, Transfer};
use crate::ledger::{day_of, month_of_day};
use crate::types::{Pico, RequestId, Wall};
use std::sync::Arc;

/// Money that a request holds. It ends by [`Hold::settle`]. Dropped without
/// that, it goes back to the purse, unless the journal knows of it: then only
/// the journal can end it, and the next start does.
#[must_use]
pub struct Hold {
    wallet: Arc<Wallet>,
    request: RequestId,
    at: Wall,
    member: Option<Member>,
    terms: Terms,
    pieces: Vec<Piece>,
    /// Movements of this request in the journal.
    steps: u32,
}

/// Money that goes back to its purse once the journal says so: hand the
/// movement over first, then call [`Returned::give`].
#[must_use]
pub struct Returned {
    wallet: Arc<Wallet>,
    member: Option<Arc<str>>,
    back: Vec<Piece>,
    gone: Vec<Piece>,
    month: i64,
    paid: Pico,
}

impl Returned {
    /// Puts back what is free again. Dropped without this, it stays held until the next start.
    pub fn give(self) {
        let mut purse = self.wallet.purse.lock();
        purse.give(&self.back, self.member.as_ref());
        purse.spend(&self.gone, self.member.as_ref(), self.month, self.paid);
    }
}

impl Hold {
    /// Takes `amount` from the wallet, or nothing. Called once per request, at its arrival `at`.
    ///
    /// # Errors
    /// What is there instead.
    pub(super) fn take(
        wallet: Arc<Wallet>,
        (request, at): (RequestId, Wall),
        member: Option<&Member>,
        terms: Terms,
        amount: Pico,
    ) -> Result<Self, Short> {
        let pieces = wallet.purse.lock().take(amount.max(Pico::ZERO), member, at)?;
        let member = member.cloned();
        Ok(Self { wallet, request, at, member, terms, pieces, steps: 0 })
    }

    /// How the request will be charged.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What is held.
    pub fn amount(&self) -> Pico {
        lot::sum(&self.pieces)
    }

    /// What the wallet has beside this hold.
    pub fn beside(&self, now: Wall) -> Pico {
        self.wallet.purse.lock().available(now)
    }

    /// The movement that goes into the journal with the request's intent; to be called once, and
    /// to be handed over before the vendor is called.
    pub fn book(&mut self, if_lost: Pico) -> Movement {
        debug_assert!(self.steps == 0, "a hold is booked once");
        self.steps = 1;
        let held = Held { rule: self.terms.rule().clone(), if_lost: if_lost.min(self.amount()) };
        self.movement(Cause::Hold(held), holding(&self.pieces))
    }

    /// Holds `amount` more, or nothing. The movement may be handed over at any time before the
    /// next of this request.
    ///
    /// # Errors
    /// What is there instead.
    pub fn extend(&mut self, amount: Pico, now: Wall) -> Result<Movement, Short> {
        let more = self.wallet.purse.lock().take(amount.max(Pico::ZERO), self.member.as_ref(), now)?;
        join(&mut self.pieces, &more);
        self.steps += 1;
        Ok(self.movement(Cause::Extend(self.steps), holding(&more)))
    }

    /// Frees all but `keep`, before the settlement is written, so that a caller who asks again at
    /// once does not meet its own hold. `None` when nothing is to be freed, or while the journal
    /// knows of no hold.
    pub fn trim(&mut self, keep: Pico, now: Wall) -> Option<(Movement, Returned)> {
        let (stays, over) = split(&self.pieces, keep);
        if over.is_empty() || self.steps == 0 {
            return None;
        }
        self.pieces = stays;
        self.steps += 1;
        let mut transfers = Vec::with_capacity(over.len());
        let mut returned = self.returned(Pico::ZERO);
        self.release(over, now, &mut transfers, &mut returned);
        Some((self.movement(Cause::Trim(self.steps), transfers), returned))
    }

    /// Ends the hold: `sale` is paid out of it, and, if it does not suffice, out of what the
    /// wallet has left; the rest goes back. `cost` is what the vendor takes. `None` when the
    /// journal has nothing to be told.
    pub fn settle(mut self, mut sale: Sale, cost: Pico, now: Wall) -> (Option<Movement>, Returned) {
        let debt = sale.owed.saturating_sub(self.amount());
        let mut extra = Vec::new();
        if debt > Pico::ZERO {
            let name = self.member.as_ref().map(|member| &member.name);
            extra = self.wallet.purse.lock().take_up_to(debt, name, now);
        }
        let (paying, over) = split(&self.pieces, sale.owed);
        sale.paid = lot::sum(&paying).saturating_add(lot::sum(&extra));
        let booked = self.steps > 0;
        let mut returned = self.returned(sale.paid);
        let mut transfers = Vec::with_capacity(3);
        for piece in &paying {
            let from = if booked { Account::Hold(piece.lot) } else { Account::Lot(piece.lot) };
            transfers.push(Transfer::new(from, Account::Revenue, piece.amount));
        }
        for piece in &extra {
            transfers.push(Transfer::new(Account::Lot(piece.lot), Account::Revenue, piece.amount));
        }
        returned.gone.extend(paying.into_iter().chain(extra));
        if booked {
            self.release(over, now, &mut transfers, &mut returned);
        } else {
            returned.back = over;
        }
        if cost > Pico::ZERO {
            transfers.push(Transfer::new(Account::VendorPayable, Account::VendorCost, cost));
        }
        self.pieces.clear();
        let telling = booked || sale.paid > Pico::ZERO;
        (telling.then(|| self.movement(Cause::Settle(sale), transfers)), returned)
    }

    fn returned(&self, paid: Pico) -> Returned {
        Returned {
            wallet: Arc::clone(&self.wallet),
            member: self.member.as_ref().map(|member| Arc::clone(&member.name)),
            back: Vec::new(),
            gone: Vec::new(),
            month: if self.member.is_some() { month_of_day(day_of(self.at)) } else { 0 },
            paid,
        }
    }

    /// Held pieces are free: back to their lots, or away with those that are over.
    fn release(&self, over: Vec<Piece>, now: Wall, transfers: &mut Vec<Transfer>, returned: &mut Returned) {
        for piece in over {
            let (to, list) = match lot::is_over(piece.expires_at, now) {
                true => (Account::Expired, &mut returned.gone),
                false => (Account::Lot(piece.lot), &mut returned.back),
            };
            transfers.push(Transfer::new(Account::Hold(piece.lot), to, piece.amount));
            list.push(piece);
        }
    }

    fn movement(&self, cause: Cause, transfers: Vec<Transfer>) -> Movement {
        Movement {
            at: self.at,
            wallet: self.wallet.tenant.clone(),
            member: self.member.as_ref().map(|member| Arc::clone(&member.name)),
            request: Some(self.request),
            cause,
            transfers,
        }
    }
}

fn holding(pieces: &[Piece]) -> Vec<Transfer> {
    let hold = |piece: &Piece| Transfer::new(Account::Lot(piece.lot), Account::Hold(piece.lot), piece.amount);
    pieces.iter().map(hold).collect()
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.steps == 0 && !self.pieces.is_empty() {
            let name = self.member.as_ref().map(|member| &member.name);
            self.wallet.purse.lock().give(&self.pieces, name);
        }
    }
}
