//! AIGNE's client: its requests written, and its answers read as it reads them.

use super::{answer, call, data_of, list, text, thoughts, value, value_of};
use aigne_hub::chat::{
    Adapted, Event, Finish, Message, Part, Request, Response, Role, StreamError, StreamIn, ToolChoice,
    plain_text,
};
use aigne_hub::error::Result;
use aigne_hub::types::Usage;
use serde_json::{Value, json};

pub fn request_out(request: &Request, _adapted: &mut Adapted) -> Result<Vec<u8>> {
    let mut messages: Vec<Value> =
        request.system.iter().map(|text| json!({ "role": "system", "content": text.text })).collect();
    messages.extend(request.messages.iter().flat_map(written));
    let sampling = &request.sampling;
    let mut options = json!({ "model": request.model });
    for (name, wish) in [
        ("temperature", json!(sampling.temperature)),
        ("maxTokens", json!(sampling.max_output_tokens)),
        ("stop", json!(sampling.stop)),
    ] {
        if !wish.is_null() {
            options[name] = wish;
        }
    }
    let mut input = json!({ "messages": messages, "modelOptions": options, "outputFileType": "url" });
    if !request.tools.is_empty() {
        let tools: Vec<Value> = request.tools.iter().map(tool).collect();
        input["tools"] = json!(tools);
    }
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => input["toolChoice"] = json!("auto"),
        Some(ToolChoice::None) => input["toolChoice"] = json!("none"),
        Some(ToolChoice::Required) => input["toolChoice"] = json!("required"),
        Some(ToolChoice::Named(name)) => {
            input["toolChoice"] = json!({ "type": "function", "function": { "name": name } });
        }
    }
    let body = json!({
        "input": input, "agent": "$CHAT_MODEL",
        "options": { "streaming": request.stream, "userContext": {}, "memories": [] },
    });
    Ok(body.to_string().into_bytes())
}

fn tool(tool: &aigne_hub::chat::Tool) -> Value {
    let mut function = json!({ "name": tool.name, "parameters": tool.schema_or_empty() });
    if let Some(description) = &tool.description {
        function["description"] = json!(description);
    }
    json!({ "type": "function", "function": function })
}

fn written(message: &Message) -> Vec<Value> {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "agent",
        Role::System => "system",
        Role::Tool => {
            let results = message.parts.iter().filter_map(|part| match part {
                Part::ToolResult(result) => Some(json!({
                    "role": "tool", "toolCallId": result.call_id, "content": plain_text(&result.parts),
                })),
                _ => None,
            });
            return results.collect();
        }
    };
    let (mut content, mut calls) = (Vec::new(), Vec::new());
    for part in &message.parts {
        match part {
            Part::Image(image) => {
                content.push(json!({ "type": "file", "mimeType": "image/png", "data": data_of(image) }));
            }
            Part::ToolCall(call) => calls.push(json!({
                "id": call.id, "type": "function",
                "function": { "name": call.name, "arguments": value_of(&call.arguments) },
            })),
            other => content.push(json!({ "type": "text", "text": plain_text(std::slice::from_ref(other)) })),
        }
    }
    let mut message = json!({ "role": role, "content": content });
    if !calls.is_empty() {
        message["toolCalls"] = json!(calls);
    }
    vec![message]
}

fn usage(told: &Value) -> Usage {
    let (input, cached) = (told["inputTokens"].as_u64(), told["cacheReadInputTokens"].as_u64());
    let cache_read = cached.unwrap_or_default();
    let input = input.unwrap_or_default().saturating_sub(cache_read);
    let output = told["outputTokens"].as_u64().unwrap_or_default();
    Usage { input, cache_read, output, ..Usage::default() }
}

fn calls(told: &Value) -> impl Iterator<Item = Part> + '_ {
    list(told).iter().map(|one| {
        let function = &one["function"];
        call(&one["id"], &function["name"], &function["arguments"])
    })
}

fn finish(told: &Value, calls: bool) -> Finish {
    match told.as_str() {
        Some("length") => Finish::Length,
        Some("content_filter") => Finish::ContentFilter,
        _ if calls => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

pub fn response_in(body: &[u8]) -> Result<Response> {
    let body = value(body);
    let mut parts: Vec<Part> =
        body["thoughts"].as_str().map(|text| thoughts(text.to_owned())).into_iter().collect();
    parts.extend(body["text"].as_str().map(Part::text));
    parts.extend(calls(&body["toolCalls"]));
    let called = !list(&body["toolCalls"]).is_empty();
    Ok(answer(parts, finish(&body["finishReason"], called), usage(&body["usage"])))
}

/// Reads deltas as the client merges them.
#[derive(Default)]
pub struct StreamReader {
    calls: usize,
    finish: Value,
    over: bool,
}

impl StreamIn for StreamReader {
    fn feed(&mut self, name: Option<&[u8]>, data: &[u8], out: &mut Vec<Event>) -> Result<()> {
        if self.over {
            return Ok(());
        }
        let read = value(data);
        if name == Some(b"error") {
            self.over = true;
            let message = text(&read["message"]);
            out.push(Event::Error(StreamError { message, ..StreamError::default() }));
            return Ok(());
        }
        let (texts, values) = (&read["delta"]["text"], &read["delta"]["json"]);
        let said = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        out.extend(said(&texts["thoughts"]).map(Event::ThinkingDelta));
        out.extend(said(&texts["text"]).map(Event::TextDelta));
        for part in calls(&values["toolCalls"]) {
            let (Part::ToolCall(call), index) = (part, self.calls) else { continue };
            self.calls += 1;
            out.push(Event::ToolCallStart { index, id: call.id, name: call.name, signature: None });
            out.push(Event::ToolCallDelta { index, fragment: call.arguments });
            out.push(Event::ToolCallEnd { index });
        }
        if values["usage"].is_object() {
            out.push(Event::Usage(usage(&values["usage"])));
        }
        if !values["finishReason"].is_null() {
            self.finish = values["finishReason"].clone();
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<()> {
        if !self.over {
            out.extend([Event::Finish(finish(&self.finish, self.calls > 0)), Event::End]);
        }
        Ok(())
    }
}
