//! A mutator of our own, for runs without a fuzzer: the same seed gives the same inputs.

use serde_json::{Value, json};

/// What parsers stumble over.
const MORSELS: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"0",
    b"-1",
    b"1e999",
    b"\\ud83d",
    b"\\u0000",
    b"\r\n\r\n",
    b"\n\n",
    b"\r",
    b"data: ",
    b"data: [DONE]\n\n",
    b"event: error\n",
    b"{}",
    b"[]",
    b"\"\"",
    b"\xff",
    b"\xef\xbb\xbf",
    b"18446744073709551616",
    b"99999999999999999999999999",
    b"--b\r\n",
    b"~sig_g_",
];
/// The largest input.
const MAX_BYTES: usize = 64 * 1024;

/// A stream of inputs.
pub struct Mutator {
    state: u64,
    corpus: Vec<Vec<u8>>,
}

impl Mutator {
    /// Begins with the corpus as it is.
    pub fn new(seed: u64, corpus: Vec<Vec<u8>>) -> Self {
        Self { state: seed, corpus }
    }

    /// Something below `bound`; 0 where that is 0. Vigna's splitmix64.
    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed % (bound.max(1) as u64)) as usize
    }

    /// The next input: one of the corpus with a few changes.
    pub fn next_input(&mut self) -> Vec<u8> {
        let chosen = self.below(self.corpus.len());
        let mut input = self.corpus.get(chosen).cloned().unwrap_or_default();
        for _ in 0..=self.below(4) {
            self.change(&mut input);
        }
        input.truncate(MAX_BYTES);
        // What was made once may be a place to begin with; the first ones are never forgotten.
        if self.below(16) == 0 && self.corpus.len() < 256 {
            self.corpus.push(input.clone());
        }
        input
    }

    /// A span of some bytes' length.
    fn span(&mut self, bytes: usize) -> std::ops::Range<usize> {
        let start = self.below(bytes + 1);
        let longest = (bytes - start).min(64);
        start..start + self.below(longest + 1)
    }

    /// Changes one value of a JSON text, or of one event of a stream, so that it stays one.
    fn change_value(&mut self, input: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(input).into_owned();
        if let Ok(mut value) = serde_json::from_str(&text) {
            self.change_node(&mut value);
            *input = value.to_string().into_bytes();
            return;
        }
        let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
        let at = self.below(lines.len());
        let near = lines.iter().enumerate().skip(at).find(|(_, line)| line.starts_with("data:"));
        let Some((at, line)) = near.map(|(at, line)| (at, line.clone())) else { return };
        let Ok(mut value) = serde_json::from_str(line.trim_start_matches("data:")) else { return };
        self.change_node(&mut value);
        if let Some(place) = lines.get_mut(at) {
            *place = format!("data: {value}");
        }
        *input = lines.join("\n").into_bytes();
    }

    /// Goes down some way, and there replaces, removes or doubles.
    fn change_node(&mut self, value: &mut Value) {
        let inside = match value {
            Value::Array(items) => items.len(),
            Value::Object(members) => members.len(),
            _ => 0,
        };
        if inside == 0 || self.below(8) == 0 {
            *value = self.value();
            return;
        }
        let at = self.below(inside);
        let doing = self.below(12);
        match value {
            Value::Array(items) if doing == 0 => _ = items.remove(at),
            Value::Array(items) if doing == 1 => items.extend(items.get(at).cloned()),
            Value::Array(items) => items.iter_mut().skip(at).take(1).for_each(|item| self.change_node(item)),
            Value::Object(members) if doing == 0 => {
                let key = members.keys().nth(at).cloned().unwrap_or_default();
                members.remove(&key);
            }
            Value::Object(members) => {
                members.iter_mut().skip(at).take(1).for_each(|(_, item)| self.change_node(item));
            }
            _ => {}
        }
    }

    fn value(&mut self) -> Value {
        let text = ["", "a", "\u{0}\u{7f}\u{2028}\"\\/", "\u{1f600}é", "tool_use", "text", "{}", "null"];
        match self.below(10) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(-1),
            3 => json!(1.5e300),
            4 => json!(u64::MAX),
            5 => json!([]),
            6 => json!({}),
            7 => json!([{ "type": "text", "text": "x" }]),
            _ => json!(text.get(self.below(text.len()))),
        }
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        if self.below(2) == 0 {
            return self.change_value(input);
        }
        let span = self.span(input.len());
        match self.below(7) {
            0 => {
                let at = self.below(input.len());
                let bit = 1 << self.below(8);
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= bit;
                }
            }
            1 => _ = input.drain(span),
            2 => {
                let copied = input.get(span.clone()).unwrap_or_default().to_vec();
                let at = self.below(input.len() + 1);
                input.splice(at..at, copied);
            }
            3 => {
                let morsel = MORSELS.get(self.below(MORSELS.len())).copied().unwrap_or_default();
                input.splice(span.start..span.start, morsel.iter().copied());
            }
            4 => {
                let morsel = MORSELS.get(self.below(MORSELS.len())).copied().unwrap_or_default();
                input.splice(span, morsel.iter().copied());
            }
            5 => {
                let chosen = self.below(self.corpus.len());
                let other = self.corpus.get(chosen).cloned().unwrap_or_default();
                let from = self.span(other.len());
                input.splice(span, other.get(from).unwrap_or_default().iter().copied());
            }
            _ => input.truncate(span.start),
        }
    }
}
