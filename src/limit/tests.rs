//! What the gate promises, by example and by random histories.

use super::*;
use crate::types::{Clock, Mono, Wall};
use proptest::prelude::*;
use std::sync::Arc;

const NONE: Limits = Limits {
    requests_per_minute: None,
    tokens_per_minute: None,
    concurrency: None,
    day_tokens: None,
    month_tokens: None,
    day_cost: None,
    month_cost: None,
};
/// 2026-01-01T00:00:00Z, where the test clock begins.
const DAY: i64 = 20_454;
const MONTH: i64 = 2026 * 12;

/// A gate with a clock and limits.
struct Desk {
    gate: Arc<Gate>,
    clock: Clock,
    limits: Limits,
}

impl Desk {
    fn new(limits: Limits) -> Self {
        Self { gate: Gate::new(Spent::default()), clock: Clock::test(), limits }
    }

    fn admit(&self, ask: Ask) -> Result<Permit, Refusal> {
        self.gate.admit(&self.limits, ask, self.clock.mono(), self.clock.wall())
    }

    fn refused(&self, ask: Ask) -> (Which, Option<Duration>) {
        self.admit(ask).map(|_| ()).map_err(|refusal| (refusal.which, refusal.retry_after)).unwrap_err()
    }

    fn settle(&self, permit: Permit, used: Ask) {
        permit.settle(used, self.clock.mono(), self.clock.wall());
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

fn tokens(tokens: u64) -> Ask {
    Ask { tokens, ..Ask::default() }
}

fn cost(pico: i128) -> Ask {
    Ask { cost: Pico(pico), ..Ask::default() }
}

const fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn without_limits_everything_is_admitted_and_still_added_up() {
    let desk = Desk::new(NONE);
    for _ in 0..1_000 {
        let permit = desk.admit(tokens(u64::MAX)).unwrap();
        assert_eq!(permit.standing(), Standing::default());
        desk.settle(permit, Ask { tokens: 3, cost: Pico(5), ..Ask::default() });
    }
    let spent = desk.gate.spent();
    assert_eq!((spent.day, spent.month), (DAY, MONTH));
    assert_eq!((spent.day_tokens, spent.month_cost), (3_000, Pico(5_000)));
    assert_eq!(desk.gate.in_flight(), 0);
}

#[test]
fn one_past_the_limit_is_refused_until_a_minute_and_its_second_have_passed() {
    let desk = Desk::new(Limits { requests_per_minute: Some(2), ..NONE });
    drop(desk.admit(tokens(0)).unwrap());
    desk.wait(10);
    drop(desk.admit(tokens(0)).unwrap());
    assert_eq!(desk.refused(tokens(0)), (Which::Requests, seconds(51)));
    desk.wait(50);
    assert_eq!(desk.refused(tokens(0)), (Which::Requests, seconds(1)));
    desk.wait(1);
    drop(desk.admit(tokens(0)).unwrap());
    assert_eq!(desk.refused(tokens(0)), (Which::Requests, seconds(10)));
}

#[test]
fn a_dropped_permit_gives_tokens_back_but_the_request_counts() {
    let limits = Limits { requests_per_minute: Some(2), tokens_per_minute: Some(100), ..NONE };
    let desk = Desk::new(limits);
    drop(desk.admit(tokens(100)).unwrap());
    let second = desk.admit(tokens(100)).unwrap();
    assert_eq!(second.standing().requests.map(|w| w.remaining), Some(0));
    assert_eq!(second.standing().tokens.map(|w| w.remaining), Some(0));
    drop(second);
    assert_eq!(desk.refused(tokens(1)).0, Which::Requests);
    assert_eq!(desk.gate.spent().day_tokens, 0);
}

#[test]
fn settling_frees_what_was_not_used_and_adds_what_was() {
    let desk = Desk::new(Limits { tokens_per_minute: Some(100), ..NONE });
    let first = desk.admit(tokens(80)).unwrap();
    assert_eq!(desk.refused(tokens(30)), (Which::Tokens, seconds(61)));
    desk.settle(first, tokens(70));
    let second = desk.admit(tokens(30)).unwrap();
    desk.wait(5);
    desk.settle(second, tokens(60));
    assert_eq!(desk.refused(tokens(1)), (Which::Tokens, seconds(56)), "130 of 100 are used");
}

#[test]
fn what_settles_after_its_minute_changes_nothing_in_the_present_one() {
    let desk = Desk::new(Limits { tokens_per_minute: Some(100), ..NONE });
    let slow = desk.admit(tokens(90)).unwrap();
    desk.wait(61);
    let permit = desk.admit(tokens(100)).unwrap();
    desk.settle(slow, tokens(5_000));
    assert_eq!(permit.standing().tokens.map(|w| w.remaining), Some(0));
    desk.settle(permit, tokens(40));
    drop(desk.admit(tokens(60)).unwrap());
}

#[test]
fn an_ask_above_the_whole_limit_runs_alone() {
    let desk = Desk::new(Limits { tokens_per_minute: Some(100), ..NONE });
    drop(desk.admit(tokens(1)).unwrap());
    let small = desk.admit(tokens(1)).unwrap();
    assert_eq!(desk.refused(tokens(1_000)), (Which::Tokens, seconds(61)));
    drop(small);
    let large = desk.admit(tokens(1_000)).unwrap();
    assert_eq!(desk.refused(tokens(1)), (Which::Tokens, seconds(61)));
    desk.settle(large, tokens(99));
    drop(desk.admit(tokens(1)).unwrap());
}

#[test]
fn a_limit_of_zero_lets_nothing_run_and_names_no_time() {
    let zero = [
        (Which::Requests, Limits { requests_per_minute: Some(0), ..NONE }),
        (Which::Tokens, Limits { tokens_per_minute: Some(0), ..NONE }),
        (Which::Concurrency, Limits { concurrency: Some(0), ..NONE }),
        (Which::DayTokens, Limits { day_tokens: Some(0), ..NONE }),
        (Which::MonthCost, Limits { month_cost: Some(Pico::ZERO), ..NONE }),
    ];
    for (which, limits) in zero {
        let refused = Desk::new(limits).refused(Ask { tokens: 1, cost: Pico(1), ..Ask::default() });
        assert_eq!(refused, (which, None));
    }
}

#[test]
fn a_place_at_once_is_free_when_its_request_ended_either_way() {
    let desk = Desk::new(Limits { concurrency: Some(2), ..NONE });
    let (first, second) = (desk.admit(tokens(1)).unwrap(), desk.admit(tokens(1)).unwrap());
    assert_eq!(desk.refused(tokens(1)), (Which::Concurrency, seconds(1)));
    assert_eq!(desk.gate.in_flight(), 2);
    desk.settle(first, tokens(1));
    let third = desk.admit(tokens(1)).unwrap();
    drop(second);
    drop(third);
    assert_eq!(desk.gate.in_flight(), 0);
}

#[test]
fn budgets_hold_the_worst_case_and_keep_the_real_one() {
    let desk = Desk::new(Limits { day_cost: Some(Pico(100)), ..NONE });
    let first = desk.admit(cost(60)).unwrap();
    assert_eq!(desk.refused(cost(41)), (Which::DayCost, seconds(1)), "only a hold is in the way");
    let second = desk.admit(cost(40)).unwrap();
    desk.settle(first, cost(10));
    drop(second);
    assert_eq!(desk.gate.spent().day_cost, Pico(10));
    desk.wait(3_600);
    assert_eq!(desk.refused(cost(91)), (Which::DayCost, seconds(23 * 3_600)));
    desk.settle(desk.admit(cost(90)).unwrap(), cost(95));
    assert_eq!(desk.gate.spent().day_cost, Pico(105));
    assert_eq!(desk.refused(cost(0)).0, Which::DayCost, "overdrawn: not even what is free");
    assert_eq!(desk.refused(cost(101)), (Which::DayCost, None), "never fits");
}

#[test]
fn a_new_day_and_a_new_month_begin_at_zero() {
    let limits = Limits { day_tokens: Some(100), month_tokens: Some(150), ..NONE };
    let desk = Desk::new(limits);
    desk.settle(desk.admit(tokens(100)).unwrap(), tokens(100));
    assert_eq!(desk.refused(tokens(1)), (Which::DayTokens, seconds(86_400)));
    desk.wait(86_399);
    assert_eq!(desk.refused(tokens(1)), (Which::DayTokens, seconds(1)));
    desk.wait(1);
    desk.settle(desk.admit(tokens(50)).unwrap(), tokens(50));
    assert_eq!(desk.refused(tokens(1)), (Which::MonthTokens, seconds(30 * 86_400)));
    desk.wait(30 * 86_400);
    desk.settle(desk.admit(tokens(100)).unwrap(), tokens(100));
    assert_eq!(desk.gate.spent().month, MONTH + 1);
    assert_eq!(desk.gate.spent().month_tokens, 100);
}

#[test]
fn a_request_over_midnight_belongs_to_the_day_it_began_in() {
    let desk = Desk::new(Limits { day_tokens: Some(100), ..NONE });
    let slow = desk.admit(tokens(100)).unwrap();
    desk.wait(86_400);
    let today = desk.admit(tokens(100)).unwrap();
    desk.settle(slow, tokens(100));
    let spent = desk.gate.spent();
    assert_eq!((spent.day, spent.day_tokens, spent.month_tokens), (DAY + 1, 0, 100));
    desk.settle(today, tokens(7));
    assert_eq!(desk.gate.spent().day_tokens, 7);
}

#[test]
fn a_clock_that_jumps_back_resets_no_budget() {
    let limits = Limits { day_tokens: Some(100), ..NONE };
    let gate = Gate::new(Spent::default());
    let noon = Wall((DAY * 86_400 + 43_200) * 1_000_000);
    let used = gate.admit(&limits, tokens(100), Mono(0), noon).unwrap();
    used.settle(tokens(100), Mono(0), noon);
    let yesterday = Wall(noon.0 - 86_400_000_000);
    for wall in [yesterday, Wall(0), Wall(i64::MIN), noon] {
        let refusal = gate.admit(&limits, tokens(1), Mono(1), wall).map(|_| ()).unwrap_err();
        assert_eq!(refusal.which, Which::DayTokens);
    }
    assert_eq!(gate.spent().day, DAY);
}

#[test]
fn restored_numbers_count_in_their_own_day_only() {
    let limits = Limits { day_tokens: Some(100), month_tokens: Some(1_000), ..NONE };
    let spent = Spent { day: DAY, month: MONTH, day_tokens: 95, month_tokens: 400, ..Spent::default() };
    let desk = Desk { gate: Gate::new(spent), clock: Clock::test(), limits: limits.clone() };
    assert_eq!(desk.gate.spent(), spent);
    assert_eq!(desk.refused(tokens(6)).0, Which::DayTokens);
    drop(desk.admit(tokens(5)).unwrap());

    let stale = Spent { day: DAY - 1, ..spent };
    let desk = Desk { gate: Gate::new(stale), clock: Clock::test(), limits };
    drop(desk.admit(tokens(100)).unwrap());
    assert_eq!(desk.gate.spent().month_tokens, 400);
}

#[test]
fn of_several_limits_the_longest_is_named() {
    let limits = Limits {
        requests_per_minute: Some(1),
        tokens_per_minute: Some(10),
        concurrency: Some(1),
        day_tokens: Some(15),
        ..NONE
    };
    let desk = Desk::new(limits);
    let permit = desk.admit(tokens(10)).unwrap();
    assert_eq!(desk.refused(tokens(0)).0, Which::Requests);
    desk.settle(permit, tokens(10));
    assert_eq!(desk.refused(tokens(6)).0, Which::DayTokens);
}

#[test]
fn a_refusal_counts_nothing() {
    let limits = Limits { requests_per_minute: Some(10), day_tokens: Some(100), ..NONE };
    let desk = Desk::new(limits);
    for _ in 0..50 {
        assert_eq!(desk.refused(tokens(101)).0, Which::DayTokens);
    }
    let permit = desk.admit(tokens(100)).unwrap();
    assert_eq!(permit.standing().requests.map(|w| w.remaining), Some(9));
    assert_eq!(desk.gate.in_flight(), 1);
}

#[test]
fn standing_says_when_a_window_is_full_again() {
    let limits = Limits { requests_per_minute: Some(5), tokens_per_minute: Some(50), ..NONE };
    let desk = Desk::new(limits);
    desk.settle(desk.admit(tokens(20)).unwrap(), tokens(20));
    desk.wait(7);
    let standing = desk.admit(tokens(0)).unwrap().standing();
    let window =
        |limit, remaining, reset| Some(Window { limit, remaining, reset: Duration::from_secs(reset) });
    assert_eq!(standing.requests, window(5, 3, 61));
    assert_eq!(standing.tokens, window(50, 30, 54), "the request without tokens does not hold it open");
}

#[test]
fn threads_together_get_exactly_the_limit() {
    let limits = Limits { requests_per_minute: Some(100), day_cost: Some(Pico(7_000)), ..NONE };
    let desk = Desk::new(limits);
    // Per round: 4 × 50 try; the window allows 100 a minute, the budget 70 × 100 in all.
    for admitted_now in [70, 0] {
        let admitted: usize = std::thread::scope(|scope| {
            let tries = || (0..50).filter_map(|_| desk.admit(cost(100)).ok()).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(tries)).collect();
            let permits: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
            let count = permits.len();
            permits.into_iter().for_each(|permit| desk.settle(permit, cost(100)));
            count
        });
        assert_eq!(admitted, admitted_now);
        desk.wait(61);
    }
    assert_eq!(desk.gate.spent().day_cost, Pico(7_000));
    assert_eq!(desk.gate.in_flight(), 0);
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Admit(Ask),
    Settle(usize, u64),
    Drop(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0_u64..4_000).prop_map(Step::Wait),
        1 => (0_u64..90_000).prop_map(Step::Wait),
        6 => (0_u64..60, 0_i128..50).prop_map(|(tokens, cost)| Step::Admit(Ask { tokens, cost: Pico(cost), ..Ask::default() })),
        3 => (any::<usize>(), 0_u64..200).prop_map(|(at, percent)| Step::Settle(at, percent)),
        1 => any::<usize>().prop_map(Step::Drop),
    ]
}

/// What an honest observer writes down about one admission.
struct Noted {
    at: Mono,
    counted: u64,
    spent: i128,
    held: i128,
}

/// Tokens and requests that the observer saw in the minute that ends at `now`.
fn last_minute(notes: &[Noted], now: Mono) -> (u64, u64) {
    let minute = Duration::from_secs(60);
    let recent = notes.iter().filter(|noted| now.since(noted.at) < minute);
    recent.fold((0, 0), |(requests, tokens), noted| (requests + 1, tokens + noted.counted))
}

proptest! {
    #[test]
    fn no_history_gets_more_than_its_limits(
        steps in prop::collection::vec(step(), 1..200),
        requests in 1_u64..12,
        token_limit in 1_u64..120,
        day_cost in 1_i128..1_000,
    ) {
        let limits = Limits {
            requests_per_minute: Some(requests),
            tokens_per_minute: Some(token_limit),
            concurrency: Some(4),
            day_cost: Some(Pico(day_cost)),
            ..NONE
        };
        let desk = Desk::new(limits);
        let mut notes: Vec<Noted> = Vec::new();
        let mut open: Vec<(usize, Ask, Permit)> = Vec::new();
        for step in steps {
            match step {
                Step::Wait(millis) => desk.clock.advance(Duration::from_millis(millis)),
                Step::Admit(ask) => {
                    let now = desk.clock.mono();
                    match desk.admit(ask) {
                        Ok(permit) => {
                            let counted = ask.tokens.min(token_limit);
                            notes.push(Noted { at: now, counted, spent: 0, held: ask.cost.0 });
                            open.push((notes.len() - 1, ask, permit));
                            let (seen, tokens) = last_minute(&notes, now);
                            prop_assert!(seen <= requests && tokens <= token_limit, "{} {}", seen, tokens);
                            let money: i128 = notes.iter().map(|noted| noted.spent + noted.held).sum();
                            prop_assert!(money <= day_cost);
                            prop_assert!(open.len() <= 4);
                        }
                        Err(refusal) => prop_assert!(honest(&desk, ask, &refusal)),
                    }
                }
                Step::Settle(at, percent) if !open.is_empty() => {
                    let (note, ask, permit) = open.swap_remove(at % open.len());
                    let used = Ask {
                        tokens: ask.tokens * percent / 100,
                        cost: Pico(ask.cost.0 * i128::from(percent) / 100),
                        ..Ask::default()
                    };
                    desk.settle(permit, used);
                    notes[note].counted = used.tokens;
                    (notes[note].spent, notes[note].held) = (used.cost.0, 0);
                }
                Step::Drop(at) if !open.is_empty() => {
                    let (note, _, permit) = open.swap_remove(at % open.len());
                    drop(permit);
                    (notes[note].counted, notes[note].held) = (0, 0);
                }
                Step::Settle(..) | Step::Drop(_) => {}
            }
            prop_assert_eq!(desk.gate.in_flight() as usize, open.len());
        }
        drop(open);
        let spent: i128 = notes.iter().map(|noted| noted.spent).sum();
        prop_assert_eq!(desk.gate.spent().month_cost, Pico(spent));
    }
}

/// A refusal by a window must name the very moment at which there is room.
fn honest(desk: &Desk, ask: Ask, refusal: &Refusal) -> bool {
    let Some(after) = refusal.retry_after else { return refusal.which == Which::DayCost };
    let in_time = desk.clock.mono().after(after);
    let in_the_way = |now: Mono| {
        let mut window = desk.gate.window();
        window.advance(now);
        match refusal.which {
            Which::Requests => window.requests_wait(desk.limits.requests_per_minute, now).is_some(),
            _ => window.tokens_wait(ask.tokens, desk.limits.tokens_per_minute, now).is_some(),
        }
    };
    match refusal.which {
        Which::Requests | Which::Tokens => in_the_way(Mono(in_time.0 - 1)) && !in_the_way(in_time),
        which => matches!(which, Which::Concurrency | Which::DayCost),
    }
}

#[test]
fn what_another_process_admitted_counts_in_the_day_it_came_in() {
    let desk = Desk::new(Limits { day_tokens: Some(100), ..NONE });
    desk.wait(86_400);
    let permit = desk.admit(tokens(10)).unwrap();
    desk.gate.inherit(tokens(40), desk.clock.wall());
    desk.gate.inherit(tokens(7), Wall(desk.clock.wall().0 - 86_400_000_000));
    desk.settle(permit, tokens(10));
    let spent = desk.gate.spent();
    assert_eq!((spent.day, spent.day_tokens, spent.month_tokens), (DAY + 1, 50, 57));
    assert_eq!(desk.refused(tokens(51)).0, Which::DayTokens);
    desk.gate.inherit(tokens(5), Wall(desk.clock.wall().0 + 86_400_000_000));
    assert_eq!((desk.gate.spent().day, desk.gate.spent().day_tokens), (DAY + 2, 5));
}

#[test]
fn a_refusal_by_a_budget_says_whether_only_the_ask_is_too_large() {
    let desk = Desk::new(Limits { day_cost: Some(Pico(2_500_000_000_000)), ..NONE });
    let shortage = |ask| desk.admit(ask).map(drop).unwrap_err().shortage.unwrap();
    let permit = desk.admit(cost(1_000_000_000_000)).unwrap();
    desk.settle(permit, cost(1_000_000_000_000));
    let large = shortage(cost(1_500_000_000_001));
    assert!(large.is_the_ask_alone());
    assert_eq!(large.to_string(), "spent 1 of 2.5, 0 held, this request may need 1.500000000001");
    let held = desk.admit(cost(1_500_000_000_000)).unwrap();
    assert!(!shortage(cost(1)).is_the_ask_alone(), "it is for what others hold");
    desk.settle(held, cost(1_500_000_000_000));
    assert!(!shortage(cost(1)).is_the_ask_alone(), "it is used up");
    let desk = Desk::new(Limits { requests_per_minute: Some(0), ..NONE });
    assert_eq!(desk.admit(tokens(1)).map(drop).unwrap_err().shortage, None);
}
