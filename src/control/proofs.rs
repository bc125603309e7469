//! How a user proves who they are.

use super::{PasswordHash, Sealed};
use serde::{Deserialize, Serialize};

/// Everything by which one user can be known. Never shown as a whole.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Proofs {
    /// The password, hashed; none: they cannot sign in with one.
    pub password: Option<PasswordHash>,
    /// The secret of one-time codes, once it is confirmed.
    pub totp: Option<Sealed>,
    /// The last step whose code was taken: each is good once.
    pub totp_step: u64,
    /// Who they are at providers of identities.
    pub identities: Vec<Identity>,
}

/// Somebody at a provider of identities. The pair is fixed for life, an e-mail address is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Identity {
    /// The provider, as it calls itself.
    pub issuer: String,
    /// Whom it means.
    pub subject: String,
}
