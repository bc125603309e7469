//! The hub's errors in Anthropic's shape.

use crate::chat::{Object, write_object};
use crate::error::Failure;
use bytes::Bytes;

/// Renders a failure: `{"type":"error","error":{"type","message"}}`.
pub fn error_body(failure: &Failure) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    write_object(&mut out, |object| write_error(object, failure));
    out
}

/// Renders a failure as an event of a running stream: `event: error`.
pub fn error_event(failure: &Failure) -> Bytes {
    [b"event: error\ndata: ", error_body(failure).as_slice(), b"\n\n"].concat().into()
}

fn write_error(object: &mut Object<'_>, failure: &Failure) {
    object.put("type", "error");
    object.object("error", |error| {
        error.put("type", failure.kind.row().anthropic);
        error.put("message", failure.public.as_ref());
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn an_error_has_the_type_of_its_kind_and_never_the_detail() {
        let failure = Failure::new(Kind::VendorOverloaded, "Come \"back\" later.").detail("secret");
        let expected =
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Come \"back\" later."}}"#;
        assert_eq!(error_body(&failure), expected.as_bytes());
        assert_eq!(error_event(&failure), format!("event: error\ndata: {expected}\n\n"));
    }
}
