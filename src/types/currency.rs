//! Currencies and their smallest units, in which payment providers count.

use super::Pico;

/// Currencies whose smallest unit is the unit itself.
const WHOLE: &[&str] = &[
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof",
    "xpf",
];
/// Currencies with a thousandth.
const THOUSANDTHS: &[&str] = &["bhd", "jod", "kwd", "omr", "tnd"];
const PICO: i128 = 1_000_000_000_000;

/// Smallest units in a unit.
pub fn minor_units(currency: &str) -> i128 {
    match currency {
        whole if WHOLE.contains(&whole) => 1,
        fine if THOUSANDTHS.contains(&fine) => 1_000,
        _ => 100,
    }
}

/// An amount in smallest units; `None` when it is not a whole number of them, not more than zero,
/// or more than eight digits, the most that payment providers take.
pub fn minor_of(amount: Pico, currency: &str) -> Option<u64> {
    const MOST: u64 = 99_999_999;
    let unit = PICO.checked_div(minor_units(currency))?;
    let whole = amount.0.checked_rem(unit)? == 0;
    let minor = u64::try_from(amount.0.checked_div(unit)?).ok()?;
    (whole && (1..=MOST).contains(&minor)).then_some(minor)
}

/// Credits that an amount buys, when one costs `credit_price`. Rounded down, by less than 10⁻¹².
pub fn credits_of(amount: Pico, credit_price: Pico) -> Pico {
    Pico(amount.0.saturating_mul(PICO).checked_div(credit_price.0).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_currency_has_its_own_smallest_unit() {
        let amount = |text| Pico::parse(text).unwrap();
        assert_eq!(minor_of(amount("12.34"), "usd"), Some(1_234));
        assert_eq!(minor_of(amount("500"), "jpy"), Some(500));
        assert_eq!(minor_of(amount("1.005"), "kwd"), Some(1_005));
        for (text, currency) in
            [("0", "usd"), ("-1", "usd"), ("0.001", "usd"), ("1.5", "jpy"), ("1000000", "usd")]
        {
            assert_eq!(minor_of(amount(text), currency), None, "{text} {currency}");
        }
        assert_eq!(credits_of(amount("10"), amount("0.0000025")), amount("4000000"));
        assert_eq!(credits_of(amount("10"), Pico::ZERO), Pico::ZERO);
    }
}
