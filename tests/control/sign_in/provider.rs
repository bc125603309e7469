//! A provider that says what a test wants it to say, true or not.

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

/// What it says next.
#[derive(Clone)]
pub struct Lines {
    pub header: Value,
    /// Over the ordinary claims; `null` takes one out.
    pub claims: Value,
    /// Name of the key that is published and signs.
    pub kid: String,
    /// Signs with a key that is not the published one.
    pub forged: bool,
    /// As it calls itself in its metadata.
    pub calls_itself: Option<String>,
    /// What the token endpoint refuses with.
    pub refuses: Option<&'static str>,
}

/// See the module.
#[derive(Clone)]
pub struct Scripted {
    pub issuer: String,
    lines: Arc<Mutex<Lines>>,
    nonce: Arc<Mutex<String>>,
    /// Bodies that came to the token endpoint.
    pub exchanges: Arc<Mutex<Vec<String>>>,
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

impl Scripted {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let op = Self {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            lines: Arc::new(Mutex::new(Lines::true_ones())),
            nonce: Arc::default(),
            exchanges: Arc::default(),
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(keys))
            .route("/token", post(token))
            .with_state(op.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        op
    }

    /// Says this from now on, in a sign-in that was begun with this nonce.
    pub fn says(&self, nonce: &str, lines: Lines) {
        *self.nonce.lock().unwrap() = nonce.to_owned();
        *self.lines.lock().unwrap() = lines;
    }
}

impl Lines {
    /// The truth about Ann.
    pub fn true_ones() -> Self {
        Self {
            header: json!({}),
            claims: json!({}),
            kid: "one".into(),
            forged: false,
            calls_itself: None,
            refuses: None,
        }
    }

    pub fn claims(claims: Value) -> Self {
        Self { claims, ..Self::true_ones() }
    }
}

async fn metadata(State(op): State<Scripted>) -> Json<Value> {
    let base = &op.issuer;
    let issuer = op.lines.lock().unwrap().calls_itself.clone().unwrap_or_else(|| base.clone());
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{base}/auth?tenant=1"),
        "token_endpoint": format!("{base}/token"),
        "jwks_uri": format!("{base}/jwks"),
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn keys(State(op): State<Scripted>) -> Json<Value> {
    let kid = op.lines.lock().unwrap().kid.clone();
    let seed = kid.len().to_le_bytes()[0];
    Json(json!({ "keys": [
        { "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": encoded(key(seed).public_key()) },
    ] }))
}

async fn token(State(op): State<Scripted>, body: String) -> (axum::http::StatusCode, Json<Value>) {
    op.exchanges.lock().unwrap().push(body);
    let lines = op.lines.lock().unwrap().clone();
    if let Some(error) = lines.refuses {
        return (axum::http::StatusCode::BAD_REQUEST, Json(json!({ "error": error })));
    }
    let mut header = json!({ "alg": "EdDSA", "kid": lines.kid });
    merge(&mut header, &lines.header);
    let mut claims = json!({
        "iss": op.issuer, "sub": "ann", "aud": "hub", "exp": now() + 300, "iat": now(),
        "nonce": *op.nonce.lock().unwrap(),
        "email": "ann@corp.test", "email_verified": true, "name": "Ann",
    });
    merge(&mut claims, &lines.claims);
    let signed = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
    let seed = if lines.forged { 99 } else { lines.kid.len().to_le_bytes()[0] };
    let signature = match header["alg"].as_str() {
        Some("none") => String::new(),
        Some("HS256") => {
            let public = key(seed);
            let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public.public_key().as_ref());
            encoded(ring::hmac::sign(&secret, signed.as_bytes()))
        }
        _ => encoded(key(seed).sign(signed.as_bytes())),
    };
    let tokens =
        json!({ "id_token": format!("{signed}.{signature}"), "access_token": "at", "token_type": "Bearer" });
    (axum::http::StatusCode::OK, Json(tokens))
}

fn merge(into: &mut Value, more: &Value) {
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => drop(into.as_object_mut().unwrap().remove(name)),
            value => into[name] = value.clone(),
        }
    }
}
