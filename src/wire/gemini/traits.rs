//! What the models of the family take, by the version in their names.

use crate::chat::{Effort, ModelTraits, ReasoningHistory, ThinkingStyle};

/// The first generation that thinks, told by a budget.
const BUDGETS: (u32, u32) = (2, 5);
/// The first generation that is told by a level, and wants its signatures back.
pub(super) const LEVELS: (u32, u32) = (3, 0);

/// The traits of a model, whatever the vendor calls it: `gemini-2.5-flash-lite`,
/// `models/gemini-3-pro-preview`, `google/gemini-2.0-flash-001`. A name without a
/// version (`gemini-flash-latest`) counts as the newest, and a foreign one (`gemma-3`) as one that does not think.
pub fn model_traits(model: &str) -> ModelTraits {
    let name = model.to_ascii_lowercase();
    let version = version(&name);
    let thinking = match version {
        version if version >= LEVELS => ThinkingStyle::Effort,
        version if version >= BUDGETS => ThinkingStyle::Budget,
        _ => ThinkingStyle::None,
    };
    // The models that draw and speak are siblings of those that think.
    let speaks = name.contains("-tts") || (name.contains("image") && version < LEVELS);
    ModelTraits {
        max_output_tokens: max_output_tokens(version),
        // Later models answer 400 to a penalty, or to the wish for log probabilities.
        penalties: version < BUDGETS,
        logprobs: version < BUDGETS,
        thinking: if speaks { ThinkingStyle::None } else { thinking },
        efforts: efforts(&name, version),
        min_thinking_tokens: min_thinking_tokens(&name),
        reasoning_history: ReasoningHistory::Kept,
        strict_tools: false,
        parallel_tool_calls: false,
        media_urls: version >= BUDGETS,
        cache_hints: false,
        mid_system: false,
        user: false,
        ..ModelTraits::default()
    }
}

/// The first two numbers behind the family's name. A number of three digits is a
/// build's, one of more a date's.
pub(super) fn version(name: &str) -> (u32, u32) {
    let Some((_, behind)) = name.split_once("gemini") else { return (0, 0) };
    let mut words = behind.split(|c: char| !c.is_ascii_alphanumeric()).map(|word| {
        let short = word.len() <= 2;
        word.parse::<u32>().ok().filter(|_| short)
    });
    let Some(major) = words.by_ref().find_map(|number| number) else { return (u32::MAX, 0) };
    (major, words.next().flatten().unwrap_or(0))
}

/// None where the generation is not known.
fn max_output_tokens(version: (u32, u32)) -> Option<u64> {
    match version {
        (1, _) | (2, 0..=4) => Some(8_192),
        (2, _) | (3, _) => Some(65_536),
        _ => None,
    }
}

/// With [`Effort::None`] where thoughts can be switched off, which no large model allows.
fn efforts(name: &str, version: (u32, u32)) -> Vec<Effort> {
    use Effort::{High, Low, Medium, Minimal, None, XHigh};
    let known: &[Effort] = match (version >= LEVELS, name.contains("pro")) {
        (false, true) => &[Minimal, Low, Medium, High, XHigh],
        (false, false) => &[None, Minimal, Low, Medium, High],
        (true, true) if version == LEVELS => &[Low, High],
        (true, true) => &[Low, Medium, High],
        (true, false) => &[Minimal, Low, Medium, High],
    };
    known.to_vec()
}

fn min_thinking_tokens(name: &str) -> u64 {
    if name.contains("lite") {
        512
    } else if name.contains("pro") {
        128
    } else {
        1
    }
}

/// The most tokens of thoughts that a model of the generation of budgets takes. The vendor refuses more.
pub(super) fn max_thinking_tokens(model: &str) -> u64 {
    if model.to_ascii_lowercase().contains("pro") { 32_768 } else { 24_576 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_every_spelling() {
        for (name, expected) in [
            ("gemini-2.5-flash", (2, 5)),
            ("models/gemini-3-pro-preview", (3, 0)),
            ("google/gemini-3.1-pro", (3, 1)),
            ("gemini-2.0-flash-001", (2, 0)),
            ("gemini-2.5-flash-preview-09-2025", (2, 5)),
            ("gemini-3-flash-001", (3, 0)),
            ("gemini-flash-latest", (u32::MAX, 0)),
            ("gemma-3-27b-it", (0, 0)),
        ] {
            assert_eq!(version(name), expected, "{name}");
        }
    }

    #[test]
    fn each_generation_thinks_in_its_own_way() {
        for (name, style, off) in [
            ("gemini-2.0-flash", ThinkingStyle::None, true),
            ("gemini-2.5-flash", ThinkingStyle::Budget, true),
            ("gemini-2.5-pro", ThinkingStyle::Budget, false),
            ("gemini-2.5-flash-image", ThinkingStyle::None, true),
            ("gemini-3-pro", ThinkingStyle::Effort, false),
            ("gemini-flash-latest", ThinkingStyle::Effort, false),
        ] {
            let traits = model_traits(name);
            assert_eq!((traits.thinking, traits.efforts.contains(&Effort::None)), (style, off), "{name}");
        }
        assert!(model_traits("gemini-2.0-flash").penalties && !model_traits("gemini-2.5-pro").penalties);
    }
}
