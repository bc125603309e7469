//! The one table of dialects: which module reads and writes which. Everybody
//! above asks here and never names a dialect's module.

pub use super::aigne::{CostOf, Telling};
use super::openai::Counting;
pub use super::received::{InPath, Received, Tells};
use super::{aigne, anthropic, gemini, openai, openai_chat};
use crate::chat::{Adapted, Dialect, Request, Response, StreamIn, StreamOut};
use crate::error::{Failure, Kind, Result};
use crate::types::{Op, Usage};
use bytes::Bytes;
use std::borrow::Cow;

/// Puts a body into the form that everything behind the arrival reads, and says which dialect
/// it has then. Dialects that need nothing get the same bytes back.
///
/// # Errors
/// What is wrong with the body.
pub fn received(from: Dialect, op: Op, in_path: &InPath, body: Bytes) -> Result<Received> {
    match from {
        Dialect::Aigne => aigne::received(op, body),
        Dialect::AigneCompletions => aigne::completions_received(op, in_path, body),
        _ => Ok(Received::untouched(op, from, body)),
    }
}

/// Do answers in this dialect say who gave them and what they cost?
pub fn wants_telling(to: Dialect) -> bool {
    matches!(to, Dialect::Aigne | Dialect::AigneCompletions)
}

/// Is a caller of this dialect shown that a whole answer is on its way? AIGNE's client sends a
/// request again, up to three times, when no header comes within a minute.
pub fn beats_whole(to: Dialect) -> bool {
    wants_telling(to)
}

/// Does a header `accept: text/event-stream` ask this dialect for a stream?
pub fn streams_by_accept(from: Dialect) -> bool {
    from == Dialect::AigneCompletions
}

/// The status of a failure. AIGNE's clients know a budget that is used up by 402.
pub fn status(to: Dialect, failure: &Failure) -> u16 {
    match failure.kind {
        Kind::BudgetExceeded if wants_telling(to) => 402,
        _ => failure.status(),
    }
}

/// Reads a caller's chat request.
///
/// # Errors
/// What is wrong with it, or that it cannot be translated.
pub fn request_in(from: Dialect, body: &[u8]) -> Result<Request> {
    match from {
        // What AIGNE's envelope held has OpenAI's members since it arrived.
        Dialect::OpenAiChat | Dialect::Aigne => openai_chat::request_in(body),
        Dialect::Anthropic => anthropic::request_in(body),
        _ => Err(unknown(from)),
    }
}

/// Writes a chat request for a vendor; `request.model` is the vendor's name for the model.
///
/// # Errors
/// When something in it must not be dropped and cannot be said in this dialect.
pub fn request_out(to: Dialect, request: &Request, adapted: &mut Adapted) -> Result<Vec<u8>> {
    match to {
        Dialect::OpenAiChat => {
            openai_chat::request_out(request, &openai_chat::model_traits(&request.model), adapted)
        }
        Dialect::Anthropic => {
            anthropic::request_out(request, &anthropic::model_traits(&request.model), adapted)
        }
        Dialect::Gemini => gemini::request_out(request, &gemini::model_traits(&request.model), adapted),
        _ => Err(unknown(to)),
    }
}

/// Where a vendor of this dialect is asked: the row's path, but for those that name the model in it.
pub fn path<'a>(to: Dialect, row: &'a str, model: &str, stream: bool) -> Cow<'a, str> {
    match (to, stream) {
        (Dialect::Gemini, true) => gemini::path(model, gemini::Method::Stream).into(),
        (Dialect::Gemini, false) => gemini::path(model, gemini::Method::Generate).into(),
        _ => row.into(),
    }
}

/// Reads a vendor's answer.
///
/// # Errors
/// `VendorMalformed` when it cannot be read.
pub fn response_in(from: Dialect, body: &[u8], counting: Counting) -> Result<Response> {
    match from {
        Dialect::OpenAiChat => openai_chat::response_in(body, counting),
        Dialect::Anthropic => anthropic::response_in(body),
        Dialect::Gemini => gemini::response_in(body),
        _ => Err(unknown(from)),
    }
}

/// Reads what a vendor's answer used, when the answer itself is passed on unread.
pub fn usage_in(from: Dialect, body: &[u8], counting: Counting) -> Option<Usage> {
    match from {
        Dialect::Anthropic => anthropic::usage_in(body),
        _ => openai::usage(Op::Chat, counting, body),
    }
}

/// Writes an answer for a caller. `telling` is there for the dialects that want it.
///
/// # Errors
/// When the caller is better told that the answer is not what it asked for.
pub fn response_out(to: Dialect, response: &Response, telling: Option<&Telling>) -> Result<Vec<u8>> {
    match (to, telling) {
        (Dialect::Aigne, Some(telling)) => aigne::response_out(response, telling),
        (Dialect::AigneCompletions, Some(telling)) => Ok(aigne::completions_response_out(response, telling)),
        (Dialect::Anthropic, _) => Ok(anthropic::response_out(response)),
        _ => Ok(openai_chat::response_out(response)),
    }
}

/// Writes an answer that is no conversation, from OpenAI's. `None`: it goes on as it is.
pub fn answer_out(
    to: Dialect,
    op: Op,
    body: &[u8],
    usage: Option<&Usage>,
    telling: &Telling,
) -> Option<Vec<u8>> {
    match op {
        Op::Embedding => aigne::embedding_out(body, usage, telling),
        Op::ImageGeneration | Op::ImageEdit => {
            aigne::image_out(body, usage, telling, to == Dialect::AigneCompletions)
        }
        _ => None,
    }
}

/// Reads a vendor's stream.
pub fn stream_in(from: Dialect, counting: Counting) -> Box<dyn StreamIn> {
    match from {
        Dialect::Anthropic => Box::new(anthropic::StreamReader::new()),
        Dialect::Gemini => Box::new(gemini::StreamReader::new()),
        _ => Box::new(openai_chat::StreamReader::new(counting)),
    }
}

/// Writes a caller's stream. `telling` is there for the dialects that want it.
pub fn stream_out(
    to: Dialect,
    options: openai_chat::StreamOptions,
    telling: Option<Telling>,
) -> Box<dyn StreamOut> {
    match (to, telling) {
        (Dialect::Aigne, Some(telling)) => Box::new(aigne::StreamWriter::new(telling)),
        (Dialect::AigneCompletions, Some(telling)) => {
            Box::new(aigne::CompletionsWriter::new(options, telling))
        }
        (Dialect::Anthropic, _) => Box::new(anthropic::StreamWriter::new(options.model)),
        _ => Box::new(openai_chat::StreamWriter::new(options)),
    }
}

/// A failure as a whole answer.
pub fn error_body(to: Dialect, failure: &Failure) -> Vec<u8> {
    match to {
        Dialect::Aigne | Dialect::AigneCompletions => aigne::error_body(failure),
        Dialect::Anthropic => anthropic::error_body(failure),
        _ => openai::error_body(failure),
    }
}

/// A failure as an event of a running stream.
pub fn error_event(to: Dialect, failure: &Failure) -> Bytes {
    match to {
        Dialect::Aigne => aigne::error_event(failure),
        Dialect::Anthropic => anthropic::error_event(failure),
        _ => openai::error_event(failure),
    }
}

/// The dialect's name in metrics and logs.
pub fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAiChat => "openai",
        Dialect::OpenAiResponses => "responses",
        Dialect::Anthropic => "anthropic",
        Dialect::Gemini => "gemini",
        Dialect::Bedrock => "bedrock",
        Dialect::Ollama => "ollama",
        Dialect::Aigne => "aigne",
        Dialect::AigneCompletions => "aigne_completions",
    }
}

fn unknown(dialect: Dialect) -> Failure {
    let text = "This combination of endpoint and model is not supported";
    Failure::new(Kind::InvalidRequest, text).detail(format!("no translation for {}", name(dialect)))
}
