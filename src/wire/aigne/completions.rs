//! `/chat/completions` as AIGNE's older clients know it: OpenAI's fields in
//! camel case, answered with fields at the top. Ours takes OpenAI's own names
//! too and answers with both, so that either client finds what it reads.

use super::image;
use super::telling::Telling;
use crate::chat::{Dialect, Event, Object, Part, Response, StreamOut, ToolCall, plain_text, write_object};
use crate::error::{Failure, Result};
use crate::types::{Op, Usage};
use crate::wire::json::{Kind, Patch, Reader, Str, Syntax};
use crate::wire::openai_chat::{self, StreamOptions};
use crate::wire::received::{InPath, Received, Tells};
use bytes::Bytes;

/// Names at the top. What is in no list here is left as it came.
const TOP: &[(&str, &str)] = &[
    ("topP", "top_p"),
    ("topK", "top_k"),
    ("presencePenalty", "presence_penalty"),
    ("frequencyPenalty", "frequency_penalty"),
    ("maxTokens", "max_tokens"),
    ("maxCompletionTokens", "max_completion_tokens"),
    ("toolChoice", "tool_choice"),
    ("parallelToolCalls", "parallel_tool_calls"),
    ("responseFormat", "response_format"),
    ("reasoningEffort", "reasoning_effort"),
    ("streamOptions", "stream_options"),
];
const OF_FORMAT: &[(&str, &str)] = &[("jsonSchema", "json_schema")];
const OF_OPTIONS: &[(&str, &str)] = &[("includeUsage", "include_usage")];
const OF_MESSAGE: &[(&str, &str)] = &[("toolCalls", "tool_calls"), ("toolCallId", "tool_call_id")];
const OF_PART: &[(&str, &str)] = &[("imageUrl", "image_url")];

/// Puts a body into OpenAI's words.
///
/// # Errors
/// [`crate::error::Kind::InvalidRequest`] for pictures, which are unfolded; of a chat
/// everything is complained about by who reads it next.
pub fn received(op: Op, in_path: &InPath, body: Bytes) -> Result<Received> {
    if op == Op::ImageGeneration {
        return image::received(&body);
    }
    let speaks = Dialect::OpenAiChat;
    // What is no JSON stays as it is and is refused, with line and column, where it is read.
    let patch = Renaming::of(&body, in_path.stream).unwrap_or_default();
    let body = if patch.is_empty() { body } else { patch.apply(&body).into() };
    let tells = Tells { by_accept: in_path.stream, ..Tells::default() };
    Ok(Received { op, body, speaks, content_type: None, tells })
}

/// The edits that make a body OpenAI's.
#[derive(Default)]
struct Renaming {
    patch: Patch,
    has_messages: bool,
    /// Key and value of `prompt`.
    prompt: Option<(std::ops::Range<usize>, std::ops::Range<usize>)>,
    stream: Option<std::ops::Range<usize>>,
}

impl Renaming {
    fn of(body: &[u8], stream: bool) -> Result<Patch, Syntax> {
        let mut renaming = Self::default();
        let mut reader = Reader::new(body);
        if reader.kind()? != Kind::Object {
            return Ok(Patch::new());
        }
        reader.enter_object()?;
        let first = reader.offset();
        let mut any = false;
        while let Some(key) = reader.key()? {
            any = true;
            renaming.top(&mut reader, &key)?;
        }
        let Self { mut patch, has_messages, prompt, stream: said } = renaming;
        if let (false, Some((key, value))) = (has_messages, prompt) {
            patch.replace(key, "messages");
            patch.replace(value.start..value.start, r#"[{"role":"user","content":"#);
            patch.replace(value.end..value.end, "}]");
        }
        match said {
            Some(value) if stream => patch.replace(value, "true"),
            None if stream && any => patch.replace(first..first, r#""stream":true,"#),
            _ => {}
        }
        Ok(patch)
    }

    fn rename(&mut self, reader: &Reader<'_>, key: &Str<'_>, names: &[(&str, &str)]) {
        if let Some((_, to)) = names.iter().find(|(from, _)| key.bytes() == from.as_bytes()) {
            self.patch.replace(reader.span_of(key), *to);
        }
    }

    fn top<'a>(&mut self, reader: &mut Reader<'a>, key: &Str<'a>) -> Result<(), Syntax> {
        self.rename(reader, key, TOP);
        let key_span = reader.span_of(key);
        let kind = reader.kind()?;
        match (key.bytes().as_ref(), kind) {
            (b"messages", Kind::Array) => {
                self.has_messages = true;
                reader.enter_array()?;
                while reader.element()? {
                    self.message(reader)?;
                }
                Ok(())
            }
            (b"prompt", Kind::String) => {
                self.prompt = Some((key_span, reader.skip()?));
                Ok(())
            }
            (b"stream", _) => {
                self.stream = Some(reader.skip()?);
                Ok(())
            }
            (b"responseFormat" | b"response_format", Kind::Object) => self.members(reader, OF_FORMAT),
            (b"streamOptions" | b"stream_options", Kind::Object) => self.members(reader, OF_OPTIONS),
            _ => reader.ignore(),
        }
    }

    fn members(&mut self, reader: &mut Reader<'_>, names: &[(&str, &str)]) -> Result<(), Syntax> {
        reader.enter_object()?;
        while let Some(key) = reader.key()? {
            self.rename(reader, &key, names);
            reader.ignore()?;
        }
        Ok(())
    }

    fn message(&mut self, reader: &mut Reader<'_>) -> Result<(), Syntax> {
        if reader.kind()? != Kind::Object {
            return reader.ignore();
        }
        reader.enter_object()?;
        while let Some(key) = reader.key()? {
            self.rename(reader, &key, OF_MESSAGE);
            let kind = reader.kind()?;
            match (key.bytes().as_ref(), kind) {
                (b"content", Kind::Array) => {
                    reader.enter_array()?;
                    while reader.element()? {
                        match reader.kind()? {
                            Kind::Object => self.members(reader, OF_PART)?,
                            _ => reader.ignore()?,
                        }
                    }
                }
                (b"role", Kind::String) => {
                    let role = reader.string()?;
                    if role.bytes() == &b"agent"[..] {
                        self.patch.replace(reader.span_of(&role), "assistant");
                    }
                }
                _ => reader.ignore()?,
            }
        }
        Ok(())
    }
}

/// Writes a whole answer: OpenAI's, and what the older clients look for at the top.
pub fn response_out(response: &Response, telling: &Telling) -> Vec<u8> {
    let parts = &response.first().parts;
    let text = plain_text(parts);
    let mut out = Vec::with_capacity(1024);
    write_object(&mut out, |object| {
        openai_chat::write_answer(object, response);
        if let Some(usage) = &response.usage {
            object.object("usage", |object| write_both(object, usage, telling));
        }
        object.put("role", "assistant");
        object.put("text", &text);
        object.put("content", &text);
        if parts.iter().any(|part| matches!(part, Part::ToolCall(_))) {
            object.array("toolCalls", |array| openai_chat::write_calls(array, parts));
        }
        object.put("modelWithProvider", &telling.full_model());
    });
    out
}

/// A usage in OpenAI's words and in AIGNE's.
fn write_both(object: &mut Object<'_>, usage: &Usage, telling: &Telling) {
    openai_chat::write_usage(object, usage);
    object.put("promptTokens", &usage.input_tokens());
    object.put("completionTokens", &usage.output_tokens());
    object.put("totalTokens", &usage.total_tokens());
    telling.write_cost(object, usage);
}

/// Writes OpenAI's chunks, each with a `delta` at the top as well.
pub struct CompletionsWriter {
    inner: openai_chat::StreamWriter,
    telling: Telling,
    wants_usage: bool,
    /// Only the first of several answers is told at the top as well.
    is_first: bool,
    created: i64,
    id: String,
    calls: Vec<Part>,
    usage: Option<Usage>,
}

impl CompletionsWriter {
    /// A writer at the beginning of a stream.
    pub fn new(options: StreamOptions, telling: Telling) -> Self {
        let wants_usage = options.include_usage || telling.tells.by_accept;
        let (created, is_first) = (options.created, options.choice == 0);
        let inner = openai_chat::StreamWriter::new(options);
        let (id, calls) = (String::new(), Vec::new());
        Self { inner, telling, wants_usage, is_first, created, id, calls, usage: None }
    }

    /// Adds a `delta` to the chunk that begins at `start`, if there is one.
    fn add_delta(out: &mut Vec<u8>, start: usize, members: impl FnOnce(&mut Object<'_>)) {
        const END: &[u8] = b"}\n\n";
        if out.get(start..).is_some_and(|chunk| chunk.ends_with(END)) {
            out.truncate(out.len() - END.len());
            out.extend_from_slice(b",\"delta\":");
            write_object(out, members);
            out.extend_from_slice(END);
        }
    }

    fn write_end(&mut self, out: &mut Vec<u8>) {
        if let Some(usage) = self.usage.filter(|_| self.wants_usage) {
            out.extend_from_slice(b"data: ");
            write_object(out, |object| {
                object.put("id", &self.id);
                object.put("object", "chat.completion.chunk");
                object.put("created", &self.created);
                object.put("model", &*self.telling.model);
                object.array("choices", |_| ());
                object.object("usage", |object| write_both(object, &usage, &self.telling));
                object.put("modelWithProvider", &self.telling.full_model());
            });
            out.extend_from_slice(b"\n\n");
        }
        if !self.telling.tells.by_accept {
            out.extend_from_slice(b"data: [DONE]\n\n");
        }
    }

    fn collect(&mut self, event: &Event) {
        match event {
            Event::Start { id, created, .. } => {
                self.id.clone_from(id);
                self.created = created.unwrap_or(self.created);
            }
            Event::ToolCallStart { id, name, signature, .. } => self.calls.push(Part::ToolCall(ToolCall {
                id: id.clone(),
                name: name.clone(),
                signature: signature.clone(),
                ..ToolCall::default()
            })),
            Event::ToolCallDelta { index, fragment } => {
                if let Some(Part::ToolCall(call)) = self.calls.get_mut(*index) {
                    call.arguments.push_str(fragment);
                }
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            _ => {}
        }
    }
}

impl StreamOut for CompletionsWriter {
    fn emit(&mut self, event: &Event, out: &mut Vec<u8>) {
        if *event == Event::End {
            return self.write_end(out);
        }
        self.collect(event);
        let start = out.len();
        self.inner.emit(event, out);
        match event {
            _ if !self.is_first => {}
            Event::Start { .. } => Self::add_delta(out, start, |delta| delta.put("role", "assistant")),
            Event::TextDelta(text) | Event::RefusalDelta(text) => {
                Self::add_delta(out, start, |delta| delta.put("content", text));
            }
            Event::Finish(_) if !self.calls.is_empty() => Self::add_delta(out, start, |delta| {
                delta.array("toolCalls", |array| openai_chat::write_calls(array, &self.calls));
            }),
            _ => {}
        }
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.inner.fail(failure, out);
    }
}
