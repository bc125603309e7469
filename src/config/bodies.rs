//! Whose requests and answers are kept, and what of them: as the hub goes by
//! it, and as people write it by the API.

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most that can be kept of one body, in bytes; a row of the store has to hold both.
const LARGEST: u64 = 4 * 1024 * 1024;
/// The longest that they can be kept: a hundred years.
const MOST_DAYS: u32 = 36_525;
/// Compiled size of one expression, in bytes.
const LARGEST_PATTERN: usize = 1 << 20;
const DAY_SECONDS: u64 = 86_400;

/// What is kept of one tenant's bodies.
#[derive(Clone, Debug)]
pub struct BodyPolicy {
    /// Of a hundred requests so many.
    pub percent: u8,
    /// Of one body at most.
    pub max_bytes: usize,
    /// How long.
    pub keep: Duration,
    /// What these match is replaced.
    pub patterns: Vec<Regex>,
    /// Members that are replaced: names, `*` for any.
    pub paths: Vec<Vec<String>>,
}

/// What is kept, sealed, of a tenant's requests and answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "BodyPolicy")]
pub struct BodyPolicyText {
    /// Of a hundred requests so many. Default: 100.
    pub percent: Option<u8>,
    /// What is kept of one body at most, in bytes. Default: 65536.
    pub max_bytes: Option<u64>,
    /// Days they are kept. Default: 30.
    pub days: Option<u32>,
    /// Regular expressions; what they match is replaced.
    pub redact: Vec<String>,
    /// Members of JSON bodies and of events, which are replaced: names joined by dots, `*` for any; as messages.*.content.
    pub redact_paths: Vec<String>,
    /// Switched off, nothing new is kept. Default: true.
    pub enabled: Option<bool>,
    /// Anything worth knowing.
    pub comment: String,
}

impl Default for BodyPolicy {
    /// What holds where nobody says anything else.
    fn default() -> Self {
        let keep = Duration::from_secs(30 * DAY_SECONDS);
        Self { percent: 100, max_bytes: 64 * 1024, keep, patterns: Vec::new(), paths: Vec::new() }
    }
}

/// A share of the requests.
pub(super) fn percent(written: u8) -> Result<u8, String> {
    match (1..=100).contains(&written) {
        true => Ok(written),
        false => Err("must be from 1 to 100; remove the entry to keep nothing".to_owned()),
    }
}

/// The bound of one body, in bytes.
pub(super) fn max_bytes(written: u64) -> Result<usize, String> {
    match usize::try_from(written) {
        Ok(0) => Err("must be more than 0".to_owned()),
        Ok(bytes) if written <= LARGEST => Ok(bytes),
        _ => Err("is more than 4 MiB".to_owned()),
    }
}

/// How long they are kept.
pub(super) fn keep(days: u32) -> Result<Duration, String> {
    match (1..=MOST_DAYS).contains(&days) {
        true => Ok(Duration::from_secs(u64::from(days).saturating_mul(DAY_SECONDS))),
        false => Err(format!("must be at least 1, and at most {MOST_DAYS}")),
    }
}

/// One expression.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(text).size_limit(LARGEST_PATTERN).build();
    built.map_err(|error| error.to_string().replace('\n', " "))
}

/// One path.
pub(super) fn path(text: &str) -> Result<Vec<String>, String> {
    let parts: Vec<String> = text.split('.').map(str::to_owned).collect();
    match parts.iter().any(String::is_empty) {
        true => Err("has an empty name; write it like \"messages.*.content\"".to_owned()),
        false => Ok(parts),
    }
}

impl BodyPolicy {
    /// Reads what was written by the API.
    ///
    /// # Errors
    /// Everything that is wrong: field and text.
    pub fn read(text: &BodyPolicyText) -> Result<Self, Vec<(String, String)>> {
        let mut faults = Vec::new();
        let mut note = |field: &str, error| faults.push((field.to_owned(), error));
        let mut policy = Self::default();
        take(("percent", text.percent), percent, &mut policy.percent, &mut note);
        take(("max_bytes", text.max_bytes), max_bytes, &mut policy.max_bytes, &mut note);
        take(("days", text.days), keep, &mut policy.keep, &mut note);
        policy.patterns = each("redact", &text.redact, pattern, &mut note);
        policy.paths = each("redact_paths", &text.redact_paths, path, &mut note);
        if faults.is_empty() { Ok(policy) } else { Err(faults) }
    }

    /// As the API writes it.
    pub fn told(&self) -> BodyPolicyText {
        BodyPolicyText {
            percent: Some(self.percent),
            max_bytes: u64::try_from(self.max_bytes).ok(),
            days: u32::try_from(self.keep.as_secs() / DAY_SECONDS).ok(),
            redact: self.patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
            redact_paths: self.paths.iter().map(|parts| parts.join(".")).collect(),
            enabled: Some(true),
            comment: String::new(),
        }
    }
}

/// Reads a field into its place, if it is there.
fn take<T, U>(
    (field, written): (&str, Option<T>),
    read: impl FnOnce(T) -> Result<U, String>,
    into: &mut U,
    note: &mut dyn FnMut(&str, String),
) {
    match written.map(read) {
        Some(Ok(right)) => *into = right,
        Some(Err(error)) => note(field, error),
        None => {}
    }
}

/// Reads a list; what is wrong is noted with its place.
fn each<T>(
    field: &str,
    texts: &[String],
    read: impl Fn(&str) -> Result<T, String>,
    note: &mut dyn FnMut(&str, String),
) -> Vec<T> {
    let mut list = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match read(text) {
            Ok(one) => list.push(one),
            Err(error) => note(&format!("{field}[{index}]"), error),
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_told_again_and_every_fault_has_its_place() {
        let usual = BodyPolicy::read(&BodyPolicyText::default()).unwrap();
        assert_eq!((usual.percent, usual.max_bytes, usual.keep.as_secs()), (100, 65_536, 30 * 86_400));
        let text = BodyPolicyText {
            percent: Some(7),
            max_bytes: Some(100),
            days: Some(2),
            redact: vec!["a+".into()],
            redact_paths: vec!["messages.*.content".into()],
            enabled: Some(true),
            comment: String::new(),
        };
        assert_eq!(BodyPolicy::read(&text).unwrap().told(), text);
        let wrong = BodyPolicyText {
            percent: Some(0),
            max_bytes: Some(LARGEST + 1),
            days: Some(0),
            redact: vec!["fine".into(), "(".into()],
            redact_paths: vec!["a..b".into()],
            ..BodyPolicyText::default()
        };
        let faults = BodyPolicy::read(&wrong).unwrap_err();
        let fields: Vec<&str> = faults.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["percent", "max_bytes", "days", "redact[1]", "redact_paths[0]"]);
    }
}
