//! Does a vendor count as the hub does? A vendor's export of usage is added up
//! by day and model and compared with the settlements of its provider.

use crate::ledger::{Record, Settlement, day_from_text, day_of, day_text};
use crate::types::UsageSource;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whose export it is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    /// OpenAI's completions usage.
    Openai,
    /// The console's export of Anthropic.
    Anthropic,
    /// Anybody's, by the names of its columns.
    Columns(Columns),
}

/// Names of columns.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Columns {
    /// Day, or a time that begins with it.
    pub day: String,
    /// The vendor's name of the model.
    pub model: String,
    /// Columns that together are all input tokens.
    pub input: Vec<String>,
    /// Columns that together are all output tokens.
    pub output: Vec<String>,
    /// Requests, if they are told.
    pub requests: Option<String>,
}

impl Vendor {
    fn columns(&self) -> Columns {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        match self {
            Vendor::Openai => Columns {
                day: "start_time_iso".into(),
                model: "model".into(),
                input: names(&["input_tokens"]),
                output: names(&["output_tokens"]),
                requests: Some("num_model_requests".into()),
            },
            Vendor::Anthropic => Columns {
                day: "usage_date_utc".into(),
                model: "model_version".into(),
                input: names(&[
                    "usage_input_tokens_no_cache",
                    "usage_input_tokens_cache_write_5m",
                    "usage_input_tokens_cache_write_1h",
                    "usage_input_tokens_cache_read",
                ]),
                output: names(&["usage_output_tokens"]),
                requests: None,
            },
            Vendor::Columns(columns) => columns.clone(),
        }
    }
}

/// What was used of one model on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// All input tokens.
    pub input: u64,
    /// All output tokens.
    pub output: u64,
    /// Requests; 0 where they are not told.
    pub requests: u64,
}

/// By day and model.
pub type Counts = BTreeMap<(i64, String), Counted>;

impl Counted {
    /// A settlement of the provider that was asked about.
    pub fn record(counts: &mut Counts, provider: &str, record: &Record) {
        let Record::Settlement(settlement) = record else { return };
        let Settlement { usage, usage_source, .. } = &**settlement;
        if *settlement.provider != *provider || *usage_source == UsageSource::None {
            return;
        }
        let row = counts.entry((day_of(settlement.at), settlement.upstream_model.to_string())).or_default();
        row.input = row.input.saturating_add(usage.input_tokens());
        row.output = row.output.saturating_add(usage.output_tokens());
        row.requests = row.requests.saturating_add(1);
    }
}

/// Reads an export.
///
/// # Errors
/// Names the line and what is wrong with it.
pub fn read_export(text: &str, vendor: &Vendor) -> Result<Counts, String> {
    let columns = vendor.columns();
    let mut lines = rows(text)?.into_iter();
    let head = lines.next().ok_or("the export is empty")?;
    let place = |name: &str| {
        let found = head.iter().position(|cell| cell.trim_start_matches('\u{feff}') == name);
        found.ok_or_else(|| format!("the export has no column {name:?}"))
    };
    let places = |names: &[String]| names.iter().map(|name| place(name)).collect::<Result<Vec<_>, _>>();
    let (day, model) = (place(&columns.day)?, place(&columns.model)?);
    let (input, output) = (places(&columns.input)?, places(&columns.output)?);
    let requests = columns.requests.as_deref().map(place).transpose()?;
    let mut counts = Counts::new();
    for (number, cells) in lines.enumerate() {
        let wrong = |what: &str| format!("line {}: {what}", number + 2);
        let cell =
            |at: usize| cells.get(at).map(|cell| cell.trim()).ok_or_else(|| wrong("has too few cells"));
        let sum = |places: &[usize]| {
            places.iter().try_fold(0_u64, |sum, at| {
                let text = cell(*at)?;
                let count = if text.is_empty() { Ok(0) } else { text.parse::<u64>() };
                count
                    .map(|count| sum.saturating_add(count))
                    .map_err(|_| wrong("has no whole number of tokens"))
            })
        };
        let when = cell(day)?.get(..10).and_then(day_from_text).ok_or_else(|| wrong("has no day"))?;
        let row = counts.entry((when, cell(model)?.to_owned())).or_default();
        row.input = row.input.saturating_add(sum(&input)?);
        row.output = row.output.saturating_add(sum(&output)?);
        row.requests = row.requests.saturating_add(sum(requests.as_slice())?);
    }
    Ok(counts)
}

/// One day and model that both, or one of them, counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// As `2026-11-20`.
    pub day: String,
    /// The vendor's name of the model.
    pub model: String,
    /// What the hub counted.
    pub hub: Counted,
    /// What the vendor counted.
    pub vendor: Counted,
    /// Do they differ by more than was allowed?
    pub differs: bool,
}

/// Compares counts; `tolerance_ppm` is how far they may be apart, in parts per million of the vendor's.
pub fn compare(hub: &Counts, vendor: &Counts, tolerance_ppm: u32) -> Vec<Row> {
    let mut names: Vec<_> = hub.keys().chain(vendor.keys()).collect();
    names.sort();
    names.dedup();
    let apart = |ours: u64, theirs: u64| {
        let allowed = u128::from(theirs).saturating_mul(u128::from(tolerance_ppm)) / 1_000_000;
        u128::from(ours.abs_diff(theirs)) > allowed
    };
    let row = |name: &(i64, String)| {
        let (ours, theirs) =
            (hub.get(name).copied().unwrap_or_default(), vendor.get(name).copied().unwrap_or_default());
        let differs = apart(ours.input, theirs.input) || apart(ours.output, theirs.output);
        Row { day: day_text(name.0), model: name.1.clone(), hub: ours, vendor: theirs, differs }
    };
    names.into_iter().map(row).collect()
}

/// The cells of a CSV (RFC 4180).
fn rows(text: &str) -> Result<Vec<Vec<String>>, String> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut characters = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = characters.next() {
        match (quoted, c) {
            (true, '"') if characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            (true, '"') => quoted = false,
            (true, c) => cell.push(c),
            (false, '"') if cell.is_empty() => quoted = true,
            (false, ',') => row.push(std::mem::take(&mut cell)),
            (false, '\r') if characters.peek() == Some(&'\n') => {}
            (false, '\n') => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            (false, c) => cell.push(c),
        }
    }
    if quoted {
        return Err("a quote is not closed".into());
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_of_both_vendors_are_added_up_by_day_and_model() {
        let openai = "start_time_iso,model,num_model_requests,input_tokens,output_tokens\r\n\
                      2026-10-01T00:00:00Z,gpt-4o,2,100,20\r\n2026-10-01T01:00:00Z,gpt-4o,1,50,5\r\n";
        let counts = read_export(openai, &Vendor::Openai).unwrap();
        let day = day_from_text("2026-10-01").unwrap();
        assert_eq!(counts[&(day, "gpt-4o".to_owned())], Counted { input: 150, output: 25, requests: 3 });
        let anthropic = "\u{feff}usage_date_utc,model_version,workspace,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens\n\
                         2026-10-01,claude-x,\"a, \"\"b\"\"\",1,2,3,4,5\n";
        let counts = read_export(anthropic, &Vendor::Anthropic).unwrap();
        assert_eq!(counts[&(day, "claude-x".to_owned())], Counted { input: 10, output: 5, requests: 0 });
    }

    #[test]
    fn what_is_no_export_is_refused_with_its_line() {
        for (bad, told) in [
            ("", "empty"),
            ("model\n", "no column"),
            (
                "start_time_iso,model,num_model_requests,input_tokens,output_tokens\nx,y,1,1,1",
                "line 2: has no day",
            ),
            (
                "start_time_iso,model,num_model_requests,input_tokens,output_tokens\n2026-10-01,y,1,1.5,1",
                "line 2: has no whole",
            ),
            ("start_time_iso,model,num_model_requests,input_tokens,output_tokens\n2026-10-01,y,1", "too few"),
            ("a,\"b", "not closed"),
        ] {
            let error = read_export(bad, &Vendor::Openai).unwrap_err();
            assert!(error.contains(told), "{bad}: {error}");
        }
    }

    #[test]
    fn a_row_that_one_of_them_lacks_differs_and_a_small_difference_may_be_allowed() {
        let counts = |input: u64, model: &str| {
            Counts::from([((1, model.to_owned()), Counted { input, output: 0, requests: 1 })])
        };
        assert!(!compare(&counts(1_000, "a"), &counts(1_000, "a"), 0)[0].differs);
        assert!(compare(&counts(1_001, "a"), &counts(1_000, "a"), 0)[0].differs);
        assert!(!compare(&counts(1_001, "a"), &counts(1_000, "a"), 1_000)[0].differs);
        let both = compare(&counts(1, "a"), &counts(1, "b"), 1_000_000);
        assert_eq!(both.iter().map(|row| row.differs).collect::<Vec<_>>(), [true, false]);
    }
}
