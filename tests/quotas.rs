//! Quotas of the real hub: nobody gets more than there is, however many ask at
//! once, and what was used is known after every kind of end.

use super::control::{Api, chat_by, on_line, text};
use super::support::conf::{KEY, SECOND_KEY};
use super::support::receiver::Receiver;
use super::support::*;
use serde_json::{Value, json};
use std::sync::Arc;

const CROWD: usize = 2_000;

/// A quota of the file.
fn file_quota(lines: &str) -> String {
    format!("[[quota]]\nid = \"filed\"\nname = \"Red's money\"\n{lines}\n")
}

fn pico(value: &Value) -> i128 {
    let text = value.as_str().unwrap();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    whole.parse::<i128>().unwrap() * 1_000_000_000_000 + format!("{fraction:0<12}").parse::<i128>().unwrap()
}

/// What a refusal says to people.
fn said(answer: &Answer) -> String {
    answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
}

/// What of a quota's only counter is used and held.
async fn used(hub: &Gateway, quota: &str) -> (Value, Value) {
    let page = Api::operator(hub).get(&format!("/quotas/{quota}/use")).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
    (page["items"][0]["used"].clone(), page["items"][0]["held"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_two_keys_never_spends_more_than_their_teams_money() {
    let upstream = Upstream::realistic().await;
    let second = "[[key]]\nid = \"two\"\ntenant = \"umbrella\"\nteam = \"red\"\nsecret = { env = \"HUB_SECOND_KEY\" }\n";
    let quota = file_quota(
        "of = \"team\"\nid_of = \"red\"\nmeasure = \"money\"\namount = \"0.02\"\nperiod = \"month\"",
    );
    let conf = Conf::one(&upstream).priced().key_line("team = \"red\"").section(second).section(&quota);
    let hub = Arc::new(Gateway::start(&conf.set("public", "threads = 2")).await);
    let one = |n: usize| {
        let hub = Arc::clone(&hub);
        let messages = json!([{ "role": "user", "content": format!("number {n}") }]);
        let body = json!({ "model": "gpt", "max_tokens": 100, "messages": messages });
        let key = if n.is_multiple_of(2) { KEY } else { SECOND_KEY };
        let request = Request::post("/v1/chat/completions", &body).key(key);
        tokio::spawn(async move { hub.call(&request).await })
    };
    let all: Vec<_> = (0..CROWD).map(one).collect();
    let (mut served, mut refused) = (0, 0);
    for task in all {
        let answer = patiently_for_a_program("an answer", task).await.unwrap();
        match answer.status() {
            200 => served += 1,
            _ => {
                let answer = answer.expect_error(429, "quota_exceeded");
                assert!(said(&answer).contains("Red's money"), "{}", answer.json());
                refused += 1;
            }
        }
    }
    assert!(served > 0 && refused > 0, "{served} served, {refused} refused");
    let (spent, held) = used(&hub, "filed").await;
    assert!(pico(&spent) > 0 && pico(&spent) <= 20_000_000_000, "{spent}");
    assert_eq!(held, "0");
    let hub = Arc::into_inner(hub).unwrap();
    // Every request is settled, and with this change on disk all before it is.
    hub.metrics_after(u32::try_from(CROWD).unwrap()).await;
    Api::operator(&hub).make("/tenants", json!({ "id": "later" })).await;
    let home = hub.kill9().await.home;
    let hub = Gateway::start_in(home).await;
    assert_eq!(pico(&used(&hub, "filed").await.0), pico(&spent), "what was used is known after a kill");
    let costs: i128 = hub.ledger().await.iter().map(|entry| pico(&entry["charge"]["cost"])).sum();
    assert_eq!(costs, pico(&spent), "and it is what the books say");
}

#[tokio::test]
async fn a_quota_that_is_made_late_knows_what_was_used_before() {
    let upstream = Upstream::realistic().await;
    let mut receiver = Receiver::start(&[]).await;
    let conf = Conf::one(&upstream)
        .variable("AIGNE_HUB_MASTER_KEY", &"07".repeat(32))
        .section("[notices]\nallow = [\"127.0.0.1\"]\n");
    let hub = Gateway::start(&conf).await;
    for _ in 0..3 {
        hub.chat("hi").await.expect(200);
    }
    // Counted when it is answered to the end, and in the books soon after.
    hub.metrics_after(3).await;
    let api = Api::operator(&hub);
    api.make("/webhooks", json!({ "url": receiver.url(), "events": ["quota.warning", "quota.exceeded"] }))
        .await;
    let quota = json!({
        "name": "five", "of": "tenant", "id_of": "acme", "measure": "requests", "amount": 5, "period": "month",
    });
    let quota = text(&api.make("/quotas", quota).await, "id").to_owned();
    assert_eq!(used(&hub, &quota).await.0, "3");
    hub.chat("hi").await.expect(200);
    let warned = receiver.next().await.json();
    assert_eq!((&warned["type"], &warned["data"]["percent"]), (&json!("quota.warning"), &json!(80)));
    assert_eq!((&warned["data"]["used"], &warned["data"]["of"]), (&json!("4"), &json!("tenant:acme")));
    let last = hub.chat("hi").await.expect(200);
    assert_eq!(last.header("x-aigne-quota"), Some("\"five\";used=80%"));
    assert_eq!(receiver.next().await.json()["data"]["percent"], 100);
    for _ in 0..2 {
        let refused = hub.chat("hi").await.expect_error(429, "quota_exceeded");
        assert!(refused.header("retry-after").is_some());
        assert!(said(&refused).contains("5 of 5 requests"), "{}", refused.json());
    }
    let exceeded = receiver.next().await.json();
    assert_eq!((&exceeded["type"], &exceeded["subject"]), (&json!("quota.exceeded"), &json!(quota)));

    let home = hub.kill9().await.home;
    let hub = Gateway::start_in(home).await;
    assert_eq!(used(&hub, &quota).await.0, "5");
    hub.chat("hi").await.expect_error(429, "quota_exceeded");
    assert_eq!(receiver.next().await.json()["type"], "quota.exceeded", "each process tells it once");
    assert!(receiver.more().is_empty());
    // More is allowed: the counter goes on.
    let api = Api::operator(&hub);
    api.call("PATCH", &format!("/quotas/{quota}"), json!({ "amount": 7 })).await.expect(200);
    hub.chat("hi").await.expect(200);
    assert_eq!(used(&hub, &quota).await.0, "6");
    assert_eq!(hub.metrics().await.sum("aigne_hub_limited_total", &["limit=\"quota_requests\""]), 1.0);
    let home = hub.stop().await.home;
    let hub = Gateway::start_in(home).await;
    assert_eq!(used(&hub, &quota).await.0, "6");
    let output = on_line(&hub, &["quotas"]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("five") && said.contains("tenant:acme"), "{said}{output:?}");
}

#[tokio::test]
async fn each_user_has_their_own_and_other_models_are_free() {
    let upstream = Upstream::realistic().await;
    let quota = "of = \"user\"\nmeasure = \"requests\"\namount = 1\nperiod = \"day\"\nzone = \"Asia/Kathmandu\"\nmodels = [\"gpt\"]";
    let second = "[[key]]\nid = \"two\"\nuser = \"ben\"\nsecret = { env = \"HUB_SECOND_KEY\" }\n";
    let conf = Conf::one(&upstream).key_line("user = \"ann\"").section(second).section(&file_quota(quota));
    let hub = Gateway::start(&conf).await;
    for key in [KEY, SECOND_KEY] {
        hub.call(&chat_by(key, "gpt")).await.expect(200);
        hub.call(&chat_by(key, "gpt")).await.expect_error(429, "quota_exceeded");
        hub.call(&chat_by(key, "mock/gpt-4o")).await.expect(200);
    }
    let api = Api::operator(&hub);
    let page = api.get("/quota-use?limit=1").await;
    assert_eq!((&page["items"][0]["id_of"], &page["next"]), (&json!("ann"), &json!("filed/ann")));
    let page = api.get("/quota-use?limit=1&after=filed/ann").await;
    assert_eq!((&page["items"][0]["id_of"], &page["next"]), (&json!("ben"), &Value::Null));
    assert_eq!((&page["items"][0]["exhausted"], &page["items"][0]["left"]), (&json!(true), &json!("0")));
    assert_eq!(api.get("/quotas/filed").await["source"], "file");
    api.call("PATCH", "/quotas/filed", json!({ "amount": 2 })).await.expect(409);
}

#[tokio::test]
async fn a_running_stream_holds_its_place_and_gives_it_back() {
    let gate = Gate::new();
    let reply = Reply::sse().text("first").pause(&gate).text("second").stop();
    let upstream = Upstream::always(reply).await;
    let quota = "of = \"key\"\nid_of = \"test\"\nmeasure = \"money\"\namount = \"0.0012\"\nperiod = \"hour\"\nwindow = \"rolling\"";
    let hub = Gateway::start(&Conf::one(&upstream).priced().section(&file_quota(quota))).await;
    let body = json!({ "model": "gpt", "stream": true, "max_tokens": 100, "messages": [{ "role": "user", "content": "hi" }] });
    let request = Request::post("/v1/chat/completions", &body).key(KEY);
    let mut client = hub.open(&request).await;
    assert_eq!(client.head().await.status, 200);
    assert_ne!(used(&hub, "filed").await.1, "0");
    let refused = hub.call(&request).await.expect_error(429, "quota_exceeded");
    assert_eq!(refused.header("retry-after"), Some("1"), "only what runs is in the way");
    gate.open();
    drop(client);
    hub.eventually("the hold to end", async || used(&hub, "filed").await.1 == "0").await;
}

#[tokio::test]
async fn wrong_quotas_are_told_with_file_line_and_key() {
    let upstream = Upstream::realistic().await;
    let quota = "of = \"hub\"\nid_of = \"x\"\nmeasure = \"tokens\"\namount = \"many\"\nperiod = \"day\"\nzone = \"Mars\"";
    let output = Gateway::refuses(&Conf::one(&upstream).section(&file_quota(quota))).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for wanted in ["id_of", "amount", "zone", "Europe/Berlin", "hub.toml:"] {
        assert!(said.contains(wanted), "{wanted} in {said}");
    }
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let api = Api::operator(&hub);
    let bad = json!({ "name": "x", "of": "team", "id_of": "nobody", "measure": "money", "amount": "1,5", "tenant": "acme" });
    let refused = api.call("POST", "/quotas", bad).await.expect(422).json();
    let fields: Vec<&str> = refused["errors"].as_array().unwrap().iter().map(|e| text(e, "field")).collect();
    assert_eq!(fields, ["period", "amount", "id_of"], "{refused}");
}
