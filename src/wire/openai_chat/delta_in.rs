//! The vendor's commonest chunk, a delta with one piece of text, read without a copy.

use crate::wire::json::{Kind, Reader, Str};

/// What a chunk says.
pub(super) struct Hot<'a> {
    pub piece: Piece,
    pub text: Str<'a>,
    /// There is a `usage`.
    pub has_usage: bool,
}

/// Which field of a delta has the piece.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Text,
    Thinking,
    /// Arguments of the call with the vendor's number.
    Arguments(usize),
}

type Found<'a> = Option<(Piece, Str<'a>)>;

/// A chunk with one piece of the first choice and no reason for an end. `None`: it is not only that.
pub(super) fn read(data: &[u8]) -> Option<Hot<'_>> {
    let mut reader = Reader::new(data);
    let (mut found, mut has_usage) = (None, false);
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        match key.raw {
            b"choices" if found.is_none() => found = Some(read_choices(&mut reader)?),
            b"usage" if !has_usage => {
                has_usage = reader.kind().ok()? != Kind::Null;
                reader.ignore().ok()?;
            }
            b"error" => absent(&mut reader)?,
            b"choices" | b"usage" => return None,
            _ if key.escaped => return None,
            _ => reader.ignore().ok()?,
        }
    }
    reader.finish().ok()?;
    let (piece, text) = found?;
    Some(Hot { piece, text, has_usage })
}

/// Takes `null`, which says nothing.
fn absent(reader: &mut Reader<'_>) -> Option<()> {
    (reader.kind().ok()? == Kind::Null).then(|| reader.ignore().ok())?
}

/// Takes `null` or an empty text; `None`: there is something.
fn silent(reader: &mut Reader<'_>) -> Option<()> {
    match reader.kind().ok()? {
        Kind::Null => reader.ignore().ok(),
        Kind::String => reader.string().ok().filter(|text| text.raw.is_empty()).map(|_| ()),
        _ => None,
    }
}

fn read_choices<'a>(reader: &mut Reader<'a>) -> Option<(Piece, Str<'a>)> {
    reader.enter_array().ok()?;
    let found = reader.element().ok()?.then(|| read_choice(reader))??;
    (!reader.element().ok()?).then_some(found)
}

fn read_choice<'a>(reader: &mut Reader<'a>) -> Option<(Piece, Str<'a>)> {
    let mut found = None;
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        match key.raw {
            b"index" => _ = reader.whole_or_skip().ok()?.filter(|index| *index == 0)?,
            b"delta" if found.is_none() => found = Some(read_delta(reader)?),
            b"finish_reason" => silent(reader)?,
            b"error" | b"message" => absent(reader)?,
            b"delta" => return None,
            _ if key.escaped => return None,
            _ => reader.ignore().ok()?,
        }
    }
    found
}

fn read_delta<'a>(reader: &mut Reader<'a>) -> Option<(Piece, Str<'a>)> {
    let mut found = None;
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        let more = match key.raw {
            b"content" => read_text(reader, Piece::Text)?,
            b"reasoning_content" | b"reasoning" => read_text(reader, Piece::Thinking)?,
            b"tool_calls" => read_calls(reader)?,
            b"refusal" | b"reasoning_details" | b"images" | b"annotations" | b"audio" => {
                absent(reader)?;
                None
            }
            _ if key.escaped => return None,
            _ => {
                reader.ignore().ok()?;
                None
            }
        };
        if more.is_some() && found.is_some() {
            return None;
        }
        found = found.or(more);
    }
    found
}

/// A text that may be missing or empty.
fn read_text<'a>(reader: &mut Reader<'a>, piece: Piece) -> Option<Found<'a>> {
    match reader.kind().ok()? {
        Kind::Null => reader.ignore().ok().map(|()| None),
        Kind::String => {
            let text = reader.string().ok()?;
            Some((!text.raw.is_empty()).then_some((piece, text)))
        }
        _ => None,
    }
}

/// A list with the next piece of one call that has begun before.
fn read_calls<'a>(reader: &mut Reader<'a>) -> Option<Found<'a>> {
    if reader.kind().ok()? == Kind::Null {
        return reader.ignore().ok().map(|()| None);
    }
    reader.enter_array().ok()?;
    if !reader.element().ok()? {
        return Some(None);
    }
    let (mut number, mut text) = (None, None);
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        match key.raw {
            b"index" if number.is_none() => number = Some(reader.whole_or_skip().ok()??),
            b"function" if text.is_none() => text = Some(read_function(reader)?),
            b"id" => silent(reader)?,
            b"index" | b"function" => return None,
            _ if key.escaped => return None,
            _ => reader.ignore().ok()?,
        }
    }
    let piece = Piece::Arguments(usize::try_from(number?).ok()?);
    (!reader.element().ok()?).then_some(Some((piece, text?)))
}

fn read_function<'a>(reader: &mut Reader<'a>) -> Option<Str<'a>> {
    let mut arguments = None;
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        match key.raw {
            b"arguments" if arguments.is_none() => arguments = Some(reader.string().ok()?),
            b"name" => silent(reader)?,
            b"arguments" => return None,
            _ if key.escaped => return None,
            _ => reader.ignore().ok()?,
        }
    }
    arguments.filter(|text| !text.raw.is_empty())
}
