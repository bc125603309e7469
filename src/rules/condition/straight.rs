//! Conditions that need no interpreter: comparisons of variables with what is written out, and
//! `&&`, `||`, `!` between them. Most conditions are such. They are turned into this once, when
//! the file is loaded, and mean what CEL means: none of it can fail.

use super::super::facts::{Facts, HEADERS, PATTERN_MARK, integer};
use super::Pattern;
use cel::common::ast::operators::{
    EQUALS, GREATER, GREATER_EQUALS, IN, INDEX, LESS, LESS_EQUALS, LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR,
    NOT_EQUALS,
};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};
use regex::Regex;
use std::cmp::Ordering;

/// A condition without calls, sums and macros.
#[derive(Debug)]
pub(super) enum Straight {
    Both(Box<[Straight; 2]>),
    Either(Box<[Straight; 2]>),
    Not(Box<Straight>),
    Flag(Flag),
    HasHeader(Box<str>),
    Text(Text, Test),
    Number(Number, Compare, i64),
}

type Flag = fn(&Facts<'_>) -> bool;
type Number = fn(&Facts<'_>) -> i64;
type Compare = fn(Ordering) -> bool;

#[derive(Debug)]
pub(super) enum Text {
    Variable(for<'a> fn(&Facts<'a>) -> &'a str),
    /// An absent one reads as the empty text.
    Header(Box<str>),
}

#[derive(Debug)]
pub(super) enum Test {
    Is(Box<str>),
    OneOf(Box<[Box<str>]>),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Contains(Box<str>),
    Matches(Regex),
}

impl Straight {
    /// The same as `node`; `None` if it takes CEL.
    pub(super) fn of(node: &IdedExpr, patterns: &[Pattern]) -> Option<Self> {
        match &node.expr {
            Expr::Ident(name) => flag(name).map(Self::Flag),
            Expr::Call(call) => Self::of_call(call, patterns),
            _ => None,
        }
    }

    fn of_call(call: &CallExpr, patterns: &[Pattern]) -> Option<Self> {
        let of = |node| Self::of(node, patterns);
        match (&*call.func_name, call.target.as_deref(), &*call.args) {
            (LOGICAL_AND, None, [a, b]) => Some(Self::Both(Box::new([of(a)?, of(b)?]))),
            (LOGICAL_OR, None, [a, b]) => Some(Self::Either(Box::new([of(a)?, of(b)?]))),
            (LOGICAL_NOT, None, [a]) => Some(Self::Not(Box::new(of(a)?))),
            (IN, None, [name, of]) if is_headers(of) => Some(Self::HasHeader(literal(name)?.into())),
            (IN, None, [value, list]) => Some(Self::Text(text(value)?, Test::OneOf(literals(list)?))),
            (NOT_EQUALS, None, [a, b]) => Some(Self::Not(Box::new(
                Self::compared(EQUALS, a, b).or_else(|| Self::compared(EQUALS, b, a))?,
            ))),
            (operator, None, [a, b]) => {
                Self::compared(operator, a, b).or_else(|| Self::compared(turned(operator)?, b, a))
            }
            (function, Some(value), [argument]) => {
                Some(Self::Text(text(value)?, test(function, argument, patterns)?))
            }
            _ => None,
        }
    }

    /// `variable operator literal`.
    fn compared(operator: &str, variable: &IdedExpr, with: &IdedExpr) -> Option<Self> {
        if operator == EQUALS
            && let (Some(text), Some(with)) = (text(variable), literal(with))
        {
            return Some(Self::Text(text, Test::Is(with.into())));
        }
        let (Expr::Ident(name), Expr::Literal(LiteralValue::Int(with))) = (&variable.expr, &with.expr) else {
            return None;
        };
        Some(Self::Number(number(name)?, compare(operator)?, *with.inner()))
    }

    /// Does it hold?
    pub(super) fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::Both(parts) => parts[0].holds(facts) && parts[1].holds(facts),
            Self::Either(parts) => parts[0].holds(facts) || parts[1].holds(facts),
            Self::Not(part) => !part.holds(facts),
            Self::Flag(flag) => flag(facts),
            Self::HasHeader(name) => facts.header(name).is_some(),
            Self::Text(text, test) => test.holds(match text {
                Text::Variable(of) => of(facts),
                Text::Header(name) => facts.header(name).unwrap_or_default(),
            }),
            Self::Number(number, compare, with) => compare(number(facts).cmp(with)),
        }
    }
}

impl Test {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Is(other) => *text == **other,
            Self::OneOf(others) => others.iter().any(|other| *text == **other),
            Self::StartsWith(start) => text.starts_with(&**start),
            Self::EndsWith(end) => text.ends_with(&**end),
            Self::Contains(part) => text.contains(&**part),
            Self::Matches(regex) => regex.is_match(text),
        }
    }
}

fn test(function: &str, argument: &IdedExpr, patterns: &[Pattern]) -> Option<Test> {
    let of: fn(Box<str>) -> Test = match function {
        "startsWith" => Test::StartsWith,
        "endsWith" => Test::EndsWith,
        "contains" => Test::Contains,
        "matches" => {
            let Expr::Ident(name) = &argument.expr else { return None };
            let number: usize = name.strip_prefix(PATTERN_MARK)?.parse().ok()?;
            return patterns.get(number).map(|Pattern(regex)| Test::Matches(regex.clone()));
        }
        _ => return None,
    };
    literal(argument).map(|text| of(text.into()))
}

fn literal(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

fn literals(node: &IdedExpr) -> Option<Box<[Box<str>]>> {
    let Expr::List(list) = &node.expr else { return None };
    list.elements.iter().map(|element| literal(element).map(Box::from)).collect()
}

fn is_headers(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::Ident(name) if name == HEADERS)
}

fn text(node: &IdedExpr) -> Option<Text> {
    let name = match &node.expr {
        Expr::Ident(name) => &**name,
        Expr::Call(call) => match (&*call.func_name, &*call.args) {
            (INDEX, [map, name]) if is_headers(map) => return Some(Text::Header(literal(name)?.into())),
            _ => return None,
        },
        _ => return None,
    };
    Some(Text::Variable(match name {
        "request.op" => |facts| facts.op,
        "request.model" => |facts| facts.model,
        "caller.user" => |facts| facts.user,
        "caller.key" => |facts| facts.key,
        "caller.key_name" => |facts| facts.key_name,
        "caller.tenant" => |facts| facts.tenant,
        "caller.address" => |facts| facts.address,
        _ => return None,
    }))
}

fn flag(name: &str) -> Option<Flag> {
    Some(match name {
        "request.stream" => |facts| facts.stream,
        "request.has_tools" => |facts| facts.has_tools,
        "request.has_media" => |facts| facts.has_media,
        _ => return None,
    })
}

fn number(name: &str) -> Option<Number> {
    Some(match name {
        "request.input_bound" => |facts| integer(facts.input_bound),
        "request.max_output_tokens" => |facts| integer(facts.max_output_tokens.unwrap_or(0)),
        "request.body_bytes" => |facts| integer(facts.body_bytes),
        "time.hour_utc" => |facts| facts.hour_utc.into(),
        "time.weekday_utc" => |facts| facts.weekday_utc.into(),
        _ => return None,
    })
}

fn compare(operator: &str) -> Option<Compare> {
    Some(match operator {
        EQUALS => Ordering::is_eq,
        LESS => Ordering::is_lt,
        LESS_EQUALS => Ordering::is_le,
        GREATER => Ordering::is_gt,
        GREATER_EQUALS => Ordering::is_ge,
        _ => return None,
    })
}

/// The operator that says the same with its sides exchanged.
fn turned(operator: &str) -> Option<&'static str> {
    Some(match operator {
        EQUALS => EQUALS,
        LESS => GREATER,
        LESS_EQUALS => GREATER_EQUALS,
        GREATER => LESS,
        GREATER_EQUALS => LESS_EQUALS,
        _ => return None,
    })
}
