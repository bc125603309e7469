//! Answers against a recomputation from all settlements, whatever crashes,
//! faults, rebuilds and prunings there were in between.

use crate::ledger::usage::{
    Choice, Dimension, End, Figure, Group, Label, Measure, Own, Question, Scope, Step, Sums, Target, Who,
    bounds,
};
use crate::ledger::{Charge, Outcome, Settlement};
use crate::store::tests::fake::{FakeDisk, Fault};
use crate::store::tests::{START, block_on, id, intent, options, settlement, silent, tuning};
use crate::store::{Reach, Store, Wanted};
use crate::types::{Clock, KeyId, Op, Party, Pico, RequestId, TenantId, UsageSource, Wall};
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const TENANTS: [&str; 3] = ["acme", "beta", "gamma"];
const MODELS: [&str; 3] = ["gpt-4o", "claude", "=cmd"];
const OUTCOMES: [Outcome; 6] = [
    Outcome::Ok,
    Outcome::Truncated,
    Outcome::UpstreamError,
    Outcome::ClientGone,
    Outcome::CacheHit,
    Outcome::Recovered,
];
const ZONES: [&str; 6] =
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"];
/// Clocks are set in this time, in Berlin and New York.
const BASE: i64 = 1_774_224_000;
const DAYS: i64 = 9;

/// What makes one settlement.
#[derive(Clone, Debug)]
struct Traffic {
    second: i64,
    who: u8,
    model: u8,
    outcome: u8,
    tokens: u32,
    micros: u64,
    cost: i64,
}

fn traffic() -> impl Strategy<Value = Traffic> {
    let numbers = (0..u32::MAX, 0..100_000_000_u64, 0..i64::MAX / 1_000);
    (0..DAYS * 86_400, 0..18_u8, 0..3_u8, 0..6_u8, numbers).prop_map(
        |(second, who, model, outcome, numbers)| {
            let (tokens, micros, cost) = numbers;
            Traffic { second, who, model, outcome, tokens, micros, cost }
        },
    )
}

impl Traffic {
    fn settlement(&self, n: u64) -> Settlement {
        let name = |n: u8| -> Option<Arc<str>> { (n > 0).then(|| format!("u{n}").into()) };
        let tenant = TENANTS[usize::from(self.who % 3)];
        let outcome = OUTCOMES[usize::from(self.outcome)];
        let used = matches!(outcome, Outcome::Ok | Outcome::Truncated | Outcome::Recovered);
        let mut one = settlement(&intent(n));
        one.at = Wall((BASE + self.second) * 1_000_000 + 123);
        one.tenant = TenantId::parse(tenant).unwrap();
        one.key = KeyId::parse(&format!("{tenant}-k{}", self.who / 3)).unwrap();
        one.party =
            Arc::new(Party { user: name(self.who % 4), app: name(self.who % 2), team: name(self.who % 5) });
        one.op = if self.model == 2 { Op::Embedding } else { Op::Chat };
        one.model = MODELS[usize::from(self.model)].into();
        one.credential = if self.model == 1 { "p/b" } else { "p/a" }.into();
        one.outcome = outcome;
        one.error = if outcome == Outcome::UpstreamError { "vendor_failed" } else { "" }.into();
        one.status = if outcome == Outcome::UpstreamError { 502 } else { 200 };
        one.usage.input = u64::from(self.tokens);
        one.usage_source = if used { UsageSource::Provider } else { UsageSource::None };
        one.duration_us = self.micros;
        one.first_token_us = (self.model == 0).then_some(self.micros / 3);
        let cost = Pico(i128::from(self.cost));
        one.charge = used.then(|| Charge { price: "row".into(), tier: 0, cost });
        one
    }
}

/// What happens to the store.
#[derive(Clone, Debug)]
enum Act {
    Settle(Vec<Traffic>),
    ReadOn,
    Save,
    /// The power fails; what was not flushed survives by halves.
    Crash(usize),
    /// The disk fails at the call after so many.
    Fault(usize, Fault),
    Restart,
    Rebuild,
    Prune(i64),
}

fn act() -> impl Strategy<Value = Act> {
    let fault = prop_oneof![Just(Fault::Before), Just(Fault::After)];
    prop_oneof![
        5 => prop::collection::vec(traffic(), 1..40).prop_map(Act::Settle),
        2 => Just(Act::ReadOn),
        2 => Just(Act::Save),
        2 => (0..3_usize).prop_map(Act::Crash),
        1 => (1..4_usize, fault).prop_map(|(after, fault)| Act::Fault(after, fault)),
        1 => Just(Act::Restart),
        1 => Just(Act::Rebuild),
        1 => (0..DAYS + 1).prop_map(Act::Prune),
    ]
}

/// The store and everything that it was told.
struct Place {
    disk: FakeDisk,
    store: Store,
    told: Vec<Settlement>,
}

fn open(disk: &FakeDisk) -> Store {
    let boxed = Box::new(disk.clone());
    Store::start(boxed, &options(), tuning(), Clock::test(), silent(), PathBuf::new()).unwrap()
}

impl Place {
    fn new() -> Self {
        let disk = FakeDisk::default();
        Self { store: open(&disk), disk, told: Vec::new() }
    }

    fn act(&mut self, act: &Act) {
        let usage = &self.store.handle.usage;
        match act {
            Act::Settle(traffic) => self.settle(traffic),
            Act::ReadOn => drop(usage.read_on(20)),
            Act::Save => drop(usage.catch_up()),
            Act::Crash(halves) => {
                self.disk.0.lock().halves_kept = *halves;
                let survivors = self.disk.0.lock().survivors();
                self.store.close();
                self.disk = FakeDisk(Arc::new(Mutex::new(survivors)));
                self.store = open(&self.disk);
            }
            Act::Fault(after, fault) => {
                {
                    let mut world = self.disk.0.lock();
                    let call = world.calls + after;
                    world.faults.push((call, *fault));
                }
                drop(usage.catch_up());
            }
            Act::Restart => {
                self.store.close();
                self.store = open(&self.disk);
            }
            Act::Rebuild => drop(self.store.rebuild_usage()),
            Act::Prune(day) => {
                let before = Wall((BASE + day * 86_400) * 1_000_000);
                drop(self.store.drop_days_before(before, Reach::RunningMonth, u64::MAX));
            }
        }
    }

    fn settle(&mut self, traffic: &[Traffic]) {
        block_on(async {
            for one in traffic {
                let settlement = one.settlement(self.told.len() as u64);
                self.store.settle(settlement.clone()).await.unwrap();
                self.told.push(settlement);
            }
            self.store.flush().await.unwrap();
        });
    }
}

/// What is asked.
#[derive(Clone, Debug)]
struct Ask {
    scope: u8,
    group: Vec<usize>,
    filters: Vec<(usize, u8)>,
    zone: usize,
    step: &'static str,
    from: i64,
    seconds: i64,
}

fn ask() -> impl Strategy<Value = Ask> {
    let dimension = 0..Dimension::all().count();
    let step = prop::sample::select(vec!["5minutes", "15minutes", "hour", "6hours", "day", "week", "month"]);
    let filters = prop::collection::vec((dimension.clone(), 0..6_u8), 0..3);
    let time = (-86_400..DAYS * 86_400, 1..6 * 86_400_i64);
    (0..6_u8, prop::collection::vec(dimension, 0..3), filters, 0..ZONES.len(), step, time).prop_map(
        |(scope, group, filters, zone, step, (from, seconds))| Ask {
            scope,
            group,
            filters,
            zone,
            step,
            from: BASE + from,
            seconds,
        },
    )
}

impl Ask {
    /// `None` where there are too many steps.
    fn question(&self, told: &[Settlement]) -> Option<Question> {
        let zone = TimeZone::get(ZONES[self.zone]).unwrap();
        let bounds =
            bounds(&zone, Step::parse(self.step).unwrap(), self.from, self.from + self.seconds).ok()?;
        let dimensions: Vec<Dimension> = Dimension::all().collect();
        let scope = match self.scope {
            0..3 => Scope::Hub,
            3 => Scope::Tenant("acme".into()),
            4 => Scope::Own(Own { tenant: Some("beta".into()), user: Some("u1".into()), ..Own::default() }),
            _ => Scope::Own(Own { app: Some("u1".into()), keys: vec!["acme-k0".into()], ..Own::default() }),
        };
        // Values that occur, and one that may not.
        let filters = self.filters.iter().map(|(at, pick)| {
            let dimension = dimensions[*at];
            let of = |n: usize| told.get(n).and_then(|one| label(dimension, one)).unwrap_or_default();
            let values = [usize::from(*pick) * 3, usize::from(*pick) * 7].map(of);
            (dimension, values.iter().map(|value| value.to_string()).collect())
        });
        Some(Question {
            choice: Choice { scope, filters: filters.collect() },
            bounds,
            group: self.group.iter().map(|at| dimensions[*at]).collect(),
            times: true,
            only: None,
        })
    }
}

fn label(dimension: Dimension, settlement: &Settlement) -> Label {
    dimension
        .of_who(&Who::of(settlement))
        .or_else(|| dimension.of_target(&Target::of(settlement)))
        .or_else(|| dimension.of_end(&End::of(settlement)))
}

/// Is it within the scope? Said once more, in other words than those of the question itself.
fn is_within(scope: &Scope, settlement: &Settlement) -> bool {
    match scope {
        Scope::Hub => true,
        Scope::Tenant(tenant) => settlement.tenant.as_str() == &**tenant,
        Scope::Own(own) => {
            let tenant = own.tenant.as_deref().is_none_or(|tenant| tenant == settlement.tenant.as_str());
            let user = own.user.is_some() && own.user == settlement.party.user;
            let app = own.app.is_some() && own.app == settlement.party.app;
            tenant && (user || app || own.keys.iter().any(|key| &**key == settlement.key.as_str()))
        }
    }
}

type Told = BTreeMap<Vec<Label>, Vec<Sums>>;

fn recomputed(question: &Question, told: &[Settlement]) -> Told {
    let mut groups = Told::new();
    for settlement in told {
        let chosen = question.choice.filters.iter().all(|(dimension, values)| {
            values.iter().any(|value| value == label(*dimension, settlement).as_deref().unwrap_or_default())
        });
        let seconds = settlement.at.seconds();
        let step = question.bounds.windows(2).position(|pair| pair[0] <= seconds && seconds < pair[1]);
        if let (true, true, Some(step)) = (chosen, is_within(&question.choice.scope, settlement), step) {
            let labels = question.group.iter().map(|one| label(*one, settlement)).collect();
            let steps =
                groups.entry(labels).or_insert_with(|| vec![Sums::default(); question.bounds.len() - 1]);
            steps[step].merge(&Sums::of(settlement));
        }
    }
    groups
}

fn answered(store: &Store, question: &Question) -> Told {
    let (groups, freshness) = store.usage(question).unwrap();
    assert_eq!(freshness.behind, 0);
    let empty = |group: &Group| group.steps.iter().all(|step| *step == Sums::default());
    let groups = groups.into_iter().filter(|group| !empty(group));
    groups.map(|group| (group.labels.unwrap(), group.steps)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 60, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn answers_are_what_a_recomputation_says(
        acts in prop::collection::vec(act(), 1..14), asks in prop::collection::vec(ask(), 6),
    ) {
        let mut place = Place::new();
        for act in &acts {
            place.act(act);
        }
        for ask in &asks {
            let Some(question) = ask.question(&place.told) else { continue };
            prop_assert_eq!(answered(&place.store, &question), recomputed(&question, &place.told), "{:?}", question);
        }
        place.store.close();
    }

    #[test]
    fn calls_are_all_there_once_and_the_latest_first(
        acts in prop::collection::vec(act(), 1..10), ask in ask(), limit in 1..30_usize,
    ) {
        let mut place = Place::new();
        for act in acts.iter().filter(|act| !matches!(act, Act::Prune(_))) {
            place.act(act);
        }
        let Some(question) = ask.question(&place.told) else { return Ok(()) };
        let time = Wall(ask.from * 1_000_000)..Wall((ask.from + ask.seconds) * 1_000_000);
        let mut found: Vec<RequestId> = Vec::new();
        let mut before = None;
        loop {
            let fits = |one: &Settlement| one.attempts > 0;
            let wanted = Wanted { choice: &question.choice, time: time.clone(), before, limit, fits: &fits };
            let page = place.store.calls(&wanted).unwrap();
            prop_assert!(page.calls.len() <= limit);
            found.extend(page.calls.iter().map(|called| called.settlement.id));
            match page.next {
                Some(next) => before = Some(next),
                None => break,
            }
        }
        let expected: Vec<RequestId> = place.told.iter().rev().filter(|one| {
            time.contains(&one.at) && is_within(&question.choice.scope, one)
                && question.choice.filters.iter().all(|(dimension, values)| {
                    values.iter().any(|value| value == label(*dimension, one).as_deref().unwrap_or_default())
                })
        }).map(|one| one.id).collect();
        prop_assert_eq!(found, expected);
        place.store.close();
    }
}

fn all_hours() -> Question {
    let choice = Choice { scope: Scope::Hub, filters: Vec::new() };
    let bounds = vec![BASE, BASE + DAYS * 86_400];
    Question { choice, bounds, group: vec![Dimension::Tenant], times: true, only: None }
}

fn some(n: u64) -> Vec<Traffic> {
    let one = |n: u64| Traffic {
        second: i64::try_from(n * 2_591 % (DAYS.unsigned_abs() * 86_400)).unwrap(),
        who: u8::try_from(n % 18).unwrap(),
        model: u8::try_from(n % 3).unwrap(),
        outcome: u8::try_from(n % 6).unwrap(),
        tokens: u32::try_from(n).unwrap(),
        micros: n * 1_000,
        cost: i64::try_from(n).unwrap(),
    };
    (0..n).map(one).collect()
}

#[test]
fn days_that_are_gone_stay_in_the_sums() {
    let mut place = Place::new();
    let mut traffic = some(300);
    traffic.sort_by_key(|one| one.second);
    traffic.chunks(20).for_each(|some| place.settle(some));
    // A late one, of a day that is about to go.
    place.settle(&[Traffic { second: 3, ..traffic[0].clone() }]);
    let before = answered(&place.store, &all_hours());
    let middle = Wall((BASE + 86_400 * 5) * 1_000_000);
    assert!(place.store.drop_days_before(middle, Reach::RunningMonth, u64::MAX).unwrap() > 3);
    assert_eq!(answered(&place.store, &all_hours()), before);
    for _ in 0..2 {
        let rebuilt = place.store.rebuild_usage().unwrap();
        assert!(rebuilt.records < 200 && rebuilt.since.is_some(), "{rebuilt:?}");
        assert_eq!(answered(&place.store, &all_hours()), before);
    }
    place.settle(&some(10));
    place.act(&Act::Crash(0));
    assert_eq!(answered(&place.store, &all_hours()), recomputed(&all_hours(), &place.told));
    place.store.close();
}

#[test]
fn sums_that_cannot_be_read_are_told_and_made_anew() {
    let mut place = Place::new();
    place.settle(&some(50));
    place.store.handle.usage.catch_up().unwrap();
    let expected = answered(&place.store, &all_hours());
    let key = {
        let world = place.disk.0.lock();
        // The hour or day of a tenant: what the question reads.
        world.usage().keys().find(|key| key.starts_with(&[b'v', 3, 1])).unwrap().clone()
    };
    let damage = vec![(key, Some(vec![1, 1, 200]))];
    place.store.ask(|reply| crate::store::writer::Command::PutUsage(damage, reply)).unwrap();
    assert!(place.store.usage(&all_hours()).unwrap_err().to_string().contains("usage rebuild"));
    place.store.rebuild_usage().unwrap();
    assert_eq!(answered(&place.store, &all_hours()), expected);
    place.store.close();
}

#[test]
fn minutes_go_after_a_day_and_what_they_summed_up_stays() {
    let (disk, clock) = (FakeDisk::default(), Clock::test());
    let start = || {
        Store::start(Box::new(disk.clone()), &options(), tuning(), clock.clone(), silent(), PathBuf::new())
    };
    let store = start().unwrap();
    let minutes = || disk.0.lock().usage().keys().filter(|key| key[0] == b'v' && key[2] == 4).count();
    let settle = |n: u64| block_on(async { store.settle(settlement(&intent(n))).await.unwrap() });
    settle(1);
    store.handle.usage.catch_up().unwrap();
    assert!(minutes() > 0);
    clock.advance(Duration::from_secs(2 * 86_400));
    settle(2);
    store.handle.usage.catch_up().unwrap();
    assert_eq!(minutes(), 0, "the second was of the same old minute");
    let question = Question { bounds: vec![START.seconds(), START.seconds() + 900], ..all_hours() };
    let (groups, _) = store.usage(&question).unwrap();
    assert_eq!(Measure::parse("requests").unwrap().of(&groups[0].total()), Figure::Count(2));
    store.close();
}

#[test]
fn a_call_is_found_by_its_id_within_the_sight_of_who_asks() {
    let place = Place::new();
    let mut one = settlement(&intent(1));
    one.id = RequestId::generate();
    one.at = Clock::machine().wall();
    let begun = crate::ledger::Intent { id: one.id, at: one.at, ..intent(1) };
    block_on(async {
        place.store.intend(begun.clone()).await.unwrap();
        for n in 10..200 {
            place.store.settle(settlement(&intent(n))).await.unwrap();
        }
        place.store.settle(one.clone()).await.unwrap();
    });
    let choice = |scope| Choice { scope, filters: Vec::new() };
    let found = |id, scope| place.store.call(id, &choice(scope)).unwrap();
    let story = found(one.id, Scope::Hub).unwrap();
    assert_eq!((story.settlement, story.intent), (one.clone(), Some(begun)));
    assert!(found(one.id, Scope::Tenant("acme".into())).is_some());
    assert!(found(one.id, Scope::Tenant("beta".into())).is_none());
    assert!(found(RequestId::generate(), Scope::Hub).is_none());
    assert!(found(id(7), Scope::Hub).is_none(), "an id without a time");
    place.store.close();
}
