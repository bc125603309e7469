//! The live balance of one tenant. Takes and gives; knows no request, no
//! journal and no clock of its own.

use super::lot::{Lot, LotId, Piece};
use crate::ledger::{day_of, month_of_day};
use crate::types::{Pico, Wall};
use std::sync::Arc;

/// A part of a tenant with a limit of its own within the tenant's wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name: a team, a user.
    pub name: Arc<str>,
    /// What it may spend in a UTC month; `None` = what the tenant has.
    pub month: Option<Pico>,
}

/// A wallet that cannot carry what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// What was asked for.
    pub needed: Pico,
    /// What is there, or what the member has left.
    pub available: Pico,
    /// What running requests hold of the wallet; some of it will come back.
    pub held: Pico,
    /// Is it the member's limit that says no?
    pub member: Option<Arc<str>>,
    /// The wallet is frozen, whatever is in it.
    pub frozen: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stock {
    lot: Lot,
    left: Pico,
    held: Pico,
}

#[derive(Clone, Debug)]
struct Tab {
    name: Arc<str>,
    month: i64,
    spent: Pico,
    held: Pico,
}

/// The live balance of one tenant: lots in the order in which they are spent.
#[derive(Clone, Debug, Default)]
pub struct Purse {
    stocks: Vec<Stock>,
    tabs: Vec<Tab>,
}

impl Purse {
    /// A lot comes in, of which `left` can be spent and `held` is held by requests of other processes.
    pub fn add(&mut self, lot: Lot, left: Pico, held: Pico) {
        if self.stocks.iter().any(|stock| stock.lot.id == lot.id) {
            debug_assert!(false, "lot {} twice", lot.id);
            return;
        }
        let place = self.stocks.partition_point(|stock| stock.lot.before(&lot).is_lt());
        self.stocks.insert(place, Stock { lot, left, held });
    }

    /// What a member has spent already in its running month.
    pub fn remember(&mut self, name: &Arc<str>, month: i64, spent: Pico) {
        let tab = self.tab(name, month);
        tab.spent = tab.spent.saturating_add(spent);
    }

    /// What can be spent.
    pub fn available(&self, now: Wall) -> Pico {
        let live = self.stocks.iter().filter(|stock| !stock.lot.is_over(now));
        live.fold(Pico::ZERO, |sum, stock| sum.saturating_add(stock.left))
    }

    /// What requests hold.
    pub fn held(&self) -> Pico {
        self.stocks.iter().fold(Pico::ZERO, |sum, stock| sum.saturating_add(stock.held))
    }

    /// Takes all of `amount`, or nothing.
    pub(super) fn take(
        &mut self,
        amount: Pico,
        member: Option<&Member>,
        now: Wall,
    ) -> Result<Vec<Piece>, Short> {
        let available = self.available(now);
        let short = |available, name| Short {
            needed: amount,
            available,
            held: self.held(),
            member: name,
            frozen: false,
        };
        if available < amount {
            return Err(short(available, None));
        }
        if let Some(member) = member {
            let tab = self.tab_at(&member.name, now);
            let left = member.month.map(|most| most.saturating_sub(tab.spent).saturating_sub(tab.held));
            if let Some(left) = left.filter(|left| *left < amount) {
                return Err(Short {
                    needed: amount,
                    available: left.max(Pico::ZERO),
                    held: tab.held,
                    member: Some(member.name.clone()),
                    frozen: false,
                });
            }
            tab.held = tab.held.saturating_add(amount);
        }
        Ok(self.draw(amount, now))
    }

    /// Why nothing can be taken of a frozen wallet.
    pub(super) fn frozen(&self, needed: Pico, now: Wall) -> Short {
        Short { needed, available: self.available(now), held: self.held(), member: None, frozen: true }
    }

    /// Takes what there is, up to `amount`, for a debt: no limit of a member is asked.
    pub(super) fn take_up_to(&mut self, amount: Pico, member: Option<&Arc<str>>, now: Wall) -> Vec<Piece> {
        let amount = amount.min(self.available(now));
        if let Some(name) = member {
            let tab = self.tab_at(name, now);
            tab.held = tab.held.saturating_add(amount);
        }
        self.draw(amount, now)
    }

    fn draw(&mut self, amount: Pico, now: Wall) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(1);
        let mut missing = amount;
        for stock in self.stocks.iter_mut().filter(|stock| !stock.lot.is_over(now)) {
            if missing <= Pico::ZERO {
                break;
            }
            let part = stock.left.min(missing);
            if part > Pico::ZERO {
                stock.left = stock.left.saturating_sub(part);
                stock.held = stock.held.saturating_add(part);
                missing = missing.saturating_sub(part);
                pieces.push(Piece { lot: stock.lot.id, expires_at: stock.lot.expires_at, amount: part });
            }
        }
        debug_assert!(missing <= Pico::ZERO, "what is available was counted before");
        pieces
    }

    /// Held pieces come back to their lots.
    pub(super) fn give(&mut self, back: &[Piece], member: Option<&Arc<str>>) {
        for piece in back {
            self.end(piece.lot, piece.amount, piece.amount);
        }
        if let Some(name) = member {
            let tab = self.known_tab(name);
            tab.held = tab.held.saturating_sub(super::lot::sum(back));
        }
    }

    /// Held pieces are spent, or over.
    pub(super) fn spend(&mut self, pieces: &[Piece], member: Option<&Arc<str>>, month: i64, paid: Pico) {
        for piece in pieces {
            self.end(piece.lot, piece.amount, Pico::ZERO);
        }
        if let Some(name) = member {
            let tab = self.tab(name, month);
            tab.held = tab.held.saturating_sub(super::lot::sum(pieces));
            if tab.month == month {
                tab.spent = tab.spent.saturating_add(paid);
            }
        }
    }

    /// A part of a lot is not held any more; `back` of it can be spent again.
    pub(super) fn end(&mut self, lot: LotId, held: Pico, back: Pico) {
        let Some(at) = self.stocks.iter().position(|stock| stock.lot.id == lot) else {
            debug_assert!(false, "lot {lot} is not here");
            return;
        };
        let Some(stock) = self.stocks.get_mut(at) else { return };
        debug_assert!(stock.held >= held, "more given back than was held of lot {lot}");
        stock.held = stock.held.saturating_sub(held).max(Pico::ZERO);
        stock.left = stock.left.saturating_add(back);
        if stock.held == Pico::ZERO && stock.left == Pico::ZERO {
            self.stocks.remove(at);
        }
    }

    /// Half of every lot leaves for a successor.
    pub(super) fn cede(&mut self) -> Vec<(Lot, Pico)> {
        let halve = |stock: &mut Stock| {
            let half = Pico(stock.left.0 - stock.left.0 / 2);
            stock.left = stock.left.saturating_sub(half);
            (stock.lot, half)
        };
        self.stocks.iter_mut().map(halve).collect()
    }

    /// What others had of a lot comes here.
    pub(super) fn rejoin(&mut self, lot: Lot, amount: Pico) {
        if amount == Pico::ZERO {
            return;
        }
        match self.stocks.iter().any(|stock| stock.lot.id == lot.id) {
            true => self.left_changed(lot.id, amount),
            false => self.add(lot, amount, Pico::ZERO),
        }
    }

    /// Another process changed what is held of a lot.
    pub(super) fn hold_changed(&mut self, lot: LotId, by: Pico) {
        if let Some(stock) = self.stocks.iter_mut().find(|stock| stock.lot.id == lot) {
            stock.held = stock.held.saturating_add(by).max(Pico::ZERO);
        }
    }

    /// Another process changed what is left of a lot.
    pub(super) fn left_changed(&mut self, lot: LotId, by: Pico) {
        if let Some(stock) = self.stocks.iter_mut().find(|stock| stock.lot.id == lot) {
            stock.left = stock.left.saturating_add(by);
            debug_assert!(stock.left >= Pico::ZERO, "lot {lot} is below zero");
        }
    }

    /// Forgets lots that are used up.
    pub(super) fn tidy(&mut self) {
        self.stocks.retain(|stock| stock.left > Pico::ZERO || stock.held > Pico::ZERO);
    }

    /// What is over leaves the purse: each lot and how much of it.
    pub(super) fn expire(&mut self, now: Wall) -> Vec<(LotId, Pico)> {
        let mut over = Vec::new();
        for stock in self.stocks.iter_mut().filter(|stock| stock.lot.is_over(now)) {
            if stock.left > Pico::ZERO {
                over.push((stock.lot.id, std::mem::take(&mut stock.left)));
            }
        }
        self.stocks.retain(|stock| stock.left > Pico::ZERO || stock.held > Pico::ZERO);
        over
    }

    /// Does anything expire by `now`?
    pub(super) fn has_over(&self, now: Wall) -> bool {
        self.stocks.iter().any(|stock| stock.lot.is_over(now) && stock.left > Pico::ZERO)
    }

    /// Lots with what is left and held of each.
    pub fn lots(&self) -> impl Iterator<Item = (Lot, Pico, Pico)> + '_ {
        self.stocks.iter().map(|stock| (stock.lot, stock.left, stock.held))
    }

    fn tab_at(&mut self, name: &Arc<str>, now: Wall) -> &mut Tab {
        self.tab(name, month_of_day(day_of(now)))
    }

    /// The member's tab; a later month begins anew.
    fn tab(&mut self, name: &Arc<str>, month: i64) -> &mut Tab {
        let tab = self.known_tab(name);
        if month > tab.month {
            (tab.month, tab.spent) = (month, Pico::ZERO);
        }
        tab
    }

    fn known_tab(&mut self, name: &Arc<str>) -> &mut Tab {
        let at = self.tabs.iter().position(|tab| tab.name == *name).unwrap_or_else(|| {
            let (month, spent, held) = (i64::MIN, Pico::ZERO, Pico::ZERO);
            self.tabs.push(Tab { name: name.clone(), month, spent, held });
            self.tabs.len() - 1
        });
        &mut self.tabs[at]
    }
}
