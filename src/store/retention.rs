//! Old days of the journal go. What wallets had by then is carried over: rows
//! of the state tree hold it, and an entry of the journal holds their digest,
//! so that the balances of today still follow from what is there. It is
//! computed beside the writer, from the days that are to go.

use super::batch::Digest;
use super::books::encode;
use super::disk::Row;
use super::journal::{Chain, Journal, KEPT_KEY, Kept};
use super::options::{Reach, StoreError};
use super::queue::closed;
use super::writer::{Group, Writer};
use crate::ledger::wallet::{Balances, Carried};
use crate::ledger::{Record, day_of, month_start};
use crate::types::Wall;
use sha2::{Digest as _, Sha256};

const CARRIED_PREFIX: &[u8] = b"carried/";
/// A row has so many bytes at most, as a batch has.
const PIECE_BYTES: usize = 6 << 10;
const VERSION: u8 = 1;

/// Days that are to go, and where the journal begins without them.
pub(super) struct Doomed {
    was: Kept,
    kept: Kept,
    days: Vec<i64>,
}

/// What wallets had after the last batch that went.
pub(super) struct Carry {
    pub(super) through: u64,
    head: Digest,
    /// The last day that went.
    pub(super) day: i64,
    pub(super) balances: Balances,
    /// All of the above.
    bytes: Vec<u8>,
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Doomed {
    /// The last batch that is to go.
    fn through(&self) -> u64 {
        self.kept.first.saturating_sub(1)
    }
}

impl Carry {
    fn new((through, head, day): (u64, Digest, i64), balances: Balances) -> Self {
        let mut bytes = vec![VERSION];
        bytes.extend(encode(&(through, head, day)));
        bytes.extend(balances.to_bytes());
        Self { through, head, day, balances, bytes }
    }

    /// What the rows say, if there are any.
    pub(super) fn read(journal: &Journal) -> Result<Option<Self>, StoreError> {
        let mut bytes = Vec::new();
        journal.rows(CARRIED_PREFIX, &mut |_, piece| bytes.extend_from_slice(piece))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let damaged = || StoreError::Damaged("what wallets had when old days went cannot be read".into());
        let rest = bytes.strip_prefix(&[VERSION]).ok_or_else(damaged)?;
        let ((through, head, day), rest) =
            postcard::take_from_bytes::<(u64, Digest, i64)>(rest).map_err(|_| damaged())?;
        let balances = Balances::from_bytes(rest).ok_or_else(damaged)?;
        Ok(Some(Self { through, head, day, balances, bytes }))
    }

    /// What wallets have after the days that are to go, by what was carried before and by the days
    /// themselves. Reads all of them.
    pub(super) fn after(journal: &Journal, doomed: &Doomed) -> Result<Self, StoreError> {
        let Kept { first, before, .. } = doomed.was;
        let mut balances = match Self::read(journal)? {
            Some(carry) if carry.through.saturating_add(1) == first => carry.balances,
            Some(_) => return Err(StoreError::Damaged("what was carried over is of other days".into())),
            None => Balances::new(),
        };
        let mut chain = Chain::new(first, Some(before));
        journal.walk_through(first, doomed.through(), &mut |day, sequence, value| {
            let batch = chain.check(day, sequence, value)?;
            let mut misfit = None;
            let read = batch.each(|record| {
                if let Record::Movement(movement) = record
                    && let Err(error) = balances.apply(&movement)
                {
                    misfit = Some(format!("has a {} that {error}", movement.cause.name()));
                }
            });
            read.map_err(|error| journal.damaged(day, sequence, error))?;
            misfit.map_or(Ok(()), |text| Err(journal.damaged(day, sequence, text)))
        })?;
        let day = doomed.days.last().copied().unwrap_or(i64::MIN);
        Ok(Self::new((doomed.through(), chain.head(), day), balances))
    }

    /// Digest of the rows, in hexadecimal.
    pub(super) fn digest(&self) -> String {
        hex(&Sha256::digest(&self.bytes))
    }

    fn entry(&self, at: Wall) -> Carried {
        let (wallets, credits) = self.balances.sum();
        let (head, balances) = (hex(&self.head).into(), self.digest().into());
        Carried { at, through: self.through, head, balances, wallets, credits }
    }

    /// Its rows, and the removal of those before that it does not replace.
    fn rows(&self, journal: &Journal) -> Result<Vec<Row>, StoreError> {
        let key = |index: u32| [CARRIED_PREFIX, &index.to_be_bytes()].concat();
        let pieces = (0_u32..).zip(self.bytes.chunks(PIECE_BYTES));
        let mut rows: Vec<Row> = pieces.map(|(index, piece)| (key(index), Some(piece.to_vec()))).collect();
        let (count, mut known) = (rows.len(), 0);
        journal.rows(CARRIED_PREFIX, &mut |rest, _| {
            known += 1;
            if known > count {
                rows.push(([CARRIED_PREFIX, rest].concat(), None));
            }
        })?;
        Ok(rows)
    }
}

impl Writer {
    /// Which days before a day may go: none after batch `last`, none with an open intent, and of the
    /// running month only for who insists. The last day stays.
    pub(super) fn doom(&self, before: i64, reach: Reach, last: u64) -> Result<Option<Doomed>, StoreError> {
        let journal = self.journal()?;
        let before = match reach {
            Reach::PastMonths => before.min(month_start(day_of(self.clock.wall()))),
            Reach::RunningMonth => before,
        };
        let low_water = self.books.open().low_water().unwrap_or(u64::MAX);
        let was = self.books.kept;
        let mut doomed = Doomed { was, kept: was, days: Vec::new() };
        let days = journal.days()?;
        for (day, following) in days.iter().zip(days.iter().skip(1)) {
            let Some((sequence, digest)) = journal.last_of(*day)? else { continue };
            if *day >= before || sequence >= low_water || sequence > last {
                break;
            }
            doomed.days.push(*day);
            doomed.kept = Kept { first: sequence.saturating_add(1), before: digest, day: Some(*following) };
        }
        Ok(Some(doomed).filter(|doomed| !doomed.days.is_empty()))
    }

    /// The entry is on disk first; then, in one step, the new beginning and what is carried to it;
    /// and then the first day goes. So a crash in between leaves an entry or days that nobody reads,
    /// and the next call drops them.
    pub(super) fn drop_days(&mut self, doomed: &Doomed, carry: Option<&Carry>) -> Result<u64, StoreError> {
        if self.books.kept != doomed.was {
            return Err(StoreError::Write("days went meanwhile; ask again".into()));
        }
        let mut carried = Vec::new();
        if let Some(carry) = carry {
            let begun = self.clock.mono();
            self.books.carried(&carry.entry(self.clock.wall()));
            if !self.commit(Group::default(), begun) {
                return Err(closed());
            }
            carried = carry.rows(&self.journal()?)?;
        }
        // The projection must not begin in a day that is gone.
        let mut rows = self.books.checkpoint();
        rows.push((KEPT_KEY.to_vec(), Some(encode(&doomed.kept))));
        rows.append(&mut carried);
        self.put(&rows)?;
        self.books.checkpoint_is_safe();
        self.books.kept = doomed.kept;
        for day in &doomed.days {
            let result = self.disk.drop_day(*day);
            self.after(result)?;
        }
        let result = self.disk.flush();
        self.after(result)?;
        Ok(doomed.days.len() as u64)
    }
}
