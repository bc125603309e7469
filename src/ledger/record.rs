//! What is written: intents, settlements, and the charge that a settlement
//! carries. Records are never changed once they are written.

use super::wallet::{Carried, Movement};
use crate::types::{KeyId, Op, Party, Pico, RequestId, TenantId, Usage, UsageSource, Wall};
use std::sync::Arc;

/// Written before the vendor is called.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Intent {
    /// The request.
    pub id: RequestId,
    /// When the request came in.
    pub at: Wall,
    /// Who pays.
    pub tenant: TenantId,
    /// The key that was presented.
    pub key: KeyId,
    /// What was asked for.
    pub op: Op,
    /// As the caller named it.
    pub model: Arc<str>,
    /// First target of the plan.
    pub provider: Arc<str>,
    /// Model of the first target.
    pub upstream_model: Arc<str>,
    /// Upper bound of the input tokens, from which recovery estimates.
    pub input_bound: u64,
    /// Upper bound of the output tokens; of a video, its milliseconds.
    pub output_bound: u64,
    /// Worst-case cost that was held.
    pub hold: Pico,
    /// Who is behind the key.
    pub party: Arc<Party>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The vendor answered in full.
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
    /// The wallet could carry no more; the answer was ended early.
    OutOfFunds,
}

impl Outcome {
    /// Its name in exports and answers.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Truncated => "truncated",
            Outcome::UpstreamError => "upstream_error",
            Outcome::ClientGone => "client_gone",
            Outcome::CacheHit => "cache_hit",
            Outcome::Coalesced => "coalesced",
            Outcome::Recovered => "recovered",
            Outcome::OutOfFunds => "out_of_funds",
        }
    }
}

/// Written once per request, after it ended, whatever the end was.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Settlement {
    /// The request.
    pub id: RequestId,
    /// When the request came in.
    pub at: Wall,
    /// From then to the end, in microseconds.
    pub duration_us: u64,
    /// From then to the first content of a stream, in microseconds.
    pub first_token_us: Option<u64>,
    /// Was an intent written (was a vendor to be called)?
    pub intended: bool,
    /// Who pays.
    pub tenant: TenantId,
    /// The key that was presented.
    pub key: KeyId,
    /// What was asked for.
    pub op: Op,
    /// Was the answer streamed?
    pub stream: bool,
    /// As the caller named it.
    pub model: Arc<str>,
    /// Who answered, or the last that was tried.
    pub provider: Arc<str>,
    /// The model there.
    pub upstream_model: Arc<str>,
    /// The credential that was used; empty when none was.
    pub credential: Arc<str>,
    /// How often a vendor was called.
    pub attempts: u32,
    /// HTTP status that the caller saw; 0 when nobody can know it (recovered).
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// `error::Kind::name`, or empty.
    pub error: Arc<str>,
    /// What was used.
    pub usage: Usage,
    /// Who says so. With [`UsageSource::None`] the usage is not counted.
    pub usage_source: UsageSource,
    /// What it cost; `None` for a model without a price.
    pub charge: Option<Charge>,
    /// Cost that a cache hit saved.
    pub saved: Pico,
    /// `user` of the request body, if sent.
    pub end_user: Option<Arc<str>>,
    /// Who is behind the key.
    pub party: Arc<Party>,
    /// The single attempts, in order. Empty where the first one succeeded: then all that could be
    /// said of it is said above.
    pub tried: Vec<Tried>,
    /// Tags that rules have put on it.
    pub tags: Vec<Arc<str>>,
}

/// One call of a vendor.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tried {
    /// From the request's arrival to the attempt, in microseconds.
    pub after_us: u64,
    /// From there to its end, or to the first byte of the answer that was kept, in microseconds.
    pub duration_us: u64,
    /// Whom it went to.
    pub provider: Arc<str>,
    /// The model there.
    pub upstream_model: Arc<str>,
    /// With which credential; empty when none was to be had.
    pub credential: Arc<str>,
    /// What the vendor answered; 0 when it did not.
    pub status: u16,
    /// `error::Kind::name` of what went wrong, or empty.
    pub error: Arc<str>,
}

impl Settlement {
    /// What the vendor takes; nothing when there was no price.
    pub fn cost(&self) -> Pico {
        self.charge.as_ref().map_or(Pico::ZERO, |charge| charge.cost)
    }

    /// The tokens that count against budgets.
    pub fn counted_tokens(&self) -> u64 {
        match self.usage_source {
            UsageSource::None => 0,
            UsageSource::Provider | UsageSource::Estimated => self.usage.total_tokens(),
        }
    }
}

/// What the vendor takes, and the row that says so.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Charge {
    /// Id of the price row.
    pub price: Arc<str>,
    /// Which tier of the row, from 0 (the row's own rates).
    pub tier: u32,
    /// The amount.
    pub cost: Pico,
}

/// One record of the journal.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Record {
    /// A request is about to reach a vendor.
    Intent(Box<Intent>),
    /// A request has ended.
    Settlement(Box<Settlement>),
    /// Money of a wallet has moved.
    Movement(Box<Movement>),
    /// Old days went; what wallets had by then is kept.
    Carried(Box<Carried>),
}

impl Record {
    /// The request it belongs to, if it belongs to one.
    pub fn id(&self) -> Option<RequestId> {
        match self {
            Record::Intent(intent) => Some(intent.id),
            Record::Settlement(settlement) => Some(settlement.id),
            Record::Movement(movement) => movement.request,
            Record::Carried(_) => None,
        }
    }

    /// Is it a movement of this tenant's wallet?
    pub fn moves(&self, tenant: &str) -> bool {
        matches!(self, Record::Movement(movement) if movement.wallet.as_str() == tenant)
    }

    /// When the request came in, or the money moved.
    pub fn at(&self) -> Wall {
        match self {
            Record::Intent(intent) => intent.at,
            Record::Settlement(settlement) => settlement.at,
            Record::Movement(movement) => movement.at,
            Record::Carried(carried) => carried.at,
        }
    }
}
