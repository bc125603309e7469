//! A chat request.

use super::{CacheHint, Json, Part, Text};

/// Who writes a request, an answer or a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `/v1/chat/completions`
    OpenAiChat,
    /// `/v1/responses`
    OpenAiResponses,
    /// `/v1/messages`
    Anthropic,
    /// `:generateContent`
    Gemini,
    /// Bedrock's Converse
    Bedrock,
    /// Ollama's `/api/chat`
    Ollama,
    /// `/api/v2/chat` of the AIGNE client
    Aigne,
    /// `/api/v2/chat/completions`: OpenAI's fields in camel case, and answers with AIGNE's beside
    AigneCompletions,
}

/// What a caller wants. Default: an empty conversation with nothing said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The dialect it came in. Decides to whom [`Request::extra`] means something.
    pub dialect: Option<Dialect>,
    /// The model as it goes to the vendor; in the path for Gemini and Bedrock.
    pub model: String,
    /// What stands in front of the conversation: OpenAI's leading `system` and
    /// `developer` messages, Anthropic's and Bedrock's `system`, Gemini's `systemInstruction`.
    pub system: Vec<Text>,
    /// The conversation, oldest first. Consecutive messages of one role are
    /// allowed; dialects that want turns to alternate use [`super::turns`].
    pub messages: Vec<Message>,
    /// Tools of the caller's own.
    pub tools: Vec<Tool>,
    /// Tools that a vendor runs itself (web search and the like), after [`Request::tools`].
    pub hosted_tools: Vec<HostedTool>,
    /// Must, may or may not the model call a tool? `None`: not said, which means `Auto`.
    pub tool_choice: Option<ToolChoice>,
    /// May it call several at once? `None`: not said, which means yes. Anthropic
    /// `disable_parallel_tool_use` is its opposite; Gemini, Bedrock and Ollama have no such field.
    pub parallel_tool_calls: Option<bool>,
    /// The shape of the answer's text.
    pub output: Output,
    /// How the answer is drawn, and how long it may be.
    pub sampling: Sampling,
    /// How much the model thinks, and what is shown of it.
    pub reasoning: Reasoning,
    /// Who asks, for the vendor's abuse checks: OpenAI `user` or `safety_identifier`, Anthropic
    /// `metadata.user_id`. Nobody else has it.
    pub user: Option<String>,
    /// An object of the caller's own notes (OpenAI `metadata`, Bedrock `requestMetadata`).
    pub metadata: Option<Json>,
    /// OpenAI and Anthropic `service_tier`; the values differ and go only where they are known.
    pub service_tier: Option<String>,
    /// Is the answer to come event by event? In the path for Gemini and Bedrock.
    pub stream: bool,
    /// The caller of a stream wants its usage (OpenAI `stream_options.include_usage`);
    /// elsewhere a stream always ends with it. Towards a vendor the hub always asks for it.
    pub include_usage: bool,
    /// Cache as much as possible (Anthropic's `cache_control` at the top).
    pub cache: Option<CacheHint>,
    /// Fields at the top that only [`Request::dialect`] knows, in order. Written
    /// back into the same dialect, and adapted ([`super::Field::Extra`]) in every other one.
    pub extra: Vec<Extra>,
}

impl Request {
    /// Does it say where a prompt cache may end?
    pub fn has_cache_hints(&self) -> bool {
        let parts = self.messages.iter().flat_map(|message| &message.parts);
        self.cache.is_some()
            || self.system.iter().any(|text| text.cache.is_some())
            || self.tools.iter().any(|tool| tool.cache.is_some())
            || parts.into_iter().any(|part| part.cache().is_some())
    }
}

/// A vendor's own field.
#[derive(Clone, Debug, PartialEq)]
pub struct Extra {
    /// Its name.
    pub name: String,
    /// Its value.
    pub json: Json,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// The caller's side. No tool results: those are of [`Role::Tool`].
    #[default]
    User,
    /// The model.
    Assistant,
    /// Results of tools and nothing else, one or more; follows the assistant's
    /// message with the calls. Anthropic, Bedrock and Gemini say it as the user.
    Tool,
    /// An instruction amid the conversation. Texts only. Where the model does not take
    /// it ([`super::ModelTraits::mid_system`]) it moves to the front: [`super::MidSystem`].
    System,
}

/// One message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// OpenAI `name` of the speaker. Dropped silently elsewhere.
    pub name: Option<String>,
    /// What is said; may be empty.
    pub parts: Vec<Part>,
}

/// A tool of the caller's own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tool {
    /// Its name. Bedrock and Anthropic take 64 and 128 of `[a-zA-Z0-9_-]`.
    pub name: String,
    /// What it is for. Bedrock wants one that is not empty.
    pub description: Option<String>,
    /// JSON Schema of its arguments; `None`: it takes none, for which most vendors
    /// want `{"type":"object","properties":{}}`. Gemini takes a subset.
    pub schema: Option<Json>,
    /// Shall the vendor hold the model to the schema? `None`: not said.
    pub strict: Option<bool>,
    /// May a prompt cache end here?
    pub cache: Option<CacheHint>,
}

impl Tool {
    /// The schema, or that of a tool without arguments.
    pub fn schema_or_empty(&self) -> Json {
        let empty = || Json::of(&serde_json::json!({ "type": "object", "properties": {} }));
        self.schema.clone().filter(Json::is_object).unwrap_or_else(empty)
    }
}

/// A tool that a vendor runs itself.
#[derive(Clone, Debug, PartialEq)]
pub struct HostedTool {
    /// Whose it is. Others adapt it ([`super::Field::HostedTool`]).
    pub dialect: Dialect,
    /// Its `type`.
    pub kind: String,
    /// The whole tool.
    pub json: Json,
}

/// Must, may or may not the model call a tool?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// It may.
    Auto,
    /// It may not. Bedrock has no word for it and leaves the tools out.
    None,
    /// It must call one (Anthropic and Bedrock `any`, Gemini `ANY`).
    Required,
    /// It must call this one.
    Named(String),
}

/// The shape of the answer's text.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Output {
    /// Anything.
    #[default]
    Text,
    /// Some JSON object (OpenAI `json_object`, Gemini `application/json`). Anthropic
    /// and Bedrock have no word for it: an instruction says it.
    JsonObject,
    /// JSON that fits a schema.
    JsonSchema {
        /// OpenAI's name of it, which others do not have; `response` where nobody named it.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// JSON Schema.
        schema: Json,
        /// Shall the vendor hold the model to it? Anthropic always does. `None`: not said.
        strict: Option<bool>,
    },
}

impl Output {
    /// The instruction that asks for this shape where a vendor does not enforce
    /// it; `None` for text.
    pub fn instruction(&self) -> Option<String> {
        match self {
            Output::Text => None,
            Output::JsonObject => Some(
                "Answer with one valid JSON object and nothing else: no prose, no code fence.".to_owned(),
            ),
            Output::JsonSchema { schema, .. } => Some(format!(
                "Answer with one JSON value that is valid against this JSON Schema and nothing else: no prose, no \
                 code fence.\n{}",
                schema.as_str()
            )),
        }
    }
}

/// How the answer is drawn. `None`: the vendor's own default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// OpenAI and Gemini 0 to 2, Anthropic and Bedrock 0 to 1.
    pub temperature: Option<f64>,
    /// 0 to 1.
    pub top_p: Option<f64>,
    /// Not OpenAI; Bedrock takes it among `additionalModelRequestFields`.
    pub top_k: Option<u64>,
    /// Not Anthropic, nor Bedrock.
    pub seed: Option<i64>,
    /// -2 to 2. Not Anthropic, nor Bedrock.
    pub frequency_penalty: Option<f64>,
    /// -2 to 2. Not Anthropic, nor Bedrock.
    pub presence_penalty: Option<f64>,
    /// Texts that end the answer (Anthropic `stop_sequences`; Gemini takes at most five, OpenAI four).
    pub stop: Vec<String>,
    /// Report how likely each token was. OpenAI and Gemini.
    pub logprobs: Option<bool>,
    /// For how many tokens at each place.
    pub top_logprobs: Option<u32>,
    /// OpenAI's object of token numbers, which mean something to its models only.
    pub logit_bias: Option<Json>,
    /// How many answers; `None`: one. OpenAI `n`, Gemini `candidateCount`. A stream
    /// in translation has one answer: more are refused by [`super::Field::Choices`].
    pub choices: Option<u32>,
    /// The most tokens of the answer, thoughts included. Anthropic requires it.
    pub max_output_tokens: Option<u64>,
}

/// How much the model thinks, and what is shown of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reasoning {
    /// Whether it thinks at all. `None`: not said; an effort or a budget then means that it does.
    pub mode: Option<ThinkingMode>,
    /// OpenAI `reasoning_effort`, Anthropic `output_config.effort`, Gemini `thinkingLevel`.
    pub effort: Option<Effort>,
    /// The most tokens of thoughts (Anthropic `budget_tokens` from 1024, Gemini `thinkingBudget`).
    /// [`Effort::budget_tokens`] and [`Effort::of_budget`] tell what each means in the other's words.
    pub budget_tokens: Option<u64>,
    /// What the caller wants to see. `None`: not said.
    pub show: Option<Show>,
}

/// Whether a model thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThinkingMode {
    /// No.
    Disabled,
    /// Yes.
    Enabled,
    /// As it sees fit (Anthropic `adaptive`, Doubao `auto`). Elsewhere: not said.
    Adaptive,
    /// Only between calls of tools (Anthropic `between_tools`). Elsewhere: as it sees fit.
    BetweenTools,
}

/// What is shown of the thoughts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Nothing (Anthropic `omitted`, OpenRouter `exclude`, Gemini `includeThoughts: false`).
    Omitted,
    /// A summary, or what the vendor shows by itself.
    Summarized,
    /// A long summary (OpenAI Responses `detailed`).
    Detailed,
}

/// How hard the model thinks, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// Not at all.
    None,
    /// OpenAI and Gemini; elsewhere `Low`.
    Minimal,
    /// Little.
    Low,
    /// The usual.
    Medium,
    /// Much.
    High,
    /// Newer models of OpenAI and Anthropic; elsewhere `High`.
    XHigh,
    /// Anthropic; elsewhere the highest there is.
    Max,
}

impl Effort {
    /// Every effort, in order.
    pub const ALL: [Effort; 7] = [
        Effort::None,
        Effort::Minimal,
        Effort::Low,
        Effort::Medium,
        Effort::High,
        Effort::XHigh,
        Effort::Max,
    ];

    /// The name all dialects use, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Effort::None => "none",
            Effort::Minimal => "minimal",
            Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High => "high",
            Effort::XHigh => "xhigh",
            Effort::Max => "max",
        }
    }

    /// The effort of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.name() == name)
    }

    /// The budget that stands for it where a vendor knows only budgets.
    pub fn budget_tokens(self) -> u64 {
        match self {
            Effort::None => 0,
            Effort::Minimal => 1_024,
            Effort::Low => 2_048,
            Effort::Medium => 8_192,
            Effort::High => 16_384,
            Effort::XHigh => 32_768,
            Effort::Max => 65_536,
        }
    }

    /// The effort that stands for a budget where a vendor knows only efforts: the smallest that reaches it.
    pub fn of_budget(tokens: u64) -> Self {
        Self::ALL.into_iter().find(|effort| effort.budget_tokens() >= tokens).unwrap_or(Effort::Max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effort_and_its_name_and_budget_mean_the_same() {
        for effort in Effort::ALL {
            assert_eq!(Effort::parse(effort.name()), Some(effort));
            assert_eq!(Effort::of_budget(effort.budget_tokens()), effort);
        }
        assert_eq!(Effort::of_budget(3_000), Effort::Medium);
        assert_eq!(Effort::of_budget(u64::MAX), Effort::Max);
        assert_eq!(Effort::parse("HIGH"), None);
    }

    #[test]
    fn a_tool_without_a_schema_takes_an_empty_object() {
        let empty = Tool::default().schema_or_empty();
        assert_eq!(empty.as_str(), r#"{"properties":{},"type":"object"}"#);
    }
}
