//! The history of a hub that was there before. It stands beside the books and not in them: the
//! books charge by price rows of their own, in an order that is proved, and neither is true of
//! calls that somebody else has counted.

use super::Moment;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Keys of the store's rows begin so; time and id follow.
pub const IMPORTED_PREFIX: &str = "imported/";
/// Longest texts of a call.
const LONGEST: usize = 2_000;

/// One call, as the other hub counted it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedCall {
    /// Its id there.
    pub id: String,
    /// When it came.
    pub at: Moment,
    /// Name of the provider.
    pub provider: String,
    /// Name of the credential.
    pub credential: Option<String>,
    /// As the vendor calls it.
    pub model: String,
    /// What kind of call, in the words of the other hub.
    pub kind: String,
    /// Tokens, images or seconds, a decimal number.
    pub usage: String,
    /// What it cost there, in its credits, a decimal number.
    pub credits: String,
    /// `processing`, `success` or `failed`.
    pub status: String,
    /// How long it took, in seconds, a decimal number.
    pub duration: Option<String>,
    /// Until its first byte.
    pub first_byte_ms: Option<u64>,
    /// Why it failed.
    pub error: Option<String>,
    /// For which application.
    pub app: Option<String>,
    /// For whom.
    pub user: Option<String>,
    /// Its name in logs.
    pub request: Option<String>,
    /// Numbers about it, as the other hub wrote them.
    #[serde(default)]
    pub metrics: Value,
}

impl ImportedCall {
    /// The key of its row: the same call always has the same, and rows lie in the order of time.
    pub fn row_key(&self) -> Vec<u8> {
        // Times before 1970 do not occur; they would all come first.
        let at = u64::try_from(self.at.0.0).unwrap_or(0);
        format!("{IMPORTED_PREFIX}{at:020}/{}", self.id).into_bytes()
    }

    /// What is wrong with it, if anything.
    pub fn fault(&self) -> Option<&'static str> {
        let texts =
            [&self.id, &self.provider, &self.model, &self.kind, &self.usage, &self.credits, &self.status];
        let others = [&self.credential, &self.error, &self.app, &self.user, &self.request];
        let long = texts.into_iter().chain(others.into_iter().flatten()).any(|text| text.len() > LONGEST);
        match () {
            () if self.id.is_empty() => Some("has no id"),
            () if long || self.metrics.to_string().len() > LONGEST => Some("is longer than any call is"),
            () => None,
        }
    }
}

/// The first key at or after a time.
pub fn imported_from(at: Moment) -> Vec<u8> {
    let at = u64::try_from(at.0.0).unwrap_or(0);
    format!("{IMPORTED_PREFIX}{at:020}/").into_bytes()
}
