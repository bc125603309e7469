//! The books: intents, settlements, prices, and the proof that they fit. Pure;
//! writing is `store/`.

use crate::types::{KeyId, Op, Pico, Rate, RequestId, TenantId, Usage, UsageSource, Wall};
use std::sync::Arc;

/// Written before the vendor is called.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Intent {
    pub id: RequestId,
    pub at: Wall,
    pub tenant: TenantId,
    pub key: KeyId,
    pub op: Op,
    /// As the caller named it.
    pub model: Arc<str>,
    /// First target of the plan.
    pub provider: Arc<str>,
    pub upstream_model: Arc<str>,
    /// Upper bounds, from which recovery estimates.
    pub input_bound: u64,
    pub output_bound: u64,
    /// Worst-case cost that was held.
    pub hold: Pico,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    /// The vendor cut the answer short.
    Truncated,
    /// Every attempt failed.
    UpstreamError,
    /// The caller went away.
    ClientGone,
    /// Answered from the cache.
    CacheHit,
    /// Answered by somebody else's identical request in flight.
    Coalesced,
    /// The hub died; recovery closed it.
    Recovered,
}

/// Written once per request, after it ended, whatever the end was.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Settlement {
    pub id: RequestId,
    /// When the request came in, and how long it took, in microseconds.
    pub at: Wall,
    pub duration_us: u64,
    pub first_token_us: Option<u64>,
    /// Was an intent written (was a vendor to be called)?
    pub intended: bool,
    pub tenant: TenantId,
    pub key: KeyId,
    pub op: Op,
    pub stream: bool,
    pub model: Arc<str>,
    pub provider: Arc<str>,
    pub upstream_model: Arc<str>,
    pub credential: Arc<str>,
    pub attempts: u32,
    pub status: u16,
    pub outcome: Outcome,
    /// `error::Kind::name`, or empty.
    pub error: Arc<str>,
    pub usage: Usage,
    pub usage_source: UsageSource,
    pub charge: Option<Charge>,
    /// Cost that a cache hit saved.
    pub saved: Pico,
    /// `user` of the request body, if sent.
    pub end_user: Option<Arc<str>>,
}

/// What the vendor takes, and the rows that say so.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Charge {
    /// Id of the price row.
    pub price: Arc<str>,
    /// Which tier of the row, from 0.
    pub tier: u32,
    pub cost: Pico,
}

/// One record of the journal.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Record {
    Intent(Box<Intent>),
    Settlement(Box<Settlement>),
}

/// Prices per million units, in currency units.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Rates {
    pub input: Rate,
    pub cache_read: Rate,
    pub cache_write_5m: Rate,
    pub cache_write_1h: Rate,
    pub output: Rate,
    pub reasoning: Rate,
    pub audio_input: Rate,
    pub audio_output: Rate,
    /// Per million images, seconds, characters, requests (so $0.04 an image is 40000).
    pub image: Rate,
    pub second: Rate,
    pub character: Rate,
    pub request: Rate,
}

/// One row of the price table.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    pub id: Arc<str>,
    pub provider: Arc<str>,
    pub model: Arc<str>,
    pub valid_from: Wall,
    pub rates: Rates,
    /// Higher rates from this many input tokens on, ascending.
    pub tiers: Vec<(u64, Rates)>,
    pub source: Arc<str>,
}

impl Price {
    /// Exact integers; one rounding at the end, half to even.
    pub fn charge(&self, _usage: &Usage) -> Charge {
        todo!()
    }
    /// The most that `input` input tokens and `output` output tokens can cost.
    pub fn worst_case(&self, _input: u64, _output: u64) -> Pico {
        todo!()
    }
}

/// All prices; finds the row that was valid at a time.
#[derive(Default)]
pub struct PriceTable {
    _private: (),
}

impl PriceTable {
    pub fn new(_rows: Vec<Price>) -> Self {
        todo!()
    }
    /// Provider name (or its vendor's) and upstream model, at `at`.
    pub fn find(&self, _provider: &str, _vendor: &str, _model: &str, _at: Wall) -> Option<&Arc<Price>> {
        todo!()
    }
    pub fn by_id(&self, _id: &str) -> Option<&Arc<Price>> {
        todo!()
    }
    pub fn len(&self) -> usize {
        todo!()
    }
    pub fn is_empty(&self) -> bool {
        todo!()
    }
}
