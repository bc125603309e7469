//! The result of a run, as a table for a terminal, as Markdown and as JSON.

use crate::machine::{Cores, Machine};
use crate::table::{Bound, Line, Verdict};
use serde::Serialize;
use std::fmt::Write as _;

/// Everything a reader needs to judge a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Day of the run, UTC.
    pub date: String,
    /// Where it ran.
    pub machine: Machine,
    /// Where processes were pinned.
    pub cores: Cores,
    /// How to repeat it.
    pub command: String,
    /// What the columns compare.
    pub candidate: String,
    /// Keys that took turns.
    pub keys: u32,
    /// Share of the machine that other programs used meanwhile, in percent.
    pub others_percent: Option<f64>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The table.
    pub lines: Vec<Line>,
    /// Scenario, text and count of each error.
    pub errors: Vec<(char, String, u64)>,
}

const HEADINGS: [&str; 7] = ["", "direct", "bare", "hub", "hub/bare (rounds)", "bound", ""];

impl Report {
    /// Whether there was no error.
    pub fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether every bound holds.
    pub fn holds(&self) -> bool {
        self.lines.iter().all(|line| matches!(line.verdict, Verdict::Ok | Verdict::Open))
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let rows: Vec<[String; 7]> = self.lines.iter().map(cells).collect();
        let mut widths = HEADINGS.map(|heading| heading.chars().count());
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for row in std::iter::once(&HEADINGS.map(str::to_owned)).chain(&rows) {
            for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
                let padding = " ".repeat(width - cell.chars().count());
                // Words to the left, numbers to the right.
                text += &if column == 0 { format!("{cell}{padding}") } else { format!("  {padding}{cell}") };
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text + &self.remarks("")
    }

    /// For a file in `results/`.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "# Load test of {}\n\n- machine: {}, {} cores, Linux {}\n- command: `{}`\n- measured: {}, {} key(s), gateways on {}, \
             generator and mock vendor on {}\n- duration: {:.0} s\n",
            self.date,
            self.machine.cpu,
            self.machine.cores,
            self.machine.kernel,
            self.command,
            self.candidate,
            self.keys,
            core(self.cores.gateway),
            core(self.cores.load),
            self.seconds,
        );
        text += &self.remarks("- ");
        text += &format!("\n| {} |\n|---|--:|--:|--:|--:|--:|---|\n", HEADINGS.join(" | "));
        for line in &self.lines {
            text += &format!("| {} |\n", cells(line).join(" | "));
        }
        text.push_str("\nEvery round:\n\n| | bare | hub |\n|---|---|---|\n");
        for line in &self.lines {
            let list =
                |values: &[f64]| values.iter().map(|v| number(*v, line.digits)).collect::<Vec<_>>().join(" ");
            text += &format!(
                "| {} ({}) | {} | {} |\n",
                line.label,
                line.unit,
                list(&line.bare_rounds),
                list(&line.hub_rounds)
            );
        }
        text
    }

    /// As one JSON object.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    fn remarks(&self, bullet: &str) -> String {
        let mut text = String::new();
        if let Some(percent) = self.others_percent {
            let warning = if percent > 5.0 { " (more than 5 %: expect unsteady latencies)" } else { "" };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{bullet}other programs used {percent:.1} % of the machine{warning}");
        }
        for (scenario, error, count) in &self.errors {
            let _ = writeln!(text, "{bullet}ERROR in {scenario}, {count} times: {error}");
        }
        if !self.is_valid() {
            let _ = writeln!(text, "{bullet}INVALID: a run with errors proves nothing");
        }
        text
    }
}

fn core(core: Option<usize>) -> String {
    core.map_or("any core".to_owned(), |number| format!("core {number}"))
}

fn cells(line: &Line) -> [String; 7] {
    let value = |value: Option<f64>| value.map_or("–".to_owned(), |value| number(value, line.digits));
    let ratio = match (line.ratio, line.ratio_range) {
        (Some(ratio), Some((least, most))) => format!("{ratio:.2} ({least:.2}–{most:.2})"),
        _ => "–".to_owned(),
    };
    let bound = match line.bound {
        Bound::Ratio(most) => format!("≤ {most} ×"),
        Bound::AtMost(most) => format!("≤ {most} {}", line.unit),
        Bound::Open => String::new(),
    };
    let verdict = match line.verdict {
        Verdict::Ok => "ok",
        Verdict::Over => "OVER",
        Verdict::Open => "",
        Verdict::Invalid => "INVALID",
        Verdict::Missing => "not measured",
    };
    let label = format!("{}  {}, {}", line.scenario, line.label, line.unit);
    [label, value(line.direct), value(line.bare), value(line.hub), ratio, bound, verdict.to_owned()]
}

/// Large numbers need no digits behind the point.
fn number(value: f64, digits: usize) -> String {
    if value.abs() >= 1_000.0 { format!("{value:.0}") } else { format!("{value:.digits$}") }
}
