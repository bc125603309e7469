//! What a vendor's refusal means: whose fault, may the next target be tried, what about the credential.

use crate::error::Failure;
use crate::provider::Vendor;
use std::time::Duration;

/// The meaning of an answer that is no success.
#[derive(Debug)]
pub struct Verdict {
    pub failure: Failure,
    /// What it means for the credential's health.
    pub health: HealthEffect,
}

/// Effect on the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthEffect {
    None,
    RateLimited(Option<Duration>),
    Rejected,
    Failed,
}

/// Judges an answer: status, headers and (the beginning of) the body. `None`: a success.
/// Knows errors inside HTTP 200, xAI's 400 for a bad key, and so on, by the vendor's columns.
pub fn judge(
    _vendor: &Vendor,
    _status: u16,
    _headers: &http::HeaderMap,
    _body: &[u8],
    _wall_seconds: i64,
) -> Option<Verdict> {
    todo!()
}
