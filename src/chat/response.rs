//! A whole answer.

use super::{Json, Part};
use crate::types::Usage;

/// What a vendor answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// The vendor's id of the answer, kept as it is; a dialect whose callers want an
    /// id invents one where it is empty (Gemini may give none, Ollama and Bedrock give none).
    pub id: String,
    /// The model that answered, as the vendor names it.
    pub model: String,
    /// Seconds since the Unix epoch. `None`: the vendor does not say (Anthropic, Bedrock); the proxy fills it in.
    pub created: Option<i64>,
    /// The answers, at least one. Only OpenAI and Gemini give more.
    pub choices: Vec<Choice>,
    /// `None`: the vendor reported none. `requests` is left 0.
    pub usage: Option<Usage>,
    /// The tier that was used.
    pub service_tier: Option<String>,
}

/// One answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// What the model says, in order: thoughts, texts, calls of tools.
    pub parts: Vec<Part>,
    /// Why it ended. `None`: the vendor does not say, which is no reason to invent one.
    pub finish: Option<Finish>,
    /// OpenAI's `logprobs` object as it stands.
    pub logprobs: Option<Json>,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It was done.
    Stop,
    /// A stop text of the caller was met; which, if the vendor says (Anthropic). Elsewhere: `Stop`.
    StopSequence(Option<String>),
    /// The most tokens, or the model's window, were reached.
    Length,
    /// The model wants tools called. To be derived from the parts where the vendor
    /// does not say it (Gemini, Ollama).
    ToolCalls,
    /// Held back by a filter, or refused by the model (Anthropic `refusal`, Bedrock's guardrail, Gemini `SAFETY`).
    ContentFilter,
    /// A long turn of tools that the vendor runs was interrupted, to be sent back
    /// as it is (Anthropic `pause_turn`). Elsewhere: `Stop`.
    Pause,
    /// The vendor failed amid the answer and says so by this word. Never to be shown as `Stop`.
    Error(String),
}

impl Response {
    /// The first answer; that of an answer without any is empty.
    pub fn first(&self) -> &Choice {
        static EMPTY: Choice = Choice { parts: Vec::new(), finish: None, logprobs: None };
        self.choices.first().unwrap_or(&EMPTY)
    }
}

impl Choice {
    /// Does the model want tools called?
    pub fn calls_tools(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::ToolCall(_)))
    }
}
