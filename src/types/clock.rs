//! Time as a value. Decisions take [`Mono`] and [`Wall`] as arguments, so that
//! tests and the simulation own the clock.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Monotonic time in nanoseconds since the process started. Never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

impl Mono {
    /// The time `duration` later, saturating.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Wall-clock time in microseconds since the Unix epoch, UTC. May jump.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Wall(pub i64);

impl Wall {
    /// Whole seconds since the epoch, rounded towards the past.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The time `duration` later, saturating.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// Where the time comes from: the machine, or a test.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    Machine(Instant),
    Test(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's clock; `Mono` counts from this call.
    pub fn machine() -> Self {
        Self(Source::Machine(Instant::now()))
    }

    /// A clock that stands still until [`Clock::advance`] moves it. Its wall
    /// clock starts at 2026-01-01T00:00:00Z.
    pub fn test() -> Self {
        Self(Source::Test(Arc::new(AtomicU64::new(0))))
    }

    /// Monotonic now.
    pub fn mono(&self) -> Mono {
        match &self.0 {
            Source::Machine(start) => Mono(nanos(start.elapsed())),
            Source::Test(time) => Mono(time.load(Ordering::SeqCst)),
        }
    }

    /// Wall-clock now.
    pub fn wall(&self) -> Wall {
        const TEST_EPOCH_MICROS: i64 = 1_767_225_600_000_000;
        match &self.0 {
            Source::Machine(_) => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Wall(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Source::Test(time) => {
                let micros = time.load(Ordering::SeqCst) / 1_000;
                Wall(TEST_EPOCH_MICROS.saturating_add(i64::try_from(micros).unwrap_or(i64::MAX)))
            }
        }
    }

    /// Moves a test clock forward; does nothing to the machine's.
    pub fn advance(&self, duration: Duration) {
        if let Source::Test(time) = &self.0 {
            time.fetch_add(nanos(duration), Ordering::SeqCst);
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_clock_moves_only_when_told() {
        let clock = Clock::test();
        let before = clock.mono();
        assert_eq!(clock.mono(), before);
        clock.advance(Duration::from_secs(2));
        assert_eq!(clock.mono().since(before), Duration::from_secs(2));
        assert_eq!(clock.wall().seconds(), 1_767_225_602);
    }
}
