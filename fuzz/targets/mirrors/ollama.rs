//! Ollama's own API: its requests read, its answers and streams written.

use super::{call, data_of, list, png, says, text, value, value_of};
use aigne_hub::chat::{
    Event, Finish, Json, Message, Part, Request, Response, Role, StreamOut, Text, Tool, ToolCall, ToolResult,
};
use aigne_hub::error::{Failure, Result};
use aigne_hub::types::Usage;
use serde_json::{Value, json};

/// Ids of calls and the order of a message's parts are not told to this vendor.
pub fn request_in(body: &[u8]) -> Result<Request> {
    let body = value(body);
    let options = &body["options"];
    let mut request = Request { model: "m".into(), ..Request::default() };
    for message in list(&body["messages"]) {
        if message["role"] == "system" {
            request.system.push(Text { text: text(&message["content"]), ..Text::default() });
        } else {
            request.messages.push(read(message));
        }
    }
    request.tools = list(&body["tools"]).iter().map(tool).collect();
    request.sampling.temperature = options["temperature"].as_f64();
    request.sampling.max_output_tokens = options["num_predict"].as_u64();
    request.sampling.stop = list(&options["stop"]).iter().map(text).collect();
    Ok(request)
}

fn tool(tool: &Value) -> Tool {
    let function = &tool["function"];
    let description = text(&function["description"]);
    Tool {
        name: text(&function["name"]),
        description: Some(description).filter(|text| !text.is_empty()),
        schema: Some(Json::of(&function["parameters"])),
        ..Tool::default()
    }
}

fn read(message: &Value) -> Message {
    let content = text(&message["content"]);
    let images = list(&message["images"]).iter().map(|data| png(text(data)));
    if message["role"] == "tool" {
        let name = message["tool_name"].as_str().map(str::to_owned);
        let parts = vec![Part::text(content)];
        return says(Role::Tool, vec![Part::ToolResult(ToolResult { name, parts, ..ToolResult::default() })]);
    }
    let mut parts: Vec<Part> =
        Some(content).filter(|text| !text.is_empty()).map(Part::text).into_iter().collect();
    parts.extend(images);
    let calls = list(&message["tool_calls"]).iter().map(|one| &one["function"]);
    parts.extend(calls.map(|function| call(&Value::Null, &function["name"], &function["arguments"])));
    says(if message["role"] == "assistant" { Role::Assistant } else { Role::User }, parts)
}

fn said(parts: &[Part]) -> Value {
    let mut message = json!({ "role": "assistant", "content": aigne_hub::chat::plain_text(parts) });
    let calls: Vec<Value> = parts.iter().filter_map(called).collect();
    for part in parts {
        match part {
            Part::Thinking(thinking) => message["thinking"] = json!(thinking.text),
            Part::Image(image) => message["images"] = json!([data_of(image)]),
            _ => {}
        }
    }
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    message
}

fn called(part: &Part) -> Option<Value> {
    let Part::ToolCall(call) = part else { return None };
    let function = json!({ "name": call.name, "arguments": value_of(&call.arguments) });
    Some(json!({ "id": call.id, "function": function }))
}

fn last(message: &Value, finish: Option<&Finish>, usage: Option<&Usage>) -> Value {
    let reason = if finish == Some(&Finish::Length) { "length" } else { "stop" };
    let usage = usage.copied().unwrap_or_default();
    json!({
        "model": "m", "message": message, "done": true, "done_reason": reason,
        "prompt_eval_count": usage.input_tokens(), "eval_count": usage.output_tokens(),
    })
}

pub fn response_out(response: &Response) -> Vec<u8> {
    let choice = response.first();
    let body = last(&said(&choice.parts), choice.finish.as_ref(), response.usage.as_ref());
    body.to_string().into_bytes()
}

/// Writes a stream of lines.
#[derive(Default)]
pub struct StreamWriter {
    calls: Vec<ToolCall>,
    usage: Option<Usage>,
    finish: Option<Finish>,
}

fn line(out: &mut Vec<u8>, value: &Value) {
    out.extend_from_slice(value.to_string().as_bytes());
    out.push(b'\n');
}

fn more(out: &mut Vec<u8>, message: &Value) {
    line(out, &json!({ "model": "m", "message": message, "done": false }));
}

impl StreamOut for StreamWriter {
    fn emit(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::TextDelta(text) => more(out, &json!({ "role": "assistant", "content": text })),
            Event::ThinkingDelta(text) => {
                more(out, &json!({ "role": "assistant", "content": "", "thinking": text }));
            }
            Event::ToolCallStart { id, name, .. } => {
                let (id, name) = (id.clone(), name.clone());
                self.calls.push(ToolCall { id, name, ..ToolCall::default() });
            }
            Event::ToolCallDelta { index, fragment } => {
                if let Some(call) = self.calls.get_mut(*index) {
                    call.arguments.push_str(fragment);
                }
            }
            Event::ToolCallEnd { index } => {
                let call = self.calls.get(*index).cloned().unwrap_or_default();
                more(out, &said(&[Part::ToolCall(call)]));
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish(finish) => self.finish = Some(finish.clone()),
            Event::End => {
                let message = json!({ "role": "assistant", "content": "" });
                line(out, &last(&message, self.finish.as_ref(), self.usage.as_ref()));
            }
            _ => {}
        }
    }

    fn fail(&mut self, _failure: &Failure, out: &mut Vec<u8>) {
        line(out, &json!({ "error": "failed" }));
    }
}
