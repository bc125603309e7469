//! The texts that tokens are counted of: a request's, and an answer's as it comes.

use crate::types::Op;
use crate::wire::json::{Kind, Reader, Str, Syntax};

/// How much output text is collected at most between two takes.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;
/// From where on a window should be counted: half of it, so that the next read fits.
const DUE_BYTES: usize = MAX_TEXT_BYTES / 2;

/// How much a window grows by.
const GROWTH_BYTES: usize = 1024;

/// Output text on its way to be counted.
#[derive(Debug)]
pub(super) struct Collector {
    text: String,
    max_bytes: usize,
    /// Bytes of everything, also of what was not kept.
    bytes: u64,
}

impl Collector {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { text: String::new(), max_bytes, bytes: 0 }
    }

    /// Adds a text; past the bound it is measured and not kept.
    pub(super) fn push(&mut self, text: &Str<'_>) {
        if self.text.len().saturating_add(text.raw.len()) > self.max_bytes {
            let whole = text.text();
            let room = self.max_bytes.saturating_sub(self.text.len());
            let end = whole.floor_char_boundary(room);
            self.text.push_str(whole.get(..end).unwrap_or_default());
            self.bytes += whole.len() as u64;
            return;
        }
        let before = self.text.len();
        // In small steps: a string that doubles would hold twice what it keeps, in every stream.
        if self.text.capacity() < before + text.raw.len() {
            self.text.reserve_exact(text.raw.len().max(GROWTH_BYTES));
        }
        text.push_to(&mut self.text);
        self.bytes += (self.text.len() - before) as u64;
    }

    /// Adds a string if the next value is one that is not empty. Gives whether it was.
    pub(super) fn take(&mut self, reader: &mut Reader<'_>) -> Result<bool, Syntax> {
        let text = reader.string_or_skip()?.filter(|text| !text.raw.is_empty());
        text.iter().for_each(|text| self.push(text));
        Ok(text.is_some())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn due(&self) -> bool {
        self.text.len() >= DUE_BYTES
    }

    pub(super) fn take_all(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// A place to come back to.
    pub(super) fn mark(&self) -> (usize, u64) {
        (self.text.len(), self.bytes)
    }

    /// Forgets what was added since the mark.
    pub(super) fn rewind(&mut self, (length, bytes): (usize, u64)) {
        self.text.truncate(length);
        self.bytes = bytes;
    }
}

/// The texts of a request that tokens are counted of, in order (messages,
/// prompts, inputs, tool schemas). A schema is given as it is written. What is
/// no JSON gives what stands before the mistake.
pub fn texts(op: Op, body: &[u8], each: &mut dyn FnMut(&str)) {
    // The body was judged when the request was read; here is nobody to tell.
    let _ = walk(op, body, each);
}

fn walk(op: Op, body: &[u8], each: &mut dyn FnMut(&str)) -> Result<(), Syntax> {
    let mut reader = Reader::new(body);
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        match (key.bytes().as_ref(), op) {
            (b"messages", Op::Chat | Op::Tokenize) => messages(&mut reader, each)?,
            (b"contents" | b"systemInstruction" | b"system_instruction", Op::Chat | Op::Tokenize) => {
                super::contents::texts(&mut reader, each)?;
            }
            // Anthropic's place for what others say in a message.
            (b"system", Op::Chat | Op::Tokenize) => strings(&mut reader, each)?,
            (b"tools" | b"functions" | b"response_format", Op::Chat | Op::Tokenize) => {
                let span = reader.skip()?;
                each(&String::from_utf8_lossy(reader.slice(span)));
            }
            (b"prompt" | b"suffix", Op::Completion | Op::ImageGeneration | Op::Tokenize)
            | (b"input" | b"text", Op::Embedding | Op::Moderation | Op::Speech | Op::Tokenize)
            | (b"instructions", Op::Speech) => strings(&mut reader, each)?,
            _ => reader.ignore()?,
        }
    }
    Ok(())
}

fn messages(reader: &mut Reader<'_>, each: &mut dyn FnMut(&str)) -> Result<(), Syntax> {
    if reader.kind()? != Kind::Array {
        return strings(reader, each);
    }
    reader.enter_array()?;
    while reader.element()? {
        message(reader, each)?;
    }
    Ok(())
}

fn message(reader: &mut Reader<'_>, each: &mut dyn FnMut(&str)) -> Result<(), Syntax> {
    if reader.kind()? != Kind::Object {
        return reader.ignore();
    }
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        match key.bytes().as_ref() {
            b"role" | b"name" | b"refusal" | b"reasoning_content" | b"reasoning" => one(reader, each)?,
            b"content" => strings(reader, each)?,
            b"tool_calls" | b"function_call" => calls(reader, each)?,
            _ => reader.ignore()?,
        }
    }
    Ok(())
}

fn one(reader: &mut Reader<'_>, each: &mut dyn FnMut(&str)) -> Result<(), Syntax> {
    if let Some(text) = reader.string_or_skip()? {
        each(&text.text());
    }
    Ok(())
}

/// A text, a list of texts, or a list of parts with a `text`.
fn strings(reader: &mut Reader<'_>, each: &mut dyn FnMut(&str)) -> Result<(), Syntax> {
    match reader.kind()? {
        Kind::Array => {
            reader.enter_array()?;
            while reader.element()? {
                match reader.kind()? {
                    Kind::Object => part(reader, each)?,
                    _ => one(reader, each)?,
                }
            }
            Ok(())
        }
        _ => one(reader, each),
    }
}

/// One part of a content, or one of Anthropic's blocks: its words, what a tool
/// is called with, and what it gave back.
fn part(reader: &mut Reader<'_>, each: &mut dyn FnMut(&str)) -> Result<(), Syntax> {
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        match (key.bytes().as_ref(), reader.kind()?) {
            (b"text" | b"refusal" | b"thinking" | b"name", _) => one(reader, each)?,
            (b"input", Kind::Object) => {
                let span = reader.skip()?;
                each(&String::from_utf8_lossy(reader.slice(span)));
            }
            // The reader bounds the depth.
            (b"content", _) => strings(reader, each)?,
            _ => reader.ignore()?,
        }
    }
    Ok(())
}

fn fields(reader: &mut Reader<'_>, names: &[&[u8]], each: &mut dyn FnMut(&str)) -> Result<(), Syntax> {
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        match names.contains(&key.bytes().as_ref()) {
            true => one(reader, each)?,
            false => reader.ignore()?,
        }
    }
    Ok(())
}

/// Names and arguments of calls, in a list of calls or in one.
fn calls(reader: &mut Reader<'_>, each: &mut dyn FnMut(&str)) -> Result<(), Syntax> {
    match reader.kind()? {
        Kind::Array => {
            reader.enter_array()?;
            while reader.element()? {
                call(reader, each)?;
            }
            Ok(())
        }
        _ => call(reader, each),
    }
}

fn call(reader: &mut Reader<'_>, each: &mut dyn FnMut(&str)) -> Result<(), Syntax> {
    if reader.kind()? != Kind::Object {
        return reader.ignore();
    }
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        match (key.bytes().as_ref(), reader.kind()?) {
            (b"function" | b"custom", Kind::Object) => {
                fields(reader, &[b"name", b"arguments", b"input"], each)?;
            }
            (b"name" | b"arguments", _) => one(reader, each)?,
            _ => reader.ignore()?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
