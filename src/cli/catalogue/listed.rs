//! What a public list says of one model, in our words; and which list a file is.

use super::{Source, decimal, litellm, models_dev, openrouter};
use crate::catalogue::{Card, Day};
use crate::types::Rate;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A JSON object whose values are not looked into yet.
pub(super) type Raw = BTreeMap<String, Box<RawValue>>;
/// Rates by their names in price files.
pub(super) type Named = BTreeMap<&'static str, Rate>;

/// One model of a list.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Whose model, and what it is.
    pub(super) card: Card,
    /// Its rates, as far as the list names them.
    pub(super) rates: Named,
    /// Other rates from so many input tokens on, ascending.
    pub(super) tiers: Vec<(u64, Named)>,
    /// The vendor's page with the prices.
    pub(super) page: Option<String>,
}

impl Listed {
    /// Its place in the tables.
    pub(super) fn key(&self) -> (String, String) {
        (self.card.provider.to_string(), self.card.model.to_string())
    }
}

/// A list that was read.
pub(super) struct List {
    /// Its name.
    pub(super) name: &'static str,
    /// When it was taken.
    pub(super) day: Day,
    /// Its models, by provider and name.
    pub(super) models: BTreeMap<(String, String), Listed>,
}

/// Reads a list; what it is follows from its shape.
///
/// # Errors
/// When the file cannot be read or is none of the lists that are known.
pub(super) fn read(source: &Source, today: Day) -> Result<List, String> {
    let file = source.path.display();
    let text = std::fs::read_to_string(&source.path).map_err(|e| format!("{file} cannot be read: {e}"))?;
    let (name, models) = parse(&text).map_err(|what| format!("{file}: {what}"))?;
    if models.is_empty() {
        return Err(format!("{file} names no model of a vendor that the hub knows"));
    }
    let mut by_key = BTreeMap::new();
    for mut listed in models {
        listed.card.source = name.into();
        by_key.entry(listed.key()).or_insert(listed);
    }
    Ok(List { name, day: source.day.unwrap_or(today), models: by_key })
}

/// The list's name and models.
fn parse(text: &str) -> Result<(&'static str, Vec<Listed>), String> {
    let root: Raw = serde_json::from_str(text).map_err(|e| format!("it is no JSON object: {e}"))?;
    let any = |key: &str| {
        root.values().any(|value| serde_json::from_str::<Raw>(value.get()).is_ok_and(|o| o.contains_key(key)))
    };
    if root.contains_key("data") {
        Ok(("openrouter", openrouter::read(&root)?))
    } else if any("litellm_provider") {
        Ok(("litellm", litellm::read(&root)))
    } else if any("models") {
        Ok(("models.dev", models_dev::read(&root)?))
    } else {
        Err("it is neither LiteLLM's list, nor models.dev's, nor OpenRouter's".to_owned())
    }
}

/// A value of a type, when it is one.
pub(super) fn value<T: for<'de> serde::Deserialize<'de>>(row: &Raw, name: &str) -> Option<T> {
    serde_json::from_str(row.get(name)?.get()).ok()
}

/// A whole number above zero; lists write 0 for what they do not know. Some
/// write whole numbers with a fraction of nothing.
pub(super) fn count(row: &Raw, name: &str) -> Option<u64> {
    let text = row.get(name)?.get();
    let whole = text.trim_matches('"').trim_end_matches('0').strip_suffix('.').unwrap_or(text);
    text.parse().or_else(|_| whole.parse()).ok().filter(|n| *n > 0)
}

/// Rates of a row under other names; `shift` is the power of ten from the
/// list's unit to a million.
pub(super) fn named(row: &Raw, names: &[(&'static str, &str)], suffix: &str, shift: i32) -> Named {
    let read = |(ours, theirs): &(&'static str, &str)| {
        let json = row.get(&format!("{theirs}{suffix}"))?;
        Some((*ours, decimal::rate(json.get(), shift)?))
    };
    names.iter().filter_map(read).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Reads a list in a text.
    pub(in crate::cli::catalogue) fn list(text: &str, day: &str) -> List {
        let (name, models) = parse(text).unwrap();
        let by_key = models.into_iter().map(|mut listed| {
            listed.card.source = name.into();
            (listed.key(), listed)
        });
        List { name, day: Day::parse(day).unwrap(), models: by_key.collect() }
    }

    #[test]
    fn what_is_no_list_is_said() {
        for text in ["", "[]", "{}", "{\"a\": 1}", "{\"a\": {\"b\": 1}}"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_are_whole_and_above_zero() {
        let row: Raw =
            serde_json::from_str(r#"{"a":8192,"b":0,"c":4096.0,"d":"x","e":1.5,"f":1000}"#).unwrap();
        let counts = ["a", "b", "c", "d", "e", "f", "g"].map(|name| count(&row, name));
        assert_eq!(counts, [Some(8192), None, Some(4096), None, None, Some(1000), None]);
    }
}
