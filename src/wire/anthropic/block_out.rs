//! Content blocks, written from canonical parts; for the vendor and for callers alike.

use crate::chat::{
    Array, CacheHint, Citation, Dialect, Document, Image, Object, Origin, Signature, Source, Text, ToolCall,
};
use std::borrow::Cow;

/// The longest id of a call that is sent to the vendor as it is.
const MAX_ID_BYTES: usize = 128;

/// Appends `cache_control`. Five minutes are said by their absence.
pub(super) fn write_cache(object: &mut Object<'_>, hint: Option<CacheHint>) {
    let Some(hint) = hint else { return };
    object.object("cache_control", |control| {
        control.put("type", "ephemeral");
        if hint == CacheHint::OneHour {
            control.put("ttl", "1h");
        }
    });
}

/// Appends a text block.
pub(super) fn write_text(array: &mut Array<'_>, text: &Text, cache: Option<CacheHint>) {
    array.object(|object| {
        object.put("type", "text");
        object.put("text", &text.text);
        let citations: Vec<_> = text.citations.iter().filter_map(own_citation).collect();
        if !citations.is_empty() {
            object.put("citations", &citations);
        }
        write_cache(object, cache);
    });
}

/// The citation in this dialect's words, which only its own citations have.
pub(super) fn own_citation(citation: &Citation) -> Option<&crate::chat::Json> {
    match &citation.original {
        Some((Dialect::Anthropic, json)) => Some(json),
        _ => None,
    }
}

/// Appends a thinking block.
pub(super) fn write_thinking(array: &mut Array<'_>, text: &str, signature: &str) {
    array.object(|object| {
        object.put("type", "thinking");
        object.put("thinking", text);
        object.put("signature", signature);
    });
}

/// Appends a block of thoughts that only their vendor can read. Another
/// vendor's are marked, so that they find their way back.
pub(super) fn write_redacted(object: &mut Object<'_>, data: &str, origin: Origin) {
    object.put("type", "redacted_thinking");
    object.put("data", &Signature::new(origin, data).to_field(Origin::Anthropic));
}

/// Appends a call of a tool under this id.
pub(super) fn write_tool_use(array: &mut Array<'_>, id: &str, call: &ToolCall, cache: Option<CacheHint>) {
    array.object(|object| {
        object.put("type", "tool_use");
        object.put("id", id);
        object.put("name", &call.name);
        object.put("input", &call.input());
        write_cache(object, cache);
    });
}

/// Appends a picture.
pub(super) fn write_image(array: &mut Array<'_>, image: &Image, cache: Option<CacheHint>) {
    array.object(|object| {
        object.put("type", "image");
        write_source(object, &image.source);
        write_cache(object, cache);
    });
}

/// Appends a document.
pub(super) fn write_document(array: &mut Array<'_>, document: &Document, cache: Option<CacheHint>) {
    array.object(|object| {
        object.put("type", "document");
        write_source(object, &document.source);
        object.put_some("title", document.name.as_ref());
        object.put_some("context", document.context.as_ref());
        if document.cite {
            object.object("citations", |citations| citations.put("enabled", &true));
        }
        write_cache(object, cache);
    });
}

fn write_source(object: &mut Object<'_>, source: &Source) {
    object.object("source", |object| match source {
        Source::Url(url) => {
            object.put("type", "url");
            object.put("url", url);
        }
        Source::Base64 { mime, data } => {
            object.put("type", "base64");
            object.put("media_type", mime);
            object.put("data", data);
        }
        Source::Text(text) => {
            object.put("type", "text");
            object.put("media_type", "text/plain");
            object.put("data", text);
        }
        Source::FileId(id) => {
            object.put("type", "file");
            object.put("file_id", id);
        }
    });
}

/// The id of a call as the vendor takes it, `[a-zA-Z0-9_-]+`. One that has other
/// characters gets a check sum of the whole, so that two do not become the same.
pub(super) fn vendor_id(id: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !id.is_empty() && id.len() <= MAX_ID_BYTES && id.chars().all(fits) {
        return Cow::Borrowed(id);
    }
    let kept: String = id.chars().take(MAX_ID_BYTES / 2).map(|c| if fits(c) { c } else { '_' }).collect();
    Cow::Owned(format!("{kept}_{:016x}", fnv(id.as_bytes())))
}

/// FNV-1a: the same everywhere and always, so that prompts stay the same.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_with_strange_characters_becomes_one_without_and_stays_unique() {
        assert_eq!(vendor_id("toolu_01-A"), "toolu_01-A");
        let (one, other) = (vendor_id("functions.look:0"), vendor_id("functions_look:0"));
        assert_ne!(one, other);
        for id in [one, other, vendor_id(""), vendor_id(&"x".repeat(1000)), vendor_id("é~")] {
            assert!(!id.is_empty() && id.len() <= MAX_ID_BYTES);
            assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)), "{id}");
        }
    }
}
