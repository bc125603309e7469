//! Somebody whom a provider has named, and who still has to give a one-time code. As with the
//! sign-in itself, what is to be remembered stays with the browser, in a cookie that it cannot make.

use super::flow::{FlowKey, safe_path};
use crate::types::Wall;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The cookie of somebody who still has to give a code.
pub const HALF_COOKIE: &str = "__Host-aigne-hub-code";
/// How long they may take, in seconds.
pub const HALF_SECONDS: u32 = 5 * 60;

/// Who it is, and what comes after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Half {
    /// Id of the user.
    pub user: String,
    /// Where the browser goes in the end: a path.
    pub then: String,
}

impl FlowKey {
    /// The cookie of somebody whom this provider has named.
    pub fn half(&self, provider: &str, half: &Half, now: Wall) -> Option<String> {
        let then = URL_SAFE_NO_PAD.encode(safe_path(&half.then));
        let said = format!("{provider}.{}.{then}.{}", half.user, now.seconds());
        let proof = URL_SAFE_NO_PAD.encode(self.mac("half", &said)?);
        Some(format!("{said}.{proof}"))
    }

    /// Who has this cookie. `None`: it is not of this hub, for another provider, or over.
    pub fn second_half(&self, cookie: &str, provider: &str, now: Wall) -> Option<Half> {
        let (said, shown) = cookie.rsplit_once('.')?;
        let proof = URL_SAFE_NO_PAD.encode(self.mac("half", said)?);
        if !bool::from(subtle::ConstantTimeEq::ct_eq(proof.as_bytes(), shown.as_bytes())) {
            return None;
        }
        let [own, user, then, begun] = said.split('.').collect::<Vec<_>>().try_into().ok()?;
        let age = now.seconds().checked_sub(begun.parse().ok()?)?;
        if own != provider || !(0..i64::from(HALF_SECONDS)).contains(&age) {
            return None;
        }
        let then = String::from_utf8(URL_SAFE_NO_PAD.decode(then).ok()?).ok()?;
        Some(Half { user: user.to_owned(), then: safe_path(&then).to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_named_is_known_again_by_this_hub_for_this_provider_and_in_time() {
        let (key, now) = (FlowKey::new([1; 32]), Wall(1_000_000_000_000));
        let ann = Half { user: "user_1".into(), then: "/console?x=1".into() };
        let cookie = key.half("corp", &ann, now).unwrap();
        assert_eq!(key.second_half(&cookie, "corp", now), Some(ann));
        assert_eq!(key.second_half(&cookie, "other", now), None);
        assert_eq!(FlowKey::new([2; 32]).second_half(&cookie, "corp", now), None);
        let late = Wall(now.0 + i64::from(HALF_SECONDS) * 1_000_000);
        assert_eq!(key.second_half(&cookie, "corp", late), None);
        for bad in [cookie.replace("user_1", "user_2"), String::new(), "....".into(), cookie[1..].into()] {
            assert_eq!(key.second_half(&bad, "corp", now), None, "{bad}");
        }
    }
}
