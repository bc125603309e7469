//! What people allowed programs, and what came of it: seen and taken back by
//! themselves, and by who looks after clients.

use super::call::{Call, Reply};
use super::people::own_account;
use super::problem::Problem;
use crate::admin::directory::Draft;
use crate::control::oauth::{Client, Family, Step};
use crate::control::{Kind, Outcome, Permission, Target, User};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// Things on a page, unless somebody asks for fewer or more.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 500;

/// `GET /me/consents`
pub fn own(call: &Call<'_>) -> Result<Reply, Problem> {
    let user = own_account(call)?;
    let state = call.directory.state();
    let book = call.directory.desk.book();
    let items: Vec<Value> = book
        .consents_of(user)
        .map(|consent| {
            let client = state.find::<Client>(&consent.client);
            json!({
                "id": &*consent.client,
                "client": client.map(|client| client.name.as_str()),
                "home_page": client.and_then(|client| client.home_page.as_deref()),
                "scope": consent.scopes,
                "at": consent.at,
            })
        })
        .collect();
    Ok(Reply::ok(json!({ "items": items, "next": null })))
}

/// `DELETE /me/consents/{id}`: the client is forgotten, and all its tokens for this user end.
pub fn withdraw(call: &Call<'_>) -> Result<Reply, Problem> {
    let user = own_account(call)?;
    call.directory.change(|state| {
        let oauth = call.directory.desk.book().parting(user, call.id);
        if oauth.is_empty() {
            return Err(Problem::not_found());
        }
        let tenant = state.get(Kind::Client, call.id).and_then(|client| client.tenant.clone());
        let mut entry = call.entry(Outcome::Done, None);
        entry.target = Some(Target { kind: Kind::Client, id: call.id.to_owned(), tenant });
        Ok((Reply::nothing(), Draft { oauth, entries: vec![entry], ..Draft::default() }))
    })
}

/// `GET /grants`: what is in force.
pub fn grants(call: &Call<'_>) -> Result<Reply, Problem> {
    let limit = match call.asked("limit").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(limit)) if (1..=LARGEST_PAGE).contains(&limit) => limit,
        Some(_) => return Err(Problem::bad_request(format!("limit is a number from 1 to {LARGEST_PAGE}"))),
    };
    let after = call.asked("after").unwrap_or_default();
    let state = call.directory.state();
    let book = call.directory.desk.book();
    let fits = |family: &&Arc<Family>| {
        let named =
            |name: &str, value: Option<&str>| call.asked(name).is_none_or(|wanted| value == Some(wanted));
        family.id.as_str() > after
            && !family.is_over(call.now)
            && call.principal.reaches(family.tenant.as_ref())
            && named("client", Some(&family.client))
            && named("user", family.user.as_deref())
    };
    let mut found: Vec<&Arc<Family>> = book.families().filter(fits).take(limit.saturating_add(1)).collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let next = more.then(|| found.last().map(|family| family.id.as_str().to_owned())).flatten();
    let items: Vec<Value> = found
        .into_iter()
        .map(|family| {
            let user = family.user.as_deref().and_then(|id| state.find::<User>(id));
            json!({
                "id": family.id.as_str(),
                "client": &*family.client,
                "client_name": state.find::<Client>(&family.client).map(|client| client.name.as_str()),
                "user": family.user.as_deref(),
                "email": user.map(|user| user.email.as_str()),
                "tenant": family.tenant,
                "scope": family.scopes,
                "since": family.since,
                "seen": family.seen,
                "until": family.until,
                "access_tokens": family.access.iter().filter(|access| access.until.0 > call.now).count(),
                "refreshable": family.refresh.is_some(),
            })
        })
        .collect();
    Ok(Reply::ok(json!({ "items": items, "next": next })))
}

/// `DELETE /grants/{id}`: its tokens end at once.
pub fn end(call: &Call<'_>) -> Result<Reply, Problem> {
    call.directory.change(|_| {
        let family = call.directory.desk.book().family(call.id).cloned();
        let family = family.filter(|family| call.principal.reaches(family.tenant.as_ref()));
        let family = family.ok_or_else(Problem::not_found)?;
        if !call.may(Permission::ClientsWrite, family.tenant.as_ref()) {
            return Err(Problem::new(StatusCode::FORBIDDEN, "you lack the permission clients:write here"));
        }
        let mut entry = call.entry(Outcome::Done, None);
        let (id, tenant) = (family.client.to_string(), family.tenant.clone());
        entry.target = Some(Target { kind: Kind::Client, id, tenant });
        entry.before = Some(json!({ "grant": family.id.as_str(), "user": family.user.as_deref() }));
        let oauth = vec![Step::End(family)];
        Ok((Reply::nothing(), Draft { oauth, entries: vec![entry], ..Draft::default() }))
    })
}
