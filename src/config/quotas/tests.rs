use super::*;
use serde_json::json;

fn spec(tenant: Option<&str>, mut text: serde_json::Value) -> QuotaSpec {
    let whole = json!({ "name": "Q", "of": "hub", "measure": "tokens", "amount": 10, "period": "day" });
    for (name, value) in whole.as_object().unwrap() {
        if text.get(name).is_none() {
            text[name] = value.clone();
        }
    }
    let tenant = tenant.map(|tenant| TenantId::parse(tenant).unwrap());
    QuotaSpec { id: "q".to_owned(), tenant, text: serde_json::from_value(text).unwrap() }
}

fn fields(tenant: Option<&str>, text: serde_json::Value) -> Vec<&'static str> {
    let faults = Quota::read(&spec(tenant, text)).err().unwrap_or_default();
    faults.into_iter().map(|(field, _)| field).collect()
}

#[test]
fn every_fault_is_told_at_once() {
    let nothing = QuotaSpec { id: "q".to_owned(), tenant: None, text: QuotaText::default() };
    let missing: Vec<_> = Quota::read(&nothing).unwrap_err().into_iter().map(|(field, _)| field).collect();
    assert_eq!(missing, ["name", "of", "measure", "amount", "period"]);
    let bad = json!({
        "id_of": "x", "amount": "-1", "zone": "Mars/Olympus", "warn_at": [0], "measure": "money", "models": [""],
    });
    assert_eq!(fields(None, bad), ["id_of", "amount", "zone", "warn_at", "models"]);
    assert_eq!(fields(None, json!({ "window": "rolling", "zone": "UTC" })), ["zone"]);
    assert_eq!(fields(None, json!({ "amount": "1.5" })), ["amount"], "tokens are whole");
    assert_eq!(fields(None, json!({ "amount": "1.5", "measure": "money" })), [""; 0]);
}

#[test]
fn a_tenants_quota_stays_within_the_tenant() {
    assert_eq!(fields(Some("acme"), json!({})), ["of"]);
    assert_eq!(fields(Some("acme"), json!({ "of": "tenant", "id_of": "other" })), ["id_of"]);
    let own = Quota::read(&spec(Some("acme"), json!({ "of": "tenant" }))).unwrap();
    assert_eq!(own.subject.as_deref(), Some("acme"));
    let teams = Quota::read(&spec(Some("acme"), json!({ "of": "team" }))).unwrap();
    let quotas = Quotas::new([own, teams]);
    let (party, key) = (Party { team: Some("red".into()), ..Party::default() }, "k".into());
    let count = |tenant: &str| {
        let (tenant, mut found) = (TenantId::parse(tenant).unwrap(), Vec::new());
        quotas.of(Who { key: &key, tenant: &tenant, party: &party }, |_, quota, subject| {
            found.push(quota.terms(subject).of.to_string());
        });
        found
    };
    assert_eq!(count("acme"), ["team:red", "tenant:acme"]);
    assert_eq!(count("other"), [""; 0]);
}

#[test]
fn a_quota_is_found_by_all_that_its_caller_is() {
    let of =
        |kind: &str, id: Option<&str>| Quota::read(&spec(None, json!({ "of": kind, "id_of": id }))).unwrap();
    let off = Quota::read(&spec(None, json!({ "enabled": false }))).unwrap();
    let quotas = Quotas::new([
        of("key", Some("k")),
        of("key", None),
        of("key", Some("other")),
        of("user", Some("u")),
        of("app", None),
        of("team", Some("t")),
        of("tenant", None),
        of("hub", None),
        off,
    ]);
    let party = Party { user: Some("u".into()), app: None, team: Some("t".into()) };
    let (tenant, key, mut found) = (TenantId::parse("acme").unwrap(), "k".into(), Vec::new());
    quotas.of(Who { key: &key, tenant: &tenant, party: &party }, |_, quota, subject| {
        found.push(quota.terms(subject).of.to_string());
    });
    assert_eq!(found, ["key:k", "key:k", "user:u", "team:t", "tenant:acme", "hub"]);
}

#[test]
fn a_counter_goes_on_while_what_it_counts_is_the_same() {
    let print = |text| Quota::read(&spec(None, text)).unwrap().fingerprint().to_owned();
    let before = print(json!({}));
    for same in [json!({ "amount": 99 }), json!({ "name": "x", "enforce": "soft", "warn_at": [1] })] {
        assert_eq!(print(same), before);
    }
    for other in [
        json!({ "measure": "requests" }),
        json!({ "period": "month" }),
        json!({ "zone": "Europe/Berlin" }),
        json!({ "window": "rolling" }),
        json!({ "of": "tenant" }),
        json!({ "models": ["gpt-*"] }),
        json!({ "operations": ["chat"] }),
    ] {
        assert_ne!(print(other.clone()), before, "{other}");
    }
}

#[test]
fn models_and_operations_bound_what_is_counted() {
    let quota = Quota::read(&spec(None, json!({ "models": ["gpt-*"], "operations": ["chat"] }))).unwrap();
    assert!(quota.is_about(Op::Chat, "gpt-5"));
    assert!(!quota.is_about(Op::Chat, "claude") && !quota.is_about(Op::Embedding, "gpt-5"));
}
