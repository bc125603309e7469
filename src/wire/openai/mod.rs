//! OpenAI's dialect, read without a DOM: requests, answers, streams, errors.

use crate::error::{Failure, Result};
use crate::types::{Op, Usage};
use bytes::Bytes;
use std::ops::Range;

/// How a vendor's usage numbers nest. A column of the vendor table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// `cached` is part of `prompt_tokens`, `reasoning` of `completion_tokens` (OpenAI and most).
    Inclusive,
    /// `reasoning` is not part of `completion_tokens`; `cached` is (xAI; told apart by `total_tokens`).
    ReasoningApart,
}

/// What a vendor's door refuses or calls by another name. Columns of the vendor table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Top-level fields removed (and reported as dropped), with an optional model-prefix condition.
    pub drop: &'static [(&'static str, Option<&'static [&'static str]>)],
    /// Top-level fields renamed.
    pub rename: &'static [(&'static str, &'static str)],
    /// Does it know `stream_options.include_usage`?
    pub stream_usage: bool,
}

/// What is needed of a request, read in one pass; spans point into the body.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub model: String,
    pub model_span: Range<usize>,
    pub stream: bool,
    /// The caller asked for the usage chunk itself.
    pub include_usage: bool,
    /// `max_completion_tokens` or `max_tokens`.
    pub max_output_tokens: Option<u64>,
    /// `n`, at least 1.
    pub choices: u64,
    /// Upper bound of the input's tokens: bytes of text, plus image rules' bounds.
    pub input_bound: u64,
    /// Parts of the input that are no text (images, audio, files) are present.
    pub has_media: bool,
    pub has_tools: bool,
    /// `user`, if sent (at most 256 bytes).
    pub user: Option<String>,
    /// A hash of what makes a conversation the same one (system prompt and first user message), for affinity.
    pub conversation: u64,
}

impl Request {
    /// Reads a JSON body. Errors name the field (missing model, wrong type, duplicate key, no JSON: line and column).
    pub fn read(_op: Op, _body: &[u8]) -> Result<Self> {
        todo!()
    }

    /// The body for one target: model replaced, usage asked for, shape applied. Returns the same
    /// bytes (no copy) when nothing changes. Names of dropped/renamed fields are appended to `adapted`.
    pub fn render(&self, _body: &Bytes, _model: &str, _shape: &Shape, _adapted: &mut Vec<String>) -> Bytes {
        todo!()
    }
}

/// The texts of a request that tokens are counted of, in order (messages, prompts, inputs, tool schemas).
pub fn texts(_op: Op, _body: &[u8], _each: &mut dyn FnMut(&str)) {
    todo!()
}

/// Data of images in a request (data URLs decoded for their header), for token rules.
pub struct ImageInput {
    pub width: u32,
    pub height: u32,
    pub low_detail: bool,
}
pub fn images(_body: &[u8], _each: &mut dyn FnMut(Option<ImageInput>)) {
    todo!()
}

/// Usage of a whole answer; `None` when it reports none.
pub fn usage(_op: Op, _counting: Counting, _body: &[u8]) -> Option<Usage> {
    todo!()
}

/// A vendor's error, from any of the known shapes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VendorError {
    pub message: String,
    pub kind: Option<String>,
    pub code: Option<String>,
    pub param: Option<String>,
}

/// Reads an error body: `{"error":{…}}`, `{"error":"text"}`, `{"code":…,"error":"text"}`, `[{"error":…}]`,
/// `{"message":…}`, plain text or HTML (trimmed, never passed on). `None`: it is no error.
pub fn vendor_error(_body: &[u8]) -> Option<VendorError> {
    todo!()
}

/// Renders a failure: `{"error":{"message","type","param","code"}}`.
pub fn error_body(_failure: &Failure) -> Vec<u8> {
    todo!()
}
/// Renders a failure as an event of a running stream: `data: {"error":{…}}\n\n`.
pub fn error_event(_failure: &Failure) -> Bytes {
    todo!()
}

/// The text of an answer (non-stream), for counting when no usage came.
pub fn answer_text(_op: Op, _body: &[u8]) -> String {
    todo!()
}

/// What one read of a stream led to.
#[derive(Debug, Default)]
pub struct Step {
    /// Bytes for the caller (whole events), in order; empty = nothing yet. One `Bytes` per contiguous run, so that a read without changes comes out as the one chunk that came in.
    pub out: Vec<Bytes>,
    /// The first real content has been seen (now or before).
    pub content: bool,
    /// The vendor sent an error event; nothing after it is forwarded, the event itself is not in `out`.
    pub error: Option<VendorError>,
}

/// Reads a stream on its way through: forwards whole events byte-exact, holds lifecycle-only events
/// (role delta, empty delta, comments) back until the first real content, keeps the usage, strips the usage chunk when
/// the caller did not ask for it, notices errors and the end.
pub struct StreamReader {
    _private: (),
}

impl StreamReader {
    pub fn new(_op: Op, _counting: Counting, _strip_usage: bool) -> Self {
        todo!()
    }
    /// `Err` when one event grows past the bound (4 MiB).
    pub fn feed(&mut self, _chunk: Bytes) -> Result<Step> {
        todo!()
    }
    /// The vendor ended the stream: what was held back, an unterminated last event if it is whole JSON.
    pub fn end(&mut self) -> Step {
        todo!()
    }
    /// `[DONE]` or a finish reason for every choice was seen.
    pub fn complete(&self) -> bool {
        todo!()
    }
    pub fn usage(&self) -> Option<Usage> {
        todo!()
    }
    pub fn content_seen(&self) -> bool {
        todo!()
    }
    /// Output text so far (content, reasoning, tool arguments) for counting; bounded, see `take_text`.
    pub fn output_bytes(&self) -> u64 {
        todo!()
    }
    /// Takes the collected output text away (the caller counts it in windows). At most 64 KiB is collected between takes; `text_due` says when.
    pub fn take_text(&mut self) -> String {
        todo!()
    }
    pub fn text_due(&self) -> bool {
        todo!()
    }
}
