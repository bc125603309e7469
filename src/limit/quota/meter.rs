//! The live counter of one quota for one subject, behind one short lock.

use super::period::Periods;
use super::rolling::Rolling;
use super::rule::{Counted, Cycle, Enforce, Rule, Terms};
use super::tally::{Counter, Tally};
use crate::limit::Shortage;
use crate::limit::budget::WHILE_HELD;
use crate::limit::lock::Lock;
use crate::types::{Mono, Wall};
use parking_lot::MutexGuard;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The live counter of one quota for one subject. Shared by all requests that it is about, and kept
/// across reloads; what is allowed is an argument, because it changes.
///
/// Guarantees, for any number of threads, and all counters of a request together:
/// - Spent and held amounts of a calendar period, or of any time as long as a rolling window, never
///   exceed the amount by an admission; they do by a request that used more than it asked for.
/// - A request is counted by all of its counters or by none.
/// - What is held counts where the request came in, and so does what it used in the end.
pub struct Meter {
    rule: Rule,
    count: Lock<Count>,
}

/// The counter under its lock.
pub(in crate::limit) struct Count(Kind);

enum Kind {
    /// Nobody has looked at a clock yet.
    Fresh(Tally),
    Periods(Periods),
    Rolling(Rolling),
}

/// Where a hold is: when its period begins, or the number of its bucket.
#[derive(Clone, Copy, Debug)]
pub(in crate::limit) struct Place(i64);

/// A counter as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// What was used.
    pub spent: i128,
    /// What running requests hold of it; some of it will come back.
    pub held: i128,
    /// When a calendar period ends; `None` for a rolling window.
    pub ends: Option<Wall>,
}

/// A threshold that was reached just now.
#[derive(Clone, Debug)]
pub struct Crossed {
    /// Which one, in percent.
    pub percent: u32,
    /// What is used.
    pub spent: i128,
    /// When a calendar period ends.
    pub ends: Option<Wall>,
    /// The quota.
    pub counted: Counted,
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl Meter {
    /// A counter that goes on from what the books say.
    pub fn new(rule: Rule, tally: Tally) -> Arc<Self> {
        let count = Lock::new(Count(Kind::Fresh(tally)));
        Arc::new(Self { rule, count })
    }

    /// How it counts.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Its place in the order of locking: who locks several does it by this, ascending. It stays as
    /// long as the counter lives, because it is where that lies in memory.
    pub fn serial(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self).addr()
    }

    /// What is used now.
    pub fn used(&self, now: Mono, wall: Wall) -> Use {
        let mut count = self.lock(now, wall);
        let (spent, held) = count.used(wall);
        Use { spent, held, ends: count.ends() }
    }

    /// What was settled, for a counter that goes on from this one.
    pub fn tally(&self) -> Tally {
        match &self.count.lock().0 {
            Kind::Fresh(tally) => tally.clone(),
            Kind::Periods(periods) => periods.tally(),
            Kind::Rolling(window) => window.tally(),
        }
    }

    /// Counts what a request used that another process admitted.
    pub fn inherit(&self, amount: i128, at: Wall) {
        match &mut self.count.lock().0 {
            Kind::Fresh(tally) => {
                let mut counter = Counter::new(self.rule.clone(), std::mem::take(tally));
                counter.add(at, amount);
                *tally = counter.tally().clone();
            }
            Kind::Periods(periods) => {
                periods.roll(&self.rule, at);
                periods.add(at, amount);
            }
            Kind::Rolling(window) => window.add(at, amount),
        }
    }

    /// Is a refusal new in this period? Then it is told from now on.
    pub fn tell_exceeded(&self) -> bool {
        match &mut self.count.lock().0 {
            Kind::Fresh(_) => false,
            Kind::Periods(periods) => periods.tell_exceeded(),
            Kind::Rolling(window) => window.tell_exceeded(),
        }
    }

    /// Locks it, moved on to now.
    pub(in crate::limit) fn lock(&self, now: Mono, wall: Wall) -> MutexGuard<'_, Count> {
        let mut count = self.count.lock();
        if let Kind::Fresh(tally) = &count.0 {
            count.0 = match self.rule.cycle {
                Cycle::Calendar(_) => Kind::Periods(Periods::new(&self.rule, tally, wall)),
                Cycle::Rolling => Kind::Rolling(Rolling::new(&self.rule, tally, now, wall)),
            };
        }
        match &mut count.0 {
            Kind::Fresh(_) => {}
            Kind::Periods(periods) => periods.roll(&self.rule, wall),
            Kind::Rolling(window) => window.advance(now),
        }
        count
    }

    /// Ends a hold that came to nothing.
    pub(in crate::limit) fn give_back(&self, place: Place, held: i128) {
        self.count.lock().settle(place, held, 0);
    }
}

impl Counted {
    /// Ends a hold; says which threshold that reached, if it is new.
    pub(in crate::limit) fn settle(
        &self,
        place: Place,
        held: i128,
        used: i128,
        now: Mono,
        wall: Wall,
    ) -> Option<Crossed> {
        let mut count = self.meter.lock(now, wall);
        count.settle(place, held, used);
        let (percent, spent) = match &mut count.0 {
            Kind::Fresh(_) => None,
            Kind::Periods(periods) => periods.tell(&self.terms),
            Kind::Rolling(window) => window.tell(&self.terms),
        }?;
        Some(Crossed { percent, spent, ends: count.ends(), counted: self.clone() })
    }
}

impl Count {
    fn used(&mut self, at: Wall) -> (i128, i128) {
        match &mut self.0 {
            Kind::Fresh(tally) => (tally.sum(), 0),
            Kind::Periods(periods) => periods.used(at),
            Kind::Rolling(window) => window.used(),
        }
    }

    fn ends(&self) -> Option<Wall> {
        match &self.0 {
            Kind::Periods(periods) => Some(periods.ends()),
            Kind::Fresh(_) | Kind::Rolling(_) => None,
        }
    }

    /// What is in the way of so much more, and when to come back; `None` when it fits.
    pub(in crate::limit) fn obstacle(
        &mut self,
        counted: &Counted,
        needed: i128,
        now: Mono,
        wall: Wall,
    ) -> Option<(Option<Duration>, Shortage)> {
        let Terms { amount, enforce, .. } = &*counted.terms;
        let (spent, held) = self.used(wall);
        let fits = spent.saturating_add(held).saturating_add(needed) <= *amount;
        // Who needs nothing of it is not kept from anything.
        if *enforce == Enforce::Soft || fits || needed == 0 {
            return None;
        }
        let unit = counted.meter.rule.measure.into();
        let shortage = Shortage { unit, limit: *amount, spent, held, needed };
        if needed > *amount {
            return Some((None, shortage));
        }
        let only_held = spent.saturating_add(needed) <= *amount;
        let after = match (&mut self.0, only_held) {
            (_, true) | (Kind::Fresh(_), false) => WHILE_HELD,
            (Kind::Periods(periods), false) => periods.ends_in(wall),
            (Kind::Rolling(window), false) => window.wait(amount.saturating_sub(needed), now),
        };
        Some((Some(after), shortage))
    }

    pub(in crate::limit) fn hold(&mut self, at: Wall, amount: i128) -> Place {
        Place(match &mut self.0 {
            Kind::Fresh(_) => i64::MIN,
            Kind::Periods(periods) => periods.hold(at, amount).0,
            Kind::Rolling(window) => window.hold(amount),
        })
    }

    fn settle(&mut self, place: Place, held: i128, used: i128) {
        match &mut self.0 {
            Kind::Fresh(_) => {}
            Kind::Periods(periods) => periods.settle(Wall(place.0), held, used),
            Kind::Rolling(window) => window.settle(place.0, held, used),
        }
    }

    /// How much of the amount is used, where that is worth a word: whole percent.
    pub(in crate::limit) fn warning(&mut self, terms: &Terms, at: Wall) -> Option<u64> {
        let (spent, _) = self.used(at);
        (terms.reached(spent) > 0).then(|| terms.percent(spent))
    }
}
