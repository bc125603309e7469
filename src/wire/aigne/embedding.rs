//! Embeddings. Two bodies are met: the envelope, and the older one, which is
//! OpenAI's; one answer has the fields of both.

use super::telling::Telling;
use super::{Envelope, snake};
use crate::chat::{Dialect, Fields, Json, Object, write_object};
use crate::error::{Failure, Kind, Result};
use crate::types::{Op, Usage};
use crate::wire::received::{Received, Tells};
use serde::Deserialize;

/// Members that are for the hub, or for nobody.
const NOT_SENT: &[&str] = &["outputFileType", "agent"];

/// Unfolds either body into OpenAI's.
pub(super) fn received(body: &[u8]) -> Result<Received> {
    let Envelope { mut input, options, model, .. } = Envelope::open(body)?;
    let text = input.take_raw("input").ok_or_else(|| {
        Failure::new(Kind::InvalidRequest, "`input` is required: a text or a list of texts.").param("input")
    })?;
    let mut out = Vec::with_capacity(body.len() + 32);
    write_object(&mut out, |object| {
        object.put("model", &model);
        object.put("input", text);
        write_rest(object, Some(input));
        write_rest(object, options);
    });
    let (op, speaks) = (Op::Embedding, Dialect::OpenAiChat);
    Ok(Received { op, body: out.into(), speaks, content_type: None, tells: Tells::default() })
}

/// Appends what is left, by OpenAI's names.
pub(super) fn write_rest(object: &mut Object<'_>, fields: Option<Fields<'_>>) {
    for extra in fields.map(Fields::rest).unwrap_or_default() {
        if !NOT_SENT.contains(&extra.name.as_str()) {
            object.put(&snake(&extra.name), &extra.json);
        }
    }
}

#[derive(Deserialize)]
struct Datum {
    embedding: Json,
}

/// The vendor's answer with AIGNE's fields beside. `None`: it cannot be read.
pub fn answer_out(body: &[u8], usage: Option<&Usage>, telling: &Telling) -> Option<Vec<u8>> {
    let mut fields = Fields::read(body).ok()?;
    let data = fields.take_raw("data")?;
    let embeddings: Vec<Datum> = serde_json::from_str(data.get()).ok()?;
    let mut out = Vec::with_capacity(body.len() * 2);
    write_object(&mut out, |object| {
        object.put("object", "list");
        object.put("data", data);
        object.array("embeddings", |array| embeddings.iter().for_each(|datum| array.put(&datum.embedding)));
        object.object("usage", |object| {
            let used = usage.copied().unwrap_or_default();
            object.put("prompt_tokens", &used.input_tokens());
            object.put("total_tokens", &used.total_tokens());
            telling.write_usage(object, &used);
        });
        telling.write_model(object);
    });
    Some(out)
}
