//! Usage in the vendor's words: cached tokens are part of the prompt's, and
//! thoughts are no part of the candidates'. A stream repeats the sum so far on each chunk.

use crate::types::Usage;
use serde::Deserialize;

/// The numbers as the vendor names them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Counts {
    prompt_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
    tool_use_prompt_token_count: Option<u64>,
    total_token_count: Option<u64>,
    prompt_tokens_details: Option<Vec<Detail>>,
    cache_tokens_details: Option<Vec<Detail>>,
    candidates_tokens_details: Option<Vec<Detail>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Detail {
    modality: Option<String>,
    token_count: Option<u64>,
}

/// The tokens of sound among some.
fn audio(details: Option<&Vec<Detail>>) -> u64 {
    let audio = details.into_iter().flatten().filter(|detail| detail.modality.as_deref() == Some("AUDIO"));
    audio.filter_map(|detail| detail.token_count).fold(0, u64::saturating_add)
}

impl Counts {
    /// Takes later numbers, which are cumulative and replace earlier ones; one that is left out stays.
    pub(super) fn update(&mut self, later: Counts) {
        let newer = |old: &mut Option<u64>, new: Option<u64>| *old = new.or(*old);
        newer(&mut self.prompt_token_count, later.prompt_token_count);
        newer(&mut self.cached_content_token_count, later.cached_content_token_count);
        newer(&mut self.candidates_token_count, later.candidates_token_count);
        newer(&mut self.thoughts_token_count, later.thoughts_token_count);
        newer(&mut self.tool_use_prompt_token_count, later.tool_use_prompt_token_count);
        newer(&mut self.total_token_count, later.total_token_count);
        let newer = |old: &mut Option<Vec<Detail>>, new: Option<Vec<Detail>>| *old = new.or(old.take());
        newer(&mut self.prompt_tokens_details, later.prompt_tokens_details);
        newer(&mut self.cache_tokens_details, later.cache_tokens_details);
        newer(&mut self.candidates_tokens_details, later.candidates_tokens_details);
    }

    /// The buckets. What the vendor's own tools read counts as input. Thoughts that
    /// are in the total only, as of some previews, are what is left of it.
    pub(super) fn usage(&self) -> Usage {
        let read = self.tool_use_prompt_token_count.unwrap_or(0);
        let prompt = self.prompt_token_count.unwrap_or(0);
        let cache_read = self.cached_content_token_count.unwrap_or(0).min(prompt);
        let fresh = prompt - cache_read;
        let cached_audio = audio(self.cache_tokens_details.as_ref());
        let audio_input = audio(self.prompt_tokens_details.as_ref()).saturating_sub(cached_audio).min(fresh);
        let candidates = self.candidates_token_count.unwrap_or(0);
        let audio_output = audio(self.candidates_tokens_details.as_ref()).min(candidates);
        let known = prompt.saturating_add(read).saturating_add(candidates);
        let rest = || self.total_token_count.unwrap_or(0).saturating_sub(known);
        Usage {
            input: (fresh - audio_input).saturating_add(read),
            cache_read,
            audio_input,
            output: candidates - audio_output,
            audio_output,
            reasoning: self.thoughts_token_count.unwrap_or_else(rest),
            ..Usage::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Counts {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn buckets_do_not_overlap() {
        let usage = read(
            r#"{"promptTokenCount":100,"cachedContentTokenCount":40,"candidatesTokenCount":20,
                "thoughtsTokenCount":30,"toolUsePromptTokenCount":5,"totalTokenCount":155,
                "promptTokensDetails":[{"modality":"TEXT","tokenCount":80},{"modality":"AUDIO","tokenCount":20}],
                "cacheTokensDetails":[{"modality":"AUDIO","tokenCount":8}],
                "candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":6}]}"#,
        )
        .usage();
        let expected = Usage {
            input: 53,
            cache_read: 40,
            audio_input: 12,
            output: 14,
            audio_output: 6,
            reasoning: 30,
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        assert_eq!(usage.total_tokens(), 155);
    }

    #[test]
    fn thoughts_that_are_only_in_the_total_are_counted() {
        let usage = read(r#"{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":40}"#).usage();
        assert_eq!((usage.output, usage.reasoning), (5, 25));
    }

    #[test]
    fn impossible_numbers_do_no_harm() {
        let usage = read(
            r#"{"promptTokenCount":1,"cachedContentTokenCount":9,"totalTokenCount":0,
                "candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":18446744073709551615}]}"#,
        )
        .usage();
        assert_eq!((usage.input, usage.cache_read, usage.output, usage.reasoning), (0, 1, 0, 0));
    }

    #[test]
    fn later_numbers_replace_earlier_ones_and_silence_does_not() {
        let mut counts = read(r#"{"promptTokenCount":10,"candidatesTokenCount":1}"#);
        counts.update(read(r#"{"candidatesTokenCount":40}"#));
        assert_eq!((counts.usage().input, counts.usage().output), (10, 40));
    }
}
