//! The inner loop: where a string ends.
//!
//! Most bytes of a request are text inside strings, so the speed of this loop
//! is the speed of reading a body. Escapes and short strings are so common that
//! a block is judged once, into one bit per byte, and the bits are then used up.

use wide::u8x16;

/// Bytes judged together.
const BLOCK: usize = 32;

/// Where a string ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The index of the closing quote.
    pub quote: usize,
    pub escaped: bool,
}

/// The string that begins at `start` if it is short and plain, as keys are:
/// the way of `string_end` without its loop.
#[inline]
pub(super) fn short_string(body: &[u8], start: usize) -> Option<&[u8]> {
    let rest = body.get(start..)?;
    let marks = half_marks(rest.first_chunk()?);
    let end = marks.trailing_zeros() as usize;
    (rest.get(end) == Some(&b'"') && marks != 0).then(|| rest.get(..end))?
}

/// Finds the closing quote of the string that begins at `start`, and checks
/// what stands before it. An error is the place and the end of a sentence.
pub(super) fn string_end(body: &[u8], start: usize) -> Result<End, (usize, &'static str)> {
    let mut at = start;
    let mut escaped = false;
    loop {
        let (mut marks, length) = special_marks(body.get(at..).unwrap_or_default());
        if length == 0 {
            return Err((body.len(), "it ends inside a string"));
        }
        let base = at;
        at += length;
        while marks != 0 {
            let place = base + marks.trailing_zeros() as usize;
            match body.get(place) {
                Some(b'"') => return Ok(End { quote: place, escaped }),
                Some(b'\\') => {}
                _ => return Err((place, "a control character stands in a string")),
            }
            escaped = true;
            let next = place + escape_length(body, place)?;
            // What the escape consists of is no longer special.
            marks = marks.checked_shr((next - base) as u32).unwrap_or(0);
            marks = marks.checked_shl((next - base) as u32).unwrap_or(0);
            at = at.max(next);
        }
    }
}

/// How many bytes the escape at `at` takes.
fn escape_length(body: &[u8], at: usize) -> Result<usize, (usize, &'static str)> {
    match body.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => match body.get(at + 2..at + 6) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(6),
            _ => Err((at, "an escape is malformed")),
        },
        _ => Err((at, "an escape is malformed")),
    }
}

/// One bit per quote, backslash and control character of the next block, and
/// how many bytes were judged.
#[inline]
fn special_marks(bytes: &[u8]) -> (u32, usize) {
    match bytes.first_chunk::<BLOCK>().map(|block| block.as_chunks::<16>().0) {
        Some([low, high]) => (half_marks(low) | half_marks(high) << 16, BLOCK),
        _ => (last_marks(bytes), bytes.len()),
    }
}

/// The same for the end of the body, which is shorter than a block.
#[cold]
fn last_marks(bytes: &[u8]) -> u32 {
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    bytes.iter().rev().fold(0, |marks, &byte| marks << 1 | u32::from(special(byte)))
}

/// Sixteen bytes are what every processor of the platform has registers for.
#[inline]
fn half_marks(half: &[u8; 16]) -> u32 {
    let bytes = u8x16::new(*half);
    let control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
    let special = bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\')) | control;
    special.to_bitmask()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same, one byte after the other.
    fn plainly(body: &[u8]) -> Option<End> {
        let mut at = 0;
        let mut escaped = false;
        loop {
            match *body.get(at)? {
                b'"' => return Some(End { quote: at, escaped }),
                b'\\' => {
                    escaped = true;
                    at += escape_length(body, at).ok()?;
                }
                0..0x20 => return None,
                _ => at += 1,
            }
        }
    }

    proptest! {
        #[test]
        fn finds_what_a_plain_loop_finds(parts in prop::collection::vec(prop_oneof![
            8 => prop::collection::vec(prop_oneof![0x20u8..0x22, 0x23u8..0x5c, 0x5du8..=0xff], 0..20),
            4 => prop::sample::select(vec![&b"\\n"[..], b"\\\\", b"\\\"", b"\\u00e9", b"\\", b"\""]).prop_map(<[u8]>::to_vec),
            1 => prop::collection::vec(any::<u8>(), 1..3),
        ], 0..30), start in 0usize..40) {
            let body = parts.concat();
            let start = start.min(body.len());
            let expected = plainly(&body[start..]).map(|end| End { quote: end.quote + start, ..end });
            let short = short_string(&body, start);
            let is_short = expected.as_ref().filter(|end| !end.escaped && end.quote < start + 16);
            let fits = body.len() >= start + 16;
            prop_assert_eq!(short.map(|raw| start + raw.len()), is_short.filter(|_| fits).map(|end| end.quote));
            prop_assert_eq!(string_end(&body, start).ok(), expected);
        }
    }

    #[test]
    fn every_byte_at_every_place_is_judged_alone() {
        for byte in 0..=255u8 {
            for place in 0..70 {
                let mut body = [b'a'; 71];
                body[70] = b'"';
                body[place] = byte;
                let expected = plainly(&body);
                assert_eq!(string_end(&body, 0).ok(), expected, "{byte:#x} at {place}");
            }
        }
    }
}
