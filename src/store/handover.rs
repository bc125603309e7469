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
use crate::ledger::wallet::{Movement, Wallets};
use crate::ledger::{Intent, Record, Settlement};
use crate::types::RequestId;
use ahash::{HashSet, HashSetExt};
use sha2::{Digest as _, Sha256};
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
        let ceded = self.shared.wallets.cede();
        self.catch_up();
        if !self.checkpoint() {
            self.shared.wallets.take_back(&ceded);
            return Err(super::queue::closed());
        }
        let leases = Wallets::leases(&ceded, self.books.money.balances());
        let header = Header {
            through: self.books.through(),
            head: self.books.head(),
            owned: self.books.own_open().collect(),
            leases,
        };
        let (wall, process) = (self.clock.wall().0, std::process::id());
        let name = format!("{:020}-{wall}-{process}", header.through);
        let mut spool = Spool::create(&self.spools, &name, &header).map_err(|e| {
            self.shared.wallets.take_back(&ceded);
            unwritable(&e)
        })?;
        spool.ceded = ceded;
        self.spool = Some(spool);
        if let Err(error) = self.disk.release() {
            tracing::error!(%error, "letting go of the books failed; the successor may wait in vain");
        }
        tracing::info!(open = header.owned.len(), "the books are handed over; the rest goes to a spool");
        Ok(())
    }

    /// The successor is gone: opens the books again and brings the spool there.
    /// On an error the spool stays in use.
    pub(super) fn take_back(&mut self) -> Result<(), StoreError> {
        let Some(mut spool) = self.spool.take() else { return Ok(()) };
        let result = self.try_take_back(&mut spool);
        match &result {
            Ok(()) => {
                self.shared.wallets.take_back(&spool.ceded);
                if self.predecessors.is_empty() {
                    self.shared.wallets.rejoin();
                }
                tracing::info!("the books are taken back");
            }
            Err(_) => {
                if let Some(own) = self.predecessors.iter().find(|p| same_stem(p, &spool)) {
                    spool.moved(own.path());
                }
                self.spool = Some(spool);
                let _ = self.disk.release();
            }
        }
        result
    }

    fn try_take_back(&mut self, spool: &mut Spool) -> Result<(), StoreError> {
        self.disk.reopen().map_err(|error| StoreError::Write(error.to_string()))?;
        let mut books = Books::load(&self.journal()?, self.tuning.batch_bytes)?;
        self.learn(spool)?;
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

    /// The successor that failed may have taken over from others: live wallets learn what it wrote.
    /// Once, before the first record of the spool itself can be in the journal.
    fn learn(&self, spool: &mut Spool) -> Result<(), StoreError> {
        let journal = self.journal()?;
        let from = spool.through.saturating_add(1).max(self.books.kept.first);
        let mut chain = super::journal::Chain::new(from, None);
        let mut moved = Vec::new();
        journal.walk(from, &mut |day, sequence, value| {
            let batch = chain.check(day, sequence, value)?;
            let read = batch.each(|record| {
                if let Record::Movement(movement) = record {
                    moved.push(movement);
                }
            });
            read.map_err(|error| journal.damaged(day, sequence, error))
        })?;
        moved.iter().for_each(|movement| self.shared.wallets.absorb(movement));
        spool.through = u64::MAX - 1;
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
        if self.predecessors.is_empty() {
            self.shared.wallets.rejoin();
        }
        let theirs = |id| self.predecessors.iter().any(|predecessor| predecessor.owns(id));
        Heritage { settled, orphans: self.books.take_orphans(theirs) }
    }

    fn inherit_from(&mut self, predecessor: &mut Predecessor) -> Result<Option<Vec<Settlement>>, StoreError> {
        if !predecessor.is_gone().map_err(|e| unwritable(&e))? {
            return Ok(None);
        }
        let (settled, moved) = self.import(predecessor)?;
        moved.iter().for_each(|movement| self.shared.wallets.absorb(movement));
        Ok(Some(settled))
    }

    /// Brings a spool to the journal and removes it. Gives the settlements
    /// and movements that were not there before.
    fn import(
        &mut self,
        predecessor: &mut Predecessor,
    ) -> Result<(Vec<Settlement>, Vec<Movement>), StoreError> {
        let content = predecessor.read().map_err(|e| unwritable(&e))?;
        let known = match predecessor.is_begun() {
            true => self.known(&content)?,
            false => HashSet::new(),
        };
        predecessor.begin().map_err(|e| unwritable(&e))?;
        let begun = self.clock.mono();
        let mut group = Group::default();
        let (mut settled, mut moved) = (Vec::new(), Vec::new());
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
                Record::Movement(movement) => {
                    if self.movement(&movement, &mut group) {
                        moved.push(*movement);
                    }
                }
                // Who has handed over drops no days.
                Record::Carried(_) => {}
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
        Ok((settled, moved))
    }

    /// The records of a spool that an import before has brought to the journal.
    fn known(&self, content: &Content) -> Result<HashSet<Kind>, StoreError> {
        let wanted: HashSet<Kind> = content.records.iter().map(kind).collect();
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

/// What tells a record of a spool from every other.
#[derive(PartialEq, Eq, Hash)]
enum Kind {
    Begun(RequestId),
    Ended(RequestId),
    /// Movements have no id, but no two are the same: each names its request and step.
    Moved(super::batch::Digest),
    /// No spool has one.
    Carried(u64),
}

fn kind(record: &Record) -> Kind {
    match record {
        Record::Intent(intent) => Kind::Begun(intent.id),
        Record::Settlement(settlement) => Kind::Ended(settlement.id),
        Record::Movement(movement) => Kind::Moved(Sha256::digest(super::books::encode(&**movement)).into()),
        Record::Carried(carried) => Kind::Carried(carried.through),
    }
}

/// An import renames a spool, but keeps its stem.
fn same_stem(predecessor: &Predecessor, spool: &Spool) -> bool {
    predecessor.path().file_stem() == spool.path().file_stem()
}

fn unwritable(error: &io::Error) -> StoreError {
    StoreError::Write(format!("the spool: {error}"))
}
