//! Usage in Anthropic's words: the buckets of the input do not overlap, and
//! thoughts are part of the output.

use crate::chat::Object;
use crate::types::Usage;
use serde::Deserialize;

/// The numbers as the vendor names them; a stream says some of them twice.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_creation: Option<Creation>,
    output_tokens_details: Option<Details>,
    pub service_tier: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    ephemeral_5m_input_tokens: Option<u64>,
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    #[serde(alias = "reasoning_tokens")]
    thinking_tokens: Option<u64>,
}

impl Counts {
    /// Takes later numbers, which are cumulative and replace earlier ones.
    pub(super) fn update(&mut self, later: Counts) {
        let newer = |old: &mut Option<u64>, new: Option<u64>| *old = new.or(*old);
        newer(&mut self.input_tokens, later.input_tokens);
        newer(&mut self.output_tokens, later.output_tokens);
        newer(&mut self.cache_read_input_tokens, later.cache_read_input_tokens);
        newer(&mut self.cache_creation_input_tokens, later.cache_creation_input_tokens);
        self.cache_creation = later.cache_creation.or(self.cache_creation.take());
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details.take());
    }

    /// The buckets. What was written to the cache and is in neither of the two
    /// bins counts as five minutes, the default.
    pub(super) fn usage(&self) -> Usage {
        let creation = self.cache_creation.clone().unwrap_or_default();
        let one_hour = creation.ephemeral_1h_input_tokens.unwrap_or(0);
        let five_minutes = creation.ephemeral_5m_input_tokens.unwrap_or(0);
        let written = self.cache_creation_input_tokens.unwrap_or(0);
        let output = self.output_tokens.unwrap_or(0);
        let thinking = self.output_tokens_details.as_ref().and_then(|details| details.thinking_tokens);
        let reasoning = thinking.unwrap_or(0).min(output);
        Usage {
            input: self.input_tokens.unwrap_or(0),
            cache_read: self.cache_read_input_tokens.unwrap_or(0),
            cache_write_5m: five_minutes.max(written.saturating_sub(one_hour)),
            cache_write_1h: one_hour,
            output: output - reasoning,
            reasoning,
            ..Usage::default()
        }
    }
}

/// Appends the members of a usage.
pub(super) fn write_usage(object: &mut Object<'_>, usage: &Usage) {
    let written = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
    object.put("input_tokens", &usage.input.saturating_add(usage.audio_input));
    object.put("cache_creation_input_tokens", &written);
    object.put("cache_read_input_tokens", &usage.cache_read);
    if written > 0 {
        object.object("cache_creation", |creation| {
            creation.put("ephemeral_5m_input_tokens", &usage.cache_write_5m);
            creation.put("ephemeral_1h_input_tokens", &usage.cache_write_1h);
        });
    }
    object.put("output_tokens", &usage.output_tokens());
    if usage.reasoning > 0 {
        object.object("output_tokens_details", |details| details.put("thinking_tokens", &usage.reasoning));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::write_object;

    fn read(json: &str) -> Counts {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn buckets_do_not_overlap() {
        let usage = read(
            r#"{"input_tokens":10,"cache_read_input_tokens":5,"cache_creation_input_tokens":7,"output_tokens":9,
                "cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":4},
                "output_tokens_details":{"thinking_tokens":6}}"#,
        )
        .usage();
        assert_eq!(
            (usage.input, usage.cache_read, usage.cache_write_5m, usage.cache_write_1h),
            (10, 5, 3, 4)
        );
        assert_eq!((usage.output, usage.reasoning), (3, 6));
        assert_eq!((usage.input_tokens(), usage.output_tokens()), (22, 9));
    }

    #[test]
    fn writes_without_bins_count_as_five_minutes() {
        let usage = read(r#"{"cache_creation_input_tokens":7}"#).usage();
        assert_eq!((usage.cache_write_5m, usage.cache_write_1h), (7, 0));
    }

    #[test]
    fn later_numbers_replace_earlier_ones_and_silence_does_not() {
        let mut counts = read(r#"{"input_tokens":10,"output_tokens":1,"cache_read_input_tokens":2}"#);
        counts.update(read(r#"{"output_tokens":40,"input_tokens":null}"#));
        assert_eq!((counts.usage().input, counts.usage().output, counts.usage().cache_read), (10, 40, 2));
    }

    #[test]
    fn a_usage_is_read_back_as_it_was_written() {
        let usage = Usage {
            input: 1,
            cache_read: 2,
            cache_write_5m: 3,
            cache_write_1h: 4,
            output: 5,
            reasoning: 6,
            ..Usage::default()
        };
        let mut out = Vec::new();
        write_object(&mut out, |object| write_usage(object, &usage));
        assert_eq!(read(std::str::from_utf8(&out).unwrap()).usage(), usage);
    }
}
