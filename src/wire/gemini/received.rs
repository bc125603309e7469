//! What a caller of this dialect sends, put into the form in which the rest of
//! the hub reads it, and its answers put back.
//!
//! The model and the wish for a stream are in the path. For a chat they become
//! the body's first members, so that the way back to the vendor is to leave
//! them off again; embeddings become OpenAI's.

use crate::chat::{Extra, Fields, Json, parse, write_object};
use crate::error::{Failure, Kind, Result};
use crate::wire::json::quote;
use bytes::Bytes;
use serde::Deserialize;

/// A chat's body with model and stream as its first members.
///
/// # Errors
/// [`Kind::InvalidRequest`] for what is no JSON object.
pub fn chat_received(body: &Bytes, model: &str, stream: bool) -> Result<Bytes> {
    let rest = body.trim_ascii_start().strip_prefix(b"{").ok_or_else(|| {
        Failure::new(Kind::InvalidRequest, "Invalid JSON payload received: the body must be a JSON object")
    })?;
    let comma: &[u8] = if rest.trim_ascii_start().starts_with(b"}") { b"" } else { b"," };
    let stream: &[u8] = if stream { b"true" } else { b"false" };
    Ok([b"{\"model\":", quote(model).as_slice(), b",\"stream\":", stream, comma, rest].concat().into())
}

/// The body as the caller sent it, of one that was put into form; `end_of_ours` is where the second of
/// the two members ends.
pub fn as_sent(body: &Bytes, end_of_ours: usize) -> Vec<Bytes> {
    let mut rest = body.slice(end_of_ours.min(body.len())..);
    if rest.first() == Some(&b',') {
        rest = rest.slice(1..);
    }
    vec![Bytes::from_static(b"{"), rest]
}

/// The parts of a content, of which only texts can be embedded.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ContentIn {
    parts: Vec<TextIn>,
}

#[derive(Deserialize)]
struct TextIn {
    text: String,
}

/// What is asked of all texts alike.
#[derive(Default, PartialEq)]
struct Asked {
    dimensions: Option<u64>,
    task: Option<String>,
    title: Option<String>,
}

/// OpenAI's body for one text (`embedContent`) or several (`batchEmbedContents`).
///
/// # Errors
/// [`Kind::InvalidRequest`] that names the field: also for texts that are not asked for alike.
pub fn embed_received(body: &[u8], model: &str, single: bool) -> Result<Bytes> {
    let mut fields = Fields::read(body)?;
    let mut texts = Vec::new();
    let mut asked: Option<Asked> = None;
    if single {
        let (text, one) = entry(&mut fields)?;
        texts.push(text);
        asked = Some(one);
        refuse_rest(fields.rest())?;
    } else {
        let entries: Vec<Json> =
            fields.take("requests")?.ok_or_else(|| wrong("requests", "`requests` is missing."))?;
        refuse_rest(fields.rest())?;
        for json in &entries {
            let mut fields = Fields::read(json.as_str().as_bytes())?;
            let (text, one) = entry(&mut fields)?;
            refuse_rest(fields.rest())?;
            if asked.as_ref().is_some_and(|before| *before != one) {
                return Err(wrong("requests", "All `requests` of a batch must ask for the same."));
            }
            texts.push(text);
            asked = Some(one);
        }
    }
    let asked = asked.ok_or_else(|| wrong("requests", "`requests` is empty."))?;
    let mut out = Vec::with_capacity(body.len() + 64);
    write_object(&mut out, |object| {
        object.put("model", model);
        object.put("input", &texts);
        object.put_some("dimensions", asked.dimensions);
        object.put_some("task_type", asked.task);
        object.put_some("title", asked.title);
    });
    Ok(out.into())
}

fn wrong(field: &'static str, public: &'static str) -> Failure {
    Failure::new(Kind::InvalidRequest, public).param(field)
}

fn refuse_rest(rest: Vec<Extra>) -> Result<()> {
    match rest.into_iter().next() {
        None => Ok(()),
        Some(extra) => {
            let name: String = extra.name.chars().filter(|c| !c.is_control()).take(64).collect();
            let text = format!("Invalid JSON payload received. Unknown name \"{name}\".");
            Err(Failure::new(Kind::InvalidRequest, text).param(name))
        }
    }
}

fn entry(fields: &mut Fields<'_>) -> Result<(String, Asked)> {
    fields.take_raw("model");
    let content: ContentIn =
        fields.take("content")?.ok_or_else(|| wrong("content", "`content` is missing."))?;
    let texts: Vec<String> = content.parts.into_iter().map(|part| part.text).collect();
    let mut either = |name: &'static str, other: &'static str| -> Result<Option<String>> {
        match fields.take(name)? {
            Some(value) => Ok(Some(value)),
            None => fields.take(other),
        }
    };
    let task = either("taskType", "task_type")?;
    let title = fields.take("title")?;
    let dimensions = match fields.take("outputDimensionality")? {
        Some(dimensions) => Some(dimensions),
        None => fields.take("output_dimensionality")?,
    };
    Ok((texts.join("\n"), Asked { dimensions, task, title }))
}

#[derive(Deserialize)]
struct EmbeddingsIn {
    data: Vec<EmbeddingIn>,
    usage: Option<UsageIn>,
}

#[derive(Deserialize)]
struct EmbeddingIn {
    embedding: Json,
}

#[derive(Deserialize)]
struct UsageIn {
    prompt_tokens: u64,
}

/// A caller's answer, of OpenAI's.
///
/// # Errors
/// [`Kind::VendorMalformed`] when that cannot be read.
pub fn embed_told(body: &[u8], single: bool) -> Result<Vec<u8>> {
    let read: EmbeddingsIn =
        parse(body).map_err(|error| super::response_in::malformed(&error.to_string()))?;
    let mut out = Vec::with_capacity(body.len());
    write_object(&mut out, |object| {
        match read.data.as_slice() {
            [only] if single => {
                object.object("embedding", |embedding| embedding.put("values", &only.embedding));
            }
            rows => object.array("embeddings", |array| {
                rows.iter().for_each(|row| array.object(|object| object.put("values", &row.embedding)));
            }),
        }
        if let Some(usage) = &read.usage {
            object.object("usageMetadata", |object| {
                object.put("promptTokenCount", &usage.prompt_tokens);
                object.put("totalTokenCount", &usage.prompt_tokens);
            });
        }
    });
    Ok(out)
}

/// The answer of `countTokens`.
pub fn count_told(tokens: u64) -> Vec<u8> {
    let mut out = Vec::new();
    write_object(&mut out, |object| object.put("totalTokens", &tokens));
    out
}

/// The body of `countTokens` as one of a chat: the whole request may be given in place of its contents.
///
/// # Errors
/// [`Kind::InvalidRequest`] for what cannot be read.
pub fn count_received(body: &Bytes, model: &str) -> Result<Bytes> {
    let mut fields = Fields::read(body)?;
    match fields.take::<Json>("generateContentRequest")? {
        None => chat_received(body, model, false),
        Some(json) => {
            let mut inner = Fields::read(json.as_str().as_bytes())?;
            inner.take_raw("model");
            let mut out = Vec::with_capacity(body.len());
            write_object(&mut out, |object| {
                inner.rest().iter().for_each(|extra| object.put(&extra.name, &extra.json));
            });
            chat_received(&out.into(), model, false)
        }
    }
}

/// Events of a stream as the elements of one list, for callers that did not ask for
/// server-sent events.
#[derive(Default)]
pub struct List {
    begun: bool,
}

impl List {
    /// The elements that some whole events are.
    pub fn elements(&mut self, events: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(events.len() + 2);
        for event in events.split(|byte| *byte == b'\n') {
            let Some(data) = event.strip_prefix(b"data:") else { continue };
            out.extend_from_slice(if self.begun { b",\r\n" } else { b"[" });
            self.begun = true;
            out.extend_from_slice(data.trim_ascii());
        }
        out
    }

    /// What closes the list.
    pub fn end(&mut self) -> &'static [u8] {
        if std::mem::replace(&mut self.begun, true) { b"]" } else { b"[]" }
    }
}
