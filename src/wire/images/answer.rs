//! A caller's answer, written from what was drawn.

use super::{Form, nothing_drawn};
use crate::chat::{Json, Object, Source, parse, write_object};
use crate::error::{Failure, Kind, Result};
use crate::types::{Op, Usage};
use crate::wire::openai::{Counting, usage};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// What a caller asked, as far as its answer depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrawPlan {
    /// In which form it wants its pictures.
    pub form: Option<Form>,
    /// Pictures of its own went along.
    pub edits: bool,
    /// It wants events.
    pub stream: bool,
}

/// One picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Where it is.
    pub source: Source,
    /// What the model made of the prompt.
    pub revised_prompt: Option<String>,
}

/// What a vendor drew, in one call or in several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawn {
    /// The pictures.
    pub pictures: Vec<Picture>,
    /// What it used, if the vendor says.
    pub usage: Option<Usage>,
    /// Where there is no picture: why, in the vendor's words.
    pub refusal: String,
}

impl Drawn {
    /// Adds what another call drew.
    pub fn add(&mut self, other: Drawn) {
        self.pictures.extend(other.pictures);
        self.usage = add(self.usage, other.usage);
        if self.refusal.is_empty() {
            self.refusal = other.refusal;
        }
    }
}

/// The sum of two calls.
fn add(one: Option<Usage>, other: Option<Usage>) -> Option<Usage> {
    let (Some(one), Some(other)) = (one, other) else { return one.or(other) };
    Some(one.plus(&other))
}

/// Writes a caller's answer; `now` in seconds since the Unix epoch. Gives what was used, pictures included.
///
/// # Errors
/// [`Kind::VendorRefused`] where nothing was drawn.
pub fn write(drawn: &Drawn, plan: DrawPlan, now: i64) -> Result<(Vec<u8>, Option<Usage>)> {
    if drawn.pictures.is_empty() {
        return Err(nothing_drawn(&drawn.refusal));
    }
    let mut out = Vec::with_capacity(1024);
    write_object(&mut out, |object| {
        object.put("created", &now);
        object.array("data", |data| {
            for picture in &drawn.pictures {
                data.object(|object| write_picture(object, picture, plan.form));
            }
        });
        if let Some(usage) = drawn.usage {
            object.object("usage", |object| write_usage(object, &usage, plan));
        }
    });
    let images = drawn.pictures.len() as u64;
    Ok((out, Some(Usage { images, ..drawn.usage.unwrap_or_default() })))
}

fn write_picture(object: &mut Object<'_>, picture: &Picture, form: Option<Form>) {
    match (&picture.source, form) {
        (Source::Base64 { mime, data }, Some(Form::Url)) => {
            object.put("url", &format!("data:{mime};base64,{data}"));
        }
        (Source::Base64 { data, .. }, _) => object.put("b64_json", data),
        (Source::Url(address) | Source::FileId(address), _) => object.put("url", address),
        (Source::Text(text), _) => object.put("b64_json", &STANDARD.encode(text)),
    }
    object.put_some("revised_prompt", picture.revised_prompt.as_ref());
}

fn write_usage(object: &mut Object<'_>, usage: &Usage, plan: DrawPlan) {
    object.put("input_tokens", &usage.input_tokens());
    object.put("output_tokens", &usage.output_tokens());
    object.put("total_tokens", &usage.total_tokens());
    // Of an edit nobody says how much of the input was pictures.
    if !plan.edits {
        object.object("input_tokens_details", |details| {
            details.put("text_tokens", &usage.input_tokens());
            details.put("image_tokens", &0);
        });
    }
}

#[derive(Deserialize)]
struct AnswerIn {
    created: Option<Json>,
    data: Vec<Json>,
}

/// One answer for those of vendors that answer in OpenAI's words; a single one stays as it came.
///
/// # Errors
/// [`Kind::VendorMalformed`] when one cannot be read.
pub fn merge<B: AsRef<[u8]>>(
    answers: &[B],
    counting: Counting,
    now: i64,
) -> Result<(Vec<u8>, Option<Usage>)> {
    let used = merged_usage(answers, counting);
    if let [only] = answers {
        return Ok((dated(only.as_ref(), now)?, used));
    }
    let (mut created, mut data) = (None, Vec::new());
    for answer in answers {
        let read = read(answer.as_ref())?;
        created = created.or(read.created);
        data.extend(read.data);
    }
    let mut out = Vec::with_capacity(1024);
    write_object(&mut out, |object| {
        match created {
            Some(created) => object.put("created", &created),
            None => object.put("created", &now),
        }
        object.put("data", &data);
        if let Some(used) = used.filter(|used| used.total_tokens() > 0) {
            object.object("usage", |object| write_usage(object, &used, DrawPlan::default()));
        }
    });
    Ok((out, used))
}

fn read(answer: &[u8]) -> Result<AnswerIn> {
    parse(answer).map_err(|error| {
        let failure = Failure::new(Kind::VendorMalformed, "The vendor's answer cannot be read.");
        failure.detail(error)
    })
}

/// The answer as it came, with its time where the vendor does not say it: callers' clients require it.
fn dated(answer: &[u8], now: i64) -> Result<Vec<u8>> {
    let rest = answer.trim_ascii_start().strip_prefix(b"{");
    match (read(answer)?.created, rest) {
        (None, Some(rest)) => Ok([format!("{{\"created\":{now},").as_bytes(), rest].concat()),
        _ => Ok(answer.to_vec()),
    }
}

/// What answers in OpenAI's words say they used.
pub fn merged_usage<B: AsRef<[u8]>>(answers: &[B], counting: Counting) -> Option<Usage> {
    let read = answers.iter().map(|answer| usage(Op::ImageGeneration, counting, answer.as_ref()));
    read.fold(None, add)
}
