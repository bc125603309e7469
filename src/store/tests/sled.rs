//! The store on sled itself.

use super::*;
use std::ops::ControlFlow;

fn open(dir: &Path) -> Store {
    Store::open(dir, options(), Clock::test(), silent()).unwrap()
}

fn row(key: &str, value: Option<&str>) -> ControlRow {
    (key.into(), value.map(Into::into))
}

/// The control rows with a prefix, as text.
fn control(store: &Store, prefix: &str) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let archive = store.archive().unwrap();
    let each = &mut |key: &[u8], value: &[u8]| {
        rows.push((text(key), text(value)));
        ControlFlow::Continue(())
    };
    archive.control(prefix.as_bytes(), each).unwrap();
    rows
}

#[test]
fn books_control_rows_and_values_are_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    block_on(async {
        for n in 0..200 {
            store.intend(intent(n)).await.unwrap();
            store.settle(settlement(&intent(n))).await.unwrap();
        }
        store.flush().await.unwrap();
    });
    store.put_control(vec![row("k/b", Some("1")), row("k/a", Some("2")), row("l/a", Some("3"))]).unwrap();
    store.put_control(vec![row("k/b", None), row("k/c", Some("4"))]).unwrap();
    store.put_meta("pepper", b"salt").unwrap();
    assert!(store.stats().disk_bytes > 0);
    let spent = store.spent();
    store.close();

    let store = open(dir.path());
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(control(&store, "k/"), [pair("k/a", "2"), pair("k/c", "4")]);
    assert_eq!(control(&store, "m/"), []);
    assert_eq!(store.meta("pepper").unwrap().as_deref(), Some(b"salt".as_slice()));
    assert_eq!(store.meta("salt").unwrap(), None);
    assert_eq!(store.spent(), spent);
    assert_eq!(spent.len(), 3);
    assert_eq!(store.recover(&mut |_| None, &mut |_| ()).unwrap(), 0);
    let report = store.verify(&prices()).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
    assert_eq!((report.intents, report.settlements, report.charges), (200, 200, 200));
}

#[test]
fn recovery_ends_each_open_intent_once_at_the_price_of_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    block_on(async {
        for n in 0..100 {
            store.intend(intent(n)).await.unwrap();
        }
        store.settle(settlement(&intent(50))).await.unwrap();
        store.flush().await.unwrap();
    });
    store.close();

    let store = open(dir.path());
    assert_eq!(store.stats().open_intents, 99);
    assert_eq!(store.recover(&mut |intent| find_price(intent), &mut |_| ()).unwrap(), 99);
    assert_eq!(store.recover(&mut |_| unreachable!("nothing is open"), &mut |_| ()).unwrap(), 0);
    assert_eq!((store.stats().recovered, store.stats().open_intents), (99, 0));
    let mut closed = Vec::new();
    store
        .export(START..Wall(START.0 + 1), &mut |record| {
            if let Record::Settlement(settlement) = record
                && settlement.outcome == Outcome::Recovered
            {
                closed.push(*settlement);
            }
        })
        .unwrap();
    assert_eq!(closed.len(), 99);
    let settlement = &closed[0];
    assert_eq!((settlement.usage.input, settlement.usage.output), (1_000, 0));
    assert_eq!(settlement.usage_source, UsageSource::Estimated);
    assert_eq!(charge(settlement).cost.to_string(), "0.0025");
    store.close();
    assert_eq!(open(dir.path()).stats().open_intents, 0);
}

#[test]
fn export_keeps_to_its_range() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    block_on(async {
        for n in 0..10 {
            let at = START.after(Duration::from_secs(n));
            store.settle(Settlement { at, intended: false, ..settlement(&intent(n)) }).await.unwrap();
        }
        store.flush().await.unwrap();
    });
    let range = START.after(Duration::from_secs(3))..START.after(Duration::from_secs(6));
    let mut ids = Vec::new();
    store.export(range, &mut |record| ids.extend(record.id())).unwrap();
    assert_eq!(ids, [id(3), id(4), id(5)], "the start is in it, the end is not");
}

#[test]
fn an_archive_changes_nothing_and_sees_what_is_open() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Archive::open(dir.path(), 1 << 20), Err(StoreError::Damaged(_))));
    assert_eq!(dir.path().read_dir().unwrap().count(), 0, "asking makes no books");
    let store = open(dir.path());
    block_on(async {
        store.intend(intent(1)).await.unwrap();
        store.flush().await.unwrap();
    });
    let live = store.archive().unwrap();
    assert!(live.is_live());
    drop(live);
    assert!(matches!(Archive::open(dir.path(), 1 << 20), Err(StoreError::Locked(_))));
    store.close();
    for _ in 0..2 {
        let archive = Archive::open(dir.path(), 1 << 20).unwrap();
        assert!(!archive.is_live());
        assert_eq!((archive.open_intents(), records(&archive).len()), (1, 1));
        assert!(archive.spent().is_empty());
        let report = archive.verify(&prices()).unwrap();
        assert_eq!((report.open, report.problem_count), (1, 0));
    }
}

#[test]
fn days_are_dropped_and_the_rest_still_fits() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::test();
    let store = Store::open(dir.path(), options(), clock.clone(), silent()).unwrap();
    let write = |n: u64| {
        block_on(async {
            let at = clock.wall();
            store.intend(Intent { at, ..intent(n) }).await.unwrap();
            store.settle(Settlement { at, ..settlement(&intent(n)) }).await.unwrap();
            store.flush().await.unwrap();
        });
    };
    for n in 0..3 {
        write(n);
        clock.advance(Duration::from_secs(20 * 86_400));
    }
    write(3);
    assert_eq!(store.drop_days_before(clock.wall(), Reach::PastMonths, u64::MAX).unwrap(), 3);
    assert_eq!(store.drop_days_before(clock.wall(), Reach::PastMonths, u64::MAX).unwrap(), 0);
    assert_eq!(records(&store.archive().unwrap()).len(), 2);
    assert!(store.verify(&prices()).unwrap().is_sound());
    store.close();
    let archive = Archive::open(dir.path(), 1 << 20).unwrap();
    assert_eq!(records(&archive).len(), 2);
    assert!(archive.verify(&prices()).unwrap().is_sound());
}

#[test]
fn days_of_the_running_month_go_only_when_that_is_asked_for_and_budgets_stay() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::test();
    let store = Store::open(dir.path(), options(), clock.clone(), silent()).unwrap();
    for n in 0..3 {
        block_on(async {
            let at = clock.wall();
            store.intend(Intent { at, ..intent(n) }).await.unwrap();
            store.settle(Settlement { at, ..settlement(&intent(n)) }).await.unwrap();
            store.flush().await.unwrap();
        });
        clock.advance(Duration::from_secs(86_400));
    }
    let spent = store.spent();
    assert_eq!(store.drop_days_before(clock.wall(), Reach::PastMonths, u64::MAX).unwrap(), 0);
    assert_eq!(
        store.drop_days_before(clock.wall(), Reach::RunningMonth, u64::MAX).unwrap(),
        2,
        "the last day stays"
    );
    assert!(store.verify(&prices()).unwrap().is_sound());
    store.close();
    let store = Store::open(dir.path(), options(), clock, silent()).unwrap();
    assert_eq!(store.spent(), spent);
    store.close();
}
