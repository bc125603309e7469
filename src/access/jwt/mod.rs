//! Tokens that somebody else issued and signed (JWT, RFC 7519): read strictly,
//! verified with the issuer's published keys, never with a secret.
//!
//! An algorithm is one of a short list and belongs to one type of key, so a
//! token can neither choose to be unsigned nor pass a public key off as a
//! shared secret.

mod claims;
mod keys;
#[cfg(test)]
mod tests;

pub use claims::{Claims, MOST_BYTES, looks_like_jwt};
pub use keys::KeySet;

use keys::Verifying;
use std::time::Duration;

use crate::types::Wall;

/// How a token may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA, PKCS #1 v1.5, SHA-256.
    Rs256,
    /// The same with SHA-384.
    Rs384,
    /// The same with SHA-512.
    Rs512,
    /// RSA, PSS, SHA-256.
    Ps256,
    /// P-256, SHA-256.
    Es256,
    /// P-384, SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them, as they are written.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Rs256, "RS256"),
        (Self::Rs384, "RS384"),
        (Self::Rs512, "RS512"),
        (Self::Ps256, "PS256"),
        (Self::Es256, "ES256"),
        (Self::Es384, "ES384"),
        (Self::EdDsa, "EdDSA"),
    ];

    /// By its name (RFC 7518 §3.1, RFC 8037; the newer name of RFC 9864 too).
    pub fn parse(text: &str) -> Option<Self> {
        let text = if text == "Ed25519" { "EdDSA" } else { text };
        Self::ALL.into_iter().find(|(_, name)| *name == text).map(|(algorithm, _)| algorithm)
    }
}

/// What a token of an issuer must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Whose it is (`iss`).
    pub issuer: String,
    /// For whom; one of these must be in `aud`.
    pub audiences: Vec<String>,
    /// How it may be signed.
    pub algorithms: Vec<Algorithm>,
    /// By how much clocks may differ.
    pub leeway: Duration,
}

/// Why a token is not accepted. For the log; callers see one text for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It cannot be read.
    #[error("the token cannot be read")]
    Malformed,
    /// It is signed in a way that is not allowed, or not at all.
    #[error("the token's algorithm is not allowed")]
    Algorithm,
    /// None of the issuer's keys is the one that it names.
    #[error("the token's key is not known")]
    UnknownKey,
    /// Somebody else signed it, or it was changed.
    #[error("the token's signature does not fit")]
    Signature,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYet,
    /// It is another issuer's.
    #[error("the token is of another issuer")]
    Issuer,
    /// It is meant for somebody else.
    #[error("the token is for another audience")]
    Audience,
}

/// A token taken apart. Nothing in it is believed yet.
pub struct Unverified<'t> {
    signed: &'t str,
    signature: Vec<u8>,
    algorithm: Option<Algorithm>,
    kid: Option<String>,
    claims: Claims,
}

impl<'t> Unverified<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`Refusal::Malformed`], also when it asks for something that is not known (`crit`).
    pub fn read(token: &'t str) -> Result<Self, Refusal> {
        claims::read(token).ok_or(Refusal::Malformed)
    }

    /// Whose it claims to be.
    pub fn issuer(&self) -> Option<&str> {
        self.claims.text("iss")
    }

    /// Proves it.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn verify(self, policy: &Policy, keys: &KeySet, now: Wall) -> Result<Claims, Refusal> {
        let algorithm = self.algorithm.filter(|algorithm| policy.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or(Refusal::Algorithm)?;
        let mut fitting = keys.fitting(algorithm, self.kid.as_deref()).peekable();
        if fitting.peek().is_none() {
            return Err(Refusal::UnknownKey);
        }
        let genuine = |key: &Verifying| key.verifies(algorithm, self.signed.as_bytes(), &self.signature);
        if !fitting.any(genuine) {
            return Err(Refusal::Signature);
        }
        if self.claims.text("iss") != Some(policy.issuer.as_str()) {
            return Err(Refusal::Issuer);
        }
        if !self.claims.texts("aud").iter().any(|one| policy.audiences.iter().any(|own| own == one)) {
            return Err(Refusal::Audience);
        }
        let leeway = i64::try_from(policy.leeway.as_secs()).unwrap_or(i64::MAX);
        let end = self.claims.seconds("exp").ok_or(Refusal::Malformed)?;
        if now.seconds() >= end.saturating_add(leeway) {
            return Err(Refusal::Expired);
        }
        match self.claims.has("nbf").then(|| self.claims.seconds("nbf")) {
            Some(None) => Err(Refusal::Malformed),
            Some(Some(begin)) if now.seconds().saturating_add(leeway) < begin => Err(Refusal::NotYet),
            _ => Ok(self.claims),
        }
    }
}
