//! The vendor's whole answer, read into the canonical one.

use super::citation;
use super::logprobs;
use super::part_in::{CallIds, PartIn, Said, What};
use super::usage::Counts;
use crate::chat::{
    Choice, Citation, Finish, Json, Part, Response, Signature, Text, Thinking, ToolCall, parse,
};
use crate::error::{Failure, Kind, Result};
use crate::types::Usage;
use serde::Deserialize;

/// A whole answer, or one chunk of a stream.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ResponseIn {
    pub response_id: Option<String>,
    pub model_version: Option<String>,
    pub candidates: Option<Vec<Candidate>>,
    pub prompt_feedback: Option<Feedback>,
    pub usage_metadata: Option<Counts>,
    pub error: Option<Json>,
}

/// One answer of several.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Candidate {
    /// Missing where all tokens went into thoughts, or a filter took the answer.
    pub content: Option<Content>,
    pub index: Option<usize>,
    pub finish_reason: Option<String>,
    pub grounding_metadata: Option<Json>,
    pub citation_metadata: Option<Json>,
    logprobs_result: Option<Json>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Content {
    pub parts: Option<Vec<PartIn>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Feedback {
    block_reason: Option<String>,
}

impl ResponseIn {
    /// Was the prompt held back by a filter?
    pub(super) fn is_blocked(&self) -> bool {
        self.prompt_feedback.as_ref().is_some_and(|feedback| feedback.block_reason.is_some())
    }
}

/// Reads the vendor's whole answer.
///
/// # Errors
/// [`Kind::VendorMalformed`]: no JSON, or no answer in it. An error body is to be
/// looked for before.
pub fn response_in(body: &[u8]) -> Result<Response> {
    let read = read(body)?;
    let blocked = read.is_blocked();
    let id = read.response_id.unwrap_or_default();
    let mut ids = CallIds::new(&id);
    let candidates = read.candidates.unwrap_or_default();
    let mut choices: Vec<Choice> =
        candidates.into_iter().map(|candidate| canonical(candidate, &mut ids)).collect();
    if choices.is_empty() {
        if !blocked {
            return Err(malformed("no candidates"));
        }
        choices.push(Choice { finish: Some(Finish::ContentFilter), ..Choice::default() });
    }
    Ok(Response {
        id,
        model: read.model_version.unwrap_or_default(),
        created: None,
        choices,
        usage: read.usage_metadata.map(|counts| counts.usage()),
        service_tier: None,
    })
}

/// Reads what an answer used, when the answer itself is passed on unread.
pub fn usage_in(body: &[u8]) -> Option<Usage> {
    Some(read(body).ok()?.usage_metadata?.usage())
}

/// Reads an answer or a chunk, which is an object; a list would be read as one whose names were left out.
pub(super) fn read(body: &[u8]) -> Result<ResponseIn> {
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(malformed("no object"));
    }
    parse(body).map_err(|error| malformed(&error.to_string()))
}

pub(super) fn malformed(detail: &str) -> Failure {
    Failure::new(Kind::VendorMalformed, "The vendor's answer cannot be read.").detail(detail)
}

fn canonical(candidate: Candidate, ids: &mut CallIds) -> Choice {
    let mut parts = Vec::new();
    let read = candidate.content.and_then(|content| content.parts).unwrap_or_default();
    read.into_iter().filter_map(PartIn::read).for_each(|said| push(said, ids, &mut parts));
    let cited = citation::read(candidate.grounding_metadata.as_ref(), candidate.citation_metadata.as_ref());
    cite(&mut parts, cited);
    let logprobs = candidate.logprobs_result.as_ref().and_then(logprobs::read);
    let mut choice = Choice { parts, finish: None, logprobs };
    choice.finish = candidate.finish_reason.map(|reason| finish(&reason, choice.calls_tools()));
    choice
}

/// Appends what a part says.
pub(super) fn push(said: Said, ids: &mut CallIds, parts: &mut Vec<Part>) {
    let bare = |signature: Option<Signature>| {
        signature
            .map(|signature| Part::Thinking(Thinking { text: String::new(), signature: Some(signature) }))
    };
    match said.what {
        What::Thought(text) if text.is_empty() && said.signature.is_none() => {}
        What::Thought(text) => parts.push(Part::Thinking(Thinking { text, signature: said.signature })),
        What::Call { id, name, arguments } => {
            let id = ids.next(id);
            let call = ToolCall { id, name, arguments, signature: said.signature, cache: None };
            parts.push(Part::ToolCall(call));
        }
        What::Text(text) => {
            parts.extend((!text.is_empty()).then(|| Part::text(text)));
            parts.extend(bare(said.signature));
        }
        What::Whole(part) => {
            parts.push(part);
            parts.extend(bare(said.signature));
        }
    }
}

/// The citations go to the last text.
fn cite(parts: &mut [Part], mut cited: Vec<Citation>) {
    if cited.is_empty() {
        return;
    }
    let mut texts: Vec<&mut Text> = parts
        .iter_mut()
        .filter_map(|part| match part {
            Part::Text(text) => Some(text),
            _ => None,
        })
        .collect();
    let whole: String = texts.iter().map(|text| text.text.as_str()).collect();
    citation::find_quotes(&mut cited, &whole);
    if let Some(last) = texts.last_mut() {
        last.citations = cited;
    }
}

/// What a finish reason means. The vendor says that it was done also when it wants
/// tools called. Words that nobody knows end an answer like any other.
pub(super) fn finish(reason: &str, calls_tools: bool) -> Finish {
    match reason {
        "MAX_TOKENS" | "CONTINUATION" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "OTHER"
        | "MODEL_ARMOR"
        | "ESCALATION"
        | "PUP_LIMITED_DISABLED"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "IMAGE_OTHER"
        | "NO_IMAGE" => Finish::ContentFilter,
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE"
        | "MALFORMED_RESPONSE" => Finish::Error(reason.to_owned()),
        _ if calls_tools => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}
