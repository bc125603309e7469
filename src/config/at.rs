//! Leaves of the configuration: values that know where they were written, and
//! texts that stand for times, sizes and money.

use super::raw::{SecretSource, TargetItem, TextOrSecret, WeightedTarget};
use crate::types::{Pico, Wall};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::time::Duration;

/// A value and the bytes of the file that said it.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) span: Range<usize>,
    pub(crate) value: T,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<T>::deserialize(d)?;
        Ok(Self { span: spanned.span(), value: spanned.into_inner() })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

macro_rules! text_leaf {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub(crate) struct $name(pub(crate) String);
    };
}
text_leaf!(
    /// A time: "250ms", "30s", "1h30m".
    Period
);
text_leaf!(
    /// A size: "50 MB", "64 KiB".
    Size
);
text_leaf!(
    /// An amount of money: "12.50".
    Money
);
text_leaf!(
    /// A percentage: "12.5".
    Percent
);
text_leaf!(
    /// A point in time, RFC 3339.
    Instant
);

impl Period {
    const LONGEST: Duration = Duration::from_secs(366 * 86_400);

    /// Whole numbers, each with its unit; the parts add up.
    pub(crate) fn read(&self) -> Result<Duration, String> {
        const UNITS: &[(&str, u64)] =
            &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
        let wrong = || {
            format!("{:?} is no time; write it like \"250ms\", \"30s\", \"5m\", \"1h30m\" or \"1d\"", self.0)
        };
        let mut rest = self.0.as_str();
        let mut sum = 0_u64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let (number, tail) = rest.split_at(digits);
            let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            let factor = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
            let number: u64 = number.parse().map_err(|_| wrong())?;
            sum = number.checked_mul(factor).and_then(|n| sum.checked_add(n)).ok_or_else(wrong)?;
            rest = tail;
        }
        match Duration::from_millis(sum) {
            _ if self.0.is_empty() => Err(wrong()),
            long if long > Self::LONGEST => Err(format!("{:?} is more than a year", self.0)),
            fits => Ok(fits),
        }
    }
}

impl Size {
    /// Bytes. MB are 10⁶ and MiB 2²⁰ of them.
    pub(crate) fn read(&self) -> Result<u64, String> {
        const UNITS: &[(&str, u64)] = &[
            ("B", 1),
            ("KB", 1_000),
            ("MB", 1_000_000),
            ("GB", 1_000_000_000),
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
        ];
        let wrong = || format!("{:?} is no size; write it like \"50 MB\" or \"64 KiB\"", self.0);
        let digits = self.0.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = self.0.split_at(digits);
        let unit = unit.trim();
        let factor = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(wrong)?.1;
        number.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)).ok_or_else(wrong)
    }
}

impl Money {
    /// A positive amount, or zero.
    pub(crate) fn read(&self) -> Result<Pico, String> {
        match Pico::parse(&self.0) {
            Ok(amount) if amount >= Pico::ZERO => Ok(amount),
            Ok(_) => Err("an amount of money cannot be negative here".into()),
            Err(e) => Err(format!("{:?} is no amount of money ({e}); write it like \"12.50\"", self.0)),
        }
    }
}

impl Percent {
    /// Parts per million; at most 1000 %, with four decimal places.
    pub(crate) fn read(&self) -> Result<u32, String> {
        const PICO_PER_PART: i128 = 100_000_000;
        const MOST: i128 = 10_000_000;
        let wrong = || format!("{:?} is no percentage from 0 to 1000; write it like \"12.5\"", self.0);
        let pico = Pico::parse(&self.0).map_err(|_| wrong())?.0;
        match (pico.rem_euclid(PICO_PER_PART), pico / PICO_PER_PART) {
            (0, parts @ 0..=MOST) => u32::try_from(parts).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

impl Instant {
    /// The point in time.
    pub(crate) fn read(&self) -> Result<Wall, String> {
        let timestamp: jiff::Timestamp = self.0.parse().map_err(|_| {
            format!("{:?} is no point in time; write it like \"2027-01-01T00:00:00Z\"", self.0)
        })?;
        Ok(Wall(timestamp.as_microsecond()))
    }
}

/// Reads a string or a table. Serde's own untagged enums buffer what they read
/// and lose the spans.
struct TextOr<T, F>(F, PhantomData<T>);

impl<'de, T: Deserialize<'de>, Out, F: Fn(Result<String, T>) -> Out> Visitor<'de> for TextOr<T, F> {
    type Value = Out;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a table")
    }
    fn visit_str<E>(self, text: &str) -> Result<Out, E> {
        Ok((self.0)(Ok(text.to_owned())))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Out, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|table| (self.0)(Err(table)))
    }
}

impl<'de> Deserialize<'de> for TargetItem {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let either = |r: Result<String, WeightedTarget>| r.map_or_else(Self::Weighted, Self::Text);
        d.deserialize_any(TextOr(either, PhantomData))
    }
}

impl<'de> Deserialize<'de> for TextOrSecret {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let either = |r: Result<String, SecretSource>| r.map_or_else(Self::Secret, Self::Text);
        d.deserialize_any(TextOr(either, PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_a_unit_and_nothing_else() {
        let read = |s: &str| Period(s.into()).read();
        assert_eq!(read("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(read("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(read("0s"), Ok(Duration::ZERO));
        for bad in ["", "30", "s", "-1s", "1.5s", "5 m", "5min", "400d", "99999999999999999999s"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_need_a_unit() {
        let read = |s: &str| Size(s.into()).read();
        assert_eq!(read("50 MB"), Ok(50_000_000));
        assert_eq!(read("64KiB"), Ok(65_536));
        for bad in ["", "50", "MB", "-1 MB", "1.5 GB", "99999999999 GB"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn percentages_are_parts_per_million() {
        let read = |s: &str| Percent(s.into()).read();
        assert_eq!([read("0"), read("12.5"), read("1000")], [Ok(0), Ok(125_000), Ok(10_000_000)]);
        for bad in ["", "-1", "20%", "1000.1", "0.00001"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn money_is_never_negative() {
        assert_eq!(Money("12.50".into()).read(), Ok(Pico(12_500_000_000_000)));
        assert!(Money("-1".into()).read().is_err());
        assert!(Money("1e3".into()).read().is_err());
    }
}
