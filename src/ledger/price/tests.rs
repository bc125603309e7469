use super::*;
use proptest::prelude::*;

/// Natural numbers of any size, as digits of 2³²: slow, and right by sight.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Big(Vec<u32>);

impl Big {
    fn from(mut n: u128) -> Self {
        let mut digits = Vec::new();
        while n > 0 {
            digits.push((n & 0xffff_ffff) as u32);
            n >>= 32;
        }
        Self(digits)
    }

    fn plus(&self, other: &Self) -> Self {
        let (mut digits, mut carry) = (Vec::new(), 0_u64);
        for i in 0..self.0.len().max(other.0.len()) + 1 {
            let digit = |b: &Self| u64::from(b.0.get(i).copied().unwrap_or(0));
            let sum = digit(self) + digit(other) + carry;
            digits.push(sum as u32);
            carry = sum >> 32;
        }
        Self(digits)
    }

    fn times(&self, other: &Self) -> Self {
        let mut product = Self(vec![]);
        for (i, a) in self.0.iter().enumerate() {
            for (j, b) in other.0.iter().enumerate() {
                let mut shifted = vec![0; i + j];
                let part = u64::from(*a) * u64::from(*b);
                shifted.extend([part as u32, (part >> 32) as u32]);
                product = product.plus(&Self(shifted));
            }
        }
        product
    }

    /// Quotient and remainder by a number of less than 2³².
    fn by(&self, divisor: u32) -> (Self, u32) {
        let (mut digits, mut rest) = (vec![0; self.0.len()], 0_u64);
        for (i, digit) in self.0.iter().enumerate().rev() {
            let value = rest << 32 | u64::from(*digit);
            digits[i] = (value / u64::from(divisor)) as u32;
            rest = value % u64::from(divisor);
        }
        (Self(digits), rest as u32)
    }

    fn to_i128(&self) -> i128 {
        self.0.iter().rev().fold(0_i128, |n, digit| n * (1 << 32) + i128::from(*digit))
    }
}

fn reference(rates: &Rates, usage: &Usage) -> i128 {
    let units = [
        usage.input,
        usage.cache_read,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.output,
        usage.reasoning,
        usage.audio_input,
        usage.audio_output,
        usage.images,
        usage.milliseconds,
        usage.characters,
        usage.requests,
    ];
    let mut sum = Big(vec![]);
    for (index, (rate, units)) in rates.all().into_iter().zip(units).enumerate() {
        let thousandths = if index == 9 { 1 } else { 1_000 };
        let product = Big::from(rate.0 as u128).times(&Big::from(u128::from(units)));
        sum = sum.plus(&product.times(&Big::from(thousandths)));
    }
    let (quotient, remainder) = sum.by(1_000_000_000);
    let quotient = quotient.to_i128();
    let up = remainder > 500_000_000 || (remainder == 500_000_000 && quotient % 2 == 1);
    quotient + i128::from(up)
}

fn rates(of: [i128; 12]) -> Rates {
    let [input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, a, b, c, d, e, f] =
        of.map(Rate);
    Rates {
        input,
        cache_read,
        cache_write_5m,
        cache_write_1h,
        output,
        reasoning,
        audio_input: a,
        audio_output: b,
        image: c,
        second: d,
        character: e,
        request: f,
    }
}

fn usage(of: [u64; 12]) -> Usage {
    let [input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, a, b, c, d, e, f] = of;
    Usage {
        input,
        cache_read,
        cache_write_5m,
        cache_write_1h,
        output,
        reasoning,
        audio_input: a,
        audio_output: b,
        images: c,
        milliseconds: d,
        characters: e,
        requests: f,
    }
}

fn row(of: Rates, tiers: Vec<(u64, Rates)>) -> Price {
    Price::new("openai", "m", Wall(0), of, tiers, "test")
}

/// Up to 10⁹ currency units per million, also with rates at the half.
fn any_rates() -> impl Strategy<Value = Rates> {
    let rate = prop_oneof![0..10_i128.pow(21), Just(0), (0..4_i128).prop_map(|n| n * 500_000), 0..10_i128];
    prop::array::uniform12(rate).prop_map(rates)
}

fn any_usage() -> impl Strategy<Value = Usage> {
    prop::array::uniform12(prop_oneof![0..1_000_000_000_000_u64, 0..3_u64]).prop_map(usage)
}

proptest! {
    #[test]
    fn a_charge_is_exact(rates in any_rates(), usage in any_usage()) {
        prop_assert_eq!(row(rates.clone(), vec![]).charge(&usage).cost.0, reference(&rates, &usage));
    }

    #[test]
    fn nothing_of_the_same_size_costs_more_than_the_worst_case(
        base in any_rates(),
        tiers in prop::collection::vec((0..2_000_u64, any_rates()), 0..4),
        tokens in prop::array::uniform8(0..500_u64),
        slack in (0..100_u64, 0..100_u64),
    ) {
        let price = row(base, tiers);
        let [a, b, c, d, e, f, g, h] = tokens;
        let usage = usage([a, b, c, d, e, f, g, h, 0, 0, 0, 1]);
        let bound = price.worst_case(usage.input_tokens() + slack.0, usage.output_tokens() + slack.1);
        prop_assert!(price.charge(&usage).cost <= bound);
    }
}

#[test]
fn the_tier_follows_from_all_input_tokens_together() {
    let one = Rates { input: Rate(1_000_000), ..Rates::default() };
    let two = Rates { input: Rate(2_000_000), ..Rates::default() };
    let three = Rates { input: Rate(3_000_000), ..Rates::default() };
    let price = row(one, vec![(300, three), (200, two)]);
    let charge = |input, cache_read| {
        let charge = price.charge(&Usage { input, cache_read, ..Usage::default() });
        (charge.tier, charge.cost.0)
    };
    assert_eq!(charge(199, 0), (0, 199));
    assert_eq!(charge(199, 1), (1, 398), "the whole request moves to the tier, not the excess");
    assert_eq!(charge(200, 0), (1, 400));
    assert_eq!(charge(299, 0), (1, 598));
    assert_eq!(charge(300, 0), (2, 900));
}

#[test]
fn milliseconds_are_billed_to_the_millisecond_and_rounded_once() {
    let second = Rates { second: Rate(1_000_000), input: Rate(500_000), ..Rates::default() };
    let price = row(second, vec![]);
    let cost = |milliseconds, input| price.charge(&Usage { milliseconds, input, ..Usage::default() }).cost.0;
    assert_eq!(cost(1_500, 0), 2, "1.5 rounds to even");
    assert_eq!(cost(2_500, 0), 2, "2.5 rounds to even");
    assert_eq!(cost(2_500, 1), 3, "2.5 + 0.5 is not rounded on the way");
}

#[test]
fn an_absurd_usage_stops_at_the_end_of_the_range() {
    let price = row(rates([i128::MAX; 12]), vec![]);
    assert!(price.charge(&usage([u64::MAX; 12])).cost.0 > 10_i128.pow(30));
}

#[test]
fn the_id_follows_from_the_content_and_nothing_else() {
    let base = row(rates([1; 12]), vec![]);
    assert_eq!(base.id.len(), 16);
    assert_eq!(&*base.id, &*row(rates([1; 12]), vec![]).id);
    assert_eq!(base.id, Price::new("openai", "m", Wall(0), rates([1; 12]), vec![], "elsewhere").id);
    let others = [
        Price::new("openaim", "", Wall(0), rates([1; 12]), vec![], ""),
        Price::new("openai", "m", Wall(1), rates([1; 12]), vec![], ""),
        row(rates([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]), vec![]),
        row(rates([1; 12]), vec![(0, rates([1; 12]))]),
        row(rates([1; 12]), vec![(1, rates([1; 12]))]),
    ];
    for other in &others {
        assert_ne!(base.id, other.id);
    }
}

#[test]
fn a_row_covers_what_it_has_a_rate_for_and_everything_if_it_is_free() {
    let only_pictures = row(Rates { image: Rate(1), ..Rates::default() }, vec![]);
    assert!(only_pictures.covers(Op::ImageEdit) && only_pictures.covers(Op::Moderation));
    for op in [Op::Chat, Op::Completion, Op::Embedding, Op::Speech, Op::Transcription, Op::Realtime] {
        assert!(!only_pictures.covers(op), "{op:?}");
        assert!(row(Rates::default(), vec![]).covers(op), "free on purpose: {op:?}");
        assert!(row(Rates { request: Rate(1), ..Rates::default() }, vec![]).covers(op), "{op:?}");
        let beyond = Rates { output: Rate(1), ..Rates::default() };
        assert!(row(Rates::default(), vec![(1_000, beyond)]).covers(op), "{op:?}");
    }
    let only_speech = row(Rates { character: Rate(1), ..Rates::default() }, vec![]);
    assert!(only_speech.covers(Op::Speech) && !only_speech.covers(Op::ImageGeneration));
}
