//! One-time codes of people (RFC 6238): set up, proved, taken off.

use super::call::{Call, Reply};
use super::crud::to_change;
use super::people::{own_account, random, throttled, with_private};
use super::problem::Problem;
use crate::control::{
    Kind, Private, Proofs, RANDOM_BYTES, Record, User, from_hex, to_hex, totp_uri, totp_verify,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// A one-time code.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// Six digits.
    pub code: String,
}

/// The step of somebody's one-time code, if it is right and was not used yet.
pub(super) fn code_step(call: &Call<'_>, record: &Record, code: &str) -> Option<u64> {
    let Private::User(proofs) = &record.private else { return None };
    let secret = call.directory.vault().open(&totp_owner(&record.id), proofs.totp.as_ref()?).ok()?;
    let secret = from_hex(secret.expose())?;
    totp_verify(&secret, code, call.now, proofs.totp_step)
}

fn totp_owner(user: &str) -> String {
    format!("totp/{user}")
}

/// `POST /me/totp`: a secret for an authenticator app. It counts once a code confirms it.
pub fn begin(call: &Call<'_>) -> Result<Reply, Problem> {
    let user = own_account(call)?;
    let state = call.directory.state();
    let name = state.find::<User>(user).map(|user| user.email.clone()).unwrap_or_default();
    let secret: [u8; 20] = random()?;
    let sealed = call
        .directory
        .vault()
        .seal(&totp_owner(user), &to_hex(&secret), random::<RANDOM_BYTES>()?)
        .map_err(|error| Problem::conflict(error.to_string()))?;
    call.directory.await_code(Arc::clone(user), sealed);
    let (uri, text) = totp_uri(&secret, &name);
    Ok(Reply::ok(json!({ "uri": uri, "secret": text })))
}

/// `POST /me/totp/confirm`
pub fn confirm(call: &Call<'_>) -> Result<Reply, Problem> {
    let asked: Code = call.typed()?;
    let user = own_account(call)?;
    let names = [format!("code of {user}")];
    throttled(call, &names)?;
    let sealed =
        call.directory.awaited_code(user).ok_or_else(|| Problem::conflict("begin with POST /me/totp"))?;
    let opened = call.directory.vault().open(&totp_owner(user), &sealed);
    let secret = opened.ok().and_then(|secret| from_hex(secret.expose()));
    let step = secret.and_then(|secret| totp_verify(&secret, &asked.code, call.now, 0));
    let Some(step) = step else {
        call.directory.throttle.lock().failed(&names[0], call.now);
        return Err(Problem::fault("code", "is not the one that the app shows now"));
    };
    with_private(call, user, |private| match private {
        Private::User(proofs) => {
            Private::User(Proofs { totp: Some(sealed), totp_step: step, ..proofs.clone() })
        }
        other => other.clone(),
    })
}

/// `DELETE /users/{id}/totp`: for who has lost the device.
pub fn remove(call: &Call<'_>) -> Result<Reply, Problem> {
    let state = call.directory.state();
    let record = to_change(call, &state, Kind::User)?;
    with_private(call, &record.id, |private| match private {
        Private::User(proofs) => Private::User(Proofs { totp: None, totp_step: 0, ..proofs.clone() }),
        other => other.clone(),
    })
}
