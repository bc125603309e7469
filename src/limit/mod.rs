//! Exact limits of one key: requests and tokens a minute, concurrency, token
//! and money budgets a day and a month. No sketches, no clock of its own.

use crate::types::{Mono, Pico, Wall};
use std::sync::Arc;
use std::time::Duration;

/// What the operator allows. `None` = no limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    pub requests_per_minute: Option<u64>,
    pub tokens_per_minute: Option<u64>,
    pub concurrency: Option<u32>,
    pub day_tokens: Option<u64>,
    pub month_tokens: Option<u64>,
    pub day_cost: Option<Pico>,
    pub month_cost: Option<Pico>,
}

/// What a request may use at most, held until it settles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    pub tokens: u64,
    pub cost: Pico,
}

/// Which limit said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    Requests,
    Tokens,
    Concurrency,
    DayTokens,
    MonthTokens,
    DayCost,
    MonthCost,
}

impl Which {
    /// Name in metrics and errors.
    pub fn name(self) -> &'static str {
        todo!()
    }
}

/// A refusal: which limit, and when to come back.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub which: Which,
    pub retry_after: Option<Duration>,
    pub standing: Standing,
}

/// The numbers behind `x-ratelimit-*`; `None` where there is no such limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub requests: Option<Window>,
    pub tokens: Option<Window>,
}

/// One window: what it allows, what is left, how long until it is full again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub limit: u64,
    pub remaining: u64,
    pub reset: Duration,
}

/// What a key has spent in the running UTC day and month (restored at start).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Days since the epoch (UTC) that the day numbers belong to.
    pub day: i64,
    /// `year * 12 + month0` that the month numbers belong to.
    pub month: i64,
    pub day_tokens: u64,
    pub month_tokens: u64,
    pub day_cost: Pico,
    pub month_cost: Pico,
}

/// The live counters of one key. Shared by every request of the key and kept
/// across configuration reloads; limits are an argument because they change.
pub struct Gate {
    _private: (),
}

impl Gate {
    pub fn new(_spent: Spent) -> Arc<Self> {
        todo!()
    }
    /// Admits or refuses atomically: either everything is counted or nothing is.
    pub fn admit(
        self: &Arc<Self>,
        _limits: &Limits,
        _ask: Ask,
        _now: Mono,
        _wall: Wall,
    ) -> Result<Permit, Refusal> {
        todo!()
    }
    pub fn spent(&self) -> Spent {
        todo!()
    }
    pub fn in_flight(&self) -> u32 {
        todo!()
    }
}

/// A place in the limits. `settle` it with what was really used; dropped without
/// that, the held tokens and money are given back (the request still counts).
#[must_use]
pub struct Permit {
    _gate: Arc<Gate>,
}

impl Permit {
    pub fn standing(&self) -> Standing {
        todo!()
    }
    pub fn settle(self, _used: Ask, _now: Mono, _wall: Wall) {
        todo!()
    }
}
