//! One-time codes after a provider of identities has said who somebody is, where the configuration
//! wants them: a page that asks, and its form.

use super::call::{Call, Incoming, Reply};
use super::dispatch::{from_the_same_site, pairs};
use super::page::{form, page, passage};
use super::people::{begin, throttled};
use super::problem::Problem;
use super::sign_in::{TITLE, settings, unknown};
use super::totp::code_step;
use crate::admin::ROOT;
use crate::config::SignInProvider;
use crate::control::{HALF_COOKIE, HALF_SECONDS, Half, Kind, Outcome, Principal, Private, Record};
use axum::http::{StatusCode, header};

/// What the page says.
const QUESTION: &str = "Type the code that your authenticator app shows.";

/// Has this user one-time codes?
pub(super) fn has_codes(record: &Record) -> bool {
    matches!(&record.private, Private::User(proofs) if proofs.totp.is_some())
}

fn cookie(value: &str, seconds: u32) -> String {
    format!("{HALF_COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}")
}

fn question(provider: &str, status: StatusCode, text: &str) -> Reply {
    let path = format!("{ROOT}/sign-in/{provider}/code");
    form(status, "One-time code", text, &path, ("code", "Code", "Sign in"))
}

/// The page that asks somebody whom the provider has named.
pub(super) fn ask(
    call: &Call<'_>,
    provider: &SignInProvider,
    record: &Record,
    then: &str,
) -> Result<Reply, Problem> {
    let half = Half { user: record.id.to_string(), then: then.to_owned() };
    let value = call.directory.identities.flow.half(&provider.id, &half, call.now);
    let value = value.ok_or_else(|| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "try again"))?;
    let cookies = vec![cookie(&value, HALF_SECONDS)];
    Ok(Reply { cookies, ..question(&provider.id, StatusCode::OK, QUESTION) })
}

/// `POST /sign-in/{id}/code`: the form of that page. Its end is a session, or the page again.
pub fn finish(call: &Call<'_>) -> Result<Reply, Problem> {
    from_the_same_site(call.incoming)?;
    let settings = settings(call);
    let Some(provider) = settings.provider(call.id) else { return Ok(unknown()) };
    let flow = &call.directory.identities.flow;
    let half = shown(call.incoming).and_then(|cookie| flow.second_half(cookie, &provider.id, call.now));
    let Some(half) = half else {
        let text = "This sign-in was not begun in this browser, took too long, or is over already.";
        return Ok(again(provider, StatusCode::BAD_REQUEST, text));
    };
    let address = call.incoming.address.map(|address| format!("address {address}"));
    let names: Vec<String> = [format!("code of {}", half.user)].into_iter().chain(address).collect();
    if let Err(problem) = throttled(call, &names) {
        let page = question(&provider.id, problem.status, &problem.detail);
        return Ok(page);
    }
    let state = call.directory.state();
    let record = state.get(Kind::User, &half.user).filter(|record| record.tenant == provider.tenant);
    let principal = Principal::user(&state, &half.user);
    let (Some(record), Some(principal)) = (record, principal) else {
        let text = "Your account, or what it belongs to, is switched off.";
        return Ok(again(provider, StatusCode::FORBIDDEN, text));
    };
    let Some(step) = code_step(call, record, &written(call.incoming)) else {
        names.iter().for_each(|name| call.directory.throttle.lock().failed(name, call.now));
        let mut entry = call.entry(Outcome::Refused, Some("wrong one-time code".into()));
        entry.who.name = principal.name.to_string();
        call.directory.note_refusal(entry);
        return Ok(question(&provider.id, StatusCode::UNAUTHORIZED, "That code is not right. Try again."));
    };
    names.iter().for_each(|name| call.directory.throttle.lock().succeeded(name));
    let session = begin(call, record, principal, step)?;
    let mut reply = Reply { cookies: session.cookies, ..passage("You are signed in", &half.then) };
    reply.cookies.push(cookie("", 0));
    Ok(reply)
}

/// A refusal after which only a new sign-in helps.
fn again(provider: &SignInProvider, status: StatusCode, text: &str) -> Reply {
    let path = format!("{ROOT}/sign-in/{}", provider.id);
    Reply { cookies: vec![cookie("", 0)], ..page(status, TITLE, text, Some((&path, "Try again"))) }
}

/// The browser's cookie.
fn shown(incoming: &Incoming) -> Option<&str> {
    let lines = incoming.headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == HALF_COOKIE).map(|(_, value)| value)
}

/// The code of the form, without the blanks that apps show it with.
fn written(incoming: &Incoming) -> String {
    let text = std::str::from_utf8(&incoming.body).unwrap_or_default();
    let code = pairs(text).into_iter().find(|(name, _)| name == "code").map(|(_, value)| value);
    code.unwrap_or_default().chars().filter(|c| !c.is_whitespace()).take(20).collect()
}
