//! The page on which somebody is asked, and their answer.

use super::authorize::{Asked, Fault};
use super::form::Form;
use super::page::{escaped, hidden, page as shown};
use super::refused::Refused;
use super::said::Said;
use super::{Ask, CONSENT, Person};
use crate::admin::directory::Draft;
use crate::control::oauth::{Client, Consent, Scopes, Step, origin_of};
use crate::control::{Moment, Outcome, PERMISSIONS};
use axum::http::StatusCode;
use serde_json::json;
use std::sync::Arc;

/// What a form's seal is for; the request that was shown follows.
const PURPOSE: &str = "consent\0";

/// The page.
pub(super) fn page(
    ask: &Ask<'_>,
    person: &Person,
    asked: &Asked,
    scopes: &Scopes,
    request: &str,
) -> Result<Said, Refused> {
    let seal = ask.seal(person, &format!("{PURPOSE}{request}"))?;
    let content = format!(
        "{}<p class=\"note\">You are signed in as {}. You will be sent to {}.</p>\
         <form method=\"post\" action=\"{CONSENT}\">{}\
         <button class=\"yes\" name=\"decision\" value=\"allow\">Allow</button>\
         <button name=\"decision\" value=\"deny\">Do not allow</button></form>",
        told(&asked.known.client, scopes),
        escaped(&person.principal.name),
        escaped(&origin_of(&asked.redirect_uri)),
        hidden(&[("request", request), ("seal", &seal)])
    );
    let origin = origin_of(&asked.redirect_uri);
    Ok(shown(StatusCode::OK, "May this program act for you?", &content, Some(&origin)))
}

/// Who asks, and for what, in plain words.
pub(super) fn told(client: &Client, scopes: &Scopes) -> String {
    let name = escaped(&client.name);
    let name = match &client.home_page {
        Some(page) => format!("<a href=\"{}\" rel=\"noreferrer\">{name}</a>", escaped(page)),
        None => name,
    };
    let what = PERMISSIONS.iter().filter(|row| scopes.permissions.has(row.permission));
    let what: String = what
        .map(|row| format!("<li>{} <span class=\"note\">({})</span></li>", escaped(row.what), row.name))
        .collect();
    let models: Vec<String> =
        scopes.models.iter().map(|model| format!("<code>{}</code>", escaped(model))).collect();
    let models = match models.is_empty() {
        true => String::new(),
        false => format!("<p>Only these models: {}</p>", models.join(", ")),
    };
    format!("<p><strong>{name}</strong> wants to act for you. It could:</p><ul>{what}</ul>{models}")
}

/// `POST /oauth/consent`: the answer holds for the very request that was shown.
pub(super) fn answer(ask: &Ask<'_>, person: &Person) -> Result<Said, Refused> {
    let form = Form::read(ask.incoming)?;
    let (request, seal) = (form.need("request")?, form.need("seal")?);
    ask.is_sealed(person, &format!("{PURPOSE}{request}"), seal)?;
    let asked = match Asked::read(ask, request) {
        Ok(asked) => asked,
        Err(Fault::Here(refused)) => return Err(refused),
        Err(Fault::Back(said)) => return Ok(said),
    };
    let scopes = match asked.granted(ask, person) {
        Ok(scopes) => scopes,
        Err(said) => return Ok(said),
    };
    if form.need("decision")? != "allow" {
        let refused = Refused::new("access_denied", "the person said no");
        ask.refuse(person.who(), &asked.known.record, refused);
        return Ok(asked.back(ask, "access_denied", "the person said no"));
    }
    remember(ask, person, &asked, &scopes)?;
    asked.allow(ask, person, scopes)
}

/// Writes the answer down, beside what was allowed before.
fn remember(ask: &Ask<'_>, person: &Person, asked: &Asked, scopes: &Scopes) -> Result<(), Refused> {
    let record = &asked.known.record;
    let before =
        ask.directory.desk.book().consent(&person.user, &record.id).map(|known| known.scopes.clone());
    let scopes = match before {
        Some(before) if scopes.is_within(&before) => before,
        _ => scopes.clone(),
    };
    let (user, client) = (Arc::clone(&person.user), Arc::clone(&record.id));
    let consent = Consent { user, client, scopes, at: Moment(ask.now) };
    ask.directory.change::<(), Refused>(|_| {
        let mut entry = ask.entry(person.who(), record, Outcome::Done, None);
        entry.after = Some(json!({ "scope": consent.scopes }));
        let oauth = vec![Step::Consent(consent.clone())];
        Ok(((), Draft { oauth, entries: vec![entry], ..Draft::default() }))
    })
}
