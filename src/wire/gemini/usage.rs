//! Usage in the vendor's words: cached tokens are part of the prompt's, and
//! thoughts are no part of the candidates'. A stream repeats the sum so far on each chunk.

use crate::types::Usage;
use crate::wire::json::Reader;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// The numbers as the vendor names them.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Counts {
    prompt_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
    tool_use_prompt_token_count: Option<u64>,
    total_token_count: Option<u64>,
    prompt_tokens_details: Option<Sound>,
    cache_tokens_details: Option<Sound>,
    candidates_tokens_details: Option<Sound>,
}

/// Of a list of tokens by modality, those of sound. Read on each chunk, so nothing else is kept.
#[derive(Clone, Copy, Debug, Default)]
struct Sound(u64);

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Detail {
    modality: Option<Modality>,
    token_count: Option<u64>,
}

#[derive(Deserialize)]
enum Modality {
    #[serde(rename = "AUDIO")]
    Audio,
    #[serde(other)]
    Other,
}

impl Sound {
    /// Reads a list in which there is only what everybody knows.
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut sum = 0_u64;
        reader.enter_array().ok()?;
        while reader.element().ok()? {
            let (mut is_sound, mut tokens) = (None, None);
            reader.enter_object().ok()?;
            while let Some(key) = reader.key().ok()? {
                match key.raw {
                    b"modality" if is_sound.is_none() => {
                        is_sound = Some(reader.string().ok()?.raw == b"AUDIO")
                    }
                    b"tokenCount" if tokens.is_none() => tokens = Some(reader.whole_or_skip().ok()??),
                    _ => return None,
                }
            }
            sum = sum.saturating_add(tokens.filter(|_| is_sound == Some(true)).unwrap_or(0));
        }
        Some(Self(sum))
    }
}

impl<'de> Deserialize<'de> for Sound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Details;
        impl<'de> Visitor<'de> for Details {
            type Value = Sound;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Sound, A::Error> {
                let mut sum = 0_u64;
                while let Some(detail) = list.next_element::<Detail>()? {
                    let is_sound = matches!(detail.modality, Some(Modality::Audio));
                    let tokens = detail.token_count.filter(|_| is_sound);
                    sum = sum.saturating_add(tokens.unwrap_or(0));
                }
                Ok(Sound(sum))
            }
        }
        deserializer.deserialize_seq(Details)
    }
}

fn audio(sound: Option<Sound>) -> u64 {
    sound.unwrap_or_default().0
}

impl Counts {
    /// Reads what a chunk says. `None`: it is easier read whole.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut counts = Self::default();
        reader.enter_object().ok()?;
        while let Some(key) = reader.key().ok()? {
            let place = match key.raw {
                b"promptTokenCount" => &mut counts.prompt_token_count,
                b"cachedContentTokenCount" => &mut counts.cached_content_token_count,
                b"candidatesTokenCount" => &mut counts.candidates_token_count,
                b"thoughtsTokenCount" => &mut counts.thoughts_token_count,
                b"toolUsePromptTokenCount" => &mut counts.tool_use_prompt_token_count,
                b"totalTokenCount" => &mut counts.total_token_count,
                b"promptTokensDetails" => {
                    counts.prompt_tokens_details = Some(Sound::read(reader)?);
                    continue;
                }
                b"cacheTokensDetails" => {
                    counts.cache_tokens_details = Some(Sound::read(reader)?);
                    continue;
                }
                b"candidatesTokensDetails" => {
                    counts.candidates_tokens_details = Some(Sound::read(reader)?);
                    continue;
                }
                _ if key.escaped => return None,
                _ => {
                    reader.ignore().ok()?;
                    continue;
                }
            };
            if place.replace(reader.whole_or_skip().ok()??).is_some() {
                return None;
            }
        }
        Some(counts)
    }

    /// Takes later numbers, which are cumulative and replace earlier ones; one that is left out stays.
    pub(super) fn update(&mut self, later: Counts) {
        let newer = |old: &mut Option<u64>, new: Option<u64>| *old = new.or(*old);
        newer(&mut self.prompt_token_count, later.prompt_token_count);
        newer(&mut self.cached_content_token_count, later.cached_content_token_count);
        newer(&mut self.candidates_token_count, later.candidates_token_count);
        newer(&mut self.thoughts_token_count, later.thoughts_token_count);
        newer(&mut self.tool_use_prompt_token_count, later.tool_use_prompt_token_count);
        newer(&mut self.total_token_count, later.total_token_count);
        let newer = |old: &mut Option<Sound>, new: Option<Sound>| *old = new.or(*old);
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
        let cached_audio = audio(self.cache_tokens_details);
        let audio_input = audio(self.prompt_tokens_details).saturating_sub(cached_audio).min(fresh);
        let candidates = self.candidates_token_count.unwrap_or(0);
        let audio_output = audio(self.candidates_tokens_details).min(candidates);
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
    fn what_is_read_fast_is_what_is_read_whole() {
        for json in [
            r#"{"promptTokenCount":7,"candidatesTokenCount":5,"totalTokenCount":40,"thoughtsTokenCount":2,
                "cachedContentTokenCount":1,"toolUsePromptTokenCount":3,"new":{"a":[]},
                "promptTokensDetails":[{"modality":"AUDIO","tokenCount":2},{"tokenCount":9,"modality":"TEXT"}],
                "cacheTokensDetails":[],"candidatesTokensDetails":[{"modality":"AUDIO"}]}"#,
            "{}",
            r#"{"promptTokenCount":1}"#,
        ] {
            let fast = Counts::read(&mut Reader::new(json.as_bytes())).unwrap();
            assert_eq!(format!("{fast:?}"), format!("{:?}", read(json)));
        }
        let odd = [r#"{"promptTokenCount":null}"#, r#"{"promptTokenCount":1,"promptTokenCount":2}"#];
        for json in odd {
            assert!(Counts::read(&mut Reader::new(json.as_bytes())).is_none(), "{json}");
        }
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
