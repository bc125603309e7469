//! Streams are honest: every event when it arrives, byte for byte; a cut one
//! ends in an error; a caller that leaves stops the vendor.

use super::support::client::Stream;
use super::support::conf::KEY;
use super::support::*;
use serde_json::{Value, json};

fn streaming(more: Value) -> Request {
    let mut body =
        json!({ "model": "gpt", "stream": true, "messages": [{ "role": "user", "content": "hi" }] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Request::post("/v1/chat/completions", &body).key(KEY)
}

fn with_usage() -> Request {
    streaming(json!({ "stream_options": { "include_usage": true } }))
}

/// The stream of a vendor that was asked for usage, as the hub always asks.
fn whole() -> Reply {
    vendor::stream(&json!({ "stream_options": { "include_usage": true } }))
}

async fn one_reply(reply: Reply) -> (Upstream, Gateway) {
    let upstream = Upstream::always(reply).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("retry", "max_attempts = 1")).await;
    (upstream, hub)
}

#[tokio::test]
async fn a_stream_arrives_byte_for_byte_wherever_it_is_split() {
    let reply = whole().raw(": a last comment\n\n");
    let bytes = reply.data();
    let replies: Vec<_> = (0..=bytes.len()).map(|at| reply.clone().split_at(&[at])).collect();
    let upstream = Upstream::script(replies).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let mut client = hub.connect().await;
    for at in 0..=bytes.len() {
        client.send(&with_usage()).await;
        let answer = client.answer().await.expect(200);
        answer.stream().expect_whole(vendor::TEXT);
        let got = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(bytes.starts_with(&answer.body), "split at {at}: {got}");
    }
}

#[tokio::test]
async fn a_stream_in_pieces_of_every_small_size_is_the_same_stream() {
    let bytes = whole().data();
    let sizes = [1, 2, 3, 5, 7, 64, 1_000];
    let upstream = Upstream::script(sizes.map(|size| whole().in_pieces(size))).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    for size in sizes {
        let answer = hub.call(&with_usage()).await.expect(200);
        assert_eq!(answer.body, bytes, "pieces of {size}");
    }
}

/// The same events in the forms that servers write.
fn dialects() -> Vec<(&'static str, String)> {
    let plain = String::from_utf8(whole().data()).unwrap();
    vec![
        ("CRLF", plain.replace('\n', "\r\n")),
        ("CR", plain.replace('\n', "\r")),
        ("no space after the colon", plain.replace("data: ", "data:")),
        ("comments", plain.replace("data: {", ": OPENROUTER PROCESSING\n\ndata: {")),
        ("blank lines before the first event", format!("\n\n\r\n{plain}")),
        ("event names and ids", plain.replace("data: {", "event: message\nid: 1\nretry: 5\ndata: {")),
        ("line separators inside", plain.replace("Hel", "Hel\u{2028}\u{2029}\u{85}")),
        ("a byte order mark", format!("\u{feff}{plain}")),
    ]
}

#[tokio::test]
async fn every_form_of_events_is_understood_and_kept() {
    for (what, text) in dialects() {
        for size in [1, 11, 100_000] {
            let reply = Reply::sse().raw(text.clone()).in_pieces(size);
            let (_upstream, hub) = one_reply(reply).await;
            let answer = hub.call(&with_usage()).await.expect(200);
            let got = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(got.trim().ends_with(text.trim()), "{what} in pieces of {size}: {got:?}");
            let books = hub.ledger().await;
            assert_eq!(books[0]["usage"]["output"], vendor::OUTPUT_TOKENS, "{what}: {books:?}");
            assert_eq!(books[0]["usage_source"], "provider", "{what}: {books:?}");
        }
    }
}

#[tokio::test]
async fn usage_is_always_asked_for_and_shown_only_to_who_asked() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let usage = json!({ "stream_options": { "include_usage": true } });
    let not = json!({ "stream_options": { "include_usage": false } });
    for (more, shown) in
        [(json!({}), false), (usage, true), (not, false), (json!({ "stream_options": null }), false)]
    {
        let answer = hub.call(&streaming(more.clone())).await.expect(200);
        let stream = answer.stream();
        stream.expect_whole(vendor::TEXT);
        assert_eq!(stream.usage.is_some(), shown, "{more}: {answer:?}");
        let seen = upstream.seen().pop().unwrap().json();
        assert_eq!(seen["stream_options"]["include_usage"], true, "{more}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("\"choices\":[]") || shown, "{answer:?}");
    }
}

#[tokio::test]
async fn other_stream_options_survive() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let more = json!({ "stream_options": { "include_obfuscation": false } });
    hub.call(&streaming(more)).await.expect(200);
    let options = json!({ "include_obfuscation": false, "include_usage": true });
    assert_eq!(upstream.only().json()["stream_options"], options);
}

#[tokio::test]
async fn usage_on_a_chunk_with_choices_is_not_lost_with_the_chunk() {
    let mut last = vendor::delta(json!({}), json!("stop"));
    last["usage"] = vendor::usage();
    let (_upstream, hub) = one_reply(Reply::sse().text("Hello there").event(&last).done()).await;
    let answer = hub.call(&streaming(json!({}))).await.expect(200);
    answer.stream().expect_whole("Hello there");
    let books = hub.ledger().await;
    assert_eq!(books[0]["usage"]["output"], vendor::OUTPUT_TOKENS, "{books:?}");
}

#[tokio::test]
async fn each_event_is_forwarded_when_it_arrives() {
    let gate = Gate::new();
    let mut reply = Reply::sse();
    for text in ["one", "two", "three"] {
        reply = reply.text(text).pause(&gate);
    }
    let (_upstream, hub) = one_reply(reply.stop()).await;
    let (head, mut client) = hub.open_stream("hi").await;
    assert_eq!(head.header("content-type"), Some("text/event-stream; charset=utf-8"));
    assert!(head.header("content-length").is_none(), "{head:?}");
    for text in ["one", "two", "three"] {
        client.until(text).await;
        gate.reached().await;
        gate.open();
    }
    client.until("[DONE]").await;
}

#[tokio::test]
async fn an_event_that_is_not_whole_yet_does_not_hold_back_the_one_before() {
    let gate = Gate::new();
    let rest = vendor::delta(json!({ "content": "two" }), Value::Null).to_string();
    let (half, other) = rest.split_at(20);
    let first = vendor::delta(json!({ "content": "one" }), Value::Null);
    let reply = Reply::sse()
        .raw(format!("data: {first}\n\ndata: {half}"))
        .pause(&gate)
        .raw(format!("{other}\n\n"))
        .stop();
    let (_upstream, hub) = one_reply(reply).await;
    let (_, mut client) = hub.open_stream("hi").await;
    client.until("one").await;
    gate.open();
    client.until("two").await;
}

#[tokio::test]
async fn characters_and_events_larger_than_any_buffer_pass() {
    let long = "😀é".repeat(60_000);
    let reply = Reply::sse().text("😀").text(&long).stop();
    for size in [3, 1_000, 1 << 20] {
        let (_upstream, hub) = one_reply(reply.clone().in_pieces(size)).await;
        hub.stream("hi").await.expect(200).stream().expect_whole(&format!("😀{long}"));
    }
}

#[tokio::test]
async fn an_event_without_end_is_given_up() {
    let endless = Reply::sse().text("Hel").raw("data: ").raw(vec![b'x'; 8 << 20]).hang();
    let (upstream, hub) = one_reply(endless).await;
    let (_, mut client) = hub.open_stream("hi").await;
    let (body, ended) = client.rest().await;
    assert_eq!(ended, Ok(()));
    let stream = Stream::read(&body);
    assert!(stream.error.is_some() && !stream.done && stream.finish.is_none(), "{stream:?}");
    upstream.aborted().await;
}

#[tokio::test]
async fn a_vendor_that_dies_leaves_an_error_and_no_end() {
    let error = json!({ "error": { "message": "The server had an error", "type": "server_error" } });
    let gate = Gate::new();
    let begun = || Reply::sse().text("Hel").pause(&gate);
    let ends = [
        ("cut", begun().cut(), "upstream_closed_early"),
        ("reset", begun().reset(), "upstream_closed_early"),
        ("a proper end without a finish", begun(), "upstream_closed_early"),
        ("half an event", begun().raw("data: {\"choices\":[{\"del"), "upstream_closed_early"),
        ("an error event", begun().event(&error).done(), "upstream_error"),
    ];
    for (what, reply, code) in ends {
        let (_upstream, hub) = one_reply(reply).await;
        let (head, mut client) = hub.open_stream("hi").await;
        assert_eq!(head.status, 200, "{what}");
        let seen = client.until("Hel").await;
        gate.open();
        let (rest, _) = client.rest().await;
        let stream = Stream::read(&[seen, rest].concat());
        assert_eq!(stream.text, "Hel", "{what}");
        stream.expect_broken(code);
        let books = hub.ledger().await;
        assert_eq!(books[0]["outcome"], "truncated", "{what}: {books:?}");
        assert!(books[0]["usage"]["output"].as_u64() > Some(0), "{what}: {books:?}");
    }
}

#[tokio::test]
async fn a_vendor_that_falls_silent_is_given_up() {
    let upstream = Upstream::always(Reply::sse().text("Hel").hang()).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("timeouts", "idle = \"50ms\"")).await;
    let stream = hub.stream("hi").await.expect(200).stream();
    assert_eq!(stream.text, "Hel");
    stream.expect_broken("upstream_timeout");
    upstream.aborted().await;
}

#[tokio::test]
async fn a_request_has_only_so_much_time_however_lively_its_stream() {
    let upstream = Upstream::always(Reply::sse().text("Hel").hang()).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("timeouts", "total = \"80ms\"")).await;
    hub.stream("hi").await.expect(200).stream().expect_broken("upstream_timeout");
}

#[tokio::test]
async fn a_stream_that_said_all_but_done_is_whole() {
    let finish = vendor::delta(json!({}), json!("stop"));
    for reply in [Reply::sse().text("Hello").event(&finish), Reply::sse().text("Hello").event(&finish).cut()]
    {
        let (_upstream, hub) = one_reply(reply).await;
        let stream = hub.stream("hi").await.expect(200).stream();
        assert_eq!((stream.text.as_str(), stream.finish.as_deref()), ("Hello", Some("stop")));
        assert!(stream.error.is_none(), "{stream:?}");
        assert_eq!(hub.ledger().await[0]["outcome"], "ok");
    }
}

#[tokio::test]
async fn an_unterminated_last_event_is_not_lost() {
    let finish = vendor::delta(json!({}), json!("stop"));
    let (_upstream, hub) = one_reply(Reply::sse().text("Hello").raw(format!("data: {finish}"))).await;
    let body = hub.stream("hi").await.expect(200);
    let stream = body.stream();
    assert_eq!((stream.text.as_str(), stream.finish.as_deref()), ("Hello", Some("stop")), "{body:?}");
}

#[tokio::test]
async fn a_vendors_refusal_of_a_stream_is_json_with_its_status() {
    let (_upstream, hub) = one_reply(Reply::failed(500)).await;
    let answer = hub.stream("hi").await.expect_error(502, "upstream_error");
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn several_choices_in_one_stream_stay_apart() {
    let mut reply = Reply::sse();
    for (index, text) in [(0, "a"), (1, "b")] {
        let mut event = vendor::delta(json!({ "content": text }), Value::Null);
        event["choices"][0]["index"] = json!(index);
        reply = reply.event(&event);
    }
    let mut first_ends = vendor::delta(json!({}), json!("stop"));
    first_ends["choices"][0]["index"] = json!(0);
    // The second choice never finishes.
    let (_upstream, hub) = one_reply(reply.event(&first_ends)).await;
    let stream = hub.call(&streaming(json!({ "n": 2 }))).await.expect(200).stream();
    assert!(stream.error.is_some() && !stream.done, "{stream:?}");
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_answer_stops_the_vendor() {
    for request in [gateway::chat("hi"), gateway::stream("hi")] {
        let (upstream, hub) = one_reply(Reply::hang_before_header()).await;
        let client = hub.open(&request).await;
        upstream.until("the vendor to have the request", |counts| counts.requests == 1).await;
        drop(client);
        upstream.aborted().await;
        let books = hub.ledger().await;
        assert_eq!(books[0]["outcome"], "client_gone");
        assert!(books[0]["usage"]["input"].as_u64() > Some(0), "the vendor had the input: {books:?}");
    }
}

#[tokio::test]
async fn a_caller_that_leaves_in_mid_stream_stops_the_vendor_and_is_metered() {
    let (upstream, hub) = one_reply(Reply::sse().text("one two three").hang()).await;
    let (_, mut client) = hub.open_stream("hi").await;
    client.until("three").await;
    drop(client);
    upstream.aborted().await;
    let books = hub.ledger().await;
    assert_eq!(
        (&books[0]["outcome"], &books[0]["usage_source"]),
        (&json!("client_gone"), &json!("estimated"))
    );
    assert!(books[0]["usage"]["output"].as_u64() >= Some(3), "{books:?}");
}

#[tokio::test]
async fn a_caller_that_closes_its_own_direction_has_left() {
    let (upstream, hub) = one_reply(Reply::hang_before_header()).await;
    let mut client = hub.open(&gateway::chat("hi")).await;
    upstream.until("the vendor to have the request", |counts| counts.requests == 1).await;
    client.half_close().await;
    upstream.aborted().await;
}

#[tokio::test]
async fn a_caller_that_leaves_in_the_middle_of_a_plain_answer_stops_the_vendor() {
    let reply =
        Reply::new(200, Framing::Claims(1_000)).header("content-type", "application/json").raw("{").hang();
    let (upstream, hub) = one_reply(reply).await;
    let client = hub.open(&gateway::chat("hi")).await;
    upstream.until("the vendor to have the request", |counts| counts.requests == 1).await;
    drop(client);
    upstream.aborted().await;
}

#[tokio::test]
async fn a_caller_that_leaves_during_the_retries_ends_them() {
    let gate = Gate::new();
    let upstream = Upstream::script([Reply::failed(500).after(&gate)]).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("retry", "per_target = 5")).await;
    let client = hub.open(&gateway::chat("hi")).await;
    gate.reached().await;
    drop(client);
    upstream.aborted().await;
    assert_eq!(hub.ledger().await[0]["outcome"], "client_gone");
    assert_eq!(upstream.counts().requests, 1);
}

#[tokio::test]
async fn a_silent_stream_shows_that_it_lives() {
    let (before, between) = (Gate::new(), Gate::new());
    let reply = Reply::sse().text("one").pause(&between).text("two").stop().after(&before);
    let upstream = Upstream::always(reply).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("timeouts", "heartbeat = \"20ms\"")).await;
    let mut client = hub.open(&gateway::stream("hi")).await;
    let head = client.head().await;
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
    let early = client.until(": ").await;
    assert!(!early.starts_with(b"data:"), "{early:?}");
    before.open();
    let mut all = client.until("one").await.to_vec();
    all.extend(client.until(": ").await);
    between.open();
    all.extend(client.rest().await.0);
    let text = String::from_utf8(all).unwrap();
    let events: Vec<&str> = text.split("\n\n").filter(|e| !e.is_empty() && !e.starts_with(':')).collect();
    assert!(events.last() == Some(&"data: [DONE]"), "a comment never cuts an event: {text:?}");
}

#[tokio::test]
async fn after_a_heartbeat_a_failure_is_an_event() {
    let gate = Gate::new();
    let upstream = Upstream::always(Reply::failed(500).after(&gate)).await;
    let conf = Conf::one(&upstream).set("timeouts", "heartbeat = \"20ms\"").set("retry", "max_attempts = 1");
    let hub = Gateway::start(&conf).await;
    let mut client = hub.open(&gateway::stream("hi")).await;
    assert_eq!(client.head().await.status, 200);
    gate.open();
    let (body, ended) = client.rest().await;
    assert_eq!(ended, Ok(()));
    Stream::read(&body).expect_broken("upstream_error");
}

#[tokio::test]
async fn a_plain_answer_gets_no_heartbeat() {
    let gate = Gate::new();
    let upstream = Upstream::always(vendor::answer_chat().after(&gate)).await;
    let conf = Conf::one(&upstream).set("timeouts", "heartbeat = \"1ms\"");
    let hub = Gateway::start(&conf).await;
    let mut client = hub.open(&gateway::chat("hi")).await;
    gate.reached().await;
    hub.metrics().await;
    gate.open();
    assert_eq!(client.answer().await.expect(200).text(), vendor::TEXT);
}

#[tokio::test]
async fn a_vendor_that_ignores_the_wish_for_a_stream_is_passed_on() {
    let (_upstream, hub) = one_reply(vendor::answer_chat()).await;
    assert_eq!(hub.stream("hi").await.expect(200).text(), vendor::TEXT);
}

#[tokio::test]
async fn hundreds_of_streams_at_once_do_not_mix() {
    let upstream = Upstream::answer(|seen| {
        let text = seen.json()["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        Reply::sse().text(&text).text(&text).stop().in_pieces(50)
    })
    .await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    let mut open = Vec::new();
    for number in 0..200 {
        open.push((number, hub.open(&gateway::stream(&format!("<{number}>"))).await));
    }
    for (number, mut client) in open {
        client.answer().await.expect(200).stream().expect_whole(&format!("<{number}><{number}>"));
    }
}
