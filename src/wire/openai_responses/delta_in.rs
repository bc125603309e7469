//! The vendor's commonest event, a delta of an item, read without a copy.

use crate::wire::json::{Reader, Str};

/// What a delta says.
pub(super) struct Hot<'a> {
    pub piece: Piece,
    pub text: Str<'a>,
    pub output_index: u64,
    pub number: Option<u64>,
}

/// What a delta is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Text,
    Thinking,
    Arguments,
}

const KINDS: [(&[u8], Piece); 5] = [
    (b"response.output_text.delta", Piece::Text),
    (b"response.reasoning_summary_text.delta", Piece::Thinking),
    (b"response.reasoning_text.delta", Piece::Thinking),
    (b"response.function_call_arguments.delta", Piece::Arguments),
    (b"response.custom_tool_call_input.delta", Piece::Arguments),
];

/// A delta of one of the usual kinds. `None`: it is something else.
pub(super) fn read(data: &[u8]) -> Option<Hot<'_>> {
    let mut reader = Reader::new(data);
    let (mut piece, mut text, mut output_index, mut number) = (None, None, None, None);
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        match key.raw {
            b"type" if piece.is_none() => {
                let kind = reader.string().ok()?;
                piece = Some(KINDS.iter().find(|(name, _)| kind.raw == *name)?.1);
            }
            b"delta" if text.is_none() => text = Some(reader.string().ok()?),
            b"output_index" if output_index.is_none() => {
                output_index = Some(reader.whole_or_skip().ok()??);
            }
            b"sequence_number" if number.is_none() => number = Some(reader.whole_or_skip().ok()??),
            b"type" | b"delta" | b"output_index" | b"sequence_number" => return None,
            _ if key.escaped => return None,
            _ => reader.ignore().ok()?,
        }
    }
    reader.finish().ok()?;
    let text = text.filter(|text| !text.raw.is_empty())?;
    Some(Hot { piece: piece?, text, output_index: output_index.unwrap_or(0), number })
}
