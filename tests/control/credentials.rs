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
    // Bedrock has no list of models where it answers, and any other call would cost.
    let tested = api.call("POST", &format!("{path}/test"), Value::Null).await.expect(409).json();
    assert_eq!(text(&tested, "detail"), "the vendor has no call that costs nothing");
    assert_eq!(upstream.take_violations(), Vec::<String>::new());
    // The type stays with the secret; a new pair replaces the old one.
    api.call("PATCH", &path, json!({ "type": "api_key" })).await.expect(422);
    let next = json!({ "access_key_id": format!("{}a", bedrock::KEY_ID), "secret_access_key": "wrong-canary-secret" });
    api.call("PATCH", &path, next).await.expect(200);
    hub.call(&chat()).await.expect(502);
    let refused = upstream.take_violations();
    assert!(refused.len() == 1 && refused[0].contains("signature"), "{refused:?}");
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
