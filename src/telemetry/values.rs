//! What the planes hand over: one finished request, and the numbers that are
//! read at scrape time.

use crate::types::{Op, Pico, RequestId, Usage, UsageSource};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Our own time in a request, phase by phase. Zero = did not happen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Phases {
    /// From accept (or the last byte of the request before) to the first look at the request.
    pub accept: Duration,
    /// Key, addresses, endpoint.
    pub auth: Duration,
    /// Waiting for the body, which is the caller's time.
    pub body: Duration,
    /// Reading what is needed of the body.
    pub parse: Duration,
    /// Rules, limits, cache, plan, intent.
    pub decide: Duration,
    /// Taking a connection from the pool or making one.
    pub connect: Duration,
    /// Rendering and sending the vendor's request.
    pub send: Duration,
    /// The vendor's time to the first byte.
    pub upstream_wait: Duration,
    /// Own time while relaying (without waiting for the vendor or the caller).
    pub relay: Duration,
    /// Price, settlement, limits.
    pub settle: Duration,
}

impl Phases {
    /// Every phase with the value of its `phase` label, in the order of a request's life.
    pub fn named(&self) -> [(&'static str, Duration); 10] {
        [
            ("accept", self.accept),
            ("auth", self.auth),
            ("body", self.body),
            ("parse", self.parse),
            ("decide", self.decide),
            ("connect", self.connect),
            ("send", self.send),
            ("upstream_wait", self.upstream_wait),
            ("relay", self.relay),
            ("settle", self.settle),
        ]
    }

    /// What the hub itself added: everything but the waits for the caller's
    /// first bytes and body, for a connection and for the vendor, which a direct call has too.
    pub fn overhead(&self) -> Duration {
        [self.auth, self.parse, self.decide, self.send, self.relay, self.settle]
            .into_iter()
            .fold(Duration::ZERO, Duration::saturating_add)
    }

    /// The time before a vendor was approached: the hub's and the caller's.
    pub(super) fn before_vendor(&self) -> Duration {
        [self.accept, self.auth, self.body, self.parse, self.decide]
            .into_iter()
            .fold(Duration::ZERO, Duration::saturating_add)
    }
}

/// What the cache did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheStatus {
    /// Not asked, because the configuration or the request does not want it.
    #[default]
    Off,
    /// Asked, not there.
    Miss,
    /// Answered from the cache.
    Hit,
    /// Answered by another request's flight.
    Coalesced,
    /// The caller or a rule said to go past it.
    Bypass,
}

impl CacheStatus {
    /// Every status that is counted; `Off` is not.
    pub const COUNTED: [CacheStatus; 4] =
        [CacheStatus::Miss, CacheStatus::Hit, CacheStatus::Coalesced, CacheStatus::Bypass];

    /// The name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            CacheStatus::Off => "off",
            CacheStatus::Miss => "miss",
            CacheStatus::Hit => "hit",
            CacheStatus::Coalesced => "coalesced",
            CacheStatus::Bypass => "bypass",
        }
    }
}

/// One finished request, for the metrics and for the one log line.
#[derive(Clone, Debug)]
pub struct Done {
    /// The id that the caller saw too.
    pub id: RequestId,
    /// What was asked for.
    pub op: Op,
    /// The caller's dialect.
    pub dialect_in: &'static str,
    /// The vendor's dialect; empty when no vendor was chosen.
    pub dialect_out: &'static str,
    /// As the caller named it; goes to the log only (unbounded).
    pub model: Arc<str>,
    /// The provider of the last attempt; empty when none was made.
    pub provider: Arc<str>,
    /// The vendor's name of the model; empty when no vendor was chosen.
    pub upstream_model: Arc<str>,
    /// The credential of the last attempt. Log only.
    pub credential: Arc<str>,
    /// The key's id, never its secret. Log only.
    pub key: Arc<str>,
    /// Who pays. Log only.
    pub tenant: Arc<str>,
    /// The caller's address. Log only.
    pub address: Option<IpAddr>,
    /// The HTTP status that the caller saw.
    pub status: u16,
    /// `ok, truncated, upstream_error, client_gone, rate_limited, no_funds, blocked, cache_hit, coalesced, invalid`
    pub outcome: &'static str,
    /// `error::Kind::name` or empty.
    pub error: &'static str,
    /// The log's text of the failure.
    pub detail: String,
    /// Was the answer a stream?
    pub stream: bool,
    /// What was used.
    pub usage: Usage,
    /// Where `usage` comes from.
    pub usage_source: UsageSource,
    /// What the vendor takes, in US dollars; `None` without a price.
    pub cost: Option<Pico>,
    /// From accept to the first token on its way to the caller.
    pub first_token: Option<Duration>,
    /// From accept to the last byte.
    pub duration: Duration,
    /// Where the time went.
    pub phases: Phases,
    /// Tries at vendors, retries and fallbacks included.
    pub attempts: u32,
    /// Tries again at the same target.
    pub retries: u32,
    /// Changes to the next target.
    pub fallbacks: u32,
    /// What the cache did.
    pub cache: CacheStatus,
    /// Bytes of the caller's body.
    pub request_bytes: u64,
    /// Bytes of the body sent to the caller.
    pub response_bytes: u64,
    /// Tags that rules put on the request. Log only.
    pub tags: Vec<String>,
}

/// State of one credential at scrape time.
pub struct CredentialGauge {
    /// The provider's name.
    pub provider: Arc<str>,
    /// The credential's id, never its secret.
    pub credential: Arc<str>,
    /// `ready, cooling_down, rejected, open, half_open`
    pub state: &'static str,
    /// Requests on it now.
    pub in_flight: u32,
}

/// Counters of quotas of one kind at scrape time.
pub struct QuotaGauge {
    /// Whose use they count: `key, user, app, team, tenant, hub`
    pub of: &'static str,
    /// What they count: `requests, tokens, money, images`
    pub measure: &'static str,
    /// How many there are.
    pub counters: u64,
    /// How many of them leave no room.
    pub exhausted: u64,
}

/// Numbers that are read at scrape time instead of being counted twice.
#[derive(Default)]
pub struct Gauges {
    /// Every configured credential.
    pub credentials: Vec<CredentialGauge>,
    /// Counters of quotas, by kind.
    pub quotas: Vec<QuotaGauge>,
    /// Bytes held by the cache.
    pub cache_bytes: u64,
    /// Entries in the cache.
    pub cache_entries: u64,
    /// Bytes of kept responses.
    pub responses_bytes: u64,
    /// Kept responses, with those that are being made.
    pub responses_entries: u64,
    /// Kept responses that never reached the disk, since start.
    pub responses_unwritten: u64,
    /// Requests that others may be waiting on.
    pub flights: u64,
    /// Answers whose callers are gone, waiting to be asked for again.
    pub waiting_answers: u64,
    /// Entries that wait for the ledger's writer.
    pub ledger_queue: u64,
    /// Intents without a settlement.
    pub ledger_open_intents: u64,
    /// Entries written since start.
    pub ledger_appended: u64,
    /// Settlements since start.
    pub ledger_settled: u64,
    /// Intents closed by recovery since start.
    pub ledger_recovered: u64,
    /// Failed writes since start.
    pub ledger_errors: u64,
    /// Bytes of the ledger on disk.
    pub ledger_disk_bytes: u64,
    /// Bytes of bodies in memory.
    pub buffered_bytes: u64,
    /// The running snapshot's number.
    pub snapshot_version: u64,
    /// Refused reloads since start.
    pub reload_failures: u64,
    /// Deliveries of notices on their way.
    pub notices_pending: u64,
    /// Deliveries that were given up and are still kept.
    pub notices_dead: u64,
    /// Deliveries that arrived, since start.
    pub notices_delivered: u64,
    /// Attempts to deliver that failed, since start.
    pub notices_failed: u64,
    /// Notices for which there was no room, since start.
    pub notices_dropped: u64,
}
