//! Making keys: `aigne_`, 43 characters for 256 random bits, 6 for a checksum.
//!
//! The prefix lets secret scanners find leaked keys; the checksum lets them
//! (and us) tell a key from a text that merely looks like one, without a table.

use crate::types::{KeyId, Secret};
use sha2::{Digest, Sha256};

const PREFIX: &str = "aigne_";
/// 62⁴³ is the first power of 62 above 2²⁵⁶.
const BODY_DIGITS: usize = 43;
/// 62⁶ is the first power of 62 above 2³².
const CHECKSUM_DIGITS: usize = 6;
const KEY_BYTES: usize = PREFIX.len() + BODY_DIGITS + CHECKSUM_DIGITS;
/// 62²² is the first power of 62 above 2¹²⁸.
const ID_DIGITS: usize = 22;
/// Characters of the secret that people see: the prefix and six digits of 43.
const SHOWN: usize = PREFIX.len() + 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A freshly made key: the secret is shown once and then forgotten.
pub struct NewKey {
    /// What the caller presents.
    pub secret: Secret,
    /// Its first characters, for people to recognise it by.
    pub prefix: String,
    /// The public id; tells nothing about the secret.
    pub id: KeyId,
}

/// Makes a key from 32 random bytes: `aigne_` + base62 + checksum, so that
/// secret scanners know it. The same bytes give the same key and id.
#[expect(clippy::expect_used, reason = "the id is made of letters and digits, shorter than the bound")]
pub fn generate(random: [u8; 32]) -> NewKey {
    let mut text = String::with_capacity(KEY_BYTES);
    text.push_str(PREFIX);
    push_base62(&mut text, &random, BODY_DIGITS);
    let checksum = crc32(text.as_bytes());
    push_base62(&mut text, &checksum.to_be_bytes(), CHECKSUM_DIGITS);

    let mut id = String::from("key_");
    push_base62(&mut id, &one_way(&random), ID_DIGITS);
    NewKey {
        prefix: text.chars().take(SHOWN).collect(),
        secret: Secret::new(text),
        id: KeyId::parse(&id).expect("an id of 26 letters and digits"),
    }
}

/// Is this text a key as [`generate`] makes them: shape and checksum?
///
/// Keys written into a configuration may be any text, so only a text that
/// starts with `aigne_` may be refused because this says no, and only if the
/// configuration refuses such texts too.
pub fn looks_like_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != KEY_BYTES || !bytes.starts_with(PREFIX.as_bytes()) {
        return false;
    }
    let (body, checksum) = bytes.split_at(KEY_BYTES - CHECKSUM_DIGITS);
    if !body.iter().skip(PREFIX.len()).all(u8::is_ascii_alphanumeric) {
        return false;
    }
    let claimed = checksum.iter().try_fold(0, |sum, byte| Some(sum * 62 + digit(*byte)?));
    claimed == Some(u64::from(crc32(body)))
}

/// The value of a base-62 digit.
fn digit(byte: u8) -> Option<u64> {
    let value = match byte {
        b'0'..=b'9' => byte - b'0',
        b'A'..=b'Z' => byte - b'A' + 10,
        b'a'..=b'z' => byte - b'a' + 36,
        _ => return None,
    };
    Some(value.into())
}

/// The id must be unique where the key is, and must not be a part of it.
fn one_way(random: &[u8; 32]) -> [u8; 16] {
    let digest: [u8; 32] =
        Sha256::new().chain_update(b"aigne key id\0").chain_update(random).finalize().into();
    let mut half = [0; 16];
    half.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    half
}

/// Appends a big-endian number as exactly `digits` base-62 digits, zeros in front.
fn push_base62(text: &mut String, number: &[u8], digits: usize) {
    let mut rest = number.to_vec();
    let mut reversed = Vec::with_capacity(digits);
    for _ in 0..digits {
        let mut remainder = 0_usize;
        for byte in &mut rest {
            let value = remainder * 256 + usize::from(*byte);
            *byte = (value / 62) as u8;
            remainder = value % 62;
        }
        reversed.push(ALPHABET[remainder]);
    }
    debug_assert!(rest.iter().all(|byte| *byte == 0), "too few digits");
    text.extend(reversed.iter().rev().map(|digit| char::from(*digit)));
}

/// CRC-32 as in IEEE 802.3 and zip: reflected, polynomial 0xEDB88320.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| (crc >> 8) ^ CRC_OF_BYTE[usize::from(crc as u8 ^ byte)];
    !bytes.iter().fold(u32::MAX, step)
}

static CRC_OF_BYTE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_checksum_is_the_common_crc_32() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn the_smallest_and_the_largest_number_have_the_same_length() {
        for random in [[0; 32], [255; 32]] {
            let key = generate(random);
            assert_eq!(key.secret.expose().len(), 55);
            assert!(looks_like_key(key.secret.expose()));
        }
        assert!(generate([0; 32]).secret.expose().starts_with("aigne_0000000"));
    }

    #[test]
    fn base_62_is_the_number_in_base_62() {
        for (number, digits) in [(3_843_u16, "0zz"), (3_844, "100"), (10, "00A"), (36, "00a")] {
            let mut text = String::new();
            push_base62(&mut text, &number.to_be_bytes(), 3);
            assert_eq!(text, digits, "{number}");
        }
    }

    #[test]
    fn the_public_parts_do_not_give_the_secret_away() {
        let key = generate([42; 32]);
        assert_eq!(key.prefix.len(), 12);
        assert!(key.secret.expose().starts_with(&key.prefix));
        let digits = key.id.as_str().trim_start_matches("key_");
        assert!(!key.secret.expose().contains(&digits[..6]));
    }

    #[test]
    fn other_texts_are_no_keys() {
        for text in ["", "aigne_", "sk-1234567890123456", &"a".repeat(55), &"é".repeat(28)] {
            assert!(!looks_like_key(text), "{text}");
        }
        let key = generate([1; 32]).secret.expose().to_owned();
        assert!(!looks_like_key(&key[..54]));
        assert!(!looks_like_key(&format!("{key}0")));
        assert!(!looks_like_key(&key.replace("aigne_", "aigna_")));
    }

    proptest! {
        #[test]
        fn a_changed_character_is_noticed(random: [u8; 32], at in 6_usize..55, by in 1_u8..62) {
            let mut key = generate(random).secret.expose().as_bytes().to_vec();
            let digit = ALPHABET.iter().position(|d| *d == key[at]).unwrap();
            key[at] = ALPHABET[(digit + usize::from(by)) % 62];
            prop_assert!(!looks_like_key(std::str::from_utf8(&key).unwrap()));
        }

        #[test]
        fn different_bytes_give_different_keys_and_ids(a: [u8; 32], b: [u8; 32]) {
            prop_assume!(a != b);
            let (a, b) = (generate(a), generate(b));
            prop_assert_ne!(a.secret.expose(), b.secret.expose());
            prop_assert_ne!(a.id, b.id);
        }

        #[test]
        fn no_text_makes_the_check_panic(text in any::<String>()) {
            looks_like_key(&text);
        }
    }
}
