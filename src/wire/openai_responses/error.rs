//! The hub's errors in a running stream. A whole answer has OpenAI's usual shape.

use crate::chat::write_object;
use crate::error::Failure;
use bytes::Bytes;

/// A failure as the first event of a stream.
pub fn error_event(failure: &Failure) -> Bytes {
    error_event_at(failure, 0)
}

/// A failure as the event of this number: `event: error`, whose data has `message` and `code` at the top.
pub fn error_event_at(failure: &Failure, sequence_number: u64) -> Bytes {
    let mut out = b"event: error\ndata: ".to_vec();
    write_object(&mut out, |object| {
        object.put("type", "error");
        object.put("sequence_number", &sequence_number);
        object.put("code", failure.openai().1);
        object.put("message", failure.public.as_ref());
        object.put("param", &failure.param.as_deref());
    });
    out.extend_from_slice(b"\n\n");
    out.into()
}
