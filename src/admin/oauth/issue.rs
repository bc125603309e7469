//! Tokens are made here, and nowhere else.

use super::refused::Refused;
use super::said::Said;
use super::{Ask, Known};
use crate::admin::directory::Draft;
use crate::control::oauth::{
    Access, Digest, Family, GrantType, Minted, Presented, Scopes, Step, family_of_refresh, mint,
    mint_refresh, standing,
};
use crate::control::{Kind, Moment, Outcome, State, Who};
use crate::types::{KeyId, Secret};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn random<const N: usize>() -> Result<[u8; N], Refused> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Refused::unavailable(format!("no randomness: {error}")))?;
    Ok(bytes)
}

/// What is allowed.
pub(super) struct Allowed<'a> {
    pub how: GrantType,
    pub known: &'a Known,
    /// For whom; none: the client acts for itself.
    pub user: Option<Arc<str>>,
    pub scopes: Scopes,
    pub who: Who,
}

/// A new access token, and what it leaves behind.
struct Made {
    secret: Secret,
    access: Access,
}

fn made(ask: &Ask<'_>, scopes: Scopes) -> Result<Made, Refused> {
    let (secret, _) = mint(Minted::Access, random()?);
    let until = Moment(ask.now.after(ask.settings.access_token));
    let access = Access { hash: Digest(ask.hash(secret.expose())?), until, scopes };
    Ok(Made { secret, access })
}

/// An authorisation begins. Gives the answer, and the authorisation's id.
///
/// # Errors
/// When user or client may no longer do any of it, or the disk refuses.
pub(super) fn begin(ask: &Ask<'_>, allowed: Allowed<'_>) -> Result<(Said, Arc<str>), Refused> {
    let id = match &allowed.user {
        // One for all tokens that a client gets for itself: its limits and its books go on.
        None => format!("self_{}", allowed.known.record.id),
        Some(_) => format!("grant_{}", uuid::Uuid::now_v7().simple()),
    };
    let id = KeyId::parse(&id).map_err(|error| Refused::unavailable(error.to_string()))?;
    let made = made(ask, allowed.scopes.clone())?;
    let lasting = allowed.user.is_some() && allowed.known.client.may(GrantType::RefreshToken);
    let refresh = if lasting { Some(mint_refresh(id.as_str(), random()?)) } else { None };
    let hash = refresh.as_ref().map(|secret| ask.hash(secret.expose())).transpose()?.map(Digest);
    ask.directory.change(|state| {
        let family = fresh(ask, state, &allowed, id.clone());
        let until = if lasting { ask.now.after(ask.settings.refresh_token) } else { made.access.until.0 };
        let family = family.with(made.access.clone(), hash, ask.now, until);
        if standing(state, &family)
            .is_none_or(|most| made.access.scopes.permissions.and(most) == Default::default())
        {
            return Err(Refused::invalid_grant("user or client may no longer do this"));
        }
        let said = told(ask, &made, refresh.as_ref());
        let after =
            json!({ "grant": family.id.as_str(), "how": allowed.how.name(), "scope": made.access.scopes });
        let id = Arc::clone(family.id.shared());
        let draft = draft(ask, &allowed.who, allowed.known, Step::Keep(Arc::new(family)), after);
        Ok(((said, id), draft))
    })
}

/// The family that a token is added to.
fn fresh(ask: &Ask<'_>, state: &State, allowed: &Allowed<'_>, id: KeyId) -> Family {
    let known = ask.directory.desk.book().family(id.as_str()).cloned();
    let tenant = match &allowed.user {
        Some(user) => state.get(Kind::User, user).and_then(|record| record.tenant.clone()),
        None => allowed.known.record.tenant.clone(),
    };
    let now = Moment(ask.now);
    match known {
        // What the client may have grown meanwhile; each token says what it is for.
        Some(known) => Family { scopes: allowed.known.client.most(), ..Family::clone(&known) },
        None => Family {
            id,
            client: Arc::clone(&allowed.known.record.id),
            user: allowed.user.clone(),
            tenant,
            scopes: if allowed.user.is_some() { allowed.scopes.clone() } else { allowed.known.client.most() },
            since: now,
            seen: now,
            until: now,
            refresh: None,
            used: Vec::new(),
            access: Vec::new(),
        },
    }
}

fn told(ask: &Ask<'_>, made: &Made, refresh: Option<&Secret>) -> Said {
    let mut body = json!({
        "access_token": made.secret.expose(),
        "token_type": "Bearer",
        "expires_in": ask.settings.access_token.as_secs(),
        "scope": made.access.scopes,
    });
    if let (Some(refresh), Some(map)) = (refresh, body.as_object_mut()) {
        map.insert("refresh_token".into(), refresh.expose().into());
    }
    Said::json(StatusCode::OK, &body)
}

fn draft(ask: &Ask<'_>, who: &Who, known: &Known, step: Step, after: Value) -> Draft {
    let mut entry = ask.entry(who.clone(), &known.record, Outcome::Done, None);
    entry.after = Some(after);
    Draft { oauth: vec![step], entries: vec![entry], ..Draft::default() }
}

/// What came of a refresh token.
enum Turn {
    Said(Said),
    /// It was used before: the whole family has ended.
    Stolen,
}

/// A refresh token is turned into the next ones. One that comes a second time ends everything that
/// came of its authorisation.
///
/// # Errors
/// When it is not good, or asks for more than it was for.
pub(super) fn refresh(
    ask: &Ask<'_>,
    known: &Known,
    token: &str,
    scope: Option<&str>,
) -> Result<Said, Refused> {
    let unknown = || Refused::invalid_grant("the refresh token is not good");
    let hash = ask.hash(token)?;
    let id = family_of_refresh(token).ok_or_else(unknown)?;
    let secret = mint_refresh(id, random()?);
    let next = Digest(ask.hash(secret.expose())?);
    let turn = ask.directory.change(|state| {
        let family = ask.directory.desk.book().family(id).cloned();
        let family = family.filter(|family| *family.client == *known.record.id).ok_or_else(unknown)?;
        match family.presented(&hash) {
            Presented::Current if family.until.0 > ask.now => {}
            Presented::Current | Presented::Unknown => return Err(unknown()),
            Presented::Used => {
                let after = json!({ "grant": family.id.as_str(), "ended": "a refresh token was used twice" });
                let step = Step::End(Arc::clone(&family));
                return Ok((Turn::Stolen, draft(ask, &known.who(), known, step, after)));
            }
        }
        let wanted = match scope {
            None => Some(family.scopes.clone()),
            Some(text) => Scopes::parse(text).ok().and_then(|wanted| wanted.bounded(&family.scopes)),
        };
        let wanted = wanted.filter(|wanted| !wanted.is_empty());
        let wanted = wanted.ok_or_else(|| Refused::new("invalid_scope", "that is more than was allowed"))?;
        let most = standing(state, &family)
            .ok_or_else(|| Refused::invalid_grant("user or client may no longer do this"))?;
        let wanted = Scopes { permissions: wanted.permissions.and(most), ..wanted };
        let made = made(ask, wanted)?;
        let until = ask.now.after(ask.settings.refresh_token);
        let grown = family.with(made.access.clone(), Some(next), ask.now, until);
        let said = told(ask, &made, Some(&secret));
        let after =
            json!({ "grant": grown.id.as_str(), "how": "refresh_token", "scope": made.access.scopes });
        Ok((Turn::Said(said), draft(ask, &known.who(), known, Step::Keep(Arc::new(grown)), after)))
    })?;
    match turn {
        Turn::Said(said) => Ok(said),
        Turn::Stolen => Err(unknown()),
    }
}
