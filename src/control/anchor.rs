//! What stays of audit records that are too old to be kept: how many there were, and the digest
//! of the last one, signed. With it the rest of the chain can still be proved from its first
//! record on.

use super::audit::{Broken, Seal, Signer, is_signed};
use super::{from_hex, to_hex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Key of the anchor's row.
pub const AUDIT_ANCHOR: &str = "audit-anchor";

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Anchor {
    /// Number of the last record that was taken away.
    pub sequence: u64,
    /// Its digest.
    pub digest: String,
    /// Ed25519 over `aigne-hub audit anchor SEQUENCE DIGEST`.
    pub signature: String,
}

fn signed_text(sequence: u64, digest: &str) -> String {
    format!("aigne-hub audit anchor {sequence} {digest}")
}

impl Anchor {
    /// For a chain that begins after `seal`.
    pub fn new(signer: &Signer, seal: Seal) -> Self {
        let digest = to_hex(&seal.digest);
        let signature = signer.signature(&signed_text(seal.sequence, &digest));
        Self { sequence: seal.sequence, digest, signature }
    }

    /// Where the chain begins.
    ///
    /// # Errors
    /// It was not signed with the hub's key.
    pub fn seal(&self, public_key: &str) -> Result<Seal, Broken> {
        let text = signed_text(self.sequence, &self.digest);
        let digest = from_hex(&self.digest).and_then(|digest| digest.try_into().ok());
        match digest.filter(|_| is_signed(&text, &self.signature, public_key)) {
            Some(digest) => Ok(Seal { sequence: self.sequence, digest }),
            None => {
                let what = "is said to be pruned by somebody without the hub's key".to_owned();
                Err(Broken { sequence: self.sequence, what })
            }
        }
    }
}
