//! The hub's errors in the one form that AIGNE's client understands: of an
//! answer it reads `error.message` and `error.type`, of a stream the event `error`.

use crate::chat::{Object, write_object};
use crate::error::{Failure, Kind};
use bytes::Bytes;

/// Renders a failure: `{"error":{"message","type","code","param"}}`.
pub fn error_body(failure: &Failure) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    write_object(&mut out, |object| object.object("error", |error| write_error(error, failure)));
    out
}

/// Renders a failure as an event of a running stream. The client takes an object
/// without a name for an answer, whatever is in it, so the event has one.
pub fn error_event(failure: &Failure) -> Bytes {
    let mut out = b"event: error\ndata: ".to_vec();
    write_object(&mut out, |object| write_error(object, failure));
    out.extend_from_slice(b"\n\n");
    out.into()
}

fn write_error(object: &mut Object<'_>, failure: &Failure) {
    let (kind, code) = failure.openai();
    object.put("message", failure.public.as_ref());
    // The word by which AIGNE's clients know that money is short.
    object.put("type", if failure.kind == Kind::BudgetExceeded { "NOT_ENOUGH" } else { kind });
    object.put("code", code);
    object.put_some("param", failure.param.as_deref());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_the_message_inside_and_an_event_at_the_top() {
        let failure = Failure::new(Kind::BudgetExceeded, "no \"money\"").detail("secret");
        let inner = r#"{"message":"no \"money\"","type":"NOT_ENOUGH","code":"budget_exceeded"}"#;
        assert_eq!(error_body(&failure), format!(r#"{{"error":{inner}}}"#).as_bytes());
        assert_eq!(error_event(&failure), format!("event: error\ndata: {inner}\n\n"));
    }
}
