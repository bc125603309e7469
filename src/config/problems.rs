//! What is wrong with a configuration: all of it at once, each with its place.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file; empty when no file says it.
    pub file: String,
    /// Line from 1, if a line says it.
    pub line: Option<usize>,
    /// The key, as in `provider[0].base_url`; may be empty.
    pub key: String,
    /// What is wrong, and what would be right.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.is_empty(), self.line) {
            (true, _) => {}
            (false, Some(line)) => write!(f, "{}:{line}: ", self.file)?,
            (false, None) => write!(f, "{}: ", self.file)?,
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.text)
    }
}

/// Everything that is wrong, one per line. Never empty, never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Collects problems of one file.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    file: String,
    /// Byte offsets at which lines begin.
    lines: Vec<usize>,
    /// Keys by the offset at which their value begins.
    keys: HashMap<usize, String>,
    list: Vec<Problem>,
}

impl Notes {
    pub(crate) fn new(file: &str, text: &str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        Self { file: file.to_owned(), lines, keys: HashMap::new(), list: Vec::new() }
    }

    /// Remembers which key a value belongs to.
    pub(crate) fn name(&mut self, span: &Range<usize>, key: &str) {
        self.keys.insert(span.start, key.to_owned());
    }

    /// Something is wrong with the value at `span`.
    pub(crate) fn at(&mut self, span: &Range<usize>, text: impl Into<String>) {
        let key = self.keys.get(&span.start).cloned().unwrap_or_default();
        self.push(span, key, text);
    }

    /// Something is wrong with `key` in the table at `span`, where it may be missing.
    pub(crate) fn below(&mut self, span: &Range<usize>, key: &str, text: impl Into<String>) {
        let table = self.keys.get(&span.start).cloned().unwrap_or_default();
        let key = if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") };
        self.push(span, key, text);
    }

    /// Something is wrong with a key that is known by name only.
    pub(crate) fn push(&mut self, span: &Range<usize>, key: String, text: impl Into<String>) {
        let line = Some(self.lines.partition_point(|start| *start <= span.start));
        self.list.push(Problem { file: self.file.clone(), line, key, text: text.into() });
    }

    /// Something is wrong that no line of this file says.
    pub(crate) fn elsewhere(&mut self, text: impl Into<String>) {
        self.list.push(Problem { file: String::new(), line: None, key: String::new(), text: text.into() });
    }

    /// Is anything wrong?
    ///
    /// # Errors
    /// The problems in the order of their lines, if there are any.
    pub(crate) fn finish(self) -> Result<(), Problems> {
        if self.list.is_empty() { Ok(()) } else { Err(self.into_problems()) }
    }

    /// The problems in the order of their lines.
    pub(crate) fn into_problems(mut self) -> Problems {
        self.list.sort_by_key(|p| p.line.unwrap_or(usize::MAX));
        self.list.dedup();
        Problems(self.list)
    }
}
