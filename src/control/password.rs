//! Passwords: Argon2id with the parameters that OWASP's password storage cheat
//! sheet names first (19 MiB, 2 passes, 1 lane), kept beside the hash so that
//! they can grow later.

use super::Fault;
use super::hex::as_text;
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const HASH_BYTES: usize = 32;
const SHORTEST: usize = 12;
/// Longer ones would only cost time.
const LONGEST: usize = 1_024;

/// A password at rest.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PasswordHash {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    #[serde(with = "as_text")]
    salt: [u8; 16],
    #[serde(with = "as_text")]
    hash: [u8; HASH_BYTES],
}

impl PasswordHash {
    /// Hashes a password. Takes some 20 ms and 19 MiB. `None` when it is too long.
    pub fn make(password: &str, salt: [u8; 16]) -> Option<Self> {
        let hash = hash(password, &salt, MEMORY_KIB, PASSES, LANES)?;
        Some(Self { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES, salt, hash })
    }

    /// Is it this password? As slow as making one.
    pub fn fits(&self, password: &str) -> bool {
        let made = hash(password, &self.salt, self.memory_kib, self.passes, self.lanes);
        made.is_some_and(|made| made.ct_eq(&self.hash).into())
    }
}

fn hash(password: &str, salt: &[u8], memory_kib: u32, passes: u32, lanes: u32) -> Option<[u8; HASH_BYTES]> {
    if password.len() > LONGEST {
        return None;
    }
    let params = Params::new(memory_kib, passes, lanes, Some(HASH_BYTES)).ok()?;
    let mut hash = [0; HASH_BYTES];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password.as_bytes(), salt, &mut hash).ok()?;
    Some(hash)
}

/// What is wrong with a password that somebody wants. Length is what counts; rules about kinds of
/// characters only make people write passwords down.
pub fn password_faults(password: &str, email: &str) -> Vec<Fault> {
    let fault = |text: String| vec![Fault::new("password", text)];
    if password.chars().count() < SHORTEST {
        return fault(format!("has fewer than {SHORTEST} characters"));
    }
    if password.len() > LONGEST {
        return fault(format!("is longer than {LONGEST} bytes"));
    }
    let mut characters: Vec<char> = password.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    if characters.len() < 5 || (!email.is_empty() && password.eq_ignore_ascii_case(email)) {
        return fault("is too easy to guess".to_owned());
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_itself_and_nothing_else() {
        let hash = PasswordHash::make("correct horse battery", [1; 16]).unwrap();
        assert!(hash.fits("correct horse battery"));
        assert!(!hash.fits("correct horse batterx") && !hash.fits(""));
        assert!(PasswordHash::make(&"x".repeat(1_025), [1; 16]).is_none());
        let text = serde_json::to_string(&hash).unwrap();
        assert!(serde_json::from_str::<PasswordHash>(&text).unwrap() == hash && !text.contains("horse"));
    }

    #[test]
    fn short_and_dull_passwords_are_refused() {
        assert!(password_faults("correct horse battery", "a@b").is_empty());
        for bad in ["short", "aaaaaaaaaaaaaaaa", "ann@example.com"] {
            assert_eq!(password_faults(bad, "ann@example.com").len(), 1, "{bad}");
        }
    }
}
