//! The metrics by name. GenAI names are those of the OpenTelemetry conventions
//! v1.41 in Prometheus form; everything else is `aigne_hub_…`. No label ever
//! holds a key, tenant, user or address.

use super::series::{Families, SeriesMap};
use super::values::{CacheStatus, Done, Gauges};
use crate::error::{Blame, Kind};
use crate::limit::Which;
use crate::types::{Op, UsageSource};
use parking_lot::Mutex;
use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Seconds; the conventions' buckets for whole operations.
const OPERATION: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68];
/// Seconds; the conventions' buckets for the first token, and three longer ones for reasoning models.
const FIRST_TOKEN: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0,
    80.0,
];
/// Seconds; the conventions' buckets for the pace of tokens, and two shorter ones for fast vendors.
const PER_TOKEN: &[f64] =
    &[0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5];
/// Tokens; the conventions' powers of four.
const TOKENS: &[f64] = &[
    1., 4., 16., 64., 256., 1024., 4096., 16384., 65536., 262144., 1048576., 4194304., 16777216., 67108864.,
];
/// Seconds; our own work is in microseconds.
const PHASE: &[f64] =
    &[10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3];
/// Seconds; from a page cache to a tired disk.
const FLUSH: &[f64] = &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
/// Entries in one flush.
const ENTRIES: &[f64] = &[1., 2., 4., 8., 16., 32., 64., 128., 256., 512., 1024., 2048.];

const GEN_AI: [&str; 3] = ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"];
const CREDENTIAL_STATES: [&str; 5] = ["ready", "cooling_down", "rejected", "open", "half_open"];

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    families: Vec<Family>,
    series: SeriesMap,
    in_flight: Vec<IntGauge>,
    phases: Vec<Histogram>,
    overhead: Histogram,
    /// By name and whether a vendor had a part: two kinds share a name.
    errors: HashMap<(&'static str, bool), IntCounter, ahash::RandomState>,
    usage_sources: [IntCounter; 3],
    cache: HashMap<&'static str, IntCounter, ahash::RandomState>,
    retries: IntCounter,
    fallbacks: IntCounter,
    limited: IntCounterVec,
    request_bytes: IntCounter,
    response_bytes: IntCounter,
    flush_duration: Histogram,
    flush_entries: Histogram,
    scraped: Mutex<Scraped>,
}

/// One of the numbers read at scrape time.
type Read = fn(&Gauges) -> u64;

/// What is set at scrape time. Behind a lock, because the credentials' gauges
/// are rebuilt and two scrapes may come at once.
struct Scraped {
    credential_state: IntGaugeVec,
    credential_in_flight: IntGaugeVec,
    quota_counters: IntGaugeVec,
    quotas_exhausted: IntGaugeVec,
    gauges: Vec<(IntGauge, Read)>,
    counters: Vec<(IntCounter, Read)>,
}

/// Counts as one request in flight until dropped.
pub struct InFlight {
    gauge: Option<IntGauge>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(gauge) = &self.gauge {
            gauge.dec();
        }
    }
}

impl Metrics {
    /// All metrics, at zero, in a registry of their own.
    pub fn new() -> Arc<Self> {
        let new = Make { registry: Registry::new(), families: RefCell::default() };
        new.process();
        let cache = new.counters("aigne_hub_cache_requests_total", "What the cache did.", &["status"]);
        let sources =
            new.counters("aigne_hub_usage_source_total", "Where token counts come from.", &["source"]);
        let phases = new.histograms(
            "aigne_hub_phase_duration_seconds",
            "A request's time by phase; body and upstream_wait are others' time.",
            &["phase"],
            PHASE,
        );
        let in_flight = new.gauges("aigne_hub_in_flight_requests", "Requests now.", &["op"]);
        let names = super::Phases::default().named();
        let metrics = Self {
            series: SeriesMap::new(families(&new)),
            in_flight: Op::ALL.iter().map(|op| in_flight.with_label_values(&[op.name()])).collect(),
            phases: names.iter().map(|(name, _)| phases.with_label_values(&[name])).collect(),
            overhead: new.histogram(
                "aigne_hub_overhead_duration_seconds",
                "What the hub adds to a request: all phases but body, connect and upstream_wait.",
                PHASE,
            ),
            errors: errors(&new),
            usage_sources: ["provider", "estimated", "none"].map(|s| sources.with_label_values(&[s])),
            cache: CacheStatus::COUNTED
                .iter()
                .map(|s| (s.name(), cache.with_label_values(&[s.name()])))
                .collect(),
            retries: new.counter("aigne_hub_retries_total", "Tries again at the same target."),
            fallbacks: new.counter("aigne_hub_fallbacks_total", "Changes to the next target."),
            limited: limited(&new),
            request_bytes: new.counter("aigne_hub_request_body_bytes_total", "Bytes of callers' bodies."),
            response_bytes: new
                .counter("aigne_hub_response_body_bytes_total", "Bytes of bodies sent to callers."),
            flush_duration: new.histogram(
                "aigne_hub_ledger_flush_duration_seconds",
                "From the first write of a group to its flush.",
                FLUSH,
            ),
            flush_entries: new.histogram("aigne_hub_ledger_flush_entries", "Entries of one flush.", ENTRIES),
            scraped: Mutex::new(scraped(&new)),
            families: new.families.into_inner(),
            registry: new.registry,
        };
        Arc::new(metrics)
    }

    /// A request came in; the guard keeps the in-flight gauge.
    pub fn enter(self: &Arc<Self>, op: Op) -> InFlight {
        let gauge = self.in_flight.get(op as usize).cloned();
        if let Some(gauge) = &gauge {
            gauge.inc();
        }
        InFlight { gauge }
    }

    /// A request ended.
    pub fn done(&self, done: &Done) {
        self.series.done(done);
        for (histogram, (_, time)) in self.phases.iter().zip(done.phases.named()) {
            if !time.is_zero() {
                histogram.observe(time.as_secs_f64());
            }
        }
        self.overhead.observe(done.phases.overhead().as_secs_f64());
        let [provider, estimated, none] = &self.usage_sources;
        match done.usage_source {
            UsageSource::Provider => provider.inc(),
            UsageSource::Estimated => estimated.inc(),
            UsageSource::None => none.inc(),
        }
        self.request_bytes.inc_by(done.request_bytes);
        self.response_bytes.inc_by(done.response_bytes);
        self.rare(done);
    }

    /// What most requests have none of.
    fn rare(&self, done: &Done) {
        if done.retries > 0 {
            self.retries.inc_by(u64::from(done.retries));
        }
        if done.fallbacks > 0 {
            self.fallbacks.inc_by(u64::from(done.fallbacks));
        }
        if done.cache != CacheStatus::Off
            && let Some(counter) = self.cache.get(done.cache.name())
        {
            counter.inc();
        }
        if !done.error.is_empty() {
            let vendor = done.attempts > 0;
            let found =
                self.errors.get(&(done.error, vendor)).or_else(|| self.errors.get(&(done.error, !vendor)));
            if let Some(counter) = found {
                counter.inc();
            }
        }
    }

    /// One attempt at a vendor ended: `result` is `ok` or an error kind.
    pub fn attempt(
        &self,
        provider: &str,
        upstream_model: &str,
        result: &'static str,
        first_byte: Option<Duration>,
    ) {
        self.series.attempt(provider, upstream_model, result, first_byte);
    }

    /// A limit refused (`limit::Which::name`).
    pub fn limited(&self, limit: &'static str) {
        self.limited.with_label_values(&[limit]).inc();
    }

    /// The ledger's writer put a group of entries on disk.
    pub fn flush(&self, took: Duration, entries: usize) {
        self.flush_duration.observe(took.as_secs_f64());
        self.flush_entries.observe(entries as f64);
    }

    /// Prometheus text format 0.0.4.
    pub fn render(&self, gauges: &Gauges) -> String {
        let scraped = self.scraped.lock();
        scraped.set(gauges);
        let gathered = self.registry.gather();
        let mut text = TextEncoder::new().encode_to_string(&gathered).unwrap_or_else(|error| {
            tracing::error!(%error, "metrics cannot be rendered");
            String::new()
        });
        let is_there = |family: &&Family| gathered.iter().any(|g| g.name() == family.name);
        self.families.iter().filter(|f| !is_there(f)).for_each(|family| text.push_str(&family.head));
        text
    }
}

impl Scraped {
    fn set(&self, gauges: &Gauges) {
        for (gauge, read) in &self.gauges {
            gauge.set(i64::try_from(read(gauges)).unwrap_or(i64::MAX));
        }
        for (counter, read) in &self.counters {
            counter.inc_by(read(gauges).saturating_sub(counter.get()));
        }
        // Rebuilt from nothing, so that credentials that are gone disappear.
        self.credential_state.reset();
        self.credential_in_flight.reset();
        for credential in &gauges.credentials {
            let (provider, id) = (&*credential.provider, &*credential.credential);
            for state in CREDENTIAL_STATES {
                self.credential_state.with_label_values(&[provider, id, state]).set(0);
            }
            self.credential_state.with_label_values(&[provider, id, credential.state]).set(1);
            self.credential_in_flight.with_label_values(&[provider, id]).set(i64::from(credential.in_flight));
        }
        self.quota_counters.reset();
        self.quotas_exhausted.reset();
        for quota in &gauges.quotas {
            let labels = [quota.of, quota.measure];
            let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            self.quota_counters.with_label_values(&labels).set(number(quota.counters));
            self.quotas_exhausted.with_label_values(&labels).set(number(quota.exhausted));
        }
    }
}

fn families(new: &Make) -> Families {
    Families {
        requests: new.counters(
            "aigne_hub_requests_total",
            "Finished requests.",
            &["op", "dialect_in", "dialect_out", "provider", "model", "status_class", "outcome"],
        ),
        tokens: new.counters(
            "aigne_hub_tokens_total",
            "Tokens by kind; a token is in one kind only.",
            &["provider", "model", "kind"],
        ),
        cost: new.counters(
            "aigne_hub_cost_nano_usd_total",
            "What vendors take, in 10^-9 US dollars.",
            &["provider", "model"],
        ),
        attempts: new.counters(
            "aigne_hub_upstream_attempts_total",
            "Tries at vendors by result: ok or the kind of error.",
            &["provider", "model", "result"],
        ),
        server_duration: new.histograms(
            "gen_ai_server_request_duration_seconds",
            "From accept to the last byte to the caller.",
            &GEN_AI,
            OPERATION,
        ),
        first_token: new.histograms(
            "gen_ai_server_time_to_first_token_seconds",
            "From accept to the first token to the caller.",
            &GEN_AI,
            FIRST_TOKEN,
        ),
        per_token: new.histograms(
            "gen_ai_server_time_per_output_token_seconds",
            "Pace of streamed tokens after the first.",
            &GEN_AI,
            PER_TOKEN,
        ),
        client_duration: new.histograms(
            "gen_ai_client_operation_duration_seconds",
            "From approaching the first vendor to the last byte, every attempt of a request included.",
            &GEN_AI,
            OPERATION,
        ),
        first_chunk: new.histograms(
            "gen_ai_client_operation_time_to_first_chunk_seconds",
            "A vendor's time to the first byte of a successful attempt.",
            &["gen_ai_provider_name", "gen_ai_request_model"],
            FIRST_TOKEN,
        ),
        token_usage: new.histograms(
            "gen_ai_client_token_usage",
            "Tokens of a request.",
            &["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"],
            TOKENS,
        ),
        dropped: new.counter(
            "aigne_hub_series_dropped_total",
            "Requests whose model was counted as `other`, because the label space is full or no vendor knows it.",
        ),
    }
}

fn errors(new: &Make) -> HashMap<(&'static str, bool), IntCounter, ahash::RandomState> {
    let family = new.counters(
        "aigne_hub_errors_total",
        "Failed requests by kind and who is to blame.",
        &["kind", "blame"],
    );
    let counter = |kind: &Kind| {
        let blame = match kind.row().blame {
            Blame::Caller => "caller",
            Blame::Policy => "policy",
            Blame::Vendor => "vendor",
            Blame::Hub => "hub",
        };
        let key = (kind.name(), kind.row().blame == Blame::Vendor);
        (key, family.with_label_values(&[kind.name(), blame]))
    };
    Kind::ALL.iter().map(counter).collect()
}

/// One series for each limit from the start, so that the first refusal is an increase.
fn limited(new: &Make) -> IntCounterVec {
    let family = new.counters("aigne_hub_limited_total", "Refusals by limit.", &["limit"]);
    for which in Which::ALL {
        family.with_label_values(&[which.name()]);
    }
    family
}

fn scraped(new: &Make) -> Scraped {
    let build = new.gauges("aigne_hub_build_info", "1, with the version.", &["version"]);
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    let gauge = |name, help, read: Read| (new.gauge(name, help), read);
    let counter = |name, help, read: Read| (new.counter(name, help), read);
    Scraped {
        credential_state: new.gauges(
            "aigne_hub_credential_state",
            "1 for the state that a credential is in, 0 for the others.",
            &["provider", "credential", "state"],
        ),
        credential_in_flight: new.gauges(
            "aigne_hub_credential_in_flight",
            "Requests on a credential now.",
            &["provider", "credential"],
        ),
        quota_counters: new.gauges("aigne_hub_quota_counters", "Counters of quotas.", &["of", "measure"]),
        quotas_exhausted: new.gauges(
            "aigne_hub_quotas_exhausted",
            "Counters of hard quotas that leave no room.",
            &["of", "measure"],
        ),
        gauges: vec![
            gauge("aigne_hub_cache_bytes", "Bytes in the cache.", |g| g.cache_bytes),
            gauge("aigne_hub_cache_entries", "Entries in the cache.", |g| g.cache_entries),
            gauge("aigne_hub_responses_bytes", "Bytes of kept responses.", |g| g.responses_bytes),
            gauge("aigne_hub_responses_entries", "Kept responses.", |g| g.responses_entries),
            gauge("aigne_hub_flights", "Requests that equal ones may wait on.", |g| g.flights),
            gauge("aigne_hub_waiting_answers", "Answers whose callers are gone.", |g| g.waiting_answers),
            gauge("aigne_hub_ledger_queue_depth", "Entries waiting to be written.", |g| g.ledger_queue),
            gauge("aigne_hub_ledger_open_intents", "Intents not settled yet.", |g| g.ledger_open_intents),
            gauge("aigne_hub_ledger_disk_bytes", "Bytes of the ledger on disk.", |g| g.ledger_disk_bytes),
            gauge("aigne_hub_buffered_bytes", "Bytes of bodies in memory.", |g| g.buffered_bytes),
            gauge("aigne_hub_config_version", "The running snapshot's number.", |g| g.snapshot_version),
            gauge("aigne_hub_notices_pending", "Deliveries on their way.", |g| g.notices_pending),
            gauge("aigne_hub_notices_dead", "Deliveries that were given up.", |g| g.notices_dead),
        ],
        counters: vec![
            counter("aigne_hub_ledger_appended_total", "Entries written.", |g| g.ledger_appended),
            counter("aigne_hub_ledger_settled_total", "Settlements written.", |g| g.ledger_settled),
            counter("aigne_hub_ledger_recovered_total", "Intents closed by recovery.", |g| {
                g.ledger_recovered
            }),
            counter("aigne_hub_responses_unwritten_total", "Kept responses that are not on disk.", |g| {
                g.responses_unwritten
            }),
            counter("aigne_hub_ledger_errors_total", "Failed writes of the ledger.", |g| g.ledger_errors),
            counter("aigne_hub_notices_delivered_total", "Deliveries that arrived.", |g| g.notices_delivered),
            counter("aigne_hub_notices_failed_total", "Failed attempts to deliver.", |g| g.notices_failed),
            counter("aigne_hub_notices_dropped_total", "Notices without room.", |g| g.notices_dropped),
            counter("aigne_hub_config_reload_failures_total", "Refused configurations.", |g| {
                g.reload_failures
            }),
            counter("aigne_hub_log_lines_dropped_total", "Log lines lost to a full queue.", |_| {
                super::log::dropped_lines()
            }),
        ],
    }
}

/// Makes metrics and registers them.
struct Make {
    registry: Registry,
    families: RefCell<Vec<Family>>,
}

/// A metric whose series appear when something happens. Its name is on the page before that.
struct Family {
    name: String,
    /// The lines that begin it: `HELP` and `TYPE`.
    head: String,
}

impl Make {
    #[expect(
        clippy::expect_used,
        reason = "names, labels and buckets are constants of this file, and every test builds them all"
    )]
    fn register<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let collector = made.expect("a metric's description is valid");
        self.registry.register(Box::new(collector.clone())).expect("a metric's name is used once");
        collector
    }

    fn family(&self, name: &str, help: &str, kind: &str) {
        let head = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        self.families.borrow_mut().push(Family { name: name.to_owned(), head });
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::new(name, help))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.family(name, help, "counter");
        self.register(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.family(name, help, "gauge");
        self.register(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.register(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())))
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        self.family(name, help, "histogram");
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.register(HistogramVec::new(options, labels))
    }

    /// CPU, memory, open files and start time of the process, where the kernel tells.
    fn process(&self) {
        #[cfg(target_os = "linux")]
        {
            let collector = prometheus::process_collector::ProcessCollector::for_self();
            if let Err(error) = self.registry.register(Box::new(collector)) {
                tracing::warn!(%error, "no process metrics");
            }
        }
    }
}

#[cfg(test)]
mod tests;
