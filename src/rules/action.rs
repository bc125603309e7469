//! What a rule does. A fixed list: adding to it is adding a field here.

use super::Decision;

/// The actions of one rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Actions {
    pub(super) deny: Option<String>,
    pub(super) model: Option<String>,
    pub(super) max_output_tokens: Option<u64>,
    pub(super) cache_ttl_seconds: Option<u64>,
    pub(super) request_headers: Vec<(String, String)>,
    pub(super) response_headers: Vec<(String, String)>,
    pub(super) tag: Option<String>,
    pub(super) stop: bool,
}

impl Actions {
    /// Adds these actions to what was decided before. `true` when no later rule counts.
    pub(super) fn apply(&self, rule: &str, decision: &mut Decision) -> bool {
        if let Some(text) = &self.deny {
            decision.deny = Some((text.clone(), rule.to_owned()));
        }
        if let Some(model) = &self.model {
            decision.model = Some(model.clone());
        }
        if let Some(cap) = self.max_output_tokens {
            decision.max_output_tokens = Some(decision.max_output_tokens.map_or(cap, |other| other.min(cap)));
        }
        decision.cache_ttl_seconds = self.cache_ttl_seconds.or(decision.cache_ttl_seconds);
        self.request_headers.iter().for_each(|header| set(&mut decision.request_headers, header));
        self.response_headers.iter().for_each(|header| set(&mut decision.response_headers, header));
        if let Some(tag) = &self.tag
            && !decision.tags.contains(tag)
        {
            decision.tags.push(tag.clone());
        }
        self.stop || self.deny.is_some()
    }
}

fn set(headers: &mut Vec<(String, String)>, (name, value): &(String, String)) {
    match headers.iter_mut().find(|(other, _)| other == name) {
        Some((_, old)) => old.clone_from(value),
        None => headers.push((name.clone(), value.clone())),
    }
}

/// Headers that a rule may not set: they carry credentials, or frame the message.
const FORBIDDEN: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "set-cookie",
    "host",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "content-length",
    "content-type",
    "content-encoding",
    "accept-encoding",
];

/// Why a header may not be set, if it may not.
pub(super) fn header_problem(name: &str, value: &str) -> Option<String> {
    let token =
        |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Some(format!("{name:?} is no header name; names are lower-case"));
    }
    if FORBIDDEN.contains(&name) {
        return Some(format!("{name} cannot be set by a rule"));
    }
    let visible = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if !value.bytes().all(visible) || value.trim() != value {
        return Some(format!("the value of {name} must be visible ASCII without spaces around it"));
    }
    None
}

/// Seconds of `90`, `"90s"`, `"5m"`, `"2h"` or `"1d"`; `"0"` and `"off"` turn the cache off.
pub(super) fn seconds(text: &str) -> Option<u64> {
    if text == "off" {
        return Some(0);
    }
    let unit = match text.bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        b'd' => 24 * 3600,
        _ => return text.parse().ok(),
    };
    let number = text.get(..text.len() - 1)?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| number.parse::<u64>().ok()?.checked_mul(unit)).flatten()
}
