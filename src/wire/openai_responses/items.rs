//! The items of an answer, as they grow and as they are written.

use super::item_in::REDACTED;
use crate::chat::{
    Array, Citation, Dialect, Image, Json, Object, Origin, Part, Signature, Source, ToolCall, sign_call_id,
};
use serde::Deserialize;
use std::collections::HashSet;

/// One part of a message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Text { text: String, annotations: Vec<Json> },
    Refusal(String),
}

/// One item of the answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Message { id: String, content: Vec<Content> },
    Reasoning { id: String, summary: Vec<String>, encrypted: Option<String> },
    Call { id: String, call_id: String, name: String, arguments: String, kind: CallKind },
    Picture { id: String, base64: String },
    Other(Json),
}

/// What the caller knows a tool as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallKind {
    Function,
    Custom,
}

/// How far an item has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    InProgress,
    Completed,
    Incomplete,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Status::InProgress => "in_progress",
            Status::Completed => "completed",
            Status::Incomplete => "incomplete",
        }
    }
}

impl Content {
    pub(super) fn write(&self, object: &mut Object<'_>) {
        match self {
            Content::Text { text, annotations } => {
                object.put("type", "output_text");
                object.put("text", text);
                object.put("annotations", annotations);
                object.put("logprobs", &[(); 0]);
            }
            Content::Refusal(text) => {
                object.put("type", "refusal");
                object.put("refusal", text);
            }
        }
    }
}

/// Appends a part of a summary.
pub(super) fn write_summary(object: &mut Object<'_>, text: &str) {
    object.put("type", "summary_text");
    object.put("text", text);
}

impl Item {
    /// The id that events name.
    pub(super) fn id(&self) -> &str {
        match self {
            Item::Message { id, .. }
            | Item::Reasoning { id, .. }
            | Item::Call { id, .. }
            | Item::Picture { id, .. } => id,
            Item::Other(_) => "",
        }
    }

    /// Appends the item to a list.
    pub(super) fn write_to(&self, array: &mut Array<'_>, status: Status) {
        match self {
            Item::Other(json) => array.put(json),
            item => array.object(|object| item.write(object, status)),
        }
    }

    /// Appends the item as a member.
    pub(super) fn write_as(&self, object: &mut Object<'_>, key: &str, status: Status) {
        match self {
            Item::Other(json) => object.put(key, json),
            item => object.object(key, |object| item.write(object, status)),
        }
    }

    fn write(&self, object: &mut Object<'_>, status: Status) {
        let name = status.name();
        object.put("id", self.id());
        match self {
            Item::Message { content, .. } => {
                object.put("type", "message");
                object.put("status", name);
                object.put("role", "assistant");
                object.array("content", |array| {
                    content.iter().for_each(|part| array.object(|object| part.write(object)));
                });
            }
            Item::Reasoning { summary, encrypted, .. } => {
                object.put("type", "reasoning");
                object.array("summary", |array| {
                    summary.iter().for_each(|text| array.object(|object| write_summary(object, text)));
                });
                object.put_some("encrypted_content", encrypted.as_ref());
            }
            Item::Call { call_id, name: tool, arguments, kind: CallKind::Function, .. } => {
                object.put("type", "function_call");
                object.put("status", name);
                object.put("call_id", call_id);
                object.put("name", tool);
                object.put("arguments", arguments);
            }
            Item::Call { call_id, name: tool, arguments, kind: CallKind::Custom, .. } => {
                object.put("type", "custom_tool_call");
                object.put("status", name);
                object.put("call_id", call_id);
                object.put("name", tool);
                object.put("input", arguments);
            }
            Item::Picture { base64, .. } => {
                object.put("type", "image_generation_call");
                object.put("status", name);
                object.put("result", base64);
            }
            Item::Other(_) => {}
        }
    }
}

/// The text of a free-form tool's call, which went to the vendor as `{"input": "…"}`.
pub(super) fn custom_input(arguments: &str) -> String {
    #[derive(Deserialize)]
    struct Wrapped {
        input: String,
    }
    serde_json::from_str::<Wrapped>(arguments).map_or_else(|_| arguments.to_owned(), |wrapped| wrapped.input)
}

/// A citation as an annotation; `None` for one without a place on the web.
pub(super) fn annotation(citation: &Citation, text: &str) -> Option<Json> {
    if let Some((Dialect::OpenAiResponses, json)) = &citation.original {
        return Some(json.clone());
    }
    let url = citation.url.as_deref()?;
    let end = text.chars().count() as u64;
    let (start, end) = citation.span.unwrap_or((end, end));
    Some(Json::of(&serde_json::json!({
        "type": "url_citation", "url": url, "title": citation.title.as_deref().unwrap_or(url),
        "start_index": start, "end_index": end,
    })))
}

/// A signature as `encrypted_content`.
pub(super) fn encrypted(signature: &Signature) -> String {
    signature.to_field(Origin::OpenAi)
}

/// Thoughts that only their vendor can read, as `encrypted_content`.
pub(super) fn encrypted_redacted(data: &str, origin: Origin) -> String {
    Signature::new(origin, format!("{REDACTED}{data}")).to_field(Origin::OpenAi)
}

/// The id of the answer to a request of this id.
pub fn response_id(request: &str) -> String {
    format!("resp_{request}")
}

/// Makes the items of one answer.
#[derive(Debug)]
pub(super) struct Maker {
    /// The request's id.
    id: String,
    custom: HashSet<String>,
}

impl Maker {
    pub(super) fn new(id: &str, custom: HashSet<String>) -> Self {
        Self { id: id.to_owned(), custom }
    }

    /// The answer's own id.
    pub(super) fn response_id(&self) -> String {
        response_id(&self.id)
    }

    fn item_id(&self, prefix: &str, index: usize) -> String {
        format!("{prefix}_{}{index:04x}", self.id)
    }

    pub(super) fn message(&self, index: usize) -> Item {
        Item::Message { id: self.item_id("msg", index), content: Vec::new() }
    }

    pub(super) fn reasoning(&self, index: usize) -> Item {
        Item::Reasoning { id: self.item_id("rs", index), summary: Vec::new(), encrypted: None }
    }

    /// A call without arguments so far. A signature rides in the id of the call.
    pub(super) fn call(&self, index: usize, id: &str, name: &str, signature: Option<&Signature>) -> Item {
        let custom = self.custom.contains(name);
        let (prefix, kind) = if custom { ("ctc", CallKind::Custom) } else { ("fc", CallKind::Function) };
        Item::Call {
            id: self.item_id(prefix, index),
            call_id: sign_call_id(id, signature),
            name: name.to_owned(),
            arguments: String::new(),
            kind,
        }
    }

    /// An item that comes whole; `None` for a part that is no item, or that callers have no word for.
    pub(super) fn whole(&self, index: usize, part: &Part) -> Option<Item> {
        match part {
            Part::RedactedThinking { data, origin } => Some(Item::Reasoning {
                id: self.item_id("rs", index),
                summary: Vec::new(),
                encrypted: Some(encrypted_redacted(data, *origin)),
            }),
            Part::Image(Image { source: Source::Base64 { data, .. }, .. }) => {
                Some(Item::Picture { id: self.item_id("ig", index), base64: data.clone() })
            }
            Part::ToolCall(call) => Some(self.whole_call(index, call)),
            Part::Other(other) if other.dialect == Dialect::OpenAiResponses => {
                Some(Item::Other(other.json.clone()))
            }
            _ => None,
        }
    }

    fn whole_call(&self, index: usize, call: &ToolCall) -> Item {
        let mut item = self.call(index, &call.id, &call.name, call.signature.as_ref());
        if let Item::Call { arguments, kind, .. } = &mut item {
            *arguments = match kind {
                CallKind::Custom => custom_input(&call.arguments),
                CallKind::Function => call.arguments.clone(),
            };
        }
        item
    }
}
