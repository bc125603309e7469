//! The one table of dialects: which module reads and writes which. Everybody
//! above asks here and never names a dialect's module.

use super::openai::Counting;
use super::openai_responses::{self, Asked, ForVendor};
use super::{anthropic, gemini, openai, openai_chat};
use crate::chat::{Adapted, Dialect, Request, Response, StreamIn, StreamOut, ThinkingStyle};
use crate::error::{Failure, Kind, Result};
use crate::types::{Op, Usage};
use bytes::Bytes;
use std::borrow::Cow;

/// Reads a caller's chat request.
///
/// # Errors
/// What is wrong with it, or that it cannot be translated.
pub fn request_in(from: Dialect, body: &[u8]) -> Result<Request> {
    match from {
        Dialect::OpenAiChat => openai_chat::request_in(body),
        Dialect::OpenAiResponses => openai_responses::request_in(body),
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

/// The body of a request that needs no translation, without what its vendor would refuse;
/// `None`: it may go as it is.
pub fn for_vendor(to: Dialect, body: &[u8], model: &str) -> Option<ForVendor> {
    match to {
        Dialect::OpenAiResponses => {
            let reasons = openai_chat::model_traits(model).thinking != ThinkingStyle::None;
            openai_responses::for_vendor(body, reasons)
        }
        _ => None,
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
        Dialect::OpenAiResponses => openai_responses::usage_in(body, counting),
        _ => openai::usage(Op::Chat, counting, body),
    }
}

/// Writes an answer for a caller, who `asked` for it.
pub fn response_out(to: Dialect, response: &Response, asked: Asked<'_>) -> Vec<u8> {
    match to {
        Dialect::OpenAiResponses => openai_responses::response_out(response, asked),
        Dialect::Anthropic => anthropic::response_out(response),
        _ => openai_chat::response_out(response),
    }
}

/// Reads a vendor's stream.
pub fn stream_in(from: Dialect, counting: Counting) -> Box<dyn StreamIn> {
    match from {
        Dialect::Anthropic => Box::new(anthropic::StreamReader::new()),
        Dialect::Gemini => Box::new(gemini::StreamReader::new()),
        Dialect::OpenAiResponses => Box::new(openai_responses::StreamReader::new(counting)),
        _ => Box::new(openai_chat::StreamReader::new(counting)),
    }
}

/// Writes the stream of a caller, who `asked` for it.
pub fn stream_out(to: Dialect, options: openai_chat::StreamOptions, asked: Asked<'_>) -> Box<dyn StreamOut> {
    match to {
        Dialect::OpenAiResponses => Box::new(openai_responses::StreamWriter::new(asked, options.created)),
        Dialect::Anthropic => Box::new(anthropic::StreamWriter::new(options.model)),
        _ => Box::new(openai_chat::StreamWriter::new(options)),
    }
}

/// A failure as a whole answer.
pub fn error_body(to: Dialect, failure: &Failure) -> Vec<u8> {
    match to {
        Dialect::Anthropic => anthropic::error_body(failure),
        _ => openai::error_body(failure),
    }
}

/// A failure as an event of a running stream.
pub fn error_event(to: Dialect, failure: &Failure) -> Bytes {
    match to {
        Dialect::Anthropic => anthropic::error_event(failure),
        Dialect::OpenAiResponses => openai_responses::error_event(failure),
        _ => openai::error_event(failure),
    }
}

/// The same with this number, where events are numbered.
pub fn error_event_at(to: Dialect, failure: &Failure, number: u64) -> Bytes {
    match to {
        Dialect::OpenAiResponses => openai_responses::error_event_at(failure, number),
        _ => error_event(to, failure),
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
    }
}

fn unknown(dialect: Dialect) -> Failure {
    let text = "This combination of endpoint and model is not supported";
    Failure::new(Kind::InvalidRequest, text).detail(format!("no translation for {}", name(dialect)))
}
