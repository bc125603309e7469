//! A caller's body, read into the canonical request.

use super::message_in;
use crate::chat::{
    CacheHint, Dialect, Effort, Fields, HostedTool, Json, Output, Reasoning, Request, Sampling, Show,
    ThinkingMode, Tool, ToolChoice,
};
use crate::error::{Failure, Kind, Result};
use serde::Deserialize;

/// Reads a caller's body.
///
/// # Errors
/// [`Kind::InvalidRequest`], naming the field: no JSON, a wrong type, an unknown
/// role, or the functions of 2023, whose answers have another shape.
pub fn request_in(body: &[u8]) -> Result<Request> {
    let mut fields = Fields::read(body)?;
    for old in ["functions", "function_call"] {
        if fields.take::<Json>(old)?.is_some() {
            let public = format!("`{old}` cannot be translated for this model; use `tools`.");
            return Err(Failure::new(Kind::InvalidRequest, public).param(old));
        }
    }
    let (system, messages) = message_in::read(&mut fields)?;
    let (tools, hosted_tools) = tools(&mut fields)?;
    let stream_options: Option<StreamOptions> = fields.take("stream_options")?;
    let end_user: Option<String> = fields.take("user")?;
    let safety_identifier: Option<String> = fields.take("safety_identifier")?;
    Ok(Request {
        dialect: Some(Dialect::OpenAiChat),
        model: fields.take("model")?.unwrap_or_default(),
        system,
        messages,
        tools,
        hosted_tools,
        tool_choice: fields
            .take::<Choice>("tool_choice")?
            .map(|choice| choice.canonical("tool_choice"))
            .transpose()?,
        parallel_tool_calls: fields.take("parallel_tool_calls")?,
        output: output(&mut fields)?,
        sampling: sampling(&mut fields)?,
        reasoning: reasoning(&mut fields)?,
        user: end_user.or(safety_identifier),
        metadata: fields.take("metadata")?,
        service_tier: fields.take("service_tier")?,
        stream: fields.take("stream")?.unwrap_or(false),
        include_usage: stream_options.is_some_and(|options| options.include_usage == Some(true)),
        cache: None,
        extra: fields.rest(),
    })
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// `cache_control`, which OpenRouter and others take on parts and tools.
#[derive(Deserialize)]
pub(super) struct CacheControl {
    ttl: Option<String>,
}

impl CacheControl {
    pub(super) fn hint(self) -> CacheHint {
        if self.ttl.as_deref() == Some("1h") { CacheHint::OneHour } else { CacheHint::FiveMinutes }
    }
}

#[derive(Deserialize)]
struct ToolIn {
    #[serde(rename = "type")]
    kind: Option<String>,
    function: Option<Function>,
    cache_control: Option<CacheControl>,
}

/// A function that a model may call, as OpenAI's callers and AIGNE's say it.
#[derive(Deserialize)]
pub(in crate::wire) struct Function {
    name: String,
    description: Option<String>,
    parameters: Option<Json>,
    strict: Option<bool>,
}

impl Function {
    /// What it means.
    pub(in crate::wire) fn canonical(self, cache: Option<CacheHint>) -> Tool {
        let Self { name, description, parameters, strict } = self;
        Tool { name, description, schema: parameters, strict, cache }
    }
}

fn tools(fields: &mut Fields<'_>) -> Result<(Vec<Tool>, Vec<HostedTool>)> {
    let (mut tools, mut hosted) = (Vec::new(), Vec::new());
    let read: Vec<Json> = fields.take("tools")?.unwrap_or_default();
    for json in read {
        let shape = serde_json::from_str(json.as_str()).map_err(|_| no_tool())?;
        match shape {
            ToolIn { function: Some(function), cache_control, .. } => {
                tools.push(function.canonical(cache_control.map(CacheControl::hint)));
            }
            ToolIn { kind: Some(kind), .. } if kind != "function" => {
                hosted.push(HostedTool { dialect: Dialect::OpenAiChat, kind, json });
            }
            _ => return Err(no_tool()),
        }
    }
    Ok((tools, hosted))
}

fn no_tool() -> Failure {
    Failure::new(Kind::InvalidRequest, "Each of `tools` needs a `type`, and a `function` with a `name`.")
        .param("tools")
}

/// Must, may or may not the model call a tool, as OpenAI's callers and AIGNE's say it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(in crate::wire) enum Choice {
    Word(String),
    Named { function: Name },
    Other {},
}

#[derive(Deserialize)]
pub(in crate::wire) struct Name {
    name: String,
}

impl Choice {
    /// What it means.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] that names the field: nothing that is known.
    pub(in crate::wire) fn canonical(self, field: &'static str) -> Result<ToolChoice> {
        match self {
            Choice::Word(word) if word == "auto" => Ok(ToolChoice::Auto),
            Choice::Word(word) if word == "none" => Ok(ToolChoice::None),
            Choice::Word(word) if word == "required" => Ok(ToolChoice::Required),
            Choice::Named { function } => Ok(ToolChoice::Named(function.name)),
            Choice::Word(_) | Choice::Other {} => {
                let text = format!("`{field}` must be \"auto\", \"none\", \"required\" or a function.");
                Err(Failure::new(Kind::InvalidRequest, text).param(field))
            }
        }
    }
}

/// The shape of an answer, as OpenAI's callers and AIGNE's say it.
#[derive(Deserialize)]
pub(in crate::wire) struct Format {
    #[serde(rename = "type")]
    kind: String,
    #[serde(alias = "jsonSchema")]
    json_schema: Option<SchemaIn>,
}

#[derive(Deserialize)]
struct SchemaIn {
    name: Option<String>,
    description: Option<String>,
    schema: Option<Json>,
    strict: Option<bool>,
}

impl Format {
    /// What it means; `None`: nothing that is known.
    pub(in crate::wire) fn canonical(self) -> Option<Output> {
        match (self.kind.as_str(), self.json_schema) {
            ("text", _) => Some(Output::Text),
            ("json_object", _) => Some(Output::JsonObject),
            ("json_schema", Some(SchemaIn { name, description, schema: Some(schema), strict })) => {
                let name = name.unwrap_or_else(|| "response".to_owned());
                Some(Output::JsonSchema { name, description, schema, strict })
            }
            _ => None,
        }
    }
}

fn output(fields: &mut Fields<'_>) -> Result<Output> {
    let Some(format) = fields.take::<Format>("response_format")? else { return Ok(Output::Text) };
    format.canonical().ok_or_else(|| {
        let text =
            "`response_format` must be of type \"text\", \"json_object\" or \"json_schema\" with a `schema`.";
        Failure::new(Kind::InvalidRequest, text).param("response_format")
    })
}

/// Where an answer stops: one text, or several.
#[derive(Deserialize)]
#[serde(untagged)]
pub(in crate::wire) enum Stop {
    One(String),
    Many(Vec<String>),
}

impl Stop {
    /// All texts of the field `stop`.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] when it is neither.
    pub(in crate::wire) fn take(fields: &mut Fields<'_>) -> Result<Vec<String>> {
        Ok(match fields.take("stop")? {
            None => Vec::new(),
            Some(Stop::One(text)) => vec![text],
            Some(Stop::Many(texts)) => texts,
        })
    }
}

fn sampling(fields: &mut Fields<'_>) -> Result<Sampling> {
    let stop = Stop::take(fields)?;
    let max_tokens: Option<u64> = fields.take("max_tokens")?;
    let max_completion_tokens: Option<u64> = fields.take("max_completion_tokens")?;
    Ok(Sampling {
        temperature: fields.take("temperature")?,
        top_p: fields.take("top_p")?,
        top_k: fields.take("top_k")?,
        seed: fields.take("seed")?,
        frequency_penalty: fields.take("frequency_penalty")?,
        presence_penalty: fields.take("presence_penalty")?,
        stop,
        logprobs: fields.take("logprobs")?,
        top_logprobs: fields.take("top_logprobs")?,
        logit_bias: fields.take("logit_bias")?,
        choices: fields.take("n")?,
        max_output_tokens: max_completion_tokens.or(max_tokens),
    })
}

/// OpenRouter's `reasoning`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ReasoningIn {
    effort: Option<String>,
    max_tokens: Option<u64>,
    exclude: Option<bool>,
    enabled: Option<bool>,
}

/// Anthropic's `thinking`, which DeepSeek and Doubao took over without the budget.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ThinkingIn {
    r#type: Option<String>,
    budget_tokens: Option<u64>,
}

fn reasoning(fields: &mut Fields<'_>) -> Result<Reasoning> {
    let object: ReasoningIn = fields.take("reasoning")?.unwrap_or_default();
    let thinking: ThinkingIn = fields.take("thinking")?.unwrap_or_default();
    let effort: Option<String> = fields.take("reasoning_effort")?;
    let effort = match effort.or(object.effort) {
        None => None,
        Some(word) => Some(Effort::parse(&word).ok_or_else(|| {
            let public = "`reasoning_effort` must be one of none, minimal, low, medium, high, xhigh, max.";
            Failure::new(Kind::InvalidRequest, public).param("reasoning_effort")
        })?),
    };
    let mode = match (thinking.r#type.as_deref(), object.enabled) {
        (Some("disabled"), _) | (None, Some(false)) => Some(ThinkingMode::Disabled),
        (Some("enabled"), _) | (None, Some(true)) => Some(ThinkingMode::Enabled),
        (Some("adaptive" | "auto"), _) => Some(ThinkingMode::Adaptive),
        _ => None,
    };
    let show = object.exclude.map(|exclude| if exclude { Show::Omitted } else { Show::Summarized });
    Ok(Reasoning { mode, effort, budget_tokens: thinking.budget_tokens.or(object.max_tokens), show })
}
