//! The other sides of dialects that the hub itself needs one side of only: a request of a
//! vendor's read, an answer of a vendor's written, an answer for a caller read. With them
//! the laws can ask whether what was written means what it was written from. They say what
//! [`crate`]'s conversations at random can say, and no more.

pub mod aigne;
pub mod bedrock;
pub mod ollama;
pub mod responses;

use super::dialects::{RequestIn, RequestOut, ResponseIn, ResponseOut, StreamReads, StreamWrites};
use aigne_hub::chat::{
    Choice, Finish, Image, Json, Message, Part, Response, Role, Source, Thinking, ToolCall,
};
use aigne_hub::types::Usage;
use serde_json::{Value, json};

/// The sides that only tests need; `None` where the hub has it or nobody could write it.
pub struct Mirror {
    pub request_in: Option<RequestIn>,
    pub request_out: Option<RequestOut>,
    pub response_in: Option<ResponseIn>,
    pub response_out: Option<ResponseOut>,
    pub stream_in: Option<StreamReads>,
    pub stream_out: Option<StreamWrites>,
}

impl Mirror {
    /// A dialect of which the hub has all sides.
    pub const NONE: Mirror = Mirror {
        request_in: None,
        request_out: None,
        response_in: None,
        response_out: None,
        stream_in: None,
        stream_out: None,
    };
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn png(data: String) -> Part {
    let source = Source::Base64 { mime: "image/png".to_owned(), data };
    Part::Image(Image { source, detail: None, cache: None })
}

fn data_of(image: &Image) -> &str {
    match &image.source {
        Source::Base64 { data, .. } => data,
        _ => "",
    }
}

fn call(id: &Value, name: &Value, arguments: &Value) -> Part {
    let arguments = if arguments.is_null() { json!({}) } else { arguments.clone() };
    let (id, name) = (text(id), text(name));
    Part::ToolCall(ToolCall { id, name, arguments: arguments.to_string(), ..ToolCall::default() })
}

fn says(role: Role, parts: Vec<Part>) -> Message {
    Message { role, name: None, parts }
}

fn thoughts(text: String) -> Part {
    Part::Thinking(Thinking { text, signature: None })
}

/// Arguments as a value.
fn value_of(arguments: &str) -> Value {
    Json::parse(arguments).and_then(|json| json.read()).unwrap_or_else(|| json!({}))
}

fn answer(parts: Vec<Part>, finish: Finish, usage: Usage) -> Response {
    let choice = Choice { parts, finish: Some(finish), logprobs: None };
    Response { choices: vec![choice], usage: Some(usage), ..Response::default() }
}
