//! Decimal numbers of JSON as money. Numbers stay text until they are integers,
//! so that no float comes near a price.

use crate::types::Rate;

/// A [`Rate`] counts in 10⁻¹².
const PLACES: i32 = 12;
/// More digits than any price has.
const MOST_DIGITS: usize = 36;

/// Reads a JSON number, or a string that holds one, times 10^`shift`, as a
/// rate. What is finer than 10⁻¹² is rounded half to even: lists carry the
/// noise of floats in digits that no vendor ever wrote. `None`: no number,
/// below zero, or too large.
pub(in crate::cli) fn rate(json: &str, shift: i32) -> Option<Rate> {
    let text = json.trim().trim_matches('"');
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > MOST_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let places = i32::try_from(fraction.len()).ok()?;
    let power = exponent.checked_add(shift)?.checked_add(PLACES)?.checked_sub(places)?;
    scale(digits.parse().ok()?, power).map(Rate)
}

fn scale(number: i128, power: i32) -> Option<i128> {
    let factor = 10_i128.checked_pow(power.unsigned_abs());
    match (power >= 0, factor) {
        (true, factor) => number.checked_mul(factor?),
        // Past the last digit of any number.
        (false, None) => Some(0),
        (false, Some(factor)) => {
            let (quotient, rest) = (number / factor, number % factor);
            let half = factor / 2;
            let up = rest > half || (rest == half && quotient % 2 == 1);
            Some(quotient + i128::from(up))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_per_token_become_prices_per_million() {
        for (text, expected) in [
            ("2.5e-06", "2.5"),
            ("2.5E-6", "2.5"),
            ("0.0000025", "2.5"),
            ("\"0.0000025\"", "2.5"),
            ("1e-05", "10"),
            ("0", "0"),
            ("0.0", "0"),
            ("1.0999999999999999e-07", "0.11"),
            ("1", "1000000"),
        ] {
            assert_eq!(rate(text, 6).unwrap().to_string(), expected, "{text}");
        }
        assert_eq!(rate("3.00", 0).unwrap().to_string(), "3");
    }

    #[test]
    fn what_is_finer_is_rounded_half_to_even() {
        for (text, expected) in
            [("0.5e-12", 0), ("1.5e-12", 2), ("2.5e-12", 2), ("0.51e-12", 1), ("1e-99", 0)]
        {
            assert_eq!(rate(text, 0), Some(Rate(expected)), "{text}");
        }
    }

    #[test]
    fn what_is_no_price_is_none() {
        for text in ["", "-1", "\"-1\"", "null", "1.2.3", "e5", "1e", "1e400", "true", "{}"] {
            assert_eq!(rate(text, 6), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_rate_or_none(text in "[0-9.eE+\"-]{0,40}", shift in -7..7) {
            let _ = rate(&text, shift);
        }

        #[test]
        fn a_whole_number_of_millionths_is_exact(n in 0_u32..) {
            proptest::prop_assert_eq!(rate(&format!("{n}e-6"), 6), Rate::parse(&n.to_string()).ok());
        }
    }
}
