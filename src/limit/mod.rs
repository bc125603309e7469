//! Exact limits of one key: requests and tokens a minute, concurrency, token
//! and money budgets a day and a month. No sketches, no clock of its own.
//!
//! A [`Gate`] holds the live counters of one key on this machine, and decides
//! for the [`Meter`]s of the quotas that a request counts for too. It knows
//! nothing of keys, of HTTP, or of other machines.

mod budget;
mod calendar;
mod gate;
mod lock;
mod quota;
#[cfg(test)]
mod tests;
mod window;

pub use gate::{Gate, Permit};
pub use quota::{Counted, Counter, Crossed, Cycle, Enforce, Measure, Meter, Rule, Span, Tally, Terms, Use};

use crate::types::Pico;
use std::time::Duration;

/// What the operator allows. `None` = no limit; zero = nothing at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Requests admitted in any 60 seconds.
    pub requests_per_minute: Option<u64>,
    /// Tokens, input and output, of the requests admitted in any 60 seconds.
    pub tokens_per_minute: Option<u64>,
    /// Requests that run at once.
    pub concurrency: Option<u32>,
    /// Tokens in a UTC day.
    pub day_tokens: Option<u64>,
    /// Tokens in a UTC calendar month.
    pub month_tokens: Option<u64>,
    /// Vendor cost in a UTC day.
    pub day_cost: Option<Pico>,
    /// Vendor cost in a UTC calendar month.
    pub month_cost: Option<Pico>,
}

/// What a request may use at most, held until it settles; and what it did use.
/// Amounts below zero count as zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Input and output tokens together.
    pub tokens: u64,
    /// What the vendor takes for them.
    pub cost: Pico,
    /// Pictures.
    pub images: u64,
    /// Requests: one, or none for what is not to count in the end. Only quotas go by it; the minute
    /// of a key counts what was admitted.
    pub requests: u64,
}

/// Which limit said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    /// Requests a minute.
    Requests,
    /// Tokens a minute.
    Tokens,
    /// Requests at once.
    Concurrency,
    /// Tokens a day.
    DayTokens,
    /// Tokens a month.
    MonthTokens,
    /// Cost a day.
    DayCost,
    /// Cost a month.
    MonthCost,
    /// A quota of requests.
    QuotaRequests,
    /// A quota of tokens.
    QuotaTokens,
    /// A quota of money.
    QuotaMoney,
    /// A quota of images.
    QuotaImages,
}

impl From<Measure> for Which {
    fn from(measure: Measure) -> Self {
        match measure {
            Measure::Requests => Self::QuotaRequests,
            Measure::Tokens => Self::QuotaTokens,
            Measure::Money => Self::QuotaMoney,
            Measure::Images => Self::QuotaImages,
        }
    }
}

impl Which {
    /// Every limit, for tables.
    pub const ALL: &[Which] = &[
        Which::Requests,
        Which::Tokens,
        Which::Concurrency,
        Which::DayTokens,
        Which::MonthTokens,
        Which::DayCost,
        Which::MonthCost,
        Which::QuotaRequests,
        Which::QuotaTokens,
        Which::QuotaMoney,
        Which::QuotaImages,
    ];

    /// Name in metrics and errors.
    pub fn name(self) -> &'static str {
        match self {
            Which::Requests => "requests_per_minute",
            Which::Tokens => "tokens_per_minute",
            Which::Concurrency => "concurrency",
            Which::DayTokens => "day_tokens",
            Which::MonthTokens => "month_tokens",
            Which::DayCost => "day_cost",
            Which::MonthCost => "month_cost",
            Which::QuotaRequests => "quota_requests",
            Which::QuotaTokens => "quota_tokens",
            Which::QuotaMoney => "quota_money",
            Which::QuotaImages => "quota_images",
        }
    }
}

/// A refusal: which limit, and when to come back. Of several limits in the way
/// it names the one that lasts longest.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The limit that said no.
    pub which: Which,
    /// When there will be room if nothing else comes in; `None` when the request
    /// can never fit. Where only running requests are in the way, and nobody
    /// knows how long they take, a second.
    pub retry_after: Option<Duration>,
    /// The numbers of the budget, when it is one that said no.
    pub shortage: Option<Box<Shortage>>,
    /// The windows at the time of the refusal.
    pub standing: Standing,
    /// The quota, when it is one that said no.
    pub quota: Option<Box<Counted>>,
}

/// A budget and what did not fit into it: LLM tokens, or, for money, 10⁻¹² of
/// the currency's unit. `Display` tells it to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// What the amounts count.
    pub unit: Unit,
    /// What the key may spend in the day or month.
    pub limit: i128,
    /// What it has spent of that.
    pub spent: i128,
    /// What its running requests hold; some of it will come back.
    pub held: i128,
    /// What this request may use at most.
    pub needed: i128,
}

/// What a [`Shortage`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// LLM tokens.
    Tokens,
    /// 10⁻¹² of the currency's unit.
    Money,
    /// Requests.
    Requests,
    /// Pictures.
    Images,
}

impl From<Measure> for Unit {
    fn from(measure: Measure) -> Self {
        match measure {
            Measure::Requests => Self::Requests,
            Measure::Tokens => Self::Tokens,
            Measure::Money => Self::Money,
            Measure::Images => Self::Images,
        }
    }
}

impl Shortage {
    /// Is there budget left, and only this request's worst case too large for
    /// it, whatever else runs? Then a smaller `max_tokens` may help.
    pub fn is_the_ask_alone(&self) -> bool {
        self.spent < self.limit && self.needed > self.limit.saturating_sub(self.spent)
    }
}

impl std::fmt::Display for Shortage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { unit, limit, spent, held, needed } = *self;
        match unit {
            Unit::Tokens => {
                write!(f, "spent {spent} of {limit} tokens, {held} held, this request may need {needed}")
            }
            Unit::Requests => write!(f, "{spent} of {limit} requests, {held} still running"),
            Unit::Images => {
                write!(f, "spent {spent} of {limit} images, {held} held, this request may need {needed}")
            }
            Unit::Money => {
                let [spent, limit, held, needed] = [spent, limit, held, needed].map(Pico);
                write!(f, "spent {spent} of {limit}, {held} held, this request may need {needed}")
            }
        }
    }
}

/// The numbers behind `x-ratelimit-*`; `None` where there is no such limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Requests a minute.
    pub requests: Option<Window>,
    /// Tokens a minute.
    pub tokens: Option<Window>,
}

/// One window: what it allows, what is left, how long until it is full again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// What it allows.
    pub limit: u64,
    /// What is left of it now.
    pub remaining: u64,
    /// When all of it will be there again if nothing else comes in.
    pub reset: Duration,
}

/// What a key has spent in the running UTC day and month (restored at start).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Days since the epoch (UTC) that the day numbers belong to.
    pub day: i64,
    /// `year * 12 + month0` that the month numbers belong to.
    pub month: i64,
    /// Tokens settled in that day.
    pub day_tokens: u64,
    /// Tokens settled in that month.
    pub month_tokens: u64,
    /// Cost settled in that day.
    pub day_cost: Pico,
    /// Cost settled in that month.
    pub month_cost: Pico,
}
