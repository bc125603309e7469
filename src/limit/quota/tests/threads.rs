//! Requests of two keys that share quotas, under the schedules that a model
//! checker finds: every lock of the real gate and the real counters is a place
//! where another request may go on.

use super::*;
use crate::limit::lock::model;
use shuttle::thread;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::SeqCst};

const SCHEDULES: usize = 3_000;
/// What all may use together, and what the first key's team may.
const HUB: i128 = 12;
const TEAM: i128 = 8;

/// What a request asks for, and how it ends: with what it used, or without a word.
#[derive(Clone, Copy)]
struct Request {
    of_team: bool,
    asks: u64,
    uses: Option<u64>,
}

const REQUESTS: [Request; 4] = [
    Request { of_team: true, asks: 6, uses: Some(4) },
    Request { of_team: false, asks: 5, uses: Some(5) },
    Request { of_team: true, asks: 4, uses: None },
    Request { of_team: false, asks: 3, uses: Some(1) },
];

/// Two keys, their quotas, and what the requests themselves know of what was let in.
struct Scene {
    clock: Clock,
    gates: [Arc<Gate>; 2],
    hub: Counted,
    team: Counted,
    running_of_team: AtomicU32,
    hub_used: AtomicI64,
    team_used: AtomicI64,
    admitted: AtomicU32,
}

impl Scene {
    fn new(rule: &dyn Fn(Measure, Span) -> Rule) -> Self {
        Self {
            clock: Clock::test(),
            gates: [Gate::new(Spent::default()), Gate::new(Spent::default())],
            hub: quota(rule(Measure::Tokens, Span::Day), HUB),
            team: quota(rule(Measure::Tokens, Span::Hour), TEAM),
            running_of_team: AtomicU32::new(0),
            hub_used: AtomicI64::new(0),
            team_used: AtomicI64::new(0),
            admitted: AtomicU32::new(0),
        }
    }

    /// Nobody ever sees more than is allowed.
    fn look(&self) {
        for (quota, amount) in [(&self.hub, HUB), (&self.team, TEAM)] {
            let used = quota.meter.used(self.clock.mono(), self.clock.wall());
            assert!(used.spent + used.held <= amount, "{used:?} of {amount}");
        }
    }

    fn admit(&self, of_team: bool, asks: u64) -> Result<Permit, Refusal> {
        let quotas = if of_team { vec![&self.hub, &self.team] } else { vec![&self.hub] };
        let limits = Limits { concurrency: of_team.then_some(1), ..Limits::default() };
        let gate = &self.gates[usize::from(of_team)];
        gate.admit_by(&limits, &ordered(quotas), tokens(asks), self.clock.mono(), self.clock.wall())
    }

    fn run(&self, Request { of_team, asks, uses }: Request) {
        let Ok(permit) = self.admit(of_team, asks) else { return self.look() };
        self.admitted.fetch_add(1, SeqCst);
        if of_team {
            assert_eq!(self.running_of_team.fetch_add(1, SeqCst), 0, "one at once");
        }
        self.look();
        if of_team {
            self.running_of_team.fetch_sub(1, SeqCst);
        }
        let used = i64::try_from(uses.unwrap_or_default()).unwrap();
        self.hub_used.fetch_add(used, SeqCst);
        self.team_used.fetch_add(if of_team { used } else { 0 }, SeqCst);
        match uses {
            Some(used) => drop(permit.settle(tokens(used), self.clock.mono(), self.clock.wall())),
            None => drop(permit),
        }
        self.look();
    }

    /// Every request was counted by all of its quotas or by none, and nothing is held for ever.
    fn end(&self) {
        assert!(self.admitted.load(SeqCst) > 0, "somebody is always let in");
        let left = |quota: &Counted, amount: i128, known: &AtomicI64| {
            let used = quota.meter.used(self.clock.mono(), self.clock.wall());
            assert_eq!((used.spent, used.held), (i128::from(known.load(SeqCst)), 0));
            u64::try_from(amount - used.spent).unwrap()
        };
        let hub = left(&self.hub, HUB, &self.hub_used);
        let team = left(&self.team, TEAM, &self.team_used);
        let least = hub.min(team);
        assert!(self.admit(true, least + 1).is_err());
        assert!(self.admit(true, least).is_ok(), "what is left can be had to the last");
    }
}

fn any_schedule(rule: &dyn Fn(Measure, Span) -> Rule) {
    let scene = Arc::new(Scene::new(rule));
    let start = |request| {
        let scene = Arc::clone(&scene);
        thread::spawn(move || scene.run(request))
    };
    let threads: Vec<_> = REQUESTS.into_iter().map(start).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    scene.end();
}

#[test]
fn no_schedule_admits_more_than_there_is() {
    let of_days = || any_schedule(&|measure, span| calendar(measure, span, "UTC"));
    let of_windows = || any_schedule(&rolling);
    model::checked(|| {
        for scene in [of_days, of_windows] {
            shuttle::check_random(scene, SCHEDULES);
            shuttle::check_pct(scene, SCHEDULES / 3, 3);
        }
    });
}
