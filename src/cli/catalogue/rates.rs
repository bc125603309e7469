//! From what lists say to rows of prices. A row that is written stays as it is,
//! to the byte; a price that moved is a new row from the list's day on.

use super::listed::{List, Listed, Named};
use crate::catalogue::Day;
use crate::ledger::{Price, PriceTable, Rates};
use crate::types::{Rate, Wall};
use std::collections::{BTreeMap, BTreeSet};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// The row that holds now, and what it names.
struct Row {
    price: Price,
    named: Named,
    tiers: Vec<(u64, Named)>,
}

/// What is to be added to the price file, and a line for each thing to know.
///
/// # Errors
/// What is wrong in the price file.
pub(super) fn added(file: &str, text: &str, lists: &[List]) -> Result<(String, Vec<String>), String> {
    let latest = latest(file, text)?;
    let keys: BTreeSet<_> = lists.iter().flat_map(|list| list.models.keys()).collect();
    let (mut rows, mut notes) = (String::new(), Vec::new());
    for key in keys {
        let mut stated = lists.iter().filter_map(|list| {
            let listed = list.models.get(key)?;
            (!listed.rates.is_empty()).then_some((list, listed))
        });
        let Some((list, listed)) = stated.next() else { continue };
        let name = format!("{}/{}", key.0, key.1);
        for (other, theirs) in stated {
            notes.extend(disagreement(&name, (list, listed), (other, theirs)));
        }
        match latest.get(key) {
            None => {
                notes.push(format!("price + {name}: {}", shown(&listed.rates)));
                rows += &row_text(key, list.day, &listed.rates, &listed.tiers, listed.page.as_deref());
            }
            Some(row) => {
                let moved = row.moved(listed);
                if moved.is_empty() {
                    continue;
                }
                let moved = moved.join(", ");
                if row.price.valid_from >= moment(list.day) {
                    let from = Day::of_seconds(row.price.valid_from.seconds());
                    notes.push(format!(
                        "price ! {name}: {moved}; not added, for the row of {from} is as new as the list"
                    ));
                    continue;
                }
                notes.push(format!("price ~ {name}: {moved}, from {}", list.day));
                let (named, tiers) = row.with(listed);
                rows += &row_text(key, list.day, &named, &tiers, listed.page.as_deref());
            }
        }
    }
    Ok((rows, notes))
}

fn moment(day: Day) -> Wall {
    Wall(day.seconds().saturating_mul(MICROS_PER_SECOND))
}

fn latest(file: &str, text: &str) -> Result<BTreeMap<(String, String), Row>, String> {
    let prices = PriceTable::parse_toml(file, text).map_err(|problems| problems.join("\n"))?;
    let table: toml::Table = text.parse().map_err(|e| format!("{file}: {e}"))?;
    let written = table.get("price").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut latest: BTreeMap<(String, String), Row> = BTreeMap::new();
    for (price, table) in prices.into_iter().zip(written) {
        let key = (price.provider.to_string(), price.model.to_ascii_lowercase());
        if latest.get(&key).is_some_and(|known| known.price.valid_from > price.valid_from) {
            continue;
        }
        let tiers = table.get("tiers").and_then(toml::Value::as_array).into_iter().flatten();
        let from = |tier: &toml::Value| tier.get("from")?.as_integer().and_then(|n| u64::try_from(n).ok());
        let tiers = tiers.filter_map(|tier| Some((from(tier)?, written_rates(tier)))).collect();
        latest.insert(key, Row { price, named: written_rates(table), tiers });
    }
    Ok(latest)
}

fn written_rates(table: &toml::Value) -> Named {
    let read = |name: &'static str| Some((name, Rate::parse(table.get(name)?.as_str()?).ok()?));
    Rates::default().named().filter_map(|(name, _)| read(name)).collect()
}

impl Row {
    /// What a list names otherwise. What it does not name has not moved.
    fn moved(&self, listed: &Listed) -> Vec<String> {
        let mut moved = differences(&self.price.rates, &listed.rates, "");
        for (from, rates) in &listed.tiers {
            match self.price.tiers.iter().find(|(known, _)| known == from) {
                Some((_, known)) => moved.extend(differences(known, rates, &format!("from {from} tokens "))),
                None => moved.push(format!("a tier from {from} tokens")),
            }
        }
        moved
    }

    /// The row with what a list names put over it.
    fn with(&self, listed: &Listed) -> (Named, Vec<(u64, Named)>) {
        let mut named = self.named.clone();
        named.extend(listed.rates.iter().map(|(name, rate)| (*name, *rate)));
        let tiers = if listed.tiers.is_empty() { self.tiers.clone() } else { listed.tiers.clone() };
        (named, tiers)
    }
}

fn differences(known: &Rates, listed: &Named, place: &str) -> Vec<String> {
    let known: Named = known.named().collect();
    let moved = listed.iter().filter(|(name, rate)| known.get(*name) != Some(*rate));
    let old = |name: &str| known.get(name).copied().unwrap_or_default();
    moved.map(|(name, rate)| format!("{place}{name} {} → {rate}", old(name))).collect()
}

/// Two lists name different prices for one thing.
fn disagreement(
    name: &str,
    (list, listed): (&List, &Listed),
    (other, theirs): (&List, &Listed),
) -> Option<String> {
    let differs = |(rate_name, rate): (&&'static str, &Rate)| {
        let their = theirs.rates.get(*rate_name).filter(|their| *their != rate)?;
        Some(format!("{rate_name} {rate} and {their}"))
    };
    let different: Vec<String> = listed.rates.iter().filter_map(differs).collect();
    let said = || format!("price ? {name}: {} and {} say {}", list.name, other.name, different.join(", "));
    (!different.is_empty()).then(said)
}

fn shown(rates: &Named) -> String {
    rates.iter().map(|(name, rate)| format!("{name} {rate}")).collect::<Vec<_>>().join(", ")
}

fn row_text(
    key: &(String, String),
    day: Day,
    rates: &Named,
    tiers: &[(u64, Named)],
    page: Option<&str>,
) -> String {
    let text = |text: &str| toml::Value::from(text).to_string();
    let mut lines = vec![
        "\n[[price]]".to_owned(),
        format!("provider = {}", text(&key.0)),
        format!("model = {}", text(&key.1)),
        format!("valid_from = \"{day}\""),
    ];
    lines.extend(rate_texts(rates));
    let step = |(from, rates): &(u64, Named)| {
        let parts: Vec<String> = std::iter::once(format!("from = {from}")).chain(rate_texts(rates)).collect();
        format!("{{ {} }}", parts.join(", "))
    };
    if !tiers.is_empty() {
        lines.push(format!("tiers = [{}]", tiers.iter().map(step).collect::<Vec<_>>().join(", ")));
    }
    lines.extend(page.map(|page| format!("source = {}", text(page))));
    lines.join("\n") + "\n"
}

/// In the order of price files.
fn rate_texts(rates: &Named) -> Vec<String> {
    let line = |name| Some(format!("{name} = \"{}\"", rates.get(name)?));
    Rates::default().named().filter_map(|(name, _)| line(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::listed::tests::list;
    use super::*;

    const FILE: &str = "# kept\n[[price]]\nprovider = \"openai\"\nmodel = \"m\"\nvalid_from = \"2026-01-01\"\ninput = \"3\"\n\
                        cache_write_1h = \"6\"\noutput = \"15\"\ntiers = [{ from = 200001, input = \"6\" }]\n";

    fn litellm(input: &str, more: &str) -> String {
        format!(
            r#"{{"m":{{"litellm_provider":"openai","mode":"chat","input_cost_per_token":{input}{more}}}}}"#
        )
    }

    #[test]
    fn what_has_not_moved_adds_nothing() {
        let lists = [list(&litellm("3e-6", ",\"output_cost_per_token\":1.5e-5"), "2026-11-20")];
        assert_eq!(added("f", FILE, &lists).unwrap(), (String::new(), Vec::new()));
    }

    #[test]
    fn a_price_that_moved_is_a_new_row_and_the_old_one_keeps_its_id() {
        let lists = [list(&litellm("2e-6", ""), "2026-11-20")];
        let (rows, notes) = added("f", FILE, &lists).unwrap();
        assert_eq!(notes, ["price ~ openai/m: input 3 → 2, from 2026-11-20"]);
        let before = PriceTable::parse_toml("f", FILE).unwrap();
        let after = PriceTable::parse_toml("f", &format!("{FILE}{rows}")).unwrap();
        assert_eq!(after[0], before[0]);
        let new = &after[1];
        let shown = [new.rates.input, new.rates.cache_write_1h, new.rates.output, new.tiers[0].1.input]
            .map(|r| r.to_string());
        assert_eq!(shown, ["2", "6", "15", "6"], "what the list does not name stays");
        let (rows, notes) = added("f", &format!("{FILE}{rows}"), &lists).unwrap();
        assert_eq!((rows.as_str(), notes.len()), ("", 0), "a second build adds nothing");
    }

    #[test]
    fn a_list_that_is_no_newer_than_the_row_moves_nothing() {
        for day in ["2026-01-01", "2025-12-31"] {
            let (rows, notes) = added("f", FILE, &[list(&litellm("2e-6", ""), day)]).unwrap();
            assert_eq!(rows, "");
            assert!(notes[0].starts_with("price ! openai/m: input 3 → 2; not added"), "{notes:?}");
        }
    }

    #[test]
    fn of_several_lists_the_first_decides_and_another_price_is_told() {
        let other = r#"{"openai":{"models":{"m":{"cost":{"input":9,"output":15}},"n":{"cost":{"input":1.5,"output":2}}}}}"#;
        let lists = [list(&litellm("3e-6", ""), "2026-11-20"), list(other, "2026-07-02")];
        let (rows, notes) = added("f", FILE, &lists).unwrap();
        assert_eq!(
            notes,
            [
                "price ? openai/m: litellm and models.dev say input 3 and 9",
                "price + openai/n: input 1.5, output 2"
            ]
        );
        assert_eq!(
            rows,
            "\n[[price]]\nprovider = \"openai\"\nmodel = \"n\"\nvalid_from = \"2026-07-02\"\ninput = \"1.5\"\noutput = \"2\"\n"
        );
    }

    #[test]
    fn a_new_tier_is_a_move() {
        let more = ",\"input_cost_per_token_above_100k_tokens\":4e-6";
        let (rows, notes) = added("f", FILE, &[list(&litellm("3e-6", more), "2026-11-20")]).unwrap();
        assert!(notes[0].contains("a tier from 100001 tokens"), "{notes:?}");
        assert!(rows.contains("tiers = [{ from = 100001, input = \"4\" }]"), "{rows}");
    }

    #[test]
    fn a_price_file_that_is_wrong_is_told() {
        assert!(added("f", "[[price]]\n", &[]).unwrap_err().starts_with("f:1"));
    }
}
