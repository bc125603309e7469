//! Ollama's own API, to vendors: `/api/chat`, its stream of lines, and `/api/embed`.
//!
//! It says what OpenAI's door of the same server cannot: how long the context
//! is, how long the model stays in memory, whether it thinks, and what was really counted.

mod delta_in;
mod embed;
mod request_out;
mod response_in;
mod stream_in;

pub use embed::{embed_in, embed_out};
pub use request_out::request_out;
pub use response_in::response_in;
pub use stream_in::StreamReader;

use crate::chat::ModelTraits;

/// What models of any kind take behind this API. Whether one calls tools or sees
/// pictures only the server knows, and it says so itself.
pub fn model_traits(model: &str) -> ModelTraits {
    let name = model.rsplit('/').next().unwrap_or(model);
    ModelTraits {
        // Every other model is told to think by a switch.
        thinking: match name.starts_with("gpt-oss") {
            true => crate::chat::ThinkingStyle::Effort,
            false => crate::chat::ThinkingStyle::Switch,
        },
        efforts: vec![crate::chat::Effort::Low, crate::chat::Effort::Medium, crate::chat::Effort::High],
        reasoning_history: crate::chat::ReasoningHistory::Kept,
        logprobs: false,
        strict_tools: false,
        parallel_tool_calls: false,
        media_urls: false,
        documents: false,
        audio: false,
        cache_hints: false,
        user: false,
        ..ModelTraits::default()
    }
}

#[cfg(test)]
mod tests;
