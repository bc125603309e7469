//! What is taken out of a body before it is kept.

use crate::config::BodyPolicy;
use serde_json::Value;

/// What stands in the place of what was taken out.
const REDACTED: &str = "[redacted]";
/// What is kept of a body whose members cannot be told apart.
const WITHHELD: &str = "[not kept: members are to be redacted, and it is no whole JSON]";
const BINARY: &str = "[not kept: no text]";

/// The text that is kept of a body. `cut`: it is only the beginning of it.
pub fn redacted(policy: &BodyPolicy, body: &[u8], cut: bool) -> String {
    // The last character may be cut through.
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) if cut && error.error_len().is_none() => {
            std::str::from_utf8(body.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return BINARY.to_owned(),
    };
    let mut kept = match policy.paths.is_empty() {
        true => text.to_owned(),
        false => without_members(policy, text),
    };
    for pattern in &policy.patterns {
        if let std::borrow::Cow::Owned(changed) = pattern.replace_all(&kept, REDACTED) {
            kept = changed;
        }
    }
    kept
}

fn without_members(policy: &BodyPolicy, text: &str) -> String {
    if text.trim().is_empty() {
        return text.to_owned();
    }
    if let Some(whole) = member_free(policy, text) {
        return whole;
    }
    let is_events = text.lines().any(|line| line.starts_with("data:"));
    if !is_events {
        return WITHHELD.to_owned();
    }
    let mut kept = String::with_capacity(text.len());
    for line in text.lines() {
        match line.strip_prefix("data:") {
            Some(data) if data.trim() != "[DONE]" => {
                kept.push_str("data: ");
                kept.push_str(&member_free(policy, data).unwrap_or_else(|| WITHHELD.to_owned()));
            }
            _ => kept.push_str(line),
        }
        kept.push('\n');
    }
    kept
}

fn member_free(policy: &BodyPolicy, text: &str) -> Option<String> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    policy.paths.iter().for_each(|path| redact(&mut value, path));
    Some(value.to_string())
}

fn redact(value: &mut Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else {
        *value = Value::String(REDACTED.to_owned());
        return;
    };
    match value {
        Value::Object(map) => {
            for (name, member) in map.iter_mut() {
                if first == "*" || name == first {
                    redact(member, rest);
                }
            }
        }
        Value::Array(list) => {
            for (at, member) in list.iter_mut().enumerate() {
                if first == "*" || at.to_string() == *first {
                    redact(member, rest);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex::Regex;
    use std::time::Duration;

    fn policy(patterns: &[&str], paths: &[&str]) -> BodyPolicy {
        BodyPolicy {
            percent: 100,
            max_bytes: 100,
            keep: Duration::from_secs(1),
            patterns: patterns.iter().map(|text| Regex::new(text).unwrap()).collect(),
            paths: paths.iter().map(|text| text.split('.').map(str::to_owned).collect()).collect(),
        }
    }

    #[test]
    fn members_and_patterns_are_taken_out_of_json_and_of_events() {
        let policy = policy(&["sk-[a-z0-9]+"], &["messages.*.content", "user", "choices.0.delta.content"]);
        let told = |text: &str| redacted(&policy, text.as_bytes(), false);
        let json =
            told(r#"{"messages":[{"role":"user","content":[{"text":"canary"}]}],"user":"ann","x":"sk-a1"}"#);
        assert_eq!(
            json,
            r#"{"messages":[{"content":"[redacted]","role":"user"}],"user":"[redacted]","x":"[redacted]"}"#
        );
        let events =
            told("event: a\ndata: {\"choices\":[{\"delta\":{\"content\":\"canary\"}}]}\n\ndata: [DONE]\n\n");
        assert!(
            !events.contains("canary") && events.contains("[DONE]") && events.starts_with("event: a\n"),
            "{events}"
        );
        assert!(!told("data: {\"choices\":[{\"delta\":{\"content\":\"cana").contains("cana"), "cut off");
        assert_eq!(told(r#"{"user":"canary"#), WITHHELD);
        assert_eq!(told(""), "");
    }

    #[test]
    fn what_is_no_text_is_not_kept_and_a_cut_character_is_left_out() {
        let plain = policy(&[], &[]);
        assert_eq!(redacted(&plain, b"\xff\xfe", false), BINARY);
        assert_eq!(redacted(&plain, &"aé".as_bytes()[..2], true), "a");
        assert_eq!(redacted(&plain, &"aé".as_bytes()[..2], false), BINARY);
    }

    proptest! {
        #[test]
        fn no_body_keeps_a_member_that_is_to_go(body in "[{}\\[\\]\",:a-z \\n]{0,80}", cut in any::<bool>()) {
            let policy = policy(&[], &["user"]);
            let text = format!(r#"{{"user":"canary-{}","x":1}}"#, body.len());
            prop_assert!(!redacted(&policy, text.as_bytes(), cut).contains("canary"));
            let cut_off = &text[..text.len() - 1];
            prop_assert!(!redacted(&policy, cut_off.as_bytes(), cut).contains("canary"));
            let _ = redacted(&policy, body.as_bytes(), cut);
        }
    }
}
