//! A program sends somebody here to be allowed something (RFC 6749 §4.1, with
//! PKCE for all). Errors go back to the program, but only to an address that
//! it has registered.

use super::client_auth::enabled;
use super::form::Form;
use super::refused::Refused;
use super::said::Said;
use super::{Ask, Known, Person, consent, person, sign_in};
use crate::control::Outcome;
use crate::control::oauth::{
    ClientType, Code, GrantType, Minted, Scopes, is_challenge, mint, redirect_matches, with_query,
};
use axum::http::StatusCode;
use serde_json::json;

/// Longest `state`; it comes back as it went.
const LONGEST_STATE: usize = 2_048;

/// What a program asks for.
pub(super) struct Asked {
    pub known: Known,
    pub redirect_uri: String,
    state: Option<String>,
    /// Never more than the client may ask for.
    pub scopes: Scopes,
    challenge: String,
    prompt: Option<String>,
}

/// Why it cannot be asked.
pub(super) enum Fault {
    /// Told to the person, because nobody knows where to send them.
    Here(Refused),
    /// Told to the program.
    Back(Said),
}

/// `GET /oauth/authorize`
pub(super) fn ask(ask: &Ask<'_>) -> Result<Said, Refused> {
    let asked = match Asked::read(ask, &ask.incoming.query) {
        Ok(asked) => asked,
        Err(Fault::Here(refused)) => return Err(refused),
        Err(Fault::Back(said)) => return Ok(said),
    };
    let silent = asked.prompt.as_deref() == Some("none");
    let Some(person) = person(ask)? else {
        return Ok(match silent {
            true => asked.back(ask, "login_required", "nobody is signed in"),
            false => sign_in::page(ask, &ask.own_path(), None),
        });
    };
    let scopes = match asked.granted(ask, &person) {
        Ok(scopes) => scopes,
        Err(said) => return Ok(said),
    };
    if asked.prompt.as_deref() != Some("consent") && asked.is_remembered(ask, &person, &scopes) {
        return asked.allow(ask, &person, scopes);
    }
    match silent {
        true => Ok(asked.back(ask, "consent_required", "somebody has to be asked")),
        false => consent::page(ask, &person, &asked, &scopes, &ask.incoming.query),
    }
}

impl Asked {
    /// Reads a request.
    pub(super) fn read(ask: &Ask<'_>, query: &str) -> Result<Self, Fault> {
        let here = |text: &'static str| Fault::Here(Refused::page(StatusCode::BAD_REQUEST, text));
        let form = Form::of(query).map_err(Fault::Here)?;
        let state = ask.directory.state();
        let known = form.get("client_id").and_then(|id| enabled(&state, id));
        let known =
            known.ok_or_else(|| here("The program that sent you here is not known, or is switched off."))?;
        let registered = &known.client.redirect_uris;
        let redirect_uri = match (form.get("redirect_uri"), registered.as_slice()) {
            (Some(uri), all) if all.iter().any(|own| redirect_matches(own, uri)) => uri.to_owned(),
            (None, [only]) => only.clone(),
            _ => {
                return Err(here(
                    "The program that sent you here wants you back at a place that it has not registered.",
                ));
            }
        };
        let mut asked = Self {
            known,
            redirect_uri,
            state: form.get("state").map(str::to_owned),
            scopes: Scopes::default(),
            challenge: String::new(),
            prompt: form.get("prompt").map(str::to_owned),
        };
        match asked.check(&form) {
            Ok(()) => Ok(asked),
            Err((error, text)) => {
                let refused = Refused::new(error, text);
                let nobody = crate::control::Who {
                    kind: "nobody".into(),
                    id: None,
                    name: "nobody".into(),
                    tenant: None,
                };
                ask.refuse(nobody, &asked.known.record, refused);
                Err(Fault::Back(asked.back(ask, error, text)))
            }
        }
    }

    fn check(&mut self, form: &Form) -> Result<(), (&'static str, &'static str)> {
        let client = &self.known.client;
        if self.state.as_ref().is_some_and(|state| state.len() > LONGEST_STATE) {
            self.state = None;
            return Err(("invalid_request", "state is too long"));
        }
        if form.get("request").is_some() || form.get("request_uri").is_some() {
            return Err(("request_not_supported", "requests are not taken as objects"));
        }
        match form.get("response_type") {
            Some("code") => {}
            Some(_) => return Err(("unsupported_response_type", "only code is known")),
            None => return Err(("invalid_request", "response_type is missing")),
        }
        if form.get("response_mode").is_some_and(|mode| mode != "query") {
            return Err(("invalid_request", "only the response mode query is known"));
        }
        if !client.may(GrantType::AuthorizationCode) {
            return Err(("unauthorized_client", "the client may not ask this way"));
        }
        if form.get("code_challenge_method") != Some("S256") {
            return Err(("invalid_request", "code_challenge_method must be S256"));
        }
        let challenge = form.get("code_challenge").filter(|text| is_challenge(text));
        self.challenge =
            challenge.ok_or(("invalid_request", "code_challenge is missing, or none of SHA-256"))?.to_owned();
        let most = client.most();
        let wanted = match form.get("scope") {
            None => Some(most),
            Some(text) => Scopes::parse(text).ok().and_then(|wanted| wanted.bounded(&most)),
        };
        let wanted = wanted.filter(|wanted| !wanted.is_empty());
        self.scopes = wanted.ok_or(("invalid_scope", "there is no such scope, or not for this client"))?;
        Ok(())
    }

    /// What this person can allow of it, or the way back.
    pub(super) fn granted(&self, ask: &Ask<'_>, person: &Person) -> Result<Scopes, Said> {
        let record = &self.known.record;
        let denied = |text: &'static str| {
            ask.refuse(person.who(), record, Refused::new("access_denied", text));
            self.back(ask, "access_denied", text)
        };
        // A tenant's own client is for its own people; otherwise it could ask the hub's for their rights.
        if record.tenant.is_some() && record.tenant != person.principal.tenant {
            return Err(denied("the program belongs to another tenant"));
        }
        let permissions = self.scopes.permissions.and(person.principal.permissions);
        let scopes = Scopes { permissions, models: self.scopes.models.clone() };
        match scopes.is_empty() {
            true => Err(denied("who signed in may do none of this")),
            false => Ok(scopes),
        }
    }

    /// Was this allowed before, and may that be taken for an answer? Who can be imitated on the
    /// same device is asked about each time (RFC 8252 §8.6).
    fn is_remembered(&self, ask: &Ask<'_>, person: &Person, scopes: &Scopes) -> bool {
        let certain =
            self.known.client.kind == ClientType::Confidential || self.redirect_uri.starts_with("https://");
        let book = ask.directory.desk.book();
        let consent = book.consent(&person.user, &self.known.record.id);
        certain && consent.is_some_and(|consent| scopes.is_within(&consent.scopes))
    }

    /// Sends the person back with a code.
    pub(super) fn allow(&self, ask: &Ask<'_>, person: &Person, scopes: Scopes) -> Result<Said, Refused> {
        let (code, _) = mint(Minted::Code, super::issue::random()?);
        let hash = ask.hash(code.expose())?;
        let held = Code {
            client: std::sync::Arc::clone(&self.known.record.id),
            user: std::sync::Arc::clone(&person.user),
            redirect_uri: self.redirect_uri.clone(),
            challenge: self.challenge.clone(),
            until: ask.now.after(ask.settings.code),
            scopes,
        };
        let after = json!({ "scope": held.scopes, "redirect_uri": held.redirect_uri });
        if ask.directory.desk.pending().add_code(hash, held, ask.now).is_err() {
            return Ok(self.back(ask, "temporarily_unavailable", "too many codes wait already"));
        }
        let mut entry = ask.entry(person.who(), &self.known.record, Outcome::Done, None);
        entry.after = Some(after);
        ask.directory.note(entry);
        Ok(self.to(ask, &[("code", code.expose())]))
    }

    /// Sends the person back with an error.
    pub(super) fn back(&self, ask: &Ask<'_>, error: &str, text: &str) -> Said {
        self.to(ask, &[("error", error), ("error_description", text)])
    }

    /// Who answers is named, so that a client of several servers cannot be made to mix them up
    /// (RFC 9207).
    fn to(&self, ask: &Ask<'_>, members: &[(&str, &str)]) -> Said {
        let mut all = members.to_vec();
        all.extend(self.state.as_deref().map(|state| ("state", state)));
        all.push(("iss", &ask.issuer));
        Said::see_other(&with_query(&self.redirect_uri, &all))
    }
}
