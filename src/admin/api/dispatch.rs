//! From a request to its row, through everything that can refuse it, to its
//! handler. The row that decides what is permitted is the row that is run.

use super::call::{Call, Incoming, Reply, entry};
use super::people::COOKIE;
use super::problem::Problem;
use super::routes::{Access, Answer, Route, fits, routes};
use crate::admin::directory::Directory;
use crate::admin::same;
use crate::control::{AddressRule, Key, Moment, Outcome, Principal, Replay, address_table, to_hex};
use crate::types::Secret;
use axum::http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};

/// Where the API begins.
pub const ROOT: &str = "/api/admin/v1";
/// Longest name of a request that may be sent twice.
const LONGEST_NAME: usize = 255;

/// Who asks, and how they showed it.
pub struct Asker {
    /// Who.
    pub principal: Principal,
    /// By a cookie: the session.
    pub session: Option<[u8; 32]>,
}

/// Answers a request of whoever it shows itself to be. `token` is the operator's. Blocks.
///
/// # Errors
/// A refusal.
pub fn answer(directory: &Directory, token: &Secret, incoming: &Incoming) -> Result<Reply, Problem> {
    let route = find(incoming)?;
    let asker = authenticate(directory, token, incoming)?;
    if asker.session.is_some() {
        from_the_same_site(incoming)?;
    }
    serve(directory, route, asker, incoming)
}

/// Answers a request of the machine's operator. Blocks.
///
/// # Errors
/// A refusal.
pub fn answer_operator(directory: &Directory, incoming: &Incoming) -> Result<Reply, Problem> {
    let asker = Asker { principal: Principal::operator(), session: None };
    serve(directory, find(incoming)?, asker, incoming)
}

/// Answers somebody who is known already, for tests of who may do what.
#[cfg(test)]
pub(super) fn serve_asker(
    directory: &Directory,
    asker: Asker,
    incoming: &Incoming,
) -> Result<Reply, Problem> {
    serve(directory, find(incoming)?, asker, incoming)
}

/// The row of a request.
fn find(incoming: &Incoming) -> Result<&'static Route, Problem> {
    let mut allowed = Vec::new();
    for route in routes().filter(|route| fits(route, &incoming.path).is_some()) {
        if route.method == incoming.method {
            return Ok(route);
        }
        allowed.push(route.method);
    }
    match allowed.is_empty() {
        true => Err(Problem::not_found()),
        false => {
            let detail = format!("this path takes {}", allowed.join(", "));
            Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail))
        }
    }
}

fn serve(
    directory: &Directory,
    route: &'static Route,
    asker: Asker,
    incoming: &Incoming,
) -> Result<Reply, Problem> {
    let Asker { principal, session } = asker;
    let now = directory.clock.wall();
    let refused = permitted(directory, route, &principal);
    let id = decoded(fits(route, &incoming.path).unwrap_or_default());
    let id = id.as_str();
    let call =
        Call { directory, route, principal, id, query: pairs(&incoming.query), incoming, now, session };
    let result = refused.and_then(|()| match replayed(&call)? {
        Some(reply) => Ok(reply),
        None => (route.handler)(&call),
    });
    match &result {
        Ok(_) if incoming.method == "GET" => {}
        Ok(_) => directory.enforce(),
        Err(problem) if problem.grave => {
            let mut entry = entry(
                &call.principal,
                incoming,
                now,
                route.action,
                Outcome::Refused,
                Some(problem.detail.clone()),
            );
            entry.after = (!id.is_empty()).then(|| serde_json::json!({ "id": id }));
            directory.note_refusal(entry);
        }
        Err(_) => {}
    }
    result
}

/// Default deny: without a permission of the row nobody passes.
fn permitted(directory: &Directory, route: &Route, principal: &Principal) -> Result<(), Problem> {
    use crate::control::Actor;
    if matches!(route.access, Access::Open) {
        return Ok(());
    }
    if principal.actor == Actor::Nobody {
        let detail = "sign in, or send a key or the operator's token: 'Authorization: Bearer …'";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
    }
    if principal.actor != Actor::Operator && !directory.state().has_owner() {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "the hub has no owner yet; begin with POST /bootstrap",
        ));
    }
    match route.access {
        Access::Open | Access::Known => Ok(()),
        Access::Any(permissions) if permissions.iter().any(|one| principal.permissions.has(*one)) => Ok(()),
        Access::Any(permissions) => {
            let names: Vec<&str> = permissions.iter().map(|permission| permission.name()).collect();
            Err(Problem::forbidden(format!("you lack the permission {}", names.join(" or "))))
        }
    }
}

/// Who it is: the operator's token, a key, a session, or nobody. Somebody who shows something
/// that is not good is refused at once, and not taken for nobody.
fn authenticate(directory: &Directory, token: &Secret, incoming: &Incoming) -> Result<Asker, Problem> {
    let unknown = || Problem::new(StatusCode::UNAUTHORIZED, "that key, token or session is not good here");
    if let Some(value) = incoming.headers.get(header::AUTHORIZATION) {
        let shown = value.to_str().ok().and_then(bearer).ok_or_else(unknown)?;
        if same(shown, token) {
            return Ok(Asker { principal: Principal::operator(), session: None });
        }
        let principal = by_key(directory, shown, incoming).or_else(|| by_token(directory, shown));
        let principal = principal.ok_or_else(|| if is_signed(shown) { of_others() } else { unknown() })?;
        allowed_from(directory, &principal, incoming)?;
        return Ok(Asker { principal, session: None });
    }
    by_session(directory, incoming)
}

/// Is it of the form of a JWT? The hub's own tokens have no dots.
fn is_signed(shown: &str) -> bool {
    shown.starts_with("eyJ") && shown.split('.').count() == 3
}

/// What others have signed is for calling models, whoever they are: an issuer of tokens must not be
/// able to make somebody an administrator.
fn of_others() -> Problem {
    let detail = "a JWT of another issuer is for calling models and administers nothing; sign in, or send a \
                  key with scopes or an access token of this hub";
    Problem::new(StatusCode::UNAUTHORIZED, detail)
}

/// Who presents this access token, if it is good now.
fn by_token(directory: &Directory, secret: &str) -> Option<Principal> {
    let hash = directory.pepper().ok()?.hash(secret).0;
    let (family, access) = directory.access_token(&hash)?;
    Principal::token(&directory.state(), &family, &access)
}

/// Whose session it is; nobody's when there is none.
pub(in crate::admin) fn by_session(directory: &Directory, incoming: &Incoming) -> Result<Asker, Problem> {
    let Some(cookie) = cookie(&incoming.headers) else {
        return Ok(Asker { principal: Principal::nobody(), session: None });
    };
    let known = directory.session(cookie).and_then(|(hash, user)| {
        Some(Asker { principal: Principal::user(&directory.state(), &user)?, session: Some(hash) })
    });
    match known {
        Some(asker) => {
            allowed_from(directory, &asker.principal, incoming)?;
            Ok(asker)
        }
        // A browser goes on sending a cookie whose session is over, also to sign in again.
        None => Ok(Asker { principal: Principal::nobody(), session: None }),
    }
}

fn bearer(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim()).filter(|token| !token.is_empty())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// Who presents this key, if it is good now and here.
fn by_key(directory: &Directory, secret: &str, incoming: &Incoming) -> Option<Principal> {
    let hash = directory.pepper().ok()?.hash(secret).0;
    let record = directory.key_of(&hash)?;
    let (key, held) = (record.is::<Key>()?, record.key_secret()?);
    let now = directory.clock.wall();
    let expired = key.expires_at.is_some_and(|end| now >= end.0);
    let old = held.hash != hash;
    let over = old && held.previous.as_ref().is_none_or(|previous| now >= previous.until.0);
    let address = incoming.address?;
    let lists = crate::access::AddressRules {
        allow: crate::access::AddressSet::parse(&key.allow).ok()?,
        deny: crate::access::AddressSet::parse(&key.deny).ok()?,
        tables: Vec::new(),
    };
    if !key.enabled.0 || held.revoked_at.is_some() || expired || over || !lists.permits(address) {
        return None;
    }
    Principal::key(&directory.state(), &record)
}

/// Do the address rules let them in? Those of the hub, of their tenant and of their key hold here
/// as they do for callers; the operator of the machine is never locked out.
fn allowed_from(directory: &Directory, principal: &Principal, incoming: &Incoming) -> Result<(), Problem> {
    let Some(address) = incoming.address else { return Ok(()) };
    let (state, now) = (directory.state(), directory.clock.wall());
    let key = principal.key.as_ref().map(|key| &*key.id);
    let in_force =
        || state.each::<AddressRule>().filter(|(_, rule)| rule.expires_at.is_none_or(|end| end.0 > now));
    let hub = in_force().filter(|(record, rule)| record.tenant.is_none() && rule.key.is_none());
    let tenant = in_force().filter(|(record, rule)| {
        record.tenant.is_some() && record.tenant == principal.tenant && rule.key.is_none()
    });
    let own = in_force().filter(|(_, rule)| rule.key.is_some() && rule.key.as_deref() == key);
    let permits = address_table(hub.map(|(_, rule)| rule)).permits(address)
        && address_table(tenant.map(|(_, rule)| rule)).permits(address)
        && address_table(own.map(|(_, rule)| rule)).permits(address);
    match permits {
        true => Ok(()),
        false => Err(Problem::forbidden("an address rule keeps you out")),
    }
}

/// A browser sends its cookie also when another site asks it to. What changes something must come
/// from the hub's own pages; programs say nothing of sites and are let in.
pub(in crate::admin) fn from_the_same_site(incoming: &Incoming) -> Result<(), Problem> {
    if matches!(incoming.method.as_str(), "GET" | "HEAD") {
        return Ok(());
    }
    let text = |name: &str| incoming.headers.get(name).and_then(|value| value.to_str().ok());
    let fine = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text("host")
        }
        (None, None) => true,
    };
    match fine {
        true => Ok(()),
        false => Err(Problem::forbidden("the request comes from another site")),
    }
}

pub(in crate::admin) fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Names and values of a query.
pub(in crate::admin) fn pairs(query: &str) -> Vec<(String, String)> {
    let read = |text: &str| decoded(&text.replace('+', " "));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(n, v)| (read(n), read(v))).collect()
}

/// The name of a request that may be sent twice: that of its sender.
fn replay_name(call: &Call<'_>) -> Result<Option<String>, Problem> {
    let Some(name) = call.incoming.headers.get("idempotency-key") else { return Ok(None) };
    if !matches!(call.route.answer, Answer::Made(_)) || matches!(call.route.access, Access::Open) {
        return Ok(None);
    }
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(Problem::bad_request(format!("Idempotency-Key has 1 to {LONGEST_NAME} characters")));
    }
    let digest = Sha256::new()
        .chain_update(format!("{:?}\0", call.principal.actor))
        .chain_update(name.as_bytes())
        .finalize();
    Ok(Some(to_hex(&digest)))
}

fn request_digest(call: &Call<'_>) -> String {
    let incoming = call.incoming;
    let digest = Sha256::new()
        .chain_update(format!("{}\0{}\0{}\0", incoming.method, incoming.path, incoming.query))
        .chain_update(&incoming.body)
        .finalize();
    to_hex(&digest)
}

/// The answer that this request got before. What is shown once is not in it.
fn replayed(call: &Call<'_>) -> Result<Option<Reply>, Problem> {
    let Some(name) = replay_name(call)? else { return Ok(None) };
    let Some(replay) = call.directory.replay(&name) else { return Ok(None) };
    if replay.request != request_digest(call) {
        let detail = "this Idempotency-Key came with another request before";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let status = StatusCode::from_u16(replay.status).unwrap_or(StatusCode::OK);
    Ok(Some(Reply { status, ..Reply::ok(replay.body) }))
}

/// What is kept of an answer, for when its request comes again.
pub fn replay_of(call: &Call<'_>, reply: &Reply) -> Option<(String, Replay)> {
    let name = replay_name(call).ok()??;
    let (status, body) = (reply.status.as_u16(), reply.body.clone());
    Some((name, Replay { request: request_digest(call), status, body, at: Moment(call.now) }))
}
