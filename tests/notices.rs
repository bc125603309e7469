//! What the hub tells by itself: signed, at least once, in order, and never to
//! places inside that nobody opened.

use super::control::{Api, on_line, text};
use super::support::receiver::{MailServer, Received, Receiver};
use super::support::*;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

const MASTER: &str = "AIGNE_HUB_MASTER_KEY";

/// A hub that may tell receivers on this machine.
fn conf() -> Conf {
    let conf = Conf::of([Provider::simulator("mock")]).variable(MASTER, &"07".repeat(32));
    conf.section("[notices]\nallow = [\"127.0.0.1\"]\n")
}

/// A webhook at this receiver: its id and its secret.
async fn webhook(api: &Api<'_>, receiver: &Receiver) -> (String, String) {
    let made = api.make("/webhooks", json!({ "url": receiver.url() })).await;
    (text(&made, "id").to_owned(), text(&made, "secret").to_owned())
}

async fn test(api: &Api<'_>, id: &str) -> String {
    let sent = api.call("POST", &format!("/webhooks/{id}/test"), Value::Null).await.expect(202).json();
    text(&sent, "id").to_owned()
}

/// Waits until a delivery is in this state.
async fn until(hub: &Gateway, delivery: &str, state: &str) -> Value {
    let (api, path) = (Api::operator(hub), format!("/deliveries/{delivery}"));
    let mut shown = Value::Null;
    hub.eventually(&format!("{delivery} to be {state}"), async || {
        shown = api.get(&path).await;
        shown["state"] == state
    })
    .await;
    shown
}

/// Which of the secrets has signed it.
fn signed_by(received: &Received, secrets: &[&str]) -> Vec<bool> {
    let header = &received.headers["x-aigne-signature"];
    let parts: Vec<&str> = header.split(',').collect();
    let time = parts[0].strip_prefix("t=").unwrap();
    let signatures: Vec<&str> = parts[1..].iter().map(|part| part.strip_prefix("v1=").unwrap()).collect();
    let signature = |secret: &str| {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        let digest = mac.chain_update(format!("{time}.{}", received.body)).finalize().into_bytes();
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    secrets.iter().map(|secret| signatures.contains(&signature(secret).as_str())).collect()
}

#[tokio::test]
async fn a_notice_arrives_signed_and_after_a_rotation_by_both_secrets() {
    let mut receiver = Receiver::start(&[]).await;
    let hub = Gateway::start(&conf()).await;
    let api = Api::operator(&hub);
    let (id, secret) = webhook(&api, &receiver).await;
    let shown = api.get(&format!("/webhooks/{id}")).await;
    assert!(!shown.to_string().contains(&secret), "{shown}");

    let delivery = test(&api, &id).await;
    let received = receiver.next().await;
    assert_eq!(received.path, "/hook?a=b");
    assert_eq!(received.headers["x-aigne-type"], "test");
    assert_eq!(received.headers["x-aigne-attempt"], "1");
    assert_eq!(received.json()["id"], received.headers["x-aigne-notice"].as_str());
    assert_eq!(received.json()["data"]["by"], "operator");
    assert_eq!(signed_by(&received, &[&secret, "another"]), [true, false]);
    let shown = until(&hub, &delivery, "delivered").await;
    assert_eq!((&shown["attempts"], &shown["last_status"]), (&json!(1), &json!(204)));

    let path = format!("/webhooks/{id}/rotate");
    let next = api.call("POST", &path, Value::Null).await.expect(200).json();
    let next = text(&next, "secret");
    test(&api, &id).await;
    assert_eq!(signed_by(&receiver.next().await, &[&secret, next]), [true, true]);
    let last = api.call("POST", &path, json!({ "overlap_seconds": 0 })).await.expect(200).json();
    test(&api, &id).await;
    assert_eq!(
        signed_by(&receiver.next().await, &[&secret, next, text(&last, "secret")]),
        [false, false, true]
    );
}

#[tokio::test]
async fn what_is_refused_is_tried_again_and_what_comes_after_waits_for_it() {
    let mut receiver = Receiver::start(&[500]).await;
    let hub = Gateway::start(&conf()).await;
    let api = Api::operator(&hub);
    let (id, _) = webhook(&api, &receiver).await;
    let first = test(&api, &id).await;
    let one = receiver.next().await;
    let second = test(&api, &id).await;
    let again = receiver.next().await;
    assert_eq!(one.body, again.body, "the same bytes, with the same id");
    assert_eq!(again.headers["x-aigne-attempt"], "2");
    let after = receiver.next().await;
    assert!(second.starts_with(after.headers["x-aigne-notice"].as_str()));
    until(&hub, &second, "delivered").await;
    assert_eq!(until(&hub, &first, "delivered").await["attempts"], 2);
    let metrics = hub.metrics().await;
    assert_eq!(metrics.sum("aigne_hub_notices_delivered_total", &[]), 2.0);
    assert_eq!(metrics.sum("aigne_hub_notices_failed_total", &[]), 1.0);
}

#[tokio::test]
async fn what_is_on_its_way_survives_a_kill_and_what_is_dead_can_be_replayed() {
    let mut receiver = Receiver::start(&[503, 410]).await;
    let hub = Gateway::start(&conf()).await;
    let api = Api::operator(&hub);
    let (id, secret) = webhook(&api, &receiver).await;
    let delivery = test(&api, &id).await;
    let first = receiver.next().await;
    hub.eventually("the failure to be noted", async || {
        api.get(&format!("/deliveries/{delivery}")).await["attempts"] == 1
    })
    .await;
    let home = hub.kill9().await.home;
    let hub = Gateway::start_in(home).await;
    let again = receiver.next().await;
    assert_eq!(first.body, again.body);
    let api = Api::operator(&hub);
    let dead = until(&hub, &delivery, "dead").await;
    assert!(text(&dead, "last_error").contains("gone"), "{dead}");
    assert_eq!(api.get("/deliveries?state=dead").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(api.get("/deliveries?state=delivered").await["items"], json!([]));
    assert_eq!(hub.metrics().await.sum("aigne_hub_notices_dead", &[]), 1.0);

    let output = on_line(&hub, &["notices", "replay", &delivery]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let last = receiver.next().await;
    assert_eq!((last.body.as_str(), signed_by(&last, &[&secret])), (first.body.as_str(), vec![true]));
    until(&hub, &delivery, "delivered").await;
    let output = on_line(&hub, &["notices", "deliveries", "--state", "delivered"]).await;
    assert!(String::from_utf8_lossy(&output.stdout).contains(&delivery), "{output:?}");
}

#[tokio::test]
async fn nobody_is_told_at_a_place_inside_that_is_not_opened() {
    let mut receiver = Receiver::start(&[]).await;
    let hub =
        Gateway::start(&Conf::of([Provider::simulator("mock")]).variable(MASTER, &"07".repeat(32))).await;
    let api = Api::operator(&hub);
    let (id, _) = webhook(&api, &receiver).await;
    let delivery = test(&api, &id).await;
    let path = format!("/deliveries/{delivery}");
    hub.eventually("an attempt", async || api.get(&path).await["attempts"] == 1).await;
    assert!(text(&api.get(&path).await, "last_error").contains("notices.allow"));
    assert!(receiver.more().is_empty());
    // Off, it is not even tried; deleted, it is given up.
    api.call("PATCH", &format!("/webhooks/{id}"), json!({ "enabled": false })).await.expect(200);
    api.call("DELETE", &format!("/webhooks/{id}"), Value::Null).await.expect(204);
    for (url, field) in [("ftp://x", "url"), ("https://a:b@x/", "url"), ("mailto:nobody", "url")] {
        let refused = api.call("POST", "/webhooks", json!({ "url": url })).await.expect(422).json();
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
}

#[tokio::test]
async fn without_a_master_key_there_is_no_secret_but_there_is_mail() {
    let mut mail = MailServer::start().await;
    let section = format!(
        "[mail]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nfrom = \"Hub <hub@example.com>\"\n",
        mail.port()
    );
    let hub = Gateway::start(&Conf::of([Provider::simulator("mock")]).section(&section)).await;
    let api = Api::operator(&hub);
    api.call("POST", "/webhooks", json!({ "url": "https://example.com" })).await.expect(409);
    let made = api.make("/webhooks", json!({ "url": "mailto:ann@example.com,bob@example.com" })).await;
    assert!(made.get("secret").is_none());
    let id = text(&made, "id");
    let delivery = test(&api, id).await;
    let lines = mail.next().await;
    for wanted in ["RCPT TO:<ann@example.com>", "RCPT TO:<bob@example.com>", "by: operator"] {
        assert!(lines.iter().any(|line| line == wanted), "{wanted} in {lines:#?}");
    }
    assert!(lines.iter().any(|line| line.starts_with("MAIL FROM:<hub@example.com>")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains(&format!("<{delivery}@example.com>"))), "{lines:#?}");
    until(&hub, &delivery, "delivered").await;
    api.call("POST", &format!("/webhooks/{id}/rotate"), json!({})).await.expect(409);
    let other = json!({ "url": "https://example.com" });
    api.call("PATCH", &format!("/webhooks/{id}"), other).await.expect(422);
}

#[tokio::test]
async fn a_tenant_sees_its_own_deliveries_alone() {
    let mut receiver = Receiver::start(&[]).await;
    let hub = Gateway::start(&conf()).await;
    let operator = Api::operator(&hub);
    for tenant in ["initech", "umbrella"] {
        operator.make("/tenants", json!({ "id": tenant })).await;
    }
    let app = json!({ "name": "ci", "role": "admin", "tenant": "initech" });
    let app = operator.make("/apps", app).await;
    let scopes = json!(["webhooks:read", "webhooks:write"]);
    let key = json!({ "owner": { "kind": "app", "id": app["id"] }, "scopes": scopes });
    let key = operator.make("/keys", key).await;
    operator.make("/users", json!({ "email": "o@hub", "role": "owner" })).await;
    let acme = Api::bearer(&hub, text(&key, "secret"));
    let theirs = json!({ "url": receiver.url(), "tenant": "umbrella" });
    acme.call("POST", "/webhooks", theirs.clone()).await.expect(403);
    let theirs = text(&operator.make("/webhooks", theirs).await, "id").to_owned();
    let (own, _) = webhook(&acme, &receiver).await;
    let (one, other) = (test(&acme, &own).await, test(&operator, &theirs).await);
    let bodies = [receiver.next().await.json(), receiver.next().await.json()];
    assert!(bodies.iter().any(|body| body["tenant"] == "initech"), "{bodies:?}");
    until(&hub, &one, "delivered").await;
    until(&hub, &other, "delivered").await;
    let seen = acme.get("/deliveries").await;
    assert_eq!(seen["items"].as_array().unwrap().len(), 1, "{seen}");
    assert_eq!(seen["items"][0]["id"], one);
    acme.call("GET", &format!("/deliveries/{other}"), Value::Null).await.expect(404);
    acme.call("POST", &format!("/deliveries/{other}/replay"), Value::Null).await.expect(404);
    acme.call("POST", &format!("/webhooks/{theirs}/test"), Value::Null).await.expect(404);
}
