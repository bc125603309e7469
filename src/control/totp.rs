//! One-time codes of six digits (RFC 6238, SHA-1, steps of 30 s), as every
//! authenticator app makes them.

use crate::types::Wall;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

const STEP_SECONDS: i64 = 30;
const DIGITS: usize = 6;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The code of a step. `None` for a time before 1970.
pub fn totp_code(secret: &[u8], step: u64) -> Option<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest.last()? & 0xf);
    let bytes: [u8; 4] = digest.get(offset..offset.checked_add(4)?)?.try_into().ok()?;
    let number = u32::from_be_bytes(bytes) & 0x7fff_ffff;
    Some(format!("{:0DIGITS$}", number % 1_000_000))
}

/// The step whose code this is: the one of now, the one before or the one after, and later than
/// `last`, for each code is good once.
pub fn totp_verify(secret: &[u8], code: &str, now: Wall, last: u64) -> Option<u64> {
    let current = u64::try_from(now.seconds().div_euclid(STEP_SECONDS)).ok()?;
    let steps = current.saturating_sub(1)..=current.saturating_add(1);
    steps.filter(|step| *step > last).find(|step| {
        totp_code(secret, *step).is_some_and(|right| right.as_bytes().ct_eq(code.trim().as_bytes()).into())
    })
}

/// What an authenticator app scans, and the secret in base32 for those who type.
pub fn totp_uri(secret: &[u8], account: &str) -> (String, String) {
    let secret = base32(secret);
    let account = percent_encoding::utf8_percent_encode(account, percent_encoding::NON_ALPHANUMERIC);
    (format!("otpauth://totp/AIGNE%20Hub:{account}?secret={secret}&issuer=AIGNE%20Hub"), secret)
}

fn base32(bytes: &[u8]) -> String {
    let (mut text, mut bits, mut held) = (String::new(), 0_u32, 0_u32);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(held >> bits));
        }
    }
    if bits > 0 {
        text.push(letter(held << (5 - bits)));
    }
    text
}

fn letter(value: u32) -> char {
    char::from(BASE32[(value & 31) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, cut to six digits.
    #[test]
    fn the_codes_are_those_of_the_rfc() {
        let secret = b"12345678901234567890";
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924")] {
            let now = Wall(seconds * 1_000_000);
            let step = u64::try_from(seconds / 30).unwrap();
            assert_eq!(totp_code(secret, step).as_deref(), Some(code));
            assert_eq!(totp_verify(secret, code, now, 0), Some(step));
            assert_eq!(totp_verify(secret, code, now, step), None, "each code is good once");
            assert_eq!(totp_verify(secret, "000000", now, 0), None);
            assert_eq!(totp_verify(secret, code, Wall(now.0 + 120_000_000), 0), None);
        }
    }

    /// RFC 4648, section 10, without padding.
    #[test]
    fn base32_is_that_of_the_rfc() {
        for (text, expected) in [("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foobar", "MZXW6YTBOI")] {
            assert_eq!(base32(text.as_bytes()), expected);
        }
    }
}
