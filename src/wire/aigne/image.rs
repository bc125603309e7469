//! Pictures: made from words, or from words and other pictures, which OpenAI
//! takes as a form at another endpoint.

use super::Envelope;
use super::embedding::write_rest;
use super::telling::Telling;
use crate::chat::{Dialect, Extra, Fields, Source, data_url, write_object};
use crate::error::{Failure, Kind, Result};
use crate::types::{Op, Usage};
use crate::wire::received::{Received, Tells};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use serde::Deserialize;
use std::borrow::Cow;

/// Unfolds a body into OpenAI's for making pictures, or, with pictures in it, for editing them.
pub(super) fn received(body: &[u8]) -> Result<Received> {
    let Envelope { mut input, options, model, .. } = Envelope::open(body)?;
    let prompt: String =
        input.take("prompt")?.ok_or_else(|| wrong("`input.prompt` is required.", "prompt"))?;
    let pictures = pictures(&mut input)?;
    // Answers come as the vendor gives them: bytes, or an address of the vendor's.
    input.take_raw("outputFileType");
    let tells = Tells::default();
    if !pictures.is_empty() {
        let mut rest = input.rest();
        rest.extend(options.map(Fields::rest).unwrap_or_default());
        let (body, content_type) = form(&model, &prompt, &rest, &pictures);
        let (op, content_type) = (Op::ImageEdit, Some(content_type));
        return Ok(Received { op, body: body.into(), speaks: Dialect::OpenAiChat, content_type, tells });
    }
    let mut out = Vec::with_capacity(body.len());
    write_object(&mut out, |object| {
        object.put("model", &model);
        object.put("prompt", &prompt);
        write_rest(object, Some(input));
        write_rest(object, options);
    });
    let (op, speaks) = (Op::ImageGeneration, Dialect::OpenAiChat);
    Ok(Received { op, body: out.into(), speaks, content_type: None, tells })
}

fn wrong(public: &'static str, param: &'static str) -> Failure {
    Failure::new(Kind::InvalidRequest, public).param(param)
}

struct Picture {
    mime: String,
    bytes: Vec<u8>,
}

/// A picture in an envelope: an address, or a part that holds one.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum PictureIn {
    Address(String),
    #[serde(rename_all = "camelCase")]
    Part {
        data: Option<String>,
        url: Option<String>,
        mime_type: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PicturesIn {
    Many(Vec<PictureIn>),
    One(PictureIn),
}

fn pictures(input: &mut Fields<'_>) -> Result<Vec<Picture>> {
    match input.take("image")? {
        None => Ok(Vec::new()),
        Some(PicturesIn::One(one)) => Ok(vec![picture(one)?]),
        Some(PicturesIn::Many(many)) => many.into_iter().map(picture).collect(),
    }
}

fn picture(picture: PictureIn) -> Result<Picture> {
    let (source, mime) = match picture {
        PictureIn::Address(url) | PictureIn::Part { data: None, url: Some(url), .. } => (data_url(url), None),
        PictureIn::Part { data: Some(data), mime_type, .. } => (data_url(data), mime_type),
        PictureIn::Part { .. } => return Err(wrong("A picture has neither `data` nor `url`.", "image")),
    };
    let (found, data) = match source {
        Source::Base64 { mime, data } => (Some(mime), data),
        // Of a part with `data`, what is no data URL is the bare base64 text.
        Source::Url(text) if !text.contains("://") => (None, text),
        _ => {
            let text = "The hub loads no pictures from the web; send the picture itself, as `data`.";
            return Err(wrong(text, "image"));
        }
    };
    let bytes = STANDARD.decode(data).map_err(|_| wrong("The `data` of a picture is no base64.", "image"))?;
    let mime = mime.or(found).filter(|mime| is_media_type(mime));
    Ok(Picture { mime: mime.unwrap_or_else(|| "image/png".to_owned()), bytes })
}

/// A text that cannot break out of a header's line.
fn is_media_type(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/.+-".contains(c);
    text.starts_with("image/") && text.len() <= 64 && text.chars().all(plain)
}

/// A form with these fields, and its content type.
fn form(model: &str, prompt: &str, rest: &[Extra], pictures: &[Picture]) -> (Vec<u8>, String) {
    let boundary = boundary(prompt, rest, pictures);
    let size = pictures.iter().map(|picture| picture.bytes.len() + 256).sum::<usize>();
    let mut out = Vec::with_capacity(size + prompt.len() + 1024);
    write_field(&mut out, &boundary, "model", model);
    write_field(&mut out, &boundary, "prompt", prompt);
    for Extra { name, json } in rest {
        let text = json.read::<String>().map_or(Cow::Borrowed(json.as_str()), Cow::Owned);
        write_field(&mut out, &boundary, &super::snake(name), &text);
    }
    let name = if pictures.len() == 1 { "image" } else { "image[]" };
    for (number, Picture { mime, bytes }) in pictures.iter().enumerate() {
        let ending = mime.strip_prefix("image/").unwrap_or("png");
        let head = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{number}.{ending}\"\r\n\
             content-type: {mime}\r\n\r\n"
        );
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (out, format!("multipart/form-data; boundary={boundary}"))
}

fn write_field(out: &mut Vec<u8>, boundary: &str, name: &str, value: &str) {
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "_[]-".contains(*c)).collect();
    let head = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// A line that stands in none of the texts and pictures.
fn boundary(prompt: &str, rest: &[Extra], pictures: &[Picture]) -> String {
    const STEM: &str = "aigne-hub-form";
    let others = || rest.iter().map(|extra| extra.json.as_str().as_bytes()).chain([prompt.as_bytes()]);
    let texts = || pictures.iter().map(|picture| picture.bytes.as_slice()).chain(others());
    let mut boundary = STEM.to_owned();
    // Each turn makes it longer, and no text holds a line longer than itself.
    while boundary.len() < 70 && texts().any(|text| memmem::find(text, boundary.as_bytes()).is_some()) {
        boundary.push('-');
    }
    boundary
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Datum>,
    output_format: Option<String>,
}

#[derive(Deserialize)]
struct Datum {
    b64_json: Option<String>,
    url: Option<String>,
}

/// The vendor's answer in AIGNE's words; with OpenAI's `data` beside it where that is wanted.
/// `None`: it cannot be read.
pub fn answer_out(body: &[u8], usage: Option<&Usage>, telling: &Telling, with_data: bool) -> Option<Vec<u8>> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let mut out = Vec::with_capacity(body.len() + 256);
    let mime = format!("image/{}", answer.output_format.as_deref().unwrap_or("png"));
    write_object(&mut out, |object| {
        object.array("images", |array| {
            for datum in &answer.data {
                array.object(|object| match (&datum.b64_json, &datum.url) {
                    (Some(data), _) => {
                        object.put("type", "file");
                        object.put("data", data);
                        object.put("mimeType", &mime);
                    }
                    (None, url) => {
                        object.put("type", "url");
                        object.put_some("url", url.as_ref());
                        object.put("mimeType", &mime);
                    }
                });
            }
        });
        if with_data {
            let data = Fields::read(body).ok().and_then(|mut fields| fields.take_raw("data"));
            object.put_some("data", data);
        }
        let used = usage.copied().unwrap_or_default();
        object.object("usage", |object| telling.write_usage(object, &used));
        telling.write_model(object);
    });
    Some(out)
}
