//! Quotas between the books, which know what was used, and the counters of a
//! snapshot.

use super::reload::Reloader;
use crate::config::{Document, Extra, Snapshot, Who};
use crate::ledger::Settlement;
use crate::limit::{Ask, Enforce};
use crate::proxy::Plane;
use crate::telemetry::QuotaGauge;
use std::collections::BTreeMap;

impl Reloader {
    /// Lets the books count by the quotas that the next snapshot has, and learns from them what of
    /// these is used. Counters that live already go on by themselves.
    pub(super) fn count_quotas(&self, document: &Document, extra: &Extra) {
        match self.store().count_by(document.quotas(extra), self.clock().wall()) {
            Ok(tallies) => self.registry().meters.remember(tallies),
            Err(error) => {
                tracing::error!(%error, "the books cannot say what of new quotas is used; they begin at nothing");
            }
        }
    }

    /// Counts what a request used that another process admitted.
    pub(super) fn inherit_quotas(&self, settlement: &Settlement, used: Ask) {
        let Some(plane) = self.plane() else { return };
        let snapshot = plane.snapshot.load();
        let (key, tenant, party) = (settlement.key.shared(), &settlement.tenant, &*settlement.party);
        snapshot.quotas.quotas().of(Who { key, tenant, party }, |_, quota, subject| {
            if quota.is_about(settlement.op, &settlement.model) {
                let amount = quota.rule.measure.of(used);
                self.registry().meters.meter(quota, subject).inherit(amount, settlement.at);
            }
        });
    }
}

/// Counters by whose use they count and what: two labels with few values, whoever is counted.
pub(super) fn gauges(plane: &Plane, snapshot: &Snapshot) -> Vec<QuotaGauge> {
    let (now, wall) = (plane.clock.mono(), plane.clock.wall());
    let mut sums: BTreeMap<(&'static str, &'static str), (u64, u64)> = BTreeMap::new();
    for (quota, counted) in snapshot.quotas.all() {
        let sum = sums.entry((quota.kind.name(), quota.rule.measure.name())).or_default();
        for counted in counted.values() {
            let used = counted.meter.used(now, wall);
            let full = used.spent.saturating_add(used.held) >= counted.terms.amount;
            sum.0 += 1;
            sum.1 += u64::from(full && counted.terms.enforce == Enforce::Hard);
        }
    }
    let gauge = |((of, measure), (counters, exhausted))| QuotaGauge { of, measure, counters, exhausted };
    sums.into_iter().map(gauge).collect()
}
