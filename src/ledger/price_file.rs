//! Prices as a TOML file: an array of `[[price]]` tables. Rates are decimal
//! strings in currency units per million units, never floats. Every problem is
//! reported at once, with its line.

use super::spending::day_from_text;
use super::{Price, PriceTable, Rates};
use crate::types::{Rate, Wall};
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The names of rates: in a row, and in a tier of it; in the order of [`Rates`].
pub(super) const RATE_NAMES: [&str; 12] = [
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output",
    "reasoning",
    "audio_input",
    "audio_output",
    "image",
    "second",
    "character",
    "request",
];

const ROW_NAMES: [&str; 5] = ["provider", "model", "valid_from", "tiers", "source"];

impl PriceTable {
    /// Reads the rows of a price file. `file` is its name, for the problems.
    ///
    /// A rate that a row does not name is never free by accident: cache reads,
    /// cache writes and audio in cost what input costs, writes of an hour what
    /// writes of five minutes cost, reasoning and audio out what output costs;
    /// only images, seconds, characters and requests are 0. A tier takes what
    /// it does not name from its row.
    ///
    /// # Errors
    /// Every problem as `file:line: what is wrong`.
    pub fn parse_toml(file: &str, text: &str) -> Result<Vec<Price>, Vec<String>> {
        let mut reader = Reader { file, text, problems: Vec::new() };
        let rows = reader.file();
        if reader.problems.is_empty() { Ok(rows) } else { Err(reader.problems) }
    }
}

/// Rates as they were written.
pub(super) type Named = HashMap<&'static str, Rate>;

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn problem(&mut self, at: Range<usize>, what: impl fmt::Display) {
        let before = self.text.as_bytes().get(..at.start).unwrap_or_default();
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        self.problems.push(format!("{}:{line}: {what}", self.file));
    }

    fn file(&mut self) -> Vec<Price> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            self.problem(error.span().unwrap_or(0..0), error.message());
        }
        let mut rows = Vec::new();
        let mut lines = HashMap::new();
        for (name, value) in root.get_ref() {
            if name.get_ref() != "price" {
                self.problem(
                    name.span(),
                    format_args!("unknown key `{}`, expected `[[price]]`", name.get_ref()),
                );
                continue;
            }
            for (row, span) in self.tables(value) {
                let Some(price) = self.row(row, span.clone()) else { continue };
                if lines.insert((price.provider.clone(), price.model.clone(), price.valid_from), ()).is_some()
                {
                    let (provider, model) = (&price.provider, &price.model);
                    self.problem(span, format_args!("a second row for {provider}/{model} from the same day"));
                }
                rows.push(price);
            }
        }
        rows
    }

    fn row(&mut self, row: &DeTable<'_>, span: Range<usize>) -> Option<Price> {
        let before = self.problems.len();
        self.refuse_unknown(row, &ROW_NAMES);
        let provider = self.required(row, &span, "provider");
        let model = self.required(row, &span, "model");
        let valid_from = self.valid_from(row, &span);
        let source = self.text_of(row, "source").unwrap_or_default();
        let base = self.rates(row);
        let tiers = self.tiers(row, &base);
        if base.is_empty() {
            self.problem(span, "a row without any rate; write \"0\" for what is free");
        }
        if self.problems.len() > before {
            return None;
        }
        Some(Price::new(provider?, model?, valid_from?, complete(&base), tiers, source))
    }

    fn tiers(&mut self, row: &DeTable<'_>, base: &Named) -> Vec<(u64, Rates)> {
        let Some(value) = row.get("tiers") else { return Vec::new() };
        let mut tiers: Vec<(u64, Rates)> = Vec::new();
        for (tier, span) in self.tables(value) {
            self.refuse_unknown(tier, &["from"]);
            let from = tier.get("from").and_then(|value| value.get_ref().as_integer());
            let Some(from) = from.and_then(|n| u64::from_str_radix(n.as_str(), n.radix()).ok()) else {
                self.problem(span, "a tier needs `from`: a number of input tokens");
                continue;
            };
            if from == 0 || tiers.last().is_some_and(|(last, _)| *last >= from) {
                self.problem(span, "tiers must ascend by `from`, beginning above 0");
            }
            let mut named = base.clone();
            named.extend(self.rates(tier));
            tiers.push((from, complete(&named)));
        }
        tiers
    }

    fn rates(&mut self, table: &DeTable<'_>) -> Named {
        let mut named = Named::new();
        for name in RATE_NAMES {
            let Some(value) = table.get(name) else { continue };
            let text = value.get_ref().as_str();
            match text.map(Rate::parse) {
                Some(Ok(rate)) if rate.0 >= 0 => drop(named.insert(name, rate)),
                Some(Ok(_)) => self.problem(value.span(), format_args!("`{name}` is negative")),
                Some(Err(error)) => self.problem(value.span(), format_args!("`{name}`: {error}")),
                None => {
                    self.problem(value.span(), format_args!("`{name}` must be a string such as \"2.50\""))
                }
            }
        }
        named
    }

    fn valid_from(&mut self, row: &DeTable<'_>, span: &Range<usize>) -> Option<Wall> {
        let text = self.required(row, span, "valid_from")?;
        let found = moment(text);
        if found.is_none() {
            let span = row.get("valid_from").map_or(span.clone(), Spanned::span);
            self.problem(span, "`valid_from` must be a day such as \"2026-11-20\"");
        }
        found
    }

    fn required<'t>(&mut self, row: &'t DeTable<'_>, span: &Range<usize>, name: &str) -> Option<&'t str> {
        if !row.contains_key(name) {
            self.problem(span.clone(), format_args!("`{name}` is missing"));
            return None;
        }
        let text = self.text_of(row, name)?;
        if text.is_empty() {
            self.problem(span.clone(), format_args!("`{name}` is empty"));
        }
        Some(text)
    }

    fn text_of<'t>(&mut self, row: &'t DeTable<'_>, name: &str) -> Option<&'t str> {
        let value = row.get(name)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.problem(value.span(), format_args!("`{name}` must be a string"));
        }
        text
    }

    fn tables<'t, 'i>(&mut self, value: &'t Spanned<DeValue<'i>>) -> Vec<(&'t DeTable<'i>, Range<usize>)> {
        let Some(array) = value.get_ref().as_array() else {
            self.problem(value.span(), "expected an array of tables");
            return Vec::new();
        };
        let mut tables = Vec::new();
        for entry in array.iter() {
            match entry.get_ref().as_table() {
                Some(table) => tables.push((table, entry.span())),
                None => self.problem(entry.span(), "expected a table"),
            }
        }
        tables
    }

    fn refuse_unknown(&mut self, table: &DeTable<'_>, known: &[&str]) {
        for name in table.keys() {
            let text: &str = name.get_ref();
            if !known.contains(&text) && !RATE_NAMES.contains(&text) {
                self.problem(name.span(), format_args!("unknown key `{text}`"));
            }
        }
    }
}

/// A day such as `2026-11-20`, from its first moment UTC on, or a moment in RFC 3339.
pub(super) fn moment(text: &str) -> Option<Wall> {
    let day = day_from_text(text).and_then(|day| day.checked_mul(MICROS_PER_DAY));
    let moment = || text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond);
    day.or_else(moment).map(Wall)
}

/// What is not named costs what comes nearest, see [`PriceTable::parse_toml`].
pub(super) fn complete(named: &Named) -> Rates {
    let of = |name| named.get(name).copied();
    let input = of("input").unwrap_or_default();
    let output = of("output").unwrap_or_default();
    let cache_write_5m = of("cache_write_5m").unwrap_or(input);
    Rates {
        input,
        cache_read: of("cache_read").unwrap_or(input),
        cache_write_5m,
        cache_write_1h: of("cache_write_1h").unwrap_or(cache_write_5m),
        output,
        reasoning: of("reasoning").unwrap_or(output),
        audio_input: of("audio_input").unwrap_or(input),
        audio_output: of("audio_output").unwrap_or(output),
        image: of("image").unwrap_or_default(),
        second: of("second").unwrap_or_default(),
        character: of("character").unwrap_or_default(),
        request: of("request").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Price>, Vec<String>> {
        PriceTable::parse_toml("prices.toml", text)
    }

    const ROW: &str = "[[price]]\nprovider = \"p\"\nmodel = \"m\"\nvalid_from = \"2026-11-20\"\n";

    #[test]
    fn a_row_is_read_and_what_it_does_not_name_is_not_free() {
        let text = format!(
            "{ROW}input = \"3\"\ncache_write_5m = \"3.75\"\noutput = \"15\"\nsource = \"s\"\n\
             tiers = [{{ from = 200_001, input = \"6\", output = \"22.5\" }}]\n"
        );
        let rows = parse(&text).unwrap();
        let price = &rows[0];
        let rate = |text| Rate::parse(text).unwrap();
        assert_eq!(price.valid_from, Wall(1_795_132_800_000_000));
        assert_eq!((&*price.provider, &*price.model, &*price.source), ("p", "m", "s"));
        assert_eq!((price.rates.cache_read, price.rates.cache_write_1h), (rate("3"), rate("3.75")));
        assert_eq!((price.rates.reasoning, price.rates.audio_input), (rate("15"), rate("3")));
        assert_eq!((price.rates.image, price.rates.request), (Rate(0), Rate(0)));
        let (from, tier) = &price.tiers[0];
        assert_eq!((*from, tier.input, tier.cache_read), (200_001, rate("6"), rate("6")));
        assert_eq!(tier.cache_write_5m, rate("3.75"), "taken from the row");
    }

    #[test]
    fn every_problem_is_reported_with_its_line() {
        let bad = "[[price]]\nprovider = \"p\"\nmodel = 7\nvalid_from = \"tomorrow\"\ninput = 2.5\n\
                   outptu = \"1\"\n\n[[price]]\nprovider = \"p\"\nmodel = \"m\"\nvalid_from = \"2026-01-01\"\n\
                   output = \"-1\"\n\n[other]\n";
        let problems = parse(bad).unwrap_err();
        for expected in [
            "prices.toml:3: `model` must be a string",
            "prices.toml:4: `valid_from` must be a day",
            "prices.toml:5: `input` must be a string such as",
            "prices.toml:6: unknown key `outptu`",
            "prices.toml:8: a row without any rate",
            "prices.toml:12: `output` is negative",
            "prices.toml:14: unknown key `other`",
        ] {
            assert!(problems.iter().any(|p| p.starts_with(expected)), "{expected}\n{problems:#?}");
        }
    }

    #[test]
    fn what_is_no_toml_is_a_problem_and_no_panic() {
        for bad in ["[[price", "price = 1", "price = [1]", "[[price]]", "\u{0}", "a = \"\\u{ffffffff}\""] {
            assert!(!parse(bad).unwrap_err().is_empty(), "{bad}");
        }
        assert_eq!(parse("").unwrap(), vec![]);
    }

    #[test]
    fn two_rows_for_the_same_thing_and_tiers_out_of_order_are_refused() {
        let twice = format!("{ROW}input = \"1\"\n{ROW}input = \"2\"\n");
        assert!(parse(&twice).unwrap_err()[0].contains("second row"));
        for tiers in
            ["[{ from = 0 }]", "[{ from = 2 }, { from = 2 }]", "[{ input = \"1\" }]", "[{ from = -1 }]"]
        {
            assert!(parse(&format!("{ROW}input = \"1\"\ntiers = {tiers}\n")).is_err(), "{tiers}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_rows_or_problems(text in "(\\[\\[price\\]\\]|[a-z_]{1,9} = |\"[0-9.]*\"|[\\[\\]{}=\n\" ,]|[0-9.e-]{1,4}){0,30}") {
            let _ = parse(&text);
        }
    }
}
