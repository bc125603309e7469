//! Signing in with a provider of identities. It begins with a redirection and ends in a session;
//! what goes wrong is told on a page, for it is a person who reads it.

use super::call::{Call, Reply};
use super::crud::{fresh_id, to_change};
use super::one_time;
use super::page::{page, passage};
use super::people::{begin, random, throttled, with_private};
use super::problem::Problem;
use crate::admin::ROOT;
use crate::config::{SignIn, SignInProvider};
use crate::control::{
    Arrival, Beginning, Change, Claims, FLOW_COOKIE, Grant, Identity, Kind, Outcome, Principal, Private,
    Proofs, Record, Resource, State, Team, User, Who, grant,
};
use crate::fetch::wait;
use axum::http::{StatusCode, header};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const TITLE: &str = "Signing in did not work";

/// Why somebody cannot sign in: what they read, and what the audit log keeps.
struct Halt {
    status: StatusCode,
    text: String,
    reason: String,
}

impl Halt {
    /// They may not.
    fn no(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { status: StatusCode::FORBIDDEN, reason: text.clone(), text }
    }

    /// It went wrong on the way; the details are for the log alone.
    fn failed(reason: impl Into<String>) -> Self {
        let text = "The provider could not be asked, or its answer does not hold. Try again; if it stays so, \
                    an administrator finds the reason in the hub's audit log.";
        Self { status: StatusCode::BAD_GATEWAY, text: text.to_owned(), reason: reason.into() }
    }
}

impl From<Problem> for Halt {
    fn from(problem: Problem) -> Self {
        let faults: Vec<String> =
            problem.faults.iter().map(|fault| format!("{}: {}", fault.field, fault.detail)).collect();
        let reason = format!("{} {}", problem.detail, faults.join("; "));
        Self { status: problem.status, text: reason.clone(), reason }
    }
}

impl From<crate::admin::directory::Unwritten> for Halt {
    fn from(error: crate::admin::directory::Unwritten) -> Self {
        Problem::from(error).into()
    }
}

pub(super) fn settings(call: &Call<'_>) -> SignIn {
    call.directory.snapshot().map(|snapshot| snapshot.sign_in.clone()).unwrap_or_default()
}

/// `GET /sign-in`: the ways to sign in besides a password.
pub fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    let settings = settings(call);
    let way = |provider: &Arc<SignInProvider>| json!({ "id": provider.id, "label": provider.label, "url": format!("{ROOT}/sign-in/{}", provider.id) });
    let items: Vec<Value> = settings.providers.iter().map(way).collect();
    Ok(Reply::ok(json!({ "items": items, "next": null })))
}

/// `GET /sign-in/{id}?then=/path`: sends the browser to the provider.
pub fn start(call: &Call<'_>) -> Result<Reply, Problem> {
    let settings = settings(call);
    let Some(provider) = settings.provider(call.id) else { return Ok(unknown()) };
    let then = call.asked("then").unwrap_or("/");
    let identities = &call.directory.identities;
    let beginning = identities.flow.begin(&provider.id, then, random()?, call.now);
    let redirect = redirect_uri(&settings, provider);
    let address = wait(identities.address(provider, &redirect, &beginning, call.now));
    match address {
        Ok(address) => Ok(Reply {
            status: StatusCode::FOUND,
            cookies: vec![flow_cookie(&beginning.cookie, 600)],
            location: Some(address),
            ..Reply::ok(Value::Null)
        }),
        Err(error) => Ok(halted(call, Halt::failed(error), "")),
    }
}

/// `GET /sign-in/{id}/callback`: where the provider sends people back.
pub fn finish(call: &Call<'_>) -> Result<Reply, Problem> {
    let settings = settings(call);
    let Some(provider) = settings.provider(call.id) else { return Ok(unknown()) };
    let names: Vec<String> =
        call.incoming.address.map(|address| format!("sign-in from {address}")).into_iter().collect();
    if let Err(problem) = throttled(call, &names) {
        return Ok(page(problem.status, TITLE, &problem.detail, None));
    }
    match arrived(call, &settings, provider) {
        Ok(reply) => {
            names.iter().for_each(|name| call.directory.throttle.lock().succeeded(name));
            Ok(reply)
        }
        Err((halt, who)) => {
            names.iter().for_each(|name| call.directory.throttle.lock().failed(name, call.now));
            Ok(halted(call, halt, &who))
        }
    }
}

pub(super) fn unknown() -> Reply {
    page(StatusCode::NOT_FOUND, TITLE, "There is no such way to sign in.", None)
}

/// Tells on a page that it did not work, and in the audit log why.
fn halted(call: &Call<'_>, halt: Halt, who: &str) -> Reply {
    let mut entry = call.entry(Outcome::Refused, Some(halt.reason));
    if !who.is_empty() {
        entry.who.name = who.chars().take(200).collect();
    }
    call.directory.note_refusal(entry);
    let again = format!("{ROOT}/sign-in/{}", call.id);
    let mut reply = page(halt.status, TITLE, &halt.text, Some((&again, "Try again")));
    reply.cookies = vec![flow_cookie("", 0)];
    reply
}

fn redirect_uri(settings: &SignIn, provider: &SignInProvider) -> String {
    format!("{}{ROOT}/sign-in/{}/callback", settings.url, provider.id)
}

fn flow_cookie(value: &str, seconds: u32) -> String {
    format!("{FLOW_COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}")
}

/// Somebody came back. With whom it was, as far as that is known, when it did not work.
fn arrived(call: &Call<'_>, settings: &SignIn, provider: &SignInProvider) -> Result<Reply, (Halt, String)> {
    let nobody = |halt| (halt, String::new());
    let beginning = beginning(call, provider).map_err(nobody)?;
    let code = code(call).map_err(nobody)?;
    let redirect = redirect_uri(settings, provider);
    let identities = &call.directory.identities;
    let clock = &call.directory.clock;
    let claims = identities.redeem(provider, (&redirect, code, call.asked("iss")), &beginning, clock);
    let claims = wait(claims).map_err(|error| nobody(Halt::failed(error)))?;
    let arrival = claims.arrival(Some(&provider.groups_claim));
    let who = arrival.email.clone().unwrap_or_else(|| claims.subject.clone());
    welcome(call, provider, &claims, &arrival, &beginning).map_err(|halt| (halt, who))
}

/// The sign-in that this browser began.
fn beginning(call: &Call<'_>, provider: &SignInProvider) -> Result<Beginning, Halt> {
    let lines = call.incoming.headers.get_all(header::COOKIE).into_iter();
    let pairs = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    let mut cookies = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(n, _)| *n == FLOW_COOKIE);
    let cookie = cookies.next().map(|(_, value)| value).unwrap_or_default();
    let state = call.asked("state").unwrap_or_default();
    let text = "This sign-in was not begun in this browser, took too long, or is over already.";
    let found = call.directory.identities.flow.resume(cookie, &provider.id, state, call.now);
    found.ok_or_else(|| Halt { status: StatusCode::BAD_REQUEST, ..Halt::no(text) })
}

fn code<'c>(call: &'c Call<'_>) -> Result<&'c str, Halt> {
    match (call.asked("error"), call.asked("code")) {
        (None, Some(code)) if !code.is_empty() => Ok(code),
        (Some("access_denied"), _) => Err(Halt::no("You have not allowed it at the provider.")),
        (error, _) => {
            let error = error.unwrap_or("no code");
            let plain: String =
                error.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect();
            Err(Halt { reason: format!("the provider says {plain}"), ..Halt::failed("") })
        }
    }
}

/// Gives who arrives their session.
fn welcome(
    call: &Call<'_>,
    provider: &SignInProvider,
    claims: &Claims,
    arrival: &Arrival,
    beginning: &Beginning,
) -> Result<Reply, Halt> {
    let granted = grant(provider, arrival).map_err(Halt::no)?;
    let identity = Identity { issuer: claims.issuer.clone(), subject: claims.subject.clone() };
    let id = call.directory.change(|state| user_of(call, state, provider, &identity, arrival, &granted))?;
    call.directory.enforce();
    let state = call.directory.state();
    let record = state.get(Kind::User, &id).ok_or_else(Problem::not_found)?;
    let Some(principal) = Principal::user(&state, &id) else {
        return Err(Halt::no("Your account, or what it belongs to, is switched off."));
    };
    let mut reply = match provider.one_time_codes && one_time::has_codes(record) {
        true => one_time::ask(call, provider, record, &beginning.then)?,
        false => {
            let session = begin(call, record, principal, 0)?;
            Reply { cookies: session.cookies, ..passage("You are signed in", &beginning.then) }
        }
    };
    reply.cookies.push(flow_cookie("", 0));
    Ok(reply)
}

type Settled = (Arc<str>, crate::admin::directory::Draft);

/// The user who it is, with role and teams as they are now; made or linked where that is wanted.
fn user_of(
    call: &Call<'_>,
    state: &State,
    provider: &SignInProvider,
    identity: &Identity,
    arrival: &Arrival,
    granted: &Grant,
) -> Result<Settled, Halt> {
    let operator = call.as_operator();
    let (before, after) = match known(state, provider, identity, arrival)? {
        Some(record) => (Some(record), next_of(call, record, identity, granted)),
        None => (None, Some(new_user(call, provider, identity, arrival, granted)?)),
    };
    let id = after.as_ref().map(|record| &record.id).or(before.map(|record| &record.id)).cloned();
    let id = id.ok_or_else(Problem::not_found)?;
    let (mut changes, mut next) = (Vec::new(), state.clone());
    if let Some(after) = after {
        let change = operator.step(state, before, after)?;
        next.apply(&change);
        changes.push(change);
    }
    changes.extend(team_changes(&operator, &next, provider, granted, &id)?);
    let mut draft = call.draft(changes);
    let name = arrival.email.clone().unwrap_or_else(|| identity.subject.clone());
    for entry in &mut draft.entries {
        let tenant = provider.tenant.clone();
        entry.who = Who { kind: "user".into(), id: Some(id.to_string()), name: name.clone(), tenant };
    }
    Ok((id, draft))
}

/// Who it is, if they are known. An issuer speaks for people of its own tenant only.
fn known<'s>(
    state: &'s State,
    provider: &SignInProvider,
    identity: &Identity,
    arrival: &Arrival,
) -> Result<Option<&'s Arc<Record>>, Halt> {
    let proofs = |record: &Record| match &record.private {
        Private::User(proofs) => proofs.identities.clone(),
        _ => Vec::new(),
    };
    let own = |record: &&Arc<Record>| record.tenant == provider.tenant;
    let mine = |record: &&Arc<Record>| proofs(record).contains(identity);
    if let Some(record) = state.all(Kind::User).filter(own).find(mine) {
        return Ok(Some(record));
    }
    let Some(email) = arrival.email.as_ref().map(|email| email.to_lowercase()) else {
        return Err(Halt::no("The provider does not tell your e-mail address."));
    };
    let same = state.each::<User>().find(|(_, user)| user.email.to_lowercase() == email);
    let Some((record, _)) = same else {
        return match provider.create_users {
            true => Ok(None),
            false => Err(Halt::no("Nobody has made an account for you yet.")),
        };
    };
    // Only who has no identity yet is linked: an account that somebody made for themselves with an
    // address that was never theirs must not become another one's.
    let linked =
        provider.link_by_email && arrival.email_verified && own(&record) && proofs(record).is_empty();
    match linked {
        true => Ok(Some(record)),
        false => Err(Halt::no("There is another account with your e-mail address, which is not linked.")),
    }
}

/// The record with this identity and role; `None` when it has both already.
fn next_of(call: &Call<'_>, record: &Arc<Record>, identity: &Identity, granted: &Grant) -> Option<Record> {
    let (Private::User(proofs), Some(user)) = (&record.private, record.is::<User>()) else { return None };
    let role = granted.role.clone().unwrap_or_else(|| user.role.clone());
    let is_linked = proofs.identities.contains(identity);
    if is_linked && role == user.role {
        return None;
    }
    let mut proofs = Proofs::clone(proofs);
    if !is_linked {
        proofs.identities.push(identity.clone());
    }
    let body = User { role, ..user.clone() };
    Some(record.next(body.body(), Private::User(proofs), call.now))
}

fn new_user(
    call: &Call<'_>,
    provider: &SignInProvider,
    identity: &Identity,
    arrival: &Arrival,
    granted: &Grant,
) -> Result<Record, Halt> {
    let role = granted.role.clone().or_else(|| provider.role.clone());
    let user = User {
        email: arrival.email.clone().unwrap_or_default(),
        name: arrival.name.clone(),
        role: role.ok_or_else(|| Halt::no("No role is meant for you."))?,
        ..User::default()
    };
    let proofs = Proofs { identities: vec![identity.clone()], ..Proofs::default() };
    let id = fresh_id(Kind::User);
    Ok(Record::new(&id, provider.tenant.clone(), user.body(), Private::User(proofs), call.now))
}

/// Teams that the groups bring into and out of.
fn team_changes(
    operator: &Call<'_>,
    state: &State,
    provider: &SignInProvider,
    granted: &Grant,
    user: &str,
) -> Result<Vec<Change>, Halt> {
    let mut changes = Vec::new();
    for wanted in &granted.managed_teams {
        let own = |(record, team): &(&Arc<Record>, &Team)| {
            record.tenant == provider.tenant && (*record.id == **wanted || team.name == *wanted)
        };
        let Some((record, team)) = state.each::<Team>().find(own) else {
            tracing::warn!(
                team = wanted,
                provider = provider.id,
                "a group stands for a team that is not there"
            );
            continue;
        };
        let (is_in, belongs) =
            (team.members.iter().any(|member| member == user), granted.teams.contains(wanted));
        let mut members = team.members.clone();
        match (is_in, belongs) {
            (false, true) => members.push(user.to_owned()),
            (true, false) => members.retain(|member| member != user),
            _ => continue,
        }
        let body = Team { members, ..team.clone() };
        let after = record.next(body.body(), record.private.clone(), operator.now);
        changes.push(operator.step(state, Some(record), after)?);
    }
    Ok(changes)
}

/// `DELETE /users/{id}/identities`: forgets who somebody is at providers, and ends their sessions.
pub fn unlink(call: &Call<'_>) -> Result<Reply, Problem> {
    let state = call.directory.state();
    let record = to_change(call, &state, Kind::User)?;
    with_private(call, &record.id, |private| match private {
        Private::User(proofs) => Private::User(Proofs { identities: Vec::new(), ..proofs.clone() }),
        other => other.clone(),
    })
}
