//! A statement as a page that needs nothing beside itself.

use super::Statement;
use std::fmt::Write;

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;max-width:52em;margin:3em auto;padding:0 1em;color:#222}\
h1{font-size:1.5em}table{border-collapse:collapse;width:100%;margin:1em 0 2em}\
th,td{text-align:left;padding:.3em .6em;border-bottom:1px solid #ddd}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
footer{color:#666;font-size:.85em;overflow-wrap:anywhere}";

pub(super) fn write(statement: &Statement) -> String {
    let Statement { number, tenant, month, opening, entries, usage, totals, closing, ledger } = statement;
    let mut page = String::new();
    let title = format!("Statement {number}");
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style>\
         <h1>{title}</h1><p>{} · {month} · in credits</p><table><tbody><tr><td>Opening balance<td class=\"n\">{opening}",
        escaped(tenant.as_str())
    );
    for (name, amount) in totals.lines() {
        let _ = write!(page, "<tr><td>{name}<td class=\"n\">{amount}");
    }
    let _ = write!(page, "<tr><th>Closing balance<th class=\"n\">{closing}</table>");
    if !entries.is_empty() {
        page.push_str("<h2>Entries</h2><table><tr><th>Day<th>Kind<th>Reason<th class=\"n\">Credits");
        for entry in entries {
            let reason = escaped(&entry.reason);
            let _ = write!(
                page,
                "<tr><td>{}<td>{}<td>{reason}<td class=\"n\">{}",
                entry.day,
                entry.what.title(),
                entry.amount
            );
        }
        page.push_str("</table>");
    }
    if !usage.is_empty() {
        page.push_str("<h2>Usage</h2><table><tr><th>Model<th>By<th class=\"n\">Requests<th class=\"n\">Input tokens<th class=\"n\">Output tokens<th class=\"n\">Credits");
        for used in usage {
            let _ = write!(
                page,
                "<tr><td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}",
                escaped(&used.model),
                escaped(&used.by),
                used.requests,
                used.input_tokens,
                used.output_tokens,
                used.credits
            );
        }
        page.push_str("</table>");
    }
    let _ = writeln!(
        page,
        "<footer>Ledger batches {} to {}, digest {}</footer></html>",
        ledger.after.saturating_add(1),
        ledger.through,
        escaped(&ledger.digest)
    );
    page
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
