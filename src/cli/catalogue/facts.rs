//! From what lists say to the table of models, and what changed in it.

use super::listed::{List, Listed};
use crate::catalogue::Card;
use crate::chat::Abilities;
use std::collections::{BTreeMap, BTreeSet};

type Key = (String, String);

/// The new table in order, and a line for each change.
pub(super) fn merge(old: &[Card], lists: &[List], drop_gone: bool) -> (Vec<Card>, Vec<String>) {
    let before: BTreeMap<Key, &Card> =
        old.iter().map(|card| ((card.provider.to_string(), card.model.to_string()), card)).collect();
    let fresh = fresh(&before, lists);
    let keys: BTreeSet<&Key> = before.keys().chain(fresh.keys()).collect();
    let (mut cards, mut changes) = (Vec::new(), Vec::new());
    for key in keys {
        let (provider, model) = key;
        match (fresh.get(key), before.get(key)) {
            (Some(new), known) => {
                let moved = known.map(|known| differences(known, new));
                match moved {
                    None => changes.push(format!("model + {provider}/{model}")),
                    Some(moved) if moved.is_empty() => {}
                    Some(moved) => changes.push(format!("model ~ {provider}/{model}: {}", moved.join(", "))),
                }
                cards.push(new.clone());
            }
            (None, Some(known)) => {
                let gone = sources(known).all(|source| lists.iter().any(|list| list.name == source));
                if gone {
                    changes.push(format!("model - {provider}/{model}: no list names it any more"));
                }
                if !(gone && drop_gone) {
                    cards.push((*known).clone());
                }
            }
            (None, None) => {}
        }
    }
    (cards, changes)
}

/// What the lists say of each model that they name.
fn fresh(before: &BTreeMap<Key, &Card>, lists: &[List]) -> BTreeMap<Key, Card> {
    let keys: BTreeSet<&Key> = lists.iter().flat_map(|list| list.models.keys()).collect();
    let card = |key: &Key| {
        let card = together(key, lists)?;
        let known = before.get(key).map(|known| with_other_lists(card.clone(), known, lists));
        Some((key.clone(), known.unwrap_or(card)))
    };
    let mut fresh: BTreeMap<Key, Card> = keys.into_iter().filter_map(card).collect();
    let plain: BTreeMap<Key, Card> = fresh.clone();
    for ((provider, model), card) in &mut fresh {
        let Some(sibling) = undated(model).and_then(|name| plain.get(&(provider.clone(), name.to_owned())))
        else {
            continue;
        };
        let said = card.can.union(card.cannot);
        card.can = card.can.union(sibling.can.without(said));
        card.cannot = card.cannot.union(sibling.cannot.without(said));
    }
    fresh
}

/// The name without the day at its end: `gpt-4o-2024-08-06`, `claude-opus-4-7-20260416` and
/// `gpt-4-0613` are days of `gpt-4o`, `claude-opus-4-7` and `gpt-4`. What the newest of them cannot
/// do, no older one can.
fn undated(model: &str) -> Option<&str> {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let (rest, last) = model.rsplit_once('-')?;
    if digits(last, 8) || digits(last, 4) {
        return Some(rest);
    }
    let (rest, month) = rest.rsplit_once('-').filter(|_| digits(last, 2))?;
    let (rest, year) = rest.rsplit_once('-').filter(|_| digits(month, 2))?;
    Some(rest).filter(|_| digits(year, 4))
}

fn sources(card: &Card) -> impl Iterator<Item = &str> {
    card.source.split(',').filter(|source| !source.is_empty())
}

/// One card of what all lists say. A limit is the highest that anybody states,
/// so that no request is refused for a stale number and no hold is too small;
/// an ability is there if one list says so.
fn together(key: &Key, lists: &[List]) -> Option<Card> {
    let found: Vec<&Listed> = lists.iter().filter_map(|list| list.models.get(key)).collect();
    let mut cards = found.iter().map(|listed| &listed.card);
    let mut card = cards.next()?.clone();
    for other in cards {
        card.title = card.title.or_else(|| other.title.clone());
        card.context = card.context.max(other.context);
        card.max_output = card.max_output.max(other.max_output);
        card.can = card.can.union(other.can);
        card.cannot = card.cannot.union(other.cannot);
        card.released = card.released.or(other.released);
        card.retires = card.retires.or(other.retires);
        card.deprecated |= other.deprecated;
        card.source = format!("{},{}", card.source, other.source).into();
    }
    card.cannot = card.cannot.without(card.can);
    Some(card)
}

/// What a list said that is not at hand now stays.
fn with_other_lists(new: Card, known: &Card, lists: &[List]) -> Card {
    let others: Vec<&str> =
        sources(known).filter(|source| lists.iter().all(|list| list.name != *source)).collect();
    if others.is_empty() {
        return new;
    }
    let source = format!("{},{}", new.source, others.join(","));
    Card { source: source.into(), ..new.over(known) }
}

fn differences(old: &Card, new: &Card) -> Vec<String> {
    let shown = |n: Option<String>| n.unwrap_or_else(|| "not known".to_owned());
    let mut found = Vec::new();
    let mut note = |what: &str, old: Option<String>, new: Option<String>| {
        if old != new {
            found.push(format!("{what} {} → {}", shown(old), shown(new)));
        }
    };
    note("context", old.context.map(|n| n.to_string()), new.context.map(|n| n.to_string()));
    note("max_output", old.max_output.map(|n| n.to_string()), new.max_output.map(|n| n.to_string()));
    note("retires", old.retires.map(|day| day.to_string()), new.retires.map(|day| day.to_string()));
    note("title", old.title.as_deref().map(str::to_owned), new.title.as_deref().map(str::to_owned));
    note("deprecated", Some(old.deprecated.to_string()), Some(new.deprecated.to_string()));
    let names = |set: Abilities| Some(set.to_string()).filter(|names| !names.is_empty());
    note("can", names(old.can), names(new.can));
    note("cannot", names(old.cannot), names(new.cannot));
    found
}

#[cfg(test)]
mod tests {
    use super::super::listed::tests::list;
    use super::*;

    const ONE: &str = r#"{"m":{"litellm_provider":"openai","mode":"chat","max_input_tokens":272000,"supports_vision":true}}"#;
    const OTHER: &str = r#"{"openai":{"models":{"m":{"name":"M","modalities":{"input":["text"]},
        "limit":{"context":400000,"output":128000}}}}}"#;

    #[test]
    fn lists_add_up_and_a_yes_outweighs_a_no() {
        let lists = [list(ONE, "2026-11-20"), list(OTHER, "2026-07-02")];
        let (cards, changes) = merge(&[], &lists, false);
        assert_eq!(changes, ["model + openai/m"]);
        let card = &cards[0];
        assert_eq!(
            (card.context, card.max_output, &*card.source),
            (Some(400_000), Some(128_000), "litellm,models.dev")
        );
        assert_eq!(card.can.to_string(), "image,text_output");
        assert_eq!(card.cannot.to_string(), "document,audio,video");
        assert_eq!(
            merge(&cards, &lists, false),
            (cards.clone(), Vec::new()),
            "a second build changes nothing"
        );
    }

    #[test]
    fn a_list_that_is_not_at_hand_keeps_its_word() {
        let (cards, _) = merge(&[], &[list(ONE, "2026-11-20"), list(OTHER, "2026-07-02")], false);
        let (again, changes) = merge(&cards, &[list(OTHER, "2026-07-02")], true);
        assert_eq!(again.len(), 1);
        assert!(again[0].source.contains("litellm") && again[0].cannot.contains(crate::chat::Ability::Audio));
        assert!(changes.iter().all(|change| !change.contains(" - ")), "{changes:?}");
    }

    #[test]
    fn a_dated_name_takes_what_it_does_not_say_from_its_sibling() {
        for (model, plain) in [
            ("gpt-4o-2024-08-06", Some("gpt-4o")),
            ("claude-opus-4-7-20260416", Some("claude-opus-4-7")),
            ("gpt-4-0613", Some("gpt-4")),
            ("claude-opus-4-7", None),
            ("gpt-5", None),
            ("x-12-34", None),
        ] {
            assert_eq!(undated(model), plain, "{model}");
        }
        let dated = ONE
            .replace("\"m\"", "\"m-2026-01-02\"")
            .replace("\"supports_vision\":true", "\"supports_vision\":false");
        let (cards, _) = merge(&[], &[list(&dated, "2026-11-20"), list(OTHER, "2026-07-02")], false);
        let dated = cards.iter().find(|card| &*card.model == "m-2026-01-02").unwrap();
        assert_eq!(dated.cannot.to_string(), "image,document,audio,video");
        assert_eq!(dated.context, Some(272_000), "only abilities");
    }

    #[test]
    fn what_moved_and_what_is_gone_is_said() {
        let (cards, _) = merge(&[], &[list(ONE, "2026-11-20")], false);
        let moved = ONE.replace("272000", "100000");
        let (_, changes) = merge(&cards, &[list(&moved, "2026-12-01")], false);
        assert_eq!(changes, ["model ~ openai/m: context 272000 → 100000"]);
        let empty = list(&ONE.replace("\"m\"", "\"n\""), "2026-12-01");
        let (kept, changes) = merge(&cards, &[empty], false);
        assert_eq!((kept.len(), changes.len()), (2, 2));
        assert!(changes[0].starts_with("model - openai/m: no list"));
        let (left, _) = merge(&cards, &[list(&ONE.replace("\"m\"", "\"n\""), "2026-12-01")], true);
        assert_eq!(left.len(), 1);
    }
}
