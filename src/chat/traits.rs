//! What a model takes and what it refuses, as plain data. The dialects read
//! it; who fills it in (a vendor's row, the configuration) is not known here.

use super::Effort;

/// What a model takes. The default is a model that takes everything, within
/// what its dialect can say.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelTraits {
    /// The most tokens it answers; a larger wish is cut down to it. `None`: not known.
    pub max_output_tokens: Option<u64>,
    /// The limit that is sent where the caller names none and the dialect requires one (Anthropic).
    pub default_max_output_tokens: u64,
    /// How OpenAI's dialect names the limit.
    pub max_tokens_field: MaxTokensField,
    /// The largest temperature; `None`: it takes no temperature at all.
    pub max_temperature: Option<f64>,
    /// Takes `top_p`.
    pub top_p: bool,
    /// Takes `top_k`.
    pub top_k: bool,
    /// Takes a temperature together with `top_p`; else `top_p` is dropped.
    pub temperature_with_top_p: bool,
    /// Takes stop texts.
    pub stop: bool,
    /// Takes frequency and presence penalties.
    pub penalties: bool,
    /// Takes a seed.
    pub seed: bool,
    /// Reports log probabilities.
    pub logprobs: bool,
    /// How it is told to think.
    pub thinking: ThinkingStyle,
    /// The efforts it knows, where it knows any; others become the nearest one below, or the lowest.
    pub efforts: Vec<Effort>,
    /// The smallest budget of thoughts, in tokens.
    pub min_thinking_tokens: u64,
    /// What becomes of the thoughts of earlier answers.
    pub reasoning_history: ReasoningHistory,
    /// Holds its answer to a JSON schema.
    pub json_schema: bool,
    /// Can be told to answer some JSON object.
    pub json_object: bool,
    /// Calls tools.
    pub tools: bool,
    /// Takes `strict` on tools.
    pub strict_tools: bool,
    /// Takes `parallel_tool_calls`, or whatever the dialect has for it.
    pub parallel_tool_calls: bool,
    /// Sees pictures.
    pub images: bool,
    /// Loads pictures and documents from a web address.
    pub media_urls: bool,
    /// Reads documents.
    pub documents: bool,
    /// Hears sound.
    pub audio: bool,
    /// Takes hints for its prompt cache.
    pub cache_hints: bool,
    /// Takes instructions amid the conversation.
    pub mid_system: bool,
    /// Takes `user`, `metadata` and the like.
    pub user: bool,
    /// Fields at the top that are not sent to it, by their name in its dialect.
    pub refused_fields: Vec<String>,
}

impl Default for ModelTraits {
    fn default() -> Self {
        Self {
            max_output_tokens: None,
            default_max_output_tokens: 4_096,
            max_tokens_field: MaxTokensField::default(),
            max_temperature: Some(2.0),
            top_p: true,
            top_k: true,
            temperature_with_top_p: true,
            stop: true,
            penalties: true,
            seed: true,
            logprobs: true,
            thinking: ThinkingStyle::default(),
            efforts: Effort::ALL.to_vec(),
            min_thinking_tokens: 1_024,
            reasoning_history: ReasoningHistory::default(),
            json_schema: true,
            json_object: true,
            tools: true,
            strict_tools: true,
            parallel_tool_calls: true,
            images: true,
            media_urls: true,
            documents: true,
            audio: true,
            cache_hints: true,
            mid_system: true,
            user: true,
            refused_fields: Vec::new(),
        }
    }
}

impl ModelTraits {
    /// The effort to send for a wish: the wish itself if the model knows it,
    /// else the nearest one below, else the lowest it knows. `None`: it knows none.
    pub fn effort(&self, wish: Effort) -> Option<Effort> {
        let below = self.efforts.iter().filter(|known| **known <= wish).max();
        below.or_else(|| self.efforts.iter().min()).copied()
    }
}

/// How OpenAI's dialect names the limit of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// Most vendors.
    #[default]
    MaxTokens,
    /// OpenAI itself, whose reasoning models refuse the other.
    MaxCompletionTokens,
}

/// How a model is told to think.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkingStyle {
    /// Not at all.
    None,
    /// By an effort (OpenAI).
    #[default]
    Effort,
    /// By a budget of tokens (Claude before 4.7, Gemini 2.5).
    Budget,
    /// By `adaptive` and an effort (Claude from 4.7).
    Adaptive,
    /// By a switch `thinking: {type}` (DeepSeek, Doubao).
    Switch,
    /// By an object `reasoning` (OpenRouter).
    Object,
}

/// What becomes of the thoughts of earlier answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningHistory {
    /// They are left out: the vendor refuses or ignores them (OpenAI and most).
    #[default]
    Dropped,
    /// They go back where there are any, signed ones only where the dialect has signatures.
    Kept,
    /// They go back on each message of the assistant, empty if there are none (DeepSeek from V4).
    Required,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_effort_becomes_the_nearest_below() {
        let traits = ModelTraits {
            efforts: vec![Effort::Low, Effort::Medium, Effort::High],
            ..ModelTraits::default()
        };
        assert_eq!(traits.effort(Effort::Max), Some(Effort::High));
        assert_eq!(traits.effort(Effort::Medium), Some(Effort::Medium));
        assert_eq!(traits.effort(Effort::None), Some(Effort::Low));
        assert_eq!(ModelTraits { efforts: vec![], ..traits }.effort(Effort::Low), None);
    }

    #[test]
    fn a_typo_among_traits_is_an_error() {
        assert!(serde_json::from_str::<ModelTraits>(r#"{"topp":false}"#).is_err());
        let traits: ModelTraits =
            serde_json::from_str(r#"{"max_temperature":null,"thinking":"budget"}"#).unwrap();
        assert_eq!((traits.max_temperature, traits.thinking), (None, ThinkingStyle::Budget));
    }
}
