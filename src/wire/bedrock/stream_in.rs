//! The vendor's stream, read into canonical events.

use super::block_in::{ImageIn, ToolUse, citation, image, other, redacted, signature};
use super::delta_in::{self, Piece};
use super::frames::Frame;
use super::output::ANSWER_TOOL;
use super::response_in::{finish, malformed, stop_sequence};
use super::usage::Counts;
use crate::chat::{
    self, DeltaKind, Event, Finish, Json, PartKind, StreamError, StreamIn, parse, split_call_id,
};
use crate::error::{Failure, Kind, Result};
use crate::wire::openai::vendor_error;
use serde::Deserialize;

/// How many blocks one answer may have.
const MAX_BLOCKS: usize = 4_096;

/// All kinds of events in one; the name of the frame says which it is.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct EventIn {
    content_block_index: usize,
    start: Option<Start>,
    delta: Option<Delta>,
    stop_reason: Option<String>,
    additional_model_response_fields: Option<Json>,
    usage: Option<Counts>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Start {
    tool_use: Option<ToolUse>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Delta {
    text: Option<String>,
    tool_use: Option<ToolDelta>,
    reasoning_content: Option<Reasoning>,
    citation: Option<Json>,
    image: Option<ImageIn>,
    tool_result: Option<Json>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ToolDelta {
    input: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Reasoning {
    text: Option<String>,
    signature: Option<String>,
    redacted_content: Option<String>,
}

/// A block that has begun. Blocks of text and thoughts begin with their first delta.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    /// Its number among the calls.
    Call(usize),
    /// The call that stands for an answer in JSON.
    Answer,
    Closed,
}

/// Reads the vendor's stream.
#[derive(Default)]
pub struct StreamReader {
    /// By the vendor's numbers, which count blocks of all kinds.
    blocks: Vec<Open>,
    calls: usize,
    finish: Option<Finish>,
    ended: bool,
    failed: bool,
}

impl StreamReader {
    /// A reader at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }
}

impl StreamIn for StreamReader {
    fn feed(&mut self, name: Option<&[u8]>, data: &[u8], out: &mut Vec<Event>) -> Result<()> {
        if self.failed || self.ended {
            return Ok(());
        }
        let name = name.and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default();
        if let Some(kind) = name.strip_prefix(Frame::FAILED) {
            self.fail(kind, data, out);
            return Ok(());
        }
        let read = || parse::<EventIn>(data).map_err(|error| malformed(&error.to_string()));
        match name {
            // It has neither id nor model; whoever writes the caller's stream makes them up.
            "messageStart" => {
                out.push(Event::Start { id: String::new(), model: String::new(), created: None })
            }
            "contentBlockStart" => self.start_block(read()?, out)?,
            "contentBlockDelta" => self.read_delta(read()?, out)?,
            "contentBlockStop" => self.stop_block(read()?.content_block_index, out),
            "messageStop" => self.stop(read()?, out),
            "metadata" => self.conclude(read()?, out),
            // The vendor adds kinds of events as it adds abilities.
            _ => {}
        }
        Ok(())
    }

    fn delta<'a>(&mut self, name: Option<&[u8]>, data: &'a [u8]) -> Option<chat::Delta<'a>> {
        if self.failed || self.ended || name != Some(b"contentBlockDelta") {
            return None;
        }
        let (index, piece, text) = delta_in::read(data)?;
        let kind = match (self.block(index), piece) {
            (Open::Text, Piece::Text) | (Open::Answer, Piece::Input) => DeltaKind::Text,
            (Open::Thinking, Piece::Thinking) => DeltaKind::Thinking,
            (Open::Call(index), Piece::Input) => DeltaKind::Arguments(index),
            // A block that begins with it, or one that it does not belong to.
            _ => return None,
        };
        Some(chat::Delta { kind, text: text.quoted(), usage: None })
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<()> {
        if self.failed || self.ended {
            return Ok(());
        }
        if self.finish.is_none() {
            return Err(Failure::new(Kind::VendorCut, "The vendor cut its answer short."));
        }
        self.ended = true;
        out.push(Event::End);
        Ok(())
    }
}

impl StreamReader {
    fn block(&self, index: usize) -> Open {
        self.blocks.get(index).copied().unwrap_or(Open::Closed)
    }

    fn set_block(&mut self, index: usize, open: Open) -> Result<()> {
        if index >= MAX_BLOCKS {
            return Err(malformed("too many blocks"));
        }
        while self.blocks.len() <= index {
            self.blocks.push(Open::Closed);
        }
        if let Some(place) = self.blocks.get_mut(index) {
            *place = open;
        }
        Ok(())
    }

    fn start_block(&mut self, event: EventIn, out: &mut Vec<Event>) -> Result<()> {
        let Some(call) = event.start.and_then(|start| start.tool_use) else { return Ok(()) };
        // The calls of the vendor's own tools are no business of the caller.
        if call.r#type.is_some() {
            return Ok(());
        }
        if call.name == ANSWER_TOOL {
            out.push(Event::PartStart(PartKind::Text));
            return self.set_block(event.content_block_index, Open::Answer);
        }
        let index = self.calls;
        self.calls += 1;
        let (id, signature) = split_call_id(call.tool_use_id);
        let id = if id.is_empty() { format!("tooluse_{index}") } else { id };
        out.push(Event::ToolCallStart { index, id, name: call.name, signature });
        self.set_block(event.content_block_index, Open::Call(index))
    }

    fn read_delta(&mut self, event: EventIn, out: &mut Vec<Event>) -> Result<()> {
        let (index, delta) = (event.content_block_index, event.delta.unwrap_or_default());
        if let Some(text) = delta.text.filter(|text| !text.is_empty()) {
            self.open(index, Open::Text, PartKind::Text, out)?;
            out.push(Event::TextDelta(text));
        }
        if let Some(thoughts) = delta.reasoning_content {
            self.read_thoughts(index, thoughts, out)?;
        }
        if let Some(ToolDelta { input }) = delta.tool_use.filter(|delta| !delta.input.is_empty()) {
            match self.block(index) {
                Open::Call(index) => out.push(Event::ToolCallDelta { index, fragment: input }),
                Open::Answer => out.push(Event::TextDelta(input)),
                _ => {}
            }
        }
        out.extend(delta.citation.map(|json| Event::Citation(citation(&json))));
        out.extend(delta.image.and_then(image).map(Event::Part));
        out.extend(delta.tool_result.map(|json| Event::Part(other(&json))));
        Ok(())
    }

    /// Begins a part with its first delta.
    fn open(&mut self, index: usize, open: Open, kind: PartKind, out: &mut Vec<Event>) -> Result<()> {
        if self.block(index) != open {
            out.push(Event::PartStart(kind));
            self.set_block(index, open)?;
        }
        Ok(())
    }

    fn read_thoughts(&mut self, index: usize, thoughts: Reasoning, out: &mut Vec<Event>) -> Result<()> {
        if let Some(data) = thoughts.redacted_content {
            out.push(Event::Part(redacted(data)));
            return Ok(());
        }
        self.open(index, Open::Thinking, PartKind::Thinking, out)?;
        out.extend(thoughts.text.filter(|text| !text.is_empty()).map(Event::ThinkingDelta));
        let signed = thoughts.signature.filter(|text| !text.is_empty());
        out.extend(signed.map(|text| Event::SignatureDelta(signature(text))));
        Ok(())
    }

    fn stop_block(&mut self, index: usize, out: &mut Vec<Event>) {
        let Some(place) = self.blocks.get_mut(index) else { return };
        if let Open::Call(index) = std::mem::replace(place, Open::Closed) {
            out.push(Event::ToolCallEnd { index });
        }
    }

    fn stop(&mut self, event: EventIn, out: &mut Vec<Event>) {
        let Some(reason) = event.stop_reason.filter(|_| self.finish.is_none()) else { return };
        for index in 0..self.blocks.len() {
            self.stop_block(index, out);
        }
        let stop_sequence = stop_sequence(event.additional_model_response_fields.as_ref());
        let finish = finish(&reason, stop_sequence, self.calls > 0);
        self.finish = Some(finish.clone());
        out.push(Event::Finish(finish));
    }

    /// The numbers come last, behind the reason.
    fn conclude(&mut self, event: EventIn, out: &mut Vec<Event>) {
        out.extend(event.usage.map(|counts| Event::Usage(counts.usage())));
        if self.finish.is_some() {
            self.ended = true;
            out.push(Event::End);
        }
    }

    fn fail(&mut self, kind: &str, data: &[u8], out: &mut Vec<Event>) {
        self.failed = true;
        let error = vendor_error(data).unwrap_or_default();
        out.push(Event::Error(StreamError {
            message: error.message,
            kind: Some(kind.to_owned()),
            code: error.code,
            param: error.param,
        }));
    }
}
