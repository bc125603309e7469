//! From a TOML file to compiled rules. Reads on after a problem, so that one
//! look at the report is enough to mend a file.

mod case;
mod then;

use super::condition::{Condition, Language};
use super::stack::with_deep_stack;
use super::{FileCase, Rule, RuleSet};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The longest name of a rule or case, in bytes.
const MAX_NAME_BYTES: usize = 100;

/// A value and where it stands.
type Item<'t> = Spanned<DeValue<'t>>;

/// Compiles one file.
pub(super) fn file(file: &str, text: &str) -> Result<RuleSet, Vec<String>> {
    with_deep_stack(|| read(file, text)).unwrap_or_else(|problem| Err(vec![format!("{file}:1: {problem}")]))
}

fn read(file: &str, text: &str) -> Result<RuleSet, Vec<String>> {
    let mut reader = Reader { file, text, subject: String::new(), problems: Vec::new() };
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        reader.problem(error.span().map_or(0, |span| span.start), error.message());
    }
    // After a syntax error the rest is guesswork.
    let set = if errors.is_empty() { reader.root(root.get_ref()) } else { RuleSet::default() };
    reader.finish(set)
}

struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    /// What is being read, such as `rule "night"`, for the problems.
    subject: String,
    problems: Vec<(usize, String)>,
}

impl<'t> Reader<'t> {
    fn finish(mut self, set: RuleSet) -> Result<RuleSet, Vec<String>> {
        if self.problems.is_empty() {
            return Ok(set);
        }
        self.problems.sort_by_key(|(line, _)| *line);
        let file = self.file;
        Err(self.problems.into_iter().map(|(line, text)| format!("{file}:{line}: {text}")).collect())
    }

    fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }

    fn problem(&mut self, at: usize, text: &str) {
        let subject = &self.subject;
        let colon = if subject.is_empty() { "" } else { ": " };
        self.problems.push((self.line(at), format!("{subject}{colon}{text}")));
    }

    fn unknown(&mut self, key: &Spanned<std::borrow::Cow<'t, str>>, known: &str) {
        self.problem(key.span().start, &format!("unknown key `{}`; known are {known}", key.get_ref()));
    }

    fn root(&mut self, root: &DeTable<'t>) -> RuleSet {
        let mut set = RuleSet::default();
        let language = Language::new();
        for (key, value) in root {
            match key.get_ref().as_ref() {
                "rule" => self.each(value, "rule", |reader, at, table| {
                    let rule = reader.rule(at, table, &language);
                    if let Some(rule) = &rule
                        && set.rules.iter().any(|other| other.name == rule.name)
                    {
                        reader.problem(at, "another rule of this file has the same name");
                    }
                    set.rules.extend(rule);
                }),
                "case" => self.each(value, "case", |reader, at, table| {
                    let case = reader.case(at, table);
                    let (file, line) = (reader.file.to_owned(), reader.line(at));
                    set.cases.extend(case.map(|case| FileCase { file, line, rules: 0..0, case }));
                }),
                _ => self.unknown(key, "[[rule]] and [[case]]"),
            }
        }
        let rules = set.rules.len();
        set.cases.iter_mut().for_each(|case| case.rules = 0..rules);
        set
    }

    /// Calls `read` with each table of an array of tables.
    fn each(&mut self, value: &Item<'t>, what: &str, mut read: impl FnMut(&mut Self, usize, &DeTable<'t>)) {
        let items = value.get_ref().as_array().map_or(&[][..], |items| items);
        if items.is_empty() {
            self.problem(value.span().start, &format!("`{what}` is written as [[{what}]]"));
        }
        for item in items {
            let at = item.span().start;
            match item.get_ref().as_table() {
                Some(table) => {
                    let name = table.get("name").and_then(|name| name.get_ref().as_str());
                    self.subject = name.map_or(what.to_owned(), |name| format!("{what} {name:?}"));
                    read(self, at, table);
                    self.subject.clear();
                }
                None => self.problem(at, &format!("a {what} must be a table")),
            }
        }
    }

    fn rule(&mut self, at: usize, table: &DeTable<'t>, language: &Language) -> Option<Rule> {
        let (mut name, mut condition, mut actions, mut on_error) = (None, None, None, None);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => name = self.rule_name(value),
                "when" => condition = self.condition(value, language),
                "then" => actions = self.actions(value),
                "on_error" => on_error = self.on_error(value),
                _ => self.unknown(key, "name, when, then, on_error"),
            }
        }
        self.require(at, table, &["name", "when", "then"]);
        let (name, condition, actions) = (name?, condition?, actions?);
        let deny_on_error = on_error.unwrap_or(actions.deny.is_some());
        let place = format!("{}:{}", self.file, self.line(at));
        Some(Rule { name, place, condition, actions, deny_on_error })
    }

    fn require(&mut self, at: usize, table: &DeTable<'t>, keys: &[&str]) {
        for key in keys {
            if !table.contains_key(*key) {
                self.problem(at, &format!("`{key}` is missing"));
            }
        }
    }

    fn rule_name(&mut self, value: &Item<'t>) -> Option<String> {
        let name = self.string("name", value)?;
        let sound = !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control);
        if !sound {
            self.problem(value.span().start, "`name` must be 1 to 100 bytes without control characters");
        }
        sound.then_some(name)
    }

    fn condition(&mut self, value: &Item<'t>, language: &Language) -> Option<Condition> {
        let source = self.string("when", value)?;
        match Condition::compile(language, &source) {
            Ok(condition) => Some(condition),
            Err(problems) => {
                problems.iter().for_each(|problem| self.problem(value.span().start, problem));
                None
            }
        }
    }

    /// Deny when the condition cannot be evaluated?
    fn on_error(&mut self, value: &Item<'t>) -> Option<bool> {
        match value.get_ref().as_str() {
            Some("deny") => Some(true),
            Some("skip") => Some(false),
            _ => {
                self.problem(value.span().start, "`on_error` must be \"deny\" or \"skip\"");
                None
            }
        }
    }

    /// The value that `read` makes of an item, or a problem that says what it must be.
    fn expect<T>(
        &mut self,
        key: &str,
        value: &Item<'t>,
        must_be: &str,
        read: impl FnOnce(&DeValue<'t>) -> Option<T>,
    ) -> Option<T> {
        let found = read(value.get_ref());
        if found.is_none() {
            self.problem(value.span().start, &format!("`{key}` must be {must_be}"));
        }
        found
    }

    fn string(&mut self, key: &str, value: &Item<'t>) -> Option<String> {
        self.expect(key, value, "a text", |value| value.as_str().map(str::to_owned))
    }

    fn boolean(&mut self, key: &str, value: &Item<'t>) -> Option<bool> {
        self.expect(key, value, "true or false", DeValue::as_bool)
    }

    fn number(&mut self, key: &str, value: &Item<'t>) -> Option<u64> {
        self.expect(key, value, "a whole number, not negative", whole)
    }

    fn strings(&mut self, key: &str, value: &Item<'t>) -> Option<Vec<String>> {
        self.expect(key, value, "a list of texts", |value| {
            let texts = value.as_array()?.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
            texts.collect()
        })
    }

    fn table<'v>(&mut self, key: &str, value: &'v Item<'t>) -> Option<&'v DeTable<'t>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.problem(value.span().start, &format!("`{key}` must be a table"));
        }
        table
    }

    /// A table of texts, in the order of its keys.
    fn pairs(&mut self, key: &str, value: &Item<'t>) -> Option<Vec<(String, String)>> {
        let mut pairs = Vec::new();
        for (name, value) in self.table(key, value)? {
            let text = self.string(name.get_ref(), value)?;
            pairs.push((name.get_ref().to_string(), text));
        }
        Some(pairs)
    }
}

/// A whole number that is not negative.
fn whole(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}
