//! The API without a listener: every route, every role, every tenant.

use super::call::{Incoming, Reply};
use super::dispatch::{Asker, answer_operator, serve_asker};
use super::problem::Problem;
use super::routes::{Access, fits, routes};
use crate::access::Pepper;
use crate::admin::directory::{Directory, Hooks};
use crate::control::{BuiltIn, Kind, Permission, PermissionSet, Principal, Vault, to_hex};
use crate::store::{Options, Store};
use crate::types::{Clock, Secret};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;

mod events;
mod months;
mod parties;
mod usage;

/// A directory on a disk of its own.
struct Place {
    directory: Directory,
    store: Store,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    fn in_folder(folder: tempfile::TempDir) -> Self {
        let options = Options {
            queue: 64,
            flush_interval: Duration::from_millis(1),
            flush_entries: 1,
            cache_bytes: 1 << 20,
        };
        let clock = Clock::test();
        let store = Store::open(folder.path(), options, clock.clone(), Box::new(|_, _| ())).unwrap();
        let directory = Directory::open(store.clone(), clock, folder.path()).unwrap();
        directory.set_vault(Vault::new(&[Secret::new(to_hex(&[1; 32]))]).unwrap());
        directory.connect(Hooks {
            pepper: Box::new(|| Ok(Pepper::new(b"pepper"))),
            snapshot: Box::new(|| None),
            rebuild: Box::new(|| Ok(())),
            trial: Box::new(|_| Ok(None)),
            probe: Box::new(|_, _| Err("nobody to ask".to_owned())),
        });
        Self { directory, store, folder }
    }

    /// Closes everything and opens it again.
    fn again(self) -> Self {
        let Place { directory, store, folder } = self;
        store.close();
        drop((directory, store));
        Self::in_folder(folder)
    }

    fn operator(&self, method: &str, path: &str, body: Value) -> Result<Reply, Problem> {
        answer_operator(&self.directory, &incoming(method, path, &body))
    }

    /// What the operator makes.
    #[track_caller]
    fn made(&self, path: &str, body: Value) -> String {
        let reply = self.operator("POST", path, body).unwrap();
        assert_eq!(reply.status, StatusCode::CREATED);
        reply.body["id"].as_str().unwrap().to_owned()
    }

    fn as_user(&self, user: &str, method: &str, path: &str, body: &Value) -> Result<Reply, Problem> {
        let principal = Principal::user(&self.directory.state(), user).unwrap();
        serve_asker(&self.directory, Asker { principal, session: None }, &incoming(method, path, body))
    }

    fn owner(&self) -> String {
        self.made("/users", json!({ "email": "owner@hub", "role": "owner" }))
    }
}

fn incoming(method: &str, path: &str, body: &Value) -> Incoming {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Incoming {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: HeaderMap::new(),
        body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
        address: Some([192, 0, 2, 1].into()),
        request: "test".to_owned(),
    }
}

#[test]
fn each_row_is_there_once_and_in_the_document() {
    let document = super::document();
    let (mut rows, mut actions) = (HashSet::new(), HashSet::new());
    for route in routes() {
        assert!(rows.insert((route.method, route.path)), "{} {} twice", route.method, route.path);
        assert!(actions.insert(route.action), "{} twice", route.action);
        let operation = &document["paths"][route.path][route.method.to_lowercase()];
        assert_eq!(operation["operationId"], route.action);
        if let Access::Any(permissions) = route.access {
            assert!(!permissions.is_empty(), "{}: nobody could call it", route.action);
        }
    }
    assert!(rows.len() > 70);
    let sorted: Vec<_> = routes().filter(|route| fits(route, "/roles/built-in").is_some()).collect();
    assert_eq!(sorted[0].path, "/roles/built-in", "fixed segments come first");
}

/// Who may pass a row, told by the matrix alone.
fn passes(access: Access, permissions: PermissionSet) -> bool {
    match access {
        Access::Open | Access::Known => true,
        Access::Any(wanted) => wanted.iter().any(|permission| permissions.has(*permission)),
    }
}

#[test]
fn every_route_is_closed_to_every_role_that_lacks_its_permission() {
    let place = Place::new();
    place.owner();
    place.made("/tenants", json!({ "id": "acme" }));
    let mut askers = Vec::new();
    for (tenant, role) in [None, Some("acme")].into_iter().flat_map(|t| BuiltIn::ALL.map(|role| (t, role))) {
        let email = format!("{}@{}", role.name(), tenant.unwrap_or("staff"));
        let user = place.made("/users", json!({ "email": email, "role": role.name(), "tenant": tenant }));
        let all = role.permissions();
        askers.push((email, user, if tenant.is_some() { all.of_a_tenant() } else { all }));
    }
    let own = place.made("/roles", json!({ "name": "auditor", "permissions": ["audit:read"] }));
    let user = place.made("/users", json!({ "email": "auditor@hub", "role": own }));
    askers.push(("auditor".to_owned(), user, [Permission::AuditRead].into_iter().collect()));

    for route in routes().filter(|route| !route.path.starts_with("/session") && route.path != "/me/totp") {
        let path = route.path.replace("{id}", "nothing");
        for (name, user, permissions) in &askers {
            let result = place.as_user(user, route.method, &path, &Value::Null);
            let lacks = result
                .as_ref()
                .err()
                .is_some_and(|p| p.status == StatusCode::FORBIDDEN && p.detail.contains("you lack"));
            // A handler may refuse later, because of whose the thing is; that is told by other tests.
            match passes(route.access, *permissions) {
                false => assert!(lacks, "{name} passed {} {}: {result:?}", route.method, route.path),
                true if route.path.contains("{id}") || route.method == "GET" => {
                    assert!(!lacks, "{name} was refused {} {}: {result:?}", route.method, route.path);
                }
                true => {}
            }
        }
        let nobody = Asker { principal: Principal::nobody(), session: None };
        let result = serve_asker(&place.directory, nobody, &incoming(route.method, &path, &Value::Null));
        let unknown = result.err().is_some_and(|problem| problem.status == StatusCode::UNAUTHORIZED);
        let open = matches!(route.access, Access::Open);
        assert_eq!(unknown, !open, "nobody at {} {}", route.method, route.path);
    }
}

#[test]
fn before_there_is_an_owner_only_the_operator_is_answered() {
    let place = Place::new();
    let user = place.made("/users", json!({ "email": "admin@hub", "role": "admin" }));
    for route in routes().filter(|route| !matches!(route.access, Access::Open)) {
        let result = place.as_user(&user, route.method, &route.path.replace("{id}", "x"), &Value::Null);
        let problem = result.unwrap_err();
        assert_eq!(problem.status, StatusCode::FORBIDDEN, "{} {}", route.method, route.path);
        assert!(problem.detail.contains("no owner"), "{problem:?}");
    }
    place.owner();
    assert!(place.as_user(&user, "GET", "/keys", &Value::Null).is_ok());
}

#[test]
fn nobody_hands_out_more_than_they_have() {
    let place = Place::new();
    let owner = place.owner();
    place.made("/tenants", json!({ "id": "acme" }));
    let admin = place.made("/users", json!({ "email": "admin@hub", "role": "admin" }));
    let local = place.made("/users", json!({ "email": "a@acme", "role": "owner", "tenant": "acme" }));
    let member = place.made("/users", json!({ "email": "m@acme", "role": "member", "tenant": "acme" }));
    let secret = json!({ "password": "a long enough one" });
    let refused = |user: &str, method: &str, path: &str, body: Value| {
        let problem = place.as_user(user, method, path, &body).unwrap_err();
        assert_eq!(problem.status, StatusCode::FORBIDDEN, "{method} {path}: {problem:?}");
    };
    // An admin makes no owner, and takes over none.
    refused(&admin, "POST", "/users", json!({ "email": "o2@hub", "role": "owner" }));
    refused(&admin, "PATCH", &format!("/users/{owner}"), json!({ "name": "x" }));
    refused(&admin, "POST", &format!("/users/{owner}/password"), secret.clone());
    refused(&admin, "DELETE", &format!("/users/{owner}"), Value::Null);
    refused(&admin, "PATCH", &format!("/users/{admin}"), json!({ "role": "owner" }));
    refused(&admin, "POST", "/roles", json!({ "name": "r", "permissions": ["vault:rewrap"] }));
    // Who belongs to a tenant reaches nothing beyond it.
    refused(&local, "POST", "/users", json!({ "email": "x@y", "role": "guest", "tenant": "other" }));
    refused(&local, "POST", "/users", json!({ "email": "x@y", "role": "guest", "tenant": "default" }));
    // A member has keys of their own, and these can do no more than the member.
    refused(&member, "POST", "/keys", json!({ "owner": { "kind": "user", "id": local } }));
    refused(&member, "POST", "/keys", json!({ "scopes": ["users:write"] }));
    let key =
        place.as_user(&member, "POST", "/keys", &json!({ "scopes": ["inference", "keys:own"] })).unwrap();
    assert_eq!(key.body["owner"]["id"], *member);
    assert_eq!(key.body["tenant"], "acme");
    // Who has lost a permission can still revoke the key that was for it.
    let own = key.body["id"].as_str().unwrap();
    place.operator("PATCH", &format!("/users/{member}"), json!({ "role": "guest" })).unwrap();
    place.operator("PATCH", &format!("/users/{member}"), json!({ "role": "member" })).unwrap();
    place.as_user(&member, "DELETE", &format!("/keys/{own}"), &Value::Null).unwrap();
    // Nor may a key make one that reaches further than itself.
    let bound = json!({ "scopes": ["inference", "keys:own"], "models": ["gpt"], "requests_per_minute": 5 });
    let bound =
        place.as_user(&member, "POST", "/keys", &bound).unwrap().body["id"].as_str().unwrap().to_owned();
    let state = place.directory.state();
    let by_key = |body: Value| {
        let principal = Principal::key(&state, state.get(Kind::Key, &bound).unwrap()).unwrap();
        let asker = Asker { principal, session: None };
        serve_asker(&place.directory, asker, &incoming("POST", "/keys", &body))
    };
    let problem = by_key(json!({})).unwrap_err();
    let fields: Vec<&str> = problem.faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!((problem.status, fields), (StatusCode::FORBIDDEN, vec!["models", "requests_per_minute"]));
    assert!(by_key(json!({ "models": ["gpt"], "requests_per_minute": 5 })).is_ok());
}

#[test]
fn the_last_owner_stays_and_what_is_used_is_not_deleted() {
    let place = Place::new();
    let owner = place.owner();
    place.made("/tenants", json!({ "id": "acme" }));
    let status = |method: &str, path: &str, body: Value| match place.operator(method, path, body) {
        Ok(reply) => reply.status.as_u16(),
        Err(problem) => problem.status.as_u16(),
    };
    let path = format!("/users/{owner}");
    assert_eq!(status("PATCH", &path, json!({ "role": "admin" })), 422);
    assert_eq!(status("PATCH", &path, json!({ "enabled": false })), 422);
    assert_eq!(status("DELETE", &path, Value::Null), 409);
    let app = place.made("/apps", json!({ "name": "bot", "role": "member", "tenant": "acme" }));
    let owned = json!({ "owner": { "kind": "app", "id": app } });
    let key = place.made("/keys", owned);
    assert_eq!(status("DELETE", "/tenants/acme", Value::Null), 409, "the app is in it");
    assert_eq!(status("DELETE", &format!("/apps/{app}"), Value::Null), 204);
    assert!(place.directory.state().get(Kind::Key, &key).is_none(), "keys go with their owner");
    assert_eq!(status("DELETE", "/tenants/acme", Value::Null), 204);
}

#[test]
fn lost_updates_and_repeated_requests_are_noticed() {
    let place = Place::new();
    place.made("/tenants", json!({ "id": "acme" }));
    let with = |name: &'static str, value: &str, method: &str, path: &str, body: &Value| {
        let mut asked = incoming(method, path, body);
        asked.headers.insert(name, HeaderValue::from_str(value).unwrap());
        answer_operator(&place.directory, &asked)
    };
    let change = json!({ "comment": "new" });
    let reply = with("if-match", "\"1\"", "PATCH", "/tenants/acme", &change).unwrap();
    assert_eq!(reply.version, Some(2));
    let late = with("if-match", "\"1\"", "PATCH", "/tenants/acme", &change).unwrap_err();
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(
        with("if-match", "\"1\"", "DELETE", "/tenants/acme", &Value::Null).unwrap_err().status,
        late.status
    );

    let body = json!({ "name": "k" });
    let first = with("idempotency-key", "a", "POST", "/keys", &body).unwrap();
    assert_eq!(first.once.len(), 1);
    let again = with("idempotency-key", "a", "POST", "/keys", &body).unwrap();
    assert_eq!((&first.body, first.status), (&again.body, again.status));
    assert!(again.once.is_empty(), "a secret is shown once");
    assert_eq!(place.directory.state().count(Kind::Key), 1);
    let other = with("idempotency-key", "a", "POST", "/keys", &json!({ "name": "other" })).unwrap_err();
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    let place = place.again();
    let mut asked = incoming("POST", "/keys", &body);
    asked.headers.insert("idempotency-key", HeaderValue::from_static("a"));
    assert_eq!(answer_operator(&place.directory, &asked).unwrap().body, first.body, "also after a restart");
    place.directory.clock.advance(Duration::from_secs(90_000));
    assert_ne!(answer_operator(&place.directory, &asked).unwrap().body, first.body, "but not for ever");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let place = Place::new();
    let body = json!({ "models": ["a b", "ok"], "allow": ["here"], "day_cost": "-1", "owner": { "kind": "user", "id": "u" } });
    let problem = place.operator("POST", "/keys", body).unwrap_err();
    let fields: Vec<&str> = problem.faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["owner", "models[0]", "allow[0]", "day_cost"]);
    let problem =
        place.operator("POST", "/keys", json!({ "name": 1, "rpm": 2, "enabled": "x" })).unwrap_err();
    assert_eq!((problem.status, problem.faults.len()), (StatusCode::UNPROCESSABLE_ENTITY, 3));
}

#[test]
fn pages_hold_everything_once_and_filters_hold_less() {
    let place = Place::new();
    for n in 0..7 {
        place.made("/keys", json!({ "name": format!("key {}", n % 2) }));
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = place.operator("GET", &format!("/keys?limit=3&after={after}"), Value::Null).unwrap().body;
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!((seen.len(), seen.iter().collect::<HashSet<_>>().len()), (7, 7));
    let count = |query: &str| {
        let page = place.operator("GET", &format!("/keys?{query}"), Value::Null).unwrap().body;
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(
        (count("name=key+1"), count("q=KEY%200"), count("enabled=false"), count("tenant=x")),
        (3, 4, 0, 0)
    );
    for bad in ["limit=0", "limit=501", "limit=x"] {
        assert_eq!(
            place.operator("GET", &format!("/keys?{bad}"), Value::Null).unwrap_err().status,
            StatusCode::BAD_REQUEST
        );
    }
}

#[test]
fn what_is_managed_and_its_log_are_there_after_a_restart() {
    let place = Place::new();
    let key = place.made("/keys", json!({ "name": "k" }));
    let shown = place.operator("GET", &format!("/keys/{key}"), Value::Null).unwrap().body;
    assert_eq!(place.directory.verify_audit().unwrap(), Ok(1));
    let place = place.again();
    assert_eq!(place.operator("GET", &format!("/keys/{key}"), Value::Null).unwrap().body, shown);
    place.operator("POST", &format!("/keys/{key}/revoke"), Value::Null).unwrap();
    assert_eq!(place.directory.verify_audit().unwrap(), Ok(2), "the chain goes on");
    let again = place.operator("PATCH", &format!("/keys/{key}"), json!({ "enabled": true }));
    assert_eq!(again.unwrap_err().status, StatusCode::CONFLICT, "revoked is for good");
}

#[test]
fn a_record_that_is_tampered_with_on_disk_is_named() {
    let place = Place::new();
    for n in 0..4 {
        place.made("/keys", json!({ "name": n.to_string() }));
    }
    let rows = || {
        let mut rows = Vec::new();
        let each = &mut |key: &[u8], value: &[u8]| {
            rows.push((key.to_vec(), value.to_vec()));
            std::ops::ControlFlow::Continue(())
        };
        place.store.archive().unwrap().control(b"audit/", each).unwrap();
        rows
    };
    for (at, (key, value)) in rows().into_iter().enumerate() {
        let mut forged = value.clone();
        let last = forged.len() - 10;
        forged[last] ^= 1;
        for replaced in [Some(forged), None] {
            place.store.put_control(vec![(key.clone(), replaced)]).unwrap();
            let broken = place.directory.verify_audit().unwrap().unwrap_err();
            assert_eq!(broken.sequence, at as u64 + 1);
        }
        place.store.put_control(vec![(key, Some(value))]).unwrap();
        assert_eq!(place.directory.verify_audit().unwrap(), Ok(4));
    }
}

#[test]
fn credentials_are_written_and_never_read() {
    let place = Place::new();
    let provider = place.made("/providers", json!({ "name": "p", "vendor": "openai" }));
    let body = json!({ "provider": provider, "name": "a", "secret": "sk-canary-0123456789abcdef" });
    let credential = place.operator("POST", "/credentials", body).unwrap();
    let id = credential.body["id"].as_str().unwrap().to_owned();
    let open = |place: &Place| match &place.directory.compile().extra.providers[0].credentials[0].proof {
        crate::config::CredentialProof::Secret(secret) => secret.clone(),
        crate::config::CredentialProof::Pair(..) => panic!("one secret was given"),
    };
    assert_eq!(open(&place).expose(), "sk-canary-0123456789abcdef");
    let mut said = vec![credential.body.to_string()];
    for path in ["/credentials", "/audit", "/vault", &format!("/credentials/{id}")] {
        said.push(place.operator("GET", path, Value::Null).unwrap().body.to_string());
    }
    for form in ["json", "csv"] {
        let reply = place.operator("GET", &format!("/audit/export?format={form}"), Value::Null).unwrap();
        let mut text = Vec::new();
        reply.pour.unwrap().write(&mut text).unwrap();
        said.push(String::from_utf8(text).unwrap());
    }
    assert!(said.iter().all(|text| !text.contains("canary")), "{said:?}");

    // Another master key takes over while everything runs.
    let keys = |bytes: &[u8]| bytes.iter().map(|n| Secret::new(to_hex(&[*n; 32]))).collect::<Vec<_>>();
    place.directory.set_vault(Vault::new(&keys(&[2, 1])).unwrap());
    let moved = place.operator("POST", "/vault/rewrap", Value::Null).unwrap().body;
    assert_eq!(moved["rewrapped"], 1);
    place.directory.set_vault(Vault::new(&keys(&[2])).unwrap());
    assert_eq!(open(&place).expose(), "sk-canary-0123456789abcdef");

    place.directory.set_vault(Vault::default());
    let body = json!({ "provider": provider, "name": "b", "secret": "sk-other" });
    let problem = place.operator("POST", "/credentials", body).unwrap_err();
    assert!(problem.status == StatusCode::CONFLICT && problem.detail.contains("master key"), "{problem:?}");
}

/// A call that somebody of a tenant might try: which route, on whose thing, with which body.
#[derive(Clone, Debug)]
struct Try {
    route: usize,
    thing: usize,
    body: usize,
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let one = (any::<usize>(), any::<usize>(), any::<usize>());
    prop::collection::vec(one.prop_map(|(route, thing, body)| Try { route, thing, body }), 1..25)
}

/// Fills a tenant with one of everything, each named after it; gives the ids.
fn fill(place: &Place, tenant: &str) -> Vec<String> {
    place.made("/tenants", json!({ "id": tenant, "comment": format!("canary-{tenant}") }));
    let canary = |what: &str| format!("canary-{tenant}-{what}");
    let user = place.made(
        "/users",
        json!({ "tenant": tenant, "email": format!("{}@x", canary("user")), "role": "owner" }),
    );
    let team = place.made("/teams", json!({ "tenant": tenant, "name": canary("team"), "members": [user] }));
    let project =
        place.made("/projects", json!({ "tenant": tenant, "name": canary("project"), "team": team }));
    let app = place.made("/apps", json!({ "tenant": tenant, "name": canary("app"), "role": "member" }));
    let role = place
        .made("/roles", json!({ "tenant": tenant, "name": canary("role"), "permissions": ["keys:own"] }));
    let key = place.made("/keys", json!({ "tenant": tenant, "name": canary("key") }));
    let rule = place.made("/address-rules", json!({ "tenant": tenant, "network": "198.51.100.0/24", "verdict": "deny", "comment": canary("rule") }));
    vec![tenant.to_owned(), user, team, project, app, role, key, rule]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_tenant_sees_or_changes_another(tries in tries()) {
        let place = Place::new();
        place.owner();
        let mine = fill(&place, "mine");
        let theirs = fill(&place, "theirs");
        let all: Vec<_> = routes().filter(|route| !route.path.contains("totp") && !route.path.contains("password")).collect();
        let bodies = [
            json!({}),
            json!({ "name": "x" }),
            json!({ "name": "x", "tenant": "theirs" }),
            json!({ "name": "x", "role": "member", "tenant": "theirs", "email": "n@x", "network": "10.0.0.0/8" }),
            json!({ "name": "x", "role": theirs[5], "email": "y@x" }),
            json!({ "name": "x", "members": [theirs[1]], "team": theirs[2], "project": theirs[3] }),
            json!({ "owner": { "kind": "user", "id": theirs[1] } }),
            json!({ "key": theirs[6], "network": "10.0.0.0/8", "verdict": "allow" }),
        ];
        let of_theirs = |place: &Place| {
            let state = place.directory.state();
            let own = |record: &&std::sync::Arc<crate::control::Record>| {
                record.tenant.as_ref().is_some_and(|t| t.as_str() == "theirs") || &*record.id == "theirs"
            };
            Kind::ALL.iter().flat_map(|kind| state.all(*kind).filter(own).cloned().collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        let before = of_theirs(&place);
        let user = mine[1].clone();
        for attempt in tries {
            let route = all[attempt.route % all.len()];
            let things: Vec<&String> = theirs.iter().chain(&mine).collect();
            let path = route.path.replace("{id}", things[attempt.thing % things.len()]);
            if Principal::user(&place.directory.state(), &user).is_none() {
                break;
            }
            let body = match route.method { "GET" => &Value::Null, _ => &bodies[attempt.body % bodies.len()] };
            let said = match place.as_user(&user, route.method, &path, body) {
                Ok(reply) => format!("{}{}", reply.body, reply.text.map(|(_, text)| text).unwrap_or_default()),
                Err(problem) => problem.body().to_string(),
            };
            prop_assert!(!said.contains("canary-theirs"), "{} {path} {body}: {said}", route.method);
        }
        prop_assert_eq!(before, of_theirs(&place));
    }
}
