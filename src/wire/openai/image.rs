//! The images of a request, as far as token rules need them: their size.

use crate::wire::json::{Kind, Reader, Str, Syntax};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// How many bytes of an image are decoded to find its size: nearly always the
/// first, and the second where a camera put a preview in front.
const HEADER_BYTES: [usize; 2] = [1024, 192 * 1024];

/// Data of images in a request (data URLs decoded for their header), for token rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageInput {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The caller asked for `detail: low`.
    pub low_detail: bool,
}

/// Calls `each` for every image in the messages; `None`: its size is not in the
/// request (a URL, or a format that is not known).
pub fn images(body: &[u8], each: &mut dyn FnMut(Option<ImageInput>)) {
    // The body was judged when the request was read; here is nobody to tell.
    let _ = walk(body, each);
}

fn walk(body: &[u8], each: &mut dyn FnMut(Option<ImageInput>)) -> Result<(), Syntax> {
    let mut reader = Reader::new(body);
    members(&mut reader, |key, reader| match key.bytes().as_ref() {
        // Google's callers say it as contents with parts.
        b"messages" | b"contents" => elements(reader, |reader| {
            members(reader, |key, reader| match key.bytes().as_ref() {
                b"content" | b"parts" => elements(reader, |reader| part(reader, each)),
                _ => reader.ignore(),
            })
        }),
        _ => reader.ignore(),
    })
}

fn part(reader: &mut Reader<'_>, each: &mut dyn FnMut(Option<ImageInput>)) -> Result<(), Syntax> {
    members(reader, |key, reader| {
        match key.bytes().as_ref() {
            b"image_url" | b"input_image" => each(image(reader)?),
            b"source" | b"inlineData" | b"inline_data" => each(source(reader)?),
            _ => reader.ignore()?,
        }
        Ok(())
    })
}

/// `{"url": …, "detail": …}`, or only the URL.
fn image(reader: &mut Reader<'_>) -> Result<Option<ImageInput>, Syntax> {
    let mut url = None;
    let mut low_detail = false;
    match reader.kind()? {
        Kind::Object => members(reader, |key, reader| {
            match key.bytes().as_ref() {
                b"url" | b"image_url" => url = reader.string_or_skip()?,
                b"detail" => {
                    low_detail = reader.string_or_skip()?.is_some_and(|text| text.bytes() == &b"low"[..]);
                }
                _ => reader.ignore()?,
            }
            Ok(())
        })?,
        _ => url = reader.string_or_skip()?,
    }
    let size = url.and_then(|url| size_of_data_url(&url));
    Ok(size.map(|(width, height)| ImageInput { width, height, low_detail }))
}

/// Anthropic's `{"type":"base64","media_type":…,"data":…}`, Google's `{"mimeType":…,"data":…}`, or another source.
fn source(reader: &mut Reader<'_>) -> Result<Option<ImageInput>, Syntax> {
    let mut data = None;
    members(reader, |key, reader| {
        match key.bytes().as_ref() {
            b"data" => data = reader.string_or_skip()?,
            _ => reader.ignore()?,
        }
        Ok(())
    })?;
    let size = data.and_then(|data| {
        HEADER_BYTES.iter().find_map(|&bytes| {
            let raw = data.raw.get(..bytes * 2).unwrap_or(data.raw);
            size_of_base64(&Str { raw, ..data }.bytes(), bytes)
        })
    });
    Ok(size.map(|(width, height)| ImageInput { width, height, low_detail: false }))
}

fn size_of_data_url(url: &Str<'_>) -> Option<(u32, u32)> {
    HEADER_BYTES.iter().find_map(|&bytes| {
        // Escapes make the text longer than its meaning, at most six times; in
        // practice only `\/` occurs, which doubles a few bytes.
        let raw = url.raw.get(..bytes * 2).unwrap_or(url.raw);
        let text = Str { raw, ..*url }.bytes();
        let text = text.as_ref();
        let head = text.get(..256).unwrap_or(text);
        let comma = memchr::memchr(b',', head)?;
        let kind = head.get(..comma)?;
        if !kind.starts_with(b"data:") || !kind.ends_with(b";base64") {
            return None;
        }
        size_of_base64(text.get(comma + 1..)?, bytes)
    })
}

/// From the first so many `bytes` of an image in base64.
fn size_of_base64(text: &[u8], bytes: usize) -> Option<(u32, u32)> {
    let payload = text.trim_ascii_end();
    let unpadded = payload.len() - payload.iter().rev().take_while(|byte| **byte == b'=').count();
    let whole = unpadded.min(bytes / 3 * 4);
    // Three letters behind a group of four are two bytes, one is none.
    let usable = if whole % 4 == 1 { whole - 1 } else { whole };
    let usable = if usable < unpadded { usable / 4 * 4 } else { usable };
    let image = STANDARD_NO_PAD.decode(payload.get(..usable)?).ok()?;
    let size = imagesize::blob_size(&image).ok()?;
    Some((u32::try_from(size.width).ok()?, u32::try_from(size.height).ok()?))
}

fn members<'a>(
    reader: &mut Reader<'a>,
    mut each: impl FnMut(Str<'a>, &mut Reader<'a>) -> Result<(), Syntax>,
) -> Result<(), Syntax> {
    if reader.kind()? != Kind::Object {
        return reader.ignore();
    }
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        each(key, reader)?;
    }
    Ok(())
}

fn elements<'a>(
    reader: &mut Reader<'a>,
    mut each: impl FnMut(&mut Reader<'a>) -> Result<(), Syntax>,
) -> Result<(), Syntax> {
    if reader.kind()? != Kind::Array {
        return reader.ignore();
    }
    reader.enter_array()?;
    while reader.element()? {
        each(reader)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
