//! What is right about a policy for requests and answers.

use super::{Check, LONGEST_COMMENT, LONGEST_LIST};
use crate::config;
use crate::control::BodyPolicy;

impl Check<'_> {
    pub(super) fn body_policy(&mut self, body: &BodyPolicy) {
        self.text("comment", &body.comment, LONGEST_COMMENT);
        self.list("redact", body.redact.len());
        self.list("redact_paths", body.redact_paths.len());
        if body.redact.len().max(body.redact_paths.len()) <= LONGEST_LIST {
            for (field, text) in config::BodyPolicy::read(body).err().into_iter().flatten() {
                self.fault(&field, text);
            }
        }
        match self.after().tenant.clone() {
            None => self.fault("tenant", "is missing; a policy is for the requests of one tenant"),
            Some(tenant) => {
                self.unique::<BodyPolicy>("tenant", |record, _| record.tenant.as_ref() == Some(&tenant));
            }
        }
    }
}
