//! What the books need of a disk. sled is the one implementation that ships;
//! the tests have one that fails at any call.

use std::ops::ControlFlow;

/// Why a disk refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum DiskError {
    /// May go away: no space, no device, a lock that is still held.
    #[error("{0}")]
    Io(String),
    /// Will not go away by itself.
    #[error("{0}")]
    Corrupt(String),
}

/// A batch of the journal, sealed.
#[derive(Clone, Debug)]
pub(super) struct Sealed {
    pub(super) sequence: u64,
    /// Days since the epoch: the tree it belongs in.
    pub(super) day: i64,
    pub(super) value: Vec<u8>,
    /// Records in it, for the numbers.
    pub(super) count: u32,
}

/// A row of the state tree; without a value it is removed.
pub(super) type Row = (Vec<u8>, Option<Vec<u8>>);

/// Takes a row's key and value, and says whether it wants another.
pub type EachRow<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// Called by the writer thread only. Every call may fail, also after it took
/// effect; after an error the writer calls `reopen` and then writes everything
/// again that was not flushed. So every call must be harmless when repeated.
pub(super) trait Disk: Send {
    /// Writes batches of one day: all of them or none, in the order of calls.
    fn append(&mut self, day: i64, batches: &[Sealed]) -> Result<(), DiskError>;

    /// Writes rows of the state tree, all or none. Rows and batches are not
    /// one step: rows may be lost or kept without the batches around them.
    fn put(&mut self, rows: &[Row]) -> Result<(), DiskError>;

    /// Writes rows of the control tree, all or none. Nothing in it follows from
    /// the journal, nor the journal from it.
    fn put_control(&mut self, rows: &[Row]) -> Result<(), DiskError>;

    /// Writes rows of the usage tree, all or none. All of it follows from the journal, as far as its
    /// days are kept.
    fn put_usage(&mut self, rows: &[Row]) -> Result<(), DiskError>;

    /// Returns when everything before is on disk. Once per group.
    fn flush(&mut self) -> Result<(), DiskError>;

    /// Removes a day's batches.
    fn drop_day(&mut self, day: i64) -> Result<(), DiskError>;

    /// After an error: lets go of everything and begins anew.
    fn reopen(&mut self) -> Result<(), DiskError>;

    /// Lets go of everything, the lock included, so that another process can
    /// open it. Only `reopen` may follow.
    fn release(&mut self) -> Result<(), DiskError>;

    /// The last batch that is known, from outside of the log, to have been
    /// flushed. Asked once, when nothing was written yet.
    fn promised(&self) -> Option<u64>;

    /// To read beside the writer, from any thread.
    fn reader(&self) -> Result<Box<dyn Reader>, DiskError>;
}

/// Reads what was written. Sees each append whole or not at all.
pub(super) trait Reader: Send {
    /// Days that have batches, ascending.
    fn days(&self) -> Result<Vec<i64>, DiskError>;

    /// Batches of a day from a sequence number on, ascending, until told to stop.
    fn scan(
        &self,
        day: i64,
        from: u64,
        each: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), DiskError>;

    /// The last batch of a day.
    fn last(&self, day: i64) -> Result<Option<(u64, Vec<u8>)>, DiskError>;

    /// A row of the state tree.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError>;

    /// Rows of the control tree from a key on, ascending, until told to stop.
    fn control(&self, from: &[u8], each: EachRow<'_>) -> Result<(), DiskError>;

    /// A row of the usage tree.
    fn usage_row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError>;

    /// Rows of the usage tree from a key on, ascending, until told to stop.
    fn usage(&self, from: &[u8], each: EachRow<'_>) -> Result<(), DiskError>;

    /// Rows whose key begins with `prefix`, ascending.
    fn rows(&self, prefix: &[u8], each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), DiskError>;
}
