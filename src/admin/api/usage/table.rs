//! Tables as CSV and as JSON lines.

use serde_json::{Map, Value};
use std::io::{self, Write};

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// RFC 4180, with a header.
    Csv,
    /// An object on each line.
    Lines,
}

impl Format {
    pub(super) const NAMES: [&'static str; 3] = ["json", "csv", "jsonl"];

    /// `None`: JSON, which is no table.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "csv" => Some(Format::Csv),
            "jsonl" => Some(Format::Lines),
            _ => None,
        }
    }

    pub(super) fn kind(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8",
            Format::Lines => "application/x-ndjson",
        }
    }
}

/// Writes rows that all have these columns.
pub(super) struct Table<'w> {
    out: &'w mut dyn Write,
    format: Format,
    columns: Vec<&'static str>,
}

impl<'w> Table<'w> {
    /// Writes the header, too.
    pub(super) fn new(
        out: &'w mut dyn Write,
        format: Format,
        columns: Vec<&'static str>,
    ) -> io::Result<Self> {
        let mut table = Self { out, format, columns };
        if format == Format::Csv {
            let names: Vec<Value> = table.columns.iter().map(|name| Value::from(*name)).collect();
            table.row(&names)?;
        }
        Ok(table)
    }

    /// Writes a row; its values are in the order of the columns.
    pub(super) fn row(&mut self, values: &[Value]) -> io::Result<()> {
        match self.format {
            Format::Csv => {
                for (at, value) in values.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(self.out, "{comma}{}", cell(value))?;
                }
                self.out.write_all(b"\r\n")
            }
            Format::Lines => {
                let pairs = self.columns.iter().map(|name| (*name).to_owned()).zip(values.iter().cloned());
                serde_json::to_writer(&mut *self.out, &Map::from_iter(pairs))?;
                self.out.write_all(b"\n")
            }
        }
    }
}

/// A value as a cell. A text that a spreadsheet would take for a formula gets an apostrophe in front;
/// numbers, also those that are written as text, stay what they are.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text,
        other => return other.to_string(),
    };
    let begins_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && !is_decimal(text);
    let text = if begins_formula { format!("'{text}") } else { text.clone() };
    match text.contains(['"', ',', '\r', '\n', '\'', ';']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

fn is_decimal(text: &str) -> bool {
    crate::types::Pico::parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn csv(values: &[Value]) -> String {
        let mut out = Vec::new();
        let mut table = Table::new(&mut out, Format::Csv, vec!["a"]).unwrap();
        table.row(values).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_looks_like_a_formula_is_text_and_numbers_are_numbers() {
        assert_eq!(csv(&[json!("=1+1")]), "a\r\n\"'=1+1\"\r\n");
        assert_eq!(csv(&[json!("-0.5"), json!(-3), json!("@x"), Value::Null]), "a\r\n-0.5,-3,\"'@x\",\r\n");
        assert_eq!(csv(&[json!("say \"hi\", now")]), "a\r\n\"say \"\"hi\"\", now\"\r\n");
        assert_eq!(csv(&[json!("-2+cmd|' /C calc'!A0")]), "a\r\n\"'-2+cmd|' /C calc'!A0\"\r\n");
    }

    proptest! {
        #[test]
        fn no_cell_begins_a_formula_or_breaks_its_row(text in "[=+@\\-\t\r\n\",;a-z0-9 ]{0,12}") {
            let cell = cell(&json!(text));
            let inner = cell.strip_prefix('"').unwrap_or(&cell);
            prop_assert!(!inner.starts_with(['=', '+', '@', '\t', '\r', '\n']), "{cell:?}");
            prop_assert!(!inner.starts_with('-') || is_decimal(inner), "{cell:?}");
            let quoted = cell.len() > 1 && cell.starts_with('"') && cell.ends_with('"');
            prop_assert!(quoted || !cell.contains(['"', ',', '\r', '\n']), "{cell:?}");
        }
    }
}
