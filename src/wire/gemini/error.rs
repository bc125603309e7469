//! Failures in Google's words.

use crate::chat::write_object;
use crate::error::Failure;
use bytes::Bytes;

/// Google's words for a status.
const STATUSES: [(u16, &str); 8] = [
    (401, "UNAUTHENTICATED"),
    (403, "PERMISSION_DENIED"),
    (404, "NOT_FOUND"),
    (429, "RESOURCE_EXHAUSTED"),
    (499, "CANCELLED"),
    (501, "UNIMPLEMENTED"),
    (503, "UNAVAILABLE"),
    (504, "DEADLINE_EXCEEDED"),
];

/// A failure as an event of a running stream.
pub fn error_event(failure: &Failure) -> Bytes {
    [b"data: ".as_slice(), &error_body(failure), b"\n\n"].concat().into()
}

/// Renders a failure: `{"error":{"code","message","status"}}`.
pub fn error_body(failure: &Failure) -> Vec<u8> {
    let code = failure.status();
    let other = if code < 500 { "INVALID_ARGUMENT" } else { "INTERNAL" };
    let status = STATUSES.iter().find(|(known, _)| *known == code).map_or(other, |(_, status)| *status);
    let mut out = Vec::new();
    write_object(&mut out, |object| {
        object.object("error", |error| {
            error.put("code", &code);
            error.put("message", failure.public.as_ref());
            error.put("status", status);
        });
    });
    out
}
