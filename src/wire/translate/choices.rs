//! Several answers to one chat, where the vendor gives one at a time: as many
//! calls, whose answers become the choices of one.

use super::super::openai::{self, Counting};
use super::response_in;
use crate::chat::{Dialect, Part, Request, Response};
use crate::types::Op;

/// The most calls that one request is worth; a wish for more is left to the dialect, which refuses it.
const MAX_CALLS: u32 = 16;
/// The most answers that Gemini gives at once (`candidateCount`).
const MAX_CANDIDATES: u32 = 8;

/// How many calls a request for several answers takes of a vendor that speaks `to`: one, if it
/// asks for one, or if there are words for several on both sides, or on neither.
pub fn calls(speaks: Dialect, to: Dialect, request: &Request) -> u32 {
    let wish = request.sampling.choices.unwrap_or(1);
    let can_be_told = match speaks {
        Dialect::OpenAiChat => true,
        Dialect::Gemini => !request.stream,
        _ => false,
    };
    let asked_at_once = match to {
        Dialect::OpenAiChat => !request.stream,
        Dialect::Gemini => !request.stream && wish <= MAX_CANDIDATES,
        _ => false,
    };
    if can_be_told && !asked_at_once && (2..=MAX_CALLS).contains(&wish) { wish } else { 1 }
}

/// The request of each of so many calls. With one seed for all they would answer the same, so each
/// has the next one.
pub fn call(request: &Request, number: u32) -> Request {
    let mut one = request.clone();
    one.sampling.choices = None;
    one.sampling.seed = one.sampling.seed.map(|seed| seed.wrapping_add(i64::from(number)));
    one
}

/// One answer whose choices are those of all; `None` for none. What one of them used is known only if
/// it is of all of them.
pub fn merged(answers: Vec<Response>) -> Option<Response> {
    answers.into_iter().reduce(|mut all, one| {
        all.usage = all.usage.zip(one.usage).map(|(sum, more)| sum.plus(&more));
        all.choices.extend(one.choices);
        all
    })
}

/// The text of a vendor's whole answer, to be counted where the vendor counts nothing itself.
pub fn answer_text(from: Dialect, op: Op, body: &[u8]) -> String {
    match (from, op) {
        (Dialect::Anthropic | Dialect::Gemini | Dialect::Bedrock | Dialect::Ollama, Op::Chat) => {
            response_in(from, body, Counting::Inclusive).map(|answer| said(&answer)).unwrap_or_default()
        }
        _ => openai::answer_text(op, body),
    }
}

/// Everything that an answer says, in all its choices.
pub fn said(answer: &Response) -> String {
    let mut text = String::new();
    for part in answer.choices.iter().flat_map(|choice| &choice.parts) {
        match part {
            Part::Text(said) => text.push_str(&said.text),
            Part::Refusal(said) => text.push_str(said),
            Part::Thinking(thinking) => text.push_str(&thinking.text),
            Part::ToolCall(call) => text.extend([call.name.as_str(), call.arguments.as_str()]),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Choice, Sampling};
    use crate::types::Usage;

    fn asking(choices: u32, stream: bool) -> Request {
        let sampling = Sampling { choices: Some(choices), seed: Some(7), ..Sampling::default() };
        Request { sampling, stream, ..Request::default() }
    }

    #[test]
    fn a_call_each_where_one_side_has_no_words_for_several() {
        use Dialect::{Aigne, Anthropic, Bedrock, Gemini, OpenAiChat};
        for (speaks, to, choices, stream, expected) in [
            (OpenAiChat, Anthropic, 3, false, 3),
            (OpenAiChat, Bedrock, 3, true, 3),
            (OpenAiChat, Gemini, 8, false, 1),
            (OpenAiChat, Gemini, 9, false, 9),
            (OpenAiChat, Gemini, 2, true, 2),
            (Gemini, OpenAiChat, 2, false, 1),
            (Gemini, Anthropic, 2, false, 2),
            (Gemini, Anthropic, 2, true, 1),
            (Aigne, Anthropic, 2, false, 1),
            (OpenAiChat, Anthropic, 1, false, 1),
            (OpenAiChat, Anthropic, 17, false, 1),
        ] {
            let found = calls(speaks, to, &asking(choices, stream));
            assert_eq!(found, expected, "{speaks:?} to {to:?}, {choices}, {stream}");
        }
    }

    #[test]
    fn each_call_asks_for_one_answer_by_a_seed_of_its_own() {
        let request = asking(2, false);
        let seeds = [0, 1].map(|number| call(&request, number).sampling);
        assert_eq!(seeds.each_ref().map(|sampling| sampling.choices), [None, None]);
        assert_eq!(seeds.map(|sampling| sampling.seed), [Some(7), Some(8)]);
    }

    #[test]
    fn answers_become_choices_and_a_usage_is_the_sum_of_all_or_unknown() {
        let answer = |text: &str, output: Option<u64>| Response {
            choices: vec![Choice { parts: vec![Part::text(text)], ..Choice::default() }],
            usage: output.map(|output| Usage { input: 2, output, ..Usage::default() }),
            ..Response::default()
        };
        let both = merged(vec![answer("a", Some(3)), answer("b", Some(4))]).unwrap();
        assert_eq!(said(&both), "ab");
        assert_eq!(both.usage, Some(Usage { input: 4, output: 7, ..Usage::default() }));
        assert_eq!(merged(vec![answer("a", Some(3)), answer("b", None)]).unwrap().usage, None);
        assert_eq!(merged(Vec::new()), None);
    }

    #[test]
    fn what_is_counted_of_an_answer_is_all_that_it_says_in_any_dialect() {
        let anthropic = br#"{"content":[{"type":"thinking","thinking":"T","signature":"s"},{"type":"text","text":"a"},{"type":"tool_use","id":"1","name":"f","input":{"b":1}}]}"#;
        let said = answer_text(Dialect::Anthropic, Op::Chat, anthropic);
        assert!(said.starts_with("Taf{") && said.contains("\"b\""), "{said}");
        let gemini = br#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"},{"content":{"parts":[{"text":"b"}]},"index":1}]}"#;
        assert_eq!(answer_text(Dialect::Gemini, Op::Chat, gemini), "ab");
        let openai = br#"{"choices":[{"message":{"content":"a"}}]}"#;
        assert_eq!(answer_text(Dialect::OpenAiChat, Op::Chat, openai), "a");
        assert_eq!(answer_text(Dialect::Anthropic, Op::Chat, b"{"), "");
    }
}
