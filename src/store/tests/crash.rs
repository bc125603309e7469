//! kill -9. The test runs its own binary as a writer, kills it at some moment,
//! and looks at what it left.

use super::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command as Process, Stdio};

const DIR: &str = "AIGNE_HUB_TEST_CRASH_DIR";
const FIRST: &str = "AIGNE_HUB_TEST_CRASH_FIRST";
const ROUNDS: u64 = 12;
const NAME: &str = "store::tests::crash::a_killed_hub_loses_and_doubles_nothing";

/// Says on standard output what is safe: `b` begun, `e` ended.
fn writer(dir: &Path, first: u64) {
    let store = Store::open(dir, options(), Clock::test(), silent()).unwrap();
    store.recover(&mut |intent| find_price(intent), &mut |_| ()).unwrap();
    let mut out = std::io::stdout().lock();
    block_on(async {
        for n in (first..).step_by(8) {
            let strict = intent(n);
            store.intend_durably(strict.clone()).await.unwrap();
            writeln!(out, "b {n}").unwrap();
            for n in n + 1..n + 8 {
                store.intend(intent(n)).await.unwrap();
            }
            for n in n..n + 6 {
                store.settle(settlement(&intent(n))).await.unwrap();
            }
            store.flush().await.unwrap();
            for n in n..n + 8 {
                let kind = if n % 8 < 6 { 'e' } else { 'b' };
                writeln!(out, "{kind} {n}").unwrap();
            }
        }
    });
}

fn child(dir: &Path, first: u64) -> Child {
    Process::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the child after so many lines; gives all that it managed to say.
fn kill_after(mut child: Child, lines: u64) -> Vec<(char, u64)> {
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut said: Vec<String> = out.by_ref().take(usize::try_from(lines).unwrap()).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    said.extend(out);
    let parse = |line: &String| {
        let (kind, n) = line.split_once(' ')?;
        Some((kind.chars().next().filter(|c| "be".contains(*c) && kind.len() == 1)?, n.parse().ok()?))
    };
    said.iter().filter_map(parse).collect()
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn a_killed_hub_loses_and_doubles_nothing() {
    if let (Ok(dir), Ok(first)) = (std::env::var(DIR), std::env::var(FIRST)) {
        return writer(Path::new(&dir), first.parse().unwrap());
    }
    let fresh = || RequestId::generate().0.as_u64_pair().1 | 1;
    let mut seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(fresh);
    println!("SEED={seed}");
    let dir = tempfile::tempdir().unwrap();
    let mut safe: BTreeMap<u64, char> = BTreeMap::new();
    for round in 0..ROUNDS {
        // A multiple of eight, so that the writer's pattern is known.
        let first = round * 1_000_000;
        let lines = random(&mut seed) % 400;
        for (kind, n) in kill_after(child(dir.path(), first), lines) {
            let known = safe.entry(n).or_insert(kind);
            *known = (*known).max(kind);
        }
        check(dir.path(), &safe);
    }
    assert!(safe.len() > 100, "the rounds shall write something");
}

fn check(dir: &Path, safe: &BTreeMap<u64, char>) {
    let store = Store::open(dir, options(), Clock::test(), silent()).unwrap();
    store.recover(&mut |intent| find_price(intent), &mut |_| ()).unwrap();
    let (mut intents, mut settlements) = (BTreeSet::new(), BTreeMap::new());
    for record in records(&store.archive().unwrap()) {
        match record {
            Record::Intent(intent) => assert!(intents.insert(intent.id), "doubled"),
            Record::Settlement(settlement) => {
                assert!(settlements.insert(settlement.id, settlement.outcome).is_none(), "doubled");
            }
            Record::Movement(_) | Record::Carried(_) => panic!("nobody moved money: {record:?}"),
        }
    }
    for (n, kind) in safe {
        assert!(intents.contains(&id(*n)), "intent {n} was safe and is lost");
        let outcome = settlements[&id(*n)];
        assert!(*kind == 'b' || outcome == Outcome::Ok, "settlement {n} was safe and is lost");
    }
    assert_eq!(intents.len(), settlements.len(), "every intent ended once");
    let report = store.verify(&prices()).unwrap();
    assert!(report.is_sound() && report.open == 0, "{:?}", report.problems);
    store.close();
}
