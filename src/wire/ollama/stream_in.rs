//! The vendor's stream, read into canonical events: each line is an answer
//! with what is new in it, and the last one says why it ended and what was counted.

use super::delta_in;
use super::response_in::{AnswerIn, CallIds, MessageIn, malformed, picture};
use crate::chat::{Delta, Event, Json, StreamError, StreamIn};
use crate::error::{Failure, Kind, Result};

/// How many calls of tools one answer may have.
const MAX_CALLS: usize = 256;

/// Reads a stream of lines.
#[derive(Default)]
pub struct StreamReader {
    started: bool,
    ids: CallIds,
    calls: usize,
    ended: bool,
    failed: bool,
}

impl StreamReader {
    /// A reader at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same; calls without an id of the vendor's get one that begins with this.
    pub fn with_call_ids(stem: &str) -> Self {
        Self { ids: CallIds::of(stem), ..Self::default() }
    }

    fn read_message(&mut self, message: MessageIn, out: &mut Vec<Event>) -> Result<()> {
        out.extend(message.thinking.filter(|text| !text.is_empty()).map(Event::ThinkingDelta));
        out.extend(message.content.filter(|text| !text.is_empty()).map(Event::TextDelta));
        out.extend(message.images.unwrap_or_default().into_iter().map(|data| Event::Part(picture(data))));
        for call in message.tool_calls.unwrap_or_default() {
            if self.calls == MAX_CALLS {
                return Err(malformed("too many calls of tools"));
            }
            let (index, call) = (self.calls, self.ids.name(call));
            self.calls += 1;
            out.push(Event::ToolCallStart { index, id: call.id, name: call.name, signature: None });
            out.push(Event::ToolCallDelta { index, fragment: call.arguments });
            out.push(Event::ToolCallEnd { index });
        }
        Ok(())
    }
}

impl StreamIn for StreamReader {
    fn feed(&mut self, _name: Option<&[u8]>, data: &[u8], out: &mut Vec<Event>) -> Result<()> {
        if self.failed || self.ended {
            return Ok(());
        }
        let mut read = AnswerIn::read(data)?;
        if let Some(error) = read.error.take().filter(|error| !error.is_null()) {
            self.failed = true;
            out.push(Event::Error(failed(&error)));
            return Ok(());
        }
        if !std::mem::replace(&mut self.started, true) {
            let model = read.model.take().unwrap_or_default();
            out.push(Event::Start { id: String::new(), model, created: None });
        }
        if let Some(message) = read.message.take() {
            self.read_message(message, out)?;
        }
        if read.done {
            self.ended = true;
            out.extend(read.usage().map(Event::Usage));
            out.push(Event::Finish(read.finish(self.calls > 0)));
            out.push(Event::End);
        }
        Ok(())
    }

    fn delta<'a>(&mut self, _name: Option<&[u8]>, data: &'a [u8]) -> Option<Delta<'a>> {
        // The first line also begins the answer.
        if !self.started || self.failed || self.ended {
            return None;
        }
        let (kind, text) = delta_in::read(data)?;
        Some(Delta { kind, text: text.quoted(), usage: None })
    }

    fn end(&mut self, _out: &mut Vec<Event>) -> Result<()> {
        if self.failed || self.ended {
            return Ok(());
        }
        Err(Failure::new(Kind::VendorCut, "The vendor cut its answer short."))
    }
}

/// The server's error is a text; those in front of it may send an object.
fn failed(error: &Json) -> StreamError {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Told {
        message: String,
        code: Option<String>,
    }
    match error.read::<String>() {
        Some(message) => StreamError { message, ..StreamError::default() },
        None => {
            let told: Told = error.read().unwrap_or_default();
            StreamError { message: told.message, code: told.code, ..StreamError::default() }
        }
    }
}
