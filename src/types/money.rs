//! Money as integers of 10⁻¹² of a unit. No float comes near it.

use std::fmt;

const PICO_PER_UNIT: i128 = 1_000_000_000_000;
const UNITS_PER_RATE: i128 = 1_000_000;

/// An amount: integers of 10⁻¹² of a currency unit or of a credit.
/// Shown and serialised as a decimal string, `"0.0000125"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pico(pub i128);

/// A price: pico-units of money per million units of usage.
/// Read from a decimal string in currency per million, `"2.50"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(pub i128);

/// Why a text is no amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseMoneyError {
    /// Not `-?digits[.digits]`.
    #[error("not a decimal number")]
    Malformed,
    /// More than twelve digits behind the point.
    #[error("more than 12 decimal places")]
    TooFine,
    /// Does not fit.
    #[error("out of range")]
    TooLarge,
}

impl Pico {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// Reads `-?digits[.digits]`, at most 12 decimal places.
    ///
    /// # Errors
    /// [`ParseMoneyError`] when the text is anything else.
    pub fn parse(text: &str) -> Result<Self, ParseMoneyError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) {
            return Err(ParseMoneyError::Malformed);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > 12 {
            return Err(ParseMoneyError::TooFine);
        }
        let whole: i128 = whole.parse().map_err(|_| ParseMoneyError::TooLarge)?;
        let fraction: i128 = format!("{fraction:0<12}").parse().map_err(|_| ParseMoneyError::Malformed)?;
        let value = whole
            .checked_mul(PICO_PER_UNIT)
            .and_then(|w| w.checked_add(fraction))
            .ok_or(ParseMoneyError::TooLarge)?;
        Ok(Self(if negative { -value } else { value }))
    }

    /// The sum, or `None` when it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The sum, held at the ends of the range.
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, held at the ends of the range.
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Rate {
    /// Reads a price in currency units per million.
    ///
    /// # Errors
    /// [`ParseMoneyError`] when the text is not a decimal number.
    pub fn parse(text: &str) -> Result<Self, ParseMoneyError> {
        Pico::parse(text).map(|p| Self(p.0))
    }

    /// The unrounded product `rate × units`, still per million. Sum these
    /// first and round once with [`Rate::round`].
    pub fn times(self, units: u64) -> i128 {
        self.0.saturating_mul(i128::from(units))
    }

    /// Turns a sum of [`Rate::times`] into money: one rounding, half to even.
    pub fn round(per_million: i128) -> Pico {
        let quotient = per_million.div_euclid(UNITS_PER_RATE);
        let remainder = per_million.rem_euclid(UNITS_PER_RATE);
        let half = UNITS_PER_RATE / 2;
        let up = remainder > half || (remainder == half && quotient.rem_euclid(2) == 1);
        Pico(if up { quotient + 1 } else { quotient })
    }
}

impl fmt::Display for Pico {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let unit = PICO_PER_UNIT.unsigned_abs();
        let (whole, fraction) = (magnitude / unit, magnitude % unit);
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{fraction:012}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Pico(self.0).fmt(f)
    }
}

macro_rules! as_decimal_string {
    ($type:ident) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.collect_str(self) } else { s.serialize_i128(self.0) }
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if d.is_human_readable() {
                    let text = String::deserialize(d)?;
                    $type::parse(&text).map_err(serde::de::Error::custom)
                } else {
                    i128::deserialize(d).map($type)
                }
            }
        }
    };
}
as_decimal_string!(Pico);
as_decimal_string!(Rate);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn half_rounds_to_even() {
        assert_eq!(Rate::round(500_000), Pico(0));
        assert_eq!(Rate::round(1_500_000), Pico(2));
        assert_eq!(Rate::round(2_500_000), Pico(2));
        assert_eq!(Rate::round(2_500_001), Pico(3));
        assert_eq!(Rate::round(-500_000), Pico(0));
        assert_eq!(Rate::round(-1_500_000), Pico(-2));
    }

    #[test]
    fn a_known_price_costs_what_the_vendor_says() {
        let rate = Rate::parse("2.50").unwrap();
        assert_eq!(Rate::round(rate.times(1_000)).to_string(), "0.0025");
    }

    #[test]
    fn texts_that_are_no_money_are_refused() {
        for bad in ["", ".", "1.", ".5", "1e3", "+1", "0x1", "1,0", "--1", "1.0000000000001"] {
            assert!(Pico::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn text_and_back_is_the_same_amount(value in -10_i128.pow(30)..10_i128.pow(30)) {
            prop_assert_eq!(Pico::parse(&Pico(value).to_string()), Ok(Pico(value)));
        }
    }
}
