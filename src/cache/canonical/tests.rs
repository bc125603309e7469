use super::*;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

impl Sink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

fn canonical(body: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    Outline::read(body.as_bytes())?.write(&[], &mut bytes);
    Some(bytes)
}

/// A value as a generator sees it: numbers are small enough that serde_json
/// tells them apart as we do.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-1000i32..1000).prop_map(|n| Value::from(f64::from(n) + 0.5)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{0,2}", "[\"\\\\/\n\u{7f}é😀\u{0}{}\\[\\]]{0,4}"]
}

fn objects() -> impl Strategy<Value = BTreeMap<String, Value>> {
    prop::collection::btree_map(text(), values(), 0..6)
}

/// Writes a value with spaces, order and escapes chosen by a small generator.
struct Scribe(u64);

impl Scribe {
    fn draw(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn space(&mut self, out: &mut String) {
        for _ in 0..self.draw(3) {
            out.push([' ', '\t', '\n', '\r'][self.draw(4) as usize]);
        }
    }

    fn string(&mut self, text: &str, out: &mut String) {
        out.push('"');
        for character in text.chars() {
            let must = character < ' ' || matches!(character, '"' | '\\');
            match (character, self.draw(3)) {
                ('"' | '\\' | '/', 0) => out.extend(['\\', character]),
                ('\n', 0) => out.push_str("\\n"),
                (_, choice) if must || choice == 0 => {
                    let mut units = [0; 2];
                    for unit in character.encode_utf16(&mut units) {
                        let upper = self.draw(2) == 0;
                        let digits = if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
                        out.push_str(&digits);
                    }
                }
                _ => out.push(character),
            }
        }
        out.push('"');
    }

    fn members(&mut self, members: Vec<(&String, &Value)>, out: &mut String) {
        let mut rest = members;
        out.push('{');
        self.space(out);
        while !rest.is_empty() {
            let (name, value) = rest.swap_remove(self.draw(rest.len() as u64) as usize);
            self.string(name, out);
            self.space(out);
            out.push(':');
            self.value(value, out);
            if !rest.is_empty() {
                out.push(',');
            }
            self.space(out);
        }
        out.push('}');
    }

    fn value(&mut self, value: &Value, out: &mut String) {
        self.space(out);
        match value {
            Value::String(text) => self.string(text, out),
            Value::Object(members) => self.members(members.iter().collect(), out),
            Value::Array(elements) => {
                out.push('[');
                for (index, element) in elements.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    self.value(element, out);
                }
                self.space(out);
                out.push(']');
            }
            Value::Number(number) if number.is_i64() && self.draw(2) == 0 => {
                out.push_str(&format!("{number}{}", [".0", "e0", "0E-1", "e+00"][self.draw(4) as usize]));
            }
            plain => out.push_str(&plain.to_string()),
        }
        self.space(out);
    }
}

fn write(object: &BTreeMap<String, Value>, seed: u64) -> String {
    let mut out = String::new();
    Scribe(seed).members(object.iter().collect(), &mut out);
    out
}

/// Makes one value, found by going down the path, another one.
fn change(spot: &mut Value, path: &[prop::sample::Index]) {
    match (spot, path) {
        (Value::Array(elements), [index, rest @ ..]) if !elements.is_empty() => {
            let at = index.index(elements.len());
            change(&mut elements[at], rest);
        }
        (Value::Object(members), [index, rest @ ..]) if !members.is_empty() => {
            let at = index.index(members.len());
            change(members.iter_mut().nth(at).unwrap().1, rest);
        }
        (spot, _) => *spot = Value::from(vec![spot.clone(), Value::from("more")]),
    }
}

proptest! {
    #[test]
    fn bodies_that_differ_only_in_how_they_are_written_have_one_form(object in objects(), one: u64, two: u64) {
        let (one, two) = (write(&object, one), write(&object, two));
        prop_assert!(canonical(&one).is_some(), "{one}");
        prop_assert_eq!(canonical(&one), canonical(&two), "{} {}", one, two);
    }

    #[test]
    fn bodies_with_different_values_have_different_forms(one in objects(), two in objects(), seed: u64) {
        let same = canonical(&write(&one, seed)) == canonical(&write(&two, seed));
        prop_assert_eq!(one == two, same);
    }

    #[test]
    fn one_changed_leaf_changes_the_form(object in objects(), path in prop::collection::vec(any::<prop::sample::Index>(), 6)) {
        let mut changed = Value::Object(object.clone().into_iter().collect());
        change(&mut changed, &path);
        let changed = serde_json::json!({ "body": changed });
        let before = serde_json::json!({ "body": object });
        prop_assert_ne!(canonical(&before.to_string()), canonical(&changed.to_string()));
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Outline::read(&bytes);
    }

    #[test]
    fn any_jumble_of_json_is_judged_as_serde_does(jumble in "[{}\\[\\]\",:0-9eE.\\\\u\\-tnd a]{0,24}") {
        let body = format!("{{\"k\":{jumble}}}");
        if canonical(&body).is_some() {
            let read: Result<Value, _> = serde_json::from_str(&body);
            let refused = read.as_ref().err().map(ToString::to_string).unwrap_or_default();
            // Two freedoms: floats beyond f64, and surrogates without partner.
            let free = refused.contains("number out of range") || refused.contains("surrogate")
                || refused.contains("unexpected end of hex escape");
            prop_assert!(read.is_ok() || free, "{body}: {refused}");
        }
    }
}

#[test]
fn numbers_are_one_when_their_value_is() {
    let form = |number: &str| canonical(&format!("{{\"a\":{number}}}"));
    for same in [
        ["1", "1.0"],
        ["1", "10e-1"],
        ["100", "1e2"],
        ["0", "-0.00e7"],
        ["0.00120", "1.2E-3"],
        ["-5e0", "-5"],
        ["12000", "0.12e5"],
    ] {
        assert!(form(same[0]).is_some() && form(same[0]) == form(same[1]), "{same:?}");
    }
    for different in [
        ["1", "-1"],
        ["1", "10"],
        ["9007199254740993", "9007199254740992"],
        ["1e400", "1e401"],
        ["0.1", "0.10000000000000000001"],
    ] {
        assert!(form(different[0]).is_some() && form(different[0]) != form(different[1]), "{different:?}");
    }
    for bad in ["01", "1.", ".5", "+1", "-", "1e", "1e+", "0x1", "1e9999999999999", "NaN"] {
        assert_eq!(form(bad), None, "{bad}");
    }
}

#[test]
fn lone_surrogates_stay_apart() {
    let form = |text: &str| canonical(&format!("{{\"a\":\"{text}\"}}"));
    assert_ne!(form("\\ud800"), form("\\ud801"));
    assert_ne!(form("\\ud800"), form("\\udc00"));
    assert_eq!(form("\\ud83d\\ude00"), form("😀"));
    assert_eq!(form("\\ud8"), None);
    assert_eq!(form("\\x41"), None);
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "{\"a\":".repeat(depth - 1) + "{", "}".repeat(depth));
    assert!(canonical(&nested(MAX_DEPTH)).is_some());
    assert_eq!(canonical(&nested(MAX_DEPTH + 1)), None);
}

#[test]
fn fields_are_found_by_name_and_only_at_the_top() {
    let outline = Outline::read(br#" { "b" : [ 1 ] , "\u0061":{"c":true} , "":null } "#).unwrap();
    assert_eq!(outline.field("a"), Some(&br#"{"c":true}"#[..]));
    assert_eq!(outline.field("b"), Some(&b"[ 1 ]"[..]));
    assert_eq!(outline.field(""), Some(&b"null"[..]));
    assert_eq!(outline.field("c"), None);
}
