//! May a credential be used now? Cool-downs, the breaker, re-checks of refused
//! credentials, latency and load.
//!
//! Three things keep a credential out, each with its own deadline, and the
//! latest of them counts:
//! - a **cool-down** after a 429, at the end of which it is simply ready;
//! - the **breaker**, open after so many faults in a row;
//! - a **rejection** (401, 403).
//!
//! After the last two, one probe at a time may go. Its success ends both; its
//! failure doubles the pause. Only probes decide that: an attempt that began
//! before the outage says nothing about its end, and ten attempts that fail
//! together are one outage and not ten.

use super::latency::PeakEwma;
use crate::types::Mono;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// When to ask again while a probe is under way. Nobody knows how long it takes.
const WHILE_PROBED: Duration = Duration::from_secs(1);

/// Knobs of health; the defaults are the documented ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthPolicy {
    /// Consecutive faults that open the breaker; 5. Zero counts as one.
    pub breaker_faults: u32,
    /// First pause after the breaker opened; 1 s. Doubles up to `max_pause`.
    pub base_pause: Duration,
    /// Longest pause of the breaker; 60 s.
    pub max_pause: Duration,
    /// Cool-down after a 429 that names no time; 5 s.
    pub default_cool_down: Duration,
    /// First re-check after a 401/403; 30 s. Doubles up to `max_recheck`.
    pub base_recheck: Duration,
    /// Longest time between re-checks; 15 min.
    pub max_recheck: Duration,
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self {
            breaker_faults: 5,
            base_pause: Duration::from_secs(1),
            max_pause: Duration::from_secs(60),
            default_cool_down: Duration::from_secs(5),
            base_recheck: Duration::from_secs(30),
            max_recheck: Duration::from_secs(15 * 60),
        }
    }
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

impl Fault {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Fault::RateLimited(_) => "throttled",
            Fault::Rejected => "refused the credential",
            Fault::Failed => "failed or could not be reached",
        }
    }
}

/// May a credential be used now?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Yes.
    Ready,
    /// The breaker is half open (or a re-check is due): one probe may go.
    Probe,
    /// Not before this time. While a probe is under way: a guess.
    Until(Mono),
}

/// A state name for metrics and the admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Usable.
    Ready,
    /// After a 429, until its time is over.
    CoolingDown,
    /// After a 401 or 403, until a re-check succeeds.
    Rejected,
    /// After too many faults in a row.
    Open,
    /// The breaker's pause is over; a probe decides.
    HalfOpen,
}

impl State {
    /// Every state, for gauges that show all of them.
    pub const ALL: [State; 5] =
        [State::Ready, State::CoolingDown, State::Rejected, State::Open, State::HalfOpen];

    /// Name in metrics and the admin API.
    pub fn name(self) -> &'static str {
        match self {
            State::Ready => "ready",
            State::CoolingDown => "cooling_down",
            State::Rejected => "rejected",
            State::Open => "open",
            State::HalfOpen => "half_open",
        }
    }
}

/// Live health of one credential, shared across reloads.
pub struct Health {
    policy: HealthPolicy,
    identity: u64,
    in_flight: AtomicU32,
    /// Nothing to remember: no cool-down, no outage, no faults counted. Lets a
    /// healthy credential be used without the lock. Written under the lock.
    quiet: AtomicBool,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    cool_until: Mono,
    faults: u32,
    breaker: Option<Outage>,
    rejection: Option<Outage>,
    probing: bool,
    latency: PeakEwma,
    /// The last fault and when it was; stays when all is well again.
    last: Option<(Fault, Mono)>,
}

/// Out until then; the pause that led there.
#[derive(Clone, Copy)]
struct Outage {
    until: Mono,
    pause: Duration,
}

/// The outages that a probe decides: those there were when it began. One that
/// came later needs a probe of its own.
#[derive(Clone, Copy, Default)]
struct Probe {
    breaker: bool,
    rejection: bool,
}

impl Outage {
    fn begins(pause: Duration, now: Mono) -> Self {
        Self { until: now.after(pause), pause }
    }

    fn doubled(self, most: Duration, now: Mono) -> Self {
        Self::begins(self.pause.saturating_mul(2).min(most), now)
    }
}

impl Health {
    /// A ready credential whose place in affinity hashing is its index.
    pub fn new(policy: HealthPolicy) -> Arc<Self> {
        Self::identified(policy, 0)
    }

    /// A ready credential with an identity (a hash of its id), so that affinity
    /// survives reloads that add, remove or reorder credentials. 0 = none.
    pub fn identified(policy: HealthPolicy, identity: u64) -> Arc<Self> {
        Arc::new(Self {
            policy,
            identity,
            in_flight: AtomicU32::new(0),
            quiet: AtomicBool::new(true),
            memory: Mutex::default(),
        })
    }

    pub(super) fn identity(&self) -> u64 {
        self.identity
    }

    /// May it be used now?
    pub fn standing(&self, now: Mono) -> Standing {
        if self.quiet.load(Ordering::Acquire) {
            return Standing::Ready;
        }
        self.memory.lock().standing(now)
    }

    /// The state's name for people. Of several it is the one hardest to leave.
    pub fn state(&self, now: Mono) -> State {
        let memory = self.memory.lock();
        match memory.breaker {
            _ if memory.rejection.is_some() => State::Rejected,
            Some(breaker) if now < breaker.until => State::Open,
            _ if now < memory.cool_until => State::CoolingDown,
            Some(_) => State::HalfOpen,
            None => State::Ready,
        }
    }

    /// The last fault, and how long ago it was. It may be over.
    pub fn last_fault(&self, now: Mono) -> Option<(Fault, Duration)> {
        self.memory.lock().last.map(|(fault, at)| (fault, now.since(at)))
    }

    /// Attempts under way.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Peak-EWMA of the time to the first byte; fades while there is no news.
    pub fn latency(&self, now: Mono) -> Option<Duration> {
        self.memory.lock().latency.get(now)
    }

    /// Takes a place; `None` when not usable now or the single probe is taken.
    pub fn begin(self: &Arc<Self>, now: Mono) -> Option<Attempt> {
        let probe = match self.quiet.load(Ordering::Acquire) {
            true => None,
            false => self.begin_with_memory(now)?,
        };
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Some(Attempt { health: Arc::clone(self), began: now, probe, answered: false })
    }

    /// Is it to be a probe, and of what? `None`: not usable.
    fn begin_with_memory(&self, now: Mono) -> Option<Option<Probe>> {
        let mut memory = self.memory.lock();
        match memory.standing(now) {
            Standing::Until(_) => None,
            Standing::Ready => {
                self.quiet.store(memory.faults == 0, Ordering::Release);
                Some(None)
            }
            Standing::Probe => {
                memory.probing = true;
                Some(Some(Probe { breaker: memory.breaker.is_some(), rejection: memory.rejection.is_some() }))
            }
        }
    }
}

impl Memory {
    fn standing(&self, now: Mono) -> Standing {
        let outages = [self.breaker, self.rejection];
        let until = outages.iter().flatten().fold(self.cool_until, |latest, outage| latest.max(outage.until));
        if now < until {
            return Standing::Until(until);
        }
        match (outages.iter().all(Option::is_none), self.probing) {
            (true, _) => Standing::Ready,
            (false, false) => Standing::Probe,
            (false, true) => Standing::Until(now.after(WHILE_PROBED)),
        }
    }

    fn succeeded(&mut self, probe: Probe) {
        if probe.breaker {
            self.breaker = None;
        }
        if probe.rejection {
            self.rejection = None;
        }
        if self.breaker.is_none() {
            self.faults = 0;
        }
    }

    fn rejected(&mut self, probe: Probe, policy: &HealthPolicy, now: Mono) {
        self.rejection = match self.rejection {
            None => Some(Outage::begins(policy.base_recheck, now)),
            Some(rejection) if probe.rejection => Some(rejection.doubled(policy.max_recheck, now)),
            known => known,
        };
    }

    fn failed(&mut self, probe: Probe, policy: &HealthPolicy, now: Mono) {
        self.faults = self.faults.saturating_add(1);
        self.breaker = match self.breaker {
            Some(breaker) if probe.breaker => Some(breaker.doubled(policy.max_pause, now)),
            None if self.faults >= policy.breaker_faults => Some(Outage::begins(policy.base_pause, now)),
            known => known,
        };
        // A re-check that got no answer is due again later, not more rarely.
        if let Some(rejection) = self.rejection.as_mut().filter(|_| probe.rejection) {
            *rejection = Outage::begins(rejection.pause, now);
        }
    }
}

/// One use of a credential. Dropped without a verdict it changes no health
/// (the caller went away) and only gives its place (and probe) back.
#[must_use]
pub struct Attempt {
    health: Arc<Health>,
    began: Mono,
    probe: Option<Probe>,
    answered: bool,
}

impl Attempt {
    /// Does this attempt decide whether its credential comes back?
    pub fn is_probe(&self) -> bool {
        self.probe.is_some()
    }

    /// The first byte of an answer arrived. Called at most once, and not for an
    /// answer that will be a [`Fault`]: a quick refusal is no low latency.
    pub fn first_byte(&mut self, now: Mono) {
        if !self.answered {
            self.answered = true;
            self.health.memory.lock().latency.observe(now.since(self.began), now);
        }
    }

    /// The vendor took the request: a success as far as health goes, although
    /// the answer may go on for minutes. Called when the header says so, at most
    /// once; without it a streaming probe keeps its credential from all others
    /// until it ends. A later fault counts like any other.
    pub fn accepted(&mut self) {
        self.recover();
        if self.probe.take().is_some() {
            self.health.memory.lock().probing = false;
        }
    }

    /// The attempt went well to the end.
    pub fn succeed(self, _now: Mono) {
        self.recover();
    }

    /// The attempt ended in a fault. A cool-down never shortens an earlier one.
    pub fn fail(self, fault: Fault, now: Mono) {
        let (policy, probe) = (&self.health.policy, self.probe.unwrap_or_default());
        let mut memory = self.health.memory.lock();
        self.health.quiet.store(false, Ordering::Release);
        memory.last = Some((fault, now));
        match fault {
            Fault::RateLimited(wait) => {
                let until = now.after(wait.unwrap_or(policy.default_cool_down));
                memory.cool_until = memory.cool_until.max(until);
            }
            Fault::Rejected => memory.rejected(probe, policy, now),
            Fault::Failed => {
                memory.failed(probe, policy, now);
                if !self.answered {
                    memory.latency.observe_at_least(now.since(self.began), now);
                }
            }
        }
    }

    /// A success ends an outage only as its probe; otherwise it ends the row of
    /// faults that has not become an outage yet.
    fn recover(&self) {
        if self.health.quiet.load(Ordering::Acquire) {
            return;
        }
        self.health.memory.lock().succeeded(self.probe.unwrap_or_default());
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.probe.is_some() {
            self.health.memory.lock().probing = false;
        }
        self.health.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
