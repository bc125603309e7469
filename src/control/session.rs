//! Sessions of people, and the patience with those who guess.

use super::Moment;
use crate::types::Wall;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A session ends after this long without a request.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// And after this long in any case.
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);

/// Somebody is signed in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Names it to people; not what the cookie holds.
    pub id: Arc<str>,
    /// Id of the user.
    pub user: Arc<str>,
    /// Since when.
    pub since: Moment,
    /// When it was used last, as far as it was written down.
    pub seen: Moment,
    /// From which address it was begun.
    pub address: Option<String>,
    /// By which program.
    pub agent: String,
}

impl Session {
    /// Is it over?
    pub fn is_over(&self, now: Wall) -> bool {
        now >= self.since.0.after(LONGEST) || now >= self.seen.0.after(IDLE)
    }
}

/// Failures before one has to wait, for one account or address.
const FREE: u32 = 5;
/// The first wait; it doubles with each further failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// Failures are forgotten after this long.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// So many accounts and addresses are remembered.
const MOST: usize = 10_000;

/// Slows down who guesses passwords. Time is an argument.
#[derive(Default)]
pub struct Throttle {
    failures: HashMap<String, (u32, Wall)>,
}

impl Throttle {
    /// How long this one has to wait still.
    pub fn wait(&self, who: &str, now: Wall) -> Option<Duration> {
        let (count, last) = self.failures.get(who)?;
        let doublings = count.checked_sub(FREE)?;
        let wait = FIRST_WAIT.saturating_mul(1 << doublings.min(20)).min(LONGEST_WAIT);
        let left = last.after(wait).0.saturating_sub(now.0);
        u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_micros)
    }

    /// It failed.
    pub fn failed(&mut self, who: &str, now: Wall) {
        if self.failures.len() >= MOST {
            self.failures.retain(|_, (_, last)| last.after(MEMORY) > now);
        }
        if self.failures.len() >= MOST && !self.failures.contains_key(who) {
            // Full of fresh failures: whoever is remembered stays slowed down.
            return;
        }
        let entry = self.failures.entry(who.to_owned()).or_insert((0, now));
        let fresh = entry.1.after(MEMORY) > now;
        *entry = (if fresh { entry.0.saturating_add(1) } else { 1 }, now);
    }

    /// It succeeded.
    pub fn succeeded(&mut self, who: &str) {
        self.failures.remove(who);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Wall {
        Wall(seconds * 1_000_000)
    }

    #[test]
    fn who_guesses_waits_longer_each_time_and_who_knows_does_not() {
        let mut throttle = Throttle::default();
        for _ in 0..4 {
            throttle.failed("ann", at(0));
            assert_eq!(throttle.wait("ann", at(0)), None);
        }
        throttle.failed("ann", at(0));
        assert_eq!(throttle.wait("ann", at(0)), Some(Duration::from_secs(1)));
        throttle.failed("ann", at(1));
        assert_eq!(throttle.wait("ann", at(1)), Some(Duration::from_secs(2)));
        assert_eq!(throttle.wait("ann", at(3)), None);
        for _ in 0..60 {
            throttle.failed("ann", at(3));
        }
        assert_eq!(throttle.wait("ann", at(3)), Some(LONGEST_WAIT));
        assert_eq!(throttle.wait("bob", at(3)), None);
        throttle.succeeded("ann");
        assert_eq!(throttle.wait("ann", at(3)), None);
    }

    #[test]
    fn a_session_ends_when_it_is_not_used_and_when_it_is_old() {
        let mut session = Session {
            id: "s".into(),
            user: "u".into(),
            since: Moment(at(0)),
            seen: Moment(at(0)),
            address: None,
            agent: String::new(),
        };
        assert!(!session.is_over(at(3_599)) && session.is_over(at(3_600)));
        session.seen = Moment(at(43_000));
        assert!(!session.is_over(at(43_199)) && session.is_over(at(43_200)));
    }
}
