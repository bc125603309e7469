//! All cards, and the one that holds for a model of a provider.

use super::{Card, parse};
use ahash::{HashMap, HashMapExt};
use std::sync::{Arc, LazyLock};

const FILE: &str = "conf/models.tsv";
const TEXT: &str = include_str!("../../conf/models.tsv");

/// A test says that the file has no problems; if it had, models would be unknown.
static BUILT_IN: LazyLock<Cards> = LazyLock::new(|| Cards::new(parse(FILE, TEXT).unwrap_or_default()));

/// All cards: those of the operator, and below them those that are built in.
/// Asked when targets are made, not for each request.
#[derive(Default)]
pub struct Catalogue {
    own: Cards,
    listed: Option<&'static Cards>,
}

/// Cards by provider.
#[derive(Default)]
struct Cards(HashMap<Arc<str>, Shelf>);

#[derive(Default)]
struct Shelf {
    exact: HashMap<Arc<str>, Arc<Card>>,
    /// What stands before the `*`, longest first.
    prefixes: Vec<Arc<Card>>,
}

impl Cards {
    fn new(cards: Vec<Card>) -> Self {
        let mut shelves: HashMap<Arc<str>, Shelf> = HashMap::new();
        for card in cards.into_iter().map(Arc::new) {
            shelves.entry(Arc::clone(&card.provider)).or_default().add(card);
        }
        Self(shelves)
    }

    fn find(&self, provider: &str, model: &str) -> Option<&Arc<Card>> {
        self.0.get(provider)?.find(model)
    }
}

impl Shelf {
    /// Of two cards for the same name the later one holds.
    fn add(&mut self, card: Arc<Card>) {
        match card.model.strip_suffix('*') {
            None => drop(self.exact.insert(Arc::clone(&card.model), card)),
            Some(_) => {
                let place = self.prefixes.partition_point(|known| known.model.len() > card.model.len());
                self.prefixes.insert(place, card);
            }
        }
    }

    fn find(&self, model: &str) -> Option<&Arc<Card>> {
        let begins = |card: &&Arc<Card>| card.model.strip_suffix('*').is_some_and(|p| model.starts_with(p));
        self.exact.get(model).or_else(|| self.prefixes.iter().find(begins))
    }
}

impl Catalogue {
    /// The built-in cards, and above them an operator's.
    pub fn new(own: Vec<Card>) -> Self {
        Self { own: Cards::new(own), listed: Some(&BUILT_IN) }
    }

    /// How many cards are built in.
    pub fn built_in_len() -> usize {
        BUILT_IN.0.values().map(|shelf| shelf.exact.len() + shelf.prefixes.len()).sum()
    }

    /// What is known of a provider's model: what the operator says of it under
    /// the provider's name, then under its vendor's, then what the lists say of
    /// the vendor's; each fills the gaps of those before. Names match in any
    /// case, exactly or by the longest card that ends in `*`. A name with its
    /// maker in front (`google/gemini-2.5-pro`, `models/gemini-2.5-pro`) is
    /// also looked for without.
    pub fn find(&self, provider: &str, vendor: &str, model: &str) -> Option<Arc<Card>> {
        let model = model.to_ascii_lowercase();
        let bare = model.rsplit_once('/').map(|(_, bare)| bare);
        let on = |cards: &'_ Cards, name: &str| -> Option<Arc<Card>> {
            let found = cards.find(name, &model).or_else(|| bare.and_then(|bare| cards.find(name, bare)));
            found.cloned()
        };
        let own = on(&self.own, provider);
        let of_vendor = if provider == vendor { None } else { on(&self.own, vendor) };
        let listed = self.listed.and_then(|cards| on(cards, vendor));
        [own, of_vendor, listed].into_iter().flatten().reduce(|upper, lower| {
            let filled = (*upper).clone().over(&lower);
            Arc::new(filled)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Ability;
    use crate::provider::vendor;

    fn card(provider: &str, model: &str, context: u64) -> Card {
        Card { provider: provider.into(), model: model.into(), context: Some(context), ..Card::default() }
    }

    fn context(catalogue: &Catalogue, provider: &str, vendor: &str, model: &str) -> Option<u64> {
        catalogue.find(provider, vendor, model).and_then(|card| card.context)
    }

    #[test]
    fn exact_beats_prefix_and_the_longest_prefix_wins() {
        let own =
            vec![card("p", "*", 1), card("p", "gpt-*", 2), card("p", "gpt-4*", 3), card("p", "gpt-4o", 4)];
        let catalogue = Catalogue { own: Cards::new(own), listed: None };
        for (model, expected) in
            [("GPT-4o", 4), ("gpt-4o-mini", 3), ("gpt-3.5", 2), ("x", 1), ("x/gpt-4o", 1)]
        {
            assert_eq!(context(&catalogue, "p", "v", model), Some(expected), "{model}");
        }
        assert_eq!(context(&catalogue, "q", "v", "gpt-4o"), None);
    }

    #[test]
    fn the_operators_word_comes_first_and_lists_fill_the_gaps() {
        let own = vec![card("eu", "gpt-4o", 7), card("openai", "gpt-4o", 8)];
        let catalogue = Catalogue::new(own);
        assert_eq!(context(&catalogue, "eu", "openai", "gpt-4o"), Some(7));
        assert_eq!(context(&catalogue, "us", "openai", "gpt-4o"), Some(8));
        let found = catalogue.find("eu", "openai", "gpt-4o").unwrap();
        assert!(found.can.contains(Ability::Image) && found.max_output == Some(16_384));
    }

    #[test]
    fn a_makers_name_in_front_is_taken_off() {
        let catalogue = Catalogue::new(Vec::new());
        let plain = catalogue.find("gemini", "gemini", "gemini-2.5-pro").unwrap();
        assert_eq!(catalogue.find("gemini", "gemini", "models/gemini-2.5-pro"), Some(plain));
    }

    #[test]
    fn the_file_is_sound_small_and_in_order() {
        let cards = parse(FILE, TEXT).unwrap();
        assert!(TEXT.len() < 300_000, "{}", TEXT.len());
        assert!(cards.iter().all(|card| vendor(&card.provider).is_some()));
        let keys: Vec<_> = cards.iter().map(|card| (&card.provider, &card.model)).collect();
        assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(Catalogue::built_in_len(), cards.len());
        for vendor in [
            "openai",
            "anthropic",
            "bedrock",
            "gemini",
            "deepseek",
            "openrouter",
            "xai",
            "doubao",
            "poe",
            "ollama",
        ] {
            assert!(cards.iter().any(|card| &*card.provider == vendor), "{vendor}");
        }
    }

    #[test]
    fn known_models_are_what_their_vendors_say() {
        let catalogue = Catalogue::new(Vec::new());
        let find = |vendor: &str, model: &str| catalogue.find(vendor, vendor, model).unwrap();
        let gpt = find("openai", "gpt-4o");
        assert_eq!((gpt.context, gpt.max_output), (Some(128_000), Some(16_384)));
        assert!(gpt.can.contains(Ability::Image) && gpt.can.contains(Ability::JsonSchema));
        let old = find("openai", "gpt-3.5-turbo");
        assert!(old.cannot.contains(Ability::Image) && old.can.contains(Ability::Tools));
        let claude = find("anthropic", "claude-sonnet-4-5");
        assert_eq!(claude.max_output, Some(64_000));
        assert!(claude.can.contains(Ability::Document) && claude.cannot.contains(Ability::Audio));
        assert!(find("deepseek", "deepseek-chat").cannot.contains(Ability::Image));
        assert!(find("gemini", "gemini-2.5-pro").can.contains(Ability::Video));
        assert!(find("openai", "text-embedding-3-small").can.contains(Ability::Embeddings));
    }
}
