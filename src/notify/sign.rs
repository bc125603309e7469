//! How a receiver knows that a notice is from this hub, and new: HMAC-SHA256
//! over the time of the attempt and the body.

use crate::types::{Secret, Wall};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::Write;

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "x-aigne-signature";

/// `t=SECONDS,v1=HEX`, with one `v1` for each secret: HMAC-SHA256 of `SECONDS.BODY`, under the
/// secret's bytes as they are written. A receiver accepts when one fits its secret and the time is
/// not long ago.
pub fn signature(secrets: &[Secret], at: Wall, body: &str) -> String {
    let seconds = at.seconds();
    let mut text = format!("t={seconds}");
    for secret in secrets {
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { continue };
        let digest = mac.chain_update(seconds.to_string()).chain_update(".").chain_update(body).finalize();
        text.push_str(",v1=");
        for byte in digest.into_bytes() {
            // Writing to a `String` does not fail.
            let _ = write!(text, "{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_signs_time_and_body() {
        let secrets = [Secret::new("key"), Secret::new("old")];
        let text = signature(&secrets, Wall(1_700_000_000_999_999), "{}");
        let parts: Vec<&str> = text.split(',').collect();
        // Computed with another implementation of RFC 2104.
        assert_eq!(parts[0], "t=1700000000");
        assert_eq!(parts[1], "v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae");
        assert_eq!(parts[2], "v1=2b5e6fc3cac3432cb8a3476c75510114966afb97256d20b9198872431b7ceca6");
        assert_eq!(signature(&[], Wall(0), "x"), "t=0");
    }
}
