//! A caller's order, read from JSON or a form.

use super::refuse;
use crate::chat::{Adapted, Extra, Field, Fields, Json, Source, data_url, write_object};
use crate::error::Result;
use crate::types::Usage;
use crate::wire::json::Patch;
use crate::wire::multipart;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;

/// What OpenAI makes a video with whose order names no model.
const USUAL_MODEL: &str = "sora-2";
/// The fields of a form that are read here.
const FIELDS: &[&str] = &["model", "prompt", "seconds", "size", "input_reference"];
/// What is held for an order that names no length: the longest that a vendor makes unasked (Veo).
const UNNAMED_SECONDS: u32 = 8;
/// The longest video that is ordered. Vendors have bounds of their own, far below it.
const MOST_SECONDS: u32 = 300;
/// The largest frame that vendors make unasked, and its pictures in a second.
const UNNAMED_FRAME: Frame = Frame { across: 1_920, down: 1_088 };
const FRAMES_PER_SECOND: u64 = 24;
/// Pixels of a token, where a vendor counts tokens of videos (Seedance).
const PIXELS_PER_TOKEN: u64 = 1_024;

/// Pixels across and down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Pixels across.
    pub across: u32,
    /// Pixels down.
    pub down: u32,
}

impl Frame {
    /// Reads `1280x720`.
    pub fn parse(text: &str) -> Option<Self> {
        let (across, down) = text.trim().split_once(['x', 'X', '*'])?;
        let number = |text: &str| text.parse().ok().filter(|number| (16..=16_384).contains(number));
        Some(Self { across: number(across)?, down: number(down)? })
    }

    /// The shorter side, by which sizes of videos are called: 720 of `720p`.
    pub fn shorter(self) -> u32 {
        self.across.min(self.down)
    }

    /// Tokens of a video of so many seconds, where tokens are counted; an eighth more, because vendors round.
    fn tokens(self, seconds: u32) -> u64 {
        let pixels = u64::from(self.across) * u64::from(self.down);
        let tokens = pixels.saturating_mul(FRAMES_PER_SECOND * u64::from(seconds)) / PIXELS_PER_TOKEN;
        tokens.saturating_add(tokens / 8)
    }
}

/// The resolution that vendors make of a shorter side of so many pixels: 1080 of 1024.
pub fn class(shorter: u32) -> u32 {
    match shorter {
        0..=600 => 480,
        601..=864 => 720,
        865..=1_620 => 1_080,
        _ => 2_160,
    }
}

/// What a caller wants made.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// As the caller names it.
    pub model: String,
    /// What is to be seen.
    pub prompt: String,
    /// How long, if the caller says.
    pub seconds: Option<u32>,
    /// How large, if the caller says.
    pub frame: Option<Frame>,
    /// A picture to begin with.
    pub reference: Option<Source>,
    /// Everything else, by the names that callers use.
    pub rest: Vec<Extra>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Text(String),
    Whole(u32),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reference {
    Address(String),
    Object { image_url: Option<String>, file_id: Option<String> },
}

impl Order {
    /// Reads a caller's order. `content_type`: that of a form; `None` for JSON.
    ///
    /// # Errors
    /// [`crate::error::Kind::InvalidRequest`] that names the field.
    pub fn read(body: &[u8], content_type: Option<&str>) -> Result<Self> {
        let mut order = match content_type {
            Some(content_type) => Self::read_form(body, content_type)?,
            None => Self::read_json(body)?,
        };
        if order.prompt.trim().is_empty() {
            return Err(refuse("prompt", "`prompt` is missing or empty."));
        }
        if order.model.is_empty() {
            USUAL_MODEL.clone_into(&mut order.model);
        }
        Ok(order)
    }

    /// Reads the order of a video that is made anew from another one, which has its model, length and size.
    ///
    /// # Errors
    /// Like [`Order::read`].
    pub fn remix(body: &[u8], model: &str, seconds: Option<u32>, frame: Option<Frame>) -> Result<Self> {
        let order = Self::read(body, None)?;
        Ok(Self { model: model.to_owned(), seconds, frame, ..order })
    }

    fn read_json(body: &[u8]) -> Result<Self> {
        let mut fields = Fields::read(body)?;
        let seconds = match fields.take::<Number>("seconds")? {
            None => None,
            Some(Number::Whole(number)) => Some(number.to_string()),
            Some(Number::Text(text)) => Some(text),
        };
        let reference = match fields.take::<Reference>("input_reference")? {
            None => None,
            Some(Reference::Address(address)) => Some(data_url(address)),
            Some(Reference::Object { image_url: Some(address), .. }) => Some(data_url(address)),
            Some(Reference::Object { file_id: Some(id), .. }) => Some(Source::FileId(id)),
            Some(Reference::Object { .. }) => {
                return Err(refuse("input_reference", "`input_reference` needs an `image_url`."));
            }
        };
        let model: Option<String> = fields.take("model")?;
        let prompt: Option<String> = fields.take("prompt")?;
        let size: Option<String> = fields.take("size")?;
        let rest = fields.rest();
        // Some vendors take a name that differs only in case for the known one.
        let alike = |extra: &&Extra| FIELDS.iter().any(|known| known.eq_ignore_ascii_case(&extra.name));
        if let Some(extra) = rest.iter().find(alike) {
            return Err(refuse(
                "prompt",
                format!("Unknown field `{}`; names are in lower case.", extra.name),
            ));
        }
        Ok(Self {
            model: model.unwrap_or_default(),
            prompt: prompt.unwrap_or_default(),
            seconds: seconds.as_deref().map(length).transpose()?,
            frame: size.as_deref().map(frame).transpose()?,
            reference,
            rest,
        })
    }

    fn read_form(body: &[u8], content_type: &str) -> Result<Self> {
        let unreadable = || refuse("prompt", "The form cannot be read.");
        let boundary = multipart::boundary(content_type).ok_or_else(unreadable)?;
        let parts = multipart::parts(body, &boundary).ok_or_else(unreadable)?;
        let (mut model, mut prompt) = (String::new(), String::new());
        let (mut seconds, mut size, mut reference, mut rest) = (None, None, None, Vec::new());
        let mut seen: Vec<String> = Vec::new();
        for part in parts {
            // Of two the vendor might take the other one, and a name that differs only in case for the known one.
            let alike = |known: &&str| known.eq_ignore_ascii_case(&part.name) && *known != part.name;
            if seen.iter().any(|name| name.eq_ignore_ascii_case(&part.name)) || FIELDS.iter().any(alike) {
                return Err(refuse(
                    "prompt",
                    format!("The form has `{}` twice, or in another case.", part.name),
                ));
            }
            let value = body.get(part.value.clone()).unwrap_or_default();
            let text = || String::from_utf8_lossy(value).into_owned();
            match part.name.as_str() {
                "input_reference" if part.is_file => {
                    let mime = part.content_type.unwrap_or_else(|| "image/png".to_owned());
                    reference = Some(Source::Base64 { mime, data: STANDARD.encode(value) });
                }
                name if part.is_file => {
                    return Err(refuse("input_reference", format!("The file `{name}` is of no use here.")));
                }
                "model" => model = text(),
                "prompt" => prompt = text(),
                "seconds" => seconds = Some(length(&text())?),
                "size" => size = Some(frame(&text())?),
                "input_reference" | "input_reference[image_url]" => reference = Some(data_url(text())),
                "input_reference[file_id]" => reference = Some(Source::FileId(text())),
                name => rest.push(Extra { name: name.to_owned(), json: Json::of(&text()) }),
            }
            seen.push(part.name);
        }
        // A model is put in front of the first part, and what stands before that would become part of it.
        if model.is_empty() && !body.starts_with(format!("--{boundary}").as_bytes()) {
            return Err(unreadable());
        }
        Ok(Self { model, prompt, seconds, frame: size, reference, rest })
    }

    /// The most that it may use.
    pub fn bound(&self) -> Usage {
        let seconds = self.seconds.unwrap_or(UNNAMED_SECONDS);
        let output = self.frame.unwrap_or(UNNAMED_FRAME).tokens(seconds);
        Usage { milliseconds: u64::from(seconds) * 1_000, output, requests: 1, ..Usage::default() }
    }

    /// The caller's own body for a vendor that reads it, with the vendor's name of the model.
    /// `content_type`: that of a form.
    ///
    /// # Errors
    /// When it can no longer be read.
    pub fn passed(body: &Bytes, content_type: Option<&str>, model: &str) -> Result<Vec<Bytes>> {
        let Some(content_type) = content_type else {
            let mut fields = Fields::read(body)?;
            fields.take_raw("model");
            let mut out = Vec::with_capacity(body.len() + model.len());
            write_object(&mut out, |object| {
                object.put("model", model);
                fields.rest().iter().for_each(|extra| object.put(&extra.name, &extra.json));
            });
            return Ok(vec![out.into()]);
        };
        let boundary = multipart::boundary(content_type).unwrap_or_default();
        let mut patch = Patch::new();
        match multipart::field(body, &boundary, "model") {
            Some(span) => patch.replace(span, model.as_bytes()),
            None => {
                let head = "content-disposition: form-data; name=\"model\"";
                patch.replace(0..0, format!("--{boundary}\r\n{head}\r\n\r\n{model}\r\n"));
            }
        }
        Ok(patch.pieces(body))
    }

    /// Takes a field out of the rest.
    pub(super) fn take(rest: &mut Vec<Extra>, name: &str) -> Option<Json> {
        let at = rest.iter().position(|extra| extra.name == name)?;
        Some(rest.remove(at).json)
    }

    /// Drops what nobody took.
    pub(super) fn drop(rest: Vec<Extra>, adapted: &mut Adapted) -> Result<()> {
        for extra in rest {
            let field = if extra.name == "user" { Field::User } else { Field::Extra };
            adapted.drop_named(field, extra.name, "dropped")?;
        }
        Ok(())
    }
}

fn length(text: &str) -> Result<u32> {
    let number = text.trim().trim_end_matches('s').parse().ok();
    number.filter(|number| (1..=MOST_SECONDS).contains(number)).ok_or_else(|| {
        refuse("seconds", format!("`seconds` must be a whole number from 1 to {MOST_SECONDS}."))
    })
}

fn frame(text: &str) -> Result<Frame> {
    Frame::parse(text)
        .ok_or_else(|| refuse("size", "`size` must be pixels across and down, such as 1280x720."))
}
