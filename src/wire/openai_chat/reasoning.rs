//! Thoughts in OpenAI's dialect: a text under one of two names, and OpenRouter's
//! details, which carry what has to come back to the vendor.

use super::message_in::ExtraContent;
use crate::chat::{Array, Origin, Part, Signature, Thinking};
use serde::Deserialize;

/// One entry of `reasoning_details`.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Detail {
    pub r#type: String,
    pub text: Option<String>,
    pub summary: Option<String>,
    pub signature: Option<String>,
    pub data: Option<String>,
    pub format: Option<String>,
}

/// The formats of the entries, by who can read them.
const FORMATS: [(Origin, &str); 4] = [
    (Origin::Anthropic, "anthropic-claude-v1"),
    (Origin::Gemini, "google-gemini-v1"),
    (Origin::OpenAi, "openai-responses-v1"),
    (Origin::Other, "unknown"),
];

impl Detail {
    /// Who can read its opaque text.
    pub(super) fn origin(&self) -> Origin {
        let format = self.format.as_deref().unwrap_or_default();
        FORMATS.iter().find(|(_, name)| *name == format).map_or(Origin::Other, |(origin, _)| *origin)
    }

    pub(super) fn signature(&self) -> Option<Signature> {
        let text = self.signature.as_ref().filter(|text| !text.is_empty())?;
        Some(Signature::new(self.origin(), text.clone()))
    }

    /// Thoughts that only their vendor can read.
    pub(super) fn redacted(&self) -> Option<Part> {
        let data = self.data.as_ref().filter(|_| self.r#type == "reasoning.encrypted")?;
        Some(Part::RedactedThinking { data: data.clone(), origin: self.origin() })
    }
}

/// The signature of a call in Google's addition to the dialect.
pub(super) fn of_google(extra: Option<ExtraContent>) -> Option<Signature> {
    let text = extra?.google?.thought_signature?;
    Some(Signature::new(Origin::Gemini, text))
}

/// Reads the thoughts of a whole message. Where there are details they are the
/// thoughts, and the text says the same once more.
pub(super) fn read(text: Option<String>, details: Vec<Detail>, parts: &mut Vec<Part>) {
    let before = parts.len();
    let mut said = false;
    for detail in details {
        if let Some(part) = detail.redacted() {
            parts.push(part);
            continue;
        }
        let signature = detail.signature();
        let thoughts = detail.text.or(detail.summary).unwrap_or_default();
        if thoughts.is_empty() && signature.is_none() {
            continue;
        }
        said |= !thoughts.is_empty();
        merge(parts, before, Thinking { text: thoughts, signature });
    }
    let text = text.filter(|text| !text.is_empty() && !said);
    match (text, parts.get_mut(before)) {
        (Some(text), Some(Part::Thinking(thinking))) => thinking.text = text,
        (Some(text), _) => parts.insert(before, Part::Thinking(Thinking { text, signature: None })),
        (None, _) => {}
    }
}

/// Details may come in pieces, the signature last: pieces up to a signature are one thought.
fn merge(parts: &mut Vec<Part>, from: usize, next: Thinking) {
    match parts.get_mut(from..).and_then(<[Part]>::last_mut) {
        Some(Part::Thinking(open)) if open.signature.is_none() => {
            open.text.push_str(&next.text);
            open.signature = next.signature;
        }
        _ => parts.push(Part::Thinking(next)),
    }
}

/// Appends an entry for a text, a signature or both.
pub(super) fn write_detail(array: &mut Array<'_>, text: &str, signature: Option<&Signature>) {
    array.object(|object| {
        object.put("type", "reasoning.text");
        object.put("text", text);
        if let Some(signature) = signature {
            object.put("signature", &signature.text);
            object.put("format", format_of(signature.origin));
        }
        object.put("index", &0);
    });
}

/// Appends an entry for thoughts that only their vendor can read.
pub(super) fn write_redacted(array: &mut Array<'_>, data: &str, origin: Origin) {
    array.object(|object| {
        object.put("type", "reasoning.encrypted");
        object.put("data", data);
        object.put("format", format_of(origin));
        object.put("index", &0);
    });
}

fn format_of(origin: Origin) -> &'static str {
    FORMATS.iter().find(|(of, _)| *of == origin).map_or("unknown", |(_, name)| *name)
}

/// The thoughts of a message, as one text.
pub(super) fn text_of(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Thinking(thinking) => Some(thinking.text.as_str()),
        _ => None,
    });
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Is there something that has to come back unchanged?
pub(super) fn is_signed(part: &Part) -> bool {
    match part {
        Part::Thinking(thinking) => thinking.signature.is_some(),
        Part::RedactedThinking { .. } => true,
        _ => false,
    }
}

/// Appends all thoughts of a message as entries.
pub(super) fn write_details(array: &mut Array<'_>, parts: &[Part]) {
    for part in parts {
        match part {
            Part::Thinking(thinking) => write_detail(array, &thinking.text, thinking.signature.as_ref()),
            Part::RedactedThinking { data, origin } => write_redacted(array, data, *origin),
            _ => {}
        }
    }
}
