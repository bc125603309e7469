//! Random faults at random times, checked after every step against what an
//! outside observer knows. A failing seed is printed and can be run again.

use super::random::Random;
use super::*;
use crate::types::Mono;
use std::sync::Arc;
use std::time::Duration;

const SEEDS: u64 = 60;
const STEPS: usize = 3_000;
const WEIGHTS: [u32; 5] = [1, 4, 2, 0, 3];

/// What the observer knows of one credential.
#[derive(Clone, Copy, Default)]
struct Known {
    /// Not to be used before; grows with every 429 and rejection.
    not_before: Mono,
    live: u32,
    probes: u32,
    /// Rejected, and no probe that began since then has succeeded.
    rejected_at: Option<Mono>,
}

struct World {
    seed: u64,
    random: Random,
    now: Mono,
    policy: HealthPolicy,
    healths: Vec<Arc<Health>>,
    picker: Picker,
    known: Vec<Known>,
    /// Credential, begin, attempt.
    running: Vec<(usize, Mono, Attempt)>,
    picked: u32,
    refused: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let policy = HealthPolicy { breaker_faults: 3, ..HealthPolicy::default() };
        Self {
            seed,
            random: Random::new(seed),
            now: Mono(0),
            policy,
            healths: WEIGHTS.iter().map(|_| Health::new(policy)).collect(),
            picker: Picker::new(),
            known: vec![Known::default(); WEIGHTS.len()],
            running: Vec::new(),
            picked: 0,
            refused: 0,
        }
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.random.below(100) < percent
    }

    fn candidates(&self) -> Vec<Candidate<'_>> {
        let pairs = self.healths.iter().zip(WEIGHTS);
        pairs.map(|(health, weight)| Candidate { weight, health }).collect()
    }

    fn step(&mut self) {
        match self.random.below(10) {
            0..=3 => self.start(),
            4..=7 if !self.running.is_empty() => self.finish(),
            _ => {
                let most = if self.chance(5) { 120_000 } else { 800 };
                self.now = self.now.after(Duration::from_millis(self.random.below(most)));
            }
        }
        self.check();
    }

    fn start(&mut self) {
        let excluded: Vec<bool> = WEIGHTS.iter().map(|_| self.chance(10)).collect();
        let strategy = if self.chance(50) { Strategy::RoundRobin } else { Strategy::Latency };
        let affinity = self.chance(20).then_some(self.random.below(8));
        let draw = self.random.next();
        let usable = self.usable(&excluded);
        let picked = self.picker.pick(&self.candidates(), &excluded, strategy, affinity, draw, self.now);
        match picked {
            Ok((index, attempt)) => self.started(index, attempt, &excluded, &usable),
            Err(time) => {
                assert!(usable.is_empty(), "seed {}: {usable:?} could be used", self.seed);
                let all_excluded = excluded.iter().all(|out| *out);
                assert_eq!(time.is_none(), all_excluded, "seed {}", self.seed);
                assert!(time.is_none_or(|time| time > self.now), "seed {}", self.seed);
                self.refused += 1;
            }
        }
    }

    fn usable(&self, excluded: &[bool]) -> Vec<usize> {
        let out = |index: usize| matches!(self.healths[index].standing(self.now), Standing::Until(_));
        (0..WEIGHTS.len()).filter(|index| !excluded[*index] && !out(*index)).collect()
    }

    fn started(&mut self, index: usize, mut attempt: Attempt, excluded: &[bool], usable: &[usize]) {
        let seed = self.seed;
        assert!(!excluded[index] && usable.contains(&index), "seed {seed}");
        assert!(self.now >= self.known[index].not_before, "seed {seed}: {index} was used before its time");
        assert!(self.known[index].rejected_at.is_none() || attempt.is_probe(), "seed {seed}: {index} is out");
        let weighted = usable.iter().any(|other| WEIGHTS[*other] > 0);
        assert!(WEIGHTS[index] > 0 || !weighted, "seed {seed}: the reserve went first");
        if self.chance(30) {
            attempt.first_byte(self.now.after(Duration::from_millis(self.random.below(3_000))));
        }
        self.known[index].live += 1;
        self.known[index].probes += u32::from(attempt.is_probe());
        self.picked += 1;
        self.running.push((index, self.now, attempt));
    }

    fn finish(&mut self) {
        let at = self.random.below(self.running.len() as u64) as usize;
        let (index, began, mut attempt) = self.running.swap_remove(at);
        let known = &mut self.known[index];
        known.live -= 1;
        known.probes -= u32::from(attempt.is_probe());
        let decides = attempt.is_probe() && known.rejected_at.is_none_or(|at| began > at);
        match self.random.below(100) {
            0..=49 => {
                if decides {
                    known.rejected_at = None;
                }
                if self.random.below(2) == 0 {
                    attempt.accepted();
                }
                attempt.succeed(self.now);
            }
            50..=59 => drop(attempt),
            60..=69 => {
                let named =
                    (self.random.below(2) == 0).then(|| Duration::from_millis(self.random.below(20_000)));
                let wait = named.unwrap_or(self.policy.default_cool_down);
                known.not_before = known.not_before.max(self.now.after(wait));
                attempt.fail(Fault::RateLimited(named), self.now);
            }
            70..=73 => {
                if decides || known.rejected_at.is_none() {
                    known.not_before = known.not_before.max(self.now.after(self.policy.base_recheck));
                    known.rejected_at = Some(self.now);
                }
                attempt.fail(Fault::Rejected, self.now);
            }
            _ => attempt.fail(Fault::Failed, self.now),
        }
    }

    fn check(&self) {
        for (index, (health, known)) in self.healths.iter().zip(&self.known).enumerate() {
            let context = format!("seed {}, credential {index}", self.seed);
            assert_eq!(health.in_flight(), known.live, "{context}");
            assert!(known.probes <= 1, "{context}: two probes at once");
            let standing = health.standing(self.now);
            match standing {
                Standing::Until(time) => assert!(time > self.now, "{context}"),
                Standing::Probe => assert_eq!(known.probes, 0, "{context}"),
                Standing::Ready => assert!(known.rejected_at.is_none(), "{context}"),
            }
            let usable_state = matches!(health.state(self.now), State::Ready);
            assert_eq!(usable_state, standing == Standing::Ready, "{context}: {standing:?}");
        }
    }
}

#[test]
fn random_faults_never_break_the_rules() {
    let mut refused = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        refused += world.refused;
        assert!(world.picked > 100, "seed {seed}: the simulation must use credentials");
        world.running.clear();
        world.now = world.now.after(Duration::from_secs(3_600));
        let all = world.usable(&[false; WEIGHTS.len()]);
        assert_eq!(all.len(), WEIGHTS.len(), "seed {seed}: nobody is lost for ever");
    }
    assert!(refused > 100, "only {refused} picks found nobody ready");
}

/// In every stretch in which the same candidates are usable, each of them gets
/// its share of turns, whatever happened before.
#[test]
fn every_ready_candidate_gets_its_share() {
    for seed in 0..SEEDS {
        let mut random = Random::new(seed);
        let weights: Vec<u32> = (0..6).map(|_| 1 + random.below(9) as u32).collect();
        let healths: Vec<_> = weights.iter().map(|_| Health::new(HealthPolicy::default())).collect();
        let candidates: Vec<_> = weights
            .iter()
            .zip(&healths)
            .map(|(weight, health)| Candidate { weight: *weight, health })
            .collect();
        let picker = Picker::new();
        for _ in 0..40 {
            let excluded: Vec<bool> = weights.iter().map(|_| random.below(3) == 0).collect();
            let total: u32 = weights.iter().zip(&excluded).filter(|(_, out)| !**out).map(|(w, _)| w).sum();
            if total == 0 {
                continue;
            }
            let turns = 1 + random.below(200) as u32;
            let mut had = vec![0_u32; weights.len()];
            for _ in 0..turns {
                let pick = picker.pick(&candidates, &excluded, Strategy::RoundRobin, None, 0, Mono(0));
                had[pick.map(|(index, _)| index).unwrap()] += 1;
            }
            for index in (0..weights.len()).filter(|index| !excluded[*index]) {
                let share = f64::from(turns * weights[index]) / f64::from(total);
                let off = (f64::from(had[index]) - share).abs();
                assert!(off < weights.len() as f64, "seed {seed}: {had:?} of {weights:?}, {excluded:?}");
            }
            assert!(excluded.iter().zip(&had).all(|(out, had)| !out || *had == 0), "seed {seed}");
        }
    }
}
