//! Redemption codes: texts that are worth credits to whoever writes them in.

use crate::types::Pico;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Letters and digits that nobody mixes up when reading aloud.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Letters in a group.
const GROUP: usize = 5;

/// A redemption code, without its text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["amount"]))]
pub struct Code {
    /// For people.
    pub name: String,
    /// How many credits each tenant gets by it, a decimal string.
    #[schemars(with = "String")]
    pub amount: Pico,
    /// How many tenants may redeem it; each of them once. Default: 1.
    pub uses: Option<u32>,
    /// When it stops working, in seconds since the epoch.
    pub expires_at: Option<i64>,
    /// So many days after they came the credits go. Default: they stay.
    pub days: Option<u32>,
    /// Switched off; it stops working.
    pub ended: bool,
}

impl Code {
    /// How many tenants may redeem it.
    pub fn most(&self) -> usize {
        usize::try_from(self.uses.unwrap_or(1)).unwrap_or(usize::MAX)
    }
}

/// A code's text: 125 random bits in five groups, as `ABCDE-FGHJK-…`.
pub fn write_code(random: [u8; 25]) -> String {
    let letters: Vec<u8> = random.iter().map(|byte| LETTERS[usize::from(byte % 32)]).collect();
    let groups: Vec<String> =
        letters.chunks(GROUP).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    groups.join("-")
}

/// What of a text counts: letters and digits, in capitals. `None` when it cannot be a code.
pub fn normal(text: &str) -> Option<String> {
    if text.len() > 200 {
        return None;
    }
    let kept: String =
        text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
    let whole = kept.len() == 25 && kept.bytes().all(|byte| LETTERS.contains(&byte));
    whole.then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_people_write_it() {
        let code = write_code(std::array::from_fn(|n| n as u8 * 7));
        assert_eq!(code.len(), 29);
        let plain = normal(&code).unwrap();
        assert_eq!(normal(&code.to_lowercase().replace('-', " ")), Some(plain.clone()));
        assert_eq!(normal(&plain), Some(plain));
        for bad in ["", "ABCDE", &format!("{code}A"), &code.replace('A', "1"), &"A".repeat(300)] {
            assert_eq!(normal(bad), None, "{bad}");
        }
    }
}
