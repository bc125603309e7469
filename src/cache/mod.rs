//! Answers kept and shared: exact match on tenant and canonical request,
//! bounded by bytes, and one vendor call for identical requests in flight.

use crate::types::{Mono, Op, TenantId, Usage};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// Whether and how long answers are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub enabled: bool,
    pub ttl: Duration,
}

/// What the caller asks for with `Cache-Control` and `x-cache-ttl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// `no-cache`: do not read
    pub no_read: bool,
    /// `no-store`: do not write
    pub no_write: bool,
    /// `max-age` / `x-cache-ttl` in seconds: on, and this long
    pub ttl: Option<Duration>,
    /// `only-if-cached`
    pub only_if_cached: bool,
}

impl Wish {
    pub fn read(_cache_control: Option<&str>, _ttl: Option<&str>) -> Self {
        todo!()
    }
}

/// SHA-256 of tenant, operation, model and canonical body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CacheKey(pub [u8; 32]);

impl CacheKey {
    /// Canonical: JSON objects by sorted key, numbers and strings by value; `user`,
    /// `metadata`, `stream_options` and such do not change the answer and are left out
    /// (documented list). `None` when the body is no JSON object.
    pub fn of(_tenant: &TenantId, _op: Op, _model: &str, _body: &[u8]) -> Option<Self> {
        todo!()
    }
}

/// Is this request deterministic enough? Documented rules: `temperature` > 0 without
/// `seed` is cached only when the key, model or request asks explicitly; `n` > 1 never; …
pub fn cacheable(_op: Op, _body: &[u8], _explicit: bool) -> bool {
    todo!()
}

/// An answer as it is replayed: head, and the chunks of the body (stream: whole events).
#[derive(Clone, Debug)]
pub struct Stored {
    pub status: u16,
    pub content_type: Arc<str>,
    pub stream: bool,
    pub chunks: Vec<Bytes>,
    pub usage: Usage,
    pub provider: Arc<str>,
    pub upstream_model: Arc<str>,
    pub stored_at: Mono,
    pub ttl: Duration,
}

/// The store: moka, weighed by bytes, expiry per entry.
pub struct Cache {
    _private: (),
}

impl Cache {
    pub fn new(_max_bytes: u64) -> Self {
        todo!()
    }
    /// `None` also when the entry is older than its TTL at `now`.
    pub fn get(&self, _key: &CacheKey, _now: Mono) -> Option<Arc<Stored>> {
        todo!()
    }
    pub fn put(&self, _key: CacheKey, _answer: Stored) {
        todo!()
    }
    pub fn bytes(&self) -> u64 {
        todo!()
    }
    pub fn entries(&self) -> u64 {
        todo!()
    }
    pub fn clear(&self) {
        todo!()
    }
}

/// Identical requests in flight.
pub struct Flights {
    _private: (),
}

/// The part a request has in a flight.
pub enum Part {
    /// The first: run the vendor call in a task of its own, writing into `Writer`; read from `Reader` like everybody.
    Lead(Writer, Reader),
    /// Another: read along from the first byte.
    Follow(Reader),
}

impl Flights {
    pub fn new(_max_bytes_per_flight: usize) -> Self {
        todo!()
    }
    /// Joins the flight of `key`, or starts it.
    pub fn join(&self, _key: CacheKey) -> Part {
        todo!()
    }
    pub fn len(&self) -> usize {
        todo!()
    }
    pub fn is_empty(&self) -> bool {
        todo!()
    }
}

/// The head of an answer, once.
#[derive(Clone, Debug)]
pub struct Head {
    pub status: u16,
    pub content_type: Arc<str>,
    pub stream: bool,
    pub provider: Arc<str>,
    pub upstream_model: Arc<str>,
    pub headers: Vec<(Arc<str>, Arc<str>)>,
}

/// What a reader gets, in order: head, chunks, then `End` or `Failed`.
#[derive(Clone, Debug)]
pub enum Piece {
    Head(Arc<Head>),
    Chunk(Bytes),
    End,
    Failed(crate::error::Failure),
}

/// Where the vendor call writes. Dropped without `finish`, readers get `Failed`.
pub struct Writer {
    _private: (),
}

impl Writer {
    pub fn head(&mut self, _head: Head) {
        todo!()
    }
    /// Waits while the flight's bound is reached and a live reader still needs the oldest bytes; a reader that lags a whole bound behind the fastest is cut.
    pub async fn chunk(&mut self, _bytes: Bytes) {
        todo!()
    }
    /// Completes when every reader has left: stop the vendor.
    pub async fn abandoned(&self) {
        todo!()
    }
    pub fn finish(self) {
        todo!()
    }
    pub fn fail(self, _failure: crate::error::Failure) {
        todo!()
    }
}

/// Where a request reads the shared answer from, at its own pace. Dropping it = leaving.
pub struct Reader {
    _private: (),
}

impl Reader {
    pub async fn next(&mut self) -> Piece {
        todo!()
    }
}
