//! What is added up of settlements. Sums only, so that any two sets of
//! settlements can be added, in any order and at any time.

use super::histogram::Histogram;
use super::number;
use crate::ledger::{Outcome, Settlement};
use crate::types::{Pico, Usage, UsageSource};

macro_rules! counters {
    ($($variant:ident $name:literal $what:literal;)*) => {
        /// A number that is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Counter { $(#[doc = $what] $variant,)* }

        impl Counter {
            /// All of them, in the order in which rows have them; new ones go to the end.
            pub const ALL: &'static [Counter] = &[$(Counter::$variant,)*];

            /// Its name in questions and answers.
            pub fn name(self) -> &'static str {
                match self { $(Counter::$variant => $name,)* }
            }

            /// What it counts.
            pub fn what(self) -> &'static str {
                match self { $(Counter::$variant => $what,)* }
            }
        }
    };
}

counters! {
    Requests "requests" "Requests that ended.";
    Errors "errors" "Requests that failed: no vendor answered, the answer was cut short, or the hub died.";
    Abandoned "abandoned" "Requests whose caller went away.";
    Streamed "streamed" "Requests whose answer was a stream.";
    CacheHits "cache_hits" "Requests answered from the cache or by somebody else's identical request.";
    Attempts "attempts" "Calls of vendors, those that failed included.";
    Estimated "estimated" "Requests whose usage the hub had to estimate.";
    Unpriced "unpriced" "Requests that used something for which there was no price.";
    Input "input_uncached_tokens" "Input tokens that were neither read from nor written to a vendor's cache.";
    CacheRead "cache_read_tokens" "Input tokens read from a vendor's cache.";
    CacheWrite5m "cache_write_5m_tokens" "Input tokens written to a vendor's cache for five minutes.";
    CacheWrite1h "cache_write_1h_tokens" "Input tokens written to a vendor's cache for an hour.";
    Output "output_text_tokens" "Output tokens that callers saw.";
    Reasoning "reasoning_tokens" "Output tokens spent on thoughts.";
    AudioInput "audio_input_tokens" "Audio tokens in.";
    AudioOutput "audio_output_tokens" "Audio tokens out.";
    Images "images" "Pictures that were made.";
    MediaMs "media_ms" "Milliseconds of audio or video, where vendors bill by time.";
    Characters "characters" "Characters, where vendors bill by them.";
    DurationUs "duration_us" "Microseconds that requests took, together.";
    Timed "first_token_requests" "Streams that had a first token.";
    FirstTokenUs "first_token_us" "Microseconds to their first tokens, together.";
}

const COUNTERS: usize = Counter::ALL.len();
const AMOUNTS: usize = Amount::ALL.len();
/// Where the bits of amounts begin.
const AMOUNT_BIT: usize = 48;

/// Money that is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Amount {
    /// What vendors take.
    Cost,
    /// What wallets were charged, in credits.
    Charge,
    /// What answers from memory would have cost.
    Saved,
}

impl Amount {
    /// All of them, in the order in which rows have them.
    pub const ALL: [Amount; 3] = [Amount::Cost, Amount::Charge, Amount::Saved];

    /// Its name in questions and answers.
    pub fn name(self) -> &'static str {
        match self {
            Amount::Cost => "cost",
            Amount::Charge => "charge",
            Amount::Saved => "saved",
        }
    }
}

/// How long requests took, and how long streams took to their first token, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Of requests that were answered in full.
    pub duration: Histogram,
    /// Of streams that had content.
    pub first_token: Histogram,
}

/// Sums of some settlements. See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    counts: [u64; COUNTERS],
    amounts: [Pico; AMOUNTS],
    /// Durations.
    pub times: Times,
}

impl Sums {
    /// The sums of one settlement.
    pub fn of(settlement: &Settlement) -> Self {
        use Counter as C;
        let mut sums = Self::default();
        let outcome = settlement.outcome;
        let failed = matches!(outcome, Outcome::Truncated | Outcome::UpstreamError | Outcome::Recovered);
        let remembered = matches!(outcome, Outcome::CacheHit | Outcome::Coalesced);
        let estimated = settlement.usage_source == UsageSource::Estimated;
        let unpriced = settlement.charge.is_none() && settlement.usage != Usage::default();
        for (counter, count) in [
            (C::Requests, 1),
            (C::Errors, u64::from(failed)),
            (C::Abandoned, u64::from(outcome == Outcome::ClientGone)),
            (C::Streamed, u64::from(settlement.stream)),
            (C::CacheHits, u64::from(remembered)),
            (C::Attempts, u64::from(settlement.attempts)),
            (C::Estimated, u64::from(estimated)),
            (C::Unpriced, u64::from(unpriced)),
            (C::DurationUs, settlement.duration_us),
            (C::Timed, u64::from(settlement.first_token_us.is_some())),
            (C::FirstTokenUs, settlement.first_token_us.unwrap_or(0)),
        ] {
            sums.count(counter, count);
        }
        if settlement.usage_source != UsageSource::None {
            sums.used(&settlement.usage);
        }
        sums.amount(Amount::Cost, settlement.cost());
        sums.amount(Amount::Saved, settlement.saved);
        if matches!(outcome, Outcome::Ok | Outcome::OutOfFunds) || remembered {
            sums.times.duration.add(settlement.duration_us);
        }
        if let Some(first) = settlement.first_token_us {
            sums.times.first_token.add(first);
        }
        sums
    }

    fn used(&mut self, usage: &Usage) {
        use Counter as C;
        for (counter, count) in [
            (C::Input, usage.input),
            (C::CacheRead, usage.cache_read),
            (C::CacheWrite5m, usage.cache_write_5m),
            (C::CacheWrite1h, usage.cache_write_1h),
            (C::Output, usage.output),
            (C::Reasoning, usage.reasoning),
            (C::AudioInput, usage.audio_input),
            (C::AudioOutput, usage.audio_output),
            (C::Images, usage.images),
            (C::MediaMs, usage.milliseconds),
            (C::Characters, usage.characters),
        ] {
            self.count(counter, count);
        }
    }

    /// The sums of what a wallet was charged for a request, which is told apart from its settlement.
    pub fn of_charge(paid: Pico) -> Self {
        let mut sums = Self::default();
        sums.amount(Amount::Charge, paid);
        sums
    }

    /// Adds to a counter.
    pub fn count(&mut self, counter: Counter, count: u64) {
        if let Some(own) = self.counts.get_mut(counter as usize) {
            *own = own.saturating_add(count);
        }
    }

    /// Adds to an amount.
    pub fn amount(&mut self, amount: Amount, money: Pico) {
        if let Some(own) = self.amounts.get_mut(amount as usize) {
            *own = own.saturating_add(money);
        }
    }

    /// A counter.
    pub fn counted(&self, counter: Counter) -> u64 {
        self.counts.get(counter as usize).copied().unwrap_or(0)
    }

    /// An amount.
    pub fn money(&self, amount: Amount) -> Pico {
        self.amounts.get(amount as usize).copied().unwrap_or(Pico::ZERO)
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        self.merge_numbers(other);
        self.times.duration.merge(&other.times.duration);
        self.times.first_token.merge(&other.times.first_token);
    }

    /// Adds all of another but its times.
    pub fn merge_numbers(&mut self, other: &Self) {
        for (own, count) in self.counts.iter_mut().zip(&other.counts) {
            *own = own.saturating_add(*count);
        }
        for (own, money) in self.amounts.iter_mut().zip(&other.amounts) {
            *own = own.saturating_add(*money);
        }
    }

    /// Writes counters and amounts: which are not zero, as bits, and then those.
    pub(super) fn encode_numbers(&self, out: &mut Vec<u8>) {
        let mut bits = 0_u64;
        for (at, _) in self.counts.iter().enumerate().filter(|(_, count)| **count != 0) {
            bits |= 1 << at;
        }
        for (at, _) in self.amounts.iter().enumerate().filter(|(_, money)| **money != Pico::ZERO) {
            bits |= 1 << (AMOUNT_BIT + at);
        }
        number::put(out, bits);
        self.counts.iter().filter(|count| **count != 0).for_each(|count| number::put(out, *count));
        let amounts = self.amounts.iter().filter(|money| **money != Pico::ZERO);
        amounts.for_each(|money| number::put_signed(out, money.0));
    }

    /// Reads them, and adds them. Counters that this program does not know are an error.
    pub(super) fn decode_numbers(&mut self, bytes: &mut &[u8]) -> Option<()> {
        let mut bits = number::take(bytes)?;
        while bits != 0 {
            let bit = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            if bit >= AMOUNT_BIT {
                let own = self.amounts.get_mut(bit - AMOUNT_BIT)?;
                *own = own.saturating_add(Pico(number::take_signed(bytes)?));
            } else {
                let own = self.counts.get_mut(bit)?;
                *own = own.saturating_add(number::take(bytes)?);
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sums() -> impl Strategy<Value = Sums> {
        let counts = prop::collection::vec((0..COUNTERS, any::<u32>()), 0..30);
        (counts, any::<i64>(), any::<i64>()).prop_map(|(counts, cost, saved)| {
            let mut sums = Sums::default();
            for (at, count) in counts {
                sums.count(Counter::ALL[at], u64::from(count));
            }
            sums.amount(Amount::Cost, Pico(i128::from(cost)));
            sums.amount(Amount::Saved, Pico(i128::from(saved)));
            sums
        })
    }

    proptest! {
        #[test]
        fn a_row_that_is_read_adds_what_was_written(one in sums(), other in sums()) {
            let mut bytes = Vec::new();
            other.encode_numbers(&mut bytes);
            let (mut read, mut merged) = (one.clone(), one);
            prop_assert_eq!(read.decode_numbers(&mut bytes.as_slice()), Some(()));
            merged.merge(&other);
            prop_assert_eq!(read, merged);
        }

        #[test]
        fn what_is_no_row_is_refused_and_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Sums::default().decode_numbers(&mut bytes.as_slice());
        }
    }

    #[test]
    fn counters_and_amounts_have_a_bit_each() {
        const { assert!(COUNTERS <= AMOUNT_BIT && AMOUNT_BIT + AMOUNTS <= 64) };
        for (at, counter) in Counter::ALL.iter().enumerate() {
            assert_eq!(*counter as usize, at);
        }
    }
}
