//! Ollama's own API behind the hub: what its OpenAI-compatible door cannot
//! say, and a stream that comes in lines.

use super::anthropic::{buckets, chat, entry, messages};
use super::support::*;
use ollama::{EMBEDDER, MODEL};
use serde_json::json;

fn conf(upstream: &Upstream) -> Conf {
    let provider = Provider::new("box", &upstream.root_url()).vendor("ollama-native").credentials(&[]);
    Conf::of([provider]).model("gpt", &[&format!("box/{MODEL}")], &[]).set("retry", "max_attempts = 1")
}

async fn server() -> (Upstream, Gateway) {
    let upstream = Upstream::checked(ollama::check, ollama::answer).await;
    let hub = Gateway::start(&conf(&upstream)).await;
    (upstream, hub)
}

/// A hub before a server that answers this.
async fn before(reply: Reply) -> (Upstream, Gateway) {
    let upstream = Upstream::checked(ollama::check, move |_| reply.clone()).await;
    let hub = Gateway::start(&conf(&upstream)).await;
    (upstream, hub)
}

#[tokio::test]
async fn a_chat_is_said_in_the_servers_words_and_really_counted() {
    let (upstream, hub) = server().await;
    let ask = json!({ "options": { "num_ctx": 16384 }, "keep_alive": "1h", "reasoning_effort": "none", "max_tokens": 9 });
    let answer = hub.call(&chat(ask)).await.expect(200);
    assert_eq!((answer.text().as_str(), answer.header("x-aigne-adapted")), (vendor::TEXT, None));
    let answer = answer.json();
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!((&answer["model"], answer["id"].as_str().unwrap().is_empty()), (&json!(MODEL), false));
    let seen = upstream.only();
    assert_eq!((seen.path.as_str(), seen.header("authorization")), ("/api/chat", None));
    let sent = seen.json();
    assert_eq!(sent["options"], json!({ "num_ctx": 16384, "num_predict": 9 }));
    assert_eq!(
        (&sent["think"], &sent["keep_alive"], &sent["stream"]),
        (&json!(false), &json!("1h"), &json!(false))
    );
    let entry = entry(hub).await;
    assert_eq!(
        (buckets(&entry), &entry["usage_source"]),
        (json!({ "input": 9, "output": 3 }), &json!("provider"))
    );
}

#[tokio::test]
async fn a_stream_of_lines_arrives_in_the_callers_events() {
    let (upstream, hub) = server().await;
    let ask = json!({ "stream": true, "stream_options": { "include_usage": true } });
    let answer = hub.call(&chat(ask)).await.expect(200);
    assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"));
    let stream = answer.stream();
    stream.expect_whole(vendor::TEXT);
    assert_eq!(stream.usage.as_ref().unwrap()["completion_tokens"], 3);
    assert_eq!(upstream.only().header("accept"), Some("application/x-ndjson"));
    let message = hub.call(&messages(json!({ "stream": true }))).await.expect(200);
    let text = String::from_utf8(message.body.to_vec()).unwrap();
    assert!(text.contains("event: message_stop") && text.contains("\"end_turn\""), "{text}");
}

#[tokio::test]
async fn a_stream_in_pieces_of_every_small_size_means_the_same() {
    let whole = ollama::line(
        ollama::line(ollama::stream(), &ollama::said("Hel")),
        &ollama::last(&json!({ "content": "lo" }), "length"),
    );
    for size in 1..12 {
        let (_upstream, hub) = before(whole.clone().in_pieces(size)).await;
        let stream = hub.call(&chat(json!({ "stream": true }))).await.expect(200).stream();
        assert_eq!((stream.text.as_str(), stream.finish.as_deref()), ("Hello", Some("length")), "{size}");
    }
}

#[tokio::test]
async fn calls_of_tools_go_both_ways() {
    let (upstream, hub) = server().await;
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    let tools = json!([{ "type": "function", "function": { "name": "get_weather", "parameters": schema } }]);
    for stream in [false, true] {
        let answer = hub.call(&chat(json!({ "tools": tools, "stream": stream }))).await.expect(200);
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(text.contains("\"tool_calls\"") && text.contains(r#"{\"city\":\"Bern\"}"#), "{text}");
        assert!(text.contains("\"finish_reason\":\"tool_calls\""), "{text}");
    }
    assert_eq!(upstream.seen()[0].json()["tools"][0]["function"]["parameters"], schema);
}

#[tokio::test]
async fn a_server_that_breaks_off_or_fails_is_never_a_good_end() {
    let begun = || ollama::line(ollama::stream(), &ollama::said("first"));
    for reply in [begun(), begun().cut()] {
        let (_upstream, hub) = before(reply).await;
        let stream = hub.call(&chat(json!({ "stream": true }))).await.expect(200).stream();
        stream.expect_broken("upstream_closed_early");
        assert_eq!(entry(hub).await["outcome"], "truncated");
    }
}

#[tokio::test]
async fn a_server_that_fails_amid_its_lines_is_told_as_an_event() {
    let gate = Gate::new();
    let begun = ollama::line(ollama::stream(), &ollama::said("first")).pause(&gate);
    let error = json!({ "error": "an error was encountered while running the model" });
    let (_upstream, hub) = before(ollama::line(begun, &error)).await;
    let mut client = hub.open(&chat(json!({ "stream": true }))).await;
    client.head().await;
    client.until("first").await;
    gate.open();
    let (rest, _) = client.rest().await;
    let rest = String::from_utf8(rest.to_vec()).unwrap();
    assert!(rest.contains("upstream_error") && !rest.contains("[DONE]"), "{rest}");
    assert_eq!(entry(hub).await["outcome"], "truncated");
}

#[tokio::test]
async fn what_the_server_says_of_a_request_is_passed_on() {
    let (_upstream, hub) =
        before(Reply::json(400, &json!({ "error": "\"m\" does not support tools" }))).await;
    let error = hub.call(&chat(json!({}))).await.expect(400).json();
    assert_eq!(error["error"]["message"], "\"m\" does not support tools");
    let (_upstream, hub) = before(Reply::json(404, &json!({ "error": "model 'm' not found" }))).await;
    hub.call(&chat(json!({}))).await.expect_error(404, "model_not_found");
}

#[tokio::test]
async fn a_caller_that_leaves_stops_the_server_and_is_metered() {
    let begun = ollama::line(ollama::stream(), &ollama::said("first")).hang();
    let (upstream, hub) = before(begun).await;
    let mut client = hub.open(&chat(json!({ "stream": true }))).await;
    client.head().await;
    client.until("first").await;
    drop(client);
    upstream.aborted().await;
    let entry = entry(hub).await;
    assert_eq!((&entry["outcome"], &entry["usage_source"]), (&json!("client_gone"), &json!("estimated")));
    assert!(entry["usage"]["output"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn embeddings_come_from_the_servers_own_endpoint() {
    let upstream = Upstream::checked(ollama::check, ollama::answer).await;
    let hub = Gateway::start(&conf(&upstream).model("embed", &[&format!("box/{EMBEDDER}")], &[])).await;
    let body = json!({ "model": "embed", "input": ["a", "b"], "truncate": false });
    let answer = hub.post("/v1/embeddings", &body).await.expect(200).json();
    assert_eq!((&answer["data"][1]["embedding"], &answer["model"]), (&json!([0.25, -0.5]), &json!("embed")));
    assert_eq!(upstream.only().json()["truncate"], false);
    assert_eq!(buckets(&entry(hub).await), json!({ "input": 9 }));
}
