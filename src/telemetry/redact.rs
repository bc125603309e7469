//! The last look at texts from outside before they are logged. Secrets have no
//! way here by type; but a vendor's error may quote a header, and a caller may
//! put a key where the model belongs.

use std::borrow::Cow;

/// What a secret starts with: vendors' key prefixes, and what stands before one in a header or a URL.
const MARKS: &[&str] = &[
    "sk-",
    "sk_",
    "xai-",
    "gsk_",
    "ah-",
    "ah_",
    "AIza",
    "AKIA",
    "ASIA",
    "ya29.",
    "eyJ",
    "Bearer ",
    "bearer ",
    "Basic ",
    "key=",
    "api_key=",
    "apikey=",
    "token=",
    "secret=",
    "password=",
];
/// What the marks begin with.
const FIRST_BYTES: &[u8] = b"sxgaAyeBbktp";
/// Shorter runs than this are words, not secrets.
const SHORTEST: usize = 12;

/// The text with everything that looks like a secret cut down to its mark.
pub(super) fn redact(text: &str) -> Cow<'_, str> {
    let Some(first) = find(text, 0) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    let mut kept = 0;
    let mut next = Some(first);
    while let Some((start, end)) = next {
        out.push_str(text.get(kept..start).unwrap_or_default());
        out.push('…');
        kept = end;
        next = find(text, end);
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    Cow::Owned(out)
}

/// The next secret at or after `from`: where its part after the mark begins and ends.
fn find(text: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut in_word = false;
    for (at, &byte) in bytes.iter().enumerate().skip(from) {
        // Only at the start of a word: `task-…` is not `sk-…`.
        let starts_word = !in_word;
        in_word = byte.is_ascii_alphanumeric();
        if !starts_word || !in_word {
            continue;
        }
        // Most words are no secret; one comparison tells for nearly all of them.
        if !FIRST_BYTES.contains(&byte) {
            continue;
        }
        let Some(rest) = bytes.get(at..) else { break };
        let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(mark.as_bytes())) else { continue };
        let start = at + mark.len();
        let length = bytes.get(start..)?.iter().take_while(|&&b| is_secret_byte(b)).count();
        if length >= SHORTEST {
            return Some((start, start + length));
        }
    }
    None
}

fn is_secret_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets_are_cut_wherever_they_stand() {
        for mark in MARKS {
            for text in [
                format!("{mark}CANARY0123456789"),
                format!("vendor said \"{mark}CANARY0123456789\" is wrong, {mark}CANARYxxxxxxxxxx too"),
                format!("https://host/v1?{mark}CANARY0123456789&x=1"),
            ] {
                let safe = redact(&text);
                assert!(!safe.contains("CANARY"), "{safe}");
                assert!(safe.contains(mark), "{safe}");
            }
        }
    }

    #[test]
    fn every_mark_passes_the_first_comparison() {
        assert!(MARKS.iter().all(|mark| FIRST_BYTES.contains(&mark.as_bytes()[0])));
    }

    #[test]
    fn ordinary_texts_stay_as_they_are() {
        for text in [
            "gpt-4o-mini",
            "openai/gpt-4.1-nano-2025-04-14",
            "task-queue-0123456789abcdef",
            "sk-short",
            "no key=value here",
            "größer als erlaubt – 模型不存在",
        ] {
            assert!(matches!(redact(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "(sk-|key=|\\PC){0,40}") {
            prop_assert!(redact(&text).len() <= text.len() + 3 * text.len());
        }
    }
}
