//! Pictures, documents and sound as the vendor wants them: bytes or an address.

use crate::chat::{Array, Object, Source};
use std::borrow::Cow;

/// The kinds of files that the vendor reads, by how their addresses end.
const KINDS: [(&str, &str); 17] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("mp3", "audio/mp3"),
    ("wav", "audio/wav"),
    ("ogg", "audio/ogg"),
    ("flac", "audio/flac"),
    ("mp4", "video/mp4"),
];

/// Where the vendor keeps files, and what it loads for every model.
const OWN: [&str; 5] = [
    "https://generativelanguage.googleapis.com/",
    "gs://",
    "https://www.youtube.com/",
    "https://youtube.com/",
    "https://youtu.be/",
];

/// Is it an address that every model of the vendor can load?
pub(super) fn is_own(address: &str) -> bool {
    OWN.iter().any(|start| address.starts_with(start))
}

/// Appends a part with the bytes, the address or the text.
pub(super) fn write_part(array: &mut Array<'_>, source: &Source, signature: Option<&str>) {
    array.object(|part| {
        write_source(part, source);
        part.put_some("thoughtSignature", signature);
    });
}

fn write_source(part: &mut Object<'_>, source: &Source) {
    match source {
        Source::Base64 { mime, data } => part.object("inlineData", |blob| {
            blob.put("mimeType", known_name(mime).as_ref());
            blob.put("data", data);
        }),
        Source::Url(address) | Source::FileId(address) => part.object("fileData", |file| {
            file.put_some("mimeType", kind_of(address));
            file.put("fileUri", address);
        }),
        Source::Text(text) => part.put("text", text),
    }
}

/// The vendor knows a kind of file by one name only, without parameters.
fn known_name(mime: &str) -> Cow<'_, str> {
    let bare = mime.split(';').next().unwrap_or(mime).trim();
    if bare.eq_ignore_ascii_case("image/jpg") { "image/jpeg".into() } else { bare.into() }
}

/// The kind of file at an address, by its ending. `None`: it does not say.
fn kind_of(address: &str) -> Option<&'static str> {
    let path = address.split(['?', '#']).next()?;
    let (_, ending) = path.rsplit('/').next()?.rsplit_once('.')?;
    KINDS.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_file_is_told_by_its_address() {
        for (address, kind) in [
            ("https://example.com/a/cat.PNG?size=1#x", Some("image/png")),
            ("https://example.com/cat", None),
            ("https://example.com/", None),
            ("https://example.pdf/cat", None),
            ("", None),
        ] {
            assert_eq!(kind_of(address), kind, "{address}");
        }
        assert_eq!(known_name("image/JPG; q=1"), "image/jpeg");
    }
}
