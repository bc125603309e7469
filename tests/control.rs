//! The control plane of the real hub: what is managed comes into force at
//! once, what is secret stays so, and what was done can be proved.

mod bodies;
mod books_of_changes;
mod canary;
mod credentials;
mod documents;
mod people;
mod prices;
mod secrets;
mod sign_in;

use super::support::*;
use serde_json::{Value, json};

/// Where the API begins.
pub const ROOT: &str = "/api/admin/v1";

/// A call of the API.
pub struct Api<'h> {
    hub: &'h Gateway,
    header: (String, String),
}

impl<'h> Api<'h> {
    /// As the machine's operator.
    pub fn operator(hub: &'h Gateway) -> Self {
        let token = std::fs::read_to_string(hub.home().data().join("admin.token")).unwrap();
        Self::bearer(hub, token.trim())
    }

    pub fn bearer(hub: &'h Gateway, token: &str) -> Self {
        Self { hub, header: ("authorization".to_owned(), format!("Bearer {token}")) }
    }

    pub fn cookie(hub: &'h Gateway, cookie: &str) -> Self {
        Self { hub, header: ("cookie".to_owned(), cookie.to_owned()) }
    }

    pub fn request(&self, method: &str, path: &str, body: &Value) -> Request {
        let request = Request::new(method, &format!("{ROOT}{path}")).header(&self.header.0, &self.header.1);
        if body.is_null() {
            request
        } else {
            request.header("content-type", "application/json").body(body.to_string())
        }
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        self.hub.admin(&self.request(method, path, &body)).await
    }

    pub async fn get(&self, path: &str) -> Value {
        self.call("GET", path, Value::Null).await.expect(200).json()
    }

    /// Makes something.
    pub async fn make(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, body).await.expect(201).json()
    }
}

/// A command of the command line that asks this hub, whose ports are the system's choice.
pub async fn on_line(hub: &Gateway, arguments: &[&str]) -> std::process::Output {
    let token = std::fs::read_to_string(hub.home().data().join("admin.token")).unwrap();
    let (url, token) = (format!("http://{}", hub.admin), token.trim().to_owned());
    hub.home().run(&[arguments, &["--url", &url, "--token", &token]].concat()).await
}

/// Text of a member.
pub fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// A chat with another key and model.
pub fn chat_by(key: &str, model: &str) -> Request {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
    Request::post("/v1/chat/completions", &body).key(key)
}

#[tokio::test]
async fn a_key_works_when_it_is_made_and_not_when_it_is_revoked() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let api = Api::operator(&hub);
    let key = api.make("/keys", json!({ "name": "mine", "models": ["gpt"] })).await;
    let (id, secret) = (text(&key, "id"), text(&key, "secret"));
    hub.call(&chat_by(secret, "gpt")).await.expect(200);
    hub.call(&chat_by(secret, "mock/gpt-4o")).await.expect_error(404, "model_not_found");
    let shown = api.get(&format!("/keys/{id}")).await;
    assert!(shown.get("secret").is_none() && !shown.to_string().contains(secret), "{shown}");

    let rotated = api.call("POST", &format!("/keys/{id}/rotate"), json!({ "overlap_seconds": 3600 })).await;
    let next = text(&rotated.expect(200).json(), "secret").to_owned();
    hub.call(&chat_by(secret, "gpt")).await.expect(200);
    hub.call(&chat_by(&next, "gpt")).await.expect(200);
    let at_once = api.call("POST", &format!("/keys/{id}/rotate"), json!({})).await;
    let last = text(&at_once.expect(200).json(), "secret").to_owned();
    for old in [secret, &next] {
        hub.call(&chat_by(old, "gpt")).await.expect_error(401, "invalid_api_key");
    }
    hub.call(&chat_by(&last, "gpt")).await.expect(200);
    api.call("DELETE", &format!("/keys/{id}"), Value::Null).await.expect(204);
    hub.call(&chat_by(&last, "gpt")).await.expect_error(401, "invalid_api_key");
    assert!(api.get(&format!("/keys/{id}")).await["revoked_at"].is_string());
}

#[tokio::test]
async fn changes_touch_no_running_stream() {
    let gate = Gate::new();
    let reply = Reply::sse().text("first").pause(&gate).text("second").stop();
    let upstream = Upstream::always(reply).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let api = Api::operator(&hub);
    let key = api.make("/keys", json!({})).await;
    let body = json!({ "model": "gpt", "stream": true, "messages": [{ "role": "user", "content": "hi" }] });
    let mut client = hub.open(&Request::post("/v1/chat/completions", &body).key(text(&key, "secret"))).await;
    assert_eq!(client.head().await.status, 200);
    api.call("DELETE", &format!("/keys/{}", text(&key, "id")), Value::Null).await.expect(204);
    api.make("/tenants", json!({ "id": "acme2" })).await;
    gate.open();
    let (rest, whole) = client.rest().await;
    let rest = String::from_utf8_lossy(&rest).into_owned();
    assert!(whole.is_ok() && rest.contains("second") && rest.contains("[DONE]"), "{rest}");
}

#[tokio::test]
async fn what_the_file_declares_is_shown_and_not_changed() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let api = Api::operator(&hub);
    for (path, id) in [("/keys", "test"), ("/providers", "mock"), ("/models", "gpt"), ("/tenants", "acme")] {
        let list = api.get(path).await;
        let own = list["items"].as_array().unwrap().iter().find(|item| item["id"] == id);
        assert_eq!(own.unwrap_or_else(|| panic!("{path}: {list}"))["source"], "file");
        assert_eq!(api.get(&format!("{path}/{id}")).await["source"], "file");
        for method in ["PATCH", "DELETE"] {
            let answer =
                api.call(method, &format!("{path}/{id}"), json!({ "comment": "x" })).await.expect(409);
            assert!(answer.json()["detail"].as_str().unwrap().contains("configuration file"), "{answer:?}");
        }
    }
    let credential = api.get("/credentials/mock%2Fa").await;
    assert_eq!((text(&credential, "provider"), text(&credential, "source")), ("mock", "file"));
    // A name that the file has taken is refused.
    api.call("POST", "/tenants", json!({ "id": "acme" })).await.expect(409);
    let model = json!({ "name": "gpt", "targets": [{ "model": "mock/gpt-4o" }] });
    api.call("POST", "/models", model).await.expect(422);
}

#[tokio::test]
async fn a_broken_file_keeps_no_change_from_coming_into_force() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let api = Api::operator(&hub);
    hub.home().write_text("[public\nlisten = 7");
    let key = api.make("/keys", json!({})).await;
    hub.call(&chat_by(text(&key, "secret"), "gpt")).await.expect(200);
    api.call("DELETE", &format!("/keys/{}", text(&key, "id")), Value::Null).await.expect(204);
    hub.call(&chat_by(text(&key, "secret"), "gpt")).await.expect_error(401, "invalid_api_key");
}

#[tokio::test]
async fn a_disabled_tenant_or_owner_takes_its_keys_along() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let api = Api::operator(&hub);
    api.make("/tenants", json!({ "id": "shop" })).await;
    let user =
        api.make("/users", json!({ "tenant": "shop", "email": "a@shop.test", "role": "member" })).await;
    let owner = json!({ "kind": "user", "id": text(&user, "id") });
    let key = api.make("/keys", json!({ "owner": owner })).await;
    let user = format!("/users/{}", text(&user, "id"));
    let works = async |yes: bool| {
        let answer = hub.call(&chat_by(text(&key, "secret"), "gpt")).await;
        assert_eq!(answer.status(), if yes { 200 } else { 401 }, "{answer:?}");
    };
    works(true).await;
    for path in ["/tenants/shop", &user] {
        api.call("PATCH", path, json!({ "enabled": false })).await.expect(200);
        works(false).await;
        api.call("PATCH", path, json!({ "enabled": true })).await.expect(200);
        works(true).await;
    }
    // A guest may not call models, and neither may a guest's key.
    api.call("PATCH", &user, json!({ "role": "guest" })).await.expect(200);
    works(false).await;
}

#[tokio::test]
async fn address_rules_hold_for_the_hub_a_tenant_and_a_key() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream).set("security", "trusted_proxies = [\"127.0.0.1\"]");
    let hub = Gateway::start(&conf).await;
    let api = Api::operator(&hub);
    let key = api.make("/keys", json!({ "tenant": "acme" })).await;
    let from = async |address: &str| {
        let request = chat_by(text(&key, "secret"), "gpt").header("x-forwarded-for", address);
        hub.call(&request).await.status()
    };
    assert_eq!(from("10.1.2.3").await, 200);
    let wide = api
        .make("/address-rules", json!({ "network": "10.0.0.0/8", "verdict": "deny", "comment": "c" }))
        .await;
    assert_eq!((from("10.1.2.3").await, from("192.0.2.1").await), (403, 200));
    let narrow = json!({ "network": "10.1.2.0/24", "verdict": "allow" });
    let narrow = api.make("/address-rules", narrow).await;
    assert_eq!((from("10.1.2.3").await, from("10.1.3.3").await, from("192.0.2.1").await), (200, 403, 403));
    for rule in [wide, narrow] {
        api.call("DELETE", &format!("/address-rules/{}", text(&rule, "id")), Value::Null).await.expect(204);
    }
    api.make(
        "/address-rules",
        json!({ "network": "10.0.0.9", "verdict": "deny", "key": key["id"], "tenant": "acme" }),
    )
    .await;
    api.make("/address-rules", json!({ "network": "10.0.0.8", "verdict": "deny", "tenant": "acme" })).await;
    assert_eq!((from("10.0.0.9").await, from("10.0.0.8").await, from("10.0.0.7").await), (403, 403, 200));
    let other = hub.call(&chat_by(conf::KEY, "gpt").header("x-forwarded-for", "10.0.0.9")).await;
    assert_eq!(other.status(), 200, "another key of the same tenant");
    // What has expired holds no longer, without anybody's doing.
    let past = json!({ "network": "10.0.0.7", "verdict": "deny", "expires_at": "2020-01-01T00:00:00Z" });
    api.make("/address-rules", past).await;
    assert_eq!(from("10.0.0.7").await, 200);
    let soon = json!({ "network": "10.0.0.7", "verdict": "deny", "expires_at": in_a_moment() });
    api.make("/address-rules", soon).await;
    hub.eventually("the rule to expire", async || from("10.0.0.7").await == 200).await;
}

/// A point in time that is just ahead.
fn in_a_moment() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let soon = i64::try_from(now.as_micros()).unwrap() + 1_500_000;
    aigne_hub::control::Moment(aigne_hub::types::Wall(soon)).to_string()
}
