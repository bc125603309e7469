//! The audit log on its way out, written while it is read: it may be longer than memory.

use super::log::Wanted;
use super::pour::Pour;
use crate::admin::directory::entries_before;
use crate::control::Entry;
use crate::store::Store;
use std::io::{self, Write};
use std::ops::ControlFlow;

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A JSON object a line.
    Lines,
    /// Comma-separated values with a header, as spreadsheets read them.
    Csv,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Export {
    /// How it is written.
    pub form: Form,
    /// Only records before this number.
    pub before: u64,
    /// Which ones.
    pub wanted: Wanted,
}

const HEADER: &str = "sequence,at,who_kind,who_id,who_name,who_tenant,action,outcome,reason,kind,id,tenant,\
                      address,request,before,after\r\n";
impl Export {
    /// The answer that carries it.
    pub fn pour(self, store: Store) -> Pour {
        let (kind, name) = match self.form {
            Form::Lines => ("application/x-ndjson", "audit.jsonl"),
            Form::Csv => ("text/csv; charset=utf-8", "audit.csv"),
        };
        Pour::new(kind, name, move |out| self.write(&store, out))
    }

    /// Writes everything, the newest first. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read, and those of the writer.
    fn write(&self, store: &Store, out: &mut dyn Write) -> io::Result<()> {
        if self.form == Form::Csv {
            out.write_all(HEADER.as_bytes())?;
        }
        let (mut line, mut written) = (String::new(), Ok(()));
        let read = entries_before(store, self.before, &mut |entry| {
            if self.wanted.fits(&entry) {
                line.clear();
                self.add(&entry, &mut line);
                written = out.write_all(line.as_bytes());
            }
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        written.and(read.map_err(io::Error::other))
    }

    fn add(&self, entry: &Entry, to: &mut String) {
        match self.form {
            Form::Lines => {
                if let Ok(line) = serde_json::to_string(entry) {
                    to.push_str(&line);
                    to.push('\n');
                }
            }
            Form::Csv => row(entry, to),
        }
    }
}

fn row(entry: &Entry, to: &mut String) {
    let json =
        |value: &Option<serde_json::Value>| value.as_ref().map(ToString::to_string).unwrap_or_default();
    let target = entry.target.as_ref();
    let tenant = entry.tenant().map(|tenant| tenant.as_str().to_owned());
    let outcome = match entry.outcome {
        crate::control::Outcome::Done => "done",
        crate::control::Outcome::Refused => "refused",
    };
    let cells = [
        entry.sequence.to_string(),
        entry.at.to_string(),
        entry.who.kind.clone(),
        entry.who.id.clone().unwrap_or_default(),
        entry.who.name.clone(),
        entry.who.tenant.as_ref().map(|tenant| tenant.as_str().to_owned()).unwrap_or_default(),
        entry.action.clone(),
        outcome.to_owned(),
        entry.reason.clone().unwrap_or_default(),
        target.map(|target| target.kind.name().to_owned()).unwrap_or_default(),
        target.map(|target| target.id.clone()).unwrap_or_default(),
        tenant.unwrap_or_default(),
        entry.address.clone().unwrap_or_default(),
        entry.request.clone(),
        json(&entry.before),
        json(&entry.after),
    ];
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    to.push_str(&cells.join(","));
    to.push_str("\r\n");
}

/// A cell (RFC 4180). What a spreadsheet would take for a formula becomes a text by its first sign.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let sign = if formula { "'" } else { "" };
    format!("\"{sign}{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_hold_what_they_are_given_and_are_no_formulas() {
        for (cell, expected) in [
            ("a", "\"a\""),
            ("a,\"b\"\n", "\"a,\"\"b\"\"\n\""),
            ("=cmd()", "\"'=cmd()\""),
            ("@x", "\"'@x\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }
}
