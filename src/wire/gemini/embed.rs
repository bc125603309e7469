//! Embeddings: OpenAI's body to the vendor's, and the vendor's answer back.

use super::path::bare;
use super::response_in::malformed;
use super::usage::Counts;
use crate::chat::{Adapted, Json, parse, write_object};
use crate::error::Result;
use crate::types::Usage;
use crate::wire::embed::{self, EmbedPlan, Wanted};
use serde::Deserialize;

/// Fields of the vendor's own that a caller may send along: their names in the body, by the caller's.
const OWN: [(&str, &str); 3] = [("task_type", "taskType"), ("taskType", "taskType"), ("title", "title")];

/// How many texts the vendor takes in one call.
const MAX_TEXTS: usize = 100;

/// Writes the vendor's bodies for OpenAI's, as many as the texts need. `model` is the vendor's name of it.
///
/// # Errors
/// [`crate::error::Kind::InvalidRequest`] that names the field: a body that cannot be read, token
/// numbers in place of texts, or a field that the policy does not let go.
pub fn embed_out(body: &[u8], model: &str, adapted: &mut Adapted) -> Result<(Vec<Vec<u8>>, EmbedPlan)> {
    let (mut wanted, plan) = embed::wanted(body, model, adapted)?;
    let mut own = Vec::new();
    wanted.extra.retain(|extra| match OWN.iter().find(|(name, _)| *name == extra.name) {
        Some((_, name)) => {
            own.push((*name, extra.json.clone()));
            false
        }
        None => true,
    });
    embed::drop_extra(std::mem::take(&mut wanted.extra), adapted)?;
    let bodies = wanted.texts.chunks(MAX_TEXTS).map(|texts| write(texts, &wanted, model, &own));
    Ok((bodies.collect(), plan))
}

fn write(texts: &[String], wanted: &Wanted, model: &str, own: &[(&str, Json)]) -> Vec<u8> {
    let model = format!("models/{}", bare(model));
    let mut out = Vec::with_capacity(256);
    write_object(&mut out, |object| {
        object.array("requests", |requests| {
            for text in texts {
                requests.object(|request| {
                    request.put("model", &model);
                    request.object("content", |content| {
                        content.array("parts", |parts| parts.object(|part| part.put("text", text)));
                    });
                    request.put_some("outputDimensionality", wanted.dimensions);
                    own.iter().for_each(|(name, json)| request.put(name, json));
                });
            }
        });
    });
    out
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EmbedIn {
    embeddings: Vec<Embedding>,
    usage_metadata: Option<Counts>,
}

#[derive(Deserialize)]
struct Embedding {
    values: Json,
}

/// Writes OpenAI's answer for the vendor's, and says what was used, if the vendor does.
///
/// # Errors
/// [`crate::error::Kind::VendorMalformed`]: no embeddings, or not one for each text.
pub fn embed_in<B: AsRef<[u8]>>(bodies: &[B], plan: &EmbedPlan) -> Result<(Vec<u8>, Option<Usage>)> {
    let (mut vectors, mut used) = (Vec::with_capacity(plan.texts), None);
    for body in bodies {
        let read: EmbedIn = parse(body.as_ref()).map_err(|error| malformed(&error.to_string()))?;
        vectors.extend(read.embeddings.into_iter().map(|embedding| embedding.values));
        used = sum(used, read.usage_metadata);
    }
    let out = embed::answer(plan, &vectors, used.map(|usage| usage.input))?;
    Ok((out, used))
}

/// What some of the calls used, if the vendor says.
pub fn embed_usage<B: AsRef<[u8]>>(bodies: &[B]) -> Option<Usage> {
    let read = bodies.iter().filter_map(|body| parse::<EmbedIn>(body.as_ref()).ok());
    read.fold(None, |used, read| sum(used, read.usage_metadata))
}

fn sum(used: Option<Usage>, counts: Option<Counts>) -> Option<Usage> {
    let tokens = counts.map(|counts| counts.usage().input_tokens()).filter(|tokens| *tokens > 0);
    let Some(tokens) = tokens else { return used };
    let before = used.map_or(0, |usage| usage.input);
    Some(Usage { input: before.saturating_add(tokens), ..Usage::default() })
}
