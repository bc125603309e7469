//! The commonest event of a stream, borrowed from the vendor's bytes: a little
//! more text. All others are an [`Event`].

use super::Event;
use crate::types::Usage;
use std::borrow::Cow;

/// A piece of text or arguments, as it stands in the vendor's JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Delta<'a> {
    /// What it is a piece of.
    pub kind: DeltaKind,
    /// The piece. Never empty.
    pub text: Quoted<'a>,
    /// Usage so far, where it came in the same event and is another one than before. It
    /// counts as an [`Event::Usage`] behind the piece.
    pub usage: Option<Usage>,
}

/// What a piece belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeltaKind {
    /// The text.
    Text,
    /// The thoughts.
    Thinking,
    /// The arguments of the call with this number.
    Arguments(usize),
}

impl Delta<'_> {
    /// The same as an event of its own; without the usage.
    pub fn event(&self) -> Event {
        let mut text = String::with_capacity(self.text.as_str().len());
        self.text.push_to(&mut text);
        match self.kind {
            DeltaKind::Text => Event::TextDelta(text),
            DeltaKind::Thinking => Event::ThinkingDelta(text),
            DeltaKind::Arguments(index) => Event::ToolCallDelta { index, fragment: text },
        }
    }
}

/// A text in the form that every writer of ours gives it between the quotes of a JSON
/// string. What a vendor wrote in this form is copied once, and neither read nor quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted<'a> {
    text: Cow<'a, str>,
    escaped: bool,
}

impl<'a> Quoted<'a> {
    /// Takes what stands between the quotes of a JSON string that a strict reader has read.
    /// `None`: it is no UTF-8, or some of its escapes are not the ones that a writer would use.
    pub fn new(raw: &'a [u8], escaped: bool) -> Option<Self> {
        let text = std::str::from_utf8(raw).ok()?;
        let usual = !escaped || has_usual_escapes(raw);
        usual.then_some(Self { text: Cow::Borrowed(text), escaped })
    }

    /// Quotes a text.
    pub fn of(text: &str) -> Self {
        // A text has a form in JSON, always.
        let mut quoted = serde_json::to_string(text).unwrap_or_default();
        quoted.pop();
        quoted.drain(..quoted.len().min(1));
        let escaped = quoted.contains('\\');
        Self { text: Cow::Owned(quoted), escaped }
    }

    /// What stands between the quotes, escapes included.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Is there nothing?
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Appends what it means.
    pub fn push_to(&self, out: &mut String) {
        if !self.escaped {
            return out.push_str(&self.text);
        }
        let mut rest = self.as_str();
        while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
            let (plain, escape) = rest.split_at(at);
            out.push_str(plain);
            let (meaning, used) = unescape(escape);
            out.push(meaning);
            rest = escape.get(used..).unwrap_or_default();
        }
        out.push_str(rest);
    }
}

fn has_usual_escapes(raw: &[u8]) -> bool {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        if !matches!(rest.get(at + 1), Some(b'"' | b'\\' | b'n' | b'r' | b't' | b'b' | b'f')) {
            return false;
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    true
}

/// The meaning of the escape at the beginning, and how many bytes it takes. Of those
/// with a number only control characters are left.
fn unescape(escape: &str) -> (char, usize) {
    let simple = match escape.as_bytes().get(1) {
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => {
            let code = escape.get(2..6).and_then(|digits| u32::from_str_radix(digits, 16).ok());
            return (code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER), 6);
        }
        Some(b'\\') => '\\',
        _ => '"',
    };
    (simple, 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn meaning(quoted: &Quoted<'_>) -> String {
        let mut text = String::new();
        quoted.push_to(&mut text);
        text
    }

    #[test]
    fn a_form_that_no_writer_uses_is_not_taken() {
        for raw in [&br"\u0041"[..], br"\/", br"a\\\/", b"\xff", br"\ud83d"] {
            assert_eq!(Quoted::new(raw, raw.contains(&b'\\')), None, "{raw:?}");
        }
        let raw = br#"a\n\"\\u0041\""#;
        let taken = Quoted::new(raw, true).unwrap();
        assert_eq!(meaning(&taken), "a\n\"\\u0041\"");
    }

    proptest! {
        #[test]
        fn a_quoted_text_means_itself(text in any::<String>()) {
            let quoted = Quoted::of(&text);
            prop_assert_eq!(meaning(&quoted), text.as_str());
            prop_assert_eq!(format!("\"{}\"", quoted.as_str()), serde_json::to_string(&text).unwrap());
        }

        #[test]
        fn what_is_taken_is_what_would_be_written(raw in r#"([a-zé ]|\\["\\/bfnrt]|\\u00[0-9a-f]{2}){0,20}"#) {
            if let Some(quoted) = Quoted::new(raw.as_bytes(), raw.contains('\\')) {
                let text: String = serde_json::from_str(&format!("\"{raw}\"")).unwrap();
                prop_assert_eq!(meaning(&quoted), text.as_str());
                prop_assert_eq!(quoted.as_str(), &*Quoted::of(&text).text);
            }
        }
    }
}
