//! Which client is it? By its secret, in HTTP's own header or in the form; one
//! that cannot keep a secret merely says its name.

use super::form::Form;
use super::refused::Refused;
use super::{Ask, Known};
use crate::access::KeyHash;
use crate::admin::api::pairs;
use crate::control::oauth::{Client, ClientType};
use crate::control::{Kind, Outcome, Private, Record, State, Who};
use axum::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;

/// What a client shows.
struct Shown {
    id: String,
    secret: Option<String>,
    basic: bool,
}

/// The client of a request.
///
/// # Errors
/// When it is not known, switched off, or does not prove who it is.
pub(super) fn client(ask: &Ask<'_>, form: &Form) -> Result<Known, Refused> {
    let shown = shown(ask, form)?;
    // Both, so that nobody can lock a client out from elsewhere.
    let name = format!("client {} from {}", shown.id.chars().take(80).collect::<String>(), ask.from());
    ask.patience(&name)?;
    let state = ask.directory.state();
    let known = enabled(&state, &shown.id).filter(|known| proved(ask, known, shown.secret.as_deref()));
    if let Some(known) = known {
        ask.directory.throttle.lock().succeeded(&name);
        return Ok(known);
    }
    ask.failed(&name);
    let refused = Refused::invalid_client(shown.basic);
    if let Some(record) = state.get(Kind::Client, &shown.id) {
        let who = Who { kind: "nobody".into(), id: None, name: "nobody".into(), tenant: None };
        let reason = Some("the client did not prove who it is, or is switched off".into());
        ask.directory.note_refusal(ask.entry(who, record, Outcome::Refused, reason));
    }
    Err(refused)
}

/// A client that is switched on, and whose tenant is.
pub(super) fn enabled(state: &State, id: &str) -> Option<Known> {
    let record = Arc::clone(state.get(Kind::Client, id)?);
    let client = record.is::<Client>().filter(|client| client.enabled.0)?.clone();
    let on = record.tenant.as_ref().is_none_or(|tenant| state.tenant_enabled(tenant));
    on.then_some(Known { record, client })
}

fn shown(ask: &Ask<'_>, form: &Form) -> Result<Shown, Refused> {
    let Some(value) = ask.incoming.headers.get(header::AUTHORIZATION) else {
        let id = form.get("client_id").ok_or_else(|| Refused::invalid_client(false))?.to_owned();
        return Ok(Shown { id, secret: form.get("client_secret").map(str::to_owned), basic: false });
    };
    let (id, secret) = value.to_str().ok().and_then(basic).ok_or_else(|| Refused::invalid_client(true))?;
    if form.get("client_secret").is_some() || form.get("client_id").is_some_and(|other| other != id) {
        return Err(Refused::invalid_request("the client authenticates in two ways at once"));
    }
    Ok(Shown { id, secret: Some(secret).filter(|secret| !secret.is_empty()), basic: true })
}

/// Name and secret of HTTP's own authentication; each is encoded like in a form (RFC 6749 §2.3.1).
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, rest) = value.split_once(' ')?;
    let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':').filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let decoded = |text: &str| pairs(&format!("x={text}")).into_iter().next().map(|(_, value)| value);
    Some((decoded(id)?, decoded(secret)?))
}

fn proved(ask: &Ask<'_>, known: &Known, secret: Option<&str>) -> bool {
    match (known.client.kind, secret) {
        (ClientType::Public, None) => true,
        (ClientType::Confidential, Some(secret)) => is_secret_of(ask, &known.record, secret),
        (ClientType::Public, Some(_)) | (ClientType::Confidential, None) => false,
    }
}

fn is_secret_of(ask: &Ask<'_>, record: &Record, secret: &str) -> bool {
    let Private::Client(held) = &record.private else { return false };
    let Ok(hash) = ask.hash(secret) else { return false };
    // Compared in constant time.
    let is = |known: &[u8; 32]| KeyHash(hash) == KeyHash(*known);
    is(&held.hash) || held.previous.as_ref().is_some_and(|old| old.until.0 > ask.now && is(&old.hash))
}
