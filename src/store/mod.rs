//! Disk: the journal, keys and counters in sled, owned by one writer thread.
//! The only module that knows sled.

use crate::access::Key;
use crate::ledger::{Intent, Settlement};
use crate::limit::{Limits, Spent};
use crate::types::{Clock, KeyId};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How the journal is written.
#[derive(Clone, Debug)]
pub struct Options {
    pub queue: usize,
    pub flush_interval: Duration,
    pub flush_entries: usize,
    pub cache_bytes: u64,
}

/// Why the store cannot be used; the text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store in {0} is in use by another process")]
    Locked(String),
    #[error("{0}")]
    Damaged(String),
    #[error("cannot write: {0}")]
    Write(String),
}

/// The embedded store. Cheap to clone; the writer thread ends with `close`.
#[derive(Clone)]
pub struct Store {
    _private: Arc<()>,
}

/// Numbers for the metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    pub queue: u64,
    pub open_intents: u64,
    pub appended: u64,
    pub settled: u64,
    pub recovered: u64,
    pub errors: u64,
    pub disk_bytes: u64,
}

/// A key as it is stored: never the secret.
#[derive(Clone)]
pub struct StoredKey {
    pub key: Key,
    pub limits: Limits,
    pub created_at: crate::types::Wall,
}

impl Store {
    /// Opens with recovery: corrupt snapshots are set aside, open intents are closed as `recovered`
    /// (usage estimated by rule, see `ledger`), counters are restored. `on_flush(took, entries)` is called after each group commit.
    pub fn open(
        _dir: &Path,
        _options: Options,
        _clock: Clock,
        _on_flush: Box<dyn Fn(Duration, usize) + Send>,
    ) -> Result<Self, StoreError> {
        todo!()
    }
    /// Queues an intent. Waits only for room in the queue.
    pub async fn intend(&self, _intent: Intent) -> Result<(), StoreError> {
        todo!()
    }
    /// The same, and waits until it is on disk (`ledger.strict`).
    pub async fn intend_durably(&self, _intent: Intent) -> Result<(), StoreError> {
        todo!()
    }
    /// Queues a settlement; waits for room, never drops.
    pub async fn settle(&self, _settlement: Settlement) -> Result<(), StoreError> {
        todo!()
    }
    /// Waits until all that was queued before is on disk.
    pub async fn flush(&self) -> Result<(), StoreError> {
        todo!()
    }
    /// Is the journal writable?
    pub fn healthy(&self) -> bool {
        todo!()
    }
    pub fn stats(&self) -> Stats {
        todo!()
    }
    /// What each key spent in the running day and month.
    pub fn spent(&self) -> HashMap<KeyId, Spent> {
        todo!()
    }
    pub fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        todo!()
    }
    pub fn put_key(&self, _key: &StoredKey) -> Result<(), StoreError> {
        todo!()
    }
    /// Small values of the hub itself (the pepper), by name.
    pub fn meta(&self, _name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        todo!()
    }
    pub fn put_meta(&self, _name: &str, _value: &[u8]) -> Result<(), StoreError> {
        todo!()
    }
    /// Flushes, stops the writer and gives the lock back.
    pub fn close(&self) {
        todo!()
    }
}
