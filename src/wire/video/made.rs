//! What has become of an order: read of vendors, told to callers.

use super::unreadable;
use crate::chat::{parse, write_object};
use crate::error::Result;
use crate::types::Usage;
use crate::wire::openai::VendorError;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

/// `object` of an answer.
pub const VIDEO: &str = "video";

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody works on it yet.
    Queued,
    /// It is being made.
    InProgress,
    /// It can be loaded.
    Completed,
    /// There will be none.
    Failed,
}

impl State {
    /// OpenAI's word for it.
    pub fn name(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::InProgress => "in_progress",
            State::Completed => "completed",
            State::Failed => "failed",
        }
    }

    /// Will it change any more?
    pub fn is_final(self) -> bool {
        matches!(self, State::Completed | State::Failed)
    }
}

/// What has become of an order, as far as its vendor says.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The vendor's id.
    pub id: String,
    /// How far it is.
    pub state: State,
    /// In percent.
    pub progress: Option<u64>,
    /// Seconds since the Unix epoch.
    pub created: Option<i64>,
    /// When it was done.
    pub completed: Option<i64>,
    /// How long it is.
    pub seconds: Option<u32>,
    /// How large it is, as OpenAI writes it.
    pub size: Option<String>,
    /// Why there is none.
    pub error: Option<VendorError>,
    /// Where it is, in the vendor's words.
    pub file: Option<String>,
    /// How many were made.
    pub count: u32,
    /// Tokens, where the vendor counts them.
    pub tokens: Option<u64>,
}

impl Made {
    /// An order of which only id and state are known.
    pub fn new(id: impl Into<String>, state: State) -> Self {
        Self {
            id: id.into(),
            state,
            progress: None,
            created: None,
            completed: None,
            seconds: None,
            size: None,
            error: None,
            file: None,
            count: 1,
            tokens: None,
        }
    }

    /// What a finished one used; `ordered` is its length where the vendor does not say it.
    pub fn usage(&self, ordered: u32) -> Usage {
        let seconds = u64::from(self.seconds.unwrap_or(ordered)).saturating_mul(u64::from(self.count.max(1)));
        let output = self.tokens.unwrap_or(0);
        Usage { milliseconds: seconds.saturating_mul(1_000), output, requests: 1, ..Usage::default() }
    }
}

/// What a caller is told besides the vendor's words.
pub struct Told<'a> {
    /// The id by which the caller knows it.
    pub id: &'a str,
    /// The vendor's name of the model.
    pub model: &'a str,
    /// When it was ordered, in seconds since the Unix epoch.
    pub created: i64,
    /// How long it was ordered to be.
    pub seconds: u32,
    /// How large it was ordered to be.
    pub size: Option<&'a str>,
    /// What callers know another id of the vendor's as.
    pub known_as: &'a dyn Fn(&str) -> Option<String>,
}

#[derive(Deserialize)]
struct JobIn {
    id: String,
    status: String,
    progress: Option<f64>,
    created_at: Option<i64>,
    completed_at: Option<i64>,
    seconds: Option<Value>,
    size: Option<String>,
    error: Option<ErrorIn>,
}

#[derive(Deserialize)]
pub(super) struct ErrorIn {
    #[serde(default)]
    pub message: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub code: Option<Value>,
}

impl ErrorIn {
    pub(super) fn read(self) -> VendorError {
        let code = self.code.map(|code| code.as_str().map_or_else(|| code.to_string(), str::to_owned));
        VendorError { kind: self.kind, code, ..VendorError::of_text(&self.message) }
    }
}

pub(super) fn openai_in(body: &[u8]) -> Result<Made> {
    let job: JobIn = parse(body).map_err(unreadable)?;
    let state = match job.status.as_str() {
        "queued" => State::Queued,
        "completed" => State::Completed,
        "failed" | "cancelled" => State::Failed,
        _ => State::InProgress,
    };
    let seconds = job.seconds.and_then(|seconds| match seconds {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|n| u32::try_from(n).ok()),
    });
    Ok(Made {
        // A float that is no number of percent becomes none.
        progress: job
            .progress
            .filter(|n| (0.0..=100.0).contains(n))
            .and_then(|n| format!("{n:.0}").parse().ok()),
        created: job.created_at,
        completed: job.completed_at,
        seconds,
        size: job.size,
        error: job.error.map(ErrorIn::read),
        ..Made::new(job.id, state)
    })
}

/// What a caller is told of an order. The body of a vendor that speaks as OpenAI does passes, with
/// the ids by which callers know its videos.
pub fn answer_out(made: &Made, told: &Told<'_>, passed: Option<&Bytes>) -> Vec<u8> {
    if let Some(Ok(mut job)) = passed.map(|body| parse::<Map<String, Value>>(body)) {
        job.insert("id".to_owned(), told.id.into());
        if let Some(Value::String(source)) = job.get("remixed_from_video_id") {
            let known = (told.known_as)(source).map_or(Value::Null, Value::from);
            job.insert("remixed_from_video_id".to_owned(), known);
        }
        return Value::Object(job).to_string().into_bytes();
    }
    let mut out = Vec::with_capacity(512);
    let percent = match made.state {
        State::Completed => 100,
        _ => made.progress.unwrap_or(0),
    };
    write_object(&mut out, |object| {
        object.put("id", told.id);
        object.put("object", VIDEO);
        object.put("created_at", &made.created.unwrap_or(told.created));
        object.put("completed_at", &made.completed);
        object.put("expires_at", &None::<i64>);
        object.put("status", made.state.name());
        object.put("model", told.model);
        object.put("progress", &percent);
        object.put("seconds", &made.seconds.unwrap_or(told.seconds).to_string());
        object.put("size", &made.size.as_deref().or(told.size));
        object.put("remixed_from_video_id", &None::<&str>);
        match &made.error {
            None => object.put("error", &None::<&str>),
            Some(error) => object.object("error", |object| {
                object.put("code", error.code.as_deref().unwrap_or("video_generation_failed"));
                object.put("message", &error.message);
            }),
        }
    });
    out
}
