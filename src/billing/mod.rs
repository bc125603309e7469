//! The outer half of wallets: how credits are bought, given and accounted
//! for. Pure: what was told by a payment provider and what the books say go
//! in, operations on wallets and documents come out. Nothing here sends,
//! stores or knows the time.

mod account;
mod allowance;
mod code;
mod inbound;
mod payment;
mod payment_kit;
pub mod report;
pub mod statement;
pub mod stripe;

pub use account::{Account, TopUp};
pub use allowance::{Allowance, Every};
pub use code::{Code, normal, write_code};
pub use inbound::{Credit, Unsigned, open_message, sign_message};
pub use payment::{Dispute, Fact, Payment, PaymentState, Refund, RefundState, Verdict};
pub use payment_kit::{granted, meter_event};
