//! Webhooks: their secrets are made here, shown once, rotated with an overlap,
//! and tried.

use super::call::{Call, Reply, typed};
use super::crud::{fresh_id, made, take_tenant, to_change, to_write};
use super::problem::Problem;
use crate::control::{
    Kind, Moment, Private, RANDOM_BYTES, Record, Resource, Sealed, Vault, Webhook, WebhookSecret,
    mail_addresses, webhook_owner,
};
use crate::notify::{Delivery, Notice};
use crate::types::NoticeKind;
use axum::http::StatusCode;
use base64::Engine;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Longest time in which two secrets sign.
const LONGEST_OVERLAP: u64 = 30 * 24 * 60 * 60;
const SECRET_BYTES: usize = 32;

fn random<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("no randomness: {error}")))?;
    Ok(bytes)
}

/// A fresh secret, and how it is kept.
fn fresh_secret(vault: &Vault, id: &str) -> Result<(String, Sealed), Problem> {
    let bytes: [u8; SECRET_BYTES] = random()?;
    let secret = format!("whsec_{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes));
    let sealed = vault.seal(&webhook_owner(id), &secret, random::<RANDOM_BYTES>()?);
    Ok((secret, sealed.map_err(|error| Problem::conflict(error.to_string()))?))
}

/// `POST /webhooks`: the secret is shown this once. One for e-mail has none.
pub fn create(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut map = call.object()?;
    let tenant = take_tenant(call, Kind::Webhook, &mut map)?;
    call.needs(to_write(Kind::Webhook), tenant.as_ref())?;
    let body: Webhook = typed(map)?;
    let id = fresh_id(Kind::Webhook);
    let (private, once) = match mail_addresses(&body.url) {
        Some(_) => (Private::Nothing, Vec::new()),
        None => {
            let (secret, sealed) = fresh_secret(&call.directory.vault(), &id)?;
            let private = Private::Webhook(WebhookSecret { sealed, previous: None });
            (private, vec![("secret", Value::String(secret))])
        }
    };
    call.directory.change(|state| {
        let record = Record::new(&id, tenant.clone(), body.clone().body(), private.clone(), call.now);
        made(call, vec![call.step(state, None, record)?], once.clone())
    })
}

/// How a secret is rotated.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Overlap {
    /// So many seconds notices are signed with both secrets. Default: 86400, a day.
    pub overlap_seconds: u64,
}

impl Default for Overlap {
    fn default() -> Self {
        Self { overlap_seconds: 24 * 60 * 60 }
    }
}

/// `POST /webhooks/{id}/rotate`
pub fn rotate(call: &Call<'_>) -> Result<Reply, Problem> {
    let Overlap { overlap_seconds } = call.typed()?;
    if overlap_seconds > LONGEST_OVERLAP {
        return Err(Problem::fault("overlap_seconds", format!("is more than {LONGEST_OVERLAP}")));
    }
    let (secret, sealed) = fresh_secret(&call.directory.vault(), call.id)?;
    call.directory.change(|state| {
        let before = to_change(call, state, Kind::Webhook)?;
        if before.is::<Webhook>().is_none_or(|webhook| mail_addresses(&webhook.url).is_some()) {
            return Err(Problem::conflict("e-mails are not signed, so there is nothing to rotate"));
        }
        let until = Moment(call.now.after(Duration::from_secs(overlap_seconds)));
        let previous = match &before.private {
            Private::Webhook(old) if overlap_seconds > 0 => Some((old.sealed.clone(), until)),
            _ => None,
        };
        let private = Private::Webhook(WebhookSecret { sealed: sealed.clone(), previous });
        let after = before.next(before.body.clone(), private, call.now);
        let change = call.step(state, Some(before), after)?;
        let record = change.after.clone().ok_or_else(Problem::not_found)?;
        let once = vec![("secret", Value::String(secret.clone()))];
        Ok((Reply { once, ..Reply::record(&record) }, call.draft(vec![change])))
    })
}

/// A webhook's private part under the master key in use; `None` when there is nothing to do.
pub fn rewrapped(
    vault: &Vault,
    record: &Record,
    secret: &WebhookSecret,
    nonce: [u8; 12],
) -> Result<Option<Private>, Problem> {
    let owner = webhook_owner(&record.id);
    let again = |sealed: &Sealed, nonce| {
        let again = vault.rewrap(&owner, sealed, nonce);
        again.map_err(|error| Problem::conflict(format!("{}: {error}", record.id)))
    };
    let Some(sealed) = again(&secret.sealed, nonce)? else { return Ok(None) };
    let previous = match &secret.previous {
        // Each wrapping has a nonce of its own.
        Some((sealed, until)) => again(sealed, random()?)?.map(|sealed| (sealed, *until)),
        None => None,
    };
    Ok(Some(Private::Webhook(WebhookSecret { sealed, previous })))
}

/// `POST /webhooks/{id}/test`: a notice to this one alone, whatever it wants to hear of.
pub fn test(call: &Call<'_>) -> Result<Reply, Problem> {
    let delivery = call.directory.change(|state| {
        let record = to_change(call, state, Kind::Webhook)?;
        let data = json!({ "by": &*call.principal.name });
        let notice = Notice::new(NoticeKind::Test, record.tenant.clone(), &record.id, data, call.now);
        let delivery = Delivery::new(notice, Arc::clone(&record.id), call.now);
        let mut draft = call.draft(Vec::new());
        draft.entries.push(call.entry(crate::control::Outcome::Done, None));
        draft.deliveries.push(delivery.clone());
        Ok::<_, Problem>((delivery, draft))
    })?;
    Ok(Reply { status: StatusCode::ACCEPTED, ..Reply::ok(delivery.shown()) })
}
