//! Plain signed messages: "credit this wallet", from whoever shares a secret
//! with the hub. `x-aigne-signature: t=SECONDS,v1=HEX`, where HEX is the
//! HMAC-SHA256 of `SECONDS.BODY`. Payment providers sign the same way.

use crate::ledger::wallet::{Operation, Source, Task};
use crate::types::{Pico, Secret, TenantId, Wall};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

/// Why a message is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// The header is missing or cannot be read.
    #[error("the signature header is missing or malformed")]
    Malformed,
    /// It was signed too long ago, or in the future.
    #[error("the message was signed too long ago, or by a clock that is ahead")]
    Late,
    /// No signature fits.
    #[error("no signature fits the message")]
    Wrong,
}

/// A message that credits a wallet.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    /// Makes it happen once.
    pub id: String,
    /// Whose wallet.
    pub tenant: String,
    /// Credits, a decimal string.
    pub amount: Pico,
    /// Where they come from. Default: a purchase.
    pub source: Option<Source>,
    /// Seconds since the epoch; from then on what is left cannot be spent.
    pub expires_at: Option<i64>,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
}

impl Credit {
    /// The operation; `from` says who sent the message and begins its id.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn operation(&self, from: &str, now: Wall) -> Result<Operation, String> {
        let tenant = TenantId::parse(&self.tenant).map_err(|error| error.to_string())?;
        let expires_at = self.expires_at.map(|seconds| Wall(seconds.saturating_mul(1_000_000)));
        let source = self.source.unwrap_or(Source::Purchase);
        let task = Task::Issue { source, amount: self.amount, priority: None, expires_at };
        let (id, reason) = (format!("{from}:{}", self.id).into(), self.reason.as_str().into());
        let operation = Operation { id, tenant, reason, task };
        operation.check(now)?;
        Ok(operation)
    }
}

/// Believes a message that one of the secrets has signed at most `tolerance` seconds ago, or ahead.
/// The header may hold several signatures, and names that nobody knows.
///
/// # Errors
/// Why it is not believed.
pub fn open_message(
    header: &str,
    body: &[u8],
    secrets: &[Secret],
    now: Wall,
    tolerance: i64,
) -> Result<(), Unsigned> {
    let (mut at, mut signatures) = (None, Vec::new());
    for pair in header.split(',') {
        match pair.trim().split_once('=') {
            Some(("t", seconds)) => at = seconds.parse::<i64>().ok(),
            Some(("v1", hex)) => signatures.push(hex),
            _ => {}
        }
    }
    let Some(at) = at.filter(|_| !signatures.is_empty()) else { return Err(Unsigned::Malformed) };
    // Looked at before the time, so that only who knows the secret learns about the clock.
    let fits = |hex: &&str| {
        from_hex(hex).is_some_and(|bytes| {
            secrets.iter().any(|secret| mac(secret, at, body).verify_slice(&bytes).is_ok())
        })
    };
    if !signatures.iter().take(MOST_SIGNATURES).any(fits) {
        return Err(Unsigned::Wrong);
    }
    if now.seconds().saturating_sub(at).saturating_abs() > tolerance {
        return Err(Unsigned::Late);
    }
    Ok(())
}

/// A secret that is being replaced signs beside its successor; more than these are no honest header.
const MOST_SIGNATURES: usize = 16;

/// The header of a message.
pub fn sign_message(secret: &Secret, at: i64, body: &[u8]) -> String {
    let digest = mac(secret, at, body).finalize().into_bytes();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={hex}")
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn mac(secret: &Secret, at: i64, body: &[u8]) -> Hmac<Sha256> {
    let mac: Hmac<Sha256> = KeyInit::new_from_slice(secret.expose().as_bytes()).expect("any length will do");
    mac.chain_update(at.to_string()).chain_update(b".").chain_update(body)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall(1_795_168_800_000_000);

    fn open(header: &str, body: &[u8]) -> Result<(), Unsigned> {
        let secrets = [Secret::new("new"), Secret::new("old")];
        open_message(header, body, &secrets, NOW, 300)
    }

    #[test]
    fn only_who_knows_a_secret_is_believed_and_not_for_long() {
        let at = NOW.seconds();
        let signed = |secret: &str, at: i64| sign_message(&Secret::new(secret), at, b"{}");
        for (secret, at) in [("new", at), ("old", at - 300), ("old", at + 300)] {
            assert_eq!(open(&signed(secret, at), b"{}"), Ok(()));
        }
        assert_eq!(open(&signed("new", at - 301), b"{}"), Err(Unsigned::Late));
        assert_eq!(open(&signed("new", at + 301), b"{}"), Err(Unsigned::Late));
        assert_eq!(open(&signed("other", at), b"{}"), Err(Unsigned::Wrong));
        assert_eq!(open(&signed("new", at), b"{} "), Err(Unsigned::Wrong));
        // The time is signed, too.
        assert_eq!(
            open(&signed("new", at).replace(&at.to_string(), &(at + 1).to_string()), b"{}"),
            Err(Unsigned::Wrong)
        );
    }

    #[test]
    fn a_header_may_hold_more_and_must_not_hold_less() {
        let good = sign_message(&Secret::new("new"), NOW.seconds(), b"{}");
        let (at, v1) = good.split_once(',').unwrap();
        let several = format!("{at}, v0=beef,v1={},{v1},x", "00".repeat(32));
        assert_eq!(open(&several, b"{}"), Ok(()));
        for bad in ["", "t=,v1=", at, v1, "t=x,v1=00", "garbage"] {
            assert_eq!(open(bad, b"{}"), Err(Unsigned::Malformed), "{bad}");
        }
        for bad in ["v1=0", "v1=zz", "v1=é0", "v1="] {
            assert_eq!(open(&format!("{at},{bad}"), b"{}"), Err(Unsigned::Wrong), "{bad}");
        }
    }
}
