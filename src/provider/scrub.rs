//! Takes secrets out of texts that vendors wrote, before anybody reads them.
//! Vendors like to quote the key they refuse.

const HIDDEN: &str = "[hidden]";

/// How secrets of known vendors, and of the hub, begin.
const PREFIXES: &[&str] = &[
    "sk-", "sk_", "xai-", "AIza", "ya29.", "gsk_", "pk-", "key-", "ABSK", "AKIA", "ASIA", "eyJ", "hf_",
    "r8_", "aigne_",
];

/// A prefix alone is no secret: `sk-…` in an explanation may stay.
const SHORTEST_SECRET: usize = 8;

/// Random-looking words of this length are hidden whatever they begin with.
const LONGEST_PLAIN_WORD: usize = 32;

/// The text without what looks like a secret, in one line of at most
/// `max_chars` characters.
pub fn scrub(text: &str, max_chars: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max_chars.saturating_mul(4)));
    let mut after_bearer = false;
    // Cut before looking at words, so that the work is bounded; a word cut in
    // two is still judged by its beginning.
    let bounded = text.char_indices().nth(max_chars).map_or(text, |(end, _)| text.get(..end).unwrap_or(""));
    let mut in_name = false;
    for piece in bounded.split_inclusive(|c: char| !in_word(c)) {
        let word = piece.trim_end_matches(|c: char| !in_word(c));
        if in_name || (word == "arn" && piece.ends_with(':')) {
            // A name of AWS's tells whose account it is and who uses it.
            out.push_str(if in_name { "" } else { HIDDEN });
            in_name = !piece.ends_with(char::is_whitespace);
            out.push_str(if in_name { "" } else { " " });
            continue;
        }
        let hide = is_secret(word) || (after_bearer && !word.is_empty());
        out.push_str(if hide { HIDDEN } else { word });
        out.extend(piece.chars().skip(word.chars().count()).map(|c| if c.is_control() { ' ' } else { c }));
        after_bearer = word.eq_ignore_ascii_case("bearer") || (after_bearer && word.is_empty());
    }
    if bounded.len() < text.len() {
        out.push('…');
    }
    out.trim().to_owned()
}

/// `*` belongs to words because vendors mask the middle of a key with it.
fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*' | '+' | '/')
}

fn is_secret(word: &str) -> bool {
    let known = word.len() >= SHORTEST_SECRET && PREFIXES.iter().any(|p| word.starts_with(p));
    known || (word.len() >= LONGEST_PLAIN_WORD && looks_random(word))
}

/// Upper case, lower case and digits mixed, without the slashes and dots of a
/// path or a model name.
fn looks_random(word: &str) -> bool {
    let has = |test: fn(&u8) -> bool| word.as_bytes().iter().any(test);
    has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
        && !word.contains(['/', '.'])
        && !word.starts_with("req_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_that_vendors_quote_are_hidden() {
        for (text, expected) in [
            ("Incorrect API key provided: sk-proj-abc123XYZ.", "Incorrect API key provided: [hidden]"),
            ("Incorrect API key provided: sk-pr****cdef!", "Incorrect API key provided: [hidden]!"),
            ("User: arn:aws:iam::123456789012:user/hub may not", "User: [hidden] may not"),
            ("on arn:aws:bedrock:us-east-1::foundation-model/x", "on [hidden]"),
            ("got header Bearer abc", "got header Bearer [hidden]"),
            ("bad xai-0123456789abcdef, sorry", "bad [hidden], sorry"),
            ("url ?key=AIzaSyA0123456789 x", "url ?key=[hidden] x"),
            ("token Q2x1YmJlZEZvb3RiYWxsMTIzNDU2Nzg5MA", "token [hidden]"),
        ] {
            assert_eq!(scrub(text, 500), expected);
        }
    }

    #[test]
    fn what_a_caller_can_act_on_stays() {
        for text in [
            "Unknown parameter: 'reasoning'.",
            "The model `gpt-9` does not exist, see /v1/models",
            "Request ID: 0217191234567890abcdef0123456789abcdef0123456789",
            "Keys begin with sk-...",
        ] {
            assert_eq!(scrub(text, 500), text);
        }
    }

    #[test]
    fn a_text_is_one_line_and_cut_with_a_mark() {
        assert_eq!(scrub("a\nb\tc", 500), "a b c");
        assert_eq!(scrub("ééééé", 3), "ééé…");
    }

    proptest! {
        #[test]
        fn a_planted_key_never_survives(before in "[a-z ,:\"'(=]{0,30}", key in "[A-Za-z0-9]{20,40}", after in "[ ,.\")']{0,5}") {
            let text = format!("{before} sk-{key}{after}");
            prop_assert!(!scrub(&text, 1000).contains(&key));
        }
    }
}
