//! A caller's stream, written from canonical events.

use super::block_out::{own_citation, write_redacted};
use super::error::error_event;
use super::response_out::{message_id, write_stop};
use super::usage::write_usage;
use crate::chat::{
    Delta, DeltaKind, Dialect, Event, Finish, Object, Origin, Part, PartKind, StreamOut, sign_call_id,
    write_object,
};
use crate::error::Failure;
use crate::types::Usage;

/// The text or thoughts that are open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
}

/// A call as far as it has come.
struct Call {
    block: usize,
    has_arguments: bool,
    open: bool,
}

/// Writes the events of a message.
///
/// The first event of the dialect carries the input's usage, so it waits for
/// the event behind [`Event::Start`]; the last but one carries the reason and the
/// whole usage, so it waits for [`Event::End`].
#[derive(Default)]
pub struct StreamWriter {
    model: Option<String>,
    /// Id and model, until they are written.
    start: Option<(String, String)>,
    started: bool,
    /// How many blocks have begun.
    blocks: usize,
    /// The open block, unless it is a call's.
    open: Option<(Kind, usize)>,
    calls: Vec<Call>,
    usage: Usage,
    finish: Option<Finish>,
    over: bool,
    /// What each delta of this block and of this kind begins with.
    piece_head: Vec<u8>,
    piece_of: Option<(usize, Piece)>,
}

/// What a piece is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Text,
    Thinking,
    Arguments,
}

impl Piece {
    /// The kind of the delta, and its field.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Piece::Text => ("text_delta", "text"),
            Piece::Thinking => ("thinking_delta", "thinking"),
            Piece::Arguments => ("input_json_delta", "partial_json"),
        }
    }
}

fn write_event(out: &mut Vec<u8>, name: &str, members: impl FnOnce(&mut Object<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    write_object(out, |object| {
        object.put("type", name);
        members(object);
    });
    out.extend_from_slice(b"\n\n");
}

/// What ends each delta that has one text.
const PIECE_END: &[u8] = b"\"}}\n\n";

fn write_delta(out: &mut Vec<u8>, block: usize, (kind, field): (&str, &str), text: &str) {
    write_event(out, "content_block_delta", |object| {
        object.put("index", &block);
        object.object("delta", |delta| {
            delta.put("type", kind);
            delta.put(field, text);
        });
    });
}

fn write_block_stop(out: &mut Vec<u8>, block: usize) {
    write_event(out, "content_block_stop", |object| object.put("index", &block));
}

impl StreamWriter {
    /// A writer at the beginning of a stream. `model` is named in place of the
    /// vendor's name for it.
    pub fn new(model: Option<String>) -> Self {
        Self { model, ..Self::default() }
    }

    fn write_start(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let (id, model) = self.start.take().unwrap_or_default();
        let model = self.model.as_deref().unwrap_or(&model);
        write_event(out, "message_start", |object| {
            object.object("message", |message| {
                message.put("id", message_id(&id));
                message.put("type", "message");
                message.put("role", "assistant");
                message.put("model", model);
                message.array("content", |_| ());
                message.put("stop_reason", &());
                message.put("stop_sequence", &());
                message.object("usage", |usage| write_usage(usage, &self.usage));
            });
        });
    }

    /// Begins a block; gives its number.
    fn start_block(&mut self, out: &mut Vec<u8>, content: impl FnOnce(&mut Object<'_>)) -> usize {
        let block = self.blocks;
        self.blocks += 1;
        write_event(out, "content_block_start", |object| {
            object.put("index", &block);
            object.object("content_block", content);
        });
        block
    }

    fn close_open(&mut self, out: &mut Vec<u8>) {
        if let Some((_, block)) = self.open.take() {
            write_block_stop(out, block);
        }
    }

    fn begin(&mut self, kind: Kind, out: &mut Vec<u8>) -> usize {
        self.close_open(out);
        let block = self.start_block(out, |content| match kind {
            Kind::Text => {
                content.put("type", "text");
                content.put("text", "");
            }
            Kind::Thinking => {
                content.put("type", "thinking");
                content.put("thinking", "");
                content.put("signature", "");
            }
        });
        self.open = Some((kind, block));
        block
    }

    /// The open block of a kind, begun if there is none.
    fn block_of(&mut self, kind: Kind, out: &mut Vec<u8>) -> usize {
        match self.open {
            Some((open, block)) if open == kind => block,
            _ => self.begin(kind, out),
        }
    }

    /// Calls may be open side by side: their deltas may alternate, and each has its number.
    fn start_call(&mut self, id: &str, name: &str, out: &mut Vec<u8>) {
        self.close_open(out);
        let block = self.start_block(out, |content| {
            content.put("type", "tool_use");
            content.put("id", id);
            content.put("name", name);
            content.object("input", |_| ());
        });
        self.calls.push(Call { block, has_arguments: false, open: true });
    }

    fn write_arguments(&mut self, index: usize, fragment: &str, out: &mut Vec<u8>) {
        if let Some(call) = self.calls.get_mut(index).filter(|call| call.open) {
            call.has_arguments = true;
            write_delta(out, call.block, Piece::Arguments.names(), fragment);
        }
    }

    fn end_call(&mut self, index: usize, out: &mut Vec<u8>) {
        let Some(call) = self.calls.get_mut(index).filter(|call| call.open) else { return };
        call.open = false;
        if !call.has_arguments {
            write_delta(out, call.block, Piece::Arguments.names(), "{}");
        }
        write_block_stop(out, call.block);
    }

    fn close_all(&mut self, out: &mut Vec<u8>) {
        self.close_open(out);
        (0..self.calls.len()).for_each(|index| self.end_call(index, out));
    }

    /// A part that comes whole; one that the dialect cannot say is left out.
    fn write_part(&mut self, part: &Part, out: &mut Vec<u8>) {
        let block = match part {
            Part::Text(text) if !text.text.is_empty() => {
                let block = self.begin(Kind::Text, out);
                return write_delta(out, block, Piece::Text.names(), &text.text);
            }
            Part::RedactedThinking { data, origin } => {
                self.close_open(out);
                self.start_block(out, |content| write_redacted(content, data, *origin))
            }
            Part::Other(other) if other.dialect == Dialect::Anthropic => {
                self.close_open(out);
                let block = self.blocks;
                self.blocks += 1;
                write_event(out, "content_block_start", |object| {
                    object.put("index", &block);
                    object.put("content_block", &other.json);
                });
                block
            }
            _ => return,
        };
        write_block_stop(out, block);
    }

    /// The same as `write_delta` of what the text means, by a shorter way.
    fn write_piece(&mut self, block: usize, piece: Piece, quoted: &str, out: &mut Vec<u8>) {
        if self.piece_of != Some((block, piece)) {
            self.piece_of = Some((block, piece));
            self.piece_head.clear();
            write_delta(&mut self.piece_head, block, piece.names(), "");
            self.piece_head.truncate(self.piece_head.len().saturating_sub(PIECE_END.len()));
        }
        out.extend_from_slice(&self.piece_head);
        out.extend_from_slice(quoted.as_bytes());
        out.extend_from_slice(PIECE_END);
    }

    fn write_end(&mut self, out: &mut Vec<u8>) {
        self.close_all(out);
        write_event(out, "message_delta", |object| {
            let calls_tools = !self.calls.is_empty();
            object.object("delta", |delta| write_stop(delta, self.finish.as_ref(), calls_tools));
            object.object("usage", |usage| write_usage(usage, &self.usage));
        });
        write_event(out, "message_stop", |_| ());
        self.over = true;
    }

    fn write_content(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::PartStart(PartKind::Text | PartKind::Refusal) => _ = self.begin(Kind::Text, out),
            Event::PartStart(PartKind::Thinking) => _ = self.begin(Kind::Thinking, out),
            Event::TextDelta(text) | Event::RefusalDelta(text) => {
                let block = self.block_of(Kind::Text, out);
                write_delta(out, block, Piece::Text.names(), text);
            }
            Event::ThinkingDelta(text) => {
                let block = self.block_of(Kind::Thinking, out);
                write_delta(out, block, Piece::Thinking.names(), text);
            }
            Event::SignatureDelta(signature) => {
                let block = self.block_of(Kind::Thinking, out);
                let text = signature.to_field(Origin::Anthropic);
                write_delta(out, block, ("signature_delta", "signature"), &text);
            }
            Event::ToolCallStart { id, name, signature, .. } => {
                self.start_call(&sign_call_id(id, signature.as_ref()), name, out);
            }
            Event::ToolCallDelta { index, fragment } => self.write_arguments(*index, fragment, out),
            Event::ToolCallEnd { index } => self.end_call(*index, out),
            Event::Part(part) => self.write_part(part, out),
            Event::Citation(citation) => {
                if let Some(json) = own_citation(citation) {
                    let block = self.block_of(Kind::Text, out);
                    write_event(out, "content_block_delta", |object| {
                        object.put("index", &block);
                        object.object("delta", |delta| {
                            delta.put("type", "citations_delta");
                            delta.put("citation", json);
                        });
                    });
                }
            }
            Event::Ping => write_event(out, "ping", |_| ()),
            Event::Finish(finish) => {
                self.close_all(out);
                self.finish = Some(finish.clone());
            }
            Event::End => self.write_end(out),
            Event::Start { .. } | Event::Usage(_) | Event::Error(_) => {}
        }
    }
}

impl StreamOut for StreamWriter {
    fn emit(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            _ if self.over => {}
            Event::Start { id, model, .. } => self.start = Some((id.clone(), model.clone())),
            Event::Usage(usage) => {
                self.usage = *usage;
                if self.start.is_some() {
                    self.write_start(out);
                }
            }
            Event::Error(_) => {}
            event => {
                self.write_start(out);
                self.write_content(event, out);
            }
        }
    }

    fn delta(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        self.write_start(out);
        let (block, piece) = match delta.kind {
            DeltaKind::Text => (self.block_of(Kind::Text, out), Piece::Text),
            DeltaKind::Thinking => (self.block_of(Kind::Thinking, out), Piece::Thinking),
            DeltaKind::Arguments(index) => {
                let Some(call) = self.calls.get_mut(index).filter(|call| call.open) else { return };
                call.has_arguments = true;
                (call.block, Piece::Arguments)
            }
        };
        self.write_piece(block, piece, delta.text.as_str(), out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.over, true) {
            out.extend_from_slice(&error_event(failure));
        }
    }
}
