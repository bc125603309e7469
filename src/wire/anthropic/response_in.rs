//! The vendor's whole answer, read into the canonical one.

use super::block_in::read_content;
use super::usage::Counts;
use crate::chat::{Choice, Finish, Json, Response, parse};
use crate::error::{Failure, Kind, Result};
use crate::types::Usage;
use serde::Deserialize;

#[derive(Deserialize)]
struct ResponseIn {
    id: Option<String>,
    model: Option<String>,
    content: Json,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    usage: Option<Counts>,
}

/// Reads the vendor's whole answer.
///
/// # Errors
/// [`Kind::VendorMalformed`]: no JSON, or no answer in it. An error body is to be
/// looked for before.
pub fn response_in(body: &[u8]) -> Result<Response> {
    let read: ResponseIn = parse(body).map_err(|error| malformed(&error.to_string()))?;
    let parts = read_content(read.content.as_str()).map_err(|error| malformed(&error.to_string()))?;
    let finish = read.stop_reason.map(|reason| finish(reason, read.stop_sequence));
    let service_tier = read.usage.as_ref().and_then(|counts| counts.service_tier.clone());
    Ok(Response {
        id: read.id.unwrap_or_default(),
        model: read.model.unwrap_or_default(),
        created: None,
        choices: vec![Choice { parts, finish, logprobs: None }],
        usage: read.usage.map(|counts| counts.usage()),
        service_tier,
    })
}

/// Reads only what a whole answer used, of one that is passed on as it is: its
/// content may be of kinds that nobody here knows yet.
pub fn usage_in(body: &[u8]) -> Option<Usage> {
    #[derive(Deserialize)]
    struct Used {
        usage: Option<Counts>,
    }
    parse::<Used>(body).ok()?.usage.map(|counts| counts.usage())
}

pub(super) fn malformed(detail: &str) -> Failure {
    Failure::new(Kind::VendorMalformed, "The vendor's answer cannot be read.").detail(detail)
}

/// What a stop reason means. Words that nobody knows end an answer like any other.
pub(super) fn finish(reason: String, stop_sequence: Option<String>) -> Finish {
    match reason.as_str() {
        "stop_sequence" => Finish::StopSequence(stop_sequence),
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::ContentFilter,
        "pause_turn" => Finish::Pause,
        "error" => Finish::Error(reason),
        _ => Finish::Stop,
    }
}
