//! A body as it is after its arrival, before anything is decided.
//!
//! Some dialects name the model in the path or nest what others have at the
//! top. What comes behind the arrival finds model, stream and bounds as
//! members of one object, so such a body is put into another form first.

use crate::chat::Dialect;
use crate::types::Op;
use bytes::Bytes;

/// What a request says in its path, or its header, instead of its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InPath {
    /// The model, decoded.
    pub model: Option<String>,
    /// A stream is asked for.
    pub stream: bool,
    /// In which of its dialect's forms the answer is wanted.
    pub form: AnswerForm,
    /// The id of what a new thing is to be made from.
    pub source: Option<String>,
}

/// In which form an answer is wanted, where a dialect has several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerForm {
    /// As always; a stream as server-sent events.
    #[default]
    Usual,
    /// A stream as one JSON list, which Gemini's callers get unless they ask otherwise.
    List,
    /// One embedding and not a list of them (Gemini's `embedContent`).
    Single,
}

/// A body in the form in which it is read, rewritten and translated from now on.
#[derive(Clone, Debug)]
pub struct Received {
    /// What is asked for. An endpoint may stand for two operations that only the body tells apart.
    pub op: Op,
    /// The body.
    pub body: Bytes,
    /// The dialect that the body has now. The caller's own, in which it gets its
    /// answer and its errors, stays what it is.
    pub speaks: Dialect,
    /// The content type, where it is no longer the one that the caller sent.
    pub content_type: Option<String>,
    /// What the answer must be like, beyond what the body says.
    pub tells: Tells,
}

/// What a request asked of its answer, where the body no longer says so in the caller's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tells {
    /// The answer is wanted as a value and not as text.
    pub json: bool,
    /// A stream was asked for by the header `accept`, as AIGNE's older clients do. They want
    /// its usage and know no word for its end.
    pub by_accept: bool,
}

impl Received {
    /// A body that stays as it came.
    pub fn untouched(op: Op, dialect: Dialect, body: Bytes) -> Self {
        Self { op, body, speaks: dialect, content_type: None, tells: Tells::default() }
    }
}
