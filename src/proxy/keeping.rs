//! Kept responses: in memory for requests, and behind it a thread that brings
//! them to disk. Nobody waits for that thread; what it cannot keep up with is
//! kept in memory only, and said in the log.

use crate::config::Snapshot;
use crate::responses::{Kept, Key, Responses, Sealer, Unsealed};
use crate::store::Store;
use crate::types::Wall;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Changes that may wait for the thread.
const WAITING: usize = 4_096;
/// Changes that are written together.
const TOGETHER: usize = 256;
/// What the key of the rows is derived with; no caller's key can begin so.
const PURPOSE: &str = "\0kept responses";

type Row = (Vec<u8>, Option<Vec<u8>>);

/// What is kept, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptResponses {
    /// Bytes in memory, estimated.
    pub bytes: u64,
    /// Responses, with those that are being made.
    pub entries: u64,
    /// Changes that never reached the disk, since start.
    pub unwritten: u64,
}

/// What is to be done on disk.
enum Change {
    Keep(Arc<Kept>),
    Forget(Key),
}

/// See the module.
pub(super) struct Keeping {
    pub memory: Responses,
    changes: Mutex<Option<SyncSender<Change>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Changes that never reached the disk.
    lost: Arc<AtomicU64>,
}

impl Keeping {
    /// Reads what an earlier process kept, within the bounds of today.
    pub(super) fn open(snapshot: &Snapshot, store: &Store, now: Wall) -> Self {
        let memory = Responses::default();
        let sealer = Sealer::new(&snapshot.pepper.hash(PURPOSE).0);
        let (sender, receiver) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let gone = load(&memory, &sealer, snapshot, store, now);
        let (writers_store, writers_lost) = (store.clone(), Arc::clone(&lost));
        let thread = std::thread::Builder::new()
            .name("responses".into())
            .spawn(move || write(&receiver, &writers_store, &sealer, &writers_lost))
            .inspect_err(|error| tracing::error!(%error, "no thread for kept responses"))
            .ok();
        // At the start there may be more of these than the channel holds, and there is time to wait.
        gone.into_iter().for_each(|key| drop(sender.send(Change::Forget(key))));
        let sender = thread.is_some().then_some(sender);
        Self { memory, changes: Mutex::new(sender), thread: Mutex::new(thread), lost }
    }

    /// Keeps a response; from now on requests can go on from it.
    pub(super) fn keep(&self, kept: Kept, snapshot: &Snapshot) {
        let settings = &snapshot.responses;
        let kept = Arc::new(kept);
        let gone = self.memory.put(Arc::clone(&kept), settings.ttl, &settings.bounds);
        if !gone.iter().any(|(owner, id)| (owner, id) == (&kept.owner, &kept.id)) {
            self.change(Change::Keep(kept));
        }
        self.forget(gone);
    }

    /// Takes responses off the disk that are no longer in memory.
    pub(super) fn forget(&self, gone: Vec<Key>) {
        gone.into_iter().for_each(|key| self.change(Change::Forget(key)));
    }

    /// Numbers for the metrics.
    pub(super) fn stats(&self) -> KeptResponses {
        KeptResponses {
            bytes: self.memory.bytes() as u64,
            entries: self.memory.entries() as u64,
            unwritten: self.lost.load(Relaxed),
        }
    }

    /// Forgets what has expired.
    pub(super) fn sweep(&self, now: Wall) {
        self.forget(self.memory.sweep(now));
    }

    /// Writes what is waiting, and ends the thread. Blocks.
    pub(super) fn close(&self) {
        drop(self.changes.lock().take());
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the thread for kept responses ended in a panic");
        }
    }

    fn change(&self, change: Change) {
        let sent = self.changes.lock().as_ref().map(|changes| changes.try_send(change));
        if !matches!(sent, Some(Ok(()))) && self.lost.fetch_add(1, Relaxed) == 0 {
            tracing::warn!(
                "responses are kept faster than the disk takes them; some will not survive a restart"
            );
        }
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.close();
    }
}

/// Gives the rows that are of no use any more.
fn load(memory: &Responses, sealer: &Sealer, snapshot: &Snapshot, store: &Store, now: Wall) -> Vec<Key> {
    let settings = &snapshot.responses;
    let rows =
        store.responses().inspect_err(|error| tracing::error!(%error, "kept responses cannot be read"));
    let (mut all, mut gone) = (Vec::new(), Vec::new());
    for row in rows.unwrap_or_default() {
        match sealer.open(&row) {
            Some(Unsealed::Kept(kept)) => all.push(Arc::new(*kept)),
            Some(Unsealed::Useless(key)) => gone.push(key),
            None => {}
        }
    }
    if !gone.is_empty() {
        tracing::warn!(count = gone.len(), "kept responses were sealed under another pepper and are dropped");
    }
    all.sort_by_key(|kept| kept.at);
    // A conversation lives as long as the last of it: what it goes on from is used by it.
    for kept in all {
        if let Some(previous) = &kept.previous {
            let until = kept.at.after(settings.ttl);
            drop(memory.conversation(&kept.owner, previous, Wall(i64::MIN), until));
        }
        gone.extend(memory.put(kept, settings.ttl, &settings.bounds));
    }
    gone.extend(memory.sweep(now));
    gone
}

/// Runs until the last sender is gone.
fn write(changes: &Receiver<Change>, store: &Store, sealer: &Sealer, lost: &AtomicU64) {
    while let Ok(first) = changes.recv() {
        let mut rows: Vec<Row> = Vec::new();
        let more = std::iter::from_fn(|| changes.try_recv().ok());
        rows.extend(
            std::iter::once(first).chain(more).take(TOGETHER).filter_map(|change| row(sealer, change)),
        );
        let count = rows.len() as u64;
        if let Err(error) = store.put_responses(rows)
            && lost.fetch_add(count, Relaxed) == 0
        {
            tracing::warn!(%error, "kept responses cannot be written; some will not survive a restart");
        }
    }
}

fn row(sealer: &Sealer, change: Change) -> Option<Row> {
    match change {
        Change::Forget(key) => Some((Sealer::row_name(&key), None)),
        Change::Keep(kept) => {
            let mut nonce = [0; 12];
            // Without randomness nothing may be sealed; the response then stays in memory only.
            getrandom::fill(&mut nonce).ok()?;
            let name = Sealer::row_name(&(kept.owner.clone(), Arc::clone(&kept.id)));
            Some((name, Some(sealer.seal(&kept, nonce)?)))
        }
    }
}
