//! A vendor's whole answer, read into the canonical one.

use super::message_in::{CallIn, CalledFunction};
use super::reasoning::{self, Detail};
use crate::chat::{
    Audio, Choice, Citation, Dialect, Finish, Image, Json, Part, Response, Source, Text, ToolCall, data_url,
    parse,
};
use crate::error::{Failure, Kind, Result};
use crate::types::Op;
use crate::wire::openai::{Counting, usage};
use serde::Deserialize;

#[derive(Deserialize)]
struct ResponseIn {
    id: Option<String>,
    model: Option<String>,
    created: Option<f64>,
    choices: Option<Vec<ChoiceIn>>,
    service_tier: Option<String>,
}

#[derive(Deserialize)]
struct ChoiceIn {
    message: Option<MessageIn>,
    finish_reason: Option<String>,
    logprobs: Option<Json>,
}

/// A whole message, or a delta of one.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct MessageIn {
    pub content: Option<Content>,
    pub refusal: Option<String>,
    pub reasoning_content: Option<String>,
    pub reasoning: Option<String>,
    pub reasoning_details: Option<Vec<Detail>>,
    pub tool_calls: Option<Vec<CallIn>>,
    pub images: Option<Vec<ImageIn>>,
    pub annotations: Option<Vec<Json>>,
    pub audio: Option<AudioIn>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Content {
    Text(String),
    /// Some vendors answer in parts, thoughts among them.
    Parts(Vec<ContentPart>),
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ContentPart {
    text: Option<String>,
    thinking: Option<Vec<ThoughtPart>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ThoughtPart {
    text: String,
}

#[derive(Deserialize)]
pub(super) struct ImageIn {
    image_url: Option<Url>,
}

#[derive(Deserialize)]
struct Url {
    url: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AudioIn {
    id: Option<String>,
    data: Option<String>,
    transcript: Option<String>,
}

#[derive(Deserialize)]
struct Annotation {
    url_citation: Option<UrlCitation>,
}

#[derive(Deserialize)]
struct UrlCitation {
    url: Option<String>,
    title: Option<String>,
    start_index: Option<u64>,
    end_index: Option<u64>,
}

/// Reads a vendor's whole answer.
///
/// # Errors
/// [`Kind::VendorMalformed`]: no JSON, or no answer in it. An error body is to be
/// looked for before.
pub fn response_in(body: &[u8], counting: Counting) -> Result<Response> {
    let read: ResponseIn = parse(body).map_err(|error| malformed(&error.to_string()))?;
    let choices =
        read.choices.filter(|choices| !choices.is_empty()).ok_or_else(|| malformed("no choices"))?;
    let id = read.id.unwrap_or_default();
    let choices = choices.into_iter().map(|choice| canonical(choice, &id)).collect();
    Ok(Response {
        choices,
        id,
        model: read.model.unwrap_or_default(),
        created: read.created.map(|seconds| seconds as i64),
        usage: usage(Op::Chat, counting, body),
        service_tier: read.service_tier,
    })
}

pub(super) fn malformed(detail: &str) -> Failure {
    Failure::new(Kind::VendorMalformed, "The vendor's answer cannot be read.").detail(detail)
}

fn canonical(choice: ChoiceIn, response_id: &str) -> Choice {
    let mut parts = Vec::new();
    let message = choice.message.unwrap_or_default();
    let text = message.reasoning_content.or(message.reasoning);
    reasoning::read(text, message.reasoning_details.unwrap_or_default(), &mut parts);
    let (thoughts, text) = message.content.map(Content::split).unwrap_or_default();
    if !thoughts.is_empty() {
        reasoning::read(Some(thoughts), Vec::new(), &mut parts);
    }
    let citations: Vec<Citation> =
        message.annotations.unwrap_or_default().into_iter().map(citation).collect();
    if !text.is_empty() || !citations.is_empty() {
        parts.push(Part::Text(Text { text, citations, cache: None }));
    }
    parts.extend(message.refusal.filter(|text| !text.is_empty()).map(Part::Refusal));
    parts.extend(message.images.unwrap_or_default().into_iter().filter_map(ImageIn::part));
    parts.extend(message.audio.and_then(AudioIn::part));
    let calls = message.tool_calls.unwrap_or_default().into_iter().enumerate();
    parts.extend(calls.map(|(number, call)| Part::ToolCall(tool_call(call, number, response_id))));
    let logprobs = choice.logprobs.filter(|logprobs| !logprobs.is_null());
    let mut choice = Choice { parts, finish: choice.finish_reason.as_deref().map(finish), logprobs };
    if choice.finish == Some(Finish::Stop) && choice.calls_tools() {
        choice.finish = Some(Finish::ToolCalls);
    }
    choice
}

impl Content {
    /// Thoughts and text.
    pub(super) fn split(self) -> (String, String) {
        let parts = match self {
            Content::Text(text) => return (String::new(), text),
            Content::Parts(parts) => parts,
        };
        let (mut thoughts, mut text) = (String::new(), String::new());
        for part in parts {
            part.thinking.iter().flatten().for_each(|thought| thoughts.push_str(&thought.text));
            text.push_str(part.text.as_deref().unwrap_or_default());
        }
        (thoughts, text)
    }
}

impl ImageIn {
    pub(super) fn part(self) -> Option<Part> {
        let source = data_url(self.image_url?.url);
        Some(Part::Image(Image { source, detail: None, cache: None }))
    }
}

impl AudioIn {
    fn part(self) -> Option<Part> {
        let source = Source::Base64 { mime: "audio/wav".to_owned(), data: self.data? };
        Some(Part::Audio(Audio { source, transcript: self.transcript, id: self.id }))
    }
}

/// A call of a whole answer. Where the vendor gives no id, one is made of the answer's.
fn tool_call(call: CallIn, number: usize, response_id: &str) -> ToolCall {
    let function = call.function;
    let arguments = function.as_ref().map(CalledFunction::arguments).filter(|text| !text.trim().is_empty());
    ToolCall {
        id: call.id.filter(|id| !id.is_empty()).unwrap_or_else(|| invented_id(response_id, number)),
        name: function.and_then(|function| function.name).unwrap_or_default(),
        arguments: arguments.unwrap_or_else(|| "{}".to_owned()),
        signature: reasoning::of_google(call.extra_content),
        cache: None,
    }
}

pub(super) fn invented_id(response_id: &str, number: usize) -> String {
    let kept: String = response_id.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    format!("call_{kept}_{number}")
}

/// An annotation; one of an unknown kind is kept as it stands.
pub(super) fn citation(json: Json) -> Citation {
    let url = json.read().and_then(|annotation: Annotation| annotation.url_citation);
    let mut citation = Citation { original: Some((Dialect::OpenAiChat, json)), ..Citation::default() };
    if let Some(url) = url {
        citation.span = url.start_index.zip(url.end_index);
        citation.url = url.url;
        citation.title = url.title;
    }
    citation
}

/// What a finish reason means. Words that nobody knows end an answer like any other.
pub(super) fn finish(reason: &str) -> Finish {
    match reason {
        "length" | "max_tokens" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::ContentFilter,
        "error" | "insufficient_system_resource" => Finish::Error(reason.to_owned()),
        _ => Finish::Stop,
    }
}
