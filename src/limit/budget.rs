//! What a key spends in a UTC day and month: settled, and held by requests that
//! still run.
//!
//! An amount belongs to the day and month in which its request was admitted,
//! as its entry in the ledger does. A request that settles after its day has
//! ended changes nothing in the new one.

use super::{Ask, Limits, Shortage, Spent, Unit, Which, calendar};
use crate::types::{Pico, Wall};
use std::time::Duration;

/// More than any request can use; keeps sums of all requests in range.
const MAX_TOKENS: u64 = 1 << 40;
const MAX_COST: i128 = 1 << 96;
/// How soon to come back when only running requests are in the way.
pub(super) const WHILE_HELD: Duration = Duration::from_secs(1);

/// Tokens and money together, neither below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) tokens: u64,
    cost: i128,
}

impl From<Ask> for Amount {
    fn from(ask: Ask) -> Self {
        Self { tokens: ask.tokens.min(MAX_TOKENS), cost: ask.cost.0.clamp(0, MAX_COST) }
    }
}

impl Amount {
    fn plus(self, other: Self) -> Self {
        Self { tokens: self.tokens.saturating_add(other.tokens), cost: self.cost.saturating_add(other.cost) }
    }

    fn minus(self, other: Self) -> Self {
        debug_assert!(self.tokens >= other.tokens && self.cost >= other.cost, "more given back than held");
        Self {
            tokens: self.tokens.saturating_sub(other.tokens),
            cost: self.cost.saturating_sub(other.cost).max(0),
        }
    }
}

/// One running day or month.
struct Period {
    index: i64,
    ends: Wall,
    spent: Amount,
    held: Amount,
}

/// Both periods of a key.
pub(super) struct Budget {
    day: Period,
    month: Period,
}

/// What a request holds, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    day: i64,
    month: i64,
    amount: Amount,
}

impl Budget {
    pub(super) fn new(spent: Spent) -> Self {
        let amount = |tokens, cost: Pico| Amount { tokens, cost: cost.0.max(0) };
        Self {
            day: Period {
                index: spent.day,
                ends: calendar::day_start(spent.day.saturating_add(1)),
                spent: amount(spent.day_tokens, spent.day_cost),
                held: Amount::default(),
            },
            month: Period {
                index: spent.month,
                ends: calendar::month_start(spent.month.saturating_add(1)),
                spent: amount(spent.month_tokens, spent.month_cost),
                held: Amount::default(),
            },
        }
    }

    /// Begins a new day or month when its time has come. A clock that jumps
    /// back changes nothing: the period that has begun goes on.
    pub(super) fn roll(&mut self, wall: Wall) {
        if wall >= self.day.ends {
            let day = calendar::day(wall);
            self.day = Period::fresh(day, calendar::day_start(day + 1));
        }
        if wall >= self.month.ends {
            let month = calendar::month(wall);
            self.month = Period::fresh(month, calendar::month_start(month + 1));
        }
    }

    /// The first budget in the way, those that last longest first, and when to
    /// come back; `None` when everything fits.
    pub(super) fn obstacle(
        &self,
        limits: &Limits,
        ask: Amount,
        wall: Wall,
    ) -> Option<(Which, Option<Duration>, Shortage)> {
        let (month, day) = (&self.month, &self.day);
        let cost = |limit: Option<Pico>| limit.map(|limit| limit.0);
        let tokens = |limit: Option<u64>| limit.map(i128::from);
        let checks = [
            (Which::MonthCost, month, cost(limits.month_cost), Unit::Money),
            (Which::MonthTokens, month, tokens(limits.month_tokens), Unit::Tokens),
            (Which::DayCost, day, cost(limits.day_cost), Unit::Money),
            (Which::DayTokens, day, tokens(limits.day_tokens), Unit::Tokens),
        ];
        for (which, period, limit, unit) in checks {
            let Some(limit) = limit else { continue };
            let [spent, held, needed] = [period.spent, period.held, ask].map(|amount| amount.of(unit));
            if spent.saturating_add(held).saturating_add(needed) <= limit {
                continue;
            }
            let shortage = Shortage { unit, limit, spent, held, needed };
            if needed > limit {
                return Some((which, None, shortage));
            }
            let only_held = spent.saturating_add(needed) <= limit;
            let after = if only_held { WHILE_HELD } else { period.ends_in(wall) };
            return Some((which, Some(after), shortage));
        }
        None
    }

    pub(super) fn hold(&mut self, amount: Amount) -> Hold {
        self.day.held = self.day.held.plus(amount);
        self.month.held = self.month.held.plus(amount);
        Hold { day: self.day.index, month: self.month.index, amount }
    }

    /// Ends a hold: what was used is spent, the rest is free again.
    pub(super) fn settle(&mut self, hold: Hold, used: Amount) {
        for (period, index) in [(&mut self.day, hold.day), (&mut self.month, hold.month)] {
            if period.index == index {
                period.held = period.held.minus(hold.amount);
                period.spent = period.spent.plus(used);
            }
        }
    }

    /// Spends without a hold.
    pub(super) fn add(&mut self, used: Amount, at: Wall) {
        self.roll(at);
        for (period, index) in [(&mut self.day, calendar::day(at)), (&mut self.month, calendar::month(at))] {
            if period.index == index {
                period.spent = period.spent.plus(used);
            }
        }
    }

    pub(super) fn spent(&self) -> Spent {
        Spent {
            day: self.day.index,
            month: self.month.index,
            day_tokens: self.day.spent.tokens,
            month_tokens: self.month.spent.tokens,
            day_cost: Pico(self.day.spent.cost),
            month_cost: Pico(self.month.spent.cost),
        }
    }
}

impl Amount {
    fn of(self, unit: Unit) -> i128 {
        match unit {
            Unit::Tokens => i128::from(self.tokens),
            Unit::Money => self.cost,
            // Budgets of a key are of tokens and of money.
            Unit::Requests | Unit::Images => 0,
        }
    }
}

impl Period {
    fn fresh(index: i64, ends: Wall) -> Self {
        Self { index, ends, spent: Amount::default(), held: Amount::default() }
    }

    fn ends_in(&self, wall: Wall) -> Duration {
        Duration::from_micros(u64::try_from(self.ends.0.saturating_sub(wall.0)).unwrap_or(0))
    }
}
