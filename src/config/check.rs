//! Checks a file against the schema before serde reads it. Serde stops at the
//! first mistake; this walks on, notes every mistake, and takes the wrong
//! parts out so that what is left can still be read and checked further.

use super::problems::Notes;
use super::raw;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Keys that people try in the place of `env` or `file`.
const LITERAL_SECRETS: &[&str] = &["value", "secret", "key", "api_key", "token", "password"];

/// The JSON schema of a configuration file.
pub fn schema() -> Value {
    let mut settings = schemars::generate::SchemaSettings::draft07();
    settings.inline_subschemas = true;
    settings.into_generator().into_root_schema_for::<raw::File>().to_value()
}

/// Notes everything in `root` that the schema does not allow, and removes it. The schema is made
/// for each reading: nobody else needs its megabyte.
pub(crate) fn check(root: &mut DeTable<'_>, notes: &mut Notes) {
    table(root, &schema(), "", &(0..0), notes);
}

type Span = std::ops::Range<usize>;

/// May the value stay?
fn value(inner: &mut Spanned<DeValue<'_>>, schema: &Value, path: &str, notes: &mut Notes) -> bool {
    let span = inner.span();
    notes.name(&span, path);
    let Some(schema) = alternative(schema, inner.get_ref()) else {
        let found = kind(inner.get_ref());
        notes.at(&span, format!("expected {}, found {}", expected(schema), found.1));
        return false;
    };
    match inner.get_mut() {
        DeValue::Table(entries) => {
            table(entries, schema, path, &span, notes);
            true
        }
        DeValue::Array(items) => {
            let each = schema.get("items").unwrap_or(&Value::Null);
            for (index, mut item) in std::mem::replace(items, DeArray::new()).into_iter().enumerate() {
                if value(&mut item, each, &format!("{path}[{index}]"), notes) {
                    items.push(item);
                }
            }
            true
        }
        DeValue::String(text) => one_of(text, schema, &span, notes),
        DeValue::Integer(integer) => in_range(integer.as_str(), integer.radix(), schema, &span, notes),
        _ => true,
    }
}

fn table(table: &mut DeTable<'_>, schema: &Value, path: &str, span: &Span, notes: &mut Notes) {
    let empty = serde_json::Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let others = schema.get("additionalProperties").filter(|s| s.is_object());
    let mut wrong = Vec::new();
    for (key, mut inner) in std::mem::replace(table, DeTable::new()) {
        let name: &str = key.get_ref();
        let below = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match properties.get(name).or(others) {
            Some(schema) if value(&mut inner, schema, &below, notes) => {
                table.insert(key, inner);
            }
            // Noted, and left out.
            Some(_) => wrong.push(name.to_owned()),
            None => {
                let known: Vec<&str> = properties.keys().map(String::as_str).collect();
                notes.push(&key.span(), below, unknown(name, &known));
            }
        }
    }
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        if !wrong.iter().any(|w| w == name) && !table.keys().any(|key| key.get_ref() == name) {
            notes.below(span, name, "is missing");
        }
    }
}

/// The part of the schema that is for values of this kind.
fn alternative<'s>(schema: &'s Value, value: &DeValue<'_>) -> Option<&'s Value> {
    if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
        return any.iter().find_map(|one| alternative(one, value));
    }
    let kinds = kinds(schema);
    (kinds.is_empty() || kinds.contains(&kind(value).0)).then_some(schema)
}

fn kinds(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ if schema.get("oneOf").is_some() => vec!["string"],
        _ => Vec::new(),
    }
}

/// The kind of a value: in the schema's words, and in ours.
fn kind(value: &DeValue<'_>) -> (&'static str, &'static str) {
    match value {
        DeValue::String(_) => ("string", "a string"),
        DeValue::Integer(_) => ("integer", "a whole number"),
        DeValue::Float(_) => ("number", "a number with a fraction"),
        DeValue::Boolean(_) => ("boolean", "true or false"),
        DeValue::Datetime(_) => ("date", "a date without quotes"),
        DeValue::Array(_) => ("array", "a list"),
        DeValue::Table(_) => ("object", "a table"),
    }
}

fn expected(schema: &Value) -> String {
    const NAMES: &[(&str, &str)] = &[
        ("string", "a string"),
        ("integer", "a whole number"),
        ("boolean", "true or false"),
        ("array", "a list"),
        ("object", "a table"),
    ];
    let any = schema.get("anyOf").and_then(Value::as_array);
    let one = [schema];
    let parts: Vec<&Value> = any.map_or_else(|| one.to_vec(), |list| list.iter().collect());
    let kinds: Vec<&str> = parts.iter().flat_map(|part| kinds(part)).collect();
    let names: Vec<&str> =
        NAMES.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, name)| *name).collect();
    let hint = parts
        .iter()
        .any(|p| p.pointer("/properties/env").is_some() && p.pointer("/properties/weight").is_none());
    let hint = if hint { " such as { env = \"NAME\" } or { file = \"path\" }" } else { "" };
    format!("{}{hint}", names.join(" or "))
}

fn one_of(text: &str, schema: &Value, span: &Span, notes: &mut Notes) -> bool {
    let of = |name: &str| schema.get(name).and_then(Value::as_array).into_iter().flatten();
    let consts = of("oneOf").filter_map(|one| one.get("const").or_else(|| one.pointer("/enum/0")));
    let allowed: Vec<&str> = of("enum").chain(consts).filter_map(Value::as_str).collect();
    if allowed.is_empty() || allowed.contains(&text) {
        return true;
    }
    notes.at(span, format!("{text:?} is none of {}", allowed.join(", ")));
    false
}

fn in_range(digits: &str, radix: u32, schema: &Value, span: &Span, notes: &mut Notes) -> bool {
    let most = match schema.get("format").and_then(Value::as_str) {
        Some("uint16") => i128::from(u16::MAX),
        Some("uint32") => i128::from(u32::MAX),
        // TOML's own integers end here.
        _ => i128::from(i64::MAX),
    };
    let fits = i128::from_str_radix(digits, radix).is_ok_and(|n| (0..=most).contains(&n));
    if !fits {
        notes.at(span, format!("must be a whole number from 0 to {most}"));
    }
    fits
}

fn unknown(name: &str, known: &[&str]) -> String {
    if known.contains(&"env") && LITERAL_SECRETS.contains(&name) {
        return "a secret is never written in the file; use env = \"NAME\" or file = \"path\"".into();
    }
    match nearest(name, known) {
        Some(near) => format!("unknown key; did you mean `{near}`?"),
        None => format!("unknown key; known are {}", known.join(", ")),
    }
}

/// The known name that is few enough edits away to be meant.
pub(crate) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known.iter().map(|k| (edits(name, k), *k)).min()?;
    let longer = name.chars().count().max(near.1.len());
    // Two swapped letters are two edits; of a name of one or two letters
    // nothing would be left.
    (near.0 <= longer.div_ceil(3).min(3) && near.0 < near.1.len()).then_some(near.1)
}

/// How many letters must be inserted, removed or replaced (Levenshtein). Names
/// from outside are cut to 64 letters, so that the work is bounded.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().take(64).enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(&b) {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = *cell;
            *cell = replaced.min(before + 1).min(*cell + 1);
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_near_and_other_words_are_not() {
        let known = ["listen", "threads", "tls"];
        assert_eq!(nearest("lisen", &known), Some("listen"));
        assert_eq!(nearest("thread", &known), Some("threads"));
        assert_eq!(nearest("bananas", &known), None);
        assert_eq!(nearest("idel", &["idle"]), Some("idle"));
        assert_eq!(nearest("x", &["y"]), None);
        assert_eq!(nearest("x", &[]), None);
    }

    #[test]
    fn edits_are_counted() {
        for (a, b, count) in
            [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("base_ulr", "base_url", 2)]
        {
            assert_eq!(edits(a, b), count, "{a} {b}");
        }
    }
}
