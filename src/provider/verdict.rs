//! What a vendor's refusal means: whose fault, may the next target be tried,
//! what about the credential. Tables of rows; the vendor's own come first.

use crate::chat::Dialect;
use crate::error::{Failure, Kind};
use crate::provider::{Vendor, explicit_wait, retry_after, scrub};
use crate::wire::openai::{VendorError, vendor_error};
use http::HeaderMap;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::time::Duration;

/// Longest text of a vendor that is passed to a caller or a log, in characters.
const LONGEST_MESSAGE: usize = 1_000;

/// Longest `type`, `code` or `param` that is passed on, in characters.
const LONGEST_CODE: usize = 128;

/// The meaning of an answer that is no success.
#[derive(Debug)]
pub struct Verdict {
    /// What to tell the caller if nothing better comes.
    pub failure: Failure,
    /// What it means for the credential's health.
    pub health: HealthEffect,
    /// The status to answer with instead of the kind's own: a vendor's 422 stays 422.
    /// Only for refusals of the request itself.
    pub status: Option<u16>,
    /// The vendor's `error.type`, to be passed on with such a refusal.
    pub error_type: Option<String>,
    /// The vendor's `error.code`, to be passed on with such a refusal.
    pub code: Option<String>,
}

/// Effect on the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthEffect {
    /// Says nothing about the credential.
    None,
    /// Cool down, for the named time if there is one.
    RateLimited(Option<Duration>),
    /// Out until a re-check succeeds.
    Rejected,
    /// Counts towards the breaker.
    Failed,
}

/// One answer whose meaning differs from what its status says.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The status it comes with; 0 = any.
    pub status: u16,
    /// What it is told by.
    pub sign: Sign,
    /// What it means.
    pub kind: Kind,
}

/// What an answer is told by. Texts are compared without regard to case.
#[derive(Clone, Copy, Debug)]
pub enum Sign {
    /// The status alone.
    Any,
    /// `error.code` or `error.type` begins with this.
    Code(&'static str),
    /// The message contains this.
    Message(&'static str),
    /// The raw body contains this (exact case), for what the message does not show.
    Body(&'static str),
}

/// Readings that hold for every vendor.
const COMMON: &[Reading] = &[
    Reading { status: 429, sign: Sign::Code("insufficient_quota"), kind: Kind::VendorBilling },
    Reading { status: 429, sign: Sign::Code("billing"), kind: Kind::VendorBilling },
    Reading { status: 400, sign: Sign::Code("billing"), kind: Kind::VendorBilling },
    Reading { status: 400, sign: Sign::Code("invalid_api_key"), kind: Kind::VendorAuth },
    Reading { status: 400, sign: Sign::Code("model_not_found"), kind: Kind::VendorUnknownModel },
    Reading { status: 403, sign: Sign::Code("content_policy"), kind: Kind::VendorRefused },
    Reading { status: 403, sign: Sign::Code("content_filter"), kind: Kind::VendorRefused },
    Reading { status: 403, sign: Sign::Code("moderation"), kind: Kind::VendorRefused },
];

/// What a status means when no reading says otherwise: first row that holds it.
const STATUSES: &[(std::ops::RangeInclusive<u16>, Kind)] = &[
    (401..=401, Kind::VendorAuth),
    (402..=402, Kind::VendorBilling),
    (403..=403, Kind::VendorAuth),
    (404..=404, Kind::VendorUnknownModel),
    (408..=409, Kind::VendorError),
    (425..=425, Kind::VendorError),
    (429..=429, Kind::VendorRateLimited),
    (400..=499, Kind::VendorRefused),
    (503..=503, Kind::VendorOverloaded),
    (529..=529, Kind::VendorOverloaded),
];

/// The status that an error's `code` or `type` stands for, when it came inside
/// an HTTP 200 or a stream and so has none of its own.
const CODES: &[(&str, u16)] = &[
    ("insufficient_quota", 402),
    ("billing", 402),
    ("authentication", 401),
    ("invalid_api_key", 401),
    ("unauthenticated", 401),
    ("permission", 403),
    ("content", 400),
    ("invalid", 400),
    ("client specified an invalid argument", 400),
    ("not_found", 404),
    ("model_not_found", 404),
    ("rate_limit", 429),
    ("resource_exhausted", 429),
    ("too_many_requests", 429),
    ("overloaded", 529),
    ("unavailable", 503),
    ("service_unavailable", 503),
    // AWS's exceptions.
    ("throttling", 429),
    ("servicequotaexceeded", 429),
    ("modelnotready", 429),
    ("accessdenied", 403),
    ("resourcenotfound", 404),
    ("validation", 400),
    ("modeltimeout", 408),
    ("modelerror", 424),
    ("modelstreamerror", 424),
    ("serviceunavailable", 503),
];

/// Judges an answer: status, headers and (the beginning of) the body. `None`: a success.
/// Knows errors inside HTTP 200, xAI's 400 for a bad key, and so on, by the vendor's columns.
/// `wall_seconds` is now, in seconds since the Unix epoch. Do not pass event streams with
/// status 200; their errors are found by the reader of the stream, see [`judge_error`].
pub fn judge(
    vendor: &Vendor,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    wall_seconds: i64,
) -> Option<Verdict> {
    if (200..300).contains(&status) && !holds_error(body) {
        return None;
    }
    let mut error = vendor_error(body).unwrap_or_default();
    if error.kind.is_none() {
        error.kind = error_type(headers);
    }
    let status = if status < 300 { implied_status(&error) } else { status };
    Some(decide(vendor, &Answer { status, headers, body, error: &error, wall_seconds }))
}

/// The kind of error as AWS tells it, in a header: `ThrottlingException`, or the same with an address behind it.
fn error_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("x-amzn-errortype")?.to_str().ok()?;
    let kind = text.split(':').next().unwrap_or_default().rsplit('#').next().unwrap_or_default().trim();
    (!kind.is_empty()).then(|| kind.to_owned())
}

/// Judges an error that came without a status of its own: an event of a stream.
pub fn judge_error(vendor: &Vendor, error: &VendorError, headers: &HeaderMap, wall_seconds: i64) -> Verdict {
    let status = implied_status(error);
    decide(vendor, &Answer { status, headers, body: &[], error, wall_seconds })
}

struct Answer<'a> {
    status: u16,
    headers: &'a HeaderMap,
    body: &'a [u8],
    error: &'a VendorError,
    wall_seconds: i64,
}

/// Is there an `error` in a body that came with a 2xx? Most bodies are done
/// with after a search for the word; only those that hold it are parsed.
fn holds_error(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Peek<'a> {
        #[serde(borrow)]
        error: Option<&'a RawValue>,
    }
    if memchr::memmem::find(body, b"\"error\"").is_none() {
        return false;
    }
    let says =
        |peek: &Peek<'_>| peek.error.is_some_and(|e| !matches!(e.get(), "null" | "\"\"" | "{}" | "false"));
    match body.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice::<Peek<'_>>(body).is_ok_and(|p| says(&p)),
        Some(b'[') => serde_json::from_slice::<Vec<Peek<'_>>>(body).is_ok_and(|list| list.iter().any(says)),
        _ => false,
    }
}

fn implied_status(error: &VendorError) -> u16 {
    const UNKNOWN: u16 = 502;
    let numeric = error.code.as_deref().and_then(|c| c.parse().ok()).filter(|c| (400..600).contains(c));
    let by_name = |(name, status): &(&str, u16)| is_called(error, name).then_some(*status);
    numeric.or_else(|| CODES.iter().find_map(by_name)).unwrap_or(UNKNOWN)
}

fn is_called(error: &VendorError, name: &str) -> bool {
    let begins = |text: &Option<String>| {
        text.as_deref()
            .and_then(|t| t.as_bytes().get(..name.len()))
            .is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
    };
    begins(&error.code) || begins(&error.kind)
}

fn decide(vendor: &Vendor, answer: &Answer<'_>) -> Verdict {
    let kind = vendor
        .readings
        .iter()
        .chain(COMMON)
        .find(|reading| reading.holds(answer))
        .map_or_else(|| of_status(answer.status), |reading| reading.kind);
    let wait = match answer.status {
        429 => retry_after(answer.headers, answer.body, answer.wall_seconds),
        _ => explicit_wait(answer.headers, answer.body, answer.wall_seconds),
    };
    let passed = kind == Kind::VendorRefused;
    // Other dialects' words for types and codes mean nothing to a caller of ours.
    let means = passed && vendor.dialect == Dialect::OpenAiChat;
    let short = |text: &Option<String>| {
        text.as_deref().filter(|t| means && !t.is_empty()).map(|t| scrub(t, LONGEST_CODE))
    };
    let status = passed.then_some(answer.status).filter(|s| (400..500).contains(s));
    Verdict {
        failure: failure(vendor, kind, answer, wait),
        health: health(kind, answer.status, wait),
        status,
        error_type: short(&answer.error.kind),
        code: short(&answer.error.code),
    }
}

impl Reading {
    fn holds(&self, answer: &Answer<'_>) -> bool {
        let told = match self.sign {
            Sign::Any => true,
            Sign::Code(code) => is_called(answer.error, code),
            Sign::Message(part) => contains(&answer.error.message, part),
            Sign::Body(part) => memchr::memmem::find(answer.body, part.as_bytes()).is_some(),
        };
        told && (self.status == 0 || self.status == answer.status)
    }
}

fn contains(text: &str, part: &str) -> bool {
    text.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

fn of_status(status: u16) -> Kind {
    // Whatever is no success and no refusal is a failure of the vendor: 5xx,
    // and redirects, which are never followed because they could lead anywhere.
    STATUSES.iter().find(|(range, _)| range.contains(&status)).map_or(Kind::VendorError, |(_, kind)| *kind)
}

fn health(kind: Kind, status: u16, wait: Option<Duration>) -> HealthEffect {
    match kind {
        Kind::VendorAuth | Kind::VendorBilling => HealthEffect::Rejected,
        Kind::VendorRateLimited => HealthEffect::RateLimited(wait),
        Kind::VendorOverloaded => HealthEffect::Failed,
        // 408, 409 and 425 are about one request and not about the vendor.
        Kind::VendorError if !(400..424).contains(&status) && status != 425 => HealthEffect::Failed,
        _ => HealthEffect::None,
    }
}

/// Two texts: what the vendor said, where the caller can act on it, and a
/// neutral one where it is our business with the vendor.
fn failure(vendor: &Vendor, kind: Kind, answer: &Answer<'_>, wait: Option<Duration>) -> Failure {
    let said = scrub(&answer.error.message, LONGEST_MESSAGE);
    let public: Cow<'static, str> = match kind {
        Kind::VendorAuth => "The provider refused the hub's credential.".into(),
        Kind::VendorBilling => "The provider refused the hub's account.".into(),
        _ if said.is_empty() => format!("The provider answered with status {}.", answer.status).into(),
        _ => said.clone().into(),
    };
    let code = answer.error.code.as_deref().map(|c| scrub(c, LONGEST_CODE)).unwrap_or_default();
    let detail = format!("{} answered {} {code}: {said}", vendor.name, answer.status);
    let failure = Failure::new(kind, public).detail(detail).retry_after(wait);
    match answer.error.param.as_deref() {
        Some(param) if kind == Kind::VendorRefused => failure.param(scrub(param, LONGEST_CODE)),
        _ => failure,
    }
}

#[cfg(test)]
mod tests;
