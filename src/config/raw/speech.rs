//! `[aigne]` and `[responses]`: what only callers of these dialects need.

use super::VisibleTo;
use crate::config::at::{At, Period, Size};
use schemars::JsonSchema;
use serde::Deserialize;

/// What only AIGNE's clients need.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Aigne {
    /// The path below which its clients look for the hub; all paths answer at the origin too. Default: /.
    pub(crate) mount: Option<At<String>>,
    /// May the list of models, with their prices, be read without a key? Its client sends none. Default: true.
    pub(crate) public_models: Option<bool>,
    /// May AIGNE's command line begin sessions for a key, which an operator then approves? Default: true.
    pub(crate) connect: Option<bool>,
    /// How long a call goes on, and its answer waits, when the connection of its caller broke before the answer:
    /// its client then sends the same request again. 0s = stop at once. Default: 15s.
    pub(crate) resend: Option<At<Period>>,
}

/// Responses kept for later requests: `previous_response_id`, and to be read and deleted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Responses {
    /// Keep them, unless a request says `store: false`. Default: true.
    pub(crate) store: Option<bool>,
    /// Who may see them: every key of the tenant, or only the key that asked. Default: tenant.
    pub(crate) visible_to: Option<VisibleTo>,
    /// How long, from the last request that went on from one. Default: 1d.
    pub(crate) ttl: Option<At<Period>>,
    /// All together; the least recently used go first. Default: 256 MB.
    pub(crate) max_size: Option<At<Size>>,
    /// Those of one tenant. Default: 64 MB.
    pub(crate) max_tenant_size: Option<At<Size>>,
    /// Largest one that is kept, with its input. Default: 16 MB.
    pub(crate) max_entry: Option<At<Size>>,
    /// Let vendors with an endpoint for responses keep them too, as `store` says. Default: false.
    pub(crate) vendor_store: Option<bool>,
}
