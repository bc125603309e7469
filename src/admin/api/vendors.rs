//! Credentials: written once, never read back; tested by a real call; put
//! under another master key while everything runs.

use super::call::{Call, Reply, typed};
use super::crud::{fresh_id, made, patched, to_change, to_write};
use super::problem::Problem;
use crate::control::{
    Change, Credential, CredentialType, Fault, KeyPair, Kind, Private, Proofs, Provider, RANDOM_BYTES,
    Record, Resource, Sealed, Vault,
};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Longest secret that a vendor gives out.
const LONGEST_SECRET: usize = 16 * 1024;
/// Characters that are shown of a secret, and never more than a fifth of it.
const MOST_SHOWN: usize = 4;

/// Members that hold a secret on its way in, a single one and those of a pair of keys.
pub const SECRETS: &[&str] = &["secret", "access_key_id", "secret_access_key", "session_token"];

/// A secret as it was given.
enum Given {
    One(Zeroizing<String>),
    Pair(KeyPair),
}

impl Given {
    /// As it is sealed.
    fn text(&self) -> Zeroizing<String> {
        match self {
            Given::One(secret) => secret.clone(),
            Given::Pair(pair) => pair.to_text(),
        }
    }

    /// What people see of it.
    fn masked(&self) -> String {
        match self {
            Given::One(secret) => masked(secret),
            Given::Pair(pair) => masked(&pair.access_key_id),
        }
    }

    fn is_pair(&self) -> bool {
        matches!(self, Given::Pair(_))
    }
}

/// Takes the secret out of a body. Everything that is wrong with it is told, without it.
fn take_secret(map: &mut Map<String, Value>) -> Result<Option<Given>, Problem> {
    let mut faults = Vec::new();
    let mut take = |name: &str| match map.remove(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => {
            let text = Zeroizing::new(text);
            let secret = text.trim();
            if secret.is_empty() || secret.len() > LONGEST_SECRET || secret.chars().any(char::is_control) {
                faults.push(Fault::new(name, "is empty, too long, or has control characters"));
            }
            Some(Zeroizing::new(secret.to_owned()))
        }
        Some(_) => {
            faults.push(Fault::new(name, "is no text"));
            None
        }
    };
    let (one, id, secret, token) =
        (take("secret"), take("access_key_id"), take("secret_access_key"), take("session_token"));
    let names_pair = id.is_some() || secret.is_some() || token.is_some();
    if names_pair && one.is_some() {
        faults.push(Fault::new("secret", "comes beside a pair of keys; which one?"));
    }
    for (name, missing) in [("access_key_id", id.is_none()), ("secret_access_key", secret.is_none())] {
        if names_pair && missing && faults.is_empty() {
            faults.push(Fault::new(name, "is missing; a pair of keys is given as a whole"));
        }
    }
    if !faults.is_empty() {
        return Err(Problem::faults(faults));
    }
    Ok(match (one, id, secret) {
        (Some(secret), _, _) => Some(Given::One(secret)),
        (None, Some(id), Some(secret)) => Some(Given::Pair(KeyPair {
            access_key_id: id.to_string(),
            secret_access_key: secret.to_string(),
            session_token: token.map(|token| token.to_string()),
        })),
        _ => None,
    })
}

/// A secret has to be of the kind that the credential says.
fn of_its_kind(kind: CredentialType, is_pair: bool) -> Result<(), Problem> {
    match (kind == CredentialType::AccessKeyPair, is_pair) {
        (true, false) => {
            Err(Problem::fault("access_key_id", "is missing; type access_key_pair has a pair of keys"))
        }
        (false, true) => Err(Problem::fault("type", "is to be access_key_pair for a pair of keys")),
        _ => Ok(()),
    }
}

fn owner_of(id: &str) -> String {
    format!("credential/{id}")
}

fn seal(vault: &Vault, id: &str, secret: &str) -> Result<Sealed, Problem> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random)
        .map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("no randomness: {error}")))?;
    vault.seal(&owner_of(id), secret, random).map_err(|error| Problem::conflict(error.to_string()))
}

/// What people see of a secret: enough to tell two apart.
fn masked(secret: &str) -> String {
    let shown = MOST_SHOWN.min(secret.chars().count() / 5);
    let end: Vec<char> = secret.chars().rev().take(shown).collect();
    format!("…{}", end.into_iter().rev().collect::<String>())
}

/// `POST /credentials`
pub fn create(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut map = call.object()?;
    let secret = take_secret(&mut map)?;
    let body: Credential = typed(map)?;
    call.needs(to_write(Kind::Credential), None)?;
    let Some(secret) = secret else { return Err(Problem::fault("secret", "is missing")) };
    of_its_kind(body.kind, secret.is_pair())?;
    let id = fresh_id(Kind::Credential);
    let private = Private::Credential {
        sealed: seal(&call.directory.vault(), &id, &secret.text())?,
        masked: secret.masked(),
    };
    call.directory.change(|state| {
        let record = Record::new(&id, None, body.clone().body(), private.clone(), call.now);
        made(call, vec![call.step(state, None, record)?], Vec::new())
    })
}

/// `PATCH /credentials/{id}`: with a new `secret`, or without.
pub fn update(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut patch = call.object()?;
    let secret = take_secret(&mut patch)?;
    call.directory.change(|state| {
        let before = to_change(call, state, Kind::Credential)?;
        let Some(old) = before.is::<Credential>() else { return Err(Problem::not_found()) };
        let body: Credential = patched(old, &patch)?;
        let was_pair = old.kind == CredentialType::AccessKeyPair;
        of_its_kind(body.kind, secret.as_ref().map_or(was_pair, Given::is_pair))?;
        let private = match &secret {
            Some(secret) => Private::Credential {
                sealed: seal(&call.directory.vault(), &before.id, &secret.text())?,
                masked: secret.masked(),
            },
            None => before.private.clone(),
        };
        let after = before.next(body.body(), private, call.now);
        let change = call.step(state, Some(before), after)?;
        let record = change.after.clone().ok_or_else(Problem::not_found)?;
        Ok((Reply::record(&record), call.draft(vec![change])))
    })
}

/// `POST /vault/rewrap`: puts every secret under the master key in use.
pub fn rewrap(call: &Call<'_>) -> Result<Reply, Problem> {
    let vault = call.directory.vault();
    call.directory.change(|state| {
        let mut changes = Vec::new();
        let holders = [Kind::Credential, Kind::User, Kind::Webhook];
        for record in holders.into_iter().flat_map(|kind| state.all(kind)) {
            let Some(private) = rewrapped(&vault, record)? else { continue };
            let after = Record { private, ..Record::clone(record) };
            let (kind, id) = (record.body.kind(), Arc::clone(&record.id));
            changes.push(Change { kind, id, before: Some(Arc::clone(record)), after: Some(Arc::new(after)) });
        }
        let rows = call.directory.rewrapped_body_keys().map_err(Problem::conflict)?;
        let count = changes.len().saturating_add(rows.len());
        let mut draft = call.draft(changes);
        draft.rows = rows;
        if draft.entries.is_empty() {
            draft.entries.push(call.entry(crate::control::Outcome::Done, None));
        }
        Ok((Reply::ok(json!({ "rewrapped": count, "master_key": vault.master() })), draft))
    })
}

/// A record's private part under the master key in use; `None` when there is nothing to do.
fn rewrapped(vault: &Vault, record: &Record) -> Result<Option<Private>, Problem> {
    let nonce = nonce()?;
    let (owner, sealed) = match &record.private {
        Private::Webhook(secret) => return super::webhooks::rewrapped(vault, record, secret, nonce),
        Private::Credential { sealed, .. } => (owner_of(&record.id), sealed),
        Private::User(Proofs { totp: Some(sealed), .. }) => (format!("totp/{}", record.id), sealed),
        _ => return Ok(None),
    };
    let again = vault.rewrap(&owner, sealed, nonce);
    let again = again.map_err(|error| Problem::conflict(format!("{}: {error}", record.id)))?;
    Ok(again.map(|sealed| match &record.private {
        Private::Credential { masked, .. } => Private::Credential { sealed, masked: masked.clone() },
        Private::User(proofs) => Private::User(Proofs { totp: Some(sealed), ..proofs.clone() }),
        other => other.clone(),
    }))
}

fn nonce() -> Result<[u8; 12], Problem> {
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce)
        .map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("no randomness: {error}")))?;
    Ok(nonce)
}

/// `POST /credentials/{id}/test`: the cheapest real call, and the vendor's own words.
pub fn test(call: &Call<'_>) -> Result<Reply, Problem> {
    let state = call.directory.state();
    let record = to_change(call, &state, Kind::Credential)?;
    let provider =
        record.is::<Credential>().and_then(|credential| state.find::<Provider>(&credential.provider));
    let (Some(credential), Some(provider)) = (record.is::<Credential>(), provider) else {
        return Err(Problem::not_found());
    };
    let answer = call.directory.probe(&provider.name, &credential.name).map_err(Problem::conflict)?;
    call.directory.note(call.entry(crate::control::Outcome::Done, None));
    Ok(Reply::ok(json!({ "works": answer.works, "status": answer.status, "words": answer.words })))
}
