//! LiteLLM's model_prices_and_context_window.json: prices per token, limits,
//! flags. A flag that is not there is not known; only `false` is a no.

use super::listed::{Listed, Named, Raw, count, named, value};
use crate::catalogue::{Card, Day};
use crate::chat::{Abilities, Ability};
use crate::types::Rate;
use std::collections::BTreeMap;

/// From one token to a million.
const SHIFT: i32 = 6;

/// The list's name of a provider, and ours.
const PROVIDERS: &[(&str, &str)] = &[
    ("openai", "openai"),
    ("text-completion-openai", "openai"),
    ("deepseek", "deepseek"),
    ("xai", "xai"),
    ("openrouter", "openrouter"),
    ("volcengine", "doubao"),
    ("anthropic", "anthropic"),
    ("bedrock", "bedrock"),
    ("bedrock_converse", "bedrock"),
    ("gemini", "gemini"),
    ("ollama", "ollama"),
];
const PREFIXES: &[&str] =
    &["deepseek/", "xai/", "openrouter/", "volcengine/", "gemini/", "text-completion-openai/", "ollama/"];

/// What a model of a mode answers with; other modes are not served.
const MODES: &[(&str, Ability)] = &[
    ("chat", Ability::TextOutput),
    ("responses", Ability::TextOutput),
    ("completion", Ability::TextOutput),
    ("moderation", Ability::TextOutput),
    ("realtime", Ability::AudioOutput),
    ("embedding", Ability::Embeddings),
    ("image_generation", Ability::ImageOutput),
    ("image_edit", Ability::ImageOutput),
    ("audio_transcription", Ability::TextOutput),
    ("audio_speech", Ability::AudioOutput),
    ("video_generation", Ability::VideoOutput),
];

/// Our name of a rate, and the list's of the price of one token.
const TOKENS: &[(&str, &str)] = &[
    ("input", "input_cost_per_token"),
    ("cache_read", "cache_read_input_token_cost"),
    ("cache_write_5m", "cache_creation_input_token_cost"),
    ("cache_write_1h", "cache_creation_input_token_cost_above_1hr"),
    ("output", "output_cost_per_token"),
    ("reasoning", "output_cost_per_reasoning_token"),
    ("audio_input", "input_cost_per_audio_token"),
    ("audio_output", "output_cost_per_audio_token"),
];

const FLAGS: &[(&str, Ability)] = &[
    ("supports_vision", Ability::Image),
    ("supports_pdf_input", Ability::Document),
    ("supports_audio_input", Ability::Audio),
    ("supports_video_input", Ability::Video),
    ("supports_function_calling", Ability::Tools),
    ("supports_reasoning", Ability::Thinking),
    ("supports_response_schema", Ability::JsonSchema),
    ("supports_prompt_caching", Ability::PromptCache),
    ("supports_native_streaming", Ability::Streaming),
    ("supports_web_search", Ability::WebSearch),
    ("supports_audio_output", Ability::AudioOutput),
];

/// The models of the vendors that the hub knows.
pub(super) fn read(root: &Raw) -> Vec<Listed> {
    let mut found: BTreeMap<(String, String), Listed> = BTreeMap::new();
    for (name, row) in root {
        let Ok(row) = serde_json::from_str::<Raw>(row.get()) else { continue };
        let Some(listed) = model(name, &row) else { continue };
        // Of two rows for a model the one that is named like its provider is better kept.
        let better = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if better || !found.contains_key(&listed.key()) {
            found.insert(listed.key(), listed);
        }
    }
    found.into_values().collect()
}

fn model(name: &str, row: &Raw) -> Option<Listed> {
    let provider: String = value(row, "litellm_provider")?;
    let (_, vendor) = PROVIDERS.iter().find(|(theirs, _)| *theirs == provider)?;
    let mode: String = value(row, "mode")?;
    let (_, output) = MODES.iter().find(|(theirs, _)| *theirs == mode)?;
    let bare = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    // What is left with a slash are prices by size or region, which no model is called by.
    if bare.contains('/') && *vendor != "openrouter" {
        return None;
    }
    // A fine-tuned model is called by its base and by whom it belongs to.
    let star = if bare.starts_with("ft:") { "*" } else { "" };
    let mut card = card(row, &mode, *output);
    card.provider = (*vendor).into();
    card.model = format!("{bare}{star}").to_ascii_lowercase().into();
    let parts = tiered(row);
    let mut rates = base_rates(row, &mode);
    rates.extend(parts.get(&0).cloned().unwrap_or_default());
    let mut tiers = suffixed(row);
    tiers.extend(parts.into_iter().filter(|(from, _)| *from > 0).map(|(from, rates)| (from + 1, rates)));
    // A list writes 0 for what it does not know.
    if rates.values().all(|rate| *rate == Rate::default()) {
        (rates, tiers) = Default::default();
    }
    Some(Listed { card, rates, tiers: tiers.into_iter().collect(), page: value(row, "source") })
}

fn card(row: &Raw, mode: &str, output: Ability) -> Card {
    let (mut can, mut cannot) = (Abilities::NONE, Abilities::NONE);
    can.insert(output);
    can.insert_if(Ability::Audio, mode == "audio_transcription");
    for (name, ability) in FLAGS {
        match value(row, name) {
            Some(true) => can.insert(*ability),
            Some(false) => cannot.insert(*ability),
            None => {}
        }
    }
    let listed = |name: &str| value::<Vec<String>>(row, name).unwrap_or_default();
    let inputs = listed("supported_modalities");
    can = can.union(inputs.iter().filter_map(|name| input(name)).collect());
    let outputs = listed("supported_output_modalities");
    can = can.union(outputs.iter().filter_map(|name| Ability::parse(&format!("{name}_output"))).collect());
    let answers = output == Ability::TextOutput;
    Card {
        context: count(row, "max_input_tokens"),
        max_output: count(row, "max_output_tokens").filter(|_| answers),
        can,
        cannot: cannot.without(can),
        retires: value::<String>(row, "deprecation_date").and_then(|text| Day::parse(&text)),
        ..Card::default()
    }
}

fn input(name: &str) -> Option<Ability> {
    match name {
        "image" => Some(Ability::Image),
        "audio" => Some(Ability::Audio),
        "video" => Some(Ability::Video),
        _ => None,
    }
}

fn token_rates(row: &Raw, suffix: &str) -> Named {
    let mut rates = named(row, TOKENS, suffix, SHIFT);
    // A vendor that does not bill cache writes states 0, and reports none.
    rates.retain(|name, rate| !name.starts_with("cache_write") || *rate != Rate::default());
    rates
}

fn base_rates(row: &Raw, mode: &str) -> Named {
    let mut rates = token_rates(row, "");
    let first = |names: &[&str]| {
        let stated = names.iter().filter_map(|name| named(row, &[("", name)], "", SHIFT).remove(""));
        stated.into_iter().find(|rate| *rate != Rate::default())
    };
    let priced = rates.get("output").is_some_and(|rate| *rate != Rate::default());
    match mode {
        "image_generation" | "image_edit" => match first(&["output_cost_per_image_token"]) {
            Some(rate) => drop(rates.insert("output", rate)),
            None if !priced => {
                let rate = first(&["output_cost_per_image", "input_cost_per_image"]);
                rates.extend(rate.map(|rate| ("image", rate)));
            }
            None => {}
        },
        // Rows for one resolution (`model@1080p`) are written by hand.
        "video_generation" if !priced => {
            let second = first(&["output_cost_per_video_per_second", "output_cost_per_second"]);
            rates.extend(second.map(|rate| ("second", rate)));
        }
        "audio_transcription" | "audio_speech" if !priced => {
            let second = first(&["input_cost_per_second", "output_cost_per_second"]);
            rates.extend(second.map(|rate| ("second", rate)));
            rates.extend(first(&["input_cost_per_character"]).map(|rate| ("character", rate)));
        }
        _ => {}
    }
    rates
}

/// Rates from more than so many thousand input tokens on.
fn suffixed(row: &Raw) -> BTreeMap<u64, Named> {
    let thousands = |name: &str| {
        let rest = name.strip_prefix("input_cost_per_token_above_")?;
        rest.strip_suffix("k_tokens")?.parse::<u64>().ok()
    };
    let tier = |n: u64| (n * 1000 + 1, token_rates(row, &format!("_above_{n}k_tokens")));
    row.keys().filter_map(|name| thousands(name)).map(tier).collect()
}

/// Rates by ranges of input tokens, by where a range begins.
fn tiered(row: &Raw) -> BTreeMap<u64, Named> {
    let parts: Vec<Raw> = value(row, "tiered_pricing").unwrap_or_default();
    let from = |part: &Raw| {
        let range: Vec<f64> = value(part, "range")?;
        // A bound in tokens, which some rows write with a fraction of nothing.
        range.first().map(|n| format!("{n:.0}"))?.parse().ok()
    };
    parts.iter().filter_map(|part| Some((from(part)?, token_rates(part, "")))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::listed::tests::list;
    use super::*;

    fn one(model: &str, row: &str) -> Listed {
        let mut list = list(&format!("{{{model:?}: {row}}}"), "2026-11-20");
        assert_eq!(list.name, "litellm");
        list.models.pop_first().unwrap().1
    }

    fn shown(named: &Named) -> String {
        named.iter().map(|(name, rate)| format!("{name}={rate}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_chat_model_has_rates_tiers_limits_and_flags() {
        let row = r#"{"litellm_provider":"gemini","mode":"chat","max_input_tokens":1048576,"max_output_tokens":65536,
            "input_cost_per_token":1.25e-06,"output_cost_per_token":1e-05,"cache_read_input_token_cost":1.25e-07,
            "cache_creation_input_token_cost":0,"input_cost_per_token_above_200k_tokens":2.5e-06,
            "output_cost_per_token_above_200k_tokens":1.5e-05,"input_cost_per_token_above_200k_tokens_priority":9,
            "supports_vision":true,"supports_audio_output":false,"supported_modalities":["text","audio"],
            "deprecation_date":"2026-12-31","source":"https://example.com/prices"}"#;
        let listed = one("gemini/Gemini-x", row);
        assert_eq!(listed.key(), ("gemini".to_owned(), "gemini-x".to_owned()));
        assert_eq!(shown(&listed.rates), "cache_read=0.125 input=1.25 output=10");
        assert_eq!(listed.tiers.len(), 1);
        assert_eq!(
            (listed.tiers[0].0, shown(&listed.tiers[0].1)),
            (200_001, "input=2.5 output=15".to_owned())
        );
        let card = listed.card;
        assert_eq!((card.context, card.max_output), (Some(1_048_576), Some(65_536)));
        assert_eq!(card.can.to_string(), "image,audio,text_output");
        assert_eq!(card.cannot.to_string(), "audio_output");
        assert_eq!(card.retires, Day::parse("2026-12-31"));
    }

    #[test]
    fn images_seconds_and_characters_have_prices_of_their_own() {
        let image = one(
            "dall-e-3",
            r#"{"litellm_provider":"openai","mode":"image_generation","output_cost_per_image":0.04}"#,
        );
        assert_eq!(shown(&image.rates), "image=40000");
        let whisper = one(
            "whisper-1",
            r#"{"litellm_provider":"openai","mode":"audio_transcription","input_cost_per_second":0.0001}"#,
        );
        assert_eq!(shown(&whisper.rates), "second=100");
        assert_eq!(whisper.card.can.to_string(), "audio,text_output");
        let speech = one(
            "tts-1",
            r#"{"litellm_provider":"openai","mode":"audio_speech","input_cost_per_character":1.5e-05}"#,
        );
        assert_eq!(shown(&speech.rates), "character=15");
        let film = one(
            "sora-2",
            r#"{"litellm_provider":"openai","mode":"video_generation","output_cost_per_video_per_second":0.1,
                "supported_modalities":["text","image"],"supported_output_modalities":["video"]}"#,
        );
        assert_eq!(shown(&film.rates), "second=100000");
        assert_eq!(film.card.can.to_string(), "image,video_output");
    }

    #[test]
    fn ranges_are_tiers_and_zeros_are_not_known() {
        let row = r#"{"litellm_provider":"xai","mode":"chat","tiered_pricing":[
            {"range":[0,128000.0],"input_cost_per_token":1e-6},{"range":[128000.0,256000],"input_cost_per_token":2e-6}]}"#;
        let listed = one("grok", row);
        assert_eq!(shown(&listed.rates), "input=1");
        assert_eq!(listed.tiers.iter().map(|(from, _)| *from).collect::<Vec<_>>(), [128_001]);
        let free =
            one("ollama/llama3", r#"{"litellm_provider":"ollama","mode":"chat","input_cost_per_token":0.0}"#);
        assert!(free.rates.is_empty());
    }

    #[test]
    fn what_the_hub_does_not_serve_is_left_out() {
        let text = r#"{"a":{"litellm_provider":"cohere","mode":"chat"},"b":{"litellm_provider":"openai","mode":"rerank"},
            "1024-x-1024/dall-e-2":{"litellm_provider":"openai","mode":"image_generation"},"sample_spec":7,
            "ft:gpt-4o":{"litellm_provider":"openai","mode":"chat"}}"#;
        let list = list(text, "2026-11-20");
        assert_eq!(list.models.keys().map(|(_, model)| model.as_str()).collect::<Vec<_>>(), ["ft:gpt-4o*"]);
    }
}
