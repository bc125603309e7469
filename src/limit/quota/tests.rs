//! What counters of quotas promise, by example and by random histories.

mod threads;

use super::*;
use crate::limit::{Ask, Gate, Limits, Permit, Refusal, Spent, Which};
use crate::types::{Clock, Pico, Wall};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
];
const SPANS: [Span; 4] = [Span::Minute, Span::Hour, Span::Day, Span::Month];

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn calendar(measure: Measure, span: Span, name: &str) -> Rule {
    Rule { measure, span, cycle: Cycle::Calendar(zone(name)) }
}

fn rolling(measure: Measure, span: Span) -> Rule {
    Rule { measure, span, cycle: Cycle::Rolling }
}

fn wall(text: &str, name: &str) -> Wall {
    let civil: DateTime = text.parse().unwrap();
    Wall(civil.to_zoned(zone(name)).unwrap().timestamp().as_microsecond())
}

/// A quota of so much under this rule.
fn quota(rule: Rule, amount: i128) -> Counted {
    with_tally(rule, amount, Tally::default())
}

fn with_tally(rule: Rule, amount: i128, tally: Tally) -> Counted {
    let terms = Terms {
        quota: "q".into(),
        name: "Q".into(),
        tenant: None,
        of: "hub".into(),
        amount,
        enforce: Enforce::Hard,
        warn_at: [50, 100].into(),
    };
    Counted { meter: Meter::new(rule, tally), terms: Arc::new(terms) }
}

fn tokens(tokens: u64) -> Ask {
    Ask { tokens, requests: 1, ..Ask::default() }
}

/// In the order in which they are locked.
fn ordered<'q>(quotas: impl IntoIterator<Item = &'q Counted>) -> Vec<&'q Counted> {
    let mut quotas: Vec<&Counted> = quotas.into_iter().collect();
    quotas.sort_by_key(|quota| quota.meter.serial());
    quotas
}

/// A key without limits of its own, and quotas.
struct Desk {
    gate: Arc<Gate>,
    clock: Clock,
    quotas: Vec<Counted>,
}

impl Desk {
    fn new(quotas: Vec<Counted>) -> Self {
        Self { gate: Gate::new(Spent::default()), clock: Clock::test(), quotas }
    }

    fn admit(&self, ask: Ask) -> Result<Permit, Refusal> {
        let quotas = ordered(&self.quotas);
        self.gate.admit_by(&Limits::default(), &quotas, ask, self.clock.mono(), self.clock.wall())
    }

    fn settle(&self, permit: Permit, used: Ask) -> Vec<u32> {
        let crossed = permit.settle(used, self.clock.mono(), self.clock.wall());
        let mut crossed: Vec<u32> = crossed.iter().map(|crossed| crossed.percent).collect();
        crossed.sort_unstable();
        crossed
    }

    fn spend(&self, used: Ask) -> Vec<u32> {
        self.settle(self.admit(used).unwrap(), used)
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn used(&self) -> Vec<(i128, i128)> {
        let used = |quota: &Counted| quota.meter.used(self.clock.mono(), self.clock.wall());
        self.quotas.iter().map(used).map(|used| (used.spent, used.held)).collect()
    }
}

#[test]
fn days_follow_the_clocks_of_their_zone() {
    let hours = |text: &str, name: &str| {
        let part = calendar(Measure::Tokens, Span::Day, name).part(wall(text, name));
        (part.ends.0 - part.begins.0) / 3_600_000_000
    };
    assert_eq!(hours("2026-03-29T12:00", "Europe/Berlin"), 23);
    assert_eq!(hours("2026-10-25T01:30", "Europe/Berlin"), 25);
    assert_eq!(hours("2026-10-26T01:30", "Europe/Berlin"), 24);
    // Midnight did not exist on this day.
    assert_eq!(hours("2018-11-04T12:00", "America/Sao_Paulo"), 23);
    let month = calendar(Measure::Tokens, Span::Month, "Asia/Kathmandu");
    let february = month.part(wall("2028-02-29T23:59", "Asia/Kathmandu"));
    assert_eq!(february.begins, wall("2028-02-01T00:00", "Asia/Kathmandu"));
    assert_eq!(february.ends, wall("2028-03-01T00:00", "Asia/Kathmandu"));
}

#[test]
fn a_change_of_the_clock_within_an_hour_ends_it() {
    // Half an hour is put in at two o'clock: 02:00 to 02:30 is skipped in spring.
    let rule = calendar(Measure::Tokens, Span::Hour, "Australia/Lord_Howe");
    let change = wall("2026-10-04T02:30", "Australia/Lord_Howe");
    let after = rule.part(change);
    assert_eq!((after.begins, after.ends), (change, Wall(change.0 + 30 * 60_000_000)));
    assert_eq!(rule.part(Wall(change.0 - 1)).ends, change);
    // An hour that comes twice is two.
    let rule = calendar(Measure::Tokens, Span::Hour, "Europe/Berlin");
    let first = rule.part(wall("2026-10-25T02:30", "Europe/Berlin"));
    assert_eq!(rule.part(first.ends).begins, first.ends);
    assert_eq!(first.ends.0 - first.begins.0, 3_600_000_000);
}

proptest! {
    #[test]
    fn parts_of_a_calendar_follow_each_other_without_a_gap(
        seconds in -2_000_000_000_i64..8_000_000_000,
        zone in 0..ZONES.len(),
        span in 0..SPANS.len(),
    ) {
        let rule = calendar(Measure::Tokens, SPANS[span], ZONES[zone]);
        let at = Wall(seconds * 1_000_000 + 999_999);
        let part = rule.part(at);
        prop_assert!(part.holds(at), "{part:?}");
        prop_assert_eq!(rule.part(part.begins), part);
        prop_assert_eq!(rule.part(Wall(part.ends.0 - 1)), part);
        prop_assert_eq!(rule.part(part.ends).begins, part.ends);
        prop_assert_eq!(rule.part(Wall(part.begins.0 - 1)).ends, part.begins);
        prop_assert!(rule.since(at) < part.begins);
    }
}

#[test]
fn a_request_is_counted_by_all_or_by_none() {
    let quotas = vec![
        quota(rolling(Measure::Tokens, Span::Hour), 100),
        quota(calendar(Measure::Requests, Span::Day, "UTC"), 2),
        quota(calendar(Measure::Money, Span::Month, "UTC"), 1_000),
        quota(calendar(Measure::Images, Span::Month, "UTC"), 1),
    ];
    let desk = Desk::new(quotas);
    let ask = Ask { tokens: 60, cost: Pico(600), images: 1, requests: 1 };
    let permit = desk.admit(ask).unwrap();
    assert_eq!(desk.used(), [(0, 60), (0, 1), (0, 600), (0, 1)]);
    let refused = desk.admit(ask).map(drop).unwrap_err();
    assert_eq!(refused.retry_after, Some(Duration::from_secs(1)), "all of it may come back");
    assert_eq!(desk.used(), [(0, 60), (0, 1), (0, 600), (0, 1)], "the refusal counts nothing");
    drop(permit);
    assert_eq!(desk.used(), [(0, 0); 4]);
    assert_eq!(desk.settle(desk.admit(ask).unwrap(), Ask { tokens: 10, ..ask }), [50, 50, 100]);
    let refused = desk.admit(ask).map(drop).unwrap_err();
    assert!(matches!(refused.which, Which::QuotaMoney | Which::QuotaImages), "the month lasts longest");
    assert_eq!(refused.retry_after, Some(Duration::from_secs(31 * 86_400)));
    assert_eq!(refused.quota.unwrap().terms.name.as_ref(), "Q");
    // Who needs nothing of a quota that is used up is not kept.
    assert!(desk.admit(Ask { tokens: 1, cost: Pico(1), images: 0, requests: 1 }).is_ok());
}

#[test]
fn what_can_never_fit_is_refused_without_a_time() {
    let desk = Desk::new(vec![quota(rolling(Measure::Tokens, Span::Day), 10)]);
    let refused = desk.admit(tokens(11)).map(drop).unwrap_err();
    assert_eq!(refused.retry_after, None);
    assert!(refused.shortage.unwrap().is_the_ask_alone());
    let zero = Desk::new(vec![quota(calendar(Measure::Requests, Span::Minute, "UTC"), 0)]);
    assert_eq!(zero.admit(tokens(1)).map(drop).unwrap_err().retry_after, None);
}

#[test]
fn a_soft_quota_tells_and_refuses_nothing() {
    let mut soft = quota(calendar(Measure::Tokens, Span::Day, "UTC"), 100);
    Arc::make_mut(&mut soft.terms).enforce = Enforce::Soft;
    let desk = Desk::new(vec![soft]);
    assert_eq!(desk.spend(tokens(49)), [0_u32; 0]);
    assert_eq!(desk.spend(tokens(1)), [50]);
    assert_eq!(desk.spend(tokens(1)), [0_u32; 0], "each threshold once");
    assert_eq!(desk.spend(tokens(500)), [100]);
    let permit = desk.admit(tokens(500)).unwrap();
    assert_eq!(permit.warnings().collect::<Vec<_>>(), [("Q", 551)]);
    drop(permit);
    desk.wait(86_400);
    assert_eq!(desk.admit(tokens(1)).unwrap().warnings().count(), 0);
    assert_eq!(desk.spend(tokens(60)), [50], "and once again in each period");
}

#[test]
fn a_refusal_is_told_once_in_a_period() {
    let desk = Desk::new(vec![quota(rolling(Measure::Tokens, Span::Minute), 1)]);
    desk.spend(tokens(1));
    assert!(desk.quotas[0].meter.tell_exceeded() && !desk.quotas[0].meter.tell_exceeded());
    desk.wait(62);
    drop(desk.admit(tokens(1)).unwrap());
    assert!(desk.quotas[0].meter.tell_exceeded());
}

#[test]
fn what_ends_after_its_period_counts_in_the_one_it_came_in() {
    let desk = Desk::new(vec![quota(calendar(Measure::Tokens, Span::Day, "UTC"), 100)]);
    let permit = desk.admit(tokens(80)).unwrap();
    desk.wait(86_400);
    assert_eq!(desk.used(), [(0, 0)]);
    desk.settle(permit, tokens(30));
    assert_eq!(desk.used(), [(0, 0)]);
    assert_eq!(desk.quotas[0].meter.tally().sum(), 30, "and the books agree");
    desk.spend(tokens(100));
    // One that came in just before midnight, and got here after it.
    let late = Wall(desk.clock.wall().0 - 1);
    let quotas: Vec<&Counted> = desk.quotas.iter().collect();
    let admit = |ask| desk.gate.admit_by(&Limits::default(), &quotas, ask, desk.clock.mono(), late);
    assert!(admit(tokens(71)).is_err());
    drop(admit(tokens(70)).unwrap());
}

#[test]
fn a_clock_that_is_set_forward_and_back_finds_its_period_again() {
    let counted = quota(calendar(Measure::Tokens, Span::Day, "UTC"), 100);
    let (gate, clock) = (Gate::new(Spent::default()), Clock::test());
    let admit = |at: Wall, ask| gate.admit_by(&Limits::default(), &[&counted], ask, clock.mono(), at);
    let (today, next_year) = (clock.wall(), Wall(clock.wall().0 + 366 * 86_400_000_000));
    admit(today, tokens(70)).unwrap().settle(tokens(70), clock.mono(), today);
    admit(next_year, tokens(100)).unwrap().settle(tokens(100), clock.mono(), next_year);
    assert!(admit(today, tokens(31)).is_err(), "today's use is not forgotten");
    admit(today, tokens(30)).unwrap().settle(tokens(30), clock.mono(), today);
    // Before everything that is known, the oldest counts.
    assert!(admit(Wall(0), tokens(1)).is_err());
}

#[test]
fn a_rolling_window_goes_by_no_wall_clock() {
    let counted = quota(rolling(Measure::Tokens, Span::Hour), 100);
    let (gate, clock) = (Gate::new(Spent::default()), Clock::test());
    let admit = |at: Wall| gate.admit_by(&Limits::default(), &[&counted], tokens(100), clock.mono(), at);
    let _permit = admit(clock.wall()).unwrap();
    for at in [0, i64::MAX, clock.wall().0 + 7_200_000_000] {
        assert!(admit(Wall(at)).is_err());
    }
    clock.advance(Duration::from_secs(3_661));
    assert!(admit(Wall(0)).is_ok());
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    /// Milliseconds.
    Wait(u64),
    Admit(u64),
    /// Which, and percent of what it asked for.
    Settle(usize, u64),
    Drop(usize),
    /// The process ends; another one goes on from the books.
    Restart,
}

fn step(longest: u64) -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..longest).prop_map(Step::Wait),
        6 => (0_u64..60).prop_map(Step::Admit),
        3 => (any::<usize>(), 0_u64..100).prop_map(|(at, percent)| Step::Settle(at, percent)),
        1 => any::<usize>().prop_map(Step::Drop),
        1 => Just(Step::Restart),
    ]
}

/// What an honest observer writes down about one admission.
struct Noted {
    at: Wall,
    counted: u64,
}

/// What the observer saw between two moments.
fn seen(notes: &[Noted], from: i64, to: i64) -> u64 {
    notes.iter().filter(|noted| from <= noted.at.0 && noted.at.0 < to).map(|noted| noted.counted).sum()
}

/// Runs a history; `room` says, by the observer's notes, whether one more of so many tokens must
/// not be admitted, or must be.
fn history(
    rule: &Rule,
    amount: u64,
    steps: &[Step],
    room: impl Fn(&[Noted], Wall, u64) -> (bool, bool),
) -> Result<(), TestCaseError> {
    let mut desk = Desk::new(vec![quota(rule.clone(), i128::from(amount))]);
    let mut books = Counter::new(rule.clone(), Tally::default());
    let (mut notes, mut open): (Vec<Noted>, Vec<(usize, u64, Permit)>) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            Step::Wait(millis) => desk.clock.advance(Duration::from_millis(*millis)),
            Step::Admit(ask) => {
                let (now, (may, must)) = (desk.clock.wall(), room(&notes, desk.clock.wall(), *ask));
                match desk.admit(tokens(*ask)) {
                    Ok(permit) => {
                        prop_assert!(may || *ask == 0, "more than allowed");
                        notes.push(Noted { at: now, counted: *ask });
                        open.push((notes.len() - 1, *ask, permit));
                    }
                    Err(refusal) => {
                        prop_assert!(!must, "refused {ask} with room for it");
                        prop_assert_eq!(refusal.retry_after.is_none(), *ask > amount);
                    }
                }
            }
            Step::Settle(at, percent) if !open.is_empty() => {
                let (note, ask, permit) = open.swap_remove(at % open.len());
                let used = ask * percent / 100;
                desk.settle(permit, tokens(used));
                notes[note].counted = used;
                books.add(notes[note].at, i128::from(used));
            }
            Step::Drop(at) if !open.is_empty() => {
                let (note, _, permit) = open.swap_remove(at % open.len());
                drop(permit);
                notes[note].counted = 0;
            }
            Step::Restart => {
                for (note, ask, permit) in open.drain(..) {
                    desk.settle(permit, tokens(ask));
                    books.add(notes[note].at, i128::from(ask));
                }
                desk.quotas = vec![with_tally(rule.clone(), i128::from(amount), books.tally().clone())];
            }
            Step::Settle(..) | Step::Drop(_) => {}
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_history_gets_more_in_a_calendar_period(
        steps in prop::collection::vec(step(20_000_000), 1..150),
        amount in 1_u64..200,
        zone in 0..ZONES.len(),
        span in 1..SPANS.len(),
    ) {
        let rule = calendar(Measure::Tokens, SPANS[span], ZONES[zone]);
        let of = rule.clone();
        history(&rule, amount, &steps, move |notes, now, ask| {
            let part = of.part(now);
            let fits = seen(notes, part.begins.0, part.ends.0) + ask <= amount;
            (fits, fits)
        })?;
    }

    #[test]
    fn no_history_gets_more_in_any_time_as_long_as_a_rolling_window(
        steps in prop::collection::vec(step(700_000), 1..150),
        amount in 1_u64..200,
    ) {
        let rule = rolling(Measure::Tokens, Span::Hour);
        let (span, bucket) = (Span::Hour.micros(), rule.bucket());
        history(&rule, amount, &steps, move |notes, now, ask| {
            let until = now.0 + 1;
            let fits = |reach: i64| seen(notes, until - reach, until) + ask <= amount;
            // Room comes back up to one bucket late.
            (fits(span), fits(span + bucket + 1))
        })?;
    }
}

#[test]
fn threads_with_common_quotas_get_exactly_what_there_is() {
    let hub = quota(calendar(Measure::Money, Span::Month, "UTC"), 3_000);
    let teams: Vec<Counted> = (0..4).map(|_| quota(rolling(Measure::Tokens, Span::Hour), 1_000)).collect();
    let clock = Clock::test();
    let admitted: usize = std::thread::scope(|scope| {
        let one = |at: usize| {
            // Neighbours share teams, each in another place of its list.
            let quotas = ordered([&hub, &teams[at], &teams[(at + 1) % teams.len()]]);
            let gate = Gate::new(Spent::default());
            let ask = Ask { tokens: 10, cost: Pico(10), ..Ask::default() };
            let mut count = 0;
            for round in 0..200 {
                let Ok(permit) = gate.admit_by(&Limits::default(), &quotas, ask, clock.mono(), clock.wall())
                else {
                    continue;
                };
                if round % 3 == 0 {
                    continue;
                }
                permit.settle(ask, clock.mono(), clock.wall());
                count += 1;
            }
            count
        };
        let threads: Vec<_> = (0..8).map(|at| scope.spawn(move || one(at % 4))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let used = |quota: &Counted| quota.meter.used(clock.mono(), clock.wall());
    assert_eq!(used(&hub).spent, admitted as i128 * 10);
    assert!(used(&hub).spent <= 3_000 && used(&hub).held == 0);
    let of_teams: i128 = teams.iter().map(|team| used(team).spent).sum();
    assert_eq!(of_teams, admitted as i128 * 20, "each was counted by all of its quotas");
    assert!(teams.iter().all(|team| used(team).spent <= 1_000));
}

#[test]
fn what_another_process_admitted_counts_where_it_came_in() {
    let clock = Clock::test();
    let calendar = quota(calendar(Measure::Tokens, Span::Day, "UTC"), 100);
    let window = quota(rolling(Measure::Tokens, Span::Hour), 100);
    for counted in [&calendar, &window] {
        counted.meter.inherit(10, clock.wall());
        assert_eq!(counted.meter.used(clock.mono(), clock.wall()).spent, 10, "before it was first used");
        counted.meter.inherit(5, clock.wall());
        counted.meter.inherit(1_000, Wall(clock.wall().0 - 2 * 86_400_000_000));
        assert_eq!(counted.meter.used(clock.mono(), clock.wall()).spent, 15);
    }
}
