//! Every promise of the books, with a fault at every call of the disk: the
//! writer is driven step by step, without its thread.

use super::fake::{FakeDisk, Fault};
use super::seeds::limits;
use super::sim::{Act, Sim};
use super::*;
use crate::store::writer::Look;
use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn a_day_at_work() -> Vec<Act> {
    use Act::*;
    let mut acts =
        vec![Begin, Begin, Commit, End(false), Begin, Commit, Put, EndWithoutIntent, EndAgain, Commit];
    acts.extend([
        Begin,
        Begin,
        Begin,
        Begin,
        End(true),
        End(false),
        Commit,
        NextDay,
        End(true),
        Begin,
        Commit,
    ]);
    acts.extend([Restart, Begin, Commit, End(true), EndAgain, Commit, Begin, Begin, Commit]);
    // Into the next month, where the first days may go.
    acts.extend([NextDay; 40]);
    acts.extend([Begin, End(true), End(true), End(true), Commit, DropDays, Begin, Commit, Restart]);
    acts
}

/// Has every fault happen at every call of the disk while these acts run; the disk after a run
/// without faults is returned.
fn with_a_fault_at_every_call(acts: &[Act]) -> FakeDisk {
    let whole = FakeDisk::default();
    let mut sim = Sim::new(whole.clone());
    sim.run(acts);
    sim.check();
    let calls = whole.0.lock().calls;
    assert!(calls > 20);
    for call in 1..=calls {
        for fault in [Fault::Before, Fault::After, Fault::CrashBefore, Fault::CrashAfter] {
            for halves_kept in 0..=2 {
                let disk = FakeDisk::default();
                (disk.0.lock().faults, disk.0.lock().halves_kept) = (vec![(call, fault)], halves_kept);
                let mut sim = Sim::new(disk);
                let run = catch_unwind(AssertUnwindSafe(|| {
                    sim.run(acts);
                    sim.check();
                }));
                assert!(run.is_ok(), "{fault:?} at call {call}, {halves_kept} halves kept");
            }
        }
    }
    whole
}

#[test]
fn no_fault_at_any_call_loses_or_doubles_anything() {
    let disk = with_a_fault_at_every_call(&a_day_at_work());
    let kept = Journal::new(disk.reader().unwrap()).kept().unwrap();
    assert!(kept.day.is_some(), "the scenario shall drop days");
}

fn a_day_of_wallets() -> Vec<Act> {
    use Act::*;
    let mut acts = vec![Issue(false), Issue(false), Begin, Begin, Commit, End(false), Begin, Commit];
    acts.extend([Issue(true), Issue(false), Begin, End(true), Reclaim, Commit, NextDay, Expire, Begin]);
    acts.extend([Commit, Restart, Issue(false), Begin, Commit, End(true), EndAgain, Commit, Begin, Begin]);
    acts.extend([Commit, Kill, Begin, Commit, Expire, End(false), Commit, Close, Begin, Commit]);
    acts
}

#[test]
fn no_fault_at_any_call_loses_or_doubles_a_credit() {
    with_a_fault_at_every_call(&a_day_of_wallets());
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => Just(Act::Begin),
        5 => any::<bool>().prop_map(Act::End),
        1 => Just(Act::EndAgain),
        1 => Just(Act::EndWithoutIntent),
        4 => Just(Act::Commit),
        1 => Just(Act::Put),
        1 => Just(Act::NextDay),
        1 => (-2_i64..3).prop_map(|days| Act::Move(days * 43_200)),
        1 => Just(Act::Restart),
        1 => Just(Act::Close),
        1 => Just(Act::Kill),
        1 => Just(Act::DropDays),
    ]
}

fn any_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![Just(Fault::Before), Just(Fault::After), Just(Fault::CrashBefore), Just(Fault::CrashAfter)]
}

proptest! {
    #[test]
    fn every_intent_ends_once_whatever_happens(
        acts in prop::collection::vec(any_act(), 1..60),
        faults in prop::collection::vec((1..80_usize, any_fault()), 0..6),
        halves_kept in 0..=2_usize,
    ) {
        let disk = FakeDisk::default();
        (disk.0.lock().faults, disk.0.lock().halves_kept) = (faults, halves_kept);
        let mut sim = Sim::new(disk);
        sim.limits = limits();
        sim.run(&acts);
        sim.check();
    }
}

/// A start that replays more records than a checkpoint needs, and whose first
/// group writes nothing, must not take its sums for written.
#[test]
fn a_group_that_writes_nothing_does_not_use_up_the_projection() {
    use Act::*;
    let mut acts = vec![Begin, End(false), Restart, Begin, Commit, Put, End(false), Commit, Put];
    acts.extend([Begin, End(false), Begin, End(false), Commit]);
    acts.extend([Begin; 7]);
    let disk = FakeDisk::default();
    disk.0.lock().faults = vec![(13, Fault::CrashAfter), (3, Fault::Before)];
    disk.0.lock().halves_kept = 2;
    let mut sim = Sim::new(disk);
    sim.run(&acts);
    sim.check();
}

#[test]
fn sums_that_were_to_be_written_while_days_go_are_written_later() {
    let disk = FakeDisk::default();
    let mut sim = Sim::new(disk.clone());
    sim.run(&[Act::EndWithoutIntent, Act::Commit]);
    sim.clock.advance(Duration::from_secs(40 * 86_400));
    sim.act(Act::EndWithoutIntent);
    sim.commit();
    let next = disk.0.lock().calls + 1;
    disk.0.lock().faults = vec![(next, Fault::Before)];
    let all = day_of(Wall(i64::MAX));
    assert!(sim.drop_days(all).is_err());
    // Another key brings the next projection to the disk.
    sim.writer().tuning.checkpoint_records = 0;
    sim.act(Act::EndWithoutIntent);
    sim.commit();
    sim.check();
}

/// Books with some history, in good order.
fn books() -> (FakeDisk, Sim) {
    let disk = FakeDisk::default();
    let mut sim = Sim::new(disk.clone());
    sim.run(&[Act::Begin, Act::Commit, Act::End(true), Act::Begin, Act::Commit, Act::End(true), Act::Commit]);
    assert_eq!(disk.0.lock().batches(), 3);
    (disk, sim)
}

fn problems(disk: &FakeDisk, prices: &PriceTable) -> Vec<String> {
    Archive::of(disk).unwrap().verify(prices).unwrap().problems
}

#[test]
fn a_changed_batch_is_named() {
    let (disk, _sim) = books();
    disk.0.lock().damage(2, |value| {
        value[100] ^= 1;
        true
    });
    let found = problems(&disk, &prices());
    assert!(found[0].contains("batch 2 of 2026-01-01 is damaged"), "{found:?}");
    let start = Books::load(&Journal::new(disk.reader().unwrap()), 600);
    assert!(matches!(start, Err(StoreError::Damaged(_))), "books that do not fit are not written on");
}

#[test]
fn a_missing_batch_is_named() {
    let (disk, _sim) = books();
    disk.0.lock().damage(2, |_| false);
    let found = problems(&disk, &prices());
    assert!(found[0].contains("batch 3 of 2026-01-01 comes where batch 2 should be"), "{found:?}");
    disk.0.lock().rows(|rows| rows.clear());
    let start = Books::load(&Journal::new(disk.reader().unwrap()), 600);
    assert!(matches!(start, Err(StoreError::Damaged(_))), "books with a hole are not written on");
}

#[test]
fn a_batch_that_was_made_elsewhere_does_not_fit_the_chain() {
    let (disk, _sim) = books();
    let mut builder = crate::store::batch::Builder::new(&[7; 32]);
    builder.intent(&intent(99));
    let (forged, _) = builder.seal(2);
    disk.0.lock().damage(2, |value| {
        value.clone_from(&forged);
        true
    });
    let found = problems(&disk, &prices());
    assert!(found.iter().any(|p| p.contains("batch 2 of 2026-01-01 does not follow")), "{found:?}");
}

#[test]
fn a_lost_tail_is_missed_by_the_projection() {
    let (disk, mut sim) = books();
    sim.writer().tuning.checkpoint_records = 0;
    sim.act(Act::EndWithoutIntent);
    sim.commit();
    drop(sim);
    disk.0.lock().damage(4, |_| false);
    let books = Books::load(&Journal::new(disk.reader().unwrap()), 600).unwrap();
    assert_eq!(books.through(), 3, "the projection is made again from the journal");
    assert!(problems(&disk, &prices()).is_empty());
}

#[test]
fn a_projection_that_says_something_else_is_found() {
    let (disk, mut sim) = books();
    sim.writer().tuning.checkpoint_records = 0;
    sim.act(Act::EndWithoutIntent);
    sim.commit();
    drop(sim);
    assert!(problems(&disk, &prices()).is_empty());
    disk.0.lock().rows(|rows| drop(rows.remove(b"spent/key-0".as_slice())));
    assert!(problems(&disk, &prices())[0].contains("key-0"));
}

#[test]
fn a_charge_that_the_price_does_not_give_is_found() {
    let disk = FakeDisk::default();
    let mut sim = Sim::new(disk.clone());
    sim.run(&[Act::Begin, Act::Commit]);
    let mut wrong = settlement(&intent(7));
    wrong.intended = false;
    wrong.charge = Some(Charge { cost: Pico(1), ..charge(&wrong).clone() });
    sim.end(wrong.clone(), Entry::Settlement(wrong));
    sim.commit();
    let found = problems(&disk, &prices());
    assert!(found.len() == 1 && found[0].contains("charged 0.000000000001"), "{found:?}");
}

#[test]
fn a_clock_that_goes_back_does_not_change_the_order() {
    let disk = FakeDisk::default();
    let mut sim = Sim::new(disk.clone());
    sim.clock.advance(Duration::from_secs(3 * 86_400));
    sim.run(&[Act::Begin, Act::Commit]);
    sim.clock = Clock::test();
    sim.start();
    sim.act(Act::Begin);
    sim.act(Act::Restart);
    sim.check();
    let Look { journal, .. } = sim.ask(Command::Look).unwrap();
    assert_eq!(journal.days().unwrap(), [day_of(START) + 3]);
}

#[test]
fn a_request_of_a_day_that_is_kept_is_there_whatever_the_clock_did_before_it_was_written() {
    let mut sim = Sim::new(FakeDisk::default());
    sim.run(&[Act::EndWithoutIntent, Act::Commit, Act::NextDay]);
    let back_and_on =
        [Act::Begin, Act::Move(-86_400), Act::Commit, Act::NextDay, Act::End(true), Act::Commit];
    let later = [Act::Move(40 * 86_400), Act::EndWithoutIntent, Act::Commit];
    back_and_on.into_iter().chain(later).for_each(|act| sim.act(act));
    assert_eq!(sim.drop_days(day_of(START) + 1).unwrap(), 1, "the first day goes");
    sim.check();
}

#[test]
fn days_of_the_running_month_and_of_open_intents_stay() {
    let mut sim = Sim::new(FakeDisk::default());
    sim.run(&[Act::Begin, Act::Commit, Act::End(true), Act::Commit, Act::NextDay]);
    sim.act(Act::Begin);
    sim.act(Act::Commit);
    sim.act(Act::NextDay);
    sim.act(Act::EndWithoutIntent);
    sim.act(Act::Commit);
    let all = day_of(Wall(i64::MAX));
    assert_eq!(sim.drop_days(all).unwrap(), 0, "January still runs");
    sim.clock.advance(Duration::from_secs(40 * 86_400));
    assert_eq!(sim.drop_days(all).unwrap(), 1, "the second day has an open intent");
    sim.act(Act::End(true));
    sim.act(Act::Commit);
    assert_eq!(sim.drop_days(all).unwrap(), 2);
    sim.check();
}
