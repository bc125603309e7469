//! A statement for spreadsheets: one table, one row a line.

use super::Statement;

pub(super) fn write(statement: &Statement) -> String {
    let mut text = String::from("section,day,kind,name,by,requests,input_tokens,output_tokens,credits\r\n");
    let mut row = |cells: [&str; 9]| {
        let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    };
    let sum = |name: &'static str, amount: &str| {
        ["balance", "", name, "", "", "", "", "", amount].map(str::to_owned)
    };
    let strs = |cells: &[String; 9]| -> [String; 9] { cells.clone() };
    let opening = strs(&sum("opening", &statement.opening.to_string()));
    row(opening.each_ref().map(String::as_str));
    for entry in &statement.entries {
        let amount = entry.amount.to_string();
        row(["entry", &entry.day, entry.what.title(), &entry.reason, &entry.operation, "", "", "", &amount]);
    }
    for used in &statement.usage {
        let (requests, input) = (used.requests.to_string(), used.input_tokens.to_string());
        let (output, credits) = (
            used.output_tokens.to_string(),
            crate::types::Pico::ZERO.saturating_sub(used.credits).to_string(),
        );
        row(["usage", "", "Usage", &used.model, &used.by, &requests, &input, &output, &credits]);
    }
    let closing = sum("closing", &statement.closing.to_string());
    row(closing.each_ref().map(String::as_str));
    text
}

/// A cell. What a spreadsheet would take for a formula is told not to be one.
pub fn quoted(cell: &str) -> String {
    let number = crate::types::Pico::parse(cell).is_ok();
    let formula = !number && cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    match cell.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_neither_a_formula_nor_two_cells() {
        let cases = [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=1+1", "'=1+1"),
            ("-2.5", "-2.5"),
            ("-2+3", "'-2+3"),
            ("@x,y", "\"'@x,y\""),
        ];
        for (cell, wanted) in cases {
            assert_eq!(quoted(cell), wanted);
        }
    }
}
