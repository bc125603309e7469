//! Tokens that somebody else issued.

use super::*;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ISSUER: &str = "https://idp.test";

/// An issuer with a key that can be changed, and a place that publishes it.
struct Idp {
    seed: Mutex<u8>,
    address: std::net::SocketAddr,
    asked: Arc<Mutex<u32>>,
}

impl Idp {
    async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let idp = Arc::new(Self { seed: Mutex::new(1), address, asked: Arc::default() });
        let own = Arc::clone(&idp);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 4096];
                let _ = stream.read(&mut head).await;
                let body = own.keys().to_string();
                *own.asked.lock().unwrap() += 1;
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        idp
    }

    fn pair(&self) -> (Ed25519KeyPair, u8) {
        let seed = *self.seed.lock().unwrap();
        (Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(), seed)
    }

    fn keys(&self) -> Value {
        let (pair, seed) = self.pair();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": format!("k{seed}"), "x": x, "use": "sig" }] })
    }

    fn token(&self, change: &Value) -> String {
        let (pair, seed) = self.pair();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({ "iss": ISSUER, "aud": "hub", "sub": "ann", "exp": now + 600, "org": "acme",
            "client_id": "notes", "scope": "models other" });
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let header = json!({ "alg": "EdDSA", "kid": format!("k{seed}") });
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn section(&self, more: &str) -> String {
        format!(
            "[[oauth.issuers]]\nissuer = {ISSUER:?}\naudience = [\"hub\"]\njwks_url = \"http://{}/keys\"\n\
             tenant_claim = \"org\"\nrequired_scope = \"models\"\nmodels_claim = \"models\"\n{more}\n",
            self.address
        )
    }
}

async fn started(idp: &Idp, upstream: &Upstream, more: &str) -> Gateway {
    let hub = Gateway::start(&conf(upstream).section(&idp.section(more))).await;
    let first = idp.token(&json!({}));
    hub.eventually("the keys to come", async || hub.call(&chat_by(&first, "gpt")).await.status() == 200)
        .await;
    hub
}

#[tokio::test]
async fn a_token_of_a_configured_issuer_is_as_good_as_a_key() {
    let (idp, upstream) = (Idp::start().await, Upstream::realistic().await);
    let hub = started(&idp, &upstream, "").await;
    let status = async |change: Value| hub.call(&chat_by(&idp.token(&change), "gpt")).await.status();
    assert_eq!(status(json!({})).await, 200);
    assert_eq!(status(json!({ "models": ["gpt"] })).await, 200);
    assert_eq!(status(json!({ "models": "other" })).await, 404);
    for wrong in [
        json!({ "aud": "elsewhere" }),
        json!({ "iss": "https://evil.test" }),
        json!({ "exp": 1 }),
        json!({ "nbf": 99_999_999_999_u64 }),
        json!({ "org": null }),
        json!({ "org": "a b" }),
        json!({ "sub": "" }),
    ] {
        assert_eq!(status(wrong.clone()).await, 401, "{wrong}");
    }
    let answer = hub.call(&chat_by(&idp.token(&json!({ "scope": "other" })), "gpt")).await;
    answer.expect_error(403, "insufficient_scope");
    let forged = idp.token(&json!({}));
    let (signed, _) = forged.rsplit_once('.').unwrap();
    hub.call(&chat_by(&format!("{signed}."), "gpt")).await.expect_error(401, "invalid_api_key");
    // Whatever its issuer says, it administers nothing; the refusal says what would.
    let refused = Api::bearer(&hub, &idp.token(&json!({ "scope": "models users:read" })));
    let refused = refused.call("GET", "/users", Value::Null).await.expect(401).json();
    assert!(text(&refused, "detail").contains("administers nothing"), "{refused}");
    let records = hub.ledger().await;
    let record = records.last().unwrap();
    assert_eq!(record["tenant"], "acme");
    let told = record.to_string();
    assert!(
        told.contains("\"ann\"") && told.contains("\"notes\""),
        "the books know person and program: {told}"
    );
}

#[tokio::test]
async fn tokens_that_name_unknown_keys_make_nobody_fetch_again_and_again() {
    let (idp, upstream) = (Idp::start().await, Upstream::realistic().await);
    let hub = started(&idp, &upstream, "").await;
    let old = idp.token(&json!({ "sub": "bob" }));
    hub.call(&chat_by(&old, "gpt")).await.expect(200);
    let before = *idp.asked.lock().unwrap();
    *idp.seed.lock().unwrap() = 9;
    let unknown = idp.token(&json!({}));
    for _ in 0..20 {
        hub.call(&chat_by(&unknown, "gpt")).await.expect_error(401, "invalid_api_key");
    }
    assert!(*idp.asked.lock().unwrap() <= before + 1);
}

#[tokio::test]
async fn limits_hold_for_each_subject() {
    let (idp, upstream) = (Idp::start().await, Upstream::realistic().await);
    let hub = started(&idp, &upstream, "requests_per_minute = 2").await;
    let by = async |sub: &str, nonce: u32| {
        let token = idp.token(&json!({ "sub": sub, "jti": nonce }));
        hub.call(&chat_by(&token, "gpt")).await.status()
    };
    // Each token is another one, and the subject is the same.
    assert_eq!((by("bob", 1).await, by("bob", 2).await, by("bob", 3).await), (200, 200, 429));
    assert_eq!(by("eve", 1).await, 200);
    // Nor does a change of what is managed give a new minute.
    Api::operator(&hub).make("/keys", json!({})).await;
    assert_eq!(by("bob", 4).await, 429);
}

#[tokio::test]
async fn a_file_of_keys_is_read_with_the_configuration_and_faults_are_told_at_once() {
    let (idp, upstream) = (Idp::start().await, Upstream::realistic().await);
    let section = |file: &str| {
        format!(
            "[[oauth.issuers]]\nissuer = {ISSUER:?}\naudience = [\"hub\"]\njwks_file = {file:?}\ntenant = \"acme\"\n"
        )
    };
    let good = conf(&upstream).file("keys.json", &idp.keys().to_string()).section(&section("keys.json"));
    let hub = Gateway::start(&good).await;
    hub.call(&chat_by(&idp.token(&json!({})), "gpt")).await.expect(200);
    let bad = format!(
        "[oauth]\nissuer = \"https://hub.test/path\"\ncode = \"1h\"\n{}algorithms = [\"none\", \"HS256\"]\ntenant_claim = \"org\"\n\
         [[oauth.issuers]]\nissuer = \"b\"\naudience = []\njwks_url = \"http://idp.test/keys\"\n",
        section("nothing.json")
    );
    let output = Gateway::refuses(&conf(&upstream).section(&bad)).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for wanted in [
        "scheme, host and port",
        "10m",
        "\"none\"",
        "\"HS256\"",
        "nothing.json",
        "tenant says already",
        "audience",
        "must be https",
        "tenant_claim",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}
