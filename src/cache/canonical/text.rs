//! Strings of JSON, their escapes resolved.

/// Hands over the text of a string, its escapes resolved: a run without
/// escapes straight from the body.
pub(super) fn unescape(mut raw: &[u8], write: &mut impl FnMut(&[u8])) {
    while let Some(backslash) = memchr::memchr(b'\\', raw) {
        let (run, rest) = raw.split_at(backslash);
        write(run);
        let Some((code, length)) = escape(rest) else { return };
        let mut buffer = [0; 4];
        write(encode(code, &mut buffer));
        raw = rest.get(length..).unwrap_or_default();
    }
    write(raw);
}

/// The code point of the escape at the start of `text`, and its length. A pair
/// of surrogates is one code point; one without its partner stands for itself.
pub(super) fn escape(text: &[u8]) -> Option<(u32, usize)> {
    let plain = match text.get(1)? {
        b'u' => return unicode(text),
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        same @ (b'"' | b'\\' | b'/') => *same,
        _ => return None,
    };
    Some((u32::from(plain), 2))
}

fn unicode(text: &[u8]) -> Option<(u32, usize)> {
    let first = hex(text.get(2..6)?)?;
    if (0xD800..0xDC00).contains(&first) && text.get(6..8) == Some(b"\\u") {
        let second = hex(text.get(8..12)?)?;
        if (0xDC00..0xE000).contains(&second) {
            return Some((0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00), 12));
        }
    }
    Some((first, 6))
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |code, digit| Some(code * 16 + char::from(*digit).to_digit(16)?))
}

/// UTF-8, extended to lone surrogates: they must not all look alike.
fn encode(code: u32, buffer: &mut [u8; 4]) -> &[u8] {
    if let Some(character) = char::from_u32(code) {
        return character.encode_utf8(buffer).as_bytes();
    }
    let [first, second, third, _] = buffer;
    *first = 0xE0 | (code >> 12 & 0x0F) as u8;
    *second = 0x80 | (code >> 6 & 0x3F) as u8;
    *third = 0x80 | (code & 0x3F) as u8;
    &buffer[..3]
}
