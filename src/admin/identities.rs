//! Talks with providers of identities: what they say of themselves, their keys, and what a code is
//! worth. What all of it means is decided in `control`.

use crate::config::SignInProvider;
use crate::control::{Beginning, Claims, Expected, FlowKey, Jwks, Metadata, Refusal, verify_id_token};
use crate::fetch::{Ask, Bounds, Client, Reach};
use crate::types::{Clock, Secret, Wall};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use base64::Engine;
use parking_lot::Mutex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How long what a provider says of itself, and its keys, are believed without asking again.
const FRESH: Duration = Duration::from_secs(60 * 60);

/// A person waits for the answer.
const BOUNDS: Bounds =
    Bounds { connect: Duration::from_secs(5), answer: Duration::from_secs(10), largest: Some(1 << 20) };

/// Everything but what no URL has to encode.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// See the module.
pub(super) struct Identities {
    /// Makes what binds a sign-in to its browser.
    pub(super) flow: FlowKey,
    known: Mutex<HashMap<String, Arc<Known>>>,
    client: Client,
}

struct Known {
    metadata: Metadata,
    keys: Jwks,
    at: Wall,
}

/// What the token endpoint gives.
#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    #[serde(default)]
    access_token: Option<String>,
}

/// What it says when it gives nothing.
#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl Identities {
    /// With a fresh key.
    ///
    /// # Errors
    /// The machine has no randomness.
    pub(super) fn new(client: Client) -> Result<Self, String> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| format!("no randomness: {error}"))?;
        Ok(Self { flow: FlowKey::new(random), known: Mutex::default(), client })
    }

    /// Where a person is sent to sign in.
    ///
    /// # Errors
    /// The provider cannot be asked, for the log.
    pub(super) async fn address(
        &self,
        provider: &SignInProvider,
        redirect: &str,
        beginning: &Beginning,
        now: Wall,
    ) -> Result<String, String> {
        let known = self.known(provider, now, false).await?;
        let endpoint = &known.metadata.authorization_endpoint;
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &provider.client_id),
            ("redirect_uri", redirect),
            ("scope", &provider.scopes.join(" ")),
            ("state", &beginning.state),
            ("nonce", &beginning.nonce),
            ("code_challenge", &beginning.challenge()),
            ("code_challenge_method", "S256"),
        ]);
        Ok(format!("{endpoint}{joint}{query}"))
    }

    /// Who somebody is that came back with a code. `issuer` is what came with it (RFC 9207).
    ///
    /// # Errors
    /// Why it is not known, for the log.
    pub(super) async fn redeem(
        &self,
        provider: &SignInProvider,
        (redirect, code, issuer): (&str, &str, Option<&str>),
        beginning: &Beginning,
        clock: &Clock,
    ) -> Result<Claims, String> {
        let known = self.known(provider, clock.wall(), false).await?;
        let named = known.metadata.authorization_response_iss_parameter_supported;
        if issuer.map_or(named, |issuer| issuer != provider.issuer) {
            return Err("the answer comes from another issuer than was asked".to_owned());
        }
        let tokens = self.exchange(provider, &known.metadata, (redirect, code), &beginning.verifier).await?;
        let verified = |keys: &Jwks| {
            let expected = Expected {
                issuer: &provider.issuer,
                client_id: &provider.client_id,
                nonce: &beginning.nonce,
                access_token: tokens.access_token.as_deref(),
                now: clock.wall(),
            };
            verify_id_token(&tokens.id_token, keys, &expected)
        };
        let claims = match verified(&known.keys) {
            // The provider may have changed its keys since; it is asked once.
            Err(Refusal::UnknownKey) => verified(&self.known(provider, clock.wall(), true).await?.keys),
            other => other,
        };
        let mut claims = claims.map_err(|refusal| format!("the ID token: {refusal}"))?;
        let lacks =
            !claims.has("email") || (!provider.groups.is_empty() && !claims.has(&provider.groups_claim));
        if let (true, Some(url), Some(token)) =
            (lacks, &known.metadata.userinfo_endpoint, &tokens.access_token)
        {
            let bearer = secret_header(&format!("Bearer {token}"))?;
            let text = self.get(url, provider, Some(bearer)).await?;
            claims.add_userinfo(&text).map_err(str::to_owned)?;
        }
        Ok(claims)
    }

    /// What the provider says of itself, and its keys.
    async fn known(&self, provider: &SignInProvider, now: Wall, anew: bool) -> Result<Arc<Known>, String> {
        let issuer = &provider.issuer;
        let held = self.known.lock().get(issuer).cloned();
        if let Some(known) = held.filter(|known| !anew && known.at.after(FRESH) > now) {
            return Ok(known);
        }
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let metadata = Metadata::parse(issuer, &self.get(&url, provider, None).await?)?;
        let keys = Jwks::parse(&self.get(&metadata.jwks_uri, provider, None).await?);
        let keys = keys.ok_or_else(|| format!("{}: holds no keys", metadata.jwks_uri))?;
        let known = Arc::new(Known { metadata, keys, at: now });
        self.known.lock().insert(issuer.clone(), Arc::clone(&known));
        Ok(known)
    }

    async fn get(
        &self,
        url: &str,
        provider: &SignInProvider,
        authorization: Option<HeaderValue>,
    ) -> Result<Vec<u8>, String> {
        let mut headers = vec![(header::ACCEPT, HeaderValue::from_static("application/json"))];
        headers.extend(authorization.map(|value| (header::AUTHORIZATION, value)));
        match self.fetch(Method::GET, url, (headers, Vec::new()), provider.ca.as_deref()).await? {
            (StatusCode::OK, body) => Ok(body),
            (status, _) => Err(format!("{url}: answered {status}")),
        }
    }

    async fn fetch(
        &self,
        method: Method,
        url: &str,
        (headers, body): (Vec<(HeaderName, HeaderValue)>, Vec<u8>),
        ca: Option<&[Vec<u8>]>,
    ) -> Result<(StatusCode, Vec<u8>), String> {
        let ask = Ask { method, url, headers, body, ca, reach: Reach::Anywhere, bounds: BOUNDS };
        let answer = self.client.ask(ask).await.map_err(|error| format!("{url}: {error}"))?;
        Ok((answer.status, answer.body))
    }

    /// Turns a code into tokens.
    async fn exchange(
        &self,
        provider: &SignInProvider,
        metadata: &Metadata,
        (redirect, code): (&str, &str),
        verifier: &str,
    ) -> Result<Tokens, String> {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        let mut headers = vec![
            (header::ACCEPT, HeaderValue::from_static("application/json")),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
        ];
        match &provider.client_secret {
            Some(secret) if provider.secret_in_body.unwrap_or_else(|| metadata.wants_secret_in_body()) => {
                fields
                    .extend([("client_id", provider.client_id.as_str()), ("client_secret", secret.expose())]);
            }
            Some(secret) => headers.push((header::AUTHORIZATION, basic(&provider.client_id, secret)?)),
            None => fields.push(("client_id", &provider.client_id)),
        }
        let (url, ca) = (&metadata.token_endpoint, provider.ca.as_deref());
        let (status, body) = self.fetch(Method::POST, url, (headers, form(&fields).into_bytes()), ca).await?;
        if status != StatusCode::OK {
            // Only the code of the error: it is of a fixed form, and nothing else of the answer is.
            let why =
                serde_json::from_slice::<Refused>(&body).map(|refused| refused.error).unwrap_or_default();
            let why: String = why.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(60).collect();
            return Err(format!("{url}: answered {status} {why}"));
        }
        serde_json::from_slice(&body).map_err(|_| format!("{url}: gave no ID token"))
    }
}

/// `client_secret_basic`: both parts are encoded like a form's before they are joined (RFC 6749).
fn basic(client: &str, secret: &Secret) -> Result<HeaderValue, String> {
    let pair = format!("{}:{}", encoded(client), encoded(secret.expose()));
    secret_header(&format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
}

fn secret_header(text: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(text).map_err(|_| "has characters that no header may have")?;
    value.set_sensitive(true);
    Ok(value)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    pairs.join("&")
}
