//! Embeddings as OpenAI's callers ask for them and get them, for the vendors
//! that speak of them in another way. What such a vendor's body looks like is
//! in its dialect's folder.

use crate::chat::{Adapted, Extra, Field, Fields, Json, Object, write_object};
use crate::error::{Failure, Kind, Result};
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

/// What a caller wants embedded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// The texts; at least one.
    pub texts: Vec<String>,
    /// How many numbers each of them becomes. `None`: as many as the model has.
    pub dimensions: Option<u64>,
    /// Fields that OpenAI does not have, for the vendor that knows them.
    pub extra: Vec<Extra>,
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

/// Reads OpenAI's body. `model` is the vendor's name of the model, which the
/// answer tells where the caller named none.
///
/// # Errors
/// [`Kind::InvalidRequest`] that names the field: a body that cannot be read,
/// token numbers in place of texts, or `user` where the policy does not let it go.
pub fn wanted(body: &[u8], model: &str, adapted: &mut Adapted) -> Result<(Wanted, EmbedPlan)> {
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
    let plan = EmbedPlan {
        model: named.unwrap_or_else(|| model.to_owned()),
        encoding,
        texts: texts.len(),
        estimated_tokens: 0,
    };
    Ok((Wanted { texts, dimensions, extra: fields.rest() }, plan))
}

fn refuse(field: &'static str, public: &'static str) -> Failure {
    Failure::new(Kind::InvalidRequest, public).param(field)
}

/// Drops fields that the vendor does not know.
///
/// # Errors
/// [`Kind::InvalidRequest`] where the policy does not let one go.
pub fn drop_extra(extra: Vec<Extra>, adapted: &mut Adapted) -> Result<()> {
    extra.into_iter().try_for_each(|extra| adapted.drop_named(Field::Extra, extra.name, "dropped"))
}

/// Writes OpenAI's answer. `tokens`: what the vendor counted, if it did.
///
/// # Errors
/// [`Kind::VendorMalformed`]: not one list of numbers for each text.
pub fn answer(plan: &EmbedPlan, vectors: &[Json], tokens: Option<u64>) -> Result<Vec<u8>> {
    if vectors.len() != plan.texts {
        return Err(malformed(&format!("{} embeddings of {} texts", vectors.len(), plan.texts)));
    }
    let tokens = tokens.unwrap_or(plan.estimated_tokens);
    let mut out = Vec::with_capacity(vectors.iter().map(|v| v.as_str().len() + 64).sum::<usize>() + 128);
    write_object(&mut out, |object| {
        object.put("object", "list");
        object.array("data", |data| {
            vectors.iter().enumerate().try_for_each(|(index, vector)| {
                data.object(|object| {
                    object.put("object", "embedding");
                    object.put("index", &index);
                    write_values(object, vector, plan.encoding)
                })
            })
        })?;
        object.put("model", &plan.model);
        object.object("usage", |usage| {
            usage.put("prompt_tokens", &tokens);
            usage.put("total_tokens", &tokens);
        });
        Ok::<(), Failure>(())
    })?;
    Ok(out)
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

fn malformed(detail: &str) -> Failure {
    Failure::new(Kind::VendorMalformed, "The vendor's answer cannot be read.").detail(detail)
}
