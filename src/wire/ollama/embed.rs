//! Embeddings: OpenAI's body to the vendor's, and the vendor's answer back.

use super::response_in::malformed;
use crate::chat::{Adapted, Json, parse, write_object};
use crate::error::Result;
use crate::types::Usage;
use crate::wire::embed::{self, EmbedPlan};
use serde::Deserialize;

/// Fields of the vendor's own that a caller may send along.
const OWN: [&str; 3] = ["truncate", "keep_alive", "options"];

/// Writes the vendor's body for OpenAI's.
///
/// # Errors
/// [`crate::error::Kind::InvalidRequest`] that names the field: a body that cannot be read, token
/// numbers in place of texts, or a field that the policy does not let go.
pub fn embed_out(body: &[u8], model: &str, adapted: &mut Adapted) -> Result<(Vec<u8>, EmbedPlan)> {
    let (wanted, plan) = embed::wanted(body, model, adapted)?;
    let (own, foreign): (Vec<_>, Vec<_>) =
        wanted.extra.into_iter().partition(|extra| OWN.contains(&extra.name.as_str()));
    embed::drop_extra(foreign, adapted)?;
    let mut out = Vec::with_capacity(256);
    write_object(&mut out, |object| {
        object.put("model", model);
        object.put("input", &wanted.texts);
        object.put_some("dimensions", wanted.dimensions);
        own.iter().for_each(|extra| object.put(&extra.name, &extra.json));
    });
    Ok((out, plan))
}

#[derive(Deserialize)]
struct EmbedIn {
    embeddings: Vec<Json>,
    prompt_eval_count: Option<u64>,
}

/// Writes OpenAI's answer for the vendor's, and says what was used, if the vendor does.
///
/// # Errors
/// [`crate::error::Kind::VendorMalformed`]: no embeddings, or not one for each text.
pub fn embed_in(body: &[u8], plan: &EmbedPlan) -> Result<(Vec<u8>, Option<Usage>)> {
    let read: EmbedIn = parse(body).map_err(|error| malformed(&error.to_string()))?;
    let tokens = read.prompt_eval_count.filter(|tokens| *tokens > 0);
    let out = embed::answer(plan, &read.embeddings, tokens)?;
    Ok((out, tokens.map(|input| Usage { input, ..Usage::default() })))
}
