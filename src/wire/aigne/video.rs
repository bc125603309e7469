//! Videos: ordered and waited for in one request.

use super::Envelope;
use super::embedding::write_rest;
use super::image::PictureIn;
use super::telling::Telling;
use crate::chat::{Dialect, write_object};
use crate::error::{Failure, Kind, Result};
use crate::types::{Op, Usage};
use crate::wire::received::{Received, Tells};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

/// Unfolds a body into OpenAI's order of a video.
pub(super) fn received(body: &[u8]) -> Result<Received> {
    let Envelope { mut input, options, model, .. } = Envelope::open(body)?;
    let wrong =
        |text: &'static str, param: &'static str| Failure::new(Kind::InvalidRequest, text).param(param);
    let prompt: String =
        input.take("prompt")?.ok_or_else(|| wrong("`input.prompt` is required.", "prompt"))?;
    let picture = match input.take::<PictureIn>("image")? {
        None => None,
        Some(PictureIn::Address(url) | PictureIn::Part { data: None, url: Some(url), .. }) => Some(url),
        Some(PictureIn::Part { data: Some(data), .. }) if data.starts_with("data:") => Some(data),
        Some(PictureIn::Part { data: Some(data), mime_type, .. }) => {
            Some(format!("data:{};base64,{data}", mime_type.as_deref().unwrap_or("image/png")))
        }
        Some(PictureIn::Part { .. }) => {
            return Err(wrong("The picture has neither `data` nor `url`.", "image"));
        }
    };
    // Videos come as the vendor gives them: bytes, or an address of the vendor's.
    input.take_raw("outputFileType");
    let seconds = input.take::<Value>("seconds")?.map(|seconds| match seconds {
        Value::String(text) => text,
        other => other.to_string(),
    });
    let mut out = Vec::with_capacity(body.len());
    write_object(&mut out, |object| {
        object.put("model", &model);
        object.put("prompt", &prompt);
        object.put_some("seconds", seconds);
        if let Some(url) = &picture {
            object.object("input_reference", |reference| reference.put("image_url", url));
        }
        write_rest(object, Some(input));
        write_rest(object, options);
    });
    let (op, speaks, tells) = (Op::Video, Dialect::OpenAiChat, Tells::default());
    Ok(Received { op, body: out.into(), speaks, content_type: None, tells })
}

/// A video as the caller gets it.
#[derive(Clone, Copy, Debug)]
pub enum VideoFile<'a> {
    /// Its media type and its bytes.
    Bytes(&'a str, &'a Bytes),
    /// Where it is, for everybody.
    Address(&'a str),
}

/// The answer of a caller who waited for its videos, which are so many seconds long.
pub fn answer_out(files: &[VideoFile<'_>], usage: &Usage, telling: &Telling, seconds: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    write_object(&mut out, |object| {
        object.array("videos", |array| {
            for file in files {
                array.object(|object| match file {
                    VideoFile::Bytes(mime, bytes) => {
                        object.put("type", "file");
                        object.put("data", &STANDARD.encode(bytes));
                        object.put("mimeType", mime);
                    }
                    VideoFile::Address(url) => {
                        object.put("type", "url");
                        object.put("url", url);
                        object.put("mimeType", "video/mp4");
                    }
                });
            }
        });
        object.put("seconds", &seconds);
        object.object("usage", |object| telling.write_usage(object, usage));
        telling.write_model(object);
    });
    out
}
