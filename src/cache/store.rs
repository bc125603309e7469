//! The store: moka, weighed by bytes, expiry per entry.

use super::CacheKey;
use crate::types::{Mono, Usage};
use bytes::Bytes;
use moka::Expiry;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What an entry costs besides its text: key, pointers, and moka's own books.
const ENTRY_OVERHEAD_BYTES: usize = 512;

/// What a chunk costs besides its bytes: the handle, and the allocation behind it.
const CHUNK_OVERHEAD_BYTES: usize = 64;

/// An answer as it is replayed: head, and the chunks of the body (stream: whole events).
#[derive(Clone, Debug)]
pub struct Stored {
    /// The HTTP status; only 200 is ever stored.
    pub status: u16,
    /// The `content-type` of the answer.
    pub content_type: Arc<str>,
    /// Is it replayed as a stream?
    pub stream: bool,
    /// The body in order.
    pub chunks: Vec<Bytes>,
    /// What the vendor call used, for the statistics of what was saved.
    pub usage: Usage,
    /// The provider that answered.
    pub provider: Arc<str>,
    /// The model that answered, by the vendor's name.
    pub upstream_model: Arc<str>,
    /// When it was stored.
    pub stored_at: Mono,
    /// How long it is kept.
    pub ttl: Duration,
}

impl Stored {
    /// Has its time passed at `now`?
    pub fn is_expired(&self, now: Mono) -> bool {
        now.since(self.stored_at) >= self.ttl
    }

    /// What it takes in memory, estimated.
    pub fn bytes(&self) -> usize {
        let text = self.content_type.len() + self.provider.len() + self.upstream_model.len();
        let chunks: usize = self.chunks.iter().map(|chunk| chunk.len() + CHUNK_OVERHEAD_BYTES).sum();
        ENTRY_OVERHEAD_BYTES + text + chunks
    }
}

/// Whole answers by [`CacheKey`], bounded by bytes. When it is full, what is
/// asked for least gives way; a newcomer that nobody asked for before may be
/// what gives way.
pub struct Cache {
    answers: moka::sync::Cache<CacheKey, Arc<Stored>, ahash::RandomState>,
    max_bytes: u64,
}

impl Cache {
    /// A store of at most `max_bytes`, overhead included.
    pub fn new(max_bytes: u64) -> Self {
        let answers = moka::sync::Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|_, answer: &Arc<Stored>| u32::try_from(answer.bytes()).unwrap_or(u32::MAX))
            .expire_after(ByTtl)
            .build_with_hasher(ahash::RandomState::new());
        Self { answers, max_bytes }
    }

    /// `None` also when the entry is older than its TTL at `now`.
    pub fn get(&self, key: &CacheKey, now: Mono) -> Option<Arc<Stored>> {
        self.answers.get(key).filter(|answer| !answer.is_expired(now))
    }

    /// Keeps an answer and replaces what was there. An answer that may not be
    /// stored (status other than 200, no time to live, larger than the whole
    /// store or than 4 GiB) is dropped; what was there before stays.
    pub fn put(&self, key: CacheKey, answer: Stored) {
        let fits = answer.bytes() as u64 <= self.max_bytes && u32::try_from(answer.bytes()).is_ok();
        if answer.status == 200 && !answer.ttl.is_zero() && fits {
            self.answers.insert(key, Arc::new(answer));
        }
    }

    /// What the entries weigh. Catches up on moka's housekeeping first, so for metrics and not for every request.
    pub fn bytes(&self) -> u64 {
        self.answers.run_pending_tasks();
        self.answers.weighted_size()
    }

    /// How many entries there are. As costly as [`Cache::bytes`].
    pub fn entries(&self) -> u64 {
        self.answers.run_pending_tasks();
        self.answers.entry_count()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.answers.invalidate_all();
    }
}

/// The safety net that frees memory. `get` decides by the caller's clock.
struct ByTtl;

impl Expiry<CacheKey, Arc<Stored>> for ByTtl {
    fn expire_after_create(&self, _: &CacheKey, answer: &Arc<Stored>, _: Instant) -> Option<Duration> {
        Some(answer.ttl)
    }

    // By default moka would let a replaced entry inherit the time that was left.
    fn expire_after_update(
        &self,
        _: &CacheKey,
        answer: &Arc<Stored>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(answer.ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(bytes: usize, ttl_seconds: u64) -> Stored {
        Stored {
            status: 200,
            content_type: "application/json".into(),
            stream: false,
            chunks: vec![Bytes::from(vec![b'x'; bytes])],
            usage: Usage::default(),
            provider: "p".into(),
            upstream_model: "m".into(),
            stored_at: Mono(0),
            ttl: Duration::from_secs(ttl_seconds),
        }
    }

    fn key(n: u8) -> CacheKey {
        CacheKey([n; 32])
    }

    fn at(seconds: u64) -> Mono {
        Mono(0).after(Duration::from_secs(seconds))
    }

    #[test]
    fn an_entry_ends_exactly_with_its_ttl() {
        let cache = Cache::new(1 << 20);
        cache.put(key(1), answer(10, 60));
        let just_before = Mono(at(60).0 - 1);
        assert!(cache.get(&key(1), just_before).is_some());
        assert!(cache.get(&key(1), at(60)).is_none());
        assert!(cache.get(&key(2), at(0)).is_none());
    }

    #[test]
    fn a_replaced_entry_has_its_own_time() {
        let cache = Cache::new(1 << 20);
        cache.put(key(1), answer(10, 60));
        cache.put(key(1), Stored { stored_at: at(50), ..answer(20, 60) });
        assert_eq!(cache.get(&key(1), at(100)).unwrap().chunks[0].len(), 20);
        assert_eq!(cache.entries(), 1);
    }

    #[test]
    fn what_may_not_be_stored_is_not_and_leaves_the_old_entry() {
        let cache = Cache::new(4096);
        cache.put(key(1), answer(10, 60));
        cache.put(key(1), Stored { status: 206, ..answer(10, 60) });
        cache.put(key(1), answer(10, 0));
        cache.put(key(1), answer(5000, 60));
        assert_eq!(cache.get(&key(1), at(0)).unwrap().chunks[0].len(), 10);
    }

    #[test]
    fn the_bound_is_in_bytes_with_overhead() {
        let cache = Cache::new(64 * 1024);
        for n in 0..=255 {
            cache.put(key(n), answer(1000, 60));
            assert!(cache.bytes() <= 64 * 1024);
        }
        let each = answer(1000, 60).bytes() as u64;
        assert!(each > 1000);
        assert_eq!(cache.bytes(), cache.entries() * each);
        assert!(cache.entries() > 0);
        cache.clear();
        assert_eq!((cache.entries(), cache.bytes()), (0, 0));
    }
}
