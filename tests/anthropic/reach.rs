//! What lies around the translation: fallbacks, callers that leave, counts of
//! tokens, the cache, the simulated vendor.

use super::*;
use anthropic::{begin, delta, failing, start, usage};

/// The model `gpt` on a vendor of Anthropic's dialect, with one of OpenAI's behind it.
async fn two(first: Reply) -> (Upstream, Upstream, Gateway) {
    let claude = Upstream::anthropic(move |_| first.clone()).await;
    let gpt = Upstream::realistic().await;
    let conf = Conf::of([Provider::anthropic("claude", &claude), Provider::of("mock", &gpt)])
        .model("gpt", &[&format!("claude/{MODEL}")], &["mock/gpt-4o"])
        .set("retry", "per_target = 1");
    let hub = Gateway::start(&conf).await;
    (claude, gpt, hub)
}

#[tokio::test]
async fn another_dialect_takes_over_before_content() {
    let lifecycle = || start(&usage()).anthropic(&json!({ "type": "ping" }));
    let failures = [anthropic::overloaded(), failing(lifecycle()), lifecycle().cut(), lifecycle()];
    for failure in failures {
        let (_claude, gpt, hub) = two(failure.clone()).await;
        let answer = hub.call(&messages(json!({ "stream": true }))).await.expect(200);
        let spoken = Spoken::read(&answer.body).expect_whole();
        assert_eq!(spoken.content[0]["text"], vendor::TEXT, "{failure:?}");
        assert_eq!(answer.header("x-aigne-provider"), Some("mock"));
        let answer = hub.call(&chat(json!({ "stream": true }))).await.expect(200);
        answer.stream().expect_whole(vendor::TEXT);
        assert_eq!(gpt.counts().requests, 2);
        for entry in hub.ledger().await {
            assert_eq!((&entry["outcome"], &entry["provider"]), (&json!("ok"), &json!("mock")), "{entry}");
            assert_eq!(buckets(&entry), json!({ "input": 9, "output": 3 }));
        }
    }
}

#[tokio::test]
async fn what_only_opens_a_stream_is_held_until_there_is_content() {
    for request in [messages(json!({ "stream": true })), chat(json!({ "stream": true }))] {
        let gate = Gate::new();
        let reply = begin(start(&usage()).anthropic(&json!({ "type": "ping" })), 0, &anthropic::text(""));
        let reply = failing(reply.pause(&gate));
        let (_claude, gpt, hub) = two(reply).await;
        let client = hub.open(&request).await;
        gate.reached().await;
        gate.open();
        let mut client = client;
        let answer = client.answer().await.expect(200);
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!said.contains("msg_mock") && said.contains("Hel"), "{said}");
        assert_eq!(gpt.counts().requests, 1);
    }
}

#[tokio::test]
async fn content_is_not_taken_back() {
    let piece = json!({ "type": "text_delta", "text": "one" });
    let gate = Gate::new();
    let begun = delta(begin(start(&usage()), 0, &anthropic::text("")), 0, &piece);
    let (_claude, gpt, hub) = two(failing(begun.pause(&gate))).await;
    let mut client = hub.open(&messages(json!({ "stream": true }))).await;
    client.head().await;
    let mut all = client.until("one").await.to_vec();
    gate.open();
    all.extend(client.rest().await.0);
    let spoken = Spoken::read(&all).expect_broken("overloaded_error");
    assert_eq!((spoken.content.len(), gpt.counts().requests), (1, 0));
}

#[tokio::test]
async fn a_caller_that_leaves_stops_the_vendor_and_is_metered() {
    let piece = json!({ "type": "text_delta", "text": "one two three" });
    let claude = || delta(begin(start(&usage()), 0, &anthropic::text("")), 0, &piece).hang();
    for request in [messages(json!({ "stream": true })), chat(json!({ "stream": true }))] {
        let (upstream, hub) = before_claude(claude()).await;
        leave(&upstream, hub, &request, 9).await;
    }
    let (upstream, hub) = before_gpt(Reply::sse().text("one two three").hang()).await;
    leave(&upstream, hub, &messages(json!({ "stream": true })), 1).await;
}

async fn leave(upstream: &Upstream, hub: Gateway, request: &Request, input: u64) {
    let mut client = hub.open(request).await;
    client.head().await;
    client.until("three").await;
    drop(client);
    upstream.aborted().await;
    let entry = entry(hub).await;
    assert_eq!(entry["outcome"], "client_gone", "{entry}");
    let count = |name: &str| entry["usage"][name].as_u64().unwrap();
    assert!(count("input") >= input && count("output") >= 3, "all that was said is counted: {entry}");
    assert_eq!(entry["usage_source"], "estimated");
}

#[tokio::test]
async fn tokens_are_counted_without_a_vendor() {
    let upstream = Upstream::anthropic(anthropic::answer).await;
    let hub = Gateway::start(&claude(&upstream, MODEL)).await;
    let count = async |body: Value| {
        let request = Request::post("/v1/messages/count_tokens", &body).header("x-api-key", KEY);
        hub.call(&request).await
    };
    let turns = json!([{ "role": "user", "content": "Hello there, how are you?" }]);
    let short = count(json!({ "model": "gpt", "messages": turns })).await.expect(200).json();
    assert_eq!(short.as_object().unwrap().len(), 1);
    let long =
        count(json!({ "model": "gpt", "messages": turns, "system": "Answer in one word only." })).await;
    let long = long.expect(200).json()["input_tokens"].as_u64().unwrap();
    assert!(
        long > short["input_tokens"].as_u64().unwrap() && short["input_tokens"].as_u64() > Some(5),
        "{long} {short}"
    );
    let unknown = count(json!({ "model": "nobody", "messages": turns })).await.expect(404).json();
    assert_eq!((&unknown["type"], &unknown["error"]["type"]), (&json!("error"), &json!("not_found_error")));
    assert_eq!(upstream.counts().requests, 0);
}

#[tokio::test]
async fn answers_are_kept_for_each_dialect_apart() {
    let upstream = Upstream::anthropic(anthropic::answer).await;
    let hub = Gateway::start(&claude(&upstream, MODEL).set("cache", "ttl = \"1h\"")).await;
    // One body that means something in both.
    let body = json!({ "model": "gpt", "max_tokens": 10, "temperature": 0, "messages": [{ "role": "user", "content": "hi" }] });
    let ask = |path: &str| Request::post(path, &body).key(KEY);
    for (round, expected) in [(1, "miss"), (2, "hit")] {
        for path in ["/v1/chat/completions", "/v1/messages"] {
            let answer = hub.call(&ask(path)).await.expect(200);
            assert_eq!(answer.header("x-cache"), Some(expected), "round {round} on {path}");
            let text = match path {
                "/v1/messages" => answer.json()["content"][0]["text"].clone(),
                _ => json!(answer.text()),
            };
            assert_eq!(text, vendor::TEXT);
        }
    }
    assert_eq!(upstream.counts().requests, 2);
}

#[tokio::test]
async fn a_kept_stream_is_played_again_in_the_callers_events() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).set("cache", "ttl = \"1h\"")).await;
    let ask = messages(json!({ "stream": true, "temperature": 0 }));
    let first = hub.call(&ask).await.expect(200);
    let second = hub.call(&ask).await.expect(200);
    assert_eq!(second.header("x-cache"), Some("hit"));
    assert_eq!(first.body, second.body);
    Spoken::read(&second.body).expect_whole();
    assert_eq!(upstream.counts().requests, 1);
}

#[tokio::test]
async fn the_simulated_vendor_speaks_to_these_callers_too() {
    let conf = Conf::of([Provider::simulator("toy")]).model("gpt", &["toy/echo"], &[]);
    let hub = Gateway::start(&conf).await;
    let answer = hub.call(&messages(json!({ "system": "Be brief." }))).await.expect(200).json();
    assert_eq!((&answer["content"][0]["text"], &answer["stop_reason"]), (&json!("hi"), &json!("end_turn")));
    let answer = hub.call(&messages(json!({ "stream": true }))).await.expect(200);
    let spoken = Spoken::read(&answer.body).expect_whole();
    assert_eq!((&spoken.content[0]["text"], &spoken.stop_reason), (&json!("hi"), &json!("end_turn")));
    assert!(spoken.usage["input_tokens"].as_u64() > Some(0), "{spoken:?}");
}

#[tokio::test]
async fn a_rules_cap_holds_whether_the_caller_named_a_limit_or_not() {
    let rule = "[[rule]]\nname = \"short\"\nwhen = \"true\"\nthen = { max_output_tokens = 20 }\n";
    let capped = |conf: Conf| conf.file("rules.toml", rule).set("rules", "files = [\"rules.toml\"]");
    let native = Upstream::anthropic(anthropic::answer).await;
    let other = Upstream::realistic().await;
    let bare = json!({ "model": "gpt", "messages": [{ "role": "user", "content": "hi" }] });
    let bare = Request::post("/v1/messages", &bare).key(KEY);
    for (upstream, conf) in [(&native, claude(&native, MODEL)), (&other, Conf::one(&other))] {
        let hub = Gateway::start(&capped(conf)).await;
        for request in [&messages(json!({})), &bare] {
            hub.call(request).await.expect(200);
        }
        for seen in upstream.seen() {
            let sent = seen.json();
            let limit = sent.get("max_completion_tokens").or_else(|| sent.get("max_tokens"));
            assert_eq!(limit, Some(&json!(20)), "{sent}");
        }
    }
}
