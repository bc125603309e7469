//! What an order holds and what it costs, however it ends.

use super::*;

#[tokio::test]
async fn the_hub_looks_by_itself_and_settles_what_nobody_asks_for() {
    let upstream = studio(Fate::Done(3)).await;
    let hub = Gateway::start(&looking(&upstream)).await;
    ordered(&hub, json!({ "seconds": "12" })).await;
    let entry = entry(hub).await;
    assert_eq!((&entry["charge"]["cost"], &entry["usage_source"]), (&json!("1.2"), &json!("provider")));
    assert_eq!(upstream.counts().requests, 4);
}

#[tokio::test]
async fn a_job_that_fails_costs_nothing_and_says_why() {
    let upstream = studio(Fate::Fails(1)).await;
    let hub = Gateway::start(&conf(&upstream)).await;
    let job = ordered(&hub, json!({})).await;
    let seen = hub.get(&path(&job)).await.expect(200).json();
    assert_eq!((&seen["status"], &seen["error"]["code"]), (&json!("failed"), &json!("moderation_blocked")));
    let entry = entry(hub).await;
    assert_eq!((&entry["outcome"], &entry["charge"]), (&json!("upstream_error"), &Value::Null));
    assert_eq!(
        (&entry["usage_source"], &entry["error"]),
        (&json!("none"), &json!("upstream_invalid_request"))
    );
}

#[tokio::test]
async fn the_worst_case_is_held_until_the_end_is_known() {
    let upstream = studio(Fate::Done(1)).await;
    // Enough for one of eight seconds and not for two.
    let hub = Gateway::start(&conf(&upstream).key_line("day_cost = \"1.5\"")).await;
    let too_long = hub.post("/v1/videos", &order(json!({ "seconds": "12", "size": "1024x1792" }))).await;
    too_long.expect_error(429, "budget_exceeded");
    let job = ordered(&hub, json!({ "seconds": "8" })).await;
    hub.post("/v1/videos", &order(json!({ "seconds": "8" }))).await.expect_error(429, "budget_exceeded");
    hub.get(&path(&job)).await.expect(200);
    // Eight seconds are spent, and four more fit beside them.
    let fits = async || {
        let answer = hub.post("/v1/videos", &order(json!({ "seconds": "4" }))).await;
        answer.status() == 200
    };
    hub.eventually("the hold to end", fits).await;
    let job = hub.post("/v1/videos", &order(json!({ "seconds": "8" }))).await;
    job.expect_error(429, "budget_exceeded");
    hub.kill9().await;
}

#[tokio::test]
async fn what_was_running_when_the_hub_died_is_charged_as_ordered() {
    let upstream = studio(Fate::Endless).await;
    let hub = Gateway::start(&conf(&upstream).set("ledger", "strict = true")).await;
    ordered(&hub, json!({ "seconds": "8" })).await;
    let home = hub.home();
    hub.kill9().await;
    let hub = Gateway::start_in(home).await;
    let entry = entry(hub).await;
    assert_eq!((&entry["outcome"], &entry["charge"]["cost"]), (&json!("recovered"), &json!("0.8")));
    assert_eq!(buckets(&entry), json!({ "milliseconds": 8_000 }));
}

#[tokio::test]
async fn one_that_comes_to_no_end_is_charged_as_ordered() {
    let upstream = studio(Fate::Endless).await;
    let hub = Gateway::start(&conf(&upstream).set("timeouts", "video = \"20ms\"")).await;
    ordered(&hub, json!({ "seconds": "4" })).await;
    let entry = entry(hub).await;
    assert_eq!((&entry["usage_source"], &entry["charge"]["cost"]), (&json!("estimated"), &json!("0.4")));
    assert_eq!(entry["error"], "upstream_timeout");
}

#[tokio::test]
async fn one_that_is_deleted_amid_its_making_is_charged_as_ordered() {
    let upstream = studio(Fate::Endless).await;
    let hub = Gateway::start(&conf(&upstream)).await;
    let job = ordered(&hub, json!({ "seconds": "4" })).await;
    let gone = hub.call(&Request::new("DELETE", &path(&job)).key(KEY)).await.expect(200).json();
    assert_eq!(gone, json!({ "id": job["id"], "object": "video.deleted", "deleted": true }));
    hub.get(&path(&job)).await.expect_error(404, "video_not_found");
    let entry = entry(hub).await;
    assert_eq!((&entry["usage_source"], &entry["charge"]["cost"]), (&json!("estimated"), &json!("0.4")));
}

#[tokio::test]
async fn one_that_is_deleted_when_it_is_done_is_charged_as_made() {
    let upstream = studio(Fate::Done(1)).await;
    let hub = Gateway::start(&conf(&upstream)).await;
    let job = ordered(&hub, json!({ "seconds": "4" })).await;
    hub.call(&Request::new("DELETE", &path(&job)).key(KEY)).await.expect(200);
    let entry = entry(hub).await;
    assert_eq!((&entry["usage_source"], &entry["charge"]["cost"]), (&json!("provider"), &json!("0.4")));
}

#[tokio::test]
async fn a_refused_order_costs_nothing_and_the_next_vendor_is_asked() {
    let busy = Upstream::always(Reply::throttled(None)).await;
    let upstream = studio(Fate::Done(1)).await;
    let conf = Conf::of([Provider::of("busy", &busy), Provider::of("mock", &upstream)])
        .model("film", &["busy/sora-2"], &["mock/sora-2"])
        .set("timeouts", "video_poll = \"1h\"");
    let _ = busy.take_violations();
    let hub = Gateway::start(&conf).await;
    let answer = hub.post("/v1/videos", &order(json!({}))).await.expect(200);
    assert_eq!(answer.header("x-aigne-provider"), Some("mock"));
    hub.get(&path(&answer.json())).await.expect(200);
    assert_eq!(entry(hub).await["provider"], "mock");
    let _ = busy.take_violations();
}

#[tokio::test]
async fn a_wallet_pays_for_what_was_made_and_for_nothing_that_was_not() {
    for (fate, charged) in [(Fate::Done(1), 960_000_000_000_i128), (Fate::Fails(1), 0)] {
        let upstream = studio(fate).await;
        let conf = conf(&upstream).set("billing", "enabled = true").set("billing", "margin = \"20\"");
        let hub = Gateway::start(&conf).await;
        hub.post("/v1/videos", &order(json!({ "seconds": "8" }))).await.expect(402);
        let token = std::fs::read_to_string(hub.home().data().join("admin.token")).unwrap();
        let grant = Request::post("/admin/wallets/acme", &json!({ "amount": "1", "source": "purchase" }));
        hub.admin(&grant.header("authorization", &format!("Bearer {}", token.trim()))).await.expect(201);
        let job = ordered(&hub, json!({ "seconds": "8" })).await;
        // What is held nobody else can spend.
        hub.post("/v1/videos", &order(json!({ "seconds": "4" }))).await.expect(402);
        hub.get(&path(&job)).await.expect(200);
        let home = hub.home();
        hub.stop().await;
        let journal = home.journal().await;
        let paid: i128 = super::super::wallet::sales(&journal).iter().map(|(_, paid)| paid).sum();
        assert_eq!(paid, charged, "{fate:?}");
        let report = super::super::wallet::command(&home, &["wallet", "verify"]).await;
        assert_eq!(report["problem_count"], 0, "{report:#}");
    }
}
