//! A caller's body, JSON or a form, read into a wish.

use super::stream::no_addresses;
use super::{Form, MAX_PICTURES, Size, Wish, refuse};
use crate::chat::{Extra, Fields, Json, Source, data_url};
use crate::error::Result;
use crate::types::Op;
use crate::wire::multipart;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// One picture, as JSON bodies name it: an address, or an object that holds one.
#[derive(Deserialize)]
#[serde(untagged)]
enum PictureIn {
    Address(String),
    Object { image_url: Option<Address>, url: Option<String>, file_id: Option<String> },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Address {
    Plain(String),
    Object { url: String },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Pictures {
    Many(Vec<PictureIn>),
    One(PictureIn),
}

/// Reads a caller's body. `content_type`: that of a form; `None` for JSON.
///
/// # Errors
/// [`crate::error::Kind::InvalidRequest`] that names the field.
pub fn read(op: Op, body: &[u8], content_type: Option<&str>) -> Result<Wish> {
    let wish = match content_type {
        Some(content_type) => read_form(body, content_type)?,
        None => read_json(body)?,
    };
    if wish.prompt.trim().is_empty() {
        return Err(refuse("prompt", "`prompt` is missing or empty."));
    }
    if !(1..=MAX_PICTURES).contains(&wish.count) {
        return Err(refuse("n", format!("`n` must be from 1 to {MAX_PICTURES}.")));
    }
    if op == Op::ImageEdit && wish.pictures.is_empty() {
        return Err(refuse("image", "An edit needs an `image`."));
    }
    Ok(wish)
}

fn read_json(body: &[u8]) -> Result<Wish> {
    let mut fields = Fields::read(body)?;
    let stream = fields.take("stream")?.unwrap_or(false);
    fields.take_raw("model");
    fields.take_raw("partial_images");
    let size: Option<String> = fields.take("size")?;
    let ratio: Option<String> = fields.take("aspect_ratio")?;
    let mut pictures = Vec::new();
    for name in ["image", "images"] {
        match fields.take::<Pictures>(name)? {
            None => {}
            Some(Pictures::One(picture)) => pictures.push(source(picture)?),
            Some(Pictures::Many(many)) => {
                for picture in many {
                    pictures.push(source(picture)?);
                }
            }
        }
    }
    let mask = fields.take::<PictureIn>("mask")?.map(source).transpose()?;
    Ok(Wish {
        prompt: fields.take("prompt")?.unwrap_or_default(),
        count: fields.take("n")?.unwrap_or(1),
        size: wished_size(size, ratio)?,
        form: form(fields.take("response_format")?, stream)?,
        stream,
        pictures,
        mask,
        rest: fields.rest(),
    })
}

/// OpenAI's fields of an edit, files among them. A field may come several times as `image[]`.
fn read_form(body: &[u8], content_type: &str) -> Result<Wish> {
    let unreadable = || refuse("image", "The form cannot be read.");
    let boundary = multipart::boundary(content_type).ok_or_else(unreadable)?;
    let parts = multipart::parts(body, &boundary).ok_or_else(unreadable)?;
    let (mut prompt, mut count, mut size, mut ratio, mut format) = (String::new(), 1, None, None, None);
    let mut stream = false;
    let (mut pictures, mut mask, mut rest) = (Vec::new(), None, Vec::new());
    for part in parts {
        let value = body.get(part.value.clone()).unwrap_or_default();
        if part.is_file {
            let mime = part.content_type.filter(|mime| mime.starts_with("image/"));
            let mime = mime.unwrap_or_else(|| mime_of(value).to_owned());
            let source = Source::Base64 { mime, data: STANDARD.encode(value) };
            match part.name.trim_end_matches("[]") {
                "image" | "images" => pictures.push(source),
                "mask" => mask = Some(source),
                _ => return Err(refuse("image", "The form has a file that is neither `image` nor `mask`.")),
            }
            continue;
        }
        let text = String::from_utf8_lossy(value).into_owned();
        match part.name.as_str() {
            "model" | "partial_images" => {}
            "stream" => stream = text == "true",
            "prompt" => prompt = text,
            "n" => count = text.parse().map_err(|_| refuse("n", "`n` must be a whole number."))?,
            "size" => size = Some(text),
            "aspect_ratio" => ratio = Some(text),
            "response_format" => format = Some(text),
            "image" | "image[]" | "image_url" => pictures.push(data_url(text)),
            name => rest.push(Extra { name: name.to_owned(), json: Json::of(&text) }),
        }
    }
    let size = wished_size(size, ratio)?;
    Ok(Wish { prompt, count, size, form: form(format, stream)?, stream, pictures, mask, rest })
}

fn source(picture: PictureIn) -> Result<Source> {
    let address = match picture {
        PictureIn::Address(address) => Some(address),
        PictureIn::Object {
            image_url: Some(Address::Plain(address) | Address::Object { url: address }),
            ..
        }
        | PictureIn::Object { url: Some(address), .. } => Some(address),
        PictureIn::Object { file_id: Some(id), .. } => return Ok(Source::FileId(id)),
        PictureIn::Object { .. } => None,
    };
    let address = address.ok_or_else(|| refuse("image", "A picture needs an `image_url`."))?;
    Ok(match data_url(address) {
        // Bare base64, as some clients send it.
        Source::Url(data) if !data.contains("://") => {
            let head = data.get(..64.min(data.len() / 4 * 4)).unwrap_or_default();
            let mime = mime_of(&STANDARD.decode(head).unwrap_or_default()).to_owned();
            Source::Base64 { mime, data }
        }
        source => source,
    })
}

/// The kind of picture by its first bytes.
fn mime_of(bytes: &[u8]) -> &'static str {
    match bytes {
        [0xff, 0xd8, ..] => "image/jpeg",
        [b'G', b'I', b'F', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => "image/png",
    }
}

/// A shape that is named beside a size wins only where the size says nothing of it.
fn wished_size(size: Option<String>, ratio: Option<String>) -> Result<Option<Size>> {
    let wrong = |field| refuse(field, format!("`{field}` is no size, such as 1024x1024, 2K or 16:9."));
    let parse = |field, text: Option<String>| {
        text.map(|text| Size::parse(&text).ok_or_else(|| wrong(field))).transpose()
    };
    let (size, ratio) = (parse("size", size)?, parse("aspect_ratio", ratio)?);
    Ok(match (size, ratio) {
        (None | Some(Size::Auto), Some(ratio)) => Some(ratio),
        (size, _) => size,
    })
}

/// Events hold pictures and no addresses.
fn form(name: Option<String>, stream: bool) -> Result<Option<Form>> {
    match name.as_deref() {
        None if stream => Ok(Some(Form::Base64)),
        None => Ok(None),
        Some("url") if stream => Err(no_addresses()),
        Some("url") => Ok(Some(Form::Url)),
        Some("b64_json") => Ok(Some(Form::Base64)),
        Some(_) => Err(refuse("response_format", "`response_format` is `url` or `b64_json`.")),
    }
}
