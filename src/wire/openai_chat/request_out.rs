//! A vendor's body, written from the canonical request.

use super::message_out;
use crate::chat::{
    Adapted, CacheHint, Dialect, Effort, Extra, Field, MaxTokensField, ModelTraits, Object, Output,
    Reasoning, Request, Show, ThinkingMode, ThinkingStyle, ToolChoice, write_object,
};
use crate::error::Result;
use serde::Serialize;

/// The longest `user` that OpenAI takes.
const MAX_USER_BYTES: usize = 64;

/// Writes a vendor's body. A stream is always asked for its usage.
///
/// # Errors
/// [`crate::error::Kind::InvalidRequest`] for a field that the model does not
/// take and the policy does not let go.
pub fn request_out(request: &Request, traits: &ModelTraits, adapted: &mut Adapted) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(1024);
    write_object(&mut out, |object| Top { object, traits, adapted }.write(request))?;
    Ok(out)
}

/// The members at the top, each of which the model may refuse.
struct Top<'a, 'o> {
    object: &'a mut Object<'o>,
    traits: &'a ModelTraits,
    adapted: &'a mut Adapted,
}

impl Top<'_, '_> {
    fn write(mut self, request: &Request) -> Result<()> {
        self.adapted.drop_if(request.has_cache_hints() && !self.traits.cache_hints, Field::CacheHint)?;
        self.object.put("model", &request.model);
        let instruction = self.write_output(&request.output)?;
        message_out::write(self.object, request, instruction.as_deref(), self.traits, self.adapted)?;
        self.write_tools(request)?;
        self.write_limit(request)?;
        self.write_sampling(request)?;
        self.write_reasoning(&request.reasoning)?;
        self.write_caller(request)?;
        if request.stream {
            self.object.put("stream", &true);
            self.object.object("stream_options", |options| options.put("include_usage", &true));
        }
        self.write_extra(request)
    }

    /// A member, unless the model refuses it by name.
    fn put<T: Serialize>(&mut self, name: &str, value: Option<T>) -> Result<()> {
        let Some(value) = value else { return Ok(()) };
        if self.traits.refused_fields.iter().any(|refused| refused == name) {
            return self.adapted.drop_named(Field::Extra, name.to_owned(), "dropped");
        }
        self.object.put(name, &value);
        Ok(())
    }

    /// A member that the model takes or does not.
    fn put_if<T: Serialize>(
        &mut self,
        takes: bool,
        field: Field,
        name: &str,
        value: Option<T>,
    ) -> Result<()> {
        if value.is_some() && !takes && !self.adapted.adapt_named(field, name.to_owned(), "dropped")?.passes()
        {
            return Ok(());
        }
        self.put(name, value)
    }

    fn write_limit(&mut self, request: &Request) -> Result<()> {
        let wish = request.sampling.max_output_tokens;
        let mut limit = wish;
        if let (Some(wish), Some(most)) = (wish, self.traits.max_output_tokens)
            && wish > most
            && !self.adapted.adapt(Field::MaxOutputTokens, format!("cut to {most}"))?.passes()
        {
            limit = Some(most);
        }
        let name = match self.traits.max_tokens_field {
            MaxTokensField::MaxTokens => "max_tokens",
            MaxTokensField::MaxCompletionTokens => "max_completion_tokens",
        };
        self.put(name, limit)
    }

    fn write_sampling(&mut self, request: &Request) -> Result<()> {
        let (sampling, traits) = (&request.sampling, self.traits);
        let mut temperature = sampling.temperature;
        if let (Some(wish), Some(most)) = (temperature, traits.max_temperature)
            && wish > most
            && !self.adapted.adapt(Field::Temperature, format!("clamped to {most}"))?.passes()
        {
            temperature = Some(most);
        }
        self.put_if(traits.max_temperature.is_some(), Field::Temperature, "temperature", temperature)?;
        let with_temperature = traits.temperature_with_top_p || temperature.is_none();
        self.put_if(traits.top_p && with_temperature, Field::TopP, "top_p", sampling.top_p)?;
        self.put_if(traits.top_k, Field::TopK, "top_k", sampling.top_k)?;
        self.put_if(traits.seed, Field::Seed, "seed", sampling.seed)?;
        self.put_if(traits.penalties, Field::Penalties, "frequency_penalty", sampling.frequency_penalty)?;
        self.put_if(traits.penalties, Field::Penalties, "presence_penalty", sampling.presence_penalty)?;
        let stop = (!sampling.stop.is_empty()).then_some(&sampling.stop);
        self.put_if(traits.stop, Field::Stop, "stop", stop)?;
        self.put_if(traits.logprobs, Field::Logprobs, "logprobs", sampling.logprobs)?;
        self.put_if(traits.logprobs, Field::Logprobs, "top_logprobs", sampling.top_logprobs)?;
        self.put_if(traits.logprobs, Field::LogitBias, "logit_bias", sampling.logit_bias.as_ref())?;
        self.write_choices(request)
    }

    fn write_choices(&mut self, request: &Request) -> Result<()> {
        let several = request.sampling.choices.filter(|choices| *choices > 1);
        if several.is_some() && request.stream {
            return self.adapted.drop_named(Field::Choices, Field::Choices.name(), "reduced to 1");
        }
        self.put("n", several)
    }

    fn write_tools(&mut self, request: &Request) -> Result<()> {
        let mut hosted = Vec::new();
        for tool in &request.hosted_tools {
            if tool.dialect == Dialect::OpenAiChat {
                hosted.push(&tool.json);
            } else {
                self.adapted.drop_named(Field::HostedTool, tool.kind.clone(), "dropped")?;
            }
        }
        let none = request.tools.is_empty() && hosted.is_empty();
        if none || (!self.traits.tools && !self.adapted.adapt(Field::Tools, "dropped")?.passes()) {
            return Ok(());
        }
        let strict = request.tools.iter().any(|tool| tool.strict.is_some());
        let strict = strict
            && (self.traits.strict_tools || self.adapted.adapt(Field::StrictTools, "dropped")?.passes());
        let hints = self.traits.cache_hints;
        self.object.array("tools", |array| {
            for tool in &request.tools {
                array.object(|object| {
                    object.put("type", "function");
                    object.object("function", |function| {
                        function.put("name", &tool.name);
                        function.put_some("description", tool.description.as_ref());
                        function.put("parameters", &tool.schema_or_empty());
                        function.put_some("strict", tool.strict.filter(|_| strict));
                    });
                    write_cache(object, tool.cache.filter(|_| hints));
                });
            }
            hosted.iter().for_each(|json| array.put(*json));
        });
        self.write_choice(request)
    }

    fn write_choice(&mut self, request: &Request) -> Result<()> {
        match &request.tool_choice {
            None => {}
            Some(ToolChoice::Auto) => self.object.put("tool_choice", "auto"),
            Some(ToolChoice::None) => self.object.put("tool_choice", "none"),
            Some(ToolChoice::Required) => self.object.put("tool_choice", "required"),
            Some(ToolChoice::Named(name)) => self.object.object("tool_choice", |object| {
                object.put("type", "function");
                object.object("function", |function| function.put("name", name));
            }),
        }
        let takes = self.traits.parallel_tool_calls;
        self.put_if(takes, Field::ParallelToolCalls, "parallel_tool_calls", request.parallel_tool_calls)
    }

    /// Writes the answer's shape; gives the instruction that stands for it where the model does not enforce it.
    fn write_output(&mut self, output: &Output) -> Result<Option<String>> {
        let takes = match output {
            Output::Text => return Ok(None),
            Output::JsonObject => self.traits.json_object,
            Output::JsonSchema { .. } => self.traits.json_schema,
        };
        if takes || self.adapted.adapt(Field::Output, "asked for by an instruction")?.passes() {
            self.object.object("response_format", |format| write_format(format, output));
            return Ok(None);
        }
        // Any JSON object is nearer to a schema than any text, where the model can be held to it.
        if self.traits.json_object && matches!(output, Output::JsonSchema { .. }) {
            self.object.object("response_format", |format| format.put("type", "json_object"));
        }
        Ok(output.instruction())
    }

    fn write_reasoning(&mut self, reasoning: &Reasoning) -> Result<()> {
        let off = reasoning.mode == Some(ThinkingMode::Disabled) || reasoning.effort == Some(Effort::None);
        let effort = reasoning.effort.or_else(|| reasoning.budget_tokens.map(Effort::of_budget));
        let said = reasoning.mode.is_some() || effort.is_some();
        match self.traits.thinking {
            ThinkingStyle::None => self.adapted.drop_if(said && !off, Field::Reasoning),
            ThinkingStyle::Effort | ThinkingStyle::Adaptive => {
                self.write_effort(if off { Some(Effort::None) } else { effort })
            }
            ThinkingStyle::Budget | ThinkingStyle::Switch => {
                let budget = reasoning.budget_tokens.or_else(|| effort.map(Effort::budget_tokens));
                let budget = budget.filter(|_| self.traits.thinking == ThinkingStyle::Budget && !off);
                if said {
                    self.object.object("thinking", |thinking| {
                        thinking.put("type", if off { "disabled" } else { "enabled" });
                        let least = self.traits.min_thinking_tokens;
                        thinking.put_some("budget_tokens", budget.map(|budget| budget.max(least)));
                    });
                }
                Ok(())
            }
            ThinkingStyle::Object => {
                if said || reasoning.show.is_some() {
                    self.object.object("reasoning", |object| write_object_style(object, reasoning, off));
                }
                Ok(())
            }
        }
    }

    fn write_effort(&mut self, wish: Option<Effort>) -> Result<()> {
        let Some(wish) = wish else { return Ok(()) };
        let Some(nearest) = self.traits.effort(wish) else {
            return self.adapted.drop_if(true, Field::Reasoning);
        };
        let what = format!("effort set to {}", nearest.name());
        let as_wished = nearest == wish || self.adapted.adapt(Field::Reasoning, what)?.passes();
        self.put("reasoning_effort", Some(if as_wished { wish } else { nearest }))
    }

    fn write_caller(&mut self, request: &Request) -> Result<()> {
        self.write_user(request)?;
        self.put_if(self.traits.user, Field::User, "metadata", request.metadata.as_ref())?;
        let ours = matches!(request.dialect, Some(Dialect::OpenAiChat | Dialect::OpenAiResponses));
        let tier = request.service_tier.as_ref();
        if !ours {
            return self.adapted.drop_if(tier.is_some(), Field::ServiceTier);
        }
        self.put("service_tier", tier)
    }

    /// OpenAI takes a short one only, and callers of Anthropic's dialect send long ones.
    fn write_user(&mut self, request: &Request) -> Result<()> {
        let mut user = request.user.as_deref();
        if let Some(long) = user.filter(|user| user.len() > MAX_USER_BYTES)
            && !self.adapted.adapt(Field::User, format!("cut to {MAX_USER_BYTES} bytes"))?.passes()
        {
            user = long.get(..long.floor_char_boundary(MAX_USER_BYTES));
        }
        self.put_if(self.traits.user, Field::User, "user", user)
    }

    fn write_extra(&mut self, request: &Request) -> Result<()> {
        for Extra { name, json } in &request.extra {
            if request.dialect == Some(Dialect::OpenAiChat) {
                self.put(name, Some(json))?;
            } else {
                self.adapted.drop_named(Field::Extra, name.clone(), "dropped")?;
            }
        }
        Ok(())
    }
}

/// Appends the hint, as OpenRouter and others take it.
pub(super) fn write_cache(object: &mut Object<'_>, hint: Option<CacheHint>) {
    let Some(hint) = hint else { return };
    object.object("cache_control", |control| {
        control.put("type", "ephemeral");
        if hint == CacheHint::OneHour {
            control.put("ttl", "1h");
        }
    });
}

fn write_format(format: &mut Object<'_>, output: &Output) {
    match output {
        Output::Text => format.put("type", "text"),
        Output::JsonObject => format.put("type", "json_object"),
        Output::JsonSchema { name, description, schema, strict } => {
            format.put("type", "json_schema");
            format.object("json_schema", |object| {
                object.put("name", name);
                object.put_some("description", description.as_ref());
                object.put("schema", schema);
                object.put_some("strict", *strict);
            });
        }
    }
}

/// OpenRouter's object: it takes either an effort or a budget.
fn write_object_style(object: &mut Object<'_>, reasoning: &Reasoning, off: bool) {
    match (off, reasoning.effort, reasoning.budget_tokens) {
        (true, ..) => object.put("enabled", &false),
        (false, _, Some(budget)) => object.put("max_tokens", &budget),
        (false, Some(effort), None) => object.put("effort", &effort),
        (false, None, None) if reasoning.mode.is_some() => object.put("enabled", &true),
        (false, None, None) => {}
    }
    object.put_some("exclude", (reasoning.show == Some(Show::Omitted)).then_some(true));
}
