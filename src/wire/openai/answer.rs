//! The text of a whole answer.

use super::event::{read_message, read_parts};
use super::text::Collector;
use crate::types::Op;
use crate::wire::json::{Kind, Reader, Syntax};

/// The text of an answer (non-stream), for counting when no usage came:
/// contents, reasoning and tool calls of all choices, or a transcription.
/// Never longer than the body, which is bounded where it is read.
pub fn answer_text(op: Op, body: &[u8]) -> String {
    let mut text = Collector::new(body.len());
    // A body that is no JSON gives what stands before the mistake.
    let _ = read(op, body, &mut text);
    text.take_all()
}

fn read(op: Op, body: &[u8], text: &mut Collector) -> Result<(), Syntax> {
    let mut reader = Reader::new(body);
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        match (key.raw, op) {
            (b"choices", _) if reader.kind()? == Kind::Array => {
                reader.enter_array()?;
                while reader.element()? {
                    choice(&mut reader, text)?;
                }
            }
            // Responses; no other answer of a chat has the field.
            (b"output", Op::Chat) if reader.kind()? == Kind::Array => {
                reader.enter_array()?;
                while reader.element()? {
                    item(&mut reader, text)?;
                }
            }
            (b"text", Op::Transcription) => _ = text.take(&mut reader)?,
            _ => reader.ignore()?,
        }
    }
    Ok(())
}

/// What a message says, a call is called with, or thoughts are summed up as.
fn item(reader: &mut Reader<'_>, text: &mut Collector) -> Result<(), Syntax> {
    if reader.kind()? != Kind::Object {
        return reader.ignore();
    }
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        match key.raw {
            b"content" | b"summary" | b"name" | b"arguments" | b"input" => _ = read_parts(reader, text)?,
            _ => reader.ignore()?,
        }
    }
    Ok(())
}

fn choice(reader: &mut Reader<'_>, text: &mut Collector) -> Result<(), Syntax> {
    if reader.kind()? != Kind::Object {
        return reader.ignore();
    }
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        match key.raw {
            b"message" => _ = read_message(reader, text)?,
            b"text" => _ = text.take(reader)?,
            _ => reader.ignore()?,
        }
    }
    Ok(())
}
