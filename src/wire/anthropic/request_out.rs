//! The vendor's body, written from the canonical request.

use super::block_out::{
    vendor_id, write_cache, write_document, write_image, write_redacted, write_text, write_thinking,
    write_tool_use,
};
use super::thinking::{self, Plan, is_signed};
use crate::chat::{
    Adapted, Array, CacheHint, Dialect, Field, Image, MidSystem, ModelTraits, Object, Origin, Output, Part,
    Request, Role, Source, Speaker, Text, ToolChoice, ToolResult, Turn, system_texts, turns, write_object,
};
use crate::error::Result;
use serde::Serialize;
use std::collections::BTreeSet;

/// What the vendor is asked: to answer, or to count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Answer,
    Count,
}

/// Writes the vendor's body.
///
/// # Errors
/// [`crate::error::Kind::InvalidRequest`] for a field that the model does not
/// take and the policy does not let go.
pub fn request_out(request: &Request, traits: &ModelTraits, adapted: &mut Adapted) -> Result<Vec<u8>> {
    write(request, traits, adapted, Ask::Answer)
}

pub(super) fn write(
    request: &Request,
    traits: &ModelTraits,
    adapted: &mut Adapted,
    ask: Ask,
) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(1024);
    adapted.drop_if(request.has_cache_hints() && !traits.cache_hints, Field::CacheHint)?;
    let plan = thinking::plan(request, traits, adapted)?;
    let mut writer = Writer { request, traits, adapted };
    write_object(&mut out, |object| {
        object.put("model", &request.model);
        if ask == Ask::Answer {
            object.put("max_tokens", &plan.max_tokens);
        }
        writer.write_conversation(object)?;
        writer.write_tools(object)?;
        writer.write_thinking(object, &plan);
        if ask == Ask::Count {
            return Ok(());
        }
        writer.write_sampling(object, &plan)?;
        writer.write_caller(object)?;
        if request.stream {
            object.put("stream", &true);
        }
        writer.write_extra(object)
    })?;
    Ok(out)
}

struct Writer<'a> {
    request: &'a Request,
    traits: &'a ModelTraits,
    adapted: &'a mut Adapted,
}

impl<'a> Writer<'a> {
    fn is_own(&self) -> bool {
        self.request.dialect == Some(Dialect::Anthropic)
    }

    /// The hint, if the model takes one.
    fn hint(&self, hint: Option<CacheHint>) -> Option<CacheHint> {
        hint.filter(|_| self.traits.cache_hints)
    }

    fn write_conversation(&mut self, object: &mut Object<'_>) -> Result<()> {
        let amid = self.request.messages.iter().any(|message| message.role == Role::System);
        let hoist = amid
            && !self.traits.mid_system
            && !self.adapted.adapt(Field::MidSystem, "moved to the front")?.passes();
        let mid_system = if hoist { MidSystem::Hoist } else { MidSystem::Keep };
        let instruction = self.instruction()?;
        let mut texts: Vec<&Text> = system_texts(self.request, mid_system);
        let instruction = instruction.map(|text| Text { text, ..Text::default() });
        texts.extend(&instruction);
        texts.retain(|text| !text.text.trim().is_empty());
        let turns = turns(&self.request.messages, mid_system);
        let empty = !turns.iter().any(|turn| turn.speaker != Speaker::System);
        if !empty {
            self.write_system(object, &texts);
            texts.clear();
        }
        // Without a turn there is nothing to answer: what there is, is said as the user.
        object.array("messages", |array| {
            if empty {
                write_texts(array, &texts);
            } else if turns.first().is_some_and(|turn| turn.speaker == Speaker::Assistant) {
                // The user has to begin, and a text may not be blank.
                write_texts(array, &[&Text { text: ".".to_owned(), ..Text::default() }]);
            }
            for (number, turn) in turns.iter().enumerate() {
                self.write_turn(array, turn, number + 1 == turns.len())?;
            }
            Ok(())
        })
    }

    /// The words that ask for a shape the vendor does not enforce.
    fn instruction(&mut self) -> Result<Option<String>> {
        let output = &self.request.output;
        let enforced = match output {
            Output::Text => true,
            Output::JsonObject => false,
            Output::JsonSchema { .. } => self.traits.json_schema,
        };
        if !enforced {
            self.adapted.drop_named(Field::Output, Field::Output.name(), "asked for by an instruction")?;
        }
        Ok(output.instruction().filter(|_| !enforced))
    }

    fn write_system(&self, object: &mut Object<'_>, texts: &[&Text]) {
        match texts {
            [] => {}
            [text] if self.hint(text.cache).is_none() => object.put("system", &text.text),
            texts => object.array("system", |array| {
                texts.iter().for_each(|text| write_text(array, text, self.hint(text.cache)));
            }),
        }
    }

    fn write_turn(&mut self, array: &mut Array<'_>, turn: &Turn<'_>, last: bool) -> Result<()> {
        let role = match turn.speaker {
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
            Speaker::System => "system",
        };
        let prefill = last && turn.speaker == Speaker::Assistant;
        array.object(|object| {
            object.put("role", role);
            if let [Part::Text(text)] = turn.parts.as_slice()
                && self.hint(text.cache).is_none()
                && text.citations.is_empty()
                && !prefill
                && !text.text.trim().is_empty()
            {
                object.put("content", &text.text);
                return Ok(());
            }
            object.array("content", |blocks| {
                for (number, part) in turn.parts.iter().enumerate() {
                    self.write_part(blocks, part, prefill && number + 1 == turn.parts.len())?;
                }
                if blocks.is_empty() {
                    // Everything was left out; a turn without content is refused.
                    write_text(blocks, &Text { text: ".".to_owned(), ..Text::default() }, None);
                }
                Ok(())
            })
        })
    }

    /// `ends`: the text the answer goes on with, which may not end with a blank.
    fn write_part(&mut self, array: &mut Array<'_>, part: &Part, ends: bool) -> Result<()> {
        let cache = self.hint(part.cache());
        match part {
            Part::Text(text) if text.text.trim().is_empty() => {}
            Part::Text(text) if ends => {
                let text = Text { text: text.text.trim_end().to_owned(), ..text.clone() };
                write_text(array, &text, cache);
            }
            Part::Text(text) => write_text(array, text, cache),
            Part::Refusal(text) => write_text(array, &Text { text: text.clone(), ..Text::default() }, None),
            Part::Image(image) => self.write_image(array, image, cache)?,
            Part::Document(document) => {
                if self.traits.documents || self.adapted.adapt(Field::Document, "left out")?.passes() {
                    write_document(array, document, cache);
                }
            }
            Part::Audio(_) => self.adapted.drop_named(Field::Audio, Field::Audio.name(), "left out")?,
            Part::ToolCall(call) => write_tool_use(array, &vendor_id(&call.id), call, cache),
            Part::ToolResult(result) => self.write_result(array, result, cache)?,
            Part::Thinking(_) | Part::RedactedThinking { .. } => self.write_thoughts(array, part)?,
            Part::Other(other) if other.dialect == Dialect::Anthropic => array.put(&other.json),
            Part::Other(other) => {
                self.adapted.drop_named(Field::OtherPart, other.kind.clone(), "left out")?
            }
        }
        Ok(())
    }

    /// Only thoughts that the vendor signed itself; it refuses all others.
    fn write_thoughts(&mut self, array: &mut Array<'_>, part: &Part) -> Result<()> {
        if !is_signed(part) {
            let signed = matches!(part, Part::RedactedThinking { .. })
                || matches!(part, Part::Thinking(thinking) if thinking.signature.is_some());
            let what = if signed { "another vendor's left out" } else { "unsigned left out" };
            return self.adapted.drop_named(Field::ReasoningHistory, Field::ReasoningHistory.name(), what);
        }
        match part {
            Part::Thinking(thinking) => {
                let signature = thinking.signature.as_ref().map(|signature| signature.text.as_str());
                write_thinking(array, &thinking.text, signature.unwrap_or_default());
            }
            Part::RedactedThinking { data, .. } => {
                array.object(|object| write_redacted(object, data, Origin::Anthropic));
            }
            _ => {}
        }
        Ok(())
    }

    fn write_image(&mut self, array: &mut Array<'_>, image: &Image, cache: Option<CacheHint>) -> Result<()> {
        let takes = match image.source {
            Source::Url(_) => self.traits.images && self.traits.media_urls,
            Source::Base64 { .. } => self.traits.images,
            Source::FileId(_) => self.traits.images && self.is_own(),
            Source::Text(_) => false,
        };
        if takes || self.adapted.adapt(Field::Image, "left out")?.passes() {
            write_image(array, image, cache);
        }
        Ok(())
    }

    fn write_result(
        &mut self,
        array: &mut Array<'_>,
        result: &ToolResult,
        cache: Option<CacheHint>,
    ) -> Result<()> {
        array.object(|object| {
            object.put("type", "tool_result");
            object.put("tool_use_id", vendor_id(&result.call_id).as_ref());
            match result.parts.as_slice() {
                [] => {}
                [Part::Text(text)]
                    if text.citations.is_empty() && (cache.is_some() || text.cache.is_none()) =>
                {
                    object.put("content", &text.text);
                }
                parts => object.array("content", |blocks| {
                    parts.iter().try_for_each(|part| self.write_part(blocks, part, false))
                })?,
            }
            if result.is_error {
                object.put("is_error", &true);
            }
            write_cache(object, cache);
            Ok(())
        })
    }

    fn write_tools(&mut self, object: &mut Object<'_>) -> Result<()> {
        let mut hosted = Vec::new();
        for tool in &self.request.hosted_tools {
            if tool.dialect == Dialect::Anthropic {
                hosted.push(&tool.json);
            } else {
                self.adapted.drop_named(Field::HostedTool, tool.kind.clone(), "dropped")?;
            }
        }
        let tools = &self.request.tools;
        if tools.is_empty() && hosted.is_empty() {
            self.write_called_tools(object);
            return Ok(());
        }
        if !self.traits.tools && !self.adapted.adapt(Field::Tools, "dropped")?.passes() {
            return Ok(());
        }
        let strict = tools.iter().any(|tool| tool.strict.is_some());
        let strict = strict
            && (self.traits.strict_tools || self.adapted.adapt(Field::StrictTools, "dropped")?.passes());
        object.array("tools", |array| {
            for tool in tools {
                array.object(|object| {
                    object.put("name", &tool.name);
                    object.put_some("description", tool.description.as_ref());
                    object.put("input_schema", &tool.schema_or_empty());
                    object.put_some("strict", tool.strict.filter(|_| strict));
                    write_cache(object, self.hint(tool.cache));
                });
            }
            hosted.iter().for_each(|json| array.put(*json));
        });
        self.write_choice(object);
        Ok(())
    }

    /// The vendor wants to know the tools that a conversation has called, also
    /// when none may be called any more.
    fn write_called_tools(&self, object: &mut Object<'_>) {
        let parts = self.request.messages.iter().flat_map(|message| &message.parts);
        let names: BTreeSet<&str> = parts
            .filter_map(|part| match part {
                Part::ToolCall(call) => Some(call.name.as_str()),
                _ => None,
            })
            .collect();
        if names.is_empty() {
            return;
        }
        object.array("tools", |array| {
            for name in names {
                array.object(|object| {
                    object.put("name", name);
                    object.object("input_schema", |schema| schema.put("type", "object"));
                });
            }
        });
        object.object("tool_choice", |choice| choice.put("type", "none"));
    }

    fn write_choice(&self, object: &mut Object<'_>) {
        let parallel = self.request.parallel_tool_calls.filter(|_| self.traits.parallel_tool_calls);
        let (kind, name) = match &self.request.tool_choice {
            None if parallel.is_none() => return,
            None | Some(ToolChoice::Auto) => ("auto", None),
            Some(ToolChoice::Required) => ("any", None),
            Some(ToolChoice::None) => ("none", None),
            Some(ToolChoice::Named(name)) => ("tool", Some(name)),
        };
        object.object("tool_choice", |choice| {
            choice.put("type", kind);
            choice.put_some("name", name);
            choice.put_some("disable_parallel_tool_use", parallel.filter(|_| kind != "none").map(|p| !p));
        });
    }

    fn write_thinking(&self, object: &mut Object<'_>, plan: &Plan) {
        if let Some(thinking) = &plan.thinking {
            object.object("thinking", |object| thinking.write(object));
        }
        let schema = match &self.request.output {
            Output::JsonSchema { schema, .. } if self.traits.json_schema => Some(schema),
            _ => None,
        };
        if plan.effort.is_none() && schema.is_none() {
            return;
        }
        object.object("output_config", |config| {
            config.put_some("effort", plan.effort);
            if let Some(schema) = schema {
                config.object("format", |format| {
                    format.put("type", "json_schema");
                    format.put("schema", schema);
                });
            }
        });
    }

    fn put_if<T: Serialize>(
        &mut self,
        object: &mut Object<'_>,
        takes: bool,
        field: Field,
        value: Option<T>,
    ) -> Result<()> {
        if value.is_some() && (takes || self.adapted.adapt(field, "dropped")?.passes()) {
            object.put_some(field.name(), value);
        }
        Ok(())
    }

    fn write_sampling(&mut self, object: &mut Object<'_>, plan: &Plan) -> Result<()> {
        let (sampling, traits, thinks) = (&self.request.sampling, self.traits, plan.thinks());
        let mut temperature = sampling.temperature;
        if let (Some(wish), Some(most)) = (temperature, traits.max_temperature)
            && wish > most
            && !self.adapted.adapt(Field::Temperature, format!("clamped to {most}"))?.passes()
        {
            temperature = Some(most);
        }
        // Who thinks takes a temperature of 1 only, hardly any `top_p`, and no `top_k`.
        let takes = traits.max_temperature.is_some() && !(thinks && temperature != Some(1.0));
        self.put_if(object, takes, Field::Temperature, temperature)?;
        let with_temperature = traits.temperature_with_top_p || temperature.is_none() || !takes;
        let free = !thinks || sampling.top_p.is_some_and(|top_p| top_p >= 0.95);
        self.put_if(object, traits.top_p && with_temperature && free, Field::TopP, sampling.top_p)?;
        self.put_if(object, traits.top_k && !thinks, Field::TopK, sampling.top_k)?;
        self.write_stop(object)?;
        self.adapted.drop_drawing(sampling)
    }

    /// A stop text without anything but blanks is refused by the vendor.
    fn write_stop(&mut self, object: &mut Object<'_>) -> Result<()> {
        let stop = &self.request.sampling.stop;
        let kept: Vec<&String> = stop.iter().filter(|text| !text.trim().is_empty()).collect();
        if kept.len() < stop.len() {
            self.adapted.drop_named(Field::Stop, Field::Stop.name(), "blank texts dropped")?;
        }
        if !kept.is_empty() && (self.traits.stop || self.adapted.adapt(Field::Stop, "dropped")?.passes()) {
            object.put("stop_sequences", &kept);
        }
        Ok(())
    }

    fn write_caller(&mut self, object: &mut Object<'_>) -> Result<()> {
        let request = self.request;
        if let Some(user) = &request.user
            && (self.traits.user || self.adapted.adapt(Field::User, "dropped")?.passes())
        {
            object.object("metadata", |metadata| metadata.put("user_id", user));
        }
        if request.metadata.is_some() {
            self.adapted.drop_named(Field::User, "metadata", "dropped")?;
        }
        let tier = match request.service_tier.as_deref() {
            Some("auto") => Some("auto"),
            Some("default" | "standard_only") => Some("standard_only"),
            Some(_) => {
                self.adapted.drop_if(true, Field::ServiceTier)?;
                None
            }
            None => None,
        };
        object.put_some("service_tier", tier);
        if let Some(hint) = self.hint(request.cache) {
            write_cache(object, Some(hint));
        }
        Ok(())
    }

    fn write_extra(&mut self, object: &mut Object<'_>) -> Result<()> {
        for extra in &self.request.extra {
            let refused = self.traits.refused_fields.contains(&extra.name);
            if self.is_own() && !refused {
                object.put(&extra.name, &extra.json);
            } else {
                self.adapted.drop_named(Field::Extra, extra.name.clone(), "dropped")?;
            }
        }
        Ok(())
    }
}

/// A message of the user with these texts.
fn write_texts(array: &mut Array<'_>, texts: &[&Text]) {
    array.object(|object| {
        object.put("role", "user");
        object.array("content", |blocks| texts.iter().for_each(|text| write_text(blocks, text, None)));
    });
}
