//! What a configuration file may say about wallets, as `raw` does for the rest.

use super::at::{At, Money, Percent, Period};
use super::raw::{SecretSource, Unpriced};
use super::raw_selling::{PaymentKit, Stripe};
use schemars::JsonSchema;
use serde::Deserialize;

/// What tenants pay. Without `enabled` nobody is charged.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Billing {
    /// Do tenants pay from wallets? Default: false.
    pub(crate) enabled: Option<bool>,
    /// What one credit costs, in the currency of the prices. Default: 1.
    pub(crate) credit_price: Option<At<Money>>,
    /// Written before amounts of credits: "$", "€", "¥". Default: nothing.
    pub(crate) prefix: Option<At<String>>,
    /// Percent on top of what the vendor takes: "20". Default: 0.
    pub(crate) margin: Option<At<Percent>>,
    /// Percent of the charge that an answer from the cache costs. Default: 0, free.
    pub(crate) cache_hits: Option<At<Percent>>,
    /// Output tokens by which a stream extends its hold. Default: 1024.
    pub(crate) hold_step: Option<At<u32>>,
    /// Most output tokens of a request that names no maximum and is not streamed. Default: 16384.
    pub(crate) assumed_output: Option<At<u32>>,
    /// Where to buy credits; callers without any are told. Default: nowhere.
    pub(crate) buy_link: Option<At<String>>,
    /// What happens to a model without a price and without a rate. Default: refuse.
    pub(crate) unpriced: Option<Unpriced>,
    /// Given once to each tenant that has a key.
    pub(crate) welcome: Option<At<Gift>>,
    /// Given once for each user of a tenant that pays, into its wallet; once also when the user is
    /// deleted and made again. So whoever may make users brings credits.
    pub(crate) welcome_user: Option<At<Gift>>,
    /// Tenants that differ from all of the above.
    pub(crate) tenant: Vec<At<Tenant>>,
    /// Parts of tenants with limits of their own.
    pub(crate) member: Vec<At<Member>>,
    /// How credits are sold by Stripe.
    pub(crate) stripe: Option<At<Stripe>>,
    /// Payment Kit, which keeps the credits of AIGNE's own users.
    pub(crate) payment_kit: Option<At<PaymentKit>>,
    /// Secrets of those whose signed messages may credit wallets. Default: nobody.
    pub(crate) inbound_secrets: Vec<At<SecretSource>>,
}

/// Credits that are given.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["amount"]))]
pub(crate) struct Gift {
    /// How many.
    pub(crate) amount: Option<At<Money>>,
    /// They can be spent for so long. Default: for ever.
    pub(crate) expires_after: Option<At<Period>>,
}

/// What differs for one tenant.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name"]))]
pub(crate) struct Tenant {
    /// The tenant of its keys.
    pub(crate) name: Option<At<String>>,
    /// Does it pay? Default: true.
    pub(crate) billed: Option<bool>,
    /// Percent on top of what the vendor takes. Default: as for all.
    pub(crate) margin: Option<At<Percent>>,
    /// Its plan: the rates of provider "rate/PLAN" in the price files. Default: the tenant's name.
    pub(crate) plan: Option<At<String>>,
    /// Credits given at the beginning of each UTC month, to be spent in it.
    pub(crate) allowance: Option<At<Money>>,
}

/// A part of a tenant.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["tenant", "name"]))]
pub(crate) struct Member {
    /// Whose wallet it spends from.
    pub(crate) tenant: Option<At<String>>,
    /// Its name, as keys say it in `member`.
    pub(crate) name: Option<At<String>>,
    /// Most credits in a UTC month. Default: what the tenant has.
    pub(crate) month: Option<At<Money>>,
}
