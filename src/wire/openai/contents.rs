//! What is needed of a conversation that Google's callers write as `contents`:
//! media, its beginning, its texts, and the bounds of `generationConfig`.

use super::messages::{Messages, Opening};
use crate::wire::json::{Kind, Patch, Reader, Str, Syntax};
use std::ops::Range;

/// Names of the bounds, by both spellings that the vendor takes.
const MAX_OUTPUT: [&[u8]; 2] = [b"maxOutputTokens", b"max_output_tokens"];
const CANDIDATES: [&[u8]; 2] = [b"candidateCount", b"candidate_count"];

/// Takes `contents`, which is a list of contents or one of them.
pub(super) fn read<'a>(reader: &mut Reader<'a>) -> Result<Messages, Syntax> {
    let mut found = Messages::default();
    let mut opening = Opening::default();
    each(reader, &mut |reader| content(reader, &mut found, &mut opening))?;
    found.conversation = opening.hash();
    Ok(found)
}

/// Calls for each element of a list, or for the value itself where it is none.
fn each<'a>(
    reader: &mut Reader<'a>,
    one: &mut dyn FnMut(&mut Reader<'a>) -> Result<(), Syntax>,
) -> Result<(), Syntax> {
    match reader.kind()? {
        Kind::Array => {
            reader.enter_array()?;
            while reader.element()? {
                one(reader)?;
            }
            Ok(())
        }
        _ => one(reader),
    }
}

/// Calls for each member of an object; anything else is passed over.
fn members<'a>(
    reader: &mut Reader<'a>,
    one: &mut dyn FnMut(Str<'a>, &mut Reader<'a>) -> Result<(), Syntax>,
) -> Result<(), Syntax> {
    if reader.kind()? != Kind::Object {
        return reader.ignore();
    }
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        one(key, reader)?;
    }
    Ok(())
}

fn content<'a>(
    reader: &mut Reader<'a>,
    found: &mut Messages,
    opening: &mut Opening<'a>,
) -> Result<(), Syntax> {
    let (mut is_user, mut said) = (true, None);
    members(reader, &mut |key, reader| {
        match key.bytes().as_ref() {
            b"role" => {
                let role = reader.string_or_skip()?;
                is_user = role.is_none_or(|role| role.bytes() != &b"model"[..]);
            }
            b"parts" => {
                let _ = reader.kind()?;
                let start = reader.offset();
                each(reader, &mut |reader| part(reader, found))?;
                said = Some(reader.slice(start..reader.offset()));
            }
            _ => reader.ignore()?,
        }
        Ok(())
    })?;
    opening.add(said, is_user);
    Ok(())
}

fn part(reader: &mut Reader<'_>, found: &mut Messages) -> Result<(), Syntax> {
    members(reader, &mut |key, reader| {
        match key.bytes().as_ref() {
            b"inlineData" | b"inline_data" => {
                let (mut is_image, mut bytes) = (false, 0);
                members(reader, &mut |key, reader| {
                    let span = reader.skip()?;
                    match key.bytes().as_ref() {
                        b"data" => bytes = span.len() as u64,
                        b"mimeType" | b"mime_type" => {
                            is_image = reader.slice(span).starts_with(b"\"image/");
                        }
                        _ => {}
                    }
                    Ok(())
                })?;
                if is_image {
                    found.images += 1;
                    found.image_bytes += bytes;
                } else {
                    found.other_media += 1;
                }
            }
            b"fileData" | b"file_data" => {
                reader.skip()?;
                found.other_media += 1;
            }
            _ => reader.ignore()?,
        }
        Ok(())
    })
}

/// The bounds of a `generationConfig`: of the output, and of the answers.
pub(super) fn bounds(reader: &mut Reader<'_>) -> Result<(Option<u64>, Option<u64>), Syntax> {
    let (mut output, mut answers) = (None, None);
    members(reader, &mut |key, reader| {
        let name = key.bytes();
        if MAX_OUTPUT.contains(&name.as_ref()) {
            output = reader.whole_or_skip()?;
        } else if CANDIDATES.contains(&name.as_ref()) {
            answers = reader.whole_or_skip()?;
        } else {
            reader.ignore()?;
        }
        Ok(())
    })?;
    Ok((output, answers))
}

/// Caps the output in the `generationConfig` at `span`.
pub(super) fn cap(patch: &mut Patch, body: &[u8], span: Range<usize>, most: u64) {
    let mut reader = Reader::new(body.get(span.clone()).unwrap_or_default());
    let mut place = None;
    let read = members(&mut reader, &mut |key, reader| {
        let _ = reader.kind()?;
        let start = reader.offset();
        reader.skip()?;
        if MAX_OUTPUT.contains(&key.bytes().as_ref()) {
            place = Some(start..reader.offset());
        }
        Ok(())
    });
    let empty = body.get(span.clone()).is_none_or(|text| text.trim_ascii() == b"{}");
    match (read, place) {
        (Ok(()), Some(place)) => {
            patch.replace(span.start + place.start..span.start + place.end, most.to_string());
        }
        _ if empty => patch.replace(span, format!("{{\"maxOutputTokens\":{most}}}")),
        _ => patch.replace(span.start + 1..span.start + 1, format!("\"maxOutputTokens\":{most},")),
    }
}

/// Calls `say` for each text that tokens are counted of.
pub(super) fn texts(reader: &mut Reader<'_>, say: &mut dyn FnMut(&str)) -> Result<(), Syntax> {
    each(reader, &mut |reader| {
        members(reader, &mut |key, reader| match key.bytes().as_ref() {
            b"parts" => each(reader, &mut |reader| text_of(reader, say)),
            _ => reader.ignore(),
        })
    })
}

fn text_of(reader: &mut Reader<'_>, say: &mut dyn FnMut(&str)) -> Result<(), Syntax> {
    members(reader, &mut |key, reader| {
        match key.bytes().as_ref() {
            b"text" => {
                if let Some(text) = reader.string_or_skip()? {
                    say(&text.text());
                }
            }
            b"functionCall" | b"function_call" | b"functionResponse" | b"function_response" => {
                let span = reader.skip()?;
                say(&String::from_utf8_lossy(reader.slice(span)));
            }
            _ => reader.ignore()?,
        }
        Ok(())
    })
}
