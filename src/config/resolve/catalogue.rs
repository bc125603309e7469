//! What the operator knows of models, above what is built in.

use super::Resolver;
use super::providers::Providers;
use crate::catalogue::{Card, Catalogue, Day};
use crate::chat::{Abilities, Ability};
use crate::config::at::At;
use crate::config::check::nearest;
use crate::config::{Capabilities, raw};
use crate::provider::vendor;
use crate::tokens::Family;
use std::collections::HashSet;
use std::sync::Arc;

/// What becomes of a request that needs what a model is known not to have.
pub(super) fn capabilities(raw: &raw::Catalogue) -> Capabilities {
    match raw.capabilities {
        Some(raw::Capabilities::Strict) => Capabilities::Strict,
        Some(raw::Capabilities::Lenient) | None => Capabilities::Lenient,
        Some(raw::Capabilities::Off) => Capabilities::Off,
    }
}

impl Resolver<'_> {
    pub(super) fn catalogue(&mut self, raw: &raw::Catalogue, providers: &Providers) -> Catalogue {
        let mut seen = HashSet::new();
        let mut cards = Vec::new();
        for at in &raw.model {
            let Some(card) = self.card(at, providers) else { continue };
            if !seen.insert((Arc::clone(&card.provider), Arc::clone(&card.model))) {
                self.notes.below(&at.span, "model", "is described twice for this provider");
            }
            cards.push(card);
        }
        Catalogue::new(cards)
    }

    fn card(&mut self, at: &At<raw::CatalogueModel>, providers: &Providers) -> Option<Card> {
        let raw = &at.value;
        let provider = raw.provider.as_ref().and_then(|at| self.provider_or_vendor(at, providers));
        let model = raw.model.as_ref().and_then(|at| self.filled(at));
        let (can, cannot) = (self.abilities(&raw.can), self.abilities(&raw.cannot));
        for ability in can.both(cannot).iter() {
            self.notes.below(&at.span, "cannot", format!("{} is also in `can`", ability.name()));
        }
        let tokenizer = raw.tokenizer.as_ref().and_then(|at| {
            let known = "is none of o200k_base, cl100k_base";
            self.note(&at.span, Family::parse(&at.value).ok_or_else(|| format!("{:?} {known}", at.value)))
        });
        Some(Card {
            title: raw.title.as_ref().and_then(|at| self.filled(at)).map(Into::into),
            context: self.tokens(raw.context_length.as_ref()),
            max_output: self.tokens(raw.max_output_tokens.as_ref()),
            can,
            cannot,
            tokenizer,
            released: self.day(raw.released.as_ref()),
            retires: self.day(raw.retires.as_ref()),
            deprecated: raw.deprecated.unwrap_or(false),
            source: "configuration".into(),
            provider: provider?.into(),
            model: model?.to_ascii_lowercase().into(),
        })
    }

    fn provider_or_vendor<'t>(&mut self, at: &'t At<String>, providers: &Providers) -> Option<&'t str> {
        let name = self.filled(at)?;
        if providers.declared.contains(name) || vendor(name).is_some() {
            return Some(name);
        }
        let mut known: Vec<&str> = providers.declared.iter().map(String::as_str).collect();
        known.extend(crate::provider::VENDORS.iter().map(|vendor| vendor.name));
        let hint = nearest(name, &known).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        self.notes.at(&at.span, format!("there is no provider and no vendor {name}{hint}"));
        None
    }

    fn filled<'t>(&mut self, at: &'t At<String>) -> Option<&'t str> {
        if at.value.is_empty() {
            self.notes.at(&at.span, "is empty");
        }
        Some(at.value.as_str()).filter(|text| !text.is_empty())
    }

    fn tokens(&mut self, at: Option<&At<u64>>) -> Option<u64> {
        at.map(|at| self.count(Some(at), 0))
    }

    fn abilities(&mut self, list: &[At<String>]) -> Abilities {
        let known: Vec<&str> = Ability::ALL.iter().map(|ability| ability.name()).collect();
        let mut found = Abilities::NONE;
        for at in list {
            let hint = || match nearest(&at.value, &known) {
                Some(near) => format!("{:?} is no ability; did you mean {near}?", at.value),
                None => format!("{:?} is no ability; known are {}", at.value, known.join(", ")),
            };
            if let Some(ability) = self.note(&at.span, Ability::parse(&at.value).ok_or_else(hint)) {
                found.insert(ability);
            }
        }
        found
    }

    fn day(&mut self, at: Option<&At<String>>) -> Option<Day> {
        let at = at?;
        let wrong = || format!("{:?} is no day; write it like \"2026-11-20\"", at.value);
        self.note(&at.span, Day::parse(&at.value).ok_or_else(wrong))
    }
}
