//! A caller's stream, written from canonical events.
//!
//! The last event repeats the whole answer, so the writer keeps it until then.

use super::echo::{Asked, Echo};
use super::error::error_event_at;
use super::items::{
    CallKind, Content, Item, Maker, Status, annotation, custom_input, encrypted, write_summary,
};
use super::response_out::{End, Frame};
use crate::chat::{Citation, Event, Finish, Object, Part, PartKind, Signature, StreamOut, write_object};
use crate::error::Failure;
use crate::types::Usage;

/// The item that text or thoughts go on in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Refusal,
    /// `said`: a part of the summary has begun.
    Thinking {
        said: bool,
    },
}

/// A call: which item it is, and whether it goes on.
struct Call {
    item: usize,
    open: bool,
}

/// Writes the events of a response.
pub struct StreamWriter {
    echo: Echo,
    maker: Maker,
    created: i64,
    model: String,
    sequence: u64,
    items: Vec<Item>,
    open: Option<(Open, usize)>,
    calls: Vec<Call>,
    usage: Option<Usage>,
    finish: Option<Finish>,
    started: bool,
    over: bool,
}

impl StreamWriter {
    /// A writer at the beginning of a stream. `created` is in seconds since the
    /// Unix epoch, for a vendor that does not say when.
    pub fn new(asked: Asked<'_>, created: i64) -> Self {
        let echo = Echo::read(asked.body);
        Self {
            maker: Maker::new(asked.id, echo.custom_tools()),
            model: echo.model().to_owned(),
            echo,
            created,
            sequence: 0,
            items: Vec::new(),
            open: None,
            calls: Vec::new(),
            usage: None,
            finish: None,
            started: false,
            over: false,
        }
    }

    fn event(&mut self, out: &mut Vec<u8>, name: &str, members: impl FnOnce(&Self, &mut Object<'_>)) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        write_object(out, |object| {
            object.put("type", name);
            object.put("sequence_number", &self.sequence);
            members(self, object);
        });
        out.extend_from_slice(b"\n\n");
        self.sequence += 1;
    }

    /// An event about one item.
    fn of_item(&mut self, out: &mut Vec<u8>, name: &str, item: usize, members: impl FnOnce(&mut Object<'_>)) {
        self.event(out, name, |writer, object| {
            object.put("item_id", writer.items.get(item).map_or("", Item::id));
            object.put("output_index", &item);
            members(object);
        });
    }

    fn with_frame(&self, object: &mut Object<'_>, write: impl FnOnce(&Frame<'_>, &mut Object<'_>)) {
        let id = self.maker.response_id();
        let frame = Frame {
            id: &id,
            model: &self.model,
            created: self.created,
            service_tier: None,
            echo: &self.echo,
        };
        object.object("response", |object| write(&frame, object));
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        for name in ["response.created", "response.in_progress"] {
            self.event(out, name, |writer, object| {
                writer.with_frame(object, |frame, object| frame.write_begun(object));
            });
        }
    }

    fn add(&mut self, out: &mut Vec<u8>, item: Item, status: Status) -> usize {
        let index = self.items.len();
        self.event(out, "response.output_item.added", |_, object| {
            object.put("output_index", &index);
            item.write_as(object, "item", status);
        });
        self.items.push(item);
        index
    }

    fn item_done(&mut self, out: &mut Vec<u8>, index: usize, status: Status) {
        self.event(out, "response.output_item.done", |writer, object| {
            object.put("output_index", &index);
            if let Some(item) = writer.items.get(index) {
                item.write_as(object, "item", status);
            }
        });
    }

    /// Begins a part of this kind. Texts that follow each other are parts of one message.
    fn begin(&mut self, kind: Open, out: &mut Vec<u8>) -> usize {
        if let (Open::Text | Open::Refusal, Some((Open::Text | Open::Refusal, item))) = (kind, self.open) {
            self.content_done(out, item);
            return self.begin_content(kind, item, out);
        }
        self.close_open(out, Status::Completed);
        let index = self.items.len();
        if let Open::Thinking { .. } = kind {
            let item = self.add(out, self.maker.reasoning(index), Status::InProgress);
            self.open = Some((Open::Thinking { said: false }, item));
            return item;
        }
        let item = self.add(out, self.maker.message(index), Status::InProgress);
        self.begin_content(kind, item, out)
    }

    fn begin_content(&mut self, kind: Open, item: usize, out: &mut Vec<u8>) -> usize {
        let part = match kind {
            Open::Refusal => Content::Refusal(String::new()),
            _ => Content::Text { text: String::new(), annotations: Vec::new() },
        };
        let content_index = self.contents(item);
        self.of_item(out, "response.content_part.added", item, |object| {
            object.put("content_index", &content_index);
            object.object("part", |object| part.write(object));
        });
        if let Some(Item::Message { content, .. }) = self.items.get_mut(item) {
            content.push(part);
        }
        self.open = Some((kind, item));
        item
    }

    /// The item that is open for this kind, begun if there is none.
    fn item_of(&mut self, kind: Open, out: &mut Vec<u8>) -> usize {
        match (self.open, kind) {
            (Some((Open::Thinking { .. }, item)), Open::Thinking { .. }) => item,
            (Some((open, item)), kind) if open == kind => item,
            _ => self.begin(kind, out),
        }
    }

    fn contents(&self, item: usize) -> usize {
        match self.items.get(item) {
            Some(Item::Message { content, .. }) => content.len(),
            _ => 0,
        }
    }

    fn last_content(&mut self, item: usize) -> Option<&mut Content> {
        match self.items.get_mut(item) {
            Some(Item::Message { content, .. }) => content.last_mut(),
            _ => None,
        }
    }

    fn text(&mut self, kind: Open, more: &str, out: &mut Vec<u8>) {
        let item = self.item_of(kind, out);
        let content_index = self.contents(item).saturating_sub(1);
        let name = match self.last_content(item) {
            Some(Content::Text { text, .. }) => {
                text.push_str(more);
                "response.output_text.delta"
            }
            Some(Content::Refusal(text)) => {
                text.push_str(more);
                "response.refusal.delta"
            }
            None => return,
        };
        self.of_item(out, name, item, |object| {
            object.put("content_index", &content_index);
            object.put("delta", more);
            if name == "response.output_text.delta" {
                object.put("logprobs", &[(); 0]);
            }
        });
    }

    fn think(&mut self, more: &str, out: &mut Vec<u8>) {
        let item = self.item_of(Open::Thinking { said: false }, out);
        if self.open == Some((Open::Thinking { said: false }, item)) {
            self.open = Some((Open::Thinking { said: true }, item));
            self.of_item(out, "response.reasoning_summary_part.added", item, |object| {
                object.put("summary_index", &0);
                object.object("part", |part| write_summary(part, ""));
            });
        }
        if let Some(Item::Reasoning { summary, .. }) = self.items.get_mut(item) {
            match summary.last_mut() {
                Some(text) => text.push_str(more),
                None => summary.push(more.to_owned()),
            }
        }
        self.of_item(out, "response.reasoning_summary_text.delta", item, |object| {
            object.put("summary_index", &0);
            object.put("delta", more);
        });
    }

    fn sign(&mut self, signature: &Signature, out: &mut Vec<u8>) {
        let item = self.item_of(Open::Thinking { said: false }, out);
        if let Some(Item::Reasoning { encrypted: field, .. }) = self.items.get_mut(item) {
            // A signature that comes in pieces: each is text behind the one before.
            let whole = match field.take() {
                None => encrypted(signature),
                Some(before) => {
                    let mut whole = Signature::from_field(before, crate::chat::Origin::OpenAi);
                    whole.text.push_str(&signature.text);
                    encrypted(&whole)
                }
            };
            *field = Some(whole);
        }
    }

    fn cite(&mut self, citation: &Citation, out: &mut Vec<u8>) {
        let item = self.item_of(Open::Text, out);
        let content_index = self.contents(item).saturating_sub(1);
        let Some(Content::Text { text, annotations }) = self.last_content(item) else { return };
        let Some(json) = annotation(citation, text) else { return };
        let number = annotations.len();
        annotations.push(json.clone());
        self.of_item(out, "response.output_text.annotation.added", item, |object| {
            object.put("content_index", &content_index);
            object.put("annotation_index", &number);
            object.put("annotation", &json);
        });
    }

    /// The part of a message that is open has all been said.
    fn content_done(&mut self, out: &mut Vec<u8>, item: usize) {
        let content_index = self.contents(item).saturating_sub(1);
        let Some(content) = self.last_content(item).cloned() else { return };
        match &content {
            Content::Text { text, .. } => self.of_item(out, "response.output_text.done", item, |object| {
                object.put("content_index", &content_index);
                object.put("text", text);
                object.put("logprobs", &[(); 0]);
            }),
            Content::Refusal(text) => self.of_item(out, "response.refusal.done", item, |object| {
                object.put("content_index", &content_index);
                object.put("refusal", text);
            }),
        }
        self.of_item(out, "response.content_part.done", item, |object| {
            object.put("content_index", &content_index);
            object.object("part", |object| content.write(object));
        });
    }

    fn summary_done(&mut self, out: &mut Vec<u8>, item: usize) {
        let Some(Item::Reasoning { summary, .. }) = self.items.get(item) else { return };
        let text = summary.last().cloned().unwrap_or_default();
        self.of_item(out, "response.reasoning_summary_text.done", item, |object| {
            object.put("summary_index", &0);
            object.put("text", &text);
        });
        self.of_item(out, "response.reasoning_summary_part.done", item, |object| {
            object.put("summary_index", &0);
            object.object("part", |part| write_summary(part, &text));
        });
    }

    fn close_open(&mut self, out: &mut Vec<u8>, status: Status) {
        let Some((kind, item)) = self.open.take() else { return };
        match kind {
            Open::Text | Open::Refusal => self.content_done(out, item),
            Open::Thinking { said: true } => self.summary_done(out, item),
            Open::Thinking { said: false } => {}
        }
        self.item_done(out, item, status);
    }

    /// Calls may be open side by side: their deltas may alternate, and each has its item.
    fn start_call(&mut self, id: &str, name: &str, signature: Option<&Signature>, out: &mut Vec<u8>) {
        self.close_open(out, Status::Completed);
        let item = self.maker.call(self.items.len(), id, name, signature);
        let item = self.add(out, item, Status::InProgress);
        self.calls.push(Call { item, open: true });
    }

    fn write_arguments(&mut self, index: usize, fragment: &str, out: &mut Vec<u8>) {
        let Some(Call { item, open: true }) = self.calls.get(index) else { return };
        let item = *item;
        let Some(Item::Call { arguments, kind, .. }) = self.items.get_mut(item) else { return };
        arguments.push_str(fragment);
        // The text of a free-form tool is inside an object and is told when that is whole.
        if *kind == CallKind::Function {
            self.of_item(out, "response.function_call_arguments.delta", item, |object| {
                object.put("delta", fragment);
            });
        }
    }

    fn end_call(&mut self, index: usize, out: &mut Vec<u8>, status: Status) {
        let Some(call) = self.calls.get_mut(index).filter(|call| call.open) else { return };
        call.open = false;
        let item = call.item;
        let Some(Item::Call { arguments, kind, name, .. }) = self.items.get_mut(item) else { return };
        let (tool, custom) = (name.clone(), *kind == CallKind::Custom);
        if custom {
            *arguments = custom_input(arguments);
            let input = arguments.clone();
            self.of_item(out, "response.custom_tool_call_input.delta", item, |object| {
                object.put("delta", &input);
            });
            self.of_item(out, "response.custom_tool_call_input.done", item, |object| {
                object.put("input", &input);
            });
        } else {
            if arguments.is_empty() {
                arguments.push_str("{}");
            }
            let whole = arguments.clone();
            self.of_item(out, "response.function_call_arguments.done", item, |object| {
                object.put("name", &tool);
                object.put("arguments", &whole);
            });
        }
        self.item_done(out, item, status);
    }

    fn close_all(&mut self, out: &mut Vec<u8>, status: Status) {
        self.close_open(out, status);
        (0..self.calls.len()).for_each(|index| self.end_call(index, out, status));
    }

    /// A part that comes whole; one that the dialect cannot say is left out.
    fn write_part(&mut self, part: &Part, out: &mut Vec<u8>) {
        match part {
            Part::Text(text) if !text.text.is_empty() => {
                self.begin(Open::Text, out);
                self.text(Open::Text, &text.text, out);
                text.citations.iter().for_each(|citation| self.cite(citation, out));
            }
            part => {
                let Some(item) = self.maker.whole(self.items.len(), part) else { return };
                self.close_open(out, Status::Completed);
                let index = self.add(out, item, Status::Completed);
                self.item_done(out, index, Status::Completed);
            }
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let end = End { finish: self.finish.as_ref(), usage: self.usage.as_ref() };
        let status = end.status();
        self.close_all(out, status);
        let name = match status {
            Status::Completed => "response.completed",
            _ => "response.incomplete",
        };
        self.event(out, name, |writer, object| {
            let end = End { finish: writer.finish.as_ref(), usage: writer.usage.as_ref() };
            writer.with_frame(object, |frame, object| frame.write(object, &end, &writer.items));
        });
        self.over = true;
    }

    fn content(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::PartStart(PartKind::Text) => _ = self.begin(Open::Text, out),
            Event::PartStart(PartKind::Refusal) => _ = self.begin(Open::Refusal, out),
            Event::PartStart(PartKind::Thinking) => _ = self.begin(Open::Thinking { said: false }, out),
            Event::TextDelta(text) => self.text(Open::Text, text, out),
            Event::RefusalDelta(text) => self.text(Open::Refusal, text, out),
            Event::ThinkingDelta(text) => self.think(text, out),
            Event::SignatureDelta(signature) => self.sign(signature, out),
            Event::ToolCallStart { id, name, signature, .. } => {
                self.start_call(id, name, signature.as_ref(), out);
            }
            Event::ToolCallDelta { index, fragment } => self.write_arguments(*index, fragment, out),
            Event::ToolCallEnd { index } => self.end_call(*index, out, Status::Completed),
            Event::Part(part) => self.write_part(part, out),
            Event::Citation(citation) => self.cite(citation, out),
            Event::Finish(finish) => {
                self.finish = Some(finish.clone());
                let status = End { finish: Some(finish), usage: None }.status();
                self.close_all(out, status);
            }
            Event::End => self.end(out),
            Event::Ping | Event::Start { .. } | Event::Usage(_) | Event::Error(_) => {}
        }
    }
}

impl StreamOut for StreamWriter {
    fn emit(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            _ if self.over => {}
            Event::Start { model, created, .. } => {
                if !model.is_empty() {
                    self.model.clone_from(model);
                }
                self.created = created.unwrap_or(self.created);
                self.start(out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Error(_) => {}
            event => {
                self.start(out);
                self.content(event, out);
            }
        }
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.over, true) {
            out.extend_from_slice(&error_event_at(failure, self.sequence));
        }
    }
}
