//! A caller's body, read into the canonical request.

use super::config_in::{self, json_schema};
use super::part_in::{CallIds, PartIn, ResultIn};
use super::response_in::push;
use crate::chat::{
    Dialect, Fields, HostedTool, Json, Message, Part, Request, Role, Text, Tool, ToolChoice, ToolResult,
};
use crate::error::{Failure, Kind, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContentIn {
    role: Option<String>,
    parts: Vec<PartIn>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct FunctionIn {
    name: String,
    description: Option<String>,
    parameters: Option<Value>,
    #[serde(alias = "parameters_json_schema")]
    parameters_json_schema: Option<Json>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ToolConfig {
    #[serde(alias = "function_calling_config")]
    function_calling_config: Option<CallingConfig>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CallingConfig {
    mode: Option<String>,
    #[serde(alias = "allowed_function_names")]
    allowed_function_names: Option<Vec<String>>,
}

/// Reads a caller's body, in which the model and the wish for a stream have been put from the path.
///
/// # Errors
/// [`Kind::InvalidRequest`] that names the field.
pub fn request_in(body: &[u8]) -> Result<Request> {
    let mut fields = Fields::read(body)?;
    let stream = fields.take("stream")?.unwrap_or(false);
    let mut request = Request {
        dialect: Some(Dialect::Gemini),
        model: fields.take("model")?.unwrap_or_default(),
        stream,
        include_usage: stream,
        ..Request::default()
    };
    if let Some(content) = either(&mut fields, "systemInstruction", "system_instruction")? {
        request.system = system(content)?;
    }
    let contents = fields.take("contents")?.ok_or_else(|| wrong("contents", "`contents` is missing."))?;
    request.messages = messages(contents)?;
    for tool in fields.take::<Vec<Json>>("tools")?.unwrap_or_default() {
        read_tool(&tool, &mut request)?;
    }
    if let Some(config) = either::<ToolConfig>(&mut fields, "toolConfig", "tool_config")? {
        request.tool_choice = config.function_calling_config.and_then(choice);
    }
    if let Some(config) = either(&mut fields, config_in::CONFIG, "generation_config")? {
        config_in::read(config, &mut request)?;
    }
    request.extra.extend(fields.rest());
    Ok(request)
}

/// A member by either of the two names that the vendor takes.
fn either<'a, T: Deserialize<'a>>(
    fields: &mut Fields<'a>,
    name: &'static str,
    other: &'static str,
) -> Result<Option<T>> {
    match fields.take(name)? {
        Some(value) => Ok(Some(value)),
        None => fields.take(other),
    }
}

fn wrong(field: &'static str, public: &'static str) -> Failure {
    Failure::new(Kind::InvalidRequest, public).param(field)
}

fn system(content: ContentIn) -> Result<Vec<Text>> {
    let mut ids = CallIds::default();
    let mut parts = Vec::new();
    for part in content.parts {
        let said =
            part.read().ok_or_else(|| wrong("systemInstruction", "It holds a part of an unknown kind."))?;
        push(said, &mut ids, &mut parts);
    }
    let texts = parts.into_iter().filter_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    Ok(texts.collect())
}

fn messages(contents: Vec<ContentIn>) -> Result<Vec<Message>> {
    // The same ones each time, so that a prompt cache sees the same conversation.
    let mut ids = CallIds::new("given");
    // The calls of each tool that have no result yet, for results that name no call.
    let mut open: HashMap<String, Vec<String>> = HashMap::new();
    let mut messages = Vec::with_capacity(contents.len());
    for content in contents {
        let role = if content.role.as_deref() == Some("model") { Role::Assistant } else { Role::User };
        let (mut parts, mut results) = (Vec::new(), Vec::new());
        for mut part in content.parts {
            if let Some(result) = part.take_result() {
                results.push(tool_result(result, &mut open));
                continue;
            }
            let said = part
                .read()
                .ok_or_else(|| wrong("contents", "`contents` holds a part of an unknown kind."))?;
            push(said, &mut ids, &mut parts);
        }
        for part in &parts {
            if let Part::ToolCall(call) = part {
                open.entry(call.name.clone()).or_default().push(call.id.clone());
            }
        }
        if !results.is_empty() {
            messages.push(Message { role: Role::Tool, name: None, parts: results });
        } else if parts.is_empty() {
            continue;
        }
        if !parts.is_empty() {
            messages.push(Message { role, name: None, parts });
        }
    }
    Ok(messages)
}

/// A result, of the call it names or else of the first open call of its tool.
fn tool_result(result: ResultIn, open: &mut HashMap<String, Vec<String>>) -> Part {
    let (name, id, mut parts, is_error) = result.read();
    let calls = open.entry(name.clone()).or_default();
    let at = id.as_ref().map_or(Some(0), |id| calls.iter().position(|call| call == id));
    let found = at.filter(|at| *at < calls.len()).map(|at| calls.remove(at));
    let call_id = id.or(found).unwrap_or_else(|| name.clone());
    parts.retain(|part| !matches!(part, Part::Text(text) if text.text.is_empty()));
    Part::ToolResult(ToolResult { call_id, name: Some(name), parts, is_error, cache: None })
}

/// An entry holds functions of the caller's own, or one tool that the vendor runs.
fn read_tool(json: &Json, request: &mut Request) -> Result<()> {
    let unreadable = || wrong("tools", "`tools` holds an entry that cannot be read.");
    let members: serde_json::Map<String, Value> = json.read().ok_or_else(unreadable)?;
    for (kind, value) in members {
        if matches!(kind.as_str(), "functionDeclarations" | "function_declarations") {
            let functions: Vec<FunctionIn> = serde_json::from_value(value).map_err(|_| unreadable())?;
            request.tools.extend(functions.into_iter().map(tool));
        } else if !value.is_null() {
            let json = Json::of(&serde_json::json!({ kind.clone(): value }));
            request.hosted_tools.push(HostedTool { dialect: Dialect::Gemini, kind, json });
        }
    }
    Ok(())
}

fn tool(function: FunctionIn) -> Tool {
    let schema = function.parameters_json_schema.or(function.parameters.map(json_schema));
    let schema = schema.filter(Json::is_object);
    Tool { name: function.name, description: function.description, schema, strict: None, cache: None }
}

fn choice(config: CallingConfig) -> Option<ToolChoice> {
    let names = config.allowed_function_names.unwrap_or_default();
    match config.mode?.to_ascii_uppercase().as_str() {
        "AUTO" | "VALIDATED" => Some(ToolChoice::Auto),
        "NONE" => Some(ToolChoice::None),
        "ANY" => match <[String; 1]>::try_from(names) {
            Ok([name]) => Some(ToolChoice::Named(name)),
            Err(_) => Some(ToolChoice::Required),
        },
        _ => None,
    }
}
