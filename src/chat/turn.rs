//! The conversation as alternating turns, for the dialects that want it so.

use super::{Message, Part, Request, Role, Text, ToolResult};
use std::collections::HashMap;

/// Who a turn is by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The caller's side, results of tools included.
    User,
    /// The model.
    Assistant,
    /// An instruction amid the conversation.
    System,
}

/// What becomes of instructions amid the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MidSystem {
    /// They stay in their place.
    Keep,
    /// They move to the end of the system texts.
    Hoist,
}

/// Everything one side says before the other one speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn<'a> {
    /// Who speaks.
    pub speaker: Speaker,
    /// All parts in order, except that results of tools come before all else.
    /// Texts that are empty are left out.
    pub parts: Vec<&'a Part>,
}

/// Merges consecutive messages of one side. Turns without parts are left out, so
/// the sides always alternate; the first turn may be the assistant's, though.
pub fn turns(messages: &[Message], mid_system: MidSystem) -> Vec<Turn<'_>> {
    let mut turns: Vec<Turn<'_>> = Vec::with_capacity(messages.len());
    for message in messages {
        let speaker = match message.role {
            Role::User | Role::Tool => Speaker::User,
            Role::Assistant => Speaker::Assistant,
            Role::System if mid_system == MidSystem::Hoist => continue,
            Role::System => Speaker::System,
        };
        let mut parts = message.parts.iter().filter(|part| !is_empty(part)).peekable();
        if parts.peek().is_none() {
            continue;
        }
        match turns.last_mut() {
            Some(turn) if turn.speaker == speaker => turn.parts.extend(parts),
            _ => turns.push(Turn { speaker, parts: parts.collect() }),
        }
    }
    for turn in turns.iter_mut().filter(|turn| turn.speaker == Speaker::User) {
        turn.parts.sort_by_key(|part| !matches!(part, Part::ToolResult(_)));
    }
    turns
}

fn is_empty(part: &Part) -> bool {
    match part {
        Part::Text(text) => text.text.is_empty(),
        Part::Refusal(text) => text.is_empty(),
        _ => false,
    }
}

/// The system texts that are not empty, with those amid the conversation if they are to move.
pub fn system_texts(request: &Request, mid_system: MidSystem) -> Vec<&Text> {
    let amid = request.messages.iter().filter(|message| message.role == Role::System).flat_map(|message| {
        message.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text),
            _ => None,
        })
    });
    let amid = amid.filter(|_| mid_system == MidSystem::Hoist);
    request.system.iter().chain(amid).filter(|text| !text.text.is_empty()).collect()
}

/// The names of called tools, for vendors that know results by them and not by ids. Some callers
/// count their calls anew in every turn, so an id means the last call that had it.
#[derive(Debug)]
pub struct ToolNames<'a> {
    so_far: HashMap<&'a str, &'a str>,
    /// For results that stand before their calls.
    anywhere: HashMap<&'a str, &'a str>,
}

impl<'a> ToolNames<'a> {
    /// The names in a conversation, of which nothing has been said yet.
    pub fn new(messages: &'a [Message]) -> Self {
        let calls = messages.iter().flat_map(|message| message.parts.iter().filter_map(called));
        Self { so_far: HashMap::new(), anywhere: calls.collect() }
    }

    /// A part of the conversation is said; to be told of each in order.
    pub fn say(&mut self, part: &'a Part) {
        self.so_far.extend(called(part));
    }

    /// The tool that a result is of: by its own word, or else by the call before it.
    pub fn of<'r>(&self, result: &'r ToolResult) -> Option<&'r str>
    where
        'a: 'r,
    {
        let id = result.call_id.as_str();
        let called = || self.so_far.get(id).or_else(|| self.anywhere.get(id)).copied();
        result.name.as_deref().or_else(called)
    }
}

fn called(part: &Part) -> Option<(&str, &str)> {
    match part {
        Part::ToolCall(call) => Some((&call.id, &call.name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ToolCall;

    fn says(role: Role, text: &str) -> Message {
        Message { role, name: None, parts: vec![Part::text(text)] }
    }

    fn result(call_id: &str) -> Message {
        let result = Part::ToolResult(ToolResult { call_id: call_id.into(), ..ToolResult::default() });
        Message { role: Role::Tool, name: None, parts: vec![result] }
    }

    #[test]
    fn consecutive_messages_of_one_side_are_one_turn_with_results_first() {
        let messages = [
            says(Role::User, "a"),
            says(Role::User, ""),
            says(Role::Assistant, "b"),
            says(Role::User, "c"),
            result("1"),
            result("2"),
        ];
        let turns = turns(&messages, MidSystem::Keep);
        assert_eq!(turns.len(), 3);
        assert_eq!(turns[0].parts.len(), 1);
        assert!(matches!(turns[2].parts[..], [Part::ToolResult(_), Part::ToolResult(_), Part::Text(_)]));
    }

    #[test]
    fn an_instruction_amid_the_conversation_stays_or_moves_to_the_front() {
        let request = Request {
            system: vec![Text { text: "first".into(), ..Text::default() }],
            messages: vec![says(Role::User, "a"), says(Role::System, "x"), says(Role::User, "b")],
            ..Request::default()
        };
        assert_eq!(turns(&request.messages, MidSystem::Keep).len(), 3);
        assert_eq!(turns(&request.messages, MidSystem::Hoist).len(), 1);
        assert_eq!(system_texts(&request, MidSystem::Keep).len(), 1);
        assert_eq!(system_texts(&request, MidSystem::Hoist)[1].text, "x");
    }

    #[test]
    fn a_result_finds_the_name_of_its_tool() {
        let call = |name: &str| {
            Part::ToolCall(ToolCall { id: "1".into(), name: name.into(), ..ToolCall::default() })
        };
        let parts = vec![call("look"), call("listen")];
        let messages = [Message { role: Role::Assistant, name: None, parts }];
        let of = |call_id: &str, name: Option<&str>| {
            let name = name.map(str::to_owned);
            ToolResult { call_id: call_id.into(), name, ..ToolResult::default() }
        };
        let mut names = ToolNames::new(&messages);
        assert_eq!(names.of(&of("1", None)), Some("listen"), "it stands before all calls");
        names.say(&messages[0].parts[0]);
        assert_eq!(names.of(&of("1", None)), Some("look"), "the last call so far");
        assert_eq!(names.of(&of("1", Some("own"))), Some("own"));
        assert_eq!(names.of(&of("2", None)), None);
    }
}
