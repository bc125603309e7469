//! Errors: a vendor's, from every shape we have met, and ours, in OpenAI's shape.

use crate::error::Failure;
use crate::wire::json::{Kind, Reader, Syntax};
use bytes::Bytes;
use std::borrow::Cow;

/// How many bytes of a vendor's message are kept, and of its short fields.
const MAX_MESSAGE_BYTES: usize = 2048;
const MAX_FIELD_BYTES: usize = 128;
/// Fields that only a normal answer has.
const OF_AN_ANSWER: &[&[u8]] = &[b"choices", b"data", b"usage", b"text", b"results", b"delta"];

/// A vendor's error, from any of the known shapes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VendorError {
    /// What the vendor says, at most 2 KiB, without control characters.
    pub message: String,
    /// `type`, or Google's `status`.
    pub kind: Option<String>,
    /// `code`, also when it is a number.
    pub code: Option<String>,
    /// The field the vendor complains about.
    pub param: Option<String>,
}

impl VendorError {
    /// An error with nothing but a text.
    pub(in crate::wire) fn of_text(text: &str) -> Self {
        Self { message: bounded(text, MAX_MESSAGE_BYTES), ..Self::default() }
    }

    /// An event that is an error by its name and says nothing we can read.
    pub(super) fn unknown() -> Self {
        Self::of_text("the vendor reported an error without saying which")
    }

    /// An error that is known only by its code.
    pub(super) fn of_code(code: &str) -> Self {
        let message = Cow::Borrowed("the vendor ended the answer with an error");
        Self { message: message.into_owned(), code: Some(bounded(code, MAX_FIELD_BYTES)), ..Self::default() }
    }

    fn is_empty(&self) -> bool {
        self.message.is_empty() && self.code.is_none() && self.kind.is_none()
    }
}

/// Reads an error body: `{"error":{…}}`, `{"error":"text"}`, `{"code":…,"error":"text"}`, `[{"error":…}]`,
/// `{"message":…}`, `{"detail":…}`, plain text or HTML (which is never passed on). `None`: it is no
/// error, or empty. Meant for bodies that may be errors: of any other text it would make one.
pub fn vendor_error(body: &[u8]) -> Option<VendorError> {
    let body = body.trim_ascii();
    match body.first()? {
        b'{' | b'[' => match read_body(body) {
            Ok(error) => error,
            Err(_) => Some(of_plain_text(body)),
        },
        _ => Some(of_plain_text(body)),
    }
}

/// Reads what stood behind an `error` key that is not at the top.
pub(super) fn of_value(value: &[u8]) -> VendorError {
    let mut found = Found::default();
    match read_error(&mut Reader::new(value), &mut found) {
        Ok(()) if !found.error.is_empty() => found.error,
        _ => VendorError::unknown(),
    }
}

/// What has been found in a body on the way through it.
#[derive(Default)]
struct Found {
    error: VendorError,
    /// An `error` that is filled.
    explicit: bool,
    is_answer: bool,
}

fn read_body(body: &[u8]) -> Result<Option<VendorError>, Syntax> {
    let mut reader = Reader::new(body);
    let mut found = Found::default();
    if reader.kind()? == Kind::Array {
        reader.enter_array()?;
        if !reader.element()? {
            return Ok(None);
        }
    }
    if reader.kind()? != Kind::Object {
        return Ok(None);
    }
    read_object(&mut reader, &mut found, true)?;
    let is_error = found.explicit || (!found.is_answer && !found.error.message.is_empty());
    if is_error && found.error.is_empty() {
        return Ok(Some(VendorError::unknown()));
    }
    Ok(is_error.then_some(found.error))
}

/// Reads the object of an error, or at the top the one around it.
fn read_object(reader: &mut Reader<'_>, found: &mut Found, top: bool) -> Result<(), Syntax> {
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        let name = key.raw;
        let kind = reader.kind()?;
        match (name, kind) {
            (b"error", _) if top => read_error(reader, found)?,
            (b"message" | b"Message" | b"error_msg", Kind::String) => {
                set_message(reader, found, top)?;
            }
            (b"detail" | b"errors", _) if top => read_detail(reader, found)?,
            (b"type" | b"status" | b"__type", Kind::String) => {
                let kind = short(reader)?;
                found.error.kind = if top { found.error.kind.take().or(kind) } else { kind };
            }
            (b"code", Kind::String | Kind::Number) => {
                let code = short(reader)?;
                found.error.code = if top { found.error.code.take().or(code) } else { code };
            }
            (b"param", Kind::String) => found.error.param = short(reader)?,
            _ => {
                found.is_answer |= top && kind != Kind::Null && OF_AN_ANSWER.contains(&name);
                reader.skip()?;
            }
        }
    }
    Ok(())
}

/// The value of `error`: an object, a text, or a flag that is no news.
fn read_error(reader: &mut Reader<'_>, found: &mut Found) -> Result<(), Syntax> {
    match reader.kind()? {
        Kind::Object => {
            let start = reader.offset();
            read_object(reader, found, false)?;
            let text = reader.slice(start..reader.offset());
            found.explicit |= text.iter().any(|byte| !b"{} \r\n\t".contains(byte));
            Ok(())
        }
        Kind::String => {
            let text = reader.string()?.text();
            found.explicit |= !text.trim().is_empty();
            found.error.message = readable(&text);
            Ok(())
        }
        Kind::Array => {
            let span = reader.skip()?;
            let text = reader.slice(span);
            found.explicit |= text.iter().any(|byte| !b"[] \r\n\t".contains(byte));
            found.error.message = readable(&String::from_utf8_lossy(text));
            Ok(())
        }
        _ => found_flag(reader, found),
    }
}

fn found_flag(reader: &mut Reader<'_>, found: &mut Found) -> Result<(), Syntax> {
    found.explicit |= reader.bool_or_skip()? == Some(true);
    Ok(())
}

fn set_message(reader: &mut Reader<'_>, found: &mut Found, top: bool) -> Result<(), Syntax> {
    let text = readable(&reader.string()?.text());
    // The inner message of `error` is the one that says more.
    if !top || found.error.message.is_empty() {
        found.error.message = text;
    }
    Ok(())
}

/// `detail` of common web frameworks: a text, or a list of complaints shown as it is.
fn read_detail(reader: &mut Reader<'_>, found: &mut Found) -> Result<(), Syntax> {
    let kind = reader.kind()?;
    let text = match kind {
        Kind::String => reader.string()?.text(),
        Kind::Object | Kind::Array => {
            let span = reader.skip()?;
            String::from_utf8_lossy(reader.slice(span))
        }
        _ => return reader.ignore(),
    };
    if found.error.message.is_empty() {
        found.error.message = readable(&text);
    }
    Ok(())
}

/// A string or number as a short text.
fn short(reader: &mut Reader<'_>) -> Result<Option<String>, Syntax> {
    let text = match reader.kind()? {
        Kind::String => reader.string()?.text(),
        _ => {
            let span = reader.skip()?;
            String::from_utf8_lossy(reader.slice(span))
        }
    };
    Ok(Some(bounded(&text, MAX_FIELD_BYTES)).filter(|text| !text.is_empty()))
}

fn of_plain_text(body: &[u8]) -> VendorError {
    // More than is kept, so that a cut inside a character does no harm.
    let beginning = body.get(..MAX_MESSAGE_BYTES * 2).unwrap_or(body);
    match std::str::from_utf8(beginning) {
        Err(error) if error.error_len().is_some() => VendorError::of_text("the vendor's answer is no text"),
        _ => VendorError { message: readable(&String::from_utf8_lossy(beginning)), ..VendorError::default() },
    }
}

/// A message as it may be passed on: never a web page, never long.
fn readable(text: &str) -> String {
    let text = text.trim();
    let lower: String = text.chars().take(512).collect::<String>().to_ascii_lowercase();
    if ["<!doctype", "<html", "<head", "<body", "<?xml"].iter().any(|mark| lower.contains(mark)) {
        return "the vendor answered with a web page".to_owned();
    }
    bounded(text, MAX_MESSAGE_BYTES)
}

/// At most so many bytes, without control characters.
fn bounded(text: &str, max_bytes: usize) -> String {
    let text = text.trim();
    let end = text.floor_char_boundary(max_bytes);
    let kept = text.get(..end).unwrap_or_default();
    kept.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

#[derive(serde::Serialize)]
struct Envelope<'a> {
    error: Body<'a>,
}

#[derive(serde::Serialize)]
struct Body<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: &'a str,
}

/// Renders a failure: `{"error":{"message","type","param","code"}}`, `param` null where none is wrong.
pub fn error_body(failure: &Failure) -> Vec<u8> {
    let (kind, code) = failure.openai();
    let body = Body { message: &failure.public, kind, param: failure.param.as_deref(), code };
    // Texts always serialise; an empty body is still an answer if that ever changes.
    serde_json::to_vec(&Envelope { error: body }).unwrap_or_default()
}

/// Renders a failure as an event of a running stream: `data: {"error":{…}}\n\n`.
pub fn error_event(failure: &Failure) -> Bytes {
    [b"data: ", error_body(failure).as_slice(), b"\n\n"].concat().into()
}

#[cfg(test)]
mod tests;
