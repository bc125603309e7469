//! A caller's whole answer, written from the canonical one.

use super::said_out::{reason, write_parts, write_usage};
use crate::chat::{Response, write_object};

/// Writes a caller's whole answer.
pub fn response_out(response: &Response) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    write_object(&mut out, |object| {
        object.array("candidates", |array| {
            for (index, choice) in response.choices.iter().enumerate() {
                array.object(|candidate| {
                    candidate.object("content", |content| {
                        content.put("role", "model");
                        content.array("parts", |parts| write_parts(parts, &choice.parts));
                    });
                    candidate.put_some("finishReason", choice.finish.as_ref().map(reason));
                    candidate.put("index", &index);
                });
            }
        });
        if let Some(usage) = &response.usage {
            write_usage(object, usage);
        }
        object.put("modelVersion", &response.model);
        object.put_some("responseId", (!response.id.is_empty()).then_some(&response.id));
    });
    out
}
