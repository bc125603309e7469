//! A caller's stream, written from canonical events: each chunk is an answer with what is new in it.

use super::error::error_body;
use super::said_out::{field, reason, write_part, write_thought, write_usage};
use crate::chat::{Array, Delta, DeltaKind, Event, Finish, Part, StreamOut, ToolCall, write_object};
use crate::error::Failure;
use crate::types::Usage;

/// How many bytes the arguments of all open calls may have; what is more is left out,
/// and its call then has no JSON but the text so far.
const MAX_ARGUMENT_BYTES: usize = 16 << 20;

/// Writes chunks of `streamGenerateContent?alt=sse`. Calls of tools are whole in this
/// dialect, so they wait until they are; the reason waits for the usage.
#[derive(Default)]
pub struct StreamWriter {
    model: Option<String>,
    vendor_model: String,
    id: String,
    calls: Vec<Option<ToolCall>>,
    argument_bytes: usize,
    usage: Option<Usage>,
    finish: Option<Finish>,
    over: bool,
    /// What a chunk is made of before and behind its parts, once it has been rendered.
    frame: Option<(Vec<u8>, Vec<u8>)>,
}

/// What a chunk's parts stand in.
const PARTS: &[u8] = b"\"parts\":[";

impl StreamWriter {
    /// A writer at the beginning of a stream; `model`: the name to show in place of the vendor's.
    pub fn new(model: Option<String>) -> Self {
        Self { model, ..Self::default() }
    }

    fn write_chunk(&self, out: &mut Vec<u8>, parts: impl FnOnce(&mut Array<'_>), finish: Option<&Finish>) {
        out.extend_from_slice(b"data: ");
        write_object(out, |object| {
            object.array("candidates", |array| {
                array.object(|candidate| {
                    candidate.object("content", |content| {
                        content.put("role", "model");
                        content.array("parts", parts);
                    });
                    candidate.put_some("finishReason", finish.map(reason));
                    candidate.put("index", &0);
                });
            });
            if let (Some(usage), Some(_)) = (&self.usage, finish) {
                write_usage(object, usage);
            }
            object.put("modelVersion", self.model.as_deref().unwrap_or(&self.vendor_model));
            object.put_some("responseId", (!self.id.is_empty()).then_some(&self.id));
        });
        out.extend_from_slice(b"\n\n");
    }

    /// Appends a part that is there as JSON: the same as `write_chunk`, by a shorter way.
    fn write_piece(&mut self, out: &mut Vec<u8>, pieces: [&str; 3]) {
        if self.frame.is_none() {
            let mut head = Vec::new();
            self.write_chunk(&mut head, |_| (), None);
            // The first one is ours: nothing of the vendor's stands before it.
            let at = memchr::memmem::find(&head, PARTS).map_or(head.len(), |at| at + PARTS.len());
            let tail = head.split_off(at);
            self.frame = Some((head, tail));
        }
        if let Some((head, tail)) = &self.frame {
            out.extend_from_slice(head);
            pieces.iter().for_each(|piece| out.extend_from_slice(piece.as_bytes()));
            out.extend_from_slice(tail);
        }
    }

    fn write_whole(&self, part: &Part, out: &mut Vec<u8>) {
        self.write_chunk(out, |parts| write_part(parts, part, None), None);
    }

    fn open(&mut self, index: usize) -> Option<&mut ToolCall> {
        self.calls.get_mut(index).and_then(Option::as_mut)
    }

    fn end_call(&mut self, index: usize, out: &mut Vec<u8>) {
        if let Some(call) = self.calls.get_mut(index).and_then(Option::take) {
            self.argument_bytes -= call.arguments.len().min(self.argument_bytes);
            self.write_whole(&Part::ToolCall(call), out);
        }
    }

    fn write_end(&mut self, out: &mut Vec<u8>) {
        (0..self.calls.len()).for_each(|index| self.end_call(index, out));
        self.over = true;
        self.write_chunk(out, |_| (), Some(self.finish.as_ref().unwrap_or(&Finish::Stop)));
    }
}

impl StreamOut for StreamWriter {
    fn emit(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model, .. } => {
                self.frame = None;
                self.id.clone_from(id);
                self.vendor_model.clone_from(model);
            }
            Event::TextDelta(text) | Event::RefusalDelta(text) => {
                self.write_whole(&Part::text(text.as_str()), out);
            }
            Event::ThinkingDelta(text) => {
                self.write_chunk(out, |parts| write_thought(parts, text, None), None);
            }
            Event::SignatureDelta(signature) => {
                let text = field(signature);
                self.write_chunk(out, |parts| write_thought(parts, "", Some(&text)), None);
            }
            Event::ToolCallStart { id, name, signature, .. } => {
                let (id, name) = (id.clone(), name.clone());
                let call = ToolCall { id, name, signature: signature.clone(), ..ToolCall::default() };
                self.calls.push(Some(call));
            }
            Event::ToolCallDelta { index, fragment } => {
                let free = MAX_ARGUMENT_BYTES.saturating_sub(self.argument_bytes);
                if fragment.len() <= free
                    && let Some(call) = self.open(*index)
                {
                    call.arguments.push_str(fragment);
                    self.argument_bytes += fragment.len();
                }
            }
            Event::ToolCallEnd { index } => self.end_call(*index, out),
            Event::Part(Part::RedactedThinking { .. } | Part::ToolResult(_)) => {}
            Event::Part(part) => self.write_whole(part, out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish(finish) => self.finish = Some(finish.clone()),
            Event::End => self.write_end(out),
            Event::PartStart(_) | Event::Citation(_) | Event::Ping | Event::Error(_) => {}
        }
    }

    fn delta(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        let text = delta.text.as_str();
        match delta.kind {
            _ if self.over => {}
            DeltaKind::Text => self.write_piece(out, ["{\"text\":\"", text, "\"}"]),
            DeltaKind::Thinking => self.write_piece(out, ["{\"text\":\"", text, "\",\"thought\":true}"]),
            DeltaKind::Arguments(_) => self.emit(&delta.event(), out),
        }
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&error_body(failure));
        out.extend_from_slice(b"\n\n");
    }
}
