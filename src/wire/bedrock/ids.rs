//! Ids and names in the alphabets that the vendor takes.

use crate::error::{Failure, Kind, Result};
use std::borrow::Cow;

/// The longest id of a call, and the longest name of a tool.
const MAX_BYTES: usize = 64;
/// Of an id that does not fit, this much stays in front of its check sum.
const KEPT_BYTES: usize = 32;
/// The longest name of a document.
const MAX_DOCUMENT_BYTES: usize = 200;

/// The id of a call as the vendor takes it, `[a-zA-Z0-9_.:-]{1,64}`. One that
/// does not fit gets a check sum of the whole, so that two do not become the same.
pub(super) fn call_id(id: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    if !id.is_empty() && id.len() <= MAX_BYTES && id.chars().all(fits) {
        return Cow::Borrowed(id);
    }
    let kept: String = id.chars().take(KEPT_BYTES).map(|c| if fits(c) { c } else { '_' }).collect();
    Cow::Owned(format!("{kept}_{:016x}", fnv(id.as_bytes())))
}

/// FNV-1a: the same everywhere and always, so that prompts stay the same.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// The name of a tool, if the vendor takes it. It is not written in another way,
/// because the model would call the tool by a name that the caller does not know.
///
/// # Errors
/// [`Kind::InvalidRequest`] that names the tool.
pub(super) fn tool_name(name: &str) -> Result<&str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.len() <= MAX_BYTES && name.chars().all(fits) {
        return Ok(name);
    }
    let shown: String = name.chars().take(MAX_BYTES * 2).collect();
    let public = format!(
        "The vendor that serves this model takes names of tools of 1 to {MAX_BYTES} letters, digits, `_` and `-`; `{shown}` is none."
    );
    Err(Failure::new(Kind::InvalidRequest, public).param("tools"))
}

/// The name of a document as the vendor takes it: letters, digits, hyphens, round and
/// square brackets, and single spaces. Its file's extension is told as the format and left out.
pub(super) fn document_name(name: &str) -> Cow<'_, str> {
    let stem = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && extension.len() <= 4 => stem,
        _ => name,
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "-()[] ".contains(c);
    if !stem.is_empty() && stem.len() <= MAX_DOCUMENT_BYTES && stem.chars().all(fits) && !stem.contains("  ")
    {
        return Cow::Borrowed(stem);
    }
    let mut out = String::with_capacity(stem.len().min(MAX_DOCUMENT_BYTES));
    for c in stem.chars().map(|c| if fits(c) { c } else { ' ' }) {
        if out.len() == MAX_DOCUMENT_BYTES {
            break;
        }
        if c != ' ' || !out.ends_with(' ') {
            out.push(c);
        }
    }
    match out.trim() {
        "" => Cow::Borrowed("document"),
        trimmed => Cow::Owned(trimmed.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_with_strange_characters_becomes_one_without_and_stays_unique() {
        assert_eq!(call_id("tooluse_01-A.b:c"), "tooluse_01-A.b:c");
        assert_ne!(call_id("functions/look"), call_id("functions_look"));
        assert_ne!(call_id(&"x".repeat(65)), call_id(&"x".repeat(66)));
    }

    #[test]
    fn names_of_tools_are_taken_or_refused() {
        assert_eq!(tool_name("look_up-2").unwrap(), "look_up-2");
        for bad in ["", "a b", "é", &"x".repeat(65)] {
            let failure = tool_name(bad).unwrap_err();
            assert_eq!(
                (failure.kind, failure.param.as_deref()),
                (Kind::InvalidRequest, Some("tools")),
                "{bad}"
            );
        }
    }

    #[test]
    fn names_of_documents_lose_what_the_vendor_refuses() {
        for (name, expected) in [
            ("report.pdf", "report"),
            ("Q3 report (final).docx", "Q3 report (final)"),
            ("a_b__c.txt", "a b c"),
            ("v1.2 notes", "v1 2 notes"),
            (".pdf", "pdf"),
            ("", "document"),
            ("日本", "document"),
        ] {
            assert_eq!(document_name(name), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_id_and_any_name_fit(text in ".{0,300}") {
            let id = call_id(&text);
            prop_assert!(!id.is_empty() && id.len() <= MAX_BYTES);
            prop_assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || "_.:-".contains(c)));
            let name = document_name(&text);
            prop_assert!(!name.is_empty() && name.len() <= MAX_DOCUMENT_BYTES && !name.contains("  "));
            prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "-()[] ".contains(c)));
        }
    }
}
