//! Vendors' secrets: kept under a master key, sent to the vendor, and nowhere
//! else to be found.

use super::*;
use std::path::Path;

const MASTER: &str = "AIGNE_HUB_MASTER_KEY";

/// Something in a file of the data folder?
pub fn in_files(folder: &Path, needle: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(in_files(&path, needle));
        } else if std::fs::read(&path)
            .unwrap()
            .windows(needle.len())
            .any(|window| window == needle.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

/// A provider at this vendor, managed; its id.
async fn provider(api: &Api<'_>, upstream: &Upstream) -> String {
    let body = json!({ "name": "managed", "vendor": "openai-compatible", "base_url": upstream.base_url() });
    text(&api.make("/providers", body).await, "id").to_owned()
}

#[tokio::test]
async fn a_managed_provider_serves_and_its_secret_is_nowhere_to_be_found() {
    let upstream = Upstream::realistic().await;
    let canary = vendor::CREDENTIALS.iter().find(|known| known.ends_with("-b")).unwrap();
    let conf = Conf::of([Provider::simulator("mock")]).variable(MASTER, &"07".repeat(32));
    let hub = Gateway::start(&conf).await;
    let api = Api::operator(&hub);
    let id = provider(&api, &upstream).await;
    let body = json!({ "provider": id, "name": "b", "secret": canary });
    let credential = api.make("/credentials", body.clone()).await;
    api.call("POST", "/credentials", body).await.expect(422);
    let model = json!({ "name": "far", "targets": [{ "model": "managed/gpt-4o", "weight": 3 }] });
    api.make("/models", model).await;
    let key = api.make("/keys", json!({})).await;
    let answer = hub.call(&chat_by(text(&key, "secret"), "far")).await.expect(200);
    assert!(!answer.text().is_empty());
    assert_eq!(upstream.take_violations(), Vec::<String>::new());

    let path = format!("/credentials/{}", text(&credential, "id"));
    let tested = api.call("POST", &format!("{path}/test"), Value::Null).await.expect(200);
    let mut said = vec![tested.body.to_vec()];
    for path in
        ["/credentials", "/providers", "/audit?limit=1000", "/vault", "/left-out", "/openapi.json", &path]
    {
        said.push(api.call("GET", path, Value::Null).await.expect(200).body.to_vec());
    }
    said.push(api.call("GET", "/audit/export", Value::Null).await.expect(200).body.to_vec());
    // A wrong secret, and mistakes around it, are told without it.
    let wrong = "sk-wrong-canary-00112233445566778899";
    for body in [
        json!({ "secret": wrong, "weight": "x" }),
        json!({ "secret": [wrong] }),
        json!({ "secret": wrong, "weight": 0 }),
    ] {
        said.push(api.call("PATCH", &path, body).await.expect(422).body.to_vec());
    }
    api.call("PATCH", &path, json!({ "secret": wrong })).await.expect(200);
    let refused = api.call("POST", &format!("{path}/test"), Value::Null).await.expect(200);
    assert_eq!(
        (&refused.json()["works"], &refused.json()["status"]),
        (&json!(false), &json!(401)),
        "{refused:?}"
    );
    hub.call(&chat_by(text(&key, "secret"), "far")).await.expect(502);
    let health = api.get(&path).await["health"].clone();
    assert_eq!(
        (text(&health, "state"), text(&health["last_failure"], "reason")),
        ("rejected", "refused the credential")
    );
    assert_eq!(upstream.take_violations().len(), 2, "the test and the chat with the wrong secret");
    said.push(refused.body.to_vec());
    said.push(hub.metrics().await.0.into_bytes());
    said.push(hub.said().into_bytes());
    let home = hub.home();
    let password = json!({ "email": "p@hub.test", "role": "guest", "password": "password-canary-1234" });
    api.make("/users", password).await;
    hub.stop().await;
    let key_secret = text(&key, "secret").to_owned();
    for needle in [canary, wrong, "password-canary-1234", &key_secret] {
        for text in &said {
            assert!(!text.windows(needle.len()).any(|window| window == needle.as_bytes()), "{needle}");
        }
        assert_eq!(in_files(&home.data(), needle), Vec::<String>::new(), "{needle}");
    }
}

#[tokio::test]
async fn without_a_master_key_no_secret_is_stored() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::of([Provider::simulator("mock")])).await;
    let api = Api::operator(&hub);
    let id = provider(&api, &upstream).await;
    let refused = api
        .call("POST", "/credentials", json!({ "provider": id, "name": "a", "secret": "sk-canary-1" }))
        .await;
    assert!(refused.expect(409).json()["detail"].as_str().unwrap().contains(MASTER));
    let bad = Conf::of([Provider::simulator("mock")]).variable(MASTER, "short");
    let output = Gateway::refuses(&bad).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("master_key") && said.contains("32 bytes") && !said.contains("short"), "{said}");
}

#[tokio::test]
async fn a_master_key_is_replaced_while_the_hub_runs() {
    let upstream = Upstream::realistic().await;
    let canary = vendor::CREDENTIALS.iter().find(|known| known.ends_with("-a")).unwrap();
    let old = "master_key = { file = \"old.key\" }";
    let base = |lines: &[&str]| {
        let conf = Conf::of([Provider::simulator("mock")])
            .file("old.key", &"01".repeat(32))
            .file("print-key", &format!("#!/bin/sh\necho {}\n", "02".repeat(32)));
        lines.iter().fold(conf, |conf, line| conf.set("control", line))
    };
    let hub = Gateway::start(&base(&[old])).await;
    let api = Api::operator(&hub);
    let id = provider(&api, &upstream).await;
    api.make("/credentials", json!({ "provider": id, "name": "a", "secret": canary })).await;
    let key = api.make("/keys", json!({})).await;
    let works = async || hub.call(&chat_by(text(&key, "secret"), "managed/gpt-4o")).await.expect(200);
    works().await;
    let first = text(&api.get("/vault").await, "master_key").to_owned();
    let both = base(&[
        "master_key = { command = [\"sh\", \"print-key\"] }",
        "old_master_keys = [{ file = \"old.key\" }]",
    ]);
    hub.home().write(&both);
    api_reload(&hub, &api).await;
    let second = text(&api.get("/vault").await, "master_key").to_owned();
    assert_ne!(first, second);
    works().await;
    let moved = api.call("POST", "/vault/rewrap", Value::Null).await.expect(200).json();
    assert_eq!((&moved["rewrapped"], text(&moved, "master_key")), (&json!(1), second.as_str()));
    hub.home().write(&base(&["master_key = { command = [\"sh\", \"print-key\"] }"]));
    api_reload(&hub, &api).await;
    works().await;
    assert_eq!(api.get("/vault").await["secrets"], json!({ second: 1 }));
}

/// Reads the configuration again and waits until it is in force.
async fn api_reload(hub: &Gateway, api: &Api<'_>) {
    let mut request = api.request("POST", "", &Value::Null);
    request = Request::new("POST", "/admin/reload").header("authorization", &bearer(&request));
    hub.admin(&request).await.expect(200);
}

/// The token that a request carries.
fn bearer(request: &Request) -> String {
    let head = String::from_utf8(request.head()).unwrap();
    head.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap().to_owned()
}
