//! Credits that tenants get by themselves: once as a welcome, and at the
//! beginning of each month. The books know what was given, so nothing is given
//! twice, whoever asks and how often.

use crate::config::{Billing, Snapshot};
use crate::ledger::wallet::{Operation, Source, Task};
use crate::ledger::{day_of, day_text, month_start};
use crate::store::Store;
use crate::types::{Pico, TenantId, Wall};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What is known to have been given, so that the books need not be asked again.
#[derive(Default)]
pub(super) struct Gifts {
    given: Mutex<HashSet<Arc<str>>>,
}

impl Gifts {
    /// Gives what is due. Blocks until it is on disk.
    pub(super) fn give(&self, snapshot: &Snapshot, store: &Store, now: Wall) {
        let Some(billing) = &snapshot.billing else { return };
        for operation in due(snapshot, billing, now) {
            if self.given.lock().contains(&operation.id) {
                continue;
            }
            let (id, tenant) = (Arc::clone(&operation.id), operation.tenant.clone());
            match store.operate(operation) {
                Ok((done, fresh)) => {
                    if fresh {
                        tracing::info!(%tenant, %id, amount = %done.amount, "credits were given");
                    }
                    self.given.lock().insert(id);
                }
                // The next sweep tries again.
                Err(error) => return tracing::debug!(%tenant, %id, %error, "credits could not be given yet"),
            }
        }
    }
}

fn due(snapshot: &Snapshot, billing: &Billing, now: Wall) -> Vec<Operation> {
    let mut due = Vec::new();
    for (tenant, plan) in &snapshot.paying {
        if let Some(gift) = billing.welcome {
            let expires_at = gift.expires_after.map(|after| now.after(after));
            due.push(issue(format!("welcome:{tenant}"), tenant, "welcome", gift.amount, expires_at));
        }
        if let Some(amount) = plan.allowance {
            let first = month_start(day_of(now));
            // Every month is over after 31 days.
            let next = month_start(first.saturating_add(31));
            let id = format!("allowance:{tenant}:{}", day_text(first));
            let over = Wall(next.saturating_mul(MICROS_PER_DAY));
            due.push(issue(id, tenant, "monthly allowance", amount, Some(over)));
        }
    }
    due
}

fn issue(id: String, tenant: &TenantId, reason: &str, amount: Pico, expires_at: Option<Wall>) -> Operation {
    let task = Task::Issue { source: Source::Grant, amount, priority: None, expires_at };
    Operation { id: id.into(), tenant: tenant.clone(), reason: reason.into(), task }
}
