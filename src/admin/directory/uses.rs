//! How keys were used, on its way into the audit log.

use super::{Directory, Draft, Unwritten};
use crate::access::KeyUse;
use crate::control::{Entry, Kind, Moment, Outcome, Target, Who};
use serde_json::json;

/// Records that go in one batch.
const TOGETHER: usize = 500;

impl Directory {
    /// Writes down how keys were used. Blocks. What a disk refuses is lost, and said in the log: it
    /// is a summary, and the books have every request.
    pub fn note_uses(&self, uses: &[KeyUse]) {
        for some in uses.chunks(TOGETHER) {
            let entries = some.iter().map(|one| self.entry_of_use(one)).collect();
            let draft = Draft { entries, ..Draft::default() };
            if let Err(error) = self.change::<(), Unwritten>(|_| Ok(((), draft))) {
                tracing::warn!(%error, hours = some.len(), "how keys were used cannot be written down");
            }
        }
    }

    fn entry_of_use(&self, one: &KeyUse) -> Entry {
        let id = one.key.as_str().to_owned();
        let (name, tenant) = (one.name.to_string(), Some(one.tenant.clone()));
        Entry {
            sequence: 0,
            at: Moment(self.clock.wall()),
            who: Who { kind: "key".into(), id: Some(id.clone()), name, tenant: tenant.clone() },
            action: "key.used".into(),
            outcome: Outcome::Done,
            reason: None,
            target: Some(Target { kind: Kind::Key, id, tenant }),
            before: None,
            after: Some(json!({
                "requests": one.requests,
                "failed": one.failed,
                "first": Moment(one.first),
                "last": Moment(one.last),
                "addresses": one.addresses,
                "more_addresses": one.more_addresses,
            })),
            address: None,
            request: "hourly".into(),
            previous: String::new(),
        }
    }
}
