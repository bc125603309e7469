//! OAuth clients: a confidential one is made with a secret that is shown once.

use super::call::{Call, Reply, typed};
use super::crud::{fresh_id, made, take_tenant, to_change, to_write};
use super::keys::{LONGEST_OVERLAP, Rotation};
use super::problem::Problem;
use crate::control::oauth::{Client, ClientSecret, ClientType, Minted, mint};
use crate::control::{Kind, Moment, Previous, Private, Record, Resource};
use axum::http::StatusCode;
use serde_json::Value;
use std::time::Duration;

/// A new secret: what is kept of it, and what is shown once.
fn secret(call: &Call<'_>) -> Result<(ClientSecret, (&'static str, Value)), Problem> {
    let unavailable = |text: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, text);
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| unavailable(format!("no randomness: {error}")))?;
    let (secret, prefix) = mint(Minted::ClientSecret, random);
    let hash = call.directory.pepper().map_err(unavailable)?.hash(secret.expose()).0;
    let once = ("client_secret", Value::String(secret.expose().to_owned()));
    Ok((ClientSecret { prefix, hash, previous: None }, once))
}

/// `POST /clients`
pub fn create(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut map = call.object()?;
    let tenant = take_tenant(call, Kind::Client, &mut map)?;
    call.needs(to_write(Kind::Client), tenant.as_ref())?;
    let body: Client = typed(map)?;
    let (private, once) = match body.kind {
        ClientType::Public => (Private::Nothing, Vec::new()),
        ClientType::Confidential => {
            let (kept, once) = secret(call)?;
            (Private::Client(kept), vec![once])
        }
    };
    call.directory.change(|state| {
        let id = fresh_id(Kind::Client);
        let record = Record::new(&id, tenant.clone(), body.clone().body(), private.clone(), call.now);
        made(call, vec![call.step(state, None, record)?], once.clone())
    })
}

/// `POST /clients/{id}/rotate`
pub fn rotate(call: &Call<'_>) -> Result<Reply, Problem> {
    let Rotation { overlap_seconds } = call.typed()?;
    if overlap_seconds > LONGEST_OVERLAP {
        return Err(Problem::fault("overlap_seconds", format!("is more than {LONGEST_OVERLAP}")));
    }
    let (kept, once) = secret(call)?;
    call.directory.change(|state| {
        let before = to_change(call, state, Kind::Client)?;
        let Private::Client(old) = &before.private else {
            return Err(Problem::conflict("a public client has no secret"));
        };
        let until = Moment(call.now.after(Duration::from_secs(overlap_seconds)));
        let previous = (overlap_seconds > 0).then_some(Previous { hash: old.hash, until });
        let private = Private::Client(ClientSecret { previous, ..kept.clone() });
        let change = call.step(state, Some(before), before.next(before.body.clone(), private, call.now))?;
        let record = change.after.clone().ok_or_else(Problem::not_found)?;
        Ok((Reply { once: vec![once.clone()], ..Reply::record(&record) }, call.draft(vec![change])))
    })
}
