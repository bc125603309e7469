//! Peak-EWMA: a moving average that jumps up at once and comes down slowly.

use crate::types::Mono;
use std::time::Duration;

/// After this long without news, 1/e of the old value is left. Old news fades
/// towards zero, so that a credential that was slow is tried again.
const MEMORY: Duration = Duration::from_secs(10);

/// A latency as it is remembered; `None` until something was observed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PeakEwma(Option<Observed>);

#[derive(Clone, Copy, Debug)]
struct Observed {
    seconds: f64,
    at: Mono,
}

impl PeakEwma {
    pub(super) fn observe(&mut self, latency: Duration, now: Mono) {
        let new = latency.as_secs_f64();
        let seconds = match self.0 {
            Some(old) if new < old.seconds => {
                let kept = old.kept(now);
                old.seconds * kept + new * (1.0 - kept)
            }
            _ => new,
        };
        self.0 = Some(Observed { seconds, at: now });
    }

    /// Something took at least so long and then failed: may raise, never lower.
    pub(super) fn observe_at_least(&mut self, latency: Duration, now: Mono) {
        if self.get(now).is_none_or(|known| known < latency) {
            self.observe(latency, now);
        }
    }

    pub(super) fn get(&self, now: Mono) -> Option<Duration> {
        self.0.map(|old| Duration::try_from_secs_f64(old.seconds * old.kept(now)).unwrap_or_default())
    }
}

impl Observed {
    fn kept(&self, now: Mono) -> f64 {
        (-now.since(self.at).as_secs_f64() / MEMORY.as_secs_f64()).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Mono {
        Mono(millis * 1_000_000)
    }

    fn millis(latency: PeakEwma, now: Mono) -> u128 {
        latency.get(now).unwrap().as_millis()
    }

    #[test]
    fn a_peak_counts_at_once_and_fades_slowly() {
        let mut latency = PeakEwma::default();
        assert_eq!(latency.get(at(0)), None);
        latency.observe(Duration::from_millis(100), at(0));
        latency.observe(Duration::from_millis(900), at(1));
        assert_eq!(millis(latency, at(1)), 900);
        latency.observe(Duration::from_millis(100), at(101));
        assert!((880..900).contains(&millis(latency, at(101))));
        assert_eq!(millis(latency, at(10_101)) * 2, 656, "1/e after ten seconds: 328 of 892");
        assert_eq!(millis(latency, at(1_000_000)), 0);
    }

    #[test]
    fn a_failure_may_raise_the_estimate_and_never_lowers_it() {
        let mut latency = PeakEwma::default();
        latency.observe(Duration::from_millis(500), at(0));
        latency.observe_at_least(Duration::from_millis(1), at(0));
        assert_eq!(millis(latency, at(0)), 500);
        latency.observe_at_least(Duration::from_secs(30), at(0));
        assert_eq!(millis(latency, at(0)), 30_000);
    }

    #[test]
    fn time_that_seems_to_go_back_does_no_harm() {
        let mut latency = PeakEwma::default();
        latency.observe(Duration::MAX, at(1_000));
        assert!(latency.get(at(0)).is_some());
        latency.observe(Duration::ZERO, at(0));
        assert!(latency.get(Mono(u64::MAX)).is_some());
    }
}
