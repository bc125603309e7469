//! A vendor's messages, written from canonical ones.

use super::reasoning;
use super::request_out::write_cache;
use crate::chat::{
    Adapted, Array, Audio, Dialect, Document, Field, Image, Joined, Message, MidSystem, ModelTraits, Object,
    Origin, Part, ReasoningHistory, Request, Role, Source, Text, ThinkingStyle, ToolCall, ToolResult,
    system_texts,
};
use crate::error::Result;

struct Writer<'a> {
    traits: &'a ModelTraits,
    adapted: &'a mut Adapted,
}

/// Writes `messages`: the system texts, an instruction of the hub's, the conversation.
pub(super) fn write(
    object: &mut Object<'_>,
    request: &Request,
    instruction: Option<&str>,
    traits: &ModelTraits,
    adapted: &mut Adapted,
) -> Result<()> {
    let amid = request.messages.iter().any(|message| message.role == Role::System);
    let hoist =
        amid && !traits.mid_system && !adapted.adapt(Field::MidSystem, "moved to the front")?.passes();
    let mid_system = if hoist { MidSystem::Hoist } else { MidSystem::Keep };
    let mut writer = Writer { traits, adapted };
    object.array("messages", |array| {
        writer.write_system(array, &system_texts(request, mid_system), instruction);
        let mut pictures = Vec::new();
        for message in &request.messages {
            if message.role != Role::Tool {
                writer.write_pictures(array, std::mem::take(&mut pictures))?;
            }
            match message.role {
                Role::System if hoist => {}
                Role::Tool => writer.write_results(array, message, &mut pictures)?,
                _ => writer.write_message(array, message)?,
            }
        }
        writer.write_pictures(array, pictures)
    })
}

impl Writer<'_> {
    /// One message, because templates of some models take one only. It is a
    /// plain string where no hint needs it to be parts.
    fn write_system(&mut self, array: &mut Array<'_>, texts: &[&Text], instruction: Option<&str>) {
        if texts.is_empty() && instruction.is_none() {
            return;
        }
        let hints = self.traits.cache_hints && texts.iter().any(|text| text.cache.is_some());
        array.object(|object| {
            object.put("role", "system");
            if !hints {
                let texts = texts.iter().map(|text| text.text.as_str()).chain(instruction);
                object.put("content", &texts.collect::<Vec<_>>().join("\n\n"));
                return;
            }
            object.array("content", |parts| {
                texts.iter().for_each(|text| self.write_text(parts, text));
                if let Some(text) = instruction {
                    self.write_text(parts, &Text { text: text.to_owned(), ..Text::default() });
                }
            });
        });
    }

    fn write_text(&self, parts: &mut Array<'_>, text: &Text) {
        parts.object(|object| {
            object.put("type", "text");
            object.put("text", &text.text);
            write_cache(object, text.cache.filter(|_| self.traits.cache_hints));
        });
    }

    fn write_message(&mut self, array: &mut Array<'_>, message: &Message) -> Result<()> {
        let role = match message.role {
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
            Role::System => "system",
        };
        array.object(|object| {
            object.put("role", role);
            object.put_some("name", message.name.as_ref());
            self.write_content(object, message)?;
            if message.role == Role::Assistant {
                self.write_thoughts(object, &message.parts);
                self.write_calls(object, &message.parts);
            }
            Ok(())
        })
    }

    fn write_content(&mut self, object: &mut Object<'_>, message: &Message) -> Result<()> {
        let parts: Vec<&Part> = message.parts.iter().filter(|part| is_content(part)).collect();
        match parts.as_slice() {
            [] if message.role == Role::Assistant => object.put("content", &()),
            [] => object.put("content", ""),
            [Part::Text(text)] if text.cache.is_none() || !self.traits.cache_hints => {
                object.put("content", &text.text);
            }
            parts => object
                .array("content", |array| parts.iter().try_for_each(|part| self.write_part(array, part)))?,
        }
        Ok(())
    }

    fn write_part(&mut self, array: &mut Array<'_>, part: &Part) -> Result<()> {
        match part {
            Part::Text(text) => self.write_text(array, text),
            Part::Image(image) => self.write_image(array, image)?,
            Part::Document(document) => self.write_document(array, document)?,
            Part::Audio(audio) => self.write_audio(array, audio)?,
            Part::Refusal(text) => array.object(|object| {
                object.put("type", "refusal");
                object.put("refusal", text);
            }),
            Part::Other(other) if other.dialect == Dialect::OpenAiChat => array.put(&other.json),
            Part::Other(other) => {
                self.adapted.drop_named(Field::OtherPart, other.kind.clone(), "left out")?;
            }
            Part::ToolCall(_) | Part::ToolResult(_) | Part::Thinking(_) | Part::RedactedThinking { .. } => {}
        }
        Ok(())
    }

    fn write_image(&mut self, array: &mut Array<'_>, image: &Image) -> Result<()> {
        let takes = self.traits.images
            && match image.source {
                Source::Url(_) => self.traits.media_urls,
                Source::Base64 { .. } => true,
                Source::Text(_) | Source::FileId(_) => {
                    return self.adapted.drop_named(Field::Image, Field::Image.name(), "left out");
                }
            };
        if !takes && !self.adapted.adapt(Field::Image, "left out")?.passes() {
            return Ok(());
        }
        array.object(|object| {
            write_image_url(object, image);
            write_cache(object, image.cache.filter(|_| self.traits.cache_hints));
        });
        Ok(())
    }

    fn write_document(&mut self, array: &mut Array<'_>, document: &Document) -> Result<()> {
        if let Source::Text(text) = &document.source {
            // There is no such file in this dialect; its words are what matters.
            let named = document.name.as_ref().map(|name| format!("{name}:\n{text}"));
            let text = named.unwrap_or_else(|| text.clone());
            self.write_text(array, &Text { text, citations: Vec::new(), cache: document.cache });
            return Ok(());
        }
        if matches!(document.source, Source::Url(_)) {
            return self.adapted.drop_named(Field::Document, Field::Document.name(), "left out");
        }
        if !self.traits.documents && !self.adapted.adapt(Field::Document, "left out")?.passes() {
            return Ok(());
        }
        array.object(|object| {
            object.put("type", "file");
            object.object("file", |file| {
                let name = document.name.as_deref();
                match &document.source {
                    Source::Base64 { mime, data } => {
                        file.put("filename", name.unwrap_or("document.pdf"));
                        file.put("file_data", &Joined(&["data:", mime, ";base64,", data]));
                    }
                    Source::FileId(id) => file.put("file_id", id),
                    Source::Text(_) | Source::Url(_) => {}
                }
            });
            write_cache(object, document.cache.filter(|_| self.traits.cache_hints));
        });
        Ok(())
    }

    fn write_audio(&mut self, array: &mut Array<'_>, audio: &Audio) -> Result<()> {
        let Source::Base64 { mime, data } = &audio.source else {
            return self.adapted.drop_named(Field::Audio, Field::Audio.name(), "left out");
        };
        if !self.traits.audio && !self.adapted.adapt(Field::Audio, "left out")?.passes() {
            return Ok(());
        }
        let format = match mime.strip_prefix("audio/").unwrap_or(mime) {
            "mpeg" => "mp3",
            "x-wav" | "wave" => "wav",
            other => other,
        };
        array.object(|object| {
            object.put("type", "input_audio");
            object.object("input_audio", |audio| {
                audio.put("data", data);
                audio.put("format", format);
            });
        });
        Ok(())
    }

    /// Most vendors refuse or ignore thoughts of earlier answers, so leaving
    /// them out is no news.
    fn write_thoughts(&mut self, object: &mut Object<'_>, parts: &[Part]) {
        let text = reasoning::text_of(parts);
        let details = self.traits.thinking == ThinkingStyle::Object && parts.iter().any(reasoning::is_signed);
        match self.traits.reasoning_history {
            ReasoningHistory::Dropped => {}
            ReasoningHistory::Kept if details => {
                object.array("reasoning_details", |array| reasoning::write_details(array, parts));
            }
            ReasoningHistory::Kept if text.is_empty() => {}
            ReasoningHistory::Kept if self.traits.thinking == ThinkingStyle::Object => {
                object.put("reasoning", &text);
            }
            ReasoningHistory::Kept | ReasoningHistory::Required => object.put("reasoning_content", &text),
        }
    }

    fn write_calls(&mut self, object: &mut Object<'_>, parts: &[Part]) {
        let calls: Vec<&ToolCall> = parts
            .iter()
            .filter_map(|part| match part {
                Part::ToolCall(call) => Some(call),
                _ => None,
            })
            .collect();
        if calls.is_empty() {
            return;
        }
        let signed = self.traits.reasoning_history != ReasoningHistory::Dropped;
        object.array("tool_calls", |array| {
            for call in calls {
                array.object(|object| {
                    write_call(object, &call.id, call);
                    let signature = call.signature.as_ref().filter(|_| signed);
                    if let Some(text) = signature.and_then(|signature| signature.of(Origin::Gemini)) {
                        object.object("extra_content", |extra| {
                            extra.object("google", |google| google.put("thought_signature", text));
                        });
                    }
                });
            }
        });
    }

    /// One message for each result. Pictures are kept for a message of the user
    /// behind them all, because results take texts only and must stand together.
    fn write_results<'p>(
        &mut self,
        array: &mut Array<'_>,
        message: &'p Message,
        pictures: &mut Vec<(&'p str, &'p Part)>,
    ) -> Result<()> {
        for part in &message.parts {
            let Part::ToolResult(result) = part else { continue };
            array.object(|object| {
                object.put("role", "tool");
                object.put("tool_call_id", &result.call_id);
                self.write_result(object, result);
            });
            let rest = result.parts.iter().filter(|part| !matches!(part, Part::Text(_)));
            pictures.extend(rest.map(|part| (result.call_id.as_str(), part)));
        }
        Ok(())
    }

    fn write_result(&self, object: &mut Object<'_>, result: &ToolResult) {
        let texts: Vec<&Text> = result
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Text(text) => Some(text),
                _ => None,
            })
            .collect();
        let hint = result.cache.filter(|_| self.traits.cache_hints);
        match texts.as_slice() {
            [] => object.put("content", if result.is_error { "error" } else { "" }),
            [text] if hint.is_none() => object.put("content", &text.text),
            texts => object.array("content", |array| {
                for (number, text) in texts.iter().enumerate() {
                    let last = number + 1 == texts.len();
                    let cache = text.cache.or(hint.filter(|_| last));
                    array.object(|object| {
                        object.put("type", "text");
                        object.put("text", &text.text);
                        write_cache(object, cache.filter(|_| self.traits.cache_hints));
                    });
                }
            }),
        }
    }

    fn write_pictures(&mut self, array: &mut Array<'_>, pictures: Vec<(&str, &Part)>) -> Result<()> {
        if pictures.is_empty() {
            return Ok(());
        }
        array.object(|object| {
            object.put("role", "user");
            object.array("content", |parts| {
                for (call_id, part) in pictures {
                    let text = format!("Part of the result of the tool call {call_id}:");
                    self.write_text(parts, &Text { text, ..Text::default() });
                    self.write_part(parts, part)?;
                }
                Ok(())
            })
        })
    }
}

/// Appends the members of a call; in answers the id carries the signature.
pub(super) fn write_call(object: &mut Object<'_>, id: &str, call: &ToolCall) {
    object.put("id", id);
    object.put("type", "function");
    object.object("function", |function| {
        function.put("name", &call.name);
        let empty = call.arguments.trim().is_empty();
        function.put("arguments", if empty { "{}" } else { &call.arguments });
    });
}

/// Appends the members of a picture, in requests and in answers.
pub(super) fn write_image_url(object: &mut Object<'_>, image: &Image) {
    object.put("type", "image_url");
    object.object("image_url", |url| {
        match &image.source {
            Source::Url(address) => url.put("url", address),
            Source::Base64 { mime, data } => url.put("url", &Joined(&["data:", mime, ";base64,", data])),
            Source::Text(_) | Source::FileId(_) => {}
        }
        url.put_some("detail", image.detail.as_ref());
    });
}

fn is_content(part: &Part) -> bool {
    !matches!(
        part,
        Part::ToolCall(_) | Part::ToolResult(_) | Part::Thinking(_) | Part::RedactedThinking { .. }
    )
}
