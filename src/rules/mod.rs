//! Declarative rules: CEL conditions over request, caller and time; a fixed
//! list of actions. "Lua-free": no scripting runs on the request path.
//!
//! A file is compiled and checked once, when it is loaded; then a request costs
//! one walk over small expression trees that borrow its facts. Decides only:
//! what a decision leads to is the proxy's business. The variables and actions
//! are described for operators in `lua-free-rules/README.md`.

mod action;
mod case;
mod condition;
mod facts;
mod read;
mod stack;

pub use facts::Facts;

use action::Actions;
use case::Case;
use condition::Condition;
use facts::Values;
use std::ops::Range;

/// What the caller is told when a condition fails that has no text of its own.
const UNDECIDABLE: &str = "A rule for this request could not be evaluated.";

/// What the rules decided, all matching rules applied in order.
///
/// Later rules override `model`, `cache_ttl_seconds` and headers of the same
/// name; of several `max_output_tokens` the smallest holds; a denial and `stop`
/// end the evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// Refuse: the text for the caller, and the name of the rule for the log.
    pub deny: Option<(String, String)>,
    /// Use this model instead.
    pub model: Option<String>,
    /// Cap the output at this many tokens.
    pub max_output_tokens: Option<u64>,
    /// Cache explicitly, for this many seconds (0 = off).
    pub cache_ttl_seconds: Option<u64>,
    /// Headers added to the vendor's request, lower-case.
    pub request_headers: Vec<(String, String)>,
    /// Headers added to the answer, lower-case.
    pub response_headers: Vec<(String, String)>,
    /// Free-form tags for the log, each once.
    pub tags: Vec<String>,
    /// Names of rules that matched.
    pub matched: Vec<String>,
    /// Names of rules whose condition could not be evaluated. Count and log them.
    pub errors: Vec<String>,
}

/// One compiled rule.
struct Rule {
    name: String,
    /// `file:line`, for problems.
    place: String,
    condition: Condition,
    actions: Actions,
    /// Refuse when the condition cannot be evaluated?
    deny_on_error: bool,
}

/// Compiled rules in order.
#[derive(Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    cases: Vec<FileCase>,
}

/// A case, and the rules of its own file, which are all it is about.
struct FileCase {
    file: String,
    line: usize,
    rules: Range<usize>,
    case: Case,
}

impl RuleSet {
    /// Compiles one file.
    ///
    /// # Errors
    /// Every problem of the file at once, each as `file:line: what is wrong`.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<String>> {
        read::file(file, text)
    }

    /// Adds the rules of another file behind these.
    ///
    /// # Errors
    /// Every name that both have, with both places: log and metrics tell rules
    /// apart by their names. Nothing is added then.
    pub fn append(&mut self, other: RuleSet) -> Result<(), Vec<String>> {
        let twice: Vec<String> = other.rules.iter().filter_map(|rule| self.clash(rule)).collect();
        if !twice.is_empty() {
            return Err(twice);
        }
        let shift = self.rules.len();
        self.rules.extend(other.rules);
        self.cases.extend(other.cases.into_iter().map(|mut case| {
            case.rules = case.rules.start + shift..case.rules.end + shift;
            case
        }));
        Ok(())
    }

    fn clash(&self, rule: &Rule) -> Option<String> {
        let other = self.rules.iter().find(|other| other.name == rule.name)?;
        let Rule { place, name, .. } = rule;
        Some(format!("{place}: rule {name:?}: the rule at {} has the same name", other.place))
    }

    /// Are there no rules? Then no facts need to be gathered.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// What the rules say about one request. Called once per request, before
    /// the model is looked up; every rule sees the request as the caller sent it.
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
        if self.rules.is_empty() {
            return Decision::default();
        }
        decide(&self.rules, facts)
    }

    /// Runs the cases written in the files (`[[case]]`), each over the rules of
    /// its own file: returns failures, as `file:line: what differed`.
    pub fn run_cases(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for FileCase { file, line, rules, case } in &self.cases {
            let own = self.rules.get(rules.clone()).unwrap_or_default();
            let decision = case.given.with_facts(|facts| decide(own, facts));
            for difference in case.expect.differences(&decision) {
                failures.push(format!("{file}:{line}: case {:?}: {difference}", case.name));
            }
        }
        failures
    }

    /// How many cases [`RuleSet::run_cases`] runs.
    pub fn case_count(&self) -> usize {
        self.cases.len()
    }
}

fn decide(rules: &[Rule], facts: &Facts<'_>) -> Decision {
    let values = Values::of(facts);
    let mut decision = Decision::default();
    for rule in rules {
        match rule.condition.holds(&values) {
            Ok(false) => {}
            Ok(true) => {
                decision.matched.push(rule.name.clone());
                if rule.actions.apply(&rule.name, &mut decision) {
                    break;
                }
            }
            Err(_) => {
                decision.errors.push(rule.name.clone());
                if rule.deny_on_error {
                    let text = rule.actions.deny.as_deref().unwrap_or(UNDECIDABLE);
                    decision.deny = Some((text.to_owned(), rule.name.clone()));
                    break;
                }
            }
        }
    }
    decision
}

#[cfg(test)]
mod tests;
