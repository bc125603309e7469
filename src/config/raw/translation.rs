//! `[translation]`: what becomes of fields that a vendor cannot take as they are.

use crate::config::at::At;
use schemars::JsonSchema;
use serde::Deserialize;

/// What becomes of fields that a vendor cannot take as they are, by the names in `src/wire/README.md`;
/// "*" stands for all whose loss changes an answer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Translation {
    /// Sent all the same where the dialect can write them, and judged by the vendor.
    pub(crate) pass: Vec<At<String>>,
    /// Dropped, or said as closely as possible; the answer tells it.
    pub(crate) adapt: Vec<At<String>>,
    /// Refused with status 400.
    pub(crate) refuse: Vec<At<String>>,
    /// May requests say it for themselves, by `x-aigne-adapt` and `x-aigne-refuse`? What is refused
    /// here they cannot have adapted. Default: true.
    pub(crate) by_request: Option<bool>,
    /// Models for which it is otherwise.
    pub(crate) model: Vec<At<TranslatedModel>>,
}

/// A model for which it is otherwise.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name"]))]
pub(crate) struct TranslatedModel {
    /// The name that callers write.
    pub(crate) name: Option<At<String>>,
    /// As above, and over what is said there.
    pub(crate) pass: Vec<At<String>>,
    /// As above, and over what is said there.
    pub(crate) adapt: Vec<At<String>>,
    /// As above, and over what is said there.
    pub(crate) refuse: Vec<At<String>>,
}
