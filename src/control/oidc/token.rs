//! Is an ID token what it claims to be (OpenID Connect Core 1.0, 3.1.3.7)? Everything is checked,
//! also what the direct way from the provider would make superfluous.

use super::claims::Claims;
use super::jwks::{Jwks, algorithm};
use crate::types::Wall;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use subtle::ConstantTimeEq;

/// Clocks may differ by this many seconds.
const LEEWAY: i64 = 60;
/// A token that was made longer ago, in seconds, belongs to no sign-in that goes on now.
const OLDEST: i64 = 60 * 60;
const LONGEST_TOKEN: usize = 64 * 1024;
const LONGEST_SUBJECT: usize = 255;

/// What a token has to say.
pub struct Expected<'e> {
    /// Who it comes from.
    pub issuer: &'e str,
    /// Whom it is for.
    pub client_id: &'e str,
    /// What was sent along with the person.
    pub nonce: &'e str,
    /// The token that came with it, which `at_hash` speaks of.
    pub access_token: Option<&'e str>,
    /// The time.
    pub now: Wall,
}

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It names a key that is not there; the provider may have new ones.
    #[error("it is signed with a key that the provider does not publish")]
    UnknownKey,
    /// Anything else, for the log.
    #[error("{0}")]
    Wrong(&'static str),
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Checked {
    iss: String,
    sub: String,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
    exp: f64,
    iat: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    at_hash: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// The claims of a token that holds in every respect.
///
/// # Errors
/// [`Refusal::UnknownKey`] when other keys may prove it, else the first thing that is wrong.
pub fn verify_id_token(token: &str, keys: &Jwks, expected: &Expected<'_>) -> Result<Claims, Refusal> {
    let (text, name) = proved(token, keys)?;
    let checked: Checked = super::read(&text).ok_or(Refusal::Wrong("it lacks claims that it must have"))?;
    checked.fits(expected)?;
    if let Some(hash) = &checked.at_hash {
        let own = expected.access_token.and_then(|token| Some(algorithm(name)?.half_hash(token)));
        if !own.is_some_and(|own| same(&own, hash)) {
            return Err(Refusal::Wrong("at_hash is not that of the access token"));
        }
    }
    let claims = super::read(&text).ok_or(Refusal::Wrong("its claims are no object"))?;
    Ok(Claims::new(checked.iss, checked.sub, claims))
}

/// What a token says, if its signature holds, and the name of the algorithm.
fn proved(token: &str, keys: &Jwks) -> Result<(Vec<u8>, &'static str), Refusal> {
    if token.len() > LONGEST_TOKEN {
        return Err(Refusal::Wrong("it is too long"));
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Wrong("it is no JWT"))?;
    let (header, payload) = signed.split_once('.').ok_or(Refusal::Wrong("it is no JWT"))?;
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Wrong("it is no JWT"));
    let header: Header = super::read(&decoded(header)?).ok_or(Refusal::Wrong("its header cannot be read"))?;
    if header.crit.is_some() {
        return Err(Refusal::Wrong("it wants extensions to be understood, and none is"));
    }
    let algorithm =
        algorithm(&header.alg).ok_or(Refusal::Wrong("it is signed in a way that is not taken"))?;
    let kid = header.kid.as_deref();
    if !keys.has(algorithm, kid) {
        return Err(Refusal::UnknownKey);
    }
    match keys.proves(algorithm, kid, signed.as_bytes(), &decoded(signature)?) {
        true => Ok((decoded(payload)?, algorithm.name)),
        false => Err(Refusal::Wrong("its signature does not hold")),
    }
}

impl Checked {
    fn fits(&self, expected: &Expected<'_>) -> Result<(), Refusal> {
        let now = expected.now.seconds();
        let wrong = |what| Err(Refusal::Wrong(what));
        if self.iss != expected.issuer {
            return wrong("it comes from another issuer");
        }
        let audience = self.aud.all();
        if !audience.iter().any(|one| one == expected.client_id) {
            return wrong("it is for another client");
        }
        let party = self.azp.as_deref();
        if audience.len() > 1 && party.is_none() || party.is_some_and(|azp| azp != expected.client_id) {
            return wrong("it was given to another client");
        }
        // Seconds since 1970 are whole in both forms, far below where they would not be.
        if whole(self.exp) <= now - LEEWAY {
            return wrong("it has expired");
        }
        let made = whole(self.iat);
        if made > now + LEEWAY || made < now - OLDEST || self.nbf.is_some_and(|at| whole(at) > now + LEEWAY) {
            return wrong("it is from another time");
        }
        if !self.nonce.as_deref().is_some_and(|nonce| same(nonce, expected.nonce)) {
            return wrong("it belongs to another sign-in");
        }
        if self.sub.is_empty() || self.sub.len() > LONGEST_SUBJECT {
            return wrong("its subject is empty or too long");
        }
        Ok(())
    }
}

fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// A number of seconds, bounded so that sums with it cannot overflow.
fn whole(seconds: f64) -> i64 {
    const FAR: f64 = 1e15;
    #[expect(clippy::cast_possible_truncation, reason = "bounded before")]
    let seconds = seconds.clamp(-FAR, FAR) as i64;
    seconds
}

#[cfg(test)]
mod tests;
