//! The rule by which recovery ends an intent whose process died.
//!
//! Nobody knows what the vendor did with such a request. The rule takes the
//! side of neither: the vendor certainly could read the input, so the whole
//! input bound counts as uncached input tokens; of the output nothing is known
//! to have reached anybody, so none counts. A video counts as ordered: its
//! vendor goes on making it, and its caller can still load it. The source says `Estimated`, the
//! outcome `Recovered`, and the status is 0, because nobody knows what the
//! caller saw. The price is the one that held when the request came in.

use super::{Intent, Outcome, Price, Settlement};
use crate::types::{Op, Pico, Usage, UsageSource};
use std::sync::Arc;

/// The settlement that ends `intent`. Without a price there is no charge.
pub fn recovered(intent: &Intent, price: Option<&Price>) -> Settlement {
    let milliseconds = if intent.op == Op::Video { intent.output_bound } else { 0 };
    let usage = Usage { input: intent.input_bound, milliseconds, requests: 1, ..Usage::default() };
    Settlement {
        id: intent.id,
        at: intent.at,
        duration_us: 0,
        first_token_us: None,
        intended: true,
        tenant: intent.tenant.clone(),
        key: intent.key.clone(),
        op: intent.op,
        stream: false,
        model: intent.model.clone(),
        provider: intent.provider.clone(),
        upstream_model: intent.upstream_model.clone(),
        credential: "".into(),
        attempts: 0,
        status: 0,
        outcome: Outcome::Recovered,
        error: "".into(),
        usage,
        usage_source: UsageSource::Estimated,
        charge: price.map(|price| price.charge(&usage)),
        saved: Pico::ZERO,
        end_user: None,
        party: Arc::clone(&intent.party),
        tried: Vec::new(),
        tags: Vec::new(),
    }
}
