//! Requests and answers of tenants that want them kept: nobody else's, sealed, redacted, read by
//! few, and deleted with a proof.

use super::secrets::in_files;
use super::*;

fn conf(upstream: &Upstream, policy: &str) -> Conf {
    let conf =
        Conf::one(upstream).second_key("other", "quiet").variable("AIGNE_HUB_MASTER_KEY", &"07".repeat(32));
    if policy.is_empty() { conf } else { conf.section(&format!("[[bodies]]\ntenant = \"acme\"\n{policy}")) }
}

/// A chat of the tenant `acme`, for a user of its own.
fn said(words: &str, user: &str, stream: bool) -> Request {
    let message = json!({ "role": "user", "content": words });
    let body = json!({ "model": "gpt", "messages": [message], "user": user, "stream": stream });
    Request::post("/v1/chat/completions", &body).key(conf::KEY)
}

async fn items(api: &Api<'_>, query: &str) -> Vec<Value> {
    api.get(&format!("/bodies{query}")).await["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn nothing_is_kept_unless_a_tenant_wants_it() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&conf(&upstream, "")).await;
    hub.call(&said("body-canary-1", "ann", false)).await.expect(200);
    let home = hub.home();
    hub.stop().await;
    assert_eq!(in_files(&home.data(), "body-canary-1"), Vec::<String>::new());
    let hub = Gateway::start_in(home).await;
    assert_eq!(items(&Api::operator(&hub), "").await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_is_kept_is_sealed_redacted_and_read_by_few() {
    let upstream = Upstream::realistic().await;
    let policy = "redact = [\"secret-[0-9]+\"]\nredact_paths = [\"user\"]";
    let hub = Gateway::start(&conf(&upstream, policy)).await;
    let api = Api::operator(&hub);
    let plain = hub.call(&said("body-canary-1 secret-4711", "ann", false)).await.expect(200);
    hub.call(&said("body-canary-2", "bob", true)).await.expect(200).stream().expect_whole(vendor::TEXT);
    let quiet = json!({ "model": "gpt", "messages": [{ "role": "user", "content": "body-canary-3" }] });
    hub.call(&Request::post("/v1/chat/completions", &quiet).key(conf::SECOND_KEY)).await.expect(200);
    hub.eventually("the bodies to be kept", async || items(&api, "").await.len() == 2).await;
    let list = items(&api, "?user=ann").await;
    assert_eq!((list.len(), text(&list[0], "model"), text(&list[0], "key")), (1, "gpt", "test"));
    assert!(list[0].get("request").is_none());
    let path = format!("/bodies/{}", text(&list[0], "id"));
    let body = api.get(&path).await;
    let request: Value = serde_json::from_str(text(&body, "request")).unwrap();
    assert_eq!(
        (&request["messages"][0]["content"], &request["user"]),
        (&json!("body-canary-1 [redacted]"), &json!("[redacted]"))
    );
    let response: Value = serde_json::from_str(text(&body, "response")).unwrap();
    assert_eq!(
        response["choices"][0]["message"]["content"],
        plain.json()["choices"][0]["message"]["content"]
    );
    let stream = items(&api, "?user=bob").await;
    let stream = api.get(&format!("/bodies/{}", text(&stream[0], "id"))).await;
    assert!(text(&stream, "response").contains("data: ") && text(&stream, "response").contains("[DONE]"));

    // Each reading is written down; the listing tells no words, and admins may not read.
    let audit = api.get("/audit?action=bodies.read").await;
    assert_eq!(audit["items"].as_array().unwrap().len(), 2);
    assert_eq!(audit["items"][1]["after"]["request"], list[0]["id"]);
    api.make("/users", json!({ "email": "o@hub.test", "role": "owner" })).await;
    let user = api.make("/users", json!({ "email": "a@acme.test", "role": "admin", "tenant": "acme" })).await;
    let owner = json!({ "kind": "user", "id": user["id"] });
    let key = api.make("/keys", json!({ "owner": owner, "scopes": ["bodies:delete", "audit:read"] })).await;
    let admin = Api::bearer(&hub, text(&key, "secret"));
    for refused in ["/bodies", &path] {
        admin.call("GET", refused, Value::Null).await.expect(403);
    }
    admin.call("POST", "/bodies/delete", json!({ "tenant": "quiet" })).await.expect(403);
    let everything =
        [hub.said(), api.get("/audit?limit=1000").await.to_string(), hub.metrics().await.0].concat();
    let home = hub.home();
    hub.stop().await;
    for canary in ["body-canary-1", "body-canary-2", "body-canary-3", "secret-4711"] {
        assert!(!everything.contains(canary), "{canary}");
        assert_eq!(in_files(&home.data(), canary), Vec::<String>::new(), "{canary}");
    }
    // They are still there after a restart, and sealed under a key that the vault holds.
    let hub = Gateway::start_in(home).await;
    assert_eq!(items(&Api::operator(&hub), "?tenant=acme").await.len(), 2);
}

#[tokio::test]
async fn long_bodies_are_cut_and_what_is_deleted_leaves_a_proof() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&conf(&upstream, "max_size = \"100B\"")).await;
    let api = Api::operator(&hub);
    for user in ["ann", "ann", "bob", "eve"] {
        hub.call(&said(&"x".repeat(500), user, false)).await.expect(200);
    }
    hub.eventually("the bodies to be kept", async || items(&api, "").await.len() == 4).await;
    let all = items(&api, "").await;
    let one = api.get(&format!("/bodies/{}", text(&all[2], "id"))).await;
    assert_eq!(
        (text(&one, "request").len(), &one["request_cut"], &one["response_cut"]),
        (100, &json!(true), &json!(true))
    );
    let first = items(&api, "?limit=3").await;
    let rest = items(&api, &format!("?limit=3&after={}", text(&first[2], "id"))).await;
    assert_eq!((first.len(), rest.len()), (3, 1));

    let delete = async |body: Value| api.call("POST", "/bodies/delete", body).await.expect(200).json();
    let by_request = delete(json!({ "tenant": "acme", "request": all[2]["id"] })).await;
    assert_eq!((&by_request["bodies"], &by_request["destroyed_key"]), (&json!(1), &Value::Null));
    assert_eq!(delete(json!({ "tenant": "acme", "user": "ann" })).await["bodies"], 2);
    assert_eq!(delete(json!({ "tenant": "nobody" })).await["bodies"], 0);
    assert_eq!(items(&api, "").await.len(), 1);
    let whole = delete(json!({ "tenant": "acme" })).await;
    assert_eq!(
        (&whole["bodies"], text(&whole, "destroyed_key").len(), text(&whole, "digest").len()),
        (&json!(1), 16, 64)
    );
    assert_eq!(items(&api, "").await, Vec::<Value>::new());
    let audit = api.get("/audit?action=bodies.delete&id=acme").await;
    assert_eq!(audit["items"][0]["after"], whole);
    assert_eq!(audit["items"].as_array().unwrap().len(), 3);
    // What comes later has another key.
    hub.call(&said("again", "ann", false)).await.expect(200);
    hub.eventually("the body to be kept", async || items(&api, "").await.len() == 1).await;
    assert_ne!(delete(json!({ "tenant": "acme" })).await["destroyed_key"], whole["destroyed_key"]);
    assert_eq!(api.get("/audit/verify").await["sound"], true);
}

#[tokio::test]
async fn a_wrong_policy_is_told_at_once() {
    let upstream = Upstream::realistic().await;
    let policy = "percent = 0\nmax_size = \"1 GB\"\ndays = 0\nredact = [\"(\"]\nredact_paths = [\"a..b\"]";
    let output = Gateway::refuses(&conf(&upstream, policy)).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    for expected in ["from 1 to 100", "more than 4 MiB", "must be at least 1", "unclosed group", "empty name"]
    {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[tokio::test]
async fn a_tenants_policy_is_made_changed_and_taken_back_while_the_hub_runs() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&conf(&upstream, "percent = 40")).await;
    let operator = Api::operator(&hub);
    // The file's policy is shown, and only changed there.
    let of_file = operator.get("/body-policies/acme").await;
    assert_eq!(
        (&of_file["source"], &of_file["percent"], &of_file["days"]),
        (&json!("file"), &json!(40), &json!(30))
    );
    for method in ["PATCH", "DELETE"] {
        operator.call(method, "/body-policies/acme", json!({ "days": 1 })).await.expect(409);
    }
    operator.call("POST", "/body-policies", json!({ "tenant": "acme" })).await.expect(409);
    let nobody = operator.call("POST", "/body-policies", json!({ "percent": 0 })).await.expect(422).json();
    let fields: Vec<&str> = nobody["errors"].as_array().unwrap().iter().map(|e| text(e, "field")).collect();
    assert_eq!(fields, ["percent", "tenant"]);

    // The owner of a tenant says it of their own requests, and of nobody else's.
    operator.make("/users", json!({ "email": "o@hub.test", "role": "owner" })).await;
    let mut keys = Vec::new();
    for role in ["owner", "admin"] {
        let email = format!("{role}@quiet.test");
        let user = operator.make("/users", json!({ "email": email, "role": role, "tenant": "quiet" })).await;
        let owner = json!({ "kind": "user", "id": user["id"] });
        let scopes: &[&str] = match role {
            "owner" => &["body-policies:read", "body-policies:write", "bodies:read", "audit:read"],
            _ => &["body-policies:read"],
        };
        let key =
            operator.make("/keys", json!({ "owner": owner, "scopes": scopes, "tenant": "quiet" })).await;
        keys.push(text(&key, "secret").to_owned());
    }
    let (owner, admin) = (Api::bearer(&hub, &keys[0]), Api::bearer(&hub, &keys[1]));
    let policy = json!({ "redact": ["secret-[0-9]+"], "comment": "for a month" });
    admin.call("POST", "/body-policies", policy.clone()).await.expect(403);
    owner.call("POST", "/body-policies", json!({ "tenant": "acme" })).await.expect(403);
    let made = owner.make("/body-policies", policy.clone()).await;
    let path = format!("/body-policies/{}", text(&made, "id"));
    assert_eq!(made["tenant"], "quiet");
    owner.call("POST", "/body-policies", policy).await.expect(422);
    assert_eq!(admin.get("/body-policies").await["items"].as_array().unwrap().len(), 1, "not acme's");
    assert_eq!(operator.get("/body-policies").await["items"].as_array().unwrap().len(), 2);

    let chat = async |words: &str| {
        let body = json!({ "model": "gpt", "messages": [{ "role": "user", "content": words }] });
        hub.call(&Request::post("/v1/chat/completions", &body).key(conf::SECOND_KEY)).await.expect(200);
    };
    chat("the secret-42 of it").await;
    hub.eventually("the body to be kept", async || items(&owner, "").await.len() == 1).await;
    let kept = owner.get(&format!("/bodies/{}", text(&items(&owner, "").await[0], "id"))).await;
    assert!(text(&kept, "request").contains("the [redacted] of it"), "{kept}");
    let wrong = owner.call("PATCH", &path, json!({ "redact": ["fine", "("] })).await.expect(422).json();
    assert_eq!(wrong["errors"][0]["field"], "redact[1]");
    owner.call("PATCH", &path, json!({ "enabled": false })).await.expect(200);
    chat("nobody writes this down").await;
    owner.call("PATCH", &path, json!({ "enabled": null, "max_bytes": 5 })).await.expect(200);
    chat("a short beginning").await;
    hub.eventually("the next body", async || items(&owner, "").await.len() == 2).await;
    let all = items(&owner, "").await;
    assert_eq!(all[1]["request_bytes"], 5, "the one in between was not kept");
    owner.call("DELETE", &path, Value::Null).await.expect(204);
    let audit = operator.get("/audit?kind=body-policy").await;
    let actions: Vec<&str> = audit["items"].as_array().unwrap().iter().map(|e| text(e, "action")).collect();
    assert_eq!(actions[0], "body-policy.delete");
    for action in ["body-policy.create", "body-policy.update"] {
        assert!(actions.contains(&action), "{actions:?}");
    }
    let on_line = on_line(&hub, &["list", "body-policies"]).await;
    assert!(String::from_utf8_lossy(&on_line.stdout).contains("acme"), "{on_line:?}");
}

#[tokio::test]
async fn without_a_master_key_nobody_can_wish_bodies_kept() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let answer = Api::operator(&hub).call("POST", "/body-policies", json!({ "tenant": "acme" })).await;
    let answer = answer.expect(409).json();
    assert!(text(&answer, "detail").contains("master key"), "{answer}");
}
