//! The label space: one set of resolved handles per (operation, dialects,
//! provider, model), found by one hash, and the bound on how many there may be.
//!
//! A provider that passes any model through lets callers name models, so the
//! number of distinct names is capped and the rest is counted as `other`. A
//! name that the vendor does not know never takes a place.

use super::values::Done;
use crate::types::{Op, UsageSource};
use ahash::RandomState;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Distinct (provider, model) pairs with series of their own.
pub(super) const MAX_PAIRS: usize = 500;
/// Pairs (provider, `other`) beyond them; after these even the provider is `other`.
const MAX_FOLDED: usize = 100;
/// The label value of everything past the cap.
pub(super) const OTHER: &str = "other";
/// The label value where there is nothing to name, as Prometheus cannot tell
/// an empty label from a missing one.
const NONE: &str = "none";

/// Kinds of tokens in `aigne_hub_tokens_total`.
const TOKEN_KINDS: [&str; 8] = [
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output",
    "reasoning",
    "audio_input",
    "audio_output",
];

/// The metrics that carry provider and model.
pub(super) struct Families {
    pub requests: IntCounterVec,
    pub tokens: IntCounterVec,
    pub cost: IntCounterVec,
    pub attempts: IntCounterVec,
    pub server_duration: HistogramVec,
    pub first_token: HistogramVec,
    pub per_token: HistogramVec,
    pub client_duration: HistogramVec,
    pub first_chunk: HistogramVec,
    pub token_usage: HistogramVec,
    /// Observations that were folded into `other`.
    pub dropped: IntCounter,
}

/// Handles that depend on provider and model only.
struct Pair {
    provider: Box<str>,
    model: Box<str>,
    tokens: [IntCounter; TOKEN_KINDS.len()],
    cost_nano: IntCounter,
    /// The sum of what is smaller than a nano-USD, in pico-USD: what of it
    /// makes whole nano-USD goes to the counter, so that no fraction is lost.
    cost_rest: AtomicU64,
    attempts_ok: IntCounter,
    first_chunk: Histogram,
}

/// Handles of one (operation, dialects, provider, model).
struct Series {
    pair: Arc<Pair>,
    requests_ok: IntCounter,
    server_duration: Histogram,
    first_token: Histogram,
    per_token: Histogram,
    client_duration: Histogram,
    usage_input: Histogram,
    usage_output: Histogram,
}

/// All handles, by the hash of their labels. The hash is keyed at random and 64
/// bits wide, so that two of a few thousand label sets meeting is not a case to
/// handle; if they did, one request would be counted under the other's name.
#[derive(Clone, Default)]
struct Table {
    pairs: HashMap<u64, Arc<Pair>, RandomState>,
    series: HashMap<u64, Arc<Series>, RandomState>,
}

/// Finds and makes handles. Readers take no lock; a new label set copies the table.
pub(super) struct SeriesMap {
    families: Families,
    hasher: RandomState,
    table: ArcSwap<Table>,
    inserting: Mutex<()>,
}

impl SeriesMap {
    pub fn new(families: Families) -> Self {
        Self {
            families,
            hasher: RandomState::new(),
            table: ArcSwap::from_pointee(Table::default()),
            inserting: Mutex::new(()),
        }
    }

    /// Counts a finished request under its labels.
    pub fn done(&self, done: &Done) {
        let unknown = done.error == UNKNOWN_MODEL;
        let table = self.table.load();
        let labels = self.fold(&table, &done.provider, &done.upstream_model, unknown);
        let hash = self.series_hash(labels, done);
        if let Some(series) = table.series.get(&hash) {
            return self.record(series, done);
        }
        drop(table);
        let series = self.insert_series(done, unknown);
        self.record(&series, done);
    }

    /// Counts one attempt at a vendor.
    pub fn attempt(&self, provider: &str, model: &str, result: &'static str, first_byte: Option<Duration>) {
        let unknown = result == UNKNOWN_MODEL;
        let table = self.table.load();
        let labels = self.fold(&table, provider, model, unknown);
        match table.pairs.get(&self.pair_hash(labels)) {
            Some(pair) => self.record_attempt(pair, result, first_byte),
            None => {
                drop(table);
                let pair = self.insert_pair(provider, model, unknown);
                self.record_attempt(&pair, result, first_byte);
            }
        }
    }

    fn record_attempt(&self, pair: &Pair, result: &'static str, first_byte: Option<Duration>) {
        if result != "ok" {
            return self.families.attempts.with_label_values(&[&*pair.provider, &*pair.model, result]).inc();
        }
        pair.attempts_ok.inc();
        if let Some(time) = first_byte {
            pair.first_chunk.observe(time.as_secs_f64());
        }
    }

    fn record(&self, series: &Series, done: &Done) {
        if &*series.pair.model == OTHER {
            self.families.dropped.inc();
        }
        if done.outcome == "ok" && done.status / 100 == 2 {
            series.requests_ok.inc();
        } else {
            self.families.requests.with_label_values(&request_labels(&series.pair, done)).inc();
        }
        series.server_duration.observe(done.duration.as_secs_f64());
        record_tokens(series, done);
        series.pair.add_cost(done);
        record_times(series, done);
    }

    /// The labels that a pair gets: its own, or `other` past the cap.
    fn fold<'a>(
        &self,
        table: &Table,
        provider: &'a str,
        model: &'a str,
        unknown: bool,
    ) -> (&'a str, &'a str) {
        let own = (or_none(provider), or_none(model));
        let known = table.pairs.contains_key(&self.pair_hash(own));
        if known || (!unknown && table.pairs.len() < MAX_PAIRS) {
            return own;
        }
        let folded = (own.0, OTHER);
        let room = table.pairs.len() < MAX_PAIRS + MAX_FOLDED;
        if room || table.pairs.contains_key(&self.pair_hash(folded)) {
            return folded;
        }
        (OTHER, OTHER)
    }

    fn insert_series(&self, done: &Done, unknown: bool) -> Arc<Series> {
        let pair = self.insert_pair(&done.provider, &done.upstream_model, unknown);
        let _inserting = self.inserting.lock();
        let table = self.table.load_full();
        let hash = self.series_hash((&pair.provider, &pair.model), done);
        if let Some(series) = table.series.get(&hash) {
            return Arc::clone(series);
        }
        let series = Arc::new(self.families.series(pair, done));
        let mut next = Table::clone(&table);
        next.series.insert(hash, Arc::clone(&series));
        self.table.store(Arc::new(next));
        series
    }

    fn insert_pair(&self, provider: &str, model: &str, unknown: bool) -> Arc<Pair> {
        let _inserting = self.inserting.lock();
        let table = self.table.load_full();
        let labels = self.fold(&table, provider, model, unknown);
        let hash = self.pair_hash(labels);
        if let Some(pair) = table.pairs.get(&hash) {
            return Arc::clone(pair);
        }
        let pair = Arc::new(self.families.pair(labels));
        let mut next = Table::clone(&table);
        next.pairs.insert(hash, Arc::clone(&pair));
        self.table.store(Arc::new(next));
        pair
    }

    fn pair_hash(&self, labels: (&str, &str)) -> u64 {
        self.hasher.hash_one(labels)
    }

    fn series_hash(&self, labels: (&str, &str), done: &Done) -> u64 {
        self.hasher.hash_one((labels, done.op, done.dialect_in, done.dialect_out))
    }
}

/// The error kind that says a model name exists nowhere.
const UNKNOWN_MODEL: &str = "model_not_found";

impl Families {
    fn pair(&self, (provider, model): (&str, &str)) -> Pair {
        let labels = [provider, model];
        Pair {
            provider: provider.into(),
            model: model.into(),
            tokens: TOKEN_KINDS.map(|kind| self.tokens.with_label_values(&[provider, model, kind])),
            cost_nano: self.cost.with_label_values(&labels),
            cost_rest: AtomicU64::new(0),
            attempts_ok: self.attempts.with_label_values(&[provider, model, "ok"]),
            first_chunk: self.first_chunk.with_label_values(&labels),
        }
    }

    fn series(&self, pair: Arc<Pair>, done: &Done) -> Series {
        let operation = operation_name(done.op);
        let labels = [operation, &*pair.provider, &*pair.model];
        let [operation, provider, model] = labels;
        let ok = Done { status: 200, outcome: "ok", ..done.clone() };
        Series {
            requests_ok: self.requests.with_label_values(&request_labels(&pair, &ok)),
            server_duration: self.server_duration.with_label_values(&labels),
            first_token: self.first_token.with_label_values(&labels),
            per_token: self.per_token.with_label_values(&labels),
            client_duration: self.client_duration.with_label_values(&labels),
            usage_input: self.token_usage.with_label_values(&[operation, provider, model, "input"]),
            usage_output: self.token_usage.with_label_values(&[operation, provider, model, "output"]),
            pair,
        }
    }
}

impl Pair {
    /// Adds to the integer counter of nano-USD and carries what is smaller.
    fn add_cost(&self, done: &Done) {
        const PICO_PER_NANO: u64 = 1_000;
        let pico = done.cost.map_or(0, |cost| u64::try_from(cost.0).unwrap_or(0));
        if pico == 0 {
            return;
        }
        let rest = pico % PICO_PER_NANO;
        let before = self.cost_rest.fetch_add(rest, Ordering::Relaxed);
        let carried = (before + rest) / PICO_PER_NANO - before / PICO_PER_NANO;
        self.cost_nano.inc_by(pico / PICO_PER_NANO + carried);
    }
}

fn record_tokens(series: &Series, done: &Done) {
    if done.usage_source == UsageSource::None {
        return;
    }
    let usage = &done.usage;
    let counts = [
        usage.input,
        usage.cache_read,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.output,
        usage.reasoning,
        usage.audio_input,
        usage.audio_output,
    ];
    for (counter, tokens) in series.pair.tokens.iter().zip(counts) {
        if tokens > 0 {
            counter.inc_by(tokens);
        }
    }
    series.usage_input.observe(usage.input_tokens() as f64);
    series.usage_output.observe(usage.output_tokens() as f64);
}

/// First token and pace of answers that succeeded, and the whole time spent as a client of vendors.
fn record_times(series: &Series, done: &Done) {
    if done.attempts > 0 {
        let as_client = done.duration.saturating_sub(done.phases.before_vendor());
        series.client_duration.observe(as_client.as_secs_f64());
    }
    let Some(first) = done.first_token.filter(|_| done.status < 400) else { return };
    series.first_token.observe(first.as_secs_f64());
    let later_tokens = done.usage.output_tokens().saturating_sub(1);
    if done.stream && later_tokens > 0 {
        let streaming = done.duration.saturating_sub(first);
        series.per_token.observe(streaming.as_secs_f64() / later_tokens as f64);
    }
}

fn request_labels<'a>(pair: &'a Pair, done: &Done) -> [&'a str; 7] {
    let class = match done.status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => NONE,
    };
    [
        done.op.name(),
        or_none(done.dialect_in),
        or_none(done.dialect_out),
        &*pair.provider,
        &*pair.model,
        class,
        or_none(done.outcome),
    ]
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { NONE } else { text }
}

/// `gen_ai.operation.name` where the conventions have one, our own name otherwise.
fn operation_name(op: Op) -> &'static str {
    match op {
        Op::Completion => "text_completion",
        Op::Embedding => "embeddings",
        other => other.name(),
    }
}
