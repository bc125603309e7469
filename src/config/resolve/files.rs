//! What the configuration refers to: secrets, price files, rule files, CAs.

use super::{ReadPrices, Resolver};
use crate::config::at::At;
use crate::config::document::read_bounded;
use crate::config::raw;
use crate::ledger::{Price, PriceTable};
use crate::rules::RuleSet;
use crate::types::Secret;
use std::ops::Range;
use std::path::{Path, PathBuf};

impl Resolver<'_> {
    /// A text file, relative to the configuration; noted when it cannot be read.
    pub(super) fn text_file(&mut self, span: &Range<usize>, file: &str) -> Option<String> {
        let path = self.path(file);
        let read = read_bounded(&path).map_err(|error| format!("{file:?} cannot be read: {error}"));
        self.watched.insert(path);
        self.note(span, read)
    }

    /// A secret from a variable or a file. The text of a problem never holds it.
    pub(super) fn secret(&mut self, span: &Range<usize>, source: &raw::SecretSource) -> Option<Secret> {
        match (&source.env, &source.file) {
            (Some(name), None) => {
                let value = self.environment.get(name).map(Secret::new);
                let missing = || format!("the environment variable {name} is not set, or empty");
                self.note(span, value.ok_or_else(missing))
            }
            (None, Some(file)) => {
                let text = self.text_file(span, file)?;
                let trimmed = text.trim();
                if trimmed.is_empty() {
                    self.notes.at(span, format!("{file:?} is empty"));
                    return None;
                }
                Some(Secret::new(trimmed))
            }
            (Some(_), Some(_)) => {
                self.notes.at(span, "names both env and file; which one?");
                None
            }
            (None, None) => {
                self.notes.at(span, "names no secret; write env = \"NAME\" or file = \"path\"");
                None
            }
        }
    }

    pub(crate) fn prices(&mut self, raw: &raw::Files, built_in: &[Price], read: ReadPrices) -> PriceTable {
        let mut rows = built_in.to_vec();
        for (name, text) in self.matching(&raw.files) {
            match read(&name, &text) {
                Ok(more) => rows.extend(more),
                Err(problems) => problems.into_iter().for_each(|p| self.notes.elsewhere(p)),
            }
        }
        PriceTable::new(rows)
    }

    pub(super) fn rules(&mut self, raw: &raw::Files) -> RuleSet {
        let mut rules = RuleSet::default();
        for (name, text) in self.matching(&raw.files) {
            let added = RuleSet::parse(&name, &text).and_then(|more| rules.append(more));
            added.unwrap_or_else(|problems| problems.into_iter().for_each(|p| self.notes.elsewhere(p)));
        }
        rules
    }

    /// Names and texts of the files that a list stands for, in its order; those
    /// of one folder by name.
    fn matching(&mut self, list: &[At<String>]) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for at in list {
            let paths = self.note(&at.span, expand(&self.path(&at.value))).unwrap_or_default();
            self.watched.insert(self.path(&at.value));
            for path in paths {
                let name = path.display().to_string();
                let read = read_bounded(&path).map_err(|error| format!("{name} cannot be read: {error}"));
                found.extend(self.note(&at.span, read).map(|text| (name, text)));
                self.watched.insert(path);
            }
        }
        found
    }
}

/// A file is itself; a folder is its `*.toml`; a `*` in the last part matches
/// anything. A pattern or folder without files is no mistake, a missing file is.
pub(in crate::config) fn expand(path: &Path) -> Result<Vec<PathBuf>, String> {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let (folder, pattern) = match name.contains('*') {
        true => (path.parent().unwrap_or(Path::new("")), name),
        false if path.is_dir() => (path, "*.toml"),
        false => return Ok(vec![path.to_owned()]),
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        // Hidden files are editors' and Kubernetes' own.
        let matches = entry.file_name().to_str().is_some_and(|n| !n.starts_with('.') && fits(pattern, n));
        if matches && entry.path().is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Does a name fit a pattern in which `*` stands for any letters?
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, name, expected) in [
            ("*.toml", "a.toml", true),
            ("*.toml", "a.toml.bak", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "abc", true),
            ("a*a", "a", false),
            ("a.toml", "a.toml", true),
            ("a.toml", "a.toml2", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
