//! The chat bodies that are sent: realistic text of an exact length, the same in
//! every run. Only the seed differs from request to request, so that no cache
//! can answer.

/// Ends every prompt; the mock vendor refuses a body without it.
pub const LAST_WORDS: &str = "These are the last words of the prompt.";

const SEED_DIGITS: usize = 8;

/// The smallest number of eight digits.
const FIRST_SEED: u64 = 10_000_000;

const SYSTEM: &str = "You are a careful assistant. Answer briefly and say what you do not know.\n";

/// Paragraphs as people send them: prose, code, JSON in quotes, other scripts.
const PARAGRAPHS: [&str; 6] = [
    "Please read the incident report below and tell me what went wrong first. The alerts came in at 02:14, \
     eleven minutes after the deployment, and the on-call engineer rolled back at 02:31.\n",
    "fn settle(entry: &mut Entry, usage: &Usage) -> Result<Charge, Unpriced> {\n    let row = prices.at(entry.time, \
     \"chat\")?;\n    Ok(row.charge(usage))\n}\n\nWhy does the compiler say that `entry` does not live long enough?\n",
    "Our customers in Köln and São Paulo ask for invoices in their own language; 请用中文回答这个问题。 Keep the \
     amounts as they are (1.234,56 €) and do not round.\n",
    "{\"order\": 48213, \"lines\": [{\"sku\": \"A-17\", \"count\": 3}, {\"sku\": \"C-02\", \"count\": 1}], \"note\": \
     \"leave at the door\"}\n",
    "The second half of the year looked better than the first. Churn fell from 4.1 % to 3.2 %, mostly because \
     the larger accounts stayed, while sign-ups grew more slowly than the marketing plan had promised.\n",
    "1. Check that the address is valid.\n2. Compare the totals with the ledger.\n3. If they differ, list every \
     entry since midnight (UTC) and say which one is missing.\n",
];

/// How the answer shall come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Delivery {
    /// In one piece.
    Whole,
    /// As events, with the usage at the end.
    Stream,
}

/// Whose form a body has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dialect {
    /// `/v1/chat/completions`
    OpenAi,
    /// `/v1/messages`
    Anthropic,
}

/// A body in two parts: a short one that holds the seed, and a shared one.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// The opening brace, the model and the seed.
    pub front: Vec<u8>,
    /// Where the digits of the seed start in `front`.
    pub seed_at: usize,
    /// The rest of the body.
    pub tail: Vec<u8>,
}

impl Prompt {
    /// A chat body of exactly `bytes` bytes, or the shortest possible one if that is longer.
    pub fn new(dialect: Dialect, model: &str, bytes: usize, delivery: Delivery) -> Self {
        let (before, after) = match dialect {
            Dialect::OpenAi => ("\"seed\":", ","),
            Dialect::Anthropic => ("\"metadata\":{\"user_id\":\"load-", "\"},"),
        };
        let front = format!("{{\"model\":\"{model}\",{before}");
        let seed_at = front.len();
        let front = format!("{front}{FIRST_SEED}{after}");
        let tail = tail(dialect, bytes.saturating_sub(front.len()), delivery);
        Self { front: front.into_bytes(), seed_at, tail: tail.into_bytes() }
    }

    /// Length of the whole body in bytes.
    pub fn len(&self) -> usize {
        self.front.len() + self.tail.len()
    }
}

/// Everything behind the seed: options, system prompt, turns up to the wanted length, the last words.
fn tail(dialect: Dialect, bytes: usize, delivery: Delivery) -> String {
    let stream = if delivery == Delivery::Stream { "\"stream\":true," } else { "" };
    let mut tail = format!("{stream}\"temperature\":0.7,\"max_tokens\":1024,");
    let first = match dialect {
        Dialect::OpenAi if delivery == Delivery::Stream => {
            tail.push_str("\"stream_options\":{\"include_usage\":true},");
            message("system", SYSTEM)
        }
        Dialect::OpenAi => message("system", SYSTEM),
        Dialect::Anthropic => {
            tail.push_str(&format!("\"system\":{},", serde_json::Value::from(SYSTEM)));
            message("user", "Hello.")
        }
    };
    tail.push_str(&format!("\"messages\":[{first}"));
    let end = format!(",{}]}}", message("user", LAST_WORDS));
    let wanted = bytes.saturating_sub(end.len());
    for turn in 0.. {
        let next = format!(",{}", message(if turn % 2 == 0 { "user" } else { "assistant" }, &text(turn)));
        if tail.len() + next.len() + 64 > wanted {
            break;
        }
        tail.push_str(&next);
    }
    fill(&mut tail, wanted);
    tail + &end
}

/// Adds one message so that the text has exactly the wanted length.
fn fill(tail: &mut String, wanted: usize) {
    let empty = format!(",{}", message("assistant", "")).len();
    if let Some(missing) = wanted.checked_sub(tail.len() + empty) {
        let words = "and so on ".repeat(missing / 10 + 1);
        tail.push_str(&format!(",{}", message("assistant", words.get(..missing).unwrap_or_default())));
    }
}

/// Writes a seed over the one that starts at `seed_at`; it has no leading zero.
pub fn write_seed(front: &mut [u8], seed_at: usize, seed: u64) {
    write_digits(front.get_mut(seed_at..seed_at + SEED_DIGITS), FIRST_SEED + seed % (9 * FIRST_SEED));
}

/// Writes a number over all bytes of a place, with zeros in front. Digits that have no room are lost.
pub fn write_digits(place: Option<&mut [u8]>, mut value: u64) {
    for digit in place.into_iter().flatten().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

fn message(role: &str, text: &str) -> String {
    format!("{{\"role\":\"{role}\",\"content\":{}}}", serde_json::Value::from(text))
}

/// One to eight paragraphs, chosen by the number of the turn.
fn text(turn: usize) -> String {
    let count = 1 + (turn * 5) % 8;
    (0..count).filter_map(|number| PARAGRAPHS.get((turn * 7 + number) % PARAGRAPHS.len())).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(prompt: &Prompt) -> serde_json::Value {
        serde_json::from_slice(&[prompt.front.as_slice(), &prompt.tail].concat()).unwrap()
    }

    #[test]
    fn bodies_are_valid_json_of_the_exact_length() {
        for bytes in [1_200, 10_000, 200_000, 1_000_000] {
            for (dialect, delivery) in [
                (Dialect::OpenAi, Delivery::Whole),
                (Dialect::OpenAi, Delivery::Stream),
                (Dialect::Anthropic, Delivery::Stream),
            ] {
                let prompt = Prompt::new(dialect, "fast", bytes, delivery);
                assert_eq!(prompt.len(), bytes);
                let body = json(&prompt);
                assert_eq!(body["model"], "fast");
                assert_eq!(body["stream"] == true, delivery == Delivery::Stream);
                assert_eq!(body["messages"].as_array().unwrap().last().unwrap()["content"], LAST_WORDS);
            }
        }
    }

    #[test]
    fn seed_changes_the_body_and_not_its_length() {
        let mut prompt = Prompt::new(Dialect::OpenAi, "paced-50ms-40", 1_200, Delivery::Stream);
        let length = prompt.len();
        for (seed, wanted) in
            [(0, 10_000_000), (7, 10_000_007), (89_999_999, 99_999_999), (90_000_000, 10_000_000)]
        {
            write_seed(&mut prompt.front, prompt.seed_at, seed);
            assert_eq!(json(&prompt)["seed"], wanted);
        }
        assert_eq!(prompt.len(), length);
        assert_eq!(json(&prompt)["model"], "paced-50ms-40");
    }
}
