//! What is needed of a chat's messages: which media they carry, and what makes
//! two requests parts of one conversation. Their texts are only passed over.

use super::request::{Wrong, refuse};
use crate::wire::json::{Kind, Reader, Syntax};

/// The most tokens an image costs by any known rule: eight tiles of
/// `gpt-4o-mini` at 5,667 each, and its base of 2,833.
pub const IMAGE_TOKEN_BOUND: u64 = 48_169;
/// What a file, a recording or a video counts on top of its bytes. A part that
/// only names something stored at the vendor's has no true bound.
pub const MEDIA_TOKEN_BOUND: u64 = 48_169;

/// How much of one text goes into the hash of a conversation. Enough to tell
/// prompts apart, little enough to cost nothing.
const HASHED_BYTES: usize = 4096;
/// Any constants will do, as long as every node uses the same ones.
const HASH_SEEDS: [u64; 4] = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];

/// What the messages hold.
#[derive(Debug, Default)]
pub(super) struct Messages {
    pub images: u64,
    /// The bytes of the image parts' values, which are no text.
    pub image_bytes: u64,
    pub other_media: u64,
    pub conversation: u64,
}

/// The contents up to and with the first user message.
#[derive(Default)]
struct Opening<'a> {
    contents: Vec<&'a [u8]>,
    whole: bool,
}

/// Takes the array of messages, or of items, which stands in `field`.
pub(super) fn read(reader: &mut Reader<'_>, field: &str) -> Result<Messages, Wrong> {
    let mut found = Messages::default();
    let mut opening = Opening::default();
    let mut index = 0;
    reader.enter_array()?;
    while reader.element()? {
        if reader.kind()? != Kind::Object {
            let text = format!("`{field}[{index}]` must be an object.");
            return Err(refuse(text).param(format!("{field}[{index}]")).into());
        }
        message(reader, &mut found, &mut opening)?;
        index += 1;
    }
    found.conversation = hash(&opening.contents);
    Ok(found)
}

fn message<'a>(
    reader: &mut Reader<'a>,
    found: &mut Messages,
    opening: &mut Opening<'a>,
) -> Result<(), Syntax> {
    let mut is_user = false;
    let mut content = None;
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        match key.bytes().as_ref() {
            b"role" => {
                let role = reader.string_or_skip()?;
                is_user = role.is_some_and(|role| role.bytes() == &b"user"[..]);
            }
            b"content" => {
                let kind = reader.kind()?;
                let start = reader.offset();
                match kind {
                    Kind::Array => parts(reader, found)?,
                    _ => reader.ignore()?,
                }
                content = Some(reader.slice(start..reader.offset()));
            }
            // What a tool gave back, where it is an item of its own.
            b"output" if reader.kind()? == Kind::Array => parts(reader, found)?,
            _ => reader.ignore()?,
        }
    }
    if !opening.whole {
        opening.contents.extend(content);
        opening.whole = is_user;
    }
    Ok(())
}

fn parts(reader: &mut Reader<'_>, found: &mut Messages) -> Result<(), Syntax> {
    reader.enter_array()?;
    while reader.element()? {
        if reader.kind()? != Kind::Object {
            reader.skip()?;
            continue;
        }
        reader.enter_object()?;
        // Anthropic's blocks say beside their source what it is.
        let (mut is_image, mut source) = (false, None);
        while let Some(key) = reader.key()? {
            let span = reader.skip()?;
            match key.bytes().as_ref() {
                b"image_url" | b"input_image" => {
                    found.images += 1;
                    found.image_bytes += span.len() as u64;
                }
                b"input_audio" | b"audio_url" | b"file" | b"input_file" | b"video_url" | b"input_video"
                | b"file_data" | b"file_url" | b"file_id" => found.other_media += 1,
                b"type" => is_image = reader.slice(span) == b"\"image\"",
                b"source" => source = Some(span.len() as u64),
                _ => {}
            }
        }
        match source {
            Some(bytes) if is_image => {
                found.images += 1;
                found.image_bytes += bytes;
            }
            Some(_) => found.other_media += 1,
            None => {}
        }
    }
    Ok(())
}

/// A hash of the beginnings and lengths of some texts; 0 when there are none.
pub(super) fn hash(texts: &[&[u8]]) -> u64 {
    if texts.is_empty() {
        return 0;
    }
    let [a, b, c, d] = HASH_SEEDS;
    let state = ahash::RandomState::with_seeds(a, b, c, d);
    let beginnings: Vec<(&[u8], usize)> =
        texts.iter().map(|text| (text.get(..HASHED_BYTES).unwrap_or(text), text.len())).collect();
    state.hash_one(beginnings).max(1)
}
