//! Failures of the vendor, in the caller's words.

use super::*;
use client::Stream;
use gemini::more;

/// The model `gpt` on this vendor, with one of OpenAI's dialect behind it.
async fn two(first: Reply) -> (Upstream, Upstream, Gateway) {
    let google = Upstream::gemini(move |_| first.clone()).await;
    let gpt = Upstream::realistic().await;
    let conf = Conf::of([Provider::gemini("google", &google), Provider::of("mock", &gpt)])
        .model("gpt", &[&format!("google/{MODEL}")], &["mock/gpt-4o"])
        .set("retry", "per_target = 1");
    let hub = Gateway::start(&conf).await;
    (google, gpt, hub)
}

fn overloaded() -> Reply {
    Reply::json(503, &gemini::overloaded())
}

#[tokio::test]
async fn a_bad_key_is_never_the_callers_fault() {
    for caller in [chat(json!({})), chat(json!({ "stream": true })), messages(json!({}))] {
        let (_upstream, hub) = before(gemini::key_not_valid()).await;
        let answer = hub.call(&caller).await.expect(502);
        let error = &answer.json()["error"];
        assert_eq!(error["type"], "api_error", "{answer:?}");
        assert!(!error["message"].as_str().unwrap().contains("key"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_credential_that_the_vendor_does_not_know_is_rejected_by_it() {
    let upstream = Upstream::gemini(gemini::answer).await;
    let provider = Provider::gemini("google", &upstream).credentials(&["stranger"]);
    let conf = Conf::of([provider]).model("gpt", &[&format!("google/{MODEL}")], &[]);
    let hub = Gateway::start(&conf).await;
    hub.call(&chat(json!({}))).await.expect(502);
    assert!(!upstream.take_violations().is_empty(), "the scripted vendor refuses it itself");
}

#[tokio::test]
async fn what_the_vendor_said_of_the_request_is_passed_on() {
    let (_upstream, hub) = before(gemini::error(400, "INVALID_ARGUMENT", "It is too long")).await;
    let answer = hub.call(&chat(json!({}))).await.expect(400);
    assert_eq!(answer.json()["error"]["message"], "It is too long");
    let error = hub.call(&messages(json!({}))).await.expect(400).json()["error"].clone();
    assert_eq!(error, json!({ "type": "invalid_request_error", "message": "It is too long" }));
}

#[tokio::test]
async fn a_wait_in_the_body_cools_the_credential_down() {
    let (upstream, hub) = before(gemini::throttled(300)).await;
    let wait = |answer: &Answer| answer.header("retry-after").unwrap().parse::<u32>().unwrap();
    let answer = hub.call(&chat(json!({}))).await.expect(429);
    assert!((100..=300).contains(&wait(&answer)), "{answer:?}");
    assert_eq!(answer.json()["error"]["type"], "rate_limit_error");
    // Known to be cooling down, it is not asked again.
    let answer = hub.call(&chat(json!({}))).await;
    assert!(answer.status() >= 429 && (1..=300).contains(&wait(&answer)), "{answer:?}");
    assert_eq!(upstream.counts().requests, 1);
}

#[tokio::test]
async fn another_vendor_takes_over_before_content() {
    let in_stream = || gemini::event(Reply::sse(), &gemini::overloaded());
    let nothing = more(Reply::sse(), &json!([]));
    for (failure, stream) in [
        (overloaded(), false),
        (overloaded(), true),
        (gemini::throttled(300), true),
        (in_stream(), true),
        (nothing.clone().cut(), true),
        (nothing, true),
    ] {
        let (google, gpt, hub) = two(failure).await;
        let answer = hub.call(&chat(json!({ "stream": stream }))).await.expect(200);
        match stream {
            true => answer.stream().expect_whole(vendor::TEXT),
            false => assert_eq!(answer.text(), vendor::TEXT),
        }
        assert_eq!(answer.header("x-aigne-provider"), Some("mock"));
        assert_eq!((google.counts().requests, gpt.counts().requests), (1, 1));
        let entry = entry(hub).await;
        assert_eq!((&entry["outcome"], &entry["provider"]), (&json!("ok"), &json!("mock")), "{entry}");
    }
}

#[tokio::test]
async fn an_error_in_a_list_is_the_same_error() {
    let listed = Reply::json(503, &json!([gemini::overloaded()]));
    let (_upstream, hub) = before(listed).await;
    for stream in [false, true] {
        let answer = hub.call(&chat(json!({ "stream": stream }))).await.expect(503);
        assert_eq!(answer.json()["error"]["type"], "api_error");
    }
    let failed = gemini::failure(400, "INVALID_ARGUMENT", "It is too long", &[]);
    let (_upstream, hub) = before(Reply::json(400, &json!([failed]))).await;
    let answer = hub.call(&chat(json!({ "stream": true }))).await.expect(400);
    assert_eq!(answer.json()["error"]["message"], "It is too long");
}

#[tokio::test]
async fn what_came_with_the_error_is_not_lost() {
    let gate = Gate::new();
    let tail = gemini::event(more(Reply::sse(), &json!([text(" two")])), &gemini::overloaded()).data();
    let reply = more(Reply::sse(), &json!([text("one")])).pause(&gate).raw(tail);
    let (_upstream, hub) = before(reply).await;
    let mut client = hub.open(&chat(json!({ "stream": true }))).await;
    client.head().await;
    let mut body = client.until("one").await.to_vec();
    gate.open();
    body.extend(client.rest().await.0);
    let stream = Stream::read(&body);
    assert!(stream.error.is_some() && stream.finish.is_none() && !stream.done, "{stream:?}");
    assert_eq!(stream.text, "one two");
}

#[tokio::test]
async fn a_word_that_came_with_the_error_is_no_reason_not_to_begin_anew() {
    let whole = gemini::event(more(Reply::sse(), &json!([text("one")])), &gemini::overloaded()).data();
    let (_google, _gpt, hub) = two(Reply::sse().raw(whole)).await;
    let answer = hub.call(&chat(json!({ "stream": true }))).await.expect(200);
    answer.stream().expect_whole(vendor::TEXT);
}

/// A stream that breaks behind its first word.
async fn broken(caller: &Request, end: impl FnOnce(Reply) -> Reply) -> (Answer, Value) {
    let gate = Gate::new();
    let begun = more(Reply::sse(), &json!([text("one")])).pause(&gate);
    let (_upstream, hub) = before(end(begun)).await;
    let mut client = hub.open(caller).await;
    let head = client.head().await;
    let mut body = client.until("one").await.to_vec();
    gate.open();
    body.extend(client.rest().await.0);
    (Answer { head, body: body.into() }, entry(hub).await)
}

#[tokio::test]
async fn a_broken_stream_ends_in_an_error_and_nothing_else() {
    let failing = |reply: Reply| gemini::event(reply, &gemini::overloaded());
    let listed = |reply: Reply| gemini::event(reply, &json!([gemini::overloaded()]));
    let unreadable = |reply: Reply| reply.raw("data: {\"candidates\":[\r\n\r\n");
    let ends: [fn(Reply) -> Reply; 5] = [failing, listed, unreadable, Reply::cut, |reply| reply];
    for end in ends {
        let (answer, entry) = broken(&chat(json!({ "stream": true })), end).await;
        let stream = Stream::read(&answer.body);
        assert!(stream.error.is_some() && stream.finish.is_none() && !stream.done, "{answer:?}");
        assert_eq!(stream.text, "one");
        assert_eq!(
            (&entry["outcome"], &entry["usage"]["input"]),
            (&json!("truncated"), &json!(9)),
            "{entry}"
        );

        let (answer, _) = broken(&messages(json!({ "stream": true })), end).await;
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        let spoken = Spoken::read(&answer.body);
        assert!(said.contains("event: error") && !said.contains("message_stop"), "{said}");
        assert_eq!((&spoken.content[0]["text"], &spoken.stop_reason), (&json!("one"), &Value::Null));
    }
}

#[tokio::test]
async fn a_call_that_the_model_botched_is_never_a_good_end() {
    let (_upstream, hub) = before(gemini::last(
        more(Reply::sse(), &json!([text("one")])),
        &json!([]),
        "MALFORMED_FUNCTION_CALL",
        &usage(),
    ))
    .await;
    let stream = hub.call(&chat(json!({ "stream": true, "tools": tools() }))).await.expect(200).stream();
    assert!(stream.finish.is_none() && !stream.done && stream.error.is_some(), "{stream:?}");
    let entry = entry(hub).await;
    assert_eq!(
        (&entry["outcome"], buckets(&entry)),
        (&json!("truncated"), json!({ "input": 9, "output": 3 }))
    );
}

#[tokio::test]
async fn a_botched_call_is_another_vendors_chance() {
    let nothing = || json!([]);
    let whole = Reply::json(200, &gemini::said(&nothing(), Some("MALFORMED_FUNCTION_CALL"), &usage()));
    let stream = gemini::last(Reply::sse(), &nothing(), "MALFORMED_FUNCTION_CALL", &usage());
    for (reply, stream) in [(whole, false), (stream, true)] {
        let (_google, _gpt, hub) = two(reply.clone()).await;
        let answer = hub.call(&chat(json!({ "stream": stream }))).await.expect(200);
        assert_eq!(answer.header("x-aigne-provider"), Some("mock"));
        let (_upstream, hub) = before(reply).await;
        hub.call(&chat(json!({ "stream": stream }))).await.expect(502);
    }
}

#[tokio::test]
async fn a_caller_that_leaves_stops_the_vendor_and_is_metered() {
    for request in [chat(json!({ "stream": true })), messages(json!({ "stream": true }))] {
        let reply = more(Reply::sse(), &json!([text("one two three")])).hang();
        let (upstream, hub) = before(reply).await;
        let mut client = hub.open(&request).await;
        client.head().await;
        client.until("three").await;
        drop(client);
        upstream.aborted().await;
        let entry = entry(hub).await;
        assert_eq!(entry["outcome"], "client_gone", "{entry}");
        let count = |name: &str| entry["usage"][name].as_u64().unwrap();
        assert!(count("input") >= 9 && count("output") >= 3, "all that was said is counted: {entry}");
    }
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_answer_stops_the_vendor() {
    let (upstream, hub) = before(Reply::hang_before_header()).await;
    let client = hub.open(&chat(json!({}))).await;
    upstream.until("the request", |counts| counts.requests == 1).await;
    drop(client);
    upstream.aborted().await;
    assert_eq!(entry(hub).await["outcome"], "client_gone");
}
