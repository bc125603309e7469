//! The vendor's commonest event, a delta of a block, read without a copy.

use crate::wire::json::{Reader, Str};

/// Which field of a delta has the piece.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Text,
    Thinking,
    Json,
}

/// A delta of a block: the block's number and the piece. `None`: it is not only that.
pub(super) fn read(data: &[u8]) -> Option<(usize, Piece, Str<'_>)> {
    let mut reader = Reader::new(data);
    let (mut index, mut piece, mut is_delta) = (None, None, false);
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        match key.raw {
            b"type" if !is_delta => is_delta = reader.string().ok()?.raw == b"content_block_delta",
            b"index" if index.is_none() => index = Some(reader.whole_or_skip().ok()??),
            b"delta" if piece.is_none() => piece = Some(read_delta(&mut reader)?),
            b"type" | b"index" | b"delta" | b"message" | b"content_block" | b"usage" => return None,
            _ if key.escaped => return None,
            _ => reader.ignore().ok()?,
        }
    }
    reader.finish().ok()?;
    let (piece, text) = piece.filter(|_| is_delta)?;
    Some((usize::try_from(index?).ok()?, piece, text))
}

fn read_delta<'a>(reader: &mut Reader<'a>) -> Option<(Piece, Str<'a>)> {
    let mut found = None;
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        let piece = match key.raw {
            b"text" => Piece::Text,
            b"thinking" => Piece::Thinking,
            b"partial_json" => Piece::Json,
            b"signature" | b"citation" | b"stop_reason" | b"stop_sequence" => return None,
            _ if key.escaped => return None,
            _ => {
                reader.ignore().ok()?;
                continue;
            }
        };
        let text = reader.string().ok().filter(|_| found.is_none())?;
        found = Some((piece, text));
    }
    found.filter(|(_, text)| !text.raw.is_empty())
}
