//! The vendor's parts, read into what they say; of whole answers and of streams alike.

use super::said_out;
use crate::chat::{Audio, Dialect, Document, Image, Json, Other, Part, Signature, Source};
use serde::Deserialize;
use serde_json::json;

/// How many characters of the answer's id go into the ids made of it.
const MAX_STEM_CHARS: usize = 40;

/// All kinds of parts in one: the vendor has no field for the kind.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PartIn {
    text: Option<String>,
    thought: Option<bool>,
    #[serde(alias = "thought_signature")]
    thought_signature: Option<String>,
    #[serde(alias = "inline_data")]
    inline_data: Option<Blob>,
    #[serde(alias = "file_data")]
    file_data: Option<File>,
    #[serde(alias = "function_call")]
    function_call: Option<CallIn>,
    /// Only from callers.
    #[serde(alias = "function_response")]
    function_response: Option<ResultIn>,
    #[serde(alias = "executable_code")]
    executable_code: Option<Json>,
    #[serde(alias = "code_execution_result")]
    code_execution_result: Option<Json>,
    #[serde(alias = "tool_call")]
    tool_call: Option<Json>,
    #[serde(alias = "tool_response")]
    tool_response: Option<Json>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Blob {
    #[serde(alias = "mime_type")]
    mime_type: String,
    data: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct File {
    #[serde(alias = "mime_type")]
    mime_type: String,
    #[serde(alias = "file_uri")]
    file_uri: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CallIn {
    id: Option<String>,
    name: Option<String>,
    args: Option<Json>,
}

/// What a tool gave back.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ResultIn {
    id: Option<String>,
    name: String,
    response: Option<Json>,
    parts: Option<Vec<PartIn>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Outcome {
    output: Option<Json>,
    error: Option<Json>,
}

impl ResultIn {
    /// Tool, id of the call, parts, and whether it failed. An object without `output`
    /// and `error` is the output itself, and so is one with more than that.
    pub(super) fn read(self) -> (String, Option<String>, Vec<Part>, bool) {
        let response = self.response.unwrap_or_else(Json::empty_object);
        let members = response.read::<serde_json::Map<String, serde_json::Value>>();
        let sole = members.is_some_and(|members| members.len() == 1);
        let outcome: Outcome = response.read().filter(|_| sole).unwrap_or_default();
        let is_error = outcome.error.is_some();
        let json = outcome.error.or(outcome.output).unwrap_or(response);
        let text = json.read::<String>().unwrap_or_else(|| json.as_str().to_owned());
        let media = self.parts.into_iter().flatten().filter_map(PartIn::read);
        let media = media.filter_map(|said| match said.what {
            What::Whole(part) => Some(part),
            _ => None,
        });
        let parts = [Part::text(text)].into_iter().chain(media).collect();
        (self.name, self.id.filter(|id| !id.is_empty()), parts, is_error)
    }
}

/// A part, and the signature on it.
pub(super) struct Said {
    pub what: What,
    pub signature: Option<Signature>,
}

/// What a part says.
pub(super) enum What {
    /// Text; empty where there is only a signature.
    Text(String),
    /// Thoughts, as far as they are shown.
    Thought(String),
    /// A call. The id may be missing; the arguments are whole.
    Call { id: Option<String>, name: String, arguments: String },
    /// A part that is what it is.
    Whole(Part),
}

impl PartIn {
    /// Takes out what a tool gave back, if that is what the part holds.
    pub(super) fn take_result(&mut self) -> Option<ResultIn> {
        self.function_response.take()
    }

    /// What it says. `None`: a part of a kind that nobody knows.
    pub(super) fn read(self) -> Option<Said> {
        let text = self.thought_signature.filter(|text| !text.is_empty());
        let signature = text.map(said_out::signature);
        let thought = self.thought == Some(true);
        let own = [
            ("executableCode", self.executable_code),
            ("codeExecutionResult", self.code_execution_result),
            ("toolCall", self.tool_call),
            ("toolResponse", self.tool_response),
        ];
        let own = own.into_iter().find_map(|(kind, json)| Some((kind, json?)));
        let what = if let Some(call) = self.function_call {
            call.read()?
        } else if let Some(blob) = self.inline_data {
            What::Whole(if thought { blob.thought() } else { blob.part() })
        } else if let Some(file) = self.file_data {
            What::Whole(media(&file.mime_type, Source::Url(file.file_uri)))
        } else if let Some((kind, json)) = own {
            // Its signature stays with it.
            return Some(Said { what: other(kind, &json, signature), signature: None });
        } else if thought {
            What::Thought(self.text.unwrap_or_default())
        } else if self.text.is_some() || signature.is_some() {
            What::Text(self.text.unwrap_or_default())
        } else {
            return None;
        };
        Some(Said { what, signature })
    }
}

impl CallIn {
    fn read(self) -> Option<What> {
        let name = self.name.filter(|name| !name.is_empty())?;
        let arguments = self.args.filter(Json::is_object).unwrap_or_else(Json::empty_object);
        let id = self.id.filter(|id| !id.is_empty());
        Some(What::Call { id, name, arguments: arguments.as_str().to_owned() })
    }
}

impl Blob {
    fn part(self) -> Part {
        media(&self.mime_type, Source::Base64 { mime: self.mime_type.clone(), data: self.data })
    }

    /// A sketch that the model drew while it thought, which is no answer.
    fn thought(self) -> Part {
        let blob = json!({ "mimeType": self.mime_type, "data": self.data });
        let json = Json::of(&json!({ "thought": true, "inlineData": blob }));
        Part::Other(Other { dialect: Dialect::Gemini, kind: "thought".to_owned(), json })
    }
}

fn media(mime: &str, source: Source) -> Part {
    if mime.starts_with("image/") {
        Part::Image(Image { source, detail: None, cache: None })
    } else if mime.starts_with("audio/") {
        Part::Audio(Audio { source, transcript: None, id: None })
    } else {
        Part::Document(Document { source, name: None, context: None, cite: false, cache: None })
    }
}

fn other(kind: &str, json: &Json, signature: Option<Signature>) -> What {
    let mut whole = serde_json::Map::new();
    whole.insert(kind.to_owned(), json.read().unwrap_or_default());
    if let Some(signature) = signature {
        whole.insert("thoughtSignature".to_owned(), signature.text.into());
    }
    let json = Json::of(&whole);
    What::Whole(Part::Other(Other { dialect: Dialect::Gemini, kind: kind.to_owned(), json }))
}

/// Makes the ids of calls that the vendor gave none. They have to differ from those of
/// the conversation's other answers too, so they are made of this answer's own id.
#[derive(Default)]
pub(super) struct CallIds {
    stem: String,
    calls: usize,
}

impl CallIds {
    /// The answer's id; may be empty.
    pub(super) fn new(response_id: &str) -> Self {
        let mut ids = Self::default();
        ids.learn(response_id);
        ids
    }

    /// The answer's id, where it was not known before.
    pub(super) fn learn(&mut self, response_id: &str) {
        if self.stem.is_empty() {
            let kept = response_id.chars().filter(char::is_ascii_alphanumeric);
            self.stem = kept.take(MAX_STEM_CHARS).collect();
        }
    }

    /// Is the answer's id known?
    pub(super) fn is_learned(&self) -> bool {
        !self.stem.is_empty()
    }

    /// The number of the next call.
    pub(super) fn next_number(&self) -> usize {
        self.calls
    }

    /// The id of the next call: the vendor's own, if it gave one.
    pub(super) fn next(&mut self, given: Option<String>) -> String {
        let number = self.calls;
        self.calls += 1;
        if let Some(given) = given {
            return given;
        }
        if self.stem.is_empty() {
            self.stem = uuid::Uuid::now_v7().simple().to_string();
        }
        format!("call_{}_{number}", self.stem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invented_id_is_of_its_answer_only() {
        let mut ids = CallIds::new("mA-l_1~");
        assert_eq!(ids.next(None), "call_mAl1_0");
        assert_eq!(ids.next(Some("x".into())), "x");
        assert_eq!(ids.next(None), "call_mAl1_2");
        let nameless = || CallIds::new("").next(None);
        assert_ne!(nameless(), nameless());
    }

    #[test]
    fn a_part_of_an_unknown_kind_says_nothing() {
        for part in ["{}", r#"{"new":1}"#, r#"{"functionCall":{}}"#, r#"{"text":null}"#] {
            assert!(serde_json::from_str::<PartIn>(part).unwrap().read().is_none(), "{part}");
        }
    }
}
