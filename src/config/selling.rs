//! How credits are sold, and who else may bring them, resolved.

use super::BaseUrl;
use crate::types::{Pico, Secret};
use std::sync::Arc;
use std::time::Duration;

/// How credits are sold by Stripe.
#[derive(Clone, Debug, PartialEq)]
pub struct Stripe {
    /// Where it is.
    pub api: BaseUrl,
    /// What the hub presents.
    pub secret_key: Secret,
    /// What Stripe signs with; several while one is replaced.
    pub webhook_secrets: Vec<Secret>,
    /// The currency, in lower case.
    pub currency: Arc<str>,
    /// Where who has paid goes.
    pub success_url: Arc<str>,
    /// Where who has not goes.
    pub cancel_url: Arc<str>,
    /// What can be bought at fixed prices.
    pub packs: Vec<Pack>,
    /// Any amount between these, in the currency, at the credit's price.
    pub any: Option<(Pico, Pico)>,
}

/// Credits at a fixed price.
#[derive(Clone, Debug, PartialEq)]
pub struct Pack {
    /// Its name.
    pub name: Arc<str>,
    /// The price, in the currency.
    pub price: Pico,
    /// What it buys.
    pub credits: Pico,
}

/// Payment Kit, which keeps the credits of AIGNE's own users.
#[derive(Clone, Debug, PartialEq)]
pub struct PaymentKit {
    /// Where it is.
    pub api: BaseUrl,
    /// What the hub presents.
    pub secret_key: Secret,
    /// What Payment Kit signs with.
    pub webhook_secrets: Vec<Secret>,
    /// Name of the meter that events are for.
    pub meter: Arc<str>,
    /// How often use is reported.
    pub every: Duration,
}
