//! Converse: its requests read, its answers and streams written.

use super::{call, list, png, says, text, value, value_of};
use aigne_hub::chat::{
    Event, Finish, Json, Message, Part, Request, Response, Role, StreamOut, Text, Tool, ToolChoice,
    ToolResult,
};
use aigne_hub::error::{Failure, Result};
use aigne_hub::types::Usage;
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message as FrameOf};
use serde_json::{Value, json};

pub fn request_in(body: &[u8]) -> Result<Request> {
    let body = value(body);
    let config = &body["inferenceConfig"];
    let mut request = Request { model: "m".into(), ..Request::default() };
    let system = list(&body["system"]).iter().filter(|block| !is_mark(block));
    request.system = system.map(|block| Text { text: text(&block["text"]), ..Text::default() }).collect();
    request.messages = list(&body["messages"]).iter().flat_map(messages).collect();
    request.tools =
        list(&body["toolConfig"]["tools"]).iter().filter(|tool| !is_mark(tool)).map(tool).collect();
    request.tool_choice = match &body["toolConfig"]["toolChoice"] {
        Value::Null => None,
        choice if choice["any"].is_object() => Some(ToolChoice::Required),
        choice => Some(ToolChoice::Named(text(&choice["tool"]["name"]))),
    };
    request.sampling.temperature = config["temperature"].as_f64();
    request.sampling.max_output_tokens = config["maxTokens"].as_u64();
    request.sampling.stop = list(&config["stopSequences"]).iter().map(text).collect();
    Ok(request)
}

/// A place where a prompt cache may end.
fn is_mark(block: &Value) -> bool {
    block["cachePoint"].is_object()
}

fn tool(tool: &Value) -> Tool {
    let spec = &tool["toolSpec"];
    Tool {
        name: text(&spec["name"]),
        description: spec["description"].as_str().map(str::to_owned),
        schema: Some(Json::of(&spec["inputSchema"]["json"])),
        ..Tool::default()
    }
}

/// A turn; results of tools are messages of their own.
fn messages(message: &Value) -> Vec<Message> {
    let assistant = message["role"] == "assistant";
    let parts: Vec<Part> =
        list(&message["content"]).iter().filter(|block| !is_mark(block)).map(part).collect();
    let (results, said): (Vec<Part>, Vec<Part>) =
        parts.into_iter().partition(|part| matches!(part, Part::ToolResult(_)));
    let role = if assistant { Role::Assistant } else { Role::User };
    let both = [says(Role::Tool, results), says(role, said)];
    both.into_iter().filter(|message| !message.parts.is_empty()).collect()
}

fn part(block: &Value) -> Part {
    let used = &block["toolUse"];
    if used.is_object() {
        return call(&used["toolUseId"], &used["name"], &used["input"]);
    }
    let result = &block["toolResult"];
    if result.is_object() {
        let parts = list(&result["content"]).iter().map(part).collect();
        let call_id = text(&result["toolUseId"]);
        return Part::ToolResult(ToolResult { call_id, parts, ..ToolResult::default() });
    }
    match &block["image"]["source"]["bytes"] {
        Value::Null => Part::text(text(&block["text"])),
        bytes => png(text(bytes)),
    }
}

fn reason(finish: Option<&Finish>) -> &'static str {
    match finish {
        Some(Finish::ToolCalls) => "tool_use",
        Some(Finish::Length) => "max_tokens",
        _ => "end_turn",
    }
}

fn counts(usage: Option<&Usage>) -> Value {
    let usage = usage.copied().unwrap_or_default();
    json!({
        "inputTokens": usage.input, "cacheReadInputTokens": usage.cache_read,
        "outputTokens": usage.output_tokens(), "totalTokens": usage.total_tokens(),
    })
}

pub fn response_out(response: &Response) -> Vec<u8> {
    let choice = response.first();
    let blocks: Vec<Value> = choice
        .parts
        .iter()
        .map(|part| match part {
            Part::Thinking(t) => json!({ "reasoningContent": { "reasoningText": { "text": t.text } } }),
            Part::ToolCall(call) => json!({ "toolUse": {
                "toolUseId": call.id, "name": call.name, "input": value_of(&call.arguments),
            } }),
            other => json!({ "text": aigne_hub::chat::plain_text(std::slice::from_ref(other)) }),
        })
        .collect();
    let message = json!({ "role": "assistant", "content": blocks });
    let body = json!({
        "output": { "message": message }, "stopReason": reason(choice.finish.as_ref()),
        "usage": counts(response.usage.as_ref()),
    });
    body.to_string().into_bytes()
}

/// A frame as the vendor writes it.
pub fn frame(name: &str, payload: &[u8], out: &mut Vec<u8>) {
    let (kind, named, name) = match name.strip_prefix("exception:") {
        Some(failure) => ("exception", ":exception-type", failure),
        None => ("event", ":event-type", name),
    };
    let mut message = FrameOf::new(payload.to_vec());
    for (header, value) in [(named, name), (":content-type", "application/json"), (":message-type", kind)] {
        let value = HeaderValue::String(value.to_owned().into());
        message = message.add_header(Header::new(header.to_owned(), value));
    }
    // A name that is no header's value makes no frame.
    _ = write_message_to(&message, out);
}

/// Frames of a text whose lines are a name, a blank and a payload each.
pub fn frames_of(lines: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let at = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (name, payload) = line.split_at(at);
        if let (Ok(name), false) = (std::str::from_utf8(name), line.is_empty()) {
            frame(name, payload.trim_ascii_start(), &mut out);
        }
    }
    out
}

#[derive(Clone, Copy, PartialEq)]
enum Open {
    Nothing,
    Text,
    Thoughts,
}

/// Writes a stream of frames.
pub struct StreamWriter {
    open: Open,
    /// The number of the block that would begin next.
    next: u64,
    /// The blocks of the calls.
    calls: Vec<u64>,
    usage: Option<Usage>,
}

impl StreamWriter {
    pub fn new() -> Self {
        Self { open: Open::Nothing, next: 0, calls: Vec::new(), usage: None }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open != Open::Nothing {
            self.open = Open::Nothing;
            write(out, "contentBlockStop", &json!({ "contentBlockIndex": self.next - 1 }));
        }
    }

    fn say(&mut self, open: Open, delta: &Value, out: &mut Vec<u8>) {
        if self.open != open {
            self.close(out);
            self.open = open;
            self.next += 1;
        }
        let event = json!({ "contentBlockIndex": self.next - 1, "delta": delta });
        write(out, "contentBlockDelta", &event);
    }

    fn block(&self, call: usize) -> u64 {
        self.calls.get(call).copied().unwrap_or_default()
    }
}

fn write(out: &mut Vec<u8>, name: &str, payload: &Value) {
    frame(name, payload.to_string().as_bytes(), out);
}

impl StreamOut for StreamWriter {
    fn emit(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { .. } => write(out, "messageStart", &json!({ "role": "assistant" })),
            Event::TextDelta(text) => self.say(Open::Text, &json!({ "text": text }), out),
            Event::ThinkingDelta(text) => {
                self.say(Open::Thoughts, &json!({ "reasoningContent": { "text": text } }), out);
            }
            Event::ToolCallStart { id, name, .. } => {
                self.close(out);
                self.calls.push(self.next);
                let start = json!({ "toolUse": { "toolUseId": id, "name": name } });
                write(out, "contentBlockStart", &json!({ "contentBlockIndex": self.next, "start": start }));
                self.next += 1;
            }
            Event::ToolCallDelta { index, fragment } => {
                let delta = json!({ "toolUse": { "input": fragment } });
                let event = json!({ "contentBlockIndex": self.block(*index), "delta": delta });
                write(out, "contentBlockDelta", &event);
            }
            Event::ToolCallEnd { index } => {
                write(out, "contentBlockStop", &json!({ "contentBlockIndex": self.block(*index) }));
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish(finish) => {
                self.close(out);
                write(out, "messageStop", &json!({ "stopReason": reason(Some(finish)) }));
            }
            Event::End => write(out, "metadata", &json!({ "usage": counts(self.usage.as_ref()) })),
            _ => {}
        }
    }

    fn fail(&mut self, _failure: &Failure, out: &mut Vec<u8>) {
        write(out, "exception:internalServerException", &json!({ "message": "failed" }));
    }
}
