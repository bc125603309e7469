//! The counter of a rolling window. It goes by the monotonic clock, from the
//! wall clock's time at its beginning on, so that a clock that is set neither
//! frees nor blocks anything while the process runs.

use super::rule::{BUCKETS, Rule, Terms};
use super::tally::Tally;
use crate::types::{Mono, Wall};
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Clone, Copy)]
struct Bucket {
    index: i64,
    spent: i128,
    held: i128,
}

/// See the module. Only buckets in which something was used are there.
pub(super) struct Rolling {
    /// In microseconds.
    width: i64,
    /// The wall clock's time at a monotonic one.
    base: (Wall, Mono),
    /// The running bucket's.
    index: i64,
    buckets: VecDeque<Bucket>,
    spent: i128,
    held: i128,
    /// What was spent when a threshold was told last, and in which bucket that was.
    told: (i128, i64),
    exceeded: Option<i64>,
}

impl Rolling {
    pub(super) fn new(rule: &Rule, tally: &Tally, now: Mono, wall: Wall) -> Self {
        let width = rule.bucket().max(1);
        let mut window = Self {
            width,
            base: (wall, now),
            index: wall.0.div_euclid(width),
            buckets: VecDeque::new(),
            spent: 0,
            held: 0,
            told: (0, i64::MIN),
            exceeded: None,
        };
        for (begins, amount) in tally.parts() {
            // What the books date later than now is of now: the clock was set back.
            let index = begins.0.div_euclid(width).min(window.index);
            window.bucket(index).spent += amount;
            window.spent = window.spent.saturating_add(amount);
        }
        window.advance(now);
        // What was reached before the start was told before the start.
        window.told = (window.spent, window.index);
        window
    }

    /// The bucket with this number. It is one of the newest, so it is looked for from the end.
    fn bucket(&mut self, index: i64) -> &mut Bucket {
        let after = self.buckets.iter().rev().take_while(|bucket| bucket.index > index).count();
        let at = self.buckets.len().saturating_sub(after);
        let there = at.checked_sub(1).filter(|at| self.buckets.get(*at).is_some_and(|b| b.index == index));
        let at = there.unwrap_or_else(|| {
            self.buckets.insert(at, Bucket { index, spent: 0, held: 0 });
            at
        });
        &mut self.buckets[at]
    }

    /// Microseconds since the epoch by this window's own reckoning.
    fn position(&self, now: Mono) -> i64 {
        let passed = i64::try_from(now.since(self.base.1).as_micros()).unwrap_or(i64::MAX);
        self.base.0.0.saturating_add(passed)
    }

    /// Lets go of what has left the window.
    pub(super) fn advance(&mut self, now: Mono) {
        self.index = self.index.max(self.position(now).div_euclid(self.width));
        while let Some(oldest) = self.buckets.front()
            && oldest.index.saturating_add(BUCKETS) < self.index
        {
            self.spent = self.spent.saturating_sub(oldest.spent);
            self.held = self.held.saturating_sub(oldest.held);
            self.buckets.pop_front();
        }
    }

    pub(super) fn used(&self) -> (i128, i128) {
        (self.spent, self.held)
    }

    /// How long until no more than `bearable` is counted, if nothing is given back before.
    pub(super) fn wait(&self, bearable: i128, now: Mono) -> Duration {
        let mut left = self.spent.saturating_add(self.held);
        for bucket in &self.buckets {
            left = left.saturating_sub(bucket.spent).saturating_sub(bucket.held);
            if left <= bearable {
                return self.leaves_in(bucket, now);
            }
        }
        Duration::ZERO
    }

    fn leaves_in(&self, bucket: &Bucket, now: Mono) -> Duration {
        let gone = bucket.index.saturating_add(BUCKETS).saturating_add(1).saturating_mul(self.width);
        Duration::from_micros(u64::try_from(gone.saturating_sub(self.position(now))).unwrap_or(0))
    }

    pub(super) fn hold(&mut self, amount: i128) -> i64 {
        let index = self.index;
        self.bucket(index).held += amount;
        self.held = self.held.saturating_add(amount);
        index
    }

    /// Ends a hold. What has left the window with its bucket changes nothing.
    pub(super) fn settle(&mut self, index: i64, held: i128, used: i128) {
        let Ok(at) = self.buckets.binary_search_by_key(&index, |bucket| bucket.index) else { return };
        let Some(bucket) = self.buckets.get_mut(at) else { return };
        debug_assert!(bucket.held >= held, "more given back than held");
        bucket.held = bucket.held.saturating_sub(held);
        bucket.spent = bucket.spent.saturating_add(used);
        self.held = self.held.saturating_sub(held);
        self.spent = self.spent.saturating_add(used);
    }

    /// Spends without a hold, what came in at `at` by the wall clock.
    pub(super) fn add(&mut self, at: Wall, used: i128) {
        let index = at.0.div_euclid(self.width).min(self.index);
        if index.saturating_add(BUCKETS) >= self.index {
            self.bucket(index).spent += used;
            self.spent = self.spent.saturating_add(used);
        }
    }

    /// The threshold that was reached since one was told; that is told now. Each is told once in the
    /// length of a window, unless a higher one was told meanwhile.
    pub(super) fn tell(&mut self, terms: &Terms) -> Option<(u32, i128)> {
        let (told, at) = self.told;
        let told = if at.saturating_add(BUCKETS) < self.index { 0 } else { told };
        let percent = terms.reached(self.spent);
        if percent <= terms.reached(told) {
            return None;
        }
        self.told = (self.spent, self.index);
        Some((percent, self.spent))
    }

    pub(super) fn tell_exceeded(&mut self) -> bool {
        let new = self.exceeded.is_none_or(|at| at.saturating_add(BUCKETS) < self.index);
        if new {
            self.exceeded = Some(self.index);
        }
        new
    }

    pub(super) fn tally(&self) -> Tally {
        let used = self.buckets.iter().filter(|bucket| bucket.spent > 0);
        Tally(used.map(|bucket| (bucket.index.saturating_mul(self.width), bucket.spent)).collect())
    }
}
