//! The vendor's stream, read into canonical events.

use super::block_in::{Block, citation, read_block, redacted, signature};
use super::delta_in::{self, Piece};
use super::response_in::{finish, malformed};
use super::usage::Counts;
use crate::chat::{
    Delta, DeltaKind, Dialect, Event, Finish, Json, Other, Part, PartKind, StreamError, StreamIn, parse,
    split_call_id,
};
use crate::error::{Failure, Kind, Result};
use crate::types::Usage;
use crate::wire::openai::vendor_error;
use serde::Deserialize;

/// How many blocks one answer may have.
const MAX_BLOCKS: usize = 4_096;
/// How many bytes of the input of a vendor's own tool are put together.
const MAX_OTHER_BYTES: usize = 1 << 20;

/// All kinds of events in one.
#[derive(Default, Deserialize)]
#[serde(default)]
struct EventIn {
    #[serde(rename = "type")]
    kind: String,
    message: Option<MessageIn>,
    index: Option<usize>,
    content_block: Option<Json>,
    delta: Option<DeltaIn>,
    usage: Option<Counts>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MessageIn {
    id: String,
    model: String,
    usage: Option<Counts>,
}

/// A delta of a block or of the message.
#[derive(Default, Deserialize)]
#[serde(default)]
struct DeltaIn {
    text: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    partial_json: Option<String>,
    citation: Option<Json>,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
}

/// A block that has begun.
enum Open {
    Text,
    Thinking,
    /// Its number among the calls.
    Call(usize),
    /// One that only this dialect knows, put together until it ends.
    Other {
        kind: String,
        json: Json,
        input: String,
    },
    Closed,
}

/// Reads the vendor's stream.
#[derive(Default)]
pub struct StreamReader {
    /// By the vendor's numbers, which count blocks of all kinds.
    blocks: Vec<Open>,
    calls: usize,
    counts: Counts,
    usage: Option<Usage>,
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
        let data = data.trim_ascii();
        if self.failed || self.ended || data.is_empty() {
            return Ok(());
        }
        if name == Some(b"error") {
            self.fail(data, out);
            return Ok(());
        }
        let event: EventIn = parse(data).map_err(|error| malformed(&error.to_string()))?;
        match event.kind.as_str() {
            "message_start" => self.start(event.message.unwrap_or_default(), out),
            "content_block_start" => {
                let block = event.content_block.ok_or_else(|| malformed("a block without content"))?;
                self.start_block(event.index.unwrap_or(self.blocks.len()), block, out)?;
            }
            "content_block_delta" => {
                let delta = event.delta.unwrap_or_default();
                self.read_delta(event.index.unwrap_or_default(), delta, out)?;
            }
            "content_block_stop" => self.stop_block(event.index.unwrap_or_default(), out),
            "message_delta" => self.read_message_delta(event, out),
            "message_stop" => {
                self.close_blocks(out);
                self.ended = true;
                out.push(Event::End);
            }
            "ping" => out.push(Event::Ping),
            "error" => self.fail(data, out),
            // The vendor says that new kinds of events may come at any time.
            _ => {}
        }
        Ok(())
    }

    fn delta<'a>(&mut self, name: Option<&[u8]>, data: &'a [u8]) -> Option<Delta<'a>> {
        if self.failed || self.ended || name != Some(b"content_block_delta") {
            return None;
        }
        let (index, piece, text) = delta_in::read(data)?;
        let kind = match (self.blocks.get(index)?, piece) {
            (Open::Text, Piece::Text) => DeltaKind::Text,
            (Open::Thinking, Piece::Thinking) => DeltaKind::Thinking,
            (Open::Call(call), Piece::Json) => DeltaKind::Arguments(*call),
            _ => return None,
        };
        Some(Delta { kind, text: text.quoted(), usage: None })
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
    fn start(&mut self, message: MessageIn, out: &mut Vec<Event>) {
        out.push(Event::Start { id: message.id, model: message.model, created: None });
        self.read_usage(message.usage, out);
    }

    fn read_usage(&mut self, counts: Option<Counts>, out: &mut Vec<Event>) {
        let Some(counts) = counts else { return };
        self.counts.update(counts);
        let usage = self.counts.usage();
        if self.usage != Some(usage) && usage != Usage::default() {
            self.usage = Some(usage);
            out.push(Event::Usage(usage));
        }
    }

    fn start_block(&mut self, index: usize, json: Json, out: &mut Vec<Event>) -> Result<()> {
        if index >= MAX_BLOCKS {
            return Err(malformed("too many blocks"));
        }
        let block = read_block(&json).ok_or_else(|| malformed("a block that cannot be read"))?;
        let open = match block.kind.as_str() {
            "text" => {
                out.push(Event::PartStart(PartKind::Text));
                out.extend(block.text.filter(|text| !text.is_empty()).map(Event::TextDelta));
                Open::Text
            }
            "thinking" => {
                out.push(Event::PartStart(PartKind::Thinking));
                out.extend(block.thinking.filter(|text| !text.is_empty()).map(Event::ThinkingDelta));
                let signed = block.signature.filter(|text| !text.is_empty());
                out.extend(signed.map(|text| Event::SignatureDelta(signature(text))));
                Open::Thinking
            }
            "redacted_thinking" => {
                out.push(Event::Part(redacted(block.data.unwrap_or_default())));
                Open::Closed
            }
            "tool_use" => self.start_call(block, out),
            _ => Open::Other { kind: block.kind, json, input: String::new() },
        };
        while self.blocks.len() <= index {
            self.blocks.push(Open::Closed);
        }
        if let Some(place) = self.blocks.get_mut(index) {
            *place = open;
        }
        Ok(())
    }

    fn start_call(&mut self, block: Block, out: &mut Vec<Event>) -> Open {
        let index = self.calls;
        self.calls += 1;
        let (id, signature) = split_call_id(block.id.unwrap_or_default());
        let id = if id.is_empty() { format!("toolu_{index}") } else { id };
        out.push(Event::ToolCallStart { index, id, name: block.name.unwrap_or_default(), signature });
        // Ordinarily an empty object, in place of what the deltas bring.
        let input = block.input.filter(|input| input.is_object() && !is_empty_object(input));
        out.extend(input.map(|input| Event::ToolCallDelta { index, fragment: input.as_str().to_owned() }));
        Open::Call(index)
    }

    fn read_delta(&mut self, index: usize, delta: DeltaIn, out: &mut Vec<Event>) -> Result<()> {
        match self.blocks.get_mut(index) {
            Some(Open::Text) => {
                out.extend(delta.text.filter(|text| !text.is_empty()).map(Event::TextDelta));
                out.extend(delta.citation.map(|json| Event::Citation(citation(json))));
            }
            Some(Open::Thinking) => {
                out.extend(delta.thinking.filter(|text| !text.is_empty()).map(Event::ThinkingDelta));
                let signed = delta.signature.filter(|text| !text.is_empty());
                out.extend(signed.map(|text| Event::SignatureDelta(signature(text))));
            }
            Some(Open::Call(index)) => {
                let fragment = delta.partial_json.filter(|text| !text.is_empty());
                out.extend(fragment.map(|fragment| Event::ToolCallDelta { index: *index, fragment }));
            }
            Some(Open::Other { input, .. }) => {
                let more = delta.partial_json.unwrap_or_default();
                if input.len() + more.len() > MAX_OTHER_BYTES {
                    return Err(malformed("a block that is too long"));
                }
                input.push_str(&more);
            }
            Some(Open::Closed) | None => {}
        }
        Ok(())
    }

    fn stop_block(&mut self, index: usize, out: &mut Vec<Event>) {
        let Some(place) = self.blocks.get_mut(index) else { return };
        match std::mem::replace(place, Open::Closed) {
            Open::Call(index) => out.push(Event::ToolCallEnd { index }),
            Open::Other { kind, json, input } => {
                let json = with_input(json, &input);
                out.push(Event::Part(Part::Other(Other { dialect: Dialect::Anthropic, kind, json })));
            }
            Open::Text | Open::Thinking | Open::Closed => {}
        }
    }

    fn close_blocks(&mut self, out: &mut Vec<Event>) {
        for index in 0..self.blocks.len() {
            self.stop_block(index, out);
        }
    }

    fn read_message_delta(&mut self, event: EventIn, out: &mut Vec<Event>) {
        self.read_usage(event.usage, out);
        let Some(delta) = event.delta else { return };
        let Some(reason) = delta.stop_reason.filter(|_| self.finish.is_none()) else { return };
        self.close_blocks(out);
        let finish = finish(reason, delta.stop_sequence);
        self.finish = Some(finish.clone());
        out.push(Event::Finish(finish));
    }

    fn fail(&mut self, data: &[u8], out: &mut Vec<Event>) {
        self.failed = true;
        let error = vendor_error(data).unwrap_or_default();
        out.push(Event::Error(StreamError {
            message: error.message,
            kind: error.kind,
            code: error.code,
            param: error.param,
        }));
    }
}

fn is_empty_object(json: &Json) -> bool {
    json.as_str().bytes().filter(|byte| !byte.is_ascii_whitespace()).eq(*b"{}")
}

/// The block with the input that came in fragments.
fn with_input(json: Json, input: &str) -> Json {
    let Some(input) = Json::parse(input) else { return json };
    let read: Option<serde_json::Map<String, serde_json::Value>> = json.read();
    match (read, input.read()) {
        (Some(mut block), Some(input)) => {
            block.insert("input".to_owned(), input);
            Json::of(&block)
        }
        _ => json,
    }
}
