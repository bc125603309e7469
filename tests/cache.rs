//! Answers kept, and one vendor call for equal requests in flight. Never
//! across tenants, never a broken one.

use super::support::client::Stream;
use super::support::conf::{KEY, SECOND_KEY};
use super::support::*;
use serde_json::{Value, json};

fn caching(upstream: &Upstream) -> Conf {
    Conf::one(upstream)
        .set("cache", "ttl = \"1h\"")
        .second_key("second", "globex")
        .set("retry", "max_attempts = 1")
}

/// A request that has one answer.
fn body(text: &str) -> Value {
    json!({ "model": "gpt", "temperature": 0, "messages": [{ "role": "user", "content": text }] })
}

fn request(text: &str) -> Request {
    Request::post("/v1/chat/completions", &body(text)).key(KEY)
}

fn streaming(text: &str) -> Request {
    let mut body = body(text);
    body["stream"] = json!(true);
    Request::post("/v1/chat/completions", &body).key(KEY)
}

fn status(answer: &Answer) -> Option<&str> {
    answer.header("x-cache")
}

#[tokio::test]
async fn the_second_equal_request_costs_nothing() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&caching(&upstream).priced()).await;
    let first = hub.call(&request("hi")).await.expect(200);
    let second = hub.call(&request("hi")).await.expect(200);
    assert_eq!((status(&first), status(&second)), (Some("miss"), Some("hit")));
    assert_eq!(first.body, second.body);
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    assert_eq!(upstream.counts().requests, 1);
    let books = hub.ledger().await;
    assert_eq!((&books[1]["outcome"], &books[1]["charge"]), (&json!("cache_hit"), &Value::Null));
    assert_eq!(books[1]["saved"], books[0]["charge"]["cost"]);
}

#[tokio::test]
async fn a_kept_stream_is_replayed_byte_for_byte() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&caching(&upstream)).await;
    let first = hub.call(&streaming("hi")).await.expect(200);
    let second = hub.call(&streaming("hi")).await.expect(200);
    assert_eq!(status(&second), Some("hit"));
    assert_eq!(
        (first.body.clone(), first.header("content-type")),
        (second.body.clone(), second.header("content-type"))
    );
    second.stream().expect_whole(vendor::TEXT);
    assert_eq!(upstream.counts().requests, 1);
}

#[tokio::test]
async fn a_plain_answer_is_no_answer_to_a_stream() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&caching(&upstream)).await;
    hub.call(&request("hi")).await.expect(200);
    hub.call(&streaming("hi")).await.expect(200).stream().expect_whole(vendor::TEXT);
    assert_eq!(upstream.counts().requests, 2);
}

#[tokio::test]
async fn the_usage_chunk_belongs_to_who_asked_for_it() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&caching(&upstream)).await;
    let mut asked = body("hi");
    asked["stream"] = json!(true);
    asked["stream_options"] = json!({ "include_usage": true });
    let asked = Request::post("/v1/chat/completions", &asked).key(KEY);
    for _ in 0..2 {
        assert!(hub.call(&asked).await.expect(200).stream().usage.is_some());
        assert!(hub.call(&streaming("hi")).await.expect(200).stream().usage.is_none());
    }
}

#[tokio::test]
async fn the_order_of_fields_makes_no_difference_and_their_values_do() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&caching(&upstream)).await;
    let raw = |text: &'static str| Request::new("POST", "/v1/chat/completions").body(text).key(KEY);
    hub.call(&raw(r#"{"model":"gpt","temperature":0,"messages":[{"role":"user","content":"hi"}]}"#))
        .await
        .expect(200);
    let same =
        hub.call(&raw(r#"{ "messages" : [{"content":"hi","role":"user"}], "temperature" : 0, "model" : "gpt", "user" : "u" }"#)).await;
    assert_eq!(status(&same), Some("hit"), "{same:?}");
    let other = hub
        .call(&raw(
            r#"{"model":"gpt","temperature":0,"messages":[{"role":"user","content":"hi"}],"max_tokens":5}"#,
        ))
        .await;
    assert_eq!(status(&other), Some("miss"), "{other:?}");
}

#[tokio::test]
async fn tenants_never_see_each_others_answers() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&caching(&upstream)).await;
    let other = Request::post("/v1/chat/completions", &body("hi")).key(SECOND_KEY);
    hub.call(&request("hi")).await.expect(200);
    assert_eq!(status(&hub.call(&other).await.expect(200)), Some("miss"));
    assert_eq!(status(&hub.call(&other).await.expect(200)), Some("hit"));
    assert_eq!(upstream.counts().requests, 2);
}

#[tokio::test]
async fn tenants_do_not_share_a_request_in_flight_either() {
    let gate = Gate::new();
    let upstream = Upstream::always(vendor::answer_chat().after(&gate)).await;
    let hub = Gateway::start(&caching(&upstream)).await;
    let mut one = hub.open(&request("hi")).await;
    let mut two = hub.open(&Request::post("/v1/chat/completions", &body("hi")).key(SECOND_KEY)).await;
    upstream.until("both calls", |counts| counts.requests == 2).await;
    gate.open_for_good();
    one.answer().await.expect(200);
    two.answer().await.expect(200);
}

#[tokio::test]
async fn random_answers_are_not_kept_unless_somebody_says_so() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&caching(&upstream)).await;
    for _ in 0..2 {
        assert_eq!(status(&hub.chat("hi").await.expect(200)), None);
    }
    let asked = || gateway::chat("hi").header("x-cache-ttl", "60");
    hub.call(&asked()).await.expect(200);
    assert_eq!(status(&hub.call(&asked()).await.expect(200)), Some("hit"));
    assert_eq!(upstream.counts().requests, 3);
}

#[tokio::test]
async fn a_model_may_be_cached_where_nothing_else_is() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream)
        .model("plain", &["mock/gpt-4o"], &[])
        .model("gpt", &["mock/gpt-4o"], &[])
        .model_line("cache_ttl = \"1h\"");
    let hub = Gateway::start(&conf).await;
    // Said of the model itself, it holds for random answers, too.
    hub.chat("hi").await.expect(200);
    assert_eq!(status(&hub.chat("hi").await.expect(200)), Some("hit"));
    let plain =
        json!({ "model": "plain", "temperature": 0, "messages": [{ "role": "user", "content": "hi" }] });
    for _ in 0..2 {
        let answer = hub.post("/v1/chat/completions", &plain).await.expect(200);
        assert_eq!(status(&answer), None);
    }
}

#[tokio::test]
async fn callers_may_keep_out_of_it() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&caching(&upstream)).await;
    let with = |directive: &str| request("hi").header("cache-control", directive);
    hub.call(&with("no-store")).await.expect(200);
    assert_eq!(status(&hub.call(&request("hi")).await.expect(200)), Some("miss"), "no-store kept the answer");
    hub.call(&with("no-cache")).await.expect(200);
    assert_eq!(upstream.counts().requests, 3, "no-cache read the answer");
    assert_eq!(status(&hub.call(&with("only-if-cached")).await.expect(200)), Some("hit"));
    hub.call(&request("other").header("cache-control", "only-if-cached")).await.expect(504);
    assert_eq!(upstream.counts().requests, 3);
}

#[tokio::test]
async fn operators_may_forbid_callers_to_ask_for_it() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).set("cache", "by_request = false")).await;
    for _ in 0..2 {
        hub.call(&request("hi").header("x-cache-ttl", "60")).await.expect(200);
    }
    assert_eq!(upstream.counts().requests, 2);
}

#[tokio::test]
async fn what_failed_or_was_cut_is_not_kept() {
    let finish = vendor::stream(&json!({}));
    let replies = [Reply::failed(500), Reply::sse().text("Hel").cut(), finish];
    let upstream = Upstream::script(replies).await;
    let hub = Gateway::start(&caching(&upstream)).await;
    hub.call(&streaming("hi")).await.expect_error(502, "upstream_error");
    hub.call(&streaming("hi")).await.expect(200).stream().expect_broken("upstream_closed_early");
    for _ in 0..2 {
        hub.call(&streaming("hi")).await.expect(200).stream().expect_whole(vendor::TEXT);
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_passes_and_is_not_kept() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&caching(&upstream).set("cache", "max_entry = \"100 B\"")).await;
    for _ in 0..2 {
        assert_eq!(hub.call(&request("hi")).await.expect(200).text(), vendor::TEXT);
    }
    assert_eq!(upstream.counts().requests, 2);
}

#[tokio::test]
async fn equal_requests_in_flight_are_one_vendor_call() {
    let (gate, count) = (Gate::new(), 6);
    let upstream = Upstream::script([vendor::answer_chat().after(&gate)]).await;
    let hub = Gateway::start(&caching(&upstream)).await;
    let mut open = Vec::new();
    for _ in 0..count {
        open.push(hub.open(&request("hi")).await);
    }
    all_in_flight(&hub, count).await;
    gate.open();
    let mut how = Vec::new();
    for mut client in open {
        let answer = client.answer().await.expect(200);
        assert_eq!(answer.text(), vendor::TEXT);
        how.push(status(&answer).unwrap_or_default().to_owned());
    }
    how.sort_unstable();
    assert_eq!((how[0].as_str(), how[count - 1].as_str()), ("coalesced", "miss"), "{how:?}");
    assert_eq!(how.iter().filter(|status| *status == "miss").count(), 1, "{how:?}");
    let books = hub.ledger().await;
    assert_eq!(books.iter().filter(|entry| entry["intended"] == true).count(), 1, "{books:#?}");
    assert_eq!(books.len(), count);
}

/// Completes when so many chats are inside the hub.
async fn all_in_flight(hub: &Gateway, count: usize) {
    hub.eventually("everybody to be in flight", async || {
        let metrics = hub.metrics().await;
        metrics.sum("aigne_hub_in_flight_requests", &["op=\"chat\""])
            >= f64::from(u32::try_from(count).unwrap())
    })
    .await;
}

/// A stream that stands still after its first piece of text.
fn paused(gate: &Gate) -> Reply {
    Reply::sse().text("Hello").pause(gate).text(" there").stop()
}

#[tokio::test]
async fn who_joins_late_gets_the_stream_from_its_first_byte() {
    let gate = Gate::new();
    let upstream = Upstream::script([paused(&gate)]).await;
    let hub = Gateway::start(&caching(&upstream)).await;
    let mut leader = hub.open(&streaming("hi")).await;
    leader.head().await;
    let beginning = leader.until("Hello").await;
    let mut follower = hub.open(&streaming("hi")).await;
    follower.head().await;
    follower.until("Hello").await;
    gate.open();
    let (rest, ended) = leader.rest().await;
    Stream::read(&[beginning, rest].concat()).expect_whole("Hello there");
    assert_eq!((ended, follower.rest().await.1), (Ok(()), Ok(())));
}

#[tokio::test]
async fn a_leader_that_leaves_does_not_take_the_others_with_it() {
    let gate = Gate::new();
    let upstream = Upstream::script([paused(&gate)]).await;
    let hub = Gateway::start(&caching(&upstream)).await;
    let mut leader = hub.open(&streaming("hi")).await;
    leader.head().await;
    leader.until("Hello").await;
    let mut follower = hub.open(&streaming("hi")).await;
    follower.head().await;
    let beginning = follower.until("Hello").await;
    drop(leader);
    gate.open();
    let (rest, ended) = follower.rest().await;
    assert_eq!(ended, Ok(()));
    Stream::read(&[beginning, rest].concat()).expect_whole("Hello there");
    assert_eq!(upstream.counts().aborted, 0);
}

#[tokio::test]
async fn when_everybody_has_left_the_vendor_is_stopped() {
    let gate = Gate::new();
    let upstream = Upstream::script([paused(&gate)]).await;
    let hub = Gateway::start(&caching(&upstream)).await;
    let mut open = vec![hub.open(&streaming("hi")).await, hub.open(&streaming("hi")).await];
    for client in &mut open {
        client.head().await;
        client.until("Hello").await;
    }
    drop(open.pop());
    assert_eq!(upstream.counts().aborted, 0);
    drop(open);
    upstream.aborted().await;
}

#[tokio::test]
async fn a_slow_reader_does_not_hold_up_the_others() {
    // More than all socket buffers on the way together, less than a flight may hold.
    let text = "x".repeat(64_000);
    let mut reply = Reply::sse();
    for _ in 0..100 {
        reply = reply.text(&text);
    }
    let upstream = Upstream::script([reply.stop()]).await;
    let hub = Gateway::start(&caching(&upstream)).await;
    let mut slow = hub.open(&streaming("hi")).await;
    slow.head().await;
    let mut quick = hub.open(&streaming("hi")).await;
    let whole = quick.answer().await.expect(200).stream();
    assert_eq!((whole.text.len(), whole.done), (6_400_000, true));
    let (body, ended) = slow.rest().await;
    assert_eq!((Stream::read(&body).text.len(), ended), (6_400_000, Ok(())));
}

#[tokio::test]
async fn a_failure_is_told_to_everybody_who_waited() {
    let gate = Gate::new();
    let upstream = Upstream::script([Reply::failed(500).after(&gate)]).await;
    let hub = Gateway::start(&caching(&upstream)).await;
    let mut open = vec![hub.open(&request("hi")).await, hub.open(&request("hi")).await];
    all_in_flight(&hub, 2).await;
    gate.open();
    for client in &mut open {
        client.answer().await.expect_error(502, "upstream_error");
    }
}
