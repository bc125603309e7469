//! One row of the price table, and what it makes of a usage vector.

use super::Charge;
use super::price_file::RATE_NAMES;
use crate::types::{Op, Pico, Rate, Usage, Wall};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::sync::Arc;

const UNITS_PER_RATE: i128 = 1_000_000;
const MILLIS_PER_SECOND: u64 = 1_000;
/// Digits of the content hash in an id: 64 bits.
const ID_BYTES: usize = 8;

/// Prices per million units, in currency units.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Rates {
    /// Input tokens neither read from nor written to a prompt cache.
    pub input: Rate,
    /// Input tokens read from a prompt cache.
    pub cache_read: Rate,
    /// Input tokens written to a cache of five minutes.
    pub cache_write_5m: Rate,
    /// Input tokens written to a cache of an hour.
    pub cache_write_1h: Rate,
    /// Output tokens.
    pub output: Rate,
    /// Reasoning tokens.
    pub reasoning: Rate,
    /// Audio tokens in.
    pub audio_input: Rate,
    /// Audio tokens out.
    pub audio_output: Rate,
    /// Per million images (so $0.04 an image is 40000).
    pub image: Rate,
    /// Per million seconds of audio or video.
    pub second: Rate,
    /// Per million characters.
    pub character: Rate,
    /// Per million requests.
    pub request: Rate,
}

impl Rates {
    /// Every rate with its name in price files.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, Rate)> {
        RATE_NAMES.into_iter().zip(self.all())
    }

    /// Every rate, in the order of the fields.
    fn all(&self) -> [Rate; 12] {
        [
            self.input,
            self.cache_read,
            self.cache_write_5m,
            self.cache_write_1h,
            self.output,
            self.reasoning,
            self.audio_input,
            self.audio_output,
            self.image,
            self.second,
            self.character,
            self.request,
        ]
    }

    /// Σ rate × bucket, exact, rounded once.
    fn cost(&self, usage: &Usage) -> Pico {
        let whole_seconds = usage.milliseconds / MILLIS_PER_SECOND;
        let rest_milliseconds = usage.milliseconds % MILLIS_PER_SECOND;
        let per_million = [
            self.input.times(usage.input),
            self.cache_read.times(usage.cache_read),
            self.cache_write_5m.times(usage.cache_write_5m),
            self.cache_write_1h.times(usage.cache_write_1h),
            self.output.times(usage.output),
            self.reasoning.times(usage.reasoning),
            self.audio_input.times(usage.audio_input),
            self.audio_output.times(usage.audio_output),
            self.image.times(usage.images),
            self.second.times(whole_seconds),
            self.character.times(usage.characters),
            self.request.times(usage.requests),
        ]
        .into_iter()
        .fold(0_i128, i128::saturating_add);
        round(per_million, self.second.times(rest_milliseconds))
    }

    /// Is there a rate for something that this operation is billed by?
    fn cover(&self, op: Op) -> bool {
        let tokens = self.highest_input().max(self.highest_output());
        let billed_by = match op {
            Op::ImageGeneration | Op::ImageEdit => tokens.max(self.image),
            Op::Speech => tokens.max(self.character).max(self.second),
            Op::Transcription | Op::Realtime | Op::Video => tokens.max(self.second),
            Op::Chat | Op::Completion | Op::Embedding => tokens,
            // Vendors take nothing for it, and the hub answers these by itself.
            Op::Moderation | Op::Models | Op::Tokenize => return true,
        };
        billed_by.max(self.request).0 != 0
    }

    fn highest_input(&self) -> Rate {
        let writes = self.cache_write_5m.max(self.cache_write_1h);
        self.input.max(self.cache_read).max(writes).max(self.audio_input)
    }

    fn highest_output(&self) -> Rate {
        self.output.max(self.reasoning).max(self.audio_output)
    }
}

/// Money of `per_million` plus a thousandth of `milli_per_million`: the part
/// below a second keeps its own unit, so that one rounding, half to even,
/// settles everything and nothing overflows on the way.
fn round(per_million: i128, milli_per_million: i128) -> Pico {
    let unit = UNITS_PER_RATE * i128::from(MILLIS_PER_SECOND);
    let whole = per_million.div_euclid(UNITS_PER_RATE);
    let rest = per_million
        .rem_euclid(UNITS_PER_RATE)
        .saturating_mul(i128::from(MILLIS_PER_SECOND))
        .saturating_add(milli_per_million);
    let quotient = whole.saturating_add(rest.div_euclid(unit));
    let remainder = rest.rem_euclid(unit);
    let half = unit / 2;
    let up = remainder > half || (remainder == half && quotient.rem_euclid(2) == 1);
    Pico(if up { quotient.saturating_add(1) } else { quotient })
}

/// One row of the price table. Rows are never changed; a new price is a new
/// row with a later `valid_from`, and so with another id.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Price {
    /// Follows from what the row says; the same after a restart.
    pub id: Arc<str>,
    /// A configured provider's name, or a vendor's.
    pub provider: Arc<str>,
    /// A model's name; ends in `*` to match every name that begins so.
    pub model: Arc<str>,
    /// From when the row holds.
    pub valid_from: Wall,
    /// Tier 0.
    pub rates: Rates,
    /// Higher rates from this many input tokens on, ascending.
    pub tiers: Vec<(u64, Rates)>,
    /// Where the numbers come from, for people.
    pub source: Arc<str>,
}

impl Price {
    /// A row; its id is a hash of everything but the source. Tiers are put in
    /// order.
    pub fn new(
        provider: &str,
        model: &str,
        valid_from: Wall,
        rates: Rates,
        mut tiers: Vec<(u64, Rates)>,
        source: &str,
    ) -> Self {
        tiers.sort_by_key(|(from, _)| *from);
        let id = content_id(provider, model, valid_from, &rates, &tiers);
        Self {
            id,
            provider: provider.into(),
            model: model.into(),
            valid_from,
            rates,
            tiers,
            source: source.into(),
        }
    }

    /// What `usage` costs. The tier follows from all input tokens together.
    /// Exact integers; one rounding at the end, half to even.
    pub fn charge(&self, usage: &Usage) -> Charge {
        let input_tokens = usage.input_tokens();
        let tier = self.tiers.iter().take_while(|(from, _)| *from <= input_tokens).count();
        let rates =
            tier.checked_sub(1).and_then(|n| self.tiers.get(n)).map_or(&self.rates, |(_, rates)| rates);
        Charge {
            price: self.id.clone(),
            tier: u32::try_from(tier).unwrap_or(u32::MAX),
            cost: rates.cost(usage),
        }
    }

    /// Does the row say what this operation costs? A row that prices pictures only says nothing of a
    /// chat, and would make it free by accident. One whose rates are all 0 makes everything free on purpose.
    pub fn covers(&self, op: Op) -> bool {
        let all = || std::iter::once(&self.rates).chain(self.tiers.iter().map(|(_, rates)| rates));
        let is_free = all().all(|rates| rates.all().iter().all(|rate| rate.0 == 0));
        is_free || all().any(|rates| rates.cover(op))
    }

    /// The most that one request of at most `input` input tokens and `output`
    /// output tokens can cost, whatever buckets and tier they fall in. Images,
    /// seconds and characters are not in it.
    pub fn worst_case(&self, input: u64, output: u64) -> Pico {
        let mut highest = Rates { request: self.rates.request, ..Rates::default() };
        let reachable = self.tiers.iter().filter(|(from, _)| *from <= input).map(|(_, rates)| rates);
        for rates in std::iter::once(&self.rates).chain(reachable) {
            highest.input = highest.input.max(rates.highest_input());
            highest.output = highest.output.max(rates.highest_output());
            highest.request = highest.request.max(rates.request);
        }
        highest.cost(&Usage { input, output, requests: 1, ..Usage::default() })
    }
}

fn content_id(provider: &str, model: &str, from: Wall, rates: &Rates, tiers: &[(u64, Rates)]) -> Arc<str> {
    let mut hash = Sha256::new();
    for text in [provider, model] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.update(from.0.to_be_bytes());
    for (from, rates) in std::iter::once((0, rates)).chain(tiers.iter().map(|(from, rates)| (*from, rates))) {
        hash.update(from.to_be_bytes());
        for rate in rates.all() {
            hash.update(rate.0.to_be_bytes());
        }
    }
    let mut id = String::with_capacity(2 * ID_BYTES);
    for byte in hash.finalize().iter().take(ID_BYTES) {
        // Writing to a string cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id.into()
}

#[cfg(test)]
mod tests;
