//! Whole numbers in as few bytes as they need (LEB128).

/// Seven bits a byte; the highest says that another follows.
const MORE: u8 = 0x80;

/// Appends a number.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= u64::from(MORE) {
        out.push(low_bits(u128::from(number)) | MORE);
        number >>= 7;
    }
    out.push(low_bits(u128::from(number)));
}

/// Takes one off the front. `None` when there is none, or one that does not fit.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    // Most numbers of a row are small.
    if let [first, rest @ ..] = *bytes
        && *first < MORE
    {
        *bytes = rest;
        return Some(u64::from(*first));
    }
    u64::try_from(take_large(bytes)?).ok()
}

/// Appends an amount, which may be below zero.
pub(super) fn put_signed(out: &mut Vec<u8>, number: i128) {
    let mut folded = ((number << 1) ^ (number >> 127)).cast_unsigned();
    while folded >= u128::from(MORE) {
        out.push(low_bits(folded) | MORE);
        folded >>= 7;
    }
    out.push(low_bits(folded));
}

/// Takes an amount off the front.
pub(super) fn take_signed(bytes: &mut &[u8]) -> Option<i128> {
    let folded = take_large(bytes)?;
    Some((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
}

fn low_bits(number: u128) -> u8 {
    // The mask leaves seven bits.
    u8::try_from(number & 0x7f).unwrap_or_default()
}

fn take_large(bytes: &mut &[u8]) -> Option<u128> {
    let mut number = 0_u128;
    for shift in (0..u128::BITS).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u128::from(first & !MORE);
        if bits.leading_zeros() < shift {
            return None;
        }
        number |= bits << shift;
        if first & MORE == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_read_back(number: u64, small in 0..300_u64, amount: i128) {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            put(&mut bytes, small);
            put_signed(&mut bytes, amount);
            put_signed(&mut bytes, -i128::from(small));
            let mut rest = bytes.as_slice();
            prop_assert_eq!((take(&mut rest), take(&mut rest)), (Some(number), Some(small)));
            prop_assert_eq!(take_signed(&mut rest), Some(amount));
            prop_assert_eq!(take_signed(&mut rest), Some(-i128::from(small)));
            prop_assert!(rest.is_empty() && take(&mut rest).is_none());
        }

        #[test]
        fn any_bytes_are_a_number_or_none(bytes in prop::collection::vec(any::<u8>(), 0..30)) {
            let _ = take(&mut bytes.as_slice());
            let _ = take_signed(&mut bytes.as_slice());
        }
    }
}
