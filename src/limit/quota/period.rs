//! The counter of calendar periods: the running one and the one before it,
//! each with what is spent and held.
//!
//! A request belongs to the period in which it came in. One that came in just
//! before a period ended is admitted by that one, also when others have begun
//! the next; and a clock that was set forward and back finds the period that
//! it left. A moment before both counts in the older one.

use super::rule::{Part, Rule, Terms};
use super::tally::Tally;
use crate::types::Wall;
use std::time::Duration;

#[derive(Clone, Copy)]
struct Period {
    part: Part,
    spent: i128,
    held: i128,
    /// What was spent when a threshold was told last.
    told: i128,
    /// Was a refusal told?
    exceeded: bool,
}

/// See the module.
pub(super) struct Periods {
    now: Period,
    before: Option<Period>,
}

/// Where a hold is: the beginning of its period.
pub(super) type Begins = Wall;

impl Period {
    fn new(part: Part, spent: i128) -> Self {
        // What was reached before the start was told before the start.
        Self { part, spent, held: 0, told: spent, exceeded: false }
    }
}

impl Periods {
    pub(super) fn new(rule: &Rule, tally: &Tally, wall: Wall) -> Self {
        let mut latest = tally.parts().rev();
        let (newest, older) = (latest.next(), latest.next());
        let running = rule.part(wall);
        // The books may know a period that this clock has not reached: then that one runs.
        let (now, before) = match newest {
            Some((begins, spent)) if begins >= running.begins => {
                (Period::new(rule.part(begins), spent), older)
            }
            newest => (Period::new(running, 0), newest),
        };
        let before = before.map(|(begins, spent)| Period::new(rule.part(begins), spent));
        Self { now, before }
    }

    /// Begins a new period when its time has come.
    pub(super) fn roll(&mut self, rule: &Rule, wall: Wall) {
        if wall >= self.now.part.ends {
            self.before = Some(self.now);
            self.now = Period::new(rule.part(wall), 0);
        }
    }

    fn of(&mut self, at: Wall) -> &mut Period {
        match &mut self.before {
            Some(before) if at < self.now.part.begins => before,
            _ => &mut self.now,
        }
    }

    fn begun(&mut self, begins: Begins) -> Option<&mut Period> {
        match &mut self.before {
            Some(before) if before.part.begins == begins => Some(before),
            _ => Some(&mut self.now).filter(|now| now.part.begins == begins),
        }
    }

    /// What is spent and held in the period of a moment.
    pub(super) fn used(&mut self, at: Wall) -> (i128, i128) {
        let period = self.of(at);
        (period.spent, period.held)
    }

    pub(super) fn ends_in(&mut self, at: Wall) -> Duration {
        let ends = self.of(at).part.ends;
        Duration::from_micros(u64::try_from(ends.0.saturating_sub(at.0)).unwrap_or(0))
    }

    /// When the running period ends.
    pub(super) fn ends(&self) -> Wall {
        self.now.part.ends
    }

    pub(super) fn hold(&mut self, at: Wall, amount: i128) -> Begins {
        let period = self.of(at);
        period.held = period.held.saturating_add(amount);
        period.part.begins
    }

    /// Ends a hold. What belongs to a period that is forgotten changes nothing.
    pub(super) fn settle(&mut self, begins: Begins, held: i128, used: i128) {
        let Some(period) = self.begun(begins) else { return };
        debug_assert!(period.held >= held, "more given back than held");
        period.held = period.held.saturating_sub(held).max(0);
        period.spent = period.spent.saturating_add(used);
    }

    /// Spends without a hold.
    pub(super) fn add(&mut self, at: Wall, used: i128) {
        if self.before.is_none() && at < self.now.part.begins {
            return;
        }
        let period = self.of(at);
        if period.part.holds(at) {
            period.spent = period.spent.saturating_add(used);
        }
    }

    /// The threshold that the running period has reached since one was told; that is told now.
    pub(super) fn tell(&mut self, terms: &Terms) -> Option<(u32, i128)> {
        let Period { spent, told, .. } = &mut self.now;
        let percent = terms.reached(*spent);
        if percent <= terms.reached(*told) {
            return None;
        }
        *told = *spent;
        Some((percent, *spent))
    }

    /// The same for a refusal.
    pub(super) fn tell_exceeded(&mut self) -> bool {
        !std::mem::replace(&mut self.now.exceeded, true)
    }

    pub(super) fn tally(&self) -> Tally {
        let periods = self.before.iter().chain([&self.now]).filter(|period| period.spent > 0);
        Tally(periods.map(|period| (period.part.begins.0, period.spent)).collect())
    }
}
