//! `POST /oauth/token`: ways to a token, as a table.

use super::form::Form;
use super::issue::{Allowed, begin, refresh};
use super::refused::Refused;
use super::said::Said;
use super::{Ask, Known, device};
use crate::admin::directory::Draft;
use crate::control::oauth::{GrantType, Scopes, Step, Taken, challenge_fits, client_permissions};
use crate::control::{Outcome, Who};
use serde_json::json;
use std::sync::Arc;

type Give = fn(&Ask<'_>, &Known, &Form) -> Result<Said, Refused>;

const WAYS: [(GrantType, Give); 4] = [
    (GrantType::AuthorizationCode, by_code),
    (GrantType::RefreshToken, by_refresh),
    (GrantType::ClientCredentials, for_itself),
    (GrantType::DeviceCode, device::poll),
];

/// See the module.
pub(super) fn give(ask: &Ask<'_>, known: &Known, form: &Form) -> Result<Said, Refused> {
    let named = form.need("grant_type")?;
    let way = WAYS.iter().find(|(grant, _)| grant.name() == named);
    let Some((grant, give)) = way else {
        return Err(Refused::new("unsupported_grant_type", "there is no such grant type"));
    };
    let given = match known.client.may(*grant) {
        true => give(ask, known, form),
        false => Err(Refused::new("unauthorized_client", "the client may not get tokens this way")),
    };
    given.map_err(|refused| match refused.error {
        // A device that waits is refused every few seconds, and nothing has happened.
        "authorization_pending" | "slow_down" => refused,
        _ => ask.refuse(known.who(), &known.record, refused),
    })
}

fn by_code(ask: &Ask<'_>, known: &Known, form: &Form) -> Result<Said, Refused> {
    let bad = || {
        Refused::invalid_grant(
            "the code is not good: used, over, or of before the hub was started; begin again",
        )
    };
    let verifier = form.need("code_verifier")?;
    let hash = ask.hash(form.need("code")?)?;
    let taken = ask.directory.desk.pending().take_code(&hash, ask.now);
    let code = match taken {
        Taken::Good(code) => code,
        Taken::Unknown => return Err(bad()),
        Taken::Spent(family) => {
            end_stolen(ask, known, family.as_deref())?;
            return Err(bad());
        }
    };
    let fits = *code.client == *known.record.id
        && form.get("redirect_uri") == Some(code.redirect_uri.as_str())
        && challenge_fits(&code.challenge, verifier);
    if !fits {
        return Err(bad());
    }
    let who = who_of(ask, &code.user);
    let (user, scopes) = (Some(Arc::clone(&code.user)), code.scopes);
    let allowed = Allowed { how: GrantType::AuthorizationCode, known, user, scopes, who };
    let (said, family) = begin(ask, allowed)?;
    ask.directory.desk.pending().note_family(&hash, &family);
    Ok(said)
}

/// A code that comes twice was stolen, the first time or now: what came of it ends.
fn end_stolen(ask: &Ask<'_>, known: &Known, family: Option<&str>) -> Result<(), Refused> {
    let family = family.and_then(|id| ask.directory.desk.book().family(id).cloned());
    let Some(family) = family else { return Ok(()) };
    ask.directory.change::<(), Refused>(|_| {
        let mut entry = ask.entry(known.who(), &known.record, Outcome::Done, None);
        entry.after = Some(json!({ "grant": family.id.as_str(), "ended": "its code was used twice" }));
        let oauth = vec![Step::End(Arc::clone(&family))];
        Ok(((), Draft { oauth, entries: vec![entry], ..Draft::default() }))
    })
}

/// A user as the audit log names them.
pub(super) fn who_of(ask: &Ask<'_>, user: &str) -> Who {
    let state = ask.directory.state();
    let record = state.get(crate::control::Kind::User, user);
    let name = state.find::<crate::control::User>(user).map(|user| user.email.clone());
    Who {
        kind: "user".into(),
        id: Some(user.to_owned()),
        name: name.unwrap_or_default(),
        tenant: record.and_then(|record| record.tenant.clone()),
    }
}

fn by_refresh(ask: &Ask<'_>, known: &Known, form: &Form) -> Result<Said, Refused> {
    refresh(ask, known, form.need("refresh_token")?, form.get("scope"))
}

/// Only a confidential client gets here: that it may is checked when it is made.
fn for_itself(ask: &Ask<'_>, known: &Known, form: &Form) -> Result<Said, Refused> {
    let refused = || Refused::new("invalid_scope", "there is no such scope, or not for this client");
    let most = known.client.most();
    let wanted = match form.get("scope") {
        None => most,
        Some(text) => {
            Scopes::parse(text).ok().and_then(|wanted| wanted.bounded(&most)).ok_or_else(refused)?
        }
    };
    let own = client_permissions(&ask.directory.state(), &known.record).unwrap_or_default();
    let scopes = Scopes { permissions: wanted.permissions.and(own), ..wanted };
    if scopes.is_empty() {
        return Err(refused());
    }
    let how = GrantType::ClientCredentials;
    begin(ask, Allowed { how, known, user: None, scopes, who: known.who() }).map(|(said, _)| said)
}
