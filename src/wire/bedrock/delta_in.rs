//! The vendor's commonest event, a delta of a block, read without a copy.

use crate::wire::json::{Reader, Str};

/// Which field of a delta has the piece.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Text,
    Thinking,
    Input,
}

/// A delta of a block: the block's number and the piece. `None`: it is not only that.
pub(super) fn read(data: &[u8]) -> Option<(usize, Piece, Str<'_>)> {
    let mut reader = Reader::new(data);
    let (mut index, mut piece) = (None, None);
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        match key.raw {
            b"contentBlockIndex" if index.is_none() => index = Some(reader.whole_or_skip().ok()??),
            b"delta" if piece.is_none() => piece = Some(read_delta(&mut reader)?),
            // The padding that hides how long a piece is.
            b"p" => reader.ignore().ok()?,
            _ => return None,
        }
    }
    reader.finish().ok()?;
    let (piece, text) = piece?;
    Some((usize::try_from(index.unwrap_or(0)).ok()?, piece, text))
}

/// The one member that a delta has.
fn read_delta<'a>(reader: &mut Reader<'a>) -> Option<(Piece, Str<'a>)> {
    reader.enter_object().ok()?;
    let key = reader.key().ok()??;
    let found = match key.raw {
        b"text" => (Piece::Text, reader.string().ok()?),
        b"toolUse" => (Piece::Input, only(reader, b"input")?),
        b"reasoningContent" => (Piece::Thinking, only(reader, b"text")?),
        _ => return None,
    };
    let is_alone = reader.key().ok()?.is_none();
    Some(found).filter(|(_, text)| is_alone && !text.raw.is_empty())
}

/// The text of an object's only member.
fn only<'a>(reader: &mut Reader<'a>, name: &[u8]) -> Option<Str<'a>> {
    reader.enter_object().ok()?;
    let key = reader.key().ok()?.filter(|key| key.raw == name)?;
    let text = reader.string().ok()?;
    (!key.escaped && reader.key().ok()?.is_none()).then_some(text)
}
