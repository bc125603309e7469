//! JSON that is carried and not understood, and a reader that forgives what
//! some servers do to text.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// How deep the JSON of a dialect may nest. `serde_json` refuses deeper by itself.
pub const MAX_DEPTH: usize = 128;

/// Any JSON value as its text: a schema, a vendor's own field. Written out
/// again byte for byte, so that a prompt cache sees the same prefix each time.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Takes a text that is one JSON value; `None` when it is not.
    pub fn parse(text: impl Into<String>) -> Option<Self> {
        RawValue::from_string(text.into()).ok().map(Self)
    }

    /// The JSON text of a value. `null` for a value that has none, such as a
    /// map whose keys are no strings.
    pub fn of(value: &impl serde::Serialize) -> Self {
        Self(serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }

    /// `{}`.
    pub fn empty_object() -> Self {
        Self::of(&serde_json::Map::new())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Is it an object?
    pub fn is_object(&self) -> bool {
        self.as_str().starts_with('{')
    }

    /// Is it `null`?
    pub fn is_null(&self) -> bool {
        self.as_str() == "null"
    }

    /// Reads the value as a type; `None` when it is of another shape.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.as_str()).ok()
    }
}

impl From<Box<RawValue>> for Json {
    fn from(raw: Box<RawValue>) -> Self {
        Self(raw)
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads JSON. Half surrogate pairs and bytes that are no UTF-8 become U+FFFD:
/// some servers cut text between the halves, and their event must not be lost
/// for that. A text that needs no repair is read once and copied never.
///
/// # Errors
/// `serde_json`'s own, with line and column.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes).or_else(|error| match repaired(bytes) {
        Cow::Owned(text) => serde_json::from_str(&text),
        Cow::Borrowed(_) => Err(error),
    })
}

/// The text with what cannot be read replaced; borrowed when nothing is.
fn repaired(bytes: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    let mut rest = text.as_ref();
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        let (kept, used) = escape_at(escape);
        out.push_str(plain);
        out.push_str(kept);
        rest = escape.get(used..).unwrap_or_default();
    }
    out.push_str(rest);
    if out.as_bytes() == bytes { text } else { Cow::Owned(out) }
}

/// What to write for the escape at the beginning, and how many bytes it takes.
fn escape_at(escape: &str) -> (&str, usize) {
    let code = |at: usize| {
        let digits = escape.get(at..at + 6)?.strip_prefix("\\u")?;
        digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
    };
    let take = |bytes: usize| (escape.get(..bytes).unwrap_or(escape), bytes.min(escape.len()));
    match (code(0), code(6)) {
        (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => take(12),
        (Some(0xd800..0xe000), _) => ("\\ufffd", 6),
        (Some(_), _) => take(6),
        // The escaped character may have more than one byte in text that is no JSON.
        (None, _) => take(1 + escape.chars().nth(1).map_or(0, char::len_utf8)),
    }
}

/// Notices when JSON that comes in fragments is one whole object. Keeps no text.
#[derive(Clone, Debug, Default)]
pub struct Whole {
    depth: u32,
    in_string: bool,
    escaped: bool,
    begun: bool,
}

impl Whole {
    /// Takes the next fragment.
    pub fn feed(&mut self, fragment: &str) {
        for byte in fragment.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => {
                    self.begun = true;
                    self.depth = self.depth.saturating_add(1);
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// The object that was begun is closed.
    pub fn is_whole(&self) -> bool {
        self.begun && self.depth == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn half_a_surrogate_pair_is_replaced_and_a_whole_one_is_kept() {
        let read = |text: &str| parse::<String>(text.as_bytes()).unwrap();
        assert_eq!(read(r#""a\ud83d""#), "a\u{fffd}");
        assert_eq!(read(r#""\ude00b""#), "\u{fffd}b");
        assert_eq!(read(r#""\ud83d\ude00 \\ud83d""#), "\u{1f600} \\ud83d");
        assert_eq!(read(r#""\ud83d\ude00\ud83d""#), "\u{1f600}\u{fffd}");
        assert_eq!(parse::<String>(b"\"\xff\"").unwrap(), "\u{fffd}");
        assert!(parse::<String>(br#""\x""#).is_err());
    }

    #[test]
    fn an_object_in_fragments_is_whole_when_it_is_closed() {
        let mut whole = Whole::default();
        for fragment in ["", "{\"a\": \"}\\\"", "}\", \"b\": [", "]"] {
            whole.feed(fragment);
            assert!(!whole.is_whole(), "{fragment}");
        }
        whole.feed(" }");
        assert!(whole.is_whole());
    }

    proptest! {
        #[test]
        fn any_bytes_are_repaired_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            _ = parse::<serde_json::Value>(&bytes);
        }

        #[test]
        fn any_escapes_are_repaired_without_a_panic(text in r#""(\\u[dD][89a-f0-3][0-9a-f]{2}|\\|é|[a-u"])*"#) {
            _ = parse::<serde_json::Value>(text.as_bytes());
        }
    }
}
