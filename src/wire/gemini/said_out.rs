//! What a caller of this dialect is shown of an answer: parts, reasons and usage.

use super::media_out;
use crate::chat::{Array, Dialect, Finish, Object, Origin, Part, Signature, ToolCall};
use crate::types::Usage;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A signature as a caller may carry it. Google's clients decode the field, so what is
/// another vendor's has to be base64 too.
pub(super) fn field(signature: &Signature) -> String {
    match signature.of(Origin::Gemini) {
        Some(own) => own.to_owned(),
        None => STANDARD.encode(signature.to_field(Origin::Gemini)),
    }
}

/// Reads what [`field`] wrote.
pub(super) fn signature(text: String) -> Signature {
    let decoded = STANDARD.decode(&text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let foreign = decoded.map(|text| Signature::from_field(text, Origin::Gemini));
    match foreign.filter(|signature| signature.origin != Origin::Gemini) {
        Some(foreign) => foreign,
        None => Signature::new(Origin::Gemini, text),
    }
}

/// Appends parts. A signature without thoughts goes onto the part before it.
pub(super) fn write_parts(array: &mut Array<'_>, parts: &[Part]) {
    let mut rest = parts.iter().peekable();
    while let Some(part) = rest.next() {
        let carries = matches!(part, Part::Text(_) | Part::Image(_) | Part::Audio(_));
        let bare = rest.peek().and_then(|next| match next {
            Part::Thinking(thinking) if carries && thinking.text.is_empty() => thinking.signature.as_ref(),
            _ => None,
        });
        if bare.is_some() {
            rest.next();
        }
        write_part(array, part, bare);
    }
}

/// Appends one part; one that the dialect cannot say is left out.
pub(super) fn write_part(array: &mut Array<'_>, part: &Part, signature: Option<&Signature>) {
    let signature = signature.map(field);
    match part {
        Part::Text(text) => write_text(array, &text.text, signature),
        Part::Refusal(text) => write_text(array, text, signature),
        Part::Image(image) => media_out::write_part(array, &image.source, signature.as_deref()),
        Part::Document(document) => media_out::write_part(array, &document.source, None),
        Part::Audio(audio) => media_out::write_part(array, &audio.source, signature.as_deref()),
        Part::ToolCall(call) => write_call(array, call),
        Part::Thinking(thinking) => {
            let signature = thinking.signature.as_ref().map(field);
            write_thought(array, &thinking.text, signature.as_deref());
        }
        Part::Other(other) if other.dialect == Dialect::Gemini => array.put(&other.json),
        Part::Other(_) | Part::RedactedThinking { .. } | Part::ToolResult(_) => {}
    }
}

fn write_text(array: &mut Array<'_>, text: &str, signature: Option<String>) {
    array.object(|object| {
        object.put("text", text);
        object.put_some("thoughtSignature", signature);
    });
}

pub(super) fn write_thought(array: &mut Array<'_>, text: &str, signature: Option<&str>) {
    array.object(|object| {
        object.put("text", text);
        if !text.is_empty() {
            object.put("thought", &true);
        }
        object.put_some("thoughtSignature", signature);
    });
}

fn write_call(array: &mut Array<'_>, call: &ToolCall) {
    array.object(|object| {
        object.object("functionCall", |object| {
            object.put("id", &call.id);
            object.put("name", &call.name);
            object.put("args", &call.input());
        });
        object.put_some("thoughtSignature", call.signature.as_ref().map(field));
    });
}

/// The word for why an answer ended. A failure is named as it is, never as a stop.
pub(super) fn reason(finish: &Finish) -> &str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls | Finish::Pause => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::ContentFilter => "SAFETY",
        Finish::Error(word) => word,
    }
}

/// Appends the members of a usage: cached tokens are part of the prompt's, thoughts are apart.
pub(super) fn write_usage(object: &mut Object<'_>, usage: &Usage) {
    object.object("usageMetadata", |object| {
        object.put("promptTokenCount", &usage.input_tokens());
        object.put_some("cachedContentTokenCount", (usage.cache_read > 0).then_some(usage.cache_read));
        object.put("candidatesTokenCount", &usage.output.saturating_add(usage.audio_output));
        object.put("thoughtsTokenCount", &usage.reasoning);
        object.put("totalTokenCount", &usage.total_tokens());
    });
}
