//! One condition: compiled, checked against samples, evaluated.

mod check;
mod resolve;
mod straight;

use self::straight::Straight;
use super::facts::{Scope, Values};
use cel::common::ast::IdedExpr;
use cel::common::types::{CelBool, CelString, STRING_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{Context, Env, ExecutionError, ParseError, Value};
use regex::Regex;
use std::any::Any;
use std::sync::Arc;

/// The longest condition, in bytes.
const MAX_BYTES: usize = 4000;

/// How deep brackets may nest. The parser recurses.
const MAX_BRACKETS: usize = 32;

/// What conditions are compiled and evaluated with; one for all of a file.
#[derive(Clone)]
pub(super) struct Language(Arc<Env>);

impl Language {
    /// CEL with its standard functions, and `matches` for patterns that were compiled ahead.
    pub(super) fn new() -> Self {
        let mut env = Env::stdlib();
        let added = env.add_member_overload(
            "matches",
            "string.matches(pattern)",
            STRING_TYPE.to_owned(),
            vec![PATTERN_TYPE.to_owned()],
            matches,
        );
        debug_assert!(added.is_ok(), "the standard library knows no patterns");
        Self(Arc::new(env))
    }
}

/// A condition that was checked. Evaluating it allocates for intermediate
/// results only.
pub(super) struct Condition {
    language: Language,
    expression: IdedExpr,
    patterns: Vec<Pattern>,
    /// The same without CEL, if it is that simple.
    straight: Option<Straight>,
}

impl Condition {
    /// Compiles and checks.
    ///
    /// # Errors
    /// Everything that is wrong with it, each as half a sentence.
    pub(super) fn compile(language: &Language, source: &str) -> Result<Self, Vec<String>> {
        bounded(source).map_err(|problem| vec![problem])?;
        let program = language.0.compile(source).map_err(|errors| explain(&errors.errors))?;
        let mut expression = program.expression().clone();
        let patterns = resolve::names(&language.0, &mut expression)?;
        let straight = Straight::of(&expression, &patterns);
        let condition = Self { language: language.clone(), expression, patterns, straight };
        let problems = check::types(&condition);
        if problems.is_empty() { Ok(condition) } else { Err(problems) }
    }

    /// Does it hold?
    ///
    /// # Errors
    /// What CEL says: a division by zero, a text that is no number, and such.
    pub(super) fn holds(&self, values: &Values<'_>) -> Result<bool, ExecutionError> {
        match &self.straight {
            Some(straight) => Ok(straight.holds(&values.facts)),
            None => self.holds_by_cel(values),
        }
    }

    fn holds_by_cel(&self, values: &Values<'_>) -> Result<bool, ExecutionError> {
        self.evaluate(&self.expression, values, |value| {
            value.downcast_ref::<CelBool>().map(|truth| *truth.inner()).ok_or_else(|| {
                let got = value.get_type().name().to_owned();
                ExecutionError::UnexpectedType { got, want: "bool".to_owned() }
            })
        })
    }

    fn evaluate<T>(
        &self,
        expression: &IdedExpr,
        values: &Values<'_>,
        then: impl FnOnce(&dyn Val) -> Result<T, ExecutionError>,
    ) -> Result<T, ExecutionError> {
        let scope = Scope { values, patterns: &self.patterns };
        let mut context = Context::with_env(Arc::clone(&self.language.0));
        context.set_variable_resolver(&scope);
        let value = Value::resolve_val(expression, &context)?;
        then(value.as_ref())
    }
}

fn bounded(source: &str) -> Result<(), String> {
    if source.len() > MAX_BYTES {
        return Err(format!("the condition is longer than {MAX_BYTES} bytes"));
    }
    let mut depth = 0usize;
    for byte in source.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_BRACKETS {
            return Err(format!("brackets nest deeper than {MAX_BRACKETS}"));
        }
    }
    Ok(())
}

fn explain(errors: &[ParseError]) -> Vec<String> {
    let line = |error: &ParseError| {
        format!("the condition cannot be read at {}:{}: {}", error.pos.0, error.pos.1, error.msg)
    };
    errors.iter().map(line).collect()
}

/// A regular expression that was compiled when the rule was loaded. CEL's own
/// `matches` compiles it at each evaluation.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Regex);

static PATTERN_TYPE: Type = Type::new_unspecified_type("pattern");

impl Pattern {
    fn compile(source: &str) -> Result<Self, String> {
        let short = |error: regex::Error| error.to_string().lines().last().unwrap_or_default().to_owned();
        Regex::new(source)
            .map(Self)
            .map_err(|error| format!("the pattern {source:?} is wrong: {}", short(error)))
    }
}

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        Self::cel_type()
    }

    fn cel_type() -> &'static Type {
        &PATTERN_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

fn matches<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [text, pattern] = arguments.as_slice() else {
        return Err(ExecutionError::invalid_argument_count(2, arguments.len()));
    };
    match (text.downcast_ref::<CelString>(), pattern.downcast_ref::<Pattern>()) {
        (Some(text), Some(Pattern(regex))) => Ok(CowVal::owned(CelBool::from(regex.is_match(text.inner())))),
        _ => Err(ExecutionError::missing_argument_or_target()),
    }
}

#[cfg(test)]
mod tests;
