//! `[health]` and `[shutdown]`: how the process deals with what fails, and ends.

use crate::config::at::{At, Period};
use schemars::JsonSchema;
use serde::Deserialize;

/// When a credential rests. Changes need a restart.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Health {
    /// Consecutive failures that open the breaker. Default: 5.
    pub(crate) breaker_faults: Option<At<u16>>,
    /// First pause after that; doubles. Default: 1s.
    pub(crate) base_pause: Option<At<Period>>,
    /// Longest pause. Default: 60s.
    pub(crate) max_pause: Option<At<Period>>,
    /// Cool-down after a 429 that names no time. Default: 5s.
    pub(crate) default_cool_down: Option<At<Period>>,
    /// First re-check after a 401 or 403; doubles. Default: 30s.
    pub(crate) base_recheck: Option<At<Period>>,
    /// Longest time between re-checks. Default: 15m.
    pub(crate) max_recheck: Option<At<Period>>,
}

/// How the hub stops.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Shutdown {
    /// Not ready, but still serving, for this long. Default: 0s.
    pub(crate) lame_duck: Option<At<Period>>,
    /// Then running requests have this long to end. Default: 30s.
    pub(crate) grace: Option<At<Period>>,
}
