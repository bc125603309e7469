//! `/v1/models`: what a key may use, and what is known of it. One entry has the
//! fields that OpenAI's clients read, those of Anthropic's, and those that
//! clients of OpenRouter look for; what is not known is left out.

use super::decide::model as find;
use crate::catalogue::{Card, Day, Life};
use crate::chat::{Abilities, Ability, Dialect};
use crate::config::{Caller, Model, Snapshot, Target};
use crate::error::{Failure, Kind, Result};
use crate::ledger::{Price, Rates};
use crate::types::{Rate, Wall};
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A page of Anthropic's, unless the caller says otherwise.
const PAGE: usize = 20;
const LARGEST_PAGE: usize = 1_000;
/// A [`Rate`] is in 10⁻¹² a million, so a single unit's price has eighteen places.
const PLACES: usize = 18;

/// Inputs by OpenRouter's names.
const INPUTS: &[(Ability, &str)] = &[
    (Ability::Image, "image"),
    (Ability::Document, "file"),
    (Ability::Audio, "audio"),
    (Ability::Video, "video"),
];

/// Outputs by OpenRouter's names.
const OUTPUTS: &[(Ability, &str)] = &[
    (Ability::TextOutput, "text"),
    (Ability::ImageOutput, "image"),
    (Ability::AudioOutput, "audio"),
    (Ability::VideoOutput, "video"),
    (Ability::Embeddings, "embeddings"),
];

/// Request fields that an ability stands for.
const PARAMETERS: &[(Ability, &[&str])] = &[
    (Ability::Tools, &["tools", "tool_choice"]),
    (Ability::JsonSchema, &["response_format", "structured_outputs"]),
    (Ability::Thinking, &["reasoning", "include_reasoning"]),
];

/// What a modality is, and not a feature.
const MODALITIES: &[Ability] = &[
    Ability::Image,
    Ability::Document,
    Ability::Audio,
    Ability::Video,
    Ability::TextOutput,
    Ability::ImageOutput,
    Ability::AudioOutput,
    Ability::VideoOutput,
    Ability::Embeddings,
];

/// What the callers of `/v1/models` want, and when.
pub(super) struct Asked<'a> {
    pub snapshot: &'a Snapshot,
    pub caller: &'a Caller,
    pub dialect: Dialect,
    pub query: &'a str,
    pub now: Wall,
}

/// `GET /v1/models`: all that the key may use; for callers of Anthropic's dialect in pages.
///
/// # Errors
/// When a page is asked for that cannot be.
pub(super) fn list(asked: &Asked<'_>) -> Result<Bytes> {
    let mut names = asked.snapshot.model_names();
    names.retain(|name| asked.caller.key.models.allows(name));
    let page = match asked.dialect {
        Dialect::Anthropic => Page::read(asked.query)?.of(&names)?,
        _ => Chosen { names: &names, has_more: false },
    };
    let entries = page.names.iter().filter_map(|name| {
        let model = asked.snapshot.model(name)?;
        Some(entry(asked, name, &model))
    });
    let body = json!({
        "object": "list",
        "data": entries.collect::<Vec<_>>(),
        "has_more": page.has_more,
        "first_id": page.names.first(),
        "last_id": page.names.last(),
    });
    Ok(body.to_string().into())
}

/// `GET /v1/models/{id}`
///
/// # Errors
/// When there is no such model, or the key may not use it.
pub(super) fn one(asked: &Asked<'_>, id: &str) -> Result<Bytes> {
    let model = find(asked.snapshot, asked.caller, id)?;
    Ok(entry(asked, id, &model).to_string().into())
}

/// Which part of the list is wanted, in Anthropic's words.
#[derive(Default)]
struct Page {
    after: Option<String>,
    before: Option<String>,
    limit: Option<usize>,
}

struct Chosen<'a> {
    names: &'a [String],
    has_more: bool,
}

impl Page {
    fn read(query: &str) -> Result<Self> {
        let mut page = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            match name {
                "after_id" => page.after = Some(value),
                "before_id" => page.before = Some(value),
                "limit" => {
                    let limit = value.parse().ok().filter(|n| (1..=LARGEST_PAGE).contains(n));
                    let wrong = || refuse("limit", format!("`limit` must be from 1 to {LARGEST_PAGE}."));
                    page.limit = Some(limit.ok_or_else(wrong)?);
                }
                _ => {}
            }
        }
        Ok(page)
    }

    /// Behind a name from it on, in front of a name up to it, or else from the start.
    fn of<'a>(&self, names: &'a [String]) -> Result<Chosen<'a>> {
        let limit = self.limit.unwrap_or(PAGE);
        let place = |field: &'static str, id: &str| {
            let unknown = || refuse(field, format!("`{field}` names no model of this list."));
            names.iter().position(|name| name == id).ok_or_else(unknown)
        };
        let (start, end) = match (&self.after, &self.before) {
            (Some(_), Some(_)) => {
                return Err(refuse("before_id", "`after_id` and `before_id` cannot be combined.".to_owned()));
            }
            (Some(after), None) => {
                let start = place("after_id", after)? + 1;
                (start, start.saturating_add(limit).min(names.len()))
            }
            (None, Some(before)) => {
                let end = place("before_id", before)?;
                (end.saturating_sub(limit), end)
            }
            (None, None) => (0, limit.min(names.len())),
        };
        let has_more = if self.before.is_some() { start > 0 } else { end < names.len() };
        Ok(Chosen { names: names.get(start..end).unwrap_or_default(), has_more })
    }
}

fn refuse(field: &'static str, text: String) -> Failure {
    Failure::new(Kind::InvalidRequest, text).param(field)
}

fn entry(asked: &Asked<'_>, name: &str, model: &Model) -> Value {
    let targets: Vec<&Target> = model.targets.iter().chain(&model.fallback).collect();
    let card = together(&targets);
    let life = life(&targets, Day::of_seconds(asked.now.seconds()));
    let owner = name.split_once('/').map_or("aigne-hub", |(owner, _)| owner);
    let title = card.title.as_deref().filter(|_| targets.len() == 1).unwrap_or(name);
    let created = card.released.map_or(0, Day::seconds);
    let moment = |day: Option<Day>| day.map(|day| format!("{day}T00:00:00Z"));
    let retires = card.retires.filter(|_| life != Life::Active);
    let entry = json!({
        "id": name, "object": "model", "created": created, "owned_by": owner,
        "type": "model", "display_name": title,
        "created_at": moment(card.released).unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned()),
        "lifecycle": life.name(), "deprecated": life != Life::Active,
        "retires_at": moment(retires), "deprecation_date": retires.map(|day| day.to_string()),
        "name": title,
    });
    let Value::Object(mut entry) = entry else { return entry };
    known(&mut entry, &card);
    let target = targets.first();
    let price = target.and_then(|target| price(asked, target));
    entry.extend(price.map(|price| ("pricing".to_owned(), pricing(&price))));
    Value::Object(entry)
}

/// What all targets of a name come to: a request goes to those that can.
fn together(targets: &[&Target]) -> Card {
    let mut cards = targets.iter().map(|target| target.card.as_deref().cloned().unwrap_or_default());
    let first = cards.next().unwrap_or_default();
    cards.fold(first, |all, card| all.beside(&card))
}

/// A name ends only when all that it stands for do.
fn life(targets: &[&Target], today: Day) -> Life {
    let lives =
        targets.iter().map(|target| target.card.as_deref().map_or(Life::Active, |card| card.life(today)));
    let lives: Vec<Life> = lives.collect();
    let first = lives.first().copied().unwrap_or(Life::Active);
    if lives.contains(&Life::Active) { Life::Active } else { first }
}

fn price(asked: &Asked<'_>, target: &Target) -> Option<Arc<Price>> {
    let provider = &target.provider;
    let (name, vendor) = (provider.name.as_str(), provider.vendor.name);
    asked.snapshot.prices.find(name, vendor, &target.upstream_model, asked.now).cloned()
}

/// Limits and abilities, as far as they are known.
fn known(entry: &mut Map<String, Value>, card: &Card) {
    let output = card.output_limit();
    let mut put = |name: &str, value: Option<Value>| {
        entry.extend(value.map(|value| (name.to_owned(), value)));
    };
    put("context_length", card.context.map(Value::from));
    put("max_input_tokens", card.context.map(Value::from));
    put("max_output_tokens", output.map(Value::from));
    put("max_tokens", output.map(Value::from));
    put("top_provider", card.context.or(output).map(|_| {
        json!({ "context_length": card.context, "max_completion_tokens": output, "is_moderated": false })
    }));
    if card.can.is_empty() && card.cannot.is_empty() {
        return;
    }
    let named = |table: &[(Ability, &'static str)]| -> Vec<&'static str> {
        table.iter().filter(|(ability, _)| card.can.contains(*ability)).map(|(_, name)| *name).collect()
    };
    let inputs = [vec!["text"], named(INPUTS)].concat();
    let outputs = named(OUTPUTS);
    put(
        "architecture",
        Some(json!({
            "modality": format!("{}->{}", inputs.join("+"), outputs.join("+")),
            "input_modalities": inputs, "output_modalities": outputs,
            "tokenizer": card.tokenizer.map(|family| family.name()),
        })),
    );
    let modalities: Abilities = MODALITIES.iter().copied().collect();
    let features: Vec<_> = card.can.without(modalities).iter().map(Ability::name).collect();
    put("features", Some(json!(features)));
    let parameters = PARAMETERS.iter().filter(|(ability, _)| card.can.contains(*ability));
    let parameters: Vec<_> = std::iter::once("max_tokens")
        .chain(parameters.flat_map(|(_, names)| names.iter().copied()))
        .collect();
    put("supported_parameters", Some(json!(parameters)));
}

/// US dollars for one of each, as decimal strings; rates of nothing are left out but for tokens.
fn pricing(price: &Price) -> Value {
    let mut all = rates(&price.rates);
    let tiers: Vec<Value> = price
        .tiers
        .iter()
        .map(|(from, tier)| {
            let mut tier = rates(tier);
            tier.insert("from_input_tokens".to_owned(), (*from).into());
            Value::Object(tier)
        })
        .collect();
    if !tiers.is_empty() {
        all.insert("tiers".to_owned(), tiers.into());
    }
    Value::Object(all)
}

fn rates(rates: &Rates) -> Map<String, Value> {
    // What costs the same as text is no price of its own.
    let apart = |rate: Rate, text: Rate| if rate == text { Rate::default() } else { rate };
    let named = [
        ("prompt", rates.input, true),
        ("completion", rates.output, true),
        ("input_cache_read", rates.cache_read, false),
        ("input_cache_write", rates.cache_write_5m, false),
        ("input_cache_write_1h", rates.cache_write_1h, false),
        ("internal_reasoning", apart(rates.reasoning, rates.output), false),
        ("audio", apart(rates.audio_input, rates.input), false),
        ("audio_output", apart(rates.audio_output, rates.output), false),
        ("image", rates.image, false),
        ("second", rates.second, false),
        ("character", rates.character, false),
        ("request", rates.request, false),
    ];
    let stated = named.into_iter().filter(|(_, rate, always)| *always || *rate != Rate::default());
    stated.map(|(name, rate, _)| (name.to_owned(), each(rate).into())).collect()
}

/// The price of one, from that of a million.
fn each(rate: Rate) -> String {
    let digits = format!("{:0>width$}", rate.0.unsigned_abs(), width = PLACES + 1);
    let (whole, fraction) = digits.split_at(digits.len() - PLACES);
    let text = format!("{whole}.{fraction}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_price_of_one_is_a_plain_decimal() {
        for (million, one) in [
            ("2.5", "0.0000025"),
            ("0", "0"),
            ("40000", "0.04"),
            ("1000000", "1"),
            ("0.000000000001", "0.000000000000000001"),
            ("12500000", "12.5"),
        ] {
            assert_eq!(each(Rate::parse(million).unwrap()), one, "{million}");
        }
    }

    fn page(query: &str) -> Result<(Vec<String>, bool)> {
        let names: Vec<String> = ["a", "b", "c/d", "e"].map(str::to_owned).into();
        let page = Page::read(query)?;
        let chosen = page.of(&names)?;
        Ok((chosen.names.to_vec(), chosen.has_more))
    }

    #[test]
    fn pages_begin_behind_a_name_or_end_in_front_of_one() {
        for (query, names, more) in [
            ("", &["a", "b", "c/d", "e"][..], false),
            ("limit=2", &["a", "b"], true),
            ("limit=2&after_id=b", &["c/d", "e"], false),
            ("limit=1&after_id=b", &["c/d"], true),
            ("after_id=e", &[], false),
            ("limit=2&before_id=e", &["b", "c/d"], true),
            ("before_id=c%2Fd", &["a", "b"], false),
            ("before_id=a", &[], false),
        ] {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(page(query).unwrap(), (names, more), "{query}");
        }
    }

    #[test]
    fn pages_that_cannot_be_are_refused() {
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=x", "limit"),
            ("after_id=z", "after_id"),
            ("before_id=z", "before_id"),
            ("after_id=a&before_id=b", "before_id"),
        ] {
            let failure = page(query).unwrap_err();
            assert_eq!(
                (failure.kind, failure.param.as_deref()),
                (Kind::InvalidRequest, Some(field)),
                "{query}"
            );
        }
    }
}
