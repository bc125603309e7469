mod wakeups;

use super::state::{Offer, State};
use super::*;
use crate::error::Kind;
use proptest::prelude::*;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::runtime::Builder;
use tokio::task::{JoinSet, yield_now};

const NEVER_CUT: Duration = Duration::MAX;

fn head() -> Head {
    Head {
        status: 200,
        content_type: "text/event-stream".into(),
        stream: true,
        provider: "p".into(),
        upstream_model: "m".into(),
        headers: Vec::new(),
    }
}

fn key(n: u8) -> CacheKey {
    CacheKey([n; 32])
}

fn lead(flights: &Flights, n: u8) -> (Writer, Reader) {
    match flights.join(key(n)) {
        Part::Lead(writer, reader) => (writer, reader),
        Part::Follow(_) => panic!("a flight is there already"),
    }
}

fn follow(flights: &Flights, n: u8) -> Reader {
    match flights.join(key(n)) {
        Part::Follow(reader) => reader,
        Part::Lead(..) => panic!("no flight is there"),
    }
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// A lost wake-up would hang; this makes it fail.
async fn within_a_minute<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), test).await.expect("somebody still waits")
}

/// Runs on one thread and on four.
fn on_both_runtimes<F: Future<Output = ()>>(test: impl Fn() -> F) {
    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        let runtime = builder.worker_threads(4).enable_time().build().unwrap();
        runtime.block_on(async {
            within_a_minute(test()).await;
        });
    }
}

/// All text up to the end, and the failure if it ended in one.
async fn read_all(reader: &mut Reader) -> (String, Option<Kind>) {
    let mut text = String::new();
    loop {
        match reader.next().await {
            Piece::Head(head) => assert_eq!((head.status, text.as_str()), (200, "")),
            Piece::Chunk(chunk) => text.push_str(std::str::from_utf8(&chunk).unwrap()),
            Piece::End => return (text, None),
            Piece::Failed(failure) => return (text, Some(failure.kind)),
        }
    }
}

#[test]
fn all_readers_get_what_is_written_as_it_is_written() {
    on_both_runtimes(|| async {
        let flights = Flights::new(1000);
        let (mut writer, mut first) = lead(&flights, 1);
        writer.head(head());
        assert!(matches!(first.next().await, Piece::Head(_)));
        assert!(first.ready().is_none());
        writer.chunk(bytes("a")).await;
        assert!(matches!(first.next().await, Piece::Chunk(chunk) if chunk == "a"));
        let mut second = follow(&flights, 1);
        writer.chunk(bytes("")).await;
        writer.chunk(bytes("b")).await;
        writer.finish();
        assert_eq!(read_all(&mut second).await, ("ab".into(), None));
        assert_eq!(read_all(&mut first).await, ("b".into(), None));
        assert!(matches!(first.next().await, Piece::End), "the end stays");
        assert!(flights.is_empty());
    });
}

#[test]
fn keys_do_not_mix_and_a_finished_flight_cannot_be_joined() {
    on_both_runtimes(|| async {
        let flights = Flights::new(1000);
        let (mut one, mut first) = lead(&flights, 1);
        let (_two, _second) = lead(&flights, 2);
        assert_eq!(flights.len(), 2);
        one.head(head());
        one.finish();
        let (_again, _third) = lead(&flights, 1);
        assert_eq!(read_all(&mut first).await, (String::new(), None));
    });
}

#[test]
fn a_failure_and_a_dropped_writer_reach_every_reader_after_the_text() {
    on_both_runtimes(|| async {
        let flights = Flights::new(1000);
        for (n, wanted) in [(1, Kind::VendorCut), (2, Kind::Internal)] {
            let (mut writer, mut first) = lead(&flights, n);
            let mut second = follow(&flights, n);
            writer.head(head());
            writer.chunk(bytes("a")).await;
            match wanted {
                Kind::VendorCut => writer.fail(Failure::new(wanted, "cut")),
                _ => drop(writer),
            }
            assert_eq!(read_all(&mut first).await, ("a".into(), Some(wanted)));
            assert_eq!(read_all(&mut second).await, ("a".into(), Some(wanted)));
        }
        let (writer, mut early) = lead(&flights, 3);
        writer.fail(Failure::new(Kind::VendorTimeout, "late"));
        assert_eq!(read_all(&mut early).await, (String::new(), Some(Kind::VendorTimeout)));
        assert!(flights.is_empty());
    });
}

#[test]
fn the_last_reader_to_leave_abandons_the_flight_for_good() {
    on_both_runtimes(|| async {
        let flights = Flights::new(1000);
        let (mut writer, first) = lead(&flights, 1);
        let second = follow(&flights, 1);
        drop(first);
        assert!(!writer.is_abandoned(), "the leader leaves, a follower stays");
        let leaving = tokio::spawn(async move {
            yield_now().await;
            drop(second);
        });
        writer.abandoned().await;
        leaving.await.unwrap();
        assert!(flights.is_empty());
        // A new request starts anew while the old writer has not noticed yet.
        let (mut other, mut reader) = lead(&flights, 1);
        writer.abandoned().await;
        writer.head(head());
        writer.chunk(bytes("old")).await;
        drop(writer);
        assert_eq!(flights.len(), 1, "the old flight must not take the new one along");
        other.head(head());
        other.chunk(bytes("new")).await;
        other.finish();
        assert_eq!(read_all(&mut reader).await, ("new".into(), None));
    });
}

#[test]
fn a_flight_past_its_bound_takes_nobody_else_but_serves_who_is_aboard() {
    on_both_runtimes(|| async {
        let flights = Flights::with_grace(4, NEVER_CUT);
        let (mut writer, mut first) = lead(&flights, 1);
        writer.head(head());
        writer.chunk(bytes("1234")).await;
        let mut second = follow(&flights, 1);
        let writing = tokio::spawn(async move {
            for _ in 0..50 {
                writer.chunk(bytes("5678")).await;
            }
            writer.chunk(bytes("far above the bound")).await;
            writer.finish();
        });
        let wanted = format!("1234{}far above the bound", "5678".repeat(50));
        while !flights.is_empty() {
            yield_now().await;
        }
        let (_other, _reader) = lead(&flights, 1);
        let second = tokio::spawn(async move { read_all(&mut second).await });
        assert_eq!(read_all(&mut first).await, (wanted.clone(), None));
        assert_eq!(second.await.unwrap(), (wanted, None));
        writing.await.unwrap();
    });
}

#[test]
fn a_reader_that_holds_others_up_beyond_the_grace_is_cut() {
    on_both_runtimes(|| async {
        let flights = Flights::with_grace(4, Duration::ZERO);
        let (mut writer, mut quick) = lead(&flights, 1);
        let mut stuck = follow(&flights, 1);
        let reading = tokio::spawn(async move { read_all(&mut quick).await });
        writer.head(head());
        for _ in 0..10 {
            writer.chunk(bytes("1234")).await;
        }
        writer.finish();
        assert_eq!(reading.await.unwrap(), ("1234".repeat(10), None));
        assert_eq!(read_all(&mut stuck).await, (String::new(), Some(Kind::Overloaded)));
        assert!(matches!(stuck.next().await, Piece::Failed(_)), "and stays cut");
    });
}

#[test]
fn a_reader_that_is_alone_is_never_cut_and_stops_the_writer_by_leaving() {
    on_both_runtimes(|| async {
        let flights = Flights::with_grace(4, Duration::ZERO);
        let (mut writer, reader) = lead(&flights, 1);
        writer.head(head());
        writer.chunk(bytes("1234")).await;
        {
            let waiting = writer.chunk(bytes("5"));
            tokio::pin!(waiting);
            for _ in 0..20 {
                assert!(futures_util::poll!(&mut waiting).is_pending());
                yield_now().await;
            }
            drop(reader);
            waiting.await;
        }
        assert!(writer.is_abandoned());
        assert!(flights.is_empty());
    });
}

/// A small generator of its own, so that a failing seed can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    async fn dawdle(&mut self) {
        for _ in 0..self.roll(4) {
            yield_now().await;
        }
    }
}

struct World {
    flights: Flights,
    generations: AtomicU64,
    abandoned: AtomicU64,
    cut: AtomicU64,
    patient: bool,
}

/// Writes `generation:index;` as often as the generation says.
async fn play_writer(world: Arc<World>, mut writer: Writer, generation: u64, mut dice: Dice) {
    dice.dawdle().await;
    writer.head(head());
    for index in 0..length_of(generation) {
        tokio::select! {
            biased;
            () = writer.abandoned() => {
                world.abandoned.fetch_add(1, Ordering::SeqCst);
                return;
            }
            () = dice.dawdle() => {}
        }
        writer.chunk(bytes(&format!("{generation}:{index};"))).await;
    }
    writer.finish();
}

fn length_of(generation: u64) -> u64 {
    generation * 7 % 40
}

/// Checks that what comes is one generation's text from its start; `true` when it was cut.
async fn play_reader(mut reader: Reader, mut dice: Dice) -> bool {
    let leaves_after = if dice.roll(3) == 0 { dice.roll(20) } else { u64::MAX };
    let mut generation = None;
    let mut index = 0;
    assert!(leaves_after == 0 || matches!(reader.next().await, Piece::Head(_) | Piece::Failed(_)));
    while index < leaves_after {
        dice.dawdle().await;
        match reader.next().await {
            Piece::Chunk(chunk) => {
                let text = std::str::from_utf8(&chunk).unwrap();
                let (from, number) = text.trim_end_matches(';').split_once(':').unwrap();
                let from: u64 = from.parse().unwrap();
                assert_eq!(*generation.get_or_insert(from), from);
                assert_eq!(number.parse(), Ok(index));
                index += 1;
            }
            Piece::End => {
                assert!(generation.is_none_or(|generation| length_of(generation) == index));
                return false;
            }
            Piece::Failed(failure) => {
                assert_eq!(failure.kind, Kind::Overloaded);
                return true;
            }
            Piece::Head(_) => panic!("a second head"),
        }
    }
    false
}

/// Returns how many flights were abandoned and how many readers were cut.
async fn play(seed: u64, patient: bool) -> (u64, u64) {
    let grace = if patient { NEVER_CUT } else { Duration::ZERO };
    let bound = 1 + (seed % 60) as usize;
    let flights = Flights::with_grace(bound, grace);
    let (generations, abandoned, cut) = (AtomicU64::new(1), AtomicU64::new(0), AtomicU64::new(0));
    let world = Arc::new(World { flights, generations, abandoned, cut, patient });
    let mut tasks = JoinSet::new();
    for task in 0..120 {
        let world = Arc::clone(&world);
        tasks.spawn(async move {
            let mut dice = Dice(seed.wrapping_mul(1000) + task + 1);
            for _ in 0..dice.roll(30) {
                yield_now().await;
            }
            let key = key(dice.roll(3) as u8);
            let mut writing = None;
            let reader = match world.flights.join(key) {
                Part::Follow(reader) => reader,
                Part::Lead(writer, reader) => {
                    let generation = world.generations.fetch_add(1, Ordering::SeqCst);
                    let dice = Dice(dice.0.wrapping_add(77));
                    writing = Some(tokio::spawn(play_writer(Arc::clone(&world), writer, generation, dice)));
                    reader
                }
            };
            let cut = play_reader(reader, dice).await;
            assert!(!(cut && world.patient), "nobody is cut while there is patience");
            world.cut.fetch_add(u64::from(cut), Ordering::SeqCst);
            if let Some(writing) = writing {
                writing.await.unwrap();
            }
        });
    }
    while let Some(result) = tasks.join_next().await {
        assert!(result.is_ok(), "seed {seed}: {result:?}");
    }
    assert!(world.flights.is_empty(), "seed {seed}");
    (world.abandoned.load(Ordering::SeqCst), world.cut.load(Ordering::SeqCst))
}

/// Plays many seeds on both runtimes and adds up what happened.
fn play_all(patient: bool) -> (u64, u64) {
    let (abandoned, cut) = (AtomicU64::new(0), AtomicU64::new(0));
    for seed in 1..40 {
        on_both_runtimes(|| async {
            let happened = play(seed, patient).await;
            abandoned.fetch_add(happened.0, Ordering::SeqCst);
            cut.fetch_add(happened.1, Ordering::SeqCst);
        });
    }
    (abandoned.into_inner(), cut.into_inner())
}

#[test]
fn whatever_the_schedule_who_stays_reads_everything_and_nothing_is_left_over() {
    let (abandoned, cut) = play_all(true);
    assert!(abandoned > 0 && cut == 0, "{abandoned} abandoned, {cut} cut");
}

#[test]
fn without_patience_readers_read_everything_or_are_told_that_they_were_cut() {
    let (_, cut) = play_all(false);
    assert!(cut > 0, "no schedule made anybody wait");
}

#[derive(Clone, Debug)]
enum Step {
    Board,
    Leave(usize),
    Take(usize),
    Write(usize),
    Cut,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Board),
        1 => (0..6usize).prop_map(Step::Leave),
        8 => (0..6usize).prop_map(Step::Take),
        5 => (1..8usize).prop_map(Step::Write),
        1 => Just(Step::Cut),
    ];
    prop::collection::vec(step, 0..80)
}

proptest! {
    #[test]
    fn the_buffer_keeps_its_invariants_and_the_order(steps in steps(), max in 0usize..20) {
        let mut state = State::new();
        state.set_head(head());
        let mut written = 0u64;
        // Each reader's seat, and the number of the chunk it expects (`None`: the head).
        let mut readers: Vec<(usize, Option<u64>)> = vec![(0, None)];
        for step in steps {
            match step {
                Step::Board => readers.extend(state.board().map(|seat| (seat, None))),
                Step::Leave(which) if which < readers.len() => {
                    let (seat, _) = readers.swap_remove(which);
                    state.leave(seat);
                }
                Step::Take(which) if which < readers.len() => {
                    let (seat, expected) = &mut readers[which];
                    match (state.take(*seat), *expected) {
                        (Some(Piece::Head(_)), None) => *expected = Some(0),
                        (Some(Piece::Chunk(chunk)), Some(number)) => {
                            prop_assert_eq!(u64::from(chunk[0]), number);
                            *expected = Some(number + 1);
                        }
                        (Some(Piece::Failed(failure)), _) => prop_assert_eq!(failure.kind, Kind::Overloaded),
                        (None, Some(number)) => prop_assert_eq!(number, written),
                        (other, expected) => prop_assert!(false, "{other:?} instead of {expected:?}"),
                    }
                }
                Step::Write(length) => {
                    let chunk = Bytes::from(vec![written as u8; length]);
                    state.close_before(length, max);
                    if !state.is_abandoned() && state.offer(&chunk, max) == Offer::Taken {
                        written += 1;
                    }
                }
                Step::Cut => state.cut_laggards(),
                Step::Leave(_) | Step::Take(_) => {}
            }
            state.check(max);
        }
    }
}
