//! A caller's messages, read into canonical ones.

use super::reasoning::{self, Detail};
use super::request_in::CacheControl;
use crate::chat::{
    Audio, CacheHint, Dialect, Document, Fields, Image, Json, Message, Other, Part, Role, Source, Text,
    ToolCall, ToolResult, data_url, split_call_id,
};
use crate::error::{Failure, Kind, Result};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct MessageIn {
    role: String,
    content: Option<Content>,
    name: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<CallIn>>,
    tool_call_id: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    reasoning_details: Option<Vec<Detail>>,
    cache_control: Option<CacheControl>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<PartIn>),
}

/// All kinds of parts in one: a tagged enum would read each of them twice.
#[derive(Deserialize)]
struct PartIn {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    refusal: Option<String>,
    image_url: Option<ImageUrl>,
    input_audio: Option<InputAudio>,
    file: Option<FileIn>,
    cache_control: Option<CacheControl>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ImageUrl {
    Object { url: String, detail: Option<String> },
    Plain(String),
}

#[derive(Deserialize)]
struct InputAudio {
    data: String,
    format: Option<String>,
}

#[derive(Deserialize)]
struct FileIn {
    file_data: Option<String>,
    file_id: Option<String>,
    filename: Option<String>,
}

/// A call of a tool, in requests and in answers.
#[derive(Deserialize)]
pub(super) struct CallIn {
    /// Only in streams.
    pub index: Option<usize>,
    pub id: Option<String>,
    pub function: Option<CalledFunction>,
    pub extra_content: Option<ExtraContent>,
}

#[derive(Deserialize)]
pub(super) struct CalledFunction {
    pub name: Option<String>,
    pub arguments: Option<Json>,
}

/// Google's addition to the dialect.
#[derive(Deserialize)]
pub(super) struct ExtraContent {
    pub google: Option<Google>,
}

#[derive(Deserialize)]
pub(super) struct Google {
    pub thought_signature: Option<String>,
}

impl CalledFunction {
    /// The arguments as text: some servers send the object itself.
    pub(super) fn arguments(&self) -> String {
        match &self.arguments {
            None => String::new(),
            Some(json) if json.is_null() => String::new(),
            Some(json) => json.read::<String>().unwrap_or_else(|| json.as_str().to_owned()),
        }
    }
}

/// Reads the system texts in front, and the conversation.
pub(super) fn read(fields: &mut Fields<'_>) -> Result<(Vec<Text>, Vec<Message>)> {
    let raw = fields.peek("messages");
    let read: Vec<MessageIn> = fields.take("messages")?.ok_or_else(|| wrong("`messages` is missing."))?;
    let (mut system, mut messages) = (Vec::new(), Vec::with_capacity(read.len()));
    for (number, message) in read.into_iter().enumerate() {
        let message = canonical(message, || raw.and_then(|raw| raw_parts(raw, number)))?;
        if message.role == Role::System && messages.is_empty() {
            system.extend(message.parts.into_iter().filter_map(|part| match part {
                Part::Text(text) => Some(text),
                _ => None,
            }));
        } else {
            messages.push(message);
        }
    }
    Ok((system, messages))
}

fn wrong(public: impl Into<String>) -> Failure {
    Failure::new(Kind::InvalidRequest, public.into()).param("messages")
}

/// The parts of one message as they stand. Only needed for parts without a
/// meaning here, so that ordinary bodies are read once.
fn raw_parts(messages: &RawValue, number: usize) -> Option<Vec<Json>> {
    #[derive(Deserialize)]
    struct Raw {
        content: Option<Json>,
    }
    let messages: Vec<Raw> = serde_json::from_str(messages.get()).ok()?;
    messages.into_iter().nth(number)?.content?.read()
}

fn canonical(message: MessageIn, raw_parts: impl Fn() -> Option<Vec<Json>>) -> Result<Message> {
    let role = match message.role.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        other => {
            let known: String = other.chars().take(40).collect();
            return Err(wrong(format!("A message has the role `{known}`, which is not known.")));
        }
    };
    let mut parts = Vec::new();
    if role == Role::Assistant {
        let thoughts = message.reasoning_content.or(message.reasoning);
        reasoning::read(thoughts, message.reasoning_details.unwrap_or_default(), &mut parts);
    }
    read_content(message.content, raw_parts, &mut parts)?;
    if role == Role::Assistant {
        parts.extend(message.refusal.filter(|text| !text.is_empty()).map(Part::Refusal));
        parts.extend(message.tool_calls.unwrap_or_default().into_iter().map(call));
    }
    if let Some(hint) = message.cache_control.map(CacheControl::hint) {
        set_cache(&mut parts, hint);
    }
    if role == Role::Tool {
        let call_id = message.tool_call_id.ok_or_else(|| wrong("A tool's message has no `tool_call_id`."))?;
        let (call_id, _) = split_call_id(call_id);
        let cache = parts.iter().rev().find_map(Part::cache);
        let result = ToolResult { call_id, name: message.name, parts, is_error: false, cache };
        return Ok(Message { role, name: None, parts: vec![Part::ToolResult(result)] });
    }
    Ok(Message { role, name: message.name, parts })
}

/// A call that the caller returns, with the signature that rode in its id.
fn call(call: CallIn) -> Part {
    let (id, signature) = split_call_id(call.id.unwrap_or_default());
    let signature = signature.or_else(|| reasoning::of_google(call.extra_content));
    let arguments = call.function.as_ref().map(CalledFunction::arguments).unwrap_or_default();
    let arguments = if arguments.trim().is_empty() { "{}".to_owned() } else { arguments };
    let name = call.function.and_then(|function| function.name).unwrap_or_default();
    Part::ToolCall(ToolCall { id, name, arguments, signature, cache: None })
}

/// A hint on a whole message stands on its last text.
fn set_cache(parts: &mut [Part], hint: CacheHint) {
    if let Some(Part::Text(text)) = parts.last_mut() {
        text.cache = text.cache.or(Some(hint));
    }
}

fn read_content(
    content: Option<Content>,
    raw_parts: impl Fn() -> Option<Vec<Json>>,
    parts: &mut Vec<Part>,
) -> Result<()> {
    match content {
        None => {}
        Some(Content::Text(text)) => parts.push(Part::text(text)),
        Some(Content::Parts(read)) => {
            let mut raw = None;
            for (number, part) in read.into_iter().enumerate() {
                let json = |kind: String| {
                    let raw = raw.get_or_insert_with(|| raw_parts().unwrap_or_default());
                    let json = raw.get(number).cloned().unwrap_or_else(Json::empty_object);
                    Part::Other(Other { dialect: Dialect::OpenAiChat, kind, json })
                };
                parts.push(canonical_part(part, json)?);
            }
        }
    }
    Ok(())
}

fn canonical_part(part: PartIn, other: impl FnOnce(String) -> Part) -> Result<Part> {
    let cache = part.cache_control.map(CacheControl::hint);
    Ok(match part {
        PartIn { text: Some(text), ref kind, .. } if kind.ends_with("text") => {
            Part::Text(Text { text, citations: Vec::new(), cache })
        }
        PartIn { refusal: Some(text), .. } => Part::Refusal(text),
        PartIn { image_url: Some(image), .. } => {
            let (url, detail) = match image {
                ImageUrl::Object { url, detail } => (url, detail),
                ImageUrl::Plain(url) => (url, None),
            };
            Part::Image(Image { source: data_url(url), detail, cache })
        }
        PartIn { input_audio: Some(audio), .. } => {
            let mime = format!("audio/{}", audio.format.as_deref().unwrap_or("wav"));
            let source = Source::Base64 { mime, data: audio.data };
            Part::Audio(Audio { source, transcript: None, id: None })
        }
        PartIn { file: Some(file), .. } => {
            let source = match (file.file_data, file.file_id) {
                (Some(data), _) => file_source(data),
                (None, Some(id)) => Source::FileId(id),
                (None, None) => return Err(wrong("A `file` needs `file_data` or `file_id`.")),
            };
            Part::Document(Document { source, name: file.filename, context: None, cite: false, cache })
        }
        PartIn { kind, .. } => other(kind),
    })
}

/// OpenAI wants a `data:` URL, but takes bare base64 for a PDF, and so do we.
fn file_source(data: String) -> Source {
    match data_url(data) {
        Source::Url(data) if !data.contains("://") => {
            Source::Base64 { mime: "application/pdf".to_owned(), data }
        }
        source => source,
    }
}
