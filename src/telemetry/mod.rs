//! Metrics and logs. Names follow the field's conventions; labels are bounded;
//! prompts, completions and secrets never come here.

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

/// What the cache did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheStatus {
    #[default]
    Off,
    Miss,
    Hit,
    Coalesced,
    Bypass,
}

/// One finished request, for the metrics and for the one log line.
#[derive(Clone, Debug)]
pub struct Done {
    pub id: RequestId,
    pub op: Op,
    /// The caller's dialect and the vendor's.
    pub dialect_in: &'static str,
    pub dialect_out: &'static str,
    /// As the caller named it; goes to the log only (unbounded).
    pub model: Arc<str>,
    pub provider: Arc<str>,
    pub upstream_model: Arc<str>,
    pub credential: Arc<str>,
    pub key: Arc<str>,
    pub tenant: Arc<str>,
    pub address: Option<IpAddr>,
    pub status: u16,
    /// `ok, truncated, upstream_error, client_gone, rate_limited, no_funds, blocked, cache_hit, coalesced, invalid`
    pub outcome: &'static str,
    /// `error::Kind::name` or empty.
    pub error: &'static str,
    /// The log's text of the failure.
    pub detail: String,
    pub stream: bool,
    pub usage: Usage,
    pub usage_source: UsageSource,
    pub cost: Option<Pico>,
    pub first_token: Option<Duration>,
    pub duration: Duration,
    pub phases: Phases,
    pub attempts: u32,
    pub retries: u32,
    pub fallbacks: u32,
    pub cache: CacheStatus,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub tags: Vec<String>,
}

/// State of one credential at scrape time.
pub struct CredentialGauge {
    pub provider: Arc<str>,
    pub credential: Arc<str>,
    pub state: &'static str,
    pub in_flight: u32,
}

/// Numbers that are read at scrape time instead of being counted twice.
#[derive(Default)]
pub struct Gauges {
    pub credentials: Vec<CredentialGauge>,
    pub cache_bytes: u64,
    pub cache_entries: u64,
    pub flights: u64,
    pub ledger_queue: u64,
    pub ledger_open_intents: u64,
    pub ledger_appended: u64,
    pub ledger_settled: u64,
    pub ledger_recovered: u64,
    pub ledger_errors: u64,
    pub ledger_disk_bytes: u64,
    pub buffered_bytes: u64,
    pub snapshot_version: u64,
    pub reload_failures: u64,
}

/// All metrics of the process.
pub struct Metrics {
    _private: (),
}

impl Metrics {
    pub fn new() -> Arc<Self> {
        todo!()
    }
    /// A request came in; the guard keeps the in-flight gauge.
    pub fn enter(self: &Arc<Self>, _op: Op) -> InFlight {
        todo!()
    }
    /// A request ended.
    pub fn done(&self, _done: &Done) {
        todo!()
    }
    /// One attempt at a vendor ended: `result` is `ok` or an error kind.
    pub fn attempt(
        &self,
        _provider: &str,
        _upstream_model: &str,
        _result: &'static str,
        _first_byte: Option<Duration>,
    ) {
        todo!()
    }
    /// A limit refused (`limit::Which::name`).
    pub fn limited(&self, _limit: &'static str) {
        todo!()
    }
    pub fn flush(&self, _took: Duration, _entries: usize) {
        todo!()
    }
    /// Prometheus text format 0.0.4.
    pub fn render(&self, _gauges: &Gauges) -> String {
        todo!()
    }
}

/// Counts as one request in flight until dropped.
pub struct InFlight {
    _private: (),
}

/// Writes the request's one log line (target `request`, level info).
pub fn log_request(_done: &Done) {
    todo!()
}

/// Log output: JSON or text to stderr, through a bounded non-blocking queue so that a slow
/// terminal never slows a request; `level` is an `env-filter` directive.
pub fn init_logs(_json: bool, _level: &str) -> Result<LogGuard, String> {
    todo!()
}
/// Flushes what is queued when dropped.
pub struct LogGuard {
    _private: (),
}
