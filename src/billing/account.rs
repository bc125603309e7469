//! How a tenant pays: its wishes, which people write.

use crate::types::Pico;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a tenant pays. Its id is the tenant's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    /// Where receipts go.
    pub email: Option<String>,
    /// Buys credits when few are left. Needs a saved card.
    pub top_up: Option<TopUp>,
    /// People and programs are told when fewer credits than this are left, a decimal string.
    #[schemars(with = "Option<String>")]
    pub tell_below: Option<Pico>,
    /// true: no requests may begin; false: they may, whatever disputes there are. Default: not while
    /// a payment is disputed.
    pub frozen: Option<bool>,
}

/// Buys credits when few are left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopUp {
    /// Fewer credits than this are few, a decimal string.
    #[schemars(with = "String")]
    pub below: Pico,
    /// What is paid each time, in the currency, a decimal string.
    #[schemars(with = "String")]
    pub amount: Pico,
    /// What may be paid so in a UTC month, in the currency, a decimal string.
    #[schemars(with = "String")]
    pub month_limit: Pico,
}
