//! `[[bodies]]`: whose requests and answers are kept, and what of them.

use crate::config::at::{At, Size};
use schemars::JsonSchema;
use serde::Deserialize;

/// A tenant whose requests and answers are kept, sealed. Without such an entry nothing is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["tenant"]))]
pub(crate) struct Bodies {
    /// The tenant.
    pub(crate) tenant: Option<At<String>>,
    /// Of a hundred requests so many. Default: 100.
    pub(crate) percent: Option<At<u8>>,
    /// What is kept of one body at most. Default: 64 KiB.
    pub(crate) max_size: Option<At<Size>>,
    /// Days they are kept. Default: 30.
    pub(crate) days: Option<At<u32>>,
    /// Regular expressions; what they match is replaced.
    pub(crate) redact: Vec<At<String>>,
    /// Members of JSON bodies and of events, which are replaced: names joined by dots, `*` for any; as messages.*.content.
    pub(crate) redact_paths: Vec<At<String>>,
}
