//! Tokens are given back (RFC 7009), and looked into (RFC 7662).

use super::form::Form;
use super::refused::Refused;
use super::said::Said;
use super::{Ask, Known};
use crate::admin::directory::Draft;
use crate::control::oauth::{Access, ClientType, Family, Presented, Step, family_of_refresh, scopes_now};
use crate::control::{Kind, Outcome, User};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a token turns out to be.
enum Token {
    Access(Arc<Family>, Access),
    Refresh(Arc<Family>),
}

impl Token {
    fn family(&self) -> &Arc<Family> {
        match self {
            Self::Access(family, _) | Self::Refresh(family) => family,
        }
    }
}

/// Finds a token that works, whatever kind it is. The hint of the request is not needed.
fn find(ask: &Ask<'_>, text: &str) -> Result<Option<Token>, Refused> {
    let hash = ask.hash(text)?;
    if let Some((family, access)) = ask.directory.access_token(&hash) {
        return Ok(Some(Token::Access(family, access)));
    }
    let family = family_of_refresh(text).and_then(|id| ask.directory.desk.book().family(id).cloned());
    let good =
        |family: &Arc<Family>| family.presented(&hash) == Presented::Current && family.until.0 > ask.now;
    Ok(family.filter(good).map(Token::Refresh))
}

/// `POST /oauth/revoke`: a refresh token takes everything along that came of its authorisation. A
/// token that is no token, or is another client's, is no error and changes nothing.
pub(super) fn revoke(ask: &Ask<'_>, known: &Known, form: &Form) -> Result<Said, Refused> {
    let token = find(ask, form.need("token")?)?;
    let Some(token) = token.filter(|token| *token.family().client == *known.record.id) else {
        return Ok(Said::empty(StatusCode::OK));
    };
    let id = Arc::clone(token.family().id.shared());
    ask.directory.change(|_| {
        // As it is now: another request may have refreshed it meanwhile.
        let family = ask.directory.desk.book().family(&id).cloned();
        let Some(family) = family else { return Ok((Said::empty(StatusCode::OK), Draft::default())) };
        let (step, what) = match &token {
            Token::Access(_, access) => {
                (Step::Keep(Arc::new(family.without(&access.hash.0))), "its access token")
            }
            Token::Refresh(_) => (Step::End(Arc::clone(&family)), "all of it"),
        };
        let mut entry = ask.entry(known.who(), &known.record, Outcome::Done, None);
        entry.after = Some(json!({ "grant": &*id, "revoked": what }));
        let draft = Draft { oauth: vec![step], entries: vec![entry], ..Draft::default() };
        Ok::<_, Refused>((Said::empty(StatusCode::OK), draft))
    })
}

/// `POST /oauth/introspect`: for servers that take the hub's tokens. A tenant's client sees tokens
/// of its own tenant only; everything else is no token to it.
pub(super) fn introspect(ask: &Ask<'_>, known: &Known, form: &Form) -> Result<Said, Refused> {
    if known.client.kind == ClientType::Public {
        return Err(ask.refuse(known.who(), &known.record, Refused::invalid_client(false)));
    }
    let token = find(ask, form.need("token")?)?;
    let seen = |token: &Token| known.record.tenant.is_none() || known.record.tenant == token.family().tenant;
    let shown = token.filter(seen).and_then(|token| shown(ask, &token));
    Ok(Said::json(StatusCode::OK, &shown.unwrap_or_else(|| json!({ "active": false }))))
}

fn shown(ask: &Ask<'_>, token: &Token) -> Option<Value> {
    let state = ask.directory.state();
    let family = token.family();
    let (scopes, until, kind) = match token {
        Token::Access(family, access) => (scopes_now(&state, family, access)?, access.until, Some("Bearer")),
        Token::Refresh(family) => {
            crate::control::oauth::standing(&state, family)?;
            (family.scopes.clone(), family.until, None)
        }
    };
    let user = family.user.as_deref();
    let name = user.and_then(|id| state.find::<User>(id)).map(|user| user.email.clone());
    let mut body = json!({
        "active": true,
        "scope": scopes,
        "client_id": &*family.client,
        "sub": user.unwrap_or(&family.client),
        "exp": until.0.seconds(),
        "iat": family.seen.0.seconds(),
        "iss": ask.issuer,
        "tenant": family.tenant,
    });
    let map = body.as_object_mut()?;
    map.extend(name.map(|name| ("username".to_owned(), Value::from(name))));
    map.extend(kind.map(|kind| ("token_type".to_owned(), Value::from(kind))));
    debug_assert!(state.get(Kind::Client, &family.client).is_some(), "a token outlives no client");
    Some(body)
}
