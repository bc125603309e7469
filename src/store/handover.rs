//! Handing the books over to a successor while requests still run, and taking
//! over from predecessors.
//!
//! The old process flushes, makes a spool, locks it, and only then gives the
//! books' lock back; later records go to the spool. The new process opens the
//! books and leaves alone the intents that the old one still runs. When the
//! lock of a spool is free its process is gone: its records move to the
//! journal, each once, and what is then still open of it is an orphan like any
//! other. If the successor fails before it serves, the old process takes the
//! books back and imports its own spool.
//!
//! A crash at any point of an import is harmless: before the first record the
//! spool gets another name, and an import that finds that name looks in the
//! journal for what is there already.

use super::books::Books;
use super::options::StoreError;
use super::spool::{Content, Header, Predecessor, Spool};
use super::writer::{Command, Group, Writer};
use crate::ledger::{Intent, Record, Settlement};
use crate::types::RequestId;
use ahash::{HashSet, HashSetExt};
use std::io;
use std::sync::atomic::Ordering::Relaxed;

/// Why nothing but entries is taken after a hand-over.
const HANDED_OVER: &str = "the books are handed over to a new process; ask that one";

/// What processes before this one have left since the last time.
#[derive(Default)]
pub(super) struct Heritage {
    /// What they settled themselves; in the journal now.
    pub(super) settled: Vec<Settlement>,
    /// What they left open, for recovery to end.
    pub(super) orphans: Vec<Intent>,
}

impl Writer {
    /// Gives the books' lock back; from now on records go to a spool. On an
    /// error nothing has changed.
    pub(super) fn hand_over(&mut self) -> Result<(), StoreError> {
        if self.spool.is_some() {
            return Ok(());
        }
        if !self.checkpoint() {
            return Err(super::queue::closed());
        }
        let header = Header {
            through: self.books.through(),
            head: self.books.head(),
            owned: self.books.own_open().collect(),
        };
        let (wall, process) = (self.clock.wall().0, std::process::id());
        let name = format!("{:020}-{wall}-{process}", header.through);
        self.spool = Some(Spool::create(&self.spools, &name, &header).map_err(|e| unwritable(&e))?);
        if let Err(error) = self.disk.release() {
            tracing::error!(%error, "letting go of the books failed; the successor may wait in vain");
        }
        tracing::info!(open = header.owned.len(), "the books are handed over; the rest goes to a spool");
        Ok(())
    }

    /// The successor is gone: opens the books again and brings the spool there.
    /// On an error the spool stays in use.
    pub(super) fn take_back(&mut self) -> Result<(), StoreError> {
        let Some(spool) = self.spool.take() else { return Ok(()) };
        let result = self.try_take_back(&spool);
        match &result {
            Ok(()) => tracing::info!("the books are taken back"),
            Err(_) => {
                let mut spool = spool;
                if let Some(own) = self.predecessors.iter().find(|p| same_stem(p, &spool)) {
                    spool.moved(own.path());
                }
                self.spool = Some(spool);
                let _ = self.disk.release();
            }
        }
        result
    }

    fn try_take_back(&mut self, spool: &Spool) -> Result<(), StoreError> {
        self.disk.reopen().map_err(|error| StoreError::Write(error.to_string()))?;
        let mut books = Books::load(&self.journal()?, self.tuning.batch_bytes)?;
        let own: HashSet<RequestId> = self.books.own_open().collect();
        self.predecessors = Predecessor::all(&self.spools).map_err(|e| unwritable(&e))?;
        std::mem::swap(&mut self.books, &mut books);
        let result = self.import_own(spool);
        if result.is_err() {
            std::mem::swap(&mut self.books, &mut books);
            return result;
        }
        self.predecessors.retain(|predecessor| !same_stem(predecessor, spool));
        self.shared.predecessors.store(self.predecessors.len() as u64, Relaxed);
        self.books.resume(own, books);
        Ok(())
    }

    fn import_own(&mut self, spool: &Spool) -> Result<(), StoreError> {
        let Some(at) = self.predecessors.iter().position(|p| same_stem(p, spool)) else {
            return Err(StoreError::Damaged(format!("{} is gone", spool.path().display())));
        };
        let mut own = self.predecessors.remove(at);
        let result = self.import(&mut own).map(drop);
        self.predecessors.insert(at, own);
        result
    }

    /// Takes over from every predecessor that is gone by now.
    pub(super) fn inherit(&mut self) -> Heritage {
        if self.spool.is_some() {
            return Heritage::default();
        }
        let mut settled = Vec::new();
        for mut predecessor in std::mem::take(&mut self.predecessors) {
            match self.inherit_from(&mut predecessor) {
                Ok(Some(mut theirs)) => settled.append(&mut theirs),
                Ok(None) => self.predecessors.push(predecessor),
                Err(error) => {
                    let spool = predecessor.path().display();
                    tracing::error!(%error, %spool, "a spool cannot be imported; it will be tried again");
                    self.predecessors.push(predecessor);
                }
            }
        }
        self.shared.predecessors.store(self.predecessors.len() as u64, Relaxed);
        let theirs = |id| self.predecessors.iter().any(|predecessor| predecessor.owns(id));
        Heritage { settled, orphans: self.books.take_orphans(theirs) }
    }

    fn inherit_from(&mut self, predecessor: &mut Predecessor) -> Result<Option<Vec<Settlement>>, StoreError> {
        if !predecessor.is_gone().map_err(|e| unwritable(&e))? {
            return Ok(None);
        }
        self.import(predecessor).map(Some)
    }

    /// Brings a spool to the journal and removes it. Gives the settlements
    /// that were not there before.
    fn import(&mut self, predecessor: &mut Predecessor) -> Result<Vec<Settlement>, StoreError> {
        let content = predecessor.read().map_err(|e| unwritable(&e))?;
        let known = match predecessor.is_begun() {
            true => self.known(&content)?,
            false => HashSet::new(),
        };
        predecessor.begin().map_err(|e| unwritable(&e))?;
        let begun = self.clock.mono();
        let mut group = Group::default();
        let mut settled = Vec::new();
        let records = content.records.len();
        for record in content.records {
            match record {
                record if known.contains(&kind(&record)) => {}
                Record::Intent(intent) => {
                    self.intent(&intent, &mut group);
                    self.books.adopt_one(*intent);
                }
                Record::Settlement(settlement) => {
                    let written = self.settlement(&settlement, &mut group);
                    group.settled += written;
                    settled.extend((written > 0).then_some(*settlement));
                }
            }
        }
        if !self.commit(group, begun) {
            return Err(super::queue::closed());
        }
        if let Some(damage) = &content.damage {
            let spool = predecessor.path().display();
            tracing::error!(%damage, %spool, "a spool is damaged; what can be read of it is in the books");
        }
        predecessor.finish(content.damage.is_some()).map_err(|e| unwritable(&e))?;
        tracing::info!(
            records,
            settled = settled.len(),
            "imported what an older process wrote after it handed over"
        );
        Ok(settled)
    }

    /// The records of a spool that an import before has brought to the journal.
    fn known(&self, content: &Content) -> Result<HashSet<(RequestId, bool)>, StoreError> {
        let wanted: HashSet<_> = content.records.iter().map(kind).collect();
        let mut known = HashSet::new();
        let journal = self.journal()?;
        let from = content.header.through.saturating_add(1).max(self.books.kept.first);
        let mut chain = super::journal::Chain::new(from, None);
        journal.walk(from, &mut |day, sequence, value| {
            let batch = chain.check(day, sequence, value)?;
            let read = batch.each(|record| known.extend(Some(kind(&record)).filter(|k| wanted.contains(k))));
            read.map_err(|error| journal.damaged(day, sequence, error))
        })?;
        Ok(known)
    }

    /// After a hand-over only entries are taken, and what needs no disk.
    pub(super) fn admitted(&self, command: Command) -> Option<Command> {
        if self.spool.is_none() || !command.needs_disk() {
            return Some(command);
        }
        command.refuse(HANDED_OVER);
        None
    }
}

/// A request, and whether this is its end.
fn kind(record: &Record) -> (RequestId, bool) {
    (record.id(), matches!(record, Record::Settlement(_)))
}

/// An import renames a spool, but keeps its stem.
fn same_stem(predecessor: &Predecessor, spool: &Spool) -> bool {
    predecessor.path().file_stem() == spool.path().file_stem()
}

fn unwritable(error: &io::Error) -> StoreError {
    StoreError::Write(format!("the spool: {error}"))
}
