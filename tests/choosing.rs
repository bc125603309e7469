//! Which vendor, which credential, and when the next one: what is sensible is
//! tried before the caller has seen a byte, and nothing after.

use super::support::upstream::{Seen, refusing};
use super::support::*;
use serde_json::json;

/// `gpt` is `mock`'s, then `other`'s. One attempt each.
fn pair(first: &Upstream, second: &Upstream) -> Conf {
    with_fallback(Provider::of("mock", first), second)
}

fn with_fallback(first: Provider, second: &Upstream) -> Conf {
    Conf::of([first, Provider::of("other", second)])
        .model("gpt", &["mock/gpt-4o"], &["other/gpt-4o"])
        .set("retry", "per_target = 1")
}

fn from_other(answer: &Answer) {
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(answer.header("x-aigne-provider"), Some("other"), "{answer:?}");
}

/// Two credentials on one vendor, without affinity.
fn two_credentials(upstream: &Upstream) -> Conf {
    let provider = Provider::of("mock", upstream).credentials(&["a", "b"]).line("affinity = false");
    Conf::of([provider])
}

/// Refuses credential `a` as `reply` says; `b` is well.
async fn a_is_bad(reply: Reply) -> Upstream {
    Upstream::answer(move |seen: &Seen| {
        if seen.credential() == vendor::CREDENTIALS[0] { reply.clone() } else { vendor::answer(seen) }
    })
    .await
}

fn uses_of(upstream: &Upstream, credential: usize) -> usize {
    upstream.seen().iter().filter(|seen| seen.credential() == vendor::CREDENTIALS[credential]).count()
}

#[tokio::test]
async fn credentials_take_turns() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&two_credentials(&upstream)).await;
    for _ in 0..6 {
        hub.chat("hi").await.expect(200);
    }
    assert_eq!((uses_of(&upstream, 0), uses_of(&upstream, 1)), (3, 3));
}

#[tokio::test]
async fn a_conversation_stays_on_the_credential_whose_cache_it_warmed() {
    let upstream = Upstream::realistic().await;
    let provider = Provider::of("mock", &upstream).credentials(&["a", "b"]);
    let hub = Gateway::start(&Conf::of([provider])).await;
    for conversation in ["one", "two", "three"] {
        let from = upstream.seen().len();
        for _ in 0..4 {
            hub.chat(conversation).await.expect(200);
        }
        let used: Vec<_> = upstream.seen()[from..].iter().map(|seen| seen.credential().to_owned()).collect();
        assert!(used.iter().all(|credential| *credential == used[0]), "{conversation}: {used:?}");
    }
}

#[tokio::test]
async fn a_throttled_credential_rests_and_the_other_works() {
    let upstream = a_is_bad(Reply::throttled(Some(3_600))).await;
    let hub = Gateway::start(&two_credentials(&upstream)).await;
    for _ in 0..6 {
        hub.chat("hi").await.expect(200);
    }
    assert_eq!((uses_of(&upstream, 0), uses_of(&upstream, 1)), (1, 6));
    let metrics = hub.metrics().await;
    let resting = ["credential=\"mock/a\"", "state=\"cooling_down\""];
    assert_eq!(metrics.sum("aigne_hub_credential_state", &resting), 1.0, "{}", metrics.0);
}

#[tokio::test]
async fn a_rejected_credential_is_out_and_the_caller_never_hears_of_it() {
    let upstream = a_is_bad(Reply::error(401, "invalid_request_error", "invalid_api_key", "no")).await;
    let hub = Gateway::start(&two_credentials(&upstream)).await;
    for _ in 0..6 {
        hub.chat("hi").await.expect(200);
    }
    assert_eq!((uses_of(&upstream, 0), uses_of(&upstream, 1)), (1, 6));
}

#[tokio::test]
async fn a_vendors_401_is_our_fault_and_not_the_callers() {
    let upstream = Upstream::always(Reply::error(401, "x", "invalid_api_key", "key sk-mock is wrong")).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let answer = hub.chat("hi").await.expect_error(502, "upstream_authentication_failed");
    assert!(!String::from_utf8_lossy(&answer.body).contains("sk-mock"), "{answer:?}");
}

#[tokio::test]
async fn a_broken_vendor_is_left_alone_for_a_while() {
    let upstream = Upstream::always(Reply::failed(500)).await;
    let conf = Conf::one(&upstream)
        .set("retry", "per_target = 1")
        .set("health", "breaker_faults = 2")
        .set("health", "base_pause = \"1h\"")
        .set("health", "max_pause = \"1h\"");
    let hub = Gateway::start(&conf).await;
    hub.chat("hi").await.expect_error(502, "upstream_error");
    hub.chat("hi").await.expect_error(502, "upstream_error");
    let answer = hub.chat("hi").await.expect_error(503, "no_capacity");
    let seconds: u64 = answer.header("retry-after").expect("retry-after").parse().unwrap();
    assert!((1..=3_600).contains(&seconds), "{answer:?}");
    assert_eq!(upstream.counts().requests, 2);
}

#[tokio::test]
async fn a_vendor_that_recovers_is_used_again() {
    let upstream = Upstream::script([Reply::failed(500), vendor::answer_chat(), vendor::answer_chat()]).await;
    let conf = Conf::one(&upstream)
        .set("retry", "per_target = 1")
        .set("health", "breaker_faults = 1")
        .set("health", "base_pause = \"1ms\"");
    let hub = Gateway::start(&conf).await;
    hub.chat("hi").await.expect_error(502, "upstream_error");
    hub.chat("hi").await.expect(200);
    hub.chat("hi").await.expect(200);
}

#[tokio::test]
async fn a_short_cool_down_is_waited_for() {
    let reply = Reply::throttled(None).header("retry-after-ms", "20");
    let upstream = Upstream::script([reply, vendor::answer_chat()]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    hub.chat("hi").await.expect(429);
    hub.chat("hi").await.expect(200);
}

#[tokio::test]
async fn a_throttled_vendors_429_says_when_to_come_back() {
    let upstream = Upstream::always(Reply::throttled(Some(7))).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let answer = hub.chat("hi").await.expect_error(429, "upstream_rate_limited");
    let seconds: u64 = answer.header("retry-after").expect("retry-after").parse().unwrap();
    assert!((1..=7).contains(&seconds), "{answer:?}");
}

#[tokio::test]
async fn the_next_vendor_answers_what_the_first_could_not() {
    let broken = || Reply::error(200, "server_error", "server_error", "an error inside a 200");
    let unreadable = || Reply::body(200, "application/json", "<html>").header("content-encoding", "zstd");
    let failures = [
        ("429", Reply::throttled(None)),
        ("500", Reply::failed(500)),
        ("502 with a page", Reply::body(502, "text/html", "<html>Bad gateway</html>")),
        ("503", Reply::failed(503)),
        ("529", Reply::failed(529)),
        ("401", Reply::failed(401)),
        ("402", Reply::failed(402)),
        ("404", Reply::error(404, "invalid_request_error", "model_not_found", "no such model")),
        ("408", Reply::failed(408)),
        ("an error inside a 200", broken()),
        ("an unreadable answer", unreadable()),
        ("a cut before the head", Reply::cut_before_header()),
        ("a reset after the head", Reply::new(200, Framing::Claims(100)).raw("{\"id\":").reset()),
        ("a short body", Reply::new(200, Framing::Claims(100)).raw("{\"id\":").cut()),
    ];
    for (what, reply) in failures {
        let (first, second) = (Upstream::always(reply).await, Upstream::realistic().await);
        let hub = Gateway::start(&pair(&first, &second)).await;
        let answer = hub.chat("hi").await;
        assert_eq!(answer.header("x-aigne-provider"), Some("other"), "{what}: {answer:?}");
        assert_eq!(answer.expect(200).text(), vendor::TEXT, "{what}");
        assert_eq!(second.only().credential(), vendor::CREDENTIALS[0], "{what}");
    }
}

#[tokio::test]
async fn a_vendor_that_is_not_there_is_no_hindrance() {
    let second = Upstream::realistic().await;
    let nobody = Provider::new("mock", &format!("http://{}/v1", refusing().await));
    let hub = Gateway::start(&with_fallback(nobody, &second)).await;
    from_other(&hub.chat("hi").await);
}

#[tokio::test]
async fn a_vendor_without_a_header_in_time_is_aborted_and_another_asked() {
    let (first, second) = (Upstream::always(Reply::hang_before_header()).await, Upstream::realistic().await);
    let conf = pair(&first, &second).set("timeouts", "response_header = \"50ms\"");
    let hub = Gateway::start(&conf).await;
    from_other(&hub.chat("hi").await);
    first.aborted().await;
}

#[tokio::test]
async fn a_stream_without_content_in_time_is_aborted_and_another_asked() {
    let (first, second) = (Upstream::always(Reply::sse().hang()).await, Upstream::realistic().await);
    let conf = pair(&first, &second).set("timeouts", "first_token = \"50ms\"");
    let hub = Gateway::start(&conf).await;
    let answer = hub.stream("hi").await;
    from_other(&answer);
    answer.stream().expect_whole(vendor::TEXT);
    first.aborted().await;
}

#[tokio::test]
async fn when_every_vendor_is_too_slow_it_is_a_504() {
    let upstream = Upstream::always(Reply::hang_before_header()).await;
    let conf =
        Conf::one(&upstream).set("timeouts", "response_header = \"50ms\"").set("retry", "max_attempts = 1");
    let hub = Gateway::start(&conf).await;
    hub.chat("hi").await.expect_error(504, "upstream_timeout");
}

#[tokio::test]
async fn what_the_caller_did_wrong_is_not_tried_elsewhere() {
    for status in [400, 413, 422] {
        let reply = Reply::error(status, "invalid_request_error", "bad", "the request is wrong");
        let (first, second) = (Upstream::always(reply).await, Upstream::script([]).await);
        let hub = Gateway::start(&pair(&first, &second)).await;
        let answer = hub.chat("hi").await.expect(status);
        assert!(
            answer.json()["error"]["message"].as_str().unwrap().contains("request is wrong"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn an_early_refusal_of_a_large_body_is_heard() {
    let reply = Reply::error(413, "invalid_request_error", "too_large", "too large").early();
    let upstream = Upstream::script([reply]).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("retry", "max_attempts = 1")).await;
    hub.chat(&"x".repeat(4 << 20)).await.expect(413);
}

#[tokio::test]
async fn nothing_is_tried_again_after_content() {
    let gate = Gate::new();
    let begun = || Reply::sse().text("Hel").pause(&gate);
    for reply in [begun().cut(), begun().reset(), begun()] {
        let (first, second) = (Upstream::always(reply).await, Upstream::script([]).await);
        let hub = Gateway::start(&pair(&first, &second)).await;
        let (_, mut client) = hub.open_stream("hi").await;
        let seen = client.until("Hel").await;
        gate.open();
        let stream = client::Stream::read(&[seen, client.rest().await.0].concat());
        assert_eq!(stream.text, "Hel");
        stream.expect_broken("upstream_closed_early");
        assert_eq!((first.counts().requests, second.counts().requests), (1, 0));
    }
}

#[tokio::test]
async fn lifecycle_events_are_held_until_content_and_then_none_is_lost() {
    let role = vendor::delta(json!({ "role": "assistant", "content": "" }), json!(null));
    let (comment, error) =
        (": connected\n\n", json!({ "error": { "message": "overloaded", "type": "server_error" } }));
    let beginnings = [
        Reply::sse().event(&role).cut(),
        Reply::sse().raw(comment).event(&role).reset(),
        Reply::sse().event(&role).event(&error),
        Reply::sse().event(&error),
        Reply::sse(),
    ];
    for beginning in beginnings {
        let (first, second) = (Upstream::always(beginning).await, Upstream::realistic().await);
        let hub = Gateway::start(&pair(&first, &second)).await;
        let answer = hub.stream("hi").await;
        from_other(&answer);
        let stream = answer.stream();
        stream.expect_whole(vendor::TEXT);
        let roles = stream.events.iter().filter(|event| event["choices"][0]["delta"]["role"].is_string());
        assert_eq!(roles.count(), 1, "{stream:?}");
    }
}

#[tokio::test]
async fn another_credential_of_the_same_vendor_comes_before_another_vendor() {
    let (first, second) = (a_is_bad(Reply::throttled(None)).await, Upstream::script([]).await);
    let provider = Provider::of("mock", &first).credentials(&["a", "b"]).line("affinity = false");
    let conf = Conf::of([provider, Provider::of("other", &second)])
        .model("gpt", &["mock/gpt-4o"], &["other/gpt-4o"])
        .set("retry", "per_target = 2");
    let hub = Gateway::start(&conf).await;
    for _ in 0..3 {
        let answer = hub.chat("hi").await.expect(200);
        assert_eq!(answer.header("x-aigne-provider"), Some("mock"));
    }
}

#[tokio::test]
async fn attempts_are_bounded() {
    let upstream = Upstream::always(Reply::failed(500)).await;
    let conf = Conf::one(&upstream).set("retry", "max_attempts = 3").set("retry", "per_target = 10");
    let hub = Gateway::start(&conf).await;
    hub.chat("hi").await.expect_error(502, "upstream_error");
    assert_eq!(upstream.counts().requests, 3);
}

#[tokio::test]
async fn a_target_without_weight_is_only_used_when_the_others_fail() {
    let (first, second) = (Upstream::realistic().await, Upstream::realistic().await);
    let conf = |weights: [u32; 2]| {
        let targets = format!(
            "[[model]]\nname = \"gpt\"\ntargets = [{{ model = \"mock/gpt-4o\", weight = {} }}, \
             {{ model = \"other/gpt-4o\", weight = {} }}]\n",
            weights[0], weights[1]
        );
        Conf::of([Provider::of("mock", &first), Provider::of("other", &second)])
            .model("unused", &["mock/gpt-4o"], &[])
            .section(&targets)
    };
    let hub = Gateway::start(&conf([0, 1])).await;
    for _ in 0..8 {
        from_other(&hub.chat("hi").await);
    }
    let hub = Gateway::start(&conf([1, 0])).await;
    for _ in 0..8 {
        hub.chat("hi").await.expect(200);
    }
    assert_eq!((first.counts().requests, second.counts().requests), (8, 8));
}

#[tokio::test]
async fn a_target_that_does_not_offer_the_endpoint_is_passed_over() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::of([Provider::simulator("toy"), Provider::of("mock", &upstream)]).model(
        "gpt",
        &["toy/anything"],
        &["mock/gpt-image-1"],
    );
    let hub = Gateway::start(&conf).await;
    let body = json!({ "model": "gpt", "prompt": "a lake" });
    let answer = hub.post("/v1/images/generations", &body).await.expect(200);
    assert_eq!(answer.header("x-aigne-provider"), Some("mock"));
}

#[tokio::test]
async fn a_connection_that_the_vendor_closed_meanwhile_costs_no_attempt() {
    let mut closing = vendor::answer_chat();
    closing.close = true;
    let upstream = Upstream::script([closing, vendor::answer_chat()]).await;
    let conf = Conf::one(&upstream).set("retry", "max_attempts = 1");
    let hub = Gateway::start(&conf).await;
    hub.chat("hi").await.expect(200);
    upstream.until("the connection to close", |counts| counts.open == 0).await;
    hub.chat("hi").await.expect(200);
}

#[tokio::test]
async fn connections_to_a_vendor_are_used_again() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    for _ in 0..5 {
        hub.chat("hi").await.expect(200);
        hub.stream("hi").await.expect(200);
    }
    assert_eq!(upstream.counts().connections, 1);
}
