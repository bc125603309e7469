//! What one event of a stream says. Also reads the message of a whole answer,
//! which has the fields of a delta.

use super::text::Collector;
use super::usage::Counts;
use crate::wire::json::{Kind, Reader, Str, Syntax};

/// What a stream has said so far, over all its events.
#[derive(Debug)]
pub(super) struct Progress {
    pub counts: Counts,
    pub text: Collector,
    /// One bit per choice index; higher indexes share the last bit.
    pub seen: u128,
    pub finished: u128,
    /// `[DONE]`, or the last event of an operation that names its events.
    pub ended: bool,
    pub images: u64,
}

/// What one event says.
#[derive(Debug, Default)]
pub(super) struct Facts<'a> {
    /// There is something a user would see.
    pub content: bool,
    /// A choice has its finish reason, or the stream says that it ends.
    pub finish: bool,
    /// There is a filled `usage`.
    pub usage: bool,
    /// `choices` has elements.
    pub choices: bool,
    /// The event as a whole is an error.
    pub failed: bool,
    /// The `error` of a choice.
    pub choice_error: Option<&'a [u8]>,
    /// A finish reason that means that the vendor gave up.
    pub failed_finish: Option<&'static str>,
}

impl Progress {
    pub(super) fn new(max_text_bytes: usize) -> Self {
        Self {
            counts: Counts::default(),
            text: Collector::new(max_text_bytes),
            seen: 0,
            finished: 0,
            ended: false,
            images: 0,
        }
    }

    /// Every choice that has begun has its finish reason.
    pub(super) fn all_finished(&self) -> bool {
        self.seen != 0 && self.seen & !self.finished == 0
    }

    /// Reads the data of one event. Of data that is no JSON nothing is kept.
    pub(super) fn read<'a>(&mut self, data: &'a [u8]) -> Result<Facts<'a>, Syntax> {
        let (counts, mark) = (self.counts, self.text.mark());
        let mut facts = Facts::default();
        let mut reader = Reader::new(data);
        let outcome = self.read_event(&mut reader, &mut facts).and_then(|()| reader.finish());
        if outcome.is_err() {
            self.counts = counts;
            self.text.rewind(mark);
        }
        outcome.map(|()| facts)
    }

    fn read_event<'a>(&mut self, reader: &mut Reader<'a>, facts: &mut Facts<'a>) -> Result<(), Syntax> {
        reader.enter_object()?;
        while let Some(key) = reader.key()? {
            match key.raw {
                b"choices" => self.read_choices(reader, facts)?,
                b"usage" => facts.usage |= self.counts.read(reader)?,
                b"x_groq" => self.read_wrapped_usage(reader, facts)?,
                b"error" => {
                    facts.failed |= reader.kind()? != Kind::Null;
                    reader.skip()?;
                }
                b"object" | b"type" => {
                    let name = reader.string_or_skip()?;
                    name.iter().for_each(|name| self.read_type(name, facts));
                }
                b"delta" => facts.content |= self.text.take(reader)?,
                b"b64_json" | b"audio" => {
                    facts.content |= reader.string_or_skip()?.is_some_and(|text| !text.raw.is_empty());
                }
                _ => reader.ignore()?,
            }
        }
        Ok(())
    }

    /// Events of images, speech and transcriptions say what they are.
    fn read_type(&mut self, name: &Str<'_>, facts: &mut Facts<'_>) {
        facts.failed |= name.raw == b"error";
        if name.raw.ends_with(b".done") || name.raw.ends_with(b".completed") {
            facts.finish = true;
            self.ended = true;
            self.images += u64::from(name.raw.starts_with(b"image_"));
        }
    }

    fn read_wrapped_usage<'a>(
        &mut self,
        reader: &mut Reader<'a>,
        facts: &mut Facts<'a>,
    ) -> Result<(), Syntax> {
        if reader.kind()? != Kind::Object {
            return reader.ignore();
        }
        reader.enter_object()?;
        while let Some(key) = reader.key()? {
            match key.raw {
                b"usage" => facts.usage |= self.counts.read(reader)?,
                _ => reader.ignore()?,
            }
        }
        Ok(())
    }

    fn read_choices<'a>(&mut self, reader: &mut Reader<'a>, facts: &mut Facts<'a>) -> Result<(), Syntax> {
        if reader.kind()? != Kind::Array {
            return reader.ignore();
        }
        reader.enter_array()?;
        while reader.element()? {
            match reader.kind()? {
                Kind::Object => self.read_choice(reader, facts)?,
                _ => reader.ignore()?,
            }
            facts.choices = true;
        }
        Ok(())
    }

    fn read_choice<'a>(&mut self, reader: &mut Reader<'a>, facts: &mut Facts<'a>) -> Result<(), Syntax> {
        let mut index = 0;
        let mut finished = false;
        reader.enter_object()?;
        while let Some(key) = reader.key()? {
            match key.raw {
                b"index" => index = reader.count_or_skip()?.unwrap_or(0),
                b"delta" => facts.content |= read_message(reader, &mut self.text)?,
                b"text" => facts.content |= self.text.take(reader)?,
                b"usage" => facts.usage |= self.counts.read(reader)?,
                b"finish_reason" => {
                    let reason = reader.string_or_skip()?.filter(|reason| !reason.raw.is_empty());
                    finished = reason.is_some();
                    let failed = reason.and_then(|reason| failed_finish(reason.raw));
                    facts.failed_finish = facts.failed_finish.or(failed);
                }
                b"error" if reader.kind()? != Kind::Null => {
                    let span = reader.skip()?;
                    facts.choice_error = Some(reader.slice(span));
                }
                _ => reader.ignore()?,
            }
        }
        let bit = 1u128 << index.min(127);
        self.seen |= bit;
        if finished {
            self.finished |= bit;
            facts.finish = true;
        }
        Ok(())
    }
}

/// Finish reasons by which vendors report a failure of their own.
fn failed_finish(reason: &[u8]) -> Option<&'static str> {
    match reason {
        b"error" => Some("error"),
        b"insufficient_system_resource" => Some("insufficient_system_resource"),
        _ => None,
    }
}

/// Takes a `delta` or a `message`; gives whether it has content.
pub(super) fn read_message(reader: &mut Reader<'_>, text: &mut Collector) -> Result<bool, Syntax> {
    if reader.kind()? != Kind::Object {
        return reader.skip().map(|_| false);
    }
    let mut content = false;
    let mut reasoning = false;
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        match key.raw {
            b"content" | b"refusal" => content |= read_parts(reader, text)?,
            // Some vendors send the same reasoning under both names.
            b"reasoning_content" | b"reasoning" if !reasoning => reasoning = text.take(reader)?,
            b"tool_calls" => content |= read_list(reader, text, read_call)?,
            b"function_call" => content |= read_call(reader, text)?,
            b"audio" => content |= read_audio(reader, text)?,
            b"reasoning_details" | b"images" => content |= read_list(reader, text, skip)?,
            _ => reader.ignore()?,
        }
    }
    Ok(content | reasoning)
}

/// A text, or a list of parts with texts in them.
pub(super) fn read_parts(reader: &mut Reader<'_>, text: &mut Collector) -> Result<bool, Syntax> {
    match reader.kind()? {
        Kind::Array => read_list(reader, text, read_part),
        _ => text.take(reader),
    }
}

fn read_part(reader: &mut Reader<'_>, text: &mut Collector) -> Result<bool, Syntax> {
    if reader.kind()? != Kind::Object {
        return text.take(reader);
    }
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        match key.raw {
            b"text" | b"refusal" => _ = text.take(reader)?,
            // Parts inside a part: one level is known, and taken as it comes.
            b"thinking" => _ = read_list(reader, text, read_text_of)?,
            _ => reader.ignore()?,
        }
    }
    Ok(true)
}

fn read_text_of(reader: &mut Reader<'_>, text: &mut Collector) -> Result<bool, Syntax> {
    read_named(reader, text, &[b"text"])
}

fn read_call(reader: &mut Reader<'_>, text: &mut Collector) -> Result<bool, Syntax> {
    if reader.kind()? != Kind::Object {
        return reader.skip().map(|_| false);
    }
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        match key.raw {
            b"function" | b"custom" => _ = read_named(reader, text, &[b"name", b"arguments", b"input"])?,
            b"name" | b"arguments" => _ = text.take(reader)?,
            _ => reader.ignore()?,
        }
    }
    Ok(true)
}

fn read_audio(reader: &mut Reader<'_>, text: &mut Collector) -> Result<bool, Syntax> {
    read_named(reader, text, &[b"transcript"])
}

/// Collects the strings of those names; gives whether it was an object.
fn read_named(reader: &mut Reader<'_>, text: &mut Collector, names: &[&[u8]]) -> Result<bool, Syntax> {
    if reader.kind()? != Kind::Object {
        return reader.skip().map(|_| false);
    }
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        match names.contains(&key.raw) {
            true => _ = text.take(reader)?,
            false => reader.ignore()?,
        }
    }
    Ok(true)
}

fn skip(reader: &mut Reader<'_>, _: &mut Collector) -> Result<bool, Syntax> {
    reader.skip().map(|_| true)
}

/// Reads each element of a list; gives whether there was one.
fn read_list(
    reader: &mut Reader<'_>,
    text: &mut Collector,
    each: fn(&mut Reader<'_>, &mut Collector) -> Result<bool, Syntax>,
) -> Result<bool, Syntax> {
    if reader.kind()? != Kind::Array {
        return reader.skip().map(|_| false);
    }
    let mut any = false;
    reader.enter_array()?;
    while reader.element()? {
        each(reader, text)?;
        any = true;
    }
    Ok(any)
}
