//! AWS's keys as they are sealed: one text in the place of one secret.

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// A pair of keys, and the token of those that are lent for a time. Its memory is overwritten
/// when it goes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPair {
    /// Names the key.
    pub access_key_id: String,
    /// Signs.
    pub secret_access_key: String,
    /// Goes along with each request, if the keys are lent.
    pub session_token: Option<String>,
}

impl Drop for KeyPair {
    fn drop(&mut self) {
        self.secret_access_key.zeroize();
        self.session_token.zeroize();
    }
}

impl KeyPair {
    /// As the vault takes it.
    pub fn to_text(&self) -> zeroize::Zeroizing<String> {
        // Three strings always have a JSON text.
        zeroize::Zeroizing::new(serde_json::to_string(self).unwrap_or_default())
    }

    /// What the vault gave back; `None` when it is no pair.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_read_back_with_and_without_a_token() {
        for session_token in [None, Some("t\"".to_owned())] {
            let pair =
                KeyPair { access_key_id: "AKIA".into(), secret_access_key: "s\\".into(), session_token };
            assert!(KeyPair::parse(&pair.to_text()) == Some(pair));
        }
        assert!(KeyPair::parse("sk-plain").is_none());
    }
}
