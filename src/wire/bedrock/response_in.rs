//! The vendor's whole answer, read into the canonical one.

use super::block_in;
use super::usage::Counts;
use crate::chat::{Choice, Finish, Json, Part, Response, parse};
use crate::error::{Failure, Kind, Result};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResponseIn {
    output: Option<Output>,
    stop_reason: Option<String>,
    usage: Option<Counts>,
    additional_model_response_fields: Option<Json>,
    service_tier: Option<Tier>,
}

#[derive(Deserialize)]
struct Output {
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Message {
    content: Vec<Json>,
}

#[derive(Deserialize)]
pub(super) struct Tier {
    r#type: Option<String>,
}

/// Reads the vendor's whole answer. It has no id and names no model.
///
/// # Errors
/// [`Kind::VendorMalformed`]: no JSON, or no answer in it. An error body is to be
/// looked for before.
pub fn response_in(body: &[u8]) -> Result<Response> {
    let read: ResponseIn = parse(body).map_err(|error| malformed(&error.to_string()))?;
    let message = read.output.and_then(|output| output.message);
    let message = message.ok_or_else(|| malformed("an answer without a message"))?;
    let parts: Vec<Part> = message.content.iter().map(block_in::part).collect();
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let stop_sequence = stop_sequence(read.additional_model_response_fields.as_ref());
    let finish = read.stop_reason.map(|reason| finish(&reason, stop_sequence, calls));
    Ok(Response {
        choices: vec![Choice { parts, finish, logprobs: None }],
        usage: read.usage.map(|counts| counts.usage()),
        service_tier: read.service_tier.and_then(|tier| tier.r#type),
        ..Response::default()
    })
}

pub(super) fn malformed(detail: &str) -> Failure {
    Failure::new(Kind::VendorMalformed, "The vendor's answer cannot be read.").detail(detail)
}

/// The stop text that was met, where it was asked for and the model says it.
pub(super) fn stop_sequence(fields: Option<&Json>) -> Option<String> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Fields {
        stop_sequence: Option<String>,
    }
    fields?.read::<Fields>()?.stop_sequence
}

/// What a stop reason means. `calls`: the answer calls tools of the caller's; a call that
/// stands for an answer in JSON is none. Words that nobody knows end an answer like any other.
pub(super) fn finish(reason: &str, stop_sequence: Option<String>, calls: bool) -> Finish {
    match reason {
        "tool_use" if calls => Finish::ToolCalls,
        "stop_sequence" => Finish::StopSequence(stop_sequence),
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "guardrail_intervened" | "content_filtered" | "refusal" => Finish::ContentFilter,
        "pause_turn" => Finish::Pause,
        "malformed_model_output" | "malformed_tool_use" => Finish::Error(reason.to_owned()),
        _ => Finish::Stop,
    }
}
