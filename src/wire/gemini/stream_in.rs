//! The vendor's stream, read into canonical events. Each chunk is a whole answer of
//! its own with what is new in it, calls of tools whole; the end is the end of the body.

use super::citation;
use super::delta_in;
use super::part_in::{CallIds, PartIn, Said, What};
use super::response_in::{Candidate, ResponseIn, finish, read};
use super::usage::Counts;
use crate::chat::{Citation, Delta, DeltaKind, Event, Finish, PartKind, Signature, StreamError, StreamIn};
use crate::error::{Failure, Kind, Result};
use crate::types::Usage;
use crate::wire::openai::vendor_error;

/// What other vendors end a stream with.
const DONE: &[u8] = b"[DONE]";
/// How many citations one answer may have.
const MAX_CITATIONS: usize = 512;

/// Reads the vendor's stream.
#[derive(Default)]
pub struct StreamReader {
    started: bool,
    ids: CallIds,
    /// The open thoughts are signed, so more of them are others.
    signed: bool,
    counts: Counts,
    usage: Option<Usage>,
    /// Older models say it on each chunk, so the last one counts.
    reason: Option<String>,
    blocked: bool,
    /// A later chunk may say again what an earlier one cited.
    cited: Vec<Citation>,
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
    fn feed(&mut self, _name: Option<&[u8]>, data: &[u8], out: &mut Vec<Event>) -> Result<()> {
        let data = data.trim_ascii();
        if self.failed || self.ended || data.is_empty() {
            return Ok(());
        }
        if data == DONE {
            return self.end(out);
        }
        // Also as a list of one.
        let chunk = match read(data) {
            Ok(chunk) if chunk.error.as_ref().is_none_or(|error| error.is_null()) => chunk,
            Ok(_) => return self.fail(data, out),
            Err(failure) if data.first() != Some(&b'[') || vendor_error(data).is_none() => {
                return Err(failure);
            }
            Err(_) => return self.fail(data, out),
        };
        self.read_chunk(chunk, out);
        Ok(())
    }

    fn delta<'a>(&mut self, _name: Option<&[u8]>, data: &'a [u8]) -> Option<Delta<'a>> {
        if !self.started || self.failed || self.ended {
            return None;
        }
        let hot = delta_in::read(data)?;
        // Other thoughts begin, or the answer's id is learned.
        if hot.is_thought && self.signed || hot.has_id && !self.ids.is_learned() {
            return None;
        }
        let kind = if hot.is_thought { DeltaKind::Thinking } else { DeltaKind::Text };
        if let Some(reason) = hot.reason.map(|reason| reason.text())
            && self.reason.as_deref() != Some(&*reason)
        {
            self.reason = Some(reason.into_owned());
        }
        let usage = self.new_usage(hot.counts);
        Some(Delta { kind, text: hot.text.quoted(), usage })
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<()> {
        if self.failed || self.ended {
            return Ok(());
        }
        let calls_tools = self.ids.next_number() > 0;
        let finish = match (&self.reason, self.blocked) {
            (Some(reason), _) => finish(reason, calls_tools),
            (None, true) => Finish::ContentFilter,
            (None, false) => {
                return Err(Failure::new(Kind::VendorCut, "The vendor cut its answer short."));
            }
        };
        self.ended = true;
        out.push(Event::Finish(finish));
        out.push(Event::End);
        Ok(())
    }
}

impl StreamReader {
    fn read_chunk(&mut self, chunk: ResponseIn, out: &mut Vec<Event>) {
        self.blocked |= chunk.is_blocked();
        let id = chunk.response_id.unwrap_or_default();
        self.ids.learn(&id);
        if !self.started {
            self.started = true;
            let model = chunk.model_version.unwrap_or_default();
            out.push(Event::Start { id, model, created: None });
        }
        let candidates = chunk.candidates.unwrap_or_default();
        // A stream has one answer; others were not asked for.
        if let Some(first) = candidates.into_iter().find(|candidate| candidate.index.unwrap_or(0) == 0) {
            self.read_candidate(first, out);
        }
        self.read_usage(chunk.usage_metadata, out);
    }

    fn read_candidate(&mut self, candidate: Candidate, out: &mut Vec<Event>) {
        let parts = candidate.content.and_then(|content| content.parts).unwrap_or_default();
        parts.into_iter().filter_map(PartIn::read).for_each(|said| self.read_part(said, out));
        for citation in
            citation::read(candidate.grounding_metadata.as_ref(), candidate.citation_metadata.as_ref())
        {
            if self.cited.len() < MAX_CITATIONS && !self.cited.contains(&citation) {
                self.cited.push(citation.clone());
                out.push(Event::Citation(citation));
            }
        }
        self.reason = candidate.finish_reason.or(self.reason.take());
    }

    fn read_part(&mut self, said: Said, out: &mut Vec<Event>) {
        match said.what {
            What::Text(text) => {
                out.extend((!text.is_empty()).then_some(Event::TextDelta(text)));
                self.sign_apart(said.signature, out);
            }
            What::Thought(text) => self.read_thought(text, said.signature, out),
            What::Call { id, name, arguments } => {
                let index = self.ids.next_number();
                let id = self.ids.next(id);
                out.push(Event::ToolCallStart { index, id, name, signature: said.signature });
                out.push(Event::ToolCallDelta { index, fragment: arguments });
                out.push(Event::ToolCallEnd { index });
            }
            What::Whole(part) => {
                out.push(Event::Part(part));
                self.sign_apart(said.signature, out);
            }
        }
    }

    fn read_thought(&mut self, text: String, signature: Option<Signature>, out: &mut Vec<Event>) {
        if text.is_empty() && signature.is_none() {
            return;
        }
        if std::mem::replace(&mut self.signed, signature.is_some()) {
            out.push(Event::PartStart(PartKind::Thinking));
        }
        out.extend((!text.is_empty()).then_some(Event::ThinkingDelta(text)));
        out.extend(signature.map(Event::SignatureDelta));
    }

    /// A signature of what is no thought stands behind it, as thoughts without a text.
    fn sign_apart(&mut self, signature: Option<Signature>, out: &mut Vec<Event>) {
        let Some(signature) = signature else { return };
        self.signed = true;
        out.push(Event::PartStart(PartKind::Thinking));
        out.push(Event::SignatureDelta(signature));
    }

    fn read_usage(&mut self, counts: Option<Counts>, out: &mut Vec<Event>) {
        out.extend(self.new_usage(counts).map(Event::Usage));
    }

    /// The usage so far, if it is another one than before.
    fn new_usage(&mut self, counts: Option<Counts>) -> Option<Usage> {
        self.counts.update(counts?);
        let usage = self.counts.usage();
        let new = (self.usage != Some(usage) && usage != Usage::default()).then_some(usage);
        self.usage = new.or(self.usage);
        new
    }

    fn fail(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<()> {
        self.failed = true;
        let error = vendor_error(data).unwrap_or_default();
        out.push(Event::Error(StreamError {
            message: error.message,
            kind: error.kind,
            code: error.code,
            param: error.param,
        }));
        Ok(())
    }
}
