//! Why a body cannot be taken, in words for its sender.

use crate::error::{Failure, Kind};
use crate::wire::json::Syntax;
use std::borrow::Cow;

/// Why a body is refused: the text itself, or what it says.
pub(super) enum Wrong {
    Syntax(Syntax),
    Refused(Box<Failure>),
}

impl Wrong {
    pub(super) fn failure(self, body: &[u8]) -> Failure {
        match self {
            Self::Refused(failure) => *failure,
            Self::Syntax(syntax) => {
                let (line, column) = syntax.line_column(body);
                let why = syntax.why;
                refuse(format!("The body is no valid JSON: {why} at line {line}, column {column}."))
            }
        }
    }
}

impl From<Syntax> for Wrong {
    fn from(syntax: Syntax) -> Self {
        Self::Syntax(syntax)
    }
}

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Self {
        Self::Refused(Box::new(failure))
    }
}

pub(super) fn refuse(public: impl Into<Cow<'static, str>>) -> Failure {
    Failure::new(Kind::InvalidRequest, public)
}

pub(super) fn wrong_type(field: &'static str, wanted: &str) -> Failure {
    refuse(format!("`{field}` must be {wanted}.")).param(field)
}

pub(super) fn expect<T>(found: Option<T>, field: &'static str, wanted: &str) -> Result<T, Failure> {
    found.ok_or_else(|| wrong_type(field, wanted))
}
