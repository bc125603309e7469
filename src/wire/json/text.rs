//! JSON strings as they stand in the body, and what they mean.

use crate::chat::Quoted;
use std::borrow::Cow;

const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// A string of a body: the bytes between its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Str<'a> {
    /// As written, escapes included.
    pub raw: &'a [u8],
    /// Are there escapes?
    pub escaped: bool,
}

impl<'a> Str<'a> {
    /// What the string means. Half surrogate pairs and bytes that are no UTF-8
    /// become U+FFFD: some servers cut text between the halves, and their
    /// event must not be lost for that.
    pub fn text(&self) -> Cow<'a, str> {
        if !self.escaped {
            return String::from_utf8_lossy(self.raw);
        }
        let mut out = String::with_capacity(self.raw.len());
        self.push_to(&mut out);
        Cow::Owned(out)
    }

    /// The string as a writer would write it; borrowed where the vendor wrote it so.
    pub fn quoted(&self) -> Quoted<'a> {
        Quoted::new(self.raw, self.escaped).unwrap_or_else(|| Quoted::of(&self.text()))
    }

    /// What the string means, as bytes: cheap to match on.
    pub fn bytes(&self) -> Cow<'a, [u8]> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        Cow::Owned(self.text().into_owned().into_bytes())
    }

    /// Appends what [`Str::text`] gives.
    pub fn push_to(&self, out: &mut String) {
        let mut rest = self.raw;
        while let Some(at) = memchr::memchr(b'\\', rest).filter(|_| self.escaped) {
            let (plain, escape) = rest.split_at(at);
            push_lossy(out, plain);
            let (meaning, used) = unescape(escape);
            out.push(meaning);
            rest = escape.get(used..).unwrap_or_default();
        }
        push_lossy(out, rest);
    }
}

fn push_lossy(out: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => out.push_str(text),
        Err(_) => out.push_str(&String::from_utf8_lossy(bytes)),
    }
}

/// The meaning of the escape at the beginning, and how many bytes it takes.
fn unescape(escape: &[u8]) -> (char, usize) {
    let simple = match escape.get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unescape_unicode(escape),
        _ => REPLACEMENT,
    };
    (simple, 2)
}

fn unescape_unicode(escape: &[u8]) -> (char, usize) {
    let Some(high) = hex4(escape.get(2..6)) else { return (REPLACEMENT, 2) };
    if !(0xd800..0xdc00).contains(&high) {
        return (char::from_u32(high).unwrap_or(REPLACEMENT), 6);
    }
    let low = match escape.get(6..8) {
        Some(b"\\u") => hex4(escape.get(8..12)).filter(|low| (0xdc00..0xe000).contains(low)),
        _ => None,
    };
    let Some(low) = low else { return (REPLACEMENT, 6) };
    let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    (char::from_u32(code).unwrap_or(REPLACEMENT), 12)
}

fn hex4(digits: Option<&[u8]>) -> Option<u32> {
    digits?.iter().try_fold(0, |sum, &digit| Some(sum * 16 + char::from(digit).to_digit(16)?))
}

/// A text as a JSON string, quotes included.
pub fn quote(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
    out
}
