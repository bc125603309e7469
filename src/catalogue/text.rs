//! The built-in table as text: one line per model, columns between tabs. Plain
//! enough to be read in a diff, and read in a few milliseconds.

use super::{Card, Day};
use crate::chat::{Abilities, Ability};
use crate::tokens::Family;
use std::fmt::Write as _;
use std::sync::Arc;

/// The version of the columns; another one is not read.
const HEAD: &str =
    "models-1\tmodel\ttitle\tcontext\tmax_output\tcan\tcannot\ttokenizer\treleased\tretires\tlife\tsource";
const COLUMNS: usize = 12;
const DEPRECATED: &str = "deprecated";

/// Reads a table. `file` is its name, for the problems. Lines that begin with `#` are for people.
///
/// # Errors
/// Every problem as `file:line: what is wrong`.
pub fn parse(file: &str, text: &str) -> Result<Vec<Card>, Vec<String>> {
    let mut lines =
        text.lines().zip(1_usize..).filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    match lines.next() {
        Some((HEAD, _)) => {}
        other => {
            return Err(vec![format!("{file}:{}: expected the line {HEAD:?}", other.map_or(1, |(_, n)| n))]);
        }
    }
    let (mut cards, mut problems) = (Vec::new(), Vec::new());
    for (line, number) in lines {
        match card(line) {
            Ok(card) => cards.push(card),
            Err(what) => problems.push(format!("{file}:{number}: {what}")),
        }
    }
    if problems.is_empty() { Ok(cards) } else { Err(problems) }
}

fn card(line: &str) -> Result<Card, String> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [provider, model, title, context, output, can, cannot, tokenizer, released, retires, life, source] =
        <[&str; COLUMNS]>::try_from(columns).map_err(|c| format!("{} columns, not {COLUMNS}", c.len()))?;
    if provider.is_empty() || model.is_empty() {
        return Err("a provider and a model are needed".to_owned());
    }
    let (can, cannot) = (abilities(can)?, abilities(cannot)?);
    if !can.both(cannot).is_empty() {
        return Err(format!("it both can and cannot do {}", can.both(cannot)));
    }
    Ok(Card {
        provider: provider.into(),
        model: model.to_ascii_lowercase().into(),
        title: filled(title).map(Arc::from),
        context: number(context)?,
        max_output: number(output)?,
        can,
        cannot,
        tokenizer: filled(tokenizer).map(family).transpose()?,
        released: filled(released).map(day).transpose()?,
        retires: filled(retires).map(day).transpose()?,
        deprecated: match life {
            "" => false,
            DEPRECATED => true,
            other => return Err(format!("{other:?} is not {DEPRECATED:?}")),
        },
        source: source.into(),
    })
}

fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn number(text: &str) -> Result<Option<u64>, String> {
    let read = |text: &str| text.parse().map_err(|_| format!("{text:?} is no whole number"));
    filled(text).map(read).transpose()
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| format!("{text:?} is no day such as 2026-11-20"))
}

fn family(text: &str) -> Result<Family, String> {
    Family::parse(text).ok_or_else(|| format!("{text:?} is no vocabulary that is known"))
}

fn abilities(text: &str) -> Result<Abilities, String> {
    let read = |name: &str| Ability::parse(name).ok_or_else(|| format!("{name:?} is no ability"));
    text.split(',').filter(|name| !name.is_empty()).map(read).collect()
}

/// Writes a table that [`parse`] reads, below `notes`, each line of which
/// becomes one for people.
pub fn write(notes: &str, cards: &[Card]) -> String {
    let mut out = String::new();
    for line in notes.lines() {
        let space = if line.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "#{space}{line}");
    }
    let _ = writeln!(out, "{HEAD}");
    for card in cards {
        let _ = writeln!(out, "{}", line(card));
    }
    out
}

fn line(card: &Card) -> String {
    let text = |text: Option<String>| text.unwrap_or_default();
    [
        card.provider.to_string(),
        card.model.to_string(),
        text(card.title.as_deref().map(|title| title.replace(['\t', '\n', '\r'], " "))),
        text(card.context.map(|n| n.to_string())),
        text(card.max_output.map(|n| n.to_string())),
        card.can.to_string(),
        card.cannot.to_string(),
        text(card.tokenizer.map(|family| family.name().to_owned())),
        text(card.released.map(|day| day.to_string())),
        text(card.retires.map(|day| day.to_string())),
        if card.deprecated { DEPRECATED.to_owned() } else { String::new() },
        card.source.to_string(),
    ]
    .join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let card = Card {
            provider: "p".into(),
            model: "m".into(),
            title: Some("M".into()),
            context: Some(8_192),
            max_output: None,
            can: [Ability::Tools, Ability::Image].into_iter().collect(),
            cannot: [Ability::Audio].into_iter().collect(),
            tokenizer: Some(Family::O200k),
            released: Day::parse("2026-01-02"),
            retires: None,
            deprecated: true,
            source: "a,b".into(),
        };
        let cards = [card, Card { provider: "p".into(), model: "n*".into(), ..Card::default() }];
        let text = write("Where it is from.\n\nAnd a licence.", &cards);
        assert!(text.starts_with("# Where it is from.\n#\n# And"));
        assert_eq!(parse("f", &text).unwrap(), cards);
    }

    #[test]
    fn every_problem_is_told_with_its_line() {
        let text = format!(
            "# note\n{HEAD}\np\tm\t\t1\t\t\t\t\t\t\t\t\np\tm\np\tm\t\tx\t\t\t\t\t\t\t\t\np\tm\t\t\t\tfly\t\t\t\t\t\t\n\
             p\tm\t\t\t\timage\timage\t\t\t\t\t\np\tm\t\t\t\t\t\t\t2026\t\t\t\np\tm\t\t\t\t\t\t\t\t\tdead\t\n\
             p\t\t\t\t\t\t\t\t\t\t\t\np\tm\t\t\t\t\t\tbpe\t\t\t\t\n"
        );
        let problems = parse("f", &text).unwrap_err();
        let lines: Vec<&str> = problems.iter().filter_map(|p| p.split(": ").next()).collect();
        assert_eq!(lines, ["f:4", "f:5", "f:6", "f:7", "f:8", "f:9", "f:10", "f:11"], "{problems:#?}");
        assert!(parse("f", "other\n").unwrap_err()[0].starts_with("f:1: expected"));
        assert!(parse("f", "").is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_cards_or_problems(text in "([a-z0-9,*-]{0,9}[\t\n]){0,40}") {
            let _ = parse("f", &format!("{HEAD}\n{text}"));
        }
    }
}
