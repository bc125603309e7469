//! Credentials by the API that are more than one text: pairs of AWS's keys; and providers with a CA
//! of their own. What is told of their health.

use super::*;
use crate::support::upstream::http2::SecureUpstream;

fn conf() -> Conf {
    Conf::of([Provider::simulator("mock")]).variable("AIGNE_HUB_MASTER_KEY", &"07".repeat(32))
}

const NOVA: &str = "amazon.nova-lite-v1:0";

#[tokio::test]
async fn a_pair_of_keys_signs_and_is_nowhere_to_be_found() {
    let upstream = Upstream::bedrock(bedrock::answer).await;
    let hub = Gateway::start(&conf()).await;
    let api = Api::operator(&hub);
    let body = json!({ "name": "aws", "vendor": "bedrock", "base_url": upstream.root_url(), "region": bedrock::REGION });
    let provider = api.make("/providers", body).await;
    let wrong = async |body: Value| {
        let mut body = body;
        body["provider"] = provider["id"].clone();
        body["name"] = json!("x");
        let problem = api.call("POST", "/credentials", body).await.expect(422).json();
        text(&problem["errors"][0], "field").to_owned()
    };
    let (id, secret) = (bedrock::LENT.0, vendor::CREDENTIALS[0]);
    assert_eq!(wrong(json!({ "type": "access_key_pair", "secret": "sk-x" })).await, "access_key_id");
    assert_eq!(wrong(json!({ "type": "access_key_pair", "access_key_id": id })).await, "secret_access_key");
    assert_eq!(wrong(json!({ "access_key_id": id, "secret_access_key": secret })).await, "type");
    assert_eq!(
        wrong(json!({ "access_key_id": id, "secret_access_key": secret, "secret": "s" })).await,
        "secret"
    );
    assert_eq!(
        wrong(json!({ "type": "access_key_pair", "access_key_id": [1], "secret_access_key": "s" })).await,
        "access_key_id"
    );
    let body = json!({ "provider": provider["id"], "name": "lent", "type": "access_key_pair",
        "access_key_id": id, "secret_access_key": secret, "session_token": bedrock::LENT.1 });
    let credential = api.make("/credentials", body).await;
    let path = format!("/credentials/{}", text(&credential, "id"));
    let mut said = credential.to_string();
    let key = api.make("/keys", json!({})).await;
    let chat = || chat_by(text(&key, "secret"), &format!("aws/{NOVA}"));
    assert_eq!(hub.call(&chat()).await.expect(200).text(), vendor::TEXT);
    // Bedrock answers no question where it answers chats, so it is asked for one token.
    let tested = api.call("POST", &format!("{path}/test"), Value::Null).await.expect(200).json();
    assert_eq!((&tested["works"], &tested["status"]), (&json!(true), &json!(200)), "{tested}");
    let asked = upstream.seen().pop().unwrap();
    assert!(asked.path.ends_with("/converse"), "{}", asked.path);
    assert_eq!(asked.json()["inferenceConfig"], json!({ "maxTokens": 1 }));
    assert_eq!(upstream.take_violations(), Vec::<String>::new());
    // The type stays with the secret; a new pair replaces the old one.
    api.call("PATCH", &path, json!({ "type": "api_key" })).await.expect(422);
    let next = json!({ "access_key_id": format!("{}a", bedrock::KEY_ID), "secret_access_key": "wrong-canary-secret" });
    api.call("PATCH", &path, next).await.expect(200);
    hub.call(&chat()).await.expect(502);
    let tested = api.call("POST", &format!("{path}/test"), Value::Null).await.expect(200).json();
    assert_eq!((&tested["works"], &tested["status"]), (&json!(false), &json!(403)), "{tested}");
    said.push_str(&tested.to_string());
    let refused = upstream.take_violations();
    assert!(refused.len() == 2 && refused[0].contains("signature"), "{refused:?}");
    let health = api.get("/health").await;
    let own = health["credentials"].as_array().unwrap().iter().find(|one| one["id"] == "aws/lent").unwrap();
    assert_eq!(
        (text(own, "state"), text(&own["last_failure"], "reason")),
        ("rejected", "refused the credential")
    );
    for path in ["/credentials", "/audit?limit=1000", "/health", &path] {
        said.push_str(&api.get(path).await.to_string());
    }
    said.push_str(&hub.said());
    for needle in [secret, bedrock::LENT.1, "wrong-canary-secret", id] {
        assert!(!said.contains(needle), "{needle}");
    }
    let output = on_line(&hub, &["health"]).await;
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = table.lines().find(|line| line.starts_with("aws/lent")).unwrap_or_else(|| panic!("{output:?}"));
    assert!(row.contains("rejected") && row.contains("refused the credential, "), "{row}");
    let output = on_line(&hub, &["health", "--json"]).await;
    let health: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(health["credentials"].as_array().unwrap().iter().any(|one| one["id"] == "aws/lent"), "{health}");
    // Another vendor takes no pair.
    let other = api.make("/providers", json!({ "name": "o", "vendor": "openai" })).await;
    let body = json!({ "provider": other["id"], "name": "a", "type": "access_key_pair", "access_key_id": "a", "secret_access_key": "b" });
    let problem = api.call("POST", "/credentials", body).await.expect(422).json();
    assert_eq!(text(&problem["errors"][0], "field"), "type");
}

#[tokio::test]
async fn a_provider_with_a_ca_of_its_own_is_spoken_to_over_http2() {
    let upstream = SecureUpstream::bedrock().await;
    let hub = Gateway::start(&conf()).await;
    let api = Api::operator(&hub);
    let ca = std::fs::read_to_string(upstream.ca_file()).unwrap();
    let body = json!({ "name": "aws", "vendor": "bedrock", "base_url": upstream.root_url(), "region": bedrock::REGION, "http2": "always" });
    let provider = api.make("/providers", body).await;
    let path = format!("/providers/{}", text(&provider, "id"));
    let problem = api.call("PATCH", &path, json!({ "ca": "no certificate" })).await.expect(422).json();
    assert_eq!(text(&problem["errors"][0], "field"), "ca", "{problem}");
    api.call("PATCH", &path, json!({ "connect_proxy": "https://proxy" })).await.expect(422);
    let body = json!({ "provider": provider["id"], "name": "a", "type": "access_key_pair",
        "access_key_id": format!("{}a", bedrock::KEY_ID), "secret_access_key": vendor::CREDENTIALS[0] });
    api.make("/credentials", body).await;
    let key = api.make("/keys", json!({})).await;
    let chat = || chat_by(text(&key, "secret"), &format!("aws/{NOVA}"));
    hub.call(&chat()).await.expect(502);
    api.call("PATCH", &path, json!({ "ca": ca })).await.expect(200);
    // The provider rests for a moment after the handshakes that failed.
    hub.eventually("the provider to be asked", async || hub.call(&chat()).await.status() == 200).await;
    assert!(!upstream.seen().is_empty());
}

/// Each vendor with its base, the call that tries a credential, and where that shows its key.
const TRIALS: &[(&str, &str, &str, &str)] = &[
    ("openai", "/v1", "/v1/models", "authorization"),
    ("anthropic", "/v1", "/v1/models?limit=1", "x-api-key"),
    ("gemini", "", "/v1beta/models?pageSize=1", "x-goog-api-key"),
    ("deepseek", "/v1", "/v1/models", "authorization"),
    ("openrouter", "/api/v1", "/api/v1/key", "authorization"),
    ("xai", "/v1", "/v1/models", "authorization"),
    ("doubao", "/api/v3", "/api/v3/contents/generations/tasks?page_num=1&page_size=1", "authorization"),
    ("poe", "/v1", "/usage/current_balance", "authorization"),
    ("ollama", "/v1", "/v1/models", "authorization"),
    ("ollama-native", "", "/api/tags", "authorization"),
];

#[tokio::test]
async fn every_vendors_credential_is_tried_by_a_call_that_needs_it() {
    let upstream = Upstream::checked(
        |_| Ok(()),
        |seen| {
            let headers = ["authorization", "x-api-key", "x-goog-api-key"];
            let shown = headers.iter().find_map(|name| seen.header(name)).unwrap_or_default();
            match shown.trim_start_matches("Bearer ") {
                "sk-good" => Reply::json(200, &json!({ "data": [] })),
                other => Reply::error(401, "auth", "invalid_api_key", &format!("No such key: {other}")),
            }
        },
    )
    .await;
    let hub = Gateway::start(&conf()).await;
    let api = Api::operator(&hub);
    for (vendor, base, path, header) in TRIALS {
        let base = format!("{}{base}", upstream.root_url());
        let name = format!("p-{vendor}");
        let provider =
            api.make("/providers", json!({ "name": name, "vendor": vendor, "base_url": base })).await;
        for (name, secret, status) in [("good", "sk-good", 200), ("bad", "sk-canary", 401)] {
            let body = json!({ "provider": provider["id"], "name": name, "secret": secret });
            let credential = api.make("/credentials", body).await;
            let test = format!("/credentials/{}/test", text(&credential, "id"));
            let said = api.call("POST", &test, Value::Null).await.expect(200).json();
            assert_eq!(
                (&said["works"], &said["status"]),
                (&json!(status == 200), &json!(status)),
                "{vendor}: {said}"
            );
            assert!(!said.to_string().contains("canary"), "{said}");
            assert_eq!(said.to_string().contains("No such key"), status == 401, "{said}");
            let seen = upstream.seen().pop().unwrap();
            assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", *path), "{vendor}");
            assert!(seen.header(header).is_some_and(|value| value.ends_with(secret)), "{vendor}: {seen:?}");
        }
    }
}
