//! Embeddings: OpenAI's body to the vendor's, and the vendor's answer back.

use super::path::bare;
use super::response_in::malformed;
use super::usage::Counts;
use crate::chat::{Adapted, Field, Fields, Json, Object, parse, write_object};
use crate::error::{Failure, Kind, Result};
use crate::types::Usage;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// How a caller wants its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// A list of numbers.
    #[default]
    Float,
    /// Base64 of little-endian 32-bit floats, which OpenAI's own clients ask for by themselves.
    Base64,
}

/// What a caller asked, as far as its answer depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbedPlan {
    /// The model to name in the answer; as the caller named it, until someone changes it.
    pub model: String,
    /// How the numbers are written.
    pub encoding: Encoding,
    /// How many texts there are; the answer has as many embeddings.
    pub texts: usize,
    /// Tokens to tell the caller where the vendor counts none. 0, until someone changes it.
    pub estimated_tokens: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Many(Vec<String>),
    #[expect(dead_code, reason = "only to tell numbers of tokens from what is no input at all")]
    Tokens(Vec<Tokens>),
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only their shape matters")]
enum Tokens {
    One(u64),
    Many(Vec<u64>),
}

/// Writes the vendor's body for OpenAI's. `model` is the vendor's name of it.
///
/// # Errors
/// [`Kind::InvalidRequest`] that names the field: a body that cannot be read, token
/// numbers in place of texts, or a field that the policy does not let go.
pub fn embed_out(body: &[u8], model: &str, adapted: &mut Adapted) -> Result<(Vec<u8>, EmbedPlan)> {
    let mut fields = Fields::read(body)?;
    let texts = match fields.take("input")? {
        Some(Input::One(text)) => vec![text],
        Some(Input::Many(texts)) if !texts.is_empty() => texts,
        Some(Input::Many(_)) | None => return Err(refuse("input", "`input` is missing or empty.")),
        Some(Input::Tokens(_)) => {
            return Err(refuse("input", "The model takes texts, not token numbers, as `input`."));
        }
    };
    let encoding = match fields.take::<String>("encoding_format")?.as_deref() {
        None | Some("float") => Encoding::Float,
        Some("base64") => Encoding::Base64,
        Some(_) => return Err(refuse("encoding_format", "`encoding_format` is `float` or `base64`.")),
    };
    let dimensions: Option<u64> = fields.take("dimensions")?;
    let named: Option<String> = fields.take("model")?;
    adapted.drop_if(fields.take_raw("user").is_some_and(|user| user.get() != "null"), Field::User)?;
    for extra in fields.rest() {
        adapted.drop_named(Field::Extra, extra.name, "dropped")?;
    }
    let plan = EmbedPlan {
        model: named.unwrap_or_else(|| model.to_owned()),
        encoding,
        texts: texts.len(),
        estimated_tokens: 0,
    };
    Ok((write(&texts, model, dimensions), plan))
}

fn refuse(field: &'static str, public: &'static str) -> Failure {
    Failure::new(Kind::InvalidRequest, public).param(field)
}

fn write(texts: &[String], model: &str, dimensions: Option<u64>) -> Vec<u8> {
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
                    request.put_some("outputDimensionality", dimensions);
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
/// [`Kind::VendorMalformed`]: no embeddings, or not one for each text.
pub fn embed_in(body: &[u8], plan: &EmbedPlan) -> Result<(Vec<u8>, Option<Usage>)> {
    let read: EmbedIn = parse(body).map_err(|error| malformed(&error.to_string()))?;
    if read.embeddings.len() != plan.texts {
        return Err(malformed(&format!("{} embeddings of {} texts", read.embeddings.len(), plan.texts)));
    }
    let usage = read.usage_metadata.map(|counts| counts.usage());
    let tokens = usage.map_or(plan.estimated_tokens, |usage| usage.input_tokens());
    let mut out = Vec::with_capacity(body.len() + 128);
    write_object(&mut out, |object| {
        object.put("object", "list");
        object.array("data", |data| {
            for (index, embedding) in read.embeddings.iter().enumerate() {
                data.object(|object| {
                    object.put("object", "embedding");
                    object.put("index", &index);
                    write_values(object, &embedding.values, plan.encoding)
                })?;
            }
            Ok::<(), Failure>(())
        })?;
        object.put("model", &plan.model);
        object.object("usage", |usage| {
            usage.put("prompt_tokens", &tokens);
            usage.put("total_tokens", &tokens);
        });
        Ok::<(), Failure>(())
    })?;
    Ok((out, usage))
}

/// The numbers; as a list they keep the vendor's digits.
fn write_values(object: &mut Object<'_>, values: &Json, encoding: Encoding) -> Result<()> {
    let numbers: Vec<f32> = values.read().ok_or_else(|| malformed("values that are no numbers"))?;
    match encoding {
        Encoding::Float => object.put("embedding", values),
        Encoding::Base64 => {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            object.put("embedding", &STANDARD.encode(bytes));
        }
    }
    Ok(())
}
