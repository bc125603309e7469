//! The vendor's commonest chunk, one part with a text, read without a copy.

use super::usage::Counts;
use crate::wire::json::{Kind, Reader, Str};

/// What a chunk says.
pub(super) struct Hot<'a> {
    pub text: Str<'a>,
    pub is_thought: bool,
    /// Why the answer ends, which older models say on each chunk.
    pub reason: Option<Str<'a>>,
    pub counts: Option<Counts>,
    /// It names its answer.
    pub has_id: bool,
}

/// A part with a text.
struct Said<'a> {
    text: Str<'a>,
    is_thought: bool,
    reason: Option<Str<'a>>,
}

/// A chunk with one text of the first candidate. `None`: it is not only that.
pub(super) fn read(data: &[u8]) -> Option<Hot<'_>> {
    let mut reader = Reader::new(data);
    let (mut said, mut counts, mut has_id) = (None, None, false);
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        match key.raw {
            b"candidates" if said.is_none() => said = Some(read_candidates(&mut reader)?),
            b"usageMetadata" if counts.is_none() => counts = Some(Counts::read(&mut reader)?),
            b"responseId" => has_id = reader.string_or_skip().ok()?.is_some_and(|id| !id.raw.is_empty()),
            b"error" | b"promptFeedback" => absent(&mut reader)?,
            b"candidates" | b"usageMetadata" => return None,
            _ if key.escaped => return None,
            _ => reader.ignore().ok()?,
        }
    }
    reader.finish().ok()?;
    let Said { text, is_thought, reason } = said?;
    Some(Hot { text, is_thought, reason, counts, has_id })
}

/// Takes `null`, which says nothing.
fn absent(reader: &mut Reader<'_>) -> Option<()> {
    (reader.kind().ok()? == Kind::Null).then(|| reader.ignore().ok())?
}

fn read_candidates<'a>(reader: &mut Reader<'a>) -> Option<Said<'a>> {
    reader.enter_array().ok()?;
    let said = reader.element().ok()?.then(|| read_candidate(reader))??;
    (!reader.element().ok()?).then_some(said)
}

fn read_candidate<'a>(reader: &mut Reader<'a>) -> Option<Said<'a>> {
    let (mut said, mut reason) = (None, None);
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        match key.raw {
            b"finishReason" if reason.is_none() && reader.kind().ok()? == Kind::String => {
                reason = Some(reader.string().ok().filter(|reason| !reason.escaped)?);
            }
            b"content" if said.is_none() => said = Some(read_content(reader)?),
            b"index" => _ = reader.whole_or_skip().ok()?.filter(|index| *index == 0)?,
            b"finishReason" | b"groundingMetadata" | b"citationMetadata" => absent(reader)?,
            b"content" => return None,
            _ if key.escaped => return None,
            _ => reader.ignore().ok()?,
        }
    }
    said.map(|said| Said { reason, ..said })
}

fn read_content<'a>(reader: &mut Reader<'a>) -> Option<Said<'a>> {
    let mut said = None;
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        match key.raw {
            b"parts" if said.is_none() => {
                reader.enter_array().ok()?;
                said = Some(reader.element().ok()?.then(|| read_part(reader))??);
                if reader.element().ok()? {
                    return None;
                }
            }
            b"role" => reader.ignore().ok()?,
            _ => return None,
        }
    }
    said
}

/// A part with any other field is read whole.
fn read_part<'a>(reader: &mut Reader<'a>) -> Option<Said<'a>> {
    let (mut text, mut is_thought) = (None, false);
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        match key.raw {
            b"text" if text.is_none() => text = Some(reader.string().ok()?),
            b"thought" => is_thought = reader.bool_or_skip().ok()??,
            _ => return None,
        }
    }
    let text = text.filter(|text| !text.raw.is_empty())?;
    Some(Said { text, is_thought, reason: None })
}
