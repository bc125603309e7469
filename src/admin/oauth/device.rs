//! Devices without a browser (RFC 8628): they show a code, and somebody types
//! it on another device, where they are signed in.

use super::client_auth::enabled;
use super::consent::told;
use super::form::Form;
use super::issue::{Allowed, begin as issue, random};
use super::page::{escaped, hidden, page as shown};
use super::refused::Refused;
use super::said::Said;
use super::token::who_of;
use super::{Ask, DEVICE, Known, Person};
use crate::control::Outcome;
use crate::control::oauth::{Device, DeviceAnswer, GrantType, Minted, Poll, Scopes, mint, user_code};
use axum::http::StatusCode;
use serde_json::json;

/// What a form's seal is for; the code follows.
const PURPOSE: &str = "device\0";

/// `POST /oauth/device_authorization`
pub(super) fn begin(ask: &Ask<'_>, known: &Known, form: &Form) -> Result<Said, Refused> {
    if !known.client.may(GrantType::DeviceCode) {
        let refused = Refused::new("unauthorized_client", "the client may not ask this way");
        return Err(ask.refuse(known.who(), &known.record, refused));
    }
    let most = known.client.most();
    let wanted = match form.get("scope") {
        None => Some(most),
        Some(text) => Scopes::parse(text).ok().and_then(|wanted| wanted.bounded(&most)),
    };
    let wanted = wanted.filter(|wanted| !wanted.is_empty());
    let scopes = wanted
        .ok_or_else(|| Refused::new("invalid_scope", "there is no such scope, or not for this client"))?;
    let (secret, _) = mint(Minted::Device, random()?);
    let code = user_code(&random::<40>()?).ok_or_else(|| Refused::unavailable("try again"))?;
    let until = ask.now.after(ask.settings.device_code);
    let added = ask.directory.desk.pending().add_device(
        ask.hash(secret.expose())?,
        code.clone(),
        &known.record.id,
        scopes,
        ask.incoming.address,
        until,
        ask.now,
    );
    let interval = added.map_err(|_| Refused::too_often(std::time::Duration::from_secs(60)))?;
    let (code, page) = (Device::show_code(&code), format!("{}{DEVICE}", ask.issuer));
    Ok(Said::json(
        StatusCode::OK,
        &json!({
            "device_code": secret.expose(),
            "user_code": code,
            "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={code}"),
            "expires_in": ask.settings.device_code.as_secs(),
            "interval": interval,
        }),
    ))
}

/// The device asks whether somebody has answered.
pub(super) fn poll(ask: &Ask<'_>, known: &Known, form: &Form) -> Result<Said, Refused> {
    let hash = ask.hash(form.need("device_code")?)?;
    let answer = ask.directory.desk.pending().poll(&hash, &known.record.id, ask.now);
    match answer {
        Poll::Wait => Err(Refused::new("authorization_pending", "nobody has answered yet")),
        Poll::SlowDown => Err(Refused::new("slow_down", "ask less often: 5 seconds more from now on")),
        Poll::Expired => Err(Refused::new(
            "expired_token",
            "the code is over, or never was, or the hub was started anew; begin again",
        )),
        Poll::Denied => Err(Refused::new("access_denied", "the person said no")),
        Poll::Allowed(user, scopes) => {
            let who = who_of(ask, &user);
            let how = GrantType::DeviceCode;
            issue(ask, Allowed { how, known, user: Some(user), scopes, who }).map(|(said, _)| said)
        }
    }
}

/// `GET /oauth/device`: where the code is typed.
pub(super) fn page(ask: &Ask<'_>, person: &Person) -> Result<Said, Refused> {
    let given = Form::of(&ask.incoming.query)?;
    typing(ask, person, given.get("user_code").unwrap_or_default(), "")
}

fn typing(ask: &Ask<'_>, person: &Person, code: &str, error: &str) -> Result<Said, Refused> {
    let error = match error {
        "" => String::new(),
        error => format!("<p class=\"error\">{}</p>", escaped(error)),
    };
    let content = format!(
        "{error}<p>Type the code that your device or program shows. Do so only if you have started it \
         yourself.</p><form method=\"post\" action=\"{DEVICE}\">{}\
         <label for=\"user_code\">Code</label>\
         <input id=\"user_code\" name=\"user_code\" value=\"{}\" autocomplete=\"off\" autocapitalize=\"characters\" required autofocus>\
         <button class=\"yes\">Go on</button></form>",
        hidden(&[("seal", &ask.seal(person, PURPOSE)?)]),
        escaped(code)
    );
    Ok(shown(StatusCode::OK, "Connect a device", &content, None))
}

/// `POST /oauth/device`: first the code, then the answer.
pub(super) fn answer(ask: &Ask<'_>, person: &Person) -> Result<Said, Refused> {
    let form = Form::read(ask.incoming)?;
    let code = Device::read_code(form.need("user_code")?);
    let seal = form.need("seal")?;
    let decision = form.get("decision");
    let purpose = match decision {
        None => PURPOSE.to_owned(),
        Some(_) => format!("{PURPOSE}{code}"),
    };
    ask.is_sealed(person, &purpose, seal)?;
    let guesses = format!("device code by {}", person.user);
    ask.patience(&guesses)?;
    let found = ask.directory.desk.pending().device(&code, ask.now).cloned();
    let known = found.as_ref().and_then(|device| enabled(&ask.directory.state(), &device.client));
    let (Some(device), Some(known)) = (found, known) else {
        ask.failed(&guesses);
        return typing(ask, person, "", "No device waits with this code.");
    };
    let scopes = match granted(person, &device, &known) {
        Ok(scopes) => scopes,
        Err(text) => {
            let refused = Refused::new("access_denied", text);
            ask.refuse(person.who(), &known.record, refused);
            ask.directory.desk.pending().answer(&code, DeviceAnswer::Denied, ask.now);
            return Err(Refused::page(StatusCode::FORBIDDEN, text));
        }
    };
    match decision {
        None => asking(ask, person, &known, &scopes, &code),
        Some("allow") => {
            decide(ask, person, &known, &code, DeviceAnswer::Allowed(person.user.clone(), scopes))
        }
        Some(_) => decide(ask, person, &known, &code, DeviceAnswer::Denied),
    }
}

fn granted(person: &Person, device: &Device, known: &Known) -> Result<Scopes, &'static str> {
    let record = &known.record;
    if record.tenant.is_some() && record.tenant != person.principal.tenant {
        return Err("The program belongs to another tenant.");
    }
    let permissions = device.scopes.permissions.and(person.principal.permissions);
    let scopes = Scopes { permissions, models: device.scopes.models.clone() };
    if scopes.is_empty() { Err("You may do none of what the program asks for.") } else { Ok(scopes) }
}

fn asking(
    ask: &Ask<'_>,
    person: &Person,
    known: &Known,
    scopes: &Scopes,
    code: &str,
) -> Result<Said, Refused> {
    let content = format!(
        "{}<p>Its code is <strong>{}</strong>. Do not allow this if you have not started it yourself.</p>\
         <p class=\"note\">You are signed in as {}.</p><form method=\"post\" action=\"{DEVICE}\">{}\
         <button class=\"yes\" name=\"decision\" value=\"allow\">Allow</button>\
         <button name=\"decision\" value=\"deny\">Do not allow</button></form>",
        told(&known.client, scopes),
        Device::show_code(code),
        escaped(&person.principal.name),
        hidden(&[("user_code", code), ("seal", &ask.seal(person, &format!("{PURPOSE}{code}"))?)])
    );
    Ok(shown(StatusCode::OK, "May this device act for you?", &content, None))
}

fn decide(
    ask: &Ask<'_>,
    person: &Person,
    known: &Known,
    code: &str,
    answer: DeviceAnswer,
) -> Result<Said, Refused> {
    let (outcome, after, text) = match &answer {
        DeviceAnswer::Allowed(_, scopes) => (
            Outcome::Done,
            json!({ "scope": scopes }),
            "Done. Your device goes on by itself; you can close this page.",
        ),
        DeviceAnswer::Denied => {
            (Outcome::Refused, json!({}), "The device was refused. You can close this page.")
        }
    };
    if !ask.directory.desk.pending().answer(code, answer, ask.now) {
        return Err(Refused::page(StatusCode::GONE, "The device no longer waits."));
    }
    let mut entry = ask.entry(person.who(), &known.record, outcome, None);
    entry.after = Some(after);
    ask.directory.note(entry);
    Ok(shown(StatusCode::OK, "Connect a device", &format!("<p>{text}</p>"), None))
}
