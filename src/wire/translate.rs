//! The one table of dialects: which module reads and writes which. Everybody
//! above asks here and never names a dialect's module. Operations other than
//! chat are in [`Asked`] and [`Plan`].

mod beside;
mod choices;

pub use super::images::Watch;
pub use beside::{Asked, Plan, Told, draw_out, draw_path, embed_out, embed_path};
pub use choices::{answer_text, call, calls, merged, said};

pub use super::aigne::{CostOf, Telling, VideoFile, video_out as video_told};
pub use super::gemini::{List, count_received};
use super::openai::Counting;
pub use super::openai_responses::{Asked as AskedBy, Final, Unfinished};
pub use super::received::{AnswerForm, InPath, Received, Tells};
pub use super::tail::Tail;
use super::transport::{self, Transport};
use super::{aigne, anthropic, bedrock, gemini, ollama, openai, openai_chat, openai_responses};
use crate::chat::{Adapted, Dialect, Origin, Request, Response, StreamIn, StreamOut, ThinkingStyle};
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
    let model = in_path.model.as_deref().unwrap_or_default();
    match (from, op) {
        (Dialect::Aigne, _) => aigne::received(op, body),
        (Dialect::AigneCompletions, _) => aigne::completions_received(op, in_path, body),
        (Dialect::Gemini, Op::Embedding) => {
            let body = gemini::embed_received(&body, model, in_path.form == AnswerForm::Single)?;
            Ok(Received::untouched(op, Dialect::OpenAiChat, body))
        }
        (Dialect::Gemini, _) => {
            let body = gemini::chat_received(&body, model, in_path.stream)?;
            Ok(Received::untouched(op, from, body))
        }
        _ => Ok(Received::untouched(op, from, body)),
    }
}

/// The body for a vendor of the same dialect, where something was put into it when it came;
/// `end_of_ours`: where the last of that ends. `None`: nothing was.
pub fn as_sent(dialect: Dialect, body: &Bytes, end_of_ours: usize) -> Option<Vec<Bytes>> {
    (dialect == Dialect::Gemini).then(|| gemini::as_sent(body, end_of_ours))
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
        Dialect::OpenAiResponses => openai_responses::request_in(body),
        Dialect::Anthropic => anthropic::request_in(body),
        Dialect::Gemini => gemini::request_in(body),
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
        Dialect::Bedrock => bedrock::request_out(request, &bedrock::model_traits(&request.model), adapted),
        Dialect::Ollama => ollama::request_out(request, &ollama::model_traits(&request.model), adapted),
        _ => Err(unknown(to)),
    }
}

/// The body of a request that needs no translation, without what its vendor would refuse;
/// `None`: it may go as it is.
/// `gave`: may the thoughts of this id have come from that vendor?
pub fn for_vendor(
    to: Dialect,
    body: &[u8],
    model: &str,
    gave: &dyn Fn(&str) -> bool,
) -> Option<openai_responses::ForVendor> {
    match to {
        Dialect::OpenAiResponses => {
            let reasons = openai_chat::model_traits(model).thinking != ThinkingStyle::None;
            openai_responses::for_vendor(body, reasons, gave)
        }
        _ => None,
    }
}

/// Ids of the thoughts in an answer that only its vendor can read, in a dialect whose callers send them back.
pub fn opaque_thoughts(from: Dialect, answer: &[u8]) -> Vec<String> {
    match from {
        Dialect::OpenAiResponses => openai_responses::thoughts_of(answer),
        _ => Vec::new(),
    }
}

/// The whole answer that the last event of a stream repeats, in dialects where one does.
pub fn repeated(to: Dialect, events: &[u8]) -> Option<Final<'_>> {
    repeats(to).then(|| openai_responses::final_of(events)).flatten()
}

/// Does the last event of a stream repeat the whole answer?
pub fn repeats(to: Dialect) -> bool {
    to == Dialect::OpenAiResponses
}

/// The id of an answer that is written here, in dialects in which it is kept by it.
pub fn answer_id(request: &str) -> String {
    openai_responses::response_id(request)
}

/// Does the dialect refuse a request that names no limit of its answer?
pub fn wants_output_limit(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::Anthropic)
}

/// Where a vendor of this dialect is asked: the row's path, but for those that name the model in it.
pub fn path<'a>(to: Dialect, row: &'a str, model: &str, stream: bool) -> Cow<'a, str> {
    match (to, stream) {
        (Dialect::Gemini, true) => gemini::path(model, gemini::Method::Stream).into(),
        (Dialect::Gemini, false) => gemini::path(model, gemini::Method::Generate).into(),
        (Dialect::Bedrock, true) => bedrock::path(model, bedrock::Method::ConverseStream).into(),
        (Dialect::Bedrock, false) => bedrock::path(model, bedrock::Method::Converse).into(),
        _ => row.into(),
    }
}

/// How a vendor of this dialect cuts its streams into events of at most so many bytes.
pub fn transport(from: Dialect, max_event_bytes: usize) -> Transport {
    match from {
        Dialect::Bedrock => Transport::frames(max_event_bytes),
        Dialect::Ollama => Transport::lines(max_event_bytes),
        _ => Transport::sse(max_event_bytes),
    }
}

/// The media type of such streams.
pub fn media_type(from: Dialect) -> &'static str {
    match from {
        Dialect::Bedrock => transport::FRAMES,
        Dialect::Ollama => transport::LINES,
        _ => transport::SSE,
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
        Dialect::Ollama => ollama::response_in(body),
        Dialect::Bedrock => bedrock::response_in(body),
        _ => Err(unknown(from)),
    }
}

/// Reads what a vendor's answer used, when the answer itself is passed on unread.
pub fn usage_in(from: Dialect, body: &[u8], counting: Counting) -> Option<Usage> {
    match from {
        Dialect::Anthropic => anthropic::usage_in(body),
        Dialect::OpenAiResponses => openai_responses::usage_in(body, counting),
        Dialect::Gemini => gemini::usage_in(body),
        _ => openai::usage(Op::Chat, counting, body),
    }
}

/// Writes an answer for a caller, who `asked` for it. `telling` is there for the dialects that want it.
///
/// # Errors
/// When the caller is better told that the answer is not what it asked for.
pub fn response_out(
    to: Dialect,
    response: &Response,
    asked: openai_responses::Asked<'_>,
    telling: Option<&Telling>,
) -> Result<Vec<u8>> {
    match (to, telling) {
        (Dialect::Aigne, Some(telling)) => aigne::response_out(response, telling),
        (Dialect::AigneCompletions, Some(telling)) => Ok(aigne::completions_response_out(response, telling)),
        (Dialect::OpenAiResponses, _) => Ok(openai_responses::response_out(response, asked)),
        (Dialect::Anthropic, _) => Ok(anthropic::response_out(response)),
        (Dialect::Gemini, _) => Ok(gemini::response_out(response)),
        _ => Ok(openai_chat::response_out(response)),
    }
}

/// An answer to something other than a chat, from OpenAI's. `usage` and `telling` are for the
/// dialects that want it told. `None`: it goes on as it is.
///
/// # Errors
/// `VendorMalformed` when it cannot be read.
pub fn told(
    to: Dialect,
    op: Op,
    form: AnswerForm,
    body: &[u8],
    usage: Option<&Usage>,
    telling: Option<&Telling>,
) -> Result<Option<Vec<u8>>> {
    match (to, op, telling) {
        (Dialect::Gemini, Op::Embedding, _) => gemini::embed_told(body, form == AnswerForm::Single).map(Some),
        (_, Op::Embedding, Some(telling)) => Ok(aigne::embedding_out(body, usage, telling)),
        (_, Op::ImageGeneration | Op::ImageEdit, Some(telling)) => {
            Ok(aigne::image_out(body, usage, telling, to == Dialect::AigneCompletions))
        }
        _ => Ok(None),
    }
}

/// Reads a vendor's stream.
pub fn stream_in(from: Dialect, counting: Counting) -> Box<dyn StreamIn> {
    match from {
        Dialect::Anthropic => Box::new(anthropic::StreamReader::new()),
        Dialect::Gemini => Box::new(gemini::StreamReader::new()),
        Dialect::OpenAiResponses => Box::new(openai_responses::StreamReader::new(counting)),
        Dialect::Ollama => Box::new(ollama::StreamReader::new()),
        Dialect::Bedrock => Box::new(bedrock::StreamReader::new()),
        _ => Box::new(openai_chat::StreamReader::new(counting)),
    }
}

/// Writes the stream of a caller, who `asked` for it. `telling` is there for the dialects that want it.
pub fn stream_out(
    to: Dialect,
    options: openai_chat::StreamOptions,
    asked: openai_responses::Asked<'_>,
    telling: Option<Telling>,
) -> Box<dyn StreamOut> {
    match (to, telling) {
        (Dialect::Aigne, Some(telling)) => Box::new(aigne::StreamWriter::new(telling)),
        (Dialect::AigneCompletions, Some(telling)) => {
            Box::new(aigne::CompletionsWriter::new(options, telling))
        }
        (Dialect::OpenAiResponses, _) => {
            Box::new(openai_responses::StreamWriter::new(asked, options.created))
        }
        (Dialect::Anthropic, _) => Box::new(anthropic::StreamWriter::new(options.model)),
        (Dialect::Gemini, _) => Box::new(gemini::StreamWriter::new(options.model)),
        _ => Box::new(openai_chat::StreamWriter::new(options)),
    }
}

/// Whose signatures a vendor of this dialect makes and wants back. `None`: it makes none.
pub fn origin(from: Dialect) -> Option<Origin> {
    match from {
        Dialect::Anthropic | Dialect::Bedrock => Some(Origin::Anthropic),
        Dialect::Gemini => Some(Origin::Gemini),
        _ => None,
    }
}

/// Has this dialect of callers no place for signed thoughts that its clients know and return?
pub fn forgets_thoughts(to: Dialect) -> bool {
    matches!(to, Dialect::OpenAiChat | Dialect::Aigne | Dialect::Ollama)
}

/// A failure as a whole answer.
pub fn error_body(to: Dialect, failure: &Failure) -> Vec<u8> {
    match to {
        Dialect::Aigne | Dialect::AigneCompletions => aigne::error_body(failure),
        Dialect::Anthropic => anthropic::error_body(failure),
        Dialect::Gemini => gemini::error_body(failure),
        _ => openai::error_body(failure),
    }
}

/// A failure as an event of a running stream.
pub fn error_event(to: Dialect, failure: &Failure) -> Bytes {
    match to {
        Dialect::Aigne => aigne::error_event(failure),
        Dialect::Anthropic => anthropic::error_event(failure),
        Dialect::OpenAiResponses => openai_responses::error_event(failure),
        Dialect::Gemini => gemini::error_event(failure),
        _ => openai::error_event(failure),
    }
}

/// Says in a running stream why the hub ends it, before the end itself.
pub fn notice(to: Dialect, tail: &Tail<'_>, why: &Failure) -> Vec<u8> {
    match to {
        Dialect::Anthropic => anthropic::notice(why),
        Dialect::OpenAiChat => openai_chat::notice(tail, why),
        // No event of theirs could carry it; the answer's end says that it was cut.
        _ => Vec::new(),
    }
}

/// Ends a stream that was forwarded as it came: as an answer that is too long, because of `why`.
/// `open_block` is the part that is open, in dialects that have such. A dialect whose end repeats the
/// whole answer says it by what was noted ([`Unfinished`]); where nothing was, it ends in an error.
pub fn too_long(to: Dialect, tail: &Tail<'_>, open_block: Option<u64>, why: &Failure) -> Vec<u8> {
    match to {
        Dialect::Gemini => gemini::too_long(tail, why),
        Dialect::Anthropic => anthropic::too_long(tail, open_block),
        Dialect::OpenAiChat => openai_chat::too_long(tail),
        _ => error_event(to, why).to_vec(),
    }
}

/// The part that is open after a forwarded event of this name, in dialects that have such.
pub fn open_block(name: Option<&[u8]>, open: Option<u64>, begun: &mut u64) -> Option<u64> {
    anthropic::open_block(name, open, begun)
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
        Dialect::AigneCompletions => "aigne_completions",
    }
}

fn unknown(dialect: Dialect) -> Failure {
    let text = "This combination of endpoint and model is not supported";
    Failure::new(Kind::InvalidRequest, text).detail(format!("no translation for {}", name(dialect)))
}
