//! Quotas: as people write them, in the file or by the API, and as the hub and
//! its books go by them.

use crate::access::ModelFilter;
use crate::limit::{Cycle, Enforce, Measure, Meter, Rule, Span, Tally, Terms};
use crate::types::{Op, Party, Pico, TenantId};
use dashmap::DashMap;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;

/// Most thresholds of one quota.
const MOST_THRESHOLDS: usize = 10;
/// Largest threshold, in percent.
const LARGEST_THRESHOLD: u32 = 1_000;
/// Thresholds of a quota that names none.
const THRESHOLDS: [u32; 2] = [80, 100];

/// Whose use a quota counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum SubjectKind {
    /// A key.
    Key,
    /// A user, by all of their keys.
    User,
    /// An app, by all of its keys.
    App,
    /// A team.
    Team,
    /// A tenant.
    Tenant,
    /// All of the hub together.
    Hub,
}

impl SubjectKind {
    const COUNT: usize = 6;

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::User => "user",
            Self::App => "app",
            Self::Team => "team",
            Self::Tenant => "tenant",
            Self::Hub => "hub",
        }
    }
}

/// How the periods of a quota follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum QuotaWindow {
    /// With the calendar.
    #[default]
    Calendar,
    /// At every moment, the last period counts.
    Rolling,
}

/// An amount as people write it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "write a whole number, or a decimal string as \"12.50\"")]
#[schemars(inline)]
pub enum Amount {
    /// A whole number.
    Count(u64),
    /// A decimal string, as money is.
    Text(String),
}

/// How much somebody may use in a period.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Quota", extend("required" = ["name", "of", "measure", "amount", "period"]))]
pub struct QuotaText {
    /// For people; callers who are refused see it.
    pub name: String,
    /// Whose use is counted: key, user, app, team, tenant or hub.
    pub of: Option<SubjectKind>,
    /// Its id; none: each of them, apart from the others.
    pub id_of: Option<String>,
    /// What is counted: requests, tokens, money or images.
    pub measure: Option<Measure>,
    /// How much: a whole number; money as a decimal string.
    pub amount: Option<Amount>,
    /// minute, hour, day or month.
    pub period: Option<Span>,
    /// calendar: periods begin with the calendar; rolling: at every moment, the last period counts. Default: calendar.
    pub window: QuotaWindow,
    /// IANA name of the calendar's zone, as Europe/Berlin. Default: UTC.
    pub zone: Option<String>,
    /// hard: what does not fit is refused; soft: it is only told. Default: hard.
    pub enforce: Enforce,
    /// Percentages of the amount at which it is told. Default: 80 and 100.
    pub warn_at: Option<Vec<u32>>,
    /// Names and globs of the models that it is about, as callers write them; empty = all.
    pub models: Vec<String>,
    /// Operations that it is about, as chat or embedding; empty = all.
    pub operations: Vec<Op>,
    /// Switched off, nothing is refused and nothing counted. Default: true.
    pub enabled: Option<bool>,
    /// Anything worth knowing.
    pub comment: String,
}

/// A quota as it was written, with what says which one it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuotaSpec {
    /// Its id.
    pub id: String,
    /// Whose it is: it counts nothing of other tenants. `None`: the hub's own.
    pub tenant: Option<TenantId>,
    /// What was written.
    pub text: QuotaText,
}

/// A quota that makes sense.
#[derive(Clone, Debug)]
pub struct Quota {
    /// Its id.
    pub id: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Whose it is; `None`: the hub's own.
    pub tenant: Option<TenantId>,
    /// Whose use is counted.
    pub kind: SubjectKind,
    /// Of which one; `None`: of each, apart from the others.
    pub subject: Option<Arc<str>>,
    /// How it is counted.
    pub rule: Rule,
    /// As it was written.
    pub spec: Arc<QuotaSpec>,
    amount: i128,
    warn_at: Arc<[u32]>,
    models: ModelFilter,
    /// Names what is counted: two quotas that count alike have the same.
    fingerprint: String,
}

/// Who makes a request, as far as quotas go by it.
#[derive(Clone, Copy)]
pub struct Who<'a> {
    /// The key's id.
    pub key: &'a Arc<str>,
    /// Who pays.
    pub tenant: &'a TenantId,
    /// Who is behind the key.
    pub party: &'a Party,
}

impl Who<'_> {
    fn subject(&self, kind: SubjectKind) -> Option<&Arc<str>> {
        match kind {
            SubjectKind::Key => Some(self.key),
            SubjectKind::User => self.party.user.as_ref(),
            SubjectKind::App => self.party.app.as_ref(),
            SubjectKind::Team => self.party.team.as_ref(),
            SubjectKind::Tenant => Some(self.tenant.shared()),
            SubjectKind::Hub => None,
        }
    }
}

impl Quota {
    /// Reads what was written.
    ///
    /// # Errors
    /// Everything that is wrong: field and text.
    pub fn read(spec: &QuotaSpec) -> Result<Self, Vec<(&'static str, String)>> {
        let text = &spec.text;
        let mut faults = Vec::new();
        let mut missing = |field, there: bool| {
            if !there {
                faults.push((field, "is missing".to_owned()));
            }
        };
        missing("name", !text.name.trim().is_empty());
        missing("of", text.of.is_some());
        missing("measure", text.measure.is_some());
        missing("amount", text.amount.is_some());
        missing("period", text.period.is_some());
        let kind = text.of.unwrap_or(SubjectKind::Hub);
        let measure = text.measure.unwrap_or(Measure::Requests);
        let subject = subject(spec, kind, &mut faults);
        let amount = text.amount.as_ref().map(|amount| amount.read(measure));
        let amount = amount.transpose().map_err(|error| faults.push(("amount", error))).ok().flatten();
        let cycle = cycle(text).map_err(|error| faults.push(("zone", error))).ok();
        let warn_at = thresholds(text).map_err(|error| faults.push(("warn_at", error))).ok();
        let models = ModelFilter::new(text.models.clone());
        let models = models.map_err(|error| faults.push(("models", error.to_string()))).ok();
        let (true, Some(amount), Some(cycle), Some(warn_at), Some(models), Some(span)) =
            (faults.is_empty(), amount, cycle, warn_at, models, text.period)
        else {
            return Err(faults);
        };
        Ok(Self {
            id: spec.id.as_str().into(),
            name: text.name.as_str().into(),
            tenant: spec.tenant.clone(),
            kind,
            subject,
            rule: Rule { measure, span, cycle },
            spec: Arc::new(spec.clone()),
            amount,
            warn_at,
            models,
            fingerprint: fingerprint(spec),
        })
    }

    /// Is a request of this kind and for this model, by the caller's name for it, counted?
    pub fn is_about(&self, op: Op, model: &str) -> bool {
        let ops = &self.spec.text.operations;
        (ops.is_empty() || ops.contains(&op)) && self.models.allows(model)
    }

    /// What is allowed to one subject.
    pub fn terms(&self, subject: &str) -> Terms {
        let of = match self.kind {
            SubjectKind::Hub => self.kind.name().to_owned(),
            kind => format!("{}:{subject}", kind.name()),
        };
        Terms {
            quota: Arc::clone(&self.id),
            name: Arc::clone(&self.name),
            tenant: self.tenant.clone(),
            of: of.into(),
            amount: self.amount,
            enforce: self.spec.text.enforce,
            warn_at: Arc::clone(&self.warn_at),
        }
    }

    /// Names the counter of one subject, for as long as it counts alike.
    pub fn counter(&self, subject: &str) -> String {
        format!("{}/{subject}", self.fingerprint)
    }

    /// Names what is counted.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// How much may be used in a period.
    pub fn amount(&self) -> i128 {
        self.amount
    }
}

/// All that bears on what is counted, and nothing that does not: a quota whose amount changes goes
/// on counting.
fn fingerprint(spec: &QuotaSpec) -> String {
    let text = &spec.text;
    let counted = serde_json::json!([
        spec.id,
        spec.tenant,
        text.of,
        text.id_of,
        text.measure,
        text.period,
        text.window,
        text.zone,
        text.models,
        text.operations,
    ]);
    let digest = Sha256::digest(counted.to_string());
    digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

fn subject(
    spec: &QuotaSpec,
    kind: SubjectKind,
    faults: &mut Vec<(&'static str, String)>,
) -> Option<Arc<str>> {
    let id = spec.text.id_of.as_deref();
    let mut fault = |field, text: &str| faults.push((field, text.to_owned()));
    match (kind, id) {
        (SubjectKind::Hub, Some(_)) => fault("id_of", "the hub has no id"),
        (_, Some("")) => fault("id_of", "is empty; leave it out for each of them"),
        _ => {}
    }
    match (&spec.tenant, kind, id) {
        (Some(_), SubjectKind::Hub, _) => fault("of", "a tenant's quota cannot count the hub"),
        (Some(own), SubjectKind::Tenant, Some(id)) if own.as_str() != id => {
            fault("id_of", "is another tenant");
        }
        _ => {}
    }
    match (&spec.tenant, kind, id) {
        // Of a tenant's own tenants there is one.
        (Some(own), SubjectKind::Tenant, None) => Some(Arc::clone(own.shared())),
        (_, _, id) => id.map(Arc::from),
    }
}

impl Amount {
    fn read(&self, measure: Measure) -> Result<i128, String> {
        let wrong = || format!("{self} is no whole number");
        let amount = match (self, measure) {
            (Amount::Text(text), Measure::Money) => Pico::parse(text).map_err(|error| error.to_string())?.0,
            (Amount::Count(count), Measure::Money) => {
                Pico::parse(&count.to_string()).map_err(|error| error.to_string())?.0
            }
            (Amount::Count(count), _) => i128::from(*count),
            (Amount::Text(text), _) => i128::from(text.parse::<u64>().map_err(|_| wrong())?),
        };
        if amount < 0 { Err("cannot be negative".to_owned()) } else { Ok(amount) }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

fn cycle(text: &QuotaText) -> Result<Cycle, String> {
    match (text.window, &text.zone) {
        (QuotaWindow::Rolling, None) => Ok(Cycle::Rolling),
        (QuotaWindow::Rolling, Some(_)) => Err("is of no use to a rolling window".to_owned()),
        (QuotaWindow::Calendar, None) => Ok(Cycle::Calendar(TimeZone::UTC)),
        (QuotaWindow::Calendar, Some(name)) => TimeZone::get(name)
            .map(Cycle::Calendar)
            .map_err(|_| format!("{name:?} is no zone; write it like \"Europe/Berlin\"")),
    }
}

fn thresholds(text: &QuotaText) -> Result<Arc<[u32]>, String> {
    let Some(list) = &text.warn_at else { return Ok(THRESHOLDS.into()) };
    if list.len() > MOST_THRESHOLDS || list.iter().any(|percent| !(1..=LARGEST_THRESHOLD).contains(percent)) {
        return Err(format!("are at most {MOST_THRESHOLDS} percentages from 1 to {LARGEST_THRESHOLD}"));
    }
    let mut sorted = list.clone();
    sorted.sort_unstable();
    sorted.dedup();
    Ok(sorted.into())
}

/// Quotas by whose use they count.
#[derive(Clone, Default)]
pub struct Quotas {
    all: Vec<Arc<Quota>>,
    /// By kind and id: places in `all`.
    named: [HashMap<Arc<str>, Vec<usize>>; SubjectKind::COUNT],
    /// Those of each of a kind, and of the hub.
    each: [Vec<usize>; SubjectKind::COUNT],
}

impl Quotas {
    /// Those that are switched on.
    pub fn new(all: impl IntoIterator<Item = Quota>) -> Self {
        let mut quotas = Self::default();
        for quota in all.into_iter().filter(|quota| quota.spec.text.enabled.unwrap_or(true)) {
            let (at, kind) = (quotas.all.len(), quota.kind as usize);
            match &quota.subject {
                Some(id) => quotas.named[kind].entry(Arc::clone(id)).or_default().push(at),
                None => quotas.each[kind].push(at),
            }
            quotas.all.push(Arc::new(quota));
        }
        quotas
    }

    /// All of them, by place.
    pub fn all(&self) -> &[Arc<Quota>] {
        &self.all
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Calls `each` with place and subject of every quota that counts what `who` does.
    pub fn of(&self, who: Who<'_>, mut each: impl FnMut(usize, &Arc<Quota>, &str)) {
        const KINDS: [SubjectKind; 5] =
            [SubjectKind::Key, SubjectKind::User, SubjectKind::App, SubjectKind::Team, SubjectKind::Tenant];
        let mut take = |at: usize, subject: &str| {
            let own = |quota: &&Arc<Quota>| quota.tenant.as_ref().is_none_or(|own| own == who.tenant);
            if let Some(quota) = self.all.get(at).filter(own) {
                each(at, quota, subject);
            }
        };
        for kind in KINDS {
            let Some(subject) = who.subject(kind) else { continue };
            let named = self.named[kind as usize].get(subject).map_or(&[][..], Vec::as_slice);
            named.iter().chain(&self.each[kind as usize]).for_each(|at| take(*at, subject));
        }
        self.each[SubjectKind::Hub as usize].iter().for_each(|at| take(*at, ""));
    }
}

/// A quota that counts for a key.
#[derive(Clone)]
pub struct HeldTo {
    /// The quota.
    pub quota: Arc<Quota>,
    /// Its counter and terms for the key's subject.
    pub counted: crate::limit::Counted,
}

/// The live counters of all quotas, by what [`Quota::counter`] calls them. Outlives snapshots.
#[derive(Default)]
pub struct MeterShelf {
    meters: DashMap<String, Arc<Meter>>,
    /// What was used by those that have no counter.
    tallies: DashMap<String, Tally>,
}

impl MeterShelf {
    /// The counter of a quota for one subject; made, with what was used, when first asked for.
    pub fn meter(&self, quota: &Quota, subject: &str) -> Arc<Meter> {
        let name = quota.counter(subject);
        if let Some(known) = self.meters.get(&name) {
            return Arc::clone(&known);
        }
        let tally = self.tallies.get(&name).map(|tally| tally.clone()).unwrap_or_default();
        Arc::clone(&self.meters.entry(name).or_insert_with(|| Meter::new(quota.rule.clone(), tally)))
    }

    /// What the books say, for counters that are made from now on.
    pub fn remember(&self, tallies: HashMap<String, Tally>) {
        for (name, tally) in tallies {
            self.tallies.insert(name, tally);
        }
    }

    /// Lets go of counters that no snapshot, caller or request holds; what was used is kept.
    pub(super) fn sweep(&self) {
        self.meters.retain(|name, meter| {
            let keep = Arc::strong_count(meter) > 1;
            if !keep {
                self.tallies.insert(name.clone(), meter.tally());
            }
            keep
        });
    }
}

#[cfg(test)]
mod tests;
