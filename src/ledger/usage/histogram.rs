//! Durations, counted in buckets that grow with the value, so that two
//! histograms add up to the histogram of all their values. Integers only.
//!
//! Values below [`STEPS`] have a bucket each. Above, every doubling is cut into
//! [`STEPS`] buckets of equal width, so a bucket is never wider than 1/16 of its
//! lowest value, and its middle is within 1/32 (3.2 %) of everything in it.

use std::iter::Peekable;

/// Buckets for each doubling.
const STEPS: u64 = 16;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// The answer of [`Histogram::quantile`] is at most this part of the true value away from it: one
/// part of so many.
pub const ERROR_PARTS: u64 = 2 * STEPS;
/// A percentile's scale: `quantile(PER_MILLE, …)`.
pub const PER_MILLE: u64 = 1_000;

/// Counts of values, by bucket, ascending; buckets without a value are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    buckets: Vec<(u16, u64)>,
}

impl Histogram {
    /// Counts a value.
    pub fn add(&mut self, value: u64) {
        self.add_many(bucket_of(value), 1);
    }

    fn add_many(&mut self, bucket: u16, count: u64) {
        match self.buckets.binary_search_by_key(&bucket, |(known, _)| *known) {
            Ok(at) => {
                if let Some((_, known)) = self.buckets.get_mut(at) {
                    *known = known.saturating_add(count);
                }
            }
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }

    /// Counts everything that the other one has counted.
    pub fn merge(&mut self, other: &Self) {
        if self.buckets.is_empty() {
            return self.buckets.clone_from(&other.buckets);
        }
        // Rows that are added up mostly share their buckets.
        for (bucket, count) in &other.buckets {
            self.add_many(*bucket, *count);
        }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The value that `per_mille` of a thousand values do not exceed (nearest rank), within one
    /// part of [`ERROR_PARTS`]. `None` without values.
    pub fn quantile(&self, per_mille: u64) -> Option<u64> {
        let count = self.count();
        let wanted = u128::from(count) * u128::from(per_mille.min(PER_MILLE));
        let rank = u64::try_from(wanted.div_ceil(u128::from(PER_MILLE))).unwrap_or(u64::MAX).max(1);
        let mut seen = 0_u64;
        for (bucket, count) in &self.buckets {
            seen = seen.saturating_add(*count);
            if seen >= rank {
                return Some(middle_of(*bucket));
            }
        }
        None
    }

    /// Writes it: how many buckets, then the distance from the one before and the count of each.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        super::number::put(out, self.buckets.len() as u64);
        let mut before = 0;
        for (bucket, count) in &self.buckets {
            super::number::put(out, u64::from(*bucket) - before);
            super::number::put(out, *count);
            before = u64::from(*bucket);
        }
    }

    /// Reads what [`Histogram::encode`] wrote, and adds it.
    pub(super) fn decode_into(&mut self, bytes: &mut &[u8]) -> Option<()> {
        let buckets = super::number::take(bytes)?;
        let mut read = Vec::new();
        let mut bucket = 0_u64;
        for _ in 0..buckets {
            bucket = bucket.checked_add(super::number::take(bytes)?)?;
            read.push((u16::try_from(bucket).ok()?, super::number::take(bytes)?));
        }
        self.merge_sorted(read);
        Some(())
    }

    fn merge_sorted(&mut self, other: Vec<(u16, u64)>) {
        if self.buckets.is_empty() {
            self.buckets = other;
            return;
        }
        let own = std::mem::take(&mut self.buckets);
        let (mut left, mut right) = (own.into_iter().peekable(), other.into_iter().peekable());
        while let Some(next) = smaller(&mut left, &mut right) {
            match self.buckets.last_mut() {
                Some((bucket, count)) if *bucket == next.0 => *count = count.saturating_add(next.1),
                _ => self.buckets.push(next),
            }
        }
    }
}

fn smaller<I: Iterator<Item = (u16, u64)>>(
    left: &mut Peekable<I>,
    right: &mut Peekable<I>,
) -> Option<(u16, u64)> {
    match (left.peek(), right.peek()) {
        (Some(a), Some(b)) if b.0 < a.0 => right.next(),
        (Some(_), _) => left.next(),
        (None, _) => right.next(),
    }
}

fn bucket_of(value: u64) -> u16 {
    if value < STEPS {
        return u16::try_from(value).unwrap_or_default();
    }
    let doubling = value.ilog2() - STEP_BITS;
    let step = (value >> doubling) - STEPS;
    u16::try_from((u64::from(doubling) + 1) * STEPS + step).unwrap_or(u16::MAX)
}

/// The value in the middle of a bucket.
fn middle_of(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < STEPS {
        return bucket;
    }
    let (doubling, step) = (bucket / STEPS - 1, bucket % STEPS);
    let lowest = (STEPS + step).checked_shl(u32::try_from(doubling).unwrap_or(u32::MAX)).unwrap_or(u64::MAX);
    lowest.saturating_add((1_u64.checked_shl(u32::try_from(doubling).unwrap_or(63)).unwrap_or(0)) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|value| histogram.add(*value));
        histogram
    }

    #[test]
    fn small_values_are_exact_and_the_largest_has_its_bucket() {
        assert_eq!(of(&[3, 1, 2]).quantile(500), Some(2));
        assert_eq!(of(&[]).quantile(500), None);
        assert!(of(&[u64::MAX]).quantile(1_000).unwrap() > u64::MAX / 32 * 31);
        assert_eq!(of(&[5; 10]).quantile(0), Some(5));
    }

    fn values() -> impl Strategy<Value = Vec<u64>> {
        let value = prop_oneof![0..40_u64, 0..10_000_000_u64, any::<u64>()];
        prop::collection::vec(value, 1..200)
    }

    proptest! {
        #[test]
        fn a_percentile_is_as_near_as_is_said(values in values(), per_mille in 0..=1_000_u64) {
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let rank = (sorted.len() as u64 * per_mille).div_ceil(1_000).max(1);
            let truth = sorted[usize::try_from(rank).unwrap() - 1];
            let told = of(&values).quantile(per_mille).unwrap();
            prop_assert!(told.abs_diff(truth) <= truth / ERROR_PARTS + 1, "{told} for {truth}");
        }

        #[test]
        fn parts_add_up_to_the_whole_and_are_read_back(left in values(), right in values()) {
            let whole = of(&[left.clone(), right.clone()].concat());
            let mut merged = of(&left);
            merged.merge(&of(&right));
            prop_assert_eq!(&merged, &whole);
            let mut bytes = Vec::new();
            of(&right).encode(&mut bytes);
            let mut read = of(&left);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(read.decode_into(&mut rest), Some(()));
            prop_assert!(rest.is_empty());
            prop_assert_eq!(read, whole);
        }

        #[test]
        fn what_is_no_histogram_is_refused_and_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Histogram::default().decode_into(&mut bytes.as_slice());
        }
    }
}
