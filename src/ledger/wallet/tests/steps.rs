//! Single steps, with the numbers written out.

use super::*;
use crate::ledger::{Price, Rates};
use crate::types::{Rate, Usage};
use proptest::prelude::*;
use std::sync::Arc;

const NOW: Wall = Wall(1_767_225_600_000_000);

/// A wallet with these lots, live and in the books.
fn wallet(lots: &[Lot]) -> (Wallets, Balances, TenantId) {
    let (live, mut books, acme) = (Wallets::default(), Balances::new(), tenant("acme"));
    for lot in lots {
        let movement = issue(&acme, *lot, &format!("op-{}", lot.id), NOW);
        books.apply(&movement).unwrap();
        live.absorb(&movement);
    }
    (live, books, acme)
}

fn left(live: &Wallets, tenant: &TenantId) -> Vec<(u64, i128, i128)> {
    live.look(tenant, |purse| purse.lots().map(|(lot, left, held)| (lot.id.0, left.0, held.0)).collect())
        .unwrap_or_default()
}

#[test]
fn lots_are_spent_by_priority_then_by_expiry_then_by_age() {
    let (live, _, acme) = wallet(&[
        lot(1, Source::Purchase, 10, None),
        lot(2, Source::Promotion, 10, Some(NOW.0 + 90)),
        lot(3, Source::Promotion, 10, Some(NOW.0 + 50)),
        lot(4, Source::Grant, 10, None),
        lot(5, Source::Purchase, 10, None),
    ]);
    assert_eq!(left(&live, &acme).iter().map(|lot| lot.0).collect::<Vec<_>>(), [3, 2, 4, 1, 5]);
    let hold = live.hold(&acme, (request(1), NOW), None, terms(), Pico(35)).unwrap();
    assert_eq!(left(&live, &acme), [(3, 0, 10), (2, 0, 10), (4, 0, 10), (1, 5, 5), (5, 10, 0)]);
    drop(hold);
    assert_eq!(live.available(&acme, NOW), Pico(50), "what no journal knows comes back at once");
}

#[test]
fn a_hold_is_all_or_nothing_and_says_what_is_there() {
    let (live, _, acme) = wallet(&[lot(1, Source::Grant, 10, None)]);
    let first = live.hold(&acme, (request(1), NOW), None, terms(), Pico(7)).unwrap();
    let short = live.hold(&acme, (request(2), NOW), None, terms(), Pico(4)).err().unwrap();
    assert_eq!((short.needed, short.available, short.held), (Pico(4), Pico(3), Pico(7)));
    assert!(live.hold(&acme, (request(3), NOW), None, terms(), Pico(3)).is_ok());
    assert!(live.hold(&tenant("other"), (request(4), NOW), None, terms(), Pico(1)).is_err());
    assert!(live.hold(&tenant("other"), (request(5), NOW), None, terms(), Pico(0)).is_ok());
    drop(first);
}

#[test]
fn what_expired_is_neither_spent_nor_given_back() {
    let (live, mut books, acme) =
        wallet(&[lot(1, Source::Promotion, 10, Some(NOW.0 + 50)), lot(2, Source::Purchase, 5, None)]);
    let mut hold = live.hold(&acme, (request(1), NOW), None, terms(), Pico(8)).unwrap();
    books.apply(&hold.book(Pico::ZERO)).unwrap();
    let later = Wall(NOW.0 + 50);
    assert_eq!(live.available(&acme, later), Pico(5));
    assert!(live.hold(&acme, (request(2), later), None, terms(), Pico(6)).is_err());
    for movement in live.expire(later) {
        books.apply(&movement).unwrap();
    }
    assert_eq!(books.totals().expired, Pico(2), "what nobody held is over");
    let (end, returned) = hold.settle(sale(Pico(3)), Pico::ZERO, later);
    books.apply(&end.unwrap()).unwrap();
    returned.give();
    assert_eq!((books.totals().expired, books.totals().revenue), (Pico(7), Pico(3)));
    assert_eq!(left(&live, &acme), [(2, 5, 0)]);
}

#[test]
fn a_request_that_used_more_than_it_held_pays_what_there_is() {
    let (live, mut books, acme) = wallet(&[lot(1, Source::Purchase, 10, None)]);
    let mut hold = live.hold(&acme, (request(1), NOW), None, terms(), Pico(4)).unwrap();
    books.apply(&hold.book(Pico::ZERO)).unwrap();
    let (end, returned) = hold.settle(sale(Pico(15)), Pico(12), NOW);
    books.apply(&end.unwrap()).unwrap();
    returned.give();
    let totals = books.totals();
    assert_eq!((totals.revenue, totals.written_off), (Pico(10), Pico(5)));
    assert_eq!((totals.vendor_cost, totals.vendor_payable), (Pico(12), Pico(-12)));
    assert_eq!(live.available(&acme, NOW), Pico::ZERO, "never below zero");
}

#[test]
fn a_member_stays_within_its_month_and_begins_anew_in_the_next() {
    let (live, mut books, acme) = wallet(&[lot(1, Source::Purchase, 1_000, None)]);
    let team = Member { name: "team".into(), month: Some(Pico(100)) };
    let mut hold = live.hold(&acme, (request(1), NOW), Some(&team), terms(), Pico(80)).unwrap();
    let short = live.hold(&acme, (request(2), NOW), Some(&team), terms(), Pico(30)).err().unwrap();
    assert_eq!((short.available, short.member.as_deref()), (Pico(20), Some("team")));
    books.apply(&hold.book(Pico::ZERO)).unwrap();
    let (end, returned) = hold.settle(sale(Pico(60)), Pico::ZERO, NOW);
    books.apply(&end.unwrap()).unwrap();
    returned.give();
    assert!(live.hold(&acme, (request(3), NOW), Some(&team), terms(), Pico(41)).is_err());
    let restarted = Wallets::restored(&books, &[]);
    assert!(restarted.hold(&acme, (request(3), NOW), Some(&team), terms(), Pico(41)).is_err());
    let next = Wall(NOW.0 + 40 * 86_400_000_000);
    assert!(live.hold(&acme, (request(4), next), Some(&team), terms(), Pico(100)).is_ok());
    assert!(live.hold(&acme, (request(5), NOW), None, terms(), Pico(900)).is_ok(), "others are free");
}

#[test]
fn the_charge_is_cost_and_margin_over_the_price_of_a_credit() {
    let pico = |text| Pico::parse(text).unwrap();
    for (cost, margin, credit, owed) in [
        ("0.01", 0, "1", "0.01"),
        ("0.01", 200_000, "1", "0.012"),
        ("0.01", 20_000, "0.001", "10.2"),
        ("1", 0, "3", "0.333333333333"),
        ("2", 0, "3", "0.666666666667"),
        ("0", 200_000, "1", "0"),
        ("1000000", 1_000_000, "0.000001", "2000000000000"),
    ] {
        let rule = Terms::margin(margin, pico(credit));
        assert_eq!(rule.rule().of_cost(pico(cost)), Some(pico(owed)), "{cost} {margin} {credit}");
    }
}

#[test]
fn half_a_pico_is_rounded_to_even() {
    let half = Terms::margin(0, Pico(2_000_000_000_000));
    let rounded: Vec<_> = (0..6).map(|cost| half.rule().of_cost(Pico(cost)).unwrap().0).collect();
    assert_eq!(rounded, [0, 0, 1, 2, 2, 2]);
}

#[test]
fn a_rate_row_charges_credits_whatever_the_vendor_takes() {
    let rate = |text| Rate::parse(text).unwrap();
    let rates = Rates { input: rate("10"), output: rate("30"), image: rate("2000000"), ..Rates::default() };
    let row = Arc::new(Price::new("rate/*", "gpt", Wall(0), rates, vec![], ""));
    let terms = Terms::rate(row.clone());
    let usage = Usage { input: 1_000, output: 100, requests: 1, ..Usage::default() };
    let sale = terms.sale(&usage, None, Rule::WHOLE);
    assert_eq!(sale.owed.to_string(), "0.013");
    assert_eq!(sale.follows(&usage, Pico::ZERO, Some(&row)), Some(true));
    assert_eq!(sale.follows(&usage, Pico::ZERO, None), None);
    let other = Usage { output: 101, ..usage };
    assert_eq!(sale.follows(&other, Pico::ZERO, Some(&row)), Some(false));
    assert_eq!(terms.sale(&usage, None, 100_000).owed.to_string(), "0.0013", "a tenth for a cache hit");
    let image = Usage { images: 2, requests: 1, ..Usage::default() };
    assert_eq!(terms.worst_case(Pico::ZERO, 1_000, 100, &image).to_string(), "4.013");
}

#[test]
fn movements_that_cannot_be_are_refused_whole() {
    let (live, mut books, acme) = wallet(&[lot(1, Source::Purchase, 10, None)]);
    let mut hold = live.hold(&acme, (request(1), NOW), None, terms(), Pico(4)).unwrap();
    let good = hold.book(Pico::ZERO);
    let change = |change: &dyn Fn(&mut Movement)| {
        let mut bad = good.clone();
        change(&mut bad);
        bad
    };
    let bads = [
        (change(&|m| m.transfers[0].amount = Pico(0)), Misfit::Unsound),
        (change(&|m| m.transfers[0].amount = Pico(-1)), Misfit::Unsound),
        (change(&|m| m.transfers[0].to = Account::VendorCost), Misfit::Unsound),
        (change(&|m| m.transfers[0].to = Account::Revenue), Misfit::Foreign),
        (change(&|m| m.transfers[0].to = Account::Hold(LotId(2))), Misfit::Foreign),
        (change(&|m| m.transfers[0].amount = Pico(11)), Misfit::Overdrawn),
        (change(&|m| m.wallet = tenant("other")), Misfit::Overdrawn),
        (change(&|m| m.request = None), Misfit::NoHold),
        (change(&|m| m.cause = Cause::Extend(2)), Misfit::NoHold),
    ];
    for (bad, why) in bads {
        let before = books.clone();
        assert_eq!(books.apply(&bad), Err(why), "{bad:?}");
        assert_eq!(books, before);
    }
    books.apply(&good).unwrap();
    assert_eq!(books.apply(&good), Err(Misfit::Again));
    // Somebody else's hold is not there to be spent.
    let theft = Movement {
        request: Some(request(2)),
        cause: Cause::Settle(Sale { paid: Pico(4), ..sale(Pico(4)) }),
        transfers: vec![Transfer::new(Account::Hold(LotId(1)), Account::Revenue, Pico(4))],
        ..good
    };
    assert_eq!(books.apply(&theft), Err(Misfit::Overdrawn));
    drop(hold);
}

#[test]
fn the_journals_form_of_a_movement_is_kept() {
    let movement = issue(&tenant("acme"), lot(1, Source::Purchase, 10, Some(NOW.0)), "op-1", NOW);
    let hold = Movement {
        member: Some("team".into()),
        request: Some(request(1)),
        cause: Cause::Hold(Held { rule: terms().rule().clone(), if_lost: Pico(3) }),
        transfers: vec![Transfer::new(Account::Lot(LotId(1)), Account::Hold(LotId(1)), Pico(4))],
        ..movement.clone()
    };
    let settle = Movement {
        cause: Cause::Settle(Sale { rule: Rule::Rate { row: "ab".into(), share_ppm: 5 }, ..sale(Pico(4)) }),
        transfers: vec![Transfer::new(Account::VendorPayable, Account::VendorCost, Pico(9))],
        ..hold.clone()
    };
    let bytes: Vec<_> =
        [movement, hold, settle].iter().flat_map(|m| postcard::to_allocvec(m).unwrap()).collect();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    insta::assert_snapshot!(hex);
}

proptest! {
    /// What is split is neither lost nor more.
    #[test]
    fn a_settlement_moves_all_that_was_held(
        amounts in prop::collection::vec(1_i128..1_000, 1..6),
        held in 0_i128..3_000,
        owed in 0_i128..4_000,
    ) {
        let lots: Vec<_> = amounts.iter().enumerate()
            .map(|(n, amount)| lot(n as u64 + 1, Source::ALL[n % 5], *amount, None)).collect();
        let (live, mut books, acme) = wallet(&lots);
        let all: i128 = amounts.iter().sum();
        let hold = live.hold(&acme, (request(1), NOW), None, terms(), Pico(held));
        prop_assert_eq!(hold.is_ok(), held <= all);
        let Ok(mut hold) = hold else { return Ok(()) };
        books.apply(&hold.book(Pico::ZERO)).unwrap();
        let (end, returned) = hold.settle(sale(Pico(owed)), Pico::ZERO, NOW);
        books.apply(&end.unwrap()).unwrap();
        returned.give();
        prop_assert_eq!(books.totals().revenue, Pico(owed.min(all)));
        prop_assert_eq!(live.available(&acme, NOW), Pico(all - owed.min(all)));
        prop_assert_eq!(books.wallet(&acme).unwrap().held(), Pico::ZERO);
    }
}
