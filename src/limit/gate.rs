//! The live counters of one key behind one short lock.

use super::budget::{Amount, Budget, Hold, WHILE_HELD};
use super::lock::Lock;
use super::quota::{Counted, Crossed, Place as QuotaPlace};
use super::window::{MinuteWindow, Place, Wait};
use super::{Ask, Limits, Refusal, Shortage, Spent, Standing, Which};
use crate::types::{Mono, Wall};
use std::sync::Arc;
use std::time::Duration;

/// The live counters of one key. Shared by every request of the key and kept
/// across configuration reloads; limits are an argument because they change.
///
/// Guarantees, for any number of threads:
/// - In any 60 seconds no more requests and no more tokens than the limit are
///   admitted. A request's tokens are its ask until it settles, then what it
///   used; both count at the time it was admitted. Room comes back up to one
///   second late. An ask above the whole limit counts as the whole limit, so
///   that it runs alone instead of never.
/// - Spent and held amounts of a UTC day or month never exceed the budget by an
///   admission; they do by a request that used more than it asked for. An ask
///   above the whole budget is refused without a time to come back.
/// - Minutes are counted for keys that have a limit per minute; such a limit,
///   switched on by a reload, counts from then on. Everything else always is.
/// - What a request's quotas say is decided together with all of this (see `Meter`).
pub struct Gate {
    counters: Lock<Counters>,
}

struct Counters {
    in_flight: u32,
    window: MinuteWindow,
    budget: Budget,
}

impl Gate {
    /// Counters that go on from what the ledger says was spent.
    pub fn new(spent: Spent) -> Arc<Self> {
        let counters = Counters { in_flight: 0, window: MinuteWindow::default(), budget: Budget::new(spent) };
        Arc::new(Self { counters: Lock::new(counters) })
    }

    /// Admits or refuses atomically: either everything is counted or nothing is.
    /// Called once per request, before the first attempt.
    ///
    /// # Errors
    /// The limit that will be in the way longest.
    pub fn admit(
        self: &Arc<Self>,
        limits: &Limits,
        ask: Ask,
        now: Mono,
        wall: Wall,
    ) -> Result<Permit, Refusal> {
        self.admit_by(limits, &[], ask, now, wall)
    }

    /// The same, by quotas too. They are ordered by `Meter::serial`, and each is there once: that
    /// is the order in which everybody locks them, so that nobody waits for who waits for them.
    ///
    /// # Errors
    /// The limit or quota that will be in the way longest.
    pub fn admit_by(
        self: &Arc<Self>,
        limits: &Limits,
        quotas: &[&Counted],
        ask: Ask,
        now: Mono,
        wall: Wall,
    ) -> Result<Permit, Refusal> {
        debug_assert!(quotas.is_sorted_by(|a, b| a.meter.serial() < b.meter.serial()));
        let needed = |counted: &Counted| counted.meter.rule().measure.of(ask);
        let amount = Amount::from(ask);
        let mut counters = self.counters.lock();
        counters.window.advance(now);
        counters.budget.roll(wall);
        let mut locked: Vec<_> =
            quotas.iter().map(|counted| (*counted, counted.meter.lock(now, wall))).collect();
        let mut worst = counters.obstacle(limits, amount, now, wall).map(Obstacle::of_key);
        for (counted, count) in &mut locked {
            let found = count.obstacle(counted, needed(counted), now, wall);
            let found = found.map(|(after, shortage)| Obstacle::of_quota(counted, after, shortage));
            worst = Obstacle::longer(worst, found);
        }
        if let Some(Obstacle { which, retry_after, shortage, quota }) = worst {
            let standing = counters.window.standing(limits, now);
            return Err(Refusal { which, retry_after, shortage, standing, quota });
        }
        counters.in_flight += 1;
        let place = counters.window.take(limits, amount.tokens);
        let hold = counters.budget.hold(amount);
        let standing = counters.window.standing(limits, now);
        let held = locked.iter_mut().map(|(counted, count)| {
            let amount = needed(counted);
            let warning = count.warning(&counted.terms, wall);
            let counted = Counted::clone(counted);
            Held { place: count.hold(wall, amount), counted, amount, warning }
        });
        let held = held.collect();
        drop((locked, counters));
        Ok(Permit { gate: Arc::clone(self), place, hold, held, standing, settled: false })
    }

    /// What was settled in the day and month of the latest admission or
    /// settlement; what running requests hold is not in it.
    pub fn spent(&self) -> Spent {
        self.counters.lock().budget.spent()
    }

    /// Counts what a request used that another process admitted, in the day and
    /// month in which it came in, if they still run.
    pub fn inherit(&self, used: Ask, at: Wall) {
        self.counters.lock().budget.add(used.into(), at);
    }

    /// Requests that were admitted and have not ended.
    pub fn in_flight(&self) -> u32 {
        self.counters.lock().in_flight
    }

    /// A copy of the minute, for tests that look into the future.
    #[cfg(test)]
    pub(super) fn window(&self) -> MinuteWindow {
        self.counters.lock().window.clone()
    }
}

impl Counters {
    fn obstacle(
        &self,
        limits: &Limits,
        ask: Amount,
        now: Mono,
        wall: Wall,
    ) -> Option<(Which, Option<Duration>, Option<Box<Shortage>>)> {
        if let Some((which, after, shortage)) = self.budget.obstacle(limits, ask, wall) {
            return Some((which, after, Some(Box::new(shortage))));
        }
        let (which, after) = self.rate_obstacle(limits, ask, now)?;
        Some((which, after, None))
    }

    /// What is in the way per minute, or at once.
    fn rate_obstacle(&self, limits: &Limits, ask: Amount, now: Mono) -> Option<(Which, Option<Duration>)> {
        let requests = self.window.requests_wait(limits.requests_per_minute, now);
        let tokens = self.window.tokens_wait(ask.tokens, limits.tokens_per_minute, now);
        match (requests, tokens) {
            (Some(Wait::Never), _) => return Some((Which::Requests, None)),
            (_, Some(Wait::Never)) => return Some((Which::Tokens, None)),
            (Some(Wait::For(requests)), Some(Wait::For(tokens))) if tokens > requests => {
                return Some((Which::Tokens, Some(tokens)));
            }
            (Some(Wait::For(requests)), _) => return Some((Which::Requests, Some(requests))),
            (None, Some(Wait::For(tokens))) => return Some((Which::Tokens, Some(tokens))),
            (None, None) => {}
        }
        let most = limits.concurrency?;
        (self.in_flight >= most).then_some((Which::Concurrency, (most > 0).then_some(WHILE_HELD)))
    }

    fn release(&mut self, place: Option<Place>, hold: Hold, used: Amount) {
        debug_assert!(self.in_flight > 0, "a permit ends once");
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(place) = place {
            self.window.correct(place, used.tokens);
        }
        self.budget.settle(hold, used);
    }
}

/// What is in the way, and for how long.
struct Obstacle {
    which: Which,
    retry_after: Option<Duration>,
    shortage: Option<Box<Shortage>>,
    quota: Option<Box<Counted>>,
}

impl Obstacle {
    fn of_key((which, retry_after, shortage): (Which, Option<Duration>, Option<Box<Shortage>>)) -> Self {
        Self { which, retry_after, shortage, quota: None }
    }

    fn of_quota(counted: &Counted, retry_after: Option<Duration>, shortage: Shortage) -> Self {
        let (which, shortage) = (counted.meter.rule().measure.into(), Some(Box::new(shortage)));
        Self { which, retry_after, shortage, quota: Some(Box::new(counted.clone())) }
    }

    /// The one that lasts longer; `None` as a time is for ever. Of equals the first.
    fn longer(first: Option<Self>, second: Option<Self>) -> Option<Self> {
        let lasts = |obstacle: &Self| obstacle.retry_after.unwrap_or(Duration::MAX);
        match (first, second) {
            (Some(first), Some(second)) if lasts(&second) > lasts(&first) => Some(second),
            (first, second) => first.or(second),
        }
    }
}

/// What a request holds of a quota.
struct Held {
    counted: Counted,
    place: QuotaPlace,
    amount: i128,
    /// Percent of the amount that were used before, where that is worth a word.
    warning: Option<u64>,
}

/// A place in the limits. `settle` it with what was really used; dropped without
/// that, the held tokens and money are given back (the request still counts).
#[must_use]
pub struct Permit {
    gate: Arc<Gate>,
    place: Option<Place>,
    hold: Hold,
    /// Empty, and without memory, where no quota is about the request.
    held: Vec<Held>,
    standing: Standing,
    settled: bool,
}

impl Permit {
    /// The windows right after this request was admitted.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Quotas of which so much is used that callers are told: name, and percent.
    pub fn warnings(&self) -> impl Iterator<Item = (&str, u64)> {
        self.held.iter().filter_map(|held| Some((&*held.counted.terms.name, held.warning?)))
    }

    /// Ends the request: what was used takes the place of what was held, where
    /// it was held. Using more than was asked for is counted, not refused.
    /// Gives the thresholds of quotas that were reached by it.
    pub fn settle(mut self, used: Ask, now: Mono, wall: Wall) -> Vec<Crossed> {
        self.settled = true;
        let mut counters = self.gate.counters.lock();
        counters.window.advance(now);
        counters.budget.roll(wall);
        counters.release(self.place, self.hold, used.into());
        drop(counters);
        let crossed = self.held.iter().filter_map(|held| {
            let used = held.counted.meter.rule().measure.of(used);
            held.counted.settle(held.place, held.amount, used, now, wall)
        });
        crossed.collect()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.settled {
            self.gate.counters.lock().release(self.place, self.hold, Amount::default());
            for held in &self.held {
                held.counted.meter.give_back(held.place, held.amount);
            }
        }
    }
}
