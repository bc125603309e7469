//! Disk: the journal, keys and counters in sled, owned by one writer thread.
//! The only module that knows sled.
//!
//! Entries go through a bounded queue to the writer, which makes batches of
//! them and flushes once per group. The journal is the truth; everything in the
//! state tree but small values follows from it, so a crash between the two is
//! harmless. What people manage by the control plane is in a tree of its own. Nothing here waits on the request path but for room.

pub mod aikit;
mod archive;
mod batch;
mod books;
mod command;
mod disk;
mod handover;
mod journal;
mod mark;
mod money;
mod opening;
mod options;
mod queue;
mod quotas;
mod retention;
mod sled_disk;
mod spool;
mod usage;
mod wallets;
mod writer;

pub use archive::Archive;
pub use options::{Options, Reach, Stats, StoreError};
pub use quotas::used_by;
pub use usage::{Called, CallsPage, Cursor, Freshness, Rebuilt, Story, Wanted};

use crate::config::Quotas;
use crate::ledger::{Intent, Price, PriceTable, Record, Report, Settlement, Spending, day_of, recovered};
use crate::limit::{Spent, Tally};
use crate::types::{Clock, KeyId, Wall};
use books::Books;
use disk::Disk;
use journal::Journal;
use options::Tuning;
use parking_lot::Mutex;
use queue::{Entry, Queue, Waiter, closed};
use retention::Carry;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use tokio::sync::oneshot;
use usage::UsageBooks;
use writer::{Command, OnFlush, Pending, Reply, Shared, Writer};

/// A row of the control tree: key, and value if it is not to be removed.
pub type ControlRow = (Vec<u8>, Option<Vec<u8>>);

/// The name of the thread that writes.
const WRITER: &str = "ledger";
const META_PREFIX: &[u8] = b"meta/";
const RESPONSE_PREFIX: &[u8] = b"response/";

/// The embedded store. Cheap to clone; the writer thread ends with `close`, or
/// with the last clone.
#[derive(Clone)]
pub struct Store {
    handle: Arc<Handle>,
}

struct Handle {
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    usage: Arc<UsageBooks>,
    /// The follower and the writer, in the order in which they end.
    threads: Mutex<Vec<JoinHandle<()>>>,
    dir: PathBuf,
}

impl Store {
    /// Opens with recovery: a damaged snapshot of sled is made again, damaged
    /// books are set aside and the start refused, counters are restored from
    /// the journal. Intents that a dead process left open wait for
    /// [`Store::recover`]. `on_flush(took, entries)` is called on the writer
    /// thread after each group commit and must be quick.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process has the books open,
    /// [`StoreError::Damaged`] when they cannot be read, [`StoreError::Write`]
    /// when the disk refuses. The text says what to do.
    pub fn open(dir: &Path, options: Options, clock: Clock, on_flush: OnFlush) -> Result<Self, StoreError> {
        let disk = opening::open(dir, options.cache_bytes, clock.wall())?;
        let dir = opening::books_dir(dir);
        Self::start(Box::new(disk), &options, Tuning::DEFAULT, clock, on_flush, dir)
    }

    fn start(
        disk: Box<dyn Disk>,
        options: &Options,
        tuning: Tuning,
        clock: Clock,
        on_flush: OnFlush,
        dir: PathBuf,
    ) -> Result<Self, StoreError> {
        let reader = disk.reader().map_err(|error| StoreError::Damaged(error.to_string()))?;
        let books = Books::load(&Journal::new(reader), tuning.batch_bytes)?;
        let queue = Arc::new(Queue::new(options));
        let spools = spool::dir_in(&dir);
        let predecessors = spool::Predecessor::all(&spools)
            .map_err(|error| StoreError::Damaged(format!("{}: {error}", spools.display())))?;
        let shared = Arc::new(Shared::new(&books, &predecessors));
        let (writers_queue, writers_shared) = (queue.clone(), shared.clone());
        let usage_clock = clock.clone();
        let pending = Pending::default();
        let writer = Writer {
            queue: writers_queue,
            shared: writers_shared,
            disk,
            books,
            clock,
            tuning,
            on_flush,
            pending,
            spools,
            spool: None,
            predecessors,
        };
        let thread = std::thread::Builder::new()
            .name(WRITER.into())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::Write(format!("no thread for the ledger: {error}")))?;
        let usage = Arc::new(UsageBooks::new(queue.clone(), shared.clone(), usage_clock));
        let mut handle = Handle { queue, shared, usage, threads: Mutex::new(vec![thread]), dir };
        let follower = handle.usage.follow();
        let follower =
            follower.map_err(|error| StoreError::Write(format!("no thread for usage: {error}")))?;
        handle.threads.get_mut().insert(0, follower);
        Ok(Self { handle: Arc::new(handle) })
    }

    /// Takes over from processes that are gone: imports what they wrote after
    /// they had handed over, then ends every intent that they left open, once,
    /// by the rule of [`recovered`], and waits until that is on disk.
    /// `price_of` finds the price that held at [`Intent::at`]. To be called
    /// once after `open`, as soon as prices are known and before counters are
    /// taken from [`Store::spent`], and from time to time while there are
    /// [`Store::predecessors`]; otherwise it finds nothing. `ended` gets each
    /// settlement that was imported or made. Gives how many were made. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Write`] when the store is closed.
    pub fn recover(
        &self,
        price_of: &mut dyn FnMut(&Intent) -> Option<Arc<Price>>,
        ended: &mut dyn FnMut(&Settlement),
    ) -> Result<u64, StoreError> {
        let handover::Heritage { settled, orphans } = self.ask(Command::Inherit)?;
        settled.iter().for_each(&mut *ended);
        if orphans.is_empty() {
            return Ok(0);
        }
        let settlements: Vec<_> =
            orphans.iter().map(|intent| recovered(intent, price_of(intent).as_deref())).collect();
        settlements.iter().for_each(ended);
        let count = settlements.len() as u64;
        let (sender, receiver) = sync_channel(1);
        self.handle.queue.push_now(Entry::Recovered(settlements, Waiter::Thread(sender)))?;
        receiver.recv().map_err(|_| closed())??;
        tracing::warn!(count, "closed intents that the last run left open");
        Ok(count)
    }

    /// Processes that handed the books over to this one, or to one before it,
    /// and were still running when [`Store::recover`] last looked.
    pub fn predecessors(&self) -> u64 {
        self.handle.shared.predecessors.load(Relaxed)
    }

    /// Gives the books' lock to a successor, everything up to now on disk.
    /// Entries are still taken and become as durable as before, in a spool that
    /// the successor imports when this process has ended; everything else is
    /// refused, but [`Store::spent`]. The lock stays while an [`Archive`] of
    /// this store is alive. Done twice it changes nothing. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Write`] when there can be no spool; the books then stay here.
    pub fn hand_over(&self) -> Result<(), StoreError> {
        // Who reads holds sled's lock, and the successor waits for that only a moment.
        self.handle.usage.quietly(|| self.ask(Command::HandOver))
    }

    /// Undoes [`Store::hand_over`] after the successor has ended. May be
    /// repeated. Blocks.
    ///
    /// # Errors
    /// Those of [`Store::open`]; entries then still go to the spool.
    pub fn take_back(&self) -> Result<(), StoreError> {
        self.ask(Command::TakeBack)
    }

    /// Queues an intent. Waits only for room in the queue; when the future is
    /// dropped before, nothing is written.
    ///
    /// # Errors
    /// [`StoreError::Write`] when the store is closed.
    pub async fn intend(&self, intent: Intent) -> Result<(), StoreError> {
        self.handle.queue.push(Entry::Intent(intent)).await
    }

    /// The same, and waits until it is on disk (`ledger.strict`). Does not wait
    /// for others to join: the group is written at once.
    ///
    /// # Errors
    /// [`StoreError::Write`] when the store is closed.
    pub async fn intend_durably(&self, intent: Intent) -> Result<(), StoreError> {
        let (sender, receiver) = oneshot::channel();
        self.handle.queue.push(Entry::Strict(intent, Waiter::Task(sender))).await?;
        receiver.await.map_err(|_| closed())?
    }

    /// Queues a settlement; waits for room, never drops. A second settlement of
    /// the same request is ignored.
    ///
    /// # Errors
    /// [`StoreError::Write`] when the store is closed.
    pub async fn settle(&self, settlement: Settlement) -> Result<(), StoreError> {
        self.handle.queue.push(Entry::Settlement(settlement)).await
    }

    /// Waits until all that was queued before is on disk.
    ///
    /// # Errors
    /// [`StoreError::Write`] when the store is closed.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let (sender, receiver) = oneshot::channel();
        self.handle.queue.push(Entry::Barrier(Waiter::Task(sender))).await?;
        receiver.await.map_err(|_| closed())?
    }

    /// Is the journal writable? `false` from the first failed write until one
    /// succeeds; entries wait in memory meanwhile.
    pub fn healthy(&self) -> bool {
        self.handle.shared.healthy.load(Relaxed)
    }

    /// Numbers for the metrics. Asks the file system for one file's size.
    pub fn stats(&self) -> Stats {
        let shared = &self.handle.shared;
        Stats {
            queue: self.handle.queue.waiting() as u64,
            open_intents: shared.open_intents.load(Relaxed),
            appended: shared.appended.load(Relaxed),
            settled: shared.settled.load(Relaxed),
            recovered: shared.recovered.load(Relaxed),
            duplicates: shared.duplicates.load(Relaxed),
            errors: shared.errors.load(Relaxed),
            disk_bytes: self.handle.dir.join("db").metadata().map_or(0, |file| file.len()),
        }
    }

    /// What each key spent in its running day and month, everything up to now
    /// included. Blocks until the writer answers; empty when the store is closed.
    pub fn spent(&self) -> HashMap<KeyId, Spent> {
        let spending = self.ask(Command::Spent).unwrap_or_default();
        spending.iter().map(|(key, spending)| (key.clone(), spent_of(spending))).collect()
    }

    /// Lets the books count by these quotas from now on, and gives what was used so far, by the names
    /// of `Quota::counter`. What the books have not counted before is read from the journal as far
    /// as it reaches, most of it beside the writer. Without a change nothing is written. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Write`] while the disk refuses or when the store is closed,
    /// [`StoreError::Damaged`] when the journal cannot be read.
    pub fn count_by(&self, quotas: Quotas, now: Wall) -> Result<HashMap<String, Tally>, StoreError> {
        let (known, tallies) = self.ask(Command::Tallies)?;
        if known.len() == quotas.all().len()
            && quotas.all().iter().all(|quota| known.contains(quota.fingerprint()))
        {
            return Ok(tallies);
        }
        let look = self.ask(Command::Look)?;
        let count = quotas::CountBy::prepare(quotas, &known, &look.journal, look.through, now)?;
        drop(look);
        self.ask(|reply| Command::CountBy(Box::new(count), reply))
    }

    /// Writes rows of the control plane's own tree, all or none, durably; a row
    /// without a value is removed. Blocks until they are on disk.
    ///
    /// # Errors
    /// [`StoreError::Write`] while the disk refuses or when the store is closed.
    /// After an error the rows may be on disk or not, but never a part of them.
    pub fn put_control(&self, rows: Vec<ControlRow>) -> Result<(), StoreError> {
        self.ask(|reply| Command::PutControl(rows, reply))
    }

    /// Small values of the hub itself (the pepper), by name. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Write`] while the disk refuses or when the store is closed.
    pub fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.ask(|reply| Command::Get([META_PREFIX, name.as_bytes()].concat(), reply))
    }

    /// Sets such a value, durably. Blocks until it is on disk.
    ///
    /// # Errors
    /// [`StoreError::Write`] while the disk refuses or when the store is closed.
    pub fn put_meta(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.put([META_PREFIX, name.as_bytes()].concat(), value.to_vec())
    }

    /// Sealed responses, in no order. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Write`] while the disk refuses or when the store is closed.
    pub fn responses(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.ask(|reply| Command::Rows(RESPONSE_PREFIX, reply))
    }

    /// Writes sealed responses by their names, durably; without a value one is
    /// removed. Blocks until they are on disk.
    ///
    /// # Errors
    /// [`StoreError::Write`] while the disk refuses or when the store is closed.
    pub fn put_responses(&self, rows: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Result<(), StoreError> {
        let named =
            |(name, value): (Vec<u8>, Option<Vec<u8>>)| ([RESPONSE_PREFIX, name.as_slice()].concat(), value);
        let rows = rows.into_iter().map(named).collect();
        self.ask(|reply| Command::Put(rows, reply))
    }

    /// The books as they are now, to be read beside the writer. Drop it soon:
    /// after a disk error the writer needs the lock that it holds.
    ///
    /// # Errors
    /// [`StoreError::Write`] while the disk refuses or when the store is closed.
    pub fn archive(&self) -> Result<Archive, StoreError> {
        self.ask(Command::Look).map(Archive::live)
    }

    /// [`Archive::export`] of the books as they are now. Blocks.
    ///
    /// # Errors
    /// Those of [`Store::archive`] and [`Archive::export`].
    pub fn export(&self, range: Range<Wall>, each: &mut dyn FnMut(Record)) -> Result<(), StoreError> {
        self.archive()?.export(range, each)
    }

    /// [`Archive::verify`] of the books as they are now. Blocks.
    ///
    /// # Errors
    /// Those of [`Store::archive`] and [`Archive::verify`].
    pub fn verify(&self, prices: &PriceTable) -> Result<Report, StoreError> {
        self.archive()?.verify(prices)
    }

    /// Drops the journal's days before the day of `before` (UTC), as far as
    /// `reach` allows and none with a batch after `last`. The last day and days
    /// that hold an open intent, or come after one that does, stay; so do the
    /// sums of usage, and what wallets had. Gives how many went. Blocks, as long
    /// as it takes to read those days.
    ///
    /// # Errors
    /// [`StoreError::Write`] while the disk refuses or when the store is closed,
    /// [`StoreError::Damaged`] when what wallets had does not follow from the journal.
    pub fn drop_days_before(&self, before: Wall, reach: Reach, last: u64) -> Result<u64, StoreError> {
        self.handle.usage.catch_up()?;
        let Some(doomed) = self.ask(|reply| Command::Doom(day_of(before), reach, last, reply))? else {
            return Ok(0);
        };
        let look = self.ask(Command::Look)?;
        let carry = match look.balances.is_empty() {
            true => None,
            false => Some(Box::new(Carry::after(&look.journal, &doomed)?)),
        };
        drop(look);
        self.ask(|reply| Command::DropDays(Box::new(doomed), carry, reply))
    }

    /// Were there ever books in this directory?
    pub fn exists(dir: &Path) -> bool {
        opening::exist(dir)
    }

    /// Takes nothing more, writes what is queued, stops the writer and gives
    /// the lock back. Blocks. On a disk that refuses it gives up after a few
    /// attempts and logs what is lost.
    pub fn close(&self) {
        self.handle.close();
    }

    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Result<(), StoreError> {
        self.ask(|reply| Command::Put(vec![(key, Some(value))], reply))
    }

    fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, StoreError> {
        let (sender, receiver) = sync_channel(1);
        self.handle.queue.ask(command(sender))?;
        receiver.recv().map_err(|_| closed())?
    }
}

impl Handle {
    fn close(&self) {
        self.usage.stop();
        for thread in self.threads.lock().drain(..) {
            // The writer is the last; it goes on until its queue is closed.
            if thread.thread().name() == Some(WRITER) {
                self.queue.close();
            }
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!(name, "a thread of the store ended in a panic");
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

fn spent_of(spending: &Spending) -> Spent {
    Spent {
        day: spending.day,
        month: spending.month,
        day_tokens: spending.day_tokens,
        month_tokens: spending.month_tokens,
        day_cost: spending.day_cost,
        month_cost: spending.month_cost,
    }
}

#[cfg(test)]
mod tests;
