//! A caller's body, read into the canonical request.

use super::item_in;
use crate::chat::{
    Dialect, Effort, Extra, Fields, HostedTool, Json, Output, Reasoning, Request, Sampling, Show, Text, Tool,
    ToolChoice,
};
use crate::error::{Failure, Kind, Result};
use serde::Deserialize;

/// Fields that say what the hub does with the answer, or that mean nothing to
/// a vendor of another dialect. What an answer is kept for is decided elsewhere.
const SILENT: &[&str] =
    &["store", "include", "previous_response_id", "background", "conversation", "stream_options"];

/// Reads a caller's body whose conversation is whole: what came before has been put into `input`.
///
/// # Errors
/// [`Kind::InvalidRequest`], naming the field: no JSON, a wrong type, an
/// unknown role, or what only a vendor with this dialect can do.
pub fn request_in(body: &[u8]) -> Result<Request> {
    let mut fields = Fields::read(body)?;
    for name in SILENT {
        let _ = fields.take_raw(name);
    }
    if fields.take::<Json>("prompt")?.is_some() {
        return Err(wrong("prompt", "The model that serves this request knows no stored prompts."));
    }
    let input: Option<Json> = fields.take("input")?;
    let (mut leading, messages) = input.map(|input| item_in::read(&input)).transpose()?.unwrap_or_default();
    let mut system = instructions(&mut fields)?;
    system.append(&mut leading);
    let (mut tools, hosted_tools) = tools(&mut fields)?;
    let tool_choice = choice(&mut fields, &mut tools)?;
    let mut text: TextIn = fields.take("text")?.unwrap_or_default();
    let end_user: Option<String> = fields.take("user")?;
    let safety_identifier: Option<String> = fields.take("safety_identifier")?;
    if fields.peek("truncation").is_some_and(|raw| raw.get() == "\"disabled\"") {
        fields.take_raw("truncation");
    }
    let verbosity = text.verbosity.take().filter(|json| !json.is_null());
    Ok(Request {
        dialect: Some(Dialect::OpenAiResponses),
        model: fields.take("model")?.unwrap_or_default(),
        system,
        messages,
        tools,
        hosted_tools,
        tool_choice,
        parallel_tool_calls: fields.take("parallel_tool_calls")?,
        output: text.output()?,
        sampling: Sampling {
            temperature: fields.take("temperature")?,
            top_p: fields.take("top_p")?,
            max_output_tokens: fields.take("max_output_tokens")?,
            ..Sampling::default()
        },
        reasoning: reasoning(&mut fields)?,
        user: end_user.or(safety_identifier),
        metadata: fields.take::<Json>("metadata")?.filter(|json| json.as_str() != "{}"),
        service_tier: fields.take("service_tier")?,
        stream: fields.take("stream")?.unwrap_or(false),
        include_usage: true,
        cache: None,
        extra: {
            let verbosity = verbosity.map(|json| Extra { name: "text.verbosity".to_owned(), json });
            verbosity.into_iter().chain(fields.rest()).collect()
        },
    })
}

fn wrong(field: &'static str, public: impl Into<String>) -> Failure {
    Failure::new(Kind::InvalidRequest, public.into()).param(field)
}

/// A text; OpenAI's own answers have a list of items there.
fn instructions(fields: &mut Fields<'_>) -> Result<Vec<Text>> {
    let Some(json) = fields.take::<Json>("instructions")? else { return Ok(Vec::new()) };
    match json.read::<String>() {
        Some(text) if text.is_empty() => Ok(Vec::new()),
        Some(text) => Ok(vec![Text { text, ..Text::default() }]),
        None => Err(wrong("instructions", "`instructions` must be a string.")),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ToolIn {
    r#type: String,
    name: Option<String>,
    description: Option<String>,
    parameters: Option<Json>,
    strict: Option<bool>,
    format: Option<FormatIn>,
}

/// What the input of a free-form tool has to look like.
#[derive(Default, Deserialize)]
#[serde(default)]
struct FormatIn {
    definition: Option<String>,
    syntax: Option<String>,
}

fn tools(fields: &mut Fields<'_>) -> Result<(Vec<Tool>, Vec<HostedTool>)> {
    let (mut tools, mut hosted) = (Vec::new(), Vec::new());
    let read: Vec<Json> = fields.take("tools")?.unwrap_or_default();
    for json in read {
        let tool: ToolIn = json.read().ok_or_else(|| wrong("tools", "One of `tools` cannot be read."))?;
        let name = || tool.name.clone().ok_or_else(|| wrong("tools", "One of `tools` has no `name`."));
        match tool.r#type.as_str() {
            "function" => tools.push(Tool {
                name: name()?,
                description: tool.description,
                schema: tool.parameters.filter(|json| !json.is_null()),
                strict: tool.strict,
                cache: None,
            }),
            "custom" => {
                let name = name()?;
                tools.push(free_form(name, tool));
            }
            "" => return Err(wrong("tools", "One of `tools` has no `type`.")),
            kind => {
                let kind = kind.to_owned();
                hosted.push(HostedTool { dialect: Dialect::OpenAiResponses, kind, json });
            }
        }
    }
    Ok((tools, hosted))
}

/// A tool that takes a text, as a function with one argument.
fn free_form(name: String, tool: ToolIn) -> Tool {
    let grammar = tool.format.and_then(|format| {
        let syntax = format.syntax.unwrap_or_else(|| "a".to_owned());
        format.definition.map(|text| format!("`input` must match this {syntax} grammar:\n{text}"))
    });
    let description: Vec<String> = tool.description.into_iter().chain(grammar).collect();
    Tool {
        name,
        description: (!description.is_empty()).then(|| description.join("\n\n")),
        schema: Some(Json::of(&serde_json::json!({
            "type": "object", "properties": { "input": { "type": "string" } },
            "required": ["input"], "additionalProperties": false,
        }))),
        strict: None,
        cache: None,
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ChoiceIn {
    Word(String),
    Object(ChosenIn),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChosenIn {
    r#type: String,
    name: Option<String>,
    mode: Option<String>,
    tools: Vec<ToolIn>,
}

/// Of tools of which only some are allowed, the others are not sent.
fn choice(fields: &mut Fields<'_>, tools: &mut Vec<Tool>) -> Result<Option<ToolChoice>> {
    const FIELD: &str = "tool_choice";
    let word = |word: &str| match word {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" => Some(ToolChoice::Required),
        _ => None,
    };
    let unknown = || {
        let text = "`tool_choice` must be auto, none, required, a function, a custom tool or allowed_tools.";
        wrong(FIELD, text)
    };
    let chosen = match fields.take::<ChoiceIn>(FIELD)? {
        None => return Ok(None),
        Some(ChoiceIn::Word(text)) => return word(&text).map(Some).ok_or_else(unknown),
        Some(ChoiceIn::Object(chosen)) => chosen,
    };
    match (chosen.r#type.as_str(), chosen.name) {
        ("function" | "custom", Some(name)) => Ok(Some(ToolChoice::Named(name))),
        ("allowed_tools", _) => {
            let allowed: Vec<_> = chosen.tools.into_iter().filter_map(|tool| tool.name).collect();
            tools.retain(|tool| allowed.contains(&tool.name));
            if tools.is_empty() {
                return Err(wrong(FIELD, "`tool_choice` allows none of the `tools`."));
            }
            word(chosen.mode.as_deref().unwrap_or("auto")).map(Some).ok_or_else(unknown)
        }
        _ => Err(unknown()),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TextIn {
    format: Option<OutputIn>,
    verbosity: Option<Json>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OutputIn {
    r#type: String,
    name: Option<String>,
    description: Option<String>,
    schema: Option<Json>,
    strict: Option<bool>,
}

impl TextIn {
    fn output(self) -> Result<Output> {
        let Some(format) = self.format else { return Ok(Output::Text) };
        match (format.r#type.as_str(), format.schema) {
            ("text", _) => Ok(Output::Text),
            ("json_object", _) => Ok(Output::JsonObject),
            ("json_schema", Some(schema)) => Ok(Output::JsonSchema {
                name: format.name.unwrap_or_else(|| "response".to_owned()),
                description: format.description,
                schema,
                strict: format.strict,
            }),
            _ => Err(wrong(
                "text.format",
                "`text.format` must be text, json_object or json_schema with a `schema`.",
            )),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ReasoningIn {
    effort: Option<String>,
    summary: Option<String>,
    generate_summary: Option<String>,
}

fn reasoning(fields: &mut Fields<'_>) -> Result<Reasoning> {
    let read: ReasoningIn = fields.take("reasoning")?.unwrap_or_default();
    let unknown = || {
        let text = "`reasoning.effort` must be one of none, minimal, low, medium, high, xhigh, max.";
        wrong("reasoning.effort", text)
    };
    let effort = read.effort.map(|word| Effort::parse(&word).ok_or_else(unknown)).transpose()?;
    let show = match read.summary.or(read.generate_summary).as_deref() {
        None => None,
        Some("auto" | "concise") => Some(Show::Summarized),
        Some("detailed") => Some(Show::Detailed),
        Some(_) => {
            let text = "`reasoning.summary` must be auto, concise or detailed.";
            return Err(wrong("reasoning.summary", text));
        }
    };
    Ok(Reasoning { mode: None, effort, budget_tokens: None, show })
}
