//! The vendors' own clients as callers: if they are content, so is every
//! application that changes its base URL and nothing else.

mod media;

use super::support::conf::KEY;
use super::support::*;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the repository that `make sdk` has put there.
pub fn installed(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(path.exists(), "{} is missing: run `make sdk` first", path.display());
    path
}

/// What the scripts call `gpt`, `embed`, `image`, `busy` and `endless`.
fn conf(upstream: &Upstream, busy: &Upstream, endless: &Upstream) -> Conf {
    Conf::of([
        Provider::of("mock", upstream),
        Provider::of("throttled", busy).credentials(&["a"]),
        Provider::of("silent", endless).credentials(&["a"]),
    ])
    .model("gpt", &["mock/gpt-4o"], &[])
    .model("embed", &["mock/text-embedding-3-small"], &[])
    .model("image", &["mock/gpt-image-1"], &[])
    .model("busy", &["throttled/gpt-4o"], &[])
    .model("endless", &["silent/gpt-4o"], &[])
}

async fn run(command: Command) {
    let upstream = Upstream::realistic().await;
    let busy = Upstream::always(Reply::throttled(Some(7))).await;
    let endless = Upstream::always(Reply::sse().text("first").hang()).await;
    is_content(command, &conf(&upstream, &busy, &endless)).await;
    endless.aborted().await;
    let refused = upstream.take_violations();
    assert!(refused.len() == 1 && refused[0].contains("nonsense"), "{refused:?}");
}

/// Runs a client against a hub; it tells by itself what it missed.
pub(super) async fn is_content(mut command: Command, conf: &Conf) {
    let hub = Gateway::start(conf).await;
    command.env("HUB_URL", format!("http://{}/v1", hub.public)).env("HUB_KEY", KEY);
    let running = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = patiently_for_a_program("the client", running).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" passed, 0 failed"), "{said}");
}

/// A script of the repository in Python, with the clients it needs.
pub(super) fn python(script: &str) -> Command {
    let mut command = Command::new(installed("target/sdk-venv/bin/python"));
    command.arg(installed(script));
    command
}

fn anthropic_client() -> Command {
    python("tests/sdk/python/anthropic_client.py")
}

#[tokio::test]
async fn the_python_client_is_content() {
    run(python("tests/sdk/python/client.py")).await;
}

#[tokio::test]
async fn the_node_client_is_content() {
    run(node("tests/sdk/node/client.mjs", "openai")).await;
}

/// A script of the repository in JavaScript, with the client it needs.
pub(super) fn node(script: &str, client: &str) -> Command {
    installed(&format!("tests/sdk/node/node_modules/{client}"));
    let mut command = Command::new("node");
    command.arg(installed(script));
    command
}

fn anthropic_node_client() -> Command {
    node("tests/sdk/node/anthropic_client.mjs", "@anthropic-ai/sdk")
}

/// Runs a client against a vendor of its own dialect. Gives what that vendor refused.
async fn with_anthropic(command: Command) -> Vec<String> {
    let piece = json!({ "type": "text_delta", "text": "first" });
    let begun = anthropic::begin(anthropic::start(&anthropic::usage()), 0, &anthropic::text(""));
    let begun = anthropic::delta(begun, 0, &piece).hang();
    let upstream = Upstream::anthropic(anthropic::answer).await;
    let busy = Upstream::anthropic(|_| anthropic::throttled(7)).await;
    let endless = Upstream::anthropic(move |_| begun.clone()).await;
    let conf = Conf::of([
        Provider::anthropic("claude", &upstream),
        Provider::anthropic("throttled", &busy),
        Provider::anthropic("silent", &endless),
    ])
    .model("gpt", &["claude/claude-sonnet-4-5"], &[])
    .model("busy", &["throttled/claude-sonnet-4-5"], &[])
    .model("endless", &["silent/claude-sonnet-4-5"], &[]);
    is_content(command, &conf).await;
    endless.aborted().await;
    upstream.take_violations()
}

/// Runs a client against a vendor of OpenAI's dialect.
async fn with_any_other(command: Command) {
    let upstream = Upstream::realistic().await;
    let busy = Upstream::always(Reply::throttled(Some(7))).await;
    let endless = Upstream::always(Reply::sse().text("first").hang()).await;
    is_content(command, &conf(&upstream, &busy, &endless)).await;
    endless.aborted().await;
}

#[tokio::test]
async fn anthropics_python_client_is_content_with_its_own_vendor() {
    let refused = with_anthropic(anthropic_client()).await;
    assert!(refused.len() == 1 && refused[0].contains("role"), "{refused:?}");
}

#[tokio::test]
async fn anthropics_python_client_is_content_with_any_other_vendor() {
    with_any_other(anthropic_client()).await;
}

#[tokio::test]
async fn anthropics_node_client_is_content_with_its_own_vendor() {
    assert_eq!(with_anthropic(anthropic_node_client()).await, [""; 0]);
}

#[tokio::test]
async fn anthropics_node_client_is_content_with_any_other_vendor() {
    with_any_other(anthropic_node_client()).await;
}
