//! What an answer repeats of its request: most of a response object says how
//! it came about.

use crate::chat::{Json, Object};
use serde::Deserialize;
use std::collections::HashSet;

/// What an answer needs to know of the request it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The hub's id of the request; ids of the answer and of its items are made of it.
    pub id: &'a str,
    /// The caller's body as it came.
    pub body: &'a [u8],
}

/// The fields that are repeated, as they stand.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Echo {
    model: Option<String>,
    instructions: Option<Json>,
    metadata: Option<Json>,
    max_output_tokens: Option<Json>,
    max_tool_calls: Option<Json>,
    parallel_tool_calls: Option<Json>,
    previous_response_id: Option<Json>,
    prompt_cache_key: Option<Json>,
    reasoning: Option<Json>,
    safety_identifier: Option<Json>,
    store: Option<Json>,
    temperature: Option<Json>,
    text: Option<Json>,
    tool_choice: Option<Json>,
    tools: Option<Json>,
    top_logprobs: Option<Json>,
    top_p: Option<Json>,
    truncation: Option<Json>,
    user: Option<Json>,
}

#[derive(Deserialize)]
struct Named {
    r#type: Option<String>,
    name: Option<String>,
}

impl Echo {
    /// A body that cannot be read has been refused before; then nothing is repeated.
    pub(super) fn read(body: &[u8]) -> Self {
        // What is repeated stands in events, which a line's end would cut. In JSON it is never
        // part of a string, so a blank means the same.
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        if !body.iter().any(is_end) {
            return serde_json::from_slice(body).unwrap_or_default();
        }
        let line: Vec<u8> = body.iter().map(|byte| if is_end(byte) { b' ' } else { *byte }).collect();
        serde_json::from_slice(&line).unwrap_or_default()
    }

    /// The model that the caller named.
    pub(super) fn model(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }

    /// Tools whose input is free text; they went to the vendor as functions.
    pub(super) fn custom_tools(&self) -> HashSet<String> {
        let tools: Vec<Named> = self.tools.as_ref().and_then(Json::read).unwrap_or_default();
        let custom = tools.into_iter().filter(|tool| tool.r#type.as_deref() == Some("custom"));
        custom.filter_map(|tool| tool.name).collect()
    }

    /// Appends the fields, with OpenAI's defaults where the caller said nothing.
    pub(super) fn write(&self, object: &mut Object<'_>) {
        let given = |json: &'_ Option<Json>| json.clone().filter(|json| !json.is_null());
        object.put("background", &false);
        object.put("instructions", &self.instructions);
        object.put("max_output_tokens", &self.max_output_tokens);
        object.put("max_tool_calls", &self.max_tool_calls);
        object.put("metadata", &given(&self.metadata).unwrap_or_else(Json::empty_object));
        object
            .put("parallel_tool_calls", &given(&self.parallel_tool_calls).unwrap_or_else(|| Json::of(&true)));
        object.put("previous_response_id", &self.previous_response_id);
        object.put("prompt_cache_key", &self.prompt_cache_key);
        match given(&self.reasoning) {
            Some(reasoning) => object.put("reasoning", &reasoning),
            None => object.object("reasoning", |reasoning| {
                reasoning.put("effort", &());
                reasoning.put("summary", &());
            }),
        }
        object.put("safety_identifier", &self.safety_identifier);
        object.put("store", &given(&self.store).unwrap_or_else(|| Json::of(&true)));
        object.put("temperature", &given(&self.temperature).unwrap_or_else(|| Json::of(&1.0)));
        match given(&self.text) {
            Some(text) => object.put("text", &text),
            None => object.object("text", |text| text.object("format", |format| format.put("type", "text"))),
        }
        object.put("tool_choice", &given(&self.tool_choice).unwrap_or_else(|| Json::of(&"auto")));
        object.put("tools", &given(&self.tools).unwrap_or_else(|| Json::of(&[(); 0])));
        object.put("top_logprobs", &given(&self.top_logprobs).unwrap_or_else(|| Json::of(&0)));
        object.put("top_p", &given(&self.top_p).unwrap_or_else(|| Json::of(&1.0)));
        object.put("truncation", &given(&self.truncation).unwrap_or_else(|| Json::of(&"disabled")));
        object.put("user", &self.user);
    }
}

#[cfg(test)]
mod tests {
    use super::super::StreamWriter;
    use super::Asked;
    use crate::chat::{Event, StreamOut};
    use serde_json::{Value, json};

    #[test]
    fn what_a_request_says_on_several_lines_does_not_cut_an_event() {
        let request = json!({ "metadata": { "k": "a\nb" }, "tools": [{ "type": "custom", "name": "n" }] });
        let body = serde_json::to_string_pretty(&request).unwrap().replace('\n', "\r\n");
        let mut writer = StreamWriter::new(Asked { id: "0123", body: body.as_bytes() }, 7);
        let mut out = Vec::new();
        writer.emit(&Event::Start { id: String::new(), model: "m".into(), created: None }, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains('\r'));
        let events: Vec<&str> = text.split_terminator("\n\n").collect();
        assert_eq!(events.len(), 2);
        for event in events {
            let (_, data) = event.split_once("\ndata: ").unwrap();
            let data: Value = serde_json::from_str(data).unwrap();
            assert_eq!(data["response"]["metadata"], request["metadata"]);
            assert_eq!(data["response"]["tools"], request["tools"]);
        }
    }
}
