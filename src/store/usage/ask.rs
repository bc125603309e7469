//! What callers of the store may ask of the sums of usage. All of it blocks.

use super::{CallsPage, Freshness, Rebuilt, Story, Wanted};
use crate::ledger::usage::{Choice, Dimension, Group, NoAnswer, Question};
use crate::store::{Store, StoreError};
use crate::types::RequestId;
use std::sync::Arc;

impl Store {
    /// Answers from everything that is on disk, and says how far that goes.
    ///
    /// # Errors
    /// [`NoAnswer`]; also when the store is closed or handed over.
    pub fn usage(&self, question: &Question) -> Result<(Vec<Group>, Freshness), NoAnswer> {
        self.handle.usage.answer(question)
    }

    /// Values of a dimension that requests of this choice can have had: for who called those of the
    /// callers that it has, for everything else all.
    ///
    /// # Errors
    /// Those of [`Store::usage`].
    pub fn usage_callers(&self, dimension: Dimension, choice: &Choice) -> Result<Vec<Arc<str>>, NoAnswer> {
        self.handle.usage.names(|names| {
            let chosen = names.whos.all().iter().filter(|who| choice.who(who));
            let mut values: Vec<_> = chosen.filter_map(|who| dimension.of_who(who)).collect();
            values.sort_unstable();
            values.dedup();
            values
        })
    }

    /// The first day (since the epoch, UTC) with sums; `None` without any.
    ///
    /// # Errors
    /// Those of [`Store::usage`].
    pub fn usage_began(&self) -> Result<Option<i64>, NoAnswer> {
        self.handle.usage.began()
    }

    /// Calls, those that ended last first.
    ///
    /// # Errors
    /// Those of [`Store::usage`].
    pub fn calls(&self, wanted: &Wanted<'_>) -> Result<CallsPage, NoAnswer> {
        self.handle.usage.calls(wanted)
    }

    /// Everything about one call that has ended, if it is one of the choice.
    ///
    /// # Errors
    /// Those of [`Store::usage`].
    pub fn call(&self, id: RequestId, choice: &Choice) -> Result<Option<Story>, NoAnswer> {
        self.handle.usage.story(id, choice)
    }

    /// Makes the sums anew from the journal, as far as it goes back; older ones stay. Who asks meanwhile
    /// waits; who writes does not.
    ///
    /// # Errors
    /// [`StoreError`], as when the books cannot be read.
    pub fn rebuild_usage(&self) -> Result<Rebuilt, StoreError> {
        self.handle.usage.rebuild()
    }
}
