//! The cases of a file, from `[[case]]`.

use super::super::case::{Case, Denial, Expect, Given};
use super::super::facts::{HEADERS, VARIABLES};
use super::{Item, Reader, whole};
use crate::types::Op;
use toml::de::{DeTable, DeValue};

const KNOWN: &str = "deny, model, max_output_tokens, cache_ttl, request_header, response_header, tags, \
                     matched, errors";

impl<'t> Reader<'t> {
    pub(super) fn case(&mut self, at: usize, table: &DeTable<'t>) -> Option<Case> {
        let (mut name, mut given, mut expect) = (None, Given::default(), None);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => name = self.rule_name(value),
                "given" => given = self.given(value),
                "expect" => expect = self.expectations(value),
                _ => self.unknown(key, "name, given, expect"),
            }
        }
        self.require(at, table, &["name", "expect"]);
        Some(Case { name: name?, given, expect: expect? })
    }

    fn given(&mut self, value: &Item<'t>) -> Given {
        let mut given = Given::default();
        for (group, value) in self.table("given", value).into_iter().flatten() {
            match group.get_ref().as_ref() {
                HEADERS => given.headers = self.given_headers(value),
                "request" | "caller" | "time" => {
                    for (field, value) in self.table(group.get_ref(), value).into_iter().flatten() {
                        self.fact(&mut given, &format!("{}.{}", group.get_ref(), field.get_ref()), value);
                    }
                }
                _ => self.unknown(group, "request, caller, time, headers"),
            }
        }
        given
    }

    fn given_headers(&mut self, value: &Item<'t>) -> Vec<(String, String)> {
        let headers = self.pairs(HEADERS, value).unwrap_or_default();
        if headers.iter().any(|(name, _)| name.bytes().any(|byte| byte.is_ascii_uppercase())) {
            self.problem(value.span().start, "header names are lower-case");
        }
        headers
    }

    /// Sets one fact by its variable name. A value of the wrong type is reported and changes nothing.
    fn fact(&mut self, given: &mut Given, name: &str, value: &Item<'t>) {
        fn put<T>(spot: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *spot = value;
            }
        }
        match name {
            "request.op" => put(&mut given.op, self.op(value)),
            "request.model" => put(&mut given.model, self.string(name, value)),
            "request.stream" => put(&mut given.stream, self.boolean(name, value)),
            "request.input_bound" => put(&mut given.input_bound, self.number(name, value)),
            "request.max_output_tokens" => given.max_output_tokens = self.number(name, value),
            "request.has_tools" => put(&mut given.has_tools, self.boolean(name, value)),
            "request.has_media" => put(&mut given.has_media, self.boolean(name, value)),
            "request.body_bytes" => put(&mut given.body_bytes, self.number(name, value)),
            "caller.user" => put(&mut given.user, self.string(name, value)),
            "caller.key" => put(&mut given.key, self.string(name, value)),
            "caller.key_name" => put(&mut given.key_name, self.string(name, value)),
            "caller.tenant" => put(&mut given.tenant, self.string(name, value)),
            "caller.address" => put(&mut given.address, self.string(name, value)),
            "time.hour_utc" => put(&mut given.hour_utc, self.small(name, value, 0, 23)),
            "time.weekday_utc" => put(&mut given.weekday_utc, self.small(name, value, 1, 7)),
            _ => {
                let text = format!("unknown variable `{name}`; known are {}", VARIABLES.join(", "));
                self.problem(value.span().start, &text);
            }
        }
    }

    fn op(&mut self, value: &Item<'t>) -> Option<String> {
        self.expect("request.op", value, "the name of an operation, such as \"chat\"", |value| {
            let name = value.as_str()?;
            Op::ALL.iter().any(|op| op.name() == name).then(|| name.to_owned())
        })
    }

    fn small(&mut self, key: &str, value: &Item<'t>, from: u8, to: u8) -> Option<u8> {
        self.expect(key, value, &format!("a number from {from} to {to}"), |value| {
            u8::try_from(whole(value)?).ok().filter(|number| (from..=to).contains(number))
        })
    }

    fn expectations(&mut self, value: &Item<'t>) -> Option<Expect> {
        let table = self.table("expect", value)?;
        if table.is_empty() {
            self.problem(value.span().start, "`expect` must say something; no rule at all is `matched = []`");
        }
        let mut expect = Expect::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match name {
                "deny" => expect.deny = self.denial(value),
                "model" => expect.model = self.string(name, value),
                "max_output_tokens" => expect.max_output_tokens = self.number(name, value),
                "cache_ttl" => expect.cache_ttl_seconds = self.ttl(value),
                "request_header" => expect.request_headers = self.pairs(name, value),
                "response_header" => expect.response_headers = self.pairs(name, value),
                "tags" => expect.tags = self.strings(name, value),
                "matched" => expect.matched = self.strings(name, value),
                "errors" => expect.errors = self.strings(name, value),
                _ => self.unknown(key, KNOWN),
            }
        }
        Some(expect)
    }

    fn denial(&mut self, value: &Item<'t>) -> Option<Denial> {
        self.expect("deny", value, "true, false, or the text", |value| match value {
            DeValue::Boolean(denied) => Some(Denial::Is(*denied)),
            text => text.as_str().map(|text| Denial::With(text.to_owned())),
        })
    }
}
