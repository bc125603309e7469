//! What the audit log is told beside changes, what it tells, and its proof.

use super::{Directory, Draft, Unwritten, verify_audit};
use crate::control::{AUDIT_PREFIX, Entry, open_row, sequence_of};
use crate::store::{Archive, Store};
use std::ops::ControlFlow;

impl Directory {
    /// Notes a refusal, at most so many a minute: nobody may fill the disk by being refused.
    pub(in crate::admin) fn note_refusal(&self, entry: Entry) {
        const MOST_A_MINUTE: u32 = 120;
        let minute = entry.at.0.seconds().div_euclid(60);
        let mut refusals = self.refusals.lock();
        *refusals = if refusals.0 == minute { (minute, refusals.1.saturating_add(1)) } else { (minute, 1) };
        let count = refusals.1;
        drop(refusals);
        match count {
            0..=MOST_A_MINUTE => self.note(entry),
            _ => tracing::warn!(
                action = entry.action,
                "refused; the audit log is not told of more this minute"
            ),
        }
    }

    /// Adds to the audit log alone. A disk that refuses is told in the log.
    pub(in crate::admin) fn note(&self, entry: Entry) {
        if let Err(error) = self.record(entry) {
            tracing::error!(%error, "the audit log cannot be written");
        }
    }

    /// The same, for what may only be done when it is written down.
    ///
    /// # Errors
    /// The disk refuses.
    pub(in crate::admin) fn record(&self, entry: Entry) -> Result<(), Unwritten> {
        let draft = Draft { entries: vec![entry], ..Draft::default() };
        self.change(|_| Ok(((), draft)))
    }

    /// Records of the audit log before a number, the newest first, until told to stop.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(in crate::admin) fn audit_before(
        &self,
        before: u64,
        each: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), String> {
        entries_before(&self.store, before.min(self.audit_end()), each)
    }

    /// The number of the record that comes next.
    pub(in crate::admin) fn audit_end(&self) -> u64 {
        self.turn.lock().audit.seal.sequence.saturating_add(1)
    }

    /// What is on disk now. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(in crate::admin) fn archive(&self) -> Result<Archive, String> {
        self.store.archive().map_err(|error| error.to_string())
    }

    /// Proves the audit log.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn verify_audit(&self) -> Result<Result<u64, crate::control::Broken>, String> {
        verify_audit(&self.archive()?, &self.signer.public_key())
    }

    /// The key that proves the audit log's head.
    pub fn audit_public_key(&self) -> String {
        self.signer.public_key()
    }
}

/// Records before a number, the newest first, until told to stop. Blocks.
///
/// # Errors
/// When the store cannot be read.
pub(in crate::admin) fn entries_before(
    store: &Store,
    mut end: u64,
    each: &mut dyn FnMut(Entry) -> ControlFlow<()>,
) -> Result<(), String> {
    const PIECE: u64 = 512;
    let archive = store.archive().map_err(|error| error.to_string())?;
    while end > 1 {
        let begin = end.saturating_sub(PIECE).max(1);
        let from = [AUDIT_PREFIX.as_bytes(), &begin.to_be_bytes()].concat();
        let mut piece = Vec::new();
        let collect = &mut |key: &[u8], value: &[u8]| {
            if sequence_of(key).is_none_or(|sequence| sequence >= end) {
                return ControlFlow::Break(());
            }
            piece.extend(open_row(value).map(|(_, entry)| entry));
            ControlFlow::Continue(())
        };
        archive.control_from(AUDIT_PREFIX.as_bytes(), &from, collect).map_err(|error| error.to_string())?;
        for entry in piece.into_iter().rev() {
            if each(entry).is_break() {
                return Ok(());
            }
        }
        end = begin;
    }
    Ok(())
}
