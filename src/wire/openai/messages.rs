//! What is needed of a chat's messages: which media they carry, and what makes
//! two requests parts of one conversation. Their texts are only passed over.

use super::wrong::{Wrong, refuse};
use crate::chat::{Abilities, Ability};
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
    /// What a model must be able to read for them.
    pub needs: Abilities,
}

/// The contents up to and with the first user message.
#[derive(Default)]
pub(super) struct Opening<'a> {
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
    found.conversation = opening.hash();
    Ok(found)
}

impl<'a> Opening<'a> {
    /// Adds a message's content, until the first one of the user's is in.
    pub(super) fn add(&mut self, content: Option<&'a [u8]>, is_user: bool) {
        if !self.whole {
            self.contents.extend(content);
            self.whole = is_user;
        }
    }

    /// The hash of it.
    pub(super) fn hash(&self) -> u64 {
        hash(&self.contents)
    }
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
    opening.add(content, is_user);
    Ok(())
}

fn parts(reader: &mut Reader<'_>, found: &mut Messages) -> Result<(), Syntax> {
    reader.enter_array()?;
    while reader.element()? {
        match reader.kind()? {
            Kind::Object => part(reader, found)?,
            _ => reader.ignore()?,
        }
    }
    Ok(())
}

fn part(reader: &mut Reader<'_>, found: &mut Messages) -> Result<(), Syntax> {
    reader.enter_object()?;
    // Anthropic's blocks say beside their source what it is.
    let (mut is_image, mut source) = (false, None);
    // Files of Responses, which say beside them what they are.
    let mut files = 0;
    while let Some(key) = reader.key()? {
        let key = key.bytes();
        match (key.as_ref(), reader.kind()?) {
            (b"type", _) => {
                let span = reader.skip()?;
                is_image = matches!(reader.slice(span), b"\"image\"" | b"\"input_image\"");
            }
            (b"image_url" | b"input_image", _) => found.image(reader.skip()?.len()),
            (b"file_data" | b"file_url" | b"file_id", _) => {
                reader.ignore()?;
                files += 1;
            }
            (b"source", _) => source = Some(read_source(reader)?),
            // What a tool gave back may hold pictures too; the reader bounds the depth.
            (b"content", Kind::Array) => parts(reader, found)?,
            (name, _) => {
                let medium = MEDIA.iter().find(|(known, _)| *known == name);
                reader.ignore()?;
                if let Some((_, ability)) = medium {
                    found.other_media += 1;
                    found.needs.insert(*ability);
                }
            }
        }
    }
    if files > 0 {
        found.other_media += files;
        found.needs.insert(if is_image { Ability::Image } else { Ability::Document });
    }
    match source {
        Some(source) if is_image => found.image(source.bytes),
        Some(source) => {
            found.other_media += 1;
            // A document of plain text is read by every model.
            found.needs.insert_if(Ability::Document, !source.is_text);
        }
        None => {}
    }
    Ok(())
}

/// OpenAI's parts by the field that holds them.
const MEDIA: &[(&[u8], Ability)] = &[
    (b"input_audio", Ability::Audio),
    (b"audio_url", Ability::Audio),
    (b"file", Ability::Document),
    (b"input_file", Ability::Document),
    (b"video_url", Ability::Video),
    (b"input_video", Ability::Video),
];

/// Where one of Anthropic's blocks has its bytes from.
struct Source {
    bytes: usize,
    is_text: bool,
}

fn read_source(reader: &mut Reader<'_>) -> Result<Source, Syntax> {
    let kind = reader.kind()?;
    let start = reader.offset();
    let mut is_text = false;
    if kind == Kind::Object {
        reader.enter_object()?;
        while let Some(key) = reader.key()? {
            let is_type = key.bytes() == &b"type"[..];
            let span = reader.skip()?;
            is_text |= is_type && matches!(reader.slice(span), b"\"text\"" | b"\"content\"");
        }
    } else {
        reader.ignore()?;
    }
    Ok(Source { bytes: reader.offset() - start, is_text })
}

impl Messages {
    /// One more picture, of so many bytes in the body.
    fn image(&mut self, bytes: usize) {
        self.images += 1;
        self.image_bytes += bytes as u64;
        self.needs.insert(Ability::Image);
    }
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
