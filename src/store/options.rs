//! What the store is told, what it tells, and why it may refuse.

use std::time::Duration;

/// How the journal is written.
#[derive(Clone, Debug)]
pub struct Options {
    /// So many entries may wait for the disk; then callers wait.
    pub queue: usize,
    /// An entry waits at most this long for others to join its group.
    pub flush_interval: Duration,
    /// So many entries are written without waiting for more.
    pub flush_entries: usize,
    /// Page cache of sled.
    pub cache_bytes: u64,
}

/// Which old records may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Up to the running month, whose records prove what budgets count.
    PastMonths,
    /// The running month too. What keys have spent stays known, but can no
    /// longer be proved, or restored should the state be lost.
    RunningMonth,
}

/// Why the store cannot be used; the text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the books open. There is one writer, ever.
    #[error("the store in {0} is in use by another process")]
    Locked(String),
    /// The books cannot be read. The text says where they are and how to go on.
    #[error("{0}")]
    Damaged(String),
    /// The disk refuses, or the store is closed.
    #[error("cannot write: {0}")]
    Write(String),
}

/// Numbers for the metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Entries that are queued and not yet on disk.
    pub queue: u64,
    /// Intents without a settlement.
    pub open_intents: u64,
    /// Records written, intents and settlements.
    pub appended: u64,
    /// Settlements written.
    pub settled: u64,
    /// Settlements that recovery wrote.
    pub recovered: u64,
    /// Second settlements of one request, which were ignored.
    pub duplicates: u64,
    /// Failed attempts to write.
    pub errors: u64,
    /// Size of the books on disk.
    pub disk_bytes: u64,
}

/// What only tests and benchmarks have a reason to change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tuning {
    /// First and longest wait between attempts to write after an error.
    pub back_off: (Duration, Duration),
    /// How many attempts `close` makes on a disk that refuses.
    pub attempts_at_close: u32,
    /// The projection is written after so many records. It bounds how much
    /// of the journal is read at the next start.
    pub checkpoint_records: u64,
    /// A group of more bytes is split. sled keeps up to 17 values in a node and
    /// writes a node of more than 128 KiB to a file of its own, which costs a
    /// second sync and may be left behind by a crash.
    pub batch_bytes: usize,
}

impl Tuning {
    pub(super) const DEFAULT: Self = Self {
        back_off: (Duration::from_millis(20), Duration::from_secs(2)),
        attempts_at_close: 5,
        checkpoint_records: 50_000,
        batch_bytes: 6 << 10,
    };
}
