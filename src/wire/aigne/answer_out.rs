//! A caller's whole answer, written from the canonical one.

use super::structured::value_of;
use super::telling::Telling;
use crate::chat::{Array, Finish, Object, Part, Response, Source, ToolCall, sign_call_id, write_object};
use crate::error::Result;

/// Writes a caller's whole answer: the first, where there are several.
///
/// # Errors
/// When a value was asked for and the model wrote none.
pub fn response_out(response: &Response, telling: &Telling) -> Result<Vec<u8>> {
    let choice = response.first();
    let mut said = Said::default();
    choice.parts.iter().for_each(|part| said.add(part));
    let mut out = Vec::with_capacity(1024);
    write_object(&mut out, |object| {
        said.write(object, telling, choice.finish.as_ref())?;
        if let Some(usage) = &response.usage {
            object.object("usage", |object| telling.write_usage(object, usage));
        }
        telling.write_model(object);
        write_finish(object, choice.finish.as_ref());
        Ok(())
    })?;
    Ok(out)
}

/// What a model has said, by the fields of the answer.
#[derive(Default)]
struct Said<'a> {
    text: String,
    thoughts: String,
    calls: Vec<&'a ToolCall>,
    files: Vec<&'a Part>,
}

impl<'a> Said<'a> {
    fn add(&mut self, part: &'a Part) {
        match part {
            Part::Text(text) => self.text.push_str(&text.text),
            Part::Refusal(text) => self.text.push_str(text),
            Part::Thinking(thinking) => self.thoughts.push_str(&thinking.text),
            Part::ToolCall(call) => self.calls.push(call),
            Part::Image(_) | Part::Audio(_) | Part::Document(_) => self.files.push(part),
            Part::RedactedThinking { .. } | Part::ToolResult(_) | Part::Other(_) => {}
        }
    }

    fn write(&self, object: &mut Object<'_>, telling: &Telling, finish: Option<&Finish>) -> Result<()> {
        // A model that calls a tool has not come to its answer yet.
        if telling.tells.json && self.calls.is_empty() {
            object.put("json", &value_of(&self.text, finish)?);
        } else if !self.text.is_empty() || (self.calls.is_empty() && self.files.is_empty()) {
            object.put("text", &self.text);
        }
        if !self.thoughts.is_empty() {
            object.put("thoughts", &self.thoughts);
        }
        if !self.calls.is_empty() {
            object.array("toolCalls", |array| self.calls.iter().for_each(|call| write_call(array, call)));
        }
        if !self.files.is_empty() {
            object.array("files", |array| self.files.iter().for_each(|part| write_file(array, part)));
        }
        Ok(())
    }
}

/// Appends a call. Arguments are an object here and not its text.
pub(super) fn write_call(array: &mut Array<'_>, call: &ToolCall) {
    array.object(|object| {
        object.put("id", &sign_call_id(&call.id, call.signature.as_ref()));
        object.put("type", "function");
        object.object("function", |function| {
            function.put("name", &call.name);
            function.put("arguments", &call.input());
        });
    });
}

/// Appends a picture or sound that the model has made.
pub(super) fn write_file(array: &mut Array<'_>, part: &Part) {
    let source = match part {
        Part::Image(image) => &image.source,
        Part::Audio(audio) => &audio.source,
        Part::Document(document) => &document.source,
        _ => return,
    };
    match source {
        Source::Url(url) => array.object(|object| {
            object.put("type", "url");
            object.put("url", url);
        }),
        Source::Base64 { mime, data } => array.object(|object| {
            object.put("type", "file");
            object.put("data", data);
            object.put("mimeType", mime);
        }),
        Source::Text(_) | Source::FileId(_) => {}
    }
}

/// Appends why an answer is not whole; one that is says nothing of it.
pub(super) fn write_finish(object: &mut Object<'_>, finish: Option<&Finish>) {
    let word = match finish {
        Some(Finish::Length) => "length",
        Some(Finish::ContentFilter) => "content_filter",
        _ => return,
    };
    object.put("finishReason", word);
}
