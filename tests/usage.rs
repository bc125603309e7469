//! Usage and calls: what the sums say is what the books say, whoever asks sees
//! no more than theirs, and it works with a hub that runs and without one.

use super::control::{Api, text};
use super::support::conf::SECOND_KEY;
use super::support::*;
use serde_json::{Value, json};

/// A time that has every call of a test in it.
const ALL: &str = "from=2020-01-01&step=year";

async fn chat_by(hub: &Gateway, key: &str, model: &str) -> Answer {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
    hub.call(&Request::post("/v1/chat/completions", &body).key(key)).await
}

/// A command of the binary that must succeed, and what it says.
async fn said(home: &gateway::Home, arguments: &[&str]) -> String {
    let output = home.run(arguments).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Picos of a decimal text.
fn pico(value: &Value) -> i128 {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no amount"));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<12}").parse().unwrap()
}

/// Requests, tokens and cost of settlements, added up by hand.
fn added_up(ledger: &[Value]) -> (u64, u64, i128) {
    let mut sums = (0, 0, 0);
    for entry in ledger {
        sums.0 += 1;
        let counts =
            ["input", "cache_read", "output", "reasoning"].map(|name| entry["usage"][name].as_u64().unwrap());
        sums.1 += counts.iter().sum::<u64>();
        sums.2 += entry["charge"].as_object().map_or(0, |charge| pico(&charge["cost"]));
    }
    sums
}

fn of_summary(summary: &Value) -> (u64, u64, i128) {
    let values = &summary["values"];
    (values["requests"].as_u64().unwrap(), values["tokens"].as_u64().unwrap(), pico(&values["cost"]))
}

#[tokio::test]
async fn sums_and_calls_are_those_of_the_books_with_a_hub_and_without() {
    let upstream = Upstream::realistic().await;
    let conf =
        Conf::one(&upstream).priced().second_key("other", "beta").variable("HUB_SECOND_KEY", SECOND_KEY);
    let hub = Gateway::start(&conf).await;
    for _ in 0..3 {
        hub.chat("hi").await.expect(200);
    }
    hub.stream("hi").await.expect(200);
    chat_by(&hub, SECOND_KEY, "gpt").await.expect(200);
    hub.metrics_after(5).await;
    let api = Api::operator(&hub);
    let series = api
        .get(&format!("/usage/series?{ALL}&group=tenant,model&measures=requests,cost,duration_us_p95"))
        .await;
    let [first, second] = series["series"].as_array().unwrap().as_slice() else { panic!("{series}") };
    assert_eq!(first["group"], json!({ "tenant": "acme", "model": "gpt" }));
    assert_eq!((&first["total"]["requests"], &second["total"]["requests"]), (&json!(4), &json!(1)));
    assert!(first["total"]["duration_us_p95"].as_u64().unwrap() > 0);
    assert_eq!(
        first["values"]["requests"].as_array().unwrap().len(),
        series["steps"].as_array().unwrap().len()
    );
    let top = api.get("/usage/top?group=key&top=1&measures=requests&compare=previous").await;
    assert_eq!(top["items"][0]["group"]["key"], "test");
    assert_eq!((&top["rest"]["values"]["requests"], &top["total"]["requests"]), (&json!(1), &json!(5)));
    assert_eq!(top["items"][0]["previous"], Value::Null, "nothing was before");

    let mut calls: Vec<Value> = Vec::new();
    let mut path = "/calls?limit=2&tenant=acme".to_owned();
    for _ in 0..3 {
        let mut page = api.get(&path).await;
        calls.append(page["items"].as_array_mut().unwrap());
        path = format!("/calls?limit=2&tenant=acme&after={}", page["next"].as_str().unwrap_or("0-0"));
    }
    assert_eq!((calls.len(), path.as_str()), (4, "/calls?limit=2&tenant=acme&after=0-0"), "{calls:?}");
    assert!(calls.iter().all(|call| call["key"] == "test" && call["outcome"] == "ok"));
    let streamed: Vec<_> = calls.iter().filter(|call| call["stream"] == true).collect();
    let [newest] = streamed.as_slice() else { panic!("{calls:?}") };
    let story = api.get(&format!("/calls/{}", text(newest, "id"))).await;
    assert_eq!((&story["route"][0]["credential"], &story["price"]["tier"]), (&json!("mock/a"), &json!(0)));
    assert_eq!(story["price"]["row"]["model"], "gpt-4o", "{story}");

    let running = of_summary(&api.get("/usage/summary?from=2020-01-01&measures=requests,tokens,cost").await);
    let home = hub.stop().await.home;
    let stopped: Value = serde_json::from_str(
        &said(&home, &["usage", "summary", "from=2020-01-01", "measures=requests,tokens,cost"]).await,
    )
    .unwrap();
    assert_eq!(of_summary(&stopped), running);
    assert_eq!(added_up(&home.ledger().await), running);
    let rebuilt: Value = serde_json::from_str(&said(&home, &["usage", "rebuild"]).await).unwrap();
    assert_eq!(rebuilt, json!({ "records": 10, "since": null }));
    let table = said(&home, &["usage", "top", "group=tenant", "measures=requests"]).await;
    assert_eq!(
        table.split_whitespace().collect::<Vec<_>>(),
        ["TENANT", "REQUESTS", "acme", "4", "beta", "1"]
    );
    let lines = said(&home, &["calls", "export", "format=jsonl", "key=other"]).await;
    let call: Value = serde_json::from_str(lines.trim()).unwrap();
    assert_eq!((text(&call, "tenant"), text(&call, "credential")), ("beta", "mock/a"));
}

#[tokio::test]
async fn a_killed_hub_goes_on_with_the_sums_of_its_books() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).priced()).await;
    let mut home = hub.home();
    let mut hub = Some(hub);
    for round in 0..3 {
        let running = match hub.take() {
            Some(hub) => hub,
            None => Gateway::start_in(home.clone()).await,
        };
        for _ in 0..=round {
            running.chat("hi").await.expect(200);
        }
        if round == 1 {
            // What was asked for was read, and may be saved or not.
            Api::operator(&running).get("/usage/summary").await;
        }
        home = running.kill9().await.home;
        let told =
            said(&home, &["usage", "summary", "from=2020-01-01", "measures=requests,tokens,cost"]).await;
        assert_eq!(of_summary(&serde_json::from_str(&told).unwrap()), added_up(&home.ledger().await));
    }
}

#[tokio::test]
async fn the_way_of_a_call_through_several_vendors_is_told() {
    let failing = Upstream::always(Reply::failed(500)).await;
    let working = Upstream::realistic().await;
    let conf = Conf::of([Provider::of("first", &failing), Provider::of("second", &working)])
        .model("both", &["first/gpt-4o"], &["second/gpt-4o"])
        .set("retry", "per_target = 1")
        .file(
            "rules.toml",
            "[[rule]]\nname = \"marked\"\nwhen = \"request.model == 'both'\"\nthen = { tag = \"beta\" }\n\
             [[rule]]\nname = \"others\"\nwhen = \"request.model == 'gpt'\"\nthen = { tag = \"never\" }\n",
        )
        .set("rules", "files = [\"rules.toml\"]");
    let hub = Gateway::start(&conf).await;
    let answer = chat_by(&hub, conf::KEY, "both").await.expect(200);
    hub.metrics_after(1).await;
    let story = Api::operator(&hub).get(&format!("/calls/{}", answer.header("x-request-id").unwrap())).await;
    assert_eq!(story["tags"], json!(["beta"]), "what rules have put on it");
    let way: Vec<_> = story["route"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                text(one, "provider"),
                text(one, "credential"),
                one["status"].as_u64().unwrap(),
                text(one, "error").is_empty(),
            )
        })
        .collect();
    assert_eq!(way, [("first", "first/a", 500, false), ("second", "second/a", 200, true)], "{story}");
    assert!(story["route"][1]["after_us"].as_u64() >= story["route"][0]["after_us"].as_u64());
    assert_eq!(story["attempts"], 2);
    let way = hub.stop().await.home.ledger().await.remove(0)["tried"].clone();
    assert_eq!(way.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_a_wallet_was_charged_is_in_the_sums_and_the_margin_is_not_told() {
    let upstream = Upstream::realistic().await;
    let conf =
        Conf::one(&upstream).priced().set("billing", "enabled = true").set("billing", "margin = \"20\"");
    let hub = Gateway::start(&conf).await;
    let api = Api::operator(&hub);
    let token = std::fs::read_to_string(hub.home().data().join("admin.token")).unwrap();
    let grant = Request::post("/admin/wallets/acme", &json!({ "amount": "5", "source": "purchase" }));
    hub.admin(&grant.header("authorization", &format!("Bearer {}", token.trim()))).await.expect(201);
    let body =
        json!({ "model": "gpt", "max_tokens": 100, "messages": [{ "role": "user", "content": "hi" }] });
    let answer = hub.post("/v1/chat/completions", &body).await.expect(200);
    hub.metrics_after(1).await;
    let summary = api.get("/usage/summary?measures=cost,charge").await["values"].clone();
    assert!(pico(&summary["cost"]) > 0);
    assert_eq!(pico(&summary["charge"]) * 10, pico(&summary["cost"]) * 12, "{summary}");
    let id = answer.header("x-request-id").unwrap().to_owned();
    let story = api.get(&format!("/calls/{id}")).await;
    assert_eq!(story["charge"], summary["charge"]);
    let causes: Vec<_> = story["wallet"].as_array().unwrap().iter().map(|one| text(one, "cause")).collect();
    assert_eq!((causes.first(), causes.last()), (Some(&"hold"), Some(&"settle")), "{story}");

    // A key of the tenant's admin sees the charge, and neither cost, margin nor credentials.
    let user = api.make("/users", json!({ "email": "boss@acme", "role": "admin", "tenant": "acme" })).await;
    let owner = json!({ "kind": "user", "id": text(&user, "id") });
    api.make("/users", json!({ "email": "owner@hub", "role": "owner" })).await;
    let key = api.make("/keys", json!({ "owner": owner, "tenant": "acme", "scopes": ["usage:read"] })).await;
    let boss = Api::bearer(&hub, text(&key, "secret"));
    let told = boss.get(&format!("/calls/{id}")).await;
    assert_eq!(told["charge"], summary["charge"]);
    let whole = told.to_string();
    for hidden in ["\"cost\"", "mock/a", "margin", "vendor_cost", "\"price\"", "\"hold\":\""] {
        assert!(!whole.contains(hidden), "{hidden} in {whole}");
    }
    boss.call("GET", "/usage/summary?measures=cost", Value::Null).await.expect(422);
    boss.call("GET", "/usage/top?group=credential", Value::Null).await.expect(422);
    assert_eq!(boss.get("/usage/summary?measures=charge").await["values"]["charge"], summary["charge"]);
}
