//! A caller's whole answer, written from the canonical one.

use super::message_out::{write_call, write_image_url};
use super::reasoning;
use crate::chat::{
    Array, Choice, Citation, Dialect, Finish, Object, Part, Response, Source, sign_call_id, write_object,
};
use crate::types::Usage;

/// Writes a caller's whole answer. `created` is 0 where nobody has filled it in.
pub fn response_out(response: &Response) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    write_object(&mut out, |object| {
        write_answer(object, response);
        if let Some(usage) = &response.usage {
            object.object("usage", |object| write_usage(object, usage));
        }
    });
    out
}

/// Appends the members of an answer but its usage.
pub fn write_answer(object: &mut Object<'_>, response: &Response) {
    object.put("id", if response.id.is_empty() { "chatcmpl-0" } else { &response.id });
    object.put("object", "chat.completion");
    object.put("created", &response.created.unwrap_or(0));
    object.put("model", &response.model);
    object.array("choices", |array| {
        for (index, choice) in response.choices.iter().enumerate() {
            array.object(|object| write_choice(object, index, choice));
        }
    });
    object.put_some("service_tier", response.service_tier.as_ref());
}

fn write_choice(object: &mut Object<'_>, index: usize, choice: &Choice) {
    object.put("index", &index);
    object.object("message", |message| write_message(message, &choice.parts));
    object.put("logprobs", &choice.logprobs);
    object.put(
        "finish_reason",
        &choice.finish.as_ref().and_then(|finish| reason(finish, choice.calls_tools())),
    );
}

/// The word for why an answer ended. None for a failure, which is never to look like a stop.
pub(super) fn reason(finish: &Finish, calls_tools: bool) -> Option<&'static str> {
    match finish {
        Finish::Stop | Finish::ToolCalls if calls_tools => Some("tool_calls"),
        Finish::Stop | Finish::StopSequence(_) | Finish::Pause | Finish::ToolCalls => Some("stop"),
        Finish::Length => Some("length"),
        Finish::ContentFilter => Some("content_filter"),
        Finish::Error(_) => None,
    }
}

fn write_message(message: &mut Object<'_>, parts: &[Part]) {
    message.put("role", "assistant");
    let (mut text, mut refusal) = (String::new(), String::new());
    for part in parts {
        match part {
            Part::Text(part) => text.push_str(&part.text),
            Part::Refusal(part) => refusal.push_str(part),
            _ => {}
        }
    }
    message.put("content", &(!text.is_empty()).then_some(text));
    message.put("refusal", &(!refusal.is_empty()).then_some(refusal));
    let thoughts = reasoning::text_of(parts);
    message.put_some("reasoning_content", (!thoughts.is_empty()).then_some(thoughts));
    if parts.iter().any(reasoning::is_signed) {
        message.array("reasoning_details", |array| reasoning::write_details(array, parts));
    }
    write_annotations(message, parts);
    write_media(message, parts);
    if parts.iter().any(|part| matches!(part, Part::ToolCall(_))) {
        message.array("tool_calls", |array| write_calls(array, parts));
    }
}

/// Appends the calls among the parts.
pub fn write_calls(array: &mut Array<'_>, parts: &[Part]) {
    for part in parts {
        if let Part::ToolCall(call) = part {
            let id = sign_call_id(&call.id, call.signature.as_ref());
            array.object(|object| write_call(object, &id, call));
        }
    }
}

fn write_annotations(message: &mut Object<'_>, parts: &[Part]) {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    let citations: Vec<&Citation> = texts.flat_map(|text| &text.citations).filter(|c| is_known(c)).collect();
    if !citations.is_empty() {
        message.array("annotations", |array| citations.iter().for_each(|c| write_citation(array, c)));
    }
}

/// Can this dialect say it? It has only citations of web pages.
pub(super) fn is_known(citation: &Citation) -> bool {
    citation.url.is_some() || matches!(citation.original, Some((Dialect::OpenAiChat, _)))
}

/// Appends one annotation.
pub(super) fn write_citation(array: &mut Array<'_>, citation: &Citation) {
    if let Some((Dialect::OpenAiChat, json)) = &citation.original {
        return array.put(json);
    }
    array.object(|object| {
        object.put("type", "url_citation");
        object.object("url_citation", |url| {
            url.put("url", &citation.url);
            url.put("title", citation.title.as_deref().unwrap_or_default());
            let (start, end) = citation.span.unwrap_or_default();
            url.put("start_index", &start);
            url.put("end_index", &end);
        });
    });
}

fn write_media(message: &mut Object<'_>, parts: &[Part]) {
    if parts.iter().any(|part| matches!(part, Part::Image(_))) {
        message.array("images", |array| {
            for part in parts {
                if let Part::Image(image) = part {
                    array.object(|object| write_image_url(object, image));
                }
            }
        });
    }
    for part in parts {
        if let Part::Audio(audio) = part
            && let Source::Base64 { data, .. } = &audio.source
        {
            message.object("audio", |object| {
                object.put("id", audio.id.as_deref().unwrap_or("audio_0"));
                object.put("data", data);
                object.put("transcript", audio.transcript.as_deref().unwrap_or_default());
                object.put("expires_at", &0);
            });
            return; // a message has one
        }
    }
}

/// Appends the members of a usage: cached and written tokens are part of the
/// prompt's here, and reasoning is part of the completion's.
pub fn write_usage(object: &mut Object<'_>, usage: &Usage) {
    object.put("prompt_tokens", &usage.input_tokens());
    object.put("completion_tokens", &usage.output_tokens());
    object.put("total_tokens", &usage.total_tokens());
    object.object("prompt_tokens_details", |details| {
        details.put("cached_tokens", &usage.cache_read);
        let written = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
        details.put_some("cache_write_tokens", (written > 0).then_some(written));
        details.put("audio_tokens", &usage.audio_input);
    });
    object.object("completion_tokens_details", |details| {
        details.put("reasoning_tokens", &usage.reasoning);
        details.put("audio_tokens", &usage.audio_output);
    });
}
