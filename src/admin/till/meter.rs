//! Reports to Payment Kit what was used. What is reported next is written down
//! before it is sent, so that a report that is sent again is the same report,
//! and its identifiers make it count once.

use super::ask::{bearer, url};
use super::{Till, Trouble, unavailable};
use crate::admin::api::Problem;
use crate::admin::directory::Draft;
use crate::billing::meter_event;
use crate::config::PaymentKit;
use crate::ledger::Record;
use crate::ledger::wallet::Cause;
use crate::store::Archive;
use crate::types::{Pico, TenantId, Wall};
use axum::http::{HeaderValue, Method, header};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// How far use was reported.
const ROW: &str = "payment-kit/reported";

/// Batches of the journal.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Reported {
    /// Everything up to this one is reported.
    done: u64,
    /// Up to this one the running report goes; the same when there is none.
    through: u64,
    /// When it was begun, in seconds since the epoch.
    at: i64,
}

impl Till<'_> {
    /// Reports what was used since the last time, if it is time.
    pub(super) fn meter(&self) -> Result<(), Trouble> {
        let Some(kit) = self.billing.payment_kit.as_deref() else { return Ok(()) };
        let next = self.directory.till.lock().meter_from;
        if next.is_some_and(|at| at > self.now && at <= self.now.after(kit.every)) {
            return Ok(());
        }
        let archive = self.directory.store().archive().map_err(|error| Trouble(error.to_string()))?;
        let mut reported = read(&archive)?.unwrap_or_default();
        if reported.through == reported.done {
            let pause = i64::try_from(kit.every.as_secs()).unwrap_or(i64::MAX);
            if self.now.seconds().saturating_sub(reported.at).saturating_abs() < pause {
                let next = Wall(reported.at.saturating_mul(1_000_000)).after(kit.every);
                self.directory.till.lock().meter_from = Some(next);
                return Ok(());
            }
            let (through, _) = archive.head().map_err(unavailable)?;
            reported = Reported { through, at: self.now.seconds(), ..reported };
            self.write(reported)?;
        }
        for (tenant, (used, calls)) in used(&archive, reported)? {
            self.report(kit, &tenant, used, calls, reported)?;
        }
        drop(archive);
        self.write(Reported { done: reported.through, ..reported })
    }

    fn write(&self, reported: Reported) -> Result<(), Trouble> {
        let value = serde_json::to_vec(&reported).map_err(|error| Trouble(error.to_string()))?;
        let rows = vec![(ROW.into(), Some(value))];
        self.directory.change::<(), Trouble>(|_| Ok(((), Draft { rows, ..Draft::default() })))
    }

    fn report(
        &self,
        kit: &PaymentKit,
        tenant: &TenantId,
        used: Pico,
        calls: u64,
        reported: Reported,
    ) -> Result<(), Trouble> {
        let event = meter_event(&kit.meter, tenant, used, calls, reported.at, reported.through);
        let json = HeaderValue::from_static("application/json");
        let headers = vec![(header::AUTHORIZATION, bearer(&kit.secret_key)?), (header::CONTENT_TYPE, json)];
        let url = url(&kit.api, "/api/meter-events");
        match self.outside(Method::POST, &url, headers, event.to_string().into()) {
            // Known already: the answer to the first time was lost.
            Ok(answer) if matches!(answer.status.as_u16(), 200..=299 | 409) => Ok(()),
            Ok(answer) => Err(Trouble(format!("Payment Kit answered with status {}", answer.status))),
            Err(error) => Err(Trouble(format!("Payment Kit cannot be asked now: {error}"))),
        }
    }
}

fn read(archive: &Archive) -> Result<Option<Reported>, Problem> {
    let mut reported = None;
    let each = &mut |_: &[u8], value: &[u8]| {
        reported = serde_json::from_slice(value).ok();
        ControlFlow::Break(())
    };
    archive.control(ROW.as_bytes(), each).map_err(unavailable)?;
    Ok(reported)
}

/// The last batch that Payment Kit knows of; `None` when it is told of nothing.
pub(super) fn reported(archive: &Archive) -> Result<Option<u64>, Problem> {
    Ok(read(archive)?.map(|reported| reported.done))
}

/// What each wallet was charged, and for how many requests.
fn used(archive: &Archive, reported: Reported) -> Result<BTreeMap<TenantId, (Pico, u64)>, Problem> {
    let mut used: BTreeMap<TenantId, (Pico, u64)> = BTreeMap::new();
    let each = &mut |_: u64, record: &Record| {
        let Record::Movement(movement) = record else { return };
        let Cause::Settle(sale) = &movement.cause else { return };
        if sale.paid > Pico::ZERO {
            let row = used.entry(movement.wallet.clone()).or_default();
            *row = (row.0.saturating_add(sale.paid), row.1.saturating_add(1));
        }
    };
    archive.records(reported.done.saturating_add(1), reported.through, each).map_err(unavailable)?;
    Ok(used)
}
