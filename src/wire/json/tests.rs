use super::*;
use proptest::prelude::*;

/// JSON texts with odd white space, escapes and keys.
pub(in crate::wire) fn any_json() -> impl Strategy<Value = String> {
    let space = "[ \t\r\n]{0,2}";
    let string =
        r#""([a-z \u{e9}\u{4e2d}\u{1f600}]|\\[n"\\/u]|\\u00e9|\\ud83d){0,6}""#.prop_map(|s: String| {
            s.replace("\\u\"", "\"").replace("\\u", "\\u00e9").replace("\\u00e900e9", "\\u00e9")
        });
    let string = string.prop_filter("escapes", |s| Reader::new(s.as_bytes()).skip().is_ok());
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,3})?([eE][+-]?[0-9])?",
        string.clone().prop_filter("filled", |s| !s.is_empty()),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        let member = (string.clone(), space, inner.clone(), space)
            .prop_map(|(key, before, value, after)| format!("{before}{key}{after}:{before}{value}{after}"));
        prop_oneof![
            (prop::collection::vec(inner, 0..5), space)
                .prop_map(|(all, s)| format!("[{s}{}{s}]", all.join(&format!("{s},{s}")))),
            (prop::collection::vec(member, 0..5), space)
                .prop_map(|(all, s)| format!("{{{s}{}}}", all.join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn takes_what_a_full_parser_takes(text in any_json()) {
        let mut reader = Reader::new(text.as_bytes());
        prop_assert_eq!(reader.skip(), Ok(0..text.len()));
        prop_assert_eq!(reader.finish(), Ok(()));
        prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok());
    }

    #[test]
    fn judges_damaged_texts_as_a_full_parser_does(
        text in any_json(), place in any::<prop::sample::Index>(), byte in 0u8..0x80
    ) {
        let mut bytes = text.into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let mut reader = Reader::new(&bytes);
        let ours = reader.skip().and_then(|_| reader.finish()).is_ok();
        // The other parser does not range-check skipped numbers, nor do we.
        let theirs = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok();
        prop_assert_eq!(ours, theirs, "{}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn strings_mean_what_a_full_parser_says(text in any::<String>()) {
        let quoted = quote(&text);
        prop_assert_eq!(&serde_json::from_slice::<String>(&quoted).unwrap(), &text);
        let escaped = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(Reader::new(escaped.as_bytes()).string().unwrap().text(), text);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut reader = Reader::new(&bytes);
        let _ = reader.skip();
        let _ = reader.finish();
        let _ = Str { raw: &bytes, escaped: true }.text();
    }
}

#[test]
fn half_surrogates_become_a_replacement() {
    let read = |text: &str| Reader::new(text.as_bytes()).string().unwrap().text().into_owned();
    assert_eq!(read(r#""a\ud83d""#), "a\u{fffd}");
    assert_eq!(read(r#""\ude00b""#), "\u{fffd}b");
    assert_eq!(read(r#""\ud83d\ude00""#), "😀");
    assert_eq!(read(r#""\ud83d\u0041""#), "\u{fffd}A");
}

#[test]
fn nesting_is_bounded_exactly() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let at_the_limit = nested(MAX_DEPTH as usize);
    assert!(Reader::new(at_the_limit.as_bytes()).skip().is_ok());
    let past_it = nested(MAX_DEPTH as usize + 1);
    assert_eq!(Reader::new(past_it.as_bytes()).skip().unwrap_err().why, "it nests too deep");
}

#[test]
fn errors_say_line_and_column() {
    let body = b"{\n  \"a\": 1,\n  \"b\": tru\n}";
    let error = Reader::new(body).skip().unwrap_err();
    assert_eq!(error.line_column(body), (3, 8));
}

#[test]
fn numbers_of_answers_are_read_generously() {
    let count = |text: &str| Reader::new(text.as_bytes()).count_or_skip().unwrap();
    assert_eq!(count("12"), Some(12));
    assert_eq!(count("12.0"), Some(12));
    assert_eq!(count("-1"), None);
    assert_eq!(count("1e99"), Some(u64::MAX));
    assert_eq!(count("null"), None);
    assert_eq!(count("\"12\""), None);
}

#[test]
fn edits_apply_in_order_and_keep_the_rest() {
    let mut patch = Patch::new();
    patch.replace(4..4, "Y");
    patch.replace(0..2, "");
    patch.replace(4..4, "Z");
    patch.replace(5..6, "long");
    assert_eq!(patch.apply(b"abcdef"), b"cdYZelong");
    assert_eq!(Patch::new().apply(b"abc"), b"abc");
}
