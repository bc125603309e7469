//! What is right about a quota.

use super::check::{Check, LONGEST_COMMENT, LONGEST_LIST};
use super::{Kind, Quota, Record};
use crate::config::{self, QuotaSpec, SubjectKind};

/// A managed quota as the configuration reads it.
pub(super) fn spec(record: &Record, quota: &Quota) -> QuotaSpec {
    QuotaSpec { id: record.id.to_string(), tenant: record.tenant.clone(), text: quota.clone() }
}

impl Check<'_> {
    pub(super) fn quota(&mut self, body: &Quota) {
        self.text("comment", &body.comment, LONGEST_COMMENT);
        self.name(&body.name);
        self.list("models", body.models.len());
        let read = config::Quota::read(&spec(self.after(), body));
        for (field, text) in read.err().into_iter().flatten().filter(|(field, _)| *field != "name") {
            self.fault(field, text);
        }
        let kind = match body.of {
            Some(SubjectKind::User) => Kind::User,
            Some(SubjectKind::App) => Kind::App,
            Some(SubjectKind::Team) => Kind::Team,
            // Keys and tenants may stand in the file; of the hub there is one.
            Some(SubjectKind::Key | SubjectKind::Tenant | SubjectKind::Hub) | None => return,
        };
        let Some(id) = body.id_of.as_deref().filter(|_| body.models.len() <= LONGEST_LIST) else { return };
        if self.after().tenant.is_some() {
            self.reference("id_of", kind, id);
        }
    }
}
