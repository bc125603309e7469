//! The api.json of models.dev: prices per million tokens, and modalities that
//! say what a model takes and, by leaving it out, what it does not.

use super::listed::{Listed, Named, Raw, count, named, value};
use crate::catalogue::{Card, Day};
use crate::chat::{Abilities, Ability};
use crate::types::Rate;

/// A provider of the list and the vendor it is here.
struct Provider {
    theirs: &'static str,
    ours: &'static str,
    /// It reads documents for models that cannot, so the list says nothing of them.
    reads_documents: bool,
    /// Names there have the maker in front, names here do not.
    maker_in_front: bool,
}

const fn provider(theirs: &'static str, ours: &'static str) -> Provider {
    Provider { theirs, ours, reads_documents: false, maker_in_front: false }
}

const PROVIDERS: &[Provider] = &[
    provider("openai", "openai"),
    provider("anthropic", "anthropic"),
    provider("google", "gemini"),
    provider("xai", "xai"),
    provider("deepseek", "deepseek"),
    provider("amazon-bedrock", "bedrock"),
    provider("ollama-cloud", "ollama"),
    Provider { reads_documents: true, ..provider("openrouter", "openrouter") },
    Provider { reads_documents: true, maker_in_front: true, ..provider("poe", "poe") },
];

const COSTS: &[(&str, &str)] = &[
    ("input", "input"),
    ("output", "output"),
    ("reasoning", "reasoning"),
    ("cache_read", "cache_read"),
    ("cache_write_5m", "cache_write"),
    ("audio_input", "input_audio"),
    ("audio_output", "output_audio"),
];

const INPUTS: &[(&str, Ability)] = &[
    ("image", Ability::Image),
    ("audio", Ability::Audio),
    ("video", Ability::Video),
    ("pdf", Ability::Document),
];

const OUTPUTS: &[(&str, Ability)] = &[
    ("text", Ability::TextOutput),
    ("image", Ability::ImageOutput),
    ("audio", Ability::AudioOutput),
    ("video", Ability::VideoOutput),
];

const FLAGS: &[(&str, Ability)] = &[
    ("tool_call", Ability::Tools),
    ("reasoning", Ability::Thinking),
    ("structured_output", Ability::JsonSchema),
];

/// The models of the vendors that the hub knows.
///
/// # Errors
/// When a provider is not what it should be.
pub(super) fn read(root: &Raw) -> Result<Vec<Listed>, String> {
    let mut found = Vec::new();
    for provider in PROVIDERS {
        let Some(entry) = root.get(provider.theirs) else { continue };
        let wrong = |e: serde_json::Error| format!("{}: {e}", provider.theirs);
        let entry: Raw = serde_json::from_str(entry.get()).map_err(wrong)?;
        let page: Option<String> = value(&entry, "doc");
        let models: std::collections::BTreeMap<String, Raw> = value(&entry, "models").unwrap_or_default();
        found.extend(models.iter().map(|(name, row)| model(provider, name, row, page.clone())));
    }
    Ok(found)
}

fn model(provider: &Provider, name: &str, row: &Raw, page: Option<String>) -> Listed {
    let bare = name.rsplit_once('/').filter(|_| provider.maker_in_front).map_or(name, |(_, bare)| bare);
    let mut card = card(provider, bare, row);
    card.provider = provider.ours.into();
    card.model = bare.to_ascii_lowercase().into();
    let cost: Raw = value(row, "cost").unwrap_or_default();
    let mut rates = costs(&cost);
    // Nothing is free but what says so in its name.
    if rates.values().all(|rate| *rate == Rate::default()) && !bare.ends_with(":free") {
        rates = Named::new();
    }
    let tiers = if rates.is_empty() { Vec::new() } else { tiers(&cost) };
    Listed { card, rates, tiers, page }
}

fn costs(cost: &Raw) -> Named {
    let mut rates = named(cost, COSTS, "", 0);
    rates.retain(|name, rate| !name.starts_with("cache") || *rate != Rate::default());
    rates
}

fn tiers(cost: &Raw) -> Vec<(u64, Named)> {
    let parts: Vec<Raw> = value(cost, "tiers").unwrap_or_default();
    let tier = |part: &Raw| {
        let tier: Raw = value(part, "tier")?;
        let by_context = value::<String>(&tier, "type").is_some_and(|kind| kind == "context");
        let size = count(&tier, "size").filter(|_| by_context)?;
        Some((size + 1, costs(part)))
    };
    let mut tiers: Vec<_> = parts.iter().filter_map(tier).collect();
    tiers.sort_by_key(|(from, _)| *from);
    tiers.dedup_by_key(|(from, _)| *from);
    tiers
}

fn card(provider: &Provider, name: &str, row: &Raw) -> Card {
    let modalities: Raw = value(row, "modalities").unwrap_or_default();
    let limit: Raw = value(row, "limit").unwrap_or_default();
    let (mut can, mut cannot) = (Abilities::NONE, Abilities::NONE);
    let mut say = |ability: Ability, so: bool| if so { can.insert(ability) } else { cannot.insert(ability) };
    let inputs: Option<Vec<String>> = value(&modalities, "input");
    for (name, ability) in INPUTS.iter().filter(|_| inputs.is_some()) {
        let so = inputs.iter().flatten().any(|input| input == name);
        if so || *ability != Ability::Document || !provider.reads_documents {
            say(*ability, so);
        }
    }
    // Models of vectors are listed as if they answered with text.
    let vectors = name.contains("embed");
    let outputs: Option<Vec<String>> = value(&modalities, "output").filter(|_| !vectors);
    for (name, ability) in OUTPUTS.iter().filter(|_| outputs.is_some()) {
        say(*ability, outputs.iter().flatten().any(|output| output == name));
    }
    if vectors {
        say(Ability::Embeddings, true);
    }
    for (name, ability) in FLAGS {
        if let Some(so) = value(row, name) {
            say(*ability, so);
        }
    }
    let date = |name: &str| value::<String>(row, name).and_then(|text| Day::parse(&text));
    let title = value::<String>(row, "name").map(|name| name.trim_end_matches(" (latest)").into());
    Card {
        title,
        context: count(&limit, "context"),
        max_output: count(&limit, "output").filter(|_| !vectors),
        can,
        cannot,
        released: date("release_date"),
        deprecated: value::<String>(row, "status").is_some_and(|status| status == "deprecated"),
        ..Card::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::listed::tests::list;
    use super::*;

    const LIST: &str = r#"{"poe":{"doc":"https://example.com","models":{"acme/Bot-1":{"name":"Bot 1 (latest)","tool_call":true,
        "reasoning":false,"release_date":"2026-01","status":"deprecated","modalities":{"input":["text","image"],"output":["text"]},
        "limit":{"context":1000,"output":0},"cost":{"input":2.50,"output":10,"cache_read":0,
        "tiers":[{"tier":{"type":"context","size":200},"input":5}]}}}},
        "openrouter":{"models":{"a/b:free":{"cost":{"input":0,"output":0}},"a/c":{"cost":{"input":0,"output":0}}}},
        "openai":{"models":{"text-embedding-x":{"modalities":{"input":["text"],"output":["text"]},"limit":{"output":1536}}}}}"#;

    #[test]
    fn modalities_say_yes_and_no() {
        let list = list(LIST, "2026-07-02");
        assert_eq!(list.name, "models.dev");
        let listed = &list.models[&("poe".to_owned(), "bot-1".to_owned())];
        let card = &listed.card;
        assert_eq!((card.title.as_deref(), card.context, card.max_output), (Some("Bot 1"), Some(1000), None));
        assert_eq!(card.can.to_string(), "image,tools,text_output");
        assert_eq!(card.cannot.to_string(), "audio,video,thinking,image_output,audio_output,video_output");
        assert!(card.deprecated && card.released == Day::parse("2026-01-01"));
        assert_eq!(listed.rates.get("input").unwrap().to_string(), "2.5");
        assert!(!listed.rates.contains_key("cache_read"));
        assert_eq!(listed.tiers[0].0, 201);
    }

    #[test]
    fn only_what_is_called_free_is_free() {
        let list = list(LIST, "2026-07-02");
        let rates = |name: &str| list.models[&("openrouter".to_owned(), name.to_owned())].rates.len();
        assert_eq!((rates("a/b:free"), rates("a/c")), (2, 0));
    }

    #[test]
    fn models_of_vectors_do_not_answer() {
        let list = list(LIST, "2026-07-02");
        let card = &list.models[&("openai".to_owned(), "text-embedding-x".to_owned())].card;
        assert!(card.can.contains(Ability::Embeddings) && !card.can.contains(Ability::TextOutput));
        assert_eq!(card.max_output, None);
    }
}
