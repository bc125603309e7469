//! The one rule of the whole — money leaves the purse before the journal says
//! so, and comes back after — under every schedule that a model checker finds:
//! whatever beginning of the journal a crash keeps, it and what recovery adds
//! to it never overdraw a lot.

use super::*;
use crate::ledger::wallet::lot::{Piece, split};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

const NOW: Wall = Wall(1_767_225_600_000_000);
const CREDITS: i128 = 10;
const SCHEDULES: usize = 3_000;

/// One request by hand: take, tell, settle, tell, give back. Each is its own step for the scheduler.
fn one(n: u64, amount: i128, used: i128, purse: &Mutex<Purse>, journal: &Mutex<Vec<Movement>>) {
    let Ok(pieces) = purse.lock().unwrap().take(Pico(amount), None, NOW) else { return };
    let movement = |cause, transfers| Movement {
        at: NOW,
        wallet: tenant("acme"),
        member: None,
        request: Some(request(n)),
        cause,
        transfers,
    };
    let all = |pieces: &[Piece], from: fn(LotId) -> Account, to: fn(LotId) -> Account| -> Vec<Transfer> {
        pieces.iter().map(|piece| Transfer::new(from(piece.lot), to(piece.lot), piece.amount)).collect()
    };
    // Had nobody any use for it, the worst case would be charged at recovery.
    let held = Held { rule: Rule::Free, if_lost: Pico(amount) };
    let hold = movement(Cause::Hold(held), all(&pieces, Account::Lot, Account::Hold));
    journal.lock().unwrap().push(hold);
    let (paying, over) = split(&pieces, Pico(used));
    let mut transfers = all(&paying, Account::Hold, |_| Account::Revenue);
    transfers.extend(all(&over, Account::Hold, Account::Lot));
    let settle = Cause::Settle(Sale { paid: Pico(used), ..sale(Pico(used)) });
    journal.lock().unwrap().push(movement(settle, transfers));
    let mut purse = purse.lock().unwrap();
    purse.give(&over, None);
    purse.spend(&paying, None, 0, Pico(used));
}

fn any_schedule() {
    let lot = lot(1, Source::Purchase, CREDITS, None);
    let purse = Arc::new(Mutex::new(Purse::default()));
    purse.lock().unwrap().add(lot, lot.amount, Pico::ZERO);
    let journal = Arc::new(Mutex::new(vec![issue(&tenant("acme"), lot, "op-1", NOW)]));
    let requests = [(1, 8, 3), (2, 6, 6), (3, 7, 1)];
    let threads: Vec<_> = requests
        .into_iter()
        .map(|(n, amount, used)| {
            let (purse, journal) = (purse.clone(), journal.clone());
            thread::spawn(move || one(n, amount, used, &purse, &journal))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let journal = journal.lock().unwrap();
    for kept in 1..=journal.len() {
        check(&journal[..kept]);
    }
    let paid: i128 = journal.iter().map(|movement| -movement.net(|a| a == Account::Revenue).0).sum();
    assert_eq!(purse.lock().unwrap().available(NOW), Pico(CREDITS - paid));
}

/// What a crash left, and what recovery makes of it.
fn check(journal: &[Movement]) {
    let mut books = Balances::new();
    for movement in journal {
        assert_eq!(books.apply(movement), Ok(()), "{movement:?}");
    }
    let lost: Vec<_> = books.holding().collect();
    for id in lost {
        let end = books.end_lost(id, NOW, |held| held.if_lost, Pico::ZERO).unwrap();
        assert_eq!(books.apply(&end), Ok(()));
    }
    let left = books.wallet(&tenant("acme")).map_or(Pico::ZERO, Sheet::left);
    assert!(left >= Pico::ZERO && left.0 + books.totals().revenue.0 == CREDITS);
}

#[test]
fn no_schedule_and_no_crash_overdraws_a_lot() {
    shuttle::check_random(any_schedule, SCHEDULES);
    shuttle::check_pct(any_schedule, SCHEDULES / 3, 3);
}
