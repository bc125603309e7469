//! Which credential of which target next: health, weights, latency, affinity,
//! back-off. Decisions only; the attempt itself is `proxy/exchange`.

use crate::types::Mono;
use std::sync::Arc;
use std::time::Duration;

/// How a provider's credentials are chosen among those that are ready.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Smooth weighted round-robin.
    #[default]
    RoundRobin,
    /// Power of two choices by peak-EWMA latency × (in flight + 1) ÷ weight.
    Latency,
}

/// Knobs of health; the defaults are the documented ones.
#[derive(Clone, Copy, Debug)]
pub struct HealthPolicy {
    /// Consecutive faults that open the breaker.
    pub breaker_faults: u32,
    /// First pause after the breaker opened; doubles up to `max_pause`.
    pub base_pause: Duration,
    pub max_pause: Duration,
    /// Cool-down after a 429 that names no time.
    pub default_cool_down: Duration,
    /// First re-check after a 401/403; doubles up to `max_recheck`.
    pub base_recheck: Duration,
    pub max_recheck: Duration,
}

/// What happened to an attempt, as far as the credential's health goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429, with the vendor's own wait if it named one.
    RateLimited(Option<Duration>),
    /// 401 or 403.
    Rejected,
    /// 5xx, timeout, refused or cut connection.
    Failed,
}

/// May a credential be used now?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Ready,
    /// The breaker is half open (or a re-check is due): one probe may go.
    Probe,
    /// Not before this time.
    Until(Mono),
}

/// A state name for metrics and the admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Ready,
    CoolingDown,
    Rejected,
    Open,
    HalfOpen,
}

/// Live health of one credential; atomics, shared across reloads.
pub struct Health {
    _private: (),
}

impl Health {
    pub fn new(_policy: HealthPolicy) -> Arc<Self> {
        todo!()
    }
    pub fn standing(&self, _now: Mono) -> Standing {
        todo!()
    }
    pub fn state(&self, _now: Mono) -> State {
        todo!()
    }
    pub fn in_flight(&self) -> u32 {
        todo!()
    }
    /// Peak-EWMA of the time to the first byte.
    pub fn latency(&self, _now: Mono) -> Option<Duration> {
        todo!()
    }
    /// Takes a place; `None` when not usable now or the single probe is taken.
    pub fn begin(self: &Arc<Self>, _now: Mono) -> Option<Attempt> {
        todo!()
    }
}

/// One use of a credential. Dropped without a verdict it changes no health
/// (the caller went away) and only gives its place (and probe) back.
#[must_use]
pub struct Attempt {
    _health: Arc<Health>,
}

impl Attempt {
    /// The first byte of an answer arrived.
    pub fn first_byte(&mut self, _now: Mono) {
        todo!()
    }
    pub fn succeed(self, _now: Mono) {
        todo!()
    }
    pub fn fail(self, _fault: Fault, _now: Mono) {
        todo!()
    }
}

/// One choice.
pub struct Candidate<'a> {
    pub weight: u32,
    pub health: &'a Arc<Health>,
}

/// The memory of smooth weighted round-robin for one provider.
pub struct Picker {
    _private: (),
}

impl Picker {
    pub fn new() -> Self {
        todo!()
    }
    /// Picks among candidates that can be used now and are not excluded and
    /// takes the attempt. `affinity`: rendezvous hashing, used when that
    /// candidate is ready. `draw` is a random number. On `Err`, the earliest
    /// time at which one will be ready, if any.
    pub fn pick(
        &self,
        _candidates: &[Candidate<'_>],
        _excluded: &[bool],
        _strategy: Strategy,
        _affinity: Option<u64>,
        _draw: u64,
        _now: Mono,
    ) -> Result<(usize, Attempt), Option<Mono>> {
        todo!()
    }
}

/// A weighted order of targets, each once: `draw` seeds it. Weight 0 goes last.
pub fn order(_weights: &[u32], _draw: u64) -> Vec<usize> {
    todo!()
}

/// Full-jitter exponential back-off before retry number `retry` (from 1).
pub fn back_off(_base: Duration, _max: Duration, _retry: u32, _draw: u64) -> Duration {
    todo!()
}
