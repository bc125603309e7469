//! Configuration: what a file may say (`raw`), and what the hub runs on
//! ([`Snapshot`]). Only here is the environment read.
//!
//! A file is read in two steps, because the store lies between them: it is
//! opened where [`Document::boot`] says, and what it holds (pepper, keys,
//! spendings) goes into [`Document::resolve`]. [`load`] is both in one.

mod at;
mod billing;
mod bodies;
mod check;
mod document;
mod environment;
mod extra;
mod lookup;
mod notices;
mod oauth;
mod outside;
mod problems;
mod quotas;
mod raw;
mod raw_billing;
mod raw_oauth;
mod raw_selling;
mod registry;
mod resolve;
mod selling;
mod sign_in;
mod snapshot;
mod translation;
mod watch;

pub use billing::{Billing, Gift, Payer, Plan};
pub use bodies::{BodyPolicy, BodyPolicyText};
pub use check::schema;
pub use document::{Boot, Document, EXAMPLE};
pub use environment::Environment;
pub use extra::{CredentialProof, CredentialSpec, Declared, Extra, LeftOut, ModelSpec, ProviderSpec};
pub use notices::{MailSecurity, MailSettings, NoticeSettings};
pub use oauth::{Issuer, KeySource, LiveKeys, OAuth, TenantOf};
pub use outside::{OutsideGates, Outsider, Tokens};
pub use problems::{Problem, Problems};
pub use quotas::{
    Amount, HeldTo, MeterShelf, Quota, QuotaSpec, QuotaText, QuotaWindow, Quotas, SubjectKind, Who,
};
pub use registry::Registry;
pub use resolve::{Inputs, QuotaTable, ReadPrices, StoredKey};
pub use selling::{Pack, PaymentKit, Stripe};
pub use sign_in::{GroupGrant, SignIn, SignInProvider};
pub use snapshot::*;
pub use translation::{Translation, Wished};
pub use watch::Watch;

use std::path::Path;
use std::sync::Arc;

/// Reads a file, or without one the embedded defaults, and builds the snapshot.
///
/// # Errors
/// Everything that is wrong, with file and line.
pub fn load(path: Option<&Path>, inputs: &Inputs<'_>) -> Result<Arc<Snapshot>, Problems> {
    Document::read(path)?.resolve(inputs)
}

#[cfg(test)]
mod tests;
