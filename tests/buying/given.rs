//! Credits that are given: codes, allowances, signed messages.

use super::*;

async fn redeem(shop: &Shop, tenant: &str, code: &str) -> Answer {
    shop.api().call("POST", "/redeem", json!({ "tenant": tenant, "code": code })).await
}

#[tokio::test]
async fn a_code_is_worth_credits_once_for_each_tenant_and_not_for_more_than_it_says() {
    let shop = Shop::open().await;
    for tenant in ["b", "c"] {
        shop.api().make("/tenants", json!({ "id": tenant })).await;
    }
    let made = shop
        .api()
        .make("/codes", json!({ "name": "spring", "amount": "3", "uses": 2, "days": 30, "count": 2 }))
        .await;
    let codes: Vec<_> =
        made["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    assert_eq!(codes.len(), 2);
    let given = redeem(&shop, "acme", &codes[0].to_lowercase()).await.expect(200).json();
    assert_eq!(given["amount"], "3");
    redeem(&shop, "acme", &codes[0]).await.expect(409);
    redeem(&shop, "b", &codes[0]).await.expect(200);
    redeem(&shop, "c", &codes[0]).await.expect(404);
    redeem(&shop, "acme", &codes[1]).await.expect(200);
    assert_eq!(shop.available().await, "6");
    let wallet = shop.api().get("/wallets/acme").await;
    assert!(
        wallet["lots"]
            .as_array()
            .unwrap()
            .iter()
            .all(|lot| lot["expires_at"].is_i64() && lot["source"] == "promotion")
    );
    // Nobody sees a code again, and one that was switched off is nothing.
    let listed = shop.api().get("/codes").await;
    assert!(codes.iter().all(|code| !listed.to_string().contains(code.as_str())));
    let second = listed["items"].as_array().unwrap().iter().find(|item| item["redeemed"] == 1).unwrap();
    let path = format!("/codes/{}", second["id"].as_str().unwrap());
    shop.api().call("PATCH", &path, json!({ "ended": true })).await.expect(200);
    redeem(&shop, "b", &codes[1]).await.expect(404);
    shop.sound().await;
}

#[tokio::test]
async fn who_guesses_codes_has_to_wait() {
    let shop = Shop::open().await;
    let made = shop.api().make("/codes", json!({ "amount": "3" })).await;
    let code = made["codes"][0].as_str().unwrap().to_owned();
    let mut waited = None;
    for _ in 0..10 {
        let answer = redeem(&shop, "acme", "AAAAA-AAAAA-AAAAA-AAAAA-AAAAA").await;
        match answer.status() {
            404 => {}
            _ => {
                waited = Some(answer.expect(429));
                break;
            }
        }
    }
    assert!(waited.unwrap().header("retry-after").is_some());
    redeem(&shop, "acme", &code).await.expect(429);
    shop.sound().await;
}

#[tokio::test]
async fn many_who_redeem_at_once_get_no_more_than_the_code_is_for() {
    let shop = Shop::open().await;
    let tenants: Vec<String> = (0..8).map(|n| format!("t{n}")).collect();
    for tenant in &tenants {
        shop.api().make("/tenants", json!({ "id": tenant })).await;
    }
    let made = shop.api().make("/codes", json!({ "amount": "1", "uses": 3 })).await;
    let code = made["codes"][0].as_str().unwrap().to_owned();
    let all = tenants.iter().map(|tenant| redeem(&shop, tenant, &code));
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(answers.iter().filter(|answer| answer.status() == 200).count(), 3);
    let issued = shop.api().get("/wallets").await["issued"]["promotion"].clone();
    assert_eq!(issued, "3");
    shop.sound().await;
}

#[tokio::test]
async fn an_allowance_comes_once_a_period_whoever_starts_again() {
    let shop = Shop::open().await;
    let made = shop
        .api()
        .make("/allowances", json!({ "tenant": "acme", "amount": "2", "every": "month", "reason": "plan" }))
        .await;
    shop.hub.eventually("the allowance", async || shop.available().await == "2").await;
    let home = shop.hub.stop().await.home;
    let hub = Gateway::start_in(home).await;
    let shop = Shop { hub, ..shop };
    shop.api()
        .make("/allowances", json!({ "tenant": "acme", "amount": "1", "every": "day", "keeps": true }))
        .await;
    shop.hub.eventually("the second", async || shop.available().await == "3").await;
    let path = format!("/allowances/{}", made["id"].as_str().unwrap());
    shop.api().call("DELETE", &path, Value::Null).await.expect(204);
    assert_eq!(shop.available().await, "3", "what was given stays");
    shop.sound().await;
}

#[tokio::test]
async fn a_signed_message_credits_once() {
    let shop = Shop::open().await;
    let send = async |body: &str, secret: &str| {
        let line = signature(secret, now(), body);
        let request =
            Request::new("POST", "/api/admin/v1/webhooks/credits").header("x-aigne-signature", &line);
        shop.hub.admin(&request.body(body.to_owned())).await
    };
    let body = json!({ "id": "order-7", "tenant": "acme", "amount": "4", "reason": "order 7" }).to_string();
    send(&body, "wrong").await.expect(400);
    assert_eq!(send(&body, "inbound-canary-1234").await.expect(200).json()["done"], true);
    assert_eq!(send(&body, "inbound-canary-1234").await.expect(200).json()["done"], false);
    send(&body.replace("acme", "other"), "inbound-canary-1234").await.expect(409);
    for wrong in ["{}", "[]", &body.replace("\"4\"", "\"-4\""), &body.replace("\"4\"", "4")] {
        let status = send(wrong, "inbound-canary-1234").await.status();
        assert!(status == 400 || status == 422, "{wrong}: {status}");
    }
    assert_eq!(shop.available().await, "4");
    let log = shop.api().get("/audit?action=webhook.credits").await;
    assert_eq!(log["items"].as_array().unwrap().len(), 1, "{log}");
    shop.sound().await;
}

#[tokio::test]
async fn grants_and_corrections_are_in_the_audit_log_with_their_reasons() {
    let shop = Shop::open().await;
    let api = shop.api();
    let grant = json!({ "id": "g1", "amount": "2", "source": "promotion", "reason": "fair", "expires_at": "2999-01-01T00:00:00Z" });
    api.call("POST", "/wallets/acme/grants", grant.clone()).await.expect(201);
    api.call("POST", "/wallets/acme/grants", grant).await.expect(200);
    api.call("POST", "/wallets/acme/adjustments", json!({ "amount": "-0.5", "reason": "typo" }))
        .await
        .expect(201);
    for wrong in [json!({ "amount": "-1" }), json!({ "amount": "0" }), json!({})] {
        api.call("POST", "/wallets/acme/grants", wrong).await.expect(422);
    }
    api.call("POST", "/wallets/acme/adjustments", json!({ "amount": "1" })).await.expect(422);
    api.call("POST", "/wallets/nobody/grants", json!({ "amount": "1" })).await.expect(404);
    assert_eq!(shop.available().await, "1.5");
    let log = api.get("/audit").await;
    let reasons: Vec<_> =
        log["items"].as_array().unwrap().iter().map(|entry| entry["reason"].clone()).collect();
    assert_eq!(reasons, [json!("typo"), json!("fair")]);
    shop.sound().await;
}
