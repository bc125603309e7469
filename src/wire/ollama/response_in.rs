//! The vendor's whole answer, read into the canonical one; and what each line of its stream has.

use crate::chat::{Choice, Finish, Image, Json, Part, Response, Source, Thinking, ToolCall, parse};
use crate::error::{Failure, Kind, Result};
use crate::types::Usage;
use serde::Deserialize;

/// A whole answer, or one line of a stream.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AnswerIn {
    pub model: Option<String>,
    pub message: Option<MessageIn>,
    pub done: bool,
    pub done_reason: Option<String>,
    pub error: Option<Json>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct MessageIn {
    pub content: Option<String>,
    pub thinking: Option<String>,
    pub images: Option<Vec<String>>,
    pub tool_calls: Option<Vec<CallIn>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CallIn {
    id: Option<String>,
    function: FunctionIn,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FunctionIn {
    name: String,
    arguments: Option<Json>,
}

/// Ids of calls: newer servers give them, others do not.
#[derive(Default)]
pub(super) struct CallIds {
    stem: String,
    calls: usize,
}

impl CallIds {
    /// Ids that begin with this, which is not empty.
    pub(super) fn of(stem: &str) -> Self {
        Self { stem: stem.to_owned(), calls: 0 }
    }

    /// The call, with an id of its own.
    pub(super) fn name(&mut self, call: CallIn) -> ToolCall {
        let number = self.calls;
        self.calls += 1;
        let id = call.id.filter(|id| !id.is_empty()).unwrap_or_else(|| {
            if self.stem.is_empty() {
                self.stem = uuid::Uuid::now_v7().simple().to_string();
            }
            format!("call_{}_{number}", self.stem)
        });
        let given = call.function.arguments.filter(|json| !json.is_null());
        // Some models give their arguments as a text.
        let arguments = given.map_or_else(
            || "{}".to_owned(),
            |json| json.read::<String>().unwrap_or_else(|| json.as_str().to_owned()),
        );
        ToolCall { id, name: call.function.name, arguments, ..ToolCall::default() }
    }
}

impl AnswerIn {
    pub(super) fn read(body: &[u8]) -> Result<Self> {
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(malformed("no object"));
        }
        parse(body).map_err(|error| malformed(&error.to_string()))
    }

    /// What was used. A server that had the prompt in its cache may say nothing of it; half a number
    /// is none, and is counted elsewhere.
    pub(super) fn usage(&self) -> Option<Usage> {
        let (input, output) = (self.prompt_eval_count?, self.eval_count.unwrap_or(0));
        Some(Usage { input, output, ..Usage::default() })
    }

    /// Why it ended. The server says that it was done also when it wants tools called.
    pub(super) fn finish(&self, calls_tools: bool) -> Finish {
        match self.done_reason.as_deref() {
            Some("length") => Finish::Length,
            _ if calls_tools => Finish::ToolCalls,
            _ => Finish::Stop,
        }
    }
}

/// Reads the vendor's whole answer.
///
/// # Errors
/// [`Kind::VendorMalformed`]: no JSON, or no answer in it. An error body is to be
/// looked for before.
pub fn response_in(body: &[u8]) -> Result<Response> {
    let mut read = AnswerIn::read(body)?;
    let message = read.message.take().ok_or_else(|| malformed("no message"))?;
    let mut parts = Vec::new();
    if let Some(text) = message.thinking.filter(|text| !text.is_empty()) {
        parts.push(Part::Thinking(Thinking { text, signature: None }));
    }
    parts.extend(message.content.filter(|text| !text.is_empty()).map(Part::text));
    parts.extend(message.images.unwrap_or_default().into_iter().map(picture));
    let mut ids = CallIds::default();
    let calls = message.tool_calls.unwrap_or_default();
    parts.extend(calls.into_iter().map(|call| Part::ToolCall(ids.name(call))));
    let mut choice = Choice { parts, ..Choice::default() };
    choice.finish = read.done.then(|| read.finish(choice.calls_tools()));
    Ok(Response {
        usage: read.usage(),
        model: read.model.unwrap_or_default(),
        choices: vec![choice],
        ..Response::default()
    })
}

/// A picture that the model drew.
pub(super) fn picture(data: String) -> Part {
    let source = Source::Base64 { mime: "image/png".to_owned(), data };
    Part::Image(Image { source, detail: None, cache: None })
}

pub(super) fn malformed(detail: &str) -> Failure {
    Failure::new(Kind::VendorMalformed, "The vendor's answer cannot be read.").detail(detail)
}
