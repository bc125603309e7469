//! A stream on its way through: forwarded event by event as it came, held back
//! while nothing but preparations has arrived, and read for usage and errors.

use super::error::{self, VendorError, vendor_error};
use super::event::{Facts, Progress};
use super::text::MAX_TEXT_BYTES;
use super::usage::Counting;
use crate::error::{Failure, Kind, Result};
use crate::types::{Op, Usage};
use crate::wire::sse::{self, Cut, Cutter};
use bytes::{Bytes, BytesMut};
use std::ops::Range;

/// The most bytes of one event of a text stream; an event of a stream of
/// images may have four times as many.
pub const MAX_EVENT_BYTES: usize = 4 << 20;
/// How much is held back while nothing but preparations has arrived. Past it
/// everything goes out.
pub const MAX_HELD_BYTES: usize = 64 * 1024;

/// What one read of a stream led to.
#[derive(Debug, Default)]
pub struct Step {
    /// Bytes for the caller (whole events), in order; empty = nothing yet. One
    /// `Bytes` per contiguous run, so that a read without changes comes out as
    /// the one chunk that came in.
    pub out: Vec<Bytes>,
    /// The first real content has been seen (now or before). Data that cannot
    /// be read counts as content, because it may be.
    pub content: bool,
    /// The vendor sent an error event; nothing after it is forwarded, the event itself is not in `out`.
    pub error: Option<VendorError>,
}

/// Reads a stream on its way through: forwards whole events byte-exact, holds lifecycle-only events
/// (role delta, empty delta, comments) back until the first content, finish reason, usage or the end,
/// keeps the usage, strips the usage chunk when the caller did not ask for it, notices errors and the end.
pub struct StreamReader {
    counting: Counting,
    strip_usage: bool,
    cutter: Cutter,
    progress: Progress,
    /// Held-back bytes, copied so that they pin no read buffers.
    held: BytesMut,
    released: bool,
    content: bool,
    failed: bool,
}

/// What becomes of one event.
enum Fate {
    Forward,
    Strip,
    Stop(VendorError),
}

/// Whole events that go out together, as slices of the chunk as long as they are contiguous.
struct Runs {
    chunk: Bytes,
    open: Range<usize>,
    done: Vec<Bytes>,
}

impl StreamReader {
    /// A reader at the beginning of a stream. `strip_usage`: the caller did not
    /// ask for the usage chunk.
    pub fn new(op: Op, counting: Counting, strip_usage: bool) -> Self {
        let max_event_bytes = match op {
            Op::ImageGeneration | Op::ImageEdit => MAX_EVENT_BYTES * 4,
            _ => MAX_EVENT_BYTES,
        };
        Self {
            counting,
            // Elsewhere usage comes with the last event, which belongs to the answer.
            strip_usage: strip_usage && matches!(op, Op::Chat | Op::Completion),
            cutter: Cutter::new(max_event_bytes),
            progress: Progress::new(MAX_TEXT_BYTES),
            held: BytesMut::new(),
            released: false,
            content: false,
            failed: false,
        }
    }

    /// Takes what one read gave.
    ///
    /// # Errors
    /// [`Kind::VendorMalformed`] when one event grows past [`MAX_EVENT_BYTES`].
    pub fn feed(&mut self, chunk: Bytes) -> Result<Step> {
        if self.failed {
            return Ok(Step { content: self.content, ..Step::default() });
        }
        self.cutter
            .push(chunk.clone())
            .map_err(|_| Failure::new(Kind::VendorMalformed, "The vendor sent an event that is too long."))?;
        let mut runs = Runs { chunk, open: 0..0, done: Vec::new() };
        let mut error = None;
        while let Some(cut) = self.cutter.next_cut() {
            match self.judge(cut.of(&runs.chunk)) {
                Fate::Forward => runs.add(cut),
                Fate::Strip => runs.close(),
                Fate::Stop(found) => {
                    error = Some(found);
                    break;
                }
            }
        }
        runs.close();
        Ok(self.step(runs.done, error))
    }

    /// The vendor ended the stream: what was held back, and an unterminated
    /// last event if it is whole, with its blank line added.
    pub fn end(&mut self) -> Step {
        let rest = self.cutter.rest();
        if self.failed {
            return Step { content: self.content, ..Step::default() };
        }
        let mut out = Vec::new();
        let mut error = None;
        match self.judge_rest(&rest) {
            Some(Fate::Forward) => {
                out.push(rest.clone());
                out.extend(missing_end(&rest).map(Bytes::from_static));
            }
            Some(Fate::Stop(found)) => error = Some(found),
            Some(Fate::Strip) | None => {}
        }
        self.released |= error.is_none();
        self.step(out, error)
    }

    /// `[DONE]` or a finish reason for every choice was seen, and no error.
    pub fn complete(&self) -> bool {
        !self.failed && (self.progress.ended || self.progress.all_finished())
    }

    /// The usage so far; `None` when none was reported. `requests` is left 0.
    pub fn usage(&self) -> Option<Usage> {
        let usage = self.progress.counts.usage(self.counting);
        match self.progress.images {
            0 => usage,
            images => Some(Usage { images, ..usage.unwrap_or_default() }),
        }
    }

    /// The first real content has been seen.
    pub fn content_seen(&self) -> bool {
        self.content
    }

    /// Bytes of output text so far (content, reasoning, tool calls), whether
    /// collected or not: an upper bound of its tokens.
    pub fn output_bytes(&self) -> u64 {
        self.progress.text.bytes()
    }

    /// Takes the collected output text away (the caller counts it in windows).
    /// At most [`MAX_TEXT_BYTES`] are collected between takes, what is more is
    /// only in `output_bytes`; `text_due` says when to take.
    pub fn take_text(&mut self) -> String {
        self.progress.text.take_all()
    }

    /// Half of what is collected at most has been collected.
    pub fn text_due(&self) -> bool {
        self.progress.text.due()
    }

    fn judge(&mut self, event: &[u8]) -> Fate {
        let fields = sse::fields(event);
        let is_error = fields.name == Some(b"error");
        let Some(data) = fields.data.filter(|data| !data.trim_ascii().is_empty()) else {
            return if is_error { Fate::Stop(VendorError::unknown()) } else { Fate::Forward };
        };
        let data = data.trim_ascii();
        if is_error {
            return Fate::Stop(vendor_error(data).unwrap_or_else(VendorError::unknown));
        }
        if data == b"[DONE]" {
            self.progress.ended = true;
            self.released = true;
            return Fate::Forward;
        }
        match self.progress.read(data) {
            Ok(facts) => self.judge_facts(&facts, data),
            Err(_) => {
                self.content = true;
                self.released = true;
                Fate::Forward
            }
        }
    }

    fn judge_facts(&mut self, facts: &Facts<'_>, data: &[u8]) -> Fate {
        if let Some(error) = error_of(facts, data) {
            return Fate::Stop(error);
        }
        self.content |= facts.content;
        self.released |= facts.content || facts.finish || facts.usage;
        if self.strip_usage && facts.usage && !facts.choices { Fate::Strip } else { Fate::Forward }
    }

    /// What becomes of an event without its blank line; `None`: it is half of one.
    fn judge_rest(&mut self, rest: &[u8]) -> Option<Fate> {
        if rest.is_empty() {
            return None;
        }
        let Some(data) = sse::data(rest) else {
            // No event at all: some vendors refuse a stream with a plain body.
            let refusal = rest.trim_ascii_start().starts_with(b"{").then(|| vendor_error(rest));
            return refusal.flatten().map(Fate::Stop);
        };
        let data = data.trim_ascii();
        let whole = missing_end(rest).is_none() || data == b"[DONE]" || {
            let mut reader = crate::wire::json::Reader::new(data);
            reader.skip().and_then(|_| reader.finish()).is_ok()
        };
        whole.then(|| self.judge(rest))
    }

    fn step(&mut self, mut out: Vec<Bytes>, error: Option<VendorError>) -> Step {
        if error.is_some() {
            self.failed = true;
        }
        if !self.released {
            let bytes: usize = out.iter().map(Bytes::len).sum();
            self.released = error.is_none() && self.held.len() + bytes > MAX_HELD_BYTES;
        }
        if !self.released {
            out.drain(..).for_each(|run| self.held.extend_from_slice(&run));
        } else if !self.held.is_empty() {
            out.insert(0, std::mem::take(&mut self.held).freeze());
        }
        Step { out, content: self.content, error }
    }
}

impl Runs {
    fn add(&mut self, cut: Cut) {
        match cut {
            Cut::Within(span) if span.start == self.open.end && !self.open.is_empty() => {
                self.open.end = span.end;
            }
            Cut::Within(span) => {
                self.close();
                self.open = span;
            }
            Cut::Joined(event) => {
                self.close();
                self.done.push(event);
            }
        }
    }

    fn close(&mut self) {
        let run = std::mem::take(&mut self.open);
        if !run.is_empty() {
            self.done.push(self.chunk.slice(run));
        }
    }
}

fn error_of(facts: &Facts<'_>, data: &[u8]) -> Option<VendorError> {
    if facts.failed
        && let Some(error) = vendor_error(data)
    {
        return Some(error);
    }
    if let Some(value) = facts.choice_error {
        return Some(error::of_value(value));
    }
    facts.failed_finish.map(VendorError::of_code)
}

/// What an event lacks to be whole; `None` when it ends with a blank line.
fn missing_end(event: &[u8]) -> Option<&'static [u8]> {
    match event {
        [.., b'\n' | b'\r', b'\r'] | [.., b'\n', b'\n'] | [.., b'\n', b'\r', b'\n'] => None,
        [.., b'\n'] => Some(b"\n"),
        // A lone LF would only make a CRLF of a CR.
        _ => Some(b"\n\n"),
    }
}

#[cfg(test)]
mod tests;
