//! The vendor's commonest line, one piece of text or of thoughts, read without a copy.

use crate::chat::DeltaKind;
use crate::wire::json::{Kind, Reader, Str};

/// A line with one piece and nothing else that means anything. `None`: it is not only that.
pub(super) fn read(data: &[u8]) -> Option<(DeltaKind, Str<'_>)> {
    let mut reader = Reader::new(data);
    let mut found = None;
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        match key.raw {
            b"message" if found.is_none() => found = Some(read_message(&mut reader)?),
            b"done" => {
                reader.bool_or_skip().ok()?.filter(|done| !done)?;
            }
            b"error" => absent(&mut reader)?,
            b"message" => return None,
            _ if key.escaped => return None,
            _ => reader.ignore().ok()?,
        }
    }
    reader.finish().ok()?;
    found
}

/// Takes `null`, which says nothing.
fn absent(reader: &mut Reader<'_>) -> Option<()> {
    (reader.kind().ok()? == Kind::Null).then(|| reader.ignore().ok())?
}

fn read_message<'a>(reader: &mut Reader<'a>) -> Option<(DeltaKind, Str<'a>)> {
    let mut found = None;
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        let kind = match key.raw {
            b"content" => DeltaKind::Text,
            b"thinking" => DeltaKind::Thinking,
            b"role" => {
                reader.ignore().ok()?;
                continue;
            }
            b"images" | b"tool_calls" => {
                absent(reader)?;
                continue;
            }
            _ => return None,
        };
        let text = reader.string().ok()?;
        if !text.raw.is_empty() {
            found = Some((kind, text)).filter(|_| found.is_none());
            found.as_ref()?;
        }
    }
    found
}
