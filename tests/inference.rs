//! A real inference server as the vendor: llama.cpp, with a model of random
//! weights. What it says is nonsense; how it says it is not ours to script.

use super::support::conf::KEY;
use super::support::*;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The key that the server demands; the harness gives it to credential `a`.
const SERVER_KEY: &str = vendor::CREDENTIALS[0];

/// The running server; dropping it closes its input, which ends it.
struct Server {
    address: String,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn python() -> Command {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/sdk-venv/bin/python");
    assert!(path.exists(), "{} is missing: run `make sdk` first", path.display());
    Command::new(path)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(name)
}

/// Writes the model and starts the server; returns when it answers.
fn start(directory: &Path) -> Server {
    let model = directory.join("tiny.gguf");
    let made = python().arg(script("make_tiny_model.py")).arg(&model).status().unwrap();
    assert!(made.success(), "no model was written");
    let mut child = python()
        .arg(script("inference_server.py"))
        .args([model.as_os_str(), SERVER_KEY.as_ref()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.map_while(Result::ok).find(|line| line.contains("\"ready\""));
    let ready: Value = serde_json::from_str(&ready.expect("the inference server did not start")).unwrap();
    Server { address: ready["address"].as_str().unwrap().to_owned(), child }
}

fn ask(stream: bool) -> Request {
    let mut body = json!({
        "model": "tiny", "max_tokens": 12, "seed": 7,
        "messages": [{ "role": "user", "content": "Say something." }],
    });
    if stream {
        body["stream"] = json!(true);
        body["stream_options"] = json!({ "include_usage": true });
    }
    Request::post("/v1/chat/completions", &body).key(KEY)
}

#[tokio::test]
async fn a_real_inference_server_is_a_vendor_like_any_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let starting = tokio::task::spawn_blocking(move || start(&path));
    let server = patiently_for_a_program("the inference server", starting).await.unwrap();
    let provider = Provider::new("llama", &format!("{}/v1", server.address));
    let hub = Gateway::start(&Conf::of([provider]).model("tiny", &["llama/tiny"], &[])).await;

    let answer = hub.call(&ask(false)).await.expect(200).json();
    let usage = &answer["usage"];
    assert!(usage["prompt_tokens"].as_u64().unwrap() > 10, "{answer}");
    assert!((1..=12).contains(&usage["completion_tokens"].as_u64().unwrap()), "{answer}");

    let stream = hub.call(&ask(true)).await.expect(200).stream();
    assert!(stream.done && stream.error.is_none() && stream.finish.is_some(), "{stream:?}");
    let usage = stream.usage.expect("the stream's usage was asked for");
    let streamed = usage["completion_tokens"].clone();

    let books = hub.ledger().await;
    assert_eq!(books.len(), 2, "{books:?}");
    assert_eq!(books[1]["usage"]["output"], streamed);
    assert_eq!(books[0]["usage_source"], "provider");
}
