//! The protocol of AIGNE's own client: an envelope `{input, agent, options}`
//! around a chat, a picture or an embedding, answered by one object or by
//! deltas that are merged into one.
//!
//! Beside it stands the older endpoint `/chat/completions`, which has OpenAI's
//! fields in camel case: `completions`.
//!
//! A body is unfolded when it arrives and has OpenAI's members from then on, so
//! that model, bounds and texts are read as everybody's are. A chat keeps hints
//! that OpenAI itself would refuse, so it is translated for every vendor.

mod answer_out;
mod completions;
mod embedding;
mod error;
mod image;
mod message_in;
mod request_in;
mod stream_out;
mod structured;
mod telling;
mod video;

pub use answer_out::response_out;
pub use completions::{
    CompletionsWriter, received as completions_received, response_out as completions_response_out,
};
pub use embedding::answer_out as embedding_out;
pub use error::{error_body, error_event};
pub use image::answer_out as image_out;
pub use stream_out::StreamWriter;
pub use telling::{CostOf, Telling};
pub use video::{VideoFile, answer_out as video_out};

use super::received::Received;
use crate::chat::{Dialect, Fields};
use crate::error::{Failure, Kind, Result};
use crate::types::Op;
use bytes::Bytes;

/// Unfolds a body of `/api/v2/…`.
///
/// # Errors
/// [`Kind::InvalidRequest`], naming the field.
pub fn received(op: Op, body: Bytes) -> Result<Received> {
    match op {
        Op::Chat => request_in::received(&body),
        Op::Embedding => embedding::received(&body),
        Op::ImageGeneration => image::received(&body),
        Op::Video => video::received(&body),
        _ => Ok(Received::untouched(op, Dialect::Aigne, body)),
    }
}

/// What an envelope holds. Without one the members stand at the top, as in the older bodies.
struct Envelope<'a> {
    input: Fields<'a>,
    /// `modelOptions`, without the model.
    options: Option<Fields<'a>>,
    model: String,
    streaming: bool,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct InvokeOptions {
    streaming: Option<bool>,
}

impl<'a> Envelope<'a> {
    fn open(body: &'a [u8]) -> Result<Self> {
        let mut top = Fields::read(body)?;
        let outer: Option<String> = top.take("model")?;
        let invoke: InvokeOptions = top.take("options")?.unwrap_or_default();
        let is_nested = top.peek("input").is_some_and(|raw| raw.get().starts_with('{'));
        let mut input = if is_nested { top.take("input")?.unwrap_or(top) } else { top };
        let mut options: Option<Fields<'a>> = input.take("modelOptions")?;
        let chosen: Option<String> = options.as_mut().map(|o| o.take("model")).transpose()?.flatten();
        let inner: Option<String> = input.take("model")?;
        let model = chosen.or(inner).or(outer).filter(|model| !model.is_empty()).ok_or_else(|| {
            Failure::new(Kind::InvalidRequest, "`input.modelOptions.model` is required.").param("model")
        })?;
        let flat: Option<bool> = input.take("stream")?;
        let streaming = invoke.streaming.or(flat).unwrap_or(false);
        Ok(Self { input, options, model, streaming })
    }
}

/// A name in snake case, which OpenAI's fields have: `topLogprobs` is `top_logprobs`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests;
