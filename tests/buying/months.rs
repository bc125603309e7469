//! Statements and reports of the real hub.

use super::super::wallet::{command, pico};
use super::*;

/// Three tenants' worth of traffic is not needed: one that buys and uses.
async fn used() -> Shop {
    let shop = Shop::open().await;
    let (_, session) = shop.order(json!({ "tenant": "acme", "pack": STARTER })).await;
    let (_, paid) = shop.stripe.pay(&session);
    shop.tell("checkout.session.completed", &paid).await.expect(200);
    shop.api()
        .call("POST", "/wallets/acme/grants", json!({ "amount": "2", "reason": "welcome, \"friend\"" }))
        .await
        .expect(201);
    for _ in 0..3 {
        shop.hub.chat("hi").await.expect(200);
    }
    shop.api()
        .call("POST", "/wallets/acme/adjustments", json!({ "amount": "-1", "reason": "typo" }))
        .await
        .expect(201);
    shop
}

/// The running month.
fn month() -> String {
    let now = now() * 1_000_000;
    aigne_hub::billing::statement::month_text(aigne_hub::types::Wall(now))
}

#[tokio::test]
async fn a_month_is_closed_once_and_proved_from_the_ledger() {
    let shop = used().await;
    let month = month();
    let api = shop.api();
    api.call("POST", "/statements/close", json!({ "month": month })).await.expect(409);
    api.call("POST", "/statements/close", json!({ "month": "2999-01", "early": true })).await.expect(409);
    api.call("POST", "/statements/close", json!({ "month": "soon" })).await.expect(422);
    let closed = api
        .call("POST", "/statements/close", json!({ "month": month, "early": true }))
        .await
        .expect(200)
        .json();
    assert_eq!(closed["statements"][0]["number"], 1);
    api.call("POST", "/statements/close", json!({ "month": month, "early": true })).await.expect(409);
    let statement = api.get("/statements/1").await;
    assert_eq!((&statement["opening"], &statement["totals"]["purchases"]), (&json!("0"), &json!("11")));
    assert_eq!(
        (&statement["totals"]["grants"], &statement["totals"]["adjustments"]),
        (&json!("2"), &json!("-1"))
    );
    assert_eq!(
        (&statement["usage"][0]["model"], &statement["usage"][0]["requests"]),
        (&json!("gpt"), &json!(3))
    );
    assert_eq!(statement["closing"].as_str().unwrap(), shop.available().await);
    for (format, begins) in [("csv", "section,"), ("html", "<!doctype html>"), ("pdf", "%PDF-")] {
        let path = format!("/statements/1?format={format}");
        let (one, other) = (
            api.call("GET", &path, Value::Null).await.expect(200),
            api.call("GET", &path, Value::Null).await.expect(200),
        );
        assert!(one.body.starts_with(begins.as_bytes()), "{format}");
        assert_eq!(one.body, other.body, "{format}");
    }
    api.call("GET", "/statements/2", Value::Null).await.expect(404);
    api.call("GET", "/statements/1?format=doc", Value::Null).await.expect(400);
    assert_eq!(api.get("/statements/verify").await["sound"], true);
    // What comes later changes nothing that was closed.
    shop.hub.chat("hi").await.expect(200);
    assert_eq!(api.get("/statements/verify").await["sound"], true);
    assert_eq!(api.get("/statements/1").await, statement);
    let home = shop.hub.home();
    shop.sound().await;
    let proved = command(&home, &["billing", "verify"]).await;
    assert_eq!((&proved["sound"], &proved["statements"]), (&json!(true), &json!(1)));
    let pdf = home.run(&["billing", "statement", "1", "--format", "pdf"]).await;
    assert!(pdf.status.success() && pdf.stdout.starts_with(b"%PDF-"), "{pdf:?}");
}

#[tokio::test]
async fn reports_say_what_was_earned_and_what_another_price_would_have_earned() {
    let shop = used().await;
    let api = shop.api();
    let margin = api.get("/reports/margin?by=tenant").await;
    let total = &margin["total"];
    assert_eq!((&margin["rows"][0]["name"], &total["requests"]), (&json!("acme"), &json!(3)));
    assert_eq!(pico(&total["revenue"]) - pico(&total["cost"]), pico(&total["margin"]));
    for by in ["model", "provider", "app"] {
        assert_eq!(&api.get(&format!("/reports/margin?by={by}")).await["total"], total, "{by}");
    }
    api.call("GET", "/reports/margin?by=colour", Value::Null).await.expect(400);
    let twice = json!({ "from": "2020-01-01", "to": "2999-01-01", "margin": "100" });
    let trial = api.call("POST", "/reports/what-if", twice).await.expect(200).json();
    let (before, after) = (pico(&trial["total"]["before"]), pico(&trial["total"]["after"]));
    assert!(before > 0 && after == 2 * before, "{trial}");
    let rates = "[[price]]\nprovider = \"rate/*\"\nmodel = \"gpt\"\nvalid_from = \"2020-01-01\"\ninput = \"0\"\noutput = \"0\"\nrequest = \"1000000\"\n";
    let rated = json!({ "from": "2020-01-01", "to": "2999-01-01", "rates": rates });
    let trial = api.call("POST", "/reports/what-if", rated).await.expect(200).json();
    assert_eq!(trial["total"]["after"], "3");
    let day = aigne_hub::ledger::day_text(now().div_euclid(86_400));
    let csv = |input: u64| {
        format!(
            "start_time_iso,model,num_model_requests,input_tokens,output_tokens\n{day}T00:00:00Z,gpt-4o,3,{input},9\n"
        )
    };
    for (input, agrees) in [(27, true), (28, false)] {
        let body = json!({ "provider": "mock", "export": "openai", "csv": csv(input) });
        let report = api.call("POST", "/reports/reconcile", body).await.expect(200).json();
        assert_eq!(report["agrees"], agrees, "{report}");
    }
    shop.sound().await;
}
