//! What the books count for quotas: from before they were made, across
//! restarts and pruning, and through a change of other quotas.

use super::*;
use crate::config::{Quota, QuotaSpec};
use crate::types::Party;
use serde_json::json;

const DAY: i64 = 86_400_000_000;

fn open(dir: &Path, clock: &Clock) -> Store {
    Store::open(dir, options(), clock.clone(), silent()).unwrap()
}

fn quota(id: &str, text: serde_json::Value) -> Quota {
    let mut whole = json!({ "name": id, "amount": 1, "period": "month" });
    whole.as_object_mut().unwrap().extend(text.as_object().unwrap().clone());
    Quota::read(&QuotaSpec { id: id.to_owned(), tenant: None, text: serde_json::from_value(whole).unwrap() })
        .unwrap()
}

fn tokens_of_the_hub() -> Quota {
    quota("hub", json!({ "of": "hub", "measure": "tokens" }))
}

fn requests_of_teams() -> Quota {
    quota("teams", json!({ "of": "team", "measure": "requests", "period": "day", "models": ["gpt-*"] }))
}

/// Request number `n`, so many days after the start, by a team; its tokens.
fn settle(store: &Store, n: u64, days: i64, team: &str) -> i128 {
    let party = Party { team: Some(team.into()), ..Party::default() };
    let intent = Intent { at: Wall(START.0 + days * DAY), party: Arc::new(party), ..intent(n) };
    let settlement = settlement(&intent);
    let tokens = settlement.counted_tokens();
    block_on(async {
        store.intend(intent).await.unwrap();
        store.settle(settlement).await.unwrap();
        store.flush().await.unwrap();
    });
    i128::from(tokens)
}

fn sums(store: &Store, quotas: &[Quota], now: Wall) -> Vec<(String, i128)> {
    let tallies = store.count_by(Quotas::new(quotas.iter().cloned()), now).unwrap();
    let named =
        |fingerprint: &str| quotas.iter().find(|q| q.fingerprint() == fingerprint).unwrap().id.to_string();
    let mut sums: Vec<_> = tallies
        .iter()
        .map(|(name, tally)| {
            let (fingerprint, subject) = name.split_once('/').unwrap();
            (format!("{}/{subject}", named(fingerprint)), tally.sum())
        })
        .collect();
    sums.sort();
    sums
}

#[test]
fn what_was_used_before_a_quota_was_made_is_known_and_stays_known() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::test();
    let store = open(dir.path(), &clock);
    let mut tokens = (0..10).map(|n| settle(&store, n, 0, if n < 4 { "red" } else { "blue" })).sum::<i128>();
    let (hub, teams) = (tokens_of_the_hub(), requests_of_teams());
    let now = clock.wall();
    assert_eq!(sums(&store, std::slice::from_ref(&hub), now), [("hub/".to_owned(), tokens)]);
    tokens += settle(&store, 10, 0, "red");
    let both = [hub.clone(), teams];
    let expected = |tokens: i128, red: i128| {
        [("hub/".to_owned(), tokens), ("teams/blue".to_owned(), 6), ("teams/red".to_owned(), red)]
    };
    assert_eq!(sums(&store, &both, now), expected(tokens, 5), "the old one goes on, the new one looks back");
    tokens += settle(&store, 11, 0, "red");
    store.close();
    let store = open(dir.path(), &clock);
    assert_eq!(sums(&store, &both, now), expected(tokens, 6));
    // Its own row says so, not the journal.
    assert_eq!(sums(&store, std::slice::from_ref(&hub), now), [("hub/".to_owned(), tokens)]);
    store.close();
    let store = open(dir.path(), &clock);
    assert_eq!(
        sums(&store, &both, now),
        expected(tokens, 6),
        "and what was dropped comes back from the journal"
    );
}

#[test]
fn counters_outlive_the_days_that_were_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::test();
    let store = open(dir.path(), &clock);
    let hub = [tokens_of_the_hub()];
    let mut tokens = 0;
    for day in 0..4 {
        clock.advance(Duration::from_secs(if day == 0 { 0 } else { 86_400 }));
        tokens += settle(&store, day, i64::try_from(day).unwrap(), "red");
        assert_eq!(sums(&store, &hub, clock.wall()), [("hub/".to_owned(), tokens)]);
    }
    assert_eq!(store.drop_days_before(clock.wall(), Reach::RunningMonth, u64::MAX).unwrap(), 3);
    assert_eq!(sums(&store, &hub, clock.wall()), [("hub/".to_owned(), tokens)]);
    store.close();
    let store = open(dir.path(), &clock);
    assert_eq!(sums(&store, &hub, clock.wall()), [("hub/".to_owned(), tokens)]);
    tokens += settle(&store, 9, 3, "red");
    assert_eq!(sums(&store, &hub, clock.wall()), [("hub/".to_owned(), tokens)]);
}

#[test]
fn what_does_not_count_is_not_counted() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::test();
    let store = open(dir.path(), &clock);
    let others = quota("others", json!({ "of": "hub", "measure": "requests", "models": ["claude*"] }));
    let images = quota("images", json!({ "of": "hub", "measure": "images" }));
    let rolling = quota(
        "hour",
        json!({ "of": "tenant", "measure": "requests", "period": "hour", "window": "rolling" }),
    );
    settle(&store, 0, 0, "red");
    let all = [others, images, rolling];
    assert_eq!(sums(&store, &all, clock.wall()), [("hour/acme".to_owned(), 1)]);
    // Two days later the first has left the window.
    settle(&store, 1, 2, "red");
    assert_eq!(sums(&store, &all, clock.wall()), [("hour/acme".to_owned(), 1)]);
}

#[test]
fn a_hand_over_neither_forgets_nor_counts_twice() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::test();
    let all = [tokens_of_the_hub(), requests_of_teams()];
    let old = open(dir.path(), &clock);
    sums(&old, &all, clock.wall());
    let mut tokens = (0..3).map(|n| settle(&old, n, 0, "red")).sum::<i128>();
    let expected = |tokens: i128, red: i128| [("hub/".to_owned(), tokens), ("teams/red".to_owned(), red)];
    old.hand_over().unwrap();

    let new = open(dir.path(), &clock);
    let recover = |store: &Store| {
        let mut ended = 0;
        store.recover(&mut |intent| find_price(intent), &mut |_| ended += 1).unwrap();
        ended
    };
    assert_eq!(recover(&new), 0);
    assert_eq!(sums(&new, &all, clock.wall()), expected(tokens, 3), "it begins where the old one was");
    let spooled = settle(&old, 3, 0, "red") + settle(&old, 4, 0, "red");
    tokens += settle(&new, 100, 0, "red");
    assert_eq!(recover(&new), 0);
    assert_eq!(sums(&new, &all, clock.wall()), expected(tokens, 4), "what the old one does now comes later");
    old.close();
    // A spool that a crash leaves behind its import is imported once more.
    let spools = dir.path().join("books/spool");
    let spool = std::fs::read_dir(&spools).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&spool).unwrap();
    assert_eq!(recover(&new), 2);
    tokens += spooled;
    assert_eq!(sums(&new, &all, clock.wall()), expected(tokens, 6));
    new.close();
    std::fs::write(spool.with_extension("importing"), bytes).unwrap();

    let next = open(dir.path(), &clock);
    assert_eq!(recover(&next), 0);
    assert_eq!(sums(&next, &all, clock.wall()), expected(tokens, 6));
    let report = next.verify(&prices()).unwrap();
    assert_eq!((report.is_sound(), report.settlements), (true, 6), "{:?}", report.problems);
    next.close();
}
