//! The items of a caller's `input`, read into canonical messages.

use crate::chat::{
    Audio, Dialect, Document, Image, Json, Message, Origin, Other, Part, Role, Signature, Source, Text,
    Thinking, ToolCall, ToolResult, data_url, split_call_id,
};
use crate::error::{Failure, Kind, Result};
use serde::Deserialize;

/// In front of an opaque text that is no signature but the thoughts themselves.
pub(super) const REDACTED: &str = "redacted~";

/// All kinds of items in one: a tagged enum would read each of them twice.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ItemIn {
    r#type: Option<String>,
    role: Option<String>,
    content: Option<Json>,
    call_id: Option<String>,
    name: Option<String>,
    arguments: Option<String>,
    input: Option<String>,
    output: Option<Json>,
    summary: Option<Vec<TextIn>>,
    encrypted_content: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TextIn {
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PartIn {
    r#type: String,
    text: Option<String>,
    refusal: Option<String>,
    image_url: Option<String>,
    detail: Option<String>,
    file_id: Option<String>,
    file_data: Option<String>,
    file_url: Option<String>,
    filename: Option<String>,
    input_audio: Option<AudioIn>,
}

#[derive(Deserialize)]
struct AudioIn {
    data: String,
    format: Option<String>,
}

pub(super) fn wrong(number: usize, what: &str) -> Failure {
    let field = format!("input[{number}]");
    Failure::new(Kind::InvalidRequest, format!("`{field}` {what}")).param(field)
}

/// Reads the conversation, and the system texts in front of it.
pub(super) fn read(input: &Json) -> Result<(Vec<Text>, Vec<Message>)> {
    if let Some(text) = input.read::<String>() {
        let message = Message { role: Role::User, name: None, parts: vec![Part::text(text)] };
        return Ok((Vec::new(), vec![message]));
    }
    let items: Vec<Json> = input.read().ok_or_else(|| {
        Failure::new(Kind::InvalidRequest, "`input` must be a string or an array.").param("input")
    })?;
    let (mut system, mut messages) = (Vec::new(), Vec::with_capacity(items.len()));
    for (number, json) in items.into_iter().enumerate() {
        let (role, parts) = item(number, json)?;
        if role == Role::System && messages.is_empty() {
            let texts = parts
                .into_iter()
                .filter_map(|part| if let Part::Text(text) = part { Some(text) } else { None });
            system.extend(texts);
        } else {
            push(&mut messages, role, parts);
        }
    }
    Ok((system, messages))
}

/// What the model said and called in one turn is one message, and so are the
/// results: vendors want calls and their results to follow each other.
fn push(messages: &mut Vec<Message>, role: Role, parts: Vec<Part>) {
    match messages.last_mut() {
        Some(last) if last.role == role && matches!(role, Role::Assistant | Role::Tool) => {
            last.parts.extend(parts);
        }
        _ => messages.push(Message { role, name: None, parts }),
    }
}

fn item(number: usize, json: Json) -> Result<(Role, Vec<Part>)> {
    let item: ItemIn = json.read().ok_or_else(|| wrong(number, "cannot be read as an item."))?;
    let missing = |field: &str| wrong(number, &format!("has no `{field}`."));
    let kind = item.r#type.clone().unwrap_or_else(|| "message".to_owned());
    Ok(match kind.as_str() {
        "message" => message(number, item)?,
        "function_call" | "custom_tool_call" => {
            let (id, signature) = split_call_id(item.call_id.ok_or_else(|| missing("call_id"))?);
            let arguments = match item.input {
                Some(input) => serde_json::json!({ "input": input }).to_string(),
                None => {
                    item.arguments.filter(|text| !text.trim().is_empty()).unwrap_or_else(|| "{}".to_owned())
                }
            };
            let name = item.name.ok_or_else(|| missing("name"))?;
            let call = ToolCall { id, name, arguments, signature, cache: None };
            (Role::Assistant, vec![Part::ToolCall(call)])
        }
        "function_call_output" | "custom_tool_call_output" => {
            let (call_id, _) = split_call_id(item.call_id.ok_or_else(|| missing("call_id"))?);
            let parts = content(number, item.output.ok_or_else(|| missing("output"))?)?;
            let result = ToolResult { call_id, name: None, parts, is_error: false, cache: None };
            (Role::Tool, vec![Part::ToolResult(result)])
        }
        "reasoning" => (Role::Assistant, reasoning(item).into_iter().collect()),
        "item_reference" => return Err(wrong(number, "refers to an item that is not known here.")),
        _ => {
            let other = Other { dialect: Dialect::OpenAiResponses, kind, json };
            (Role::Assistant, vec![Part::Other(other)])
        }
    })
}

fn message(number: usize, item: ItemIn) -> Result<(Role, Vec<Part>)> {
    let role = match item.role.as_deref() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system" | "developer") => Role::System,
        _ => return Err(wrong(number, "needs a `role` of user, assistant, system or developer.")),
    };
    let parts = item.content.map(|json| content(number, json)).transpose()?.unwrap_or_default();
    Ok((role, parts))
}

/// A text, or a list of parts.
fn content(number: usize, content: Json) -> Result<Vec<Part>> {
    if let Some(text) = content.read::<String>() {
        return Ok(vec![Part::text(text)]);
    }
    if content.is_null() {
        return Ok(Vec::new());
    }
    let parts: Vec<Json> =
        content.read().ok_or_else(|| wrong(number, "has a content that is neither text nor a list."))?;
    parts.into_iter().map(|json| part(number, json)).collect()
}

fn part(number: usize, json: Json) -> Result<Part> {
    let read: PartIn = json.read().ok_or_else(|| wrong(number, "has a part that cannot be read."))?;
    let lacks = |what: &str| wrong(number, &format!("has an `{}` without {what}.", read.r#type));
    Ok(match read.r#type.as_str() {
        "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" => {
            Part::text(read.text.ok_or_else(|| lacks("`text`"))?)
        }
        "refusal" => Part::Refusal(read.refusal.unwrap_or_default()),
        "input_image" => {
            let source = match (read.image_url, read.file_id) {
                (Some(url), _) => data_url(url),
                (None, Some(id)) => Source::FileId(id),
                (None, None) => return Err(wrong(number, "has an image without `image_url` or `file_id`.")),
            };
            Part::Image(Image { source, detail: read.detail, cache: None })
        }
        "input_file" => {
            let source = match (read.file_data, read.file_url, read.file_id) {
                (Some(data), ..) => file(data),
                (None, Some(url), _) => Source::Url(url),
                (None, None, Some(id)) => Source::FileId(id),
                _ => {
                    let what = "has a file without `file_data`, `file_url` or `file_id`.";
                    return Err(wrong(number, what));
                }
            };
            Part::Document(Document { source, name: read.filename, context: None, cite: false, cache: None })
        }
        "input_audio" => {
            let audio = read.input_audio.ok_or_else(|| wrong(number, "has sound without `input_audio`."))?;
            let mime = format!("audio/{}", audio.format.as_deref().unwrap_or("wav"));
            let source = Source::Base64 { mime, data: audio.data };
            Part::Audio(Audio { source, transcript: None, id: None })
        }
        _ => Part::Other(Other { dialect: Dialect::OpenAiResponses, kind: read.r#type, json }),
    })
}

/// A `data:` URL, or bare base64 of a PDF.
fn file(data: String) -> Source {
    match data_url(data) {
        Source::Url(data) if !data.contains("://") => {
            Source::Base64 { mime: "application/pdf".to_owned(), data }
        }
        source => source,
    }
}

/// Thoughts that come back: what was shown of them, and what proves them.
fn reasoning(item: ItemIn) -> Option<Part> {
    let raw: Vec<TextIn> = item.content.as_ref().and_then(Json::read).unwrap_or_default();
    let shown = if raw.is_empty() { item.summary.unwrap_or_default() } else { raw };
    let text = shown.into_iter().map(|part| part.text).collect::<Vec<_>>().join("\n\n");
    let opaque = item.encrypted_content.filter(|text| !text.is_empty());
    let signature = opaque.map(|text| Signature::from_field(text, Origin::OpenAi));
    match signature {
        Some(Signature { origin, text: data }) if data.starts_with(REDACTED) => {
            let data = data.strip_prefix(REDACTED).unwrap_or_default().to_owned();
            Some(Part::RedactedThinking { data, origin })
        }
        None if text.is_empty() => None,
        signature => Some(Part::Thinking(Thinking { text, signature })),
    }
}
