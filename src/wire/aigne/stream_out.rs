//! A caller's stream, written from canonical events: deltas of texts, which
//! the client appends, and of values, which it assigns.

use super::answer_out::{write_call, write_file, write_finish};
use super::error::error_event;
use super::structured::value_of;
use super::telling::Telling;
use crate::chat::{Event, Finish, Object, Part, StreamOut, ToolCall, write_object};
use crate::error::Failure;
use crate::types::Usage;

/// Writes deltas. The stream ends with its body; a word for the end, as others
/// have it, would be an error to the client.
///
/// Calls, files and values cannot be appended to, so they are kept and written whole at the end.
pub struct StreamWriter {
    telling: Telling,
    calls: Vec<ToolCall>,
    files: Vec<Part>,
    /// The text of a value.
    text: String,
    usage: Option<Usage>,
    finish: Option<Finish>,
    refusal: Option<Failure>,
    over: bool,
}

fn write_delta(out: &mut Vec<u8>, kind: &str, members: impl FnOnce(&mut Object<'_>)) {
    out.extend_from_slice(b"data: ");
    write_object(out, |object| object.object("delta", |delta| delta.object(kind, members)));
    out.extend_from_slice(b"\n\n");
}

impl StreamWriter {
    /// A writer at the beginning of a stream.
    pub fn new(telling: Telling) -> Self {
        let (calls, files, text) = (Vec::new(), Vec::new(), String::new());
        Self { telling, calls, files, text, usage: None, finish: None, refusal: None, over: false }
    }

    fn write_text(&mut self, out: &mut Vec<u8>, text: &str) {
        if self.telling.tells.json {
            self.text.push_str(text);
        } else {
            write_delta(out, "text", |object| object.put("text", text));
        }
    }

    fn call(&mut self, index: usize) -> Option<&mut ToolCall> {
        self.calls.get_mut(index)
    }

    fn write_end(&mut self, out: &mut Vec<u8>) {
        self.over = true;
        if self.telling.tells.json && self.calls.is_empty() {
            match value_of(&self.text, self.finish.as_ref()) {
                Ok(value) => write_delta(out, "json", |object| object.put("json", &value)),
                Err(failure) => {
                    out.extend_from_slice(&error_event(&failure));
                    self.refusal = Some(failure);
                    return;
                }
            }
        } else if !self.text.is_empty() {
            write_delta(out, "text", |object| object.put("text", &self.text));
        }
        if !self.calls.is_empty() {
            let write = |object: &mut Object<'_>| {
                object.array("toolCalls", |array| self.calls.iter().for_each(|call| write_call(array, call)));
            };
            write_delta(out, "json", write);
        }
        if !self.files.is_empty() {
            let write = |object: &mut Object<'_>| {
                object.array("files", |array| self.files.iter().for_each(|part| write_file(array, part)));
            };
            write_delta(out, "json", write);
        }
        write_delta(out, "json", |object| {
            if let Some(usage) = &self.usage {
                object.object("usage", |object| self.telling.write_usage(object, usage));
            }
            self.telling.write_model(object);
            write_finish(object, self.finish.as_ref());
        });
    }
}

impl StreamOut for StreamWriter {
    fn emit(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            _ if self.over => {}
            Event::Start { .. } => {
                write_delta(out, "json", |object| object.put("model", &*self.telling.model));
            }
            Event::TextDelta(text) | Event::RefusalDelta(text) => self.write_text(out, text),
            Event::ThinkingDelta(text) => {
                write_delta(out, "text", |object| object.put("thoughts", text));
            }
            Event::ToolCallStart { id, name, signature, .. } => self.calls.push(ToolCall {
                id: id.clone(),
                name: name.clone(),
                signature: signature.clone(),
                ..ToolCall::default()
            }),
            Event::ToolCallDelta { index, fragment } => {
                if let Some(call) = self.call(*index) {
                    call.arguments.push_str(fragment);
                }
            }
            Event::Part(Part::Text(text)) => self.write_text(out, &text.text),
            Event::Part(part @ (Part::Image(_) | Part::Audio(_))) => self.files.push(part.clone()),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish(finish) => self.finish = Some(finish.clone()),
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::End => self.write_end(out),
            Event::PartStart(_)
            | Event::SignatureDelta(_)
            | Event::ToolCallEnd { .. }
            | Event::Part(_)
            | Event::Citation(_)
            | Event::Error(_) => {}
        }
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.over, true) {
            out.extend_from_slice(&error_event(failure));
        }
    }

    fn refusal(&mut self) -> Option<Failure> {
        self.refusal.take()
    }
}
