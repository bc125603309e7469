//! A vendor's stream on its way through: passed on byte for byte where the
//! dialects agree, translated where they do not. Looks on for usage, content,
//! errors and the end in both cases.

use super::job::Job;
use super::talk::Keeper;
use super::visit::Visit;
use crate::cache::Thoughts;
use crate::chat::{Delta, DeltaKind, Dialect, Event, Finish, StreamIn, StreamOut};
use crate::config::Provider;
use crate::error::{Failure, Kind, Result};
use crate::types::{Op, Usage};
use crate::wire::openai::{Step, StreamReader, VendorError};
use crate::wire::openai_chat::StreamOptions;
use crate::wire::translate::{self, AnswerForm, List, Tail, Unfinished};
use crate::wire::transport::{Message, Transport};
use bytes::Bytes;
use std::sync::Arc;

/// The largest event of a translated stream.
pub(super) const MAX_EVENT_BYTES: usize = 4 * 1024 * 1024;
/// The most text of an answer whose last event repeats all of it.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Output text that is collected before it is counted and let go.
const MAX_TEXT_BYTES: usize = 32 * 1024;
/// How much longer than what came in what goes out is taken to be at most.
const MAX_GROWTH_PERCENT: usize = 400;

/// Reads a stream and gives what goes to the caller.
#[expect(
    clippy::large_enum_variant,
    reason = "lives in its owner's box; the common case needs no second one"
)]
pub(super) enum Reader {
    /// OpenAI on both sides.
    Plain(StreamReader),
    /// Through the canonical conversation; also Anthropic to Anthropic, forwarded as it came.
    Chat(Box<ChatReader>),
}

/// A stream read as canonical events.
pub(super) struct ChatReader {
    /// What the caller speaks.
    dialect: Dialect,
    transport: Transport,
    input: Box<dyn StreamIn>,
    /// `None`: the events are forwarded as they came.
    output: Option<Box<dyn StreamOut>>,
    events: Vec<Event>,
    /// The caller wants the events as elements of one list.
    list: Option<List>,
    /// The id of an answer that is written as a Response.
    response_id: String,
    /// Named where the vendor names neither.
    id: String,
    model: Arc<str>,
    /// Written before the first content, and held back until it comes.
    held: Vec<u8>,
    /// How long what went out was, of what came in: the room to take for the next read.
    growth_percent: usize,
    usage: Option<Usage>,
    content: bool,
    complete: bool,
    text: String,
    /// Bytes of all text so far: where the last event repeats it, it is in memory until then.
    text_bytes: usize,
    /// Keeps the answer, if it is to be kept.
    keeper: Option<Keeper>,
    /// Ids of thoughts that only this vendor can read, of an answer that was forwarded as it came.
    given: Vec<String>,
    /// Gathered for callers that cannot return them.
    thoughts: Option<Thoughts>,
    /// Of a stream that is forwarded as it came: the number of the part that is open.
    open_block: Option<u64>,
    /// How many parts there were.
    blocks: u64,
    /// What has come of a stream that is forwarded as it came, ends with the whole answer and may have
    /// to be ended by the hub, because a wallet pays for it.
    unfinished: Option<Box<Unfinished>>,
}

impl Reader {
    pub(super) fn new(job: &Job, visit: &Visit, provider: &Provider) -> Self {
        let asked = job.request().is_some_and(|r| r.include_usage);
        let counting = provider.vendor.counting;
        let (from, to) = (job.door(provider).dialect, visit.dialect);
        if (from, to) == (Dialect::OpenAiChat, Dialect::OpenAiChat) {
            return Reader::Plain(StreamReader::new(visit.op, counting, !asked));
        }
        let options =
            StreamOptions { include_usage: asked, created: visit.at.seconds(), ..StreamOptions::default() };
        let id = visit.id.to_string();
        Reader::Chat(Box::new(ChatReader {
            dialect: to,
            transport: translate::transport(from, MAX_EVENT_BYTES),
            input: translate::stream_in(from, counting),
            output: (from != to)
                .then(|| translate::stream_out(to, options, job.asked(&id), job.telling(visit))),
            events: Vec::new(),
            list: (visit.form == AnswerForm::List).then(List::default),
            response_id: translate::answer_id(&id),
            id,
            model: Arc::clone(&visit.upstream_model),
            held: Vec::new(),
            growth_percent: 100,
            usage: None,
            content: false,
            complete: false,
            text: String::new(),
            text_bytes: 0,
            keeper: Keeper::of(job),
            given: Vec::new(),
            thoughts: job.keeps_thoughts(from).then(Thoughts::default),
            open_block: None,
            blocks: 0,
            unfinished: (from == to && job.pays && translate::repeats(to)).then(Box::default),
        }))
    }

    /// Takes one read of the vendor's.
    pub(super) fn feed(&mut self, chunk: Bytes) -> Result<Step> {
        match self {
            Reader::Plain(reader) => reader.feed(chunk),
            Reader::Chat(reader) => reader.feed(chunk),
        }
    }

    /// The vendor closed the stream.
    pub(super) fn end(&mut self) -> Step {
        match self {
            Reader::Plain(reader) => reader.end(),
            Reader::Chat(reader) => reader.end(),
        }
    }

    /// The vendor broke off instead of closing: what the caller is still owed, if everything was said.
    pub(super) fn broken_off(&mut self) -> Step {
        match self {
            Reader::Plain(_) => Step::default(),
            Reader::Chat(reader) => reader.conclude(Step::default(), Vec::new()),
        }
    }

    /// Has everything been said?
    pub(super) fn complete(&self) -> bool {
        match self {
            Reader::Plain(reader) => reader.complete(),
            Reader::Chat(reader) => reader.complete,
        }
    }

    /// What ends the caller's stream in place of its end: an event, or the last element of its list.
    pub(super) fn fail(&mut self, failure: &Failure) -> Bytes {
        match self {
            Reader::Plain(_) => translate::error_event(Dialect::OpenAiChat, failure),
            Reader::Chat(reader) => reader.fail(failure),
        }
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        match self {
            Reader::Plain(reader) => reader.usage(),
            Reader::Chat(reader) => reader.usage,
        }
    }

    /// Why the caller got an error although the vendor ended well.
    pub(super) fn refusal(&mut self) -> Option<Failure> {
        match self {
            Reader::Plain(_) => None,
            Reader::Chat(reader) => reader.output.as_mut().and_then(|output| output.refusal()),
        }
    }

    pub(super) fn content_seen(&self) -> bool {
        match self {
            Reader::Plain(reader) => reader.content_seen(),
            Reader::Chat(reader) => reader.content,
        }
    }

    /// The thoughts of an answer that has been said, once.
    pub(super) fn take_thoughts(&mut self) -> Option<Thoughts> {
        match self {
            Reader::Plain(_) => None,
            Reader::Chat(reader) if reader.complete => reader.thoughts.take(),
            Reader::Chat(_) => None,
        }
    }

    /// Ids of thoughts that came to the caller and only this vendor can read, once.
    pub(super) fn take_given(&mut self) -> Vec<String> {
        match self {
            Reader::Plain(_) => Vec::new(),
            Reader::Chat(reader) => std::mem::take(&mut reader.given),
        }
    }

    pub(super) fn text_due(&self) -> bool {
        match self {
            Reader::Plain(reader) => reader.text_due(),
            Reader::Chat(reader) => reader.text.len() >= MAX_TEXT_BYTES,
        }
    }

    /// Bytes of output text that were not taken yet; no token has less than one.
    pub(super) fn text_bytes(&self) -> u64 {
        match self {
            Reader::Plain(reader) => reader.text_bytes() as u64,
            Reader::Chat(reader) => reader.text.len() as u64,
        }
    }

    /// Ends the caller's stream as if the answer were as long as it may be, with an event before
    /// that says why. The vendor is not asked any more.
    pub(super) fn end_early(&mut self, job: &Job, visit: &Visit, why: &Failure, usage: &Usage) -> Vec<Bytes> {
        let asked = job.request().is_some_and(|r| r.include_usage);
        let tail = Tail {
            id: &visit.id.to_string(),
            created: visit.at.seconds(),
            model: &visit.upstream_model,
            completion: visit.op == Op::Completion,
            choices: job.request().map_or(1, |r| r.choices.max(1)),
            usage: asked.then_some(usage),
        };
        let mut out = translate::notice(visit.dialect, &tail, why);
        match self {
            Reader::Plain(_) => out.extend(translate::too_long(visit.dialect, &tail, None, why)),
            Reader::Chat(reader) => match &mut reader.output {
                Some(output) => {
                    output.emit(&Event::Finish(Finish::Length), &mut out);
                    output.emit(&Event::Usage(*usage), &mut out);
                    output.emit(&Event::End, &mut out);
                }
                None => {
                    let noted = reader.unfinished.as_ref().and_then(|noted| noted.end(usage, why));
                    let tail = Tail { usage: Some(usage), ..tail };
                    let plain = || translate::too_long(visit.dialect, &tail, reader.open_block, why);
                    out.extend(noted.unwrap_or_else(plain));
                }
            },
        }
        if let Reader::Chat(reader) = self {
            // Another request may go on from it.
            reader.keep(&out);
        }
        if let Reader::Chat(reader) = self
            && let Some(list) = &mut reader.list
        {
            return vec![Bytes::from(list.elements(&out)), Bytes::from_static(list.end())];
        }
        vec![Bytes::from(out)]
    }

    pub(super) fn take_text(&mut self) -> String {
        match self {
            Reader::Plain(reader) => reader.take_text(),
            Reader::Chat(reader) => std::mem::take(&mut reader.text),
        }
    }
}

impl ChatReader {
    fn feed(&mut self, chunk: Bytes) -> Result<Step> {
        if let Some(unfinished) = &mut self.unfinished {
            unfinished.forwarded();
        }
        let mut step = Step::default();
        let read_bytes = chunk.len();
        let mut written = Vec::with_capacity(read_bytes.saturating_mul(self.growth_percent) / 100);
        self.transport.push(chunk)?;
        while let Some(message) = self.transport.next_message()? {
            step.error = self.event(&message, &mut written)?;
            if self.text_bytes > MAX_ANSWER_BYTES && self.repeats() {
                return Err(too_long("an answer is larger than 64 MiB"));
            }
            if step.error.is_some() {
                break;
            }
        }
        let percent = written.len().saturating_mul(100) / read_bytes.max(1) + 10;
        self.growth_percent = self.growth_percent.max(percent).min(MAX_GROWTH_PERCENT);
        self.release(written, &mut step);
        Ok(step)
    }

    /// One event of the transport. Gives the vendor's error, if it is one.
    fn event(&mut self, message: &Message, written: &mut Vec<u8>) -> Result<Option<VendorError>> {
        let fields = message.fields();
        if let (Some(unfinished), Some((_, data))) = (&mut self.unfinished, &fields) {
            unfinished.take(data);
        }
        let delta = fields.as_ref().and_then(|(name, data)| self.input.delta(*name, data));
        if let Some(delta) = delta {
            self.pass(&delta, message.raw(), written);
            return Ok(None);
        }
        let mut events = std::mem::take(&mut self.events);
        if let Some((name, data)) = &fields {
            let read = self.input.feed(*name, data, &mut events);
            // What goes through as it came need not be understood.
            if self.output.is_some() {
                read?;
            }
        }
        self.name(&mut events);
        let error = self.meant(&events, written);
        if self.output.is_none() && error.is_none() {
            written.extend_from_slice(message.raw());
            let name = fields.and_then(|(name, _)| name);
            self.open_block = translate::open_block(name, self.open_block, &mut self.blocks);
        }
        if error.is_none() && matches!(events.last(), Some(Event::End)) {
            let last = if self.output.is_none() { message.raw() } else { written.as_slice() };
            self.keep(last);
        }
        events.clear();
        self.events = events;
        Ok(error)
    }

    /// Does the last event repeat the answer, so that it is held until then?
    fn repeats(&self) -> bool {
        self.output.is_some() && translate::repeats(self.dialect)
    }

    /// The end has been written, and is not with the caller yet.
    fn keep(&mut self, written: &[u8]) {
        let Some(answer) = translate::repeated(self.dialect, written) else { return };
        if self.output.is_none() {
            self.given = translate::opaque_thoughts(self.dialect, answer.response);
        }
        if let Some(keeper) = self.keeper.take() {
            keeper.done(&answer);
        }
    }

    fn fail(&mut self, failure: &Failure) -> Bytes {
        let event = match &mut self.output {
            None => translate::error_event_at(self.dialect, failure, self.input.next_number()),
            Some(output) => {
                let mut out = Vec::new();
                output.fail(failure, &mut out);
                out.into()
            }
        };
        match &mut self.list {
            Some(list) => [&list.elements(&event), list.end()].concat().into(),
            None => event,
        }
    }

    /// Gives an answer the names that its vendor does not.
    fn name(&self, events: &mut [Event]) {
        let Some(Event::Start { id, model, .. }) = events.first_mut() else { return };
        if id.is_empty() {
            id.clone_from(&self.id);
        }
        if model.is_empty() {
            *model = self.model.to_string();
        }
    }

    /// The commonest event, from the vendor's bytes straight to the caller's.
    fn pass(&mut self, delta: &Delta<'_>, raw: &[u8], written: &mut Vec<u8>) {
        self.content = true;
        let before = self.text.len();
        delta.text.push_to(&mut self.text);
        self.text_bytes += self.text.len().saturating_sub(before);
        match (delta.kind, &mut self.thoughts) {
            (DeltaKind::Thinking, Some(thoughts)) => {
                thoughts.more(self.text.get(before..).unwrap_or_default());
            }
            (DeltaKind::Text, Some(thoughts)) => thoughts.close(),
            (DeltaKind::Arguments(_), _) | (_, None) => {}
        }
        self.usage = delta.usage.or(self.usage);
        let Some(output) = &mut self.output else { return written.extend_from_slice(raw) };
        output.delta(delta, written);
        if let Some(usage) = delta.usage {
            output.emit(&Event::Usage(usage), written);
        }
    }

    fn meant(&mut self, events: &[Event], written: &mut Vec<u8>) -> Option<VendorError> {
        for event in events {
            if let Some(thoughts) = &mut self.thoughts {
                thoughts.take(event);
            }
            match event {
                Event::Error(error) => {
                    let (kind, code) = (error.kind.clone(), error.code.clone());
                    return Some(VendorError {
                        message: error.message.clone(),
                        kind,
                        code,
                        param: error.param.clone(),
                    });
                }
                Event::TextDelta(text)
                | Event::ThinkingDelta(text)
                | Event::RefusalDelta(text)
                | Event::ToolCallDelta { fragment: text, .. } => {
                    self.content = true;
                    self.text_bytes += text.len();
                    self.text.push_str(text);
                }
                Event::ToolCallStart { name, .. } => {
                    self.content = true;
                    self.text.push_str(name);
                }
                Event::Part(_) | Event::Citation(_) => self.content = true,
                Event::Usage(usage) => self.usage = Some(*usage),
                // Not an end that a caller could tell from a good one, so not an end at all.
                Event::Finish(Finish::Error(word)) => return Some(ended_badly(word)),
                // Anthropic reports usage before its end; OpenAI after the finish reason.
                Event::Finish(_) | Event::End => self.complete = true,
                Event::Start { id, .. } => {
                    // Where the answer is written here it has an id of the hub's own.
                    let id = if self.output.is_some() { &self.response_id } else { id };
                    if let Some(keeper) = &mut self.keeper {
                        keeper.begin(id);
                    }
                }
                Event::PartStart(_) | Event::SignatureDelta(_) | Event::ToolCallEnd { .. } | Event::Ping => {}
            }
            if let Some(output) = &mut self.output {
                output.emit(event, written);
            }
        }
        None
    }

    /// Lifecycle-only bytes wait for the first content, so that another vendor can still be tried.
    fn release(&mut self, mut written: Vec<u8>, step: &mut Step) {
        step.content = self.content;
        if !self.content && !self.complete {
            self.held.append(&mut written);
            return;
        }
        if !self.held.is_empty() {
            let mut all = std::mem::take(&mut self.held);
            all.append(&mut written);
            written = all;
        }
        if let Some(list) = &mut self.list {
            written = list.elements(&written);
        }
        if !written.is_empty() {
            step.out.push(Bytes::from(written));
        }
    }

    fn end(&mut self) -> Step {
        let mut step = Step::default();
        let mut written = Vec::new();
        if let Some(rest) = self.transport.rest()
            && let Ok(error) = self.event(&rest, &mut written)
        {
            step.error = error;
        }
        self.conclude(step, written)
    }

    /// Says the end, if the reason for it has come.
    fn conclude(&mut self, mut step: Step, mut written: Vec<u8>) -> Step {
        let mut events = Vec::new();
        // A stream that is not complete is told so by `complete`, and cut by the caller of this.
        if step.error.is_none() && self.input.end(&mut events).is_ok() {
            step.error = self.meant(&events, &mut written);
            if step.error.is_none() && matches!(events.last(), Some(Event::End)) {
                self.keep(&written);
            }
        }
        self.release(written, &mut step);
        if let (Some(list), true, None) = (&mut self.list, self.complete, &step.error) {
            step.out.push(Bytes::from_static(list.end()));
        }
        step
    }
}

/// What a vendor said that ended its answer with a failure instead of a reason.
pub(super) fn ended_badly(word: &str) -> VendorError {
    let message = "the vendor ended the answer with an error".to_owned();
    VendorError { message, code: Some(word.to_owned()), ..VendorError::default() }
}

fn too_long(detail: &str) -> Failure {
    let text = "The model's vendor sent an unreadable answer";
    Failure::new(Kind::VendorMalformed, text).detail(detail)
}
