//! What the hub has to know of a request before it decides, and the body with
//! the conversation in it.

use crate::chat::{Fields, Json};
use crate::error::{Failure, Kind, Result};
use crate::wire::json::{Reader, Syntax};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Types of tools that the caller runs, so that any vendor can be told of them.
const PORTABLE: &[&str] = &["function", "custom"];

/// What is decided by before any vendor is chosen.
#[derive(Debug, Default)]
pub struct Front<'a> {
    /// The answer that this request goes on from.
    pub previous: Option<String>,
    /// Is the answer to be kept? Unless the caller says no, it is.
    pub store: bool,
    /// What only a vendor with this dialect can do, if anything: the field and the thing.
    pub native: Option<(&'static str, String)>,
    /// `input` as it stands.
    input: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Typed {
    r#type: Option<String>,
    id: Option<String>,
}

impl<'a> Front<'a> {
    /// Reads a caller's body.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`], naming the field: no JSON, a wrong type,
    /// nothing to answer, or what the hub does not offer (`background`, `conversation`).
    pub fn read(body: &'a [u8]) -> Result<Self> {
        let mut fields = Fields::read(body)?;
        if fields.take::<bool>("background")? == Some(true) {
            let text =
                "Background responses are not supported; leave `background` out and stream the answer.";
            return Err(refuse("background", text));
        }
        if fields.take::<Json>("conversation")?.is_some() {
            let text = "Conversations are not supported; use `previous_response_id`.";
            return Err(refuse("conversation", text));
        }
        let previous: Option<String> = fields.take("previous_response_id")?;
        let prompt: Option<Json> = fields.take("prompt")?;
        let input = fields.take_raw("input").filter(|raw| raw.get() != "null");
        if input.is_some_and(|raw| !raw.get().starts_with(['"', '['])) {
            return Err(refuse("input", "`input` must be a string or an array."));
        }
        if previous.is_none() && prompt.is_none() && input.is_none() {
            let text = "Missing required parameter: one of `input`, `previous_response_id` or `prompt` must be given.";
            return Err(refuse("input", text));
        }
        let tools: Vec<Typed> = fields.take("tools")?.unwrap_or_default();
        let hosted =
            tools.into_iter().filter_map(|tool| tool.r#type).find(|kind| !PORTABLE.contains(&kind.as_str()));
        let native = hosted.map(|kind| ("tools", format!("the tool `{kind}`")));
        let stored = prompt.map(|_| ("prompt", "stored prompts".to_owned()));
        Ok(Self { previous, store: fields.take("store")?.unwrap_or(true), native: native.or(stored), input })
    }

    /// The caller's own items as a JSON array, with what `find` gives in place
    /// of a reference to an item.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] for a reference to an item that `find` does not know.
    pub fn items(&self, mut find: impl FnMut(&str) -> Option<Json>) -> Result<Vec<u8>> {
        let Some(input) = self.input else { return Ok(b"[]".to_vec()) };
        if let Ok(text) = serde_json::from_str::<String>(input.get()) {
            let message = serde_json::json!([{ "type": "message", "role": "user",
                "content": [{ "type": "input_text", "text": text }] }]);
            return Ok(message.to_string().into_bytes());
        }
        if !self.refers() {
            return Ok(input.get().as_bytes().to_vec());
        }
        let items: Vec<Json> = serde_json::from_str(input.get())
            .map_err(|error| refuse("input", "`input` must be a string or an array.").detail(error))?;
        let mut resolved = Vec::with_capacity(items.len());
        for item in items {
            let typed: Typed = item.read().unwrap_or_default();
            // A reference may leave its type out.
            let is_reference = typed.r#type.as_deref() == Some("item_reference");
            match (is_reference, typed.id) {
                (true, Some(id)) => resolved.push(find(&id).ok_or_else(|| {
                    let shown: String = id.chars().filter(|c| !c.is_control()).take(120).collect();
                    refuse("input", format!("Item with id '{shown}' not found."))
                })?),
                _ => resolved.push(item),
            }
        }
        Ok(serde_json::to_vec(&resolved).unwrap_or_default())
    }

    /// Does `input` refer to items of earlier answers?
    pub fn refers(&self) -> bool {
        let input = self.input.map_or("", RawValue::get);
        memchr::memmem::find(input.as_bytes(), b"\"item_reference\"").is_some()
    }
}

fn refuse(field: &'static str, public: impl Into<String>) -> Failure {
    Failure::new(Kind::InvalidRequest, public.into()).param(field)
}

/// The body with `items` (the insides of JSON arrays, oldest first) as its
/// `input`, and without `previous_response_id`.
///
/// # Errors
/// [`Kind::InvalidRequest`] when the body is no JSON object.
pub fn expand<'a>(body: &[u8], items: impl Iterator<Item = &'a [u8]>) -> Result<Vec<u8>> {
    let mut input = vec![b'['];
    for list in items {
        let inside = list.trim_ascii();
        let inside = inside.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or_default();
        let inside = inside.trim_ascii();
        if !inside.is_empty() {
            if input.len() > 1 {
                input.push(b',');
            }
            input.extend_from_slice(inside);
        }
    }
    input.push(b']');
    let changes = [("previous_response_id", None), ("input", Some(input.as_slice()))];
    changed(body, &changes)
        .map_err(|wrong| Failure::new(Kind::InvalidRequest, "The body is no valid JSON.").detail(wrong.why))
}

/// A body with other values for some fields; `None` takes the field away. Fields
/// that are not there are added, all others keep their bytes.
pub(super) fn changed(body: &[u8], changes: &[(&str, Option<&[u8]>)]) -> Result<Vec<u8>, Syntax> {
    let added: usize = changes.iter().filter_map(|(_, value)| value.map(<[u8]>::len)).sum();
    let mut out = Vec::with_capacity(body.len() + added + 64);
    let mut reader = Reader::new(body);
    reader.enter_object()?;
    out.push(b'{');
    let mut member = |key: &[u8], value: &[u8]| {
        if out.len() > 1 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(key);
        out.extend_from_slice(b"\":");
        out.extend_from_slice(value);
    };
    while let Some(key) = reader.key()? {
        let name = key.bytes();
        let span = reader.skip()?;
        if !changes.iter().any(|(field, _)| field.as_bytes() == name.as_ref()) {
            member(key.raw, reader.slice(span));
        }
    }
    for (field, value) in changes {
        if let Some(value) = value {
            member(field.as_bytes(), value);
        }
    }
    out.push(b'}');
    Ok(out)
}
