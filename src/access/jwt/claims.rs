//! What a token says.

use super::{Algorithm, Unverified};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// Longest token; header fields of this size still pass everywhere.
pub const MOST_BYTES: usize = 16 * 1024;
/// A point in time past the year 9999 is none.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// The claims of a token.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(Map<String, Value>);

/// Can it be a token of this form? Its header begins with `{"`.
pub fn looks_like_jwt(text: &str) -> bool {
    text.starts_with("eyJ") && text.len() <= MOST_BYTES && text.bytes().filter(|b| *b == b'.').count() == 2
}

pub(super) fn read(token: &str) -> Option<Unverified<'_>> {
    if token.len() > MOST_BYTES {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let (header, payload) = (object(header)?, object(payload)?);
    // What must be understood and is not, makes a token invalid (RFC 7515 §4.1.11). A payload that
    // is not encoded, or a token in a token, is nothing that an issuer of access tokens sends.
    if ["crit", "b64", "cty"].iter().any(|name| header.contains_key(*name)) {
        return None;
    }
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.clone()),
        Some(_) => return None,
    };
    let algorithm = header.get("alg")?.as_str()?;
    Some(Unverified {
        signed,
        signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        algorithm: Algorithm::parse(algorithm),
        kid,
        claims: Claims(payload),
    })
}

fn object(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

impl Claims {
    /// A claim that is a text. Dots lead into objects, as in `realm.name`, unless there is a claim
    /// that is called so.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.find(name)?.as_str()
    }

    /// A claim that is a text, a number or a switch, as text.
    pub fn plain(&self, name: &str) -> Option<String> {
        match self.find(name)? {
            Value::String(text) => Some(text.clone()),
            value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
            _ => None,
        }
    }

    /// A claim that is a text or a list of texts.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        match self.find(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Words of a claim: a text with blanks, or a list.
    pub fn words(&self, name: &str) -> Vec<&str> {
        self.texts(name)
            .into_iter()
            .flat_map(|text| text.split(' '))
            .filter(|word| !word.is_empty())
            .collect()
    }

    /// A claim that is a point in time, in seconds since the epoch.
    pub fn seconds(&self, name: &str) -> Option<i64> {
        let value = self.find(name)?;
        let whole = value.as_f64().filter(|at| (0.0..=LAST_SECOND).contains(at))?;
        #[expect(clippy::cast_possible_truncation, reason = "within the bounds above every second fits")]
        Some(whole as i64)
    }

    /// Is there such a claim?
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<&Value> {
        if let Some(value) = self.0.get(name) {
            return Some(value);
        }
        let mut parts = name.split('.');
        let first = self.0.get(parts.next()?)?;
        name.contains('.')
            .then_some(first)
            .and_then(|value| parts.try_fold(value, |value, part| value.get(part)))
    }
}
