//! A vendor's stream, read into canonical events.

use super::delta_in::{self, Piece};
use super::message_in::{CallIn, CalledFunction};
use super::reasoning::{self, Detail};
use super::response_in::{MessageIn, citation, finish, invented_id, malformed};
use crate::chat::{Delta, DeltaKind, Event, Finish, Json, StreamError, StreamIn, Whole, parse};
use crate::error::{Failure, Kind, Result};
use crate::types::{Op, Usage};
use crate::wire::openai::{Counting, VendorError, usage, vendor_error};
use serde::Deserialize;

/// How many calls of tools one answer may have.
const MAX_CALLS: usize = 256;

#[derive(Deserialize)]
struct Chunk {
    id: Option<String>,
    model: Option<String>,
    created: Option<f64>,
    choices: Option<Vec<ChunkChoice>>,
    usage: Option<Json>,
    error: Option<Json>,
}

#[derive(Deserialize)]
struct ChunkChoice {
    index: Option<u64>,
    delta: Option<MessageIn>,
    /// Some vendors send the last delta, or all of them, as a message.
    message: Option<MessageIn>,
    finish_reason: Option<String>,
    error: Option<Json>,
}

/// One call as far as it has come.
struct Call {
    /// The vendor's number, which may repeat.
    number: Option<usize>,
    /// The vendor's id.
    id: Option<String>,
    whole: Whole,
    ended: bool,
}

/// Reads a vendor's stream of chat completion chunks.
pub struct StreamReader {
    counting: Counting,
    response_id: String,
    started: bool,
    calls: Vec<Call>,
    usage: Option<Usage>,
    finish: Option<Finish>,
    ended: bool,
    failed: bool,
    /// What a piece of arguments means, for the time of one event.
    piece: String,
}

impl StreamReader {
    /// A reader at the beginning of a stream.
    pub fn new(counting: Counting) -> Self {
        Self {
            counting,
            response_id: String::new(),
            started: false,
            calls: Vec::new(),
            usage: None,
            finish: None,
            ended: false,
            failed: false,
            piece: String::new(),
        }
    }
}

impl StreamIn for StreamReader {
    fn feed(&mut self, name: Option<&[u8]>, data: &[u8], out: &mut Vec<Event>) -> Result<()> {
        let data = data.trim_ascii();
        if self.failed || self.ended {
            return Ok(());
        }
        if name == Some(b"error") {
            self.fail(vendor_error(data), out);
            return Ok(());
        }
        if data == b"[DONE]" {
            self.finish_calls(out);
            self.report_finish(out);
            self.ended = true;
            out.push(Event::End);
            return Ok(());
        }
        if data.is_empty() {
            return Ok(());
        }
        let chunk: Chunk = parse(data).map_err(|error| malformed(&error.to_string()))?;
        self.read(chunk, data, out)
    }

    fn delta<'a>(&mut self, name: Option<&[u8]>, data: &'a [u8]) -> Option<Delta<'a>> {
        if !self.started || self.failed || self.ended || name == Some(b"error") {
            return None;
        }
        let hot = delta_in::read(data)?;
        let text = hot.text.quoted();
        let kind = match hot.piece {
            Piece::Text => DeltaKind::Text,
            Piece::Thinking => DeltaKind::Thinking,
            Piece::Arguments(number) => {
                let index = self.calls.iter().rposition(|call| call.number == Some(number))?;
                let call = self.calls.get_mut(index).filter(|call| !call.ended)?;
                self.piece.clear();
                text.push_to(&mut self.piece);
                call.whole.feed(&self.piece);
                DeltaKind::Arguments(index)
            }
        };
        let usage = hot.has_usage.then(|| self.new_usage(data)).flatten();
        Some(Delta { kind, text, usage })
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<()> {
        if self.failed || self.ended {
            return Ok(());
        }
        if self.finish.is_none() {
            return Err(Failure::new(Kind::VendorCut, "The vendor cut its answer short."));
        }
        self.report_finish(out);
        self.ended = true;
        out.push(Event::End);
        Ok(())
    }
}

impl StreamReader {
    fn read(&mut self, chunk: Chunk, data: &[u8], out: &mut Vec<Event>) -> Result<()> {
        let own = chunk.error.filter(|error| !error.is_null());
        if own.is_some()
            && let Some(error) = vendor_error(data)
        {
            self.fail(Some(error), out);
            return Ok(());
        }
        if !self.started {
            self.started = true;
            self.response_id = chunk.id.unwrap_or_default();
            out.push(Event::Start {
                id: self.response_id.clone(),
                model: chunk.model.unwrap_or_default(),
                created: chunk.created.map(|seconds| seconds as i64),
            });
        }
        for choice in chunk.choices.into_iter().flatten() {
            if choice.index.unwrap_or(0) == 0 {
                self.read_choice(choice, out)?;
            }
            if self.failed {
                return Ok(());
            }
        }
        if chunk.usage.is_some() {
            self.read_usage(data, out);
        }
        Ok(())
    }

    fn read_choice(&mut self, choice: ChunkChoice, out: &mut Vec<Event>) -> Result<()> {
        if let Some(error) = choice.error.filter(|error| !error.is_null()) {
            let body = format!("{{\"error\":{}}}", error.as_str());
            self.fail(vendor_error(body.as_bytes()), out);
            return Ok(());
        }
        if let Some(delta) = choice.delta.or(choice.message) {
            self.read_delta(delta, out)?;
        }
        let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) else { return Ok(()) };
        match finish(&reason) {
            Finish::Error(word) => {
                let message = "the vendor ended the answer with an error".to_owned();
                self.failed = true;
                out.push(Event::Error(StreamError { message, code: Some(word), ..StreamError::default() }));
            }
            Finish::Stop if !self.calls.is_empty() => self.close(Finish::ToolCalls, out),
            finish => self.close(finish, out),
        }
        Ok(())
    }

    /// The reason is kept back until the end, because some vendors go on with
    /// content, or say a second reason, after the first.
    fn close(&mut self, finish: Finish, out: &mut Vec<Event>) {
        self.finish_calls(out);
        self.finish = Some(finish);
    }

    fn finish_calls(&mut self, out: &mut Vec<Event>) {
        for (index, call) in self.calls.iter_mut().enumerate() {
            if !std::mem::replace(&mut call.ended, true) {
                out.push(Event::ToolCallEnd { index });
            }
        }
    }

    fn report_finish(&mut self, out: &mut Vec<Event>) {
        out.extend(self.finish.clone().map(Event::Finish));
    }

    fn read_delta(&mut self, delta: MessageIn, out: &mut Vec<Event>) -> Result<()> {
        let thoughts = delta.reasoning_content.or(delta.reasoning).filter(|text| !text.is_empty());
        let details = delta.reasoning_details.unwrap_or_default();
        let only_in_details = thoughts.is_none();
        out.extend(thoughts.map(Event::ThinkingDelta));
        details.into_iter().for_each(|detail| read_detail(detail, only_in_details, out));
        if let Some(content) = delta.content {
            let (thoughts, text) = content.split();
            out.extend((!thoughts.is_empty()).then_some(Event::ThinkingDelta(thoughts)));
            out.extend((!text.is_empty()).then_some(Event::TextDelta(text)));
        }
        out.extend(delta.refusal.filter(|text| !text.is_empty()).map(Event::RefusalDelta));
        let citations = delta.annotations.unwrap_or_default().into_iter().map(citation);
        out.extend(citations.map(Event::Citation));
        let images = delta.images.unwrap_or_default().into_iter().filter_map(|image| image.part());
        out.extend(images.map(Event::Part));
        delta.tool_calls.unwrap_or_default().into_iter().try_for_each(|call| self.read_call(call, out))
    }

    fn read_call(&mut self, read: CallIn, out: &mut Vec<Event>) -> Result<()> {
        let fragment = read.function.as_ref().map(CalledFunction::arguments).unwrap_or_default();
        let index = match self.known(&read) {
            Some(index) => index,
            None => self.start_call(read, out)?,
        };
        let Some(call) = self.calls.get_mut(index).filter(|call| !call.ended) else { return Ok(()) };
        if !fragment.is_empty() {
            call.whole.feed(&fragment);
            out.push(Event::ToolCallDelta { index, fragment });
        }
        Ok(())
    }

    /// The call that a delta goes on with. A number alone is not enough: some
    /// vendors give every call the same, but each an id of its own.
    fn known(&self, read: &CallIn) -> Option<usize> {
        let id = read.id.as_deref().filter(|id| !id.is_empty());
        let named = read.function.as_ref().is_some_and(|f| f.name.as_deref().is_some_and(|n| !n.is_empty()));
        let at = match read.index {
            Some(number) => self.calls.iter().rposition(|call| call.number == Some(number))?,
            None => self.calls.len().checked_sub(1)?,
        };
        let call = self.calls.get(at)?;
        let same_id = id.is_none() || call.id.as_deref() == id;
        // Without numbers and ids a name is what begins a call.
        let begins = named && read.index.is_none() && id.is_none();
        (same_id && !begins).then_some(at)
    }

    fn start_call(&mut self, read: CallIn, out: &mut Vec<Event>) -> Result<usize> {
        let index = self.calls.len();
        if index == MAX_CALLS {
            return Err(malformed("too many calls of tools"));
        }
        // A call that looks whole is done when the next one starts, so that it need not wait for the end.
        for (before, call) in self.calls.iter_mut().enumerate() {
            if call.whole.is_whole() && !std::mem::replace(&mut call.ended, true) {
                out.push(Event::ToolCallEnd { index: before });
            }
        }
        let id = read.id.filter(|id| !id.is_empty());
        out.push(Event::ToolCallStart {
            index,
            id: id.clone().unwrap_or_else(|| invented_id(&self.response_id, index)),
            name: read.function.and_then(|function| function.name).unwrap_or_default(),
            signature: reasoning::of_google(read.extra_content),
        });
        self.calls.push(Call { number: read.index, id, whole: Whole::default(), ended: false });
        Ok(index)
    }

    fn read_usage(&mut self, data: &[u8], out: &mut Vec<Event>) {
        out.extend(self.new_usage(data).map(Event::Usage));
    }

    /// The usage of a chunk, if it is another one than before.
    fn new_usage(&mut self, data: &[u8]) -> Option<Usage> {
        let read = usage(Op::Chat, self.counting, data);
        let new = read.filter(|usage| Some(*usage) != self.usage);
        self.usage = new.or(self.usage);
        new
    }

    fn fail(&mut self, error: Option<VendorError>, out: &mut Vec<Event>) {
        self.failed = true;
        let error = error.unwrap_or_default();
        out.push(Event::Error(StreamError {
            message: error.message,
            kind: error.kind,
            code: error.code,
            param: error.param,
        }));
    }
}

fn read_detail(detail: Detail, with_text: bool, out: &mut Vec<Event>) {
    if let Some(part) = detail.redacted() {
        out.push(Event::Part(part));
        return;
    }
    let signature = detail.signature();
    let text = detail.text.or(detail.summary).filter(|text| with_text && !text.is_empty());
    out.extend(text.map(Event::ThinkingDelta));
    out.extend(signature.map(Event::SignatureDelta));
}
