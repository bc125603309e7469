//! A secret as AIGNE's command line takes it from a session: encrypted with a
//! key that follows from the session's challenge and the key's id.
//!
//! Challenge and id travel beside it, so this keeps the secret out of logs
//! that show bodies, and from nobody who can read the answer. What protects it
//! is TLS, and that only who began the session knows its id.
//!
//! The form is that of OpenSSL's `enc`: `Salted__`, eight bytes of salt,
//! AES-256-CBC with key and vector from MD5. The passphrase is the hexadecimal
//! text of PBKDF2 with HMAC-SHA-512 over 256 rounds.

use crate::types::Secret;
use aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha512;

const ROUNDS: usize = 256;
const KEY_BYTES: usize = 32;
const VECTOR_BYTES: usize = 16;

/// Encrypts a secret for the session with this challenge.
pub(super) fn seal(secret: &Secret, challenge: &str, key_id: &str, salt: [u8; 8]) -> String {
    let (key, vector) = key_and_vector(passphrase(challenge, key_id).as_bytes(), salt);
    let sealed = cbc::Encryptor::<Aes256>::new(&key.into(), &vector.into())
        .encrypt_padded_vec::<Pkcs7>(secret.expose().as_bytes());
    STANDARD.encode([b"Salted__".as_slice(), &salt, &sealed].concat())
}

/// Opens what is encrypted in this form. `None`: it is no such text, or the words are others; without
/// a checksum a wrong word now and then gives a text that makes no sense.
pub fn open_sealed(sealed: &str, challenge: &str, key_id: &str) -> Option<Secret> {
    let bytes = STANDARD.decode(sealed).ok()?;
    let (salt, text) = bytes.strip_prefix(b"Salted__")?.split_at_checked(8)?;
    let (key, vector) = key_and_vector(passphrase(challenge, key_id).as_bytes(), salt.try_into().ok()?);
    let opened =
        cbc::Decryptor::<Aes256>::new(&key.into(), &vector.into()).decrypt_padded_vec::<Pkcs7>(text).ok()?;
    String::from_utf8(opened).ok().map(Secret::new)
}

/// Does a text have the form of [`open_sealed`]?
pub fn is_sealed(text: &str) -> bool {
    // The first bytes, `Salted__`, in base64.
    text.starts_with("U2FsdGVkX1")
}

/// PBKDF2 (RFC 8018) whose result is shorter than one block, in hexadecimal.
fn passphrase(challenge: &str, key_id: &str) -> String {
    let round = |parts: &[&[u8]]| -> [u8; 64] {
        // A key of any length is taken.
        let Ok(mut mac) = Hmac::<Sha512>::new_from_slice(challenge.as_bytes()) else { return [0; 64] };
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    };
    let mut last = round(&[key_id.as_bytes(), &1_u32.to_be_bytes()]);
    let mut sum = last;
    for _ in 1..ROUNDS {
        last = round(&[&last]);
        sum.iter_mut().zip(last).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum.iter().take(KEY_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// OpenSSL's `EVP_BytesToKey` with MD5 and one round.
fn key_and_vector(passphrase: &[u8], salt: [u8; 8]) -> ([u8; KEY_BYTES], [u8; VECTOR_BYTES]) {
    let mut derived = Vec::with_capacity(KEY_BYTES + VECTOR_BYTES);
    let mut last: Vec<u8> = Vec::new();
    while derived.len() < KEY_BYTES + VECTOR_BYTES {
        last = Md5::new().chain_update(&last).chain_update(passphrase).chain_update(salt).finalize().to_vec();
        derived.extend_from_slice(&last);
    }
    let (mut key, mut vector) = ([0; KEY_BYTES], [0; VECTOR_BYTES]);
    key.iter_mut().zip(&derived).for_each(|(to, from)| *to = *from);
    vector.iter_mut().zip(derived.iter().skip(KEY_BYTES)).for_each(|(to, from)| *to = *from);
    (key, vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by the library that the command line uses, and taken by it.
    #[test]
    fn a_known_secret_is_sealed_as_the_command_line_expects() {
        let known = "U2FsdGVkX18fnkAECP516jNTmDaG05EznACm2fV2sKkb9wN+v0xN4WwhGiINTKp1";
        let salt = [0x1f, 0x9e, 0x40, 0x04, 0x08, 0xfe, 0x75, 0xea];
        let secret = Secret::new("blocklet-SECRET456".to_owned());
        assert_eq!(seal(&secret, "chal-abcdef", "blocklet-KEYID123", salt), known);
        assert_eq!(open_sealed(known, "chal-abcdef", "blocklet-KEYID123"), Some(secret));
        assert!(is_sealed(known) && !is_sealed("sk-plain"));
        for (text, word) in [(known, "other"), ("", "c"), ("U2FsdGVkX18=", "c"), (&known[..40], "c")] {
            let opened = open_sealed(text, word, "blocklet-KEYID123");
            assert!(opened.is_none_or(|opened| opened.expose() != "blocklet-SECRET456"), "{text}");
        }
    }

    #[test]
    fn salt_challenge_and_id_all_matter() {
        let secret = Secret::new("s".to_owned());
        let sealed = [
            seal(&secret, "c", "k", [0; 8]),
            seal(&secret, "d", "k", [0; 8]),
            seal(&secret, "c", "l", [0; 8]),
            seal(&secret, "c", "k", [1; 8]),
        ];
        let distinct: std::collections::HashSet<_> = sealed.iter().collect();
        assert_eq!(distinct.len(), sealed.len());
    }
}
