//! Shares, affinity and waiting, by example.

use super::*;
use crate::route::{Fault, HealthPolicy};

const START: Mono = Mono(0);

fn healths(count: usize) -> Vec<Arc<Health>> {
    (0..count).map(|_| Health::new(HealthPolicy::default())).collect()
}

fn candidates<'a>(healths: &'a [Arc<Health>], weights: &[u32]) -> Vec<Candidate<'a>> {
    healths.iter().zip(weights).map(|(health, weight)| Candidate { weight: *weight, health }).collect()
}

fn cool(health: &Arc<Health>, seconds: u64) {
    let wait = Some(Duration::from_secs(seconds));
    health.begin(START).unwrap().fail(Fault::RateLimited(wait), START);
}

/// Who is picked in so many turns, each ended at once.
fn turns(candidates: &[Candidate<'_>], excluded: &[bool], strategy: Strategy, count: usize) -> Vec<usize> {
    let picker = Picker::new();
    let turn = |draw| picker.pick(candidates, excluded, strategy, None, mix(draw), START).unwrap().0;
    (0..count as u64).map(turn).collect()
}

#[test]
fn turns_are_spread_smoothly_by_weight() {
    let healths = healths(3);
    let candidates = candidates(&healths, &[5, 1, 1]);
    assert_eq!(turns(&candidates, &[], Strategy::RoundRobin, 7), [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn who_comes_back_has_no_claim_to_missed_turns() {
    let healths = healths(2);
    let candidates = candidates(&healths, &[1, 1]);
    let picker = Picker::new();
    let pick = |excluded| picker.pick(&candidates, excluded, Strategy::RoundRobin, None, 0, START).unwrap().0;
    (0..100).for_each(|_| assert_eq!(pick(&[false, true]), 0));
    let after: Vec<_> = (0..4).map(|_| pick(&[false, false])).collect();
    assert_eq!(after.iter().sum::<usize>(), 2, "{after:?}");
}

#[test]
fn weight_zero_is_a_reserve_under_every_strategy() {
    let healths = healths(3);
    let candidates = candidates(&healths, &[0, 3, 0]);
    for strategy in [Strategy::RoundRobin, Strategy::Latency] {
        assert!(turns(&candidates, &[], strategy, 50).iter().all(|index| *index == 1));
        let reserves = turns(&candidates, &[false, true, false], strategy, 50);
        assert!(reserves.contains(&0) && reserves.contains(&2) && !reserves.contains(&1));
    }
    let picker = Picker::new();
    let preferred = |excluded: &[bool], conversation| {
        let pick = picker.pick(&candidates, excluded, Strategy::RoundRobin, Some(conversation), 0, START);
        pick.unwrap().0
    };
    assert!((0..50).all(|conversation| preferred(&[], conversation) == 1));
    assert!((0..50).all(|conversation| preferred(&[false, true], conversation) != 1));
}

#[test]
fn without_anybody_ready_the_earliest_time_is_named() {
    let healths = healths(3);
    let candidates = candidates(&healths, &[1, 1, 1]);
    [30, 10, 20].iter().zip(&healths).for_each(|(seconds, health)| cool(health, *seconds));
    let picker = Picker::new();
    for strategy in [Strategy::RoundRobin, Strategy::Latency] {
        for affinity in [None, Some(3)] {
            let wait = |excluded: &[bool]| {
                picker.pick(&candidates, excluded, strategy, affinity, 5, START).map(|_| ()).unwrap_err()
            };
            assert_eq!(wait(&[]), Some(Mono(10_000_000_000)));
            assert_eq!(wait(&[false, true]), Some(Mono(20_000_000_000)));
            assert_eq!(wait(&[true, true, true]), None);
        }
    }
    assert_eq!(picker.pick(&[], &[], Strategy::Latency, None, 5, START).map(|_| ()), Err(None));
}

#[test]
fn the_single_probe_goes_once_and_then_there_is_a_wait() {
    let healths = healths(1);
    let candidates = candidates(&healths, &[1]);
    healths[0].begin(START).unwrap().fail(Fault::Rejected, START);
    let due = START.after(Duration::from_secs(30));
    let picker = Picker::new();
    let pick = || picker.pick(&candidates, &[], Strategy::RoundRobin, None, 0, due);
    let (_, probe) = pick().unwrap();
    assert!(probe.is_probe());
    assert!(pick().map(|_| ()).is_err_and(|time| time > Some(due)));
    drop(probe);
    assert!(pick().is_ok());
}

#[test]
fn the_faster_of_two_wins_and_load_counts() {
    let healths = healths(2);
    let candidates = candidates(&healths, &[1, 1]);
    for (health, seconds) in healths.iter().zip([1, 3]) {
        let mut attempt = health.begin(START).unwrap();
        attempt.first_byte(START.after(Duration::from_secs(seconds)));
        attempt.succeed(START);
    }
    assert!(turns(&candidates, &[], Strategy::Latency, 100).iter().all(|index| *index == 0));
    // Three running on the fast one: 4 × 1 s is more than 1 × 3 s.
    let running: Vec<_> = (0..3).map(|_| healths[0].begin(START).unwrap()).collect();
    assert!(turns(&candidates, &[], Strategy::Latency, 100).iter().all(|index| *index == 1));
    drop(running);
    let weighted = self::candidates(&healths, &[1, 10]);
    assert!(turns(&weighted, &[], Strategy::Latency, 100).iter().all(|index| *index == 1));
}

#[test]
fn two_choices_reach_everybody_and_leave_out_who_is_out() {
    let healths = healths(5);
    let candidates = candidates(&healths, &[1; 5]);
    cool(&healths[2], 60);
    let picker = Picker::new();
    let mut attempts = Vec::new();
    for draw in 0..400 {
        let (index, attempt) =
            picker.pick(&candidates, &[false, true], Strategy::Latency, None, mix(draw), START).unwrap();
        assert!(![1, 2].contains(&index));
        attempts.push(attempt);
    }
    for index in [0, 3, 4] {
        assert!(healths[index].in_flight().abs_diff(133) < 10, "{}", healths[index].in_flight());
    }
}

/// Which candidate each of many conversations prefers.
fn preferences(candidates: &[Candidate<'_>], excluded: &[bool]) -> Vec<usize> {
    let picker = Picker::new();
    let prefer = |conversation: u64| {
        picker.pick(candidates, excluded, Strategy::Latency, Some(mix(conversation)), 0, START).unwrap().0
    };
    (0..6_000).map(prefer).collect()
}

#[test]
fn conversations_stay_and_are_shared_out_by_weight() {
    let healths = healths(3);
    let candidates = candidates(&healths, &[1, 2, 3]);
    let preferred = preferences(&candidates, &[]);
    assert_eq!(preferred, preferences(&candidates, &[]));
    for (index, weight) in [(0, 1), (1, 2), (2, 3)] {
        let had = preferred.iter().filter(|chosen| **chosen == index).count();
        assert!(had.abs_diff(weight * 1_000) < 150, "{index}: {had}");
    }
}

#[test]
fn only_the_conversations_of_who_is_out_move_and_they_spread() {
    let healths = healths(3);
    let candidates = candidates(&healths, &[1, 1, 1]);
    let before = preferences(&candidates, &[]);
    cool(&healths[1], 60);
    let after = preferences(&candidates, &[]);
    let mut moved = [0; 3];
    for (before, after) in before.iter().zip(&after) {
        assert!(before == after || *before == 1);
        moved[*after] += usize::from(before != after);
    }
    assert!(moved[0].abs_diff(1_000) < 150 && moved[2].abs_diff(1_000) < 150, "{moved:?}");
}

#[test]
fn an_identity_keeps_conversations_through_a_reload_that_moves_indices() {
    let identified = |id| Health::identified(HealthPolicy::default(), id);
    let before = [identified(11), identified(22), identified(33)];
    let after = [identified(22), identified(33)];
    let old = preferences(&candidates(&before, &[1; 3]), &[]);
    let new = preferences(&candidates(&after, &[1; 2]), &[]);
    assert!(old.iter().zip(&new).all(|(old, new)| *old == 0 || *old == new + 1));
}

#[test]
fn extreme_weights_and_draws_do_not_overflow() {
    let healths = healths(64);
    let candidates = candidates(&healths, &[u32::MAX; 64]);
    let picker = Picker::new();
    for draw in [0, 1, u64::MAX] {
        for strategy in [Strategy::RoundRobin, Strategy::Latency] {
            for affinity in [None, Some(0), Some(u64::MAX)] {
                let now = Mono(u64::MAX);
                assert!(picker.pick(&candidates, &[true], strategy, affinity, draw, now).is_ok());
            }
        }
    }
}
