//! Declarative rules: CEL conditions over request, caller and route; a fixed list of actions.
//! "Lua-free": no scripting runs on the request path.

/// What a rule sees. Borrowed; built once per request, only when rules exist.
pub struct Facts<'a> {
    pub op: &'a str,
    pub model: &'a str,
    pub stream: bool,
    pub input_bound: u64,
    pub max_output_tokens: Option<u64>,
    pub has_tools: bool,
    pub has_media: bool,
    pub body_bytes: u64,
    pub user: &'a str,
    pub key: &'a str,
    pub key_name: &'a str,
    pub tenant: &'a str,
    pub address: &'a str,
    /// Lower-case request headers without credentials.
    pub headers: &'a [(&'a str, &'a str)],
    pub hour_utc: u8,
    pub weekday_utc: u8,
}

/// What the rules decided, all matching rules applied in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// Refuse with this text; names the rule.
    pub deny: Option<(String, String)>,
    /// Use this model instead.
    pub model: Option<String>,
    /// Cap the output.
    pub max_output_tokens: Option<u64>,
    /// Cache on for this many seconds (0 = off).
    pub cache_ttl_seconds: Option<u64>,
    /// Headers added to the vendor's request and to the answer.
    pub request_headers: Vec<(String, String)>,
    pub response_headers: Vec<(String, String)>,
    /// Free-form tags for the log.
    pub tags: Vec<String>,
    /// Names of rules that matched.
    pub matched: Vec<String>,
}

/// Compiled rules in order.
#[derive(Default)]
pub struct RuleSet {
    _private: (),
}

impl RuleSet {
    /// Compiles one file; every problem at once, with line.
    pub fn parse(_file: &str, _text: &str) -> Result<Self, Vec<String>> {
        todo!()
    }
    pub fn append(&mut self, _other: RuleSet) {
        todo!()
    }
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    pub fn decide(&self, _facts: &Facts<'_>) -> Decision {
        todo!()
    }
    /// Runs the cases written in the same file (`[[case]]`): returns failures.
    pub fn run_cases(&self) -> Vec<String> {
        todo!()
    }
}
