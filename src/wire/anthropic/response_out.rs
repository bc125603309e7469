//! A caller's whole answer, written from the canonical one.

use super::block_out::{write_redacted, write_text, write_thinking, write_tool_use};
use super::usage::write_usage;
use crate::chat::{Array, Dialect, Finish, Object, Origin, Part, Response, Text, sign_call_id, write_object};

/// Writes a caller's whole answer: the first, where there are several. Parts
/// that the dialect cannot say, such as pictures, are left out.
pub fn response_out(response: &Response) -> Vec<u8> {
    let choice = response.first();
    let mut out = Vec::with_capacity(1024);
    write_object(&mut out, |object| {
        object.put("id", message_id(&response.id));
        object.put("type", "message");
        object.put("role", "assistant");
        object.put("model", &response.model);
        object.array("content", |array| choice.parts.iter().for_each(|part| write_part(array, part)));
        write_stop(object, choice.finish.as_ref(), choice.calls_tools());
        object.object("usage", |object| write_usage(object, &response.usage.unwrap_or_default()));
    });
    out
}

pub(super) fn message_id(id: &str) -> &str {
    if id.is_empty() { "msg_0" } else { id }
}

/// Appends why an answer ended; null for a failure, which is never to look like a stop.
pub(super) fn write_stop(object: &mut Object<'_>, finish: Option<&Finish>, calls_tools: bool) {
    let reason = finish.and_then(|finish| match finish {
        Finish::Stop | Finish::ToolCalls if calls_tools => Some("tool_use"),
        Finish::Stop | Finish::ToolCalls | Finish::StopSequence(None) => Some("end_turn"),
        Finish::StopSequence(Some(_)) => Some("stop_sequence"),
        Finish::Length => Some("max_tokens"),
        Finish::ContentFilter => Some("refusal"),
        Finish::Pause => Some("pause_turn"),
        Finish::Error(_) => None,
    });
    let sequence = match finish {
        Some(Finish::StopSequence(sequence)) => sequence.as_deref(),
        _ => None,
    };
    object.put("stop_reason", &reason);
    object.put("stop_sequence", &sequence);
}

fn write_part(array: &mut Array<'_>, part: &Part) {
    match part {
        Part::Text(text) if text.text.is_empty() => {}
        Part::Text(text) => write_text(array, text, None),
        Part::Refusal(text) => write_text(array, &Text { text: text.clone(), ..Text::default() }, None),
        Part::Thinking(thinking) => {
            let signature =
                thinking.signature.as_ref().map(|signature| signature.to_field(Origin::Anthropic));
            write_thinking(array, &thinking.text, signature.as_deref().unwrap_or_default());
        }
        Part::RedactedThinking { data, origin } => {
            array.object(|object| write_redacted(object, data, *origin));
        }
        Part::ToolCall(call) => {
            write_tool_use(array, &sign_call_id(&call.id, call.signature.as_ref()), call, None);
        }
        Part::Other(other) if other.dialect == Dialect::Anthropic => array.put(&other.json),
        Part::Other(_) | Part::Image(_) | Part::Document(_) | Part::Audio(_) | Part::ToolResult(_) => {}
    }
}
