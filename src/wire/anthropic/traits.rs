//! What the models of the family take, by the version in their names.

use crate::chat::{Effort, ModelTraits, ReasoningHistory, ThinkingStyle};

/// The traits of a model, whatever the vendor calls it: `claude-opus-4-7`,
/// `claude-3-5-sonnet-20241022`, `anthropic.claude-sonnet-4-5-20250929-v1:0`, `Claude-Opus-4.7`.
/// A name without a version counts as the newest, which refuses the most.
pub fn model_traits(model: &str) -> ModelTraits {
    let name = model.to_ascii_lowercase();
    let version = version(&name).unwrap_or((u32::MAX, 0));
    let newest = version >= (4, 7);
    ModelTraits {
        max_output_tokens: max_output_tokens(version),
        default_max_output_tokens: if version >= (3, 7) { 8_192 } else { 4_096 },
        max_temperature: (!newest).then_some(1.0),
        top_p: !newest,
        top_k: !newest,
        temperature_with_top_p: version < (4, 1),
        penalties: false,
        seed: false,
        logprobs: false,
        thinking: match version {
            version if version >= (4, 7) => ThinkingStyle::Adaptive,
            version if version >= (3, 7) => ThinkingStyle::Budget,
            _ => ThinkingStyle::None,
        },
        efforts: efforts(&name, version),
        reasoning_history: ReasoningHistory::Kept,
        json_schema: version >= (4, 5) || (version == (4, 1) && name.contains("opus")),
        json_object: false,
        strict_tools: version >= (4, 5) || (version == (4, 1) && name.contains("opus")),
        audio: false,
        mid_system: false,
        ..ModelTraits::default()
    }
}

/// The first two numbers behind the family's name; a date is no number of a version.
fn version(name: &str) -> Option<(u32, u32)> {
    let behind = name.split_once("claude").map_or(name, |(_, behind)| behind);
    let mut words = behind.split(|c: char| !c.is_ascii_alphanumeric()).map(|word| {
        let short = word.len() <= 2;
        word.parse::<u32>().ok().filter(|_| short)
    });
    let major = words.by_ref().find_map(|number| number)?;
    Some((major, words.next().flatten().unwrap_or(0)))
}

/// Only where a limit is low enough for callers to meet it.
fn max_output_tokens(version: (u32, u32)) -> Option<u64> {
    match version {
        (0..=2, _) | (3, 0) => Some(4_096),
        (3, 1..=6) => Some(8_192),
        (3, 7) => Some(64_000),
        _ => None,
    }
}

fn efforts(name: &str, version: (u32, u32)) -> Vec<Effort> {
    const FIRST: [Effort; 3] = [Effort::Low, Effort::Medium, Effort::High];
    const NEWEST: [Effort; 5] = [Effort::Low, Effort::Medium, Effort::High, Effort::XHigh, Effort::Max];
    match version {
        version if version >= (4, 7) => NEWEST.to_vec(),
        (4, 5 | 6) if name.contains("opus") => FIRST.to_vec(),
        (4, 6) => FIRST.to_vec(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_every_spelling() {
        for (name, expected) in [
            ("claude-opus-4-7", Some((4, 7))),
            ("claude-opus-4.7", Some((4, 7))),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", Some((4, 5))),
            ("claude-3-5-sonnet-20241022", Some((3, 5))),
            ("claude-3-opus-20240229", Some((3, 0))),
            ("claude-sonnet-4-20250514", Some((4, 0))),
            ("claude-opus-5", Some((5, 0))),
            ("claude-fable-5", Some((5, 0))),
            ("claude", None),
        ] {
            assert_eq!(version(name), expected, "{name}");
        }
    }

    #[test]
    fn newer_models_refuse_more() {
        let old = model_traits("claude-3-5-sonnet-20241022");
        assert_eq!((old.max_temperature, old.thinking), (Some(1.0), ThinkingStyle::None));
        assert!(old.temperature_with_top_p && !old.json_schema);
        let middle = model_traits("claude-sonnet-4-5");
        assert!(!middle.temperature_with_top_p && middle.json_schema && middle.top_k);
        assert_eq!(middle.thinking, ThinkingStyle::Budget);
        let new = model_traits("Claude-Opus-4.8");
        assert_eq!((new.max_temperature, new.thinking), (None, ThinkingStyle::Adaptive));
        assert!(!new.top_p && !new.top_k);
    }
}
