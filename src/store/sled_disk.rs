//! sled behind [`Disk`]: one tree for each day of the journal, one for state, one for
//! the control plane, one for sums of usage.
//! sled panics on some damage, so every call is guarded. After an I/O error
//! sled refuses everything until it is opened again; hence `reopen`.

use super::disk::{Disk, DiskError, EachRow, Reader, Row, Sealed};
use super::mark::Mark;
use crate::ledger::day_text;
use std::fs::File;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const JOURNAL_PREFIX: &str = "journal/";
const STATE_TREE: &str = "state";
const CONTROL_TREE: &str = "control";
const USAGE_TREE: &str = "usage";
/// Where sled writes everything; its locks are not in the way of a second handle.
const LOG_FILE: &str = "db";

/// The open database. Clones share it; the lock is held until the last goes.
pub(super) struct SledDisk {
    dir: PathBuf,
    cache_bytes: u64,
    whole: Whole,
    open: Option<Open>,
    mark: Option<Mark>,
    /// The last batch that was written, flushed or not.
    written: Option<u64>,
}

/// Must every batch that was once flushed be there?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    /// Yes; otherwise opening fails.
    Required,
    /// No: somebody wants to see what is left.
    Wished,
}

#[derive(Clone)]
struct Open {
    db: sled::Db,
    state: sled::Tree,
    control: sled::Tree,
    usage: sled::Tree,
    /// sled's log, once more: see `flush`.
    log: Arc<File>,
    /// The day that is written to.
    today: Option<(i64, sled::Tree)>,
}

/// sled's threads hold its lock for a moment after it was closed.
const LETTING_GO: Duration = Duration::from_millis(700);

impl SledDisk {
    /// Opens or makes the database in `dir`.
    pub(super) fn open(dir: &Path, cache_bytes: u64, whole: Whole) -> Result<Self, DiskError> {
        let dir = dir.to_owned();
        let mut disk = Self { dir, cache_bytes, whole, open: None, mark: None, written: None };
        let until = Instant::now() + LETTING_GO;
        loop {
            match disk.reopen() {
                Err(error) if is_locked(&error) && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => return Err(error),
                Ok(_) => return Ok(disk),
            }
        }
    }

    fn open_or_error(&mut self) -> Result<&mut Open, DiskError> {
        self.open.as_mut().ok_or_else(closed)
    }
}

impl Open {
    fn day(&mut self, day: i64) -> sled::Result<&sled::Tree> {
        let tree = match self.today.take() {
            Some((known, tree)) if known == day => tree,
            _ => self.db.open_tree(tree_name(day))?,
        };
        Ok(&self.today.insert((day, tree)).1)
    }

    fn must_reach(&self, promised: Option<u64>) -> Result<(), DiskError> {
        let Some(promised) = promised else { return Ok(()) };
        let mut reached = 0;
        for day in self.days()?.into_iter().rev() {
            if let Some((sequence, _)) = self.last(day)? {
                reached = sequence;
                break;
            }
        }
        if reached >= promised {
            return Ok(());
        }
        Err(DiskError::Corrupt(format!(
            "the journal ends at batch {reached}, but batch {promised} was on disk"
        )))
    }
}

impl Disk for SledDisk {
    fn append(&mut self, day: i64, batches: &[Sealed]) -> Result<(), DiskError> {
        self.written = batches.last().map(|batch| batch.sequence).max(self.written);
        let open = self.open_or_error()?;
        guarded(|| {
            let tree = open.day(day)?;
            if let [one] = batches {
                return tree.insert(one.sequence.to_be_bytes(), one.value.as_slice()).map(drop);
            }
            let mut batch = sled::Batch::default();
            for sealed in batches {
                batch.insert(&sealed.sequence.to_be_bytes(), sealed.value.as_slice());
            }
            tree.apply_batch(batch)
        })
    }

    fn put(&mut self, rows: &[Row]) -> Result<(), DiskError> {
        let open = self.open_or_error()?;
        guarded(|| open.state.apply_batch(batch_of(rows)))
    }

    fn put_control(&mut self, rows: &[Row]) -> Result<(), DiskError> {
        let open = self.open_or_error()?;
        guarded(|| open.control.apply_batch(batch_of(rows)))
    }

    fn put_usage(&mut self, rows: &[Row]) -> Result<(), DiskError> {
        let open = self.open_or_error()?;
        guarded(|| open.usage.apply_batch(batch_of(rows)))
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        let open = self.open_or_error()?;
        guarded(|| {
            open.db.flush()?;
            // sled asks Linux for `sync_file_range`, which leaves out the file's
            // length and the disk's own cache: enough for a killed process, not
            // for a machine that loses power.
            Ok(open.log.sync_data()?)
        })?;
        match (&mut self.mark, self.written.take()) {
            (Some(mark), Some(written)) => {
                mark.set(written).map_err(|error| DiskError::Io(error.to_string()))
            }
            _ => Ok(()),
        }
    }

    fn drop_day(&mut self, day: i64) -> Result<(), DiskError> {
        let open = self.open_or_error()?;
        open.today = None;
        guarded(|| open.db.drop_tree(tree_name(day)).map(drop))
    }

    fn reopen(&mut self) -> Result<(), DiskError> {
        let open = self.open.take();
        // Letting go may flush, and so panic like any other call.
        guarded(|| {
            drop(open);
            Ok(())
        })?;
        let config = sled::Config::new()
            .path(&self.dir)
            .cache_capacity(self.cache_bytes)
            // The writer flushes; sled's own flusher stops for good at its first error.
            .flush_every_ms(None);
        let dir = &self.dir;
        let open = guarded(|| {
            let db = config.open()?;
            let state = db.open_tree(STATE_TREE)?;
            let control = db.open_tree(CONTROL_TREE)?;
            let usage = db.open_tree(USAGE_TREE)?;
            let log = Arc::new(File::open(dir.join(LOG_FILE))?);
            // New files are there after a loss of power only when their directory is.
            File::open(dir)?.sync_all()?;
            Ok(Open { db, state, control, usage, log, today: None })
        })?;
        let mark = Mark::open(dir).map_err(|error| DiskError::Io(error.to_string()))?;
        if self.whole == Whole::Required {
            open.must_reach(mark.last())?;
        }
        (self.open, self.mark, self.written) = (Some(open), Some(mark), None);
        Ok(())
    }

    fn release(&mut self) -> Result<(), DiskError> {
        self.mark = None;
        let open = self.open.take();
        guarded(|| {
            drop(open);
            Ok(())
        })
    }

    fn promised(&self) -> Option<u64> {
        self.mark.as_ref().and_then(Mark::last)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, DiskError> {
        let open = self.open.clone().ok_or_else(closed)?;
        Ok(Box::new(open))
    }
}

impl Reader for Open {
    fn days(&self) -> Result<Vec<i64>, DiskError> {
        let names = guarded(|| Ok(self.db.tree_names()))?;
        let mut days: Vec<i64> = names.iter().filter_map(|name| day_of_tree(name)).collect();
        days.sort_unstable();
        Ok(days)
    }

    fn scan(
        &self,
        day: i64,
        from: u64,
        each: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), DiskError> {
        guarded(|| {
            for pair in self.db.open_tree(tree_name(day))?.range(from.to_be_bytes()..) {
                let (key, value) = pair?;
                if each(number(&key)?, &value).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    fn last(&self, day: i64) -> Result<Option<(u64, Vec<u8>)>, DiskError> {
        guarded(|| match self.db.open_tree(tree_name(day))?.last()? {
            Some((key, value)) => Ok(Some((number(&key)?, value.to_vec()))),
            None => Ok(None),
        })
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        guarded(|| Ok(self.state.get(key)?.map(|value| value.to_vec())))
    }

    fn control(&self, from: &[u8], each: EachRow<'_>) -> Result<(), DiskError> {
        walk(&self.control, from, each)
    }

    fn usage_row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        guarded(|| Ok(self.usage.get(key)?.map(|value| value.to_vec())))
    }

    fn usage(&self, from: &[u8], each: EachRow<'_>) -> Result<(), DiskError> {
        walk(&self.usage, from, each)
    }

    fn rows(&self, prefix: &[u8], each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), DiskError> {
        guarded(|| {
            for pair in self.state.scan_prefix(prefix) {
                let (key, value) = pair?;
                each(&key, &value);
            }
            Ok(())
        })
    }
}

fn walk(tree: &sled::Tree, from: &[u8], each: EachRow<'_>) -> Result<(), DiskError> {
    guarded(|| {
        for pair in tree.range(from..) {
            let (key, value) = pair?;
            if each(&key, &value).is_break() {
                break;
            }
        }
        Ok(())
    })
}

fn batch_of(rows: &[Row]) -> sled::Batch {
    let mut batch = sled::Batch::default();
    for (key, value) in rows {
        match value {
            Some(value) => batch.insert(key.as_slice(), value.as_slice()),
            None => batch.remove(key.as_slice()),
        }
    }
    batch
}

fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, DiskError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(disk_error),
        Err(_) => Err(DiskError::Corrupt("sled panicked; the log says where".into())),
    }
}

fn disk_error(error: sled::Error) -> DiskError {
    match &error {
        sled::Error::Io(io) if !matches!(io.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData) => {
            DiskError::Io(io.to_string())
        }
        _ => DiskError::Corrupt(error.to_string()),
    }
}

/// Did the lock make sled refuse? sled tells only by its text.
pub(super) fn is_locked(error: &DiskError) -> bool {
    matches!(error, DiskError::Io(text) if text.contains("could not acquire lock"))
}

fn closed() -> DiskError {
    DiskError::Io("the books are not open".into())
}

fn number(key: &[u8]) -> sled::Result<u64> {
    match <[u8; 8]>::try_from(key) {
        Ok(bytes) => Ok(u64::from_be_bytes(bytes)),
        Err(_) => Err(sled::Error::ReportableBug(format!("a key of {} bytes in the journal", key.len()))),
    }
}

fn tree_name(day: i64) -> String {
    format!("{JOURNAL_PREFIX}{}", day_text(day))
}

fn day_of_tree(name: &[u8]) -> Option<i64> {
    let name = std::str::from_utf8(name).ok()?;
    crate::ledger::day_from_text(name.strip_prefix(JOURNAL_PREFIX)?)
}
