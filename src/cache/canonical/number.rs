//! Numbers of JSON by their value.

use super::Sink;

/// A number by its value: sign, significant digits, power of ten. No float
/// touches it, so that numbers beyond 2⁵³ stay apart.
pub(in crate::cache) struct Number<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
    /// Where the text of the number ends.
    pub(super) end: usize,
}

impl<'a> Number<'a> {
    /// `None` when no number of JSON starts at `start`.
    pub(in crate::cache) fn read(body: &'a [u8], start: usize) -> Option<Self> {
        let negative = body.get(start) == Some(&b'-');
        let mut at = start + usize::from(negative);
        let whole = digits(body, at);
        if whole.is_empty() || (whole.len() > 1 && whole.first() == Some(&b'0')) {
            return None;
        }
        at += whole.len();
        let mut fraction: &[u8] = &[];
        if body.get(at) == Some(&b'.') {
            fraction = digits(body, at + 1);
            if fraction.is_empty() {
                return None;
            }
            at += 1 + fraction.len();
        }
        let mut exponent = 0;
        if matches!(body.get(at), Some(b'e' | b'E')) {
            (exponent, at) = power(body, at + 1)?;
        }
        Some(Self { negative, whole, fraction, exponent, end: at })
    }

    /// Writes a form that equal numbers share and different ones do not.
    pub(super) fn write(&self, sink: &mut impl Sink) {
        let all = || self.whole.iter().chain(self.fraction).copied();
        let count = self.whole.len() + self.fraction.len();
        let leading = all().take_while(|digit| *digit == b'0').count();
        if leading == count {
            return sink.write(b"#0;");
        }
        let backwards = self.fraction.iter().rev().chain(self.whole.iter().rev());
        let trailing = backwards.take_while(|digit| **digit == b'0').count();
        sink.write(if self.negative { b"#-" } else { b"#+" });
        for digit in all().take(count - trailing).skip(leading) {
            sink.write(&[digit]);
        }
        // The lengths are below 2³² and the exponent below 10¹², so this cannot overflow.
        let power = self.exponent - self.fraction.len() as i64 + trailing as i64;
        sink.write(b"e");
        sink.write(&power.to_be_bytes());
    }
}

fn digits(body: &[u8], start: usize) -> &[u8] {
    let rest = body.get(start..).unwrap_or_default();
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rest.get(..length).unwrap_or_default()
}

/// The exponent and where it ends. More than twelve digits are refused: no
/// vendor reads them, and they would not fit.
fn power(body: &[u8], start: usize) -> Option<(i64, usize)> {
    let sign = body.get(start)?;
    let at = start + usize::from(matches!(sign, b'+' | b'-'));
    let digits = digits(body, at);
    if digits.is_empty() || digits.len() > 12 {
        return None;
    }
    let size = digits.iter().fold(0, |size: i64, digit| size * 10 + i64::from(digit - b'0'));
    Some((if *sign == b'-' { -size } else { size }, at + digits.len()))
}
