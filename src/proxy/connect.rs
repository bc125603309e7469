//! How AIGNE's command line gets a key: it begins a session, shows its user a
//! page, and asks until an operator has granted one (`aigne-hub connect`).
//! Nothing here gives anything away that an operator has not approved.

use super::Plane;
use super::aigne::query;
use super::intake;
use super::visit::Visit;
use crate::access::Seen;
use crate::config::Snapshot;
use crate::error::{Failure, Kind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use pingora::protocols::http::ServerSession;
use serde_json::json;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// `POST …/access-key/session`
    Begin,
    /// `GET …/access-key/session?sid=`
    Look,
    /// `DELETE …/access-key/session?sid=`
    End,
    /// `GET …/gen-simple-access-key?__token__=`: the page for people.
    Page,
}

/// Content type and body of the answer.
///
/// # Errors
/// When the address may not come in, has too many sessions, or names one that is not there.
pub(super) fn answer(
    plane: &Plane,
    snapshot: &Snapshot,
    session: &ServerSession,
    visit: &mut Visit,
    step: Step,
) -> Result<(&'static str, Bytes)> {
    const JSON: &str = "application/json";
    let address = intake::knock(plane, snapshot, session, visit)?;
    if !snapshot.aigne.connect {
        return Err(Failure::new(Kind::UnknownEndpoint, "This gateway gives no keys by sessions"));
    }
    let now = plane.clock.mono();
    let asked = session.req_header().uri.query().unwrap_or_default();
    if step == Step::Begin {
        let mut random = [0; 64];
        getrandom::fill(&mut random).map_err(|error| internal(&error))?;
        let id = plane.connect.begin(random, address, now).map_err(|_| {
            Failure::new(Kind::RateLimited, "Too many sessions wait for their approval; try again later")
        })?;
        return Ok((JSON, json!({ "id": id }).to_string().into()));
    }
    let id = match step {
        Step::Page => query(asked, "__token__").and_then(|token| decoded(&token)),
        _ => query(asked, "sid"),
    };
    let id = id.unwrap_or_default();
    if step == Step::End {
        plane.connect.end(&id);
        return Ok((JSON, Bytes::from_static(b"{}")));
    }
    // Who guesses ids is shed like who guesses keys.
    let seen = plane.connect.look(&id, now).ok_or_else(|| {
        plane.flood.refused(address);
        Failure::new(Kind::InvalidRequest, "This session is over or never was; begin a new one").param("sid")
    })?;
    Ok(match step {
        Step::Page => ("text/html; charset=utf-8", page(&seen)),
        _ => (JSON, shown(&id, &seen)),
    })
}

fn internal(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Kind::Internal, "The session could not begin").detail(error)
}

fn decoded(token: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).ok()?).ok()
}

fn shown(id: &str, seen: &Seen) -> Bytes {
    let mut answer = json!({ "id": id, "challenge": seen.challenge });
    if let (Some((key, sealed)), Some(fields)) = (&seen.granted, answer.as_object_mut()) {
        fields.insert("accessKeyId".into(), key.as_str().into());
        fields.insert("accessKeySecret".into(), sealed.as_str().into());
    }
    answer.to_string().into()
}

/// The code holds letters, digits and a dash only, so nothing here has to be escaped.
fn page(seen: &Seen) -> Bytes {
    let code = &seen.code;
    let what = match &seen.granted {
        Some(_) => "<p>A key was granted. You can close this page.</p>".to_owned(),
        None => format!(
            "<p>A program asks for a key to this gateway. If you have just started it yourself, give this code \
             to an operator of the gateway:</p><p><strong>{code}</strong></p><p>Operators run \
             <code>aigne-hub connect approve {code}</code>. Without that, nothing is granted.</p>"
        ),
    };
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>AIGNE Hub</title><h1>AIGNE Hub</h1>{what}</html>"
    )
    .into()
}
