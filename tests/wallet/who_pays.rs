//! Who pays what, row by row: each way in which a request can end.

use super::*;
use std::collections::BTreeMap;

/// What each outcome was charged, in picos.
fn charged(journal: &[Value]) -> BTreeMap<String, Vec<i128>> {
    let paid: BTreeMap<_, _> = sales(journal).into_iter().collect();
    let mut by_outcome: BTreeMap<String, Vec<i128>> = BTreeMap::new();
    for record in journal.iter().filter(|record| record["record"] == "settlement") {
        let amount = paid.get(record["id"].as_str().unwrap()).copied().unwrap_or_default();
        by_outcome.entry(record["outcome"].as_str().unwrap().to_owned()).or_default().push(amount);
    }
    by_outcome
}

/// 9 tokens in at 2.50 and 3 out at 10 per million, and a fifth.
const WHOLE: i128 = 63_000_000;

#[tokio::test]
async fn each_ending_has_its_payer() {
    let gate = Gate::new();
    let left = Reply::sse().text("Hello there").pause(&gate).hang();
    let cut = Reply::sse().text("Hello there").cut();
    let replies = [
        vendor::answer_chat(),
        Reply::failed(500),
        Reply::error(400, "invalid_request_error", "bad", "no"),
        cut,
        left,
        vendor::answer_chat(),
    ];
    let upstream = Upstream::script(replies).await;
    let conf =
        paying(Conf::one(&upstream)).set("retry", "max_attempts = 1").set("billing", "cache_hits = \"10\"");
    let hub = Gateway::start(&conf).await;
    grant(&hub, "acme", "1").await;
    hub.call(&chat()).await.expect(200);
    hub.call(&chat()).await.expect(502);
    hub.call(&chat()).await.expect(400);
    hub.stream("cut").await.stream().expect_broken("upstream_closed_early");
    let (_, client) = hub.open_stream("left").await;
    gate.reached().await;
    drop(client);
    upstream.aborted().await;
    let kept = chat().header("x-cache-ttl", "60");
    hub.call(&kept).await.expect(200);
    assert_eq!(hub.call(&kept).await.expect(200).header("x-cache"), Some("hit"));
    let home = hub.stop().await.home;
    let by_outcome = charged(&home.journal().await);
    assert_eq!(by_outcome["ok"], [WHOLE, WHOLE]);
    assert_eq!(by_outcome["upstream_error"], [0, 0]);
    assert_eq!(by_outcome["cache_hit"], [WHOLE / 10]);
    for outcome in ["truncated", "client_gone"] {
        // What came was two tokens, after an input of a few.
        assert!((24_000_000..WHOLE * 2).contains(&by_outcome[outcome][0]), "{by_outcome:?}");
    }
    sound(&home).await;
}

#[tokio::test]
async fn attempts_in_vain_are_the_hubs_affair() {
    let upstream = Upstream::script([Reply::failed(500), Reply::failed(503), vendor::answer_chat()]).await;
    let hub = Gateway::start(&paying(Conf::one(&upstream)).set("retry", "per_target = 3")).await;
    grant(&hub, "acme", "1").await;
    hub.call(&chat()).await.expect(200);
    let home = hub.stop().await.home;
    assert_eq!(charged(&home.journal().await)["ok"], [WHOLE]);
    sound(&home).await;
}

#[tokio::test]
async fn a_hub_that_dies_charges_the_input_and_leaves_no_hold() {
    let upstream = Upstream::always(Reply::hang_before_header()).await;
    let conf = paying(Conf::one(&upstream)).set("ledger", "strict = true");
    let hub = Gateway::start(&conf).await;
    grant(&hub, "acme", "1").await;
    let open = [hub.open(&chat()).await, hub.open(&gateway::stream("two")).await];
    upstream.until("both requests", |counts| counts.requests == 2).await;
    let running = admin(&hub, Request::get("/admin/wallets/acme")).await.expect(200).json();
    assert_ne!(running["held"], "0");
    let stopped = hub.kill9().await;
    drop(open);
    let hub = Gateway::start_in(stopped.home).await;
    let home = hub.stop().await.home;
    let wallet = command(&home, &["wallet", "show", "acme"]).await;
    assert_eq!(wallet["held"], "0", "no hold outlives its request");
    let journal = home.journal().await;
    for record in journal.iter().filter(|record| record["record"] == "settlement") {
        let bytes = i128::from(record["usage"]["input"].as_i64().unwrap());
        let paid =
            sales(&journal).into_iter().find(|sale| sale.0 == record["id"].as_str().unwrap()).unwrap().1;
        assert_eq!(paid, bytes * 3_000_000, "the bound of the input, and a fifth: {record}");
    }
    assert_eq!(charged(&journal)["recovered"].len(), 2);
    sound(&home).await;
}
