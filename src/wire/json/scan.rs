//! The inner loop: how far a string runs before a byte that means something.
//!
//! Most bytes of a request are text inside a few long strings, so the speed of
//! this loop is the speed of reading a body. The block test has no early exit
//! inside a block, which lets the compiler turn it into vector instructions.

/// Bytes looked at together.
const BLOCK: usize = 32;
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The index of the first quote, backslash or control character, or the length.
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let mut at = 0;
    for block in blocks {
        if block.iter().fold(false, |any, &byte| any | is_special(byte)) {
            break;
        }
        at += BLOCK;
    }
    at + first_special(bytes.get(at..).unwrap_or_default())
}

/// The same for a part where a hit is near: eight bytes at a time.
fn first_special(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let marks = special_marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + tail.iter().position(|&byte| is_special(byte)).unwrap_or(tail.len())
}

/// Sets the high bit of special bytes. Borrows may mark a byte above a true
/// hit as well, so only the lowest mark is exact, which is the one we use.
fn special_marks(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let is_quote = quote.wrapping_sub(ONES) & !quote;
    let is_backslash = backslash.wrapping_sub(ONES) & !backslash;
    let is_control = word.wrapping_sub(ONES * 0x20) & !word;
    (is_quote | is_backslash | is_control) & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_plain_loop_finds(
            bytes in prop::collection::vec(prop_oneof![8 => 0x20u8..=0xff, 1 => any::<u8>()], 0..200)
        ) {
            let expected = bytes.iter().position(|&b| is_special(b)).unwrap_or(bytes.len());
            prop_assert_eq!(plain_run(&bytes), expected);
        }
    }

    #[test]
    fn every_byte_at_every_place_is_judged_alone() {
        for byte in 0..=255u8 {
            for place in 0..70 {
                let mut bytes = [b'a'; 70];
                bytes[place] = byte;
                let expected = if is_special(byte) { place } else { 70 };
                assert_eq!(plain_run(&bytes), expected, "{byte:#x} at {place}");
            }
        }
    }
}
