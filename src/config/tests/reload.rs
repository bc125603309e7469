//! What a reload changes, and what it does not.

use super::*;
use crate::types::Pico;

const KEY: &str = "[[key]]\nid = \"a\"\nsecret = { env = \"TEAM_A_KEY\" }\n";

fn load(text: &str, registry: &Registry) -> Arc<Snapshot> {
    resolve_in(Path::new("/nowhere"), text, registry).unwrap_or_else(|problems| panic!("{problems}"))
}

fn caller(snapshot: &Snapshot) -> Arc<Caller> {
    let hash = snapshot.pepper.hash("aigne_canary_0123456789");
    Arc::clone(snapshot.callers.find(&hash).unwrap())
}

#[test]
fn health_and_counters_survive_a_reload() {
    let registry = registry();
    let before = load(&format!("{ECHO}{KEY}"), &registry);
    let after = load(&format!("{ECHO}affinity = false\n{KEY}requests_per_minute = 5"), &registry);
    let health = |s: &Snapshot| Arc::clone(&s.providers["simulator"].credentials[0].health);
    assert!(Arc::ptr_eq(&health(&before), &health(&after)));
    assert!(Arc::ptr_eq(&caller(&before).gate, &caller(&after).gate));
    assert_eq!(caller(&after).limits.requests_per_minute, Some(5));
    assert_eq!((before.version, after.version), (1, 2));
}

#[test]
fn a_bad_configuration_changes_nothing() {
    let registry = registry();
    let good = load(&format!("{ECHO}{KEY}"), &registry);
    assert!(resolve_in(Path::new("/nowhere"), "[public]\nlisten = 1", &registry).is_err());
    assert_eq!(registry.version(), good.version);
    let again = load(&format!("{ECHO}{KEY}"), &registry);
    assert!(Arc::ptr_eq(&caller(&good).gate, &caller(&again).gate));
}

#[test]
fn what_is_no_longer_configured_is_dropped() {
    let registry = registry();
    let before = load(&format!("{ECHO}{KEY}"), &registry);
    load("", &registry);
    let after = load(&format!("{ECHO}{KEY}"), &registry);
    let health = |s: &Snapshot| Arc::clone(&s.providers["simulator"].credentials[0].health);
    assert!(!Arc::ptr_eq(&health(&before), &health(&after)));
    assert!(!Arc::ptr_eq(&caller(&before).gate, &caller(&after).gate));
}

#[test]
fn a_key_begins_with_what_the_store_says_it_spent() {
    let id = KeyId::parse("a").unwrap();
    let spent = Spent { day: 1, month: 1, month_cost: Pico(5), ..Spent::default() };
    let registry = registry_with([(id, spent)].into());
    assert_eq!(caller(&load(KEY, &registry)).gate.spent(), spent);
    // Taking it out and putting it back gives no new budget.
    load("", &registry);
    assert_eq!(caller(&load(KEY, &registry)).gate.spent(), spent);
}

#[test]
fn a_key_of_the_file_wins_over_a_stored_one_of_the_same_id() {
    let registry = registry();
    let snapshot = load(KEY, &registry);
    let mut stored =
        StoredKey { key: caller(&snapshot).key.clone(), limits: crate::limit::Limits::default() };
    stored.key.hash = snapshot.pepper.hash("another");
    let mut other = stored.clone();
    other.key.id = KeyId::parse("b").unwrap();
    let environment = environment();
    let inputs = Inputs {
        environment: &environment,
        registry: &registry,
        extra: &Extra { keys: vec![stored, other], ..Extra::default() },
        pepper: &[7; 32],
        prices: &[],
        read_prices: |_, _| Ok(Vec::new()),
    };
    let both = Document::parse("hub.toml", Path::new(""), KEY).resolve(&inputs).unwrap();
    assert_eq!(both.callers.len(), 2);
    assert_eq!(caller(&both).key.id.as_str(), "a");
    assert_eq!(both.callers.find(&both.pepper.hash("another")).unwrap().key.id.as_str(), "b");
}

#[test]
fn changes_that_need_a_restart_are_named() {
    let one = snapshot("");
    let two =
        snapshot("[public]\nlisten = [\"127.0.0.1:9\"]\n[health]\nbreaker_faults = 9\n[cache]\nttl = \"1m\"");
    assert_eq!(two.needs_restart(&one), ["public", "health"]);
}
