use super::*;
use proptest::prelude::*;

const LONG: Duration = Duration::from_secs(3_600);

fn exactly(family: Family, text: &str) -> u64 {
    let counted = count(family, text, LONG);
    assert!(counted.exact);
    counted.tokens
}

#[test]
fn models_get_the_vocabulary_that_openai_names() {
    for (model, expected) in [
        ("gpt-4o", (Family::O200k, true)),
        ("gpt-4o-mini-2024-07-18", (Family::O200k, true)),
        ("openai/gpt-4.1-nano", (Family::O200k, true)),
        ("gpt-4.5-preview", (Family::O200k, true)),
        ("openrouter/openai/gpt-5.1:free", (Family::O200k, true)),
        ("o1", (Family::O200k, true)),
        ("o3-pro", (Family::O200k, true)),
        ("o4-mini", (Family::O200k, true)),
        ("chatgpt-4o-latest", (Family::O200k, true)),
        ("gpt-oss-120b", (Family::O200k, true)),
        ("gpt-4", (Family::Cl100k, true)),
        ("gpt-4-turbo", (Family::Cl100k, true)),
        ("ft:gpt-3.5-turbo:acme::1", (Family::Cl100k, true)),
        ("text-embedding-3-large", (Family::Cl100k, true)),
        ("text-embedding-ada-002", (Family::Cl100k, true)),
        ("claude-opus-4-7", (Family::O200k, false)),
        ("o100", (Family::O200k, false)),
        ("", (Family::O200k, false)),
    ] {
        assert_eq!(family(model), expected, "{model}");
    }
}

#[test]
fn known_texts_have_known_counts() {
    for (text, o200k, cl100k) in [
        ("", 0, 0),
        ("hello world", 2, 2),
        ("tiktoken is great!", 6, 6),
        ("antidisestablishmentarianism", 6, 6),
        ("2 + 2 = 4", 7, 7),
        ("お誕生日おめでとう", 8, 9),
    ] {
        assert_eq!((exactly(Family::O200k, text), exactly(Family::Cl100k, text)), (o200k, cl100k), "{text}");
    }
}

#[test]
fn a_special_token_written_out_is_ordinary_text() {
    assert!(exactly(Family::O200k, "<|endoftext|>") > 1);
}

#[test]
fn chats_cost_three_tokens_a_message_and_three_for_the_reply() {
    assert_eq!(chat_overhead(0), 3);
    assert_eq!(chat_overhead(2), 9);
}

#[test]
fn without_time_the_first_slice_stands_for_the_rest() {
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(1_000);
    let whole = exactly(Family::O200k, &text);
    let guess = count(Family::O200k, &text, Duration::ZERO);
    assert!(!guess.exact);
    assert!(guess.tokens.abs_diff(whole) * 20 < whole, "{} for {whole}", guess.tokens);
}

#[test]
fn a_guess_is_never_more_than_the_bytes() {
    assert_eq!(extrapolate(512, 512, 10_000), 10_000);
    assert_eq!(extrapolate(600, 512, 10_000), 10_000);
    assert_eq!(extrapolate(1, 3, 10), 4);
    assert_eq!(extrapolate(0, 0, 0), 0);
}

/// Words, code, several scripts, and runs that give no place to cut.
fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[a-zA-Z]{1,12}[ ,.;:!?\n]{1,3}",
        1 => Just("it's we'll they'VE don't ".to_owned()),
        1 => Just("fn main() {\n    let x = vec![1, 2, 3];\r\n\t}\n\n".to_owned()),
        1 => "[一-鿿]{1,20}[、。，]?",
        1 => "[ぁ-ゖァ-ヺ]{1,20}[、。「」]?",
        1 => "[а-яё]{1,12}[ ,.]",
        1 => "[0-9]{1,7}[ .,\n]",
        1 => "\\PC{0,8}",
    ];
    proptest::collection::vec(part, 0..400).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn counts_agree_with_openais_own_algorithm(text in texts()) {
        for (family, oracle) in [
            (Family::O200k, tiktoken_rs::o200k_base_singleton()),
            (Family::Cl100k, tiktoken_rs::cl100k_base_singleton()),
        ] {
            prop_assert_eq!(exactly(family, &text), oracle.encode_ordinary(&text).len() as u64);
        }
    }

    #[test]
    fn slices_add_up_to_the_whole(text in texts(), size in 512_usize..2_000) {
        for family in [Family::O200k, Family::Cl100k] {
            let vocabulary = vocabulary(family).unwrap();
            let (mut rest, mut sum) = (&*text, 0);
            while !rest.is_empty() {
                let (slice, after) = rest.split_at(slices::cut(rest, size));
                sum += vocabulary.count(slice);
                rest = after;
            }
            prop_assert_eq!(sum, vocabulary.count(&text));
        }
    }

    #[test]
    fn no_count_is_more_than_the_bytes(text in "\\PC{0,3000}", micros in 0_u64..200) {
        let counted = count(Family::Cl100k, &text, Duration::from_micros(micros));
        prop_assert!(counted.tokens <= text.len() as u64);
    }
}
