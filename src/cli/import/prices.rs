//! Prices of the old hub that this one lacks, as rows of a price file. Only what vendors charge is
//! taken (its unit costs); its rates are in credits and hold a margin.

use super::plan::NewPrice;
use crate::cli::catalogue::decimal::rate;
use crate::ledger::PriceTable;
use crate::types::Rate;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

/// Dollars for one become dollars for a million.
const MILLION: i32 = 6;

#[derive(Deserialize)]
struct UnitCosts<'a> {
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
}

/// Names of rates, and dollars per million.
pub(super) fn rates(kind: &str, costs: Option<&str>) -> Result<Vec<(&'static str, String)>, String> {
    let costs = costs.ok_or("has no unit costs")?;
    let costs: UnitCosts<'_> = serde_json::from_str(costs).map_err(|_| "its unit costs cannot be read")?;
    let read = |value: Option<&RawValue>| match value.map(RawValue::get) {
        None | Some("null") => Ok(None),
        Some(text) => rate(text, MILLION).map(Some).ok_or_else(|| format!("{text} is no cost")),
    };
    let (input, output) = (read(costs.input)?, read(costs.output)?);
    let names = match kind {
        "chatCompletion" => ["input", "output"],
        "embedding" => ["input", ""],
        "imageGeneration" => ["input", "image"],
        "video" => ["input", "second"],
        other => return Err(format!("is for {other}, which has no price here")),
    };
    let named = names.into_iter().zip([input, output]);
    let rates: Vec<_> = named.filter_map(|(name, rate)| Some((name, rate?))).collect();
    let rates: Vec<_> =
        rates.into_iter().filter(|(name, rate)| !name.is_empty() && *rate != Rate(0)).collect();
    match rates.is_empty() {
        true => Err("costs nothing there; write a price if that is so".to_owned()),
        false => Ok(rates.into_iter().map(|(name, rate)| (name, rate.to_string())).collect()),
    }
}

/// Rows that a price file does not have yet.
///
/// # Errors
/// The file is there and is none.
pub(super) fn missing(file: &Path, wanted: &[NewPrice], today: &str) -> Result<Vec<String>, String> {
    let name = file.display().to_string();
    let held = match std::fs::read_to_string(file) {
        Ok(text) => PriceTable::parse_toml(&name, &text).map_err(|problems| problems.join("\n"))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(format!("{name}: {error}")),
    };
    let mut known: HashSet<(String, String)> = held
        .iter()
        .map(|price| (price.provider.to_string(), price.model.to_string().to_lowercase()))
        .collect();
    let new = |price: &&NewPrice| known.insert((price.provider.clone(), price.model.to_lowercase()));
    let new: Vec<&NewPrice> = wanted.iter().filter(new).collect();
    Ok(new.into_iter().map(|price| row(price, today)).collect())
}

fn row(price: &NewPrice, today: &str) -> String {
    let mut text = format!(
        "[[price]]\nprovider = {}\nmodel = {}\nvalid_from = \"{today}\"\n",
        toml::Value::from(price.provider.as_str()),
        toml::Value::from(price.model.as_str())
    );
    for (name, rate) in &price.rates {
        text.push_str(&format!("{name} = \"{rate}\"\n"));
    }
    text.push_str("source = \"imported\"\n\n");
    text
}

/// Adds rows to the file; what to say of it, if anything was added.
///
/// # Errors
/// It cannot be written.
pub(super) fn written(file: &Path, rows: &[String]) -> Result<Option<String>, String> {
    if rows.is_empty() {
        return Ok(None);
    }
    let at = |error: std::io::Error| format!("{}: {error}", file.display());
    let mut open = std::fs::OpenOptions::new().create(true).append(true).open(file).map_err(at)?;
    open.write_all(rows.concat().as_bytes()).map_err(at)?;
    let (count, name) = (rows.len(), file.display());
    Ok(Some(format!("prices: {count} rows are in {name}; name it under prices.files to put them into force")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_of_one_become_costs_of_a_million_without_a_float() {
        let told = |kind: &str, costs: &str| rates(kind, Some(costs));
        assert_eq!(
            told("chatCompletion", r#"{"input":1.5e-7,"output":0.0000006}"#),
            Ok(vec![("input", "0.15".to_owned()), ("output", "0.6".to_owned())])
        );
        assert_eq!(
            told("imageGeneration", r#"{"input":0,"output":"0.04"}"#),
            Ok(vec![("image", "40000".to_owned())])
        );
        assert_eq!(told("embedding", r#"{"input":2e-8,"output":1}"#), Ok(vec![("input", "0.02".to_owned())]));
        for bad in ["{", r#"{"input":-1}"#, r#"{"input":0}"#, "{}", r#"{"input":[1]}"#] {
            assert!(told("chatCompletion", bad).is_err(), "{bad}");
        }
        assert!(rates("chatCompletion", None).is_err() && told("custom", r#"{"input":1}"#).is_err());
    }

    #[test]
    fn a_row_is_written_once_and_is_one_that_the_books_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("prices.toml");
        let price = |model: &str| NewPrice {
            provider: "openai".into(),
            model: model.into(),
            rates: vec![("input", "0.15".into())],
        };
        let wanted = [price("a\"b"), price("A\"B"), price("c")];
        let rows = missing(&file, &wanted, "2026-01-02").unwrap();
        assert_eq!(rows.len(), 2);
        assert!(written(&file, &rows).unwrap().is_some());
        assert!(missing(&file, &wanted, "2026-02-02").unwrap().is_empty());
        assert!(written(&file, &[]).unwrap().is_none());
    }
}
