//! The books and the limits together, in as many histories as there are seeds.
//!
//! `AIGNE_HUB_TEST_SEED=7` runs only that history, `AIGNE_HUB_TEST_SEEDS=100000`
//! runs more of them than usual.

use super::fake::{FakeDisk, Fault};
use super::sim::{Act, Sim};
use super::*;
use crate::limit::Limits;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

const SEEDS: u64 = 256;
const ACTS: u64 = 100;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// SplitMix64: any seed is as good as any other.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn between(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.below(to.abs_diff(from))).unwrap()
    }

    fn act(&mut self) -> Act {
        match self.below(100) {
            0..32 => Act::Begin,
            32..54 => Act::End(self.below(2) == 0),
            54..70 => Act::Commit,
            70..76 => Act::Move(self.between(0, 4 * HOUR)),
            76 => Act::Move(self.between(-DAY, 0)),
            77 => Act::Move(self.between(-40 * DAY, 40 * DAY)),
            78..80 => Act::NextDay,
            80 => Act::EndAgain,
            81 => Act::EndWithoutIntent,
            82 => Act::Put,
            83 => Act::DropDays,
            84 => Act::Restart,
            85 => Act::Close,
            86..88 => Act::Kill,
            88 => Act::PowerCut,
            89 => Act::HandOver,
            90 => Act::HandOverInVain,
            91..93 => Act::OldBegins,
            93..97 => Act::OldEnds,
            97..99 => Act::OldGoes,
            _ => Act::Inherit,
        }
    }

    fn money(&mut self) -> Act {
        match self.below(8) {
            0..4 => Act::Issue(false),
            4 => Act::Issue(true),
            5 => Act::Reclaim,
            _ => Act::Expire,
        }
    }

    fn fault(&mut self) -> (usize, Fault) {
        let call = usize::try_from(1 + self.below(150)).unwrap();
        let faults = [Fault::Before, Fault::After, Fault::CrashBefore, Fault::CrashAfter];
        (call, faults[usize::try_from(self.below(4)).unwrap()])
    }
}

/// Budgets that a few requests use up: of money, of tokens, of both.
pub(super) fn limits() -> [Limits; 3] {
    let money = Limits {
        day_cost: Some(Pico(150_000_000_000)),
        month_cost: Some(Pico(500_000_000_000)),
        ..Limits::default()
    };
    let tokens = Limits { day_tokens: Some(15_000), month_tokens: Some(40_000), ..Limits::default() };
    let both = Limits { day_cost: money.day_cost, concurrency: Some(2), ..tokens.clone() };
    [money, tokens, both]
}

fn history(seed: u64) {
    let mut random = Random(seed);
    let disk = FakeDisk::default();
    let faults = (0..random.below(6)).map(|_| random.fault()).collect();
    disk.0.lock().faults = faults;
    disk.0.lock().halves_kept = usize::try_from(random.below(3)).unwrap();
    let mut sim = Sim::new(disk);
    sim.limits = limits();
    // Shortly before the end of a month.
    let mut acts = vec![Act::Move(random.between(27 * DAY, 31 * DAY))];
    // Every other history has wallets, whose balances are carried over from days that go.
    let wallets = seed % 2 == 1;
    acts.extend((0..3).filter(|_| wallets).map(|_| Act::Issue(false)));
    for _ in 0..ACTS {
        acts.push(random.act());
        if wallets && random.below(8) == 0 {
            acts.push(random.money());
        }
    }
    sim.run(&acts);
    sim.check();
}

#[test]
fn no_history_loses_money() {
    let number = |name| std::env::var(name).ok().and_then(|text: String| text.parse::<u64>().ok());
    let seeds = match number("AIGNE_HUB_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("AIGNE_HUB_TEST_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| history(seed))) {
            println!("AIGNE_HUB_TEST_SEED={seed}");
            resume_unwind(payload);
        }
    }
}
