//! The published OpenAPI document: valid, and true under fire.

use super::*;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that `make sdk` has put there.
fn installed(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/sdk-venv/bin").join(name);
    assert!(path.exists(), "{} is missing: run `make sdk` first", path.display());
    path
}

async fn run(mut command: Command) -> String {
    let running = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = patiently_for_a_program("the program", running).await.unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    said
}

#[tokio::test]
async fn the_document_is_valid_openapi() {
    let hub = Gateway::start(&Conf::of([Provider::simulator("mock")])).await;
    let document = Api::operator(&hub).get("/openapi.json").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let mut command = Command::new(installed("openapi-spec-validator"));
    command.arg(&file);
    run(command).await;
    // The command line prints the same one.
    let mut command = Command::new(env!("CARGO_BIN_EXE_aigne-hub"));
    command.arg("openapi");
    assert_eq!(serde_json::from_str::<Value>(&run(command).await).unwrap(), document);
}

#[tokio::test]
async fn no_request_makes_the_hub_fail() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream).variable("AIGNE_HUB_MASTER_KEY", &"07".repeat(32));
    let hub = Gateway::start(&conf).await;
    let token = std::fs::read_to_string(hub.home().data().join("admin.token")).unwrap();
    let root = format!("http://{}{ROOT}", hub.admin);
    // What it remembers between runs is of no use here.
    let folder = tempfile::tempdir().unwrap();
    // One method that no path takes stands for all of them: they are refused in one place.
    let settings = "[phases.coverage]\nunexpected-methods = [\"trace\"]\n";
    std::fs::write(folder.path().join("schemathesis.toml"), settings).unwrap();
    let mut command = Command::new(installed("schemathesis"));
    command
        .current_dir(folder.path())
        .args(["run", &format!("{root}/openapi.json"), "--url", &root])
        .args(["-H", &format!("Authorization: Bearer {}", token.trim())])
        .args(["--checks", "not_a_server_error,content_type_conformance,response_schema_conformance"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "1", "--seed", "7", "--no-color"])
        // With more than one, Python 3.11 now and then stumbles over its own parser (cpython#106905).
        .args(["--workers", "1"]);
    run(command).await;
    let said = hub.said();
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(Api::operator(&hub).get("/audit/verify").await["sound"], true);
}
