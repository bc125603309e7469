//! Looking at the audit log, and proving it.

use super::{Directory, verify_audit};
use crate::control::{AUDIT_PREFIX, Entry, open_row, sequence_of};
use std::ops::ControlFlow;

impl Directory {
    /// Records of the audit log before a number, the newest first, until told to stop.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(in crate::admin) fn audit_before(
        &self,
        before: u64,
        each: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), String> {
        const PIECE: u64 = 512;
        let archive = self.store.archive().map_err(|error| error.to_string())?;
        let mut end = before.min(self.turn.lock().audit.seal.sequence.saturating_add(1));
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
            archive
                .control_from(AUDIT_PREFIX.as_bytes(), &from, collect)
                .map_err(|error| error.to_string())?;
            for entry in piece.into_iter().rev() {
                if each(entry).is_break() {
                    return Ok(());
                }
            }
            end = begin;
        }
        Ok(())
    }

    /// Proves the audit log.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn verify_audit(&self) -> Result<Result<u64, crate::control::Broken>, String> {
        let archive = self.store.archive().map_err(|error| error.to_string())?;
        verify_audit(&archive, &self.signer.public_key())
    }

    /// The key that proves the audit log's head.
    pub fn audit_public_key(&self) -> String {
        self.signer.public_key()
    }
}
