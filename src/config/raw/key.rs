//! `[[key]]`: keys of callers.

use super::SecretSource;
use crate::config::at::{At, Instant, Money, Period};
use schemars::JsonSchema;
use serde::Deserialize;

/// A key of a caller.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["id", "secret"]))]
pub(crate) struct Key {
    /// Its public id.
    pub(crate) id: Option<At<String>>,
    /// For people. Default: the id.
    pub(crate) name: Option<String>,
    /// Who pays. Default: default.
    pub(crate) tenant: Option<At<String>>,
    /// The part of the tenant that spends: a team or a user of [[billing.member]].
    pub(crate) member: Option<At<String>>,
    /// The person whose key it is, for quotas and reports.
    pub(crate) user: Option<String>,
    /// The program whose key it is.
    pub(crate) app: Option<String>,
    /// The team that its calls count for.
    pub(crate) team: Option<String>,
    /// Where the key itself is.
    pub(crate) secret: Option<At<SecretSource>>,
    /// Default: true.
    pub(crate) enabled: Option<bool>,
    /// RFC 3339, such as 2027-01-01T00:00:00Z.
    pub(crate) expires_at: Option<At<Instant>>,
    /// Models it may use, with `*`; empty = all.
    pub(crate) models: Vec<At<String>>,
    /// Only these addresses; empty = all.
    pub(crate) allow: Vec<At<String>>,
    /// Not these.
    pub(crate) deny: Vec<At<String>>,
    /// Requests a minute.
    pub(crate) requests_per_minute: Option<At<u64>>,
    /// Tokens a minute, in and out.
    pub(crate) tokens_per_minute: Option<At<u64>>,
    /// Requests at once.
    pub(crate) concurrency: Option<At<u32>>,
    /// Tokens a UTC day.
    pub(crate) day_tokens: Option<At<u64>>,
    /// Tokens a UTC month.
    pub(crate) month_tokens: Option<At<u64>>,
    /// Money a UTC day, "12.50".
    pub(crate) day_cost: Option<At<Money>>,
    /// Money a UTC month, "250".
    pub(crate) month_cost: Option<At<Money>>,
    /// Keep answers this long; 0s = not at all. Default: as the model or [cache] says.
    pub(crate) cache_ttl: Option<At<Period>>,
}
