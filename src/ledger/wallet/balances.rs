//! What the journal says about wallets: every account after every movement.
//! Refuses movements that do not fit, so that the books cannot go wrong in
//! silence; the auditor uses the same rules.

mod frozen;

pub use frozen::Carried;

use super::lot::{self, Piece};
use super::{Account, Cause, Done, Held, Lot, LotId, Movement, Source, Transfer};
use crate::ledger::{day_of, month_of_day};
use crate::types::{Pico, RequestId, TenantId};
use ahash::{HashMap, HashMapExt};
use std::sync::Arc;

/// What is left of a lot, and what requests hold of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LotBalance {
    /// The lot.
    pub lot: Lot,
    /// What can be spent.
    pub left: Pico,
    /// What requests hold.
    pub held: Pico,
}

/// What a member has spent in a month.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MemberSpent {
    /// The member.
    pub name: Arc<str>,
    /// `year * 12 + month0`.
    pub month: i64,
    /// In that month.
    pub spent: Pico,
}

/// One wallet.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sheet {
    /// Lots that are not used up.
    pub lots: Vec<LotBalance>,
    /// Members that spent something.
    pub members: Vec<MemberSpent>,
    /// Everything that requests were charged, ever.
    pub charged: Pico,
}

impl Sheet {
    /// What can be spent.
    pub fn left(&self) -> Pico {
        self.lots.iter().fold(Pico::ZERO, |sum, lot| sum.saturating_add(lot.left))
    }

    /// What requests hold.
    pub fn held(&self) -> Pico {
        self.lots.iter().fold(Pico::ZERO, |sum, lot| sum.saturating_add(lot.held))
    }
}

/// The accounts that are the hub's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Totals {
    /// Below zero by what was issued, in the order of [`Source::ALL`].
    pub issued: [Pico; 5],
    /// Credits that requests were charged.
    pub revenue: Pico,
    /// Credits that nobody used in time.
    pub expired: Pico,
    /// What vendors took for requests of wallets.
    pub vendor_cost: Pico,
    /// Below zero by what is owed to them.
    pub vendor_payable: Pico,
    /// What requests owed and no wallet had.
    pub written_off: Pico,
    /// Lots that were ever issued.
    pub lots: u64,
}

/// A request's hold, as the journal knows it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Open {
    wallet: TenantId,
    member: Option<Arc<str>>,
    held: Held,
    pieces: Vec<Piece>,
}

/// Why a movement cannot be. The text completes "a movement of …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A transfer of nothing, to itself or between units.
    #[error("has a transfer that moves nothing, or credits to money")]
    Unsound,
    /// A transfer that this cause does not make.
    #[error("has a transfer that its cause does not make")]
    Foreign,
    /// More leaves an account than is in it.
    #[error("takes more out of an account than is in it")]
    Overdrawn,
    /// It has happened already.
    #[error("happened before")]
    Again,
    /// There is no hold that it could change.
    #[error("belongs to no hold")]
    NoHold,
    /// What it says was paid is not what moved.
    #[error("says another amount than it moves")]
    Amount,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Balances {
    sheets: HashMap<TenantId, Sheet>,
    open: HashMap<RequestId, Open>,
    operations: HashMap<Arc<str>, Done>,
    totals: Totals,
}

impl Balances {
    /// No wallet was ever used.
    pub fn new() -> Self {
        Self {
            sheets: HashMap::new(),
            open: HashMap::new(),
            operations: HashMap::new(),
            totals: Totals::default(),
        }
    }

    /// Takes a movement in, all of it or nothing.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn apply(&mut self, movement: &Movement) -> Result<(), Misfit> {
        self.check(movement)?;
        for transfer in &movement.transfers {
            self.change(movement, transfer.from, Pico(transfer.amount.0.saturating_neg()));
            self.change(movement, transfer.to, transfer.amount);
        }
        self.follow(movement);
        debug_assert_eq!(self.trial(), (Pico::ZERO, Pico::ZERO), "books that do not balance");
        Ok(())
    }

    /// Of a movement that the rows know already only what requests hold is new.
    pub fn replay_hold(&mut self, movement: &Movement) {
        let Some(request) = movement.request else { return };
        match &movement.cause {
            Cause::Hold(held) => self.begin(request, movement, held),
            Cause::Settle(_) => drop(self.open.remove(&request)),
            Cause::Extend(_) | Cause::Trim(_) => {
                movement.transfers.iter().for_each(|transfer| self.hold_of(request, transfer));
            }
            _ => {}
        }
    }

    fn check(&self, movement: &Movement) -> Result<(), Misfit> {
        if !movement.transfers.iter().all(Transfer::is_sound) {
            return Err(Misfit::Unsound);
        }
        if !movement.transfers.iter().all(|transfer| may(&movement.cause, transfer)) {
            return Err(Misfit::Foreign);
        }
        self.check_cause(movement)?;
        let sheet = self.sheets.get(movement.wallet.as_str());
        for lot in movement.lots() {
            let known = sheet.and_then(|sheet| sheet.lots.iter().find(|known| known.lot.id == lot));
            let (left, held) = known.map_or((Pico::ZERO, Pico::ZERO), |known| (known.left, known.held));
            if movement.net(|account| account == Account::Lot(lot)) > left
                || movement.net(|account| account == Account::Hold(lot))
                    > held.min(self.held_by(movement, lot))
            {
                return Err(Misfit::Overdrawn);
            }
        }
        Ok(())
    }

    fn check_cause(&self, movement: &Movement) -> Result<(), Misfit> {
        let open = movement.request.and_then(|request| self.open.get(&request));
        match &movement.cause {
            Cause::Hold(_) if open.is_some() => Err(Misfit::Again),
            Cause::Hold(_) if movement.request.is_none() => Err(Misfit::NoHold),
            Cause::Extend(_) | Cause::Trim(_) if open.is_none() => Err(Misfit::NoHold),
            Cause::Settle(_) if movement.request.is_none() => Err(Misfit::NoHold),
            Cause::Settle(sale) => match movement.net(|account| account == Account::Revenue) {
                earned if earned.0 != -sale.paid.0 || sale.paid > sale.owed => Err(Misfit::Amount),
                _ if open.is_some_and(|open| open.wallet != movement.wallet) => Err(Misfit::Foreign),
                _ => Ok(()),
            },
            Cause::Issue { operation, .. } | Cause::Reclaim { operation, .. }
                if self.operations.contains_key(operation) =>
            {
                Err(Misfit::Again)
            }
            Cause::Issue { lot, .. } => {
                let issued = movement.net(|account| matches!(account, Account::Issued(_)));
                if lot.id.0 <= self.totals.lots {
                    return Err(Misfit::Again);
                }
                if issued == lot.amount { Ok(()) } else { Err(Misfit::Amount) }
            }
            _ => Ok(()),
        }
    }

    /// What the movement's request holds of a lot; without a request, nothing is held.
    fn held_by(&self, movement: &Movement, lot: LotId) -> Pico {
        let open = movement.request.and_then(|request| self.open.get(&request));
        let pieces = open.map_or(&[][..], |open| &open.pieces);
        pieces.iter().find(|piece| piece.lot == lot).map_or(Pico::ZERO, |piece| piece.amount)
    }

    /// What follows from the movement beside its transfers.
    fn follow(&mut self, movement: &Movement) {
        match (&movement.cause, movement.request) {
            (Cause::Hold(held), Some(request)) => self.begin(request, movement, held),
            (Cause::Extend(_) | Cause::Trim(_), Some(request)) => {
                movement.transfers.iter().for_each(|transfer| self.hold_of(request, transfer));
            }
            (Cause::Settle(sale), Some(request)) => {
                self.open.remove(&request);
                self.totals.written_off =
                    self.totals.written_off.saturating_add(sale.owed.saturating_sub(sale.paid));
                let sheet = self.sheet(&movement.wallet);
                sheet.charged = sheet.charged.saturating_add(sale.paid);
                if let Some(name) = &movement.member {
                    count(sheet, name, month_of_day(day_of(movement.at)), sale.paid);
                }
            }
            (Cause::Issue { operation, lot, .. }, _) => {
                self.totals.lots = self.totals.lots.max(lot.id.0);
                let done = Done { tenant: movement.wallet.clone(), lot: Some(lot.id), amount: lot.amount };
                self.operations.insert(operation.clone(), done);
            }
            (Cause::Reclaim { operation, .. }, _) => {
                let amount = movement.net(|account| matches!(account, Account::Lot(_)));
                let done = Done { tenant: movement.wallet.clone(), lot: None, amount };
                self.operations.insert(operation.clone(), done);
            }
            _ => {}
        }
        let sheet = self.sheet(&movement.wallet);
        sheet.lots.retain(|lot| lot.left != Pico::ZERO || lot.held != Pico::ZERO);
    }

    fn begin(&mut self, request: RequestId, movement: &Movement, held: &Held) {
        let (wallet, member) = (movement.wallet.clone(), movement.member.clone());
        self.open.insert(request, Open { wallet, member, held: held.clone(), pieces: Vec::new() });
        movement.transfers.iter().for_each(|transfer| self.hold_of(request, transfer));
    }

    /// A request holds more, or less.
    fn hold_of(&mut self, request: RequestId, transfer: &Transfer) {
        let Some(open) = self.open.get_mut(&request) else { return };
        if let Account::Hold(lot) = transfer.to {
            lot::join(&mut open.pieces, &[Piece { lot, expires_at: None, amount: transfer.amount }]);
        }
        if let Account::Hold(lot) = transfer.from
            && let Some(piece) = open.pieces.iter_mut().find(|piece| piece.lot == lot)
        {
            piece.amount = piece.amount.saturating_sub(transfer.amount);
        }
    }

    fn change(&mut self, movement: &Movement, account: Account, by: Pico) {
        let totals = &mut self.totals;
        let total = match account {
            Account::Lot(_) | Account::Hold(_) => return self.change_lot(movement, account, by),
            Account::Issued(source) => &mut totals.issued[source as usize],
            Account::Revenue => &mut totals.revenue,
            Account::Expired => &mut totals.expired,
            Account::VendorCost => &mut totals.vendor_cost,
            Account::VendorPayable => &mut totals.vendor_payable,
        };
        *total = total.saturating_add(by);
    }

    fn change_lot(&mut self, movement: &Movement, account: Account, by: Pico) {
        let sheet = self.sheet(&movement.wallet);
        if let Cause::Issue { lot, .. } = &movement.cause
            && !sheet.lots.iter().any(|known| known.lot.id == lot.id)
        {
            let place = sheet.lots.partition_point(|known| known.lot.before(lot).is_lt());
            sheet.lots.insert(place, LotBalance { lot: *lot, left: Pico::ZERO, held: Pico::ZERO });
        }
        let (Account::Lot(id) | Account::Hold(id)) = account else { return };
        let Some(lot) = sheet.lots.iter_mut().find(|known| known.lot.id == id) else { return };
        let side = if matches!(account, Account::Lot(_)) { &mut lot.left } else { &mut lot.held };
        *side = side.saturating_add(by);
    }

    fn sheet(&mut self, tenant: &TenantId) -> &mut Sheet {
        if !self.sheets.contains_key(tenant.as_str()) {
            self.sheets.insert(tenant.clone(), Sheet::default());
        }
        self.sheets.entry(tenant.clone()).or_default()
    }

    /// The sums of all accounts: credits, and currency. Both are zero, always.
    pub fn trial(&self) -> (Pico, Pico) {
        let totals = &self.totals;
        let issued = totals.issued.iter().fold(Pico::ZERO, |sum, part| sum.saturating_add(*part));
        let wallets = self
            .sheets
            .values()
            .fold(Pico::ZERO, |sum, sheet| sum.saturating_add(sheet.left()).saturating_add(sheet.held()));
        let credits = [issued, wallets, totals.revenue, totals.expired];
        let credits = credits.into_iter().fold(Pico::ZERO, Pico::saturating_add);
        (credits, totals.vendor_cost.saturating_add(totals.vendor_payable))
    }

    /// The movement by which recovery ends a request's hold: `owed` by its rule, as far as it is
    /// held, and the rest back. `None` when the request holds nothing.
    pub fn end_lost(
        &self,
        request: RequestId,
        at: crate::types::Wall,
        owed: impl FnOnce(&Held) -> Pico,
        cost: Pico,
    ) -> Option<Movement> {
        let open = self.open.get(&request)?;
        let owed = owed(&open.held).min(lot::sum(&open.pieces));
        let (paying, over) = lot::split(&open.pieces, owed);
        let leaves = |piece: &Piece, to| Transfer::new(Account::Hold(piece.lot), to, piece.amount);
        let mut transfers: Vec<_> = paying.iter().map(|piece| leaves(piece, Account::Revenue)).collect();
        // What is over by now is swept from its lot, as everything that expires.
        transfers.extend(over.iter().map(|piece| leaves(piece, Account::Lot(piece.lot))));
        if cost > Pico::ZERO {
            transfers.push(Transfer::new(Account::VendorPayable, Account::VendorCost, cost));
        }
        let sale = super::Sale { rule: open.held.rule.clone(), tier: 0, owed, paid: owed };
        let (wallet, member) = (open.wallet.clone(), open.member.clone());
        Some(Movement { at, wallet, member, request: Some(request), cause: Cause::Settle(sale), transfers })
    }

    /// Does the journal know a hold of this request?
    pub fn is_holding(&self, request: RequestId) -> bool {
        self.open.contains_key(&request)
    }

    /// Requests that hold something, in no order.
    pub fn holding(&self) -> impl Iterator<Item = RequestId> + '_ {
        self.open.keys().copied()
    }

    /// What an operation came to, if it was done.
    pub fn done(&self, operation: &str) -> Option<&Done> {
        self.operations.get(operation)
    }

    /// All operations that were done, in no order.
    pub fn operations(&self) -> impl Iterator<Item = (&Arc<str>, &Done)> {
        self.operations.iter()
    }

    /// One wallet.
    pub fn wallet(&self, tenant: &TenantId) -> Option<&Sheet> {
        self.sheets.get(tenant.as_str())
    }

    /// All wallets, in no order.
    pub fn sheets(&self) -> impl Iterator<Item = (&TenantId, &Sheet)> {
        self.sheets.iter()
    }

    /// The hub's own accounts.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Was there ever a movement?
    pub fn is_empty(&self) -> bool {
        self.sheets.is_empty()
    }

    /// The number of the next lot.
    pub fn next_lot(&self) -> LotId {
        LotId(self.totals.lots.saturating_add(1))
    }

    /// Sets a wallet to what a row of the state says.
    pub fn set_sheet(&mut self, tenant: TenantId, sheet: Sheet) {
        self.sheets.insert(tenant, sheet);
    }

    /// Sets the totals to what a row of the state says.
    pub fn set_totals(&mut self, totals: Totals) {
        self.totals = totals;
    }

    /// Notes an operation that a row of the state knows.
    pub fn set_done(&mut self, operation: &str, done: Done) {
        self.operations.insert(operation.into(), done);
    }
}

/// Which transfers a cause makes.
fn may(cause: &Cause, transfer: &Transfer) -> bool {
    use Account::{Expired, Hold, Issued, Lot, Revenue, VendorCost, VendorPayable};
    match (cause, transfer.from, transfer.to) {
        (Cause::Hold(_) | Cause::Extend(_), Lot(from), Hold(to)) => from == to,
        (Cause::Trim(_) | Cause::Settle(_), Hold(from), Lot(to)) => from == to,
        (Cause::Trim(_) | Cause::Settle(_), Hold(_), Expired) => true,
        (Cause::Settle(_), Hold(_) | Lot(_), Revenue) => true,
        (Cause::Settle(_), VendorPayable, VendorCost) => true,
        (Cause::Expire, Lot(_), Expired) => true,
        (Cause::Issue { lot, .. }, Issued(source), Lot(to)) => to == lot.id && source == lot.source,
        (Cause::Reclaim { .. }, Lot(_), Issued(to)) => to == Source::Adjustment,
        _ => false,
    }
}

fn count(sheet: &mut Sheet, name: &Arc<str>, month: i64, paid: Pico) {
    let known = sheet.members.iter_mut().find(|member| member.name == *name);
    let Some(member) = known else {
        return sheet.members.push(MemberSpent { name: name.clone(), month, spent: paid });
    };
    if month > member.month {
        (member.month, member.spent) = (month, Pico::ZERO);
    }
    if month == member.month {
        member.spent = member.spent.saturating_add(paid);
    }
}
