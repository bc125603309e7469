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
