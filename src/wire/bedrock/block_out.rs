//! Content blocks, written from canonical parts.

use super::ids::{call_id, document_name};
use super::tools_out::write_cache_point;
use super::traits::Family;
use crate::chat::{
    Adapted, Array, Audio, CacheHint, Dialect, Document, Field, Image, ModelTraits, Object, Origin, Part,
    Source, ToolResult,
};
use crate::error::Result;
use crate::wire::anthropic::is_signed;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashSet;

/// What stands where something has to, and there is nothing.
const PLACEHOLDER: &str = ".";

/// Formats by media type.
const IMAGES: [(&str, &str); 5] = [
    ("image/png", "png"),
    ("image/jpeg", "jpeg"),
    ("image/jpg", "jpeg"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
];
const DOCUMENTS: [(&str, &str); 10] = [
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
    ("text/x-markdown", "md"),
];
const SOUNDS: [(&str, &str); 9] = [
    ("audio/mp3", "mp3"),
    ("audio/mpeg", "mp3"),
    ("audio/wav", "wav"),
    ("audio/x-wav", "wav"),
    ("audio/flac", "flac"),
    ("audio/ogg", "ogg"),
    ("audio/opus", "opus"),
    ("audio/aac", "aac"),
    ("audio/mp4", "m4a"),
];

fn format<'a>(table: &[(&str, &'a str)], mime: &str) -> Option<&'a str> {
    let bare = mime.split(';').next().unwrap_or_default().trim();
    table.iter().find(|(known, _)| known.eq_ignore_ascii_case(bare)).map(|(_, format)| *format)
}

/// Writes the content of messages.
pub(super) struct Blocks<'a> {
    traits: &'a ModelTraits,
    family: Family,
    pub(super) adapted: &'a mut Adapted,
    /// Names of documents so far: the vendor refuses a second one.
    documents: HashSet<String>,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(traits: &'a ModelTraits, family: Family, adapted: &'a mut Adapted) -> Self {
        Self { traits, family, adapted, documents: HashSet::new() }
    }

    /// The hint as the model takes it, if it does.
    pub(super) fn hint(&self, hint: Option<CacheHint>) -> Option<CacheHint> {
        let hint = hint.filter(|_| self.traits.cache_hints)?;
        // Only Claude's caches live longer than five minutes.
        Some(if self.family == Family::Claude { hint } else { CacheHint::FiveMinutes })
    }

    /// The content of one turn. `prefill`: the answer goes on with its last text, which may not end with
    /// a blank. `point`: a cache may end behind it.
    pub(super) fn write(
        &mut self,
        object: &mut Object<'_>,
        parts: &[&Part],
        prefill: bool,
        point: Option<CacheHint>,
    ) -> Result<()> {
        object.array("content", |array| {
            for (number, part) in parts.iter().enumerate() {
                self.write_part(array, part, prefill && number + 1 == parts.len())?;
            }
            let has_text = parts.iter().any(|part| is_text(part));
            let has_document = parts.iter().any(|part| matches!(part, Part::Document(_)));
            if array.is_empty() || (has_document && !has_text) {
                // A turn may not be empty, and a document may not stand without a text.
                write_text(array, PLACEHOLDER);
            }
            let marked = parts.last().is_some_and(|part| self.hint(cache(part)).is_some());
            write_cache_point(array, point.filter(|_| !marked));
            Ok(())
        })
    }

    fn write_part(&mut self, array: &mut Array<'_>, part: &Part, ends: bool) -> Result<()> {
        match part {
            Part::Text(text) if ends => write_text(array, text.text.trim_end()),
            Part::Text(text) => write_text(array, &text.text),
            Part::Refusal(text) => write_text(array, text),
            Part::Image(image) => self.write_image(array, image)?,
            Part::Document(document) => self.write_document(array, document)?,
            Part::Audio(audio) => self.write_audio(array, audio)?,
            Part::ToolCall(call) => array.object(|object| {
                object.object("toolUse", |object| {
                    object.put("toolUseId", call_id(&call.id).as_ref());
                    object.put("name", &call.name);
                    object.put("input", &call.input());
                });
            }),
            Part::ToolResult(result) => self.write_result(array, result)?,
            Part::Thinking(_) | Part::RedactedThinking { .. } => self.write_thoughts(array, part)?,
            Part::Other(other) if other.dialect == Dialect::Bedrock => array.put(&other.json),
            Part::Other(other) => {
                self.adapted.drop_named(Field::OtherPart, other.kind.clone(), "left out")?;
            }
        }
        if !array.is_empty() {
            write_cache_point(array, self.hint(cache(part)));
        }
        Ok(())
    }

    fn write_image(&mut self, array: &mut Array<'_>, image: &Image) -> Result<()> {
        if !self.traits.images && !self.adapted.adapt(Field::Image, "left out")?.passes() {
            return Ok(());
        }
        self.write_media(array, "image", &IMAGES, &image.source, Field::Image)
    }

    fn write_audio(&mut self, array: &mut Array<'_>, audio: &Audio) -> Result<()> {
        if !self.traits.audio && !self.adapted.adapt(Field::Audio, "left out")?.passes() {
            return Ok(());
        }
        self.write_media(array, "audio", &SOUNDS, &audio.source, Field::Audio)
    }

    /// A picture or sound: bytes in a format that has a name, or an address in Amazon's own store.
    fn write_media(
        &mut self,
        array: &mut Array<'_>,
        kind: &str,
        formats: &[(&str, &str)],
        source: &Source,
        field: Field,
    ) -> Result<()> {
        let format = match source {
            Source::Base64 { mime, .. } => format(formats, mime),
            Source::Url(url) if self.traits.media_urls => stored(url, formats),
            _ => None,
        };
        let Some(format) = format else {
            return self.adapted.drop_named(field, field.name(), "left out");
        };
        array.object(|object| {
            object.object(kind, |object| {
                object.put("format", format);
                object.object("source", |object| write_source(object, source));
            });
        });
        Ok(())
    }

    fn write_document(&mut self, array: &mut Array<'_>, document: &Document) -> Result<()> {
        if !self.traits.documents && !self.adapted.adapt(Field::Document, "left out")?.passes() {
            return Ok(());
        }
        let format = match &document.source {
            Source::Base64 { mime, .. } => format(&DOCUMENTS, mime),
            Source::Text(_) => Some("txt"),
            Source::Url(url) if self.traits.media_urls => stored(url, &DOCUMENTS),
            _ => None,
        };
        let Some(format) = format else {
            return self.adapted.drop_named(Field::Document, Field::Document.name(), "left out");
        };
        let name = self.document_name(document.name.as_deref());
        array.object(|object| {
            object.object("document", |object| {
                object.put("format", format);
                object.put("name", &name);
                object.object("source", |object| write_source(object, &document.source));
                object.put_some("context", document.context.as_ref());
                if document.cite {
                    object.object("citations", |citations| citations.put("enabled", &true));
                }
            });
        });
        Ok(())
    }

    /// A name in the vendor's alphabet that no other document of the request has. It is a label
    /// that nothing refers to, so writing it differently changes nothing that was asked for.
    fn document_name(&mut self, name: Option<&str>) -> String {
        let name = document_name(name.unwrap_or("document")).into_owned();
        let mut unique = name.clone();
        let mut number = 2;
        while !self.documents.insert(unique.clone()) {
            let kept: String = name.chars().take(180).collect();
            unique = format!("{} ({number})", kept.trim_end());
            number += 1;
        }
        unique
    }

    /// Only thoughts that Claude signed itself; all others are refused.
    fn write_thoughts(&mut self, array: &mut Array<'_>, part: &Part) -> Result<()> {
        let readable = match part {
            Part::RedactedThinking { data, origin: Origin::Anthropic } => STANDARD.decode(data).is_ok(),
            _ => true,
        };
        if self.family != Family::Claude || !is_signed(part) || !readable {
            let name = Field::ReasoningHistory.name();
            return self.adapted.drop_named(Field::ReasoningHistory, name, "left out");
        }
        array.object(|object| {
            object.object("reasoningContent", |object| match part {
                Part::RedactedThinking { data, .. } => object.put("redactedContent", data),
                Part::Thinking(thinking) => object.object("reasoningText", |object| {
                    object.put("text", &thinking.text);
                    object
                        .put_some("signature", thinking.signature.as_ref().map(|signature| &signature.text));
                }),
                _ => {}
            });
        });
        Ok(())
    }

    fn write_result(&mut self, array: &mut Array<'_>, result: &ToolResult) -> Result<()> {
        array.object(|object| {
            object.object("toolResult", |object| {
                object.put("toolUseId", call_id(&result.call_id).as_ref());
                object.array("content", |content| {
                    for part in &result.parts {
                        self.write_result_part(content, part)?;
                    }
                    if content.is_empty() {
                        write_text(content, PLACEHOLDER);
                    }
                    Ok(())
                })?;
                // Others learn it from the text.
                if result.is_error && self.family.takes_choice() {
                    object.put("status", "error");
                }
                Ok(())
            })
        })
    }

    fn write_result_part(&mut self, content: &mut Array<'_>, part: &Part) -> Result<()> {
        match part {
            Part::Text(text) => write_text(content, &text.text),
            Part::Image(image) => self.write_image(content, image)?,
            Part::Document(document) => self.write_document(content, document)?,
            Part::Other(other) if other.dialect == Dialect::Bedrock => content.put(&other.json),
            _ => self.adapted.drop_named(Field::OtherPart, Field::OtherPart.name(), "left out")?,
        }
        Ok(())
    }
}

/// Where a cache may end behind a part; within a result there is no place for a mark.
fn cache(part: &Part) -> Option<CacheHint> {
    match part {
        Part::ToolResult(result) => result.cache.or_else(|| result.parts.iter().rev().find_map(Part::cache)),
        _ => part.cache(),
    }
}

fn is_text(part: &Part) -> bool {
    match part {
        Part::Text(text) => !text.text.trim().is_empty(),
        Part::Refusal(text) => !text.trim().is_empty(),
        _ => false,
    }
}

/// A text, unless it is blank, which is refused.
pub(super) fn write_text(array: &mut Array<'_>, text: &str) {
    if !text.trim().is_empty() {
        array.object(|object| object.put("text", text));
    }
}

/// The format of a file in Amazon's store, by its extension.
fn stored<'a>(url: &str, formats: &[(&str, &'a str)]) -> Option<&'a str> {
    let (_, extension) = url.strip_prefix("s3://")?.rsplit_once('.')?;
    let extension = if extension.eq_ignore_ascii_case("jpg") { "jpeg" } else { extension };
    formats.iter().map(|(_, format)| *format).find(|format| format.eq_ignore_ascii_case(extension))
}

fn write_source(object: &mut Object<'_>, source: &Source) {
    match source {
        Source::Base64 { data, .. } => object.put("bytes", data),
        Source::Text(text) => object.put("bytes", &STANDARD.encode(text)),
        Source::Url(url) | Source::FileId(url) => {
            object.object("s3Location", |location| location.put("uri", url));
        }
    }
}
