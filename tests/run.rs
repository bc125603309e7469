//! Running it: one binary, one file, two listeners, and a vendor of its own
//! for those who have no key yet.

use super::support::gateway::Home;
use super::support::*;
use serde_json::json;

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
