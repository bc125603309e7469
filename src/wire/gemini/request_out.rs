//! The vendor's body, written from the canonical request. The model and the
//! wish for a stream are in the path ([`super::path()`]).

use super::config_in::CONFIG;
use super::part_out::Parts;
use super::thinking::{self, wants_signatures};
use crate::chat::{
    Adapted, Dialect, Field, Json, MidSystem, ModelTraits, Object, Output, Request, Role, Text, ToolChoice,
    system_texts, write_object,
};
use crate::error::Result;
use serde::Serialize;
use serde_json::{Map, Value};

/// How many stop texts the vendor takes.
const MAX_STOPS: usize = 5;
/// For how many tokens at each place the vendor reports probabilities.
const MAX_LOGPROBS: u32 = 20;
/// OpenAI's field for the kinds of answers, which later callers send to models that draw.
const MODALITIES: &str = "modalities";

/// Writes the vendor's body.
///
/// # Errors
/// [`crate::error::Kind::InvalidRequest`] for a field that the model does not
/// take and the policy does not let go.
pub fn request_out(request: &Request, traits: &ModelTraits, adapted: &mut Adapted) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(1024);
    adapted.drop_if(request.has_cache_hints(), Field::CacheHint)?;
    write_object(&mut out, |object| Top { request, traits, adapted }.write(object))?;
    Ok(out)
}

struct Top<'a> {
    request: &'a Request,
    traits: &'a ModelTraits,
    adapted: &'a mut Adapted,
}

impl Top<'_> {
    fn write(mut self, object: &mut Object<'_>) -> Result<()> {
        let sends_tools = self.sends_tools()?;
        let enforced = self.enforces_output(sends_tools)?;
        self.write_conversation(object, enforced)?;
        if sends_tools {
            self.write_tools(object)?;
        }
        self.write_config(object, enforced)?;
        self.drop_caller()?;
        self.write_extra(object)
    }

    fn sends_tools(&mut self) -> Result<bool> {
        let mut own = false;
        for tool in &self.request.hosted_tools {
            own |= tool.dialect == Dialect::Gemini;
            if tool.dialect != Dialect::Gemini {
                self.adapted.drop_named(Field::HostedTool, tool.kind.clone(), "dropped")?;
            }
        }
        let some = own || !self.request.tools.is_empty();
        Ok(some && (self.traits.tools || self.adapted.adapt(Field::Tools, "dropped")?.passes()))
    }

    /// Is the model held to the answer's shape? Before levels it cannot be beside tools.
    fn enforces_output(&mut self, sends_tools: bool) -> Result<bool> {
        let takes = match &self.request.output {
            Output::Text => return Ok(true),
            Output::JsonObject => self.traits.json_object,
            Output::JsonSchema { .. } => self.traits.json_schema,
        };
        let free = !sends_tools || wants_signatures(self.traits);
        Ok((takes && free) || self.adapted.adapt(Field::Output, "asked for by an instruction")?.passes())
    }

    fn write_conversation(&mut self, object: &mut Object<'_>, enforced: bool) -> Result<()> {
        if self.request.messages.iter().any(|message| message.role == Role::System) {
            self.adapted.drop_named(Field::MidSystem, Field::MidSystem.name(), "moved to the front")?;
        }
        let instruction = self.request.output.instruction().filter(|_| !enforced);
        let instruction = instruction.map(|text| Text { text, ..Text::default() });
        let mut system = system_texts(self.request, MidSystem::Hoist);
        system.extend(&instruction);
        Parts::new(self.request, self.traits, self.adapted).write(object, &system)
    }

    fn write_tools(&mut self, object: &mut Object<'_>) -> Result<()> {
        let tools = &self.request.tools;
        self.adapted.drop_if(tools.iter().any(|tool| tool.strict == Some(true)), Field::StrictTools)?;
        object.array("tools", |array| {
            if !tools.is_empty() {
                array.object(|object| {
                    object.array("functionDeclarations", |array| {
                        for tool in tools {
                            array.object(|function| {
                                function.put("name", &tool.name);
                                function.put_some("description", tool.description.as_ref());
                                let schema = tool.schema.as_ref().filter(|schema| schema.is_object());
                                function.put_some("parametersJsonSchema", schema);
                            });
                        }
                    });
                });
            }
            let own = self.request.hosted_tools.iter().filter(|tool| tool.dialect == Dialect::Gemini);
            own.for_each(|tool| array.put(&tool.json));
        });
        if tools.is_empty() { Ok(()) } else { self.write_choice(object) }
    }

    fn write_choice(&mut self, object: &mut Object<'_>) -> Result<()> {
        // It always may call several at once.
        self.adapted.drop_if(self.request.parallel_tool_calls == Some(false), Field::ParallelToolCalls)?;
        let (mode, name) = match &self.request.tool_choice {
            None => return Ok(()),
            Some(ToolChoice::Auto) => ("AUTO", None),
            Some(ToolChoice::None) => ("NONE", None),
            Some(ToolChoice::Required) => ("ANY", None),
            Some(ToolChoice::Named(name)) => ("ANY", Some([name])),
        };
        object.object("toolConfig", |config| {
            config.object("functionCallingConfig", |object| {
                object.put("mode", mode);
                object.put_some("allowedFunctionNames", name);
            });
        });
        Ok(())
    }

    fn write_config(&mut self, object: &mut Object<'_>, enforced: bool) -> Result<()> {
        let plan = thinking::plan(self.request, self.traits, self.adapted)?;
        let mut text = Vec::new();
        write_object(&mut text, |config| {
            self.write_limit(config)?;
            self.write_sampling(config)?;
            self.write_logprobs(config)?;
            if enforced {
                write_output(config, &self.request.output);
            }
            self.write_modalities(config);
            plan.write(config);
            self.write_own_config(config);
            Ok(())
        })?;
        let config = String::from_utf8(text).ok().and_then(Json::parse);
        object.put_some(CONFIG, config.filter(|config| config.as_str() != "{}"));
        Ok(())
    }

    fn write_limit(&mut self, config: &mut Object<'_>) -> Result<()> {
        let mut limit = self.request.sampling.max_output_tokens;
        if let (Some(wish), Some(most)) = (limit, self.traits.max_output_tokens)
            && wish > most
            && !self.adapted.adapt(Field::MaxOutputTokens, format!("cut to {most}"))?.passes()
        {
            limit = Some(most);
        }
        config.put_some("maxOutputTokens", limit);
        Ok(())
    }

    /// A member that the model takes or does not.
    fn put_if<T: Serialize>(
        &mut self,
        config: &mut Object<'_>,
        takes: bool,
        field: Field,
        member: (&str, Option<T>),
    ) -> Result<()> {
        let (name, value) = member;
        if value.is_some() && (takes || self.adapted.adapt(field, "dropped")?.passes()) {
            config.put_some(name, value);
        }
        Ok(())
    }

    fn write_sampling(&mut self, config: &mut Object<'_>) -> Result<()> {
        let (sampling, traits) = (&self.request.sampling, self.traits);
        let mut temperature = sampling.temperature;
        if let (Some(wish), Some(most)) = (temperature, traits.max_temperature)
            && wish > most
            && !self.adapted.adapt(Field::Temperature, format!("clamped to {most}"))?.passes()
        {
            temperature = Some(most);
        }
        let takes = traits.max_temperature.is_some();
        self.put_if(config, takes, Field::Temperature, ("temperature", temperature))?;
        let takes = traits.top_p && (traits.temperature_with_top_p || temperature.is_none());
        self.put_if(config, takes, Field::TopP, ("topP", sampling.top_p))?;
        self.put_if(config, traits.top_k, Field::TopK, ("topK", sampling.top_k))?;
        // One of zero asks for nothing, and callers send it out of habit.
        let penalty = |value: Option<f64>| value.filter(|value| *value != 0.0);
        let (presence, frequency) = (penalty(sampling.presence_penalty), penalty(sampling.frequency_penalty));
        self.put_if(config, traits.penalties, Field::Penalties, ("presencePenalty", presence))?;
        self.put_if(config, traits.penalties, Field::Penalties, ("frequencyPenalty", frequency))?;
        self.adapted.drop_if(sampling.logit_bias.is_some(), Field::LogitBias)?;
        self.write_seed(config)?;
        self.write_stop(config)?;
        let several = sampling.choices.filter(|choices| *choices > 1);
        if several.is_some() && self.request.stream {
            return self.adapted.drop_named(Field::Choices, Field::Choices.name(), "reduced to 1");
        }
        config.put_some("candidateCount", several);
        Ok(())
    }

    /// The vendor's seeds have 32 bits.
    fn write_seed(&mut self, config: &mut Object<'_>) -> Result<()> {
        let mut seed = self.request.sampling.seed;
        if let Some(wish) = seed
            && i32::try_from(wish).is_err()
            && !self.adapted.adapt(Field::Seed, "reduced to 32 bits")?.passes()
        {
            seed = Some(wish.rem_euclid(1 << 31));
        }
        self.put_if(config, self.traits.seed, Field::Seed, ("seed", seed))
    }

    fn write_stop(&mut self, config: &mut Object<'_>) -> Result<()> {
        let mut stop = self.request.sampling.stop.as_slice();
        if stop.len() > MAX_STOPS && !self.adapted.adapt(Field::Stop, "cut to 5")?.passes() {
            stop = stop.get(..MAX_STOPS).unwrap_or(stop);
        }
        let stop = (!stop.is_empty()).then_some(stop);
        self.put_if(config, self.traits.stop, Field::Stop, ("stopSequences", stop))
    }

    /// A translated stream has no log probabilities, so they are not asked for.
    fn write_logprobs(&mut self, config: &mut Object<'_>) -> Result<()> {
        let sampling = &self.request.sampling;
        let top = sampling.top_logprobs.filter(|top| *top > 0);
        if sampling.logprobs != Some(true) && top.is_none() {
            return Ok(());
        }
        if self.request.stream {
            return self.adapted.drop_if(true, Field::Logprobs);
        }
        self.put_if(config, self.traits.logprobs, Field::Logprobs, ("responseLogprobs", Some(true)))?;
        let top = top.map(|top| top.min(MAX_LOGPROBS));
        self.put_if(config, self.traits.logprobs, Field::Logprobs, ("logprobs", top))
    }

    /// The kinds of answers that an OpenAI caller wants, which are named alike.
    fn modalities(&self) -> Option<Vec<String>> {
        let ours = self.request.dialect == Some(Dialect::OpenAiChat);
        let extra = self.request.extra.iter().find(|extra| ours && extra.name == MODALITIES)?;
        let names: Vec<String> = extra.json.read()?;
        Some(names.iter().map(|name| name.to_ascii_uppercase()).collect())
    }

    fn write_modalities(&self, config: &mut Object<'_>) {
        // Text alone is what is answered anyway.
        let names = self.modalities().filter(|names| names.iter().any(|name| name != "TEXT"));
        config.put_some("responseModalities", names);
    }

    /// What a caller of our own dialect says there that has no canonical place.
    fn write_own_config(&self, config: &mut Object<'_>) {
        let own = self.request.dialect == Some(Dialect::Gemini);
        let extra = self.request.extra.iter().find(|extra| own && extra.name == CONFIG);
        let members: Option<Map<String, Value>> = extra.and_then(|extra| extra.json.read());
        for (name, value) in members.unwrap_or_default() {
            config.put(&name, &value);
        }
    }

    /// The vendor has no place for who asks.
    fn drop_caller(&mut self) -> Result<()> {
        let request = self.request;
        self.adapted.drop_if(request.user.is_some(), Field::User)?;
        if request.metadata.is_some() {
            self.adapted.drop_named(Field::User, "metadata", "dropped")?;
        }
        // What the tiers are called and cost is each vendor's own.
        let chosen = request.service_tier.as_deref().is_some_and(|tier| !matches!(tier, "auto" | "default"));
        self.adapted.drop_if(chosen, Field::ServiceTier)
    }

    fn write_extra(&mut self, object: &mut Object<'_>) -> Result<()> {
        let read = self.modalities().is_some();
        for extra in &self.request.extra {
            let refused = self.traits.refused_fields.contains(&extra.name);
            if self.request.dialect == Some(Dialect::Gemini) && !refused {
                if extra.name != CONFIG {
                    object.put(&extra.name, &extra.json);
                }
            } else if !(read && extra.name == MODALITIES) {
                self.adapted.drop_named(Field::Extra, extra.name.clone(), "dropped")?;
            }
        }
        Ok(())
    }
}

fn write_output(config: &mut Object<'_>, output: &Output) {
    if *output != Output::Text {
        config.put("responseMimeType", "application/json");
    }
    if let Output::JsonSchema { schema, .. } = output {
        config.put("responseJsonSchema", schema);
    }
}
