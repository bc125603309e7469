//! The actions of a rule, from `then`.

use super::super::action::{Actions, header_problem, seconds};
use super::{Item, Reader, whole};
use crate::types::ModelName;
use toml::de::DeValue;

const KNOWN: &str = "deny, model, max_output_tokens, cache_ttl, request_header, response_header, tag, stop";

impl<'t> Reader<'t> {
    pub(super) fn actions(&mut self, value: &Item<'t>) -> Option<Actions> {
        let table = self.table("then", value)?;
        if table.is_empty() {
            self.problem(value.span().start, "`then` must do something");
        }
        let mut actions = Actions::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "deny" => actions.deny = self.filled("deny", value),
                "model" => actions.model = self.model(value),
                "max_output_tokens" => actions.max_output_tokens = self.cap(value),
                "cache_ttl" => actions.cache_ttl_seconds = self.ttl(value),
                "request_header" => actions.request_headers = self.headers("request_header", value),
                "response_header" => actions.response_headers = self.headers("response_header", value),
                "tag" => actions.tag = self.filled("tag", value),
                "stop" => actions.stop = self.boolean("stop", value).unwrap_or_default(),
                _ => self.unknown(key, KNOWN),
            }
        }
        Some(actions)
    }

    fn filled(&mut self, key: &str, value: &Item<'t>) -> Option<String> {
        self.expect(key, value, "a text that is not empty", |value| {
            value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
        })
    }

    fn model(&mut self, value: &Item<'t>) -> Option<String> {
        let model = self.string("model", value)?;
        match ModelName::parse(&model) {
            Ok(_) => Some(model),
            Err(problem) => {
                self.problem(value.span().start, &problem.to_string());
                None
            }
        }
    }

    fn cap(&mut self, value: &Item<'t>) -> Option<u64> {
        self.expect("max_output_tokens", value, "a whole number above 0", |value| {
            whole(value).filter(|cap| *cap > 0)
        })
    }

    pub(super) fn ttl(&mut self, value: &Item<'t>) -> Option<u64> {
        self.expect(
            "cache_ttl",
            value,
            "seconds, or a text like \"90s\", \"5m\", \"2h\", \"1d\", \"off\"",
            |value| match value {
                DeValue::String(text) => seconds(text),
                number => whole(number),
            },
        )
    }

    fn headers(&mut self, key: &str, value: &Item<'t>) -> Vec<(String, String)> {
        let headers = self.pairs(key, value).unwrap_or_default();
        for (name, text) in &headers {
            if let Some(problem) = header_problem(name, text) {
                self.problem(value.span().start, &problem);
            }
        }
        headers
    }
}
