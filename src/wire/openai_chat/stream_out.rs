//! A caller's stream, written from canonical events.

use super::message_out::write_image_url;
use super::reasoning;
use super::response_out::{is_known, reason, write_citation, write_usage};
use crate::chat::{
    Delta, DeltaKind, Event, Finish, Object, Part, Signature, StreamOut, sign_call_id, write_array,
    write_object,
};
use crate::error::Failure;
use crate::types::Usage;
use crate::wire::openai::error_event;

/// What the caller wants of its stream.
#[derive(Clone, Debug, Default)]
pub struct StreamOptions {
    /// `stream_options.include_usage`.
    pub include_usage: bool,
    /// Seconds since the Unix epoch, where the vendor does not say.
    pub created: i64,
    /// The model to name, in place of the vendor's name for it.
    pub model: Option<String>,
    /// Which of several answers it is, from 0.
    pub choice: u32,
}

/// What follows on the members of a delta that does not end the answer.
const CHUNK_END: &str = "},\"logprobs\":null,\"finish_reason\":null}]";

/// Writes chat completion chunks.
pub struct StreamWriter {
    options: StreamOptions,
    /// What each chunk begins with, up to its choices.
    head: Vec<u8>,
    /// What stands between the head and the members of a delta.
    start: String,
    /// Whether each call has had arguments.
    calls: Vec<bool>,
    usage: Option<Usage>,
    over: bool,
}

impl StreamWriter {
    /// A writer at the beginning of a stream.
    pub fn new(options: StreamOptions) -> Self {
        let start = format!(",\"choices\":[{{\"index\":{},\"delta\":{{", options.choice);
        let mut writer =
            Self { options, head: Vec::new(), start, calls: Vec::new(), usage: None, over: false };
        writer.set_head("", "", None);
        writer
    }

    fn set_head(&mut self, id: &str, model: &str, created: Option<i64>) {
        let model = self.options.model.as_deref().unwrap_or(model);
        self.head = b"data: ".to_vec();
        write_object(&mut self.head, |object| {
            object.put("id", if id.is_empty() { "chatcmpl-0" } else { id });
            object.put("object", "chat.completion.chunk");
            object.put("created", &created.unwrap_or(self.options.created));
            object.put("model", model);
        });
        self.head.pop(); // the object goes on
    }

    fn write_chunk(
        &self,
        out: &mut Vec<u8>,
        delta: impl FnOnce(&mut Object<'_>),
        finish_reason: Option<&'static str>,
    ) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":");
        write_array(out, |array| {
            array.object(|choice| {
                choice.put("index", &self.options.choice);
                choice.object("delta", delta);
                choice.put("logprobs", &());
                choice.put("finish_reason", &finish_reason);
            });
        });
        out.extend_from_slice(self.tail());
    }

    fn write_text(&self, out: &mut Vec<u8>, field: &str, text: &str) {
        self.write_chunk(out, |delta| delta.put(field, text), None);
    }

    /// The same as `write_chunk` with a delta of this text, by a shorter way.
    fn write_piece(&self, out: &mut Vec<u8>, field: &str, quoted: &str) {
        out.extend_from_slice(&self.head);
        for piece in [&self.start, "\"", field, "\":\"", quoted, "\"", CHUNK_END] {
            out.extend_from_slice(piece.as_bytes());
        }
        out.extend_from_slice(self.tail());
    }

    /// The same as `write_call` of a call that has begun, by a shorter way.
    fn write_arguments(&self, out: &mut Vec<u8>, index: usize, quoted: &str) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(self.start.as_bytes());
        out.extend_from_slice(b"\"tool_calls\":[{\"index\":");
        out.extend_from_slice(index.to_string().as_bytes());
        for piece in [",\"function\":{\"arguments\":\"", quoted, "\"}}]", CHUNK_END] {
            out.extend_from_slice(piece.as_bytes());
        }
        out.extend_from_slice(self.tail());
    }

    fn tail(&self) -> &'static [u8] {
        if self.options.include_usage { b",\"usage\":null}\n\n" } else { b"}\n\n" }
    }

    fn write_signature(&self, out: &mut Vec<u8>, signature: &Signature) {
        self.write_chunk(
            out,
            |delta| {
                delta.array("reasoning_details", |array| reasoning::write_detail(array, "", Some(signature)));
            },
            None,
        );
    }

    fn write_call(&self, out: &mut Vec<u8>, index: usize, head: Option<(&str, &str)>, fragment: &str) {
        let call = |object: &mut Object<'_>| {
            object.put("index", &index);
            if let Some((id, _)) = head {
                object.put("id", id);
                object.put("type", "function");
            }
            object.object("function", |function| {
                function.put_some("name", head.map(|(_, name)| name));
                function.put("arguments", fragment);
            });
        };
        self.write_chunk(out, |delta| delta.array("tool_calls", |array| array.object(call)), None);
    }

    /// A part that comes whole; one that the dialect cannot say is left out.
    fn write_part(&self, out: &mut Vec<u8>, part: &Part) {
        match part {
            Part::Image(image) => self.write_chunk(
                out,
                |delta| {
                    delta.array("images", |array| array.object(|object| write_image_url(object, image)));
                },
                None,
            ),
            Part::RedactedThinking { data, origin } => self.write_chunk(
                out,
                |delta| {
                    delta.array("reasoning_details", |array| {
                        reasoning::write_redacted(array, data, *origin);
                    });
                },
                None,
            ),
            Part::Text(text) if !text.text.is_empty() => self.write_text(out, "content", &text.text),
            _ => {}
        }
    }

    fn write_end(&mut self, out: &mut Vec<u8>) {
        let usage = self.usage.filter(|_| self.options.include_usage);
        if let Some(usage) = usage {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b",\"choices\":[],\"usage\":");
            write_object(out, |object| write_usage(object, &usage));
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
        self.over = true;
    }

    fn write_finish(&self, out: &mut Vec<u8>, finish: &Finish) {
        // A failure is never to look like a stop.
        if let Some(reason) = reason(finish, !self.calls.is_empty()) {
            self.write_chunk(out, |_| (), Some(reason));
        }
    }

    fn mark_arguments(&mut self, index: usize) -> bool {
        self.calls.get_mut(index).is_some_and(|seen| std::mem::replace(seen, true))
    }
}

impl StreamOut for StreamWriter {
    fn emit(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model, created } => {
                self.set_head(id, model, *created);
                let role = |delta: &mut Object<'_>| {
                    delta.put("role", "assistant");
                    delta.put("content", "");
                };
                self.write_chunk(out, role, None);
            }
            Event::TextDelta(text) => self.write_text(out, "content", text),
            Event::RefusalDelta(text) => self.write_text(out, "refusal", text),
            Event::ThinkingDelta(text) => self.write_text(out, "reasoning_content", text),
            Event::SignatureDelta(signature) => self.write_signature(out, signature),
            Event::ToolCallStart { index, id, name, signature } => {
                self.calls.resize(self.calls.len().max(index.saturating_add(1)), false);
                let id = sign_call_id(id, signature.as_ref());
                self.write_call(out, *index, Some((&id, name)), "");
            }
            Event::ToolCallDelta { index, fragment } => {
                self.mark_arguments(*index);
                self.write_call(out, *index, None, fragment);
            }
            Event::ToolCallEnd { index } => {
                if !self.mark_arguments(*index) {
                    self.write_call(out, *index, None, "{}");
                }
            }
            Event::Part(part) => self.write_part(out, part),
            Event::Citation(citation) if is_known(citation) => {
                let write = |delta: &mut Object<'_>| {
                    delta.array("annotations", |array| write_citation(array, citation));
                };
                self.write_chunk(out, write, None);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish(finish) => self.write_finish(out, finish),
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::End => self.write_end(out),
            Event::PartStart(_) | Event::Citation(_) | Event::Error(_) => {}
        }
    }

    fn delta(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        let text = delta.text.as_str();
        match delta.kind {
            _ if self.over => {}
            DeltaKind::Text => self.write_piece(out, "content", text),
            DeltaKind::Thinking => self.write_piece(out, "reasoning_content", text),
            DeltaKind::Arguments(index) => {
                self.mark_arguments(index);
                self.write_arguments(out, index, text);
            }
        }
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.over, true) {
            out.extend_from_slice(&error_event(failure));
        }
    }
}
