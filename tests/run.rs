//! Running it: one binary, one file, two listeners, and a vendor of its own
//! for those who have no key yet.

use super::support::gateway::Home;
use super::support::*;
use serde_json::{Value, json};

#[tokio::test]
async fn it_answers_from_the_first_moment_it_says_it_is_ready() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    assert_ne!(hub.public, hub.admin);
    for path in ["/healthz", "/readyz", "/"] {
        hub.call(&Request::get(path)).await.expect(200);
    }
    assert_eq!(hub.chat("hi").await.expect(200).text(), vendor::TEXT);
}

#[tokio::test]
async fn the_simulated_vendor_needs_no_network() {
    let conf = Conf::of([Provider::simulator("mock")]);
    let hub = Gateway::start(&conf).await;
    let answer = hub.chat("hi").await.expect(200);
    assert!(!answer.text().is_empty(), "{answer:?}");
    assert!(answer.json()["usage"]["total_tokens"].as_u64() > Some(0), "{answer:?}");
    let stream = hub.stream("hi").await.expect(200).stream();
    assert!(stream.done && !stream.text.is_empty(), "{stream:?}");
    hub.post("/v1/embeddings", &json!({ "model": "gpt", "input": "hi" })).await.expect(200);
}

#[tokio::test]
async fn it_says_its_version_and_what_it_can_do() {
    let home = Home::new(&Conf::of([Provider::simulator("mock")]));
    for argument in ["--version", "--help"] {
        let output = home.run(&[argument]).await;
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("aigne-hub"), "{output:?}");
    }
}

#[tokio::test]
async fn an_unknown_command_is_refused_and_named() {
    let home = Home::new(&Conf::of([Provider::simulator("mock")]));
    let output = home.run(&["sreve"]).await;
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("sreve"), "{output:?}");
}

#[tokio::test]
async fn metrics_and_operators_pages_are_not_on_the_public_listener() {
    let upstream = Upstream::script([]).await;
    let hub = Gateway::start(&Conf::one(&upstream)).await;
    hub.get("/metrics").await.expect_error(404, "unknown_url");
    assert!(!hub.metrics().await.0.is_empty());
}

#[tokio::test]
async fn a_first_key_is_made_only_by_a_hub_that_can_show_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("listen = [\"{}\"]", taken.local_addr().unwrap());
    let conf = Conf::of([Provider::simulator("mock")]);
    let text = conf.toml("data").split("[[key]]").next().unwrap().to_owned();
    let home = Home::new(&conf);
    home.write_text(&text.replacen("listen = [\"127.0.0.1:0\"]", &listen, 1));
    let refused = home.run(&["serve"]).await;
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cannot listen"), "{refused:?}");
    let keys = home.run(&["keys", "list"]).await;
    assert!(String::from_utf8_lossy(&keys.stdout).contains("\"keys\":[]"), "{keys:?}");
    home.write_text(&text);
    let hub = Gateway::start_in(std::sync::Arc::new(home)).await;
    let said = hub.said();
    let key = said.split_whitespace().find(|word| word.starts_with("aigne_")).unwrap();
    hub.call(&Request::get("/v1/models").key(key)).await.expect(200);
}

#[tokio::test]
async fn the_simulated_vendor_answers_as_often_as_it_is_asked_to() {
    let hub = Gateway::start(&Conf::of([Provider::simulator("mock")])).await;
    let body = |more: Value| {
        let mut body =
            json!({ "model": "gpt", "n": 3, "messages": [{ "role": "user", "content": "one two" }] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let one = hub.post("/v1/chat/completions", &body(json!({ "n": 1 }))).await.expect(200).json();
    let whole = hub.post("/v1/chat/completions", &body(json!({}))).await.expect(200).json();
    let choices = whole["choices"].as_array().unwrap();
    let indexes: Vec<_> = choices.iter().map(|choice| choice["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, [0, 1, 2]);
    assert!(choices.iter().all(|choice| choice["message"]["content"] == "one two"), "{whole}");
    let tokens = |answer: &Value| answer["usage"]["completion_tokens"].as_u64().unwrap();
    assert_eq!(tokens(&whole), 3 * tokens(&one));
    let streamed = body(json!({ "stream": true, "stream_options": { "include_usage": true } }));
    let stream = hub.post("/v1/chat/completions", &streamed).await.expect(200).stream();
    for index in 0..3 {
        let of = stream.events.iter().flat_map(|event| event["choices"].as_array().unwrap());
        let of: Vec<&Value> = of.filter(|choice| choice["index"] == index).collect();
        let text: String = of.iter().filter_map(|choice| choice["delta"]["content"].as_str()).collect();
        assert_eq!((text.as_str(), &of.last().unwrap()["finish_reason"]), ("one two", &json!("stop")));
    }
    assert!(
        stream.done && stream.usage.as_ref().unwrap()["completion_tokens"] == 3 * tokens(&one),
        "{stream:?}"
    );
    let older = json!({ "model": "gpt", "prompt": "one", "n": 2 });
    let older = hub.post("/v1/completions", &older).await.expect(200).json();
    assert_eq!(older["choices"].as_array().unwrap().len(), 2);
    let books = hub.ledger().await;
    assert_eq!(books[1]["usage"]["output"], json!(3 * tokens(&one)));
    assert_eq!(books[2]["usage"]["output"], books[1]["usage"]["output"]);
}
