//! The cheapest real call: asks a vendor for its models with one credential,
//! so that a person learns whether it works, in the vendor's own words.

use super::Plane;
use super::outgoing::{authority, authorization};
use super::upstream::{Broken, Outgoing, Reading};
use crate::config::Provider;
use crate::types::Op;
use http::{HeaderName, HeaderValue, Method, header};
use std::time::Duration;

/// How long the whole call may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// So much of the answer is read; a person reads less.
const MOST_BYTES: usize = 4_096;

/// What a vendor said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its status; none when it could not be reached.
    pub status: Option<u16>,
    /// The beginning of its answer, or why there is none; without the secret.
    pub words: String,
}

/// Makes the call. Counts neither for health nor for the books, because no caller asked for it.
///
/// # Errors
/// When the provider has no such credential, or its vendor no call that costs nothing.
pub async fn probe(plane: &Plane, provider: &str, credential: &str) -> Result<Said, String> {
    let snapshot = plane.snapshot.load_full();
    let provider = snapshot.providers.get(provider).ok_or("the provider is not in force")?;
    let wanted = format!("{}/{credential}", provider.name);
    let index = provider.credentials.iter().position(|held| held.id.as_str() == wanted);
    let index = index.ok_or("the credential is not in force: switched off, expired, or it does not open")?;
    let path = provider.vendor.path(Op::Models).ok_or("the vendor has no call that costs nothing")?;
    let said = match tokio::time::timeout(PATIENCE, ask(plane, provider, index, path)).await {
        Ok(Ok(said)) => said,
        Ok(Err(broken)) => Said { status: None, words: words_of(broken) },
        Err(_) => Said { status: None, words: format!("no answer within {} s", PATIENCE.as_secs()) },
    };
    let secret = provider.credentials.get(index).and_then(|held| held.secret.as_ref());
    let words = match secret {
        Some(secret) => said.words.replace(secret.expose(), "…"),
        None => said.words,
    };
    Ok(Said { words, ..said })
}

async fn ask(plane: &Plane, provider: &Provider, credential: usize, path: &str) -> Result<Said, Broken> {
    let mut headers: Vec<(HeaderName, HeaderValue)> = vec![
        (header::ACCEPT, HeaderValue::from_static("application/json")),
        (header::ACCEPT_ENCODING, HeaderValue::from_static("identity")),
    ];
    headers.extend(authorization(provider, credential));
    for (name, value) in provider.vendor.headers {
        headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
    }
    headers.extend(provider.headers.iter().cloned());
    let path = format!("{}{path}", provider.base.path);
    let request = Outgoing {
        method: Method::GET,
        path: &path,
        authority: &authority(provider),
        tls: provider.base.tls,
        headers: &headers,
        body: &[],
    };
    // A connection of its own: a pooled one may turn out dead, and that would say nothing.
    let mut taken = plane.upstreams.connect(provider).await?;
    taken.conn.send(&request).await?;
    let head = taken.conn.read_head().await?;
    let mut body = Vec::new();
    while let Reading::Piece(piece) = taken.conn.read_body().await? {
        body.extend_from_slice(&piece);
        if body.len() >= MOST_BYTES {
            break;
        }
    }
    taken.conn.abort().await;
    body.truncate(MOST_BYTES);
    Ok(Said { status: Some(head.status), words: String::from_utf8_lossy(&body).into_owned() })
}

fn words_of(broken: Broken) -> String {
    match broken {
        Broken::Io { detail, .. }
        | Broken::Unreachable(detail)
        | Broken::Cut(detail)
        | Broken::Malformed(detail) => detail,
    }
}
