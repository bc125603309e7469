//! Conversations, answers and streams at random, of what every dialect can say.

use crate::targets::dialects::Keeps;
use aigne_hub::chat::{
    Choice, Event, Finish, Image, Json, Message, Part, Request, Response, Role, Source, Text, Thinking, Tool,
    ToolCall, ToolChoice, ToolResult,
};
use aigne_hub::types::Usage;
use proptest::prelude::*;

/// Any text with something in it: quotes, line ends, letters of more than one byte. Not
/// only blanks, which some vendors refuse, nor blanks at its ends, which one of them cuts.
pub fn text() -> impl Strategy<Value = String> {
    "[a-z\"é][a-z \"\\\\\n/é\u{1f600}\u{2028}\u{7f}]{0,11}[a-z.]"
}

/// Names that every vendor's alphabet has.
fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_]{0,7}"
}

fn arguments() -> impl Strategy<Value = String> {
    let member = (name(), text());
    prop::collection::btree_map(name(), text(), 0..3)
        .prop_map(|members| serde_json::to_string(&members).unwrap())
        .boxed()
        .prop_union(
            member.prop_map(|(key, value)| serde_json::json!({ key: [value, 1, null] }).to_string()).boxed(),
        )
}

fn calls(count: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<ToolCall>> {
    prop::collection::vec((name(), arguments()), count).prop_map(|calls| {
        let numbered = calls.into_iter().enumerate();
        let call = |(number, (name, arguments))| {
            let id = format!("call_{number}");
            ToolCall { id, name, arguments, signature: None, cache: None }
        };
        numbered.map(call).collect()
    })
}

fn usage() -> impl Strategy<Value = Usage> {
    let numbers = (1..1_000_u64, 0..100_u64, 1..1_000_u64, 0..100_u64);
    numbers.prop_map(|(input, cache_read, output, reasoning)| Usage {
        input,
        cache_read,
        output,
        reasoning,
        ..Usage::default()
    })
}

fn user() -> impl Strategy<Value = Message> {
    let image = "[a-zA-Z0-9]{4}".prop_map(|data| {
        let source = Source::Base64 { mime: "image/png".into(), data };
        Part::Image(Image { source, detail: None, cache: None })
    });
    let part = prop_oneof![3 => text().prop_map(Part::text), 1 => image];
    let parts = prop::collection::vec(part, 1..4);
    parts.prop_map(|parts| Message { role: Role::User, name: None, parts })
}

/// An answer that calls tools, and what they gave back.
fn called() -> impl Strategy<Value = Vec<Message>> {
    (text(), calls(1..3), text()).prop_map(|(said, calls, given)| {
        let results = calls.iter().map(|call| {
            let call_id = call.id.clone();
            let parts = vec![Part::text(given.clone())];
            Part::ToolResult(ToolResult {
                call_id,
                name: Some(call.name.clone()),
                parts,
                ..ToolResult::default()
            })
        });
        let results = results.collect();
        let mut parts = vec![Part::text(said)];
        parts.extend(calls.into_iter().map(Part::ToolCall));
        vec![
            Message { role: Role::Assistant, name: None, parts },
            Message { role: Role::Tool, name: None, parts: results },
        ]
    })
}

/// A request that every dialect can say whole.
pub fn request() -> impl Strategy<Value = Request> {
    let tools = prop::collection::btree_map(name(), prop::option::of("[a-z ]{1,9}"), 0..3);
    let conversation = prop::collection::vec((called(), user()), 0..3);
    let system = prop::option::of(text());
    (user(), conversation, tools, system, 0..100_u8, prop::collection::vec("[A-Z]{1,4}", 0..3)).prop_map(
        |(first, rest, tools, system, hundredths, stop)| {
            let mut request = Request { model: "m".into(), messages: vec![first], ..Request::default() };
            for (called, user) in rest {
                request.messages.extend(called);
                request.messages.push(user);
            }
            request.system = system.into_iter().map(|text| Text { text, ..Text::default() }).collect();
            request.sampling.temperature = Some(f64::from(hundredths) / 100.0);
            request.sampling.max_output_tokens = Some(100);
            request.sampling.stop = stop;
            // A vendor wants every tool declared that was called.
            let mut tools = tools;
            let parts = request.messages.iter().flat_map(|message| &message.parts);
            parts.for_each(|part| {
                if let Part::ToolCall(call) = part {
                    tools.entry(call.name.clone()).or_default();
                }
            });
            request.tools = tools.into_iter().map(|(name, description)| tool(name, description)).collect();
            request.tool_choice = (!request.tools.is_empty()).then_some(ToolChoice::Required);
            request
        },
    )
}

fn tool(name: String, description: Option<String>) -> Tool {
    let schema = Json::parse(r#"{"type":"object","properties":{"a":{"type":"string"}}}"#);
    Tool { name, description, schema, ..Tool::default() }
}

/// A whole answer: thoughts, a text, calls.
pub fn response() -> impl Strategy<Value = Response> {
    (prop::option::of(text()), text(), calls(0..3), usage()).prop_map(|(thoughts, text, calls, usage)| {
        let mut parts: Vec<Part> = Vec::new();
        parts.extend(thoughts.map(|text| Part::Thinking(Thinking { text, signature: None })));
        parts.push(Part::text(text));
        let finish = if calls.is_empty() { Finish::Stop } else { Finish::ToolCalls };
        parts.extend(calls.into_iter().map(Part::ToolCall));
        let choice = Choice { parts, finish: Some(finish), logprobs: None };
        Response {
            id: "resp_1".into(),
            model: "m".into(),
            created: Some(1_700_000_000),
            choices: vec![choice],
            usage: Some(usage),
            service_tier: None,
        }
    })
}

/// A whole stream: thoughts, texts and calls in pieces, usage, and an end.
pub fn stream() -> impl Strategy<Value = Vec<Event>> {
    let pieces = || prop::collection::vec(text(), 0..4);
    let calls = prop::collection::vec((name(), arguments(), 1..6_usize), 0..3);
    (pieces(), pieces(), calls, usage()).prop_map(|(thoughts, texts, calls, usage)| {
        let start = Event::Start { id: "resp_1".into(), model: "m".into(), created: Some(1_700_000_000) };
        let mut events = vec![start, Event::Usage(Usage { output: 1, reasoning: 0, ..usage })];
        events.extend(thoughts.into_iter().map(Event::ThinkingDelta));
        events.extend(texts.into_iter().map(Event::TextDelta));
        let finish = if calls.is_empty() { Finish::Stop } else { Finish::ToolCalls };
        for (index, (name, arguments, pieces)) in calls.into_iter().enumerate() {
            let id = format!("call_{index}");
            events.push(Event::ToolCallStart { index, id, name, signature: None });
            let characters: Vec<char> = arguments.chars().collect();
            let fragments = characters.chunks(characters.len().div_ceil(pieces));
            events.extend(
                fragments.map(|piece| Event::ToolCallDelta { index, fragment: piece.iter().collect() }),
            );
            events.push(Event::ToolCallEnd { index });
        }
        events.extend([Event::Usage(usage), Event::Finish(finish), Event::End]);
        events
    })
}

/// What a stream says, however it was cut into events.
#[derive(Debug, Default, PartialEq)]
pub struct Meaning {
    pub thoughts: String,
    pub text: String,
    pub calls: Vec<(String, String, serde_json::Value)>,
    pub usage: Option<Usage>,
    pub finish: Option<Finish>,
    pub ended: bool,
}

/// What of a usage is kept where buckets are not told apart.
pub fn told(usage: Usage, keeps: Keeps) -> Usage {
    if keeps.buckets {
        return usage;
    }
    Usage { input: usage.input_tokens(), output: usage.output_tokens(), ..Usage::default() }
}

impl Meaning {
    /// What of it a dialect has words for.
    pub fn kept(self, keeps: Keeps) -> Self {
        Self { usage: self.usage.map(|usage| told(usage, keeps)), ..self }
    }

    pub fn of(events: &[Event]) -> Self {
        let mut meaning = Self::default();
        let mut arguments: Vec<String> = Vec::new();
        for event in events {
            match event {
                Event::ThinkingDelta(text) => meaning.thoughts.push_str(text),
                Event::TextDelta(text) => meaning.text.push_str(text),
                Event::ToolCallStart { id, name, .. } => {
                    meaning.calls.push((id.clone(), name.clone(), serde_json::Value::Null));
                    arguments.push(String::new());
                }
                Event::ToolCallDelta { index, fragment } => arguments[*index].push_str(fragment),
                Event::Usage(usage) => meaning.usage = Some(*usage),
                Event::Finish(finish) => meaning.finish = Some(finish.clone()),
                Event::End => meaning.ended = true,
                _ => {}
            }
        }
        for (call, text) in meaning.calls.iter_mut().zip(arguments) {
            call.2 =
                if text.is_empty() { serde_json::json!({}) } else { serde_json::from_str(&text).unwrap() };
        }
        meaning
    }
}
