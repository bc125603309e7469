//! One sign-in on its way: all that the hub has to remember stays with the browser, in a cookie,
//! from which what is sent to the provider is derived. So nothing can be flooded, and nobody who
//! has another browser can go on with it.

use crate::control::to_hex;
use crate::types::Wall;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The cookie of a sign-in on its way. The browser has to send it when the provider sends the
/// person back, so it cannot be strict.
pub const FLOW_COOKIE: &str = "__Host-aigne-hub-sign-in";
/// How long somebody may take at the provider, in seconds.
const LONGEST: i64 = 10 * 60;

/// What the derived values are made with; lives as long as the process.
pub struct FlowKey([u8; 32]);

/// One sign-in on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// What the cookie holds.
    pub cookie: String,
    /// Binds the provider's answer to the browser.
    pub state: String,
    /// Binds the token to it.
    pub nonce: String,
    /// Proves at the token endpoint that it is the same sign-in (RFC 7636).
    pub verifier: String,
    /// Where the browser goes in the end: a path.
    pub then: String,
}

impl Beginning {
    /// What is sent instead of the verifier.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }
}

impl FlowKey {
    /// From random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// Begins a sign-in by a provider.
    pub fn begin(&self, provider: &str, then: &str, random: [u8; 32], now: Wall) -> Beginning {
        let then = URL_SAFE_NO_PAD.encode(safe_path(then));
        let cookie = format!("{}.{}.{provider}.{then}", to_hex(&random), now.seconds());
        self.derived(cookie, now).unwrap_or_else(|| Beginning {
            cookie: String::new(),
            state: String::new(),
            nonce: String::new(),
            verifier: String::new(),
            then: "/".to_owned(),
        })
    }

    /// Goes on with the sign-in of this cookie. `None`: it is over, for another provider, or there
    /// was none with this state.
    pub fn resume(&self, cookie: &str, provider: &str, state: &str, now: Wall) -> Option<Beginning> {
        let beginning = self.derived(cookie.to_owned(), now)?;
        let own = cookie.split('.').nth(2)? == provider;
        let same = subtle::ConstantTimeEq::ct_eq(beginning.state.as_bytes(), state.as_bytes());
        (own && bool::from(same)).then_some(beginning)
    }

    fn derived(&self, cookie: String, now: Wall) -> Option<Beginning> {
        let mut parts = cookie.split('.').skip(1);
        let begun: i64 = parts.next()?.parse().ok()?;
        let then = URL_SAFE_NO_PAD.decode(parts.nth(1)?).ok()?;
        let then = String::from_utf8(then).ok()?;
        let age = now.seconds().checked_sub(begun)?;
        if !(0..LONGEST).contains(&age) {
            return None;
        }
        // Each value is of the whole cookie, so that no part of it can be another.
        let value = |what: &str| Some(URL_SAFE_NO_PAD.encode(self.mac(what, &cookie)?));
        let (state, nonce, verifier) = (value("state")?, value("nonce")?, value("verifier")?);
        Some(Beginning { state, nonce, verifier, then: safe_path(&then).to_owned(), cookie })
    }

    pub(super) fn mac(&self, what: &str, cookie: &str) -> Option<[u8; 32]> {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).ok()?;
        let mac = mac.chain_update(what).chain_update([0]).chain_update(cookie);
        Some(mac.finalize().into_bytes().into())
    }
}

/// A path of this hub; anything that could lead elsewhere becomes the root.
pub(super) fn safe_path(then: &str) -> &str {
    let plain =
        then.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>'));
    match then.starts_with('/') && !then.starts_with("//") && plain && then.len() <= 2_000 {
        true => then,
        false => "/",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall(1_000_000_000_000);

    #[test]
    fn a_sign_in_goes_on_only_with_its_cookie_provider_and_state_and_in_time() {
        let key = FlowKey::new([1; 32]);
        let begun = key.begin("corp", "/console?x=1", [2; 32], NOW);
        assert_eq!(key.resume(&begun.cookie, "corp", &begun.state, NOW), Some(begun.clone()));
        assert_eq!(begun.then, "/console?x=1");
        assert_eq!(key.resume(&begun.cookie, "other", &begun.state, NOW), None);
        assert_eq!(key.resume(&begun.cookie, "corp", "", NOW), None);
        let other = key.begin("corp", "/", [3; 32], NOW);
        assert_eq!(key.resume(&other.cookie, "corp", &begun.state, NOW), None);
        let forged = begun.cookie.replace("corp", "evil");
        assert_eq!(key.resume(&forged, "evil", &begun.state, NOW), None);
        let late = Wall(NOW.0 + LONGEST * 1_000_000);
        assert_eq!(key.resume(&begun.cookie, "corp", &begun.state, late), None);
        assert_eq!(FlowKey::new([9; 32]).resume(&begun.cookie, "corp", &begun.state, NOW), None);
        let values = [&begun.state, &begun.nonce, &begun.verifier, &begun.challenge()];
        assert!(values.iter().all(|value| value.len() == 43), "{values:?}");
        for bad in ["", ".", "a.b.c.d", "....", &begun.cookie[1..]] {
            assert_eq!(key.resume(bad, "corp", &begun.state, NOW), None, "{bad}");
        }
    }

    #[test]
    fn the_way_back_stays_in_the_hub() {
        for (then, kept) in [
            ("/a?b=c#d", "/a?b=c#d"),
            ("//evil.test", "/"),
            ("https://evil.test", "/"),
            ("/\\evil.test", "/"),
            ("/a\"b", "/"),
            ("/a b", "/"),
            ("", "/"),
        ] {
            assert_eq!(safe_path(then), kept, "{then}");
        }
    }

    #[test]
    fn the_challenge_is_the_one_of_the_standard() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let begun = FlowKey::new([1; 32]).begin("p", "/", [2; 32], NOW);
        let begun = Beginning { verifier, ..begun };
        assert_eq!(begun.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
