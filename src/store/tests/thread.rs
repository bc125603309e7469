//! The queue and the writer's thread, on a disk that can be full.

use super::fake::FakeDisk;
use super::*;
use std::pin::pin;
use std::task::{Context, Poll};

fn store(disk: &FakeDisk, options: &Options) -> Store {
    let disk = Box::new(disk.clone());
    Store::start(disk, options, tuning(), Clock::test(), silent(), PathBuf::new()).unwrap()
}

fn archive(disk: &FakeDisk) -> Archive {
    disk.0.lock().power_cycle();
    Archive::of(disk).unwrap()
}

#[test]
fn what_was_awaited_is_on_disk() {
    let disk = FakeDisk::default();
    let store = store(&disk, &options());
    block_on(async {
        store.intend_durably(intent(1)).await.unwrap();
        assert_eq!(disk.0.lock().batches(), 1, "before the vendor is called");
        store.intend(intent(2)).await.unwrap();
        store.settle(settlement(&intent(1))).await.unwrap();
        store.settle(settlement(&intent(1))).await.unwrap();
        store.flush().await.unwrap();
    });
    let stats = store.stats();
    assert_eq!((stats.appended, stats.settled, stats.duplicates), (3, 1, 1));
    assert_eq!((stats.open_intents, stats.queue, stats.errors), (1, 0, 0));
    assert_eq!(records(&store.archive().unwrap()).len(), 3);
    let spent = store.spent();
    let tokens = settlement(&intent(1)).usage.total_tokens();
    assert_eq!(spent[&intent(1).key].day_tokens, tokens);
    store.close();
    assert_eq!(records(&archive(&disk)).len(), 3);
}

#[test]
fn a_full_disk_slows_callers_and_drops_nothing() {
    let disk = FakeDisk::default();
    let options = Options { queue: 4, ..options() };
    let store = store(&disk, &options);
    disk.0.lock().full = true;
    block_on(async {
        for n in 0..4 {
            store.intend(intent(n)).await.unwrap();
        }
        let mut fifth = pin!(store.intend(intent(4)));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(matches!(fifth.as_mut().poll(&mut context), Poll::Pending), "there is no room");
        while store.healthy() {
            tokio::task::yield_now().await;
        }
        assert!(store.stats().errors > 0);
        assert!(matches!(store.put_meta("x", b"1"), Err(StoreError::Write(_))), "who can be told is told");
        disk.0.lock().full = false;
        fifth.await.unwrap();
        store.flush().await.unwrap();
        assert!(store.healthy());
    });
    store.close();
    assert_eq!(records(&archive(&disk)).len(), 5);
    assert!(archive(&disk).verify(&prices()).unwrap().is_sound());
}

#[test]
fn who_stops_waiting_for_room_has_written_nothing() {
    let disk = FakeDisk::default();
    let store = store(&disk, &Options { queue: 1, ..options() });
    disk.0.lock().full = true;
    block_on(async {
        store.intend(intent(0)).await.unwrap();
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut second = Box::pin(store.intend(intent(1)));
        assert!(second.as_mut().poll(&mut context).is_pending());
        drop(second);
        disk.0.lock().full = false;
        store.flush().await.unwrap();
    });
    store.close();
    assert_eq!(records(&archive(&disk)).len(), 1);
}

#[test]
fn closing_writes_what_is_queued_and_takes_nothing_more() {
    let disk = FakeDisk::default();
    let slow = Options {
        flush_interval: Duration::from_secs(3_600),
        flush_entries: 1_000,
        queue: 1_000,
        ..options()
    };
    let store = store(&disk, &slow);
    block_on(async {
        for n in 0..20 {
            store.intend(intent(n)).await.unwrap();
        }
        store.close();
        assert!(matches!(store.settle(settlement(&intent(1))).await, Err(StoreError::Write(_))));
        assert!(matches!(store.flush().await, Err(StoreError::Write(_))));
    });
    assert!(store.meta("a").is_err() && !store.healthy());
    store.close();
    assert_eq!(records(&archive(&disk)).len(), 20);
}

#[test]
fn closing_on_a_full_disk_ends_and_tells_who_waits() {
    let disk = FakeDisk::default();
    let store = store(&disk, &options());
    disk.0.lock().full = true;
    block_on(async {
        let waiting = tokio::spawn({
            let store = store.clone();
            async move { store.intend_durably(intent(1)).await }
        });
        while store.healthy() {
            tokio::task::yield_now().await;
        }
        store.close();
        assert!(matches!(waiting.await.unwrap(), Err(StoreError::Write(_))));
    });
}

#[test]
fn many_tasks_share_the_queue_and_the_groups_are_few() {
    let disk = FakeDisk::default();
    let flushes = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = flushes.clone();
    let on_flush: OnFlush = Box::new(move |_, entries| {
        counter.fetch_add(entries, Relaxed);
    });
    let boxed = Box::new(disk.clone());
    let store = Store::start(boxed, &options(), tuning(), Clock::test(), on_flush, PathBuf::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..8_u64)
            .map(|task| {
                let store = store.clone();
                tokio::spawn(async move {
                    for n in 0..50 {
                        let intent = intent(task * 1_000 + n);
                        store.intend(intent.clone()).await.unwrap();
                        store.settle(settlement(&intent)).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    store.close();
    let report = archive(&disk).verify(&prices()).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
    assert_eq!((report.intents, report.settlements, report.charges), (400, 400, 400));
    assert_eq!(flushes.load(Relaxed), 800, "every entry was in a group");
}
