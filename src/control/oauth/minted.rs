//! Texts that prove something: codes, tokens and secrets of clients. Each is
//! made of 256 random bits and kept as a keyed hash only; what it is for
//! stands in front, so that people and secret scanners know it.

use crate::types::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const REFRESH: &str = "aigne_rt_";
/// Characters of a client's secret that people see.
const SHOWN: usize = 15;

/// What a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Minted {
    /// To be exchanged for a token.
    Code,
    /// To be presented.
    Access,
    /// To be polled with.
    Device,
    /// A client's own.
    ClientSecret,
}

impl Minted {
    fn prefix(self) -> &'static str {
        match self {
            Self::Code => "aigne_ac_",
            Self::Access => "aigne_at_",
            Self::Device => "aigne_dc_",
            Self::ClientSecret => "aigne_cs_",
        }
    }
}

/// Makes a text of 32 random bytes; with it, its first characters.
pub fn mint(what: Minted, random: [u8; 32]) -> (Secret, String) {
    let text = format!("{}{}", what.prefix(), URL_SAFE_NO_PAD.encode(random));
    let shown = text.chars().take(SHOWN).collect();
    (Secret::new(text), shown)
}

/// Makes a token that names its family, so that one which was used before is still known.
pub fn mint_refresh(family: &str, random: [u8; 32]) -> Secret {
    Secret::new(format!("{REFRESH}{family}.{}", URL_SAFE_NO_PAD.encode(random)))
}

/// The family that such a token names. That it does proves nothing yet.
pub fn family_of_refresh(text: &str) -> Option<&str> {
    text.strip_prefix(REFRESH)?.split_once('.').map(|(family, _)| family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_tell_what_they_are_for_and_nothing_of_each_other() {
        let (code, shown) = mint(Minted::Code, [7; 32]);
        assert!(code.expose().starts_with(&shown) && shown.len() < 20 && code.expose().len() == 52);
        let refresh = mint_refresh("grant_1", [7; 32]);
        assert_eq!(family_of_refresh(refresh.expose()), Some("grant_1"));
        for other in ["aigne_rt_grant_1", "aigne_at_grant_1.x", ""] {
            assert_eq!(family_of_refresh(other), None);
        }
    }
}
