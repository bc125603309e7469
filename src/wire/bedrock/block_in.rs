//! Content blocks of an answer, read into canonical parts.

use super::output::ANSWER_TOOL;
use crate::chat::{
    Citation, Dialect, Image, Json, Origin, Other, Part, Signature, Source, Text, Thinking, ToolCall,
    split_call_id,
};
use serde::Deserialize;

/// All kinds of blocks in one; a block has one of them.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Block {
    text: Option<String>,
    tool_use: Option<ToolUse>,
    reasoning_content: Option<Reasoning>,
    citations_content: Option<Cited>,
    image: Option<ImageIn>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ToolUse {
    pub tool_use_id: String,
    pub name: String,
    pub input: Option<Json>,
    /// Set for a tool that the vendor runs itself.
    pub r#type: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Reasoning {
    reasoning_text: Option<ReasoningText>,
    redacted_content: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ReasoningText {
    text: String,
    signature: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cited {
    content: Vec<CitedText>,
    citations: Vec<Json>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CitedText {
    text: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ImageIn {
    format: String,
    source: Option<ImageSource>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ImageSource {
    bytes: Option<String>,
}

/// The part a block means; one of a kind that is not known here stays as it is.
pub(super) fn part(json: &Json) -> Part {
    let block: Block = json.read().unwrap_or_default();
    if let Some(text) = block.text {
        return Part::text(text);
    }
    if let Some(call) = block.tool_use.filter(|call| call.r#type.is_none()) {
        return called(call);
    }
    if let Some(thoughts) = block.reasoning_content {
        return reasoned(thoughts);
    }
    if let Some(cited) = block.citations_content {
        let text: String = cited.content.into_iter().filter_map(|content| content.text).collect();
        return Part::Text(Text {
            text,
            citations: cited.citations.iter().map(citation).collect(),
            cache: None,
        });
    }
    block.image.and_then(image).unwrap_or_else(|| other(json))
}

/// A block that only this dialect knows.
pub(super) fn other(json: &Json) -> Part {
    let members: Option<std::collections::BTreeMap<String, Json>> = json.read();
    let kind = members.and_then(|members| members.into_keys().next()).unwrap_or_default();
    Part::Other(Other { dialect: Dialect::Bedrock, kind, json: json.clone() })
}

/// A call of a tool. That of the tool which stands for an answer in JSON is the answer.
fn called(call: ToolUse) -> Part {
    let arguments = call.input.map_or_else(|| "{}".to_owned(), |input| input.as_str().to_owned());
    if call.name == ANSWER_TOOL {
        return Part::text(arguments);
    }
    let (id, signature) = split_call_id(call.tool_use_id);
    Part::ToolCall(ToolCall { id, name: call.name, arguments, signature, cache: None })
}

fn reasoned(thoughts: Reasoning) -> Part {
    match thoughts {
        Reasoning { redacted_content: Some(data), .. } => redacted(data),
        Reasoning { reasoning_text, .. } => {
            let ReasoningText { text, signature: signed } = reasoning_text.unwrap_or_default();
            Part::Thinking(Thinking {
                text,
                signature: signed.filter(|text| !text.is_empty()).map(signature),
            })
        }
    }
}

/// Thoughts that only Claude can read.
pub(super) fn redacted(data: String) -> Part {
    Part::RedactedThinking { data, origin: Origin::Anthropic }
}

/// Only Claude signs its thoughts.
pub(super) fn signature(text: String) -> Signature {
    Signature::new(Origin::Anthropic, text)
}

/// A picture that the model made.
pub(super) fn image(image: ImageIn) -> Option<Part> {
    let data = image.source?.bytes?;
    let source = Source::Base64 { mime: format!("image/{}", image.format), data };
    Some(Part::Image(Image { source, detail: None, cache: None }))
}

/// What a text rests on.
pub(super) fn citation(json: &Json) -> Citation {
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct CitationIn {
        title: Option<String>,
        source_content: Option<ListOrOne>,
        location: Option<Location>,
    }
    /// Whole answers have a list, and so have streams.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum ListOrOne {
        List(Vec<CitedText>),
        One(CitedText),
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Location {
        web: Option<Web>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Web {
        url: Option<String>,
    }
    let read: CitationIn = json.read().unwrap_or_default();
    let quote: Option<String> = read.source_content.map(|content| match content {
        ListOrOne::List(list) => list.into_iter().filter_map(|content| content.text).collect(),
        ListOrOne::One(one) => one.text.unwrap_or_default(),
    });
    Citation {
        url: read.location.and_then(|location| location.web).and_then(|web| web.url),
        title: read.title,
        quote: quote.filter(|quote| !quote.is_empty()),
        span: None,
        original: Some((Dialect::Bedrock, json.clone())),
    }
}
