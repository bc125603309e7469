use super::case::Given;
use super::*;

fn set(text: &str) -> RuleSet {
    RuleSet::parse("test.toml", text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn rule(name: &str, when: &str, then: &str) -> String {
    format!("[[rule]]\nname = \"{name}\"\nwhen = '''{when}'''\nthen = {then}\n")
}

/// The problems of a file, without the file's name.
fn problems(text: &str) -> Vec<String> {
    let problems = RuleSet::parse("f", text).err().unwrap_or_default();
    problems.iter().map(|problem| problem.strip_prefix("f:").unwrap().to_owned()).collect()
}

fn decided(text: &str, given: &Given) -> Decision {
    given.with_facts(|facts| set(text).decide(facts))
}

#[test]
fn the_example_files_pass_their_own_cases() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("lua-free-rules");
    let mut folders = vec![folder];
    let (mut rules, mut files) = (RuleSet::default(), 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                let text = std::fs::read_to_string(&path).unwrap();
                let name = path.file_name().unwrap().to_str().unwrap();
                let one = RuleSet::parse(name, &text).unwrap_or_else(|problems| panic!("{problems:#?}"));
                assert!(one.case_count() >= 2, "{name} shows too few cases");
                assert_eq!(one.run_cases(), Vec::<String>::new(), "{name} by itself");
                rules.append(one).unwrap();
                files += 1;
            }
        }
    }
    assert!(files >= 5);
    assert_eq!(rules.run_cases(), Vec::<String>::new(), "all together");
}

#[test]
fn the_description_names_every_variable() {
    let text = include_str!("../../lua-free-rules/README.md");
    for variable in facts::VARIABLES {
        assert!(text.contains(&format!("| `{variable}` |")), "{variable}");
    }
}

#[test]
fn rules_can_be_shared_by_all_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<RuleSet>();
}

#[test]
fn without_rules_nothing_is_decided() {
    let none = RuleSet::default();
    assert!(none.is_empty());
    assert_eq!(Given::default().with_facts(|facts| none.decide(facts)), Decision::default());
    assert!(set("").is_empty());
}

#[test]
fn all_rules_that_match_apply_in_order() {
    let text = rule(
        "a",
        "true",
        r#"{ model = "one", max_output_tokens = 5, tag = "t", request_header = { x = "1", y = "1" } }"#,
    ) + &rule("b", "false", r#"{ deny = "no" }"#)
        + &rule(
            "c",
            "true",
            r#"{ model = "two", max_output_tokens = 9, tag = "t", request_header = { x = "2" }, cache_ttl = 7 }"#,
        );
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let wanted = Decision {
        model: Some("two".into()),
        max_output_tokens: Some(5),
        cache_ttl_seconds: Some(7),
        request_headers: vec![pair("x", "2"), pair("y", "1")],
        tags: vec!["t".into()],
        matched: vec!["a".into(), "c".into()],
        ..Decision::default()
    };
    assert_eq!(decided(&text, &Given::default()), wanted);
}

#[test]
fn deny_and_stop_end_the_list() {
    let last = rule("last", "true", r#"{ tag = "last" }"#);
    let denied = decided(&(rule("no", "true", r#"{ deny = "text" }"#) + &last), &Given::default());
    assert_eq!(denied.deny, Some(("text".into(), "no".into())));
    assert_eq!(denied.matched, ["no"]);
    let stopped = decided(&(rule("halt", "true", "{ stop = true }") + &last), &Given::default());
    assert_eq!((stopped.deny, stopped.matched), (None, vec!["halt".to_owned()]));
}

#[test]
fn a_condition_that_fails_denies_or_skips_and_is_named() {
    let failing = r#"int(headers["x-n"]) > 5"#;
    let given = Given { headers: vec![("x-n".into(), "many".into())], ..Given::default() };
    let after = rule("after", "true", r#"{ tag = "after" }"#);
    let with = |then: &str, on_error: &str| {
        decided(&format!("{}{on_error}\n{after}", rule("odd", failing, then)), &given)
    };
    let skipped = with(r#"{ tag = "x" }"#, "");
    assert_eq!(
        (skipped.deny, skipped.tags, skipped.errors),
        (None, vec!["after".into()], vec!["odd".into()])
    );
    let denied = with(r#"{ deny = "text" }"#, "");
    assert_eq!(denied.deny, Some(("text".into(), "odd".into())));
    assert_eq!((denied.matched, denied.errors), (vec![], vec!["odd".into()]));
    let closed = with(r#"{ tag = "x" }"#, "on_error = 'deny'");
    assert_eq!(closed.deny, Some((UNDECIDABLE.into(), "odd".into())));
    let open = with(r#"{ deny = "text" }"#, "on_error = 'skip'");
    assert_eq!((open.deny, open.errors), (None, vec!["odd".into()]));
}

#[test]
fn every_problem_of_a_file_is_reported_at_once_with_its_line() {
    let text = r#"
typo = 1
[[rule]]
name = "a"
when = "request.mdoel == 'x'"
then = { dney = "x" }
[[rule]]
when = "true"
then = {}
[[rule]]
name = "b"
when = "request.stream && request.model > 5"
then = { model = "a b", max_output_tokens = 0, cache_ttl = "soon", request_header = { "Host" = "x", "host" = "x" } }
on_error = "panic"
[[case]]
name = "c"
given = { request.hour = 1, time.hour_utc = 24, headers = { A = "x" }, request.op = "chatt" }
expect = {}
"#;
    let found = problems(text);
    let wanted = [
        "2: unknown key `typo`",
        "5: rule \"a\": unknown variable `request.mdoel`",
        "6: rule \"a\": unknown key `dney`",
        "7: rule: `name` is missing",
        "9: rule: `then` must do something",
        "12: rule \"b\": ",
        "13: rule \"b\": model must be",
        "13: rule \"b\": `max_output_tokens` must be",
        "13: rule \"b\": `cache_ttl` must be",
        "13: rule \"b\": \"Host\" is no header name",
        "13: rule \"b\": host cannot be set",
        "14: rule \"b\": `on_error` must be",
        "17: case \"c\": unknown variable `request.hour`",
        "17: case \"c\": `time.hour_utc` must be a number from 0 to 23",
        "17: case \"c\": header names are lower-case",
        "17: case \"c\": `request.op` must be",
        "18: case \"c\": `expect` must say something",
    ];
    for start in wanted {
        assert!(found.iter().any(|problem| problem.starts_with(start)), "{start} in {found:#?}");
    }
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    assert!(found.is_sorted_by_key(|problem| problem.split(':').next().unwrap().parse::<usize>().unwrap()));
}

#[test]
fn a_file_that_is_no_toml_or_has_the_wrong_shape_is_refused_with_its_line() {
    assert!(problems("\n[[rule]\n")[0].starts_with("2: "));
    assert!(problems("rule = 1")[0].starts_with("1: `rule` is written as [[rule]]"));
    assert!(problems("rule = [1]")[0].starts_with("1: a rule must be a table"));
    let twice = rule("a", "true", "{ stop = true }").repeat(2);
    assert_eq!(problems(&twice), ["5: rule \"a\": another rule of this file has the same name"]);
}

#[test]
fn cases_see_only_the_rules_of_their_own_file() {
    let case = "[[case]]\nname = 'c'\nexpect = { matched = ['mine'] }\n";
    let mut all = set(&rule("other", "true", "{ stop = true }"));
    all.append(set(&(rule("mine", "true", "{ stop = true }") + case))).unwrap();
    assert_eq!(all.run_cases(), Vec::<String>::new());
    assert_eq!(Given::default().with_facts(|facts| all.decide(facts)).matched, ["other"]);
}

#[test]
fn a_case_that_differs_says_where_and_what() {
    let text = rule("a", "true", r#"{ max_output_tokens = 5, deny = "no", response_header = { x = "1" } }"#)
        + r#"
[[case]]
name = "c"
expect = { deny = "yes", model = "m", max_output_tokens = 6, cache_ttl = "5m", response_header = {}, tags = ["t"], matched = [], errors = ["e"] }
"#;
    let failures = set(&text).run_cases();
    assert_eq!(failures.len(), 8, "{failures:#?}");
    assert!(failures.iter().all(|failure| failure.starts_with("test.toml:6: case \"c\": expected ")));
    assert!(failures.iter().any(|failure| failure.ends_with("expected max_output_tokens 6, got 5")));
}
