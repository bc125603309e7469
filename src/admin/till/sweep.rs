//! What is done at the till from time to time, by a thread of its own.

use super::{Directory, Till, Trouble, finish, freeze};
use crate::billing::{Account, Allowance, Payment};
use crate::control::{Kind, Record};
use crate::types::NoticeKind;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Before the first request: what a crash left half done is done, and what is frozen is frozen.
/// Blocks.
///
/// # Errors
/// When the disk refuses.
pub fn open_till(directory: &Directory) -> Result<(), String> {
    let state = directory.state();
    let mut tenants = BTreeSet::new();
    for (record, _) in state.each::<Payment>() {
        finish(directory, record).map_err(|problem| problem.detail)?;
        tenants.extend(record.tenant.clone());
    }
    tenants.extend(state.each::<Account>().filter_map(|(record, _)| record.tenant.clone()));
    tenants.iter().for_each(|tenant| freeze(directory, tenant));
    Ok(())
}

/// A look at the till: what is due is given, what is unfinished is done, what runs low is bought.
/// Blocks, and may wait for a payment provider; what fails is tried again at the next look.
pub fn sweep_till(directory: &Directory) {
    let Ok(till) = Till::of(directory) else { return };
    // One that fails does not keep the others from being done.
    let done = [
        ("unfinished payments", till.unfinished()),
        ("allowances", till.allowances()),
        ("months", till.months()),
        ("meter events", till.meter()),
        ("top-ups", till.top_up()),
        ("low wallets", till.low()),
    ];
    for (what, result) in done {
        if let Err(Trouble(error)) = result {
            tracing::warn!(what, error, "a look at the till was not finished");
        }
    }
}

impl Till<'_> {
    fn unfinished(&self) -> Result<(), Trouble> {
        let ids: Vec<Arc<str>> = self.directory.till.lock().unfinished.iter().cloned().collect();
        let state = self.directory.state();
        for id in ids {
            if let Some(record) = state.get(Kind::Payment, &id) {
                self.finish(record)?;
            }
        }
        Ok(())
    }

    fn allowances(&self) -> Result<(), Trouble> {
        let state = self.directory.state();
        for (record, allowance) in state.each::<Allowance>() {
            self.give(record, allowance)?;
        }
        Ok(())
    }

    /// Tells once when a wallet gets low, and again after it was not.
    fn low(&self) -> Result<(), Trouble> {
        let state = self.directory.state();
        for (record, account) in state.each::<Account>() {
            let (Some(tenant), Some(below)) = (&record.tenant, account.tell_below) else { continue };
            let available = self.directory.store().wallets().available(tenant, self.now);
            let mut till = self.directory.till.lock();
            if available >= below {
                till.low.remove(tenant);
            } else if till.low.insert(tenant.clone()) {
                let data = json!({ "available": available, "below": below });
                self.directory.notices().raise(NoticeKind::WalletLow, Some(tenant), tenant.as_str(), data);
            }
        }
        Ok(())
    }

    fn give(&self, record: &Record, allowance: &Allowance) -> Result<(), Trouble> {
        let Some(tenant) = &record.tenant else { return Ok(()) };
        let Some(operation) = allowance.due(&record.id, tenant, self.now) else { return Ok(()) };
        // The books are asked once in a period; later looks know.
        if !self.directory.till.lock().given.insert(Arc::clone(&operation.id)) {
            return Ok(());
        }
        let id = Arc::clone(&operation.id);
        self.operate(operation).map(drop).inspect_err(|_| {
            self.directory.till.lock().given.remove(&id);
        })?;
        Ok(())
    }
}
