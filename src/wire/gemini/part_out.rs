//! The conversation, written from the canonical one: turns that alternate, and their parts.

use super::media_out;
use super::result_out;
use super::thinking::wants_signatures;
use crate::chat::{
    Adapted, Array, Dialect, Field, ModelTraits, Object, Origin, Part, ReasoningHistory, Request, Source,
    Speaker, Text, ThinkingStyle, ToolCall, ToolNames, ToolResult, Turn, turns,
};
use crate::chat::{MidSystem, Signature};
use crate::error::Result;

/// What the vendor takes in place of the signature of a call that its model did
/// not make: it says so in its guide for conversations begun elsewhere.
const NOT_OURS: &str = "skip_thought_signature_validator";
/// For a turn of which nothing is left: the vendor refuses one without parts.
const NOTHING: &str = ".";

pub(super) struct Parts<'a> {
    request: &'a Request,
    traits: &'a ModelTraits,
    pub adapted: &'a mut Adapted,
    /// Of each call, by its id.
    names: ToolNames<'a>,
}

impl<'a> Parts<'a> {
    pub(super) fn new(request: &'a Request, traits: &'a ModelTraits, adapted: &'a mut Adapted) -> Self {
        Self { request, traits, adapted, names: ToolNames::new(&request.messages) }
    }

    /// Appends `systemInstruction` and `contents`. Without a turn there is nothing to
    /// answer: the system texts are then said as the user.
    pub(super) fn write(&mut self, object: &mut Object<'_>, system: &[&Text]) -> Result<()> {
        let request = self.request;
        let turns = turns(&request.messages, MidSystem::Hoist);
        if !turns.is_empty() && !system.is_empty() {
            object.object("systemInstruction", |content| {
                content.array("parts", |parts| system.iter().for_each(|text| write_text(parts, &text.text)));
            });
        }
        object.array("contents", |contents| {
            if turns.is_empty() {
                write_user(contents, system.iter().map(|text| text.text.as_str()));
            } else if turns.first().is_some_and(|turn| turn.speaker == Speaker::Assistant) {
                // A call has to follow something that was said.
                write_user(contents, [NOTHING].into_iter());
            }
            turns.iter().try_for_each(|turn| self.write_turn(contents, turn))
        })
    }

    fn write_turn(&mut self, contents: &mut Array<'_>, turn: &Turn<'a>) -> Result<()> {
        let model = turn.speaker == Speaker::Assistant;
        contents.object(|content| {
            content.put("role", if model { "model" } else { "user" });
            content.array("parts", |parts| {
                if model {
                    self.write_said(parts, turn)?
                } else {
                    self.write_asked(parts, turn)?
                }
                if parts.is_empty() {
                    write_text(parts, NOTHING);
                }
                Ok(())
            })
        })
    }

    /// A turn of the user: results, then what came with them, then the rest.
    fn write_asked(&mut self, parts: &mut Array<'_>, turn: &Turn<'_>) -> Result<()> {
        let mut beside = Vec::new();
        for part in &turn.parts {
            if let Part::ToolResult(result) = part {
                self.write_result(parts, result, &mut beside)?;
            }
        }
        beside.into_iter().for_each(|source| media_out::write_part(parts, source, None));
        let rest = turn.parts.iter().filter(|part| !matches!(part, Part::ToolResult(_)));
        rest.into_iter().try_for_each(|part| self.write_part(parts, part, None))
    }

    /// A turn of the model. A signature without thoughts belongs to the part before it.
    fn write_said(&mut self, parts: &mut Array<'_>, turn: &Turn<'a>) -> Result<()> {
        let mut signed_calls = !wants_signatures(self.traits);
        let mut rest = turn.parts.iter().copied().peekable();
        while let Some(part) = rest.next() {
            self.names.say(part);
            match part {
                Part::ToolCall(call) => {
                    // Of calls at once only the first is signed.
                    self.write_call(parts, call, !signed_calls)?;
                    signed_calls = true;
                }
                Part::Text(_) | Part::Image(_) | Part::Audio(_) => {
                    let signature = rest.peek().and_then(|next| self.bare_signature(next));
                    self.write_part(parts, part, signature)?;
                    if signature.is_some() {
                        rest.next();
                    }
                }
                _ => self.write_part(parts, part, None)?,
            }
        }
        Ok(())
    }

    fn bare_signature<'p>(&self, part: &'p Part) -> Option<&'p str> {
        match part {
            Part::Thinking(thinking) if thinking.text.is_empty() && self.keeps_thoughts() => {
                own(thinking.signature.as_ref())
            }
            _ => None,
        }
    }

    fn keeps_thoughts(&self) -> bool {
        self.traits.reasoning_history != ReasoningHistory::Dropped
            && self.traits.thinking != ThinkingStyle::None
    }

    fn write_part(&mut self, parts: &mut Array<'_>, part: &Part, signature: Option<&str>) -> Result<()> {
        match part {
            Part::Text(text) => parts.object(|object| {
                object.put("text", &text.text);
                object.put_some("thoughtSignature", signature);
            }),
            Part::Refusal(text) => write_text(parts, text),
            Part::Image(_) | Part::Document(_) | Part::Audio(_) => {
                self.write_media(parts, part, signature)?;
            }
            Part::ToolCall(call) => self.write_call(parts, call, false)?,
            Part::ToolResult(result) => {
                let mut beside = Vec::new();
                self.write_result(parts, result, &mut beside)?;
                beside.into_iter().for_each(|source| media_out::write_part(parts, source, None));
            }
            Part::Thinking(_) | Part::RedactedThinking { .. } => self.write_thoughts(parts, part)?,
            Part::Other(other) if other.dialect == Dialect::Gemini => parts.put(&other.json),
            Part::Other(other) => {
                self.adapted.drop_named(Field::OtherPart, other.kind.clone(), "left out")?;
            }
        }
        Ok(())
    }

    fn write_media(&mut self, parts: &mut Array<'_>, part: &Part, signature: Option<&str>) -> Result<()> {
        if !self.takes(part)? {
            return Ok(());
        }
        if let Part::Document(document) = part
            && let Some(context) = document.context.as_ref().filter(|context| !context.is_empty())
        {
            write_text(parts, context);
        }
        if let Some(source) = result_out::source_of(part) {
            media_out::write_part(parts, source, signature);
        }
        Ok(())
    }

    /// Can the model read it from where it is?
    fn takes(&mut self, part: &Part) -> Result<bool> {
        let (kind, field) = match part {
            Part::Image(_) => (self.traits.images, Field::Image),
            Part::Document(_) => (self.traits.documents, Field::Document),
            _ => (self.traits.audio, Field::Audio),
        };
        let place = match result_out::source_of(part) {
            Some(Source::Url(address)) => self.traits.media_urls || media_out::is_own(address),
            Some(Source::FileId(id)) => {
                self.request.dialect == Some(Dialect::Gemini) || media_out::is_own(id)
            }
            Some(Source::Base64 { .. }) => true,
            Some(Source::Text(_)) => return Ok(true),
            None => false,
        };
        Ok((kind && place) || self.adapted.adapt(field, "left out")?.passes())
    }

    /// Only thoughts that the vendor signed itself; others mean nothing to it.
    fn write_thoughts(&mut self, parts: &mut Array<'_>, part: &Part) -> Result<()> {
        let name = Field::ReasoningHistory.name();
        let (text, signature) = match part {
            Part::Thinking(thinking) => (thinking.text.as_str(), thinking.signature.as_ref()),
            _ => return self.adapted.drop_named(Field::ReasoningHistory, name, "another vendor's left out"),
        };
        let Some(signature_text) = own(signature).filter(|_| self.keeps_thoughts()) else {
            let what = match signature {
                None => "unsigned left out",
                Some(signature) if signature.origin == Origin::Gemini => "left out",
                Some(_) => "another vendor's left out",
            };
            return self.adapted.drop_named(Field::ReasoningHistory, name, what);
        };
        parts.object(|object| {
            object.put("text", text);
            if !text.is_empty() {
                object.put("thought", &true);
            }
            object.put("thoughtSignature", signature_text);
        });
        Ok(())
    }

    /// `must_sign`: the vendor refuses the call without a signature.
    fn write_call(&mut self, parts: &mut Array<'_>, call: &ToolCall, must_sign: bool) -> Result<()> {
        let name = Field::ReasoningHistory.name();
        let mut signature = own(call.signature.as_ref());
        if call.signature.is_some() && signature.is_none() {
            let what = "another vendor's signature left out";
            self.adapted.drop_named(Field::ReasoningHistory, name, what)?;
        }
        if must_sign && signature.is_none() {
            let what = "call without a signature marked as another model's";
            self.adapted.drop_named(Field::ReasoningHistory, name, what)?;
            signature = Some(NOT_OURS);
        }
        parts.object(|part| {
            part.object("functionCall", |object| {
                if !call.id.is_empty() {
                    object.put("id", &call.id);
                }
                object.put("name", &call.name);
                object.put("args", &call.input());
            });
            part.put_some("thoughtSignature", signature);
        });
        Ok(())
    }

    /// `beside`: what an older model cannot read within a result, and what is no file.
    fn write_result<'p>(
        &mut self,
        parts: &mut Array<'_>,
        result: &'p ToolResult,
        beside: &mut Vec<&'p Source>,
    ) -> Result<()> {
        let mut within = Vec::new();
        for part in &result.parts {
            let Some(source) = result_out::source_of(part) else { continue };
            if !self.takes(part)? {
                continue;
            }
            let place = if wants_signatures(self.traits) && !matches!(source, Source::Text(_)) {
                &mut within
            } else {
                &mut *beside
            };
            place.push(source);
        }
        let name = self.names.of(result);
        if name.is_none() {
            let what = "result of an unknown call named by its id";
            self.adapted.drop_named(Field::Name, Field::Name.name(), what)?;
        }
        result_out::write(parts, result, name.unwrap_or(&result.call_id), &within);
        Ok(())
    }
}

/// The text of a signature that is the vendor's own.
fn own(signature: Option<&Signature>) -> Option<&str> {
    signature.and_then(|signature| signature.of(Origin::Gemini)).filter(|text| !text.is_empty())
}

fn write_text(parts: &mut Array<'_>, text: &str) {
    parts.object(|part| part.put("text", text));
}

fn write_user<'t>(contents: &mut Array<'_>, texts: impl Iterator<Item = &'t str>) {
    contents.object(|content| {
        content.put("role", "user");
        content.array("parts", |parts| texts.for_each(|text| write_text(parts, text)));
    });
}
