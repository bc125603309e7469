//! The table of dialects for operations other than chat. Callers ask for them
//! in OpenAI's words; a vendor with words of its own gets those, in as many
//! calls as it takes, and its answers become one in OpenAI's words again.

use super::super::embed::EmbedPlan;
use super::super::gemini;
use super::super::openai::Counting;
use super::unknown;
use crate::chat::{Adapted, Dialect};
use crate::error::Result;
use crate::types::Usage;
use bytes::Bytes;
use std::borrow::Cow;

/// A request as a vendor with words of its own gets it.
#[derive(Debug)]
pub struct Asked {
    /// The bodies of the calls it takes, at least one. They go to the same path, some at the same
    /// time, and their answers belong together in this order.
    pub calls: Vec<Vec<u8>>,
    /// How the answers are read.
    pub plan: Plan,
}

/// What the translation of an answer needs to know of the request.
#[derive(Debug)]
pub enum Plan {
    /// Embeddings.
    Embed(Dialect, EmbedPlan),
}

impl Plan {
    /// Is an answer to some of the calls better than none?
    pub fn takes_part(&self) -> bool {
        match self {
            Plan::Embed(..) => false,
        }
    }

    /// What some of the calls used, if the vendor says.
    pub fn used(&self, answers: &[Bytes]) -> Option<Usage> {
        match self {
            Plan::Embed(Dialect::Gemini, _) => gemini::embed_usage(answers),
            Plan::Embed(..) => None,
        }
    }

    /// One answer in OpenAI's words for those of all calls, and what they used, if the vendor says.
    /// `count` counts the tokens of the request's input; it is called where the vendor counts none.
    ///
    /// # Errors
    /// `VendorMalformed` when an answer cannot be read or does not fit the request.
    pub fn answer(
        &self,
        answers: &[Bytes],
        _counting: Counting,
        count: &dyn Fn() -> u64,
    ) -> Result<(Vec<u8>, Option<Usage>)> {
        match self {
            Plan::Embed(from, plan) => {
                let read = embed_in(*from, answers, plan)?;
                if read.1.is_some() {
                    return Ok(read);
                }
                let counted = EmbedPlan { estimated_tokens: count(), ..plan.clone() };
                embed_in(*from, answers, &counted)
            }
        }
    }
}

/// Writes a request for embeddings; `model` is the vendor's name of it.
///
/// # Errors
/// What is wrong with it, or that something in it must not be dropped.
pub fn embed_out(to: Dialect, body: &[u8], model: &str, adapted: &mut Adapted) -> Result<Asked> {
    let (calls, plan) = match to {
        Dialect::Gemini => gemini::embed_out(body, model, adapted)?,
        _ => return Err(unknown(to)),
    };
    Ok(Asked { calls, plan: Plan::Embed(to, plan) })
}

fn embed_in(from: Dialect, answers: &[Bytes], plan: &EmbedPlan) -> Result<(Vec<u8>, Option<Usage>)> {
    match from {
        Dialect::Gemini => gemini::embed_in(answers, plan),
        _ => Err(unknown(from)),
    }
}

/// Where a vendor is asked for embeddings: the row's path, but for those that name the model in it.
pub fn embed_path<'a>(to: Dialect, row: &'a str, model: &str) -> Cow<'a, str> {
    match to {
        Dialect::Gemini => gemini::path(model, gemini::Method::Embed).into(),
        _ => row.into(),
    }
}
