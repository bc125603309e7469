//! The laws of requests and answers: what every dialect can say survives it, and
//! survives the way through all others.

use super::any;
use crate::targets::dialects::{DIALECTS, Keeps};
use aigne_hub::chat::{Adapted, Json, Message, Part, Request, Response, Role};
use proptest::prelude::*;

/// JSON as a value, for vendors write the same arguments with other spaces.
fn value(text: &str) -> serde_json::Value {
    Json::parse(text).and_then(|json| json.read()).unwrap_or_default()
}

/// A message of one side as what it says: a dialect may split or join what one side says.
fn said(messages: &[Message]) -> Vec<(Role, String)> {
    let mut said: Vec<(Role, String)> = Vec::new();
    for message in messages {
        let role = if message.role == Role::Tool { Role::User } else { message.role };
        for part in &message.parts {
            let what = match part {
                Part::Text(text) => format!("text {}", text.text),
                Part::ToolCall(call) => format!("call {} {} {}", call.id, call.name, value(&call.arguments)),
                Part::ToolResult(result) => {
                    format!("result {} {}", result.call_id, aigne_hub::chat::plain_text(&result.parts))
                }
                Part::Image(image) => format!("image {:?}", image.source),
                Part::Thinking(thinking) => format!("thoughts {}", thinking.text),
                other => format!("{other:?}"),
            };
            said.push((role, what));
        }
    }
    said
}

/// The same where neither the order of a message's parts is kept nor ids of calls, and every result of a
/// tool is a message of its own.
fn said_roughly(messages: &[Message]) -> Vec<(Role, Vec<String>)> {
    let mut said: Vec<(Role, Vec<String>)> = Vec::new();
    for message in messages {
        let texts: Vec<&str> = message.parts.iter().filter_map(text_of).collect();
        let mut whats = vec![texts.join("\n")];
        for part in &message.parts {
            match part {
                Part::ToolCall(call) => whats.push(format!("call {} {}", call.name, value(&call.arguments))),
                Part::ToolResult(result) => {
                    let given = aigne_hub::chat::plain_text(&result.parts);
                    said.push((Role::Tool, vec![format!("result {:?} {given}", result.name)]));
                }
                Part::Image(image) => whats.push(format!("image {:?}", image.source)),
                _ => {}
            }
        }
        if message.role != Role::Tool {
            // Pictures stand beside the text and calls behind it.
            whats[1..].sort();
            said.push((message.role, whats));
        }
    }
    said
}

fn text_of(part: &Part) -> Option<&str> {
    match part {
        Part::Text(text) => Some(&text.text),
        _ => None,
    }
}

/// What a request means where dialects may differ in how they say it.
fn meaning(request: &Request, keeps: Keeps) -> impl PartialEq + std::fmt::Debug + use<> {
    let tools: Vec<(String, Option<String>, serde_json::Value)> = request
        .tools
        .iter()
        .map(|tool| (tool.name.clone(), tool.description.clone(), value(tool.schema_or_empty().as_str())))
        .collect();
    let system: Vec<String> = request.system.iter().map(|text| text.text.clone()).collect();
    let stop = if keeps.stop { request.sampling.stop.clone() } else { Vec::new() };
    (
        system,
        keeps.parts.then(|| (said(&request.messages), request.tool_choice.clone())),
        (!keeps.parts).then(|| said_roughly(&request.messages)),
        tools,
        request.sampling.temperature,
        request.sampling.max_output_tokens,
        stop,
    )
}

fn answered(response: &Response, keeps: Keeps) -> impl PartialEq + std::fmt::Debug + use<> {
    let message = Message { role: Role::Assistant, name: None, parts: response.first().parts.clone() };
    let usage = response.usage.map(|usage| any::told(usage, keeps));
    (said(&[message]), response.first().finish.clone(), usage)
}

proptest! {
    #[test]
    fn a_request_survives_every_dialect(request in any::request()) {
        for row in DIALECTS {
            let (Some(read), Some(write)) = (row.reads_request(), row.writes_request()) else { continue };
            let mut adapted = Adapted::default();
            let body = write(&request, &mut adapted).unwrap();
            let again = read(&body).unwrap();
            prop_assert_eq!(meaning(&again, row.keeps), meaning(&request, row.keeps), "{}", row.name);
        }
    }

    #[test]
    fn a_request_survives_the_way_through_two_dialects(request in any::request()) {
        for first in DIALECTS {
            for second in DIALECTS {
                // What keeps no ids ends a way: nobody calls the hub in such a dialect.
                if !first.keeps.parts && first.name != second.name {
                    continue;
                }
                let mut through = request.clone();
                for row in [first, second] {
                    let (Some(read), Some(write)) = (row.reads_request(), row.writes_request()) else { continue };
                    through = read(&write(&through, &mut Adapted::default()).unwrap()).unwrap();
                }
                let keeps = first.keeps.and(second.keeps);
                prop_assert_eq!(meaning(&through, keeps), meaning(&request, keeps), "{} {}", first.name, second.name);
            }
        }
    }

    #[test]
    fn an_answer_survives_every_dialect(response in any::response()) {
        for row in DIALECTS {
            let (Some(read), Some(write)) = (row.reads_response(), row.writes_response()) else { continue };
            let again = read(&write(&response)).unwrap();
            prop_assert_eq!(answered(&again, row.keeps), answered(&response, row.keeps), "{}", row.name);
        }
    }
}
