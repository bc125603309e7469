//! Types in a condition, as far as samples show them: each part that `&&`,
//! `||`, `!` and `?:` put together is evaluated by itself, so that no mistake
//! hides behind a part that decides alone.

use super::super::case::Given;
use super::super::facts::Values;
use super::Condition;
use cel::ExecutionError;
use cel::common::ast::operators::{CONDITIONAL, EQUALS, LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR, NOT_EQUALS};
use cel::common::ast::{Expr, IdedExpr};

/// What is wrong with the types, each as half a sentence.
pub(super) fn types(condition: &Condition) -> Vec<String> {
    let mut problems = Vec::new();
    for sample in Given::samples() {
        sample.with_facts(|facts| {
            Check { condition, values: Values::of(facts), problems: &mut problems }
                .truth(&condition.expression);
        });
    }
    problems
}

struct Check<'c, 'f> {
    condition: &'c Condition,
    values: Values<'f>,
    problems: &'c mut Vec<String>,
}

impl Check<'_, '_> {
    fn problem(&mut self, text: String) {
        if !self.problems.contains(&text) {
            self.problems.push(text);
        }
    }

    /// A part that must be true or false.
    fn truth(&mut self, node: &IdedExpr) {
        if let Expr::Call(call) = &node.expr {
            match (call.func_name.as_str(), call.args.as_slice()) {
                (LOGICAL_AND | LOGICAL_OR, parts @ [_, _])
                | (LOGICAL_NOT, parts @ [_])
                | (CONDITIONAL, parts @ [_, _, _]) => return parts.iter().for_each(|part| self.truth(part)),
                (EQUALS | NOT_EQUALS, [left, right]) => self.comparable(left, right),
                _ => {}
            }
        }
        match self.type_of(node) {
            Ok(Some(name)) if name != "bool" => {
                self.problem(format!(
                    "a condition must be true or false, but a part of it is of type {name}"
                ));
            }
            Err(problem) => self.problem(problem),
            Ok(_) => {}
        }
    }

    /// CEL calls values of different types unequal, without a complaint. That
    /// is never what was meant.
    fn comparable(&mut self, left: &IdedExpr, right: &IdedExpr) {
        let (Ok(Some(left)), Ok(Some(right))) = (self.type_of(left), self.type_of(right)) else { return };
        let number = |name: &str| matches!(name, "int" | "uint" | "double");
        if left != right && !(number(&left) && number(&right)) {
            self.problem(format!("{left} is compared with {right}, which are never equal"));
        }
    }

    /// The type on this sample; `None` when evaluation fails for reasons of value and not of type.
    fn type_of(&self, node: &IdedExpr) -> Result<Option<String>, String> {
        let evaluated =
            self.condition.evaluate(node, &self.values, |value| Ok(value.get_type().name().to_owned()));
        match evaluated {
            Ok(name) => Ok(Some(name)),
            Err(error) if depends_on_value(&error) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Could other facts have avoided this error?
fn depends_on_value(error: &ExecutionError) -> bool {
    matches!(
        error,
        ExecutionError::NoSuchKey(_)
            | ExecutionError::IndexOutOfBounds(_)
            | ExecutionError::DivisionByZero(_)
            | ExecutionError::RemainderByZero(_)
            | ExecutionError::Overflow(..)
            | ExecutionError::FunctionError { .. }
    )
}
