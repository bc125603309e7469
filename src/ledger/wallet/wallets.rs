//! All live wallets of this process.

use super::purse::{Member, Purse, Short};
use super::{Account, Balances, Cause, Hold, Lot, LotBalance, LotId, Movement, Terms, Transfer};
use crate::types::{Pico, RequestId, TenantId, Wall};
use ahash::{HashMap, HashMapExt, RandomState};
use dashmap::DashMap;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// One tenant's purse behind one short lock.
pub(super) struct Wallet {
    pub(super) tenant: TenantId,
    pub(super) purse: Mutex<Purse>,
    /// No request may begin; what runs goes on.
    frozen: AtomicBool,
}

/// A part of a lot that is for another process to spend.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Lease {
    /// Whose wallet.
    pub tenant: TenantId,
    /// Which lot.
    pub lot: LotId,
    /// How much of it.
    pub amount: Pico,
}

/// What was ceded of each lot.
pub type Ceded = Vec<(TenantId, Lot, Pico)>;

/// Live wallets by tenant. A tenant that was never given anything has none.
///
/// Two processes that hand over to each other share every lot by leases: the
/// old one cedes half of what it has, the new one begins with that, and when
/// the old one has ended, what is left of its half comes back.
#[derive(Default)]
pub struct Wallets {
    wallets: DashMap<TenantId, Arc<Wallet>, RandomState>,
    /// What is left to processes before this one; `None` when there are none.
    apart: Mutex<Option<Apart>>,
}

/// By lot; the lot itself is kept, because a purse forgets those that are used up.
type Apart = HashMap<LotId, (TenantId, Lot, Pico)>;

impl Wallets {
    /// Wallets as the books say, without what is leased to processes that still run. What their
    /// requests hold is theirs to give back.
    pub fn restored(balances: &Balances, leased: &[Lease]) -> Self {
        let all = Self::default();
        let leased: HashMap<LotId, Pico> = leased.iter().map(|lease| (lease.lot, lease.amount)).collect();
        let mut apart = Apart::new();
        for (tenant, sheet) in balances.sheets() {
            let wallet = all.wallet(tenant);
            let mut purse = wallet.purse.lock();
            for LotBalance { lot, left, held } in sheet.lots.iter().copied() {
                let theirs = leased.get(&lot.id).map_or(Pico::ZERO, |amount| (*amount).min(left));
                apart.insert(lot.id, (tenant.clone(), lot, theirs));
                purse.add(lot, left.saturating_sub(theirs), held);
            }
            for member in &sheet.members {
                purse.remember(&member.name, member.month, member.spent);
            }
        }
        if !leased.is_empty() {
            *all.apart.lock() = Some(apart);
        }
        all
    }

    /// Cedes half of everything to a successor. When all that was handed over before is in the
    /// journal, [`Wallets::leases`] says what the successor must leave alone.
    pub fn cede(&self) -> Ceded {
        let all: Vec<Arc<Wallet>> = self.wallets.iter().map(|entry| Arc::clone(entry.value())).collect();
        let mut ceded = Ceded::new();
        for wallet in all {
            let halves = wallet.purse.lock().cede();
            ceded.extend(halves.into_iter().map(|(lot, half)| (wallet.tenant.clone(), lot, half)));
        }
        ceded
    }

    /// What of each lot the books have and this process did not cede.
    pub fn leases(ceded: &Ceded, balances: &Balances) -> Vec<Lease> {
        let ceded: HashMap<LotId, Pico> = ceded.iter().map(|(_, lot, amount)| (lot.id, *amount)).collect();
        let mut leases = Vec::new();
        for (tenant, sheet) in balances.sheets() {
            for LotBalance { lot, left, .. } in &sheet.lots {
                let gone = ceded.get(&lot.id).copied().unwrap_or_default();
                debug_assert!(gone <= *left, "lot {} ceded what the books do not have", lot.id);
                let amount = left.saturating_sub(gone);
                leases.push(Lease { tenant: tenant.clone(), lot: lot.id, amount });
            }
        }
        leases
    }

    /// The successor has ended before it spent anything.
    pub fn take_back(&self, ceded: &Ceded) {
        for (tenant, lot, amount) in ceded {
            self.wallet(tenant).purse.lock().rejoin(*lot, *amount);
        }
    }

    /// No other process spends any more: all that was apart is here again.
    pub fn rejoin(&self) {
        let Some(apart) = self.apart.lock().take() else { return };
        for (tenant, lot, amount) in apart.into_values() {
            self.wallet(&tenant).purse.lock().rejoin(lot, amount);
        }
    }

    /// Holds `amount` for a request that came in at `at`, or nothing.
    ///
    /// # Errors
    /// What the wallet has instead.
    pub fn hold(
        &self,
        tenant: &TenantId,
        request: (RequestId, Wall),
        member: Option<&Member>,
        terms: Terms,
        amount: Pico,
    ) -> Result<Hold, Short> {
        let found = self.wallets.get(tenant.as_str()).map(|wallet| Arc::clone(&wallet));
        match found {
            Some(wallet) if wallet.frozen.load(Relaxed) => Err(wallet.purse.lock().frozen(amount, request.1)),
            Some(wallet) => Hold::take(wallet, request, member, terms, amount),
            // Who has nothing can still ask for what costs nothing.
            None if amount <= Pico::ZERO => Hold::take(self.wallet(tenant), request, member, terms, amount),
            None => Err(Short {
                needed: amount,
                available: Pico::ZERO,
                held: Pico::ZERO,
                member: None,
                frozen: false,
            }),
        }
    }

    /// Lets no request of the tenant begin, or lets them again. The journal is not told: why a wallet
    /// is frozen is remembered elsewhere, and said again after each start.
    pub fn freeze(&self, tenant: &TenantId, frozen: bool) {
        match self.wallets.get(tenant.as_str()).map(|wallet| Arc::clone(&wallet)) {
            Some(wallet) => wallet.frozen.store(frozen, Relaxed),
            None if frozen => self.wallet(tenant).frozen.store(true, Relaxed),
            None => {}
        }
    }

    /// What a tenant can spend now.
    pub fn available(&self, tenant: &TenantId, now: Wall) -> Pico {
        self.look(tenant, |purse| purse.available(now)).unwrap_or_default()
    }

    /// A look at a tenant's purse.
    pub fn look<T>(&self, tenant: &TenantId, look: impl FnOnce(&Purse) -> T) -> Option<T> {
        let wallet = self.wallets.get(tenant.as_str()).map(|wallet| Arc::clone(&wallet))?;
        let purse = wallet.purse.lock();
        Some(look(&purse))
    }

    /// Every tenant that has a wallet, in no order.
    pub fn tenants(&self) -> Vec<TenantId> {
        self.wallets.iter().map(|entry| entry.key().clone()).collect()
    }

    /// A movement that this process did not make is in the journal: what it freed or brought in
    /// can be spent from now on, or when no other process spends any more.
    pub fn absorb(&self, movement: &Movement) {
        let wallet = self.wallet(&movement.wallet);
        let mut apart = self.apart.lock();
        let mut purse = wallet.purse.lock();
        if let Cause::Issue { lot, .. } = &movement.cause {
            purse.add(*lot, lot.amount, Pico::ZERO);
            if let Some(apart) = apart.as_mut() {
                apart.insert(lot.id, (movement.wallet.clone(), *lot, Pico::ZERO));
            }
            return;
        }
        for Transfer { from, to, amount } in &movement.transfers {
            for (account, by) in [(*from, Pico(-amount.0)), (*to, *amount)] {
                match (account, apart.as_mut()) {
                    (Account::Hold(lot), _) => purse.hold_changed(lot, by),
                    (Account::Lot(lot), None) => purse.left_changed(lot, by),
                    (Account::Lot(lot), Some(apart)) => {
                        if let Some((_, _, theirs)) = apart.get_mut(&lot) {
                            *theirs = theirs.saturating_add(by);
                        }
                    }
                    _ => {}
                }
            }
        }
        purse.tidy();
        if let (Cause::Settle(sale), Some(name)) = (&movement.cause, &movement.member) {
            purse.remember(name, month(movement.at), sale.paid);
        }
    }

    /// Takes up to `amount` out of a tenant's purse: the transfers that tell the journal so, after
    /// all that was handed over before.
    pub fn reclaim(&self, tenant: &TenantId, amount: Pico, now: Wall, to: Account) -> Vec<Transfer> {
        let wallet = self.wallet(tenant);
        let mut purse = wallet.purse.lock();
        let pieces = purse.take_up_to(amount, None, now);
        purse.spend(&pieces, None, 0, Pico::ZERO);
        pieces.iter().map(|piece| Transfer::new(Account::Lot(piece.lot), to, piece.amount)).collect()
    }

    /// Takes out of all purses what has expired; the movements are to be handed to the journal.
    pub fn expire(&self, now: Wall) -> Vec<Movement> {
        let mut movements = Vec::new();
        let all: Vec<Arc<Wallet>> = self.wallets.iter().map(|entry| Arc::clone(entry.value())).collect();
        for wallet in all {
            let mut purse = wallet.purse.lock();
            if !purse.has_over(now) {
                continue;
            }
            let over = purse.expire(now);
            drop(purse);
            let gone = |(lot, amount)| Transfer::new(Account::Lot(lot), Account::Expired, amount);
            movements.push(Movement {
                at: now,
                wallet: wallet.tenant.clone(),
                member: None,
                request: None,
                cause: Cause::Expire,
                transfers: over.into_iter().map(gone).collect(),
            });
        }
        movements
    }

    fn wallet(&self, tenant: &TenantId) -> Arc<Wallet> {
        let make = || {
            let (purse, frozen) = (Mutex::new(Purse::default()), AtomicBool::new(false));
            Arc::new(Wallet { tenant: tenant.clone(), purse, frozen })
        };
        Arc::clone(&self.wallets.entry(tenant.clone()).or_insert_with(make))
    }
}

fn month(at: Wall) -> i64 {
    crate::ledger::month_of_day(crate::ledger::day_of(at))
}
