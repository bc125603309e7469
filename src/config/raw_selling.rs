//! What a configuration file may say about selling credits.

use super::at::{At, Money, Period};
use super::raw::SecretSource;
use schemars::JsonSchema;
use serde::Deserialize;

/// How credits are sold by Stripe.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["secret_key", "webhook_secrets", "success_url", "cancel_url"]))]
pub(crate) struct Stripe {
    /// The secret key of the account, or a restricted one that may write customers, checkout sessions, payment intents and refunds.
    pub(crate) secret_key: Option<At<SecretSource>>,
    /// Signing secrets of the webhook endpoint; two while one is replaced.
    pub(crate) webhook_secrets: Vec<At<SecretSource>>,
    /// Three letters. Default: usd.
    pub(crate) currency: Option<At<String>>,
    /// Where who has paid is sent.
    pub(crate) success_url: Option<At<String>>,
    /// Where who turned back is sent.
    pub(crate) cancel_url: Option<At<String>>,
    /// Where Stripe is. Default: https://api.stripe.com.
    pub(crate) api: Option<At<String>>,
    /// Least amount that may be bought freely, in the currency. Default: packs only.
    pub(crate) least: Option<At<Money>>,
    /// Most that may be bought freely, in the currency. Default: 1000.
    pub(crate) most: Option<At<Money>>,
    /// Credits at fixed prices.
    pub(crate) pack: Vec<At<Pack>>,
}

/// Credits at a fixed price.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "price", "credits"]))]
pub(crate) struct Pack {
    /// Its name.
    pub(crate) name: Option<At<String>>,
    /// The price, in the currency.
    pub(crate) price: Option<At<Money>>,
    /// What it buys.
    pub(crate) credits: Option<At<Money>>,
}

/// Payment Kit, which keeps the credits of AIGNE's own users: use is reported as meter events, and what it grants is credited.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["api", "secret_key"]))]
pub(crate) struct PaymentKit {
    /// Where it is, with its mount path.
    pub(crate) api: Option<At<String>>,
    /// What the hub presents as a bearer token.
    pub(crate) secret_key: Option<At<SecretSource>>,
    /// What its messages are signed with. Default: none are taken.
    pub(crate) webhook_secrets: Vec<At<SecretSource>>,
    /// Name of the meter. Default: agent-hub-ai-meter-v2.
    pub(crate) meter: Option<At<String>>,
    /// How often use is reported. Default: 10m.
    pub(crate) every: Option<At<Period>>,
}
