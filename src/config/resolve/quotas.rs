//! Quotas of the file and of the control plane, and the counters of callers.

use super::Resolver;
use crate::access::Key;
use crate::config::at::At;
use crate::config::raw;
use crate::config::{
    Extra, HeldTo, LeftOut, MeterShelf, Problem, Quota, QuotaSpec, QuotaText, Quotas, SubjectKind, Who,
};
use crate::limit::Counted;
use crate::types::{KeyId, TenantId};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// All quotas, with the counters of everybody that they are known to be about.
#[derive(Default)]
pub struct QuotaTable {
    quotas: Quotas,
    shelf: Arc<MeterShelf>,
    /// By place of the quota, then by subject. Callers that no snapshot lists come in late.
    counted: Vec<Mutex<BTreeMap<Arc<str>, Counted>>>,
}

impl QuotaTable {
    pub(super) fn new(quotas: Quotas, shelf: Arc<MeterShelf>) -> Self {
        let counted = quotas.all().iter().map(|_| Mutex::default()).collect();
        let table = Self { quotas, shelf, counted };
        // Those that name their subject are counted, and can be looked at, before it has a key.
        for (place, quota) in table.quotas.all().iter().enumerate() {
            match (&quota.subject, quota.kind) {
                (Some(subject), _) => drop(table.counter(place, quota, subject)),
                (None, SubjectKind::Hub) => drop(table.counter(place, quota, "")),
                (None, _) => {}
            }
        }
        table
    }

    fn counter(&self, place: usize, quota: &Arc<Quota>, subject: &str) -> Option<Counted> {
        let mut counted = self.counted.get(place)?.lock();
        if let Some(known) = counted.get(subject) {
            return Some(known.clone());
        }
        let terms = Arc::new(quota.terms(subject));
        let made = Counted { meter: self.shelf.meter(quota, subject), terms };
        counted.insert(subject.into(), made.clone());
        Some(made)
    }

    /// What a key is held to, in the order in which counters are locked.
    pub fn of(&self, key: &Key) -> Arc<[HeldTo]> {
        if self.quotas.is_empty() {
            return Arc::default();
        }
        let who = Who { key: key.id.shared(), tenant: &key.tenant, party: &key.party };
        let mut held: Vec<HeldTo> = Vec::new();
        self.quotas.of(who, |place, quota, subject| {
            if let Some(counted) = self.counter(place, quota, subject) {
                held.push(HeldTo { quota: Arc::clone(quota), counted });
            }
        });
        held.sort_by_key(|held| held.counted.meter.serial());
        held.dedup_by_key(|held| held.counted.meter.serial());
        held.into()
    }

    /// Every quota with its counters at this moment, by subject.
    pub fn all(&self) -> impl Iterator<Item = (&Arc<Quota>, BTreeMap<Arc<str>, Counted>)> {
        self.quotas.all().iter().zip(&self.counted).map(|(quota, counted)| (quota, counted.lock().clone()))
    }

    /// The quotas by themselves.
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }
}

impl Resolver<'_> {
    /// All quotas that make sense. What is wrong in the file is noted; what is wrong with one that
    /// is managed leaves that one out.
    pub(crate) fn quotas(&mut self, raw: &[At<raw::Quota>], extra: &Extra) -> Quotas {
        let mut ids = HashSet::new();
        let mut all = Vec::new();
        for at in raw {
            let Some(quota) = self.quota(at) else { continue };
            if !ids.insert(Arc::clone(&quota.id)) {
                self.notes.below(&at.span, "id", format!("{} is already the id of another quota", quota.id));
            }
            all.push(quota);
        }
        for spec in &extra.quotas {
            match Quota::read(spec) {
                Ok(quota) if !ids.contains(&quota.id) => all.push(quota),
                Ok(_) => {}
                Err(faults) => self.left_out.push(left_out(spec, faults)),
            }
        }
        Quotas::new(all)
    }

    fn quota(&mut self, at: &At<raw::Quota>) -> Option<Quota> {
        let raw = &at.value;
        let id = raw.id.as_ref().and_then(|id| self.note(&id.span, KeyId::parse(&id.value)));
        let tenant =
            raw.tenant.as_ref().map(|tenant| self.note(&tenant.span, TenantId::parse(&tenant.value)));
        let tenant = match tenant {
            Some(None) => return None,
            Some(tenant) => tenant,
            None => None,
        };
        let spec =
            QuotaSpec { id: id.as_ref()?.as_str().to_owned(), tenant, text: text_of(raw, id?.as_str()) };
        match Quota::read(&spec) {
            Ok(quota) => Some(quota),
            Err(faults) => {
                // What is missing is told by the schema.
                for (field, text) in faults.into_iter().filter(|(_, text)| text != "is missing") {
                    self.notes.below(&at.span, field, text);
                }
                None
            }
        }
    }
}

fn text_of(raw: &raw::Quota, id: &str) -> QuotaText {
    QuotaText {
        name: raw.name.clone().unwrap_or_else(|| id.to_owned()),
        of: raw.of,
        id_of: raw.id_of.clone(),
        measure: raw.measure,
        amount: raw.amount.clone(),
        period: raw.period,
        window: raw.window,
        zone: raw.zone.clone(),
        enforce: raw.enforce,
        warn_at: raw.warn_at.clone(),
        models: raw.models.clone(),
        operations: raw.operations.clone(),
        enabled: raw.enabled,
        comment: String::new(),
    }
}

fn left_out(spec: &QuotaSpec, faults: Vec<(&'static str, String)>) -> LeftOut {
    let problem =
        |(key, text): (&str, String)| Problem { file: String::new(), line: None, key: key.to_owned(), text };
    let problems = faults.into_iter().map(problem).collect();
    LeftOut { kind: "quota", name: spec.id.clone(), problems }
}
