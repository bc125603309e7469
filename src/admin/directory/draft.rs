//! What one request changes, and why it may not be written.

use crate::control::oauth::Step;
use crate::control::{Change, Entry, Replay, Session};
use crate::notify::{Delivery, Notice};
use crate::store::ControlRow;

/// All that one request changes, to be written at once.
#[derive(Default)]
pub struct Draft {
    /// The records.
    pub changes: Vec<Change>,
    /// What the audit log says about it.
    pub entries: Vec<Entry>,
    /// Sessions that begin.
    pub begun: Vec<([u8; 32], Session)>,
    /// Sessions that end.
    pub ended: Vec<[u8; 32]>,
    /// What becomes of authorisations.
    pub oauth: Vec<Step>,
    /// Rows that are no records.
    pub rows: Vec<ControlRow>,
    /// The answer, for when the request comes again: its name and what to say.
    pub replay: Option<(String, Replay)>,
    /// What it means that people and programs are told, written together with it.
    pub notices: Vec<Notice>,
    /// The same, for one endpoint each.
    pub deliveries: Vec<Delivery>,
}

impl Draft {
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.entries.is_empty()
            && self.begun.is_empty()
            && self.ended.is_empty()
            && self.oauth.is_empty()
            && self.rows.is_empty()
            && self.notices.is_empty()
            && self.deliveries.is_empty()
    }
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    /// The disk refuses.
    #[error("the change cannot be stored: {0}")]
    Disk(String),
    /// No snapshot could be built, for a reason outside of the change.
    #[error("the configuration does not resolve: {0}")]
    Snapshot(String),
    /// The data plane would leave it out: field and text.
    #[error("it does not fit")]
    Unfit(Vec<(String, String)>),
}
