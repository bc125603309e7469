//! A case: given these facts, expect this decision. Written beside the rules,
//! run offline.

use super::{Decision, Facts};

/// One case of a file.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) given: Given,
    pub(super) expect: Expect,
}

/// Facts that are owned; what a case does not mention has a quiet default.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) op: String,
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) input_bound: u64,
    pub(super) max_output_tokens: Option<u64>,
    pub(super) has_tools: bool,
    pub(super) has_media: bool,
    pub(super) body_bytes: u64,
    pub(super) user: String,
    pub(super) key: String,
    pub(super) key_name: String,
    pub(super) tenant: String,
    pub(super) address: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) hour_utc: u8,
    pub(super) weekday_utc: u8,
}

impl Default for Given {
    fn default() -> Self {
        Self {
            op: "chat".into(),
            model: "model".into(),
            stream: false,
            input_bound: 100,
            max_output_tokens: None,
            has_tools: false,
            has_media: false,
            body_bytes: 400,
            user: String::new(),
            key: "key".into(),
            key_name: "key".into(),
            tenant: "tenant".into(),
            address: "192.0.2.1".into(),
            headers: Vec::new(),
            hour_utc: 12,
            weekday_utc: 3,
        }
    }
}

impl Given {
    /// Facts that conditions are checked against when they are loaded: the
    /// default, one with everything, one with nothing.
    pub(super) fn samples() -> [Self; 3] {
        let everything = Self {
            stream: true,
            max_output_tokens: Some(1000),
            has_tools: true,
            has_media: true,
            user: "user".into(),
            headers: vec![("x-sample".into(), "1".into())],
            ..Self::default()
        };
        let nothing = Self {
            op: String::new(),
            model: String::new(),
            input_bound: 0,
            body_bytes: 0,
            key: String::new(),
            key_name: String::new(),
            tenant: String::new(),
            address: String::new(),
            hour_utc: 0,
            weekday_utc: 1,
            ..Self::default()
        };
        [Self::default(), everything, nothing]
    }

    /// Lends the facts in the form that rules take them.
    pub(super) fn with_facts<T>(&self, then: impl FnOnce(&Facts<'_>) -> T) -> T {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        then(&Facts {
            op: &self.op,
            model: &self.model,
            stream: self.stream,
            input_bound: self.input_bound,
            max_output_tokens: self.max_output_tokens,
            has_tools: self.has_tools,
            has_media: self.has_media,
            body_bytes: self.body_bytes,
            user: &self.user,
            key: &self.key,
            key_name: &self.key_name,
            tenant: &self.tenant,
            address: &self.address,
            headers: &headers,
            hour_utc: self.hour_utc,
            weekday_utc: self.weekday_utc,
        })
    }
}

/// What a case says about denial.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Denial {
    /// Denied or not, whatever the text.
    Is(bool),
    /// Denied with this text.
    With(String),
}

/// What a case expects. `None`: not said, so not compared.
#[derive(Clone, Debug, Default)]
pub(super) struct Expect {
    pub(super) deny: Option<Denial>,
    /// The empty text: no other model.
    pub(super) model: Option<String>,
    /// 0: no cap.
    pub(super) max_output_tokens: Option<u64>,
    pub(super) cache_ttl_seconds: Option<u64>,
    pub(super) request_headers: Option<Vec<(String, String)>>,
    pub(super) response_headers: Option<Vec<(String, String)>>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) matched: Option<Vec<String>>,
    pub(super) errors: Option<Vec<String>>,
}

impl Expect {
    /// What the decision has otherwise, each as half a sentence.
    pub(super) fn differences(&self, decision: &Decision) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, same: bool, wanted: String, got: String| {
            if !same {
                differences.push(format!("expected {what} {wanted}, got {got}"));
            }
        };
        if let Some(wanted) = &self.deny {
            let got = decision.deny.as_ref().map(|(text, _)| text);
            let same = match wanted {
                Denial::Is(denied) => got.is_some() == *denied,
                Denial::With(text) => got == Some(text),
            };
            compare("deny", same, format!("{wanted:?}"), format!("{got:?}"));
        }
        if let Some(wanted) = &self.model {
            let got = decision.model.as_deref().unwrap_or_default();
            compare("model", wanted == got, format!("{wanted:?}"), format!("{got:?}"));
        }
        if let Some(wanted) = self.max_output_tokens {
            let got = decision.max_output_tokens.unwrap_or(0);
            compare("max_output_tokens", wanted == got, wanted.to_string(), got.to_string());
        }
        if let Some(wanted) = self.cache_ttl_seconds {
            let got = decision.cache_ttl_seconds;
            compare("cache_ttl", Some(wanted) == got, format!("{wanted}s"), format!("{got:?}"));
        }
        let headers = [
            ("request_header", &self.request_headers, &decision.request_headers),
            ("response_header", &self.response_headers, &decision.response_headers),
        ];
        for (what, wanted, got) in headers {
            if let Some(wanted) = wanted {
                let same = wanted.len() == got.len() && wanted.iter().all(|header| got.contains(header));
                compare(what, same, format!("{wanted:?}"), format!("{got:?}"));
            }
        }
        let lists = [
            ("tags", &self.tags, &decision.tags),
            ("matched", &self.matched, &decision.matched),
            ("errors", &self.errors, &decision.errors),
        ];
        for (what, wanted, got) in lists {
            if let Some(wanted) = wanted {
                compare(what, wanted == got, format!("{wanted:?}"), format!("{got:?}"));
            }
        }
        differences
    }
}
