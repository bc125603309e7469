//! Usage in the vendor's words: what was read from a cache and written to one is
//! no part of `inputTokens`. Thoughts are part of the output and not told apart.

use crate::types::Usage;
use serde::Deserialize;

/// The numbers as the vendor names them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Counts {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
    cache_details: Option<Vec<Detail>>,
}

/// What was written to a cache, by how long it is kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Detail {
    ttl: Option<String>,
    input_tokens: Option<u64>,
}

impl Counts {
    /// The buckets. What was written and is in no detail counts as five minutes, the default.
    pub(super) fn usage(&self) -> Usage {
        let written = |ttl: &str| {
            let details = self.cache_details.iter().flatten();
            let of_it = details.filter(|detail| detail.ttl.as_deref() == Some(ttl));
            of_it.filter_map(|detail| detail.input_tokens).fold(0, u64::saturating_add)
        };
        let one_hour = written("1h");
        let rest = self.cache_write_input_tokens.unwrap_or(0).saturating_sub(one_hour);
        Usage {
            input: self.input_tokens.unwrap_or(0),
            cache_read: self.cache_read_input_tokens.unwrap_or(0),
            cache_write_5m: written("5m").max(rest),
            cache_write_1h: one_hour,
            output: self.output_tokens.unwrap_or(0),
            ..Usage::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Usage {
        serde_json::from_str::<Counts>(json).unwrap().usage()
    }

    #[test]
    fn buckets_do_not_overlap() {
        let usage = read(
            r#"{"inputTokens":10,"outputTokens":4,"totalTokens":26,"cacheReadInputTokens":5,"cacheWriteInputTokens":7,
                "cacheDetails":[{"ttl":"1h","inputTokens":4},{"ttl":"5m","inputTokens":3}]}"#,
        );
        let expected = Usage {
            input: 10,
            cache_read: 5,
            cache_write_5m: 3,
            cache_write_1h: 4,
            output: 4,
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        assert_eq!(usage.total_tokens(), 26);
    }

    #[test]
    fn writes_without_details_count_as_five_minutes() {
        let usage = read(r#"{"inputTokens":1,"cacheWriteInputTokens":7}"#);
        assert_eq!((usage.cache_write_5m, usage.cache_write_1h), (7, 0));
        let part = read(r#"{"cacheWriteInputTokens":7,"cacheDetails":[{"ttl":"1h","inputTokens":4}]}"#);
        assert_eq!((part.cache_write_5m, part.cache_write_1h), (3, 4));
    }
}
