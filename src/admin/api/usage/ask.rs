//! From a query to a question: what is asked for, and what who asks may see.

use crate::admin::api::call::Call;
use crate::admin::api::problem::Problem;
use crate::control::{Fault, Key, Moment, OwnerKind, Permission};
use crate::ledger::usage::{Choice, Dimension, Measure, NoSteps, Own, Scope, Step, bounds};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// What is asked for when nothing says so.
const USUAL_SECONDS: i64 = 86_400;
/// Of the values of a dimension so many are listed.
pub(super) const MOST_VALUES_SHOWN: usize = 1_000;
/// More groupings at once say nothing to anybody.
const MOST_GROUPINGS: usize = 4;

/// Whose requests who asks may see, and what of them.
pub(super) struct Sight {
    scope: Scope,
    cost: bool,
    credentials: bool,
}

impl Sight {
    pub(super) fn of(call: &Call<'_>) -> Result<Self, Problem> {
        let principal = &call.principal;
        let reads_all = principal.permissions.has(Permission::UsageRead);
        let scope = match (&principal.tenant, reads_all) {
            (None, true) => Scope::Hub,
            (Some(tenant), true) => Scope::Tenant(Arc::clone(tenant.shared())),
            (tenant, false) => {
                let tenant = tenant.as_ref().map(|tenant| Arc::clone(tenant.shared()));
                Scope::Own(own(call, tenant)?)
            }
        };
        let of_the_hub = principal.tenant.is_none() && reads_all;
        // A tenant that pays credits could tell the margin from the cost.
        let billing = call.directory.snapshot().and_then(|snapshot| snapshot.billing.clone());
        let pays = billing.is_some_and(|billing| match &principal.tenant {
            Some(tenant) => billing.plan(tenant).billed,
            None => true,
        });
        let credentials = call.may(Permission::ProvidersRead, None);
        Ok(Self { scope, cost: of_the_hub || !pays, credentials })
    }

    pub(super) fn choice(&self, filters: Vec<(Dimension, Vec<String>)>) -> Choice {
        Choice { scope: self.scope.clone(), filters }
    }

    pub(super) fn may_see(&self, measure: Measure) -> bool {
        self.cost || !measure.tells_cost()
    }

    pub(super) fn may_name(&self, dimension: Dimension) -> bool {
        self.credentials || dimension != Dimension::Credential
    }

    pub(super) fn sees_cost(&self) -> bool {
        self.cost
    }

    pub(super) fn sees_credentials(&self) -> bool {
        self.credentials
    }

    pub(super) fn sees_the_hub(&self) -> bool {
        self.scope == Scope::Hub
    }
}

/// Somebody's own: what the books say is theirs, and what their keys called before the books said so.
fn own(call: &Call<'_>, tenant: Option<Arc<str>>) -> Result<Own, Problem> {
    let owner =
        call.principal.as_owner().ok_or_else(|| Problem::forbidden("you have no usage of your own"))?;
    let state = call.directory.state();
    let theirs = state.each::<Key>().filter(|(_, key)| key.owner.as_ref() == Some(&owner));
    let keys = theirs.map(|(record, _)| Arc::clone(&record.id)).collect();
    let id: Arc<str> = owner.id.as_str().into();
    let (user, app) = match owner.kind {
        OwnerKind::User => (Some(id), None),
        OwnerKind::App => (None, Some(id)),
    };
    Ok(Own { tenant, user, app, keys })
}

/// Reads a query, and collects what is wrong with it.
pub(super) struct Asked<'a> {
    call: &'a Call<'a>,
    pub(super) sight: Sight,
    pub(super) zone: TimeZone,
    pub(super) zone_name: String,
    faults: Vec<Fault>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(call: &'a Call<'a>) -> Result<Self, Problem> {
        let sight = Sight::of(call)?;
        let zone_name = call.asked("zone").unwrap_or("UTC").to_owned();
        let mut asked = Self { call, sight, zone: TimeZone::UTC, zone_name, faults: Vec::new() };
        match TimeZone::get(&asked.zone_name) {
            Ok(zone) => asked.zone = zone,
            Err(_) => asked.fault("zone", "is no time zone; write it like Europe/Berlin"),
        }
        let known: Vec<&str> = call.route.asked_by().collect();
        for (name, _) in call.query.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            asked.fault(name, format!("is nothing that can be asked; known are {}", known.join(", ")));
        }
        Ok(asked)
    }

    pub(super) fn fault(&mut self, field: &str, text: impl Into<String>) {
        self.faults.push(Fault::new(field, text));
    }

    /// Everything that is wrong, if anything is.
    pub(super) fn done(&mut self) -> Result<(), Problem> {
        match self.faults.is_empty() {
            true => Ok(()),
            false => Err(Problem::faults(std::mem::take(&mut self.faults))),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.call.asked(name).filter(|text| !text.is_empty())
    }

    /// All values of a name.
    fn texts(&self, name: &str) -> Vec<String> {
        self.call.query.iter().filter(|(own, _)| own == name).map(|(_, value)| value.clone()).collect()
    }

    /// The parts of a text with commas.
    fn list(&self, name: &str) -> Vec<&'a str> {
        self.text(name)
            .into_iter()
            .flat_map(|text| text.split(','))
            .map(str::trim)
            .filter(|t| !t.is_empty())
            .collect()
    }

    /// One of a few words; the first is what is meant without one.
    pub(super) fn word(&mut self, name: &str, words: &[&'static str]) -> &'static str {
        let usual = words.first().copied().unwrap_or_default();
        let Some(text) = self.text(name) else { return usual };
        match words.iter().find(|word| **word == text) {
            Some(word) => word,
            None => {
                self.fault(name, format!("is one of {}", words.join(", ")));
                usual
            }
        }
    }

    pub(super) fn number(&mut self, name: &str, usual: u64, most: u64) -> u64 {
        match self.text(name).map(str::parse::<u64>) {
            None => usual,
            Some(Ok(number)) if (1..=most).contains(&number) => number,
            Some(_) => {
                self.fault(name, format!("is a number from 1 to {most}"));
                usual
            }
        }
    }

    /// A point in time, in seconds: RFC 3339, or a day of the zone, which begins then.
    pub(super) fn time(&mut self, name: &str) -> Option<i64> {
        let text = self.text(name)?;
        if let Some(moment) = Moment::parse(text) {
            return Some(moment.0.seconds());
        }
        let day = text.parse::<Date>().ok().and_then(|day| day.to_zoned(self.zone.clone()).ok());
        if day.is_none() {
            self.fault(
                name,
                "is a point in time, such as 2027-01-01T00:00:00Z, or a day, such as 2027-01-01",
            );
        }
        day.map(|day| day.timestamp().as_second())
    }

    /// From when to when, in seconds.
    pub(super) fn range(&mut self) -> (i64, i64) {
        let to = self.time("to").unwrap_or_else(|| self.call.now.seconds());
        let from = self.time("from").unwrap_or_else(|| to.saturating_sub(USUAL_SECONDS));
        if from >= to {
            self.fault("from", NoSteps::Backwards.to_string());
        }
        (from, to)
    }

    pub(super) fn step(&mut self, (from, to): (i64, i64)) -> (Step, Vec<i64>) {
        let usual = Step::fitting(to.saturating_sub(from));
        let step = match self.text("step").map(Step::parse) {
            None => usual,
            Some(Some(step)) => step,
            Some(None) => {
                self.fault("step", format!("is one of {}", Step::names().collect::<Vec<_>>().join(", ")));
                usual
            }
        };
        // Minutes are not kept for long.
        let old = self.call.now.seconds().saturating_sub(from) > crate::ledger::usage::MINUTES_KEPT - 3_600;
        let step = if self.text("step").is_none() && old { step.at_least_a_quarter() } else { step };
        if step != step.at_least_a_quarter() && old {
            self.fault("step", "is shorter than what is kept of that time; take 15minutes or longer");
        }
        let found = if from < to { bounds(&self.zone, step, from, to) } else { Ok(Vec::new()) };
        let bounds = found.unwrap_or_else(|error| {
            self.fault("step", error.to_string());
            Vec::new()
        });
        (step, bounds)
    }

    pub(super) fn group(&mut self) -> Vec<Dimension> {
        let mut group = Vec::new();
        for name in self.list("group") {
            match Dimension::parse(name) {
                Some(dimension) if !self.sight.may_name(dimension) => {
                    self.fault("group", format!("{name} is for people of the hub"));
                }
                Some(dimension) if group.contains(&dimension) => {}
                Some(dimension) => group.push(dimension),
                None => {
                    let known: Vec<&str> = Dimension::all().map(Dimension::name).collect();
                    self.fault("group", format!("{name:?} is none of {}", known.join(", ")));
                }
            }
        }
        if group.len() > MOST_GROUPINGS {
            self.fault("group", format!("has at most {MOST_GROUPINGS} names"));
        }
        group
    }

    pub(super) fn choice(&mut self) -> Choice {
        let mut filters = Vec::new();
        for dimension in Dimension::all() {
            let values = self.texts(dimension.name());
            if values.is_empty() {
                continue;
            }
            if !self.sight.may_name(dimension) {
                self.fault(dimension.name(), "is for people of the hub");
            }
            filters.push((dimension, values));
        }
        self.sight.choice(filters)
    }

    pub(super) fn measures(&mut self) -> Vec<Measure> {
        let mut measures = Vec::new();
        for name in self.list("measures") {
            match Measure::parse(name) {
                Some(measure) if !self.sight.may_see(measure) => {
                    self.fault("measures", format!("{name} is for people of the hub"));
                }
                Some(measure) => measures.push(measure),
                None => self.fault(
                    "measures",
                    format!("there is no {name:?}; GET /usage/fields lists what there is"),
                ),
            }
        }
        if measures.is_empty() {
            let usual = ["requests", "errors", "tokens", "cost", "charge"];
            measures = usual.iter().filter_map(|name| Measure::parse(name)).collect();
            measures.retain(|measure| self.sight.may_see(*measure));
        }
        measures
    }

    /// By what groups are ranked: one that is shown.
    pub(super) fn by(&mut self, measures: &[Measure]) -> Measure {
        let first = measures.first().copied().unwrap_or(Measure::Tokens);
        let Some(name) = self.text("by") else { return first };
        match measures.iter().find(|measure| measure.name() == name) {
            Some(measure) => *measure,
            None => {
                self.fault("by", "is one of the measures");
                first
            }
        }
    }
}
