//! A vendor's stream in this dialect. It goes to the caller as it came, so
//! this reader only has to see content, usage, errors and the end.

use super::delta_in::{self, Piece};
use super::parts::id_of;
use crate::chat::{
    Delta, DeltaKind, Dialect, Event, Finish, Json, Other, Part, StreamError, StreamIn, parse,
};
use crate::error::{Failure, Kind, Result};
use crate::types::Op;
use crate::wire::json::Reader;
use crate::wire::openai::{self, Counting};
use crate::wire::sse;
use serde::Deserialize;
use std::borrow::Cow;

/// Reads the events of a response.
pub struct StreamReader {
    counting: Counting,
    /// The output index of each call, by the number that the canonical events give it.
    calls: Vec<u64>,
    next: u64,
    ended: bool,
    failed: bool,
}

/// All kinds of events in one: what is not there is not said.
#[derive(Default, Deserialize)]
#[serde(default)]
struct EventIn {
    r#type: String,
    sequence_number: Option<u64>,
    delta: Option<Json>,
    output_index: u64,
    item: Option<ItemIn>,
    response: Option<ResponseIn>,
    code: Option<Json>,
    message: Option<String>,
    param: Option<String>,
    error: Option<ErrorIn>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ItemIn {
    r#type: String,
    call_id: Option<String>,
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResponseIn {
    id: String,
    model: String,
    created_at: Option<f64>,
    usage: Option<Json>,
    error: Option<ErrorIn>,
    incomplete_details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorIn {
    r#type: Option<String>,
    code: Option<Json>,
    message: Option<String>,
    param: Option<String>,
}

impl ErrorIn {
    fn canonical(self) -> StreamError {
        let code = self.code.filter(|code| !code.is_null());
        let code = code.map(|code| code.read::<String>().unwrap_or_else(|| code.as_str().to_owned()));
        let message = self.message.unwrap_or_else(|| "the vendor says no more".to_owned());
        StreamError { message, kind: self.r#type, code, param: self.param }
    }
}

impl StreamReader {
    /// A reader at the beginning of a stream.
    pub fn new(counting: Counting) -> Self {
        Self { counting, calls: Vec::new(), next: 0, ended: false, failed: false }
    }

    fn read(&mut self, event: EventIn, out: &mut Vec<Event>) {
        let text = |delta: Option<Json>| delta.and_then(|d| d.read::<String>()).filter(|d| !d.is_empty());
        match event.r#type.as_str() {
            "response.created" => {
                let response = event.response.unwrap_or_default();
                let created = response.created_at.map(|at| at as i64);
                out.push(Event::Start { id: response.id, model: response.model, created });
            }
            "response.output_text.delta" => out.extend(text(event.delta).map(Event::TextDelta)),
            "response.refusal.delta" => out.extend(text(event.delta).map(Event::RefusalDelta)),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                out.extend(text(event.delta).map(Event::ThinkingDelta));
            }
            "response.output_item.added" => self.item(event, out),
            "response.completed" | "response.incomplete" => self.terminal(event, out),
            "response.failed" => {
                self.failed = true;
                let error = event.response.and_then(|response| response.error).unwrap_or_default();
                out.push(Event::Error(error.canonical()));
            }
            "error" => {
                self.failed = true;
                let top =
                    ErrorIn { r#type: None, code: event.code, message: event.message, param: event.param };
                out.push(Event::Error(event.error.unwrap_or(top).canonical()));
            }
            kind if kind.ends_with(".delta") => {
                let index = self.call_at(event.output_index);
                let Some(fragment) = text(event.delta) else { return };
                out.push(match index {
                    Some(index) => Event::ToolCallDelta { index, fragment },
                    None => Event::TextDelta(fragment),
                });
            }
            _ => {}
        }
    }

    fn call_at(&self, output_index: u64) -> Option<usize> {
        self.calls.iter().position(|output| *output == output_index)
    }

    /// Calls begin with their item, and so does whatever a vendor does by itself.
    fn item(&mut self, event: EventIn, out: &mut Vec<Event>) {
        let item = event.item.unwrap_or_default();
        match item.r#type.as_str() {
            "message" | "reasoning" => {}
            "function_call" | "custom_tool_call" => {
                let index = self.calls.len();
                self.calls.push(event.output_index);
                let id = item.call_id.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{index}"));
                let name = item.name.unwrap_or_default();
                out.push(Event::ToolCallStart { index, id, name, signature: None });
            }
            _ => out.push(Event::Part(Part::Other(Other {
                dialect: Dialect::OpenAiResponses,
                kind: item.r#type,
                json: Json::empty_object(),
            }))),
        }
    }

    fn terminal(&mut self, event: EventIn, out: &mut Vec<Event>) {
        let response = event.response.unwrap_or_default();
        let usage = response.usage.map(|usage| format!("{{\"usage\":{}}}", usage.as_str()));
        let usage = usage.and_then(|body| openai::usage(Op::Chat, self.counting, body.as_bytes()));
        out.extend(usage.map(Event::Usage));
        let reason = response.incomplete_details.and_then(|details| details.reason);
        let finish = match (event.r#type.as_str(), reason.as_deref()) {
            ("response.incomplete", Some("content_filter")) => Finish::ContentFilter,
            ("response.incomplete", _) => Finish::Length,
            _ if self.calls.is_empty() => Finish::Stop,
            _ => Finish::ToolCalls,
        };
        self.ended = true;
        out.push(Event::Finish(finish));
        out.push(Event::End);
    }
}

impl StreamIn for StreamReader {
    fn feed(&mut self, _name: Option<&[u8]>, data: &[u8], out: &mut Vec<Event>) -> Result<()> {
        if self.failed || self.ended || data.trim_ascii() == b"[DONE]" {
            return Ok(());
        }
        let event: EventIn = parse(data).map_err(|error| {
            Failure::new(Kind::VendorMalformed, "The model's vendor sent an unreadable answer").detail(error)
        })?;
        let number = event.sequence_number.unwrap_or(self.next);
        self.read(event, out);
        // An error is told in the hub's own words, in the vendor's place.
        self.next = if self.failed { number } else { number.saturating_add(1) };
        Ok(())
    }

    fn delta<'a>(&mut self, _name: Option<&[u8]>, data: &'a [u8]) -> Option<Delta<'a>> {
        if self.failed || self.ended {
            return None;
        }
        let hot = delta_in::read(data)?;
        let kind = match hot.piece {
            Piece::Text => DeltaKind::Text,
            Piece::Thinking => DeltaKind::Thinking,
            Piece::Arguments => DeltaKind::Arguments(self.call_at(hot.output_index)?),
        };
        self.next = hot.number.unwrap_or(self.next).saturating_add(1);
        Some(Delta { kind, text: hot.text.quoted(), usage: None })
    }

    fn next_number(&self) -> u64 {
        self.next
    }

    fn end(&mut self, _out: &mut Vec<Event>) -> Result<()> {
        if self.ended || self.failed {
            return Ok(());
        }
        let text = "The model's vendor cut the answer short";
        Err(Failure::new(Kind::VendorCut, text).detail("the stream ended without a last event"))
    }
}

/// What the last event of a stream says, or a whole answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Final<'a> {
    /// The answer's id.
    pub id: String,
    /// The response object.
    pub response: &'a [u8],
}

/// The response object of the last event of a stream, which is the last of `events`.
/// `None`: the last of them is another one.
pub fn final_of(events: &[u8]) -> Option<Final<'_>> {
    // A line break never stands raw in JSON, so this is where an event begins.
    let start = memchr::memmem::rfind(events.trim_ascii_end(), b"\n\n").map_or(0, |at| at + 2);
    let Cow::Borrowed(data) = sse::data(events.get(start..)?)? else { return None };
    let mut reader = Reader::new(data);
    reader.enter_object().ok()?;
    let (mut ends, mut response) = (false, None);
    while let Some(key) = reader.key().ok()? {
        match key.raw {
            b"type" => {
                let kind = reader.string_or_skip().ok()??;
                ends = [&b"response.completed"[..], b"response.incomplete"].contains(&kind.raw);
            }
            b"response" => {
                let span = reader.skip().ok()?;
                response = Some(reader.slice(span));
            }
            _ => reader.ignore().ok()?,
        }
    }
    response.filter(|_| ends).and_then(Final::of)
}

impl<'a> Final<'a> {
    /// A whole answer. `None` when it has no id.
    pub fn of(response: &'a [u8]) -> Option<Self> {
        id_of(response).map(|id| Self { id, response })
    }
}
