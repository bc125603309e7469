//! OpenAI's Responses: requests written as its clients write them, and whole answers read.

use super::{answer, call, data_of, list, text, thoughts, value, value_of};
use aigne_hub::chat::{Adapted, Finish, Message, Part, Request, Response, Role, ToolChoice, plain_text};
use aigne_hub::error::Result;
use aigne_hub::types::Usage;
use serde_json::{Value, json};

/// The dialect has no texts that end an answer.
pub fn request_out(request: &Request, _adapted: &mut Adapted) -> Result<Vec<u8>> {
    let input: Vec<Value> = request.messages.iter().flat_map(items).collect();
    let mut body = json!({ "model": request.model, "input": input, "stream": request.stream });
    let system: Vec<&str> = request.system.iter().map(|text| text.text.as_str()).collect();
    if !system.is_empty() {
        body["instructions"] = json!(system.join("\n\n"));
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({
                "type": "function", "name": tool.name, "description": tool.description,
                "parameters": tool.schema_or_empty(),
            })
        });
        body["tools"] = tools.collect();
    }
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => body["tool_choice"] = json!("auto"),
        Some(ToolChoice::None) => body["tool_choice"] = json!("none"),
        Some(ToolChoice::Required) => body["tool_choice"] = json!("required"),
        Some(ToolChoice::Named(name)) => body["tool_choice"] = json!({ "type": "function", "name": name }),
    }
    body["temperature"] = json!(request.sampling.temperature);
    body["max_output_tokens"] = json!(request.sampling.max_output_tokens);
    Ok(body.to_string().into_bytes())
}

fn items(message: &Message) -> Vec<Value> {
    let (role, kind) = match message.role {
        Role::Assistant => ("assistant", "output_text"),
        Role::System => ("system", "input_text"),
        Role::User | Role::Tool => ("user", "input_text"),
    };
    let (mut items, mut content) = (Vec::new(), Vec::new());
    for part in &message.parts {
        match part {
            Part::ToolCall(call) => items.push(json!({
                "type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments,
            })),
            Part::ToolResult(result) => items.push(json!({
                "type": "function_call_output", "call_id": result.call_id,
                "output": plain_text(&result.parts),
            })),
            Part::Image(image) => {
                let url = format!("data:image/png;base64,{}", data_of(image));
                content.push(json!({ "type": "input_image", "image_url": url }));
            }
            other => content.push(json!({ "type": kind, "text": plain_text(std::slice::from_ref(other)) })),
        }
    }
    if !content.is_empty() {
        items.insert(0, json!({ "type": "message", "role": role, "content": content }));
    }
    items
}

pub fn response_in(body: &[u8]) -> Result<Response> {
    let body = value(body);
    let mut parts = Vec::new();
    for item in list(&body["output"]) {
        match item["type"].as_str() {
            Some("reasoning") => {
                parts.extend(list(&item["summary"]).iter().map(|one| thoughts(text(&one["text"]))));
            }
            Some("function_call") => {
                let arguments = value_of(&text(&item["arguments"]));
                parts.push(call(&item["call_id"], &item["name"], &arguments));
            }
            _ => parts.extend(list(&item["content"]).iter().map(|one| Part::text(text(&one["text"])))),
        }
    }
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = match body["status"].as_str() {
        Some("incomplete") => Finish::Length,
        _ if calls => Finish::ToolCalls,
        _ => Finish::Stop,
    };
    let (told, number) = (&body["usage"], |value: &Value| value.as_u64().unwrap_or_default());
    let cache_read = number(&told["input_tokens_details"]["cached_tokens"]);
    let reasoning = number(&told["output_tokens_details"]["reasoning_tokens"]);
    let usage = Usage {
        input: number(&told["input_tokens"]).saturating_sub(cache_read),
        cache_read,
        output: number(&told["output_tokens"]).saturating_sub(reasoning),
        reasoning,
        ..Usage::default()
    };
    Ok(answer(parts, finish, usage))
}
