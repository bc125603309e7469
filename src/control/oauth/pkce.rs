//! Proof that who exchanges a code is who asked for it (RFC 7636), by SHA-256
//! only: with the plain method who sees the question knows the answer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What SHA-256 is in base64.
const CHALLENGE_CHARS: usize = 43;

/// Can it be the challenge of some verifier?
pub fn is_challenge(text: &str) -> bool {
    text.len() == CHALLENGE_CHARS && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

/// Can it be a verifier?
pub fn is_verifier(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    (43..=128).contains(&text.len()) && text.bytes().all(known)
}

/// Does the challenge follow from the verifier?
pub fn challenge_fits(challenge: &str, verifier: &str) -> bool {
    let made = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    is_verifier(verifier) && made.as_bytes().ct_eq(challenge.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    #[test]
    fn the_pair_of_the_rfc_fits() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(challenge_fits(challenge, verifier) && is_challenge(challenge));
        assert!(!challenge_fits(verifier, verifier), "the plain method");
        assert!(!challenge_fits(challenge, &verifier.replace('d', "e")));
    }

    #[test]
    fn short_long_and_odd_verifiers_are_none() {
        assert!(is_verifier(&"a".repeat(43)) && is_verifier(&"~".repeat(128)));
        for bad in ["a".repeat(42), "a".repeat(129), format!("{}+", "a".repeat(43)), String::new()] {
            assert!(!is_verifier(&bad), "{bad}");
        }
        assert!(!is_challenge(&"a".repeat(44)) && !is_challenge(&format!("{}=", "a".repeat(42))));
    }
}
