//! Stripe: what the hub asks of it, and what it tells. Card numbers never come
//! here: customers write them into Stripe's own pages.

mod event;
mod request;

pub use event::{About, Card, Told, read_event, read_intent, read_refund};
pub use request::{Ask, Line, Method, card_page, charge, customer, intent, page, refund};

/// The version of Stripe's interface that requests are written in. Events come in the version of
/// the endpoint; what is read of them is the same in all.
pub const VERSION: &str = "2025-03-31.basil";
/// A message may be signed so many seconds ago, as Stripe recommends.
pub const TOLERANCE: i64 = 300;
/// Where the signature is.
pub const SIGNATURE: &str = "stripe-signature";
/// Metadata: the hub's id of a payment.
const OUR_PAYMENT: &str = "aigne_hub_payment";
/// Metadata: the tenant, on customers and saved cards.
const OUR_TENANT: &str = "aigne_hub_tenant";
