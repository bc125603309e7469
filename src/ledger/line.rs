//! Records as JSON lines, for export. Money is a decimal string.

use super::Record;
use std::io;

#[derive(serde::Serialize)]
struct Line<'a, T> {
    record: &'static str,
    /// `at` once more, for people: RFC 3339, UTC.
    time: String,
    #[serde(flatten)]
    body: &'a T,
}

/// Writes one record as one line of JSON, with the line feed. `record` says
/// which kind it is, `time` is `at` in RFC 3339; the other names are the
/// fields of [`super::Intent`], [`super::Settlement`],
/// [`super::wallet::Movement`] or [`super::wallet::Carried`].
///
/// # Errors
/// Those of the writer.
pub fn write_line(record: &Record, out: &mut dyn io::Write) -> io::Result<()> {
    let time = jiff::Timestamp::from_microsecond(record.at().0).map(|t| t.to_string()).unwrap_or_default();
    match record {
        Record::Intent(intent) => write(&Line { record: "intent", time, body: &**intent }, out),
        Record::Settlement(settlement) => {
            write(&Line { record: "settlement", time, body: &**settlement }, out)
        }
        Record::Movement(movement) => write(&Line { record: "movement", time, body: &**movement }, out),
        Record::Carried(carried) => write(&Line { record: "carried", time, body: &**carried }, out),
    }
}

fn write(line: &impl serde::Serialize, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Price, Rates, recovered, table::tests::intent};
    use crate::types::{Rate, Wall};

    #[test]
    fn a_settlement_is_one_line_with_money_as_decimal_text() {
        let rates = Rates { input: Rate::parse("2.5").unwrap(), ..Rates::default() };
        let price = Price::new("openai", "gpt-4o", Wall(0), rates, vec![], "");
        let mut intent = intent();
        intent.at = Wall(1_767_225_600_000_000);
        intent.input_bound = 1_000;
        let settlement = recovered(&intent, Some(&price));
        let mut text = Vec::new();
        write_line(&Record::Settlement(Box::new(settlement)), &mut text).unwrap();
        assert_eq!(text.iter().filter(|b| **b == b'\n').count(), 1);
        let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(json["record"], "settlement");
        assert_eq!(json["time"], "2026-01-01T00:00:00Z");
        assert_eq!(json["charge"]["cost"], "0.0025");
        assert_eq!(json["outcome"], "recovered");
        assert_eq!(json["usage"]["input"], 1_000);
    }
}
