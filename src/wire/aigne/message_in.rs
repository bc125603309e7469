//! A caller's messages, read into canonical ones.

use crate::chat::{
    Audio, CacheHint, Document, Fields, Image, Json, Message, Part, Role, Source, Text, ToolCall, ToolResult,
    data_url,
};
use crate::error::{Failure, Kind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageIn {
    role: String,
    content: Option<Content>,
    name: Option<String>,
    #[serde(alias = "tool_calls")]
    tool_calls: Option<Vec<CallIn>>,
    #[serde(alias = "tool_call_id")]
    tool_call_id: Option<String>,
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
#[serde(rename_all = "camelCase")]
struct PartIn {
    r#type: String,
    text: Option<String>,
    data: Option<String>,
    url: Option<String>,
    #[serde(alias = "image_url")]
    image_url: Option<ImageUrl>,
    mime_type: Option<String>,
    filename: Option<String>,
    cache_control: Option<CacheControl>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ImageUrl {
    Plain(String),
    Object { url: String },
}

#[derive(Deserialize)]
struct CallIn {
    id: String,
    function: FunctionIn,
}

#[derive(Deserialize)]
struct FunctionIn {
    name: String,
    /// An object, or its text as OpenAI has it.
    arguments: Option<Json>,
}

/// `cacheControl`, on messages, texts and tools.
#[derive(Deserialize)]
pub(super) struct CacheControl {
    ttl: Option<String>,
}

impl CacheControl {
    pub(super) fn hint(&self) -> CacheHint {
        hint(self.ttl.as_deref())
    }
}

/// The hint for a time to live.
pub(super) fn hint(ttl: Option<&str>) -> CacheHint {
    if ttl == Some("1h") { CacheHint::OneHour } else { CacheHint::FiveMinutes }
}

fn wrong(public: impl Into<String>) -> Failure {
    Failure::new(Kind::InvalidRequest, public.into()).param("messages")
}

/// Gives the system texts in front, and the conversation. A text alone stands for one message
/// of the user.
pub(super) fn read(input: &mut Fields<'_>) -> Result<(Vec<Text>, Vec<Message>)> {
    if input.peek("messages").is_some_and(|raw| raw.get().starts_with('"')) {
        let text: Option<String> = input.take("messages")?;
        let parts = text.map(Part::text).into_iter().collect();
        return Ok((Vec::new(), vec![Message { role: Role::User, name: None, parts }]));
    }
    let read: Vec<MessageIn> =
        input.take("messages")?.ok_or_else(|| wrong("`input.messages` is required."))?;
    if read.is_empty() {
        return Err(wrong("`input.messages` is empty."));
    }
    let (mut system, mut messages) = (Vec::new(), Vec::with_capacity(read.len()));
    for message in read {
        let message = canonical(message)?;
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

fn canonical(message: MessageIn) -> Result<Message> {
    let role = match message.role.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "agent" | "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        other => {
            let known: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(wrong(format!("A message has the role `{known}`, which is not known.")));
        }
    };
    let mut parts = match message.content {
        None => Vec::new(),
        Some(Content::Text(text)) => vec![Part::text(text)],
        Some(Content::Parts(parts)) => parts.into_iter().map(part).collect::<Result<_>>()?,
    };
    if let (Some(control), Some(Part::Text(text))) = (&message.cache_control, parts.last_mut()) {
        text.cache = text.cache.or(Some(control.hint()));
    }
    if role == Role::Assistant {
        parts.extend(message.tool_calls.unwrap_or_default().into_iter().map(call));
    }
    if role == Role::Tool {
        let call_id = message.tool_call_id.ok_or_else(|| wrong("A tool's message has no `toolCallId`."))?;
        let result = ToolResult { call_id, name: message.name, parts, ..ToolResult::default() };
        return Ok(Message { role, name: None, parts: vec![Part::ToolResult(result)] });
    }
    Ok(Message { role, name: message.name, parts })
}

fn call(call: CallIn) -> Part {
    let text = call.function.arguments.filter(|json| !json.is_null());
    let text = text.map(|json| json.read::<String>().unwrap_or_else(|| json.as_str().to_owned()));
    let arguments = text.unwrap_or_else(|| "{}".to_owned());
    Part::ToolCall(ToolCall { id: call.id, name: call.function.name, arguments, ..ToolCall::default() })
}

fn part(part: PartIn) -> Result<Part> {
    let cache = part.cache_control.as_ref().map(CacheControl::hint);
    let url = part.url.or(match part.image_url {
        Some(ImageUrl::Plain(url) | ImageUrl::Object { url }) => Some(url),
        None => None,
    });
    match (part.r#type.as_str(), part.text, part.data, url) {
        ("text", Some(text), ..) => Ok(Part::Text(Text { text, cache, citations: Vec::new() })),
        ("file", _, Some(data), _) => {
            let source = match data_url(data) {
                // What is no data URL is the bare base64 text.
                Source::Url(data) => Source::Base64 { mime: part.mime_type.unwrap_or_default(), data },
                source => source,
            };
            Ok(file(source, part.filename, cache))
        }
        ("url" | "image_url", _, _, Some(url)) => {
            Ok(linked(data_url(url), part.mime_type, part.filename, cache))
        }
        ("local", ..) => {
            Err(wrong("A part names a file on the caller's machine, which the hub cannot read."))
        }
        (kind, ..) => {
            let kind: String = kind.chars().filter(|c| !c.is_control()).take(40).collect();
            Err(wrong(format!("A part of type `{kind}` is not known, or lacks its content.")))
        }
    }
}

/// Bytes, by what they are. Pictures are what files mostly are.
fn file(source: Source, filename: Option<String>, cache: Option<CacheHint>) -> Part {
    let Source::Base64 { mime, data } = source else { return linked(source, None, filename, cache) };
    let mime = if mime.is_empty() { guessed(filename.as_deref()).to_owned() } else { mime };
    let document = |source| {
        Part::Document(Document { source, name: filename.clone(), context: None, cite: false, cache })
    };
    if mime.starts_with("image/") {
        return Part::Image(Image { source: Source::Base64 { mime, data }, detail: None, cache });
    }
    if mime.starts_with("audio/") {
        return Part::Audio(Audio { source: Source::Base64 { mime, data }, transcript: None, id: None });
    }
    // Vendors read PDF; the words of a plain text are what matters of it.
    let is_text = mime.starts_with("text/") || mime == "application/json";
    let text = is_text.then(|| STANDARD.decode(&data).ok().and_then(|bytes| String::from_utf8(bytes).ok()));
    match text.flatten() {
        Some(text) => document(Source::Text(text)),
        None => document(Source::Base64 { mime, data }),
    }
}

fn linked(source: Source, mime: Option<String>, filename: Option<String>, cache: Option<CacheHint>) -> Part {
    let Source::Url(url) = source else { return file(source, filename, cache) };
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let mime = mime.unwrap_or_else(|| guessed(filename.as_deref().or(Some(path))).to_owned());
    let source = Source::Url(url);
    if mime.starts_with("image/") {
        return Part::Image(Image { source, detail: None, cache });
    }
    Part::Document(Document { source, name: filename, context: None, cite: false, cache })
}

/// A media type by the ending of a name; a picture where there is none.
fn guessed(name: Option<&str>) -> &'static str {
    const ENDINGS: &[(&str, &str)] = &[
        ("jpg", "image/jpeg"),
        ("jpeg", "image/jpeg"),
        ("gif", "image/gif"),
        ("webp", "image/webp"),
        ("pdf", "application/pdf"),
        ("txt", "text/plain"),
        ("md", "text/markdown"),
        ("csv", "text/csv"),
        ("json", "application/json"),
        ("mp3", "audio/mp3"),
        ("wav", "audio/wav"),
    ];
    let ending = name.and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending.to_ascii_lowercase());
    let known = ENDINGS.iter().find(|(known, _)| Some(*known) == ending.as_deref());
    known.map_or("image/png", |(_, mime)| mime)
}
