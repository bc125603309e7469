//! The order of targets, and the pause before a retry.

use super::random::{Random, scale};
use std::time::Duration;

/// A weighted order of targets, each once: `draw` seeds it. Weight 0 goes last,
/// in the order given.
///
/// The first place goes to each target in proportion to its weight, the second
/// among the rest likewise, and so on. Integers throughout: the same draw gives
/// the same order on every machine.
pub fn order(weights: &[u32], draw: u64) -> Vec<usize> {
    let mut random = Random::new(draw);
    let mut left: Vec<(usize, u64)> = weights
        .iter()
        .map(|weight| u64::from(*weight))
        .enumerate()
        .filter(|(_, weight)| *weight > 0)
        .collect();
    let mut total: u64 = left.iter().map(|(_, weight)| weight).sum();
    let mut order = Vec::with_capacity(weights.len());
    while left.len() > 1 {
        let (index, weight) = left.remove(position(&left, random.below(total)));
        total -= weight;
        order.push(index);
    }
    order.extend(left.iter().map(|(index, _)| *index));
    order.extend(weights.iter().enumerate().filter(|(_, weight)| **weight == 0).map(|(index, _)| index));
    order
}

/// Whose stretch of the line of all weights the point lies in.
fn position(left: &[(usize, u64)], mut point: u64) -> usize {
    for (position, (_, weight)) in left.iter().enumerate() {
        match point.checked_sub(*weight) {
            Some(behind) => point = behind,
            None => return position,
        }
    }
    left.len().saturating_sub(1)
}

/// Full-jitter exponential back-off before retry number `retry` (from 1): any
/// time from zero to `base × 2^(retry − 1)`, at most `max`, all equally likely.
pub fn back_off(base: Duration, max: Duration, retry: u32, draw: u64) -> Duration {
    let doublings = retry.saturating_sub(1).min(31);
    let most = base.saturating_mul(1 << doublings).min(max);
    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(scale(draw, nanos.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn weights_decide_how_often_a_target_is_first() {
        let weights = [1, 0, 2, 5];
        let mut first = [0_u32; 4];
        let mut second_after_three = [0_u32; 4];
        for draw in 0..80_000 {
            let order = order(&weights, draw);
            first[order[0]] += 1;
            if order[0] == 3 {
                second_after_three[order[1]] += 1;
            }
        }
        let close = |counted: u32, expected: u32| counted.abs_diff(expected) < 700;
        assert!(close(first[0], 10_000) && close(first[2], 20_000) && close(first[3], 50_000), "{first:?}");
        assert!(close(second_after_three[0] * 3, 50_000), "1 of 3 when the 5 is gone");
        assert_eq!(first[1], 0);
    }

    #[test]
    fn few_targets_are_no_special_case() {
        assert_eq!(order(&[], 7), Vec::<usize>::new());
        assert_eq!(order(&[0], 7), [0]);
        assert_eq!(order(&[9], 7), [0]);
        assert_eq!(order(&[0, 0, 4, 0], 7), [2, 0, 1, 3]);
    }

    #[test]
    fn back_off_doubles_up_to_its_bound_and_spreads_over_all_of_it() {
        let (base, max) = (Duration::from_millis(100), Duration::from_secs(1));
        for (retry, most) in [(0, 100), (1, 100), (2, 200), (4, 800), (5, 1_000), (u32::MAX, 1_000)] {
            assert_eq!(back_off(base, max, retry, u64::MAX), Duration::from_millis(most), "{retry}");
            assert_eq!(back_off(base, max, retry, 0), Duration::ZERO);
            assert_eq!(back_off(base, max, retry, 1 << 63), Duration::from_millis(most / 2));
        }
        assert!(back_off(Duration::MAX, Duration::MAX, 40, u64::MAX) > max);
    }

    proptest! {
        #[test]
        fn every_target_comes_once(weights in prop::collection::vec(any::<u32>(), 0..20), draw: u64) {
            let mut order = order(&weights, draw);
            let zeros = weights.iter().filter(|weight| **weight == 0).count();
            prop_assert!(order.iter().rev().take(zeros).all(|index| weights[*index] == 0));
            order.sort_unstable();
            prop_assert_eq!(order, (0..weights.len()).collect::<Vec<_>>());
        }
    }
}
