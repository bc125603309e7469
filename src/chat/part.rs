//! What messages are made of, in requests and in answers.

use super::{Dialect, Json, Origin, Signature};

/// Where a prompt cache may end. The hint stands on the last part, tool or
/// system text of the prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheHint {
    /// Five minutes; also where the caller named no time (Anthropic `cache_control`, Bedrock `cachePoint`).
    #[default]
    FiveMinutes,
    /// An hour.
    OneHour,
}

/// One part of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text.
    Text(Text),
    /// A picture, from the caller or made by the model.
    Image(Image),
    /// A file to read, such as a PDF.
    Document(Document),
    /// Sound, from the caller or made by the model.
    Audio(Audio),
    /// The model calls a tool. Only in messages of the assistant.
    ToolCall(ToolCall),
    /// What a tool gave back. Only in messages of [`super::Role::Tool`].
    ToolResult(ToolResult),
    /// The model's thoughts, in front of what they led to. Only in messages of the assistant.
    Thinking(Thinking),
    /// Thoughts that only their vendor can read.
    RedactedThinking {
        /// The vendor's opaque text.
        data: String,
        /// Who can read it. Never sent to anyone else.
        origin: Origin,
    },
    /// The model's own words for why it does not answer (OpenAI `refusal`). Elsewhere it is plain text.
    Refusal(String),
    /// A part that only its own dialect knows. Sent back into that dialect as
    /// it was, and adapted ([`super::Field::OtherPart`]) in every other one.
    Other(Other),
}

/// Text of a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text {
    /// The text; may be empty, which Anthropic and Bedrock refuse, so they leave the part out.
    pub text: String,
    /// What the model cites. Only in answers.
    pub citations: Vec<Citation>,
    /// May a prompt cache end here?
    pub cache: Option<CacheHint>,
}

/// Where bytes are.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A web address. The vendor loads it, not the hub.
    Url(String),
    /// The bytes themselves.
    Base64 {
        /// Such as `image/png`.
        mime: String,
        /// Base64 with the standard alphabet, as the caller wrote it.
        data: String,
    },
    /// Plain text in place of a file. Only for documents.
    Text(String),
    /// A file that the vendor has stored under this id; means something to that vendor only.
    FileId(String),
}

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Where it is.
    pub source: Source,
    /// OpenAI `low`, `high`, `auto`; nobody else has it, and it may be dropped silently.
    pub detail: Option<String>,
    /// May a prompt cache end here?
    pub cache: Option<CacheHint>,
}

/// A file to read.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Where it is.
    pub source: Source,
    /// File name (OpenAI `filename`, Bedrock `name`) or title (Anthropic).
    pub name: Option<String>,
    /// What the model should know of it and not cite (Anthropic `context`).
    pub context: Option<String>,
    /// Shall the model cite it (Anthropic, Bedrock)?
    pub cite: bool,
    /// May a prompt cache end here?
    pub cache: Option<CacheHint>,
}

/// Sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Audio {
    /// Where it is; the media type is such as `audio/wav` or `audio/mp3`.
    pub source: Source,
    /// What is said, in answers.
    pub transcript: Option<String>,
    /// Id of an answer's audio, to refer to it in the next request (OpenAI).
    pub id: Option<String>,
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolCall {
    /// Ties the call to its result. Never empty and unique within the request: a
    /// dialect whose vendor gives none invents one on the way in.
    pub id: String,
    /// The tool.
    pub name: String,
    /// JSON text as the model wrote it, which is not always JSON. `{}` for no
    /// arguments; never empty. A dialect that needs an object uses [`ToolCall::input`].
    pub arguments: String,
    /// Must come back to its vendor unchanged (Gemini `thoughtSignature`). Rides in the id
    /// where the dialect has no place for it: [`super::sign_call_id`].
    pub signature: Option<Signature>,
    /// May a prompt cache end here?
    pub cache: Option<CacheHint>,
}

/// What a tool gave back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolResult {
    /// The [`ToolCall::id`] it answers.
    pub call_id: String,
    /// The tool, where the caller names it. Who needs it (Gemini, Ollama) looks
    /// it up by [`super::ToolNames`] where it is `None`.
    pub name: Option<String>,
    /// Texts, images and documents. OpenAI takes texts only; its pictures follow in a message of the user.
    pub parts: Vec<Part>,
    /// The tool failed (Anthropic `is_error`, Bedrock `status`). Others learn it from the text.
    pub is_error: bool,
    /// May a prompt cache end here?
    pub cache: Option<CacheHint>,
}

/// The model's thoughts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thinking {
    /// The text; empty where the vendor shows only a signature.
    pub text: String,
    /// Proves to the vendor that the thoughts are its own. Without one, Anthropic and Bedrock
    /// refuse them: leave the part out.
    pub signature: Option<Signature>,
}

/// Something the model's text rests on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Citation {
    /// Web address.
    pub url: Option<String>,
    /// Title of the page or document.
    pub title: Option<String>,
    /// The words that are cited.
    pub quote: Option<String>,
    /// First and one past the last character of the answer's text that it belongs to.
    pub span: Option<(u64, u64)>,
    /// As the dialect wrote it, for the way back into the same dialect.
    pub original: Option<(Dialect, Json)>,
}

/// A part that only its own dialect knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Other {
    /// Whose it is.
    pub dialect: Dialect,
    /// Its `type`.
    pub kind: String,
    /// The whole part.
    pub json: Json,
}

impl Part {
    /// A text without anything around it.
    pub fn text(text: impl Into<String>) -> Self {
        Part::Text(Text { text: text.into(), ..Text::default() })
    }

    /// Where a prompt cache may end, if here.
    pub fn cache(&self) -> Option<CacheHint> {
        match self {
            Part::Text(part) => part.cache,
            Part::Image(part) => part.cache,
            Part::Document(part) => part.cache,
            Part::ToolCall(part) => part.cache,
            Part::ToolResult(part) => part.cache,
            Part::Audio(_)
            | Part::Thinking(_)
            | Part::RedactedThinking { .. }
            | Part::Refusal(_)
            | Part::Other(_) => None,
        }
    }
}

impl ToolCall {
    /// The arguments as a JSON object, for dialects that carry an object:
    /// `{}` for none, and text that is no object becomes `{"arguments": "…"}`,
    /// because a vendor that gets its own mistake back can still go on.
    pub fn input(&self) -> Json {
        let text = self.arguments.trim();
        if text.is_empty() || text == "null" {
            return Json::empty_object();
        }
        match Json::parse(text) {
            Some(json) if json.is_object() => json,
            _ => Json::of(&serde_json::json!({ "arguments": text })),
        }
    }
}

/// All texts of the parts, joined by line breaks; the rest is passed over.
pub fn plain_text(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        let text = match part {
            Part::Text(part) => &part.text,
            Part::Refusal(text) => text,
            _ => continue,
        };
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(text);
    }
    out
}

/// The source an address means: bytes for a `data:` URL in base64, else the address itself.
pub fn data_url(url: String) -> Source {
    let split = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    match split {
        Some((mime, data)) => Source::Base64 { mime: mime.to_owned(), data: data.to_owned() },
        None => Source::Url(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_url_is_bytes_and_any_other_is_an_address() {
        let bytes = Source::Base64 { mime: "image/png".into(), data: "aGk=".into() };
        assert_eq!(data_url("data:image/png;base64,aGk=".into()), bytes);
        let address = "https://example.com/;base64,x".to_owned();
        assert_eq!(data_url(address.clone()), Source::Url(address));
        assert_eq!(data_url("data:text/plain,hi".into()), Source::Url("data:text/plain,hi".into()));
    }

    #[test]
    fn arguments_that_are_no_object_are_wrapped() {
        let input = |arguments: &str| {
            ToolCall { arguments: arguments.into(), ..ToolCall::default() }.input().as_str().to_owned()
        };
        assert_eq!(input(""), "{}");
        assert_eq!(input(" null "), "{}");
        assert_eq!(input(r#" {"a": 1} "#), r#"{"a": 1}"#);
        assert_eq!(input("[1]"), r#"{"arguments":"[1]"}"#);
        assert_eq!(input(r#"{"a":"#), r#"{"arguments":"{\"a\":"}"#);
    }
}
