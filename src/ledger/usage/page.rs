//! How rows are written: for each its two numbers, how many bytes follow, and
//! those. The length lets a reader pass over rows that it does not want. Times
//! are written apart from the other sums, because few questions ask for them
//! and they are long.

use super::number;
use super::sums::Sums;
use super::views::{Row, Rows};

/// Which half of the sums a value has; the numbers are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Half {
    /// Counters and amounts.
    Numbers = 1,
    /// Histograms.
    Times = 2,
}

/// Values of at most about so many bytes: larger ones make the disk slow.
const VALUE_BYTES: usize = 6 << 10;

/// The rows as values, each of about `VALUE_BYTES` at most.
pub fn encode(rows: &Rows, half: Half) -> Vec<Vec<u8>> {
    let (mut values, mut value, mut body) = (Vec::new(), Vec::new(), Vec::new());
    for ((first, second), sums) in rows {
        body.clear();
        match half {
            Half::Numbers => sums.encode_numbers(&mut body),
            Half::Times if sums.times.duration.is_empty() && sums.times.first_token.is_empty() => continue,
            Half::Times => {
                sums.times.duration.encode(&mut body);
                sums.times.first_token.encode(&mut body);
            }
        }
        number::put(&mut value, u64::from(*first));
        number::put(&mut value, u64::from(*second));
        number::put(&mut value, body.len() as u64);
        value.extend_from_slice(&body);
        if value.len() >= VALUE_BYTES {
            values.push(std::mem::take(&mut value));
        }
    }
    if !value.is_empty() {
        values.push(value);
    }
    values
}

/// A row of a value, its sums still to be read.
pub struct Written<'a> {
    /// Which row.
    pub row: Row,
    body: &'a [u8],
    half: Half,
}

impl Written<'_> {
    /// Adds its sums. `None` when they cannot be read.
    pub fn add_to(&self, sums: &mut Sums) -> Option<()> {
        let mut body = self.body;
        match self.half {
            Half::Numbers => sums.decode_numbers(&mut body)?,
            Half::Times => {
                sums.times.duration.decode_into(&mut body)?;
                sums.times.first_token.decode_into(&mut body)?;
            }
        }
        body.is_empty().then_some(())
    }
}

/// The rows of a value. Stops with `false` at one that cannot be read.
pub fn decode<'a>(mut value: &'a [u8], half: Half, mut each: impl FnMut(Written<'a>) -> Option<()>) -> bool {
    while !value.is_empty() {
        let Some(written) = next(&mut value, half) else { return false };
        if each(written).is_none() {
            return false;
        }
    }
    true
}

fn next<'a>(value: &mut &'a [u8], half: Half) -> Option<Written<'a>> {
    let first = u32::try_from(number::take(value)?).ok()?;
    let second = u32::try_from(number::take(value)?).ok()?;
    let length = usize::try_from(number::take(value)?).ok()?;
    let (body, rest) = value.split_at_checked(length)?;
    *value = rest;
    Some(Written { row: (first, second), body, half })
}

/// Adds all rows of a value to rows. `false` when it cannot be read.
pub fn decode_into(value: &[u8], half: Half, rows: &mut Rows) -> bool {
    decode(value, half, |written| written.add_to(rows.entry(written.row).or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::usage::Counter;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_are_read_back_from_however_many_values(
            wanted in prop::collection::btree_map((0..500_u32, 0..9_u32), (1..u64::MAX, prop::option::of(any::<u64>())), 0..600),
        ) {
            let mut rows = Rows::new();
            for (row, (requests, duration)) in wanted {
                let sums = rows.entry(row).or_default();
                sums.count(Counter::Requests, requests);
                duration.into_iter().for_each(|value| sums.times.duration.add(value));
            }
            let mut read = Rows::new();
            for half in [Half::Numbers, Half::Times] {
                for value in encode(&rows, half) {
                    prop_assert!(value.len() < VALUE_BYTES + 1_000);
                    prop_assert!(decode_into(&value, half, &mut read));
                }
            }
            prop_assert_eq!(read, rows);
        }

        #[test]
        fn what_is_no_page_is_refused_and_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            decode_into(&bytes, Half::Numbers, &mut Rows::new());
            decode_into(&bytes, Half::Times, &mut Rows::new());
        }
    }
}
