//! The vendor's body, written from the canonical request.

use crate::chat::{
    Adapted, Array, Dialect, Effort, Field, Json, Message, ModelTraits, Object, Output, Part, Request, Role,
    Source, ThinkingMode, ThinkingStyle, ToolCall, ToolChoice, ToolNames, plain_text, write_object,
};
use crate::error::Result;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Options of the server that callers may name at the top, beside what every dialect has.
const OPTIONS: [&str; 10] = [
    "num_ctx",
    "num_keep",
    "num_batch",
    "num_gpu",
    "num_thread",
    "repeat_last_n",
    "repeat_penalty",
    "min_p",
    "typical_p",
    "main_gpu",
];
/// Members of the body that callers may name.
const OWN: [&str; 3] = ["keep_alive", "think", "truncate"];

/// Writes the vendor's body.
///
/// # Errors
/// [`crate::error::Kind::InvalidRequest`] for a field that the vendor does not
/// take and the policy does not let go.
pub fn request_out(request: &Request, traits: &ModelTraits, adapted: &mut Adapted) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(1024);
    adapted.drop_if(request.has_cache_hints(), Field::CacheHint)?;
    let mut writer = Writer { request, traits, adapted, names: ToolNames::new(&request.messages) };
    write_object(&mut out, |object| writer.write(object))?;
    Ok(out)
}

struct Writer<'a> {
    request: &'a Request,
    traits: &'a ModelTraits,
    adapted: &'a mut Adapted,
    /// The tool of each call.
    names: ToolNames<'a>,
}

impl<'a> Writer<'a> {
    fn write(&mut self, object: &mut Object<'_>) -> Result<()> {
        let request = self.request;
        object.put("model", &request.model);
        object.array("messages", |array| self.write_messages(array))?;
        self.write_tools(object)?;
        match &request.output {
            Output::Text => {}
            Output::JsonObject => object.put("format", "json"),
            Output::JsonSchema { schema, .. } => object.put("format", schema),
        }
        let own = self.own();
        if !own.iter().any(|(name, _)| *name == "think") {
            self.write_thinking(object)?;
        }
        let options = self.options()?;
        if !options.is_empty() {
            object.put("options", &options);
        }
        own.iter().for_each(|(name, json)| object.put(name, json));
        object.put("stream", &request.stream);
        self.drop_rest()
    }

    fn write_messages(&mut self, array: &mut Array<'_>) -> Result<()> {
        let system: Vec<&str> = self.request.system.iter().map(|text| text.text.as_str()).collect();
        if !system.is_empty() {
            array.object(|object| {
                object.put("role", "system");
                object.put("content", &system.join("\n\n"));
            });
        }
        let request = self.request;
        for message in &request.messages {
            message.parts.iter().for_each(|part| self.names.say(part));
            match message.role {
                Role::Tool => self.write_results(array, message)?,
                Role::User | Role::Assistant | Role::System => self.write_message(array, message)?,
            }
        }
        Ok(())
    }

    fn write_message(&mut self, array: &mut Array<'_>, message: &Message) -> Result<()> {
        let role = match message.role {
            Role::Assistant => "assistant",
            Role::System => "system",
            Role::User | Role::Tool => "user",
        };
        let images = self.images(&message.parts)?;
        let mut texts = Vec::new();
        for part in &message.parts {
            match part {
                Part::Document(document) => match &document.source {
                    Source::Text(text) => texts.push(text.as_str()),
                    _ => self.adapted.drop_if(true, Field::Document)?,
                },
                Part::Text(text) => texts.push(&text.text),
                Part::Refusal(text) => texts.push(text),
                Part::Audio(_) => self.adapted.drop_if(true, Field::Audio)?,
                Part::Other(other) => {
                    self.adapted.drop_named(Field::OtherPart, other.kind.clone(), "left out")?;
                }
                _ => {}
            }
        }
        array.object(|object| {
            object.put("role", role);
            object.put("content", &texts.join("\n"));
            object.put_some("images", (!images.is_empty()).then_some(&images));
            if message.role == Role::Assistant {
                write_said(object, &message.parts);
            }
        });
        Ok(())
    }

    /// Bare base64: the server loads nothing from elsewhere.
    fn images<'p>(&mut self, parts: &'p [Part]) -> Result<Vec<&'p str>> {
        let mut images = Vec::new();
        for part in parts {
            let Part::Image(image) = part else { continue };
            match &image.source {
                Source::Base64 { data, .. } => images.push(data.as_str()),
                Source::Url(_) | Source::Text(_) | Source::FileId(_) => {
                    self.adapted.drop_if(true, Field::Image)?;
                }
            }
        }
        Ok(images)
    }

    /// Each result is a message of its own, with its pictures beside it.
    fn write_results(&mut self, array: &mut Array<'_>, message: &'a Message) -> Result<()> {
        for part in &message.parts {
            let Part::ToolResult(result) = part else { continue };
            let images = self.images(&result.parts)?;
            let name = self.names.of(result);
            array.object(|object| {
                object.put("role", "tool");
                object.put("content", &plain_text(&result.parts));
                object.put_some("tool_name", name);
                object.put_some("images", (!images.is_empty()).then_some(&images));
            });
        }
        Ok(())
    }

    fn write_tools(&mut self, object: &mut Object<'_>) -> Result<()> {
        let request = self.request;
        for tool in &request.hosted_tools {
            self.adapted.drop_named(Field::HostedTool, tool.kind.clone(), "dropped")?;
        }
        self.adapted.drop_if(request.parallel_tool_calls == Some(false), Field::ParallelToolCalls)?;
        match &request.tool_choice {
            None | Some(ToolChoice::Auto) => {}
            // It has no word for it; without tools none is called.
            Some(ToolChoice::None) => return Ok(()),
            Some(ToolChoice::Required | ToolChoice::Named(_)) => {
                self.adapted.drop_named(Field::ToolChoice, "tool_choice", "left to the model")?;
            }
        }
        if request.tools.is_empty() {
            return Ok(());
        }
        object.array("tools", |array| {
            for tool in &request.tools {
                array.object(|object| {
                    object.put("type", "function");
                    object.object("function", |function| {
                        function.put("name", &tool.name);
                        function.put("description", tool.description.as_deref().unwrap_or_default());
                        function.put("parameters", &tool.schema_or_empty());
                    });
                });
            }
        });
        Ok(())
    }

    fn write_thinking(&mut self, object: &mut Object<'_>) -> Result<()> {
        let reasoning = &self.request.reasoning;
        let effort = reasoning.effort.or_else(|| reasoning.budget_tokens.map(Effort::of_budget));
        let off = reasoning.mode == Some(ThinkingMode::Disabled) || effort == Some(Effort::None);
        match (off, effort) {
            (true, _) => object.put("think", &false),
            (false, Some(wish)) if self.traits.thinking == ThinkingStyle::Effort => {
                let level = self.traits.effort(wish).unwrap_or(Effort::Medium);
                if level != wish {
                    let what = format!("effort set to {}", level.name());
                    self.adapted.drop_named(Field::Reasoning, "reasoning_effort", what)?;
                }
                object.put("think", level.name());
            }
            (false, Some(_)) => object.put("think", &true),
            (false, None) if reasoning.mode.is_some() => object.put("think", &true),
            (false, None) => {}
        }
        Ok(())
    }

    /// The caller's own `options`, with what has a canonical place over it.
    fn options(&mut self) -> Result<BTreeMap<String, Json>> {
        let mut options: BTreeMap<String, Json> = BTreeMap::new();
        for extra in self.extras() {
            if extra.0 == "options" {
                let given: Option<BTreeMap<String, Box<RawValue>>> = extra.1.read();
                options.extend(given.unwrap_or_default().into_iter().map(|(name, raw)| (name, raw.into())));
            } else if OPTIONS.contains(&extra.0) {
                options.insert(extra.0.to_owned(), extra.1.clone());
            }
        }
        let sampling = &self.request.sampling;
        let mut put = |name: &str, json: Option<Json>| {
            if let Some(json) = json {
                options.insert(name.to_owned(), json);
            }
        };
        put("num_predict", sampling.max_output_tokens.as_ref().map(Json::of));
        put("temperature", sampling.temperature.as_ref().map(Json::of));
        put("top_p", sampling.top_p.as_ref().map(Json::of));
        put("top_k", sampling.top_k.as_ref().map(Json::of));
        put("seed", sampling.seed.as_ref().map(Json::of));
        put("presence_penalty", sampling.presence_penalty.as_ref().map(Json::of));
        put("frequency_penalty", sampling.frequency_penalty.as_ref().map(Json::of));
        put("stop", (!sampling.stop.is_empty()).then(|| Json::of(&sampling.stop)));
        let several = sampling.choices.is_some_and(|choices| choices > 1);
        if several {
            self.adapted.drop_named(Field::Choices, Field::Choices.name(), "reduced to 1")?;
        }
        let logprobs = sampling.logprobs == Some(true) || sampling.top_logprobs.is_some();
        self.adapted.drop_if(logprobs, Field::Logprobs)?;
        self.adapted.drop_if(sampling.logit_bias.is_some(), Field::LogitBias)?;
        Ok(options)
    }

    /// Fields of the server's own, which callers of OpenAI's dialect send along.
    fn extras(&self) -> impl Iterator<Item = (&'static str, &Json)> {
        let ours = matches!(self.request.dialect, Some(Dialect::OpenAiChat | Dialect::Ollama));
        let known = OPTIONS.iter().chain(&OWN).chain(&["options"]);
        known.filter_map(move |name| {
            let extra = self.request.extra.iter().find(|extra| ours && extra.name == *name)?;
            Some((*name, &extra.json))
        })
    }

    fn own(&self) -> Vec<(&'static str, Json)> {
        let own = self.extras().filter(|(name, _)| OWN.contains(name));
        own.map(|(name, json)| (name, json.clone())).collect()
    }

    fn drop_rest(&mut self) -> Result<()> {
        let request = self.request;
        self.adapted.drop_if(request.user.is_some(), Field::User)?;
        if request.metadata.is_some() {
            self.adapted.drop_named(Field::User, "metadata", "dropped")?;
        }
        let chosen = request.service_tier.as_deref().is_some_and(|tier| !matches!(tier, "auto" | "default"));
        self.adapted.drop_if(chosen, Field::ServiceTier)?;
        let taken: Vec<&'static str> = self.extras().map(|(name, _)| name).collect();
        for extra in request.extra.iter().filter(|extra| !taken.contains(&extra.name.as_str())) {
            self.adapted.drop_named(Field::Extra, extra.name.clone(), "dropped")?;
        }
        Ok(())
    }
}

/// What only the model says: its thoughts and its calls.
fn write_said(object: &mut Object<'_>, parts: &[Part]) {
    let thoughts: Vec<&str> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Thinking(thinking) if !thinking.text.is_empty() => Some(thinking.text.as_str()),
            _ => None,
        })
        .collect();
    object.put_some("thinking", (!thoughts.is_empty()).then(|| thoughts.join("\n")));
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
    object.array("tool_calls", |array| {
        for call in calls {
            array.object(|object| {
                object.object("function", |function| {
                    function.put("name", &call.name);
                    function.put("arguments", &call.input());
                });
            });
        }
    });
}
