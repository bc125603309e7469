//! People: the first owner, signing in and out, passwords.

use super::call::{Call, Reply, typed};
use super::crud::{fresh_id, made, take_tenant, to_change, to_write};
use super::problem::Problem;
use super::totp::code_step;
use crate::admin::directory::{Directory, Draft};
use crate::control::{
    BuiltIn, Change, Kind, Moment, Outcome, PasswordHash, PermissionSet, Principal, Private, Proofs, Record,
    Resource, Session, State, User, password_faults, to_hex,
};
use axum::http::{StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The cookie of a session. Browsers hold one of this name only from a safe place: HTTPS or
/// the machine itself.
pub const COOKIE: &str = "__Host-aigne-hub";

/// Who is to own the hub.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstOwner {
    /// The token that the hub printed, or that AIGNE_HUB_BOOTSTRAP_TOKEN holds.
    pub token: String,
    /// What they sign in with.
    pub email: String,
    /// For people.
    #[serde(default)]
    pub name: String,
    /// At least 12 characters.
    pub password: String,
}

/// What somebody signs in with.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The e-mail address of the account.
    pub email: String,
    /// The password.
    pub password: String,
    /// The one-time code, if the account has one.
    #[serde(default)]
    pub code: Option<String>,
}

/// A new password.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The password so far; not needed when it is somebody else's.
    #[serde(default)]
    pub current: Option<String>,
    /// At least 12 characters.
    pub password: String,
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("no randomness: {error}")))?;
    Ok(bytes)
}

fn hashed(call: &Call<'_>, password: &str) -> Result<PasswordHash, Problem> {
    let salt = random()?;
    let _one_at_a_time = call.directory.hashing.lock();
    PasswordHash::make(password, salt).ok_or_else(|| Problem::fault("password", "is too long"))
}

/// `POST /bootstrap`: makes the first owner, once.
pub fn bootstrap(call: &Call<'_>) -> Result<Reply, Problem> {
    let asked: FirstOwner = call.typed()?;
    let from = call.incoming.address.map_or_else(String::new, |address| address.to_string());
    let names = [format!("bootstrap from {from}")];
    throttled(call, &names)?;
    if call.directory.state().has_owner() {
        return Err(Problem::conflict("the hub has an owner already"));
    }
    if !call.directory.is_bootstrap(&asked.token) {
        names.iter().for_each(|name| call.directory.throttle.lock().failed(name, call.now));
        return Err(Problem::forbidden("that is not the token that the hub printed at its start"));
    }
    let faults = password_faults(&asked.password, &asked.email);
    if !faults.is_empty() {
        return Err(Problem::faults(faults));
    }
    let password = Some(hashed(call, &asked.password)?);
    let body = User {
        email: asked.email,
        name: asked.name,
        role: BuiltIn::Owner.name().to_owned(),
        ..User::default()
    };
    call.directory.change(|state| {
        if state.has_owner() {
            return Err(Problem::conflict("the hub has an owner already"));
        }
        let private = Private::User(Proofs { password: password.clone(), ..Proofs::default() });
        let record = Record::new(&fresh_id(Kind::User), None, body.clone().body(), private, call.now);
        // Nobody has made an owner before, so nobody's rights bound this one.
        let change = call.as_operator().step(state, None, record)?;
        let record = change.after.clone().ok_or_else(Problem::not_found)?;
        Ok((Reply::created(&record), call.draft(vec![change])))
    })
}

/// Who fails too often has to wait.
pub(super) fn throttled(call: &Call<'_>, names: &[String]) -> Result<(), Problem> {
    let throttle = call.directory.throttle.lock();
    let wait = names.iter().filter_map(|name| throttle.wait(name, call.now)).max();
    match wait {
        None => Ok(()),
        Some(wait) => Err(Problem {
            retry_after: Some(wait),
            ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many failures; wait before you try again")
        }),
    }
}

/// `POST /session`: signs in. Takes the same time and says the same, whether the account is
/// unknown, switched off, or the password is another.
pub fn sign_in(call: &Call<'_>) -> Result<Reply, Problem> {
    let asked: SignIn = call.typed()?;
    let email = asked.email.to_lowercase();
    let address = call.incoming.address.map(|address| format!("address {address}"));
    let names: Vec<String> = [format!("account {email}")].into_iter().chain(address).collect();
    throttled(call, &names)?;
    let state = call.directory.state();
    let found =
        state.each::<User>().find(|(_, user)| user.email.to_lowercase() == email).map(|(r, _)| Arc::clone(r));
    let (known, step) = match proved(call, found.as_deref(), &asked) {
        Some(step) => (found, step),
        None => (None, 0),
    };
    let principal = known.as_ref().and_then(|record| Principal::user(&state, &record.id));
    let (Some(record), Some(principal)) = (known, principal) else {
        let mut throttle = call.directory.throttle.lock();
        names.iter().for_each(|name| throttle.failed(name, call.now));
        drop(throttle);
        let mut entry = call.entry(Outcome::Refused, Some("wrong e-mail address, password or code".into()));
        entry.who.name = asked.email.chars().take(200).collect();
        call.directory.note_refusal(entry);
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "wrong e-mail address, password or code"));
    };
    let mut throttle = call.directory.throttle.lock();
    names.iter().for_each(|name| throttle.succeeded(name));
    drop(throttle);
    begin(call, &record, principal, step)
}

/// Is it who they say? Then the step of the one-time code that was used up, or 0.
fn proved(call: &Call<'_>, record: Option<&Record>, asked: &SignIn) -> Option<u64> {
    let private = record.map(|record| &record.private);
    let (password, totp, last) = match private {
        Some(Private::User(proofs)) => (proofs.password.as_ref(), proofs.totp.as_ref(), proofs.totp_step),
        _ => (None, None, 0),
    };
    let fits = {
        let _one_at_a_time = call.directory.hashing.lock();
        match password {
            Some(password) => password.fits(&asked.password),
            // As slow as looking at a real one.
            None => PasswordHash::make(&asked.password, [0; 16]).is_none_or(|_| false),
        }
    };
    let (true, Some(record)) = (fits, record) else { return None };
    match totp {
        Some(_) => code_step(call, record, asked.code.as_deref()?),
        None => Some(last),
    }
}

/// Begins a session of a user, however they have shown who they are. `step`: of the one-time code
/// that was used up, or 0.
pub(super) fn begin(
    call: &Call<'_>,
    record: &Arc<Record>,
    principal: Principal,
    step: u64,
) -> Result<Reply, Problem> {
    let secret: [u8; 32] = random()?;
    let cookie = to_hex(&secret);
    let agent = call.incoming.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let session = Session {
        id: fresh_session(),
        user: Arc::clone(&record.id),
        since: Moment(call.now),
        seen: Moment(call.now),
        address: call.incoming.address.map(|address| address.to_string()),
        agent: agent.unwrap_or_default().chars().take(200).collect(),
    };
    call.directory.change(|state| {
        if is_used_up(state, record, step) {
            // Two who show the same code at once are not two who know it.
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "this one-time code was used already"));
        }
        let mut draft = Draft {
            begun: vec![(hash_of(&cookie), session)],
            ended: call.directory.sessions_over(call.now),
            ..Draft::default()
        };
        let mut entry = call.entry(Outcome::Done, None);
        let acting = crate::control::Who {
            kind: "user".into(),
            id: Some(record.id.to_string()),
            name: principal.name.to_string(),
            tenant: principal.tenant.clone(),
        };
        entry.who = acting;
        draft.entries.push(entry);
        draft.changes.extend(used_up(state, record, step, call));
        let mut reply = Reply::ok(me_of(&principal));
        reply.cookies = vec![format!("{COOKIE}={cookie}; Path=/; Secure; HttpOnly; SameSite=Strict")];
        Ok::<_, Problem>((reply, draft))
    })
}

/// Was this step's one-time code used since it was looked at?
fn is_used_up(state: &State, record: &Record, step: u64) -> bool {
    let now = state.get(Kind::User, &record.id).map(|record| &record.private);
    matches!(now, Some(Private::User(proofs)) if step > 0 && proofs.totp.is_some() && step <= proofs.totp_step)
}

/// Writes down that a one-time code was used.
fn used_up(state: &State, record: &Record, step: u64, call: &Call<'_>) -> Option<Change> {
    let now = state.get(Kind::User, &record.id)?;
    let Private::User(proofs) = &now.private else { return None };
    if step <= proofs.totp_step {
        return None;
    }
    let private = Private::User(Proofs { totp_step: step, ..proofs.clone() });
    let after = now.next(now.body.clone(), private, call.now);
    let id = Arc::clone(&now.id);
    Some(Change { kind: Kind::User, id, before: Some(Arc::clone(now)), after: Some(Arc::new(after)) })
}

fn fresh_session() -> Arc<str> {
    format!("sess_{}", uuid::Uuid::now_v7().simple()).into()
}

/// Under which a cookie is found. It is random, so a plain digest tells nothing.
pub fn hash_of(cookie: &str) -> [u8; 32] {
    Sha256::new().chain_update(b"aigne-hub session\0").chain_update(cookie).finalize().into()
}

/// `GET /me`
pub fn me(call: &Call<'_>) -> Result<Reply, Problem> {
    Ok(Reply::ok(me_of(&call.principal)))
}

fn me_of(principal: &Principal) -> Value {
    let (kind, id) = match &principal.actor {
        crate::control::Actor::Operator => ("operator", None),
        crate::control::Actor::User(id) => ("user", Some(id)),
        crate::control::Actor::Key { id, .. } => ("key", Some(id)),
        crate::control::Actor::Token { id, .. } => ("token", Some(id)),
        crate::control::Actor::Nobody => ("nobody", None),
    };
    let permissions: Vec<_> = PermissionSet::iter(principal.permissions).collect();
    json!({
        "kind": kind,
        "id": id.map(|id| id.to_string()),
        "name": &*principal.name,
        "tenant": principal.tenant,
        "permissions": permissions,
    })
}

/// Id of the user who asks; keys and the operator have no account.
pub(super) fn own_account<'c>(call: &'c Call<'_>) -> Result<&'c Arc<str>, Problem> {
    match &call.principal.actor {
        crate::control::Actor::User(id) => Ok(id),
        _ => Err(Problem::conflict("only somebody who signed in has an account of their own")),
    }
}

/// `GET /sessions`: one's own.
pub fn sessions(call: &Call<'_>) -> Result<Reply, Problem> {
    let user = own_account(call)?;
    let sessions = call.directory.sessions.lock();
    let mut own: Vec<_> = sessions.iter().filter(|(_, s)| s.user == *user && !s.is_over(call.now)).collect();
    own.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
    let shown: Vec<Value> = own
        .into_iter()
        .map(|(hash, session)| {
            json!({
                "id": &*session.id,
                "since": session.since,
                "seen": session.seen,
                "address": session.address,
                "agent": session.agent,
                "current": Some(*hash) == call.session,
            })
        })
        .collect();
    Ok(Reply::ok(json!({ "items": shown, "next": null })))
}

/// `DELETE /session`: signs out.
pub fn sign_out(call: &Call<'_>) -> Result<Reply, Problem> {
    own_account(call)?;
    end(call, call.session.into_iter().collect())
}

/// `DELETE /sessions`: signs out everywhere.
pub fn sign_out_everywhere(call: &Call<'_>) -> Result<Reply, Problem> {
    let user = own_account(call)?;
    end(call, call.directory.sessions_of(user))
}

/// `POST /users/{id}/sign-out`: signs somebody out everywhere.
pub fn sign_out_user(call: &Call<'_>) -> Result<Reply, Problem> {
    let state = call.directory.state();
    let record = to_change(call, &state, Kind::User)?;
    call.removal(&state, record)?;
    end(call, call.directory.sessions_of(&record.id))
}

fn end(call: &Call<'_>, ended: Vec<[u8; 32]>) -> Result<Reply, Problem> {
    call.directory.change(|_| {
        let entries = vec![call.entry(Outcome::Done, None)];
        let mut reply = Reply::nothing();
        if call.session.is_some_and(|own| ended.contains(&own)) {
            reply.cookies = vec![format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")];
        }
        Ok((reply, Draft { ended, entries, ..Draft::default() }))
    })
}

/// `POST /users`: with a password, or without one until somebody sets it.
pub fn create_user(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut map = call.object()?;
    let tenant = take_tenant(call, Kind::User, &mut map)?;
    call.needs(to_write(Kind::User), tenant.as_ref())?;
    let wanted = map.remove("password");
    let body: User = typed(map)?;
    let password = match wanted {
        None | Some(Value::Null) => None,
        Some(Value::String(password)) => {
            let faults = password_faults(&password, &body.email);
            if !faults.is_empty() {
                return Err(Problem::faults(faults));
            }
            Some(hashed(call, &password)?)
        }
        Some(_) => return Err(Problem::fault("password", "is no text")),
    };
    call.directory.change(|state| {
        let private = Private::User(Proofs { password: password.clone(), ..Proofs::default() });
        let record =
            Record::new(&fresh_id(Kind::User), tenant.clone(), body.clone().body(), private, call.now);
        made(call, vec![call.step(state, None, record)?], Vec::new())
    })
}

/// `POST /me/password`: needs the one so far; ends all other sessions.
pub fn own_password(call: &Call<'_>) -> Result<Reply, Problem> {
    let asked: NewPassword = call.typed()?;
    let user = own_account(call)?;
    let names = [format!("password of {user}")];
    throttled(call, &names)?;
    let state = call.directory.state();
    let record = state.get(Kind::User, user).ok_or_else(Problem::not_found)?;
    let Private::User(Proofs { password: Some(old), .. }) = &record.private else {
        return Err(Problem::conflict("the account has no password"));
    };
    let fits = {
        let _one_at_a_time = call.directory.hashing.lock();
        asked.current.as_deref().is_some_and(|current| old.fits(current))
    };
    if !fits {
        call.directory.throttle.lock().failed(&names[0], call.now);
        return Err(Problem::fault("current", "is not the password so far"));
    }
    set_password(call, user, &asked.password)
}

/// `POST /users/{id}/password`: sets somebody's password, and ends their sessions.
pub fn user_password(call: &Call<'_>) -> Result<Reply, Problem> {
    let asked: NewPassword = call.typed()?;
    let state = call.directory.state();
    let record = to_change(call, &state, Kind::User)?;
    call.removal(&state, record)?;
    set_password(call, &record.id, &asked.password)
}

fn set_password(call: &Call<'_>, user: &str, password: &str) -> Result<Reply, Problem> {
    let state = call.directory.state();
    let email = state.find::<User>(user).map(|user| user.email.clone()).unwrap_or_default();
    let faults = password_faults(password, &email);
    if !faults.is_empty() {
        return Err(Problem::faults(faults));
    }
    let made = hashed(call, password)?;
    with_private(call, user, |private| match private {
        Private::User(proofs) => Private::User(Proofs { password: Some(made), ..proofs.clone() }),
        other => other.clone(),
    })
}

/// Changes what only the hub knows of a user, and ends their other sessions.
pub(super) fn with_private(
    call: &Call<'_>,
    user: &str,
    change: impl FnOnce(&Private) -> Private,
) -> Result<Reply, Problem> {
    call.directory.change(|state| {
        let before = state.get(Kind::User, user).ok_or_else(Problem::not_found)?;
        let after = before.next(before.body.clone(), change(&before.private), call.now);
        let step = call.step(state, Some(before), after)?;
        let mut draft = call.draft(vec![step]);
        draft.ended = call.directory.sessions_of(user);
        draft.ended.retain(|hash| Some(*hash) != call.session);
        Ok((Reply::nothing(), draft))
    })
}

impl Directory {
    /// The sessions of a user, by the hash of their cookie.
    pub fn sessions_of(&self, user: &str) -> Vec<[u8; 32]> {
        let sessions = self.sessions.lock();
        sessions.iter().filter(|(_, session)| *session.user == *user).map(|(hash, _)| *hash).collect()
    }

    /// Whose session it is, which counts as a use of it.
    pub fn session(&self, cookie: &str) -> Option<([u8; 32], Arc<str>)> {
        let (hash, now) = (hash_of(cookie), self.clock.wall());
        let mut sessions = self.sessions.lock();
        let session = sessions.get_mut(&hash).filter(|session| !session.is_over(now))?;
        session.seen = Moment(now);
        Some((hash, Arc::clone(&session.user)))
    }
}
