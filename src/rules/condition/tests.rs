use super::super::case::Given;
use super::super::facts::Values;
use super::super::stack::with_deep_stack;
use super::*;

fn compile(source: &str) -> Result<Condition, Vec<String>> {
    with_deep_stack(|| Condition::compile(&Language::new(), source)).unwrap()
}

fn holds(source: &str) -> bool {
    let condition = compile(source).unwrap_or_else(|problems| panic!("{source}: {problems:?}"));
    let given = Given {
        model: "claude-opus".into(),
        headers: vec![("x-a".into(), "1".into())],
        max_output_tokens: Some(7),
        ..Given::default()
    };
    given.with_facts(|facts| condition.holds(&Values::of(facts)).unwrap())
}

fn problem(source: &str) -> String {
    compile(source).err().unwrap_or_else(|| panic!("{source} is accepted")).join("; ")
}

#[test]
fn conditions_see_the_facts() {
    for source in [
        "request.model == 'claude-opus' && request.op == 'chat' && !request.stream",
        "request.max_output_tokens == 7 && request.input_bound * 2 > 150",
        "headers['x-a'] == '1' && 'x-a' in headers && !('x-b' in headers) && headers['x-b'] == ''",
        "headers[request.stream ? 'x-b' : 'x-a'] == '1'",
        "request.model.startsWith('claude') && request.model.size() == 11",
        "['a', 'claude-opus'].exists(x, x == request.model)",
        "request.model in ['claude-opus'] && time.weekday_utc < 6",
        "[1, 2].all(n, n < 3) && request.body_bytes > 1.5",
        "[3].exists(request, request == 3)",
        "type(request.model) == string",
        "request.model.matches('^claude-.*s$') && matches(request.model, 'opus')",
        "['claude-opus'].exists(x, x.matches('opus$'))",
        "!request.model.matches('^opus')",
        "true ? true : false",
    ] {
        assert!(holds(source), "{source}");
    }
}

#[test]
fn unknown_names_are_found_wherever_they_hide() {
    for (source, wanted) in [
        ("model == 'x'", "unknown variable `model`"),
        ("request == 'x'", "`request` is a group"),
        ("request.stream && request.bytes > 1", "unknown variable `request.bytes`"),
        ("true || caller.name == 'x'", "unknown variable `caller.name`"),
        ("[1].exists(n, n == 1 && whatever)", "unknown variable `whatever`"),
        ("[1].exists(n, true) && n == 1", "unknown variable `n`"),
        ("headers.host == 'x'", "write `headers[\"host\"]`"),
        ("headers['X-A'] == 'x'", "lower-case"),
        ("'X-A' in headers", "lower-case"),
        ("has(request.model)", "always true"),
        ("true || request.model.shout() == 'x'", "shout"),
        ("false && frobnicate(request.model)", "frobnicate"),
        ("{'a': foo}.a == 1", "unknown variable `foo`"),
    ] {
        let problem = problem(source);
        assert!(problem.contains(wanted), "{source}: {problem}");
    }
}

#[test]
fn wrong_types_are_found_wherever_they_hide() {
    for (source, wanted) in [
        ("request.model", "of type string"),
        ("1 + 1", "of type int"),
        ("request.stream && request.model", "of type string"),
        ("request.stream == 'true'", "bool is compared with string"),
        ("true || request.model != 5", "string is compared with int"),
        ("!(request.stream && headers['a'] > 5)", ""),
        ("request.stream ? request.model < 3 : true", ""),
        ("request.body_bytes + 'x' == 'y'", ""),
        ("headers[1] == 'x'", ""),
        ("request.model.startsWith(5)", ""),
        ("request.model[0] == 'c'", ""),
        ("5 in request.model", ""),
    ] {
        assert!(problem(source).contains(wanted), "{source}: {}", problem(source));
    }
}

#[test]
fn patterns_are_compiled_when_loaded() {
    assert!(problem("request.model.matches('(')").contains("the pattern \"(\" is wrong"));
    assert!(problem("request.model.matches(caller.user)").contains("must be written out"));
    assert!(problem("true || matches(request.model, caller.user)").contains("must be written out"));
}

#[test]
fn an_error_of_value_is_left_to_the_request() {
    let condition = compile("int(request.model) > 5").unwrap();
    Given::default().with_facts(|facts| assert!(condition.holds(&Values::of(facts)).is_err()));
    assert!(compile("100 / request.max_output_tokens > 1").is_ok());
}

#[test]
fn what_cannot_be_read_is_refused_without_a_panic() {
    for source in
        ["", "(", "request.", "1 +", "'open", "a b", "@0", "request.model ==", "\u{0}", "😀", "a{b:1}"]
    {
        assert!(compile(source).is_err(), "{source:?}");
    }
    assert!(problem(&"(".repeat(5000)).contains("longer than"));
    assert!(problem(&format!("{}true{}", "(".repeat(33), ")".repeat(33))).contains("deeper than"));
    // Each of these recurses, in the parser or behind it.
    for (part, count, end) in [
        ("!", 3990, "true"),
        ("-", 3990, "1 == 1"),
        ("1+", 1990, "1 == 1"),
        ("true ? true : ", 280, "true"),
        ("true?", 790, "true"),
        ("request.", 490, "x"),
        ("'a' in ", 500, "['a']"),
        ("[1].all(x, ", 32, "true"),
    ] {
        let source = format!("{}{end}", part.repeat(count));
        if let Ok(condition) = compile(&source) {
            Given::default()
                .with_facts(|facts| assert!(condition.holds(&Values::of(facts)).is_ok(), "{part}"));
        }
    }
    assert!(problem(&format!("{}1 == 1", "1+".repeat(41))).contains("deeper than 40"));
}

#[test]
fn long_conditions_of_alternatives_are_fine() {
    let many: Vec<_> = (0..100).map(|n| format!("request.model == 'm{n}'")).collect();
    assert!(!holds(&many.join(" || ")));
    assert!(holds(&(many.join(" || ") + " || request.model == 'claude-opus'")));
    assert!(compile(&format!("{}true{}", "(".repeat(31), ")".repeat(31))).is_ok());
    let nested = format!("{}true{}", "(request.stream ? false : ".repeat(15), ")".repeat(15));
    assert!(holds(&nested));
}

mod straight {
    use super::*;
    use proptest::prelude::*;

    /// Few texts, so that they meet.
    const TEXTS: [&str; 6] = ["", "a", "ab", "ba", "claude", "é"];

    fn text() -> impl Strategy<Value = String> {
        prop::sample::select(&TEXTS[..]).prop_map(str::to_owned)
    }

    fn atom() -> impl Strategy<Value = String> {
        let texts = [
            "request.op",
            "request.model",
            "caller.user",
            "caller.key",
            "caller.key_name",
            "caller.tenant",
            "caller.address",
            "headers['x-a']",
            "headers['x-b']",
        ];
        let numbers = [
            "request.input_bound",
            "request.max_output_tokens",
            "request.body_bytes",
            "time.hour_utc",
            "time.weekday_utc",
        ];
        let flags = [
            "request.stream",
            "request.has_tools",
            "request.has_media",
            "'x-a' in headers",
            "'x-c' in headers",
        ];
        let of_texts = prop::sample::select(texts.to_vec());
        let of_numbers = prop::sample::select(numbers.to_vec());
        let calls = prop::sample::select(vec!["startsWith", "endsWith", "contains", "matches"]);
        let orders = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
        prop_oneof![
            prop::sample::select(flags.to_vec()).prop_map(str::to_owned),
            (of_texts.clone(), text(), any::<bool>())
                .prop_map(|(v, t, not)| { format!("{v} {} '{t}'", if not { "!=" } else { "==" }) }),
            (of_texts.clone(), text()).prop_map(|(v, t)| format!("'{t}' == {v}")),
            (of_texts.clone(), text(), text()).prop_map(|(v, t, u)| format!("{v} in ['{t}', '{u}']")),
            (of_texts, calls, text()).prop_map(|(v, call, t)| format!("{v}.{call}('{t}')")),
            (of_numbers.clone(), orders.clone(), 0..4).prop_map(|(v, o, n)| format!("{v} {o} {n}")),
            (of_numbers, orders, 0..4).prop_map(|(v, o, n)| format!("{n} {o} {v}")),
        ]
    }

    fn condition() -> impl Strategy<Value = String> {
        atom().prop_recursive(4, 16, 2, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) || ({b})")),
                inner.prop_map(|a| format!("!({a})")),
            ]
        })
    }

    fn given() -> impl Strategy<Value = Given> {
        let number = || prop_oneof![0..4_u64, Just(u64::MAX)];
        let texts = (text(), text(), text(), text(), text(), text(), text());
        let flags = any::<[bool; 3]>();
        let numbers = (number(), prop::option::of(number()), number(), 0..4_u8, 1..4_u8);
        let headers = prop::collection::vec((prop::sample::select(vec!["x-a", "x-b"]), text()), 0..3);
        (texts, flags, numbers, headers).prop_map(|(texts, flags, numbers, headers)| {
            let (op, model, user, key, key_name, tenant, address) = texts;
            let [stream, has_tools, has_media] = flags;
            let (input_bound, max_output_tokens, body_bytes, hour_utc, weekday_utc) = numbers;
            let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            Given {
                op,
                model,
                stream,
                input_bound,
                max_output_tokens,
                has_tools,
                has_media,
                body_bytes,
                user,
                key,
                key_name,
                tenant,
                address,
                headers,
                hour_utc,
                weekday_utc,
            }
        })
    }

    proptest! {
        #[test]
        fn says_what_cel_says(source in condition(), given in given()) {
            let condition = compile(&source).map_err(|problems| TestCaseError::fail(problems.join("; ")))?;
            prop_assert!(condition.straight.is_some(), "{} takes CEL", source);
            given.with_facts(|facts| {
                let values = Values::of(facts);
                prop_assert_eq!(condition.holds(&values), condition.holds_by_cel(&values), "{}", source);
                Ok(())
            })?;
        }
    }

    #[test]
    fn what_is_not_that_simple_is_left_to_cel() {
        for source in [
            "request.model + 'a' == 'b'",
            "request.input_bound * 2 > 4",
            "request.body_bytes > 1.5",
            "request.model == request.op",
            "request.model < 'b'",
            "['a'].exists(x, x == request.model)",
            "request.stream == true",
            "true",
        ] {
            assert!(compile(source).unwrap().straight.is_none(), "{source}");
        }
    }
}
