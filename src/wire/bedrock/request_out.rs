//! The vendor's body, written from the canonical request. The model and the
//! wish for a stream are in the path ([`super::path()`]).

use super::block_out::{Blocks, write_text};
use super::output::{self, Form};
use super::thinking::{self, Plan};
use super::tools_out::{self, write_cache_point};
use super::traits::Family;
use crate::chat::{
    Adapted, Array, Field, Json, MidSystem, ModelTraits, Object, Output, Request, Role, Speaker, Text,
    system_texts, turns, write_object,
};
use crate::error::Result;
use std::collections::BTreeMap;

/// Fields of the vendor's own that callers of any dialect may set at the top, as its own clients do.
const OWN: [&str; 3] = ["guardrailConfig", "performanceConfig", "promptVariables"];
/// The model's own fields, which come together with those that the hub says.
const ADDITIONAL: &str = "additionalModelRequestFields";
/// How many of the caller's notes the vendor takes, and how long they may be.
const MAX_NOTES: usize = 16;
const MAX_NOTE_CHARS: usize = 256;
/// Tiers that the vendor knows.
const TIERS: [&str; 4] = ["default", "priority", "flex", "reserved"];

/// Writes the vendor's body.
///
/// # Errors
/// [`crate::error::Kind::InvalidRequest`] for a field that the model does not
/// take and the policy does not let go, and for a tool whose name it cannot write.
pub fn request_out(request: &Request, traits: &ModelTraits, adapted: &mut Adapted) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(1024);
    adapted.drop_if(request.has_cache_hints() && !traits.cache_hints, Field::CacheHint)?;
    let family = Family::of(&request.model.to_ascii_lowercase());
    let limit = limit(request, traits, adapted)?;
    let plan = thinking::plan(request, traits, family, limit, adapted)?;
    let form = output::form(request, traits, family, plan.thinks(), adapted)?;
    let mut writer = Writer { request, traits, family, plan, form, adapted };
    write_object(&mut out, |object| {
        writer.write_conversation(object)?;
        writer.write_inference(object, limit)?;
        tools_out::write(object, request, traits, form, writer.adapted)?;
        writer.write_additional(object)?;
        writer.write_output(object);
        writer.write_caller(object)?;
        writer.write_own(object)
    })?;
    Ok(out)
}

/// The most tokens of the answer; without a wish the vendor has a limit of its own.
fn limit(request: &Request, traits: &ModelTraits, adapted: &mut Adapted) -> Result<Option<u64>> {
    let most = traits.max_output_tokens.unwrap_or(u64::MAX);
    match request.sampling.max_output_tokens {
        Some(wish) if wish > most => {
            let passes = adapted.adapt(Field::MaxOutputTokens, format!("cut to {most}"))?.passes();
            Ok(Some(if passes { wish } else { most }))
        }
        wish => Ok(wish),
    }
}

struct Writer<'a> {
    request: &'a Request,
    traits: &'a ModelTraits,
    family: Family,
    plan: Plan,
    form: Form,
    adapted: &'a mut Adapted,
}

impl Writer<'_> {
    fn write_conversation(&mut self, object: &mut Object<'_>) -> Result<()> {
        if self.request.messages.iter().any(|message| message.role == Role::System) {
            self.adapted.drop_named(Field::MidSystem, Field::MidSystem.name(), "moved to the front")?;
        }
        let instruction = self.request.output.instruction().filter(|_| self.form == Form::Instruction);
        let instruction = instruction.map(|text| Text { text, ..Text::default() });
        let mut texts = system_texts(self.request, MidSystem::Hoist);
        texts.extend(&instruction);
        texts.retain(|text| !text.text.trim().is_empty());
        let turns = turns(&self.request.messages, MidSystem::Hoist);
        let mut blocks = Blocks::new(self.traits, self.family, self.adapted);
        // Without a turn there is nothing to answer: what there is, is said as the user.
        if turns.is_empty() {
            object.array("messages", |array| write_user(array, &texts));
            return Ok(());
        }
        if !texts.is_empty() {
            object.array("system", |array| {
                for text in &texts {
                    write_text(array, &text.text);
                    write_cache_point(array, blocks.hint(text.cache));
                }
            });
        }
        object.array("messages", |array| {
            if turns.first().is_some_and(|turn| turn.speaker == Speaker::Assistant) {
                // The user has to begin.
                write_user(array, &[&Text { text: ".".to_owned(), ..Text::default() }]);
            }
            for (number, turn) in turns.iter().enumerate() {
                let last = number + 1 == turns.len();
                let assistant = turn.speaker == Speaker::Assistant;
                let point = blocks.hint(self.request.cache).filter(|_| last && !assistant);
                array.object(|object| {
                    object.put("role", if assistant { "assistant" } else { "user" });
                    blocks.write(object, &turn.parts, last && assistant, point)
                })?;
            }
            Ok(())
        })
    }

    fn write_inference(&mut self, object: &mut Object<'_>, limit: Option<u64>) -> Result<()> {
        let (sampling, traits, thinks) = (&self.request.sampling, self.traits, self.plan.thinks());
        let mut temperature = sampling.temperature;
        if let (Some(wish), Some(most)) = (temperature, traits.max_temperature)
            && wish > most
            && !self.adapted.adapt(Field::Temperature, format!("clamped to {most}"))?.passes()
        {
            temperature = Some(most);
        }
        // Who thinks takes a temperature of 1 only, and hardly any `topP`.
        let takes = traits.max_temperature.is_some() && !(thinks && temperature != Some(1.0));
        let temperature = self.taken(Field::Temperature, takes, temperature)?;
        let with_temperature = traits.temperature_with_top_p || temperature.is_none();
        let free = !thinks || sampling.top_p.is_some_and(|top_p| top_p >= 0.95);
        let top_p = self.taken(Field::TopP, traits.top_p && with_temperature && free, sampling.top_p)?;
        let stop = self.stop()?;
        if limit.is_some() || temperature.is_some() || top_p.is_some() || stop.is_some() {
            object.object("inferenceConfig", |config| {
                config.put_some("maxTokens", limit);
                config.put_some("temperature", temperature);
                config.put_some("topP", top_p);
                config.put_some("stopSequences", stop);
            });
        }
        self.adapted.drop_drawing(sampling)
    }

    /// The value, if the model takes it.
    fn taken<T>(&mut self, field: Field, takes: bool, value: Option<T>) -> Result<Option<T>> {
        if value.is_none() || takes || self.adapted.adapt(field, "dropped")?.passes() {
            return Ok(value);
        }
        Ok(None)
    }

    /// The stop texts; one without anything but blanks is refused by the vendor.
    fn stop(&mut self) -> Result<Option<Vec<String>>> {
        let stop = &self.request.sampling.stop;
        let kept: Vec<String> = stop.iter().filter(|text| !text.trim().is_empty()).cloned().collect();
        if kept.len() < stop.len() {
            self.adapted.drop_named(Field::Stop, Field::Stop.name(), "blank texts dropped")?;
        }
        let kept = Some(kept).filter(|kept| !kept.is_empty());
        self.taken(Field::Stop, self.traits.stop, kept)
    }

    /// The model's own fields: those of the caller, with what the hub has to say in them.
    fn write_additional(&mut self, object: &mut Object<'_>) -> Result<()> {
        let thinks = self.plan.thinks();
        let top_k = self.request.sampling.top_k;
        let top_k = self.taken(Field::TopK, self.traits.top_k && !thinks, top_k)?;
        let mut ours = Vec::new();
        write_object(&mut ours, |fields| {
            self.plan.write(self.family, fields);
            if self.family == Family::Nova {
                if let Some(top_k) = top_k {
                    fields.object("inferenceConfig", |config| config.put("topK", &top_k));
                }
            } else {
                fields.put_some("top_k", top_k);
            }
        });
        let read = |json: &str| serde_json::from_str::<BTreeMap<String, Json>>(json).ok();
        let mut fields = String::from_utf8(ours).ok().as_deref().and_then(read).unwrap_or_default();
        let given = self.request.extra.iter().find(|extra| extra.name == ADDITIONAL);
        // What the caller says in the model's own words is more exact than what the hub makes of its other wishes.
        fields.extend(given.and_then(|extra| read(extra.json.as_str())).unwrap_or_default());
        if !fields.is_empty() {
            object.put(ADDITIONAL, &fields);
        }
        let own = self.request.dialect == Some(crate::chat::Dialect::Anthropic);
        if own && self.family == Family::Claude && !self.request.sampling.stop.is_empty() {
            // Callers of Anthropic's dialect are told which of their texts was met.
            object.put("additionalModelResponseFieldPaths", &["/stop_sequence"]);
        }
        Ok(())
    }

    fn write_output(&self, object: &mut Object<'_>) {
        let effort = self.plan.output_effort();
        let shape = match &self.request.output {
            Output::JsonSchema { name, description, schema, .. } if self.form == Form::Config => {
                Some((name, description, schema))
            }
            _ => None,
        };
        if effort.is_none() && shape.is_none() {
            return;
        }
        object.object("outputConfig", |config| {
            if let Some((name, description, schema)) = shape {
                config.object("textFormat", |format| {
                    format.put("type", "json_schema");
                    format.object("structure", |structure| {
                        structure.object("jsonSchema", |json| {
                            json.put("schema", schema.as_str());
                            json.put("name", name);
                            json.put_some("description", description.as_ref());
                        });
                    });
                });
            }
            config.put_some("effort", effort);
        });
    }

    fn write_caller(&mut self, object: &mut Object<'_>) -> Result<()> {
        self.adapted.drop_if(self.request.user.is_some(), Field::User)?;
        self.write_notes(object)?;
        let tier = self.request.service_tier.as_deref().filter(|tier| *tier != "auto");
        // Anthropic's word for the usual one.
        let tier = tier.map(|tier| if tier == "standard_only" { "default" } else { tier });
        let known = tier.filter(|tier| TIERS.contains(tier));
        self.adapted.drop_if(tier.is_some() && known.is_none(), Field::ServiceTier)?;
        if let Some(tier) = known {
            object.object("serviceTier", |object| object.put("type", tier));
        }
        Ok(())
    }

    /// The caller's notes, as far as the vendor takes them.
    fn write_notes(&mut self, object: &mut Object<'_>) -> Result<()> {
        let Some(metadata) = &self.request.metadata else { return Ok(()) };
        let all: BTreeMap<String, Json> = metadata.read().unwrap_or_default();
        let total = all.len();
        let notes: Vec<(String, String)> = all
            .into_iter()
            .filter_map(|(key, json)| Some((key, json.read::<String>()?)))
            .filter(|(key, value)| !key.is_empty() && is_note(key) && is_note(value))
            .take(MAX_NOTES)
            .collect();
        if notes.len() < total {
            let what = if notes.is_empty() { "dropped" } else { "reduced to what the vendor takes" };
            self.adapted.drop_named(Field::User, "metadata", what)?;
        }
        if !notes.is_empty() {
            object.object("requestMetadata", |object| {
                notes.iter().for_each(|(key, value)| object.put(key, value));
            });
        }
        Ok(())
    }

    fn write_own(&mut self, object: &mut Object<'_>) -> Result<()> {
        for extra in &self.request.extra {
            if extra.name == ADDITIONAL && extra.json.is_object() {
                continue;
            }
            if OWN.contains(&extra.name.as_str()) {
                object.put(&extra.name, &extra.json);
            } else {
                self.adapted.drop_named(Field::Extra, extra.name.clone(), "dropped")?;
            }
        }
        Ok(())
    }
}

/// Does a note have the vendor's alphabet and length?
fn is_note(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || ":_@$#=/+,-.".contains(c);
    text.len() <= MAX_NOTE_CHARS && text.chars().all(fits)
}

/// A message of the user with these texts.
fn write_user(array: &mut Array<'_>, texts: &[&Text]) {
    array.object(|object| {
        object.put("role", "user");
        object.array("content", |blocks| {
            texts.iter().for_each(|text| write_text(blocks, &text.text));
            if blocks.is_empty() {
                write_text(blocks, ".");
            }
        });
    });
}
