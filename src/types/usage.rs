//! What a request used, in buckets that never overlap.

/// The usage vector. A token is counted in exactly one bucket; how a vendor's
/// own numbers map here is a column of the vendor table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Usage {
    /// Input tokens that were neither read from nor written to a prompt cache.
    pub input: u64,
    /// Input tokens read from the vendor's prompt cache.
    pub cache_read: u64,
    /// Input tokens written to a prompt cache that lives five minutes.
    pub cache_write_5m: u64,
    /// Input tokens written to a prompt cache that lives an hour.
    pub cache_write_1h: u64,
    /// Output tokens the caller sees as text or tool calls.
    pub output: u64,
    /// Output tokens spent on reasoning.
    pub reasoning: u64,
    /// Audio tokens in.
    pub audio_input: u64,
    /// Audio tokens out.
    pub audio_output: u64,
    /// Images produced.
    pub images: u64,
    /// Milliseconds of audio or video, where a vendor bills by time.
    pub milliseconds: u64,
    /// Characters, where a vendor bills by them (speech).
    pub characters: u64,
    /// Requests; one for each call that reached a vendor.
    pub requests: u64,
}

impl Usage {
    /// All input tokens, cached or not.
    pub fn input_tokens(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write_5m)
            .saturating_add(self.cache_write_1h)
            .saturating_add(self.audio_input)
    }

    /// All output tokens, reasoning and audio included.
    pub fn output_tokens(&self) -> u64 {
        self.output.saturating_add(self.reasoning).saturating_add(self.audio_output)
    }

    /// What two calls of one request used, bucket by bucket.
    pub fn plus(&self, other: &Usage) -> Usage {
        Usage {
            input: self.input.saturating_add(other.input),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write_5m: self.cache_write_5m.saturating_add(other.cache_write_5m),
            cache_write_1h: self.cache_write_1h.saturating_add(other.cache_write_1h),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            audio_input: self.audio_input.saturating_add(other.audio_input),
            audio_output: self.audio_output.saturating_add(other.audio_output),
            images: self.images.saturating_add(other.images),
            milliseconds: self.milliseconds.saturating_add(other.milliseconds),
            characters: self.characters.saturating_add(other.characters),
            requests: self.requests.saturating_add(other.requests),
        }
    }

    /// All tokens.
    pub fn total_tokens(&self) -> u64 {
        self.input_tokens().saturating_add(self.output_tokens())
    }
}

/// Where the numbers of a [`Usage`] come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The vendor reported them.
    Provider,
    /// The hub counted or bounded them.
    Estimated,
    /// Nothing was used: the vendor refused, or the answer came from the cache.
    None,
}
