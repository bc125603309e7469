//! `[control]`: what is managed while the hub runs.

use crate::config::at::At;
use schemars::JsonSchema;
use serde::Deserialize;

/// What is managed while the hub runs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Control {
    /// Key of 32 bytes, as 64 hexadecimal digits or base64, under which vendors' secrets are kept. Default: the environment variable AIGNE_HUB_MASTER_KEY; without one the hub stores no such secret.
    pub(crate) master_key: Option<At<MasterKey>>,
    /// Keys that were used before; what they hold can still be opened, and is put under the new one by `vault/rewrap`.
    pub(crate) old_master_keys: Vec<At<MasterKey>>,
    /// Days that audit records are kept. Default: for ever.
    pub(crate) audit_days: Option<At<u32>>,
}

/// Where a master key is. Exactly one of the three.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MasterKey {
    /// Environment variable that holds it.
    pub(crate) env: Option<String>,
    /// File that holds it, relative to this file.
    pub(crate) file: Option<String>,
    /// Program and arguments that print it, such as a client of a key service. Run at each reload, at most 10 s.
    pub(crate) command: Option<Vec<String>>,
}
