//! OpenRouter's answer of `/api/v1/models`: prices per token as strings, and
//! the parameters that a model takes.

use super::listed::{Listed, Named, Raw, count, named, value};
use crate::catalogue::{Card, Day};
use crate::chat::{Abilities, Ability};
use crate::types::Rate;

const VENDOR: &str = "openrouter";
const PAGE: &str = "https://openrouter.ai/models";
/// From one token to a million.
const SHIFT: i32 = 6;

const PRICES: &[(&str, &str)] = &[
    ("input", "prompt"),
    ("output", "completion"),
    ("reasoning", "internal_reasoning"),
    ("cache_read", "input_cache_read"),
    ("cache_write_5m", "input_cache_write"),
    ("audio_input", "audio"),
    ("request", "request"),
];

/// Documents are not here: OpenRouter reads them for every model.
const INPUTS: &[(&str, Ability)] =
    &[("image", Ability::Image), ("audio", Ability::Audio), ("video", Ability::Video)];

const OUTPUTS: &[(&str, Ability)] = &[
    ("text", Ability::TextOutput),
    ("image", Ability::ImageOutput),
    ("audio", Ability::AudioOutput),
    ("embeddings", Ability::Embeddings),
];

const PARAMETERS: &[(&str, Ability)] = &[
    ("tools", Ability::Tools),
    ("structured_outputs", Ability::JsonSchema),
    ("reasoning", Ability::Thinking),
];

/// The models of the answer.
///
/// # Errors
/// When it holds no list of models.
pub(super) fn read(root: &Raw) -> Result<Vec<Listed>, String> {
    let data = root.get("data").map_or("null", |data| data.get());
    let rows: Vec<Raw> = serde_json::from_str(data).map_err(|e| format!("data: {e}"))?;
    Ok(rows.iter().filter_map(model).collect())
}

fn model(row: &Raw) -> Option<Listed> {
    let id: String = value(row, "id")?;
    let pricing: Raw = value(row, "pricing")?;
    let mut rates = named(&pricing, PRICES, "", SHIFT);
    // Only tokens in and out are always stated; elsewhere 0 means that nothing is said.
    rates.retain(|name, rate| matches!(*name, "input" | "output") || *rate != Rate::default());
    if rates.values().all(|rate| *rate == Rate::default()) && !id.ends_with(":free") {
        rates = Named::new();
    }
    let mut card = card(row);
    card.provider = VENDOR.into();
    card.model = id.to_ascii_lowercase().into();
    Some(Listed { card, rates, tiers: Vec::new(), page: Some(PAGE.to_owned()) })
}

fn card(row: &Raw) -> Card {
    let architecture: Raw = value(row, "architecture").unwrap_or_default();
    let top: Raw = value(row, "top_provider").unwrap_or_default();
    let (mut can, mut cannot) = (Abilities::NONE, Abilities::NONE);
    let mut said = |list: Option<Vec<String>>, names: &[(&str, Ability)]| {
        let Some(list) = list else { return };
        for (name, ability) in names {
            let set = if list.iter().any(|one| one == name) { &mut can } else { &mut cannot };
            set.insert(*ability);
        }
    };
    said(value(&architecture, "input_modalities"), INPUTS);
    said(value(&architecture, "output_modalities"), OUTPUTS);
    said(value(row, "supported_parameters"), PARAMETERS);
    Card {
        title: value::<String>(row, "name").map(Into::into),
        context: count(row, "context_length"),
        max_output: count(&top, "max_completion_tokens"),
        can,
        cannot,
        released: value::<i64>(row, "created").map(Day::of_seconds),
        retires: value::<String>(row, "expiration_date").and_then(|text| Day::parse(&text)),
        ..Card::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::listed::tests::list;

    #[test]
    fn strings_are_prices_and_parameters_are_abilities() {
        let text = r#"{"data":[{"id":"Acme/Model","name":"Acme: Model","created":1795132800,"context_length":200000,
            "architecture":{"input_modalities":["text","image","file"],"output_modalities":["text"]},
            "pricing":{"prompt":"0.000003","completion":"0.000015","request":"0","input_cache_read":"0.0000003"},
            "top_provider":{"max_completion_tokens":64000},"supported_parameters":["tools","max_tokens"],
            "expiration_date":"2026-12-01"},
            {"id":"auto","pricing":{"prompt":"-1","completion":"-1"}},{"id":"broken"}]}"#;
        let list = list(text, "2026-11-20");
        assert_eq!((list.name, list.models.len()), ("openrouter", 2));
        let listed = &list.models[&("openrouter".to_owned(), "acme/model".to_owned())];
        assert_eq!(
            listed.rates.iter().map(|(n, r)| format!("{n}={r}")).collect::<Vec<_>>(),
            ["cache_read=0.3", "input=3", "output=15"]
        );
        let card = &listed.card;
        assert_eq!((card.context, card.max_output), (Some(200_000), Some(64_000)));
        assert_eq!(card.can.to_string(), "image,tools,text_output");
        assert_eq!(
            card.cannot.to_string(),
            "audio,video,thinking,json_schema,image_output,audio_output,embeddings"
        );
        assert_eq!(card.released.unwrap().to_string(), "2026-11-20");
        assert!(list.models[&("openrouter".to_owned(), "auto".to_owned())].rates.is_empty());
    }
}
