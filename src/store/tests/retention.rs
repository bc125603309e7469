//! Days go, and what wallets have still follows from what is there.

use super::fake::FakeDisk;
use super::sim::{Act, Sim};
use super::*;
use crate::ledger::wallet::Balances;
use proptest::prelude::*;

const DAY: i64 = 86_400;
const PROJECTION: &[u8] = b"projection";
const CARRIED: &[u8] = b"carried/";

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => Just(Act::Begin),
        5 => any::<bool>().prop_map(Act::End),
        5 => Just(Act::Commit),
        3 => (1..20 * DAY).prop_map(Act::Move),
        1 => (-2 * DAY..0).prop_map(Act::Move),
        3 => Just(Act::Issue(false)),
        1 => Just(Act::Reclaim),
        1 => Just(Act::Expire),
        3 => Just(Act::DropDays),
        1 => Just(Act::Kill),
        1 => Just(Act::HandOver),
        1 => Just(Act::OldEnds),
        1 => Just(Act::OldGoes),
    ]
}

/// What a start says that has nothing but the journal and what was carried over.
fn from_the_journal(disk: &FakeDisk) -> Balances {
    disk.0.lock().rows(|rows| drop(rows.remove(PROJECTION)));
    Books::load(&Journal::new(disk.reader().unwrap()), 600).unwrap().money.balances().clone()
}

fn carried_rows(disk: &FakeDisk) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    disk.reader()
        .unwrap()
        .rows(CARRIED, &mut |key, value| rows.push((key.to_vec(), value.to_vec())))
        .unwrap();
    rows
}

/// Books of a wallet whose days have gone twice, a hold across the first border.
fn dropped() -> (FakeDisk, Sim) {
    let disk = FakeDisk::default();
    let mut sim = Sim::new(disk.clone());
    sim.run(&[Act::Issue(false), Act::Issue(false), Act::Begin, Act::Commit, Act::NextDay]);
    for _ in 0..2 {
        for act in
            [Act::Begin, Act::Commit, Act::End(false), Act::End(true), Act::Commit, Act::Move(40 * DAY)]
        {
            sim.act(act);
        }
        sim.act(Act::EndWithoutIntent);
        sim.commit();
        assert!(sim.drop_days(day_of(Wall(i64::MAX))).unwrap() > 0);
    }
    (disk, sim)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The auditor judges the books at each start and at the end; the projection is what they say.
    #[test]
    fn what_wallets_have_follows_from_what_was_kept(acts in prop::collection::vec(any_act(), 1..60)) {
        let disk = FakeDisk::default();
        let mut sim = Sim::new(disk.clone());
        sim.run(&[&[Act::Issue(false), Act::Issue(false)], acts.as_slice()].concat());
        sim.check();
        let known = sim.writer().books.money.balances().clone();
        prop_assert_eq!(from_the_journal(&disk), known);
    }
}

#[test]
fn days_go_again_and_again_and_carry_what_wallets_have() {
    let (disk, mut sim) = dropped();
    sim.check();
    let entries = records(&Archive::of(&disk).unwrap());
    let carried = entries.iter().filter(|record| matches!(record, Record::Carried(_))).count();
    assert!(carried > 0, "the last days that went are proven by an entry that is there");
    assert!(!carried_rows(&disk).is_empty());
    let known = sim.writer().books.money.balances().clone();
    assert!(known.sum().1 > Pico::ZERO);
    assert_eq!(from_the_journal(&disk), known);
}

#[test]
fn what_is_carried_over_is_proven_by_the_chain() {
    let (disk, _sim) = dropped();
    let problems = |disk: &FakeDisk| Archive::of(disk).unwrap().verify(&prices()).unwrap().problems;
    assert_eq!(problems(&disk), Vec::<String>::new());
    let rows = carried_rows(&disk);
    let (key, value) = &rows[0];
    for at in 0..value.len() {
        let mut changed = value.clone();
        changed[at] ^= 1;
        disk.0.lock().rows(|rows| drop(rows.insert(key.clone(), changed.clone())));
        assert!(!problems(&disk).is_empty(), "byte {at}");
    }
    disk.0.lock().rows(|rows| rows.retain(|key, _| !key.starts_with(CARRIED)));
    assert!(problems(&disk).iter().any(|problem| problem.contains("is gone")));
}

#[test]
fn no_day_goes_after_the_batch_that_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::test();
    let store = Store::open(dir.path(), options(), clock.clone(), silent()).unwrap();
    let operation = |n: u64| crate::ledger::wallet::Operation {
        id: format!("op-{n}").into(),
        tenant: intent(0).tenant,
        reason: "".into(),
        task: crate::ledger::wallet::Task::Issue {
            source: crate::ledger::wallet::Source::Grant,
            amount: Pico(7),
            priority: None,
            expires_at: None,
        },
    };
    for n in 0..4 {
        store.operate(operation(n)).unwrap();
        clock.advance(Duration::from_secs(40 * 86_400));
    }
    let days = |last| store.drop_days_before(clock.wall(), Reach::PastMonths, last).unwrap();
    assert_eq!(days(0), 0);
    assert_eq!(days(1), 1, "the first batch and its day");
    assert_eq!(days(u64::MAX), 3, "the day of the entry about the first is the last, and stays");
    let archive = store.archive().unwrap();
    assert!(archive.gone().unwrap().is_some());
    assert_eq!(archive.balances().sum(), (1, Pico(28)));
    assert!(archive.verify(&prices()).unwrap().is_sound());
    drop(archive);
    assert!(!store.operate(operation(0)).unwrap().1, "what was done stays done");
    store.close();
}
