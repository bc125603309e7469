//! Sums of a size to be measured with, without the settlements that they would stand for.

use super::UsageBooks;
use super::rows::{NAMES, page_values};
use crate::ledger::usage::{Names, Page, Rows};
use crate::store::Store;
use crate::store::disk::Row;
use crate::store::options::StoreError;
use crate::store::writer::Command;

/// So many bytes, about, are written in one step.
const BYTES_AT_ONCE: usize = 16 << 20;

impl Store {
    /// Puts sums into books that have no record yet. A year of a million calls a day is there in
    /// seconds; settling them would take hours. With the first record everything is made anew from
    /// the journal, so nothing false outlives a measurement.
    ///
    /// # Errors
    /// When the books have records, or cannot be written.
    pub fn fill_usage<'r>(
        &self,
        names: &Names,
        pages: impl Iterator<Item = (Page, &'r Rows)>,
    ) -> Result<(), StoreError> {
        self.handle.usage.fill(names, pages)
    }
}

impl UsageBooks {
    fn fill<'r>(
        &self,
        names: &Names,
        pages: impl Iterator<Item = (Page, &'r Rows)>,
    ) -> Result<(), StoreError> {
        let mut state = self.state.write();
        let followed = self.ask(Command::Follow)?;
        if followed.through >= followed.kept.first {
            return Err(StoreError::Write("only books without a record can be filled with sums".into()));
        }
        let unsaved = names.unsaved().into_iter();
        let mut rows: Vec<Row> =
            unsaved.map(|(key, value)| ([&[NAMES][..], &key].concat(), Some(value))).collect();
        let mut bytes = 0;
        for (page, sums) in pages {
            for row in page_values(&page, sums) {
                bytes += row.1.as_ref().map_or(0, Vec::len);
                rows.push(row);
            }
            if bytes >= BYTES_AT_ONCE {
                let some = std::mem::take(&mut rows);
                self.ask(|reply| Command::PutUsage(some, reply))?;
                bytes = 0;
            }
        }
        self.ask(|reply| Command::PutUsage(rows, reply))?;
        // What memory knows of names is older than the disk.
        *state = None;
        Ok(())
    }
}
