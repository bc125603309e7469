//! The last minute of a key: requests and tokens, counted by second.
//!
//! What was admitted in a second leaves when 60 whole seconds have passed since
//! that second ended. So in any 60 seconds, wherever they begin, no more than
//! the limit is admitted, and room comes back up to one second late. Time never
//! goes back here: a request that took its `now` before another but got in
//! after it counts as of the other's second.

use super::{Limits, Standing, Window};
use crate::types::Mono;
use std::collections::VecDeque;
use std::time::Duration;

const SECOND_NANOS: u64 = 1_000_000_000;
/// Seconds after its own that a bucket still counts.
const WINDOW_SECONDS: u32 = 60;

/// Only seconds in which something was admitted have a bucket, so that an idle
/// key costs no memory and a busy one a kilobyte.
#[derive(Clone, Default)]
pub(super) struct MinuteWindow {
    buckets: VecDeque<Bucket>,
    second: u32,
    requests: u64,
    tokens: u64,
}

#[derive(Clone, Copy)]
struct Bucket {
    second: u32,
    requests: u32,
    tokens: u64,
}

/// Where a request was counted, and with how many tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    second: u32,
    tokens: u64,
}

/// How long until there is room. `Never`: more is asked than the limit.
pub(super) enum Wait {
    For(Duration),
    Never,
}

impl MinuteWindow {
    /// Lets go of what has left the window.
    pub(super) fn advance(&mut self, now: Mono) {
        let second = u32::try_from(now.0 / SECOND_NANOS).unwrap_or(u32::MAX);
        self.second = self.second.max(second);
        while let Some(oldest) = self.buckets.front() {
            if oldest.second.saturating_add(WINDOW_SECONDS) >= self.second {
                break;
            }
            self.requests = self.requests.saturating_sub(u64::from(oldest.requests));
            self.tokens = self.tokens.saturating_sub(oldest.tokens);
            self.buckets.pop_front();
        }
    }

    /// `None` when one more request fits.
    pub(super) fn requests_wait(&self, limit: Option<u64>, now: Mono) -> Option<Wait> {
        self.wait(self.requests, 1, limit?, |bucket| u64::from(bucket.requests), now)
    }

    /// `None` when so many tokens fit.
    pub(super) fn tokens_wait(&self, ask: u64, limit: Option<u64>, now: Mono) -> Option<Wait> {
        let limit = limit?;
        self.wait(self.tokens, clamp(ask, limit), limit, |bucket| bucket.tokens, now)
    }

    fn wait(&self, counted: u64, ask: u64, limit: u64, of: fn(&Bucket) -> u64, now: Mono) -> Option<Wait> {
        let Some(bearable) = limit.checked_sub(ask) else { return Some(Wait::Never) };
        if counted <= bearable {
            return None;
        }
        let mut left = counted;
        for bucket in &self.buckets {
            left = left.saturating_sub(of(bucket));
            if left <= bearable {
                return Some(Wait::For(bucket.leaves_in(now)));
            }
        }
        debug_assert!(false, "the buckets add up to what is counted");
        Some(Wait::Never)
    }

    /// Counts a request, if a limit asks for it. Call [`Self::advance`] before.
    pub(super) fn take(&mut self, limits: &Limits, ask: u64) -> Option<Place> {
        if limits.requests_per_minute.is_none() && limits.tokens_per_minute.is_none() {
            return None;
        }
        let place = Place {
            second: self.second,
            tokens: limits.tokens_per_minute.map_or(ask, |limit| clamp(ask, limit)),
        };
        if self.buckets.back().is_none_or(|newest| newest.second != place.second) {
            self.buckets.push_back(Bucket { second: place.second, requests: 0, tokens: 0 });
        }
        if let Some(newest) = self.buckets.back_mut() {
            newest.requests += 1;
            newest.tokens += place.tokens;
            self.requests += 1;
            self.tokens += place.tokens;
        }
        Some(place)
    }

    /// Replaces what was held by what was used, unless it has left already.
    pub(super) fn correct(&mut self, place: Place, used: u64) {
        let Ok(at) = self.buckets.binary_search_by_key(&place.second, |bucket| bucket.second) else { return };
        if let Some(bucket) = self.buckets.get_mut(at) {
            bucket.tokens = bucket.tokens.saturating_sub(place.tokens).saturating_add(used);
            self.tokens = self.tokens.saturating_sub(place.tokens).saturating_add(used);
        }
    }

    pub(super) fn standing(&self, limits: &Limits, now: Mono) -> Standing {
        let window = |limit: u64, counted: u64, newest: Option<&Bucket>| Window {
            limit,
            remaining: limit.saturating_sub(counted),
            reset: newest.map_or(Duration::ZERO, |bucket| bucket.leaves_in(now)),
        };
        Standing {
            requests: limits
                .requests_per_minute
                .map(|limit| window(limit, self.requests, self.buckets.back())),
            tokens: limits.tokens_per_minute.map(|limit| {
                let newest = self.buckets.iter().rev().find(|bucket| bucket.tokens > 0);
                window(limit, self.tokens, newest)
            }),
        }
    }
}

impl Bucket {
    fn leaves_in(&self, now: Mono) -> Duration {
        let gone = u64::from(self.second) + u64::from(WINDOW_SECONDS) + 1;
        Mono(gone.saturating_mul(SECOND_NANOS)).since(now)
    }
}

/// A request that asks for more than the limit counts as the whole limit, so
/// that it can run, alone. A limit of zero lets nothing run.
fn clamp(ask: u64, limit: u64) -> u64 {
    if limit == 0 { ask } else { ask.min(limit) }
}
