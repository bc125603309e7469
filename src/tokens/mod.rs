//! Token counts: BPE for texts, rules for images. Cheap bounds are the callers'
//! business; this is the exact half, with a time budget.
//!
//! Texts are counted as texts: a special token written out by a caller
//! (`<|endoftext|>`) is ordinary characters, as it is for the vendors.

mod image;
mod slices;

use std::time::{Duration, Instant};
use tiktoken::CoreBpe;

pub use image::image;

/// Which vocabulary a model uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `o200k_base`: OpenAI's models since GPT-4o.
    O200k,
    /// `cl100k_base`: GPT-4, GPT-3.5 and the embedding models.
    Cl100k,
}

impl Family {
    /// Every vocabulary, for tables.
    const ALL: [Family; 2] = [Family::O200k, Family::Cl100k];

    /// The name under which its makers publish it.
    pub fn name(self) -> &'static str {
        match self {
            Family::O200k => "o200k_base",
            Family::Cl100k => "cl100k_base",
        }
    }

    /// The vocabulary of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }
}

/// A count, and whether all of it was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// LLM tokens.
    pub tokens: u64,
    /// `false` when the budget ran out and the rest was extrapolated.
    pub exact: bool,
}

/// Model names by how they begin, first match wins. OpenAI publishes the
/// mapping with its own `tiktoken` (`model.py`); gpt-oss uses o200k's ordinary
/// tokens with other special ones.
const FAMILIES: &[(&str, Family)] = &[
    ("gpt-4o", Family::O200k),
    ("gpt-4.", Family::O200k),
    ("gpt-5", Family::O200k),
    ("gpt-oss", Family::O200k),
    ("chatgpt", Family::O200k),
    ("o1", Family::O200k),
    ("o3", Family::O200k),
    ("o4", Family::O200k),
    ("gpt-4", Family::Cl100k),
    ("gpt-3.5", Family::Cl100k),
    ("gpt-35", Family::Cl100k),
    ("text-embedding-3", Family::Cl100k),
    ("text-embedding-ada-002", Family::Cl100k),
];

/// Tokens around each message of a chat: who speaks, and the marks at its ends.
/// OpenAI's published recipe for GPT-3.5 and later; tool definitions cost more.
const PER_MESSAGE: u64 = 3;
/// Tokens that start the answer, once per chat. Same source.
const REPLY_PRIMING: u64 = 3;

/// The vocabulary of a model, by its name, with or without `provider/` and
/// `ft:` in front; the newer one and `false` when unknown (then a count is an estimate).
pub fn family(model: &str) -> (Family, bool) {
    let name = bare_name(model);
    match FAMILIES.iter().find(|(prefix, _)| begins_with(name, prefix)) {
        Some((_, family)) => (*family, true),
        None => (Family::O200k, false),
    }
}

/// The model's own name: `openrouter/openai/gpt-4o` is `gpt-4o`, and so is `ft:gpt-4o:acme::1`.
fn bare_name(model: &str) -> &str {
    let name = model.rsplit_once('/').map_or(model, |(_, name)| name);
    name.strip_prefix("ft:").unwrap_or(name)
}

/// Does the name begin with the prefix as a whole word? `o1-mini` begins with `o1`, `o100` does not.
fn begins_with(name: &str, prefix: &str) -> bool {
    let Some(rest) = name.strip_prefix(prefix) else { return false };
    prefix.ends_with('.') || !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Counts; past `budget` of time the rest is extrapolated from what was
/// counted. Never more than the text's bytes.
///
/// The text is cut where the vocabulary's own splitting would cut it too, so
/// slices add up to the count of the whole. Only a run of 512 bytes and more
/// without such a place (base64 without signs, digits, scripts without spaces
/// and punctuation) is cut between two characters, and each such cut may move
/// the count by a token or two. At least the first slice is always counted.
pub fn count(family: Family, text: &str, budget: Duration) -> Count {
    let Some(vocabulary) = vocabulary(family) else {
        // Cannot be: both vocabularies are compiled in. The bound is true all the same.
        return Count { tokens: text.len() as u64, exact: false };
    };
    if text.len() <= slices::SMALLEST {
        return Count { tokens: vocabulary.count(text) as u64, exact: true };
    }
    count_slices(vocabulary, text, budget)
}

fn count_slices(vocabulary: &CoreBpe, text: &str, budget: Duration) -> Count {
    let started = Instant::now();
    let mut rest = text;
    let mut tokens = 0_u64;
    let mut size = slices::SMALLEST;
    while !rest.is_empty() {
        let (slice, after) = rest.split_at(slices::cut(rest, size));
        tokens += vocabulary.count(slice) as u64;
        rest = after;
        let spent = started.elapsed();
        if spent >= budget {
            break;
        }
        size = slices::next_size(text.len() - rest.len(), spent, budget);
    }
    let counted = text.len() - rest.len();
    Count { tokens: extrapolate(tokens, counted, text.len()), exact: rest.is_empty() }
}

/// `tokens` in `counted` bytes, so this many in `total`; rounded up, and at most one per byte.
fn extrapolate(tokens: u64, counted: usize, total: usize) -> u64 {
    let scaled = (u128::from(tokens) * total as u128).div_ceil(counted.max(1) as u128);
    u64::try_from(scaled).unwrap_or(u64::MAX).min(total as u64)
}

fn vocabulary(family: Family) -> Option<&'static CoreBpe> {
    tiktoken::get_encoding(family.name())
}

/// Tokens that a chat of this many messages costs on top of its texts, by
/// OpenAI's recipe; an estimate for every other vendor.
pub fn chat_overhead(messages: usize) -> u64 {
    (messages as u64).saturating_mul(PER_MESSAGE).saturating_add(REPLY_PRIMING)
}

#[cfg(test)]
mod tests;
