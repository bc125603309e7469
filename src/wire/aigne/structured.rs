//! Structured output. The client wants the value itself and not its text, and
//! asks up to sixteen times when it does not get one.

use crate::chat::{Finish, Json};
use crate::error::{Failure, Kind, Result};

/// The value that a model has written as text.
///
/// # Errors
/// [`Kind::VendorMalformed`] when it is no JSON object or array: an error is
/// believed at once, where a missing value is asked for again.
pub(super) fn value_of(text: &str, finish: Option<&Finish>) -> Result<Json> {
    let bare = without_fence(text.trim());
    let is_container = bare.starts_with(['{', '[']);
    Json::parse(bare).filter(|_| is_container).ok_or_else(|| {
        let text = match finish {
            Some(Finish::Length) => "The model reached its limit of tokens before its JSON was complete",
            Some(Finish::ContentFilter) => "The model refused to answer with the JSON that was asked for",
            _ => "The model did not answer with the JSON that was asked for",
        };
        Failure::new(Kind::VendorMalformed, text)
    })
}

/// Models that are only told to write JSON like to put it in a code fence.
fn without_fence(text: &str) -> &str {
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    inner.map_or(text, |inner| inner.strip_prefix("json").unwrap_or(inner).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_with_and_without_a_fence() {
        for text in ["{\"a\":1}", " {\"a\":1}\n", "```json\n{\"a\":1}\n```", "```\n{\"a\":1}```"] {
            assert_eq!(value_of(text, None).unwrap().as_str(), r#"{"a":1}"#, "{text}");
        }
    }

    #[test]
    fn what_is_no_value_is_an_error_that_says_why() {
        for text in ["", "sorry", "\"text\"", "null", "{\"a\":", "```json\n```"] {
            assert_eq!(value_of(text, None).unwrap_err().kind, Kind::VendorMalformed, "{text}");
        }
        let failure = value_of("{\"a\":", Some(&Finish::Length)).unwrap_err();
        assert!(failure.public.contains("limit of tokens"));
    }
}
