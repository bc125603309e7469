//! The table of dialects for operations other than chat. Callers ask for them
//! in OpenAI's words; a vendor with words of its own gets those, in as many
//! calls as it takes, and its answers become one in OpenAI's words again.

use super::super::embed::EmbedPlan;
use super::super::images::{self, DrawPlan, Drawn, Draws};
use super::super::openai::Counting;
use super::super::{bedrock, gemini, ollama, openai_chat};
use super::{response_in, unknown};
use crate::chat::{Adapted, Dialect};
use crate::error::Result;
use crate::types::{Op, Usage};
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
    /// Pictures.
    Draw(Draws, DrawPlan),
    /// The choices of a chat, each of which was asked for by itself. They are read as any chat is.
    Choices(Dialect),
}

/// What the translation of an answer needs to know besides.
pub struct Told<'a> {
    /// How the vendor's numbers nest.
    pub counting: Counting,
    /// Seconds since the Unix epoch, where the vendor does not say when it answered.
    pub now: i64,
    /// Tokens of the request's input, where the vendor tells them beside its answer.
    pub counted: Option<u64>,
    /// Counts the tokens of the request's input; called where the vendor counts none.
    pub count: &'a dyn Fn() -> u64,
}

impl Plan {
    /// Is an answer to some of the calls better than none?
    pub fn takes_part(&self) -> bool {
        matches!(self, Plan::Draw(..) | Plan::Choices(_))
    }

    /// What some of the calls used, if the vendor says.
    pub fn used(&self, answers: &[Bytes], counting: Counting) -> Option<Usage> {
        match self {
            Plan::Embed(Dialect::Gemini, _) => gemini::embed_usage(answers),
            Plan::Embed(Dialect::Bedrock, _) => bedrock::embed_usage(answers),
            Plan::Embed(..) => None,
            Plan::Draw(Draws::Gemini | Draws::InChat, _) => self.drawn(answers, counting).ok()?.usage,
            Plan::Draw(..) => images::merged_usage(answers, counting),
            Plan::Choices(from) => {
                let used = answers.iter().map(|body| response_in(*from, body, counting).ok()?.usage);
                used.reduce(|sum, more| Some(sum?.plus(&more?)))?
            }
        }
    }

    /// One answer in OpenAI's words for those of all calls, and what they used, if the vendor says.
    ///
    /// # Errors
    /// `VendorMalformed` when an answer cannot be read or does not fit the request, and
    /// `VendorRefused` when it holds nothing of what was asked for.
    pub fn answer(&self, answers: &[Bytes], told: &Told<'_>) -> Result<(Vec<u8>, Option<Usage>)> {
        match self {
            Plan::Embed(from, plan) => {
                let read = embed_in(*from, answers, plan)?;
                if read.1.is_some() {
                    return Ok(read);
                }
                let estimated_tokens = told.counted.unwrap_or_else(told.count);
                let (body, _) = embed_in(*from, answers, &EmbedPlan { estimated_tokens, ..plan.clone() })?;
                Ok((body, told.counted.map(|input| Usage { input, ..Usage::default() })))
            }
            Plan::Draw(Draws::Gemini | Draws::InChat, plan) => {
                images::write(&self.drawn(answers, told.counting)?, *plan, told.now)
            }
            Plan::Draw(..) => images::merge(answers, told.counting, told.now),
            Plan::Choices(from) => Err(unknown(*from)),
        }
    }

    /// The whole answer as the events that its caller asked for; `None`: it asked for none.
    ///
    /// # Errors
    /// `VendorMalformed` when it holds something that no event could.
    pub fn events(&self, op: Op, body: &[u8]) -> Result<Option<Vec<u8>>> {
        match self {
            Plan::Draw(_, plan) if plan.stream => images::events(op, body).map(Some),
            _ => Ok(None),
        }
    }

    fn drawn(&self, answers: &[Bytes], counting: Counting) -> Result<Drawn> {
        let mut drawn = Drawn::default();
        for answer in answers {
            drawn.add(match self {
                Plan::Draw(Draws::Gemini, _) => gemini::draw_in(answer)?,
                _ => openai_chat::draw_in(answer, counting)?,
            });
        }
        Ok(drawn)
    }
}

/// Writes a request for pictures; `form` is the content type of a body that is a form.
///
/// # Errors
/// What is wrong with it, or that something in it must not be dropped.
pub fn draw_out(
    to: Draws,
    op: Op,
    (body, form): (&[u8], Option<&str>),
    model: &str,
    adapted: &mut Adapted,
) -> Result<Asked> {
    let wish = images::read(op, body, form)?;
    let (calls, plan) = match to {
        Draws::OpenAi => return Err(unknown(to.dialect())),
        Draws::Gemini => gemini::draw_out(wish, model, adapted)?,
        Draws::InChat => openai_chat::draw_out(wish, model, adapted)?,
        Draws::Xai => images::xai_out(wish, model, adapted)?,
        Draws::Ark => images::ark_out(wish, model, adapted)?,
    };
    Ok(Asked { calls, plan: Plan::Draw(to, plan) })
}

/// Where a vendor is asked for pictures: the row's path, but for those that name the model in it.
pub fn draw_path<'a>(to: Draws, row: &'a str, model: &str) -> Cow<'a, str> {
    match to {
        Draws::Gemini => gemini::draw_path(model).into(),
        _ => row.into(),
    }
}

/// Writes a request for embeddings; `model` is the vendor's name of it.
///
/// # Errors
/// What is wrong with it, or that something in it must not be dropped.
pub fn embed_out(to: Dialect, body: &[u8], model: &str, adapted: &mut Adapted) -> Result<Asked> {
    let (calls, plan) = match to {
        Dialect::Gemini => gemini::embed_out(body, model, adapted)?,
        Dialect::Bedrock => bedrock::embed_out(body, model, adapted)?,
        Dialect::Ollama => {
            let (body, plan) = ollama::embed_out(body, model, adapted)?;
            (vec![body], plan)
        }
        _ => return Err(unknown(to)),
    };
    Ok(Asked { calls, plan: Plan::Embed(to, plan) })
}

fn embed_in(from: Dialect, answers: &[Bytes], plan: &EmbedPlan) -> Result<(Vec<u8>, Option<Usage>)> {
    match (from, answers) {
        (Dialect::Gemini, _) => gemini::embed_in(answers, plan),
        (Dialect::Bedrock, _) => bedrock::embed_in(answers, plan),
        (Dialect::Ollama, [answer]) => ollama::embed_in(answer, plan),
        _ => Err(unknown(from)),
    }
}

/// Where a vendor is asked for embeddings: the row's path, but for those that name the model in it.
pub fn embed_path<'a>(to: Dialect, row: &'a str, model: &str) -> Cow<'a, str> {
    match to {
        Dialect::Gemini => gemini::path(model, gemini::Method::Embed).into(),
        Dialect::Bedrock => bedrock::path(model, bedrock::Method::Invoke).into(),
        _ => row.into(),
    }
}
