//! Who sees what of usage.

use super::*;
use crate::ledger::{Outcome, Settlement};
use crate::types::{KeyId, Op, Party, Pico, RequestId, TenantId, Usage, UsageSource, Wall};
use std::sync::Arc;

/// Two tenants with a boss and a member each, who have called something.
struct Town {
    place: Place,
    people: Vec<(String, &'static str, &'static str)>,
}

const NOW: i64 = 1_767_225_600;
const TENANTS: [&str; 2] = ["acme", "zeta"];

impl Town {
    fn new() -> Self {
        let place = Place::new();
        place.owner();
        let mut people = Vec::new();
        for tenant in TENANTS {
            place.made("/tenants", json!({ "id": tenant }));
            for role in ["admin", "member"] {
                let email = format!("{role}@{tenant}");
                let user = place.made("/users", json!({ "email": email, "role": role, "tenant": tenant }));
                people.push((user, tenant, role));
            }
        }
        let town = Self { place, people };
        let calls: Vec<_> = (0..40).map(|n| town.call(n)).collect();
        let store = town.place.store.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for call in calls {
                store.settle(call).await.unwrap();
            }
        });
        town
    }

    fn call(&self, n: usize) -> Settlement {
        let (user, tenant, role) = &self.people[n % self.people.len()];
        let party = Party {
            user: Some(user.as_str().into()),
            app: None,
            team: Some(format!("team-{tenant}").into()),
        };
        Settlement {
            id: RequestId::generate(),
            at: Wall((NOW - 60 * i64::try_from(n + 1).unwrap()) * 1_000_000),
            duration_us: 1_000,
            first_token_us: None,
            intended: true,
            tenant: TenantId::parse(tenant).unwrap(),
            key: KeyId::parse(&format!("key-{tenant}-{role}")).unwrap(),
            op: Op::Chat,
            stream: false,
            model: "gpt".into(),
            provider: "mock".into(),
            upstream_model: "gpt".into(),
            credential: "mock/a".into(),
            attempts: 1,
            status: 200,
            outcome: Outcome::Ok,
            error: "".into(),
            usage: Usage { input: 7, ..Usage::default() },
            usage_source: UsageSource::Provider,
            charge: None,
            saved: Pico::ZERO,
            end_user: Some(format!("end-user-{tenant}-{role}").into()),
            party: Arc::new(party),
            tried: Vec::new(),
            tags: Vec::new(),
        }
    }

    /// Everything that an answer says.
    fn told(&self, user: &str, path: &str) -> String {
        match self.place.as_user(user, "GET", path, &Value::Null) {
            Err(problem) => problem.body().to_string(),
            Ok(reply) => {
                let mut text = reply.body.to_string() + &reply.text.map(|(_, text)| text).unwrap_or_default();
                if let Some(pour) = reply.pour {
                    let mut out = Vec::new();
                    pour.write(&mut out).unwrap();
                    text.push_str(&String::from_utf8(out).unwrap());
                }
                text
            }
        }
    }
}

fn number(text: &str, pointer: &str) -> u64 {
    let value: Value = serde_json::from_str(text).unwrap();
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {pointer} in {text}"))
}

#[test]
fn everybody_sees_the_sums_of_what_is_theirs() {
    let town = Town::new();
    for (user, _, role) in &town.people {
        let theirs = if *role == "admin" { 20 } else { 10 };
        assert_eq!(number(&town.told(user, "/usage/summary?measures=requests"), "/values/requests"), theirs);
        let export = town.told(user, "/calls/export?format=jsonl");
        assert_eq!(export.lines().filter(|line| line.contains("\"id\"")).count() as u64, theirs);
    }
    let all = town.place.operator("GET", "/usage/summary?measures=requests", Value::Null).unwrap();
    assert_eq!(all.body["values"]["requests"], 40);
}

#[test]
fn every_mistake_of_a_question_is_told_at_once() {
    let town = Town::new();
    let path = "/usage/series?zone=Mars&step=blink&group=weather&measures=joy&by=x&top=0&compare=x&colour=red&from=soon";
    let problem = town.place.operator("GET", path, Value::Null).unwrap_err();
    let fields: HashSet<_> = problem.faults.iter().map(|fault| fault.field.as_str()).collect();
    let expected = ["zone", "step", "group", "measures", "by", "top", "compare", "colour", "from"];
    assert_eq!(fields, HashSet::from(expected), "{problem:?}");
}

fn question() -> impl Strategy<Value = String> {
    let paths = ["/usage/series", "/usage/top", "/usage/fields", "/calls", "/calls/export", "/usage/summary"];
    let groups =
        ["tenant", "team", "user", "key", "model", "key,model", "tenant,user", "outcome", "provider"];
    let filters = [
        "",
        "&tenant=zeta",
        "&tenant=acme&tenant=zeta",
        "&key=key-zeta-member",
        "&team=team-zeta",
        "&model=gpt",
        "&end_user=end-user-zeta-member",
        "&limit=3",
        "&compare=previous",
        "&top=1",
        "&format=csv",
        "&step=hour",
    ];
    let pick = prop::sample::select::<&str>;
    let filters = prop::collection::vec(pick(filters.to_vec()), 0..3);
    (pick(paths.to_vec()), pick(groups.to_vec()), filters).prop_map(|(path, group, filters)| {
        let group = if path.starts_with("/usage/s") || path == "/usage/top" {
            format!("group={group}")
        } else {
            String::new()
        };
        format!("{path}?{group}{}", filters.concat())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 100, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn nobody_learns_of_another_tenant_or_of_other_peoples_calls(
        questions in prop::collection::vec(question(), 30),
    ) {
        let town = Town::new();
        let member = &town.people[1].0;
        let others: Vec<&str> = town.people.iter().filter(|one| one.0 != *member).map(|one| one.0.as_str()).collect();
        for path in &questions {
            for (user, tenant, role) in town.people.iter().take(2) {
                prop_assert_eq!(*tenant, "acme");
                let told = town.told(user, path);
                prop_assert!(!told.contains("team-zeta") && !told.contains("key-zeta") && !told.contains("end-user-zeta"), "{path}: {told}");
                prop_assert!(!told.contains("mock/a"), "{path}: {told}");
                if *role == "member" {
                    prop_assert!(others.iter().all(|other| !told.contains(other)), "{path}: {told}");
                    prop_assert!(!told.contains("key-acme-admin"), "{path}: {told}");
                }
            }
        }
    }
}
