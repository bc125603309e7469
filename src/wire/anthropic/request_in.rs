//! A caller's body, read into the canonical request. Also the body of a count of tokens.

use super::block_in::{CacheControl, read_content};
use crate::chat::{
    Dialect, Effort, Fields, HostedTool, Json, Message, Output, Part, Reasoning, Request, Role, Sampling,
    Show, Text, ThinkingMode, Tool, ToolChoice,
};
use crate::error::{Failure, Kind, Result};
use serde::Deserialize;

/// Reads a caller's body. `max_tokens` may be missing, which the vendor itself
/// would not allow: the model that serves the request may not need it.
///
/// # Errors
/// [`Kind::InvalidRequest`], naming the field: no JSON, a wrong type, an unknown role.
pub fn request_in(body: &[u8]) -> Result<Request> {
    let mut fields = Fields::read(body)?;
    let choice: ChoiceIn = fields.take("tool_choice")?.unwrap_or_default();
    let (tools, hosted_tools) = tools(&mut fields)?;
    let (output, reasoning) = output_and_reasoning(&mut fields)?;
    let metadata: Option<Metadata> = fields.take("metadata")?;
    Ok(Request {
        dialect: Some(Dialect::Anthropic),
        model: fields.take("model")?.unwrap_or_default(),
        system: system(&mut fields)?,
        messages: messages(&mut fields)?,
        tools,
        hosted_tools,
        parallel_tool_calls: choice.disable_parallel_tool_use.map(|disabled| !disabled),
        tool_choice: choice.canonical()?,
        output,
        sampling: Sampling {
            temperature: fields.take("temperature")?,
            top_p: fields.take("top_p")?,
            top_k: fields.take("top_k")?,
            stop: fields.take("stop_sequences")?.unwrap_or_default(),
            max_output_tokens: fields.take("max_tokens")?,
            ..Sampling::default()
        },
        reasoning,
        user: metadata.and_then(|metadata| metadata.user_id),
        metadata: None,
        service_tier: fields.take("service_tier")?,
        stream: fields.take("stream")?.unwrap_or(false),
        include_usage: true,
        cache: fields.take::<CacheControl>("cache_control")?.map(CacheControl::hint),
        extra: fields.rest(),
    })
}

#[derive(Deserialize)]
struct Metadata {
    user_id: Option<String>,
}

fn wrong(field: &'static str, public: impl Into<String>) -> Failure {
    Failure::new(Kind::InvalidRequest, public.into()).param(field)
}

fn parts(content: Option<Json>, field: &'static str) -> Result<Vec<Part>> {
    let Some(content) = content.filter(|content| !content.is_null()) else { return Ok(Vec::new()) };
    read_content(content.as_str()).map_err(|error| {
        wrong(field, format!("A `content` of `{field}` is neither a string nor a list of blocks."))
            .detail(error)
    })
}

fn system(fields: &mut Fields<'_>) -> Result<Vec<Text>> {
    let parts = parts(fields.take("system")?, "system")?;
    let texts = parts.into_iter().filter_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    Ok(texts.collect())
}

#[derive(Deserialize)]
struct MessageIn {
    role: String,
    content: Option<Json>,
}

fn messages(fields: &mut Fields<'_>) -> Result<Vec<Message>> {
    let read: Vec<MessageIn> =
        fields.take("messages")?.ok_or_else(|| wrong("messages", "`messages` is missing."))?;
    let mut messages = Vec::with_capacity(read.len());
    for message in read {
        let role = match message.role.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => return Err(wrong("messages", "A message's `role` must be \"user\" or \"assistant\".")),
        };
        let mut parts = parts(message.content, "messages")?;
        if role != Role::Assistant {
            let is_result = |part: &mut Part| matches!(part, Part::ToolResult(_));
            let results: Vec<Part> = parts.extract_if(.., is_result).collect();
            if !results.is_empty() {
                messages.push(Message { role: Role::Tool, name: None, parts: results });
                if parts.is_empty() {
                    continue;
                }
            }
        }
        messages.push(Message { role, name: None, parts });
    }
    Ok(messages)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ToolIn {
    r#type: Option<String>,
    name: Option<String>,
    description: Option<String>,
    input_schema: Option<Json>,
    strict: Option<bool>,
    cache_control: Option<CacheControl>,
}

fn tools(fields: &mut Fields<'_>) -> Result<(Vec<Tool>, Vec<HostedTool>)> {
    let (mut tools, mut hosted) = (Vec::new(), Vec::new());
    let read: Vec<Json> = fields.take("tools")?.unwrap_or_default();
    for json in read {
        let tool: ToolIn = json.read().ok_or_else(|| wrong("tools", "A tool cannot be read."))?;
        match tool.r#type {
            Some(kind) if kind != "custom" => {
                hosted.push(HostedTool { dialect: Dialect::Anthropic, kind, json });
            }
            _ => tools.push(Tool {
                name: tool.name.ok_or_else(|| wrong("tools", "A tool has no `name`."))?,
                description: tool.description,
                schema: tool.input_schema,
                strict: tool.strict,
                cache: tool.cache_control.map(CacheControl::hint),
            }),
        }
    }
    Ok((tools, hosted))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChoiceIn {
    r#type: Option<String>,
    name: Option<String>,
    disable_parallel_tool_use: Option<bool>,
}

impl ChoiceIn {
    fn canonical(self) -> Result<Option<ToolChoice>> {
        Ok(Some(match (self.r#type.as_deref(), self.name) {
            (None, _) => return Ok(None),
            (Some("auto"), _) => ToolChoice::Auto,
            (Some("any"), _) => ToolChoice::Required,
            (Some("none"), _) => ToolChoice::None,
            (Some("tool"), Some(name)) => ToolChoice::Named(name),
            _ => {
                let public =
                    "`tool_choice` must be of type \"auto\", \"any\", \"none\" or \"tool\" with a `name`.";
                return Err(wrong("tool_choice", public));
            }
        }))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ThinkingIn {
    r#type: Option<String>,
    budget_tokens: Option<u64>,
    display: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OutputConfig {
    effort: Option<String>,
    format: Option<Format>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Format {
    schema: Option<Json>,
}

fn output_and_reasoning(fields: &mut Fields<'_>) -> Result<(Output, Reasoning)> {
    let config: OutputConfig = fields.take("output_config")?.unwrap_or_default();
    // The name of the field before structured outputs were part of `output_config`.
    let format: Option<Format> = fields.take("output_format")?;
    let thinking: ThinkingIn = fields.take("thinking")?.unwrap_or_default();
    let schema = config.format.or(format).and_then(|format| format.schema);
    let output = schema.map_or(Output::Text, |schema| Output::JsonSchema {
        name: "response".to_owned(),
        description: None,
        schema,
        strict: Some(true),
    });
    let unknown = || wrong("output_config", "`effort` must be one of low, medium, high, xhigh, max.");
    let effort = config.effort.map(|word| Effort::parse(&word).ok_or_else(unknown)).transpose()?;
    let mode = match thinking.r#type.as_deref() {
        None => None,
        Some("enabled") => Some(ThinkingMode::Enabled),
        Some("disabled") => Some(ThinkingMode::Disabled),
        Some("adaptive") => Some(ThinkingMode::Adaptive),
        Some("between_tools") => Some(ThinkingMode::BetweenTools),
        Some(_) => return Err(wrong("thinking", "The `type` of `thinking` is not known.")),
    };
    let show = match thinking.display.as_deref() {
        Some("omitted") => Some(Show::Omitted),
        Some(_) => Some(Show::Summarized),
        None => None,
    };
    Ok((output, Reasoning { mode, effort, budget_tokens: thinking.budget_tokens, show }))
}
