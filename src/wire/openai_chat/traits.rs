//! What OpenAI's own models take, by their names.

use crate::chat::{Effort, MaxTokensField, ModelTraits, ThinkingStyle};

/// The traits of a model of OpenAI's own. Other vendors of the dialect have
/// them in their rows; the base of those is the traits of an unknown name.
pub fn model_traits(model: &str) -> ModelTraits {
    let name = model.rsplit('/').next().unwrap_or(model);
    let reasons = ["o1", "o3", "o4", "gpt-5"].iter().any(|family| name.starts_with(family));
    let chats = name.contains("-chat");
    let base = ModelTraits {
        // The dialect itself has no such words; vendors that took them in say so in their rows.
        top_k: false,
        cache_hints: false,
        thinking: ThinkingStyle::None,
        ..ModelTraits::default()
    };
    if !reasons || chats {
        return base;
    }
    ModelTraits {
        max_temperature: None,
        top_p: false,
        stop: false,
        penalties: false,
        logprobs: false,
        thinking: ThinkingStyle::Effort,
        efforts: efforts(name),
        max_tokens_field: MaxTokensField::MaxCompletionTokens,
        ..base
    }
}

/// The efforts a reasoning model knows: the first generations have three, and each later one has more.
fn efforts(name: &str) -> Vec<Effort> {
    let known: &[Effort] = match name.strip_prefix("gpt-5") {
        None => &[Effort::Low, Effort::Medium, Effort::High],
        Some(rest) if rest.starts_with(".1") => &[Effort::None, Effort::Low, Effort::Medium, Effort::High],
        Some(rest) if rest.starts_with('.') => {
            &[Effort::None, Effort::Low, Effort::Medium, Effort::High, Effort::XHigh]
        }
        Some(_) => &[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High],
    };
    known.to_vec()
}
