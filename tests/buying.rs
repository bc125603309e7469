//! Buying and giving credits: whatever a payment provider tells, however late
//! and often, happens once; and it is all in the books.

mod given;
mod judges;
mod months;
mod sim;
mod stripe;

use super::control::Api;
use super::support::*;
use serde_json::{Value, json};
use stripe::{Cards, SECRET_KEY, SIGNING, Stripe, event, now, signature};

/// Tenants pay, and Stripe sells.
fn selling(upstream: &Upstream, stripe: &Stripe) -> Conf {
    Conf::one(upstream)
        .priced()
        .set("billing", "enabled = true")
        .set("billing", "inbound_secrets = [{ env = \"INBOUND\" }]")
        .section(&format!(
            "[billing.stripe]\nsecret_key = {{ env = \"STRIPE_KEY\" }}\nwebhook_secrets = [{{ env = \"STRIPE_OLD\" }}, {{ env = \"STRIPE_SIGNS\" }}]\n\
             success_url = \"https://shop.test/yes\"\ncancel_url = \"https://shop.test/no\"\napi = {:?}\nleast = \"5\"\nmost = \"500\"\n\
             [[billing.stripe.pack]]\nname = \"starter\"\nprice = \"10\"\ncredits = \"11\"",
            stripe.url()
        ))
        .variable("STRIPE_KEY", SECRET_KEY)
        .variable("STRIPE_OLD", "whsec_before")
        .variable("STRIPE_SIGNS", SIGNING)
        .variable("INBOUND", "inbound-canary-1234")
}

struct Shop {
    hub: Gateway,
    stripe: Stripe,
    _upstream: Upstream,
}

impl Shop {
    async fn open() -> Self {
        let (upstream, stripe) = (Upstream::realistic().await, Stripe::start().await);
        let hub = Gateway::start(&selling(&upstream, &stripe)).await;
        Self { hub, stripe, _upstream: upstream }
    }

    fn api(&self) -> Api<'_> {
        Api::operator(&self.hub)
    }

    async fn tell(&self, kind: &str, object: &Value) -> Answer {
        let body = event(kind, object);
        self.tell_signed(&body, &signature(SIGNING, now(), &body)).await
    }

    async fn tell_signed(&self, body: &str, line: &str) -> Answer {
        let request = Request::new("POST", "/api/admin/v1/webhooks/stripe")
            .header("stripe-signature", line)
            .header("content-type", "application/json")
            .body(body.to_owned());
        self.hub.admin(&request).await
    }

    /// Begins a purchase; gives its id and its page.
    async fn order(&self, body: Value) -> (String, String) {
        let payment = self.api().make("/payments", body).await;
        let text = |name: &str| payment[name].as_str().unwrap().to_owned();
        (text("id"), text("session"))
    }

    async fn available(&self) -> String {
        self.api().get("/wallets/acme").await["available"].as_str().unwrap().to_owned()
    }

    async fn payment(&self, id: &str) -> Value {
        self.api().get(&format!("/payments/{id}")).await
    }

    /// The books fit, and Stripe has nothing to complain about.
    async fn sound(self) {
        self.stripe.is_content();
        let said = self.hub.said();
        assert!(!said.contains("canary"), "a secret was said");
        let home = self.hub.stop().await.home;
        let proved = home.run(&["ledger", "verify"]).await;
        assert!(proved.status.success(), "{}", String::from_utf8_lossy(&proved.stdout));
        let audit = home.run(&["audit", "verify"]).await;
        assert!(audit.status.success(), "{audit:?}");
    }
}

const STARTER: &str = "starter";

#[tokio::test]
async fn a_purchase_is_credited_once_however_often_and_by_whatever_it_is_told() {
    let shop = Shop::open().await;
    let (id, session) = shop.order(json!({ "tenant": "acme", "pack": STARTER, "save_card": true })).await;
    let page = shop.stripe.page(&session);
    assert_eq!(page["line_items[0][price_data][unit_amount]"], "1000");
    assert_eq!(page["customer"], "cus_1");
    assert_eq!(shop.available().await, "0");
    let (intent, paid) = shop.stripe.pay(&session);
    let object = shop.stripe.intent(&intent);
    for _ in 0..3 {
        assert_eq!(
            shop.tell("payment_intent.succeeded", &object).await.expect(200).json()["effect"],
            "payment"
        );
        shop.tell("checkout.session.completed", &paid).await.expect(200);
    }
    assert_eq!(shop.available().await, "11");
    let shown = shop.payment(&id).await;
    assert_eq!((&shown["state"], &shown["intent"]), (&json!("paid"), &json!(intent)));
    let account = shop.api().get("/billing-accounts/acme").await;
    assert_eq!((&account["has_card"], &account["customer"]), (&json!(true), &json!("cus_1")));
    let (_, second) = shop.order(json!({ "tenant": "acme", "amount": "7.50" })).await;
    assert_eq!(shop.stripe.page(&second)["line_items[0][price_data][unit_amount]"], "750");
    assert_eq!(shop.stripe.customers(), 1, "a tenant is one customer");
    shop.hub.chat("hi").await.expect(200);
    shop.sound().await;
}

#[tokio::test]
async fn only_stripe_is_believed() {
    let shop = Shop::open().await;
    let (_, session) = shop.order(json!({ "tenant": "acme", "pack": STARTER })).await;
    let (_, paid) = shop.stripe.pay(&session);
    let body = event("checkout.session.completed", &paid);
    let good = signature(SIGNING, now(), &body);
    for bad in [
        String::new(),
        signature("whsec_wrong", now(), &body),
        signature(SIGNING, now() - 400, &body),
        signature(SIGNING, now() + 400, &body),
        good.replace("v1=", "v0="),
    ] {
        shop.tell_signed(&body, &bad).await.expect(400);
    }
    shop.tell_signed(&body.replace("1000", "9000"), &good).await.expect(400);
    assert_eq!(shop.available().await, "0");
    // Two secrets while one is replaced, and two signatures in one header.
    let old = signature("whsec_before", now(), &body);
    let several = format!("{},v1={}", old, "0".repeat(64));
    shop.tell_signed(&body, &several).await.expect(200);
    assert_eq!(shop.available().await, "11");
    shop.sound().await;
}

#[tokio::test]
async fn what_is_not_the_hubs_or_not_what_was_asked_for_credits_nobody() {
    let shop = Shop::open().await;
    let (id, session) = shop.order(json!({ "tenant": "acme", "pack": STARTER })).await;
    let (intent, mut paid) = shop.stripe.pay(&session);
    for (kind, object) in [
        ("invoice.paid", json!({ "id": "in_1" })),
        (
            "payment_intent.succeeded",
            json!({ "id": "pi_x", "status": "succeeded", "amount_received": 5, "currency": "usd", "metadata": {} }),
        ),
        (
            "payment_intent.succeeded",
            json!({ "id": "pi_x", "status": "succeeded", "amount_received": 5, "currency": "usd", "metadata": { "aigne_hub_payment": "pay_of_another_hub" } }),
        ),
        (
            "refund.created",
            json!({ "id": "re_x", "amount": 5, "status": "succeeded", "payment_intent": "pi_of_somebody" }),
        ),
    ] {
        let answer = shop.tell(kind, &object).await;
        // A payment that Stripe does not know is told again; everything else is nothing.
        assert!(answer.status() == 200 || answer.status() == 502, "{kind}: {}", answer.text());
        assert!(answer.status() != 200 || answer.json()["effect"] == "none", "{kind}");
    }
    paid["amount_subtotal"] = json!(999);
    shop.tell("checkout.session.completed", &paid).await.expect(200);
    assert_eq!(shop.payment(&id).await["state"], "mismatch");
    assert_eq!(shop.available().await, "0");
    shop.tell("payment_intent.succeeded", &shop.stripe.intent(&intent)).await.expect(200);
    assert_eq!(shop.available().await, "11", "the truth comes later");
    shop.sound().await;
}

#[tokio::test]
async fn a_refund_takes_its_share_and_never_more_than_there_is() {
    let shop = Shop::open().await;
    let (id, session) = shop.order(json!({ "tenant": "acme", "pack": STARTER })).await;
    let (intent, paid) = shop.stripe.pay(&session);
    shop.tell("checkout.session.completed", &paid).await.expect(200);
    let path = format!("/payments/{id}/refund");
    let api = shop.api();
    let refunded = api.call("POST", &path, json!({ "amount": "2.50" })).await.expect(200).json();
    assert_eq!(refunded["refunds"]["re_1"]["minor"], 250);
    assert_eq!(shop.available().await, "8.25");
    // The event of the same refund comes, twice, and changes nothing.
    let refund = shop.stripe.refunds()[0].clone();
    shop.tell("refund.created", &refund).await.expect(200);
    shop.tell("charge.refund.updated", &refund).await.expect(200);
    assert_eq!(shop.available().await, "8.25");
    // Most of it is used; the rest of the money goes back only if somebody insists.
    api.call("POST", "/wallets/acme/adjustments", json!({ "amount": "-8", "reason": "used elsewhere" }))
        .await
        .expect(201);
    api.call("POST", &path, json!({})).await.expect(409);
    api.call("POST", &path, json!({ "amount": "7.51" })).await.expect(409);
    api.call("POST", &path, json!({ "force": true })).await.expect(200);
    assert_eq!(shop.available().await, "0");
    api.call("POST", &path, json!({ "force": true })).await.expect(409);
    // A refund that failed gives back what it took, and no more.
    let mut failed = shop.stripe.refunds()[1].clone();
    failed["status"] = json!("failed");
    shop.tell("refund.failed", &failed).await.expect(200);
    shop.tell("refund.created", &shop.stripe.refunds()[1].clone()).await.expect(200);
    assert_eq!(shop.available().await, "0.25");
    assert_eq!(shop.payment(&id).await["intent"], json!(intent));
    shop.sound().await;
}

#[tokio::test]
async fn a_dispute_freezes_and_one_that_was_won_gives_everything_back() {
    let shop = Shop::open().await;
    let (_, session) = shop.order(json!({ "tenant": "acme", "pack": STARTER })).await;
    let (intent, paid) = shop.stripe.pay(&session);
    let dispute =
        |status: &str| json!({ "id": "dp_1", "amount": 1_000, "status": status, "payment_intent": intent });
    // The dispute comes before anything that says whose payment it is; Stripe is asked.
    shop.tell("charge.dispute.created", &dispute("needs_response")).await.expect(200);
    shop.tell("checkout.session.completed", &paid).await.expect(200);
    assert_eq!(shop.available().await, "0");
    shop.api().call("POST", "/wallets/acme/grants", json!({ "amount": "1" })).await.expect(201);
    let refused = shop.hub.chat("hi").await.expect_error(402, "insufficient_credits");
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("frozen"), "{refused:?}");
    // An operator may let the tenant go on.
    let thawed = json!({ "frozen": false });
    shop.api().call("PATCH", "/billing-accounts/acme", thawed).await.expect(200);
    shop.hub.chat("hi").await.expect(200);
    shop.api().call("PATCH", "/billing-accounts/acme", json!({ "frozen": null })).await.expect(200);
    shop.hub.chat("hi").await.expect(402);
    let home = shop.hub.stop().await.home;
    let hub = Gateway::start_in(home).await;
    let shop = Shop { hub, ..shop };
    shop.hub.chat("hi").await.expect(402);
    for status in ["won", "under_review", "needs_response"] {
        shop.tell("charge.dispute.closed", &dispute(status)).await.expect(200);
    }
    shop.hub.chat("hi").await.expect(200);
    // Two chats were paid for. What the last one held comes back after its answer went out.
    shop.hub.eventually("the rest", async || shop.available().await == "11.999895").await;
    shop.sound().await;
}

async fn with_card(cards: Cards, limit: &str) -> Shop {
    let shop = Shop::open().await;
    shop.stripe.cards(cards);
    let object = json!({ "id": "seti_1", "customer": "cus_1", "payment_method": "pm_1", "metadata": { "aigne_hub_tenant": "acme" } });
    assert_eq!(shop.tell("setup_intent.succeeded", &object).await.expect(200).json()["effect"], "card");
    let wish = json!({ "top_up": { "below": "5", "amount": "20", "month_limit": limit } });
    shop.api().call("PATCH", "/billing-accounts/acme", wish).await.expect(200);
    shop
}

#[tokio::test]
async fn few_credits_buy_more_by_themselves_within_the_month() {
    let shop = with_card(Cards::Good, "50").await;
    shop.hub.eventually("the first top-up", async || shop.available().await == "20").await;
    let spend = json!({ "amount": "-18", "reason": "spent" });
    shop.api().call("POST", "/wallets/acme/adjustments", spend.clone()).await.expect(201);
    shop.hub.eventually("the second top-up", async || shop.available().await == "22").await;
    // The event of a payment that is known already.
    for intent in shop.stripe.intents() {
        shop.tell("payment_intent.succeeded", &intent).await.expect(200);
    }
    shop.api()
        .call("POST", "/wallets/acme/adjustments", json!({ "amount": "-20", "reason": "spent" }))
        .await
        .expect(201);
    // A third would be more than the month allows; a grant shows that the hub has looked since.
    let allowance = json!({ "tenant": "acme", "amount": "0.5", "every": "day" });
    shop.api().make("/allowances", allowance).await;
    shop.hub.eventually("a later look", async || shop.available().await == "2.5").await;
    assert_eq!(shop.stripe.charges(), 2);
    shop.sound().await;
}

#[tokio::test]
async fn a_payment_whose_answer_was_lost_is_made_once() {
    let shop = with_card(Cards::LostAnswer, "100").await;
    let pending = async || shop.api().get("/payments").await["items"][0]["state"] == "pending";
    shop.hub.eventually("the lost answer", async || pending().await && shop.stripe.lost() == 1).await;
    let intent = shop.stripe.intents().remove(0);
    let home = shop.hub.kill9().await.home;
    let hub = Gateway::start_in(home).await;
    let shop = Shop { hub, ..shop };
    shop.hub.eventually("the top-up", async || shop.available().await == "20").await;
    shop.tell("payment_intent.succeeded", &intent).await.expect(200);
    assert_eq!((shop.available().await.as_str(), shop.stripe.charges()), ("20", 1));
    shop.sound().await;
}

#[tokio::test]
async fn a_declined_card_rests_and_is_told() {
    let shop = with_card(Cards::Declined, "100").await;
    let account = async || shop.api().get("/billing-accounts/acme").await;
    shop.hub.eventually("the refusal", async || account().await["failures"] == 1).await;
    let payments = shop.api().get("/payments").await;
    let payment = &payments["items"][0];
    assert_eq!((&payment["state"], &payment["automatic"]), (&json!("failed"), &json!(true)));
    assert!(payment["failure"].as_str().unwrap().contains("declined"), "{payment}");
    assert!(account().await["wait_until"].is_string());
    let allowance = json!({ "tenant": "acme", "amount": "0.5", "every": "day" });
    shop.api().make("/allowances", allowance).await;
    shop.hub.eventually("a later look", async || shop.available().await == "0.5").await;
    assert_eq!(shop.api().get("/payments").await["items"].as_array().unwrap().len(), 1);
    shop.sound().await;
}

#[tokio::test]
async fn at_most_one_payment_is_on_its_way() {
    let shop = with_card(Cards::Slow, "100").await;
    let payments = async || shop.api().get("/payments").await["items"].as_array().unwrap().len();
    shop.hub.eventually("the payment", async || payments().await == 1 && shop.stripe.charges() == 1).await;
    shop.api().make("/allowances", json!({ "tenant": "acme", "amount": "0.5", "every": "day" })).await;
    shop.hub.eventually("a later look", async || shop.available().await == "0.5").await;
    assert_eq!((payments().await, shop.stripe.charges()), (1, 1));
    let mut intent = shop.stripe.intents().remove(0);
    intent["status"] = json!("succeeded");
    shop.tell("payment_intent.succeeded", &intent).await.expect(200);
    assert_eq!(shop.available().await, "20.5");
    shop.sound().await;
}

#[tokio::test]
async fn what_cannot_be_sold_is_refused_with_a_reason() {
    let shop = Shop::open().await;
    for wrong in [
        json!({}),
        json!({ "tenant": "acme" }),
        json!({ "tenant": "acme", "pack": "none" }),
        json!({ "tenant": "acme", "pack": STARTER, "amount": "5" }),
        json!({ "tenant": "acme", "amount": "4.99" }),
        json!({ "tenant": "acme", "amount": "500.01" }),
        json!({ "tenant": "acme", "amount": "5.001" }),
        json!({ "tenant": "nobody", "pack": STARTER }),
    ] {
        shop.api().call("POST", "/payments", wrong).await.expect(422);
    }
    for wrong in [
        json!({ "top_up": { "below": "0", "amount": "5", "month_limit": "5" } }),
        json!({ "top_up": { "below": "1", "amount": "5", "month_limit": "4" } }),
        json!({ "top_up": { "below": "1", "amount": "5.001", "month_limit": "10" } }),
        json!({ "email": "nowhere" }),
        json!({ "customer": "cus_of_another" }),
    ] {
        shop.api().call("PATCH", "/billing-accounts/acme", wrong).await.expect(422);
    }
    let payments = shop.api().get("/payments").await;
    assert_eq!(payments["items"], json!([]));
    shop.sound().await;
}

#[tokio::test]
async fn a_bad_shop_is_told_whole() {
    let upstream = Upstream::script([]).await;
    let conf = Conf::one(&upstream).set("billing", "enabled = true").section(
        "[billing.stripe]\nsecret_key = { env = \"NOT_SET\" }\nwebhook_secrets = []\nsuccess_url = \"here\"\ncancel_url = \"https://a\"\n\
         api = \"http://stripe.test\"\ncurrency = \"dollars\"\nmost = \"5\"\n[[billing.stripe.pack]]\nname = \"a\"\nprice = \"0.001\"\ncredits = \"0\"",
    );
    let said = String::from_utf8_lossy(&Gateway::refuses(&conf).await.stderr).into_owned();
    for wrong in [
        "NOT_SET",
        "webhook_secrets",
        "success_url",
        "must begin with https",
        "currency",
        "without least",
        "price",
        "credits",
    ] {
        assert!(said.contains(wrong), "{wrong} is not told:\n{said}");
    }
}
