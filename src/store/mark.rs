//! The mark beside the log: the last batch that was flushed.
//!
//! When bytes in the middle of sled's log are damaged, sled takes that place
//! for the end and opens without a word; what came after is gone, the state
//! tree included, and the chain of batches that is left is whole. Only
//! something outside the log can tell. The mark is written after each flush and
//! not synced itself, so it may be behind, after a loss of power, but never ahead.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// Its name, for the operator too: without the file nothing is compared.
pub(super) const FILE: &str = "last-batch";
/// Digits of the largest number; always the same length, so that no old digit stays.
const DIGITS: usize = 20;

/// The open file.
pub(super) struct Mark {
    file: File,
    last: Option<u64>,
}

impl Mark {
    pub(super) fn open(books: &Path) -> io::Result<Self> {
        let path = books.join(FILE);
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut text = String::new();
        // A mark that cannot be read is none: it is made again at the next flush.
        let last = match file.read_to_string(&mut text) {
            Ok(_) => text.trim_end().parse().ok(),
            Err(_) => None,
        };
        Ok(Self { file, last })
    }

    pub(super) fn last(&self) -> Option<u64> {
        self.last
    }

    /// Everything up to `sequence` has been flushed.
    pub(super) fn set(&mut self, sequence: u64) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(format!("{sequence:0DIGITS$}\n").as_bytes())?;
        self.last = Some(sequence);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_there_after_a_restart_and_garbage_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let mut mark = Mark::open(dir.path()).unwrap();
        assert_eq!(mark.last(), None);
        mark.set(u64::MAX).unwrap();
        mark.set(7).unwrap();
        assert_eq!(Mark::open(dir.path()).unwrap().last(), Some(7));
        std::fs::write(dir.path().join(FILE), b"\xff\x00").unwrap();
        assert_eq!(Mark::open(dir.path()).unwrap().last(), None);
    }
}
