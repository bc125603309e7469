//! Several answers of a vendor that gives one at a time: as many calls, one answer, one entry in the books.

use super::*;
use anthropic::{begin, block, delta, end, finish, message, start, text, usage};

/// A hub before a vendor that says what it is asked, each time another text.
async fn before(replies: impl IntoIterator<Item = Reply>) -> (Upstream, Gateway) {
    let upstream = Upstream::anthropic_script(replies).await;
    let conf = claude(&upstream, MODEL).set("retry", "max_attempts = 1");
    (upstream, Gateway::start(&conf).await)
}

fn says(words: &str) -> Reply {
    anthropic::message_reply(&json!([text(words)]))
}

fn streams(words: &[&str]) -> Reply {
    finish(block(start(&usage()), 0, words), "end_turn", &json!({ "output_tokens": 3 }))
}

/// What each choice of a stream said, and why it ended.
fn woven(stream: &client::Stream) -> Vec<(String, String)> {
    let mut choices = vec![(String::new(), String::new()); 3];
    for choice in stream.events.iter().flat_map(|event| event["choices"].as_array().unwrap()) {
        let (said, ended) = &mut choices[choice["index"].as_u64().unwrap() as usize];
        said.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
        ended.push_str(choice["finish_reason"].as_str().unwrap_or_default());
    }
    choices
}

#[tokio::test]
async fn answers_become_choices_and_their_usage_is_summed() {
    let call = json!({ "type": "tool_use", "id": "toolu_1", "name": "weather", "input": {} });
    let called = Reply::json(200, &message(&json!(MODEL), &json!([call]), "tool_use", &usage()));
    let (upstream, hub) = before([says("one"), says("two"), called]).await;
    let answer = hub.call(&chat(json!({ "n": 3, "max_tokens": 50 }))).await.expect(200);
    assert_eq!(answer.header("x-aigne-adapted"), Some("n: 3 calls"));
    let said = answer.json();
    // Which of the calls gets which answer is the vendor's affair.
    let choices = said["choices"].as_array().unwrap();
    let numbers: Vec<_> = choices.iter().map(|choice| choice["index"].clone()).collect();
    assert_eq!(numbers, [0, 1, 2]);
    let told =
        |choice: &Value| (choice["message"]["content"].to_string(), choice["finish_reason"].to_string());
    let mut told: Vec<_> = choices.iter().map(told).collect();
    told.sort();
    let stop = |text: &str| (format!("{text:?}"), "\"stop\"".to_owned());
    assert_eq!(told, [stop("one"), stop("two"), ("null".to_owned(), "\"tool_calls\"".to_owned())]);
    assert_eq!(
        (&said["usage"]["prompt_tokens"], &said["usage"]["completion_tokens"]),
        (&json!(27), &json!(9))
    );
    for seen in upstream.seen() {
        assert_eq!((&seen.json()["max_tokens"], seen.json().get("n")), (&json!(50), None));
    }
    let entry = entry(hub).await;
    assert_eq!(buckets(&entry), json!({ "input": 27, "output": 9 }));
    assert_eq!((&entry["usage"]["requests"], &entry["attempts"]), (&json!(3), &json!(1)), "{entry}");
}

#[tokio::test]
async fn streams_are_woven_into_one() {
    let (_upstream, hub) = before([streams(&["a", "b"]), streams(&["c"]), streams(&["d", "e", "f"])]).await;
    let body =
        json!({ "n": 3, "max_tokens": 50, "stream": true, "stream_options": { "include_usage": true } });
    let answer = hub.call(&chat(body)).await.expect(200);
    assert_eq!(answer.header("x-aigne-adapted"), Some("n: 3 calls"));
    let stream = answer.stream();
    let mut choices = woven(&stream);
    choices.sort();
    let ended = |text: &str| (text.to_owned(), "stop".to_owned());
    assert_eq!(choices, [ended("ab"), ended("c"), ended("def")]);
    assert!(stream.done && stream.error.is_none(), "{stream:?}");
    let ids: std::collections::HashSet<_> =
        stream.events.iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "one answer has one id");
    let used: Vec<_> = stream.events.iter().filter(|event| event["usage"].is_object()).collect();
    assert_eq!((used.len(), &used[0]["usage"]["total_tokens"]), (1, &json!(36)));
    let entry = entry(hub).await;
    assert_eq!(
        (buckets(&entry), &entry["usage_source"]),
        (json!({ "input": 27, "output": 9 }), &json!("provider"))
    );
    assert_eq!(entry["usage"]["requests"], 3);
}

#[tokio::test]
async fn calls_in_woven_streams_are_numbered_by_their_own_answer() {
    let call = json!({ "type": "tool_use", "id": "toolu_1", "name": "weather", "input": {} });
    let piece = json!({ "type": "input_json_delta", "partial_json": "{\"city\":\"Bern\"}" });
    let called = || {
        let reply = end(delta(begin(start(&usage()), 0, &call), 0, &piece), 0);
        finish(reply, "tool_use", &json!({ "output_tokens": 3 }))
    };
    let (_upstream, hub) = before([called(), called()]).await;
    let stream = hub.call(&chat(json!({ "n": 2, "stream": true }))).await.expect(200).stream();
    let mut arguments = [String::new(), String::new()];
    for choice in stream.events.iter().flat_map(|event| event["choices"].as_array().unwrap()) {
        for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            assert_eq!(call["index"], 0);
            let fragment = call["function"]["arguments"].as_str().unwrap();
            arguments[choice["index"].as_u64().unwrap() as usize].push_str(fragment);
        }
    }
    assert_eq!(arguments, ["{\"city\":\"Bern\"}"; 2]);
}

#[tokio::test]
async fn some_answers_are_better_than_none_and_what_was_answered_is_paid() {
    let (_upstream, hub) = before([says("one"), anthropic::error(400, "invalid_request_error", "no")]).await;
    let answer = hub.call(&chat(json!({ "n": 2 }))).await.expect(200);
    assert!(answer.header("x-aigne-adapted").unwrap().contains("1 of 2 calls"), "{answer:?}");
    assert_eq!(answer.json()["choices"].as_array().unwrap().len(), 1);
    assert_eq!(entry(hub).await["usage"]["requests"], 1);
}

#[tokio::test]
async fn a_stream_that_breaks_breaks_the_whole_answer() {
    let gate = Gate::new();
    let begun = block(start(&usage()), 0, &["par"]);
    let broken = anthropic::failing(block(start(&usage()), 0, &["tial"]).pause(&gate));
    let (upstream, hub) = before([begun.hang(), broken]).await;
    let mut caller = hub.open(&chat(json!({ "n": 2, "stream": true }))).await;
    assert_eq!(caller.head().await.status, 200);
    let mut body = caller.until("tial").await.to_vec();
    gate.open();
    let (rest, ended) = caller.rest().await;
    ended.expect("a stream that ends");
    body.extend_from_slice(&rest);
    let stream = client::Stream::read(&body);
    assert!(stream.error.is_some() && !stream.done && stream.finish.is_none(), "{stream:?}");
    upstream.aborted().await;
    let entry = entry(hub).await;
    assert_eq!((&entry["outcome"], &entry["usage"]["requests"]), (&json!("truncated"), &json!(2)), "{entry}");
}

#[tokio::test]
async fn who_leaves_stops_all_calls_and_they_are_booked() {
    let reply = || block(start(&usage()), 0, &["par"]).hang();
    let (upstream, hub) = before([reply(), reply()]).await;
    let mut caller = hub.open(&chat(json!({ "n": 2, "stream": true }))).await;
    assert_eq!(caller.head().await.status, 200);
    caller.until("par").await;
    upstream.until("both calls", |counts| counts.requests == 2).await;
    drop(caller);
    upstream.until("both stopped", |counts| counts.aborted == 2).await;
    hub.metrics_after(1).await;
    let entry = entry(hub).await;
    assert_eq!(
        (&entry["outcome"], &entry["usage"]["requests"]),
        (&json!("client_gone"), &json!(2)),
        "{entry}"
    );
}

#[tokio::test]
async fn before_any_content_another_vendor_is_tried() {
    let busy = Upstream::anthropic(|_| anthropic::overloaded()).await;
    let good = Upstream::anthropic(|_| streams(&["ok"])).await;
    let conf = Conf::of([Provider::anthropic("busy", &busy), Provider::anthropic("good", &good)]);
    let (first, second) = (format!("busy/{MODEL}"), format!("good/{MODEL}"));
    let hub = Gateway::start(&conf.model("gpt", &[&first], &[&second])).await;
    let answer = hub.call(&chat(json!({ "n": 2, "stream": true }))).await.expect(200);
    assert_eq!(answer.header("x-aigne-provider"), Some("good"));
    assert_eq!(woven(&answer.stream())[..2], vec![("ok".to_owned(), "stop".to_owned()); 2]);
}

#[tokio::test]
async fn the_hold_covers_all_of_them() {
    let upstream = Upstream::anthropic(|_| says("ok")).await;
    // Twice an answer of 100 tokens and twice the input do not fit; once does.
    let conf = claude(&upstream, MODEL).key_line("month_tokens = 240");
    let hub = Gateway::start(&conf).await;
    let words = "word ".repeat(20);
    let body = |n: u64| {
        let messages = json!([{ "role": "user", "content": words }]);
        chat(json!({ "n": n, "max_tokens": 100, "messages": messages }))
    };
    hub.call(&body(2)).await.expect(429);
    assert_eq!(upstream.counts().requests, 0);
    hub.call(&body(1)).await.expect(200);
}

#[tokio::test]
async fn more_answers_than_are_worth_a_call_each_are_refused() {
    let (upstream, hub) = before_claude(anthropic::overloaded()).await;
    let answer = hub.call(&chat(json!({ "n": 17 }))).await.expect(400);
    assert_eq!(answer.json()["error"]["param"], "n");
    assert_eq!(upstream.counts().requests, 0);
}
