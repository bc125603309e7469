//! What is right about a price.

use super::{Check, LONGEST_COMMENT, LONGEST_NAME};
use crate::control::Price;

impl Check<'_> {
    pub(super) fn price(&mut self, body: &Price) {
        self.text("provider", &body.provider, LONGEST_NAME);
        self.text("model", &body.model, LONGEST_NAME);
        self.text("origin", &body.origin, LONGEST_COMMENT);
        match body.read() {
            Err(faults) => faults.iter().for_each(|(field, text)| self.fault(field, text.as_str())),
            Ok(row) => self.unique::<Price>("valid_from", |_, other| {
                let same = other.provider == body.provider && other.model == body.model;
                same && other.read().is_ok_and(|other| other.valid_from == row.valid_from)
            }),
        }
    }
}
