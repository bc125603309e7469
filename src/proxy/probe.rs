//! The cheapest real call: asks a vendor something that only a credential may
//! ask, so that a person learns whether it works, in the vendor's own words.

use super::Plane;
use super::outgoing::Prepared;
use super::upstream::{Broken, Reading};
use crate::chat::Dialect;
use crate::config::{Provider, Snapshot};
use crate::provider::Trial;
use crate::wire::translate;
use bytes::Bytes;
use http::Method;
use serde_json::json;
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
/// When the provider has no such credential, or its vendor needs none.
pub async fn probe(plane: &Plane, provider: &str, credential: &str) -> Result<Said, String> {
    let snapshot = plane.snapshot.load_full();
    let provider = snapshot.providers.get(provider).ok_or("the provider is not in force")?;
    let wanted = format!("{}/{credential}", provider.name);
    let index = provider.credentials.iter().position(|held| held.id.as_str() == wanted);
    let index = index.ok_or("the credential is not in force: switched off, expired, or it does not open")?;
    let (method, path, body) =
        question(&snapshot, provider, index).ok_or("the vendor needs no credential")?;
    let body: Vec<Bytes> = body.into_iter().collect();
    let prepared = Prepared::own(provider, index, method, path, &body, plane.clock.wall());
    let prepared = prepared.map_err(|failure| failure.detail)?;
    let said = match tokio::time::timeout(PATIENCE, ask(plane, provider, &prepared, &body)).await {
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

/// Method, path from the host on, and body of the call.
fn question(
    snapshot: &Snapshot,
    provider: &Provider,
    credential: usize,
) -> Option<(Method, String, Option<Bytes>)> {
    let base = &provider.base.path;
    match provider.vendor.trial {
        Trial::None => None,
        Trial::Ask(path) => Some((Method::GET, format!("{base}{path}"), None)),
        Trial::AskHost(path) => Some((Method::GET, path.to_owned(), None)),
        Trial::OneToken(usual) => {
            let of_credential = provider.credentials.get(credential).and_then(|held| held.models.first());
            let targets = snapshot.models.values().flat_map(|model| model.targets.iter());
            let mut configured = targets.filter(|target| target.provider.name == provider.name);
            let configured = || configured.next().map(|target| target.upstream_model.to_string());
            let model = of_credential.cloned().or_else(configured).unwrap_or_else(|| usual.to_owned());
            let row = provider.vendor.path(crate::types::Op::Chat)?;
            let path = translate::path(provider.vendor.dialect, row, &model, false).into_owned();
            Some((Method::POST, format!("{base}{path}"), Some(one_token(provider.vendor.dialect, &model)?)))
        }
    }
}

/// The smallest chat.
fn one_token(dialect: Dialect, model: &str) -> Option<Bytes> {
    let asked = json!({
        "model": model, "max_tokens": 1, "messages": [{ "role": "user", "content": "hi" }],
    });
    let mut request = translate::request_in(Dialect::OpenAiChat, asked.to_string().as_bytes()).ok()?;
    request.model = model.to_owned();
    let mut changes = crate::chat::Adapted::new(crate::chat::Policy::default());
    translate::request_out(dialect, &request, &mut changes).ok().map(Bytes::from)
}

async fn ask(
    plane: &Plane,
    provider: &Provider,
    prepared: &Prepared,
    body: &[Bytes],
) -> Result<Said, Broken> {
    let request = prepared.outgoing(provider, body);
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
