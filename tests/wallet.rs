//! Tenants that pay: nobody gets what their wallet cannot carry, everybody
//! pays for what they got and for nothing else, and it is all in the books.

mod crowd;
mod early;
mod who_pays;

use super::anthropic::messages;
use super::support::conf::{KEY, SECOND_KEY};
use super::support::*;
use serde_json::{Value, json};

const LINK: &str = "https://pay.example/credits";

/// Tenants pay a fifth on top of the cost.
fn paying(conf: Conf) -> Conf {
    conf.priced()
        .set("billing", "enabled = true")
        .set("billing", "margin = \"20\"")
        .set("billing", "prefix = \"$\"")
        .set("billing", &format!("buy_link = {LINK:?}"))
}

/// A chat with a bound of 100 output tokens.
fn chat() -> Request {
    bounded(100)
}

fn bounded(most: u64) -> Request {
    let messages = json!([{ "role": "user", "content": "hi" }]);
    let body = json!({ "model": "gpt", "max_tokens": most, "messages": messages });
    Request::post("/v1/chat/completions", &body).key(KEY)
}

/// A command of the binary that must succeed; what it says as JSON.
pub(super) async fn command(home: &gateway::Home, arguments: &[&str]) -> Value {
    let output = home.run(arguments).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).unwrap_or(Value::String(said))
}

/// A request to the admin listener of a running hub.
async fn admin(hub: &Gateway, request: Request) -> Answer {
    let token = std::fs::read_to_string(hub.home().data().join("admin.token")).unwrap();
    hub.admin(&request.header("authorization", &format!("Bearer {}", token.trim()))).await
}

async fn operate(hub: &Gateway, tenant: &str, operation: &Value) -> Answer {
    admin(hub, Request::post(&format!("/admin/wallets/{tenant}"), operation)).await
}

async fn grant(hub: &Gateway, tenant: &str, amount: &str) -> Value {
    operate(hub, tenant, &json!({ "amount": amount, "source": "purchase" })).await.expect(201).json()
}

/// Picos of a decimal text.
pub(super) fn pico(value: &Value) -> i128 {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no amount"));
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    sign * (whole.parse::<i128>().unwrap() * 1_000_000_000_000
        + format!("{fraction:0<12}").parse::<i128>().unwrap())
}

/// What wallets were charged, by request.
pub(super) fn sales(journal: &[Value]) -> Vec<(String, i128)> {
    let movements = journal.iter().filter(|record| record["record"] == "movement");
    let sale = |record: &Value| {
        let paid = record["cause"].get("settle")?["paid"].clone();
        Some((record["request"].as_str().unwrap().to_owned(), pico(&paid)))
    };
    movements.filter_map(sale).collect()
}

async fn sound(home: &gateway::Home) -> Value {
    let report = command(home, &["wallet", "verify"]).await;
    assert_eq!(report["problem_count"], 0, "{report:#}");
    report
}

#[tokio::test]
async fn without_credits_a_caller_is_told_in_its_own_dialect_where_to_buy_them() {
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&paying(Conf::one(&upstream))).await;
    let openai = hub.call(&chat()).await.expect_error(402, "insufficient_credits");
    assert_eq!(openai.json()["error"]["type"], "insufficient_quota");
    assert_eq!(openai.header("x-should-retry"), Some("false"));
    let anthropic = hub.call(&messages(json!({}))).await.expect(402);
    assert_eq!(anthropic.json()["error"]["type"], "billing_error");
    for answer in [openai, anthropic] {
        let text = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(text.contains(LINK) && text.contains("$0 are available"), "{text}");
    }
    let metrics = hub.metrics_after(2).await;
    assert_eq!(metrics.sum("aigne_hub_requests_total", &["outcome=\"no_funds\""]), 2.0);
    assert_eq!(upstream.counts().requests, 0, "no vendor heard of it");
    let home = hub.stop().await.home;
    assert!(home.journal().await.is_empty(), "and the books have nothing of it");
}

#[tokio::test]
async fn what_was_used_is_charged_and_the_rest_comes_back() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&paying(Conf::one(&upstream))).await;
    let given = grant(&hub, "acme", "1").await;
    assert_eq!((&given["done"], &given["amount"], &given["lot"]), (&json!(true), &json!("1"), &json!(1)));
    for _ in 0..3 {
        hub.call(&chat()).await.expect(200);
    }
    hub.stream("no maximum").await.expect(200);
    let home = hub.stop().await.home;
    let wallet = command(&home, &["wallet", "show", "acme"]).await;
    // 9 tokens in at 2.50 and 3 out at 10, and a fifth.
    assert_eq!((&wallet["available"], &wallet["held"]), (&json!("0.999748"), &json!("0")), "{wallet}");
    assert_eq!(wallet["charged"], "0.000252");
    let report = sound(&home).await;
    assert_eq!((&report["credits"], &report["written_off"]), (&json!("0.000252"), &json!("0")));
    let journal = home.journal().await;
    assert_eq!(sales(&journal).len(), 4);
    let hold = journal.iter().find(|record| record["cause"].get("hold").is_some()).unwrap();
    let rule = &hold["cause"]["hold"]["rule"]["margin"];
    assert_eq!((&rule["margin_ppm"], &rule["credit_price"]), (&json!(200_000), &json!("1")), "{hold}");
}

#[tokio::test]
async fn the_worst_case_must_fit_and_what_runs_counts() {
    let gate = Gate::new();
    let reply = vendor::answer_chat().after(&gate);
    let upstream = Upstream::script([reply.clone(), reply]).await;
    let hub = Gateway::start(&paying(Conf::one(&upstream))).await;
    // 10,000 tokens out cost 0.12; the input of a few bytes very little.
    grant(&hub, "acme", "0.2").await;
    let mut first = hub.open(&bounded(10_000)).await;
    upstream.until("the first request", |counts| counts.requests == 1).await;
    let refused = hub.call(&bounded(10_000)).await.expect_error(402, "insufficient_credits");
    let text = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(text.contains("held by running requests") && text.contains("max_tokens"), "{text}");
    let mut second = hub.open(&bounded(5_000)).await;
    gate.open_for_good();
    first.answer().await.expect(200);
    second.answer().await.expect(200);
    // The hold is free again before the last byte is out.
    upstream_again(&hub, &upstream).await;
}

async fn upstream_again(hub: &Gateway, upstream: &Upstream) {
    let before = upstream.counts().requests;
    hub.call(&bounded(20_000)).await.expect_error(402, "insufficient_credits");
    assert_eq!(upstream.counts().requests, before);
}

#[tokio::test]
async fn a_caller_who_asks_again_at_once_does_not_meet_its_own_hold() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&paying(Conf::one(&upstream))).await;
    grant(&hub, "acme", "0.15").await;
    let mut client = hub.connect().await;
    for _ in 0..100 {
        client.send(&bounded(10_000)).await;
        client.answer().await.expect(200);
    }
    let home = hub.stop().await.home;
    assert_eq!(sales(&home.journal().await).len(), 100);
    sound(&home).await;
}

#[tokio::test]
async fn a_request_that_names_no_maximum_gets_one_that_it_can_be_held_to() {
    let upstream = Upstream::realistic().await;
    let conf = paying(Conf::one(&upstream)).set("billing", "assumed_output = 500");
    let hub = Gateway::start(&conf).await;
    grant(&hub, "acme", "1").await;
    hub.chat("hi").await.expect(200);
    hub.stream("hi").await.expect(200);
    let seen: Vec<_> =
        upstream.seen().iter().map(|seen| seen.json()["max_completion_tokens"].clone()).collect();
    assert_eq!(seen, [json!(500), Value::Null], "a stream can be asked to hold more on the way");
}

#[tokio::test]
async fn an_operation_happens_once_and_money_is_taken_back_only_as_far_as_there_is_any() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&paying(Conf::one(&upstream))).await;
    let paid = json!({ "id": "invoice-7", "amount": "5", "source": "grant", "reason": "paid by card" });
    let first = operate(&hub, "acme", &paid).await.expect(201).json();
    let second = operate(&hub, "acme", &paid).await.expect(200).json();
    assert_eq!((&first["done"], &second["done"]), (&json!(true), &json!(false)));
    assert_eq!(first["lot"], second["lot"]);
    operate(&hub, "other", &paid).await.expect(409);
    let back = json!({ "amount": "-7.5", "reason": "fraud" });
    assert_eq!(operate(&hub, "acme", &back).await.expect(201).json()["amount"], "5");
    hub.call(&chat()).await.expect_error(402, "insufficient_credits");
    for bad in [json!({ "amount": "0" }), json!({ "amount": 1 }), json!({}), json!({ "amount": "1", "x": 1 })]
    {
        operate(&hub, "acme", &bad).await.expect(400);
    }
    admin(&hub, Request::get("/admin/wallets/nobody")).await.expect(404);
    let lines = admin(&hub, Request::get("/admin/ledger/export?wallet=acme")).await.expect(200);
    assert_eq!(String::from_utf8_lossy(&lines.body).lines().count(), 2);
    hub.admin(&Request::get("/admin/wallets")).await.expect(401);
    let stopped = hub.stop().await.home;
    // The same without a hub.
    let arguments = ["wallet", "grant", "acme", "5", "--id", "invoice-7"];
    assert_eq!(command(&stopped, &arguments).await["done"], false);
    for bad in [["grant", "acme", "0"], ["grant", "no tenant", "1"], ["grant", "acme", "1e3"]] {
        let arguments: Vec<_> = ["wallet"].into_iter().chain(bad).collect();
        assert!(!stopped.run(&arguments).await.status.success(), "{arguments:?}");
    }
    command(&stopped, &["wallet", "grant", "acme", "2", "--expires", "2099-01-01"]).await;
    command(&stopped, &["wallet", "adjust", "acme", "-0.5", "--reason", "typo"]).await;
    let all = command(&stopped, &["wallet", "show"]).await;
    assert_eq!(
        (&all["wallets"][0]["available"], &all["issued"]["grant"]),
        (&json!("1.5"), &json!("7")),
        "{all}"
    );
    let journal = stopped.run(&["wallet", "journal", "acme"]).await;
    assert_eq!(String::from_utf8_lossy(&journal.stdout).lines().count(), 4);
    sound(&stopped).await;
}

#[tokio::test]
async fn a_member_stays_within_its_part_of_the_wallet() {
    let upstream = Upstream::realistic().await;
    let conf = paying(Conf::one(&upstream))
        .key_line("member = \"team\"")
        .second_key("other", "acme")
        .section("[[billing.member]]\ntenant = \"acme\"\nname = \"team\"\nmonth = \"0.002\"");
    let hub = Gateway::start(&conf).await;
    grant(&hub, "acme", "1").await;
    hub.call(&chat()).await.expect(200);
    let refused = hub.call(&bounded(1_000)).await.expect_error(402, "insufficient_credits");
    let text = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(text.contains("of team for this month") && !text.contains(LINK), "{text}");
    let body =
        json!({ "model": "gpt", "max_tokens": 1_000, "messages": [{ "role": "user", "content": "hi" }] });
    hub.call(&Request::post("/v1/chat/completions", &body).key(SECOND_KEY)).await.expect(200);
    let home = hub.stop().await.home;
    let wallet = command(&home, &["wallet", "show", "acme"]).await;
    assert_eq!(wallet["members"], json!([{ "name": "team", "spent": "0.000063" }]));
    sound(&home).await;
}

#[tokio::test]
async fn rates_in_credits_come_before_cost_and_margin_and_a_plan_before_all() {
    let rates = "[[price]]\nprovider = \"rate/*\"\nmodel = \"gpt\"\nvalid_from = \"2020-01-01\"\nrequest = \"1000000\"\n\
                 input = \"0\"\noutput = \"0\"\n\
                 [[price]]\nprovider = \"rate/gold\"\nmodel = \"gpt\"\nvalid_from = \"2020-01-01\"\n\
                 request = \"250000\"\ninput = \"0\"\noutput = \"0\"\n\
                 [[price]]\nprovider = \"rate/gold\"\nmodel = \"gpt\"\nvalid_from = \"2099-01-01\"\n\
                 request = \"9000000\"\ninput = \"0\"\noutput = \"0\"\n";
    let upstream = Upstream::realistic().await;
    let conf = paying(Conf::one(&upstream))
        .file("rates.toml", rates)
        .second_key("other", "globex")
        .section("[[billing.tenant]]\nname = \"globex\"\nplan = \"gold\"");
    let text = "files = [\"prices.toml\", \"rates.toml\"]";
    let conf = Conf::set(conf.unset("prices"), "prices", text);
    let hub = Gateway::start(&conf).await;
    for tenant in ["acme", "globex"] {
        grant(&hub, tenant, "2").await;
    }
    hub.call(&chat()).await.expect(200);
    let body = json!({ "model": "gpt", "max_tokens": 10, "messages": [{ "role": "user", "content": "hi" }] });
    hub.call(&Request::post("/v1/chat/completions", &body).key(SECOND_KEY)).await.expect(200);
    let home = hub.stop().await.home;
    for (tenant, charged) in [("acme", "1"), ("globex", "0.25")] {
        let wallet = command(&home, &["wallet", "show", tenant]).await;
        assert_eq!(wallet["charged"], charged, "{wallet}");
    }
    let report = sound(&home).await;
    assert_eq!(report["unknown_prices"], 0);
}

#[tokio::test]
async fn what_can_be_charged_by_no_rule_is_refused_or_marked() {
    let body = json!({ "model": "mock/unheard-of", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }] });
    let request = Request::post("/v1/chat/completions", &body).key(KEY);
    for (policy, refused) in [("refuse", true), ("flag", false)] {
        let upstream = Upstream::lawful(Rules::lenient(), vendor::answer).await;
        let conf = paying(Conf::one(&upstream)).set("billing", &format!("unpriced = {policy:?}"));
        let hub = Gateway::start(&conf).await;
        grant(&hub, "acme", "1").await;
        let answer = hub.call(&request).await;
        if refused {
            answer.expect_error(400, "model_not_priced");
            continue;
        }
        answer.expect(200);
        let home = hub.stop().await.home;
        assert_eq!(home.ledger().await[0]["charge"], Value::Null);
        sound(&home).await;
    }
}

#[tokio::test]
async fn tenants_that_do_not_pay_are_as_before_and_welcomes_come_by_themselves() {
    let upstream = Upstream::realistic().await;
    let conf = paying(Conf::one(&upstream))
        .set("billing", "welcome = { amount = \"0.5\", expires_after = \"30d\" }")
        .second_key("other", "house")
        .section("[[billing.tenant]]\nname = \"house\"\nbilled = false")
        .section("[[billing.tenant]]\nname = \"acme\"\nallowance = \"0.25\"");
    let hub = Gateway::start(&conf).await;
    hub.call(&chat()).await.expect(200);
    let body = json!({ "model": "gpt", "messages": [{ "role": "user", "content": "hi" }] });
    hub.call(&Request::post("/v1/chat/completions", &body).key(SECOND_KEY)).await.expect(200);
    let home = hub.stop().await.home;
    let all = command(&home, &["wallet", "show"]).await;
    assert_eq!(all["wallets"].as_array().unwrap().len(), 1, "{all}");
    let lots = all["wallets"][0]["lots"].as_array().unwrap();
    let amounts: Vec<_> = lots.iter().map(|lot| lot["amount"].as_str().unwrap()).collect();
    assert_eq!(amounts.iter().filter(|amount| ["0.5", "0.25"].contains(amount)).count(), 2, "{all}");
    assert!(lots.iter().all(|lot| lot["expires_at"].is_i64()), "{all}");
    // Started again, nothing is given again.
    let hub = Gateway::start_in(home).await;
    let home = hub.stop().await.home;
    let again = command(&home, &["wallet", "show"]).await;
    assert_eq!(again["issued"]["grant"], "0.75");
    sound(&home).await;
}

#[tokio::test]
async fn a_bad_configuration_of_wallets_is_told_whole() {
    let upstream = Upstream::script([]).await;
    let conf = Conf::one(&upstream)
        .set("billing", "enabled = true\nmargin = \"20%\"\ncredit_price = \"0\"\ncache_hits = \"101\"")
        .set("billing", "buy_link = \"pay here\"\nprefix = \"credits: \"\nhold_step = 0")
        .key_line("member = \"nobody\"")
        .section("[[billing.tenant]]\nname = \"a b\"");
    let said = String::from_utf8_lossy(&Gateway::refuses(&conf).await.stderr).into_owned();
    for wrong in [
        "margin",
        "credit_price",
        "cache_hits",
        "buy_link",
        "prefix",
        "hold_step",
        "key[0].member",
        "a b",
        "tenant",
    ] {
        assert!(said.contains(wrong), "{wrong} is not told:\n{said}");
    }
}
