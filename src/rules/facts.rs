//! What a rule sees, and how CEL finds it: borrowed, built once per request.

use super::condition::Pattern;
use cel::ExecutionError;
use cel::common::traits::{Container, Indexer};
use cel::common::types::{CelBool, CelInt, CelString, MAP_TYPE, Type};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;

/// What a rule sees. Borrowed; built once per request, only when rules exist.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// `request.op`: the name of the operation, as in metrics.
    pub op: &'a str,
    /// `request.model`: as the caller wrote it.
    pub model: &'a str,
    /// `request.stream`
    pub stream: bool,
    /// `request.input_bound`: at most so many input tokens, without counting them.
    pub input_bound: u64,
    /// `request.max_output_tokens`: 0 in a condition when the caller set none.
    pub max_output_tokens: Option<u64>,
    /// `request.has_tools`
    pub has_tools: bool,
    /// `request.has_media`: images, audio or files.
    pub has_media: bool,
    /// `request.body_bytes`
    pub body_bytes: u64,
    /// `caller.user`: empty when the key belongs to nobody in particular.
    pub user: &'a str,
    /// `caller.key`: the key's id, never the secret.
    pub key: &'a str,
    /// `caller.key_name`
    pub key_name: &'a str,
    /// `caller.tenant`
    pub tenant: &'a str,
    /// `caller.address`: the client's IP address.
    pub address: &'a str,
    /// Lower-case request headers without credentials.
    pub headers: &'a [(&'a str, &'a str)],
    /// `time.hour_utc`: 0 to 23.
    pub hour_utc: u8,
    /// `time.weekday_utc`: 1 is Monday, 7 is Sunday.
    pub weekday_utc: u8,
}

impl<'a> Facts<'a> {
    /// The value of a request header, by its lower-case name.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| *value)
    }
}

/// The variables with a group, in the order of the description for operators.
pub(super) const VARIABLES: &[&str] = &[
    "request.op",
    "request.model",
    "request.stream",
    "request.input_bound",
    "request.max_output_tokens",
    "request.has_tools",
    "request.has_media",
    "request.body_bytes",
    "caller.user",
    "caller.key",
    "caller.key_name",
    "caller.tenant",
    "caller.address",
    "time.hour_utc",
    "time.weekday_utc",
];

/// The one variable without a group.
pub(super) const HEADERS: &str = "headers";

/// What a name stands for in an expression: patterns are compiled ahead and
/// named by their number behind this character, which no source text can contain.
pub(super) const PATTERN_MARK: char = '@';

/// The facts as CEL values. They are handed out borrowed, so looking one up allocates nothing.
pub(super) struct Values<'a> {
    pub(super) facts: Facts<'a>,
    op: CelString<'a>,
    model: CelString<'a>,
    stream: CelBool,
    input_bound: CelInt,
    max_output_tokens: CelInt,
    has_tools: CelBool,
    has_media: CelBool,
    body_bytes: CelInt,
    user: CelString<'a>,
    key: CelString<'a>,
    key_name: CelString<'a>,
    tenant: CelString<'a>,
    address: CelString<'a>,
    headers: Headers<'a>,
    hour_utc: CelInt,
    weekday_utc: CelInt,
}

impl<'a> Values<'a> {
    pub(super) fn of(facts: &Facts<'a>) -> Self {
        Self {
            facts: *facts,
            op: facts.op.into(),
            model: facts.model.into(),
            stream: facts.stream.into(),
            input_bound: integer(facts.input_bound).into(),
            max_output_tokens: integer(facts.max_output_tokens.unwrap_or(0)).into(),
            has_tools: facts.has_tools.into(),
            has_media: facts.has_media.into(),
            body_bytes: integer(facts.body_bytes).into(),
            user: facts.user.into(),
            key: facts.key.into(),
            key_name: facts.key_name.into(),
            tenant: facts.tenant.into(),
            address: facts.address.into(),
            headers: Headers(facts.headers),
            hour_utc: i64::from(facts.hour_utc).into(),
            weekday_utc: i64::from(facts.weekday_utc).into(),
        }
    }

    fn get(&self, variable: &str) -> Option<&(dyn Val + '_)> {
        Some(match variable {
            "request.op" => &self.op,
            "request.model" => &self.model,
            "request.stream" => &self.stream,
            "request.input_bound" => &self.input_bound,
            "request.max_output_tokens" => &self.max_output_tokens,
            "request.has_tools" => &self.has_tools,
            "request.has_media" => &self.has_media,
            "request.body_bytes" => &self.body_bytes,
            "caller.user" => &self.user,
            "caller.key" => &self.key,
            "caller.key_name" => &self.key_name,
            "caller.tenant" => &self.tenant,
            "caller.address" => &self.address,
            HEADERS => &self.headers,
            "time.hour_utc" => &self.hour_utc,
            "time.weekday_utc" => &self.weekday_utc,
            _ => return None,
        })
    }
}

/// CEL mixes signed and unsigned numbers only in comparisons, so all are signed.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Where one condition finds its names.
pub(super) struct Scope<'a> {
    pub(super) values: &'a Values<'a>,
    pub(super) patterns: &'a [Pattern],
}

impl VariableResolver for Scope<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        if let Some(number) = variable.strip_prefix(PATTERN_MARK) {
            let number: usize = number.parse().ok()?;
            return self.patterns.get(number).map(|pattern| CowVal::Borrowed(pattern));
        }
        self.values.get(variable).map(CowVal::Borrowed)
    }
}

/// The request's headers. One that is absent reads as the empty text, since a
/// condition about a header that most requests lack should not be an error;
/// `"name" in headers` tells the difference.
#[derive(Clone, Copy, Debug)]
struct Headers<'a>(&'a [(&'a str, &'a str)]);

impl<'a> Headers<'a> {
    fn find(&self, name: &dyn Val) -> Result<Option<&'a str>, ExecutionError> {
        let Some(name) = name.downcast_ref::<CelString>() else {
            let got = name.get_type().name().to_owned();
            return Err(ExecutionError::UnexpectedType { got, want: "string".to_owned() });
        };
        Ok(self.0.iter().find(|(header, _)| *header == name.inner()).map(|(_, value)| *value))
    }
}

impl<'a> Val for Headers<'a> {
    fn get_type(&self) -> &Type {
        Self::cel_type()
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(*self)
    }
}

impl Container for Headers<'_> {
    fn contains(&self, name: &dyn Val) -> Result<bool, ExecutionError> {
        self.find(name).map(|found| found.is_some())
    }
}

impl Indexer for Headers<'_> {
    fn get<'b, 'v>(&'b self, name: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.find(name).map(|found| CowVal::owned(CelString::from(found.unwrap_or_default())))
    }

    fn steal<'v>(self: Box<Self>, name: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        Ok(self.get(name)?.into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_that_is_described_can_be_looked_up() {
        let facts = super::super::case::Given::default();
        facts.with_facts(|facts| {
            let values = Values::of(facts);
            for name in VARIABLES.iter().chain(&[HEADERS]) {
                assert!(values.get(name).is_some(), "{name}");
            }
        });
    }
}
