//! The projection of wallets, its rows in the state tree, and what the writer
//! does to wallets. Nothing here decides whether a request may spend: live
//! wallets do, and this follows.

use super::books::{Books, Taken, encode};
use super::disk::Row;
use super::journal::Journal;
use super::options::StoreError;
use super::queue::Waiter;
use super::retention::Carry;
use super::writer::{Group, Writer};
use crate::ledger::wallet::{
    Account, Balances, Cause, Done, Lot, Misfit, Movement, Operation, Sheet, Source, Task, Totals, Transfer,
};
use crate::ledger::{Intent, Settlement};
use crate::types::TenantId;
use ahash::HashSet;
use std::sync::Arc;

const SHEET_PREFIX: &[u8] = b"wallet/";
const DONE_PREFIX: &[u8] = b"operation/";
const TOTALS_KEY: &[u8] = b"wallets";

/// Balances, and which of their rows are not in the state tree.
#[derive(Default)]
pub(super) struct Money {
    balances: Balances,
    sheets: HashSet<TenantId>,
    operations: Vec<Arc<str>>,
    /// Rows of a projection that was thrown away.
    stale: Vec<Row>,
}

impl Money {
    /// What the state tree says.
    pub(super) fn load(&mut self, journal: &Journal) -> Result<(), StoreError> {
        let balances = &mut self.balances;
        journal.rows(SHEET_PREFIX, &mut |key, value| {
            let tenant = std::str::from_utf8(key).ok().and_then(|name| TenantId::parse(name).ok());
            if let (Some(tenant), Ok(sheet)) = (tenant, postcard::from_bytes::<Sheet>(value)) {
                balances.set_sheet(tenant, sheet);
            }
        })?;
        journal.rows(DONE_PREFIX, &mut |key, value| {
            if let (Ok(id), Ok(done)) = (std::str::from_utf8(key), postcard::from_bytes::<Done>(value)) {
                balances.set_done(id, done);
            }
        })?;
        if let Some(value) = journal.get(TOTALS_KEY)?
            && let Ok(totals) = postcard::from_bytes::<Totals>(&value)
        {
            balances.set_totals(totals);
        }
        Ok(())
    }

    /// What the state tree says does not count; it goes with the next checkpoint. The journal begins
    /// with what was carried over from days that went.
    pub(super) fn begin_anew(&mut self, journal: &Journal) -> Result<(), StoreError> {
        for prefix in [SHEET_PREFIX, DONE_PREFIX] {
            let stale = &mut self.stale;
            journal.rows(prefix, &mut |key, _| stale.push(([prefix, key].concat(), None)))?;
        }
        if let Some(carry) = Carry::read(journal)? {
            self.balances = carry.balances;
            self.sheets = self.balances.sheets().map(|(tenant, _)| tenant.clone()).collect();
            self.operations = self.balances.operations().map(|(id, _)| Arc::clone(id)).collect();
        }
        Ok(())
    }

    /// A movement of the journal. One that the rows know already tells only what is held.
    pub(super) fn replay(&mut self, movement: &Movement, is_new: bool) {
        if !is_new {
            return self.balances.replay_hold(movement);
        }
        if let Err(error) = self.apply(movement) {
            // `ledger verify` names it; a start must not fail over it.
            tracing::error!(wallet = %movement.wallet, cause = movement.cause.name(), %error, "a movement does not fit");
        }
    }

    pub(super) fn apply(&mut self, movement: &Movement) -> Result<(), Misfit> {
        self.balances.apply(movement)?;
        self.sheets.insert(movement.wallet.clone());
        self.operations.extend(movement.operation().cloned());
        Ok(())
    }

    pub(super) fn balances(&self) -> &Balances {
        &self.balances
    }

    /// The rows of all that changed.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows = self.stale.clone();
        for tenant in &self.sheets {
            let Some(sheet) = self.balances.wallet(tenant) else { continue };
            rows.push(([SHEET_PREFIX, tenant.as_str().as_bytes()].concat(), Some(encode(sheet))));
        }
        for id in &self.operations {
            let Some(done) = self.balances.done(id) else { continue };
            rows.push(([DONE_PREFIX, id.as_bytes()].concat(), Some(encode(done))));
        }
        if !self.sheets.is_empty() {
            rows.push((TOTALS_KEY.to_vec(), Some(encode(self.balances.totals()))));
        }
        rows
    }

    /// Those rows are on disk.
    pub(super) fn rows_are_safe(&mut self) {
        self.sheets.clear();
        self.operations.clear();
        self.stale.clear();
    }
}

/// An entry that moves money.
pub(super) enum Moving {
    /// An intent and its hold.
    Held(Box<Intent>, Movement, Option<Waiter>),
    /// A settlement and its charge.
    Charged(Box<Settlement>, Movement),
    /// A movement by itself.
    Alone(Movement),
}

impl Books {
    /// Adds a movement to the batch that is being built. One that does not fit is no part of the books.
    pub(super) fn movement(&mut self, movement: &Movement) -> Taken {
        if let Err(error) = self.money.apply(movement) {
            let (wallet, cause) = (&movement.wallet, movement.cause.name());
            tracing::error!(%wallet, cause, %error, "a movement does not fit and is not booked");
            debug_assert!(false, "a {cause} of {wallet} {error}: {movement:?}");
            return Taken::Duplicate;
        }
        self.add_movement(movement);
        Taken::Written
    }

    /// The movement that ends what a request of a dead process held.
    pub(super) fn end_lost(&self, settlement: &Settlement) -> Option<Movement> {
        let cost = settlement.cost();
        let by_rule = |held: &crate::ledger::wallet::Held| held.rule.of_cost(cost).unwrap_or(held.if_lost);
        self.money.balances().end_lost(settlement.id, settlement.at, by_rule, cost)
    }
}

impl Writer {
    pub(super) fn moving(&mut self, moving: Moving, group: &mut Group) {
        match moving {
            Moving::Held(intent, hold, waiter) => {
                self.with(&hold, group, |writer, group| writer.intent(&intent, group));
                group.wait(waiter);
            }
            Moving::Charged(settlement, sale) => {
                let mut written = 0;
                self.with(&sale, group, |writer, group| written = writer.settlement(&settlement, group));
                group.settled += written;
            }
            Moving::Alone(movement) => drop(self.movement(&movement, group)),
        }
    }

    /// Record and movement go into one batch: a crash keeps both or neither. Without the record
    /// there is no movement.
    fn with(&mut self, movement: &Movement, group: &mut Group, record: impl FnOnce(&mut Self, &mut Group)) {
        let before = group.duplicates();
        self.books.keep_open(true);
        record(self, group);
        if group.duplicates() == before {
            self.movement(movement, group);
        }
        self.books.keep_open(false);
    }

    /// `false` when it is no part of the books.
    pub(super) fn movement(&mut self, movement: &Movement, group: &mut Group) -> bool {
        let taken = self.books.movement(movement);
        group.count(taken);
        taken == Taken::Written
    }

    /// A settlement of recovery, and the end of what its request held. Live wallets are told when
    /// it is on disk.
    pub(super) fn recover_one(&mut self, settlement: &Settlement, group: &mut Group) -> u64 {
        let Some(end) = self.books.end_lost(settlement) else { return self.settlement(settlement, group) };
        let mut written = 0;
        self.with(&end, group, |writer, group| written = writer.settlement(settlement, group));
        if written > 0 {
            group.foreign.push(end);
        }
        written
    }

    /// Does an operation once, durably; then live wallets know of it. Done before, it says what
    /// it came to.
    pub(super) fn operate(&mut self, operation: &Operation) -> Result<(Done, bool), StoreError> {
        if let Some(done) = self.books.money.balances().done(&operation.id) {
            return Ok((done.clone(), false));
        }
        let begun = self.clock.mono();
        let movement = self.movement_of(operation);
        if self.pending.lost {
            return Err(super::queue::closed());
        }
        let mut group = Group::default();
        self.movement(&movement, &mut group);
        if matches!(movement.cause, Cause::Issue { .. }) && group.duplicates() == 0 {
            group.foreign.push(movement);
        }
        if !self.commit(group, begun) {
            return Err(super::queue::closed());
        }
        let done = self.books.money.balances().done(&operation.id).cloned();
        done.map(|done| (done, true))
            .ok_or_else(|| StoreError::Write("the operation does not fit the books, see the log".into()))
    }

    /// Brings everything to the disk that was handed over until now. What left live wallets before
    /// this may be told to the journal after it.
    pub(super) fn catch_up(&mut self) {
        let mut entries = Vec::new();
        self.queue.drain(&mut entries);
        self.group(&mut entries);
    }

    /// What is taken back leaves the live wallet first, as everything that leaves it.
    fn movement_of(&mut self, operation: &Operation) -> Movement {
        let (at, tenant) = (self.clock.wall(), operation.tenant.clone());
        let (id, reason) = (operation.id.clone(), operation.reason.clone());
        let (cause, transfers) = match operation.task {
            Task::Issue { source, amount, priority, expires_at } => {
                let priority = priority.unwrap_or_else(|| source.priority());
                let lot =
                    Lot { id: self.books.money.balances().next_lot(), source, priority, expires_at, amount };
                let transfer = Transfer::new(Account::Issued(source), Account::Lot(lot.id), amount);
                (Cause::Issue { operation: id, lot, reason }, vec![transfer])
            }
            Task::Reclaim { amount } => {
                let to = Account::Issued(Source::Adjustment);
                let transfers = self.shared.wallets.reclaim(&tenant, amount, at, to);
                self.catch_up();
                (Cause::Reclaim { operation: id, reason }, transfers)
            }
        };
        Movement { at, wallet: tenant, member: None, request: None, cause, transfers }
    }
}
